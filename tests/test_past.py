"""What is kept of earlier reports, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from auditor.model import Container, Moment, Verdict
from auditor.past import WINDOW, remember
from tests.builders import NOON, report, service
from tests.projects import report_of

WEB = Container("id1", "web-1", "prod", "web:1", "running", restarts=4, oom_killed=True)


def test_a_report_is_kept_as_counts_kills_and_verdicts() -> None:
    (kept,) = remember((), report((service("web"),), containers=(WEB, replace(WEB, id="id2", restarts=None))))
    assert kept == Moment(NOON, {"id1": 4}, ("id1", "id2"), {"prod/web": Verdict.HEALTHY})


def test_what_is_older_than_the_window_goes_but_for_the_last_ones() -> None:
    past: tuple[Moment, ...] = ()
    for minutes in range(30):
        past = remember(past, report(taken_at=NOON + timedelta(minutes=minutes)))
    assert past[0].taken_at == NOON + timedelta(minutes=29) - WINDOW
    late = remember(past, report(taken_at=NOON + timedelta(days=1)))
    assert [moment.taken_at for moment in late] == [past[-1].taken_at, NOON + timedelta(days=1)]


def test_a_growing_count_degrades_what_is_healthy() -> None:
    planes = {
        "compose": {"services": {"web": {"image": "nginx:1.27.5"}}},
        "containers": [{"name": "web-1", "service": "web", "health": "healthy", "restarts": 3}],
    }
    before = [{"minutes_ago": 1, "restarts": {"web-1": 2}}]
    assert report_of(planes).services[0].verdict is Verdict.HEALTHY
    assert report_of(planes | {"past": before}).services[0].verdict is Verdict.DEGRADED
