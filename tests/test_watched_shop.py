"""A stack of real programs: every rung is proved, each fault is told exactly once, and is gone after its repair."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.ladder import RUNGS
from auditor.model import Report, RungState
from tests.parts.engine import Engine
from tests.watched_shop import Shop, loud, running

pytestmark = [pytest.mark.engine, pytest.mark.component, pytest.mark.timeout(900)]
FAULTS = yaml.safe_load((Path(__file__).parent / "watched-faults.yaml").read_text())


@pytest.fixture(scope="module")
def shop(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running(engine, tmp_path_factory.mktemp("watched") / "shop") as up:
        yield up


def states(report: Report, rung: str) -> set[RungState]:
    return {service.rungs[rung].state for service in report.services}


def test_every_rung_of_every_service_is_proved_and_nothing_is_found(shop: Shop) -> None:
    shop.settle()
    report = shop.says(lambda report: not loud(report))
    assert (loud(report), report.complete, report.coverage) == (set(), True, 1.0)
    assert {name: states(report, name) for name in RUNGS} == {name: {RungState.PROVED} for name in RUNGS}


def judge(shop: Shop, fault: dict[str, Any]) -> None:
    """The fault is told as its row says, and after its repair nothing is."""
    expected = {(check, service) for check, service in fault["finds"]}
    with shop.broken(fault) as answers:
        assert answers == fault.get("reload", answers)
        report = shop.says(lambda report: loud(report) == expected)
        said = {(f.check, f.service): f.message for f in report.findings if (f.check, f.service) in loud(report)}
        assert loud(report) == expected, said
        for rung in fault.get("unknown", ()):
            assert RungState.PROVED not in states(report, rung), f"{rung}: nobody was there to be asked"
        assert report.complete is not bool(fault.get("unknown"))
    report = shop.says(lambda report: not loud(report), 60)
    assert loud(report) == set()


@pytest.mark.parametrize("fault", [pytest.param(one, id=one["fault"]) for one in FAULTS if one.get("quick")])
def test_a_fault_is_told_once_and_gone_after_its_repair(shop: Shop, fault: dict[str, Any]) -> None:
    judge(shop, fault)


@pytest.mark.endurance
@pytest.mark.parametrize("fault", [pytest.param(one, id=one["fault"]) for one in FAULTS])
def test_each_of_all_faults_is_told_once_and_gone_after_its_repair(shop: Shop, fault: dict[str, Any]) -> None:
    judge(shop, fault)
