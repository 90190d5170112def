"""What a real engine shows of a small stack: running, stopped, killed, started by hand, swapped, ill, out of memory."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.errors import EvidenceError
from auditor.model import Container, Port
from auditor.sources.docker import read_containers
from tests.parts.engine import Engine
from tests.relay import SILENCE, relayed

CANARY = "canary-5f0c7e-not-a-real-secret"
COMPOSE = f"""
name: shop
services:
  web:
    image: busybox:test
    command: httpd -f -p 80
    ports: ["127.0.0.1::80"]
    environment: {{DB_PASSWORD: {CANARY}}}
    healthcheck: {{test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:80/bin/busybox"], interval: 1s}}
    mem_limit: 64m
    deploy: {{replicas: 2}}
  stopped: {{image: "busybox:test", stop_grace_period: 1s}}
  killed: {{image: "busybox:test"}}
  swapped: {{image: "busybox:test", stop_grace_period: 1s}}
  migrate: {{image: "busybox:test", command: "true"}}
  failed: {{image: "busybox:test", command: "sh -c 'exit 3'"}}
  ill:
    image: busybox:test
    healthcheck: {{test: ["CMD-SHELL", "echo {CANARY}; exit 7"], interval: 1s, retries: 2}}
  hungry:
    image: busybox:test
    command: ["sh", "-c", "tail /dev/zero"]
    mem_limit: 48m
    memswap_limit: 48m
  worker:
    image: busybox:test
    command: ["sh", "-c", "tail /dev/zero; sleep 1000000"]
    mem_limit: 48m
    memswap_limit: 48m
  ended_well: {{image: "busybox:test", command: "sh -c 'trap \\"exit 0\\" TERM; sleep 1000 & wait'"}}
  stopped_by_hand: {{image: "busybox:test", command: "sh -c 'trap \\"exit 143\\" TERM; sleep 1000 & wait'"}}
"""
OVERRIDE = 'services: {swapped: {image: "busybox:other"}}\n'


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("shop")
    engine.import_busybox("busybox:test")
    engine.import_busybox("busybox:other", ['CMD ["sleep", "2000000"]'])
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / "override.yaml").write_text(OVERRIDE)
    started = engine.compose(folder, "up", "--detach", check=False)
    assert started.returncode == 0, started.stderr
    try:
        yield engine
    finally:
        engine.compose(folder, "down", "--timeout", "0", "--volumes")


def seen(engine: Engine) -> dict[str, Container]:
    """The containers by name, without the project's."""
    return {c.name.removeprefix("shop-"): c for c in read_containers(engine.address, "prod")}


def seen_when(engine: Engine, holds: Callable[[Mapping[str, Container]], bool]) -> dict[str, Container]:
    end = time.monotonic() + 40
    while not holds(found := seen(engine)):
        assert time.monotonic() < end, found
        time.sleep(0.2)
    return found


def test_what_runs(stack: Engine) -> None:
    found = seen_when(stack, lambda all: all["web-1"].health == all["web-2"].health == "healthy")
    web = found["web-1"]
    assert (web.project, web.service, web.number, web.oneoff) == ("shop", "web", 1, False)
    assert (web.state, web.image, web.restarts, web.memory_limit) == ("running", "busybox:test", 0, 64 * 2**20)
    assert (web.networks, web.exit_code, web.killed, web.unread) == (("shop_default",), None, None, None)
    assert web.config_files[0].endswith("/compose.yaml")
    assert web.started_at is not None
    assert abs((datetime.now(UTC) - web.started_at).total_seconds()) < 120
    assert found["web-2"].number == 2
    assert CANARY not in repr(found)


def test_a_random_port_is_the_one_given(stack: Engine) -> None:
    (port,) = seen(stack)["web-1"].ports
    given = stack.client.containers.get("shop-web-1").attrs["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
    assert port == Port(80, given, "127.0.0.1")


def test_runs_that_ended(stack: Engine) -> None:
    found = seen_when(stack, lambda all: all["migrate-1"].state == all["failed-1"].state == "exited")
    assert (found["migrate-1"].exit_code, found["failed-1"].exit_code) == (0, 3)
    assert found["migrate-1"].finished_at is not None


def test_an_unhealthy_one(stack: Engine) -> None:
    ill = seen_when(stack, lambda all: all["ill-1"].health == "unhealthy")["ill-1"]
    assert ill.health_output is not None
    assert ill.health_output.startswith("health check failed, exit code 7, ")
    assert CANARY not in repr(ill)


def test_out_of_memory(stack: Engine) -> None:
    hungry = seen_when(stack, lambda all: all["hungry-1"].state == "exited")["hungry-1"]
    assert (hungry.exit_code, hungry.oom_killed, hungry.memory_limit) == (137, True, 48 * 2**20)


def test_out_of_memory_in_a_process_that_is_not_the_first(stack: Engine) -> None:
    worker = seen_when(stack, lambda all: all["worker-1"].oom_killed)["worker-1"]
    assert (worker.state, worker.exit_code) == ("running", None)
    assert not any(container.oom_killed for name, container in seen(stack).items() if name.startswith("web-"))


def test_stopped_on_purpose_and_killed_from_the_host(stack: Engine) -> None:
    stack.client.containers.get("shop-stopped-1").stop(timeout=1)
    for name in ("shop-stopped_by_hand-1", "shop-ended_well-1"):
        stack.client.containers.get(name).stop(timeout=20)
    os.kill(stack.client.containers.get("shop-killed-1").attrs["State"]["Pid"], signal.SIGKILL)
    found = seen_when(stack, lambda all: all["killed-1"].state == "exited")
    assert (found["stopped-1"].exit_code, found["stopped-1"].killed) == (137, True)
    assert (found["stopped_by_hand-1"].exit_code, found["stopped_by_hand-1"].killed) == (143, True)
    assert (found["ended_well-1"].exit_code, found["ended_well-1"].killed) == (0, True)
    assert (found["killed-1"].exit_code, found["killed-1"].killed) == (137, False)
    assert (found["migrate-1"].exit_code, found["migrate-1"].killed) == (0, False)


def test_started_by_hand(stack: Engine) -> None:
    by_hand = stack.client.containers.run(
        "busybox:test", name="stray", detach=True, ports={"80/tcp": ("127.0.0.1", None)}
    )
    try:
        stray = seen(stack)["stray"]
    finally:
        by_hand.remove(force=True)
    assert (stray.project, stray.service, stray.state) == (None, None, "running")


def test_a_swapped_image(stack: Engine, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "override.yaml").write_text(OVERRIDE)
    before = seen(stack)["swapped-1"]
    stack.compose(tmp_path, "-f", "compose.yaml", "-f", "override.yaml", "up", "--detach", "--no-deps", "swapped")
    after = seen(stack)["swapped-1"]
    assert (before.image, after.image) == ("busybox:test", "busybox:other")
    assert before.image_id != after.image_id
    assert after.service == "swapped"


def test_vanishing_containers_harm_nothing(stack: Engine) -> None:
    made = [stack.client.api.create_container("busybox:test", name=f"brief-{n}")["Id"] for n in range(30)]
    reader = [sys.executable, "-c", CHURN, stack.address]
    with subprocess.Popen(reader, stdout=subprocess.PIPE, text=True) as child:
        for id in made:
            stack.client.api.remove_container(id)
        said, _ = child.communicate(timeout=60)
    assert said.split() == ["ok"] * 20


CHURN = """
import sys
from auditor.sources.docker import read_containers
for _ in range(20):
    found = read_containers(sys.argv[1], "prod")
    print("ok" if found and not any(c.unread for c in found) else "bad")
"""


def test_a_frozen_engine(stack: Engine) -> None:
    begin = time.monotonic()
    with stack.frozen(), pytest.raises(EvidenceError, match="docker timeout: no answer within 5 s"):
        read_containers(stack.address, "prod")
    assert time.monotonic() - begin < 8
    assert "web-1" in seen_when(stack, lambda all: bool(all))


def test_an_engine_that_freezes_between_the_list_and_the_inspections(stack: Engine, tmp_path: Path) -> None:
    """The list is there; what cannot be inspected says so, and nothing else waits for it."""
    frozen = lambda method, path: SILENCE if re.search("/containers/[0-9a-f]{64}/", path) else None  # noqa: E731
    begin = time.monotonic()
    with relayed(tmp_path / "s", stack.socket, frozen):
        found = read_containers(f"unix://{tmp_path}/s", "prod", timeout=1, total=4)
    assert time.monotonic() - begin < 4
    assert len(found) >= 10
    assert all("docker timeout" in str(container.unread) for container in found)
    assert {container.service for container in found} >= {"web", "killed", "migrate"}


def test_without_permission(stack: Engine) -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(EvidenceError, match="permission denied") as caught:
            read_containers(stack.address, "prod")
    finally:
        os.seteuid(0)
    assert "group `docker`" in str(caught.value)


def test_no_environment_variable_of_a_container_is_read(stack: Engine) -> None:
    assert CANARY in repr(stack.client.containers.get("shop-web-1").attrs)
    assert CANARY not in repr(read_containers(stack.address, "prod"))
