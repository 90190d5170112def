"""Active alerts: from answers as they come, from answers that are none, and from a real Alertmanager."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from auditor.errors import EvidenceError
from auditor.model import Alert
from auditor.sources.alertmanager import parse_alert, read_alertmanager
from tests.parts.plugin import Serve

URL = "http://192.0.2.9:9093"
CANARY = "canary-7b3e0d-not-a-real-secret"


def read_alerts(url: str) -> tuple[Alert, ...]:
    return tuple(fact for fact in read_alertmanager(url, "prod") if isinstance(fact, Alert))


def answers(base: str = "", **replaced: httpx.Response) -> Mapping[str, respx.Route]:
    """The three addresses that are asked; `alerts`, `silences` and `status` replace an answer."""
    usual: dict[str, Any] = {"alerts": [], "silences": [], "status": {"config": {"original": CONFIG}}}
    told = {name: replaced.get(name) or httpx.Response(200, json=body) for name, body in usual.items()}
    return {name: respx.get(f"{URL}{base}/api/v2/{name}").mock(return_value=found) for name, found in told.items()}


def item(**fields: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "labels": {"alertname": "Down", "severity": "critical", "service": "web"},
        "annotations": {"summary": "web is down"},
        "startsAt": "2026-03-01T12:00:00.123Z",
        "status": {"state": "active"},
    }
    return usual | fields


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, ("Down", "active", "critical", "web", "web is down")),
        ({"status": {"state": "suppressed"}}, ("Down", "suppressed", "critical", "web", "web is down")),
        ({"status": {"state": "unprocessed"}}, ("Down", "active", "critical", "web", "web is down")),
        ({"labels": {}, "annotations": {}}, ("unnamed", "active", None, None, None)),
        ({"labels": None, "annotations": 7, "status": []}, ("unnamed", "active", None, None, None)),
        ({"annotations": {"description": "long words"}}, ("Down", "active", "critical", "web", "long words")),
    ],
)
def test_one_alert(fields: dict[str, Any], wanted: tuple[str | None, ...]) -> None:
    found = parse_alert(item(**fields), "prod")
    assert (found.name, found.state, found.severity, found.service, found.summary) == wanted


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\nb", "a\u202eb", "a\x00b", "\ud800x", "x" * 10**6])
def test_hostile_text_is_cut_and_cleaned(text: str) -> None:
    found = parse_alert(item(labels={"alertname": text, "service": text}, annotations={"summary": text}), "prod")
    for kept in (found.name, found.service, found.summary):
        assert kept is not None
        assert kept.isprintable()
        assert len(kept) <= 500


@pytest.mark.parametrize("text", ["", "soon", None, 7, "2026-13-01T00:00:00Z"])
def test_no_time(text: object) -> None:
    assert parse_alert(item(startsAt=text), "prod").starts_at is None


@respx.mock
@pytest.mark.parametrize("base", ["", "/", "/alertmanager/"])
def test_what_is_asked(base: str) -> None:
    found = httpx.Response(200, json=[item(), item(labels={"alertname": "A"})])
    routes = answers(base.rstrip("/"), alerts=found)
    assert [alert.name for alert in read_alerts(URL + base)] == ["A", "Down"]
    for route in routes.values():
        sent = route.calls.last.request.headers
        assert (sent["accept-encoding"], "authorization" in sent) == ("identity", False)


@respx.mock
@pytest.mark.parametrize(
    ("response", "cause"),
    [
        (httpx.Response(503), "HTTP 503"),
        (httpx.Response(401), "wants credentials"),
        (httpx.Response(302, headers={"Location": "http://169.254.169.254/"}), "HTTP 302"),
        (httpx.Response(200, text="<html>"), "no JSON"),
        (httpx.Response(200, text="[" * 10**5), "no JSON"),
        (httpx.Response(200, text='[{"labels": {"alertn'), "no JSON"),
        (httpx.Response(200, json={"a": 1}), "no list of|holds no configuration"),
        (httpx.Response(200, content=b" " * (5 * 2**20)), "larger than 4 MiB"),
        (httpx.Response(200, headers={"Content-Encoding": "br"}, stream=httpx.ByteStream(b"x")), "compressed"),
    ],
)
@pytest.mark.parametrize("bad", ["alerts", "silences", "status"])
def test_answers_that_are_none(bad: str, response: httpx.Response, cause: str) -> None:
    answers(**{bad: response})
    with pytest.raises(EvidenceError, match=cause) as caught:
        read_alertmanager(URL, "prod")
    assert "Alertmanager" in caught.value.what


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://127.0.0.1:1", "connection refused"),
        ("http://no-such-host.invalid:9093", "does not resolve here"),
        ("http://169.254.169.254", "never probed"),
        (f"http://user:{CANARY}@127.0.0.1:1", "holds a user"),
        ("file:///etc/passwd", "only `http` and `https`"),
    ],
)
def test_addresses_that_lead_nowhere(url: str, cause: str) -> None:
    with pytest.raises(EvidenceError, match=cause) as caught:
        read_alertmanager(url, "prod")
    assert CANARY not in str(caught.value)


CONFIG = """
route: {receiver: none, group_wait: 1s}
receivers: [{name: none}]
inhibit_rules:
  - {source_matchers: [alertname="Down"], target_matchers: [alertname="Slow"], equal: [service]}
"""


def post(url: str, *alerts: dict[str, str]) -> None:
    begin = datetime.now(UTC) - timedelta(seconds=5)
    body = [{"labels": labels, "annotations": {"summary": "so"}, "startsAt": begin.isoformat()} for labels in alerts]
    with httpx.Client(trust_env=False) as client:
        headers = {"Content-Type": "application/json"}
        client.post(f"{url}/api/v2/alerts", content=json.dumps(body), headers=headers).raise_for_status()


def test_a_real_alertmanager(alertmanager_server: Serve) -> None:
    server = alertmanager_server(CONFIG)
    assert read_alerts(server.url) == ()
    down = {"alertname": "Down", "service": "web", "severity": "critical"}
    post(server.url, down, {"alertname": "Slow", "service": "web"}, {"alertname": "Slow", "service": "db"})
    wanted = {("Down", "web", "active"), ("Slow", "web", "suppressed"), ("Slow", "db", "active")}
    found: tuple[Alert, ...] = ()
    for _ in range(100):
        found = read_alerts(server.url)
        if {(alert.name, alert.service, alert.state) for alert in found} == wanted:
            break
        time.sleep(0.1)
    assert {(alert.name, alert.service, alert.state) for alert in found} == wanted
    assert all(alert.starts_at and alert.summary == "so" for alert in found)


def test_one_that_ended(alertmanager_server: Serve) -> None:
    server = alertmanager_server(CONFIG)
    server.child.stop()
    with pytest.raises(EvidenceError, match="connection refused"):
        read_alerts(server.url)
