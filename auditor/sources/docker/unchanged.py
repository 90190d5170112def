"""Whether a container is as it was, by its entry in the list alone.

An entry says how long the container has been up, or ended, in words that get coarser with time. Words that tell of
less time than must have passed since the last look belong to another run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.regexp import regexp

_SLACK = 2.0  # seconds by which two looks at the same moment may differ
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
# Unit -> its seconds, and by how much of an hour the engine rounds: hours are the nearest, what is longer counts them.
_UNITS: Mapping[str, tuple[float, float]] = {
    "second": (1.0, 0.0),
    "minute": (_MINUTE, 0.0),
    "hour": (_HOUR, _HOUR / 2),
    "day": (_DAY, _HOUR / 2),
    "week": (7 * _DAY, _HOUR / 2),
    "month": (30 * _DAY, _HOUR / 2),
    "year": (365 * _DAY, _HOUR / 2),
}
_AGE = regexp(r"\b(Less than a|About an?|\d{1,9}) (second|minute|hour|day|week|month|year)s?\b")

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """An entry of the list as it was seen at a moment (monotonic seconds). `words`: its status without the age."""

    entry: Entry
    status: str
    words: str
    age: tuple[float, float] | None
    moment: float

    def follows(self, before: Look) -> bool:
        """Whether this can be the same run of the same container, unchanged, as `before`."""
        if self.words != before.words or self.entry != before.entry:
            return False
        if self.age is None or before.age is None:
            return self.age == before.age
        passed = self.moment - before.moment
        return self.age[1] + _SLACK >= before.age[0] + passed

    @property
    def settled(self) -> bool:
        """Whether nothing that the list does not show is likely to move: what restarts or is ill is always moving."""
        return self.entry.get("State") in ("running", "exited", "created", "paused") and not re.search(
            r"\((unhealthy|health: starting)\)", self.words
        )


def look(item: Entry, moment: float) -> Look:
    """The entry, ready to be compared."""
    words = str(item.get("Status") or "")
    entry = {key: value for key, value in item.items() if key != "Status"}
    for key, order in (("Ports", _port), ("Mounts", _target)):
        if isinstance(value := entry.get(key), list):
            entry[key] = sorted(value, key=order)
    return Look(entry, words, _AGE.sub("", words, count=1), age(words), moment)


def age(words: str) -> tuple[float, float] | None:
    """The least and the most seconds that the engine's words may mean, e.g. `Up 3 minutes`; None: they tell no time."""
    found = _AGE.search(words)
    if found is None:
        return None
    if found[1].startswith("Less"):
        return 0.0, 1.0
    count = 1 if found[1].startswith("About") else int(found[1])
    seconds, rounded = _UNITS[found[2]]
    if found[2] == "hour":
        return count * seconds - rounded, count * seconds + rounded
    return count * seconds - rounded, (count + 1) * seconds


def _port(value: object) -> str:
    return repr(sorted(value.items())) if isinstance(value, dict) else repr(value)


def _target(value: object) -> str:
    return str(value.get("Destination")) if isinstance(value, dict) else repr(value)
