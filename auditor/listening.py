"""Who holds a port: the process that the catalogue declares, another one, or the engine for a container."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.commandline import same_command, started_by
from auditor.frozen import dataclass
from auditor.model import Entry, Listener

EVERYWHERE = frozenset({None, "", "0.0.0.0", "::", "*"})  # noqa: S104  compared, never bound

# Programs that hold a port for a container, or for whatever a manager starts on the first call.
FORWARDERS = frozenset(
    {
        "docker-proxy", "dockerd", "rootlesskit", "rootlesskit-docke", "rootlessport", "rootlessport-chi",
        "slirp4netns", "pasta", "pasta.avx2", "conmon", "containerd-shim", "containerd-shim-runc-v2",
        "com.docker.backend", "com.docker.backe", "vpnkit", "vpnkit-bridge", "gvproxy", "limactl",
    }
)  # fmt: skip
_ACTIVATORS = frozenset({"systemd", "launchd"})


@dataclass(frozen=True, slots=True)
class Holders:
    """Who listens on the ports of a declared process.

    `own`: the declared process, as far as the entry tells how to know it. `unseen`: somebody whom this user may not
    see, while the entry says what should be there. `others`: somebody else.
    """

    own: tuple[Listener, ...] = ()
    unseen: tuple[Listener, ...] = ()
    others: tuple[Listener, ...] = ()

    @property
    def present(self) -> tuple[Listener, ...]:
        """Those that may be it."""
        return self.own + self.unseen


def sockets_of(entry: Entry) -> tuple[tuple[int, str], ...]:
    """The ports that an entry declares, each with its protocol."""
    return entry.sockets or tuple((port, "tcp") for port in entry.ports)


def shown(socket: tuple[int, str]) -> str:
    """`5001`, or `53/udp`."""
    port, protocol = socket
    return str(port) if protocol == "tcp" else f"{port}/{protocol}"


def holders(entry: Entry, listeners: Iterable[Listener]) -> Holders:
    """Who of the environment's listeners holds the entry's ports."""
    wanted = frozenset(sockets_of(entry))
    groups: dict[str, list[Listener]] = {"own": [], "unseen": [], "others": []}
    for listener in listeners:
        if (listener.port, listener.protocol) in wanted:
            groups[_whose(listener, entry)].append(listener)
    return Holders(*map(tuple, groups.values()))


def _whose(listener: Listener, entry: Entry) -> str:
    if for_container(listener):
        return "others"
    if entry.command is None or listener.process in _ACTIVATORS:
        return "own"
    if listener.command is None:
        return "unseen"
    command = entry.command
    own = same_command(command, listener.command) or any(started_by(command, parent) for parent in listener.parents)
    return "own" if own else "others"


def for_container(listener: Listener) -> bool:
    """Whether a listener is a container's, or the engine that forwards to one."""
    return listener.container is not None or listener.process in FORWARDERS


def called(listener: Listener) -> str:
    """What to call who listens, with its id and command where they are known."""
    if listener.process is None:
        return "a process that this user may not see"
    told = [f"pid {listener.pid}"] if listener.pid else []
    if listener.command and listener.command != listener.process:
        told.append(listener.command if len(listener.command) <= 80 else listener.command[:79] + "…")
    return f"process `{listener.process}`" + (f" ({': '.join(told)})" if told else "")


def described(listener: Listener) -> str:
    """Who listens where, since when, and what it uses, as far as that is known."""
    began, used = listener.started_at, listener.cpu_seconds
    told = [f"since {began:%Y-%m-%d %H:%M:%S} UTC"] if began else []
    told += [f"{listener.memory / (1 << 20):.0f} MiB of memory"] if listener.memory else []
    told += [f"{used:g} s of processor time"] if used is not None else []
    port = shown((listener.port, listener.protocol))
    return ", ".join((f"{called(listener)} listens on port {port}", *told))


def clash(one: str | None, other: str | None) -> bool:
    """Whether two addresses of one port cannot be listened on both."""
    first, second = _plain(one), _plain(other)
    if first in EVERYWHERE or second in EVERYWHERE:
        return True
    return first == second


def _plain(address: str | None) -> str | None:
    text = address.strip("[]") if address else address
    return text.removeprefix("::ffff:") if text else text
