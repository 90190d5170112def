"""Single values in Compose's own types and text: durations as Go prints them, sizes, numbers, paths, pairs."""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Callable, Iterable
from collections.abc import Mapping as AnyMapping
from typing import TypeAlias

from auditor.compose.goyaml import in_order
from auditor.compose.merge import Merged, Pairs, keyed, lost, unwrap
from auditor.compose.places import Faults
from auditor.compose.values import boolean, scalar_text, size, split
from auditor.frozen import dataclass
from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Tagged, Value


class FormError(ValueError):
    """A value that Compose refuses."""


@dataclass(slots=True)
class Work:
    """What the converters need besides a value: where paths begin, what variables hold, where faults go."""

    faults: Faults
    directory: str  # the project directory, absolute
    user_home: str
    values: AnyMapping[str, str]
    yaml: bool = False  # YAML keeps the `x-` keys of every level and leaves out what is empty
    lenient: bool = False  # texts may still hold variables
    service: str | None = None
    position: int = 0  # of the key whose value is converted
    inactive: bool = False  # the service is not part of the project: Compose only reads it

    def absolute(self, path: str) -> str:
        """A path of the project as the engine would see it; one that is absolute stays as it is written."""
        if path.startswith("/"):
            return path
        if path.startswith("~"):
            path = posixpath.join(self.user_home, path[1:].lstrip("/"))
        return posixpath.normpath(posixpath.join(self.directory, path)).replace("//", "/")

    def ordered(self, keys: Iterable[str]) -> list[str]:
        """Keys of a mapping in the order of the form that is printed."""
        return in_order(keys) if self.yaml else sorted(keys)

    def refuse(self, message: str, position: int) -> None:
        self.faults.add(message, position, service=self.service)


Convert: TypeAlias = Callable[[Value, Work], Value]
Fields: TypeAlias = AnyMapping[str, Convert]


# --- containers that know their lines ----------------------------------------------------------------------------


def record(value: Value, fields: Fields, work: Work, keep: frozenset[str] = frozenset()) -> Merged:
    """The keys of a mapping that Compose prints, in its order. `keep`: those that it prints when empty, too."""
    if not isinstance(value, Mapping):
        raise FormError("wants a mapping")
    result = begun(value)
    for key, convert in fields.items():
        if key not in value:
            continue
        work.position = position = value.lines.get(key, value.line)
        try:
            made = convert(unwrap(value[key]), work)
        except FormError as error:
            work.refuse(f"`{key}`: {error}", position)
            continue
        if made is None or (key not in keep and empty(made)):
            continue
        put(result, key, made, value)
    if work.yaml:
        extensions(result, value)
    return result


def begun(value: Mapping) -> Merged:
    """An empty mapping at the place of another."""
    result = Merged(line=value.line)
    result.overrode = {}
    return result


def put(result: Merged, key: str, made: Value, source: Mapping, old: str | None = None) -> None:
    """Sets a key with the lines that decided it in `source`; what nobody wrote there has none of its own."""
    old = key if old is None else old
    result[key] = made
    if old in source.lines:
        result.lines[key] = source.lines[old]
    if old in (overrode := lost(source)):
        result.overrode[key] = overrode[old]


def extensions(result: Merged, value: Mapping, *, yaml: bool = True) -> None:
    """The `x-` keys, as they are; in JSON an empty list is null, as Go has it."""
    for key in (in_order if yaml else sorted)(key for key in value if key.startswith("x-")):
        made = plain(value[key], yaml=yaml)
        put(result, key, made if yaml else nulled(made), value)


def nulled(value: Value) -> Value:
    """A value whose empty lists are null, as Go writes them into JSON."""
    if isinstance(value, Mapping):
        value.update((key, nulled(item)) for key, item in value.items())
    elif isinstance(value, Sequence):
        value[:] = [nulled(item) for item in value]
        return value or None
    return value


def plain(value: Value, *, yaml: bool) -> Value:
    """A value that nobody interprets, without tags; in JSON, floats that are whole are whole numbers."""
    value = unwrap(value)
    if isinstance(value, Mapping):
        result = begun(value)
        for key in (in_order if yaml else sorted)(value):
            put(result, key, plain(value[key], yaml=yaml), value)
        return result
    if isinstance(value, Sequence):
        return Sequence([plain(item, yaml=yaml) for item in value], line=value.line, lines=list(value.lines))
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 and not yaml:
        return int(value)
    return value


def empty(value: Value) -> bool:
    """What Go's `omitempty` leaves out; an empty record is none of it."""
    return value is None or value is False or value == 0 or value == "" or (isinstance(value, list) and not value)


