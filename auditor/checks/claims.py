"""Do the documents tell the truth? Their counts, lists and tables are held against the default environment."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from auditor.checks.gaps.causes import missing
from auditor.inventory import Service, Snapshot
from auditor.model import (
    CountClaim,
    Definition,
    Document,
    Evidence,
    Lifecycle,
    ListItem,
    Location,
    ServiceList,
    Severity,
)
from auditor.registry import Problem, check
from auditor.words import longest, normal

# Words before "services" that say nothing about which of them are meant.
_ANY = frozenset(
    {
        "", "active", "all", "compose", "composed", "container", "containerised", "containerized", "deployed",
        "different", "distinct", "docker", "independent", "integrated", "micro", "production", "running", "separate",
        "service", "total",
    }
)  # fmt: skip
_ELSEWHERE = (Lifecycle.EXTERNAL, Lifecycle.PROCESS, Lifecycle.EMBEDDED)


def default_environment(snapshot: Snapshot) -> str | None:
    """The environment that documents speak of, or None where it is not judged or could not be composed."""
    specs = snapshot.catalogue.environments if snapshot.catalogue else ()
    name = specs[0].name if specs else next(iter(snapshot.environments), None)
    if name is None or name not in snapshot.environments or snapshot.source("compose", name).state != "ok":
        return None
    return name


def title_of(document: Document) -> str:
    """A document as one speaks of it: `README`, else its path."""
    stem = posixpath.basename(document.path).partition(".")[0]
    return stem if stem.upper() == "README" else document.path


# --- counts ------------------------------------------------------------------------------------------------------


@check(
    Document,
    Severity.WARNING,
    fix="Compose what is missing, or correct the number.",
    needs=("documents", "compose"),
)
def count_claim_wrong(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A document claims another number of services than the default environment composes.

    Whoever plans by the document plans for services that are not there. `25+` means at least 25. A count also holds
    if it leaves out databases, brokers and exporters, or counts the services of the category that it names.

    Bad:
        catalogue:
          services: {web: {}}
        documents:
          README.md: "# Demo\\n\\nThe platform runs 25+ services.\\n"
        compose:
          services: {web: {image: "nginx:1.27.5"}, cache: {image: "redis:7.4"}}
    Good:
        catalogue:
          services: {web: {}}
        documents:
          README.md: "# Demo\\n\\nThe platform runs 2 services.\\n"
        compose:
          services: {web: {image: "nginx:1.27.5"}, cache: {image: "redis:7.4"}}
    """
    environment = default_environment(snapshot)
    if environment is None:
        return
    for claim in document.counts:
        truths = _truths(claim, environment, snapshot)
        if truths is None or any(_holds(claim, number) for number in truths):
            continue
        yield _wrong_count(claim, truths[0], document, environment, snapshot)


def _truths(claim: CountClaim, environment: str, snapshot: Snapshot) -> tuple[int, ...] | None:
    """The numbers that the claim may mean, the plainest first; None where it means other services than these."""
    here = [s for s in snapshot.services if s.environment == environment]
    composed = [s for s in here if s.definition]
    if not composed:
        return None
    active = [s for s in composed if s.definition and s.definition.active]
    word = normal(claim.category or "")
    of_category = [s for s in active if s.entry and word and normal(s.entry.category or "") == word]
    if of_category:
        return len(of_category), len(active)
    if word not in _ANY:
        return None
    own = [s for s in active if not (s.component and s.component.backing)]
    beside = sum(s.lifecycle is Lifecycle.PROCESS for s in here)  # run here too, without Compose
    return len(active), len(composed), len(own), len(active) + beside, len(own) + beside


def _holds(claim: CountClaim, number: int) -> bool:
    return number >= claim.number if claim.at_least else number == claim.number


def _wrong_count(claim: CountClaim, composed: int, document: Document, environment: str, snapshot: Snapshot) -> Problem:
    claimed = f"{claim.number}{'+' if claim.at_least else ''}"
    what = f"{claim.category} services" if claim.category else "services"
    gap = claim.number - composed
    difference = f"gap of {gap}" if gap > 0 else f"{-gap} more than claimed"
    project = snapshot.project(environment)
    places = [definition.location.path for definition in project.definitions] if project else []
    return Problem(
        f"{title_of(document)} claims {claimed} {what}, {environment} composes {composed} ({difference})",
        (claim.location,),
        (
            Evidence("documents", f"“{claim.text}”", claim.location.path, claim.location.line),
            Evidence("compose", f"{environment} composes {composed}", places[0] if places else None),
        ),
        environment=environment,
        key=f"{claimed} {what}",
        cause=f"count:{claimed} {what}",
    )


