"""The main job on a real engine: what runs is proved, each fault is said once, and blindness is never green."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.parts.engine import Engine
from tests.parts.process import free_port

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

COMPOSE = """
services:
  web:
    image: shop-web:1
    healthcheck: {test: ["CMD", "true"], interval: 1s, start_period: 1s}
    depends_on: {migrate: {condition: service_completed_successfully}}
  stopped: {image: "shop-worker:1", stop_grace_period: 1s}
  killed: {image: "shop-worker:1"}
  swapped: {image: "shop-worker:1", stop_grace_period: 1s}
  migrate: {image: "shop-worker:1", command: "true"}
"""
CATALOGUE = """
system: shop
environments: {main: {compose: [compose.yaml]}}
services:
  web: {owner: shop, criticality: critical}
  stopped: {owner: shop}
  killed: {owner: shop}
  swapped: {owner: shop, image: "shop-worker:1"}
  migrate: {owner: shop, lifecycle: oneshot}
"""
LIVE = {"composed-not-running", "exited-with-error", "running-not-declared", "running-not-composed", "image-drift"}
Report = dict[str, Any]


def auditor(engine: Engine, folder: Path, *arguments: str) -> tuple[int, Report, str]:
    """One run of the command, from outside: exit code, report, and what it said on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "auditor", *arguments, "--format", "json"],
        cwd=folder,
        env=os.environ | {"DOCKER_HOST": engine.address, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def live(report: Report) -> set[tuple[str, str]]:
    """The findings that need the engine."""
    health = {"unhealthy-service", "oom-killed", "port-taken"}
    return {(f["check"], f["service"]) for f in report["findings"] if f["check"] in LIVE | health}


def rungs(report: Report, name: str) -> dict[str, str]:
    states: dict[str, str] = {service["name"]: service["rungs"][name]["state"] for service in report["services"]}
    return states


@pytest.fixture
def shop(engine: Engine, tmp_path: Path) -> Iterator[Path]:
    """A project that is called after its directory, as most are."""
    tmp_path = tmp_path / "Shop"
    tmp_path.mkdir()
    engine.import_busybox("shop-worker:1", ['CMD ["sleep", "100000"]'])
    engine.import_busybox("shop-worker:2", ['CMD ["sleep", "200000"]'])
    engine.import_busybox("shop-web:1", ['CMD ["sleep", "100000"]'])
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "catalogue.yaml").write_text(CATALOGUE)
    (tmp_path / "override.yaml").write_text('services: {swapped: {image: "shop-worker:2"}}\n')
    engine.compose(tmp_path, "up", "--detach", "--wait")
    try:
        yield tmp_path
    finally:
        for container in engine.client.containers.list(all=True, filters={"name": "by-hand"}):
            container.remove(force=True)
        engine.compose(tmp_path, "down", "--timeout", "0", "--volumes")


def test_a_well_stack_and_then_exactly_four_faults(engine: Engine, shop: Path) -> None:
    code, report, said = auditor(engine, shop, "audit", "--docker", "env")
    assert (code, live(report), report["complete"]) == (0, set(), True), said
    assert set(rungs(report, "running").values()) == {"proved"}
    assert rungs(report, "healthy")["web"] == rungs(report, "healthy")["migrate"] == "proved"

    client = engine.client
    client.containers.get("shop-stopped-1").stop(timeout=1)
    os.kill(client.api.inspect_container("shop-killed-1")["State"]["Pid"], signal.SIGKILL)
    client.containers.run("shop-worker:1", name="by-hand", detach=True)
    engine.compose(shop, "-f", "compose.yaml", "-f", "override.yaml", "up", "--detach", "--no-deps", "swapped")
    end = time.monotonic() + 20
    while client.containers.get("shop-killed-1").status == "running" and time.monotonic() < end:
        time.sleep(0.1)

    _, report, _ = auditor(engine, shop, "audit", "--docker", "env")
    assert live(report) == {
        ("composed-not-running", "stopped"),
        ("exited-with-error", "killed"),
        ("running-not-declared", "by-hand"),
        ("image-drift", "swapped"),
    }
    assert rungs(report, "running") == {
        "web": "proved", "stopped": "disproved", "killed": "disproved", "swapped": "proved", "migrate": "proved",
        "by-hand": "proved",
    }  # fmt: skip


def test_a_frozen_engine_is_unknown_and_fails_the_gate_in_time(engine: Engine, shop: Path) -> None:
    with engine.frozen():
        started = time.monotonic()
        code, report, _ = auditor(engine, shop, "gate", "--docker", "env")
        took = time.monotonic() - started
    docker = next(source for source in report["sources"] if source["name"] == "docker")
    assert (code, report["complete"], docker["state"]) == (3, False, "failed")
    assert "no answer" in docker["detail"]
    assert set(rungs(report, "running").values()) == set(rungs(report, "healthy").values()) == {"unknown"}
    assert took < 100, "ten times what a gate may take before it has failed"


