"""YAML text to plain values that know their lines: bounded, no duplicate keys, nothing executed.

libyaml (PyYAML's `CParser`) tells the events; everything above them is ours and iterative, because
PyYAML's own composer and constructors recurse, expand merges without bound, mean YAML 1.1, let the
last of two equal keys win, and raise six kinds of error besides `YAMLError`. Here every failure is a
`TextError` with a line.

An alias shares the object that its anchor names, so a bomb costs little memory here; what it would
cost a reader that walks the value (a JSON dump, interpolation) is counted and bounded.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import replace
from math import isinf
from typing import Any, Literal, NamedTuple, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from auditor.errors import TextError, did_you_mean
from auditor.frozen import dataclass
from auditor.regexp import regexp

Value: TypeAlias = "bool | int | float | str | Mapping | Sequence | Tagged | None"
Dialect = Literal["1.2", "go"]


class Mapping(dict[str, "Value"]):
    """A mapping. `line`: where it begins, from 1; `lines`: the line of each key.

    A key that came by `<<` keeps the line where the anchor's mapping defines it. `overrode`: key -> the lines of what
    `<<` brought and lost, the next best first; only there where it is not empty.
    """

    __slots__ = ("line", "lines", "overrode")

    overrode: dict[str, tuple[int, ...]]

    def __init__(
        self,
        items: AnyMapping[str, Value] | Iterable[tuple[str, Value]] = (),
        *,
        line: int = 1,
        lines: dict[str, int] | None = None,
    ) -> None:
        if items:
            super().__init__(items)
        self.line = line
        self.lines: dict[str, int] = {} if lines is None else lines


class Sequence(list["Value"]):
    """A list. `line`: where it begins, from 1; `lines`: the line of each item."""

    __slots__ = ("line", "lines")

    def __init__(self, items: Iterable[Value] = (), *, line: int = 1, lines: list[int] | None = None) -> None:
        if items:
            super().__init__(items)
        self.line = line
        self.lines: list[int] = [] if lines is None else lines


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value under a tag that the caller admitted, `!reset` for example."""

    tag: str
    value: Value
    line: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What one text may hold. The defaults leave room for 5,000 Compose services in one file.

    size: bytes (5,000 services of 0.7 KB take 3.4 MB);
    depth: nesting, aliases counted in: low enough for readers that recurse (Python stops at 1,000);
    nodes: keys, values and containers, those that aliases and merges repeat counted each time;
    expanded: characters that aliases would add if they were written out;
    width: entries of one list or mapping, so that a text of nothing but those ends within a second;
    aliases, anchors, scalar (characters of one text), documents: far above any real file.
    """

    size: int = 4 << 20
    depth: int = 100
    nodes: int = 400_000
    expanded: int = 32 << 20
    width: int = 20_000
    aliases: int = 100_000
    anchors: int = 20_000  # of one document
    scalar: int = 1 << 20
    documents: int = 100


LIMITS = Limits()


def parse(
    data: bytes,
    path: str,
    *,
    limits: Limits = LIMITS,
    dialect: Dialect = "1.2",
    tags: frozenset[str] = frozenset(),
    string_keys: bool = False,
) -> Value:
    """The one document of a text; an empty text is None. Raises TextError."""
    one = replace(limits, documents=1)
    documents = parse_documents(data, path, limits=one, dialect=dialect, tags=tags, string_keys=string_keys)
    return documents[0] if documents else None


def parse_documents(
    data: bytes,
    path: str,
    *,
    limits: Limits = LIMITS,
    dialect: Dialect = "1.2",
    tags: frozenset[str] = frozenset(),
    string_keys: bool = False,
) -> list[Value]:
    """The documents of a text; `path` is only for messages. Raises TextError.

    dialect: `1.2` is the core schema of YAML 1.2; `go` is what Compose's go-yaml makes of plain scalars.
    tags: local tags to keep as `Tagged`; any other is refused.
    string_keys: refuse a key that is a number, boolean or null, as Compose does; keys are always the
    text as written.
    """
    if len(data) > limits.size:
        raise TextError(f"larger than {_binary(limits.size)}", path=path, line=1)
    text = _decoded(data, path)
    reading = _Reading(path, limits, dialect, tags, string_keys)
    collecting = gc.isenabled()
    # Nothing made here is cyclic; the collector would walk the growing tree again and again.
    gc.disable()
    try:
        return reading.documents(_events(text))
    except yaml.YAMLError as error:
        raise _invalid(error, text, path) from None
    finally:
        if collecting:
            gc.enable()


def locate(container: Value, key: str | int | None = None) -> int:
    """The line of a key or item, else of the container itself, from 1."""
    if isinstance(container, Mapping):
        return container.lines.get(key, container.line) if isinstance(key, str) else container.line
    if isinstance(container, Sequence):
        known = isinstance(key, int) and -len(container.lines) <= key < len(container.lines)
        return container.lines[key] if known and isinstance(key, int) else container.line
    return container.line if isinstance(container, Tagged) else 1


# --- text -------------------------------------------------------------------------------------------

_PLAIN_BYTES = bytes([0x09, 0x0A, 0x0D, *range(0x20, 0x7F)])
_FORBIDDEN = regexp("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UTF32 = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def _decoded(data: bytes, path: str) -> str:
    """Text of UTF-8, or of UTF-16 with a byte order mark, without characters that YAML forbids."""
    if data.isascii() and not data.translate(None, _PLAIN_BYTES):
        return data.decode("ascii")
    text = _decode(data, path).removeprefix("\ufeff")
    forbidden = _FORBIDDEN.search(text)
    if forbidden is None:
        return text
    what = f"control character U+{ord(forbidden[0]):04X}"
    raise TextError(what, path=path, line=text.count("\n", 0, forbidden.start()) + 1, help="remove it")


def _decode(data: bytes, path: str) -> str:
    if data.startswith(_UTF32):
        raise TextError("UTF-32 text", path=path, line=1, help="save the file as UTF-8")
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"not {encoding.upper()}: byte 0x{data[error.start]:02X} at offset {error.start}"
        raise TextError(what, path=path, line=line, help="save the file as UTF-8") from None


def _events(text: str) -> Callable[[], Event]:
    """The function that gives the next event; PyYAML's own parser where it was built without libyaml."""
    if not yaml.__with_libyaml__:
        return _checked(yaml.SafeLoader(text))
    parser: Any = yaml.CSafeLoader(text)
    events: Callable[[], Event] = parser.get_event
    return events


