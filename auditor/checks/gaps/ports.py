"""Has everything the port that it should have?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import listening
from auditor.checks.gaps.causes import stopped
from auditor.checks.network.doors import span_of
from auditor.commandline import same_command
from auditor.inventory import Service, Snapshot
from auditor.listening import Holders
from auditor.model import Definition, Entry, Evidence, Lifecycle, Listener, Port
from auditor.registry import BY_CRITICALITY, Problem, check


@check(
    Service,
    BY_CRITICALITY,
    fix="End what holds the port, or give the service another one.",
    either=("docker", "processes"),
)
def port_taken(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """Another container or process holds a port that a service of ours should have.

    Of a declared process `command` tells which one it is. What listens for a container is never taken for it.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", ports: ["8080:80"]}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: created}
          - {name: other-1, project: other, service: app, ports: [{published: "8080", target: 80}]}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", ports: ["8080:80"]}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", ports: [{published: "8080", target: 80}]}
    """
    if snapshot.excuse(service):
        return
    if service.lifecycle is Lifecycle.PROCESS:
        yield from _taken_from_process(service, snapshot)
    elif snapshot.source("docker", service.environment).state == "ok":
        yield from _taken_from_containers(service, snapshot)


def _taken_from_containers(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    definition = service.definition
    up = sum(container.state == "running" for container in service.containers)
    if definition is None or up >= definition.replicas or snapshot.runs_once(service):
        return
    for port in definition.ports:
        holder = _sibling(port, definition, service) if up else _holder(port, service, snapshot)
        if holder:
            yield Problem(
                f"port {_shown(port)} of `{service.name}` is held by {holder}",
                (port.location or definition.location,),
                key=f"{port.published}/{port.protocol}",
                cause=stopped(service.name),
            )


def _shown(port: Port) -> str:
    return str(port.published) if port.protocol == "tcp" else f"{port.published}/{port.protocol}"


def _sibling(port: Port, definition: Definition, service: Service) -> str | None:
    """The service's own container that took a fixed port from another one, which was therefore never started."""
    span = span_of(port)
    if span is None or len(span) >= definition.replicas or not any(c.state == "created" for c in service.containers):
        return None
    running = (c for c in service.containers if c.state == "running")
    first = next((c for c in running if any(_same(port, other) for other in c.ports)), None)
    return f"its own container `{first.name}`: only one can have it" if first else None


def _holder(port: Port, service: Service, snapshot: Snapshot) -> str | None:
    """Who holds a published port, every one of a range."""
    found = [_holder_of(number, port, service, snapshot) for number in span_of(port) or ()]
    return found[0] if found and all(found) else None


def _holder_of(number: int, port: Port, service: Service, snapshot: Snapshot) -> str | None:
    socket = Port(port.target, str(number), port.host_ip, port.protocol)
    if name := _container_at(socket, service, snapshot):
        return f"container `{name}`"
    for listener in snapshot.listeners_in(service.environment):
        same = (listener.port, listener.protocol) == (number, port.protocol)
        if same and listening.clash(port.host_ip, listener.address) and not listening.for_container(listener):
            return listening.called(listener)
    return None


def _container_at(port: Port, service: Service, snapshot: Snapshot) -> str | None:
    """The running container of something else that publishes a port."""
    own = {container.id for container in service.containers}
    for container in snapshot.containers:
        if container.environment != service.environment or container.id in own or container.state != "running":
            continue
        if any(_same(port, other) for other in container.ports):
            return container.name
    return None


def _same(port: Port, other: Port) -> bool:
    same = (port.published, port.protocol) == (other.published, other.protocol)
    return same and listening.clash(port.host_ip, other.host_ip)


def _taken_from_process(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    entry = service.entry
    if entry is None or snapshot.source("processes", service.environment).state != "ok":
        return
    found = snapshot.holders_of(service)
    kept = {(listener.port, listener.protocol) for listener in found.present}
    for socket in listening.sockets_of(entry):
        others = [x for x in found.others if (x.port, x.protocol) == socket]
        if socket in kept or not others:
            continue
        declared = f", not by its own `{entry.command}`" if entry.command else ""
        yield Problem(
            f"port {listening.shown(socket)} of `{service.name}` is held by "
            f"{_other(others[0], service, snapshot)}{declared}",
            (entry.place("ports"),),
            key=f"{socket[0]}/{socket[1]}",
            cause=stopped(service.name),
        )


def _other(listener: Listener, service: Service, snapshot: Snapshot) -> str:
    if not listening.for_container(listener):
        return listening.called(listener)
    port = Port(listener.port, str(listener.port), listener.address, listener.protocol)
    name = _container_at(port, service, snapshot) or next(
        (c.name for c in snapshot.containers if c.id == listener.container), None
    )
    return f"container `{name}`" if name else f"a container, by `{listener.process}`"


@check(
    Service,
    BY_CRITICALITY,
    fix="Start the process, or correct the `ports` that its entry declares.",
    needs=("catalogue", "processes"),
)
def process_not_running(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service that is declared as a host process listens on none of its ports, or on some of them only.

    Bad:
        catalogue:
          services:
            agent: {lifecycle: process, ports: [8002]}
        listeners:
          - {port: 22, process: sshd}
    Good:
        catalogue:
          services:
            agent: {lifecycle: process, ports: [8002]}
        listeners:
          - {port: 8002, process: python3}
    """
    entry = service.entry
    if entry is None or service.lifecycle is not Lifecycle.PROCESS or not entry.ports or snapshot.excuse(service):
        return
    found = snapshot.holders_of(service)
    if found.present:
        yield from _partly_open(entry, found)
        return
    sockets = listening.sockets_of(entry)
    ports, more = ", ".join(map(listening.shown, sockets)), "s" if len(sockets) > 1 else ""
    elsewhere = _elsewhere(entry, service, snapshot)
    said = "another process has it" if found.others else "nothing listens there"
    if elsewhere:
        said += f"; its command listens on port {listening.shown((elsewhere.port, elsewhere.protocol))}"
    yield Problem(
        f"`{service.name}` is declared as a process on port{more} {ports}, but {said}",
        (entry.place("ports"),),
        (Evidence("processes", f"{listening.called(elsewhere)} runs its command"),) if elsewhere else (),
        cause=stopped(service.name),
    )


def _partly_open(entry: Entry, found: Holders) -> Iterator[Problem]:
    """The ports of a process that nobody holds, while it holds others: the part of it behind them is not there."""
    held = {(x.port, x.protocol) for x in (*found.present, *found.others)}
    open_, closed = ([s for s in listening.sockets_of(entry) if (s in held) is wanted] for wanted in (True, False))
    if closed:
        ports, others = (", ".join(map(listening.shown, group)) for group in (open_, closed))
        yield Problem(
            f"`{entry.name}` is declared as a process on ports {ports} and {others}, but nothing listens on {others}",
            (entry.place("ports"),),
            key=f"partly:{others}",
        )


def _elsewhere(entry: Entry, service: Service, snapshot: Snapshot) -> Listener | None:
    """The process with the declared command that listens where nothing is declared to."""
    if entry.command is None:
        return None
    declared = {port for other in snapshot.entries(service.environment) for port in other.ports}
    found = (x for x in snapshot.listeners_in(service.environment) if x.protocol == "tcp" and x.port not in declared)
    return next((x for x in found if x.command and same_command(entry.command, x.command)), None)
