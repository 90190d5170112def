"""Services and tasks of a Swarm: as its API gives them, and on a manager of our own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from auditor.model import Host, Port, SwarmService
from auditor.sources.docker.read import Reader
from auditor.sources.docker.swarm import Role, clean, parse_services, role_of_header, role_of_info
from tests.parts import engine as engines
from tests.parts.engine import Engine
from tests.parts.plugin import need, refuse
from tests.projects import report_of
from tests.relay import SECTIONS, all_but, only, relayed

CANARY = "canary-51ab-not-a-real-secret"


def service(mode: dict[str, Any], name: str = "shop_api", **fields: Any) -> dict[str, Any]:
    labels = {"com.docker.stack.namespace": "shop"} if name.startswith("shop_") else {}
    spec = {"Name": name, "Labels": labels, "Mode": mode, "TaskTemplate": {"ContainerSpec": {"Image": "team/api:1"}}}
    return {"ID": "s1", "Spec": spec, **fields}


def task(state: str, desired: str = "running", error: str = "", node: str = "n1", at: str = "1") -> dict[str, Any]:
    status = {"State": state, "Err": error, "Timestamp": at}
    return {"ServiceID": "s1", "DesiredState": desired, "NodeID": node, "Status": status}


def parsed(item: dict[str, Any], *tasks: dict[str, Any]) -> SwarmService:
    (found,) = parse_services([item], list(tasks), "prod")
    return found


def test_replicas_of_a_stack() -> None:
    ports = {"Ports": [{"Protocol": "udp", "TargetPort": 53, "PublishedPort": 5353}]}
    found = parsed(
        service({"Replicated": {"Replicas": 3}}, Endpoint=ports),
        task("running"),
        task("pending", error="no suitable node", at="3"),
        task("failed", "shutdown", "task: non-zero exit (1)", at="2"),
        task("shutdown", "shutdown"),
    )
    assert (found.name, found.stack, found.service, found.image) == ("shop_api", "shop", "api", "team/api:1")
    assert (found.mode, found.desired, found.running) == ("replicated", 3, 1)
    assert found.errors == ("no suitable node", "task: non-zero exit (1)")
    assert found.ports == (Port(53, "5353", None, "udp"),)


def test_a_global_service_has_one_task_a_node() -> None:
    tasks = [task("running", node="n1"), task("starting", node="n2")]
    assert (parsed(service({"Global": {}}), *tasks).desired, parsed(service({"Global": {}}), *tasks).running) == (2, 1)
    told = service({"Global": {}}, ServiceStatus={"DesiredTasks": 4, "RunningTasks": 3})
    assert (parsed(told).desired, parsed(told).running) == (4, 3)  # its tasks may not be seen


def test_only_the_last_run_of_a_job_counts() -> None:
    job = service({"ReplicatedJob": {"TotalCompletions": 2}}, JobStatus={"JobIteration": {"Index": 7}})
    tasks = [
        task("complete", "complete") | {"JobIteration": {"Index": 7}},
        task("running", "complete") | {"JobIteration": {"Index": 7}},
        task("failed", "complete", "task: non-zero exit (9)") | {"JobIteration": {"Index": 6}},
    ]
    found = parsed(job, *tasks)
    assert (found.mode, found.desired, found.running, found.completed, found.errors) == ("replicated-job", 2, 1, 1, ())


def test_a_service_without_a_stack() -> None:
    found = parsed(service({"Replicated": {"Replicas": 1}}, "hand"))
    assert (found.stack, found.service, found.desired, found.running) == (None, None, 1, 0)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("task: non-zero exit (1)", "task: non-zero exit (1)"),
        ("No such image: team/api:1", "No such image: team/api:1"),
        (f'starting container failed: exec: "app --password {CANARY}": not found', None),
        (f"failed: postgres://me:{CANARY}@db/x", None),
        ("a\x1b[31mb\nc", None),
    ],
)
def test_an_error_is_cleaned(said: str, kept: str | None) -> None:
    found = clean(said)
    assert CANARY not in found
    assert found.isprintable()
    assert kept in (None, found)


@pytest.mark.parametrize("strange", [{}, "x", [1], [{}], [{"ID": "a", "Spec": {"Name": "x", "Mode": []}}]])
def test_a_strange_shape_is_no_crash(strange: object) -> None:
    with contextlib.suppress(AttributeError, LookupError, TypeError):
        parse_services(strange, None, "prod")


WEB: dict[str, Any] = {"name": "demo_web.1.x", "service": "web", "image": "nginx:1.27.5", "task": True}
HIDES: dict[str, Any] = {"hidden_services": True}


@pytest.mark.parametrize(
    ("containers", "hosts", "state"),
    [
        ([], [HIDES], "unknown"),
        ([WEB], [HIDES], "unknown"),  # one of two
        ([WEB | {"state": "exited", "exit_code": 1}], [HIDES], "unknown"),  # the Swarm runs another, somewhere
        ([WEB, WEB | {"name": "demo_web.2.x"}], [HIDES], "proved"),
        ([], [HIDES, {"source": "docker:b", "swarm": True}], "disproved"),  # another engine is asked, which knows
        ([{"name": "demo-db-1", "service": "db", "image": "redis:7.4", "number": 1}], [HIDES], "disproved"),
        ([], [{}], "disproved"),
    ],
)
def test_what_a_swarm_hides_is_unknown_unless_compose_started_the_project(
    containers: list[dict[str, Any]], hosts: list[dict[str, Any]], state: str
) -> None:
    services = {"web": {"image": "nginx:1.27.5", "deploy": {"replicas": 2}}, "db": {"image": "redis:7.4"}}
    found = report_of({"compose": {"services": services}, "containers": containers, "hosts": hosts})
    (web,) = (service for service in found.services if service.name == "web")
    assert str(web.rungs["running"].state) == state
    assert (str(web.verdict) == "stopped") == (state == "disproved")
    of_web = {finding.check for finding in found.findings if finding.service == "web"}
    assert ("composed-not-running" in of_web) == (state == "disproved")
    assert "exited-with-error" not in of_web


@pytest.mark.parametrize(
    ("swarm", "role"),
    [
        ({"LocalNodeState": "active", "ControlAvailable": True}, Role.MANAGER),
        ({"LocalNodeState": "active", "ControlAvailable": False}, Role.MEMBER),
        ({"LocalNodeState": "locked"}, Role.MEMBER),
        ({"LocalNodeState": "inactive"}, Role.NONE),
        ({}, Role.NONE),
        (None, Role.NONE),
    ],
)
def test_the_part_in_a_swarm_by_information(swarm: object, role: Role) -> None:
    assert role_of_info({"Swarm": swarm}) is role


@pytest.mark.parametrize(
    ("said", "role"),
    [
        (b"", None),
        (b"inactive", Role.NONE),
        (b"active/manager", Role.MANAGER),
        (b"active/worker", Role.MEMBER),
        (b"locked", Role.MEMBER),
    ],
)
def test_the_part_in_a_swarm_by_a_ping(said: bytes, role: Role | None) -> None:
    assert role_of_header(said) is role


# --- on a manager of our own -------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["dockerd", "dockerd28"])
def manager(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine of its own: what leads a Swarm is no engine for other tests."""
    for name in ("dockerd", request.param, "docker-compose", "busybox"):
        need(name)
    with engines.running(request.param) as started:
        started.import_busybox("localhost:1/busybox:test")
        try:
            started.client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:0")
        except requests.RequestException as error:
            refuse("swarm", str(error))
        yield started
        started.client.swarm.leave(force=True)


