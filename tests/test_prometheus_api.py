"""The live Prometheus source: what its API says, bounded and cleaned, and each way in which it cannot say anything."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import httpx
import pytest
import respx

from auditor.errors import EvidenceError
from auditor.inventory import Service, Snapshot
from auditor.ladder import climb, judge_health
from auditor.live import asks, gather_live
from auditor.model import (
    Address,
    Component,
    Definition,
    EnvironmentSpec,
    LiveTarget,
    Location,
    Metrics,
    Notified,
    Project,
    Refused,
    SourceState,
)
from auditor.sources.prometheus_api import ANSWER_LIMIT, read_prometheus, stale

URL = "http://127.0.0.1:9090"
API = f"{URL}/api/v1/targets"
RULES = f"{URL}/api/v1/rules"
NO_RULES = httpx.Response(200, json={"status": "success", "data": {"groups": []}})


def answer(*targets: object) -> httpx.Response:
    return httpx.Response(200, json={"status": "success", "data": {"activeTargets": list(targets)}})


def target(url: str, health: str, error: str = "") -> dict[str, object]:
    return {"scrapeUrl": url, "labels": {"job": "shop"}, "health": health, "lastError": error}


QUERY = f"{URL}/api/v1/query"
RUNTIME = f"{URL}/api/v1/status/runtimeinfo"


def others(*sent: object) -> None:
    """What else is asked: no rules, and how much Alertmanager has sent."""
    respx.get(RULES).mock(return_value=NO_RULES)
    respx.get(RUNTIME).respond(json={"status": "success", "data": {"reloadConfigSuccess": True}})
    respx.get(QUERY).respond(json={"status": "success", "data": {"resultType": "vector", "result": list(sent)}})


def read_targets(url: str) -> tuple[LiveTarget, ...]:
    return tuple(fact for fact in read_prometheus(url, "main") if isinstance(fact, LiveTarget))


@respx.mock
def test_targets_are_read_with_their_state() -> None:
    others()
    bad = "connection refused\x1b[31m"
    respx.get(API).mock(
        return_value=answer(target("http://web:8080/metrics", "up"), target("https://db:9187/m", "down", bad))
    )
    assert read_targets(URL) == (
        LiveTarget("main", "shop", Address("db", 9187, "https"), False, "connection refused [31m", (("job", "shop"),)),
        LiveTarget("main", "shop", Address("web", 8080, "http"), True, None, (("job", "shop"),)),
    )


@respx.mock
@pytest.mark.parametrize("item", [None, 7, {}, {"scrapeUrl": 3, "labels": {}}, {"scrapeUrl": "x", "labels": None}])
def test_an_item_of_another_shape_is_left_out(item: object) -> None:
    respx.get(API).mock(return_value=answer(item, target("http://web:8080/metrics", "unknown")))
    others()
    assert [found.up for found in read_targets(URL)] == [None]


BAD = (
    (httpx.Response(500), "HTTP 500"),
    (httpx.Response(401), "wants credentials"),
    (httpx.Response(302, headers={"Location": "http://169.254.169.254/"}), "HTTP 302"),
    (httpx.Response(200, text="<html>"), "no JSON"),
    (httpx.Response(200, text='{"status": "success", "data": {"gro'), "no JSON"),
    (httpx.Response(200, json=[1]), "the answer holds no"),
    (httpx.Response(200, json={"status": "error", "errorType": "unavailable"}), "the answer holds no"),
    (httpx.Response(200, json={"data": {"groups": {}, "activeTargets": {}}}), "the answer holds no"),
    (httpx.Response(200, content=b" " * (ANSWER_LIMIT + 1)), "larger than 32 MiB"),
)


@respx.mock
@pytest.mark.parametrize(("response", "cause"), BAD)
@pytest.mark.parametrize("bad", [API, RULES])
def test_what_is_no_answer_is_an_error_with_its_cause(bad: str, response: httpx.Response, cause: str) -> None:
    respx.get(API).mock(return_value=response if bad == API else answer())
    respx.get(RULES).mock(return_value=response if bad == RULES else NO_RULES)
    with pytest.raises(EvidenceError, match=cause) as caught:
        read_prometheus(URL, "main")
    assert "Prometheus" in caught.value.what


@respx.mock
def test_thousands_of_targets_with_all_that_a_discovery_says_of_them() -> None:
    said = {f"__meta_docker_container_label_{number}": "x" * 100 for number in range(20)}
    many = [target(f"http://web-{n}:80/metrics", "up") | {"discoveredLabels": said} for n in range(2_500)]
    respx.get(API).mock(return_value=answer(*many))
    others()
    assert len(read_targets(URL)) == 2_500


@respx.mock
def test_what_alertmanager_has_sent() -> None:
    respx.get(API).mock(return_value=answer())
    odd = ({"metric": {}, "value": [1, "7"]}, {"metric": {"integration": "sns"}, "value": [1, "NaN"]}, 7)
    others({"metric": {"integration": "slack"}, "value": [1772366400, "12"]}, *odd)
    assert read_prometheus(URL, "main") == (Notified("main", "slack", 12.0),)


@respx.mock
@pytest.mark.parametrize(("said", "facts"), [(False, (Refused("main"),)), (True, ()), ("no", ()), (None, ())])
def test_a_configuration_that_it_refused(said: object, facts: tuple[Refused, ...]) -> None:
    respx.get(API).mock(return_value=answer())
    others()
    respx.get(RUNTIME).respond(json={"status": "success", "data": {"reloadConfigSuccess": said}})
    assert read_prometheus(URL, "main") == facts


@respx.mock
def test_what_it_does_not_say_of_itself_is_no_fault() -> None:
    respx.get(API).mock(return_value=answer())
    others()
    respx.get(RUNTIME).respond(404, text="<html>")
    assert read_prometheus(URL, "main") == ()


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("scraped", "every", "evaluated", "says"),
    [
        ("2026-03-01T11:59:50.123456789Z", "15s", "2026-03-01T11:59:30.5+00:00", None),
        ("2026-03-01T13:59:50.1+02:00", "15s", "2026-03-01T11:59:30Z", None),
        ("2026-03-01T08:00:00.5Z", "15s", "2026-03-01T11:59:30Z", "newest scrape is of 2026-03-01 08:00:00 UTC"),
        ("2026-03-01T11:59:50Z", "15s", "2026-02-27T11:59:30Z", "evaluation of a rule is of 2026-02-27 11:59:30"),
        ("2026-03-01T08:00:00Z", "2h", "2026-03-01T11:59:30Z", None),  # it is read so seldom
        ("0001-01-01T00:00:00Z", "15s", "0001-01-01T00:00:00Z", None),  # it has just been started
        ("2026-03-01T12:30:00Z", "15s", "2026-03-01T12:30:00Z", None),  # its clock is ahead
        ("soon", None, None, None),
    ],
)
def test_what_is_of_an_earlier_time(scraped: str, every: object, evaluated: object, says: str | None) -> None:
    targets = {"data": {"activeTargets": [{"lastScrape": scraped, "scrapeInterval": every}, None]}}
    rules = {"data": {"groups": [{"lastEvaluation": evaluated, "interval": 60}]}}
    found = stale(targets, rules, NOON)
    assert (found is None) if says is None else says in str(found)


@respx.mock
def test_a_server_that_stands_still_is_a_stale_source() -> None:
    old = target("http://web:80/metrics", "up") | {"lastScrape": "2020-03-01T08:00:00Z", "scrapeInterval": "15s"}
    respx.get(API).mock(return_value=answer(old))
    others()
    wanted = asks(
        [EnvironmentSpec("main", Location("."))], docker=None, prometheus=URL, alertmanager=None, processes={}
    )
    found = gather_live(wanted, ())
    assert [(state.name, state.state) for state in found.sources] == [("prometheus-api", "stale")]
    assert "newest scrape is of 2020-03-01" in str(found.sources[0].detail)
    assert found.targets == []


def rung(source: str, *targets: LiveTarget) -> tuple[str, str | None]:
    web = Definition("web", "main", Location("compose.yaml", 2), image="web:1")
    component = Component("web", "Web", "tool", (), metrics=Metrics(8080))
    snapshot = Snapshot(
        datetime(2026, 3, 1, tzinfo=UTC),
        ("main",),
        projects=(Project("main", None, (), (web,)),),
        sources=(SourceState("prometheus-api", source, "no answer", "main"),),
        live_targets=targets,
    )
    found = climb(Service("web", "main", definition=web, component=component), snapshot)["scraped"]
    return found.state, found.reason


def test_the_rung_follows_the_live_target() -> None:
    web = Address("web", 8080)
    assert rung("ok", LiveTarget("main", "shop", web, True))[0] == "proved"
    assert rung("ok", LiveTarget("main", "shop", web, False, "refused")) == (
        "disproved",
        "its target is down: refused",
    )
    assert rung("ok", LiveTarget("main", "shop", web, None))[0] == "unknown"
    assert rung("ok", LiveTarget("main", "shop", Address("db", 1), True))[0] == "disproved"
    assert rung("failed")[0] == "unknown"


@pytest.mark.component
def test_a_real_prometheus(prometheus_server) -> None:
    config = """