def _checked(parser: Any) -> Callable[[], Event]:
    """PyYAML's own events, refusing the escapes that libyaml refuses."""

    def following() -> Event:
        mark = parser.get_mark()
        try:
            event: Event = parser.get_event()
            if event.__class__ is ScalarEvent:
                event.value.encode()
        except (ValueError, OverflowError):
            raise yaml.MarkedYAMLError(problem="invalid escape of a character", problem_mark=mark) from None
        return event

    return following


_ADVICE = (
    ("mapping values are not allowed", "quote a text that holds `: `, or check the indentation"),
    ("did not find expected key", "check the indentation of this line and of those before it"),
    ("did not find expected '-' indicator", "check the indentation of this line and of those before it"),
    ("could not find expected ':'", "write `key: value`"),
    ("cannot start any token", "quote a text that begins with a special character"),
    ("unexpected end of stream", "close the quote or bracket"),
    ("did not find expected ',' or", "close the bracket, or quote a text that begins with one"),
)


def _invalid(error: yaml.YAMLError, text: str, path: str) -> TextError:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return TextError(f"not valid YAML: {problem}", path=path, line=1)
    line = mark.line + 1
    if _tab_indents(text, mark.line):
        return TextError("not valid YAML: a tab in the indentation", path=path, line=line, help="use spaces")
    context = getattr(error, "context_mark", None)
    since = f" ({error.context} from line {context.line + 1})" if context and context.line < mark.line else ""  # type: ignore[attr-defined]
    advice = next((advice for part, advice in _ADVICE if part in problem), None)
    return TextError(f"not valid YAML: {problem}{since}", path=path, line=line, help=advice)


def _tab_indents(text: str, index: int) -> bool:
    lines = text.split("\n", index + 1)
    if index >= len(lines):
        return False
    line = lines[index]
    return "\t" in line[: len(line) - len(line.lstrip(" \t"))]


