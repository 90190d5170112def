"""What becomes of a target's series before they are stored: other labels or names by a job's `metric_relabel_configs`.

Whole metrics that are thrown away are told apart from this; see `ScrapeJob.metrics_dropped`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from auditor.discovered import followed
from auditor.frozen import dataclass
from auditor.matching import pattern
from auditor.model import Relabelling
from auditor.promql import NAME


@dataclass(frozen=True, slots=True)
class Stored:
    """A series as it is stored. name: None where it is not known; hidden: labels whose values are not."""

    name: str | None
    labels: Mapping[str, str]
    hidden: frozenset[str]


def stored(rules: Sequence[Relabelling], name: str | None, labels: Mapping[str, str]) -> Stored:
    """What rules make of a series of a target with these labels; those that its program writes are not known."""
    own = {source: None for rule in rules for source in rule.sources if source not in labels}
    after = followed(rules, {**own, **labels, NAME: name})
    kept = {label: value for label, value in after.labels.items() if label != NAME}
    written = {rule.target for rule in rules} - {NAME, ""}
    return Stored(after.labels.get(NAME), kept, after.unknown & written)


@lru_cache(maxsize=256)
def renames(rules: tuple[Relabelling, ...]) -> bool:
    """Whether a metric may be stored under another name than its program gives it."""
    return any(rule.target == NAME or rule.action == "labelmap" for rule in rules)


@lru_cache(maxsize=1024)
def may_write(rules: tuple[Relabelling, ...], label: str) -> bool:
    """Whether a label may have another value after the rules, or be gone."""
    return any(
        rule.target == label or rule.action in ("labelmap", "labelkeep") or _drops(rule, label) for rule in rules
    )


def _drops(rule: Relabelling, label: str) -> bool:
    return rule.action == "labeldrop" and pattern(rule.regex).fullmatch(label) is not None