def test_a_socket_that_is_gone_is_named_and_fails_the_gate(engine: Engine, shop: Path) -> None:
    code, report, _ = auditor(engine, shop, "gate", "--docker", f"unix://{shop}/no.sock")
    docker = next(source for source in report["sources"] if source["name"] == "docker")
    assert (code, docker["state"]) == (3, "failed")
    assert "no such" in docker["detail"].lower()
    assert set(rungs(report, "running").values()) == {"unknown"}


def test_the_page_of_a_frozen_engine_says_so_and_shows_nothing_green(engine: Engine, shop: Path) -> None:
    port = free_port()
    options = ["--port", str(port), "--interval", "1s", "--docker", engine.address]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent), "AUDITOR_STATE_DIR": str(shop / "state")}
    command = [sys.executable, "-m", "auditor", "serve", *options]
    with subprocess.Popen(command, cwd=shop, env=environ, stderr=subprocess.DEVNULL) as server:
        try:
            web = answer(port, lambda body: body["healthy_services"] >= 1)["services"]["uncategorized"]["web"]
            assert (web["status"], web["health"]) == ("healthy", "healthy")
            with engine.frozen():
                blind = answer(port, lambda body: body["healthy_services"] == 0)
                page = httpx.get(f"http://127.0.0.1:{port}/").text
                ready = httpx.get(f"http://127.0.0.1:{port}/metrics").text
            assert {s["status"] for s in blind["services"]["uncategorized"].values()} == {"unknown"}
            assert "no answer" in page or "stale" in page.lower()
            assert 'state="healthy"} 1.0' not in ready
            assert answer(port, lambda body: body["healthy_services"] >= 1), "it sees again when the engine does"
        finally:
            server.terminate()
    assert server.returncode == 0


def answer(port: int, holds: Callable[[Report], bool]) -> Report:
    """The status, as soon as it is as wanted."""
    end = time.monotonic() + 60
    body: Report = {}
    while time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            reply = httpx.get(f"http://127.0.0.1:{port}/services/status")
            body = reply.json()
            if reply.status_code == 200 and holds(body):
                return body
        time.sleep(0.2)
    raise AssertionError(body)


# --- what is neither well nor stopped ----------------------------------------------------------------------------

ODD = """\
name: odd
services:
  web:
    image: shop-worker:1
    scale: 3
    stop_signal: SIGKILL
    healthcheck: {test: ["CMD-SHELL", "test ! -e /tmp/ill"], interval: 1s, retries: 2}
  slow: {image: "shop-worker:1", healthcheck: {test: ["CMD", "false"], interval: 1s, start_period: 600s}}
  hungry: {image: "shop-worker:1", command: [tail, /dev/zero], mem_limit: 32m, memswap_limit: 32m, restart: always}
  paused: {image: "shop-worker:1"}
  wrong: {image: "shop-worker:1", command: /no/such/program}
  debug: {image: "shop-worker:1", profiles: [debug]}
  other: {image: "shop-worker:1", profiles: [other]}
"""


def test_containers_that_are_neither_well_nor_stopped(empty_engine: Engine, tmp_path: Path) -> None:
    engine, folder = empty_engine, tmp_path
    engine.import_busybox("shop-worker:1", ['CMD ["sleep", "100000"]'])
    (folder / "compose.yaml").write_text(ODD)
    engine.compose(folder, "up", "--detach", check=False)
    engine.compose(folder, "--profile", "debug", "up", "--detach", "debug")
    engine.compose(folder, "run", "--detach", "web", "sh", "-c", "exit 5")
    engine.client.containers.get("odd-paused-1").pause()
    engine.client.containers.get("odd-web-2").exec_run("touch /tmp/ill")
    engine.client.containers.get("odd-web-3").rename("renamed")
    end = time.monotonic() + 60
    ill = lambda: engine.client.api.inspect_container("odd-web-2")["State"]["Health"]["Status"] == "unhealthy"  # noqa: E731
    restarts = lambda: engine.client.api.inspect_container("odd-hungry-1")["RestartCount"]  # noqa: E731
    while not (ill() and restarts() >= 3) and time.monotonic() < end:
        time.sleep(0.2)
    _, report, _ = auditor(engine, folder, "audit", "--docker", "env", "--select", "gaps")
    said = {(f["check"], f["service"]): f["message"] for f in report["findings"] if f["check"] != "missing-healthcheck"}
    assert {key for key in said if key[1] in ("slow", "debug", "other")} == set()
    assert "1 of its 3 running containers is unhealthy" in said["degraded-service", "web"]
    assert "is paused" in said["composed-not-running", "paused"]
    assert "the executable of its command is not found" in said["composed-not-running", "wrong"]
    assert ("oom-killed", "hungry") in said
    states = {s["name"]: (s["verdict"], s["rungs"]["running"]["state"]) for s in report["services"]}
    assert states["web"] == ("degraded", "proved") and states["slow"] == ("starting", "proved")
    assert states["debug"][1] == "proved" and states["other"][1] == "not_required"
    assert [key for key in said if key[1] == "web"] == [("degraded-service", "web")], "the one-off run is no service"
