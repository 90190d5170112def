"""How Compose files are written, whatever they mean: quotes, and what an older YAML takes for something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping

from auditor.compose.secrets import looks_secret
from auditor.model import Definition, Fault, Location
from auditor.regexp import regexp

_MOST = 10_000  # remarks on one project
# Plain scalars at the end of a line that YAML 1.1 takes for something else than text. Each pattern begins with a
# literal, which makes the search several times faster; what stands before it is looked at afterwards.
_SCALAR = (
    r" +(?:(?P<word>[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff])|(?P<octal>0[0-7]+)"
    r"|(?P<sixty>[1-9][0-9]*(?::[0-5]?[0-9])+))[ \t]*(?:#.*)?\r?$"
)
_VALUE, _ITEM = (re.compile(sign + _SCALAR, re.MULTILINE) for sign in (":", "-"))
_KEY = regexp(r"[ \t]*(?:- +)?(?P<key>[\w.-]+)")
_BLANK = regexp(r"[ \t]*")
_VERSION = regexp(r"^(?:version|\"version\"|'version')[ \t]*:", re.MULTILINE)
# An item of a list at the start of its line, or one within brackets after the key.
_QUOTED_ITEM = regexp(r"[ \t]*(?:-[ \t]+)?[\"']")
_QUOTED_INSIDE = regexp(r"\bvolumes[\"']?[ \t]*:[ \t]*\[[^\]#\"'{]*[\"']")
_UNQUOTED_ITEM = regexp(r"[ \t]*(?:-[ \t]+)?[\d$]")
_UNQUOTED_INSIDE = regexp(r"\b(?:ports|expose)[\"']?[ \t]*:[ \t]*\[(?:[ \t]*(?:\"[^\"]*\"|'[^']*')[ \t]*,)*[ \t]*[\d$]")
_PART_OF_NAME = regexp(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_MODES = frozenset(("mode", "umask"))  # octal numbers that Compose itself writes so
_TRUE = frozenset(("yes", "on"))


def remarks(
    definitions: tuple[Definition, ...],
    sections: AnyMapping[str, Location],
    texts: AnyMapping[str, bytes],
    environment: str,
) -> tuple[Fault, ...]:
    """What is to be said of the text of a project's files. `sections`: its top-level keys and their places."""
    files = {path: data.decode("utf-8", "replace") for path, data in texts.items()}
    found: list[Fault] = []
    for path, text in files.items():
        found += _versions(path, text, sections, environment)
        found += _pitfalls(path, text, definitions, environment)
        if len(found) > _MOST:
            return tuple(found[:_MOST])
    lines = {path: text.split("\n") for path, text in files.items()}
    for definition in definitions:
        found += _names(definition, lines)
        found += _quotes(definition, lines)
        if len(found) > _MOST:
            break
    return tuple(found[:_MOST])


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _versions(path: str, text: str, sections: AnyMapping[str, Location], environment: str) -> Iterator[Fault]:
    match = _VERSION.search(text) if "version" in text else None
    merged = sections.get("version")
    place = Location(path, _line(text, match.start())) if match else merged
    if place is not None and place.path == path:
        yield Fault("obsolete-version-field", "Compose ignores `version`", place, environment=environment)


def _pitfalls(path: str, text: str, definitions: tuple[Definition, ...], environment: str) -> Iterator[Fault]:
    candidates = sorted(_candidates(text), key=lambda item: item[0].start())
    if not candidates:
        return
    owners: dict[int | None, tuple[str, str]] = {}
    for definition in definitions:
        for field, place in definition.lines.items():
            if place.path == path:
                owners[place.line] = definition.name, field
    line, at = 1, 0
    for match, key in candidates:
        line += text.count("\n", at, match.start())
        at = match.start()
        if line in owners and (said := _reading(match, key)):
            name, field = owners[line]
            message = f"`{field.partition('.')[0]}` of `{name}`: {said}"
            yield Fault("yaml-pitfall", message, Location(path, line), "put it into quotes", name, environment)


def _candidates(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """The scalars, each with its key; items of a list have none."""
    for pattern, before in ((_VALUE, _KEY), (_ITEM, _BLANK)):
        for match in pattern.finditer(text):
            start = text.rfind("\n", 0, match.start()) + 1
            found = before.fullmatch(text, start, match.start())
            if found:
                yield match, found["key"] if before is _KEY else ""


def _reading(match: re.Match[str], key: str) -> str | None:
    """What YAML 1.1 makes of a plain scalar. The text of a number may be a secret, and is not repeated then."""
    if match["word"]:
        return f"`{match['word']}` without quotes is {str(match['word'].lower() in _TRUE).lower()} in YAML 1.1"
    if match["octal"]:
        return None if key in _MODES else "a number with a leading zero, without quotes, is octal in YAML 1.1"
    if looks_secret(key):
        return "digits with colons, without quotes, are a number to the base of 60 in YAML 1.1"
    number = 0
    for part in match["sixty"][:40].split(":"):
        number = number * 60 + int(part)
    return f"`{match['sixty'][:40]}` without quotes is the number {number} in YAML 1.1"


def _names(definition: Definition, lines: AnyMapping[str, list[str]]) -> Iterator[Fault]:
    """A name that Compose lets pass, for it looks for a good part of it, and that the engine refuses whole."""
    name = definition.container_name
    if not name or not _PART_OF_NAME.search(name) or _PART_OF_NAME.fullmatch(name):
        return
    for place, text in _texts({definition.place("container_name"): None}, lines):
        if "$" not in text:  # else what is missing of it may be what a variable holds
            help = "use two or more letters, digits, `.`, `_`, `-`, and begin with a letter or digit"
            message = "a `container_name` that Docker refuses"
            yield Fault("invalid-compose", message, place, help, definition.name, definition.environment)


def _quotes(definition: Definition, lines: AnyMapping[str, list[str]]) -> Iterator[Fault]:
    exposed = [definition.lines.get(f"expose.{number}") for number in range(len(definition.expose))]
    ports = dict.fromkeys([*(port.location for port in definition.ports), *exposed])
    for place, text in _texts(ports, lines):
        if _UNQUOTED_ITEM.match(text) or ("[" in text and _UNQUOTED_INSIDE.search(text)):
            message = f"a port of `{definition.name}` stands without quotes"
            yield Fault("unquoted-port", message, place, None, definition.name, definition.environment)
    mounts = dict.fromkeys(mount.location for mount in definition.mounts if mount.kind in ("bind", "volume"))
    for place, text in _texts(mounts, lines):
        if _QUOTED_ITEM.match(text) or ("[" in text and _QUOTED_INSIDE.search(text)):
            message = f"a volume of `{definition.name}` stands in quotes"
            yield Fault("quoted-volume", message, place, None, definition.name, definition.environment)


def _texts(
    places: AnyMapping[Location | None, None], lines: AnyMapping[str, list[str]]
) -> Iterator[tuple[Location, str]]:
    for place in places:
        text = lines.get(place.path) if place else None
        if place and place.line and text and place.line <= len(text):
            yield place, text[place.line - 1]
