"""Who is reachable from where, who waits for whom, and what stands in the way of both?"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from auditor.checks.files import told
from auditor.inventory import Service, Snapshot
from auditor.model import (
    Component,
    Definition,
    Dependency,
    Evidence,
    Fault,
    Location,
    Port,
    Project,
    Resource,
    Severity,
    Tier,
)
from auditor.registry import Problem, check

_MOST_PLACES = 12  # lines that one finding shows


def _active(project: Project) -> list[Definition]:
    """The services that are judged, by name: the order of the file decides nothing."""
    return sorted((d for d in project.definitions if d.active), key=lambda definition: definition.name)


def _known_as(definition: Definition, snapshot: Snapshot) -> str:
    return snapshot.known_as(definition.environment, definition.name)


def _component(definition: Definition, snapshot: Snapshot) -> Component | None:
    service = snapshot.service(definition.environment, _known_as(definition, snapshot))
    return service.component if service else None


# --- what Compose refuses ----------------------------------------------------------------------------------------


def _told(fault: Fault) -> Problem:
    problem = told(fault)
    return Problem(problem.message, (fault.location, *fault.others), key=problem.key, fix=problem.fix)


@check(Fault, Severity.CRITICAL, fix="Define the service, or correct the name in `depends_on`.")
def undefined_dependency(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A service depends on one that no file defines.

    Compose refuses the whole project. What `links`, `volumes_from` and `network_mode: service:NAME` imply counts too.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", depends_on: [databse]}
            database: {image: "postgres:16.8"}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", depends_on: [database]}
            database: {image: "postgres:16.8"}
    """
    yield _told(fault)


