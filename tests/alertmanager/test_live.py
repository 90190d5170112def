"""Inhibition and time intervals against a running Alertmanager, which says of each alert what keeps it silent."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from auditor.model import AlertmanagerConfig
from auditor.routing import inhibited, muted, routes_of
from auditor.sources.alertmanager_config import parse_alertmanager_config
from auditor.sources.tree import DiskTree
from tests.parts.plugin import Serve
from tests.parts.servers import Server

HASTE = {"group_wait": "50ms", "group_interval": "200ms", "repeat_interval": "1h"}
RULES: list[dict[str, Any]] = [
    {"source_matchers": ['severity="critical"'], "target_matchers": ['severity=~"warning|info"'], "equal": ["service"]},
    {"source_match": {"alertname": "HostDown"}, "target_match_re": {"alertname": "App.*"}, "equal": ["host"]},
    {"source_matchers": ['team="ops"'], "target_matchers": ['team="ops"'], "equal": ["zone"]},
    {"source_matchers": ["alertname=Quiet"], "target_matchers": ['alertname!="Quiet"', "zone=c"]},
]
VALUES: Mapping[str, tuple[str, ...]] = {
    "alertname": ("HostDown", "AppSlow", "AppDown", "Quiet", "Disk"),
    "severity": ("critical", "warning", "info"),
    "service": ("api", "db"),
    "host": ("h1", "h2"),
    "team": ("ops", "web"),
    "zone": ("a", "b", "c"),
}


def parsed(config: Mapping[str, Any], folder: Path) -> AlertmanagerConfig:
    (folder / "am.yml").write_text(yaml.safe_dump(config))
    found = parse_alertmanager_config(DiskTree(folder), "am.yml", "prod")
    assert found.faults == ()
    return found


def told(server: Server, alerts: list[Mapping[str, str]], settled: Callable[[Any], bool]) -> list[dict[str, Any]]:
    """What the Alertmanager says of the alerts, in their order, as soon as that has settled."""
    httpx.post(f"{server.url}/api/v2/alerts", json=[{"labels": labels} for labels in alerts]).raise_for_status()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        groups = server.get("/api/v2/alerts/groups").json()  # only there it says which intervals mute an alert
        found = {frozenset(item["labels"].items()): item for group in groups for item in group["alerts"]}
        shown = [found.get(frozenset(labels.items())) for labels in alerts]
        if all(shown) and settled(shown):
            break
        time.sleep(0.1)
    return [item["status"] for item in shown if item]


def drawn(seed: int, count: int) -> list[Mapping[str, str]]:
    chance = random.Random(seed)  # noqa: S311  test data
    sets = {
        frozenset((name, chance.choice(values)) for name, values in VALUES.items() if chance.random() < 0.7)
        for _ in range(count)
    }
    return [labels for drawn in sorted(sets, key=sorted) if (labels := dict(drawn)) and "alertname" in labels]


@pytest.mark.component
@pytest.mark.parametrize("seed", range(3))
def test_inhibition_is_that_of_alertmanager(seed: int, alertmanager_server: Serve, tmp_path: Path) -> None:
    config = {"route": {"receiver": "none", **HASTE}, "receivers": [{"name": "none"}], "inhibit_rules": RULES}
    alerts = drawn(seed, 14)
    ours = [inhibited(labels, alerts, parsed(config, tmp_path).inhibitions) for labels in alerts]
    server = alertmanager_server(yaml.safe_dump(config))
    states = told(server, alerts, lambda shown: [bool(item["status"]["inhibitedBy"]) for item in shown] == ours)
    assert [bool(state["inhibitedBy"]) for state in states] == ours
    assert any(ours) and not all(ours)


def around(moment: datetime) -> dict[str, list[dict[str, Any]]]:
    """Intervals that hold at `moment`, and some that do not."""
    hour, day = moment.hour, (moment.isoweekday() % 7)
    names = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
    next_day, month = names[(day + 1) % 7], moment.strftime("%B").lower()
    start, end = f"{hour:02}:00", "24:00" if hour == 23 else f"{hour + 1:02}:00"
    other = "00:00" if hour > 1 else "22:00"
    last = (moment.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return {
        "this-hour": [{"times": [{"start_time": start, "end_time": end}]}],
        "another-hour": [{"times": [{"start_time": other, "end_time": other[:2] + ":30"}]}],
        "today": [{"weekdays": [names[day]]}],
        "tomorrow": [{"weekdays": [next_day]}],
        "this-month": [{"months": [month]}, {"years": ["1999"]}],
        "from-the-end": [{"days_of_month": [f"{moment.day - last.day - 1}:-1"]}],
        "past-years": [{"years": ["1999:2001"]}],
        "whole-month": [{"days_of_month": ["1:31"]}],
        "elsewhere": [{"location": "Pacific/Kiritimati", "times": [{"start_time": start, "end_time": end}]}],
        "both": [{"weekdays": ["sunday:saturday"], "months": ["1:12"], "years": ["2020:2100"]}],
        "neither": [{"weekdays": [names[day]], "years": ["1999"]}],
    }


@pytest.mark.component
def test_intervals_are_those_of_alertmanager(alertmanager_server: Serve, tmp_path: Path) -> None:
    intervals = around(datetime.now(UTC))
    children = [
        {"matchers": [f"alertname={key}-{name}"], f"{key}_time_intervals": [name], "receiver": "none", **HASTE}
        for key in ("mute", "active")
        for name in intervals
    ]
    config = {
        "route": {"receiver": "none", **HASTE, "group_by": ["..."], "routes": children},
        "receivers": [{"name": "none", "webhook_configs": [{"url": "http://127.0.0.1:9/"}]}],
        "time_intervals": [{"name": name, "time_intervals": ranges} for name, ranges in intervals.items()],
    }
    ours = parsed(config, tmp_path)
    alerts: list[Mapping[str, str]] = [
        {"alertname": f"{key}-{name}"} for key in ("mute", "active") for name in intervals
    ]
    assert ours.root is not None
    silent = [muted(routes_of(ours.root, labels)[0], ours, datetime.now(UTC)) for labels in alerts]
    states = told(
        alertmanager_server(yaml.safe_dump(config)),
        alerts,
        lambda shown: [bool(item["status"]["mutedBy"]) for item in shown] == silent,
    )
    assert [bool(state["mutedBy"]) for state in states] == silent
    assert any(silent) and not all(silent)
