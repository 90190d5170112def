"""From declared probes to questions with an address; what cannot be asked from here is known before all sending."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from auditor.inventory import Service, Snapshot
from auditor.model import Container, Lifecycle, Location, Port, Probe

TIMEOUT = 5.0  # seconds
PORTS = {"http": 80, "https": 443}
_EVERYWHERE = frozenset({None, "", "0.0.0.0", "::", "[::]"})  # noqa: S104  compared, never bound


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an answer must be. statuses: inclusive ranges. json: the part that the body must hold. latency: seconds."""

    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    json: object = None
    max_latency: float | None = None

    def allows(self, status: int) -> bool:
        return any(low <= status <= high for low, high in self.statuses)


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """One question, ready to be asked. `unreachable` says why it cannot be: its result is then unknown.

    `headers_env`: header -> name of the environment variable that holds its value. `timeout`: seconds for all of it.
    """

    service: str
    environment: str
    kind: str
    host: str = ""
    port: int = 0
    scheme: str = "http"
    path: str = "/"  # with its query
    method: str = "GET"
    headers_env: Mapping[str, str] = field(default_factory=dict)
    expect: Expectation = Expectation()
    timeout: float = TIMEOUT
    unreachable: str | None = None
    shown: str | None = None  # what to call it where it has no address

    @property
    def target(self) -> str:
        """Where it goes, without user, password or query."""
        if self.shown is not None:
            return self.shown
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.kind == "tcp":
            return f"{host}:{self.port}"
        port = "" if PORTS.get(self.scheme) == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path.partition('?')[0]}"


def plan_probes(
    snapshot: Snapshot, environment: str, *, local: bool = True, shares_network: bool = False
) -> list[ProbeRequest]:
    """The questions for one judged environment, in the catalogue's order; pure.

    local: its engine is on this machine, so loopback leads to the ports that it publishes. shares_network: the auditor
    runs inside the environment's networks, so service names resolve. A declared probe that cannot be asked is there,
    with the reason. Where none is declared and containers of the service are seen to run, its component's own question
    is asked, if it can be reached.
    """
    place = _Place(local, shares_network)
    requests: list[ProbeRequest] = []
    for service in snapshot.services:
        if service.environment != environment:
            continue
        host = snapshot.service(environment, service.host) if service.host else None
        subject = _Subject(service, host or service, place)
        declared = service.entry.probes if service.entry else ()
        requests += [_request(probe, subject) for probe in declared] if declared else _default(subject)
    return requests


@dataclass(frozen=True, slots=True)
class _Place:
    """From where is asked."""

    local: bool
    shares_network: bool


@dataclass(frozen=True, slots=True)
class _Subject:
    """A service, and the one that runs it: itself, or the host that it is a part of."""

    service: Service
    runner: Service
    place: _Place

    @property
    def containers(self) -> list[Container]:
        return [container for container in self.runner.containers if container.state == "running"]

    @property
    def host(self) -> str:
        """Its name on the project's networks."""
        return self.runner.definition.name if self.runner.definition else self.runner.name


def _default(subject: _Subject) -> list[ProbeRequest]:
    """The known component's question, or nothing."""
    default = subject.service.component.probe if subject.service.component else None
    if default is None or not subject.containers or subject.service.host:
        return []
    options: dict[str, object] = {"port": default.port}
    if default.kind == "http":
        options["path"] = default.path or "/"
    request = _request(Probe(default.kind, options, Location("")), subject)
    return [request] if request.unreachable is None else []


def _request(probe: Probe, subject: _Subject) -> ProbeRequest:
    planner = _PLANNERS.get(probe.kind)
    if planner is None:
        return _unreachable(probe, subject, f"`{probe.kind}` probes are not built in this version")
    try:
        return planner(probe, subject)
    except ValueError as error:
        return _unreachable(probe, subject, str(error))


