"""Fluent Bit's configuration, in its own format or in YAML (https://docs.fluentbit.io/manual/administration)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from auditor.matching import pattern
from auditor.model import Location, LogInput, LogOutput
from auditor.regexp import regexp
from auditor.sources.logs.reading import at, items, mapping, mappings, output, parsed

_LINE_LIMIT = 20_000
_HEADER = regexp(r"\[\s*([A-Za-z_]+)\s*\]")
_SEEN = frozenset({"tail", "systemd", "forward", "syslog", "tcp", "udp", "http", "opentelemetry", "docker_logs"})
_DEFAULT_PORTS = {"loki": 3100, "es": 9200, "opensearch": 9200, "forward": 24224, "gelf": 12201, "http": 80}
_LISTENS = {"forward": 24224, "syslog": 5140, "tcp": 5170, "udp": 5170, "http": 9880, "opentelemetry": 4318}
_KEEPING = frozenset(
    {"file", "s3", "kinesis_streams", "cloudwatch_logs", "stackdriver", "datadog", "bigquery", "azure"}
)


@dataclass(frozen=True, slots=True)
class _Section:
    """One section: its kind in capitals, and its keys in small letters."""

    kind: str
    keys: Mapping[str, str]
    place: Location


def parse(texts: Mapping[str, bytes]) -> tuple[LogInput, ...] | None:
    """The inputs of a Fluent Bit, each with the outputs whose `Match` fits its tag."""
    sections: list[_Section] = []
    for path, data in texts.items():
        sections += _of_yaml(data, path) if path.endswith((".yml", ".yaml")) else _of_conf(data, path)
    inputs = [section for section in sections if section.kind == "INPUT"]
    if not inputs:
        return None
    rewritten = any(s.kind == "FILTER" and s.keys.get("name", "").lower() == "rewrite_tag" for s in sections)
    grep = any(s.kind == "FILTER" and s.keys.get("name", "").lower() == "grep" for s in sections)
    unclear = "a filter lets through only a part" if grep else None
    unclear = "a filter gives its lines other tags" if rewritten else unclear
    numbered = enumerate(inputs)
    return tuple(made for number, one in numbered for made in _input(one, number, sections, unclear))


def _of_conf(data: bytes, path: str) -> list[_Section]:
    found: list[tuple[str, dict[str, str], int]] = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines()[:_LINE_LIMIT], 1):
        text = line.strip()
        header = _HEADER.fullmatch(text)
        if header:
            found.append((header[1].upper(), {}, number))
        elif text and not text.startswith(("#", "@")) and found:
            key, _, value = text.partition(" ")
            found[-1][1].setdefault(key.lower(), value.strip())
    return [_Section(kind, keys, Location(path, number)) for kind, keys, number in found]


def _of_yaml(data: bytes, path: str) -> list[_Section]:
    pipeline = mapping(parsed(data, path).get("pipeline"))
    return [
        _Section(kind, {key.lower(): _text(value) for key, value in item.items()}, at(path, item))
        for key, kind in (("inputs", "INPUT"), ("filters", "FILTER"), ("outputs", "OUTPUT"))
        for item in mappings(pipeline.get(key))
    ]


def _text(value: object) -> str:
    return ",".join(str(one) for one in items(value))


def _input(one: _Section, number: int, sections: list[_Section], unclear: str | None) -> Iterator[LogInput]:
    name = one.keys.get("name", "").lower()
    if name not in _SEEN:
        return
    tag = one.keys.get("tag") or (None if name == "forward" else f"{name}.{number}")
    taking = [section for section in sections if section.kind == "OUTPUT" and _matches(section, tag)]
    outputs = [made for section in taking for made in _output(section)]
    if tag is None and outputs and not any(_output(section) and _takes_all(section) for section in taking):
        unclear = unclear or "its outputs take only what has certain tags"
    if name == "tail":
        paths = tuple(path.strip() for path in one.keys.get("path", "").split(",") if path.strip())
        yield LogInput("files", one.place, paths, outputs=tuple(outputs), unclear=unclear)
    else:
        kind = "journal" if name == "systemd" else "receive"
        said = one.keys.get("port", "")
        port = int(said) if said.isdecimal() else None if said else _LISTENS.get(name)
        yield LogInput(kind, one.place, outputs=tuple(outputs), unclear=unclear, port=port)


def _matches(section: _Section, tag: str | None) -> bool:
    """Whether an output takes what has a tag; a `*` in the tag stands for a file's path; None: any tag."""
    if tag is None:
        return not section.keys.keys().isdisjoint({"match", "match_regex"})
    made = tag.replace("*", "var.log.containers.x")
    if "match_regex" in section.keys:
        try:
            return pattern(f"(?s:.*(?:{section.keys['match_regex']}).*)").fullmatch(made) is not None
        except ValueError:
            return True
    return fnmatchcase(made, section.keys.get("match", ""))


def _takes_all(section: _Section) -> bool:
    return section.keys.get("match") in ("*", "**") or section.keys.get("match_regex") in (".*", ".+", "^.*$", "^.+$")


def _output(section: _Section) -> tuple[LogOutput, ...]:
    name = section.keys.get("name", "").lower()
    if name in _KEEPING:
        return (LogOutput(name, None, section.place),)
    told = section.keys.get("uri_host") or section.keys.get("host") or section.keys.get("brokers") or "127.0.0.1"
    port = section.keys.get("port", "")
    number = int(port) if port.isdecimal() else _DEFAULT_PORTS.get(name)
    return output(name, told.split(","), section.place, number)