@check(
    Fault, Severity.CRITICAL, fix="Take one of the edges out: the service that can wait for the other keeps its own."
)
def dependency_cycle(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """Services wait for one another in a circle: none can be the first to start.

    Compose refuses the whole project.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", depends_on: [api]}
            api: {image: "registry.example/api:1", depends_on: [web]}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", depends_on: [api]}
            api: {image: "registry.example/api:1"}
    """
    yield _told(fault)


@check(Fault, Severity.CRITICAL, fix="Leave `container_name` out, or make it another.")
def duplicate_container_name(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """Two services claim the same container name.

    An engine has each name once: Compose refuses the project.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", container_name: shop}
            api: {image: "registry.example/api:1", container_name: shop}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", container_name: shop-web}
            api: {image: "registry.example/api:1", container_name: shop-api}
    """
    yield _told(fault)


@check(Fault, Severity.WARNING, fix="Leave `container_name` out: Compose numbers the containers itself.")
def container_name_scaled(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A service of several containers has one fixed container name.

    Only one container can have it, so the service cannot be scaled.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", container_name: web, deploy: {replicas: 2}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", deploy: {replicas: 2}}
    """
    yield _told(fault)


# --- published ports ---------------------------------------------------------------------------------------------

_ANYWHERE = frozenset({None, "0.0.0.0", "::", "*"})  # noqa: S104  compared, never bound


def _host(port: Port) -> str | None:
    """The interface as it is compared: None for all of them."""
    return None if port.host_ip is None else _address(port.host_ip)


@lru_cache(maxsize=4096)
def _address(host: str) -> str | None:
    if host == "*":
        return None
    if host == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return host


def _on_loopback(port: Port) -> bool:
    host = _host(port) or ""
    return host.startswith("127.") or host == "::1"


def _publishes(definition: Definition) -> tuple[Port, ...]:
    """The ports that reach the host: on the host's own network, and in another's, Compose publishes none."""
    mode = definition.network_mode or ""
    return () if mode in ("host", "none") or ":" in mode else definition.ports


def _span(port: Port) -> range | None:
    """The host ports that one may be; None for one that the engine chooses."""
    first, _, last = (port.published or "").partition("-")
    if not first.isdecimal() or first == "0":
        return None
    return range(int(first), int(last or first) + 1)


class _Taken:
    """Who has which host port. Wildcard and single addresses meet, two single addresses do not."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, int], dict[str | None, tuple[Definition, Port]]] = defaultdict(dict)
        self._numbers: dict[str, list[int]] = {}

    def claim(self, protocol: str, number: int, definition: Definition, port: Port) -> tuple[Definition, Port] | None:
        """Whoever has the port already; else it is taken."""
        owner = self.owner(protocol, number, port)
        if owner is None:
            self._owners[protocol, number][_host(port)] = (definition, port)
        return owner

    def owner(self, protocol: str, number: int, port: Port) -> tuple[Definition, Port] | None:
        owners, host = self._owners.get((protocol, number), {}), _host(port)
        if host in owners:
            return owners[host]
        return next((owners[other] for other in _meeting(host, owners)), None)

    def within(self, protocol: str, span: range) -> Iterator[int]:
        """The fixed ports inside a range, of all addresses, in their order; asked when all are taken."""
        if protocol not in self._numbers:
            self._numbers[protocol] = sorted(number for kind, number in self._owners if kind == protocol)
        numbers = self._numbers[protocol]
        for index in range(bisect_left(numbers, span.start), bisect_right(numbers, span.stop - 1)):
            yield numbers[index]


def _meeting(host: str | None, owners: Mapping[str | None, object]) -> Iterator[str | None]:
    """The addresses among `owners` on which a listener at `host` would stand in the way."""
    if host is None:
        yield from owners
        return
    everywhere = "::" if ":" in host else "0.0.0.0"  # noqa: S104  compared, never bound
    yield from (other for other in (None, everywhere) if other in owners)
    if host == everywhere:
        yield from (other for other in owners if other is not None and (":" in other) is (":" in host))


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
    taken = _Taken()
    open_spans: list[tuple[Definition, Port, range]] = []
    clashes: dict[tuple[str, str], list[tuple[int, Definition, Port, Definition, Port]]] = defaultdict(list)
    for definition in _active(project):
        if definition.replicas == 0:
            continue
        for port in _publishes(definition):
            span = _span(port)
            if span is None or port.host_ip == "":
                continue
            if len(span) > 1:
                open_spans.append((definition, port, span))
            elif owner := taken.claim(port.protocol, span.start, definition, port):
                clashes[definition.name, owner[0].name].append((span.start, definition, port, *owner))
    for group in clashes.values():
        yield _clash(group, snapshot)
    for definition in _active(project):
        yield from _own_clash(definition, project, snapshot)
    for definition, port, span in open_spans:
        yield from _perhaps(definition, port, span, taken, snapshot)


def _clash(group: list[tuple[int, Definition, Port, Definition, Port]], snapshot: Snapshot) -> Problem:
    _, definition, port, owner, other = group[0]
    numbers = sorted({item[0] for item in group})
    said = f"port {_in_words(numbers)}" if len(numbers) == 1 else f"ports {_in_words(numbers)}"
    protocol = "" if port.protocol == "tcp" else f"/{port.protocol}"
    again = "more than once" if owner is definition else f"as `{owner.name}` does"
    places = [place for item in group for place in (item[2].location, item[4].location) if place]
    return Problem(
        f"`{definition.name}` publishes {said}{protocol} of the host, {again}",
        tuple(dict.fromkeys(places))[:_MOST_PLACES] or (definition.location,),
        (Evidence("compose", f"`{owner.name}` publishes it too", *_at(other.location or owner.location)),),
        service=_known_as(definition, snapshot),
        key=f"{owner.name} {_in_words(numbers)}/{port.protocol}",
        field="ports",
    )


def _at(place: Location) -> tuple[str, int | None]:
    return place.path, place.line


def _in_words(numbers: list[int]) -> str:
    """Sorted numbers with runs as ranges: `80, 8000-8005`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs[:_MOST_PLACES])


_SWARM = ("deploy.mode", "deploy.placement", "deploy.update_config", "deploy.endpoint_mode")  # its mesh shares ports


def _own_clash(definition: Definition, project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A port that is too few for a service's containers."""
    if definition.replicas < 2 or any(key in definition.lines for key in _SWARM):
        return
    for port in _publishes(definition):
        span = _span(port)
        if span is not None and len(span) < definition.replicas:
            wanted = f"{definition.replicas} containers of `{definition.name}`"
            yield Problem(
                f"{wanted} want {'port' if len(span) == 1 else 'the ports'} {port.published} of the host",
                (port.location or definition.place("ports"), definition.place("deploy.replicas", "scale")),
                service=_known_as(definition, snapshot),
                key=f"replicas {port.published}/{port.protocol}",
                field="ports",
                fix="Publish a range that has a port for each container, or put a proxy before them.",
            )


def _perhaps(definition: Definition, port: Port, span: range, taken: _Taken, snapshot: Snapshot) -> Iterator[Problem]:
    """A range from which the engine takes the first free port, where a fixed port of it is another's."""
    owners = ((number, taken.owner(port.protocol, number, port)) for number in taken.within(port.protocol, span))
    found = next(((number, *owner) for number, owner in owners if owner and owner[0] is not definition), None)
    if found is None:
        return
    number, owner, other = found
    yield Problem(
        f"`{definition.name}` may take port {number} of the host, which `{owner.name}` publishes",
        tuple(place for place in (port.location, other.location) if place) or (definition.location,),
        service=_known_as(definition, snapshot),
        key=f"{owner.name} {port.published}/{port.protocol}",
        field="ports",
        severity=Severity.WARNING,
        fix="Move the range, or the fixed port out of it.",
    )


@dataclass(frozen=True, slots=True)
class _Door:
    """The ports that one line of `ports` publishes beyond the loopback."""

    ports: tuple[Port, ...]
    text: str

    @property
    def place(self) -> Location | None:
        return self.ports[0].location

    def cause(self, definition: Definition) -> str:
        return f"published:{definition.name}:{self.text}"


def _doors(definition: Definition) -> Iterator[_Door]:
    """Ports as the lines of the file group them; those on loopback, or on an address that is not known, left out."""
    lines: dict[object, list[Port]] = defaultdict(list)
    for number, port in enumerate(_publishes(definition)):
        if port.host_ip != "" and not _on_loopback(port):
            lines[(port.location, port.host_ip, port.protocol) if port.location else number].append(port)
    for group in lines.values():
        targets = _in_words(sorted({port.target for port in group}))
        yield _Door(tuple(group), f"{group[0].host_ip or ''} {targets}/{group[0].protocol}".strip())


def _shown(door: _Door) -> str:
    """`5432`, or `15432 (for 5432)` where the host's port is another."""
    first = door.ports[0]
    targets = sorted({port.target for port in door.ports})
    published = [span for port in door.ports if (span := _span(port)) is not None]
    if not published:
        return f"a port of the engine's choice (for {_in_words(targets)})"
    numbers = sorted({number for span in published for number in (span.start, span.stop - 1)})
    if len(door.ports) == 1 and len(published[0]) > 1:
        return f"{first.published} (for {first.target})"
    return _in_words(numbers) + ("" if numbers == targets else f" (for {_in_words(targets)})")


def _where(door: _Door) -> str:
    host = door.ports[0].host_ip
    return "on all interfaces" if host in _ANYWHERE else f"on {host}"


def _tier(definition: Definition, snapshot: Snapshot) -> Tier | None:
    entry = snapshot.entry(definition.environment, definition.name)
    if entry is None or entry.tier is None or snapshot.catalogue is None:
        return None
    return next((tier for tier in snapshot.catalogue.tiers if tier.name == entry.tier), None)


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
    tier = _tier(definition, snapshot)
    if tier is not None and tier.publish:
        return
    for door in _doors(definition):
        if door.ports[0].host_ip in _ANYWHERE:
            yield _published(definition, door, f"`{definition.name}` publishes {_shown(door)} on all interfaces")


def _published(definition: Definition, door: _Door, message: str) -> Problem:
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
    component = _component(definition, snapshot)
    if component is not None and component.kind not in _DATA_KINDS:
        return
    listens = _DATA_PORTS if component is None else {*component.ports} - {*component.admin_ports}
    title = f" ({component.title})" if component else ""
    for door in _doors(definition):
        if any(port.target in listens for port in door.ports):
            message = f"the database `{definition.name}`{title} is published as {_shown(door)} {_where(door)}"
            yield _published(definition, door, message)


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
    component = _component(definition, snapshot)
    if component is None:
        return
    listens = {*component.admin_ports, *(component.ports if component.kind == "admin" else ())}
    for door in _doors(definition):
        if any(port.target in listens for port in door.ports):
            what = f"the administration of `{definition.name}` ({component.title})"
            yield _published(definition, door, f"{what} is published as {_shown(door)} {_where(door)}")


# --- who waits for whom ------------------------------------------------------------------------------------------


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
            Evidence("compose", f"waits for `{name}` {said}", *_at(edge.location or definition.location))
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
    return asked and target.name != definition.name and not _runs_once(target, snapshot)


def _runs_once(definition: Definition, snapshot: Snapshot) -> bool:
    service = snapshot.service(definition.environment, _known_as(definition, snapshot))
    return service is not None and snapshot.runs_once(service)


def _uses(definition: Definition, snapshot: Snapshot) -> dict[str, Location]:
    """The other active services whose addresses a service is told, each with the first line that tells it."""
    found: dict[str, Location] = {}
    for reference in definition.references:
        target = snapshot.provider(definition.environment, reference.address.host)
        if target is not None and target.active and target.name != definition.name:
            found.setdefault(target.name, reference.location)
    return found


def _reach(definitions: Mapping[str, Definition]) -> dict[str, int]:
    """Service -> the services that it waits for, directly or not, as bits by position: one walk over the edges."""
    bit = {name: 1 << position for position, name in enumerate(definitions)}
    reach: dict[str, int] = {}
    for root in definitions:
        path = [(root, iter(definitions[root].depends_on))] if root not in reach else []
        reach.setdefault(root, 0)
        while path:
            name, edges = path[-1]
            edge: Dependency | None = next((edge for edge in edges if edge.service in bit), None)
            if edge is None:
                path.pop()
                if path:
                    reach[path[-1][0]] |= reach[name] | bit[name]
            elif edge.service in reach:
                reach[name] |= reach[edge.service] | bit[edge.service]
            else:
                reach[edge.service] = 0
                path.append((edge.service, iter(definitions[edge.service].depends_on)))
    return reach


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
    definitions = {definition.name: definition for definition in _active(project)}
    reach = _reach(definitions)
    bit = {name: 1 << position for position, name in enumerate(definitions)}
    for definition in definitions.values():
        for name, place in _uses(definition, snapshot).items():
            if name in bit and not (reach[definition.name] & bit[name] or reach[name] & bit[definition.name]):
                yield Problem(
                    f"`{definition.name}` is told the address of `{name}`, but does not wait for it",
                    (place,),
                    service=_known_as(definition, snapshot),
                    key=name,
                    field="depends_on",
                )


# --- who can reach whom ------------------------------------------------------------------------------------------


def _real_names(project: Project) -> dict[str, str]:
    """Network key -> the name that the engine knows it by, as far as the files tell it apart."""
    networks = (resource for resource in project.resources if resource.section == "networks")
    return {
        resource.key: resource.name or (resource.key if resource.external else f"{project.name}_{resource.key}")
        for resource in networks
    }


def _networks_of(definition: Definition, snapshot: Snapshot, names: Mapping[str, str]) -> frozenset[str]:
    """The networks that a service is on, by their real names; through `network_mode: service:NAME` another's."""
    composed = snapshot.definitions(definition.environment)
    for _ in range(8):
        mode = definition.network_mode or ""
        other = composed.get(mode.removeprefix("service:")) if mode.startswith("service:") else None
        if other is None:
            break
        definition = other
    return frozenset(names.get(key, key) for key in definition.networks)


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
    names = _real_names(project)
    composed = snapshot.definitions(project.environment)
    networks = {d.name: _networks_of(d, snapshot, names) for d in _active(project)}
    for definition in _active(project):
        own = networks[definition.name]
        wanted = _uses(definition, snapshot)
        for edge in definition.depends_on:
            if edge.service in wanted or not own.isdisjoint(networks.get(edge.service, own)):
                continue
            if f"depends_on.{edge.service}" in definition.lines and edge.condition != _COMPLETED:
                wanted[edge.service] = edge.location or definition.place("depends_on")
        for name, place in wanted.items():
            theirs = networks.get(name)
            if own and theirs and own.isdisjoint(theirs):
                yield _apart(definition, name, place, composed, snapshot)


_COMPLETED = "service_completed_successfully"


def _apart(
    definition: Definition, name: str, place: Location, composed: Mapping[str, Definition], snapshot: Snapshot
) -> Problem:
    other = composed[name]
    return Problem(
        f"`{definition.name}` needs `{name}`, but they share no network",
        (place,),
        tuple(
            Evidence("compose", f"`{one.name}` is on {_listed(one.networks)}", *_at(one.place("networks")))
            for one in (definition, other)
            if one.networks
        ),
        service=_known_as(definition, snapshot),
        key=name,
        field="networks",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


@check(
    Project,
    Severity.INFO,
    fix="Join what always runs together, or let the links talk by a queue.",
    needs=("compose",),
)
def chatty_pipeline(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """Three or more services of one's own stand in a row, each used only by the one before.

    Every request pays for each hop, and none of them can be deployed or fail alone. A chain ends where a service
    has several such followers. Databases, brokers and other
    known components are no links of such a chain. Of a catalogue only declared services are judged.

    Bad:
        compose:
          services:
            intake: {image: "registry.example/intake:1", environment: {NEXT_URL: "http://parse:8000"}}
            parse: {image: "registry.example/parse:1", environment: {NEXT_URL: "http://score:8000"}}
            score: {image: "registry.example/score:1"}
    Good:
        compose:
          services:
            intake: {image: "registry.example/intake:1", environment: {NEXT_URL: "http://parse:8000"}}
            parse: {image: "registry.example/parse:1"}
            score: {image: "registry.example/score:1"}
    """
    own = {d.name: d for d in _active(project) if _is_own(d, snapshot)}
    uses = {definition.name: _wanted(definition, own, snapshot) for definition in _active(project)}
    users: dict[str, list[str]] = defaultdict(list)
    for name, wanted in uses.items():
        for after in wanted:
            users[after].append(name)
    following: dict[str, list[str]] = defaultdict(list)
    for after, names in sorted(users.items()):
        if len(names) == 1 and names[0] in own:
            following[names[0]].append(after)
    linked = {after for names in following.values() for after in names}
    for head, names in following.items():
        if head in linked and len(names) == 1:
            continue  # inside a chain that begins before it
        for after in names:
            chain = [head, after]
            while len(following.get(chain[-1], ())) == 1:
                chain += following[chain[-1]]
            if len(chain) >= 3:
                yield _chain([own[name] for name in chain], uses, snapshot)


def _is_own(definition: Definition, snapshot: Snapshot) -> bool:
    """A service of the project's own making: no known component, and declared where there is a catalogue."""
    declared = snapshot.catalogue is None or snapshot.entry(definition.environment, definition.name) is not None
    return declared and _component(definition, snapshot) is None


def _wanted(definition: Definition, own: Mapping[str, Definition], snapshot: Snapshot) -> dict[str, Location]:
    """The own services that one uses: by address or by `depends_on`."""
    found = {name: place for name, place in _uses(definition, snapshot).items() if name in own}
    for edge in definition.depends_on:
        if edge.service in own and edge.condition != _COMPLETED and edge.service != definition.name:
            found.setdefault(edge.service, edge.location or definition.location)
    return found


def _chain(chain: list[Definition], uses: Mapping[str, dict[str, Location]], snapshot: Snapshot) -> Problem:
    names = [definition.name for definition in chain]
    shown = [f"`{name}`" for name in names[:_MOST_PLACES]] + (["..."] if len(names) > _MOST_PLACES else [])
    places = [uses[name][after] for name, after in pairwise(names)]
    return Problem(
        f"{' -> '.join(shown)} form a chain: each is used only by the one before",
        tuple(places[:_MOST_PLACES]),
        service=_known_as(chain[0], snapshot),
        key=" ".join(names),
    )


# --- tiers and segments ------------------------------------------------------------------------------------------


@check(
    Service,
    Severity.WARNING,
    fix="Move the service to its tier's networks and take its `ports` out, or correct its tier or the policy.",
    needs=("catalogue", "compose"),
)
def tier_violation(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service stands where its tier may not: on a network of another, or published where nothing may be.

    The policy is the catalogue's (`policy: tiers`); networks that it calls `shared` are for all. A port on loopback
    is not published.

    Bad:
        catalogue:
          services: {db: {tier: data}}
          policy: {tiers: {data: {networks: [back], publish: false}}}
        compose:
          services:
            db: {image: "postgres:16.8", networks: [back, front]}
          networks: {front: {}, back: {}}
    Good:
        catalogue:
          services: {db: {tier: data}}
          policy: {tiers: {data: {networks: [back], publish: false}}}
        compose:
          services:
            db: {image: "postgres:16.8", networks: [back]}
          networks: {back: {}}
    """
    definition = service.definition
    tier = _tier(definition, snapshot) if definition and definition.active else None
    if definition is None or tier is None or snapshot.catalogue is None:
        return
    project = snapshot.project(definition.environment)
    names = _real_names(project) if project else {}
    allowed = {*tier.networks, *snapshot.catalogue.shared_networks}
    for key in definition.networks if tier.networks else ():
        if not allowed & {key, names.get(key, key)}:
            yield Problem(
                f"`{service.name}` of tier `{tier.name}` is on the network `{key}`, which is not its tier's",
                (definition.place(f"networks.{key}", "networks"),),
                key=f"network {key}",
                field=f"networks.{key}",
            )
    if tier.publish is False:
        for door in _doors(definition):
            yield Problem(
                f"`{service.name}` of tier `{tier.name}` publishes {_shown(door)} {_where(door)}: its tier may not",
                (door.place or definition.place("ports"),),
                key=f"port {door.text}",
                field="ports",
                cause=door.cause(definition),
            )


@check(
    Project,
    Severity.WARNING,
    fix="Give each pair of neighbouring tiers a network of its own, or declare the network as `shared: true`.",
    needs=("catalogue", "compose"),
)
def tier_skipped(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """Services of tiers that are no neighbours share a network.

    Whoever gets into the outer one stands before the inner one, past the tier that should have asked.

    Bad:
        catalogue:
          services: {web: {tier: edge}, db: {tier: data}}
          policy: {tiers: {edge: {}, core: {}, data: {}}, order: [edge, core, data]}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
            db: {image: "postgres:16.8"}
    Good:
        catalogue:
          services: {web: {tier: edge}, db: {tier: data}}
          policy: {tiers: {edge: {}, core: {}, data: {}}, order: [edge, core, data]}
        compose:
          services:
            web: {image: "nginx:1.27.5", networks: [front]}
            db: {image: "postgres:16.8", networks: [back]}
          networks: {front: {}, back: {}}
    """
    catalogue = snapshot.catalogue
    if catalogue is None or len(catalogue.tier_order) < 3:
        return
    rank = {tier: position for position, tier in enumerate(catalogue.tier_order)}
    names = _real_names(project)
    shared = {*catalogue.shared_networks}
    on: dict[str, dict[int, list[tuple[Definition, Location]]]] = defaultdict(lambda: defaultdict(list))
    for definition in _active(project):
        entry = snapshot.entry(project.environment, definition.name)
        if entry is None or entry.tier not in rank:
            continue
        for key in definition.networks:
            if not shared & {key, names.get(key, key)}:
                place = definition.place(f"networks.{key}", "networks")
                on[names.get(key, key)][rank[entry.tier]].append((definition, place))
    keys = {name: key for key, name in names.items()}
    for network, tiers in on.items():
        for outer, inner in ((a, b) for a in sorted(tiers) for b in sorted(tiers) if b - a > 1):
            pair = catalogue.tier_order[outer], catalogue.tier_order[inner]
            yield _skipped(keys.get(network, network), pair, tiers[outer], tiers[inner], snapshot)


def _skipped(
    network: str,
    tiers: tuple[str, str],
    outer: list[tuple[Definition, Location]],
    inner: list[tuple[Definition, Location]],
    snapshot: Snapshot,
) -> Problem:
    (first, place), (last, other) = outer[0], inner[0]
    beside = len(outer) + len(inner) - 2
    more = f", and {beside} more of these tiers" if beside else ""
    shared = f"`{first.name}` ({tiers[0]}) and `{last.name}` ({tiers[1]}){more} share the network `{network}`"
    return Problem(
        f"{shared}, past the tier between",
        tuple(dict.fromkeys((place, other))),
        tuple(
            Evidence("compose", f"`{definition.name}` is on `{network}`", *_at(at))
            for definition, at in (*outer, *inner)[:_MOST_PLACES]
        ),
        service=_known_as(last, snapshot),
        key=" ".join((network, *tiers)),
        field="networks",
    )


@check(
    Project,
    Severity.INFO,
    fix="Give what faces the outside and what keeps data networks of their own, joined by the services between only.",
    needs=("compose",),
)
def no_segmentation(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """Every service is on the same network.

    Whoever takes over one of them can talk to all the others. Two services that share a network that somebody named
    are left out.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
            api: {image: "registry.example/api:1"}
            db: {image: "postgres:16.8"}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", networks: [front]}
            api: {image: "registry.example/api:1", networks: [front, back]}
            db: {image: "postgres:16.8", networks: [back]}
          networks: {front: {}, back: {}}
    """
    networked = [definition for definition in _active(project) if definition.networks]
    networks = {definition.networks for definition in networked}
    if len(networked) < 2 or len(networks) > 1 or any(len(names) > 1 for names in networks):
        return
    (name,) = next(iter(networks))
    if name != "default" and len(networked) < 3:
        return
    first = min(project.definitions, key=lambda d: (d.location.path, d.location.line or 0))
    places = [
        resource.location for resource in project.resources if (resource.section, resource.key) == ("networks", name)
    ]
    yield Problem(
        f"all {len(networked)} services of `{project.environment}` are on the one network `{name}`",
        tuple(places[:1]) or (first.location,),
        key=name,
        field="networks",
    )


# --- what is declared and used by nobody -------------------------------------------------------------------------


def _unused(project: Project, section: str, used: Iterable[str], what: str) -> Iterator[Problem]:
    """Inactive services use what they name, too."""
    names = set(used)
    for resource in project.resources:
        if resource.section == section and resource.key not in names:
            yield _spare(resource, what)


def _spare(resource: Resource, what: str) -> Problem:
    return Problem(f"no service uses the {what} `{resource.key}`", (resource.location,), key=resource.key)


@check(Project, Severity.INFO, fix="Remove it, or attach the services that it was made for.", needs=("compose",))
def unused_network(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A network is declared, and no service is on it.

    It is a left-over, or a service that should be on it is not.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
          networks: {back: {}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", networks: [back]}
          networks: {back: {}}
    """
    used = (network for definition in project.definitions for network in definition.networks)
    yield from _unused(project, "networks", used, "network")


@check(Project, Severity.INFO, fix="Remove it, or mount it where it was meant to be.", needs=("compose",))
def unused_volume(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A volume is declared, and no service mounts it.

    It is a left-over, or data that somebody believes to be kept is not.

    Bad:
        compose:
          services:
            db: {image: "postgres:16.8"}
          volumes: {db-data: {}}
    Good:
        compose:
          services:
            db: {image: "postgres:16.8", volumes: ["db-data:/var/lib/postgresql/data"]}
          volumes: {db-data: {}}
    """
    used = (mount.source or "" for definition in project.definitions for mount in definition.mounts)
    yield from _unused(project, "volumes", used, "volume")


@check(Project, Severity.INFO, fix="Remove it, or give it to the service that it was made for.", needs=("compose",))
def unused_secret(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A secret is declared, and no service is given it.

    It is a left-over, or a service gets the secret by a way that shows it.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
          secrets: {token: {file: ./token}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", secrets: [token]}
          secrets: {token: {file: ./token}}
    """
    used = (name for definition in project.definitions for name in definition.secrets)
    yield from _unused(project, "secrets", used, "secret")


@check(Project, Severity.INFO, fix="Remove it, or give it to the service that it was made for.", needs=("compose",))
def unused_config(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A config is declared, and no service is given it.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
          configs: {site: {file: ./site.conf}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", configs: [site]}
          configs: {site: {file: ./site.conf}}
    """
    used = (name for definition in project.definitions for name in definition.configs)
    yield from _unused(project, "configs", used, "config")
