"""Who uses whom, and who waits for whom in the end."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.inventory import Snapshot
from auditor.model import (
    Definition,
    Dependency,
    Location,
)


def uses(definition: Definition, snapshot: Snapshot) -> dict[str, Location]:
    """The other active services whose addresses a service is told, each with the first line that tells it."""
    found: dict[str, Location] = {}
    for reference in definition.references:
        target = snapshot.provider(definition.environment, reference.address.host) if reference.certain else None
        if target is not None and target.active and target.name != definition.name:
            found.setdefault(target.name, reference.location)
    return found


def reach_of(definitions: Mapping[str, Definition]) -> dict[str, int]:
    """Service -> the services that it waits for, directly or not, as bits by position: one walk over the edges."""
    bit = {name: 1 << position for position, name in enumerate(definitions)}
    reach: dict[str, int] = {}
    for root in definitions:
        path = [(root, iter(definitions[root].depends_on))] if root not in reach else []
        reach.setdefault(root, 0)
        while path:
            name, edges = path[-1]
            edge: Dependency | None = next((edge for edge in edges if edge.service in bit), None)
            if edge is None:
                path.pop()
                if path:
                    reach[path[-1][0]] |= reach[name] | bit[name]
            elif edge.service in reach:
                reach[name] |= reach[edge.service] | bit[edge.service]
            else:
                reach[edge.service] = 0
                path.append((edge.service, iter(definitions[edge.service].depends_on)))
    return reach
