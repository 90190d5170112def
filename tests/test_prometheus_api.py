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
from auditor.model import Address, Component, Definition, LiveTarget, Location, Metrics, Project, SourceState
from auditor.sources.prometheus_api import read_targets

URL = "http://127.0.0.1:9090"
API = f"{URL}/api/v1/targets"


def answer(*targets: object) -> httpx.Response:
    return httpx.Response(200, json={"status": "success", "data": {"activeTargets": list(targets)}})


def target(url: str, health: str, error: str = "") -> dict[str, object]:
    return {"scrapeUrl": url, "labels": {"job": "shop"}, "health": health, "lastError": error}


@respx.mock
def test_targets_are_read_with_their_state() -> None:
    bad = "connection refused\x1b[31m"
    respx.get(API).mock(
        return_value=answer(target("http://web:8080/metrics", "up"), target("https://db:9187/m", "down", bad))
    )
    assert read_targets(URL, "main") == (
        LiveTarget("main", "shop", Address("db", 9187, "https"), False, "connection refused [31m", (("job", "shop"),)),
        LiveTarget("main", "shop", Address("web", 8080, "http"), True, None, (("job", "shop"),)),
    )


@respx.mock
@pytest.mark.parametrize("item", [None, 7, {}, {"scrapeUrl": 3, "labels": {}}, {"scrapeUrl": "x", "labels": None}])
def test_an_item_of_another_shape_is_left_out(item: object) -> None:
    respx.get(API).mock(return_value=answer(item, target("http://web:8080/metrics", "unknown")))
    assert [found.up for found in read_targets(URL, "main")] == [None]


@respx.mock
@pytest.mark.parametrize(
    "response",
    [httpx.Response(500), httpx.Response(401), httpx.Response(200, text="<html>"), httpx.Response(200, json=[1])],
)
def test_what_is_no_answer_is_an_error_with_its_cause(response: httpx.Response) -> None:
    respx.get(API).mock(return_value=response)
    with pytest.raises(EvidenceError, match="Prometheus"):
        read_targets(URL, "main")


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
        found = {item.job: item for item in read_targets(server.url, "main")}
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
