"""The exposition: what each series means, hostile names, the budget."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from auditor.model import (
    Container,
    Criticality,
    Host,
    Location,
    ProbeResult,
    Report,
    RungState,
    Severity,
    SourceState,
    Usage,
    Verdict,
    Waiver,
)
from exporters.metrics import Scans, render
from tests.builders import NOON, finding, report, rungs, service

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(text: bytes) -> Series:
    """Every sample by name and labels; a duplicate is an error."""
    found: Series = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, f"{key} twice"
            found[key] = sample.value
    return found


def value(of: Report, name: str, /, scans: Scans | None = None, **labels: str) -> float | None:
    return series(render(of, scans)).get((f"auditor_{name}", frozenset(labels.items())))


WEB = {"service": "web", "environment": "prod"}
WAIVER = Waiver("no-alert", "known", "ops", date(2026, 3, 1), Location("catalogue.yaml", 3))


def test_a_rung_is_one_zero_absent_or_unknown() -> None:
    climbed = rungs(running="disproved", scraped="unknown", routed="not_required")
    one = report((service("web", rungs=climbed),))
    assert value(one, "service_rung", **WEB, rung="composed") == 1
    assert value(one, "service_rung", **WEB, rung="running") == 0
    assert value(one, "service_rung", **WEB, rung="scraped") is None
    assert value(one, "service_rung_unknown", **WEB, rung="scraped") == 1
    assert value(one, "service_rung", **WEB, rung="routed") is None
    assert value(one, "service_rung_unknown", **WEB, rung="routed") is None


def test_a_rung_that_policy_does_not_require_has_no_zero() -> None:
    climbed = rungs(charted="disproved")
    climbed["charted"] = replace(climbed["charted"], required=False)
    assert value(report((service("web", rungs=climbed),)), "service_rung", **WEB, rung="charted") is None


def test_health_is_a_state_set() -> None:
    one = report((service("web", verdict=Verdict.DEGRADED),))
    states = {state: value(one, "service_health", **WEB, state=state) for state in Verdict}
    assert states == {state: float(state is Verdict.DEGRADED) for state in Verdict}


def test_services_are_counted_by_environment_and_verdict() -> None:
    several = report(
        (service("a"), service("b"), service("c", "test", verdict=Verdict.STOPPED)), environments=("prod", "test")
    )
    assert value(several, "services", environment="prod", state="healthy") == 2
    assert value(several, "services", environment="test", state="stopped") == 1
    assert value(several, "services", environment="test", state="healthy") == 0


def test_each_environment_has_its_own_coverage() -> None:
    half = rungs(**dict.fromkeys(("claimed", "declared", "composed", "running", "healthy"), "disproved"))
    two = report(
        (service("a"), service("b", "test", rungs=half)), environments=("prod", "test"), environment=None, coverage=0.75
    )
    assert value(two, "coverage_ratio", environment="prod") == 1
    assert value(two, "coverage_ratio", environment="test") == 0.5


def test_unknown_coverage_has_no_sample() -> None:
    blind = report((service("web", coverage=None),), coverage=None)
    assert value(blind, "coverage_ratio", environment="prod") is None
    assert value(blind, "service_coverage_ratio", **WEB) is None


def test_only_open_findings_count() -> None:
    findings = (
        finding("no-alert", severity=Severity.CRITICAL),
        finding("no-alert", waiver=WAIVER),
        finding("no-alert", baselined=True),
    )
    one = report((service("web"),), findings)
    assert value(one, "findings", environment="prod", check="no-alert", severity="critical") == 1
    assert value(one, "findings", environment="prod", check="no-alert", severity="warning") is None
    assert value(one, "service_findings", **WEB, severity="critical") == 1
    assert value(one, "service_findings", **WEB, severity="warning") == 0


def test_the_oldest_open_gap_has_the_age_that_the_history_knows() -> None:
    old, new = finding("no-alert"), finding("no-probe")
    opened = {old.fingerprint: NOON - timedelta(hours=2), new.fingerprint: NOON}
    found = series(render(report((service("web"),), (old, new)), None, opened))
    labels = frozenset({"environment": "prod", "severity": "warning"}.items())
    assert found["auditor_gap_oldest_open_seconds", labels] == 7200


def test_a_waiver_ends_after_its_last_day() -> None:
    one = report(waivers=(WAIVER,))
    assert value(one, "waivers") == 1
    end = value(one, "waiver_expiry_timestamp_seconds", check="no-alert", service="")
    assert end == NOON.replace(hour=0).timestamp() + 86400


@pytest.mark.parametrize(("state", "up"), [("ok", 1), ("failed", 0), ("stale", 0), ("not_asked", None)])
def test_a_source_is_up_down_or_not_asked(state: str, up: float | None) -> None:
    one = report(sources=(SourceState("docker", state, environment="prod"),))
    assert value(one, "source_up", source="docker", environment="prod") == up


def test_probes_that_could_not_ask_say_nothing() -> None:
    outcomes = {"success": 1, "failure": 0, "unknown": None}
    for outcome, expected in outcomes.items():
        one = report((service("web"),), probes=(ProbeResult("web", "prod", "tcp", "web:80", outcome),))
        assert value(one, "probe_success", **WEB, probe="tcp web:80") == expected


@pytest.mark.parametrize(("health", "expected"), [("healthy", 1), ("unhealthy", 0), ("none", None), ("starting", None)])
def test_a_container_without_a_health_check_has_no_health(health: str, expected: float | None) -> None:
    container = Container("1", "web-1", "prod", "nginx", "running", health=health, restarts=3, memory_usage=9)
    one = report((service("web", containers=("web-1",)),), containers=(container,))
    assert value(one, "container_health", **WEB, container="web-1") == expected
    assert value(one, "container_restarts_total", **WEB, container="web-1") == 3
    assert value(one, "container_memory_usage_bytes", **WEB, container="web-1") == 9
    assert value(one, "container_memory_limit_bytes", **WEB, container="web-1") is None


def test_the_server_tells_of_its_scans() -> None:
    scans = Scans(started=5, failed=1, skipped=2, current=False, last_success=NOON)
    assert value(report(), "scans_skipped_total", scans) == 2
    assert value(report(), "report_stale", scans) == 1
    assert value(report(), "scan_last_success_timestamp_seconds", scans) == NOON.timestamp()


HOSTILE = (
    'quote" and \\ back',
    "two\nlines",
    "\ud800 lone",
    "nul\x00",
    "\u202eturned",
    "x" * 5000,
    "{{7*7}}",
    "<script>",
    "é\u2028",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_never_break_a_scrape(text: str) -> None:
    one = report(
        (service(text, category=text, owner=text, containers=(text,)), service("web")),
        (finding("no-alert", text),),
        containers=(Container("1", text, "prod", "nginx", "running", restarts=1),),
    )
    exposed = render(one)
    names = {dict(labels).get("service") for _, labels in series(exposed)}
    assert "web" in names
    assert all(name is None or (name.isprintable() and len(name) <= 250) for name in names)
    assert not any(unit in exposed for unit in (b"\x00", b"\r", "\u202e".encode()))


def test_names_that_differ_only_in_what_is_cleaned_are_one_series() -> None:
    series(render(report((service("a\x01"), service("a\\x01")))))


def test_past_the_budget_the_totals_still_count_everyone() -> None:
    many = report(tuple(service(f"s{number:03}") for number in range(100)))
    found = series(render(many, budget=1000))
    own = [labels for name, labels in found if name == "auditor_service_info"]
    assert 0 < len(own) < 100
    assert len(found) <= 1000
    assert found["auditor_series_truncated", frozenset()] > 0
    assert found["auditor_services", frozenset({"environment": "prod", "state": "healthy"}.items())] == 100


def test_the_fold_keeps_critical_services() -> None:
    many = (*(service(f"a{number}") for number in range(100)), service("z", criticality=Criticality.CRITICAL))
    found = series(render(report(many), budget=600))
    assert any(dict(labels).get("service") == "z" for name, labels in found if name == "auditor_service_info")


def test_messages_are_no_labels() -> None:
    one = report((service("web", reasons=("SECRET-REASON",)),), (finding("no-alert", message="SECRET-MESSAGE"),))
    assert b"SECRET" not in render(one)


def test_promtool_has_nothing_to_say(promtool: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    container = Container("1", "web-1", "prod", "nginx", "running", health="healthy", restarts=3, memory_limit=9)
    full = report(
        (service("web", containers=("web-1",), rungs=rungs(scraped="unknown")), *(service(text) for text in HOSTILE)),
        (finding("no-alert"),),
        containers=(container,),
        probes=(ProbeResult("web", "prod", "tcp", "web:80", "success"),),
        waivers=(WAIVER,),
        duration=0.5,
    )
    done = promtool("check", "metrics", input=render(full, Scans(started=1, last_success=NOON)).decode())
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_every_state_of_a_rung_is_rendered() -> None:
    for state in RungState:
        series(render(report((service("web", rungs=rungs(running=state)),))))


BOX = Container("a" * 64, "web-1", "prod", "web:1", "running", restarts=2, memory_limit=512)
USED = Usage("prod", "a" * 64, NOON, memory=256, cpu_seconds=12.5, cpu_ratio=0.25, pids=7, network_received=10,
             network_sent=20, block_read=30, block_written=40)  # fmt: skip


def test_what_a_container_uses() -> None:
    one = report((service("web", containers=("web-1",)),), containers=(BOX,), usages=(USED,))
    labels = {**WEB, "container": "web-1"}
    wanted = {
        "memory_usage_bytes": 256, "memory_limit_bytes": 512, "cpu_usage_seconds_total": 12.5, "cpu_ratio": 0.25,
        "pids": 7, "network_receive_bytes_total": 10, "network_transmit_bytes_total": 20, "block_read_bytes_total": 30,
        "block_written_bytes_total": 40, "restarts_total": 2,
    }  # fmt: skip
    assert {name: value(one, f"container_{name}", **labels) for name in wanted} == wanted


def test_what_is_not_known_of_a_container_has_no_sample() -> None:
    one = report((service("web", containers=("web-1",)),), containers=(BOX,), usages=(Usage("prod", BOX.id, NOON),))
    shown = {name for name, _ in series(render(one)) if name.startswith("auditor_container_")}
    assert shown == {"auditor_container_memory_limit_bytes", "auditor_container_restarts_total"}


def test_the_host_of_each_engine() -> None:
    one = report(hosts=(Host("prod", "docker", cpus=4, memory=1024), Host("prod", "docker:b")))
    assert value(one, "host_memory_bytes", source="docker", environment="prod") == 1024
    assert value(one, "host_cpus", source="docker", environment="prod") == 4
    assert value(one, "host_cpus", source="docker:b", environment="prod") is None


def test_details_of_containers_go_before_any_service_goes() -> None:
    boxes = tuple(replace(BOX, id=f"{n:064}", name=f"web-{n}") for n in range(4))
    used = tuple(replace(USED, container=box.id) for box in boxes)
    web = service("web", containers=tuple(box.name for box in boxes))
    found = series(render(report((web,), containers=boxes, usages=used)))
    assert value_of(found, "container_pids") == []
    assert len(value_of(found, "container_memory_usage_bytes")) == 4
    assert value_of(found, "series_truncated") == [20], "five series of each container"


def value_of(found: Series, name: str) -> list[float]:
    return [number for (full, _), number in found.items() if full == f"auditor_{name}"]
