"""The verdict's truth table, row by row, and what may never come out of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.health import TABLE, verdict
from auditor.model import Container, Lifecycle, Listener, ProbeResult, Verdict


def box(name: str = "web-1", state: str = "running", health: str = "none", **fields: Any) -> Container:
    return Container(id=name, name=name, environment="prod", image="web:1", state=state, health=health, **fields)


def probe(outcome: str, slow: bool = False) -> ProbeResult:
    return ProbeResult("web", "prod", "http", "http://127.0.0.1/", outcome, slow=slow)


UP, WELL = box(), box(health="healthy")
ILL, NEW = box("web-2", health="unhealthy"), box(health="starting")
GONE = box("web-3", "exited", exit_code=0)
YES, NO, BLIND = probe("success"), probe("failure"), probe("unknown")

# (what is known of a daemon whose engine was read, the verdict, a word of the reason)
DAEMONS: list[tuple[dict[str, Any], str, str]] = [
    ({"containers": []}, "stopped", "no container"),
    ({"containers": [], "probes": [YES]}, "stopped", "no container"),
    ({"containers": [GONE]}, "stopped", "exited 0"),
    ({"containers": [box(state="created")]}, "stopped", "is created"),
    ({"containers": [box(state="paused")]}, "stopped", "is paused"),
    ({"containers": [box(state="exited", exit_code=137, oom_killed=True)]}, "stopped", "out of memory"),
    ({"containers": [GONE], "probes": [NO]}, "stopped", "exited 0"),
    ({"containers": [NEW]}, "starting", "is starting"),
    ({"containers": [NEW], "probes": [NO]}, "starting", "is starting"),
    ({"containers": [NEW, WELL]}, "starting", "is starting"),
    ({"containers": [ILL]}, "unhealthy", "is unhealthy"),
    ({"containers": [ILL], "probes": [YES]}, "unhealthy", "is unhealthy"),
    ({"containers": [ILL, GONE]}, "unhealthy", "exited 0"),
    ({"containers": [box(state="restarting")]}, "unhealthy", "keeps restarting"),
    ({"containers": [UP], "probes": [NO]}, "unhealthy", "failed"),
    ({"containers": [WELL], "probes": [NO, BLIND]}, "unhealthy", "failed"),
    ({"containers": [WELL], "probes": [NO, YES]}, "degraded", "failed"),
    ({"containers": [WELL, ILL]}, "degraded", "web-2"),
    ({"containers": [WELL, GONE]}, "degraded", "web-3"),
    ({"containers": [NEW, GONE]}, "degraded", "web-3"),
    ({"containers": [WELL], "wanted": 2}, "degraded", "1 of 2"),
    ({"containers": [WELL], "probes": [probe("success", slow=True)]}, "degraded", "answered"),
    ({"containers": [box(health="healthy", restarts=4)], "restarts_before": {"web-1": 2}}, "degraded", "2 times"),
    ({"containers": [box(health="healthy", restarts=4)]}, "healthy", "is healthy"),
    ({"containers": [WELL], "crossed": ["uses 93 % of its memory limit"]}, "degraded", "93 %"),
    ({"containers": [UP], "crossed": ["uses 93 % of its memory limit"]}, "degraded", "93 %"),
    ({"containers": [NEW], "crossed": ["uses 97 % of its 1 core"]}, "starting", "is starting"),
    ({"containers": [ILL], "crossed": ["uses 97 % of its 1 core"]}, "unhealthy", "is unhealthy"),
    ({"containers": [WELL]}, "healthy", "is healthy"),
    ({"containers": [UP], "probes": [YES]}, "healthy", "answered"),
    ({"containers": [UP]}, "unknown", "nothing proves"),
    ({"containers": [UP], "probes": [BLIND]}, "unknown", "could not be asked"),
    ({"containers": [box(health="unknown", unread="no answer")]}, "unknown", "runs"),
]


@pytest.mark.parametrize(("known", "wanted", "word"), DAEMONS)
def test_daemon(known: dict[str, Any], wanted: str, word: str) -> None:
    found, reasons = verdict(lifecycle=Lifecycle.DAEMON, engine_state="ok", **known)
    assert found == wanted
    assert word in "; ".join(reasons)


@pytest.mark.parametrize(
    ("state", "probes", "wanted"),
    [
        ("failed", [], "unknown"),
        ("failed", [BLIND], "unknown"),
        ("stale", [], "unknown"),
        ("failed", [YES], "healthy"),
        ("failed", [NO], "unhealthy"),
        ("not_asked", [], "unknown"),
        ("not_asked", [YES], "healthy"),
        ("not_asked", [YES, NO], "degraded"),
        ("not_asked", [NO], "unhealthy"),
    ],
)
def test_engine_not_read(state: str, probes: list[ProbeResult], wanted: str) -> None:
    assert verdict(lifecycle=Lifecycle.DAEMON, engine_state=state, probes=probes, containers=[WELL])[0] == wanted


@pytest.mark.parametrize("lifecycle", [Lifecycle.ONESHOT, Lifecycle.CRON])
@pytest.mark.parametrize(
    ("containers", "wanted"),
    [
        ([GONE], "healthy"),
        ([box(state="exited", exit_code=3)], "stopped"),
        ([box(state="created")], "stopped"),
        ([], "stopped"),
        ([UP], "unknown"),
    ],
)
def test_runs_that_end(lifecycle: Lifecycle, containers: list[Container], wanted: str) -> None:
    assert verdict(lifecycle=lifecycle, engine_state="ok", containers=containers)[0] == wanted


def test_only_the_last_run_counts() -> None:
    runs = [
        box("old", "exited", exit_code=1, started_at=datetime(2026, 1, 1, tzinfo=UTC)),
        box("new", "exited", exit_code=0, started_at=datetime(2026, 1, 2, tzinfo=UTC)),
    ]
    assert verdict(lifecycle=Lifecycle.CRON, engine_state="ok", containers=runs)[0] is Verdict.HEALTHY


LISTENER = Listener("prod", 80, "127.0.0.1")


@pytest.mark.parametrize(
    ("lifecycle", "listeners", "probes", "wanted"),
    [
        (Lifecycle.PROCESS, None, [], "unknown"),
        (Lifecycle.PROCESS, [], [], "stopped"),
        (Lifecycle.PROCESS, [LISTENER], [], "unknown"),
        (Lifecycle.PROCESS, [LISTENER], [YES], "healthy"),
        (Lifecycle.PROCESS, [LISTENER], [NO], "unhealthy"),
        (Lifecycle.EXTERNAL, None, [], "unknown"),
        (Lifecycle.EXTERNAL, None, [YES], "healthy"),
        (Lifecycle.EXTERNAL, [], [NO], "unhealthy"),
        (Lifecycle.DAEMON, [LISTENER], [], "stopped"),
    ],
)
def test_without_containers(lifecycle: Lifecycle, listeners: Any, probes: list[ProbeResult], wanted: str) -> None:
    assert verdict(lifecycle=lifecycle, engine_state="ok", listeners=listeners, probes=probes)[0] == wanted


CONTAINERS = st.lists(
    st.builds(
        box,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["created", "running", "paused", "restarting", "removing", "exited", "dead"]),
        st.sampled_from(["healthy", "unhealthy", "starting", "none", "unknown"]),
        exit_code=st.sampled_from([None, 0, 1, 137]),
        restarts=st.sampled_from([None, 0, 5]),
    ),
    max_size=3,
)
PROBES = st.lists(st.sampled_from([YES, NO, BLIND]), max_size=3)


@given(st.sampled_from(Lifecycle), CONTAINERS, st.sampled_from(["failed", "stale"]), st.integers(0, 3))
def test_never_healthy_blind(lifecycle: Lifecycle, containers: list[Container], state: str, wanted: int) -> None:
    found, _ = verdict(
        lifecycle=lifecycle, containers=containers, engine_state=state, wanted=wanted, probes=[BLIND], listeners=None
    )
    assert found is Verdict.UNKNOWN


@given(st.sampled_from(Lifecycle), CONTAINERS, PROBES, st.sampled_from(["ok", "failed", "not_asked"]))
def test_always_a_reason(
    lifecycle: Lifecycle, containers: list[Container], probes: list[ProbeResult], state: str
) -> None:
    found, reasons = verdict(lifecycle=lifecycle, containers=containers, probes=probes, engine_state=state)
    assert reasons
    assert found in {row.verdict for row in TABLE}


@given(CONTAINERS, PROBES)
def test_healthy_needs_a_proof(containers: list[Container], probes: list[ProbeResult]) -> None:
    found, _ = verdict(lifecycle=Lifecycle.DAEMON, containers=containers, probes=probes, engine_state="ok")
    if found is Verdict.HEALTHY:
        assert any(container.health == "healthy" for container in containers) or YES in probes
        assert all(container.state == "running" for container in containers)
        assert NO not in probes
