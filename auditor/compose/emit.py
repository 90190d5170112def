"""A canonical model as text: YAML as Compose writes it, with lines as comments where they are asked for; and chains."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import isfinite

from auditor.compose.merge import Merged
from auditor.compose.places import Places
from auditor.model import Location
from auditor.yamlfile import Mapping, Sequence, Value

Chain = tuple[Location, ...]


def lines(config: Mapping, places: Places) -> dict[str, Chain]:
    """Dotted path of each value -> the line that decided it, then those that it overrode."""
    return {path: _chain(places, positions) for path, _, positions in _walk(config, "", ())}


def values(config: Mapping) -> dict[str, Value]:
    """Dotted path -> value."""
    return {path: value for path, value, _ in _walk(config, "", ())}


def shown(value: Value) -> str:
    """A value in one line."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | Sequence) else _scalar(value)


def _chain(places: Places, positions: tuple[int, ...]) -> Chain:
    return tuple(dict.fromkeys(places.at(position) for position in positions))


def _walk(value: Value, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, Value, tuple[int, ...]]]:
    """Every value below with its path and positions; what nobody wrote has those of what holds it."""
    todo: list[tuple[str, Value, tuple[int, ...]]] = [(path, value, above)]
    while todo:
        at, item, positions = todo.pop()
        if at:
            yield at, item, positions
        prefix = f"{at}." if at else ""
        if isinstance(item, Mapping):
            todo += [(f"{prefix}{key}", item[key], _positions(item, key) or positions) for key in reversed(item)]
        elif isinstance(item, Sequence):
            known = len(item.lines) == len(item)
            inner = [(f"{prefix}{n}", one, (item.lines[n],) if known else positions) for n, one in enumerate(item)]
            todo += reversed(inner)


def _positions(mapping: Mapping, key: str) -> tuple[int, ...]:
    if key not in mapping.lines:
        return ()
    overrode = mapping.overrode.get(key, ()) if isinstance(mapping, Merged) else ()
    return (mapping.lines[key], *overrode)


# --- YAML ------------------------------------------------------------------------------------------------------------


def yaml_text(config: Mapping, places: Places | None = None) -> str:
    """Block style, two spaces a level. `places`: with a trailing `# path:line` at each value."""
    return "".join(f"{line}\n" for line in _mapping(config, 0, places, ""))


def _mapping(value: Mapping, depth: int, places: Places | None, first: str) -> Iterator[str]:
    """The lines of a mapping; `first` stands before its first key instead of the indentation."""
    for key, item in value.items():
        lead, first = first or "  " * depth, ""
        yield from _entry(f"{lead}{_scalar(key)}:", item, depth, _comment(places, _positions(value, key)), places)


def _sequence(value: Sequence, depth: int, places: Places | None) -> Iterator[str]:
    known = len(value.lines) == len(value)
    for index, item in enumerate(value):
        comment = _comment(places, (value.lines[index],) if known else ())
        lead = f"{'  ' * depth}-"
        if isinstance(item, Mapping) and item:
            yield from _mapping(item, depth + 1, places, f"{lead} ")
        elif isinstance(item, Sequence) and item:
            yield f"{lead}{comment}"
            yield from _sequence(item, depth + 1, places)
        else:
            yield from _entry(lead, item, depth, comment, places)


def _entry(lead: str, item: Value, depth: int, comment: str, places: Places | None) -> Iterator[str]:
    if isinstance(item, Mapping) and item:
        yield f"{lead}{comment}"
        yield from _mapping(item, depth + 1, places, "")
    elif isinstance(item, Sequence) and item:
        yield f"{lead}{comment}"
        yield from _sequence(item, depth + 1, places)
    elif isinstance(item, str) and "\n" in item and _LITERAL.fullmatch(item):
        sign = "" if item.endswith("\n") and not item.endswith("\n\n") else "+" if item.endswith("\n") else "-"
        yield f"{lead} |{sign}{comment}"
        yield from (f"{'  ' * (depth + 1)}{line}" if line else "" for line in _body(item))
    else:
        yield f"{lead} {_scalar(item)}{comment}"


_LITERAL = re.compile(r"[^\s\x00-\x1f\x7f-\x9f](?:[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]*)")


def _body(text: str) -> list[str]:
    body = text.split("\n")
    return body[:-1] if body[-1] == "" else body


def _comment(places: Places | None, positions: tuple[int, ...]) -> str:
    if places is None or not positions:
        return ""
    place = places.at(positions[0])
    return f"  # {place.path}:{place.line}".replace("\n", " ")


_PLAIN = re.compile(r"[A-Za-z0-9_./$(^;+~][^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff#]*")
_MEANS_ELSE = re.compile(
    r"(?i:y|n|yes|no|on|off|true|false|null|~|\.inf|\.nan|[-+]?\.inf)|[-+.]?[0-9][0-9_.,:eExXoO+\-a-fA-F]*"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|=|<<"
)
_ONLY_NUMBER = re.compile(
    r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|(?:[0-9][0-9_]*)?\.?[0-9_]+(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*\.(?:[eE][-+]?[0-9]+)?)"
)


def _scalar(value: Value) -> str:
    if isinstance(value, str):
        return str(value) if _is_plain(value) else json.dumps(str(value), ensure_ascii=False)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, float) and not isfinite(value):
        return ".nan" if value != value else ".inf" if value > 0 else "-.inf"
    return "[]" if isinstance(value, Sequence) else str(value)


def _is_plain(text: str) -> bool:
    """Whether every YAML reader, of 1.1 or 1.2, takes a bare text for itself."""
    if not _PLAIN.fullmatch(text) or text != text.strip() or ": " in text or text.endswith(":"):
        return False
    return not (_ONLY_NUMBER.fullmatch(text) or (_MEANS_ELSE.fullmatch(text) and _is_word(text)))


def _is_word(text: str) -> bool:
    return not text[0].isdigit() or bool(re.fullmatch(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*", text))
