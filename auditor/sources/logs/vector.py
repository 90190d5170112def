"""Vector's configuration in YAML, TOML or JSON (https://vector.dev/docs/reference/configuration/)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from auditor.errors import TextError
from auditor.model import Location, LogInput, LogOutput, Relabelling
from auditor.sources.logs.reading import (
    ENGINE,
    NAME,
    asked,
    at,
    drop,
    items,
    keep,
    label_name,
    mapping,
    output,
    parsed,
)

_OWN = frozenset(
    {
        "internal_metrics", "internal_logs", "host_metrics", "demo_logs", "prometheus_scrape", "static_metrics",
        "apache_metrics", "nginx_metrics", "mongodb_metrics", "postgresql_metrics", "eventstoredb_metrics",
    }
)  # fmt: skip
_FIELDS = ("endpoint", "endpoints", "uri", "url", "address", "bootstrap_servers", "host")
_METRICS = ("prometheus_exporter", "prometheus_remote_write", "statsd", "influxdb_metrics", "datadog_metrics")
_Parts = dict[str, tuple[Mapping[str, Any], Location]]


def parse(texts: Mapping[str, bytes]) -> tuple[LogInput, ...] | None:
    """The sources of a Vector, each with the sinks that it gets to."""
    sources: _Parts = {}
    middle: _Parts = {}
    sinks: _Parts = {}
    for path, data in texts.items():
        root = _root(data, path)
        for key, parts in (("sources", sources), ("transforms", middle), ("sinks", sinks)):
            for name, part in mapping(root.get(key)).items():
                if isinstance(part, Mapping):
                    parts[name] = part, _place(root, key, name, data, path)
    if not sources and not sinks:
        return None
    return tuple(one for name in sources for one in _input(name, sources, middle, sinks))


def _root(data: bytes, path: str) -> Mapping[str, Any]:
    if not path.endswith(".toml"):
        return parsed(data, path)
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise TextError(f"it is no TOML: {str(error)[:100]}", path=path, line=1) from None


def _place(root: Mapping[str, Any], key: str, name: str, data: bytes, path: str) -> Location:
    if not path.endswith(".toml"):
        return at(path, root.get(key), name)
    match = re.search(rf"^\s*\[\s*{key}\.[\"']?{re.escape(name)}\b", data.decode("utf-8", "replace"), re.MULTILINE)
    return Location(path, data.decode("utf-8", "replace").count("\n", 0, match.end()) + 1 if match else 1)


def _input(name: str, sources: _Parts, middle: _Parts, sinks: _Parts) -> Iterator[LogInput]:
    source, place = sources[name]
    kind = str(source.get("type", ""))
    if kind in _OWN:
        return
    outputs, unclear = _reached(name, middle, sinks)
    if kind == "docker_logs":
        engine = asked(source.get("docker_host") or ENGINE)
        yield LogInput("engine", place, engine, tuple(_rules(source)), outputs, unclear)
    elif kind == "file":
        paths = tuple(str(path) for path in items(source.get("include")))
        yield LogInput("files", place, paths, outputs=outputs, unclear=unclear)
    else:
        port = re.fullmatch(r".*:(\d{1,5})", str(source.get("address")))
        how = "journal" if kind == "journald" else "receive"
        yield LogInput(how, place, outputs=outputs, unclear=unclear, port=int(port[1]) if port else None)


def _rules(source: Mapping[str, Any]) -> Iterator[Relabelling]:
    """Names and images are taken by how they begin, labels by `name` or `name=value`; one of each list is enough."""
    included = [re.escape(str(name)) for name in items(source.get("include_containers"))]
    excluded = [re.escape(str(name)) for name in items(source.get("exclude_containers"))]
    if included:
        yield keep(NAME, f"/?({'|'.join(included)}).*")
    if excluded:
        yield drop(NAME, f"/?({'|'.join(excluded)}).*")
    for text in items(source.get("include_labels")):
        label, sign, value = str(text).partition("=")
        yield keep(label_name(label), re.escape(value) if sign else ".+")
    images = [re.escape(str(image)) for image in items(source.get("include_images"))]
    if images:
        yield keep("__image", f"({'|'.join(images)}).*")


def _reached(name: str, middle: _Parts, sinks: _Parts) -> tuple[tuple[LogOutput, ...], str | None]:
    """The sinks that a source gets to, and why not all of it may."""
    reached, waiting, unclear = {name}, [name], None
    while waiting:
        one = waiting.pop()
        for other, (transform, _) in middle.items():
            if other not in reached and _takes(transform, one):
                reached.add(other)
                waiting.append(other)
                if transform.get("type") in ("filter", "sample", "route", "exclusive_route", "throttle"):
                    unclear = f"transform `{other}` lets through only a part"
    outputs = [
        made
        for sink, place in sinks.values()
        if sink.get("type") not in _METRICS and any(_takes(sink, one) for one in reached)
        for made in _outputs(sink, place)
    ]
    return tuple(outputs), unclear


def _takes(part: Mapping[str, Any], name: str) -> bool:
    inputs = (str(one) for one in items(part.get("inputs")))
    return any(fnmatchcase(name, one) or one.partition(".")[0] == name for one in inputs)


def _outputs(sink: Mapping[str, Any], place: Location) -> tuple[LogOutput, ...]:
    field = next((key for key in _FIELDS if key in sink), None)
    addresses = [part for value in items(sink.get(field)) for part in str(value).split(",")] if field else []
    return output(str(sink.get("type", "")), addresses, place)
