"""Drift on a real engine: what changed is said and nothing else, recreated it is gone, and an untouched stack has none.

For each field there is one service. The file is changed while the containers stay, then the containers while the
original is audited, so that each field is seen to appear and to vanish.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from auditor import registry
from tests.drifting import CHANGES, FILES, Change, project
from tests.parts.engine import Engine, running
from tests.parts.plugin import need
from tests.relay import all_but, relayed

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
DRIFT = sorted(name for name, item in registry.checks().items() if item.theme == "drift")
IMAGE = (
    'CMD ["sleep", "1000000"]', "ENV GIVEN=image", "LABEL from=image", "EXPOSE 90", "VOLUME /image/volume",
    "WORKDIR /root", "STOPSIGNAL SIGKILL",
)  # fmt: skip
Found = set[tuple[str, str]]


def audit(engine: Engine, folder: Path, file: str, *more: str) -> dict[str, Any]:
    """The report of the command, from outside."""
    done = subprocess.run(
        [
            sys.executable, "-m", "auditor", "audit", "-f", file, "--docker", engine.address, "--format", "json",
            "--select", ",".join(DRIFT), *more,
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(HERE.parent), "AUDITOR_STATE_DIR": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert [tally for tally in report["checks"] if tally["error"]] == []
    return report


def found(engine: Engine, folder: Path, file: str) -> Found:
    return {(finding["check"], finding["service"]) for finding in audit(engine, folder, file)["findings"]}


def up(engine: Engine, folder: Path, program: Path, file: str) -> None:
    if program.name == "docker-compose-1" and engine.client.api.containers(all=True):
        # It does not recreate a container for a change of `pid`, and cannot recreate one on engine 25 or newer. Its own
        # `down` fails on a busy machine: the engine still holds the network for a container that is gone already.
        engine.clear()
    run(engine, folder, program, file, "up", "--detach", "--timeout", "0")


def run(engine: Engine, folder: Path, program: Path, file: str, *command: str) -> None:
    done = subprocess.run(
        [program, "-p", "drifting", "-f", file, *command],
        cwd=folder, env=engine.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def build(engine: Engine, tag: str, lines: Sequence[str]) -> None:
    """An image of busybox with the lines of a Dockerfile: an import knows only some of them."""
    engine.import_busybox("busybox:base")
    text = "\n".join(("FROM busybox:base", *lines))
    engine.client.images.build(fileobj=io.BytesIO(text.encode()), tag=tag, rm=True)


def prove(engine: Engine, folder: Path, changes: tuple[Change, ...], program: Path) -> None:
    """Every change is found alone, in both directions, and gone when the containers follow the file."""
    for version in ("1", "2"):
        build(engine, f"drifting:{version}", (*IMAGE, f"LABEL version={version}"))
    for name, content in FILES.items():
        (folder / name).write_text(content)
    (folder / "base.yaml").write_text(project(changes, engine))
    (folder / "edited.yaml").write_text(project(changes, engine, frozenset(change.name for change in changes)))
    expected = {(change.check, change.name) for change in changes}
    try:
        up(engine, folder, program, "base.yaml")
        assert found(engine, folder, "base.yaml") == set()
        assert found(engine, folder, "edited.yaml") == expected
        up(engine, folder, program, "edited.yaml")
        assert found(engine, folder, "edited.yaml") == set()
        assert found(engine, folder, "base.yaml") == expected
        up(engine, folder, program, "base.yaml")
        assert found(engine, folder, "base.yaml") == set()
    finally:
        engine.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Called as the project is."""
    made = tmp_path / "drifting"
    made.mkdir()
    return made


def test_a_changed_field_is_found_alone_and_gone_when_recreated(engine: Engine, folder: Path) -> None:
    changes = tuple(change for change in CHANGES if change.quick)
    prove(engine, folder, changes, engine.docker_compose)


def all_capabilities() -> bool:
    """Whether this machine lends every capability: a sandbox often keeps some."""
    status = Path("/proc/self/status").read_text()
    bound = int(next(line for line in status.splitlines() if line.startswith("CapBnd")).split()[1], 16)
    return bound == (1 << (int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1)) - 1


