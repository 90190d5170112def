"""Which addresses a probe may open a connection to, and how a name becomes one."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IP = IPv4Address | IPv6Address

_REFUSED: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "fe80::/10",
        "100.100.100.200/32",  # metadata: Alibaba
        "192.0.0.192/32",  # metadata: Oracle
        "168.63.129.16/32",  # metadata: Azure
        "fd00:ec2::/32",  # metadata: AWS
        "fd20:ce::254/128",  # metadata: Google
    )
)
_LAST_32_BITS = tuple(ip_network(text) for text in ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48"))
_6TO4 = ip_network("2002::/16")
_TEREDO = ip_network("2001::/32")
_ISATAP = (0x00005EFE, 0x02005EFE)


class Unreachable(Exception):
    """The target cannot be asked from here: the result is unknown, not a failure."""


def refused(address: IP) -> bool:
    """Whether the address is link-local or a metadata service, also inside IPv6 forms that carry an IPv4 address."""
    if any(address in network for network in _REFUSED if network.version == address.version):
        return True
    return isinstance(address, IPv6Address) and any(refused(inner) for inner in _embedded(address))


def _embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    bits = int(address)
    if any(address in network for network in _LAST_32_BITS) or (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(bits & 0xFFFFFFFF)
    if address in _6TO4:
        yield IPv4Address((bits >> 80) & 0xFFFFFFFF)
    if address in _TEREDO:
        yield IPv4Address(~bits & 0xFFFFFFFF)
        yield IPv4Address((bits >> 64) & 0xFFFFFFFF)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host` that may be connected to. Raises Unreachable where there is none.

    The caller connects to one of these and to nothing else, so the name cannot change its meaning in between.
    """
    found = _literal(host) or await _looked_up(host, port)
    allowed = [address for address in found if not refused(ip_address(address))]
    if not found:
        raise Unreachable(f"`{host}` does not resolve here")
    if not allowed:
        raise Unreachable(f"`{found[0]}` is a link-local or metadata address: it is never probed")
    return allowed


def _literal(host: str) -> list[str]:
    try:
        return [str(ip_address(host))]
    except ValueError:
        return []


async def _looked_up(host: str, port: int) -> list[str]:
    """By the system's resolver in a daemon thread: it knows no deadline, and nobody may have to wait for it."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(addresses: list[str], error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(addresses)

    def work() -> None:
        addresses: list[str] = []
        failure: Exception | None = None
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
        except (OSError, UnicodeError, ValueError):
            failure = Unreachable(f"`{host}` does not resolve here")
        with suppress(RuntimeError):  # the round is over, its loop closed
            loop.call_soon_threadsafe(settle, addresses, failure)

    threading.Thread(target=work, name="probe-resolver", daemon=True).start()
    return await answer
