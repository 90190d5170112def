"""Services and tasks of a Swarm: as its API gives them, and on a manager of our own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from auditor.model import Host, Port, RungState, SwarmService
from auditor.sources.docker.read import Reader
from auditor.sources.docker.swarm import clean, parse_services
from tests.parts import engine as engines
from tests.parts.engine import Engine
from tests.parts.plugin import need, refuse
from tests.projects import report_of
from tests.relay import SECTIONS, all_but, relayed

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


def test_what_could_not_be_read_is_unknown_and_no_finding() -> None:
    planes = {"compose": {"services": {"web": {"image": "nginx:1.27.5"}}}, "containers": []}
    hidden = report_of(planes | {"hosts": [{"swarm": True, "hidden_services": True}]})
    assert hidden.services[0].rungs["running"].state is RungState.UNKNOWN
    assert str(hidden.services[0].verdict) == "unknown"
    assert "composed-not-running" not in {finding.check for finding in hidden.findings}
    assert "composed-not-running" in {finding.check for finding in report_of(planes).findings}


# --- on a manager of our own -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def manager() -> Iterator[Engine]:
    """An engine of its own: what leads a Swarm is no engine for other tests."""
    for name in ("dockerd", "docker-compose", "busybox"):
        need(name)
    with engines.running() as started:
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
    "tasks": "the Swarm's services and their tasks",
    "images": "what images set, and where their tags moved",
}


@pytest.mark.parametrize("section", sorted({*SECTIONS} - {"containers", "events"}))
def test_each_section_that_a_proxy_denies_on_a_manager(manager: Engine, tmp_path: Path, section: str) -> None:
    made = manager.client.services.create("localhost:1/busybox:test", ["sleep", "1000"], name="hand")
    try:
        seen_when(Reader(manager.address, statistics=None), lambda all: "hand" in all and all["hand"].running == 1)
        with relayed(tmp_path / "s", manager.socket, all_but(section)):
            found = Reader(f"unix://{tmp_path}/s", statistics=None).read("prod")
    finally:
        made.remove()
    lost = [HIDDEN[section]] if section in HIDDEN else []
    assert [limit.partition(" (")[0] for limit in found.limits] == lost
    assert all(f"`{section.upper()}`" in limit for limit in found.limits)
    services = [(s.name, s.desired, s.running) for s in found.facts if isinstance(s, SwarmService)]
    assert services == ([] if section in ("info", "services") else [("hand", 1, 1)])
    (host,) = (fact for fact in found.facts if isinstance(fact, Host))
    assert host.hidden_services is (section == "services")


def test_an_engine_without_a_swarm_is_asked_for_none(engine: Engine, tmp_path: Path) -> None:
    reading = Reader(engine.address, statistics=None).read("prod")
    assert not [fact for fact in reading.facts if isinstance(fact, SwarmService)]
    assert reading.limits == ()
