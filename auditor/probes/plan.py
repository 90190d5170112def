"""From declared probes to questions with an address; what cannot be asked from here is known before all sending."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from auditor.model import Container, DefaultProbe, Definition, Entry, Lifecycle, Location, Port, Probe
from auditor.settings import duration

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


@dataclass(frozen=True, slots=True)
class Place:
    """From where one environment is probed. local: its engine is on this machine, so loopback leads to its ports."""

    environment: str
    local: bool = True
    shares_network: bool = False  # the auditor runs inside the environment's networks: service names resolve


def plan_probes(
    entries: Iterable[Entry],
    definitions: Mapping[str, Definition],
    containers: Sequence[Container],
    place: Place,
    defaults: Mapping[str, DefaultProbe] | None = None,
) -> list[ProbeRequest]:
    """The questions for one environment, in the catalogue's order.

    definitions: by Compose service. containers: those of the environment; where it has any, they know the published
    ports better than the files. defaults: service -> how its component is asked where its entry declares no probe;
    those are left out where the port cannot be reached from here.
    """
    requests: list[ProbeRequest] = []
    for entry in entries:
        subject = _Subject(entry, _definition(entry, definitions), tuple(containers), place)
        requests += [_request(probe, subject) for probe in entry.probes]
        default = (defaults or {}).get(entry.name)
        if default and not entry.probes:
            request = _request(_declared(default, entry), subject)
            requests += [request] if request.unreachable is None else []
    return requests


@dataclass(frozen=True, slots=True)
class _Subject:
    entry: Entry
    definition: Definition | None
    all_containers: tuple[Container, ...]
    place: Place

    @property
    def name(self) -> str:
        return self.definition.name if self.definition else self.entry.name

    @property
    def containers(self) -> list[Container]:
        names = {self.name, self.entry.name, *self.entry.aliases}
        return [c for c in self.all_containers if c.service in names and not c.oneoff and c.state == "running"]


def _definition(entry: Entry, definitions: Mapping[str, Definition]) -> Definition | None:
    return next((definitions[name] for name in (entry.name, *entry.aliases) if name in definitions), None)


def _declared(default: DefaultProbe, entry: Entry) -> Probe:
    options: dict[str, object] = {"port": default.port}
    if default.kind == "http":
        options["path"] = default.path or "/"
    return Probe(default.kind, options, Location(entry.location.path, entry.location.line))


def _request(probe: Probe, subject: _Subject) -> ProbeRequest:
    """Raises nothing: options that cannot be meant make the probe unreachable, with the reason."""
    planner = _PLANNERS.get(probe.kind)
    if planner is None:
        return _unreachable(probe, subject, f"`{probe.kind}` probes are not built in this version", probe.kind)
    try:
        return planner(probe, subject)
    except ValueError as error:
        return _unreachable(probe, subject, str(error), probe.kind)


def _http(probe: Probe, subject: _Subject) -> ProbeRequest:
    options = probe.options
    scheme, host, port, path = _http_address(options, subject)
    if isinstance(host, _Unreachable):
        return _unreachable(probe, subject, host.reason, f"port {port}")
    return ProbeRequest(
        service=subject.entry.name,
        environment=subject.place.environment,
        kind=probe.kind,
        host=host,
        port=port,
        scheme=scheme,
        path=path,
        method=str(options.get("method") or "GET").upper(),
        headers_env={str(k): str(v) for k, v in _mapping(options.get("headers_env")).items()},
        expect=_expectation(_mapping(options.get("expect"))),
        timeout=_seconds(options.get("timeout")) or TIMEOUT,
    )


def _tcp(probe: Probe, subject: _Subject) -> ProbeRequest:
    options = probe.options
    address = options.get("address")
    if isinstance(address, str):
        host, port = split_address(address)
    else:
        found, port = _reach(_number(options.get("port")), subject)
        if isinstance(found, _Unreachable):
            return _unreachable(probe, subject, found.reason, f"port {port}")
        host = found
    timeout = _seconds(options.get("timeout")) or TIMEOUT
    return ProbeRequest(subject.entry.name, subject.place.environment, probe.kind, host, port, timeout=timeout)


_PLANNERS = {"http": _http, "tcp": _tcp}


def _unreachable(probe: Probe, subject: _Subject, reason: str, shown: str) -> ProbeRequest:
    return ProbeRequest(
        subject.entry.name, subject.place.environment, probe.kind, unreachable=reason, shown=f"{subject.name} {shown}"
    )


# --- addresses -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Unreachable:
    reason: str


def _http_address(options: Mapping[str, object], subject: _Subject) -> tuple[str, str | _Unreachable, int, str]:
    url = options.get("url")
    if isinstance(url, str):
        return split_url(url)
    host, port = _reach(_number(options.get("port")), subject)
    path = str(options.get("path") or "/")
    return "http", host, port, path if path.startswith("/") else f"/{path}"


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


def _reach(port: int, subject: _Subject) -> tuple[str | _Unreachable, int]:
    """How a port that the service listens on is reached from here."""
    if subject.entry.lifecycle is Lifecycle.PROCESS:
        return "127.0.0.1", port
    published = _published(port, subject)
    if published and subject.place.local:
        return published
    if subject.place.shares_network:
        return subject.name, port
    if published:
        return _Unreachable("the engine is on another machine, and no network is shared with the service"), port
    return _Unreachable(f"port {port} is not published, and no network is shared with the service"), port


def _published(port: int, subject: _Subject) -> tuple[str, int] | None:
    containers = subject.containers
    ports: Iterable[Port] = [p for c in containers for p in c.ports]
    if not containers and subject.definition is not None:
        ports = subject.definition.ports
    return next(_bound(ports, port), None)


def _bound(ports: Iterable[Port], target: int) -> Iterator[tuple[str, int]]:
    for port in ports:
        if port.target == target and port.protocol == "tcp" and re.fullmatch(r"[1-9]\d{0,4}", port.published or ""):
            yield (
                "127.0.0.1" if port.host_ip in _EVERYWHERE else str(port.host_ip).strip("[]"),
                int(str(port.published)),
            )


# --- options ---------------------------------------------------------------------------------------------------


def _expectation(options: Mapping[str, object]) -> Expectation:
    return Expectation(
        statuses=_statuses(options.get("status")),
        json=options.get("json"),
        max_latency=_seconds(options.get("max_latency")),
    )


def _statuses(value: object) -> tuple[tuple[int, int], ...]:
    """`200`, `200-299`, `200,204` or a list of these, as inclusive ranges."""
    if value is None:
        return Expectation().statuses
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    return tuple(_status_range(str(part)) for part in parts)


def _status_range(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*([1-5]\d\d)\s*(?:-\s*([1-5]\d\d)\s*)?", text)
    if found is None:
        raise ValueError("`expect.status` is neither a status such as 200 nor a range such as 200-299")
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise ValueError("the range in `expect.status` ends before it begins")
    return low, high


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return duration(str(value))
    except ValueError:
        raise ValueError("a time is not written as `500ms`, `5s` or `1m`") from None


def _number(value: object) -> int:
    if not re.fullmatch(r"[1-9]\d{0,4}", str(value)) or not 0 < int(str(value)) < 65536:
        raise ValueError("it has neither an address nor a port from 1 to 65535")
    return int(str(value))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
