"""Who answers at an address, asked from one service: by which name, on which network, and at which port."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import urlsplit

from auditor.frozen import dataclass
from auditor.inventory import HOST_MACHINE, LOCAL_HOSTS, Service, Snapshot
from auditor.model import Address, Component, Definition, Lifecycle, Mount, Port
from auditor.regexp import regexp


@dataclass(frozen=True, slots=True)
class Answer:
    """The service behind an address.

    via: `name` on a common network, `host` (a port that it publishes, or a host process), `address` (declared so).
    port: the one that is asked inside the service; None where the address has none. reached: whether the asker shares a
    network with it; served: whether it listens on the port. None: it cannot be told.
    """

    service: Service
    via: str
    port: int | None = None
    reached: bool | None = None
    served: bool | None = None


def answer(address: Address, asker: Service | None, environment: str, snapshot: Snapshot) -> Answer | None:
    """The service that answers at `address` when `asker` asks; None where nothing known does.

    asker: None where it is not known who asks, such as a server outside the project.
    """
    if address.host in LOCAL_HOSTS and asker is not None and not _on_host(asker):
        return _itself(address, asker)
    if address.host in LOCAL_HOSTS | HOST_MACHINE:
        return _at_host(address.port, environment, snapshot)
    definition = snapshot.provider(environment, address.host)
    if definition is not None:
        service = snapshot.service(environment, snapshot.known_as(environment, definition.name))
        return _composed(service, definition, address.port, asker, snapshot) if service else None
    return _by_hand(address, environment, snapshot) or _declared(address, environment, snapshot)


def address_in(url: str) -> Address | None:
    """Whom a URL, or `host:port`, means; None where it names nobody."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        return Address(parts.hostname, parts.port, parts.scheme or None) if parts.hostname else None
    except ValueError:
        return None


def _on_host(service: Service) -> bool:
    """Whether its loopback is the host's."""
    mode = service.definition.network_mode if service.definition else None
    return service.lifecycle is Lifecycle.PROCESS or mode == "host"


def _itself(address: Address, asker: Service) -> Answer:
    return Answer(asker, "name", address.port, True, _serves(asker, address.port))


def _at_host(port: int | None, environment: str, snapshot: Snapshot) -> Answer | None:
    """Who has a port of the host: a service that publishes it, or a process that is declared to listen there."""
    if port is None:
        return None
    single, ranges = _host_ports(snapshot, environment)
    among = next((one for ports, one in ranges if port in ports), None)
    found = min((one for one in (single.get(port), among) if one), key=lambda one: one[0], default=None)
    if found:
        return Answer(found[1], "host", port if found[2] is None else found[2], True, True)
    usual = _usual_on_host(snapshot, environment).get(port)
    return Answer(usual, "host", port, True, None) if usual else None


@lru_cache(maxsize=8)
def _usual_on_host(snapshot: Snapshot, environment: str) -> dict[int, Service]:
    """Who shares the host's network and usually listens there, where its command does not say that it does."""
    mine = [s for s in snapshot.services if s.environment == environment and s.definition and _on_host(s)]
    return {port: s for s in reversed(mine) if s.component for port in _usual_ports(s.component)}


_Holder: TypeAlias = "tuple[int, Service, int | None]"  # its place in line; the port inside, None: the same


@lru_cache(maxsize=8)
def _host_ports(snapshot: Snapshot, environment: str) -> tuple[dict[int, _Holder], list[tuple[range, _Holder]]]:
    """Who has each port of the host, the first one of several; and who has one of a range."""
    single: dict[int, _Holder] = {}
    ranges: list[tuple[range, _Holder]] = []
    for rank, service in enumerate(snapshot.services):
        if service.environment != environment:
            continue
        for port in _own_ports(service):
            single.setdefault(port, (rank, service, None))
        for one in service.definition.ports if service.definition else ():
            ports = _published(one)
            if len(ports) > 1:
                ranges.append((ports, (rank, service, one.target)))
            elif ports:
                single.setdefault(ports[0], (rank, service, one.target))
    return single, ranges


def _own_ports(service: Service) -> Iterator[int]:
    """The ports of a service that listens on the host itself."""
    if service.lifecycle is Lifecycle.PROCESS:
        yield from service.entry.ports if service.entry else ()
        if port := _metrics_port(service):
            yield port
    if service.definition and service.definition.network_mode == "host":
        yield from known_ports(service)


def _published(port: Port) -> range:
    """The ports of the host that one is published on, none where it is left to the engine."""
    first, _, last = (port.published or "").partition("-")
    return range(int(first), int(last or first) + 1) if first.isdecimal() else range(0)


def _composed(
    service: Service, definition: Definition, port: int | None, asker: Service | None, snapshot: Snapshot
) -> Answer:
    reached = None
    if asker is not None and asker.definition is not None:
        reached = share_network(asker.definition, definition, snapshot)
    return Answer(service, "name", port, reached, _serves(service, port))


def _by_hand(address: Address, environment: str, snapshot: Snapshot) -> Answer | None:
    """A container that nobody composed and that has just this name."""
    service = snapshot.service_with(environment, address.host)
    return Answer(service, "name", address.port, None, _serves(service, address.port)) if service else None


