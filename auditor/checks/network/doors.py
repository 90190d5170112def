"""Published ports as doors: which lines of a file open what, on which addresses."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import lru_cache

from auditor.frozen import dataclass
from auditor.model import (
    Definition,
    Location,
    Port,
)

MOST_PLACES = 12  # lines that one finding shows
ANYWHERE = frozenset({None, "0.0.0.0", "::", "*"})  # noqa: S104  compared, never bound


def host_of(port: Port) -> str | None:
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


def on_loopback(port: Port) -> bool:
    """Whether only the host itself reaches a port."""
    host = host_of(port) or ""
    return host.startswith("127.") or host == "::1"


def publishes(definition: Definition) -> tuple[Port, ...]:
    """The ports that reach the host: on the host's own network, and in another's, Compose publishes none."""
    mode = definition.network_mode or ""
    return () if mode in ("host", "none") or ":" in mode else definition.ports


def span_of(port: Port) -> range | None:
    """The host ports that one may be; None for one that the engine chooses."""
    first, _, last = (port.published or "").partition("-")
    if not first.isdecimal() or first == "0":
        return None
    return range(int(first), int(last or first) + 1)


def at(place: Location) -> tuple[str, int | None]:
    """A place as `Evidence` takes it."""
    return place.path, place.line


def in_words(numbers: list[int]) -> str:
    """Sorted numbers with runs as ranges: `80, 8000-8005`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs[:MOST_PLACES])


@dataclass(frozen=True, slots=True)
class Door:
    """The ports that one line of `ports` publishes beyond the loopback."""

    ports: tuple[Port, ...]
    text: str

    @property
    def place(self) -> Location | None:
        return self.ports[0].location

    def cause(self, definition: Definition) -> str:
        return f"published:{definition.name}:{self.text}"


def doors(definition: Definition) -> Iterator[Door]:
    """Ports as the lines of the file group them; those on loopback, or on an address that is not known, left out."""
    lines: dict[object, list[Port]] = defaultdict(list)
    for number, port in enumerate(publishes(definition)):
        if port.host_ip != "" and not on_loopback(port):
            lines[(port.location, port.host_ip, port.protocol) if port.location else number].append(port)
    for group in lines.values():
        targets = in_words(sorted({port.target for port in group}))
        yield Door(tuple(group), f"{group[0].host_ip or ''} {targets}/{group[0].protocol}".strip())


def narrowed(door: Door, targets: Collection[int]) -> Door:
    """The part of a door that leads to these ports; it stays the same door by its text and cause."""
    return Door(tuple(port for port in door.ports if port.target in targets), door.text)


def shown(door: Door) -> str:
    """`5432`, or `15432 (for 5432)` where the host's port is another."""
    first = door.ports[0]
    targets = sorted({port.target for port in door.ports})
    published = [span for port in door.ports if (span := span_of(port)) is not None]
    if not published:
        return f"a port of the engine's choice (for {in_words(targets)})"
    numbers = sorted({number for span in published for number in span})
    if len(door.ports) == 1 and len(published[0]) > 1:
        return f"{first.published} (for {first.target})"
    return in_words(numbers) + ("" if numbers == targets else f" (for {in_words(targets)})")


def where(door: Door) -> str:
    """On which addresses a door stands open, in words."""
    host = door.ports[0].host_ip
    return "on all interfaces" if host in ANYWHERE else f"on {host}"
