"""What the history keeps beside findings: peaks over a week, and the trail of actions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.model import Peak
from auditor.store import Store
from auditor.store.actions import Step
from auditor.usage import Observation
from tests.builders import NOON, finding, report, service


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'history.sqlite'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url)
    yield opened
    opened.close()


def seen(
    memory: int | None = 100, cpus: float | None = 0.5, *, days: float = 0, basis: str = "web:1", of: str = "web"
) -> Observation:
    return Observation("prod", of, NOON + timedelta(days=days), basis, memory, cpus)


def shown(store: Store) -> list[tuple[str, int | None, float | None, int]]:
    return [(peak.service, peak.memory, peak.cpus, peak.samples) for peak in store.peaks()]


def test_the_largest_value_of_each_kind_is_kept(store: Store) -> None:
    for memory, cpus in ((100, None), (300, 0.1), (200, 0.7), (None, 0.2)):
        store.observe([seen(memory, cpus)])
    assert store.peaks() == (Peak("prod", "web", NOON, 300, 0.7, 4, "web:1"),)


def test_peaks_survive_a_restart(store: Store, url: str) -> None:
    store.observe([seen(), seen(50, of="db")])
    store.close()
    again = Store(url)
    assert shown(again) == [("db", 50, 0.5, 1), ("web", 100, 0.5, 1)]
    again.close()


def test_another_image_or_limit_begins_anew(store: Store) -> None:
    store.observe([seen(900), seen(900, of="db")])
    store.observe([seen(100, basis="web:2", days=0.1), seen(100, of="db", days=0.1)])
    assert shown(store) == [("db", 900, 0.5, 2), ("web", 100, 0.5, 1)]
    assert store.peaks()[1].since == NOON + timedelta(days=0.1)


def test_a_peak_is_forgotten_after_a_week(store: Store) -> None:
    store.observe([seen(900)])
    for day in range(1, 7):
        store.observe([seen(100 + day, days=day)])
    assert shown(store) == [("web", 900, 0.5, 7)]
    store.observe([seen(50, days=7)])
    assert shown(store) == [("web", 106, 0.5, 7)]
    assert store.peaks()[0].since == NOON + timedelta(days=1)


def test_what_is_gone_is_forgotten_too(store: Store) -> None:
    store.observe([seen(of="gone")])
    store.observe([seen(days=8)])
    assert [peak.service for peak in store.peaks()] == ["web"]


def test_a_clock_that_was_set_back_begins_anew(store: Store) -> None:
    store.observe([seen(900, days=300)])
    store.observe([seen(100)])
    assert shown(store) == [("web", 100, 0.5, 1)]


def test_a_history_of_the_first_version_is_taken_along(store: Store, url: str) -> None:
    store.save(report((service("web"),), (finding("no-alert"),)))
    store.close()
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.executescript("DROP TABLE peak; DROP TABLE action; PRAGMA user_version = 1")
    connection.close()
    again = Store(url)
    assert [life.finding.check for life in again.open_findings()] == ["no-alert"]
    again.observe([seen()])
    assert shown(again) == [("web", 100, 0.5, 1)]
    again.close()


BOXES = [Step("a" * 64, "web-1"), Step("b" * 64, "web-2")]


def test_an_action_is_written_before_it_is_done(store: Store, url: str) -> None:
    store.begin_action("root@host", "stop", "prod", "web", BOXES)
    other = Store(url)  # as somebody sees it who looks after a crash
    (action,) = other.actions()
    assert (action.who, action.action, action.service, action.outcome) == ("root@host", "stop", "web", "pending")
    assert action.steps == tuple(BOXES)
    assert action.ended_at is None
    other.close()


@pytest.mark.parametrize(
    ("errors", "outcome"), [((None, None), "done"), ((None, "no such"), "partial"), (("x", "y"), "failed")]
)
def test_an_action_is_completed_with_what_came_of_it(
    store: Store, errors: tuple[str | None, ...], outcome: str
) -> None:
    number = store.begin_action("root@host", "stop", "prod", "web", BOXES)
    store.end_action(number, [Step(box.id, box.name, error) for box, error in zip(BOXES, errors, strict=True)])
    (action,) = store.actions()
    assert (action.outcome, [step.error for step in action.steps]) == (outcome, list(errors))
    assert action.ended_at is not None


def test_the_trail_is_read_newest_first_and_by_cursor(store: Store) -> None:
    numbers = [store.begin_action("root@host", "stop", "prod", f"s{n}", BOXES) for n in range(5)]
    assert [action.service for action in store.actions(limit=2)] == ["s4", "s3"]
    assert [action.service for action in store.actions(before=numbers[1])] == ["s0"]
