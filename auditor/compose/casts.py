"""Texts that stand for numbers and booleans: Compose reads them in each file by itself, before anything is merged."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field

from auditor.compose.merge import unwrap
from auditor.compose.places import Faults
from auditor.compose.shape import Path, mistyped
from auditor.compose.values import boolean
from auditor.frozen import dataclass
from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Value

_WHOLE = regexp(r"[-+]?[0-9]+")
_NUMBER = regexp(r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE)
_MOST = 2**63


def _is_whole(text: str) -> bool:
    return bool(_WHOLE.fullmatch(text)) and len(text) < 64 and -_MOST <= int(text) < _MOST


_READS: dict[str, Callable[[str], bool]] = {
    "integer": _is_whole,
    "number": lambda text: bool(_NUMBER.fullmatch(text)),
    "boolean": lambda text: boolean(text) is not None,
}
# Where Compose does so; `*` is every key or item.
_CASTS = {
    "services.*": {
        "integer": (
            "cpu_count cpu_shares cpu_quota cpu_period cpu_rt_period cpu_rt_runtime oom_score_adj pids_limit scale"
            " ulimits.* ulimits.*.hard ulimits.*.soft ports.*.target healthcheck.retries deploy.replicas"
            " deploy.update_config.parallelism deploy.rollback_config.parallelism deploy.restart_policy.max_attempts"
            " deploy.placement.max_replicas_per_node"
        ),
        "number": "cpus cpu_percent deploy.update_config.max_failure_ratio deploy.rollback_config.max_failure_ratio",
        "boolean": (
            "init oom_kill_disable privileged read_only stdin_open tty healthcheck.disable volumes.*.read_only"
            " volumes.*.volume.nocopy"
        ),
    },
    "networks.*": {"boolean": "external internal attachable enable_ipv4 enable_ipv6"},
    "volumes.*": {"boolean": "external"},
    "secrets.*": {"boolean": "external"},
    "configs.*": {"boolean": "external"},
}


@dataclass(slots=True)
class _Place:
    """What a value is read as, and the places below it."""

    kind: str | None = None
    below: dict[str, _Place] = field(default_factory=dict)

    def at(self, path: str) -> _Place:
        place = self
        for part in path.split("."):
            place = place.below.setdefault(part, _Place())
        return place


def _places() -> _Place:
    root = _Place()
    for above, kinds in _CASTS.items():
        for kind, paths in kinds.items():
            for path in paths.split():
                root.at(f"{above}.{path}").kind = kind
    return root


_ROOT = _places()


def cast(document: Mapping, faults: Faults, unknown: Callable[[Value], bool]) -> None:
    """Says which texts of a document are no such value, and takes them out. `unknown`: what cannot be judged."""
    _below(document, _ROOT, (), faults, unknown)


def _below(value: Value, place: _Place, path: Path, faults: Faults, unknown: Callable[[Value], bool]) -> None:
    if isinstance(value, Mapping):
        for key in list(value) if "*" in place.below else value.keys() & place.below.keys():
            inner = place.below.get("*") or place.below[key]
            item = unwrap(value[key])
            if isinstance(item, str):
                if inner.kind and not unknown(item) and not _READS[inner.kind](item):
                    wrong = mistyped(item, frozenset((inner.kind,)), (*path, key), value.lines[key])
                    named = str(path[1]) if path[0] == "services" else None
                    faults.add(wrong.message, wrong.position, help=wrong.help, service=named)
                    del value[key]
            elif item is not None and inner.below:
                _below(item, inner, (*path, key), faults, unknown)
    elif isinstance(value, Sequence) and "*" in place.below:
        for index, item in enumerate(value):
            if isinstance(item := unwrap(item), Mapping):
                _below(item, place.below["*"], (*path, index), faults, unknown)
