"""The shapes that a written value may have: read strictly with lines, and shown to editors as JSON Schema.

A `Kind` reads one YAML value or raises CatalogueError at its line; the same `Kind` tells its JSON Schema, so
that what an editor accepts and what the auditor reads cannot drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeAlias

from auditor import yamlfile
from auditor.errors import CatalogueError, did_you_mean
from auditor.frozen import dataclass
from auditor.regexp import regexp
from auditor.yamlfile import Value, locate

Schema: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and what to call it: "`ports` of service `web`"."""

    path: str
    line: int
    what: str

    def key(self, container: Value, name: str) -> Place:
        return Place(self.path, locate(container, name), f"`{cut(name)}` of {self.what}")

    def item(self, container: Value, index: int) -> Place:
        return Place(self.path, locate(container, index), f"item {index + 1} of {self.what}")

    def refuse(self, what: str, help: str | None = None) -> CatalogueError:
        return CatalogueError(what, path=self.path, line=self.line, help=help)

    def wrong(self, wanted: str, value: Value, help: str | None = None) -> CatalogueError:
        return self.refuse(f"{self.what} must be {wanted}, not {_named(value)}", help)


@dataclass(frozen=True, slots=True)
class Kind:
    """One shape: how a message calls it, its JSON Schema, and its reader."""

    wanted: str
    schema: Schema
    read: Callable[[Value, Place], Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record: the kind of its value, and a sentence for the editor."""

    kind: Kind
    doc: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping that was read: its values by key, its own place, and its text as it was."""

    values: Mapping[str, Any]
    place: Place
    written: yamlfile.Mapping

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def at(self, key: str) -> Place:
        return self.place.key(self.written, key)

    def lines(self) -> dict[str, int]:
        """The line of each key, and of the keys below it as `limits.memory`."""
        lines = dict(self.written.lines)
        for key, value in self.values.items():
            if isinstance(value, Record):
                lines |= {f"{key}.{inner}": line for inner, line in value.written.lines.items()}
        return lines


def cut(text: str) -> str:
    """A written text fit for a message: one line, bounded, printable."""
    shown = text if len(text) <= 60 else text[:57] + "..."
    return "".join(character if character.isprintable() else "\ufffd" for character in shown)


def _named(value: Value) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number {cut(str(value))}"
    if isinstance(value, str):
        return f"`{cut(value)}`"
    return "a list" if isinstance(value, list) else "a mapping"


# --- single values ----------------------------------------------------------------------------------


def single(wanted: str, schema: Schema, convert: Callable[[Value], Any], help: str | None = None) -> Kind:
    """A kind whose `convert` raises ValueError for what it does not take."""

    def read(value: Value, place: Place) -> Any:
        try:
            return convert(value)
        except ValueError:
            raise place.wrong(wanted, value, help) from None

    return Kind(wanted, schema, read)


def words(wanted: str, pattern: str, convert: Callable[[str], Any] = str, help: str | None = None) -> Kind:
    """A text that matches `pattern` as a whole."""
    compiled = re.compile(pattern)

    def from_text(value: Value) -> Any:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError
        return convert(value)

    return single(wanted, {"type": "string", "pattern": f"^(?:{pattern})$"}, from_text, help)


def _text(value: Value, place: Place) -> str:
    if isinstance(value, str) and value.strip():
        return value
    quote = "quote it" if isinstance(value, bool | int | float) else None
    raise place.wrong("a text", value, quote)


TEXT = Kind("a text", {"type": "string", "pattern": "\\S"}, _text)


def _flag(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


FLAG = single("true or false", {"type": "boolean"}, _flag)


def integer(wanted: str, least: int, most: int) -> Kind:
    """A whole number between bounds."""

    def convert(value: Value) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise ValueError

    return single(wanted, {"type": "integer", "minimum": least, "maximum": most}, convert)


def number(wanted: str, above: float, most: float) -> Kind:
    """A number above one bound, up to another."""

    def convert(value: Value) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and above < value <= most:
            return float(value)
        raise ValueError

    return single(wanted, {"type": "number", "exclusiveMinimum": above, "maximum": most}, convert)


def choice(options: tuple[str, ...], convert: Callable[[str], Any] = str) -> Kind:
    """One of a few words."""
    wanted = "one of " + ", ".join(f"`{option}`" for option in options)

    def read(value: Value, place: Place) -> Any:
        if isinstance(value, str) and value in options:
            return convert(value)
        near = did_you_mean(value[:60], options) if isinstance(value, str) else None
        raise place.wrong(wanted, value, near)

    return Kind(wanted, {"enum": list(options)}, read)


_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BINARY = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_DURATION_PART = regexp(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(us|ms|s|m|h|d)")
_SIZE = regexp(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([bkmgt]?)(?:i?b)?", re.IGNORECASE)


def _seconds(text: str) -> float:
    seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in _DURATION_PART.findall(text))
    if seconds <= 0:
        raise ValueError
    return seconds


def _bytes(value: Value) -> int:
    match = _SIZE.fullmatch(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if match is None or (size := int(float(match[1]) * (1 << _BINARY[match[2].lower() or "b"]))) < 1:
        raise ValueError
    return size


def _calendar_date(text: str) -> date:
    return date.fromisoformat(text)


DURATION = words(
    "a duration such as `200ms`, `5s` or `1m30s`", f"(?:{_DURATION_PART.pattern.replace('(us', '(?:us')})+", _seconds
)
SIZE = single(
    "a size such as `512MiB` or `2g`",
    {
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": "^[0-9]{1,15}(\\.[0-9]{1,9})? ?[bBkKmMgGtT]?([iI]?[bB])?$"},
        ]
    },
    _bytes,
)
DATE = words("a date such as `2027-03-01`", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", _calendar_date)


# --- containers -------------------------------------------------------------------------------------


def listing(item: Kind, *, distinct: bool = True) -> Kind:
    """A list, read as a tuple."""
    wanted = "a list"

    def read(value: Value, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, yamlfile.Sequence):
            raise place.wrong(wanted, value, f"write a list, each item {item.wanted}")
        places = [place.item(value, index) for index in range(len(value))]
        items = tuple(item.read(inner, where) for inner, where in zip(value, places, strict=True))
        if distinct:
            _refuse_twins(items, places)
        return items

    return Kind(wanted, {"type": "array", "items": item.schema}, read)


def _refuse_twins(items: tuple[Any, ...], places: list[Place]) -> None:
    first: dict[Any, Place] = {}
    for item, place in zip(items, places, strict=True):
        if item in first:
            what = f"{place.what} repeats `{cut(str(item))}` of line {first[item].line}"
            raise place.refuse(what, "keep one of them")
        first[item] = place


def one_or_many(item: Kind) -> Kind:
    """One value or a list of them, read as a tuple."""
    many = listing(item)
    wanted = f"{item.wanted} or a list"

    def read(value: Value, place: Place) -> tuple[Any, ...]:
        if isinstance(value, yamlfile.Sequence):
            result: tuple[Any, ...] = many.read(value, place)
            return result
        return (item.read(value, place),)

    return Kind(wanted, {"anyOf": [item.schema, many.schema]}, read)


def table(item: Kind, noun: str | None = None, name: Kind = TEXT) -> Kind:
    """A mapping of free names, read as a dict. `noun`: what to call an item, e.g. service."""

    def read(value: Value, place: Place) -> dict[str, Any]:
        if not isinstance(value, yamlfile.Mapping):
            raise place.wrong("a mapping", value)
        items = {}
        for key, inner in value.items():
            at = place.key(value, key)
            name.read(key, Place(at.path, at.line, f"the name of a {noun or 'key'}"))
            items[key] = item.read(inner, Place(at.path, at.line, f"{noun} `{cut(key)}`") if noun else at)
        return items

    schema: Schema = {"type": "object", "additionalProperties": item.schema, "propertyNames": name.schema}
    return Kind("a mapping", schema, read)


def record(keys: Mapping[str, Key], *, blank: bool = False, any_of: tuple[str, ...] = ()) -> Kind:
    """A mapping with known keys, read as a Record; keys that begin with `x-` are the author's own.

    blank: nothing at all means no keys. any_of: at least one of these must be given.
    """

    def read(value: Value, place: Place) -> Record:
        if value is None and blank:
            value = yamlfile.Mapping(line=place.line)
        if not isinstance(value, yamlfile.Mapping):
            raise place.wrong("a mapping", value, f"its keys are {_series(keys)}")
        for key in value:
            if key not in keys and not key.startswith("x-"):
                raise _unknown(key, keys, place.key(value, key), place.what)
        for key, spec in keys.items():
            if spec.required and key not in value:
                raise place.refuse(f"{place.what} lacks `{key}`", f"add `{key}`: {spec.doc}")
        if any_of and not any(key in value for key in any_of):
            raise place.refuse(f"{place.what} needs {_series(any_of, 'or')}")
        known = {key: keys[key].kind.read(inner, place.key(value, key)) for key, inner in value.items() if key in keys}
        return Record(known, place, value)

    return Kind("a mapping", _record_schema(keys, blank, any_of), read)


def _record_schema(keys: Mapping[str, Key], blank: bool, any_of: tuple[str, ...]) -> Schema:
    schema: Schema = {
        "type": ["object", "null"] if blank else "object",
        "properties": {key: {"description": spec.doc, **spec.kind.schema} for key, spec in keys.items()},
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }
    required = [key for key, spec in keys.items() if spec.required]
    if required:
        schema["required"] = required
    if any_of:
        schema["anyOf"] = [{"required": [key]} for key in any_of]
    return schema


def _unknown(key: str, keys: Mapping[str, Key], at: Place, owner: str) -> CatalogueError:
    near = did_you_mean(key[:60], keys) or f"its keys are {_series(keys)}"
    return at.refuse(f"unknown key `{cut(key)}` in {owner}", near)


def _series(names: Mapping[str, Any] | tuple[str, ...], last: str = "and") -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The one key that was given of those that exclude each other."""

    name: str
    value: Any
    place: Place


def exactly_one(keys: Mapping[str, Key]) -> Kind:
    """A mapping with one key, which says what its value is."""
    wanted = f"a mapping with one of {_series(keys, 'or')}"

    def read(value: Value, place: Place) -> Chosen:
        if not isinstance(value, yamlfile.Mapping):
            raise place.wrong(wanted, value)
        if len(value) != 1:
            raise place.refuse(f"{place.what} must be {wanted}, not {len(value)} keys")
        [(name, inner)] = value.items()
        at = place.key(value, name)
        if name not in keys:
            raise _unknown(name, keys, at, place.what)
        return Chosen(name, keys[name].kind.read(inner, at), place)

    properties = {key: {"description": spec.doc, **spec.kind.schema} for key, spec in keys.items()}
    schema = {"type": "object", "properties": properties, "minProperties": 1, "maxProperties": 1}
    return Kind(wanted, {**schema, "additionalProperties": False}, read)


def either(wanted: str, text: Kind, mapping: Kind) -> Kind:
    """A short form or a mapping."""

    def read(value: Value, place: Place) -> Any:
        return (mapping if isinstance(value, yamlfile.Mapping) else text).read(value, place)

    return Kind(wanted, {"anyOf": [text.schema, mapping.schema]}, read)


def _free(value: Value, place: Place) -> dict[str, Any]:
    if isinstance(value, yamlfile.Mapping):
        return dict(value)
    raise place.wrong("a mapping", value)


FREE = Kind("a mapping", {"type": "object"}, _free)  # whose keys somebody else knows
