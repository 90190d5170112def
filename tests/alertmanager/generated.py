"""Alertmanager configurations and label sets from a seed, that use each way in which a route may be written."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VALUES: Mapping[str, tuple[str, ...]] = {
    "severity": ("critical", "warning", "info", "page"),
    "team": ("web", "data", "data-platform", "ops", "team a"),
    "service": ("api", "db-1", "db-2", "cache.eu", "web", "a,b"),
    "environment": ("prod", "staging", ""),
    "alertname": ("TargetDown", "HighMemory", "Slow(p99)", 'Quoted"Name', "Ünïcode"),
    "job": ("node", "blackbox", "app"),
}
PATTERNS = (
    "db-[0-9]+",
    "data|ops",
    "data.*",
    ".*",
    ".+",
    "",
    "a,b|web",
    "prod|",
    "(?i)CRITICAL",
    "[^d].*",
    "cache\\\\.eu",
    "team a",
    "Slow\\\\(p99\\\\)",
    "w{1,2}eb",
)
OPERATORS = ("=", "!=", "=~", "!~")


@dataclass(frozen=True)
class Generated:
    """A configuration as data, and the label sets to ask about."""

    config: Mapping[str, Any]
    labels: tuple[Mapping[str, str], ...]


def generated(seed: int, sets: int) -> Generated:
    """The configuration and `sets` label sets of a seed; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  test data
    receivers = [f"receiver-{number}" for number in range(chance.randint(3, 9))]
    root = {"receiver": receivers[0], "routes": [_route(chance, receivers, 1) for _ in range(chance.randint(1, 6))]}
    labels = tuple(_labels(chance) for _ in range(sets))
    return Generated({"route": root, "receivers": [{"name": name} for name in receivers]}, labels)


def _labels(chance: random.Random) -> Mapping[str, str]:
    names = chance.sample(list(VALUES), chance.randint(1, len(VALUES)))
    return {name: chance.choice(VALUES[name]) for name in names}


def _route(chance: random.Random, receivers: list[str], depth: int) -> Mapping[str, Any]:
    route: dict[str, Any] = {}
    if chance.random() < 0.75:
        route["receiver"] = chance.choice(receivers)
    for way in chance.sample(("matchers", "match", "match_re"), chance.choice((0, 1, 1, 1, 2))):
        route[way] = _conditions(chance, way)
    if chance.random() < 0.3:
        route["continue"] = chance.random() < 0.8
    if depth < 4 and chance.random() < 0.5:
        route["routes"] = [_route(chance, receivers, depth + 1) for _ in range(chance.randint(1, 3))]
    return route


def _conditions(chance: random.Random, way: str) -> Any:
    labels = chance.sample(list(VALUES), chance.choice((1, 1, 2)))
    if way == "match":
        return {label: chance.choice(VALUES[label]) for label in labels}
    if way == "match_re":
        return {label: chance.choice(PATTERNS).replace("\\\\", "\\") for label in labels}
    written = [_matcher(chance, label) for label in labels]
    joined = chance.choice((", ", ","))
    return [chance.choice(("{%s}", "%s")) % joined.join(written)] if chance.random() < 0.3 else written


def _matcher(chance: random.Random, label: str) -> str:
    operator = chance.choice(OPERATORS)
    value = chance.choice(PATTERNS if "~" in operator else VALUES[label])
    space = chance.choice(("", " "))
    plain = value and not set(value) & set(" ,{}()\"'\\`=!~[]")
    text = value if plain and chance.random() < 0.5 else '"{}"'.format(value.replace('"', '\\"'))
    name = f'"{label}"' if chance.random() < 0.15 else label
    return f"{name}{space}{operator}{space}{text}"
