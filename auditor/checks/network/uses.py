"""Who uses whom, who waits for whom in the end, and who is on which network."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.inventory import Snapshot
from auditor.model import (
    Definition,
    Dependency,
    Location,
    Project,
)


def uses(definition: Definition, snapshot: Snapshot) -> dict[str, Location]:
    """The other active services whose addresses a service is told, each with the first line that tells it."""
    found: dict[str, Location] = {}
    for reference in definition.references:
        target = snapshot.provider(definition.environment, reference.address.host)
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


def real_names(project: Project) -> dict[str, str]:
    """Network key -> the name that the engine knows it by, as far as the files tell it apart."""
    networks = (resource for resource in project.resources if resource.section == "networks")
    return {
        resource.key: resource.name or (resource.key if resource.external else f"{project.name}_{resource.key}")
        for resource in networks
    }


def networks_of(definition: Definition, snapshot: Snapshot, names: Mapping[str, str]) -> frozenset[str]:
    """The networks that a service is on, by their real names; through `network_mode: service:NAME` another's."""
    composed = snapshot.definitions(definition.environment)
    for _ in range(8):
        mode = definition.network_mode or ""
        other = composed.get(mode.removeprefix("service:")) if mode.startswith("service:") else None
        if other is None:
            break
        definition = other
    return frozenset(names.get(key, key) for key in definition.networks)
