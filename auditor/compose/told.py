"""Secrets that stand in a Compose file outside of `environment`: in commands, labels and arguments of a build."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.compose.interpolate import literal_part, written
from auditor.compose.merge import build_mapping, keyed
from auditor.compose.places import Faults
from auditor.compose.secrets import classify
from auditor.compose.values import scalar_text, words
from auditor.model import Location, Variable
from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Value

_FLAG = regexp(r"-{1,2}(?P<name>[A-Za-z][\w.-]*)")
_PAIR = regexp(r"-{0,2}(?P<name>[A-Za-z][\w.-]*)=(?P<value>.+)", re.DOTALL)
_LONGEST = 8 << 10  # characters of a command that are looked at
_MOST = 500  # words of a command
_SHORTEST = 15  # characters of what is a secret by its form alone


def told(service: Mapping, faults: Faults) -> tuple[Variable, ...]:
    """The secrets that a merged service tells, by name and place, without their values."""
    found = [*_of_commands(service, faults), *_of_labels(service, faults), *_of_arguments(service, faults)]
    return tuple(dict.fromkeys(found))


def _of_commands(service: Mapping, faults: Faults) -> Iterator[Variable]:
    for key in ("entrypoint", "command"):
        value = service.get(key)
        if value is None:
            continue
        location = faults.places.at(service.lines[key])
        for name, word in _pairs(_parts(value)):
            if not name and len(word) < _SHORTEST and word.isalnum():
                continue
            if "$" not in word or "$" not in literal_part(word)[0]:  # a variable of the container's own shell
                yield from _secret(name, word, "command", location)


def _parts(value: Value) -> list[str]:
    """The words of a command as they are written; those of a script that a shell reads are words, too."""
    if isinstance(value, str):
        return words(written(value)[:_LONGEST])[:_MOST]
    items = [written(item)[:_LONGEST] for item in value if isinstance(item, str)] if isinstance(value, Sequence) else []
    return [part for item in items for part in (item.split() if item else [item])][:_MOST]


def _pairs(parts: list[str]) -> Iterator[tuple[str, str]]:
    """What has a name in a command line: `--name=value`, `--name value`, `NAME=value`; and each word for itself."""
    flag = ""
    for part in parts:
        if "=" in part and (pair := _PAIR.fullmatch(part)):
            yield pair["name"], pair["value"].strip("\"'")
            flag = ""
        elif part.startswith("-") and (match := _FLAG.fullmatch(part)):
            flag = match["name"]
        else:
            yield flag, part.strip("\"';")
            flag = ""


def _of_labels(service: Mapping, faults: Faults) -> Iterator[Variable]:
    yield from _of_mapping(keyed(service.get("labels")), "label", faults)


def _of_arguments(service: Mapping, faults: Faults) -> Iterator[Variable]:
    build = build_mapping(service.get("build"), 0) if service.get("build") else None
    if isinstance(build, Mapping):
        yield from _of_mapping(keyed(build.get("args")), "build argument", faults)


def _of_mapping(mapping: Mapping | None, where: str, faults: Faults) -> Iterator[Variable]:
    for name, value in (mapping or Mapping()).items():
        if value is not None and not isinstance(value, Mapping | Sequence):
            text = value if isinstance(value, str) else scalar_text(value)
            location = faults.places.at(mapping.lines[name]) if mapping else None
            yield from _secret(name, text, where, location)


def _secret(name: str, value: str, where: str, location: Location | None) -> Iterator[Variable]:
    kind, default = classify(name.replace("-", "_"), value, is_address="://" in value)
    if kind in ("secret", "default-secret"):
        yield Variable(name, kind, location, default, where=where)
