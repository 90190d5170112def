"""Who answers at an address, asked from one service: by which name, on which network, and at which port."""

from __future__ import annotations

from urllib.parse import urlsplit

from auditor.frozen import dataclass
from auditor.inventory import HOST_MACHINE, LOCAL_HOSTS, Service, Snapshot
from auditor.model import Address, Component, Definition, Lifecycle, Port


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
    for service in snapshot.services:
        if service.environment != environment:
            continue
        ports = service.entry.ports if service.entry else ()
        if service.lifecycle is Lifecycle.PROCESS and (port in ports or port == _metrics_port(service)):
            return Answer(service, "host", port, True, True)
        definition = service.definition
        if definition is None:
            continue
        if definition.network_mode == "host" and _serves(service, port):
            return Answer(service, "host", port, True, True)
        inside = next((target for one in definition.ports if (target := _behind(one, port)) is not None), None)
        if inside is not None:
            return Answer(service, "host", inside, True, True)
    return _usual_at_host(port, environment, snapshot)


def _usual_at_host(port: int, environment: str, snapshot: Snapshot) -> Answer | None:
    """Who shares the host's network and usually listens there, where its command does not say that it does."""
    for service in snapshot.services:
        on_host = service.environment == environment and service.definition is not None and _on_host(service)
        if on_host and service.component and port in _usual_ports(service.component):
            return Answer(service, "host", port, True, None)
    return None


def _behind(port: Port, published: int) -> int | None:
    """The port in the container behind one of the host."""
    first, _, last = (port.published or "").partition("-")
    if not first.isdecimal() or not int(first) <= published <= int(last or first):
        return None
    return port.target


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
    return "command" in lines or "entrypoint" in lines


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