def _http(probe: Probe, subject: _Subject) -> ProbeRequest:
    options = probe.options
    url = options.get("url")
    if isinstance(url, str):
        scheme, host, port, path = split_url(url)
    else:
        scheme, path = "http", str(options.get("path") or "/")
        host, port = _reach(options.get("port"), subject)
    return ProbeRequest(
        service=subject.service.name,
        environment=subject.service.environment,
        kind=probe.kind,
        host=host,
        port=port,
        scheme=scheme,
        path=path if path.startswith("/") else f"/{path}",
        method=str(options.get("method") or "GET"),
        headers_env={str(header): str(name) for header, name in _mapping(options.get("headers_env")).items()},
        expect=_expectation(_mapping(options.get("expect"))),
        timeout=_seconds(options.get("timeout")) or TIMEOUT,
    )


def _tcp(probe: Probe, subject: _Subject) -> ProbeRequest:
    options = probe.options
    address = options.get("address")
    host, port = split_address(address) if isinstance(address, str) else _reach(options.get("port"), subject)
    return ProbeRequest(
        service=subject.service.name,
        environment=subject.service.environment,
        kind=probe.kind,
        host=host,
        port=port,
        timeout=_seconds(options.get("timeout")) or TIMEOUT,
    )


_PLANNERS = {"http": _http, "tcp": _tcp}


def _unreachable(probe: Probe, subject: _Subject, reason: str) -> ProbeRequest:
    port = probe.options.get("port")
    return ProbeRequest(
        service=subject.service.name,
        environment=subject.service.environment,
        kind=probe.kind,
        unreachable=reason,
        shown=f"{subject.host}:{port}" if port else subject.host,
    )


# --- addresses -------------------------------------------------------------------------------------------------


def split_url(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port, path with query. Raises ValueError with the reason."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("only `http` and `https` addresses are probed")
    if parts.username is not None or parts.password is not None:
        raise ValueError("its address holds a user: give credentials by `headers_env` instead")
    if not parts.hostname:
        raise ValueError("its address has no host")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme], path


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[::1]:port`. Raises ValueError with the reason."""
    found = re.fullmatch(r"(?:tcp://)?(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:/@]+)):(\d{1,5})", address)
    if found is None:
        raise ValueError("its address is not `host:port`")
    return found[1] or found[2], _number(found[3])


def _reach(port: object, subject: _Subject) -> tuple[str, int]:
    """How a port that the service listens on is reached from here. Raises ValueError with the reason if it is not."""
    number = _number(port)
    if subject.runner.lifecycle is Lifecycle.PROCESS:
        return "127.0.0.1", number
    published = _published(number, subject)
    if published and subject.place.local:
        return published
    if subject.place.shares_network:
        return subject.host, number
    if published:
        raise ValueError("its engine is on another machine, and no network is shared with it")
    raise ValueError(f"port {number} is not published, and no network is shared with it")


def _published(port: int, subject: _Subject) -> tuple[str, int] | None:
    """Where the port is published: what runs knows it better than the files."""
    ports = [port for container in subject.containers for port in container.ports]
    if not subject.containers and subject.runner.definition is not None:
        ports = list(subject.runner.definition.ports)
    return next(_bound(ports, port), None)


def _bound(ports: Iterable[Port], target: int) -> Iterator[tuple[str, int]]:
    for port in ports:
        if port.target == target and port.protocol == "tcp" and re.fullmatch(r"[1-9]\d{0,4}", port.published or ""):
            yield (
                "127.0.0.1" if port.host_ip in _EVERYWHERE else str(port.host_ip).strip("[]"),
                int(str(port.published)),
            )


# --- options: the catalogue has checked them, durations are seconds and statuses ranges -------------------------


def _expectation(options: Mapping[str, object]) -> Expectation:
    statuses = options.get("status")
    return Expectation(
        statuses=tuple(statuses) if isinstance(statuses, list | tuple) else Expectation().statuses,
        json=options.get("json"),
        max_latency=_seconds(options.get("max_latency")),
    )


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _number(value: object) -> int:
    if not re.fullmatch(r"[1-9]\d{0,4}", str(value)) or int(str(value)) > 65535:
        raise ValueError("it has neither an address nor a port from 1 to 65535")
    return int(str(value))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
