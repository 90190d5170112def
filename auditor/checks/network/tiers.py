"""Does each service stand where its tier may?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from auditor.checks.network.doors import MOST_PLACES, at, doors, shown, where
from auditor.inventory import Service, Snapshot
from auditor.model import (
    Definition,
    Evidence,
    Location,
    Project,
    Severity,
    Tier,
)
from auditor.registry import Problem, check


def tier_of(definition: Definition, snapshot: Snapshot) -> Tier | None:
    """The tier that the catalogue gives a Compose service, as the policy describes it."""
    entry = snapshot.entry(definition.environment, definition.name)
    if entry is None or entry.tier is None or snapshot.catalogue is None:
        return None
    return next((tier for tier in snapshot.catalogue.tiers if tier.name == entry.tier), None)


@check(
    Service,
    Severity.WARNING,
    fix="Move the service to its tier's networks and take its `ports` out, or correct its tier or the policy.",
    needs=("catalogue", "compose"),
)
def tier_violation(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service stands where its tier may not: on a network of another, or published where nothing may be.

    The policy is the catalogue's (`policy: tiers`); networks that it calls `shared` are for all. A port on loopback
    is not published.

    Bad:
        catalogue:
          services: {db: {tier: data}}
          policy: {tiers: {data: {networks: [back], publish: false}}}
        compose:
          services:
            db: {image: "postgres:16.8", networks: [back, front]}
          networks: {front: {}, back: {}}
    Good:
        catalogue:
          services: {db: {tier: data}}
          policy: {tiers: {data: {networks: [back], publish: false}}}
        compose:
          services:
            db: {image: "postgres:16.8", networks: [back]}
          networks: {back: {}}
    """
    definition = service.composed
    tier = tier_of(definition, snapshot) if definition else None
    if definition is None or tier is None or snapshot.catalogue is None:
        return
    names = snapshot.network_names(definition.environment)
    allowed = {*tier.networks, *snapshot.catalogue.shared_networks}
    for key in definition.networks if tier.networks else ():
        if not allowed & {key, names.get(key, key)}:
            yield Problem(
                f"`{service.name}` of tier `{tier.name}` is on the network `{key}`, which is not its tier's",
                (definition.place(f"networks.{key}", "networks"),),
                key=f"network {key}",
                field=f"networks.{key}",
            )
    if tier.publish is False:
        for door in doors(definition):
            yield Problem(
                f"`{service.name}` of tier `{tier.name}` publishes {shown(door)} {where(door)}: its tier may not",
                (door.place or definition.place("ports"),),
                key=f"port {door.text}",
                field="ports",
                cause=door.cause(definition),
            )


@check(
    Project,
    Severity.WARNING,
    fix="Give each pair of neighbouring tiers a network of its own, or declare the network as `shared: true`.",
    needs=("catalogue", "compose"),
)
def tier_skipped(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """Services of tiers that are no neighbours share a network.

    Whoever gets into the outer one stands before the inner one, past the tier that should have asked.

    Bad:
        catalogue:
          services: {web: {tier: edge}, db: {tier: data}}
          policy: {tiers: {edge: {}, core: {}, data: {}}, order: [edge, core, data]}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
            db: {image: "postgres:16.8"}
    Good:
        catalogue:
          services: {web: {tier: edge}, db: {tier: data}}
          policy: {tiers: {edge: {}, core: {}, data: {}}, order: [edge, core, data]}
        compose:
          services:
            web: {image: "nginx:1.27.5", networks: [front]}
            db: {image: "postgres:16.8", networks: [back]}
          networks: {front: {}, back: {}}
    """
    catalogue = snapshot.catalogue
    if catalogue is None or len(catalogue.tier_order) < 3:
        return
    rank = {tier: position for position, tier in enumerate(catalogue.tier_order)}
    names = snapshot.network_names(project.environment)
    shared = {*catalogue.shared_networks}
    on: dict[str, dict[int, list[tuple[Definition, Location]]]] = defaultdict(lambda: defaultdict(list))
    for definition in project.active:
        entry = snapshot.entry(project.environment, definition.name)
        if entry is None or entry.tier not in rank:
            continue
        for key in definition.networks:
            if not shared & {key, names.get(key, key)}:
                place = definition.place(f"networks.{key}", "networks")
                on[names.get(key, key)][rank[entry.tier]].append((definition, place))
    keys = {name: key for key, name in names.items()}
    for network, tiers in on.items():
        for outer, inner in ((a, b) for a in sorted(tiers) for b in sorted(tiers) if b - a > 1):
            pair = catalogue.tier_order[outer], catalogue.tier_order[inner]
            yield _skipped(keys.get(network, network), pair, tiers[outer], tiers[inner], snapshot)


def _skipped(
    network: str,
    tiers: tuple[str, str],
    outer: list[tuple[Definition, Location]],
    inner: list[tuple[Definition, Location]],
    snapshot: Snapshot,
) -> Problem:
    (first, place), (last, other) = outer[0], inner[0]
    beside = len(outer) + len(inner) - 2
    more = f", and {beside} more of these tiers" if beside else ""
    shared = f"`{first.name}` ({tiers[0]}) and `{last.name}` ({tiers[1]}){more} share the network `{network}`"
    return Problem(
        f"{shared}, past the tier between",
        tuple(dict.fromkeys((place, other))),
        tuple(
            Evidence("compose", f"`{definition.name}` is on `{network}`", *at(spot))
            for definition, spot in (*outer, *inner)[:MOST_PLACES]
        ),
        service=snapshot.called(last),
        key=" ".join((network, *tiers)),
        field="networks",
    )


@check(
    Project,
    Severity.INFO,
    fix="Give what faces the outside and what keeps data networks of their own, joined by the services between only.",
    needs=("compose",),
)
def no_segmentation(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """Every service is on the same network.

    Whoever takes over one of them can talk to all the others. Two services that share a network that somebody named
    are left out.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
            api: {image: "registry.example/api:1"}
            db: {image: "postgres:16.8"}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", networks: [front]}
            api: {image: "registry.example/api:1", networks: [front, back]}
            db: {image: "postgres:16.8", networks: [back]}
          networks: {front: {}, back: {}}
    """
    networked = [definition for definition in project.active if definition.networks]
    networks = {definition.networks for definition in networked}
    if len(networked) < 2 or len(networks) > 1 or any(len(names) > 1 for names in networks):
        return
    (name,) = next(iter(networks))
    if name != "default" and len(networked) < 3:
        return
    first = min(project.definitions, key=lambda d: (d.location.path, d.location.line or 0))
    places = [
        resource.location for resource in project.resources if (resource.section, resource.key) == ("networks", name)
    ]
    yield Problem(
        f"all {len(networked)} services of `{project.environment}` are on the one network `{name}`",
        tuple(places[:1]) or (first.location,),
        key=name,
        field="networks",
    )
