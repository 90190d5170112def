"""The third reference system: it runs, as processes and as containers, and each failure of its guide has a name."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.model import Finding, Report, Severity
from auditor.scan import gather, judge, load_snapshot, save_snapshot
from auditor.settings import Settings
from tests.parts import debian
from tests.parts.engine import Engine
from tests.parts.finder import bundle_folder
from tests.parts.plugin import need, refuse
from tests.parts.process import free_port

EXAMPLE = Path(__file__).parent.parent / "compose/examples/ai-agent"
PORTS = {"gateway": 5000, "auth": 5001, "agent": 5002, "rag": 5003, "redis": 6379}
PRIVATE = "made-up-7f3b91c2a4"
CATALOGUE = "catalogue.yaml"


@dataclass(frozen=True)
class System:
    """A copy of the example on ports of its own."""

    folder: Path
    ports: Mapping[str, int]
    environ: Mapping[str, str]

    def script(self, *arguments: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        script = self.folder / "backend/services/start_microservices.sh"
        return subprocess.run(
            [script, *arguments],
            env={**self.environ, **environ},
            check=check,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )

    def restart(self, service: str, **environ: str) -> None:
        """Start one service anew, with other settings."""
        self.script("stop", service)
        self.script("start", service, **environ)

    def audit(self, environment: str = "processes", **settings: Any) -> Report:
        asked = Settings(catalogue=str(self.folder / CATALOGUE), environments=(environment,), **settings)
        return judge(load_snapshot(save_snapshot(gather(asked)), "saved"), asked)

    def post(self, path: str, body: Mapping[str, str], token: str = "") -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.ports['gateway']}{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 our own port
            return dict(json.load(answer))


def port_variable(service: str) -> str:
    return f"{service.upper()}_PORT" if service in ("gateway", "redis") else f"{service.upper()}_SERVICE_PORT"


def loud(report: Report) -> dict[tuple[str, str | None], Finding]:
    """The findings of warning or above."""
    return {(f.check, f.service): f for f in report.findings if f.severity is not Severity.INFO}


def copied(folder: Path, ports: Mapping[str, int]) -> Path:
    """The example with other ports in all that it says."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("run", "logs", ".env", "__pycache__"))
    (folder / ".git").mkdir()  # its root is its own folder
    for name in (CATALOGUE, "compose.yaml", "README.md"):
        text = (folder / name).read_text()
        for service, port in PORTS.items():
            text = re.sub(rf"\b{port}\b", str(ports[service]), text)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    redis = need("redis-server")
    ports = {service: free_port() for service in PORTS}
    folder = copied(tmp_path_factory.mktemp("agents") / "ai-agent", ports)
    numbers = {port_variable(name): str(port) for name, port in ports.items()}
    environ = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, "REDIS_SERVER": str(redis), **numbers}
    made = System(folder, ports, environ)
    try:
        made.script("start")
        yield made
    finally:
        made.script("stop")


@pytest.fixture
def healthy(system: System) -> Iterator[System]:
    """The system with everything as it should be, before and after the test."""
    system.script("start")
    yield system
    system.script("stop", "gateway", "rag", "agent", "auth")


