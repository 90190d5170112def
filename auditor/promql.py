"""What a PromQL expression looks at: its selectors, and which of their labels reach its result.

Prometheus' own rules of labels (https://prometheus.io/docs/prometheus/latest/querying/operators/): an aggregation keeps
what `by` names, a comparison keeps its left side, a one-to-one match with `on` keeps the labels that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from auditor.frozen import dataclass
from auditor.model import Matcher
from auditor.regexp import regexp

NAME = "__name__"
_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_KEEP_SERIES = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_SETS = frozenset({"and", "unless"})
_ABSENT = frozenset({"absent", "absent_over_time"})


@dataclass(frozen=True, slots=True)
class Selector:
    """Which series are looked at. `name`: None where no single metric is named."""

    name: str | None
    matchers: tuple[Matcher, ...] = ()

    def __str__(self) -> str:
        inside = ",".join(f'{m.label}{m.op}"{_escaped(m.value)}"' for m in self.matchers)
        return f"{self.name or ''}{{{inside}}}" if inside or not self.name else self.name


@dataclass(frozen=True, slots=True)
class Kept:
    """Which labels of the selected series the result still has: those of `only` (None: all) without those of `dropped`.

    `added` are labels that the expression writes itself, whose values only a running Prometheus knows.
    """

    only: frozenset[str] | None = None
    dropped: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()

    def by(self, labels: frozenset[str]) -> Kept:
        only = labels if self.only is None else self.only & labels
        return Kept(only - self.dropped, frozenset(), self.added & labels)

    def without(self, labels: frozenset[str]) -> Kept:
        return Kept(self.only, self.dropped | labels, self.added - labels)

    def has(self, label: str) -> bool:
        """Whether a label of the series is still there, as it was."""
        return label not in self.added and label not in self.dropped and (self.only is None or label in self.only)


@dataclass(frozen=True, slots=True)
class Part:
    """One selector of an expression. `absent`: the expression tells that nothing is selected.

    `gives`: the result has this selector's series; else it only decides whether there is one.
    """

    selector: Selector
    kept: Kept = Kept()
    absent: bool = False
    gives: bool = True


class NewerError(ValueError):
    """An expression with what another version of Prometheus may take, and this program does not read."""


@lru_cache(maxsize=4096)
def parts(expression: str) -> tuple[Part, ...]:
    """Every selector of an expression, in the order in which it is written.

    Raises ValueError where it is no PromQL, NewerError where only another version can tell.
    """
    try:
        return tuple(_parts(_parsed(expression)))
    except ValueError as error:
        if _is_newer(expression, str(error)):
            raise NewerError(str(error)) from None
        raise


def _parsed(expression: str) -> Any:
    import promql_parser  # late: many a project has no expressions

    try:
        return promql_parser.parse(expression)
    except ValueError:
        plain = _LITERAL.sub(_plain, expression)
        if plain == expression:
            raise
        return promql_parser.parse(plain)


# Strings, comments, and numbers with grouped digits: the parser takes neither these nor raw strings with backslashes.
_LITERAL = regexp(
    r"""(?P<raw>`[^`]*`)|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\#[^\n]*|(?<![\w.])(?P<number>\d+(?:_\d+)+)"""
)


def _plain(match: re.Match[str]) -> str:
    if match["raw"]:
        return f'"{_escaped(match["raw"][1:-1])}"'
    return match["number"].replace("_", "") if match["number"] else match[0]


# Modifiers, durations that are worked out, and how functions are called that came or went with a version.
_NEWER = regexp(
    r"\b(?:anchored|smoothed|fill(?:_left|_right)?)\b|\boffset\s*-?\s*(?:\(|\w+\()"
    r"|\[[^\]]*(?:[-+*/%^]|\w\()[^\]]*\]|\b(?:step|range|start|end)\(\)"
)
_VERSIONED = regexp(
    r"unknown function with name '"
    r"(?:histogram_\w+|\w+_over_time|(?:sort|label)_\w+|info|holt_winters|limitk|limit_ratio)'"
)


def _is_newer(expression: str, said: str) -> bool:
    bare = _LITERAL.sub(lambda match: "1" if match["number"] else '""', expression)
    return _VERSIONED.search(said) is not None or _NEWER.search(bare) is not None


def _parts(node: Any) -> Iterator[Part]:
    walk = _WALKS.get(type(node).__name__)
    if walk is not None:
        yield from walk(node)


def _vector(node: Any) -> Iterator[Part]:
    shared = tuple(map(_matcher, node.matchers.matchers))
    groups = [tuple(map(_matcher, group)) for group in node.matchers.or_matchers] or [()]
    for group in groups:
        yield Part(_selector(node.name, shared + group))


def _selector(name: str | None, matchers: tuple[Matcher, ...]) -> Selector:
    """`{__name__="x"}` is `x`."""
    exact = next((m for m in matchers if m.label == NAME and m.op == "="), None)
    if name is None and exact is not None:
        return Selector(exact.value, tuple(m for m in matchers if m is not exact))
    return Selector(name, matchers)


def _matcher(found: Any) -> Matcher:
    return Matcher(found.name, _OPERATORS[str(found.op).rpartition(".")[2]], found.value)


def _inner(node: Any) -> Iterator[Part]:
    yield from _parts(node.expr)


def _matrix(node: Any) -> Iterator[Part]:
    yield from _vector(node.vector_selector)


def _aggregate(node: Any) -> Iterator[Part]:
    modifier = node.modifier
    labels = frozenset(modifier.labels) if modifier else frozenset()
    by = modifier is None or str(modifier.type).endswith("By")
    written = frozenset({str(node.param.val)}) if str(node.op) == "count_values" else frozenset()
    for part in _parts(node.expr):
        if str(node.op) in _KEEP_SERIES:
            yield part
            continue
        kept = part.kept.by(labels) if by else part.kept.without(labels | {NAME})
        yield replace(part, kept=replace(kept, added=kept.added | written))
    if node.param is not None:
        yield from (replace(part, gives=False) for part in _parts(node.param))


def _call(node: Any) -> Iterator[Part]:
    name, arguments = node.func.name, node.args
    for argument in arguments:
        for part in _parts(argument):
            if name in _ABSENT:
                equal = frozenset(m.label for m in part.selector.matchers if m.op == "=")
                yield replace(part, absent=True, kept=Kept(equal))
            elif name == "scalar":
                yield replace(part, gives=False)
            elif name in ("label_replace", "label_join") and len(arguments) > 1:
                written = frozenset({str(arguments[1].val)}) if hasattr(arguments[1], "val") else frozenset()
                yield replace(part, kept=replace(part.kept, added=part.kept.added | written))
            elif name == "histogram_quantile":
                yield replace(part, kept=part.kept.without(frozenset({"le"})))
            else:
                yield part


def _binary(node: Any) -> Iterator[Part]:
    left, right = list(_parts(node.lhs)), list(_parts(node.rhs))
    op, modifier = str(node.op), node.modifier
    if op == "or":
        yield from (*left, *right)
        return
    right_is_many = modifier is not None and str(modifier.card).endswith("OneToMany")
    many, one = (right, left) if right_is_many else (left, right)
    if not any(part.gives for part in many):  # `0 < metric`: the side that has series gives them
        many, one = one, many
    kept = [replace(part, kept=_matched(part.kept, op, modifier)) for part in many]
    others = [replace(part, gives=False) for part in one]
    yield from ((*others, *kept) if many is right else (*kept, *others))


def _matched(kept: Kept, op: str, modifier: Any) -> Kept:
    """What a match leaves of the side that gives the series."""
    matching = modifier.matching if modifier else None
    if modifier is not None and not str(modifier.card).endswith("OneToOne"):
        return replace(kept, added=kept.added | frozenset(modifier.group_labels or ()))
    if op in _SETS or matching is None:
        return kept
    labels = frozenset(matching.labels)
    return kept.by(labels) if str(matching.type).endswith("Include") else kept.without(labels)


_WALKS = {
    "AggregateExpr": _aggregate,
    "BinaryExpr": _binary,
    "Call": _call,
    "MatrixSelector": _matrix,
    "ParenExpr": _inner,
    "SubqueryExpr": _inner,
    "UnaryExpr": _inner,
    "VectorSelector": _vector,
}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
