"""Restarts and kills for want of memory on a real engine, as a serving auditor sees them come and go."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.settings import Settings
from auditor.web.app import create_app
from auditor.web.watch import Watch
from tests.parts.engine import Engine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(170)]

COMPOSE = """\
name: shop
services:
  looping:
    image: busybox:test
    command: [sh, -c, "test -f /gate/open || exit 1; exec sleep 1000000"]
    restart: always
    stop_signal: SIGKILL
    volumes: ["./gate:/gate:ro"]
  hungry:
    image: busybox:test
    command: [sh, -c, "test -f /gate/open || exec tail -c 400000000 /dev/zero; exec sleep 1000000"]
    restart: always
    stop_signal: SIGKILL
    mem_limit: 24m
    memswap_limit: 24m
    volumes: ["./gate:/gate:ro"]
"""


def test_a_restart_loop_and_a_want_of_memory_come_and_go(
    empty_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_engine.import_busybox("busybox:test")
    (tmp_path / "gate").mkdir()
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "catalogue.yaml").write_text("services: {looping: {}, hungry: {}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDITOR_STATE_DIR", str(tmp_path / "state"))
    watch = create_app(Settings(docker=empty_engine.address, database=f"sqlite:///{tmp_path}/history.db")).watch
    empty_engine.compose(tmp_path, "up", "--detach")
    said = seen_when(watch, lambda found: {("restart-loop", "looping"), ("oom-killed", "hungry")} <= set(found))
    assert "was restarted" in said["restart-loop", "looping"] or "is restarted again" in said["restart-loop", "looping"]
    assert "at its limit of 24 MiB" in said["oom-killed", "hungry"]
    (tmp_path / "gate/open").touch()
    empty_engine.compose(tmp_path, "up", "--detach", "--force-recreate", "--timeout", "0")
    seen_when(watch, lambda found: not any(check in ("restart-loop", "oom-killed") for check, _ in found))


def seen_when(
    watch: Watch, holds: Callable[[dict[tuple[str, str | None], str]], bool]
) -> dict[tuple[str, str | None], str]:
    """Scan until the findings of one scan are so. Their messages by check and service."""
    end = time.monotonic() + 70
    while True:
        watch.scan_once()
        report = watch.latest.report
        assert watch.latest.error is None and report is not None
        found = {(finding.check, finding.service): finding.message for finding in report.findings}
        if holds(found) and all(source.state != "failed" for source in report.sources):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.5)
