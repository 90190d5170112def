"""Conditions on labels as Alertmanager and Prometheus have them: read from text, and applied.

The grammar of texts is Alertmanager's: the one that knows UTF-8 names, and the classic one for what only that one
takes or what both take differently (https://prometheus.io/docs/alerting/latest/configuration/#matcher).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Protocol

from auditor.model import Matcher
from auditor.regexp import regexp

_OPERATORS = ("=~", "!~", "!=", "=")
_RESERVED = frozenset("{}!=~,\\\"'` \t\r\n\f\v\u00a0\u0085")
_CLASSIC = regexp(r'\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(("[^"\\]*(?:\\.[^"\\]*)*")|.*?)\s*', re.DOTALL)
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
}
_CLASSIC_ESCAPES = {"n": "\n", "\\": "\\", '"': '"'}


class Pattern(Protocol):
    """A compiled regular expression."""

    def fullmatch(self, text: str) -> object: ...


@lru_cache(maxsize=4096)
def pattern(text: str) -> Pattern:
    """A regular expression in RE2's language, which takes linear time. Raises ValueError where it is none."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled: Pattern = re2.compile(text, options)
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"`{text[:80]}` is no regular expression: {said[:120]}") from None
    return compiled


def holds(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    """Whether the labels fulfil the condition; a label that is not there is the same as an empty one."""
    value = labels.get(matcher.label, "")
    if matcher.op in ("=", "!="):
        return (value == matcher.value) is (matcher.op == "=")
    found = pattern(matcher.value).fullmatch(value) is not None
    return found is (matcher.op == "=~")


def all_hold(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether the labels fulfil every condition."""
    return all(holds(matcher, labels) for matcher in matchers)


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """The conditions of a text such as `severity="page"` or `{a=~"b.*", c!=d}`. Raises ValueError."""
    try:
        modern = tuple(_modern(text))
    except ValueError as error:
        try:
            return tuple(_classic(text))
        except ValueError:
            raise error from None
    try:
        classic = tuple(_classic(text))
    except ValueError:
        return modern
    return classic  # as Alertmanager decides where both take it and disagree


# --- the grammar with UTF-8 names ----------------------------------------------------------------------------------


def _modern(text: str) -> Iterator[Matcher]:
    tokens = list(_tokens(text))
    braces = bool(tokens) and tokens[0] == ("{", "{")
    if braces:
        if tokens[-1] != ("}", "}"):
            raise ValueError(f"`{text[:80]}` has no closing brace")
        tokens = tokens[1:-1]
    elif not tokens:
        raise ValueError("an empty matcher")
    while tokens:
        if len(tokens) < 3 or tokens[0][0] != "word" or tokens[1][0] != "op" or tokens[2][0] != "word":
            raise ValueError(f"`{text[:80]}` is no matcher: a label, one of = != =~ !~, and a value")
        yield _checked(tokens[0][1], tokens[1][1], tokens[2][1])
        tokens = tokens[3:]
        if tokens and tokens.pop(0)[0] != ",":
            raise ValueError(f"`{text[:80]}` has no comma between two matchers")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        char = text[place]
        operator = next((op for op in _OPERATORS if text.startswith(op, place)), None)
        if char.isspace():
            place += 1
        elif char in "{},":
            yield char, char
            place += 1
        elif operator:
            yield "op", operator
            place += len(operator)
        elif char == '"':
            word, place = _quoted(text, place)
            yield "word", word
        elif char in _RESERVED:
            raise ValueError(f"unexpected `{char}` in `{text[:80]}`")
        else:
            end = next((i for i in range(place, len(text)) if text[i] in _RESERVED), len(text))
            yield "word", text[place:end]
            place = end


def _quoted(text: str, start: int) -> tuple[str, int]:
    """The text in double quotes that begins at `start`, and where what follows begins; Go's escapes."""
    out: list[str] = []
    place = start + 1
    while place < len(text):
        char = text[place]
        if char == '"':
            return "".join(out), place + 1
        if char == "\n":
            break
        if char == "\\":
            taken, place = _escape(text, place + 1)
            out.append(taken)
            continue
        out.append(char)
        place += 1
    raise ValueError(f"`{text[:80]}` has an unclosed quote")


_NUMBERED = regexp(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})")


def _escape(text: str, place: int) -> tuple[str, int]:
    if place < len(text) and text[place] in _ESCAPES:
        return _ESCAPES[text[place]], place + 1
    match = _NUMBERED.match(text, place)
    if match is None:
        raise ValueError(f"`{text[:80]}` has an unknown escape")
    digits = next(group for group in match.groups() if group)
    number = int(digits, 8 if match[4] else 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise ValueError(f"`{text[:80]}` has an escape that is no character")
    return chr(number), match.end()


# --- the classic grammar -------------------------------------------------------------------------------------------


def _classic(text: str) -> Iterator[Matcher]:
    text = text.removeprefix("{").removesuffix("}")
    for part in _parts(text):
        match = _CLASSIC.fullmatch(part)
        if match is None:
            raise ValueError(f"`{part[:80]}` is no matcher: a label, one of = != =~ !~, and a value")
        yield _checked(match[1], match[2], _classic_value(match[3]))


def _parts(text: str) -> Iterator[str]:
    """The texts between commas that stand outside quotes; one empty part at the end is left out."""
    part, quoted, escaped = "", False, False
    for char in text:
        if char == "," and not quoted:
            yield part
            part = ""
            continue
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
        part += char
    if part.strip():
        yield part


def _classic_value(raw: str) -> str:
    quoted = raw.startswith('"')
    if quoted and (len(raw) < 2 or not raw.endswith('"')):
        raise ValueError(f"`{raw[:80]}` has an unclosed quote")
    body = raw[1:-1] if quoted else raw
    out, escaped = "", False
    for char in body:
        if escaped:
            escaped = False
            out += _CLASSIC_ESCAPES.get(char, "\\" + char)
        elif char == "\\":
            escaped = True
        elif char == '"':
            raise ValueError(f"`{raw[:80]}` has a quote inside")
        else:
            out += char
    return out + ("\\" if escaped else "")


def _checked(label: str, op: str, value: str) -> Matcher:
    if not label:
        raise ValueError("a matcher without a label")
    if "~" in op:
        pattern(value)
    return Matcher(label, op, value)
