"""How a setting of a container is written, so that a file's and an engine's texts for one thing are equal.

A `Setup` names its fields as Compose does; besides, `volume_options` stands beside `volumes` (target -> source),
`network_aliases` and `network_addresses` beside `networks`, `logging_options` beside `logging` (the driver), and
`device_requests` for `gpus` and reserved devices. In a wanted setup a field that is missing is not stated, and None is
one whose value is not known here; the same holds for the values of a mapping, and its key `*` says that names may be
missing. `hash_key` names the key of all its digests.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

from auditor.regexp import regexp

ANY = "*"  # among the names of a mapping: there may be more than can be seen
EVERY_INTERFACE = frozenset(("", "0.0.0.0"))  # noqa: S104  compared, never bound
OWN_LABELS = (
    "com.docker.compose.", "com.docker.swarm.", "com.docker.stack.", "io.podman.", "desktop.docker.io/",
    "PODMAN_SYSTEMD_UNIT",
)  # fmt: skip
_SIGNALS = {"1": "HUP", "2": "INT", "3": "QUIT", "6": "ABRT", "9": "KILL", "10": "USR1", "12": "USR2", "14": "ALRM"}
_SIGNALS |= {"15": "TERM", "28": "WINCH"}
_FLAG_OPTIONS = frozenset(("rw", "", "rprivate"))  # what an engine does anyway


def port(host: str | None, published: str | None, target: int | str, protocol: str) -> str:
    """A published port as `address:published:target/protocol`; every interface and a random port are empty."""
    address = "" if host is None or host in EVERY_INTERFACE else host.strip("[]")
    return f"{address}:{'' if published in (None, '0') else published}:{target}/{protocol.lower()}"


def shown_port(text: str) -> str:
    """That port as one would write it."""
    address, _, rest = text.rpartition(":")
    host, _, published = address.rpartition(":")
    outside = f"`{published}`" if published else "a random port"
    return f"{outside}{f' of {host}' if host else ''} for `{rest}`"


def exposed(text: str) -> list[str]:
    """`3000-3001/udp` as single `port/protocol`."""
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    if not first.isdecimal() or not (last or "0").isdecimal() or len(numbers) > 11:
        return []
    return [f"{number}/{(protocol or 'tcp').lower()}" for number in range(int(first), int(last or first) + 1)]


def options(flags: Iterable[str], read_only: bool = False) -> str:
    """The options of a mount in one order, what is usual left out."""
    kept = {_option(flag) for flag in flags} - _FLAG_OPTIONS
    kept.discard("ro")
    return ",".join(sorted(kept | ({"ro"} if read_only else set())))


def _option(flag: str) -> str:
    name, separator, value = flag.strip().partition("=")
    if name == "size" and (bytes_ := _bytes(value)) is not None:
        return f"size={bytes_}"
    if name == "mode" and re.fullmatch(r"[0-7]{1,6}", value):
        return f"mode={int(value, 8):o}"
    return f"{name}{separator}{value}"


_SIZE = regexp(r"([0-9]{1,15})([kmg]?)b?", re.IGNORECASE)


def _bytes(text: str) -> int | None:
    match = _SIZE.fullmatch(text)
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()] if match else None


def path(text: str) -> str:
    """A path in a container without doubled or trailing slashes."""
    return posixpath.normpath(text).replace("//", "/") if text else text


def capability(text: str) -> str:
    """`NET_ADMIN` of `cap_net_admin`."""
    return text.upper().removeprefix("CAP_")


def signal(text: str) -> str:
    """`SIGTERM` of `15`, `TERM`, `sigterm`."""
    name = text.upper().removeprefix("SIG")
    return f"SIG{_SIGNALS.get(name, name)}"


def security(text: str) -> str:
    """A security option; a profile that somebody wrote is only told from the engine's own."""
    name, sign, value = text.replace("=", ":", 1).partition(":")
    if name == "no-new-privileges":
        return name if value in ("", "true") else f"{name}:{value}"
    if name == "seccomp" and value not in ("unconfined", "builtin"):
        return "seccomp:a profile of its own"
    return f"{name}{sign}{value}"


def cpus(text: str) -> str:
    """A set of processors as single numbers: `0-2` is `0,1,2`."""
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or "0").isdecimal() or len(part) > 9:
            return text
        found.update(range(int(first), int(last or first) + 1))
    return ",".join(str(number) for number in sorted(found))


def host(text: str) -> str:
    """`name=address` of `name:address`; an address may have colons itself, and brackets."""
    match = re.match(r"([^:=]*)[:=](.*)", text)
    return f"{match[1]}={match[2].strip('[]')}" if match else text


def restart(name: str, attempts: int) -> str:
    """A restart policy: `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:3`."""
    return f"{name}:{attempts}" if name == "on-failure" and attempts else name or "no"


def device_request(
    driver: str, count: int, ids: Iterable[str], capabilities: Iterable[str], given: Mapping[str, str]
) -> str:
    """A request for devices such as GPUs; all of them where neither a count nor ids are said."""
    wanted = {
        "driver": driver,
        "devices": ",".join(sorted(ids)) or ("all" if count == -1 else str(count)),
        "capabilities": ",".join(sorted(capabilities)),
        "options": ",".join(sorted(f"{key}={value}" for key, value in given.items())),
    }
    return " ".join(f"{key}={value}" for key, value in wanted.items() if value)


def is_own(label: str) -> bool:
    """Whether a label is Compose's, Swarm's or the engine's, not the user's."""
    return label.startswith(OWN_LABELS)