global: {scrape_interval: 1s}
scrape_configs:
  - {job_name: itself, static_configs: [{targets: ["127.0.0.1:{port}"]}]}
  - {job_name: nobody, static_configs: [{targets: ["127.0.0.1:1"]}]}
"""
    server = prometheus_server(config)
    found = {}
    for _ in range(100):
        found = {item.job: item for item in read_targets(server.url)}
        if len(found) == 2 and all(item.up is not None for item in found.values()):
            break
        time.sleep(0.1)
    assert found["itself"].up is True
    assert found["nobody"].up is False
    assert "refused" in str(found["nobody"].error)


def test_a_target_of_its_own_that_is_up_proves_health_and_an_exporters_does_not() -> None:
    web = Definition("web", "main", Location("compose.yaml", 2), image="web:1")
    targets = (LiveTarget("main", "shop", Address("web", 8080), True), LiveTarget("main", "x", Address("exp", 1), True))
    for target, expected in zip(targets, ("healthy", "unknown"), strict=True):
        snapshot = Snapshot(
            datetime(2026, 3, 1, tzinfo=UTC),
            ("main",),
            projects=(Project("main", None, (), (web,)),),
            sources=(SourceState("prometheus-api", "ok", environment="main"),),
            live_targets=(target,),
        )
        assert judge_health(Service("web", "main", definition=web), snapshot)[0] == expected
