"""Variables in Compose values: `$X`, `${X:-default}`, `${X:?message}`, `${X:+other}`, `$$`, nested at will."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Tagged, Value

_NAME = "[_a-zA-Z][_a-zA-Z0-9]*"
_DOLLAR = regexp(rf"\$(?:(\$)|(\{{)|({_NAME}))?")
_EXPRESSION = regexp(rf"({_NAME})(:?[-?+])?")
_BRACE = regexp(r"[{}]")
_DEEPEST = 50
_MOST_EXPANDED = 32 << 20  # characters that variables may add in one load


class TemplateError(ValueError):
    """A text that Compose refuses to interpolate. The message never quotes the text."""


class ExpansionError(ValueError):
    """Variables would expand to more text than one load may hold."""


class Text(str):
    """An interpolated value that still knows what was written, and whether a variable in it was not set."""

    __slots__ = ("raw", "unset")

    raw: str
    unset: bool

    @classmethod
    def of(cls, value: str, raw: str, *, unset: bool = False) -> Text:
        text = cls(value)
        text.raw = raw
        text.unset = unset
        return text


def written(value: str) -> str:
    """The text as it stands in the file, before interpolation."""
    return value.raw if isinstance(value, Text) else value


class Budget:
    """How much text variables may still add, over all files of one load."""

    __slots__ = ("left",)

    def __init__(self, left: int = _MOST_EXPANDED) -> None:
        self.left = left

    def take(self, value: str) -> str:
        self.left -= len(value)
        if self.left < 0:
            raise ExpansionError("variables expand to more than 32 MiB")
        return value


class Scope:
    """The variables that interpolation sees, and which of them it missed.

    `missing`: name -> where it was first asked for; `required`: the same for `${X:?}`, with its message. `misses`
    counts how often any was missed.
    """

    __slots__ = ("budget", "misses", "missing", "position", "required", "values")

    def __init__(self, values: AnyMapping[str, str], budget: Budget | None = None) -> None:
        self.values = values
        self.missing: dict[str, int] = {}
        self.required: dict[str, tuple[int, str]] = {}
        self.misses = 0
        self.position = 0
        self.budget = budget or Budget()

    def expand(self, text: str) -> str:
        """`text` with its variables replaced. Raises TemplateError, ExpansionError."""
        if "$" not in text:
            return text
        return self._part(text, 0, len(text), _pairs(text) if "${" in text else {}, 0)

    def _part(self, text: str, at: int, end: int, closing: dict[int, int], depth: int) -> str:
        if depth > _DEEPEST:
            raise TemplateError(f"variables nested more than {_DEEPEST} deep")
        parts: list[str] = []
        while match := _DOLLAR.search(text, at, end):
            parts.append(text[at : match.start()])
            at = match.end()
            if match[3]:
                parts.append(self._plain(match[3]))
            elif match[2]:
                close = closing.get(at - 1, end)
                if close >= end:
                    raise TemplateError("`${` without its `}`")
                parts.append(self._braced(text, at, close, closing, depth))
                at = close + 1
            else:
                parts.append("$")
        parts.append(text[at:end])
        return "".join(parts)

    def _plain(self, name: str) -> str:
        value = self.values.get(name)
        if value is None:
            self.missing.setdefault(name, self.position)
            self.misses += 1
            return ""
        return self.budget.take(value)

    def _braced(self, text: str, start: int, close: int, closing: dict[int, int], depth: int) -> str:
        match = _EXPRESSION.match(text, start, close)
        if match is None:
            raise TemplateError("`${` that no name of a variable follows")
        name, operator = match[1], match[2]
        if operator is None:
            if match.end() != close:
                raise TemplateError(f"no operator that Compose knows after `${{{name}`")
            return self._plain(name)
        value = self.values.get(name)
        given = value is not None and (value != "" or operator[0] != ":")
        if operator[-1] == "+":
            return self._part(text, match.end(), close, closing, depth + 1) if given else ""
        if given and value is not None:
            return self.budget.take(value)
        if operator[-1] == "-":
            return self._part(text, match.end(), close, closing, depth + 1)
        self.required.setdefault(name, (self.position, text[match.end() : close]))
        self.misses += 1
        return ""


def _pairs(text: str) -> dict[int, int]:
    """Where each `{` is closed, by position; one that is not closed is absent."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for match in _BRACE.finditer(text):
        if match[0] == "{":
            opened.append(match.start())
        elif opened:
            pairs[opened.pop()] = match.start()
    return pairs