@contextlib.contextmanager
def stranger(port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    unbuffered = {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=unbuffered) as child:
        assert child.stdout
        child.stdout.readline()  # it listens
        try:
            yield
        finally:
            child.terminate()


# --- as processes ------------------------------------------------------------------------------------------------


def test_it_does_its_work(healthy: System) -> None:
    account = {"username": f"user-{os.getpid()}", "password": PRIVATE}
    healthy.post("/auth/register", account)
    token = healthy.post("/auth/login", account)["token"]
    healthy.post("/rag/documents", {"title": "tea", "text": "how to make tea"}, token)
    assert healthy.post("/rag/query", {"query": "making tea"}, token)["results"][0]["title"] == "tea"
    assert "agent" in healthy.post("/agent/query", {"user_request": "What is your name?"}, token)["response"]


def test_healthy_processes_are_proved_and_nothing_is_found(healthy: System) -> None:
    report = healthy.audit()
    assert loud(report) == {}
    assert {s.name: str(s.verdict) for s in report.services} == dict.fromkeys(PORTS, "healthy")
    assert (report.complete, report.coverage) == (True, 1.0)


def test_a_service_that_was_not_started(healthy: System) -> None:
    healthy.script("stop", "rag")
    found = loud(healthy.audit())
    assert ("process-not-running", "rag") in found
    assert {check for check, service in found if service == "rag"} <= {"process-not-running", "failing-probe"}


def test_a_port_that_another_process_has(healthy: System) -> None:
    healthy.script("stop", "agent")
    with stranger(healthy.ports["agent"]):
        failed = healthy.script("start", "agent", check=False)
        found = loud(healthy.audit())["port-taken", "agent"]
    assert failed.returncode == 1
    assert f"cannot listen on port {healthy.ports['agent']}" in failed.stdout
    assert re.search(r"is held by process `python.*` \(pid \d+: .*http.server", found.message)


def test_a_default_secret(healthy: System) -> None:
    healthy.restart("auth", SECRET_KEY="your-secret-key")
    found = loud(healthy.audit())
    assert set(found) == {("default-secret", "auth")}
    assert found["default-secret", "auth"].severity is Severity.CRITICAL


def test_a_token_secret_that_is_another_one_in_one_service(healthy: System) -> None:
    healthy.restart("rag", JWT_SECRET_KEY=PRIVATE)
    found = loud(healthy.audit())
    assert set(found) == {("shared-setting-mismatch", "rag")}
    assert found["shared-setting-mismatch", "rag"].severity is Severity.CRITICAL


def test_an_address_with_a_wrong_port(healthy: System) -> None:
    healthy.restart("agent", AUTH_SERVICE_URL=f"http://localhost:{healthy.ports['rag']}")
    found = loud(healthy.audit())
    assert set(found) == {("endpoint-mismatch", "agent")}
    assert f"{healthy.ports['rag']} is a port of `rag`" in found["endpoint-mismatch", "agent"].message


def test_an_answer_of_another_version(healthy: System) -> None:
    healthy.restart("rag", SERVICE_VERSION="0.1.9")
    found = loud(healthy.audit())
    assert set(found) == {("wrong-identity", "rag")}
    assert "`0.1.9`" in found["wrong-identity", "rag"].message


def test_a_service_that_is_only_in_the_catalogue(healthy: System) -> None:
    path = healthy.folder / CATALOGUE
    before = path.read_text()
    path.write_text(before + f"\n  billing: {{title: Billing, lifecycle: process, ports: [{free_port()}]}}\n")
    try:
        report = healthy.audit()
    finally:
        path.write_text(before)
    assert set(loud(report)) == {("process-not-running", "billing")}
    assert ("missing-from-list", "billing") in {(f.check, f.service) for f in report.findings}


def test_no_secret_of_a_process_leaves_it(healthy: System) -> None:
    healthy.restart("auth", SECRET_KEY=PRIVATE, JWT_SECRET_KEY=PRIVATE)
    settings = Settings(catalogue=str(healthy.folder / CATALOGUE), environments=("processes",))
    assert PRIVATE.encode() not in save_snapshot(gather(settings))


# --- as containers -----------------------------------------------------------------------------------------------

ANYWHERE = "0.0.0.0"  # noqa: S104 inside a container
PYTHON = Path("/usr/bin/python3")  # lent to the containers, with its libraries


def borrowed(ports: Mapping[str, int]) -> str:
    """An override that runs the same services of images made here: no registry can be reached."""
    services: dict[str, Any] = {
        "redis": {
            "image": "redis:test",
            "user": "65534",
            "command": ["redis-server", "--protected-mode", "no", "--save", ""],
            "healthcheck": {
                "test": ["CMD-SHELL", f"(echo PING; sleep 1) | nc 127.0.0.1 {ports['redis']} | grep -q PONG"]
            },
        }
    }
    services["redis"]["command"] += ["--port", str(ports["redis"])]
    for name in ("auth", "agent", "rag", "gateway"):
        asks = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{ports[name]}/health')"
        services[name] = {
            "build": None,
            "image": "busybox:test",
            "working_dir": "/app",
            "command": ["python3", "-m", f"backend.services.{name}.app"],
            "environment": {"BIND_ADDRESS": ANYWHERE, port_variable(name): str(ports[name])},
            "volumes": ["./backend:/app/backend:ro", *(f"/{part}:/{part}:ro" for part in ("usr", "lib", "lib64"))],
            "healthcheck": {"test": ["CMD", "python3", "-c", asks], "interval": "2s", "timeout": "2s", "retries": 30},
        }
    return yaml.safe_dump({"services": services}).replace("build: null", "build: !reset null")


@dataclass(frozen=True)
class Composed:
    """The system as containers."""

    system: System
    engine: Engine

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        files = ("--file", "compose.yaml", "--file", "test.yaml")
        return self.engine.compose(self.system.folder, *files, *arguments, check=check)

    def found(self) -> dict[tuple[str, str | None], Finding]:
        return loud(self.system.audit("containers", docker=self.engine.address))


@pytest.fixture(scope="module")
def composed(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    need("redis-server")
    if not PYTHON.exists():
        refuse("python3", "the system has no Python that a container could borrow")
    engine.import_busybox("busybox:test")
    tree = bundle_folder("engine") / "tree"
    with pytest.MonkeyPatch.context() as patch:
        libraries = ":".join(debian.libraries(tree))
        patch.setenv("LD_LIBRARY_PATH", libraries)
        engine.import_program("redis:test", tree / "usr/bin/redis-server", [f"ENV LD_LIBRARY_PATH={libraries}"])
    ports = {service: free_port() for service in PORTS}
    folder = copied(tmp_path_factory.mktemp("containers") / "ai-agent", ports)
    (folder / "test.yaml").write_text(borrowed(ports))
    (folder / ".env").write_text(f"SECRET_KEY={PRIVATE}\nJWT_SECRET_KEY={PRIVATE}\n")
    text = (folder / CATALOGUE).read_text().replace("[compose.yaml]", "[compose.yaml, test.yaml]")
    (folder / CATALOGUE).write_text(text.replace("image: redis:7.4.2-alpine", "image: redis:test"))
    made = Composed(System(folder, ports, {}), engine)
    try:
        yield made
    finally:
        made.run("down", "--timeout", "0", "--volumes", check=False)


@pytest.fixture
def up(composed: Composed) -> Composed:
    """All containers, as the files have them."""
    started = composed.run("up", "--detach", "--wait", check=False)
    assert started.returncode == 0, started.stderr
    return composed


# What is true of the images that tests make here.
MADE_HERE = {"moving-image-tag", "unpinned-image", "deprecated-image", "sensitive-host-mount", "root-user"}


def test_healthy_containers_are_proved_and_nothing_is_found(up: Composed) -> None:
    report = up.system.audit("containers", docker=up.engine.address)
    assert {key: f.message for key, f in loud(report).items() if key[0] not in MADE_HERE} == {}
    assert {s.name: str(s.verdict) for s in report.services} == dict.fromkeys(PORTS, "healthy")
    assert report.coverage == 1.0


def test_a_container_that_was_not_started(up: Composed) -> None:
    up.run("rm", "--stop", "--force", "rag")
    assert "no container of it exists" in up.found()["composed-not-running", "rag"].message


def test_a_container_whose_port_another_process_has(up: Composed) -> None:
    up.run("rm", "--stop", "--force", "gateway")
    with stranger(up.system.ports["gateway"]):
        assert up.run("up", "--detach", "gateway", check=False).returncode
        found = up.found()["port-taken", "gateway"]
    assert re.search(r"is held by process `python.*http.server", found.message)
    assert "composed-not-running" in {evidence.source for evidence in found.evidence}


def test_a_container_that_nobody_declared(up: Composed) -> None:
    stray = up.engine.client.containers.run("busybox:test", name="billing", detach=True)
    try:
        assert ("running-not-declared", "billing") in up.found()
    finally:
        stray.remove(force=True)


def test_a_service_without_a_compose_entry(up: Composed) -> None:
    path = up.system.folder / CATALOGUE
    before = path.read_text()
    path.write_text(before + "\n  billing: {title: Billing, ports: [5004]}\n")
    try:
        report = up.system.audit("containers", docker=up.engine.address)
    finally:
        path.write_text(before)
    assert ("declared-not-composed", "billing") in loud(report)


def test_a_default_secret_in_the_env_file(up: Composed) -> None:
    path = up.system.folder / ".env"
    before = path.read_text()
    path.write_text("SECRET_KEY=production-secret-key-change-this\nJWT_SECRET_KEY=your-jwt-secret\n")
    try:
        report = up.system.audit("containers", docker=up.engine.address)
    finally:
        path.write_text(before)
    found = [finding.message for finding in report.findings if finding.check == "default-secret"]
    assert sorted(re.findall(r"`(\w+)` of", text)[0] for text in found) == ["JWT_SECRET_KEY", "SECRET_KEY"]


def test_no_secret_of_a_container_leaves_it(up: Composed) -> None:
    settings = Settings(
        catalogue=str(up.system.folder / CATALOGUE), environments=("containers",), docker=up.engine.address
    )
    assert PRIVATE.encode() not in save_snapshot(gather(settings))
