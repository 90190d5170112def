"""Prometheus' relabelling: what becomes of a set of labels.

https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config; the tests hold it against the
targets that a real Prometheus shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

from auditor.frozen import dataclass
from auditor.matching import pattern
from auditor.regexp import regexp

Labels = Mapping[str, str]
ACTIONS = frozenset(
    {
        "replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap", "labeldrop", "labelkeep",
        "lowercase", "uppercase",
    }
)  # fmt: skip
_REFERENCE = regexp(r"\$(?:(\w+)|\{(\w+)\}|(\$))")


@dataclass(frozen=True, slots=True)
class Rule:
    """One relabelling rule, defaults filled in. Raises ValueError for an action or expression that there is not."""

    action: str = "replace"
    sources: tuple[str, ...] = ()
    separator: str = ";"
    regex: str = "(.*)"
    target: str = ""
    replacement: str = "$1"
    modulus: int = 0
    compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"unknown relabelling action `{self.action[:40]}`")
        if self.action in _NEED_TARGET and not self.target:
            raise ValueError(f"relabelling action `{self.action}` needs a `target_label`")
        if self.action == "hashmod" and self.modulus <= 0:
            raise ValueError("relabelling action `hashmod` needs a `modulus`")
        object.__setattr__(self, "compiled", pattern(f"(?s:{self.regex})"))


_NEED_TARGET = frozenset({"replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal"})


def relabel(labels: Labels, rules: Iterable[Rule]) -> dict[str, str] | None:
    """The labels after all rules, empty ones left out; None: a rule drops whoever has them."""
    found = {name: value for name, value in labels.items() if value}
    for rule in rules:
        kept = _ACTIONS[rule.action](rule, found)
        if kept is None:
            return None
        found = kept
    return found


def _joined(rule: Rule, labels: Labels) -> str:
    return rule.separator.join(labels.get(name, "") for name in rule.sources)


def _with(labels: Labels, name: str, value: str) -> dict[str, str]:
    rest = {key: text for key, text in labels.items() if key != name}
    return rest | {name: value} if value else rest


def _keep(rule: Rule, labels: dict[str, str]) -> dict[str, str] | None:
    return labels if rule.compiled.fullmatch(_joined(rule, labels)) else None


def _drop(rule: Rule, labels: dict[str, str]) -> dict[str, str] | None:
    return None if rule.compiled.fullmatch(_joined(rule, labels)) else labels


def _replace(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    found = rule.compiled.fullmatch(_joined(rule, labels))
    if found is None:
        return labels
    name = _expanded(rule.target, found)
    return _with(labels, name, _expanded(rule.replacement, found)) if name else labels


def _expanded(template: str, found: Any) -> str:
    """A template with the groups of a match, as Go's `Expand` fills it in."""

    def group(reference: re.Match[str]) -> str:
        if reference[3]:
            return "$"
        name = reference[1] or reference[2]
        try:
            return found.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(group, template)


def _hashmod(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    import hashlib  # with OpenSSL, for this alone

    digest = hashlib.md5(_joined(rule, labels).encode(), usedforsecurity=False).digest()
    return _with(labels, rule.target, str(int.from_bytes(digest[8:], "big") % rule.modulus))


def _labelmap(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    added = {
        _expanded(rule.replacement, found): value
        for name, value in labels.items()
        if (found := rule.compiled.fullmatch(name))
    }
    return labels | {name: value for name, value in added.items() if name}


def _labeldrop(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if not rule.compiled.fullmatch(name)}


def _labelkeep(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if rule.compiled.fullmatch(name)}


def _equal(rule: Rule, labels: Labels) -> bool:
    return _joined(rule, labels) == labels.get(rule.target, "")


_ACTIONS: Mapping[str, Callable[[Rule, dict[str, str]], dict[str, str] | None]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": lambda rule, labels: labels if _equal(rule, labels) else None,
    "dropequal": lambda rule, labels: None if _equal(rule, labels) else labels,
    "hashmod": _hashmod,
    "labelmap": _labelmap,
    "labeldrop": _labeldrop,
    "labelkeep": _labelkeep,
    "lowercase": lambda rule, labels: _with(labels, rule.target, _joined(rule, labels).lower()),
    "uppercase": lambda rule, labels: _with(labels, rule.target, _joined(rule, labels).upper()),
}
