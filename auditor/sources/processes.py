"""Reads on which ports this machine's processes listen, and what those processes are."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import psutil

from auditor.compose.references import addresses
from auditor.compose.secrets import classify
from auditor.digest import Digester
from auditor.errors import EvidenceError
from auditor.model import Address, Listener, Variable
from auditor.regexp import regexp
from auditor.sources.commands import safe_command
from auditor.sources.hostile import printable

_CONTAINER = regexp(r"[0-9a-f]{64}")
_NAME = regexp(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")
_MOST_ANCESTORS = 4
_MOST_VARIABLES = 500
_DENIED = (psutil.Error, OSError, ValueError, RuntimeError)

T = TypeVar("T")


def read_listeners(
    environment: str, ports: Collection[int] = (), *, digester: Digester | None = None
) -> tuple[Listener, ...]:
    """The ports of this machine (of this network namespace) that something listens on, TCP and UDP, by port.

    `ports`: those of declared processes. Of who holds one of them the variables and the commands of the parents are
    read too: names, classes and addresses, digests where there is a digester, never a value. A process of another user
    may have neither id nor name here, but its port all the same. One that runs in a container names it. The engine's
    own forwarder is shown as `docker-proxy`. Raises EvidenceError where the machine does not tell.
    """
    wanted = frozenset(ports)
    seen: dict[tuple[int | None, bool], _Process] = {}
    found = set()
    for item in _sockets():
        closely = item.laddr.port in wanted
        if (item.pid, closely) not in seen:
            seen[item.pid, closely] = _process(item.pid, closely=closely, digester=digester)
        udp = getattr(item, "type", None) == socket.SOCK_DGRAM
        found.add(_Socket(item.laddr.port, item.laddr.ip, "udp" if udp else "tcp", item.pid, closely))
    listeners = [_listener(environment, one, seen[one.pid, one.closely]) for one in found]
    return tuple(sorted(listeners, key=lambda one: (one.port, one.protocol, one.address, one.pid or 0)))


@dataclass(frozen=True, slots=True)
class _Socket:
    port: int
    address: str
    protocol: str
    pid: int | None
    closely: bool


def _sockets() -> Iterator[Any]:
    """The sockets that take what strangers send. One of UDP has no state; it is one where it is tied to no peer."""
    try:
        connections = psutil.net_connections(kind="inet")
    except psutil.AccessDenied:
        raise EvidenceError(
            "listening ports cannot be read: permission denied", help="run as an administrator of this machine"
        ) from None
    except (psutil.Error, OSError, RuntimeError) as error:
        raise EvidenceError(f"listening ports cannot be read: {printable(error)}") from None
    for item in connections:
        unbound = getattr(item, "type", None) == socket.SOCK_DGRAM and not item.raddr
        if item.laddr and (item.status == psutil.CONN_LISTEN or unbound):
            yield item


def _listener(environment: str, one: _Socket, process: _Process) -> Listener:
    return Listener(
        environment=environment,
        port=one.port,
        address=one.address,
        pid=one.pid,
        process=process.name,
        protocol=one.protocol,
        command=process.command,
        started_at=process.started_at,
        memory=process.memory,
        cpu_seconds=process.cpu_seconds,
        directory=process.directory,
        variables=process.variables,
        addresses=process.addresses,
        parents=process.parents,
        container=process.container,
    )


@dataclass(frozen=True, slots=True)
class _Process:
    """What could be seen of a process; nothing of one that ended meanwhile."""

    name: str | None = None
    command: str | None = None
    parents: tuple[str, ...] = ()
    started_at: datetime | None = None
    memory: int | None = None
    cpu_seconds: float | None = None
    directory: str | None = None
    container: str | None = None
    variables: tuple[Variable, ...] | None = None
    addresses: Mapping[str, Address] = field(default_factory=dict)


def _process(pid: int | None, *, closely: bool, digester: Digester | None) -> _Process:
    if pid is None:
        return _Process()
    try:
        process = psutil.Process(pid)
    except _DENIED:
        return _Process()
    with process.oneshot():
        environ = _told(process.environ) if closely else None
        began, used = _told(process.create_time), _told(process.cpu_times)
        memory = _told(process.memory_info)
        return _Process(
            name=printable(_told(process.name) or "", 50) or None,
            command=safe_command(_told(process.cmdline) or ()),
            parents=tuple(_ancestors(process)) if closely else (),
            started_at=datetime.fromtimestamp(began, UTC) if began else None,
            memory=memory.rss if memory else None,
            cpu_seconds=round(used.user + used.system, 2) if used else None,
            directory=printable(_told(process.cwd) or "", 500) or None,
            container=_container(pid),
            variables=None if environ is None else tuple(_variables(environ, digester)),
            addresses={} if environ is None else dict(_addresses(environ)),
        )


def _told(ask: Callable[[], T]) -> T | None:
    """What the machine tells of a process; None where it ended meanwhile or may not be seen."""
    try:
        return ask()
    except _DENIED:
        return None


def _ancestors(process: psutil.Process) -> Iterator[str]:
    """The commands that a process was started by, the nearest first."""
    for _ in range(_MOST_ANCESTORS):
        parent = _told(process.parent)
        if parent is None or parent.pid <= 1:
            return
        command = safe_command(_told(parent.cmdline) or ())
        if command:
            yield command
        process = parent


def _container(pid: int) -> str | None:
    """The id of the container that a process runs in; None: it runs where we do."""
    there = _control_groups(pid)
    return None if there is None or there == _control_groups("self") else there


def _control_groups(pid: int | str) -> str | None:
    try:
        found = _CONTAINER.findall(Path(f"/proc/{pid}/cgroup").read_text(errors="replace"))
    except OSError:
        return None
    return found[-1] if found else None


# --- variables ---------------------------------------------------------------------------------------------------


def _variables(environ: Mapping[str, str], digester: Digester | None) -> Iterator[Variable]:
    for name, value in _named(environ):
        # A `$` is what it says here: nothing will replace it any more.
        kind, default = classify(name, value.replace("$", "$$"), is_address=name in dict(_addresses({name: value})))
        yield Variable(name, kind, default=default, digest=digester(value) if digester else None)


def _addresses(environ: Mapping[str, str]) -> Iterator[tuple[str, Address]]:
    """Of each variable that names one address, loopback included, that address."""
    for name, value in _named(environ):
        found = addresses(name, value, (), loopback=True)
        if len(found) == 1:
            yield name, found[0]


def _named(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in sorted(environ)[:_MOST_VARIABLES]:
        if _NAME.fullmatch(name):
            yield name, environ[name]