def items(value: Value, work: Work, convert: Callable[[Value, Work], Value]) -> Sequence:
    """Each item of a list converted; what is refused is said at its line and left out."""
    if not isinstance(value, Sequence):
        raise FormError("wants a list")
    result = Sequence(line=value.line)
    for item, position in zip(value, value.lines, strict=True):
        work.position = position
        try:
            made = convert(unwrap(item), work)
        except FormError as error:
            work.refuse(str(error), position)
            continue
        result.append(made)
        result.lines.append(position)
    return result


def listed(fields: Fields, keep: frozenset[str] = frozenset()) -> Convert:
    """A list of records."""
    return lambda value, work: items(value, work, lambda item, inner: record(item, fields, inner, keep))


def nested(fields: Fields, keep: frozenset[str] = frozenset()) -> Convert:
    """One record; in YAML one that says nothing vanishes."""

    def convert(value: Value, work: Work) -> Value:
        if value is None:
            return None
        return record(value, fields, work, keep)

    return convert


# --- scalars -------------------------------------------------------------------------------------------------------


def text(value: Value, work: Work) -> Value:
    if isinstance(value, Mapping | Sequence):
        raise FormError("wants a text")
    return None if value is None else scalar_text(value)


def flag(value: Value, work: Work) -> Value:
    if work.lenient and isinstance(value, str):
        return value
    found = boolean(value)
    if found is None:
        raise FormError("wants true or false")
    return found


_INTEGER = regexp(r"[-+]?[0-9]+")


def whole(value: Value, work: Work) -> Value:
    """A whole number, also from a text that a variable gave."""
    if value is None or isinstance(value, bool | Mapping | Sequence | Tagged):
        raise FormError("wants a number")
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        # Where a fraction may be written at all, Compose drops it; what no 64 bits hold becomes the lowest number.
        return int(value) if abs(value) < 2**63 else -(2**63)
    found = _INTEGER.fullmatch(str(value))
    if found is None:
        if work.lenient:
            return value
        raise FormError("wants a whole number")
    return int(str(value))


def natural(value: Value, work: Work) -> Value:
    """A whole number that is not below zero."""
    if isinstance(value, float) and value >= 2**63:  # what Go makes of it on the usual processors
        return int(value) if value < 2**64 else 2**63
    found = whole(value, work)
    if isinstance(found, int) and found < 0:
        raise FormError("wants a number that is not below zero")
    return found


def real(value: Value, work: Work) -> Value:
    """A number as Go prints a float32."""
    if value is None or isinstance(value, bool | Mapping | Sequence | Tagged):
        raise FormError("wants a number")
    try:
        number = float(value)
    except ValueError:
        if work.lenient:
            return value
        raise FormError("wants a number") from None
    made = short_float(number)
    return float(made) if work.yaml else made


def short_float(number: float) -> int | float:
    """The shortest decimal that is the same float32; whole numbers as such."""
    if number.is_integer():
        return int(number)
    single = struct.unpack("f", struct.pack("f", number))[0]
    for digits in range(1, 10):
        shown = float(f"{single:.{digits}g}")
        if struct.unpack("f", struct.pack("f", shown))[0] == single:
            return shown
    return number


def memory(value: Value, work: Work) -> Value:
    """Bytes, as a text; as they are written where variables are."""
    if work.lenient:
        return value
    if isinstance(value, float):
        return None  # Compose takes it, and reads nothing from it
    found = size(value)
    if found is None or (found < 0 and isinstance(value, str)):
        raise FormError("is no size: write a number with `b`, `k`, `m` or `g`")
    return str(found) if found else None


