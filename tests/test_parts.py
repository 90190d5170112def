"""The real components that other tests lean on are found, start, answer and are gone afterwards."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import docker.errors
import httpx
import pytest

from tests.parts import engine as engines
from tests.parts import finder, present
from tests.parts.plugin import refuse
from tests.parts.process import StartError, free_port, start, wait_until

STACK = """\
name: parts
services:
  web:
    image: busybox:test
    command: [httpd, -f, -p, "8080", -h, /etc]
    ports: ["127.0.0.1:{port}:8080"]
    healthcheck: {{test: [CMD, "true"], interval: 1s}}
  client:
    image: busybox:test
    command: [sh, -c, "until wget -q -O /tmp/got http://web:8080/passwd; do sleep 0.2; done; cat /tmp/got; sleep 1000"]
"""


@pytest.mark.parametrize("name", ["promtool", "amtool", "docker_compose"])
def test_tool_says_its_version(name: str, request: pytest.FixtureRequest) -> None:
    tool = request.getfixturevalue(name)
    done = tool("version" if name == "docker_compose" else "--version")
    assert done.returncode == 0 and "version" in done.stdout + done.stderr


def test_promtool_judges_rules(promtool, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: g, rules: [{alert: A, expr: 'up == 0'}]}]")
    assert promtool("check", "rules", rules).returncode == 0
    rules.write_text("groups: [{name: g, rules: [{alert: A, expr: 'up =='}]}]")
    assert promtool("check", "rules", rules).returncode != 0


def test_prometheus_scrapes_itself(prometheus_server) -> None:
    config = (
        "scrape_configs: [{job_name: self, scrape_interval: 1s, static_configs: [{targets: ['127.0.0.1:{port}']}]}]"
    )
    server = prometheus_server(config)
    assert server.get("/-/ready").status_code == 200
    assert _eventually(lambda: [row["value"][1] for row in server.query("up")] == ["1"])


def test_prometheus_with_bad_configuration_says_why(prometheus_server) -> None:
    with pytest.raises(StartError, match="field nonsense not found"):
        prometheus_server("nonsense: true")


def test_alertmanager_routes(alertmanager_server, amtool) -> None:
    server = alertmanager_server("{route: {receiver: nobody}, receivers: [{name: nobody}]}")
    assert "receiver: nobody" in server.get("/api/v2/status").json()["config"]["original"]
    tested = amtool("config", "routes", "test", f"--alertmanager.url={server.url}", "severity=critical")
    assert tested.stdout.strip() == "nobody"


def test_compose_starts_a_stack(empty_engine, tmp_path: Path) -> None:
    empty_engine.import_busybox("busybox:test")
    port = free_port()
    (tmp_path / "compose.yaml").write_text(STACK.format(port=port))
    empty_engine.compose(tmp_path, "up", "--detach")
    names = {row.name for row in empty_engine.client.containers.list()}
    assert names == {"parts-web-1", "parts-client-1"}
    assert _eventually(lambda: _get(f"http://127.0.0.1:{port}/passwd").startswith("root:"))
    client = empty_engine.client.containers.get("parts-client-1")
    assert _eventually(lambda: b"root:" in client.logs()), "one service finds another by its name"
    web = empty_engine.client.api
    assert _eventually(lambda: web.inspect_container("parts-web-1")["State"]["Health"]["Status"] == "healthy")


def test_engines_of_two_versions_run_side_by_side(empty_engine, engine28, tmp_path: Path) -> None:
    """And the newer one starts the same stack, whose services find each other."""
    engine28.import_busybox("busybox:test")
    port = free_port()
    (tmp_path / "compose.yaml").write_text(STACK.format(port=port))
    engine28.compose(tmp_path, "up", "--detach")
    assert _eventually(lambda: _get(f"http://127.0.0.1:{port}/passwd").startswith("root:"))
    client = engine28.client.containers.get("parts-client-1")
    assert _eventually(lambda: b"root:" in client.logs()), "one service finds another by its name"
    assert empty_engine.client.containers.list(all=True) == []
    assert engine28.client.version()["Version"].startswith("28.")
    engine28.clear()


def test_frozen_engine_answers_nothing(engine) -> None:
    with engine.frozen(), socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.5)
        probe.connect(str(engine.socket))
        probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        with pytest.raises(TimeoutError):
            probe.recv(1)
    assert engine.client.ping()


def test_program_runs_as_an_image(empty_engine) -> None:
    empty_engine.import_program("env:test", Path("/usr/bin/env"))
    said = empty_engine.client.containers.run("env:test", ["/bin/env", "echo", "hello"], remove=True)
    assert said == b"hello\n"


def test_second_engine_runs_beside_and_is_gone_afterwards(engine) -> None:
    with engines.running() as other:
        other.import_busybox("busybox:test")
        other.client.containers.run("busybox:test", detach=True, name="alone")
        with pytest.raises(docker.errors.NotFound):
            engine.client.containers.get("alone")
        bridge = Path("/sys/class/net", engines._bridge(other.slot))
        assert bridge.exists()
    assert not bridge.exists() and not other.socket.exists() and not _alive(other.pid)
    assert not engines._home(other.slot).exists()


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("false", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_missing_component_skips_or_fails_in_ci(monkeypatch, ci: str, outcome: type[BaseException]) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="needs thing: it is gone"):
        refuse("thing", "it is gone")


def test_old_program_on_the_path_is_passed_over(monkeypatch, tmp_path: Path) -> None:
    old = tmp_path / "docker-compose"
    old.write_text("#!/bin/sh\necho docker-compose version 1.29.2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("STACK_AUDITOR_PARTS", str(tmp_path / "empty"))
    assert present("docker-compose") is None
    old.write_text("#!/bin/sh\necho Docker Compose version 2.40.3\n")
    finder._version.cache_clear()
    assert present("docker-compose") == old


def test_child_that_does_not_answer_is_ended(tmp_path: Path) -> None:
    child = start(["sleep", "1000"], tmp_path / "log")
    with pytest.raises(StartError, match="did not answer"):
        wait_until(lambda: False, child, "sleep", 0.2)
    assert not _alive(child.pid)


@pytest.mark.parametrize(("name", "scheme"), [("page", "light"), ("dark_page", "dark")])
def test_page_renders(name: str, scheme: str, request: pytest.FixtureRequest) -> None:
    page = request.getfixturevalue(name)
    page.set_content("<style>p {width: 7em}</style><p>hello</p>")
    assert page.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
    assert page.locator("p").bounding_box()["width"] == 112
    assert page.locator("p").inner_text() == "hello", "with no font there is no text"


def _get(url: str) -> str:
    try:
        return httpx.get(url, trust_env=False).text
    except httpx.TransportError:
        return ""


def _eventually(holds, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.1)
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