@pytest.mark.endurance
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("compose", ["docker-compose", "docker-compose-1"])
@pytest.mark.parametrize("daemon", ["dockerd", "dockerd28"])
def test_every_field_on_every_engine(
    daemon: str, compose: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need(daemon)
    program = need(compose)
    changes = tuple(change for change in CHANGES if change.old or compose == "docker-compose")
    if (
        daemon == "dockerd" and not all_capabilities()
    ):  # before 26 it gives a privileged container those that are lacking
        changes = tuple(change for change in changes if change.name != "privileged")
    started = time.monotonic()
    with running(daemon) as engine:
        prove(engine, folder, changes, program)
    took = time.monotonic() - started
    with capsys.disabled():
        print(f"\n{daemon}, {compose}: {len(changes)} of {len(changes)} fields found alone, both ways, {took:.0f} s")


RICH = (
    'ENTRYPOINT ["sh", "-c"]', 'CMD ["sleep 1000000"]', "ENV LANG=C", "ENV MODE=image", "USER nobody",
    "LABEL team=image", "LABEL version=1", "VOLUME /var/lib/data", "EXPOSE 7000-7002", "WORKDIR /tmp/",
    "HEALTHCHECK --interval=45s --retries=5 CMD true", "STOPSIGNAL SIGINT",
)  # fmt: skip

SECTIONS = ("version", "events", "info", "images", "_ping")  # of a socket proxy; none of them hides what runs


def audit_without(section: str, engine: Engine, socket: Path, folder: Path, file: str) -> dict[str, Any]:
    """The report where a proxy denies one section of the engine."""
    with relayed(socket, engine.socket, all_but(section)):
        return audit(engine, folder, file, "--docker", f"unix://{socket}")


# --- a stack that nobody touched ---------------------------------------------------------------------------------


def prove_untouched(
    engine: Engine, tmp_path: Path, program: Path | None = None, sections: Sequence[str] = SECTIONS
) -> None:
    """Twenty services that use, together, every field that Compose knows and the engine can do here."""
    file = "compose.yaml" if program is None else "compose-1.yaml"
    place = tmp_path / "untouched"
    shutil.copytree(HERE / "untouched", place)
    engine.import_busybox("untouched:plain")
    build(engine, "untouched:rich", RICH)
    try:
        done = subprocess.run(
            [program or engine.docker_compose, "-f", file, "up", "--detach", "--timeout", "0"],
            cwd=place, env=engine.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        report = audit(engine, place, file)
        denied = {section: audit_without(section, engine, tmp_path / section, place, file) for section in sections}
    finally:
        engine.clear()
    for section, blind in denied.items():
        assert blind["findings"] == [], f"{section} is denied, and that is no drift"
        assert ("images" in section) == (blind["notes"] != []), "what could not be compared is named"
        assert all(service["rungs"]["running"]["state"] == "proved" for service in blind["services"])
    assert [(f["check"], f["service"], f["message"]) for f in report["findings"]] == []
    assert report["notes"] == []
    assert len([service for service in report["services"] if service["rungs"]["running"]["state"] == "proved"]) == 20


def test_an_untouched_stack_has_no_drift(engine: Engine, tmp_path: Path) -> None:
    prove_untouched(engine, tmp_path, sections=("images",))


def test_a_project_that_was_started_in_a_directory_of_another_name_has_no_drift(engine: Engine, tmp_path: Path) -> None:
    services = {
        "web": {"image": "busybox:base", "volumes": ["data:/data"], "networks": {"default": None, "back": None}},
        "db": {"image": "busybox:base", "networks": {"default": {"aliases": ["sql"]}}},
    }
    engine.import_busybox("busybox:base")
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
        file = {"services": services, "networks": {"back": {}}, "volumes": {"data": {}}}
        (tmp_path / name / "compose.yaml").write_text(json.dumps(file))
    try:
        engine.compose(tmp_path / "there", "up", "--detach")
        report = audit(engine, tmp_path / "here", "compose.yaml")
        assert {s["rungs"]["running"]["state"] for s in report["services"]} == {"proved"}
        assert report["findings"] == []
        services["web"]["networks"] = {"back": None}
        services["web"]["volumes"] = ["other:/data"]
        (tmp_path / "here" / "compose.yaml").write_text(json.dumps(file | {"volumes": {"data": {}, "other": {}}}))
        assert found(engine, tmp_path / "here", "compose.yaml") == {("network-drift", "web"), ("mount-drift", "web")}
    finally:
        engine.clear()


@pytest.mark.endurance
@pytest.mark.parametrize("compose", ["docker-compose", "docker-compose-1"])
@pytest.mark.parametrize("kind", ["engine", "engine28"])
def test_an_untouched_stack_has_no_drift_on_any_engine(
    kind: str, compose: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = need(compose) if compose == "docker-compose-1" else None
    prove_untouched(request.getfixturevalue(kind), tmp_path, older)
    with capsys.disabled():
        print(f"\n{kind}, {compose}: 20 services that nobody touched, 0 findings of drift")
