"""What Compose refuses about dependencies: undefined, not active, going round. Linear in edges, not in paths."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.compose.places import Faults
from auditor.model import Definition, Dependency


def say_dependencies(definitions: tuple[Definition, ...], faults: Faults) -> None:
    """One fault an edge that Compose refuses, and one for each cycle that the walk closes."""
    known = {definition.name: definition for definition in definitions}
    for definition in definitions:
        if definition.active:
            for edge in definition.depends_on:
                _say_edge(definition, edge, known, faults)
    for definition, edge in _closing(known):
        message = f"the dependency of `{definition.name}` on `{edge.service}` closes a cycle"
        faults.add(message, edge.location or definition.location, service=definition.name, help="leave one edge out")


def _say_edge(definition: Definition, edge: Dependency, known: dict[str, Definition], faults: Faults) -> None:
    target = known.get(edge.service)
    place = edge.location or definition.location
    if target is None:
        message = f"service `{definition.name}` depends on the undefined service `{edge.service[:60]}`"
        faults.add(message, place, service=definition.name, help=faults.near(edge.service, known))
    elif target is not None and not target.active and edge.required:
        message = f"service `{definition.name}` needs `{edge.service}`, whose profiles are not active"
        help = "activate a profile of it, or set `required: false`"
        faults.add(message, place, service=definition.name, help=help)


def _closing(known: dict[str, Definition]) -> Iterator[tuple[Definition, Dependency]]:
    """The edges that lead back into the path that is being walked: each cycle has at least one."""
    done: set[str] = set()
    for root in known:
        if root in done:
            continue
        path: dict[str, Iterator[Dependency]] = {root: iter(known[root].depends_on)}
        while path:
            name = next(reversed(path))
            edge = next(path[name], None)
            if edge is None:
                del path[name]
                done.add(name)
            elif edge.service in path:
                yield known[name], edge
            elif edge.service in known and edge.service not in done:
                path[edge.service] = iter(known[edge.service].depends_on)