STEADY = ("hand", "shop_web", "shop_agent")


def seen_when(reader: Reader, holds: Callable[[dict[str, SwarmService]], bool]) -> dict[str, SwarmService]:
    end = time.monotonic() + 60
    while True:
        facts = reader.read("prod").facts
        found = {fact.name: fact for fact in facts if isinstance(fact, SwarmService)}
        if holds(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.3)


def gone(manager: Engine) -> None:
    """Waits until no container is left."""
    end = time.monotonic() + 60
    while manager.client.api.containers(all=True):
        manager.clear()
        assert time.monotonic() < end
        time.sleep(0.3)


def test_services_of_a_real_swarm(manager: Engine) -> None:
    create, image = manager.client.services.create, "localhost:1/busybox:test"
    stack = {"com.docker.stack.namespace": "shop"}
    reader = Reader(manager.address, statistics=None)
    every: Any = {"labels": stack, "container_labels": stack}  # as `docker stack deploy` does
    made = [
        create(image, ["sleep", "1000"], name="hand"),
        create(image, ["sleep", "1000"], name="shop_web", **every, mode={"Replicated": {"Replicas": 2}}),
        create(image, ["sleep", "1000"], name="shop_agent", **every, mode={"Global": {}}),
        create(image, ["sh", "-c", f"exit 3 # {CANARY}"], name="shop_bad", **every),
        create(image, ["sleep", "1000"], name="shop_none", **every, mode={"Replicated": {"Replicas": 0}}),
    ]
    try:
        found = seen_when(
            reader,
            lambda all: bool(all["shop_bad"].errors) and [all[name].running for name in STEADY] == [1, 2, 1],
        )
        containers = {(c.project, c.service) for c in reader.read("prod").containers if c.state == "running"}
    finally:
        for one in made:
            one.remove()
    shown = {name: (one.service, one.mode, one.desired) for name, one in found.items()}
    assert shown == {
        "hand": (None, "replicated", 1),
        "shop_web": ("web", "replicated", 2),
        "shop_agent": ("agent", "global", 1),
        "shop_bad": ("bad", "replicated", 1),
        "shop_none": ("none", "replicated", 0),
    }
    assert found["shop_bad"].errors == ("task: non-zero exit (3)",)
    assert containers >= {("shop", "web"), ("shop", "agent"), (None, "hand")}
    assert CANARY not in repr(found)


