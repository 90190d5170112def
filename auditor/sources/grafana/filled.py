"""A panel's PromQL with its variables and intervals filled in, so that it can be parsed and run.

What a variable holds is often known only to a running Grafana: then it stands for anything. The syntax is Grafana's
(https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice, product

from auditor import promql
from auditor.frozen import dataclass
from auditor.matching import pattern
from auditor.regexp import regexp

ANY: tuple[str, ...] = ()  # the values of a variable that may hold anything


class Shape(str):
    """A regular expression for the values of a variable that only a running Grafana knows."""

    __slots__ = ()


def shape_of(written: object) -> tuple[str, ...]:
    """What the `regex` of a variable, as `/^web-(.+)$/`, lets through; none: anything. A group alone is the value."""
    match = _REGEX.fullmatch(written) if isinstance(written, str) else None
    text = (match[1] or f"^{match[2]}$") if match and (match[1] or match[2]) else ""
    if not text:
        return ANY
    groups = _GROUP.findall(text)
    if "(" in _GROUP.sub("", text).replace("(?:", ""):  # nested, named, or looking around
        return ANY
    if groups:
        text = groups[0]
    else:
        before, after = "" if text.startswith("^") else ".*", "" if text.endswith("$") else ".*"
        text = f"{before}(?:{text.removeprefix('^').removesuffix('$')}){after}"
    try:
        pattern(text)
    except ValueError:
        return ANY
    return (Shape(text),)


_LONGEST = 20_000  # characters of a query
_TRIES = 64  # readings of a query whose variables stand outside of quotes
_VARIABLE = regexp(r"\$(\w+)|\[\[(\w+?)(?::\w+)?\]\]|\$\{(\w+)(?:\.[^:}]+)?(?::[^}]+)?\}")
_STRING = regexp(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`", re.DOTALL)
_OPERATOR = regexp(r"(=~|!~|!=|=)\s*$")
_WORD = regexp(r"[A-Za-z0-9_:]")
_REGEX = regexp(r"/(.{0,500})/|([^/].{0,500})", re.DOTALL)
_GROUP = regexp(r"(?<!\\)\(((?!\?)[^()]*)\)")
_DURATION = regexp(r"\d+(?:\.\d+)?(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*")

BUILT_IN: Mapping[str, str] = {
    "__rate_interval": "5m",
    "__interval": "1m",
    "__interval_ms": "60000",
    "__range": "1h",
    "__range_s": "3600",
    "__range_ms": "3600000",
    "__rate_interval_ms": "300000",
    "__from": "1700000000000",
    "__to": "1700003600000",
    "interval": "1m",
}


@dataclass(frozen=True, slots=True)
class Filled:
    """A query that can be parsed. sure: every value outside of quotes was known."""

    text: str
    sure: bool = True


def fill_in(written: str, variables: Mapping[str, tuple[str, ...]]) -> Filled:
    """A query with its variables filled in.

    variables: name -> the values that it can have; none: any. A query that no reading makes PromQL comes back as it
    was read first.
    """
    text = written[:_LONGEST]
    first: str | None = None
    guessed = False
    for wild in (".*", ".+"):
        pieces, guessed = _pieces(text, variables, wild)
        for reading in islice(product(*pieces), _TRIES):
            joined = "".join(reading)
            first = joined if first is None else first
            if _is_promql(joined):
                return Filled(joined, not guessed)
    return Filled(first or text, not guessed)


def _is_promql(text: str) -> bool:
    try:
        promql.parts(text)
    except ValueError:
        return False
    return True


def _pieces(text: str, variables: Mapping[str, tuple[str, ...]], wild: str) -> tuple[list[tuple[str, ...]], bool]:
    """The query in pieces, each with what it may mean, and whether one of them has to be guessed."""
    pieces: list[tuple[str, ...]] = []
    guessed = False
    place = 0
    for match in _STRING.finditer(text):
        outside, unsure = _outside(text[place : match.start()], variables)
        pieces += outside
        guessed = guessed or unsure
        quoted = _quoted(match[0], text[: match.start()], variables, wild)
        if quoted is None:
            pieces.append((match[0],))
        else:
            operator, value = quoted
            if operator and pieces:
                pieces[-1] = tuple(_OPERATOR.sub(operator, piece) for piece in pieces[-1])
            pieces.append((value,))
        place = match.end()
    outside, unsure = _outside(text[place:], variables)
    return _merged([*pieces, *outside]), guessed or unsure


def _merged(pieces: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Neighbours with one meaning each as one piece."""
    merged: list[tuple[str, ...]] = []
    for piece in pieces:
        if len(piece) == 1 and merged and len(merged[-1]) == 1:
            merged[-1] = (merged[-1][0] + piece[0],)
        else:
            merged.append(piece)
    return merged


