"""What containers use: thresholds that the verdict shares with the checks, and what a server observes over time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from auditor.ladder import judge_health
from auditor.model import Container, Report, Usage, Verdict
from auditor.usage import amounts, cores, mebibytes, observe, percent
from tests.builders import NOON, report, service
from tests.projects import snapshot_of

BOX = Container("a" * 64, "web-1", "prod", "web:1", "running", memory_limit=1000)
USED = Usage("prod", "a" * 64, NOON, memory=300, cpu_seconds=10.0)


def judged(**planes: Any) -> tuple[Verdict, tuple[str, ...]]:
    compose = {"services": {"web": {"image": "nginx:1.27.5"}}}
    containers = [{"name": "web-1", "service": "web", "health": "healthy"}]
    snapshot = snapshot_of({"compose": compose, "containers": containers} | planes)
    return judge_health(snapshot.services[0], snapshot)


@pytest.mark.parametrize(
    ("used", "verdict"),
    [
        ({"memory": 85, "memory_limit": 100}, "degraded"),
        ({"cpu_ratio": 0.85}, "degraded"),
        ({"memory": 75, "memory_limit": 100, "cpu_ratio": 0.75}, "healthy"),
        ({"cpu_seconds": 1000}, "healthy"),
    ],
)
def test_a_crossed_threshold_degrades(used: dict[str, Any], verdict: str) -> None:
    assert judged(usages=[{"container": "web-1", **used}])[0] == verdict


def test_the_catalogue_sets_the_verdicts_threshold_with_the_checks() -> None:
    used = [{"container": "web-1", "cpu_ratio": 0.85}]
    catalogue = {"services": {"web": {}}, "checks": {"cpu-high": {"options": {"warning": 90}}}}
    assert judged(usages=used, catalogue=catalogue)[0] == Verdict.HEALTHY


def test_a_run_that_ends_may_use_all_processors() -> None:
    used = [{"container": "web-1", "cpu_ratio": 1.0}]
    assert judged(usages=used, catalogue={"services": {"web": {"lifecycle": "oneshot"}}})[0] != Verdict.DEGRADED


def made(*usages: Usage, containers: tuple[Container, ...] = (BOX,)) -> Report:
    web = service("web", containers=tuple(box.name for box in containers))
    return report((web,), containers=containers, usages=usages)


def test_cores_are_the_mean_between_two_reports() -> None:
    now = replace(USED, taken_at=NOON + timedelta(seconds=60), cpu_seconds=40.0)
    (seen,) = observe(made(now), (USED,))
    assert (seen.service, seen.memory, seen.cpus) == ("web", 300, 0.5)
    assert [item.cpus for item in observe(made(USED))] == [None]


def test_a_counter_that_begins_anew_gives_no_cores() -> None:
    now = replace(USED, taken_at=NOON + timedelta(seconds=60), cpu_seconds=1.0)
    assert [item.cpus for item in observe(made(now), (USED,))] == [None]


def test_the_largest_of_several_containers_counts() -> None:
    boxes = (BOX, replace(BOX, id="b" * 64, name="web-2"))
    (seen,) = observe(made(USED, replace(USED, container="b" * 64, memory=700), containers=boxes))
    assert seen.memory == 700


@pytest.mark.parametrize(
    ("change", "same"),
    [({"memory_limit": 2000}, False), ({"image": "web:2"}, False), ({"setup": {"cpus": 1.0}}, False), ({}, True)],
)
def test_another_limit_or_image_is_another_basis(change: dict[str, Any], same: bool) -> None:
    before, after = observe(made(USED)), observe(made(USED, containers=(replace(BOX, **change),)))
    assert (before[0].basis == after[0].basis) is same


def test_what_does_not_run_is_not_observed() -> None:
    assert observe(made(USED, containers=(replace(BOX, state="exited"),))) == []
    assert observe(made()) == []


def test_amounts_in_words() -> None:
    assert percent(0.8999) == "89 %"
    assert (cores(1), cores(0.5)) == ("1 core", "0.5 cores")
    assert amounts(3 * 2**20, 2**28) == "3 of 256 MiB"
    assert amounts(2**33, 2**34) == "8.0 of 16.0 GiB"
    assert (mebibytes(2**28), mebibytes(2**35)) == ("256 MiB", "32.0 GiB")
