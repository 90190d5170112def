"""Where an alert goes: Alertmanager's route tree, inhibition and time intervals, evaluated without an Alertmanager.

The rules are those of its documentation (https://prometheus.io/docs/alerting/latest/configuration/); the tests hold
them against `amtool config routes test` and a running Alertmanager.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from auditor.matching import all_hold, holds
from auditor.model import AlertmanagerConfig, Inhibition, Route, TimeRange

Labels = Mapping[str, str]


def routes_of(root: Route, labels: Labels) -> tuple[Route, ...]:
    """The routes that an alert with these labels takes, in their order; the root where no other takes it."""
    return taken(root, labels)[0]


def taken(route: Route, labels: Labels, unknown: Container[str] = ()) -> tuple[tuple[Route, ...], bool]:
    """The routes that an alert can take, and whether it surely takes them all.

    unknown: the names of labels that it may have with any value; where one decides, every route is among them.
    """
    found: list[Route] = []
    certain, here = True, True
    for child in route.routes:
        holding = [holds(m, labels) if m.label not in unknown else None for m in child.matchers]
        if False in holding:
            continue
        below, sure = taken(child, labels, unknown)
        found += below
        certain = certain and sure
        if None in holding:
            certain = False
            continue
        here = False
        if not child.goes_on:
            break
    return (*found, *((route,) if here else ())), certain


def inhibited(labels: Labels, firing: Iterable[Labels], rules: Iterable[Inhibition]) -> bool:
    """Whether one of the alerts that fire keeps this one from being sent."""
    others = list(firing)
    return any(_inhibits(rule, labels, others) for rule in rules if all_hold(rule.targets, labels))


def _inhibits(rule: Inhibition, labels: Labels, firing: Iterable[Labels]) -> bool:
    both = all_hold(rule.sources, labels)  # an alert on both sides is not silenced by another such one
    return any(
        all_hold(rule.sources, other)
        and all(other.get(name, "") == labels.get(name, "") for name in rule.equal)
        and not (both and all_hold(rule.targets, other))
        for other in firing
    )


def muted(route: Route, config: AlertmanagerConfig, moment: datetime) -> bool:
    """Whether the route's own time intervals keep it silent at `moment`."""
    if any(_named(name, config, moment) for name in route.mute_intervals):
        return True
    return bool(route.active_intervals) and not any(_named(name, config, moment) for name in route.active_intervals)


def never_sends(route: Route, config: AlertmanagerConfig) -> bool:
    """Whether the route's own time intervals keep it silent at every moment."""
    if any(_always(item) for name in route.mute_intervals for item in config.intervals.get(name, ())):
        return True
    active = [config.intervals.get(name) for name in route.active_intervals]  # None: not defined, which is a fault
    return bool(active) and all(item == () for item in active)


def _always(item: TimeRange) -> bool:
    """Whether an interval has no end: each of its parts leaves nothing out."""
    return (
        (item.times is None or (0, 24 * 60) in item.times)
        and (item.days is None or (1, -1) in item.days or (1, 31) in item.days)
        and _all_of(item.months, 1, 12)
        and _all_of(item.weekdays, 0, 6)
        and item.years is None
    )


def _all_of(ranges: Iterable[tuple[int, int]] | None, first: int, last: int) -> bool:
    covered = {value for start, end in ranges for value in range(start, end + 1)} if ranges is not None else None
    return covered is None or covered >= set(range(first, last + 1))


def _named(name: str, config: AlertmanagerConfig, moment: datetime) -> bool:
    return any(within(item, moment) for item in config.intervals.get(name, ()))


def within(item: TimeRange, moment: datetime) -> bool:
    """Whether `moment` lies in the interval."""
    local = moment.astimezone(_zone(item.zone))
    minute = local.hour * 60 + local.minute
    return (
        (item.times is None or any(start <= minute < end for start, end in item.times))
        and (item.days is None or any(_day_in(start, end, local) for start, end in item.days))
        and _in(item.months, local.month)
        and _in(item.weekdays, local.isoweekday() % 7)
        and _in(item.years, local.year)
    )


def _in(ranges: Iterable[tuple[int, int]] | None, value: int) -> bool:
    return ranges is None or any(start <= value <= end for start, end in ranges)


def _day_in(start: int, end: int, local: datetime) -> bool:
    last = monthrange(local.year, local.month)[1]
    first = last + start + 1 if start < 0 else start
    final = last + end + 1 if end < 0 else end
    return first <= last and first <= local.day <= min(final, last)


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)
