"""Whom an engine's discovery finds, as far as files tell: what it knows of a composed container, and what rules keep.

The labels are those of Prometheus, Promtail and Alloy
(https://prometheus.io/docs/prometheus/latest/configuration/configuration/#docker_sd_config).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from auditor.frozen import dataclass
from auditor.inventory import Snapshot
from auditor.model import Definition, Relabelling
from auditor.relabel import Rule, relabel

_NAME = "__meta_docker_container_name"
_LABEL = "__meta_docker_container_label_"
_UNSEEN = ("__meta_docker_network", "__meta_docker_port", "__meta_docker_container_network")
_KEEPS = frozenset({"keep", "drop", "keepequal", "dropequal"})
_CANNOT = "?"  # the action of a rule that cannot be judged
Labels = Mapping[str, "str | None"]  # None: a value that is not known


@dataclass(frozen=True, slots=True)
class Followed:
    """What rules make of a container. kept: None where a label decides whose value is not known."""

    kept: bool | None
    labels: Mapping[str, str]
    unknown: frozenset[str] = frozenset()


def container_labels(definition: Definition, snapshot: Snapshot) -> dict[str, str | None]:
    """What discovery knows of the first container of a composed service."""
    project = snapshot.project(definition.environment)
    of = project.name if project and project.name else None
    name = definition.container_name or (f"{of}-{definition.name}-1" if of else None)
    found = {_LABEL + re.sub(r"[^a-zA-Z0-9_]", "_", label): value for label, value in definition.labels.items()}
    return found | {
        _NAME: f"/{name}" if name else None,
        f"{_LABEL}com_docker_compose_service": definition.name,
        f"{_LABEL}com_docker_compose_project": of,
        f"{_LABEL}com_docker_compose_oneoff": "False",
        f"{_LABEL}com_docker_compose_container_number": "1",
        "__meta_docker_container_log_stream": "stdout",
        "__image": definition.image,
    }


def followed(rules: Iterable[Relabelling], labels: Labels) -> Followed:
    """What rules make of a container with these labels."""
    known = {name: value for name, value in labels.items() if value is not None}
    unknown = {name for name, value in labels.items() if value is None}
    doubt = False
    for rule in rules:
        hidden = (name in unknown or (name.startswith(_UNSEEN) and name not in known) for name in rule.sources)
        if rule.action == _CANNOT or any(hidden):
            doubt = doubt or rule.action in _KEEPS or rule.action == _CANNOT
            if rule.target:
                unknown.add(rule.target)
                known.pop(rule.target, None)
            continue
        try:
            after = relabel(known, [_rule(rule)])
        except ValueError:
            doubt = True
            continue
        if after is None:
            return Followed(False, known)
        known = after
        if rule.target:
            unknown.discard(rule.target)
    return Followed(None if doubt else True, known, frozenset(unknown))


@lru_cache(maxsize=1024)
def _rule(rule: Relabelling) -> Rule:
    return Rule(rule.action, rule.sources, rule.separator, rule.regex, rule.target, rule.replacement)
