"""Loaded rules, what they find, and a loaded Alertmanager configuration, from the real servers."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import yaml

from auditor.errors import EvidenceError
from auditor.model import Alert, AlertmanagerConfig, LiveTarget, LoadedRule, Matcher, Selected, Silence
from auditor.sources.alertmanager import parse_silences, parse_status, read_alertmanager
from auditor.sources.prometheus_api import parse_rules, read_prometheus
from tests.parts.plugin import Serve

RULES = {
    "groups": [
        {
            "name": "g",
            "rules": [
                {"record": "job:up:min", "expr": "min by (job) (up)"},
                {"alert": "Down", "expr": 'up{job="self"} == 0', "labels": {"severity": "page"}},
                {"alert": "Recorded", "expr": "job:up:min == 0"},
                {"alert": "Dead", "expr": "nothing_at_all > 1"},
            ],
        }
    ]
}


@pytest.mark.component
def test_rules_and_what_they_find(prometheus_server: Serve) -> None:
    job = {"job_name": "self", "scrape_interval": "200ms", "static_configs": [{"targets": ["127.0.0.1:{port}"]}]}
    config = {"global": {"evaluation_interval": "200ms"}, "rule_files": ["rules.yml"], "scrape_configs": [job]}
    server = prometheus_server(json.dumps(config), files={"rules.yml": json.dumps(RULES)})
    until = time.monotonic() + 25
    while not server.query("job:up:min") and time.monotonic() < until:
        time.sleep(0.1)
    facts = read_prometheus(server.url, "prod")
    rules = {fact.name: fact for fact in facts if isinstance(fact, LoadedRule)}
    found = {fact.selector: fact.found for fact in facts if isinstance(fact, Selected)}
    assert {name: (rule.expr, dict(rule.labels)) for name, rule in rules.items()} == {
        "Down": ('up{job="self"} == 0', {"severity": "page"}),
        "Recorded": ("job:up:min == 0", {}),
        "Dead": ("nothing_at_all > 1", {}),
    }
    instance = f"127.0.0.1:{server.port}"
    assert found == {
        'up{job="self"}': ((("instance", instance), ("job", "self")),),
        "job:up:min": ((("job", "self"),),),
        "nothing_at_all": (),
    }
    assert [dict(fact.labels)["instance"] for fact in facts if isinstance(fact, LiveTarget)] == [instance]


@pytest.mark.component
def test_the_loaded_configuration_and_silences(alertmanager_server: Serve) -> None:
    hook = {"url": "http://relay:8080/made-up-secret"}
    config = {"route": {"receiver": "team"}, "receivers": [{"name": "team", "webhook_configs": [hook]}]}
    server = alertmanager_server(yaml.safe_dump(config))
    now = datetime.now(UTC)
    matcher = {"name": "service", "value": "a|b", "isRegex": True, "isEqual": True}
    silence = {
        "matchers": [matcher],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(days=1000)).isoformat(),
        "createdBy": "somebody",
        "comment": "made up",
    }
    httpx.post(f"{server.url}/api/v2/silences", json=silence).raise_for_status()
    httpx.post(f"{server.url}/api/v2/alerts", json=[{"labels": {"alertname": "A"}}]).raise_for_status()
    facts = read_alertmanager(server.url, "prod", path="monitoring/alertmanager.yml")
    (loaded,) = (fact for fact in facts if isinstance(fact, AlertmanagerConfig))
    (silent,) = (fact for fact in facts if isinstance(fact, Silence))
    assert [fact.name for fact in facts if isinstance(fact, Alert)] == ["A"]
    assert loaded.live and loaded.root is not None and loaded.root.receiver == "team"
    assert [one.placeholder for one in loaded.receivers[0].integrations] == [None]
    assert loaded.root.location.path == "monitoring/alertmanager.yml"
    assert silent.matchers == (Matcher("service", "=~", "a|b"),)
    assert silent.ends_at - now > timedelta(days=999)
    assert "made-up-secret" not in repr(facts)


@pytest.mark.parametrize("answer", [None, [], {}, {"data": {}}, {"data": {"groups": 1}}, "x"])
def test_no_rules(answer: object) -> None:
    with pytest.raises(EvidenceError):
        parse_rules(answer, "prod")


@pytest.mark.parametrize(
    "answer", [{}, None, {"config": {}}, {"config": {"original": "a: ["}}, {"config": {"original": "[]"}}]
)
def test_no_status(answer: object) -> None:
    with pytest.raises(EvidenceError):
        parse_status(answer, "prod", "a.yml")


def test_odd_silences_are_left_out() -> None:
    ends = "2036-01-01T00:00:00Z"
    odd = [None, {}, {"status": {"state": "expired"}, "endsAt": ends, "matchers": []}, {"status": {"state": "active"}}]
    kept = {"status": {"state": "active"}, "endsAt": ends, "matchers": [None, {"name": "a", "value": "\x1b[31m"}]}
    assert len(parse_silences([*odd, kept], "prod")) == 1
    with pytest.raises(EvidenceError):
        parse_silences({}, "prod")