def literal_part(raw: str) -> tuple[str, bool]:
    """What a text says by itself, defaults included, and whether some variable without a default is in it."""
    if "$" not in raw:
        return raw, False
    scope = Scope({})
    try:
        text = scope.expand(raw)
    except (TemplateError, ExpansionError):
        return raw, False
    return text, bool(scope.missing or scope.required)


class Interpolation:
    """One document made ready in place: variables replaced, lines turned into positions (see places)."""

    __slots__ = ("errors", "offset", "scope", "seen", "tagged")

    def __init__(self, scope: Scope | None, offset: int) -> None:
        self.scope = scope  # None: leave the text alone
        self.offset = offset
        self.errors: list[tuple[int, str]] = []
        self.tagged = False
        self.seen: set[int] = set()

    def run(self, document: Value) -> Value:
        """The document. Objects that aliases share are visited once."""
        todo: list[Mapping | Sequence] = []
        document = self._other(document, self.offset + 1, todo)
        while todo:
            container = todo.pop()
            if isinstance(container, Mapping):
                self._mapping(container, todo)
            else:
                self._sequence(container, todo)
        return document

    def _mapping(self, container: Mapping, todo: list[Mapping | Sequence]) -> None:
        offset, lines = self.offset, container.lines
        if offset:
            container.line += offset
            lines = container.lines = {key: line + offset for key, line in lines.items()}
            if lost := getattr(container, "overrode", None):
                container.overrode = {key: tuple(line + offset for line in given) for key, given in lost.items()}
        for key, value in container.items():
            kind = value.__class__
            if kind is str:
                if "$" in value:  # type: ignore[operator]
                    container[key] = self._text(value, lines[key])  # type: ignore[arg-type]
            elif kind is Mapping or kind is Sequence:
                if id(value) not in self.seen:
                    self.seen.add(id(value))
                    todo.append(value)  # type: ignore[arg-type]
            elif kind is Tagged:
                container[key] = self._other(value, lines[key], todo)

    def _sequence(self, container: Sequence, todo: list[Mapping | Sequence]) -> None:
        offset = self.offset
        if offset:
            container.line += offset
            container.lines = [line + offset for line in container.lines]
        for index, value in enumerate(container):
            kind = value.__class__
            if kind is str:
                if "$" in value:  # type: ignore[operator]
                    container[index] = self._text(value, container.lines[index])  # type: ignore[arg-type]
            elif kind is Mapping or kind is Sequence:
                if id(value) not in self.seen:
                    self.seen.add(id(value))
                    todo.append(value)  # type: ignore[arg-type]
            elif kind is Tagged:
                container[index] = self._other(value, container.lines[index], todo)

    def _other(self, value: Value, position: int, todo: list[Mapping | Sequence]) -> Value:
        if isinstance(value, Tagged):
            self.tagged = True
            return Tagged(value.tag, self._other(value.value, position, todo), position)
        if isinstance(value, Mapping | Sequence):
            if id(value) not in self.seen:
                self.seen.add(id(value))
                todo.append(value)
            return value
        return self._text(value, position) if isinstance(value, str) and "$" in value else value

    def _text(self, raw: str, position: int) -> Value:
        if self.scope is None:
            return raw
        self.scope.position = position
        misses = self.scope.misses
        try:
            return Text.of(self.scope.expand(raw), raw, unset=self.scope.misses > misses)
        except TemplateError as error:
            self.errors.append((position, str(error)))
            return raw
