"""The stand-ins of the live demo, on a real engine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from auditor.demo_live import BY_HAND, IMAGE, program, stand_ins
from auditor.errors import EvidenceError
from auditor.model import Definition, HealthCheck, Location, Project
from auditor.sources.docker import read_containers
from tests.parts.engine import Engine

PROJECT = Project(
    "demo",
    "shop",
    ("compose.yaml",),
    tuple(
        Definition(
            name, "demo", Location("compose.yaml", 2), healthcheck=HealthCheck("CMD") if "-ok" not in name else None
        )
        for name in ("web", "db", "mail-ok", "left-out")
    ),
)


@pytest.mark.parametrize(("words", "code"), [(["ok"], 0), (["not", "ok"], 1)])
def test_the_program_answers_a_health_check(tmp_path: Path, words: list[str], code: int) -> None:
    file = tmp_path / "stand-in"
    file.write_bytes(program())
    file.chmod(0o755)
    assert subprocess.run([file, *words], check=False, timeout=10).returncode == code


def test_without_words_the_program_waits(tmp_path: Path) -> None:
    file = tmp_path / "stand-in"
    file.write_bytes(program())
    file.chmod(0o755)
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([file], check=False, timeout=0.5)


def test_no_engine_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with (
        pytest.raises(EvidenceError, match="no Docker Engine answers: connection refused"),
        stand_ins(PROJECT, tmp_path, tell=str),
    ):
        pass


@pytest.mark.engine
def test_stand_ins_run_and_are_gone_afterwards(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    before = {item["Id"] for item in engine.client.api.containers(all=True)}
    with stand_ins(PROJECT, tmp_path, tell=str):
        new = [item for item in read_containers("env", "demo") if item.id not in before]
        seen = {item.service or item.name: (item.project, item.state, item.health) for item in new}
    assert seen == {
        "web": ("shop", "running", "unhealthy"),
        "db": ("shop", "running", "healthy"),
        "mail-ok": ("shop", "running", "none"),
        BY_HAND: (None, "running", "none"),
    }
    assert {item["Id"] for item in engine.client.api.containers(all=True)} == before
    assert not engine.client.api.images(IMAGE)
