"""Which services stand in a row?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from auditor.checks.network.dependencies import COMPLETED
from auditor.checks.network.doors import MOST_PLACES
from auditor.checks.network.uses import uses
from auditor.inventory import Snapshot
from auditor.model import (
    Definition,
    Location,
    Project,
    Severity,
)
from auditor.registry import Problem, check


@check(
    Project,
    Severity.INFO,
    fix="Join what always runs together, or let the links talk by a queue.",
    needs=("compose",),
)
def chatty_pipeline(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """Three or more services of one's own stand in a row, each used only by the one before.

    Every request pays for each hop, and none of them can be deployed or fail alone. A chain ends where a service
    has several such followers. Databases, brokers and other
    known components are no links of such a chain. Of a catalogue only declared services are judged.

    Bad:
        compose:
          services:
            intake: {image: "registry.example/intake:1", environment: {NEXT_URL: "http://parse:8000"}}
            parse: {image: "registry.example/parse:1", environment: {NEXT_URL: "http://score:8000"}}
            score: {image: "registry.example/score:1"}
    Good:
        compose:
          services:
            intake: {image: "registry.example/intake:1", environment: {NEXT_URL: "http://parse:8000"}}
            parse: {image: "registry.example/parse:1"}
            score: {image: "registry.example/score:1"}
    """
    own = {d.name: d for d in project.active if _is_own(d, snapshot)}
    uses = {definition.name: _wanted(definition, own, snapshot) for definition in project.active}
    users: dict[str, list[str]] = defaultdict(list)
    for name, wanted in uses.items():
        for after in wanted:
            users[after].append(name)
    following: dict[str, list[str]] = defaultdict(list)
    for after, names in sorted(users.items()):
        if len(names) == 1 and names[0] in own:
            following[names[0]].append(after)
    linked = {after for names in following.values() for after in names}
    for head, names in following.items():
        if head in linked and len(names) == 1:
            continue  # inside a chain that begins before it
        for after in names:
            chain = [head, after]
            while len(following.get(chain[-1], ())) == 1:
                chain += following[chain[-1]]
            if len(chain) >= 3:
                yield _chain([own[name] for name in chain], uses, snapshot)


def _is_own(definition: Definition, snapshot: Snapshot) -> bool:
    """A service of the project's own making: no known component, and declared where there is a catalogue."""
    declared = snapshot.catalogue is None or snapshot.entry(definition.environment, definition.name) is not None
    return declared and snapshot.component_of(definition) is None


def _wanted(definition: Definition, own: Mapping[str, Definition], snapshot: Snapshot) -> dict[str, Location]:
    """The own services that one uses: by address or by `depends_on`."""
    found = {name: place for name, place in uses(definition, snapshot).items() if name in own}
    for edge in definition.depends_on:
        if edge.service in own and edge.condition != COMPLETED and edge.service != definition.name:
            found.setdefault(edge.service, edge.location or definition.location)
    return found


def _chain(chain: list[Definition], uses: Mapping[str, dict[str, Location]], snapshot: Snapshot) -> Problem:
    names = [definition.name for definition in chain]
    shown = [f"`{name}`" for name in names[:MOST_PLACES]] + (["..."] if len(names) > MOST_PLACES else [])
    places = [uses[name][after] for name, after in pairwise(names)]
    return Problem(
        f"{' -> '.join(shown)} form a chain: each is used only by the one before",
        tuple(places[:MOST_PLACES]),
        service=snapshot.called(chain[0]),
        key=" ".join(names),
    )
