"""What earlier scans saw: restarts, kills for want of memory and verdicts, kept for a while and compared with now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from auditor.model import Container, Moment, Report, Verdict

WINDOW = timedelta(minutes=15)  # how far back is compared
RECENT = timedelta(minutes=10)  # without a past: how long ago a start counts as one of a series
OFTEN = 3  # restarts that are a loop
_LEAST, _MOST = 2, 200  # moments that are kept, however old or many

_GOOD = frozenset({Verdict.HEALTHY})
_BAD = frozenset({Verdict.UNHEALTHY, Verdict.DEGRADED, Verdict.STOPPED})


def remember(past: Sequence[Moment], report: Report) -> tuple[Moment, ...]:
    """The past with one more report in it, without what is too old to be compared."""
    known = (*past, moment(report))[-_MOST:]
    recent = [found for found in known if report.taken_at - found.taken_at <= WINDOW]
    return known[-max(len(recent), _LEAST) :]


def moment(report: Report) -> Moment:
    """What is kept of a report."""
    read = [container for container in report.containers if container.restarts is not None]
    return Moment(
        taken_at=report.taken_at,
        restarts={container.id: container.restarts or 0 for container in read},
        out_of_memory=tuple(container.id for container in report.containers if container.oom_killed),
        verdicts={f"{service.environment}/{service.name}": service.verdict for service in report.services},
    )


def loop(container: Container, past: Sequence[Moment], now: datetime) -> str | None:
    """That a container is restarted again and again, in words; None where it is not.

    By the growth of its restarts since it was first seen in the past; where it was not, by its own count and by how
    lately it was started.
    """
    count = container.restarts
    if count is None or container.state not in ("running", "restarting"):
        return None
    name = f"container `{container.name}`"
    first = next((found for found in past if container.id in found.restarts), None)
    if first is not None:
        before = first.restarts[container.id]
        grown = count - before if count >= before else count  # a start by hand begins anew
        if grown >= OFTEN:
            return f"{name} was restarted {grown} times within {_span(now - first.taken_at)}"
        if grown and container.state == "restarting" and count >= OFTEN:
            return f"{name} is restarted again, {count} times by now"
        return None
    if count < OFTEN:
        return None
    if container.state == "restarting":
        return f"{name} is restarted again, {count} times by now"
    if container.started_at and now - container.started_at <= RECENT:
        return f"{name} was restarted {count} times, the last time {_span(now - container.started_at)} ago"
    return None


def kills(container: Container, past: Sequence[Moment]) -> int:
    """How often a container was seen to be out of memory, each of its runs once; now included."""
    runs = {found.restarts.get(container.id) for found in past if container.id in found.out_of_memory}
    if container.oom_killed:
        runs.add(container.restarts)
    return len(runs)


def changes(environment: str, service: str, past: Sequence[Moment], now: Verdict) -> int:
    """How often a service went from well to ill or back; what is unknown or starts is neither."""
    key = f"{environment}/{service}"
    states = list(_states([found.verdicts[key] for found in past if key in found.verdicts] + [now]))
    return sum(one is not other for one, other in pairwise(states))


def _states(verdicts: Sequence[Verdict]) -> Iterator[bool]:
    for verdict in verdicts:
        if verdict in _GOOD or verdict in _BAD:
            yield verdict in _GOOD


def _span(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    return f"{seconds // 60} min" if seconds >= 120 else f"{seconds} s"
