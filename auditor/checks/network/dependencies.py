"""Who waits for whom, and can reach it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from auditor.checks.network.doors import at
from auditor.checks.network.uses import reach_of, uses
from auditor.inventory import Snapshot
from auditor.model import (
    Definition,
    Dependency,
    Evidence,
    Location,
    Project,
    Severity,
)
from auditor.reach import networks_of
from auditor.registry import Problem, check


@check(
    Definition,
    Severity.WARNING,
    fix="Write `condition: service_healthy`; or `condition: service_started`, to say that this is meant.",
    needs=("compose",),
)
def unready_dependency(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A service waits until another has started, although a health check could say when it is ready.

    A database is started long before it answers. A written `condition: service_started` is taken at its word.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", depends_on: [db]}
            db: {image: "postgres:16.8", healthcheck: {test: [CMD, pg_isready]}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", depends_on: {db: {condition: service_healthy}}}
            db: {image: "postgres:16.8", healthcheck: {test: [CMD, pg_isready]}}
    """
    edges = {edge.service: edge for edge in definition.depends_on if _unready(edge, definition, snapshot)}
    if not edges:
        return
    names = " and ".join(f"`{name}`" for name in edges) if len(edges) < 3 else f"{len(edges)} services"
    said = "to start, not to be healthy"
    yield Problem(
        f"`{definition.name}` waits for {names} {said}",
        tuple(dict.fromkeys(edge.location or definition.place("depends_on") for edge in edges.values())),
        tuple(
            Evidence("compose", f"waits for `{name}` {said}", *at(edge.location or definition.location))
            for name, edge in edges.items()
            if len(edges) > 1
        ),
        key=" ".join(sorted(edges)),
        field="depends_on",
    )


def _unready(edge: Dependency, definition: Definition, snapshot: Snapshot) -> bool:
    target = snapshot.definitions(definition.environment).get(edge.service)
    if edge.stated or f"depends_on.{edge.service}" not in definition.lines or target is None or not target.active:
        return False
    asked = target.healthcheck is not None and not target.healthcheck.disabled
    return asked and target.name != definition.name and not snapshot.ends(target)


@check(
    Project,
    Severity.INFO,
    fix="Add it to `depends_on`, if the service cannot start without it.",
    needs=("compose",),
)
def undeclared_dependency(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A service is told the address of another, and `depends_on` knows nothing of it.

    It may start first and find nobody there. What is waited for by way of a third service counts as declared.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {CACHE_URL: "redis://cache:6379/0"}}
            cache: {image: "redis:7.4"}
    Good:
        compose:
          services:
            web:
              image: registry.example/web:1
              environment: {CACHE_URL: "redis://cache:6379/0"}
              depends_on: [cache]
            cache: {image: "redis:7.4"}
    """
    definitions = {definition.name: definition for definition in project.active}
    reach = reach_of(definitions)
    bit = {name: 1 << position for position, name in enumerate(definitions)}
    for definition in definitions.values():
        for name, place in uses(definition, snapshot).items():
            if name in bit and not (reach[definition.name] & bit[name] or reach[name] & bit[definition.name]):
                yield Problem(
                    f"`{definition.name}` is told the address of `{name}`, but does not wait for it",
                    (place,),
                    service=snapshot.called(definition),
                    key=name,
                    field="depends_on",
                )


COMPLETED = "service_completed_successfully"


@check(
    Project,
    Severity.WARNING,
    fix="Put both on one network, or take the address or the dependency out.",
    needs=("compose",),
)
def unreachable_dependency(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A service depends on, or is told the address of, another with which it shares no network.

    The name does not even resolve there. Waiting for a service to complete needs no network.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", networks: [front], depends_on: [db]}
            db: {image: "postgres:16.8", networks: [back]}
          networks: {front: {}, back: {}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", networks: [front, back], depends_on: [db]}
            db: {image: "postgres:16.8", networks: [back]}
          networks: {front: {}, back: {}}
    """
    composed = snapshot.definitions(project.environment)
    networks = {d.name: networks_of(d, snapshot) for d in project.active}
    for definition in project.active:
        own = networks[definition.name]
        wanted = uses(definition, snapshot)
        for edge in definition.depends_on:
            if edge.service in wanted or not own.isdisjoint(networks.get(edge.service, own)):
                continue
            if f"depends_on.{edge.service}" in definition.lines and edge.condition != COMPLETED:
                wanted[edge.service] = edge.location or definition.place("depends_on")
        for name, place in wanted.items():
            theirs = networks.get(name)
            if own and theirs and own.isdisjoint(theirs):
                yield _apart(definition, name, place, composed, snapshot)


def _apart(
    definition: Definition, name: str, place: Location, composed: Mapping[str, Definition], snapshot: Snapshot
) -> Problem:
    other = composed[name]
    return Problem(
        f"`{definition.name}` needs `{name}`, but they share no network",
        (place,),
        tuple(
            Evidence("compose", f"`{one.name}` is on {_listed(one.networks)}", *at(one.place("networks")))
            for one in (definition, other)
            if one.networks
        ),
        service=snapshot.called(definition),
        key=name,
        field="networks",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