_PART = regexp(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "\u00b5s": 10**3, "\u03bcs": 10**3, "ms": 10**6, "s": 10**9}
_NANOSECONDS |= {"m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9, "w": 604800 * 10**9}


def duration(value: Value, work: Work) -> Value:
    """A duration as Go prints it: `90s` is `1m30s`."""
    if not isinstance(value, str):
        raise FormError("is no duration: write a number with its unit, such as `30s`")
    source = value.strip()
    sign = -1 if source.startswith("-") else 1
    source = source.lstrip("+-")
    if source == "0":
        return "0s"
    at, total = 0, 0
    while match := _PART.match(source, at):
        number, _, fraction = match[1].partition(".")
        unit = _NANOSECONDS[match[2]]
        total += int(number or 0) * unit + int(int(fraction or 0) * unit / 10 ** len(fraction))
        at = match.end()
    if not at or at != len(source):
        if work.lenient:
            return value
        raise FormError("is no duration: write a number with its unit, such as `30s`")
    return go_duration(sign * total)


def go_duration(nanoseconds: int) -> str:
    """As Go's `time.Duration` prints itself."""
    if nanoseconds < 0:
        return f"-{go_duration(-nanoseconds)}"
    if nanoseconds == 0:
        return "0s"
    for unit, name in ((10**3, "ns"), (10**6, "\u00b5s"), (10**9, "ms")):
        if nanoseconds < unit:
            return f"{_decimal(nanoseconds, unit // 1000)}{name}"
    minutes, rest = divmod(nanoseconds, 60 * 10**9)
    shown = f"{_decimal(rest, 10**9)}s"
    if not minutes:
        return shown
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{shown}" if hours else f"{minutes}m{shown}"


def _decimal(count: int, unit: int) -> str:
    number, rest = divmod(count, unit)
    digits = len(str(unit)) - 1
    return f"{number}.{rest:0{digits}}".rstrip("0") if rest else str(number)


def mode(value: Value, work: Work) -> Value:
    """File permissions, as an octal text; as they are written where variables are."""
    if work.lenient:
        return value
    if isinstance(value, bool) or value is None:
        raise FormError("is no file mode")
    try:
        number = value if isinstance(value, int) else int(str(value), 8)
    except ValueError:
        raise FormError("is no file mode: write it octal, such as `0440`") from None
    return f"0{number:o}"


def command(value: Value, work: Work) -> Value:
    """A command line as its words; null stays null."""
    if value is None:
        return None
    if isinstance(value, str):
        parts = split(value)
        if parts is None:
            raise FormError("is no command line: a quote is not closed")
        return Sequence(parts, line=work.position, lines=[work.position] * len(parts))
    return texts(value, work)


# --- lists and pairs -----------------------------------------------------------------------------------------------


def texts(value: Value, work: Work) -> Sequence:
    """A list of texts."""
    return items(value, work, text)


def one_or_more(value: Value, work: Work) -> Sequence:
    """A text, or a list of them."""
    if isinstance(value, str):
        return Sequence([value], line=work.position, lines=[work.position])
    return distinct(value, work)


def distinct(value: Value, work: Work) -> Sequence:
    """A list of texts; of those that say the same before a `=`, the last one, where the first one stood."""
    found = texts(value, work)
    seen = {str(item).partition("=")[0]: (item, line) for item, line in zip(found, found.lines, strict=True)}
    return Sequence([item for item, _ in seen.values()], line=found.line, lines=[line for _, line in seen.values()])


def unique(value: Value, work: Work) -> Sequence:
    """A list of texts in which equal ones are refused."""
    found = texts(value, work)
    seen: set[Value] = set()
    for item, position in zip(found, found.lines, strict=True):
        if item in seen:
            work.refuse(f"an item stands twice: `{str(item)[:60]}`", position)
        seen.add(item)
    return found


def pairs(value: Value, work: Work) -> Value:
    """`NAME=value` lists and mappings as a sorted mapping; what has no value is an empty text."""
    return _pairs(value, work, lambda item: scalar_text(item))


def exact_pairs(value: Value, work: Work) -> Value:
    """Options that Compose holds as texts: a number must be whole, and nothing else becomes one."""
    source = keyed(value)
    for item in source.values() if source is not None else ():
        item = unwrap(item)
        if isinstance(item, bool | float | Mapping | Sequence):
            raise FormError("wants texts or whole numbers as values")
    return pairs(value, work)


def variables(value: Value, work: Work) -> Value:
    """Variables; what has no value is null. No name ends with a space, where Compose has them as a list."""
    if isinstance(value, Sequence | Pairs):  # pairs that are merged are a list for Compose
        for name in keyed(value) or ():
            if name[-1:].isspace():
                raise FormError(f"the name `{name[:60]}` ends with a space")
    return nullable_pairs(value, work)


def nullable_pairs(value: Value, work: Work) -> Value:
    """The same; what has no value is null."""
    return _pairs(value, work, lambda item: None if item is None else scalar_text(item))


def _pairs(value: Value, work: Work, convert: Callable[[Value], Value]) -> Value:
    if value is None:
        return None
    source = keyed(value)
    if source is None:
        raise FormError("wants a mapping, or a list of `NAME=value`")
    result = begun(source)
    for key in work.ordered(source):
        item = unwrap(source[key])
        if isinstance(item, Mapping | Sequence):
            raise FormError(f"`{key[:60]}` is no single value")
        put(result, key, convert(item), source)
    return result or None