def _binary(size: int) -> str:
    return f"{size >> 20} MiB" if size % (1 << 20) == 0 else f"{size} bytes"


# --- plain scalars ----------------------------------------------------------------------------------

_INFINITE = float("inf")
_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), _INFINITE),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -_INFINITE),
}
_MERGE = "<<"
_ONLY = (1, 1)  # the version that go-yaml lets a document name
_NONE: dict[str, tuple[int, ...]] = {}
_MOST_LOST = 20  # lines that are kept of what one key won against: merges of merges would make them many
_ODD_KEYS = frozenset(_WORDS) | {_MERGE}
_NUMERIC = frozenset("+-.0123456789")
# No number that anyone means is longer; Python's own conversions stop at 4,300 digits.
_LONGEST_NUMBER = 400

_INTEGER = regexp(r"[-+]?[0-9]+")
_FLOAT = regexp(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_GO_POINT = regexp(r"\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_GO_INTEGER = regexp(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_INT64, _UINT64 = 1 << 63, 1 << 64
_RADIX = (("0o", 8, re.compile(r"0o[0-7]+")), ("0x", 16, re.compile(r"0x[0-9a-fA-F]+")))


def _core_number(text: str) -> Value:
    """A number of the core schema of YAML 1.2, else the text."""
    if _INTEGER.fullmatch(text):
        return int(_short(text))
    for prefix, base, pattern in _RADIX:
        if text.startswith(prefix):
            return int(_short(text)[2:], base) if pattern.fullmatch(text) else text
    return float(_short(text)) if _FLOAT.fullmatch(text) else text


def _go_number(text: str) -> Value:
    """A number as go-yaml reads it, else the text; timestamps stay text."""
    if text[0] == ".":
        return _go_float(text) if _GO_POINT.fullmatch(text) else text
    plain = text.replace("_", "")
    match = _GO_INTEGER.fullmatch(plain)
    number = _go_integer(match, plain) if match else None
    if number is not None:
        return number
    if not _FLOAT.fullmatch(plain):
        return text
    decimal = _go_float(plain)
    return text if isinstance(decimal, str) else decimal


def _go_integer(match: re.Match[str], plain: str) -> int | None:
    _short(plain)
    sign, hexadecimal, binary, octal, decimal = match.groups()
    digits, base = next(
        (digits, base)
        for digits, base in ((hexadecimal, 16), (binary, 2), (octal, 8), (decimal, 10))
        if digits is not None
    )
    number = int(digits, base)
    if sign == "-":
        return -number if number <= _INT64 else None
    return number if number < (_INT64 if sign else _UINT64) else None


def _go_float(text: str) -> float | str:
    number = float(_short(text))
    return text if isinf(number) else number


class _TooLong(ValueError):
    """A number beyond `_LONGEST_NUMBER`."""


def _short(text: str) -> str:
    if len(text) > _LONGEST_NUMBER:
        raise _TooLong
    return text


_NUMBERS: dict[Dialect, Callable[[str], Value]] = {"1.2": _core_number, "go": _go_number}
_STANDARD = "tag:yaml.org,2002:"


# --- composing --------------------------------------------------------------------------------------


class _Anchor(NamedTuple):
    """What an alias repeats: the value, its cost when written out, and its text where it is a scalar."""

    value: Value
    nodes: int
    characters: int
    height: int
    text: str | None


class _Reading:
    """One pass over the events of one text."""

    __slots__ = ("added", "aliases", "anchors", "dialect", "limits", "number", "path", "string_keys", "tags")

    def __init__(self, path: str, limits: Limits, dialect: Dialect, tags: frozenset[str], string_keys: bool) -> None:
        self.path = path
        self.limits = limits
        self.dialect = dialect
        self.number = _NUMBERS[dialect]
        self.tags = tags
        self.string_keys = string_keys
        self.anchors: dict[str, _Anchor | None] = {}  # None while the node is still open
        self.aliases = 0
        self.added = 0  # characters that aliases would add

    def refuse(self, what: str, line: int, help: str | None = None) -> TextError:
        return TextError(what, path=self.path, line=line, help=help)

    def documents(self, following: Callable[[], Event]) -> list[Value]:
        """All documents. One long loop on purpose: it runs once a node, and calls cost as much as its body."""
        words, numeric, odd, number = _WORDS, _NUMERIC, _ODD_KEYS, self.number
        anchors, string_keys = self.anchors, self.string_keys
        most, deepest, longest = self.limits.nodes, self.limits.depth, self.limits.scalar
        widest = self.limits.width
        documents: list[Value] = []
        numbers: dict[str, Value] = {}  # text -> what it stands for: most come many times
        # The open container: its value, the lines of its children, the pending key of a mapping, the
        # event that began it, the counters at that moment, its height so far, whether it has a `<<`.
        container: Any = documents
        lines: Any = []
        mapping, key, merges = False, None, False
        start: Any = None
        nodes, began, height = 0, (0, 0), 1
        stack: list[tuple[Any, ...]] = []
        value: Value
        while True:
            event: Any = following()
            kind = event.__class__
            if kind is ScalarEvent:
                nodes += 1
                text = event.value
                if nodes > most:
                    raise self.too_many(event)
                if len(text) > longest:
                    raise self.refuse(f"a text longer than {longest} characters", event.start_mark.line + 1)
                if len(lines) > widest:
                    raise self.too_wide(event)
                if mapping and key is None:
                    if text in lines:
                        raise self.twice(text, lines[text], event)
                    lines[text] = event.start_mark.line + 1
                    if event.tag is not None or event.anchor is not None:
                        self.key(event)
                    elif text in odd or (string_keys and text[0] in numeric):
                        merges = self.odd_key(event) or merges
                    key = text
                    continue
                if event.tag is not None:
                    value = self.tagged(event)
                elif not event.implicit[0]:
                    value = text
                elif text in words:
                    value = words[text]
                elif text[0] in numeric:
                    value = numbers.get(text)
                    if value is None:
                        try:
                            value = numbers[text] = number(text)
                        except _TooLong:
                            raise self.number_too_long(event) from None
                else:
                    value = text
                if event.anchor is not None:
                    self.name(event, _Anchor(value, 1, len(text), 0, text))
                if mapping:
                    container[key] = value
                    key = None
                else:
                    container.append(value)
                    lines.append(event.start_mark.line + 1)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                nodes += 1
                if nodes > most:
                    raise self.too_many(event)
                if len(lines) > widest:
                    raise self.too_wide(event)
                if mapping and key is None:
                    raise self.not_scalar(event)
                if len(stack) >= deepest:
                    raise self.too_deep(event)
                if event.tag is not None or event.anchor is not None:
                    self.begin(event, "map" if kind is MappingStartEvent else "seq")
                stack.append((container, lines, mapping, key, merges, start, began, height))
                mapping = kind is MappingStartEvent
                line = event.start_mark.line + 1
                lines = {} if mapping else []
                container = Mapping(line=line, lines=lines) if mapping else Sequence(line=line, lines=lines)
                key, merges, start, began, height = None, False, event, (nodes, self.added), 1
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                if merges:
                    self.merge(container)
                value, inner, opened, since = container, height, start, began
                container, lines, mapping, key, merges, start, began, height = stack.pop()
                if opened.tag is not None or opened.anchor is not None:
                    value = self.finish(value, opened, event, nodes - since[0] + 1, since[1], inner)
                if inner >= height:
                    height = inner + 1
                if mapping:
                    container[key] = value
                    key = None
                else:
                    container.append(value)
                    lines.append(opened.start_mark.line + 1)
            elif kind is AliasEvent:
                anchor = self.alias(event, len(stack))
                nodes += anchor.nodes
                if nodes > most:
                    raise self.too_many(event)
                if len(lines) > widest:
                    raise self.too_wide(event)
                line = event.start_mark.line + 1
                if mapping and key is None:
                    key = self.alias_key(anchor, event)
                    if key in lines:
                        raise self.twice(key, lines[key], event)
                    lines[key] = line
                    continue
                if anchor.height >= height:
                    height = anchor.height + 1
                if mapping:
                    container[key] = anchor.value
                    key = None
                else:
                    container.append(anchor.value)
                    lines.append(line)
            elif kind is DocumentStartEvent:
                if len(documents) >= self.limits.documents:
                    raise self.too_many_documents(event)
                if event.version and event.version != _ONLY and self.dialect == "go":
                    raise self.other_version(event)
                anchors.clear()
            elif kind is StreamEndEvent:
                return documents

    # Rare nodes: tags, anchors, aliases, merges.

    def tagged(self, event: Any) -> Value:
        """A scalar with an explicit tag."""
        tag, text, line = event.tag, event.value, event.start_mark.line + 1
        if tag in self.tags:
            return Tagged(tag, str(text), line)  # whatever it looks like: the tag took the place of its type
        if tag in ("!", f"{_STANDARD}str"):
            return str(text)
        value = self.plain(event)
        name = tag.removeprefix(_STANDARD)
        if tag != name and name == "null" and value is None:
            return None
        if tag != name and name == "bool" and isinstance(value, bool):
            return value
        if tag != name and name == "int" and isinstance(value, int) and not isinstance(value, bool):
            return value
        if tag != name and name == "float" and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if tag != name and name in ("null", "bool", "int", "float"):
            raise self.refuse(f"`{_cut(text)}` is no !!{name}", line)
        raise self.unknown_tag(tag, line)

    def plain(self, event: Any) -> Value:
        text = event.value
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in _NUMERIC:
            return str(text)
        try:
            return self.number(text)
        except _TooLong:
            raise self.number_too_long(event) from None

    def key(self, event: Any) -> None:
        """A scalar key with a tag or an anchor."""
        line = event.start_mark.line + 1
        merge = event.tag == f"{_STANDARD}merge"
        value: Value = event.value
        if merge:
            raise self.refuse("a tag on `<<`", line, "write `<<` alone")
        if event.tag is not None:
            value = self.tagged(event)
        elif event.implicit[0]:
            value = self.plain(event)
        if isinstance(value, Tagged):
            raise self.refuse(f"the tag `{event.tag}` on a key", line)
        if self.string_keys and not isinstance(value, str):
            raise self.non_string_key(event.value, line)
        if event.anchor is not None:
            self.name(event, _Anchor(value, 1, len(event.value), 0, event.value))

    def odd_key(self, event: Any) -> bool:
        """Whether an untagged key is the merge key; refuses what is no text where keys must be."""
        if not event.implicit[0]:
            return False
        if event.value == _MERGE:
            return True
        if self.string_keys and not isinstance(self.plain(event), str):
            raise self.non_string_key(event.value, event.start_mark.line + 1)
        return False

    def begin(self, event: Any, name: str) -> None:
        """Checks the tag of a container, and holds its anchor open."""
        tag = event.tag
        if tag not in (None, "!", _STANDARD + name) and tag not in self.tags:
            raise self.unknown_tag(tag, event.start_mark.line + 1)
        if event.anchor is not None:
            self.name(event, None)

    def name(self, event: Any, anchor: _Anchor | None) -> None:
        """Remembers an anchor; None while its container is open."""
        if len(self.anchors) >= self.limits.anchors:
            raise self.refuse(f"more than {self.limits.anchors} anchors", event.start_mark.line + 1)
        self.anchors[event.anchor] = anchor

    def finish(self, value: Value, opened: Any, end: Any, nodes: int, added: int, height: int) -> Value:
        """A tagged or anchored container, now complete."""
        if opened.tag in self.tags:
            value = Tagged(opened.tag, value, opened.start_mark.line + 1)
        if opened.anchor is not None:
            written = end.end_mark.index - opened.start_mark.index
            self.anchors[opened.anchor] = _Anchor(value, nodes, written + self.added - added, height, None)
        return value

    def alias(self, event: Any, depth: int) -> _Anchor:
        line = event.start_mark.line + 1
        name = event.anchor
        if name not in self.anchors:
            near = did_you_mean(name[:60], list(self.anchors)[:1000])
            raise self.refuse(f"undefined alias `*{_cut(name)}`", line, near)
        anchor = self.anchors[name]
        if anchor is None:
            raise self.refuse(f"alias `*{_cut(name)}` stands inside the value that it names", line)
        self.aliases += 1
        self.added += anchor.characters
        if self.aliases > self.limits.aliases:
            raise self.refuse(f"more than {self.limits.aliases} aliases", line)
        if self.added > self.limits.expanded:
            raise self.refuse(f"aliases expand to more than {_binary(self.limits.expanded)}", line)
        if depth + anchor.height > self.limits.depth:
            raise self.too_deep(event)
        return anchor

    def alias_key(self, anchor: _Anchor, event: Any) -> str:
        line = event.start_mark.line + 1
        if anchor.text is None or isinstance(anchor.value, Tagged):
            raise self.not_scalar(event)
        if self.string_keys and not isinstance(anchor.value, str):
            raise self.non_string_key(anchor.text, line)
        return anchor.text

    def merge(self, mapping: Mapping) -> None:
        """Replaces `<<` by the keys that it brings: shallow, own keys win, then the first of a list.

        A key that is reset counts as absent to `<<`: to Compose what it brings stands in for the earlier files' value.
        """
        value, line = mapping.pop(_MERGE), mapping.lines.pop(_MERGE)
        overrode: dict[str, tuple[int, ...]] = {}
        for source in value if isinstance(value, Sequence) else (value,):
            if not isinstance(source, Mapping):
                raise self.refuse("`<<` wants a mapping or a list of mappings", line)
            theirs = getattr(source, "overrode", _NONE)
            for key in source:
                if key not in mapping:
                    mapping[key] = source[key]
                    mapping.lines[key] = source.lines[key]
                    if key in theirs:
                        overrode[key] = theirs[key]
                    continue
                overrode[key] = (*overrode.get(key, ()), source.lines[key], *theirs.get(key, ()))[:_MOST_LOST]
                if _is_reset(mapping[key]) and not isinstance(source[key], Tagged):
                    mapping[key] = Tagged("!override", source[key], source.lines[key])
        if overrode:
            mapping.overrode = overrode

    # Refusals.

    def twice(self, key: str, first: int, event: Any) -> TextError:
        line = event.start_mark.line + 1
        return self.refuse(f"duplicate key `{_cut(key)}`, on lines {first} and {line}", line, "keep one of them")

    def other_version(self, event: Any) -> TextError:
        version = ".".join(map(str, event.version))
        what = f"`%YAML {version}`, where programs written in Go read nothing but 1.1"
        return self.refuse(what, event.start_mark.line + 1, "leave that line out")

    def too_many(self, event: Any) -> TextError:
        what = f"more than {self.limits.nodes} keys and values, aliases written out"
        return self.refuse(what, event.start_mark.line + 1)

    def too_wide(self, event: Any) -> TextError:
        what = f"more than {self.limits.width} entries in one list or mapping"
        return self.refuse(what, event.start_mark.line + 1)

    def too_deep(self, event: Any) -> TextError:
        return self.refuse(f"nested more than {self.limits.depth} levels deep", event.start_mark.line + 1)

    def too_many_documents(self, event: Any) -> TextError:
        line = event.start_mark.line + 1
        if self.limits.documents == 1:
            return self.refuse("more than one YAML document", line, "keep what stands before `---`")
        return self.refuse(f"more than {self.limits.documents} YAML documents", line)

    def number_too_long(self, event: Any) -> TextError:
        what = f"a number of {len(event.value)} characters"
        return self.refuse(what, event.start_mark.line + 1, "quote it if it is a text")

    def not_scalar(self, event: Any) -> TextError:
        advice = "quote a text that begins with `{`, `[` or `*`"
        return self.refuse("a key that is no text", event.start_mark.line + 1, advice)

    def non_string_key(self, key: str, line: int) -> TextError:
        return self.refuse(f"non-string key `{_cut(key)}`", line, "quote the key")

    def unknown_tag(self, tag: str, line: int) -> TextError:
        shown = tag.replace(_STANDARD, "!!", 1) if tag.startswith(_STANDARD) else tag
        return self.refuse(f"tag `{_cut(shown)}` is not accepted here", line, "remove the tag")


def _is_reset(value: Value) -> bool:
    return isinstance(value, Tagged) and value.tag == "!reset"


def _cut(text: str) -> str:
    """A text fit for a message: one line, of bounded length."""
    shown = text if len(text) <= 60 else text[:57] + "..."
    return "".join(character if character.isprintable() else "\ufffd" for character in shown)
