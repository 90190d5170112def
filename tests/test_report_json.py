"""The report as JSON."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone

import pytest

from auditor.model import Alert, CheckTally, Location, SourceState, Waiver
from exporters import report_json
from tests import goldens
from tests.builders import NOON, finding, report, rungs, service
from tests.hostile import HOSTILE

WAIVER = Waiver("no-owner", "nobody yet", "platform", date(2027, 3, 1), Location("catalogue.yaml", 9))


def made():  # type: ignore[no-untyped-def]
    return report(
        (service("web", rungs=rungs(running="unknown", alerted="disproved"), coverage=2 / 3, assessed=0.9),),
        (finding("no-alert"), finding("no-owner", waiver=WAIVER), finding("x", None, None, locations=())),
        sources=(SourceState("docker", "failed", "no such socket", "prod", 0.25, NOON),),
        checks=(CheckTally("no-alert", 1, 2), CheckTally("target-down", skipped="`prometheus` was not asked")),
        alerts=(Alert("prod", "Down", "active", "critical", "web", "it is down", NOON),),
        coverage=2 / 3,
        complete=False,
    )


def test_the_document() -> None:
    goldens.check("report.json", report_json.render(made()))


def test_the_keys_of_the_contract_are_there() -> None:
    document = report_json.document(made())
    assert document["schema"] == "stack-auditor/report/1"
    assert document["taken_at"] == "2026-03-01T12:00:00Z"
    assert set(document["services"][0]["rungs"]["alerted"]) == {"state", "required", "reason", "evidence"}
    assert document["findings"][1]["waiver"] == {"reason": "nobody yet", "owner": "platform", "until": "2027-03-01"}
    assert document["findings"][2]["locations"] == []


def test_all_ten_rungs_are_there_whatever_the_report_lacks() -> None:
    document = report_json.document(report((service("web", rungs={}),)))
    assert [rung["state"] for rung in document["services"][0]["rungs"].values()] == ["unknown"] * 10


def test_the_same_report_gives_the_same_bytes() -> None:
    assert len({report_json.render(made()) for _ in range(20)}) == 1


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_text_comes_back_unharmed(word: str) -> None:
    text = report_json.render(report((service(word),), (finding("x", word, message=word),)))
    expected = word.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert json.loads(text.encode("utf-8"))["services"][0]["name"] == expected
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in text.split("\n"))


def test_a_time_elsewhere_is_told_in_utc() -> None:
    moment = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert report_json.timestamp(moment) == "2025-12-31T23:00:00Z"
