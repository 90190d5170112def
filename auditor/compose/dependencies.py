"""What Compose refuses about dependencies: undefined, not active, going round. Linear in edges, not in paths."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from auditor.compose.places import Faults
from auditor.model import Definition, Dependency

_MOST_SHOWN = 12  # services of a cycle that are named


def say_dependencies(definitions: tuple[Definition, ...], faults: Faults) -> None:
    """One fault an edge that Compose refuses, and one for each knot of services that depend on one another."""
    known = {definition.name: definition for definition in definitions}
    active = {name: definition for name, definition in known.items() if definition.active}
    for definition in active.values():
        for edge in definition.depends_on:
            _say_edge(definition, edge, known, faults)
    for knot in _knots(active):
        _say_cycle(knot, active, faults)


def _say_edge(definition: Definition, edge: Dependency, known: dict[str, Definition], faults: Faults) -> None:
    target = known.get(edge.service)
    place = edge.location or definition.location
    if target is None:
        message = f"service `{definition.name}` depends on the undefined service `{edge.service[:60]}`"
        help = faults.near(edge.service, known)
        faults.add(message, place, check="undefined-dependency", service=definition.name, help=help)
    elif not target.active and edge.required:
        message = f"service `{definition.name}` needs `{edge.service}`, whose profiles are not active"
        help = "activate a profile of it, or set `required: false`"
        faults.add(message, place, service=definition.name, help=help)


def _say_cycle(knot: frozenset[str], active: Mapping[str, Definition], faults: Faults) -> None:
    """Names the shortest way round from the first service of the knot, whatever the order of the file."""
    start = min(knot)
    names, edges = _round(start, knot, active)
    shown = [f"`{name}`" for name in names[:_MOST_SHOWN]] + (["..."] if len(names) > _MOST_SHOWN else [])
    message = f"the dependencies {' -> '.join([*shown, f'`{start}`'])} form a cycle"
    if beside := len(knot) - len(names):
        message += f", and {beside} more {'service is' if beside == 1 else 'services are'} knotted into it"
    places = [edge.location for edge in edges[:_MOST_SHOWN] if edge.location]
    first = places[0] if places else active[start].location
    faults.add(message, first, check="dependency-cycle", service=start, others=tuple(places[1:]))


def _round(start: str, knot: frozenset[str], active: Mapping[str, Definition]) -> tuple[list[str], list[Dependency]]:
    """The services of the shortest cycle through `start`, and the edges that lead from each to the next."""
    came: dict[str, tuple[str, Dependency]] = {}
    waiting = deque([start])
    while start not in came:
        name = waiting.popleft()
        for edge in sorted(active[name].depends_on, key=lambda edge: edge.service):
            if edge.service in knot and edge.service not in came:
                came[edge.service] = (name, edge)
                waiting.append(edge.service)
    names: list[str] = []
    edges: list[Dependency] = []
    at = start
    while not names or at != start:
        at, edge = came[at]
        names.append(at)
        edges.append(edge)
    return names[::-1], edges[::-1]


def _knots(active: Mapping[str, Definition]) -> Iterator[frozenset[str]]:
    """The sets of services each of which depends on every other, by Tarjan's walk; one alone only if on itself."""
    number: dict[str, int] = {}  # in the order of the walk
    lowest: dict[str, int] = {}
    open_ones: dict[str, None] = {}
    for root in active:
        if root in number:
            continue
        path = [(root, iter(active[root].depends_on))]
        number[root] = lowest[root] = len(number)
        open_ones[root] = None
        while path:
            name, edges = path[-1]
            target = next((edge.service for edge in edges if edge.service in active), None)
            if target is None:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[name])
                if lowest[name] == number[name]:
                    yield from _closed(name, open_ones, active)
            elif target not in number:
                number[target] = lowest[target] = len(number)
                open_ones[target] = None
                path.append((target, iter(active[target].depends_on)))
            elif target in open_ones:
                lowest[name] = min(lowest[name], number[target])


def _closed(root: str, open_ones: dict[str, None], active: Mapping[str, Definition]) -> Iterator[frozenset[str]]:
    members: list[str] = []
    while not members or members[-1] != root:
        members.append(open_ones.popitem()[0])
    if len(members) > 1 or any(edge.service == root for edge in active[root].depends_on):
        yield frozenset(members)
