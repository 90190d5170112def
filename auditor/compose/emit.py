"""A canonical model as text: YAML as Compose writes it, with lines as comments where they are asked for; and chains."""

from __future__ import annotations

import json
from collections.abc import Iterator

from auditor.compose.goyaml import block, scalar
from auditor.compose.merge import lost
from auditor.compose.places import Places
from auditor.model import Location
from auditor.yamlfile import Mapping, Sequence, Value

Chain = tuple[Location, ...]


def lines(config: Mapping, places: Places) -> dict[str, Chain]:
    """Dotted path of each value -> the line that decided it, then those that it overrode."""
    return {path: _chain(places, positions) for path, _, positions in _walk(config, "", (config.line,))}


def values(config: Mapping) -> dict[str, Value]:
    """Dotted path -> value."""
    return {path: value for path, value, _ in _walk(config, "", ())}


def added(config: Mapping) -> dict[str, str]:
    """Dotted path of each value that nobody wrote -> that of the nearest one above that somebody did."""
    found: dict[str, str] = {}
    todo: list[tuple[str, Value]] = [("", config)]
    while todo:
        at, item = todo.pop()
        nearest, prefix = found.get(at, at), f"{at}." if at else ""
        if isinstance(item, Mapping):
            found |= {f"{prefix}{key}": nearest for key in item if key not in item.lines}
            todo += [(f"{prefix}{key}", inner) for key, inner in item.items()]
        elif isinstance(item, Sequence):
            if len(item.lines) != len(item):
                found |= {f"{prefix}{number}": nearest for number in range(len(item))}
            todo += [(f"{prefix}{number}", inner) for number, inner in enumerate(item)]
    return found


def find(config: Mapping, path: str) -> str | None:
    """The dotted path of what a reader calls `path`; an item of a list also by its target, port, source or name.

    Keys may hold dots themselves, as those of labels do. None where there is no such value.
    """
    todo: list[tuple[str, Value, str]] = [("", config, path)]
    while todo:
        at, item, rest = todo.pop()
        if not rest:
            return at.rstrip(".")
        if isinstance(item, Mapping):
            todo += [(f"{at}{key}.", item[key], left) for key in item if (left := _after(key, rest)) is not None]
        elif isinstance(item, Sequence):
            for number, inner in reversed(list(enumerate(item))):
                names = (str(number), *_called(inner))
                left = next((left for name in names if (left := _after(name, rest)) is not None), None)
                if left is not None:
                    todo.append((f"{at}{number}.", inner, left))
    return None


def _after(key: str, path: str) -> str | None:
    """What follows a key in a path; None where the path does not begin with it."""
    return path[len(key) + 1 :] if path == key or path.startswith(f"{key}.") else None


def _called(item: Value) -> Iterator[str]:
    """What else an item of a list may be called."""
    if isinstance(item, Mapping):
        yield from (
            str(item[key]) for key in ("target", "published", "source", "name", "path", "subnet") if key in item
        )
    elif isinstance(item, str):
        yield from (item, item.partition("=")[0])


def shown(value: Value) -> str:
    """A value in one line."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | Sequence) else scalar(value)


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
        nearest = positions[:1]
        if isinstance(item, Mapping):
            todo += [(f"{prefix}{key}", item[key], _positions(item, key) or nearest) for key in reversed(item)]
        elif isinstance(item, Sequence):
            known = len(item.lines) == len(item)
            inner = [(f"{prefix}{n}", one, (item.lines[n],) if known else nearest) for n, one in enumerate(item)]
            todo += reversed(inner)


def _positions(mapping: Mapping, key: str) -> tuple[int, ...]:
    if key not in mapping.lines:
        return ()
    return (mapping.lines[key], *lost(mapping).get(key, ()))


# --- YAML ------------------------------------------------------------------------------------------------------------


def yaml_text(config: Mapping, places: Places | None = None) -> str:
    """Block style, two spaces a level. `places`: with a trailing `# path:line` at each value."""
    return "".join(f"{line}\n" for line in _mapping(config, 0, places, (config.line,), ""))


def _mapping(value: Mapping, depth: int, places: Places | None, above: tuple[int, ...], first: str) -> Iterator[str]:
    """The lines of a mapping; `first` stands before its first key instead of the indentation."""
    for key, item in value.items():
        lead, first = first or "  " * depth, ""
        yield from _entry(f"{lead}{scalar(key)}:", item, depth, places, _positions(value, key) or above)


def _sequence(
    value: Sequence, depth: int, places: Places | None, above: tuple[int, ...], first: str = ""
) -> Iterator[str]:
    """The lines of a list; `first` as for a mapping."""
    known = len(value.lines) == len(value)
    for index, item in enumerate(value):
        positions = (value.lines[index],) if known else above
        lead, first = f"{first or '  ' * depth}-", ""
        if isinstance(item, Mapping) and item:
            yield from _mapping(item, depth + 1, places, positions, f"{lead} ")
        elif isinstance(item, Sequence) and item:
            yield from _sequence(item, depth + 1, places, positions, f"{lead} ")
        else:
            yield from _entry(lead, item, depth, places, positions)


def _entry(lead: str, item: Value, depth: int, places: Places | None, positions: tuple[int, ...]) -> Iterator[str]:
    comment = _comment(places, positions)
    if isinstance(item, Mapping) and item:
        yield f"{lead}{comment}"
        yield from _mapping(item, depth + 1, places, positions, "")
    elif isinstance(item, Sequence) and item:
        yield f"{lead}{comment}"
        yield from _sequence(item, depth + 1, places, positions)
    elif isinstance(item, str) and (sign := block(item)):
        yield f"{lead} {sign}{comment}"
        yield from (f"{'  ' * (depth + 1)}{line}" if line else "" for line in _body(item))
    else:
        yield f"{lead} {scalar(item)}{comment}"


def _body(text: str) -> list[str]:
    body = text.split("\n")
    return body[:-1] if body[-1] == "" else body


def _comment(places: Places | None, positions: tuple[int, ...]) -> str:
    if places is None or not positions:
        return ""
    place = places.at(positions[0])
    return f"  # {place.path}:{place.line}".replace("\n", " ")
