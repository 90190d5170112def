"""Who wants a port of the host that another has?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from auditor.checks.network.doors import MOST_PLACES, at, in_words, publishes, span_of
from auditor.checks.network.taken import Taken
from auditor.inventory import Snapshot
from auditor.model import (
    Definition,
    Evidence,
    Port,
    Project,
    Severity,
)
from auditor.registry import Problem, check


@check(
    Project,
    Severity.CRITICAL,
    fix="Publish one of them on another port or address, or take the `ports` of what needs no door to the host out.",
    needs=("compose",),
)
def host_port_conflict(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """Two containers want the same port of the host.

    The second one does not start. Ranges, addresses and protocols are told apart; a service of several containers
    stands in its own way if it publishes one fixed port. A port inside a range from which the engine chooses is a
    warning: it depends on who starts first.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", ports: ["8080:80"]}
            api: {image: "registry.example/api:1", ports: ["8080:8000"]}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", ports: ["8080:80"]}
            api: {image: "registry.example/api:1", ports: ["127.0.0.1:8081:8000"]}
    """
    taken = Taken()
    open_spans: list[tuple[Definition, Port, range]] = []
    clashes: dict[tuple[str, str], list[tuple[int, Definition, Port, Definition, Port]]] = defaultdict(list)
    for definition in project.active:
        if definition.replicas == 0:
            continue
        for port in publishes(definition):
            span = span_of(port)
            if span is None or port.host_ip == "":
                continue
            if len(span) > 1:
                open_spans.append((definition, port, span))
            elif owner := taken.claim(port.protocol, span.start, definition, port):
                clashes[definition.name, owner[0].name].append((span.start, definition, port, *owner))
    for group in clashes.values():
        yield _clash(group, snapshot)
    for definition in project.active:
        yield from _own_clash(definition, project, snapshot)
    for definition, port, span in open_spans:
        yield from _perhaps(definition, port, span, taken, snapshot)


def _clash(group: list[tuple[int, Definition, Port, Definition, Port]], snapshot: Snapshot) -> Problem:
    _, definition, port, owner, other = group[0]
    numbers = sorted({item[0] for item in group})
    said = f"port {in_words(numbers)}" if len(numbers) == 1 else f"ports {in_words(numbers)}"
    protocol = "" if port.protocol == "tcp" else f"/{port.protocol}"
    again = "more than once" if owner is definition else f"as `{owner.name}` does"
    places = [place for item in group for place in (item[2].location, item[4].location) if place]
    return Problem(
        f"`{definition.name}` publishes {said}{protocol} of the host, {again}",
        tuple(dict.fromkeys(places))[:MOST_PLACES] or (definition.location,),
        (Evidence("compose", f"`{owner.name}` publishes it too", *at(other.location or owner.location)),),
        service=snapshot.called(definition),
        key=f"{owner.name} {in_words(numbers)}/{port.protocol}",
        field="ports",
    )


_SWARM = ("deploy.mode", "deploy.placement", "deploy.update_config", "deploy.endpoint_mode")  # its mesh shares ports


def _own_clash(definition: Definition, project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A port that is too few for a service's containers."""
    if definition.replicas < 2 or any(key in definition.lines for key in _SWARM):
        return
    for port in publishes(definition):
        span = span_of(port)
        if span is not None and len(span) < definition.replicas:
            wanted = f"{definition.replicas} containers of `{definition.name}`"
            yield Problem(
                f"{wanted} want {'port' if len(span) == 1 else 'the ports'} {port.published} of the host",
                (port.location or definition.place("ports"), definition.place("deploy.replicas", "scale")),
                service=snapshot.called(definition),
                key=f"replicas {port.published}/{port.protocol}",
                field="ports",
                fix="Publish a range that has a port for each container, or put a proxy before them.",
            )


def _perhaps(definition: Definition, port: Port, span: range, taken: Taken, snapshot: Snapshot) -> Iterator[Problem]:
    """A range from which the engine takes the first free port, where a fixed port of it is another's."""
    owners = ((number, taken.owner(port.protocol, number, port)) for number in taken.within(port.protocol, span))
    found = next(((number, *owner) for number, owner in owners if owner and owner[0] is not definition), None)
    if found is None:
        return
    number, owner, other = found
    yield Problem(
        f"`{definition.name}` may take port {number} of the host, which `{owner.name}` publishes",
        tuple(place for place in (port.location, other.location) if place) or (definition.location,),
        service=snapshot.called(definition),
        key=f"{owner.name} {port.published}/{port.protocol}",
        field="ports",
        severity=Severity.WARNING,
        fix="Move the range, or the fixed port out of it.",
    )