# --- lists -------------------------------------------------------------------------------------------------------


@check(
    Document,
    Severity.WARNING,
    fix="Compose the service, or take it out of the document.",
    needs=("documents", "compose"),
)
def claimed_not_composed(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A document lists a service that the default environment does not compose.

    What a service's list promises is taken for granted. An entry that means nothing known is a claim only in a list
    of which at least half is known.

    Bad:
        catalogue:
          services: {web: {}, cache: {}}
        documents:
          README.md: "## Services\\n\\n- web\\n- cache\\n- MinIO\\n"
        compose:
          services: {web: {image: "nginx:1.27.5"}, cache: {image: "redis:7.4"}}
    Good:
        catalogue:
          services: {web: {}, cache: {}}
        documents:
          README.md: "## Services\\n\\n- web\\n- cache\\n"
        compose:
          services: {web: {image: "nginx:1.27.5"}, cache: {image: "redis:7.4"}}
    """
    environment = default_environment(snapshot)
    if environment is None:
        return
    foreign = _elsewhere_words(environment, snapshot)
    for group in document.lists:
        meant = [(item, snapshot.meant(environment, item)) for item in group.items]
        known = sum(name is not None for _, name in meant)
        for item, name in meant:
            if name is None and 2 * known < len(meant):
                continue
            if _there(name, environment, snapshot) or longest(item.text, foreign) is not None:
                continue
            yield _not_composed(item, name, document, environment, snapshot)


def _there(name: str | None, environment: str, snapshot: Snapshot) -> bool:
    """Whether a claimed service is composed, runs, or is declared to live elsewhere."""
    service = snapshot.service(environment, name) if name else None
    if service is None:
        return False
    return bool(service.definition or service.containers) or service.lifecycle in _ELSEWHERE


def _elsewhere_words(environment: str, snapshot: Snapshot) -> Mapping[str, str]:
    """What entries of other environments only are called: a document may well speak of those."""
    here = {entry.name for entry in snapshot.entries(environment)}
    entries = snapshot.catalogue.entries if snapshot.catalogue else ()
    others = [entry for entry in entries if entry.name not in here]
    words = ((word, e.name) for e in others for word in (e.name, *e.aliases, e.title or "") if normal(word))
    return {normal(word): name for word, name in words}


def _not_composed(
    item: ListItem, name: str | None, document: Document, environment: str, snapshot: Snapshot
) -> Problem:
    known = name or snapshot.missing_name(environment, item.text)
    return Problem(
        f"{title_of(document)} lists “{item.text}”, but nothing in `{environment}` is it",
        (item.location,),
        service=name,
        environment=environment,
        key=normal(item.text) if name is None else name,
        cause=missing(known),
    )


@check(
    Document,
    Severity.INFO,
    fix="Add the service to the document's list.",
    needs=("documents", "compose"),
)
def missing_from_list(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A document lists the system's services and leaves one out.

    Lists count as the system's where they name at least half of its services. Exporters, runs that end, and parts of
    other services need not be listed; a table of ports is complete when it has the services that publish one.

    Bad:
        catalogue:
          services: {web: {}, api: {}, jobs: {}}
        documents:
          README.md: "## Services\\n\\n- web\\n- api\\n"
        compose:
          services:
            web: {image: "nginx:1.27.5"}
            api: {image: "registry.example/api:3"}
            jobs: {image: "registry.example/jobs:3"}
    Good:
        catalogue:
          services: {web: {}, api: {}, jobs: {}}
        documents:
          README.md: "## Services\\n\\n- web\\n- api\\n- jobs\\n"
        compose:
          services:
            web: {image: "nginx:1.27.5"}
            api: {image: "registry.example/api:3"}
            jobs: {image: "registry.example/jobs:3"}
    """
    environment = default_environment(snapshot)
    if environment is None:
        return
    named = {name for group in document.lists for item in group.items if (name := snapshot.meant(environment, item))}
    wanted = [s for s in snapshot.services if s.environment == environment and _belongs_in_list(s, snapshot)]
    if all(_of_ports(group) for group in document.lists):
        wanted = [service for service in wanted if _reached_by_port(service)]
    listed = [service for service in wanted if service.name in named]
    if len(listed) < 2 or 2 * len(listed) < len(wanted):
        return
    place = _longest_list(document)
    for service in wanted:
        if service.name not in named:
            yield Problem(
                f"{title_of(document)} lists {len(listed)} of {len(wanted)} services and leaves out `{service.name}`",
                (place,) if place else (),
                service=service.name,
                environment=environment,
                cause=f"unlisted:{service.name}",
            )


def _belongs_in_list(service: Service, snapshot: Snapshot) -> bool:
    if service.lifecycle is Lifecycle.EMBEDDED or snapshot.runs_once(service):
        return False
    if service.component and service.component.kind == "exporter":
        return False
    return service.entry is not None or (service.definition is not None and service.definition.active)


def _reached_by_port(service: Service) -> bool:
    """Whether others reach it at a port of the host."""
    if service.lifecycle is Lifecycle.PROCESS:
        return bool(service.entry and service.entry.ports)
    return bool(service.definition and service.definition.ports)


def _of_ports(group: ServiceList) -> bool:
    return bool(group.items) and all(item.ports for item in group.items)


def _longest_list(document: Document) -> Location | None:
    group = max(document.lists, key=lambda group: len(group.items), default=None)
    return group.location if group else None


# --- ports -------------------------------------------------------------------------------------------------------


@check(
    Document,
    Severity.WARNING,
    fix="Correct the port in the document, or publish the service on it.",
    needs=("documents", "compose"),
)
def claimed_port_wrong(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A document gives a port on which the service does not answer.

    A port is right if the service publishes it, listens on it in its container, or declares it in the catalogue.

    Bad:
        catalogue:
          services: {grafana: {}}
        documents:
          README.md: "## Services\\n\\n| Service | Port |\\n|---|---|\\n| Grafana | 3001 |\\n"
        compose:
          services: {grafana: {image: "grafana/grafana:11.6.0", ports: ["3000:3000"]}}
    Good:
        catalogue:
          services: {grafana: {}}
        documents:
          README.md: "## Services\\n\\n| Service | Port |\\n|---|---|\\n| Grafana | 3000 |\\n"
        compose:
          services: {grafana: {image: "grafana/grafana:11.6.0", ports: ["3000:3000"]}}
    """
    environment = default_environment(snapshot)
    if environment is None:
        return
    for item in (item for group in document.lists for item in group.items if item.ports):
        name = snapshot.meant(environment, item)
        service = snapshot.service(environment, name) if name else None
        if service is None or not _has_ports(service):
            continue
        right = _ports(service)
        for port in item.ports if right else ():
            if not any(port in span for span in right):
                yield _wrong_port(port, item, service, right, document)


def _has_ports(service: Service) -> bool:
    """Whether it is known here where it listens: it is composed so, or its entry declares a host process."""
    if service.definition:
        return not _unforeseeable(service.definition)
    return service.lifecycle is Lifecycle.PROCESS and bool(service.entry and service.entry.ports)


def _unforeseeable(definition: Definition) -> bool:
    """Whether a port is chosen at the start, or taken from another network."""
    random = any(port.published in (None, "", "0") for port in definition.ports)
    return random or definition.network_mode not in (None, "bridge")


def _ports(service: Service) -> list[range]:
    """Every port on which the service may be said to answer."""
    definition = service.definition
    composed = definition.ports if definition else ()
    single = {*(port.target for port in composed), *(definition.expose if definition else ())}
    single.update(service.entry.ports if service.entry else ())
    single.update(service.component.ports if service.component and definition else ())
    published = [span for port in composed if (span := _span(port.published))]
    return [*published, *(range(port, port + 1) for port in sorted(single))]


def _span(text: str | None) -> range | None:
    first, _, last = (text or "").partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        return None
    return range(int(first), int(last or first) + 1)


def _where_ports_stand(service: Service) -> tuple[Location, ...]:
    if service.definition:
        return (service.definition.place("ports"),)
    return (service.entry.place("ports"),) if service.entry else ()


def _wrong_port(port: int, item: ListItem, service: Service, right: list[range], document: Document) -> Problem:
    shown = ", ".join(dict.fromkeys(str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}" for span in right))
    return Problem(
        f"{title_of(document)} gives port {port} for `{service.name}`, which answers on {shown}",
        (item.location, *_where_ports_stand(service)),
        service=service.name,
        environment=service.environment,
        key=str(port),
        cause=f"port:{service.name}:{port}",
        field="ports",
    )