HIDDEN = {
    "version": "the engine's version",
    "info": "the host's CPUs and memory",
    "services": "the Swarm's services and their tasks",
    "tasks": "why tasks of the Swarm's services do not run",
    "images": "what images set, and where their tags moved",
}


def test_each_section_that_a_proxy_denies_on_a_manager(manager: Engine, tmp_path: Path) -> None:
    made = manager.client.services.create("localhost:1/busybox:test", ["sleep", "1000"], name="hand")
    found = {}
    try:
        seen_when(Reader(manager.address, statistics=None), lambda all: "hand" in all and all["hand"].running == 1)
        for section in {*SECTIONS} - {"containers", "events"}:
            with relayed(tmp_path / section, manager.socket, all_but(section)):
                found[section] = Reader(f"unix://{tmp_path}/{section}", statistics=None).read("prod")
    finally:
        made.remove()
    for section, reading in found.items():
        lost = [HIDDEN[section]] if section in HIDDEN else []
        assert [limit.partition(" (")[0] for limit in reading.limits] == lost
        assert all(f"`{section.upper()}`" in limit for limit in reading.limits)
        services = [(s.name, s.desired, s.running) for s in reading.facts if isinstance(s, SwarmService)]
        assert services == ([] if section == "services" else [("hand", 1, 1)])
        (host,) = (fact for fact in reading.facts if isinstance(fact, Host))
        assert (host.swarm, host.hidden_services) == (True, section == "services")


@pytest.mark.parametrize(
    ("opened", "tasks_here", "wanted"),
    [
        # Engine 20.10 does not say in a ping what it leads; its own containers give it away.
        (("containers",), True, ("the Swarm's services and their tasks", "the Swarm's services and their tasks")),
        (("containers",), False, ("whether it leads a Swarm", "whether it leads a Swarm")),
        (("containers", "_ping"), False, ("whether it leads a Swarm", "the Swarm's services and their tasks")),
    ],
)
def test_a_manager_behind_a_proxy_that_opens_little_is_no_engine_without_a_swarm(
    manager: Engine, tmp_path: Path, opened: tuple[str, ...], tasks_here: bool, wanted: tuple[str, str]
) -> None:
    mode = {"Replicated": {"Replicas": int(tasks_here)}}
    made = manager.client.services.create("localhost:1/busybox:test", ["sleep", "1000"], name="hand", mode=mode)
    try:
        seen_when(
            Reader(manager.address, statistics=None), lambda all: "hand" in all and all["hand"].running == tasks_here
        )
        if not tasks_here:
            gone(manager)  # what an earlier task leaves would tell of the Swarm
        with relayed(tmp_path / "s", manager.socket, only(*opened)):
            found = Reader(f"unix://{tmp_path}/s", statistics=None).read("prod")
    finally:
        made.remove()
        manager.clear()
    (limit,) = (limit for limit in found.limits if "Swarm" in limit)
    newer = manager.client.version()["Version"].startswith("28")
    assert limit.startswith(wanted[newer]) and "`SERVICES`" in limit
    (host,) = (fact for fact in found.facts if isinstance(fact, Host))
    assert host.hidden_services == wanted[newer].startswith("the Swarm's")


def test_an_engine_without_a_swarm_is_asked_for_none(engine: Engine, tmp_path: Path) -> None:
    reading = Reader(engine.address, statistics=None).read("prod")
    assert not [fact for fact in reading.facts if isinstance(fact, SwarmService)]
    assert reading.limits == ()
