"""`ports`: the short and the long form as single published ports."""

from __future__ import annotations

import re
from contextlib import suppress

from auditor.compose.interpolate import Text
from auditor.compose.places import Faults
from auditor.compose.values import integer, scalar_text
from auditor.model import Port
from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Value

_SHORT = regexp(
    r"(?:(?P<host>\[[0-9a-fA-F:.%]*\]|[^:\[\]]*):(?=[^:]*:))?(?:(?P<published>[0-9]*(?:-[0-9]+)?):)?"
    r"(?P<target>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>\w*)(?:/.*)?)?"
)
_PROTOCOLS = frozenset(("tcp", "udp", "sctp"))
_HIGHEST = 65_535
_MOST = 10_000  # ports of one service


class PortError(ValueError):
    """A port that Compose refuses."""


def ports(value: Value, faults: Faults, service: str) -> tuple[Port, ...]:
    """Each published port once, in the order of the file; what cannot be read is a fault at its line."""
    found: dict[tuple[str | None, str | None, int, str], Port] = {}
    if not isinstance(value, Sequence):
        return ()
    for item, position in zip(value, value.lines, strict=True):
        location = faults.places.at(position)
        try:
            if isinstance(item, Text) and item == "":
                continue  # a variable was not set, and that is said elsewhere
            for host, published, target, protocol in _read(item):
                found.setdefault((host, published, target, protocol), Port(target, published, host, protocol, location))
        except PortError as error:
            faults.add(str(error), location, service=service)
        if len(found) > _MOST:
            faults.add(f"more than {_MOST} ports", location, service=service, fatal=True)
            break
    return tuple(found.values())


def exposed(value: Value) -> tuple[int, ...]:
    """The single ports that `expose` names; ranges are told apart."""
    if not isinstance(value, Sequence):
        return ()
    numbers: dict[int, None] = {}
    for item in value:
        text = scalar_text(item).partition("/")[0]
        try:
            numbers.update(dict.fromkeys(_range(text)))
        except PortError:
            continue
    return tuple(numbers)


_Quadruple = tuple[str | None, str | None, int, str]


def _read(item: Value) -> list[_Quadruple]:
    if isinstance(item, Mapping):
        return [] if integer(item.get("target")) == 0 else [_long(item)]  # Compose takes it and publishes nothing
    if isinstance(item, bool) or not isinstance(item, str | int):
        raise PortError("a port is a number, a text or a mapping with `target`")
    text = str(item)
    match = _SHORT.fullmatch(text)
    if match is None:
        raise PortError(f"`{text[:60]}` is no port: write `published:target` or `address:published:target/protocol`")
    return _short(match, text)


def _short(match: re.Match[str], text: str) -> list[_Quadruple]:
    protocol = (match["protocol"] or "tcp").lower()
    if protocol not in _PROTOCOLS:
        raise PortError(f"`{text[:60]}` has no protocol that Compose knows")
    host = None if match["host"] is None else match["host"].strip("[]")
    targets = _range(match["target"])
    published = match["published"] or None
    if published is None:
        return [(host, None, target, protocol) for target in targets]
    sources = _range(published)
    if len(targets) == 1:
        return [(host, str(sources[0]) if len(sources) == 1 else published, targets[0], protocol)]
    if len(sources) != len(targets):
        raise PortError(f"the ranges of `{text[:60]}` differ in length")
    return [(host, str(source), target, protocol) for source, target in zip(sources, targets, strict=True)]


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()) or len(text) > 11:
        raise PortError(f"`{text[:60]}` is no port")
    low, high = int(first), int(last or first)
    if not low <= high <= _HIGHEST:
        raise PortError(f"`{text[:60]}` is no port: the highest is {_HIGHEST}, ranges go upwards")
    return range(low, high + 1)


def _long(item: Mapping) -> _Quadruple:
    target = integer(item.get("target"))
    if target is None or not 0 < target <= _HIGHEST:
        raise PortError("a port without a `target` between 1 and 65535")
    published = item.get("published")
    text: str | None = scalar_text(published) or None
    with suppress(PortError):
        _range(text or "0")
        return _quadruple(item, text, target)
    return _quadruple(item, None, target)  # Compose takes any text; the engine would not


def _quadruple(item: Mapping, published: str | None, target: int) -> _Quadruple:
    host, protocol = item.get("host_ip"), item.get("protocol")
    return (
        str(host) if isinstance(host, str) else None,
        published,
        target,
        protocol.lower() if isinstance(protocol, str) and protocol else "tcp",
    )