def _known(match: re.Match[str], variables: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """The values of a variable; None where the text is no variable, such as `$1`."""
    name = match[1] or match[2] or match[3]
    if name in variables:
        return variables[name]
    if name in BUILT_IN:
        return (BUILT_IN[name],)
    return None if name.isdigit() else ANY


# --- in quotes -----------------------------------------------------------------------------------------------------


def _quoted(
    text: str, before: str, variables: Mapping[str, tuple[str, ...]], wild: str
) -> tuple[str | None, str] | None:
    """A text in quotes and the operator that it now needs; None where it has no variable."""
    quote, inside = text[0], text[1:-1]
    found = [match for match in _VARIABLE.finditer(inside) if _known(match, variables) is not None]
    if not found:
        return None
    operator = match[1] if (match := _OPERATOR.search(before)) else None
    if operator is None or not _is_matcher(before):
        return None, text
    if operator in ("!=", "!~"):  # what it leaves out is the reader's choice: nothing that there is
        return "!=", text
    regex = operator == "=~"
    value, place = "", 0
    for match in found:
        literal = inside[place : match.start()]
        value += literal if regex else _escaped(literal)
        value += _alternatives(_known(match, variables) or ANY, wild)
        place = match.end()
    literal = inside[place:]
    value += literal if regex else _escaped(literal)
    return "=~", f"{quote}{value}{quote}"


def _is_matcher(before: str) -> bool:
    """Whether the text before a quote leaves it as the value of a label: within braces that are still open."""
    bare = _STRING.sub("", before)
    return bare.count("{") > bare.count("}")


def _alternatives(values: tuple[str, ...], wild: str) -> str:
    if not values:
        return wild
    if any(isinstance(value, Shape) for value in values):
        shaped = (f"(?:{value})" if isinstance(value, Shape) else _escaped(value) for value in values)
        return "|".join(text.replace("\\", "\\\\").replace('"', '\\"') for text in shaped)
    parts = [wild if value in ("$__all", ".*", ".+", "All") else _escaped(value) for value in values]
    return parts[0] if len(parts) == 1 else f"({'|'.join(parts)})"


def _escaped(text: str) -> str:
    """A literal text within a regular expression within quotes."""
    return re.sub(r"([.+*?()|\[\]{}^$])", r"\\\\\1", text)


# --- outside of quotes ---------------------------------------------------------------------------------------------


def _outside(text: str, variables: Mapping[str, tuple[str, ...]]) -> tuple[list[tuple[str, ...]], bool]:
    pieces: list[tuple[str, ...]] = []
    guessed = False
    place = 0
    while (match := _next(text, place, variables)) is not None:
        begin, end = _token(text, match, place, variables)
        pieces.append((text[place:begin],))
        meanings, unsure = _meanings(text, begin, end, variables)
        pieces.append(meanings)
        guessed = guessed or unsure
        place = end
        if meanings[0].endswith(","):  # a selector that goes on with the braces that follow
            place = text.index("{", end) + 1
    pieces.append((text[place:],))
    return pieces, guessed


def _next(text: str, place: int, variables: Mapping[str, tuple[str, ...]]) -> re.Match[str] | None:
    return next((m for m in _VARIABLE.finditer(text, place) if _known(m, variables) is not None), None)


def _token(text: str, match: re.Match[str], floor: int, variables: Mapping[str, tuple[str, ...]]) -> tuple[int, int]:
    """Where the word begins and ends that a variable is a part of."""
    begin, end = match.span()
    while begin > floor and _WORD.match(text[begin - 1]) and not _after_bracket(text, begin - 1):
        begin -= 1
    while end < len(text):
        following = _VARIABLE.match(text, end)
        if following and _known(following, variables) is not None:
            end = following.end()
        elif _WORD.match(text[end]) and (text[end] != ":" or not _in_range(text, begin)):
            end += 1
        else:
            break
    return begin, end


def _after_bracket(text: str, place: int) -> bool:
    """Whether a colon at `place` parts the two durations of a subquery."""
    return text[place] == ":" and _in_range(text, place)


def _in_range(text: str, place: int) -> bool:
    return text.count("[", 0, place) > text.count("]", 0, place)


def _meanings(
    text: str, begin: int, end: int, variables: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, ...], bool]:
    """What a word with variables may stand for, the likeliest first, and whether that is a guess."""
    word = text[begin:end]
    matches = [m for m in _VARIABLE.finditer(word) if _known(m, variables) is not None]
    values = [_told(_known(m, variables)) for m in matches]
    spelt = tuple(_spelt(word, matches, choice) for choice in islice(product(*(v or ("",) for v in values)), 8))
    known = ANY not in values
    if _in_range(text, begin) or re.search(r"\boffset\s+-?$", text[:begin]):
        fitting = tuple(value for value in spelt if known and _DURATION.fullmatch(value))
        return (fitting[:1] or ("5m",)), False
    pattern = _spelt_wild(word, matches, values)
    rest = text[end:].lstrip()
    selector = f'{{__name__=~"{pattern}",' if rest.startswith("{") else f'{{__name__=~"{pattern}"}}'
    if known:
        return (spelt if rest.startswith("{") else (*spelt, selector)), False
    name = matches[0][1] or matches[0][2] or matches[0][3]
    if rest.startswith("{") or len(matches[0][0]) != len(word):
        return (selector,), True
    return ("1", selector, name, "sum", "rate"), True


def _told(values: tuple[str, ...] | None) -> tuple[str, ...]:
    return ANY if not values or any(isinstance(value, Shape) for value in values) else values


def _spelt(word: str, matches: list[re.Match[str]], values: tuple[str, ...]) -> str:
    spelt, place = "", 0
    for match, value in zip(matches, values, strict=True):
        spelt += word[place : match.start()] + value
        place = match.end()
    return spelt + word[place:]


def _spelt_wild(word: str, matches: list[re.Match[str]], values: list[tuple[str, ...]]) -> str:
    alone = len(matches) == 1 and len(matches[0][0]) == len(word)
    return _spelt(word, matches, tuple(_alternatives(value, ".+" if alone else ".*") for value in values))
