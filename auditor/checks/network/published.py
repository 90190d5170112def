"""What can be reached from outside the host?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.checks.network.doors import ANYWHERE, Door, doors, narrowed, shown, where
from auditor.checks.network.tiers import tier_of
from auditor.inventory import Snapshot
from auditor.model import (
    Definition,
    Severity,
)
from auditor.registry import Problem, check


@check(
    Definition,
    Severity.WARNING,
    fix='Name the interface: `"127.0.0.1:PORT:PORT"` for what only this host needs.',
    needs=("compose",),
)
def port_on_all_interfaces(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A port is published on every interface of the host.

    Docker opens it past most host firewalls. A service whose tier may publish (`policy: tiers: ... publish: true`) is
    left out.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", ports: ["8080:80"]}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", ports: ["127.0.0.1:8080:80"]}
    """
    tier = tier_of(definition, snapshot)
    if tier is not None and tier.publish:
        return
    for door in doors(definition):
        if door.ports[0].host_ip in ANYWHERE:
            yield _published(definition, door, f"`{definition.name}` publishes {shown(door)} on all interfaces")


def _published(definition: Definition, door: Door, message: str) -> Problem:
    return Problem(
        message,
        (door.place or definition.place("ports"),),
        key=door.text,
        field="ports",
        cause=door.cause(definition),
    )


_DATA_KINDS = frozenset({"database", "cache", "search", "vector_database"})
# Ports that say what listens there, whatever the image is called.
_DATA_PORTS = frozenset({1433, 1521, 3306, 5432, 5984, 6379, 9042, 11211, 27017})


@check(
    Definition,
    Severity.CRITICAL,
    fix="Take the port out (services reach it over their network), or publish it on `127.0.0.1` only.",
    needs=("compose",),
)
def database_port_published(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A database can be reached from outside the host.

    Scanners find it within hours, and one weak password later the data is theirs. The loopback address is fine.

    Bad:
        compose:
          services:
            db: {image: "postgres:16.8", ports: ["5432:5432"]}
    Good:
        compose:
          services:
            db: {image: "postgres:16.8", ports: ["127.0.0.1:5432:5432"]}
    """
    component = snapshot.component_of(definition)
    if component is not None and component.kind not in _DATA_KINDS:
        return
    listens = _DATA_PORTS if component is None else {*component.ports} - {*component.admin_ports}
    title = f" ({component.title})" if component else ""
    for door in (narrowed(door, listens) for door in doors(definition)):
        if door.ports:
            message = f"the database `{definition.name}`{title} is published as {shown(door)} {where(door)}"
            yield _published(definition, door, message)


_ENGINE_PORT = 2375  # Docker's, in clear and for everybody


@check(
    Definition,
    Severity.WARNING,
    fix="Publish it on `127.0.0.1` only, or put it behind a proxy that asks who is there.",
    needs=("compose",),
)
def admin_port_published(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """An interface for administrators can be reached from outside the host.

    Consoles and administrative APIs can do everything, and many of them ask nobody who he is.

    Bad:
        compose:
          services:
            gateway: {image: "kong:3.9.1", ports: ["8000:8000", "8001:8001"]}
    Good:
        compose:
          services:
            gateway: {image: "kong:3.9.1", ports: ["8000:8000", "127.0.0.1:8001:8001"]}
    """
    component = snapshot.component_of(definition)
    title = component.title if component else "an engine's API without TLS"
    listens = {_ENGINE_PORT}
    if component is not None:
        listens = {*component.admin_ports, *(component.ports if component.kind == "admin" else ())}
    for door in (narrowed(door, listens) for door in doors(definition)):
        if door.ports:
            what = f"the administration of `{definition.name}` ({title})"
            yield _published(definition, door, f"{what} is published as {shown(door)} {where(door)}")
