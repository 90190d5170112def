"""Who holds which port of the host, on which address."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping

from auditor.checks.network.doors import host_of
from auditor.model import (
    Definition,
    Port,
)


class Taken:
    """Who has which host port. Wildcard and single addresses meet, two single addresses do not."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, int], dict[str | None, tuple[Definition, Port]]] = defaultdict(dict)
        self._numbers: dict[str, list[int]] = {}

    def claim(self, protocol: str, number: int, definition: Definition, port: Port) -> tuple[Definition, Port] | None:
        """Whoever has the port already; else it is taken."""
        owner = self.owner(protocol, number, port)
        if owner is None:
            self._owners[protocol, number][host_of(port)] = (definition, port)
        return owner

    def owner(self, protocol: str, number: int, port: Port) -> tuple[Definition, Port] | None:
        owners, host = self._owners.get((protocol, number), {}), host_of(port)
        if host in owners:
            return owners[host]
        return next((owners[other] for other in _meeting(host, owners)), None)

    def within(self, protocol: str, span: range) -> Iterator[int]:
        """The fixed ports inside a range, of all addresses, in their order; asked when all are taken."""
        if protocol not in self._numbers:
            self._numbers[protocol] = sorted(number for kind, number in self._owners if kind == protocol)
        numbers = self._numbers[protocol]
        for index in range(bisect_left(numbers, span.start), bisect_right(numbers, span.stop - 1)):
            yield numbers[index]


def _meeting(host: str | None, owners: Mapping[str | None, object]) -> Iterator[str | None]:
    """The addresses among `owners` on which a listener at `host` would stand in the way."""
    if host is None:
        yield from owners
        return
    everywhere = "::" if ":" in host else "0.0.0.0"  # noqa: S104  compared, never bound
    yield from (other for other in (None, everywhere) if other in owners)
    if host == everywhere:
        yield from (other for other in owners if other is not None and (":" in other) is (":" in host))
