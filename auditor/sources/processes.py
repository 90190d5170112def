"""Reads which TCP ports this machine's processes listen on."""

from __future__ import annotations

import psutil

from auditor.errors import EvidenceError
from auditor.model import Listener
from auditor.sources.hostile import printable


def read_listeners(environment: str) -> tuple[Listener, ...]:
    """The listening TCP ports of this machine (of this network namespace), by port.

    A process of another user may have neither id nor name here, but its port all the same. The engine's own
    forwarder is shown as `docker-proxy`. Raises EvidenceError where the machine does not tell.
    """
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        raise EvidenceError(
            "listening ports cannot be read: permission denied", help="run as an administrator of this machine"
        ) from None
    except (psutil.Error, OSError, RuntimeError) as error:
        raise EvidenceError(f"listening ports cannot be read: {printable(error)}") from None
    names: dict[int, str | None] = {}
    listeners = {
        Listener(environment, item.laddr.port, item.laddr.ip, item.pid, _name(item.pid, names))
        for item in connections
        if item.status == psutil.CONN_LISTEN and item.laddr
    }
    return tuple(sorted(listeners, key=lambda one: (one.port, one.address, one.pid or 0)))


def _name(pid: int | None, names: dict[int, str | None]) -> str | None:
    """The process's name, each asked once; None where it ended meanwhile or may not be seen."""
    if pid is None:
        return None
    if pid not in names:
        try:
            names[pid] = printable(psutil.Process(pid).name(), 50) or None
        except (psutil.Error, OSError):
            names[pid] = None
    return names[pid]
