"""Reads what runs: one list, then bounded inspections, so that one bad container hides no other."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue

from docker.errors import DockerException, NotFound

from auditor.errors import EvidenceError
from auditor.model import Container
from auditor.sources.docker.events import with_kills
from auditor.sources.docker.failures import FAILURES, cause_of, explain, silent
from auditor.sources.docker.parse import JSON, parse_container, parse_listed
from auditor.sources.docker.transport import WORKERS, Engine, connect

TOTAL = 8.0  # seconds for everything, whatever the engine does
CONTAINER_LIMIT = 20_000

ID = re.compile(r"[0-9a-f]{64}")


def read_containers(
    address: str, environment: str, *, timeout: float = 5.0, total: float = TOTAL
) -> tuple[Container, ...]:
    """Every container that the engine at `address` has, by name, running or not.

    address: `unix:///...`, `tcp://host:port`, `https://host:port`, `ssh://...`, the name of a Docker context, or `env`
    (DOCKER_HOST, else the current context, as the Docker CLI has it). timeout: seconds a call, total: for everything.
    A container that vanishes while it is read is left out; one that cannot be inspected says so in `unread`.
    Raises EvidenceError, with the cause named, where the list itself cannot be read.
    """
    deadline = time.monotonic() + total
    outcome: SimpleQueue[tuple[Container, ...] | EvidenceError | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            outcome.put(_read(address, environment, timeout, deadline))
        except BaseException as error:
            outcome.put(error)

    # A daemon thread: a peer that feeds single bytes for ever can hold neither the scan nor the end of the process.
    threading.Thread(target=work, name="docker-source", daemon=True).start()
    try:
        found = outcome.get(timeout=total + 0.5)
    except Empty:
        raise silent(address, total) from None
    if isinstance(found, BaseException):
        raise found
    return found


def _read(address: str, environment: str, timeout: float, deadline: float) -> tuple[Container, ...]:
    try:
        with connect(address, timeout, deadline) as engine:
            listed = list_containers(engine)
            details = inspect_all(engine, [str(item["Id"]) for item in listed], deadline - 1.0)
            containers = tuple(_joined(listed, details, environment))
            return with_kills(engine, containers)
    except FAILURES as error:
        raise explain(address, error, timeout) from None


def list_containers(engine: Engine) -> Sequence[JSON]:
    listed = engine.containers(all=True)
    if not isinstance(listed, list):
        raise DockerException("the answer is not that of a Docker Engine")
    wanted = [item for item in listed if isinstance(item, dict) and ID.fullmatch(str(item.get("Id")))]
    if len(wanted) > CONTAINER_LIMIT:
        raise DockerException(f"it has {len(wanted)} containers, more than {CONTAINER_LIMIT}")
    return wanted


def inspect_all(engine: Engine, ids: Sequence[str], deadline: float) -> dict[str, JSON | str | None]:
    """Each id's details; a text: why they cannot be read; None: the container is gone. One bad one hides no other."""
    waiting: SimpleQueue[str] = SimpleQueue()
    done: SimpleQueue[tuple[str, JSON | str | None]] = SimpleQueue()
    for container in ids:
        waiting.put(container)

    def work() -> None:
        while time.monotonic() < deadline:
            try:
                container = waiting.get_nowait()
            except Empty:
                return
            done.put((container, _inspect(engine, container)))

    for _ in range(min(WORKERS, len(ids))):
        threading.Thread(target=work, name="docker-inspect", daemon=True).start()
    details: dict[str, JSON | str | None] = {}
    while len(details) < len(ids):
        try:
            container, found = done.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        details[container] = found
    return {container: details.get(container, "no answer in time") for container in ids}


def _inspect(engine: Engine, container: str) -> JSON | str | None:
    try:
        found = engine.inspect_container(container)
        return found if isinstance(found, dict) else "the answer is not an object"
    except NotFound:
        return None
    except FAILURES as error:
        return cause_of(error, engine.timeout)[0]


def _joined(listed: Iterable[JSON], details: Mapping[str, JSON | str | None], environment: str) -> list[Container]:
    containers = []
    for item in listed:
        found = details[str(item["Id"])]
        if found is None:
            continue
        if not isinstance(found, str):
            try:
                containers.append(parse_container(item, found, environment))
                continue
            except (AttributeError, LookupError, TypeError, ValueError):
                found = "the answer has an unknown shape"
        containers.append(replace(parse_listed(item, environment), unread=found))
    return sorted(containers, key=lambda container: (container.name, container.id))