def _declared(address: Address, environment: str, snapshot: Snapshot) -> Answer | None:
    entry = snapshot.entry(environment, address.host)
    elsewhere = entry is not None and entry.lifecycle in (Lifecycle.EXTERNAL, Lifecycle.PROCESS, Lifecycle.EMBEDDED)
    service = snapshot.service(environment, entry.name) if entry and elsewhere else None
    service = service or snapshot.service_at(environment, address.host)
    return Answer(service, "address", address.port, None, None) if service else None


def _metrics_port(service: Service) -> int | None:
    return service.entry.metrics.port if service.entry and service.entry.metrics else None


def _serves(service: Service, port: int | None) -> bool | None:
    """Whether the service listens on the port, as far as anybody says on which it does."""
    if port is None:
        return None
    ports = known_ports(service)
    return port in ports if ports else None


def known_ports(service: Service) -> frozenset[int]:
    """Every port that the catalogue, Compose, the containers or the knowledge base say it listens on; none: unknown.

    What a known component listens on by itself counts only where its command is its image's own.
    """
    found: set[int] = set()
    if service.entry:
        found.update(service.entry.ports)
        if service.entry.metrics and service.entry.metrics.port:
            found.add(service.entry.metrics.port)
    if service.definition:
        found.update(port.target for port in service.definition.ports)
        found.update(service.definition.expose)
    for container in service.containers:
        found.update(port.target for port in container.ports)
    component = service.component
    if component and (found or not _own_command(service)):
        found.update(_usual_ports(component))
    return frozenset(found)


def _usual_ports(component: Component) -> frozenset[int]:
    own = (*component.ports, *component.admin_ports, component.metrics.port if component.metrics else None)
    return frozenset(port for port in own if port)


def _own_command(service: Service) -> bool:
    lines = service.definition.lines if service.definition else {}
    return ("command" in lines and not _stays(service)) or "entrypoint" in lines


def _stays(service: Service) -> bool:
    """Whether the flags that it is given say nothing of where it listens, and nothing else could."""
    by_flag = service.component is not None and service.component.kind in SET_UP_BY_FLAGS
    return by_flag and service.definition is not None and service.definition.stays


def set_up(service: Service) -> bool:
    """Whether a composed service may listen elsewhere than its image does: by command, variable or configuration."""
    definition = service.definition
    if definition is None:
        return False
    by_flag = service.component is not None and service.component.kind in SET_UP_BY_FLAGS
    given = not by_flag and (definition.granted_files or any(_is_configuration(one) for one in definition.mounts))
    named = any(_may_move(variable.name, definition) for variable in definition.variables)
    return bool(named or given) or _own_command(service) or "build" in definition.lines


SET_UP_BY_FLAGS = frozenset({"exporter", "metrics"})  # what their configuration says is not where they listen
_LISTENS = regexp(r"PORTS?(?:_|$)|LISTEN|BIND", re.IGNORECASE)  # KAFKA_ADVERTISED_LISTENERS
_ADDRESS = regexp(r"(?:^|_)ADDR", re.IGNORECASE)  # HTTP_ADDR, but also the REDIS_ADDR of an exporter


def _may_move(name: str, definition: Definition) -> bool:
    """Whether a variable may say where its program listens, and does not name another host."""
    if _LISTENS.search(name):
        return True
    named = (one.address.host for one in definition.references if one.where == f"variable `{name}`")
    return bool(_ADDRESS.search(name)) and all(host == definition.name for host in named)


def _is_configuration(mount: Mount) -> bool:
    """Whether a mount brings files of the project, and not the engine's socket or the host's own directories."""
    return mount.kind == "bind" and not (mount.source or "/").startswith("/")


def sees_socket(reader: Definition, place: str) -> bool:
    """Whether a composed service has the engine's socket at a path, below `/run` or the same `/var/run`."""
    return reader.api_socket or any(_covers(mount.target, place) for mount in reader.mounts)


def _covers(target: str, place: str) -> bool:
    target, place = target.removeprefix("/var"), place.removeprefix("/var")
    return place == target or place.startswith(f"{target.rstrip('/')}/")


# --- networks ------------------------------------------------------------------------------------------------------


def share_network(one: Definition, other: Definition, snapshot: Snapshot) -> bool | None:
    """Whether two composed services are on a common network; None where one of them is on none that is known."""
    own, theirs = networks_of(one, snapshot), networks_of(other, snapshot)
    return not own.isdisjoint(theirs) if own and theirs else None


def networks_of(definition: Definition, snapshot: Snapshot) -> frozenset[str]:
    """The networks that a service is on, by their real names; through `network_mode: service:NAME` another's."""
    composed, names = snapshot.definitions(definition.environment), snapshot.network_names(definition.environment)
    for _ in range(8):
        mode = definition.network_mode or ""
        other = composed.get(mode.removeprefix("service:")) if mode.startswith("service:") else None
        if other is None:
            break
        definition = other
    return frozenset(names.get(key, key) for key in definition.networks)
