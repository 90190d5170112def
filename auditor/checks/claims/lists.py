"""Does a list of services name those that there are?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditor.checks.claims.meant import default_environment, title_of
from auditor.checks.gaps.causes import missing
from auditor.inventory import Service, Snapshot
from auditor.model import Document, Lifecycle, ListItem, Location, ServiceList, Severity
from auditor.registry import Problem, check
from auditor.words import longest, normal

_ELSEWHERE = (Lifecycle.EXTERNAL, Lifecycle.PROCESS, Lifecycle.EMBEDDED)


@check(
    Document,
    Severity.WARNING,
    fix="Compose the service, or take it out of the document.",
    needs=("documents", "compose"),
)
def claimed_not_composed(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A document lists a service that the default environment does not compose.

    What a service's list promises is taken for granted. An entry that means nothing known is a claim only in a list
    of which at least half is known. Of a diagram only known names count, and only where half of them are composed.

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
        if group.diagram and 2 * sum(_there(name, environment, snapshot) for _, name in meant) < len(meant):
            continue  # it draws another system
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
    if all(_of_ports(group) for group in document.lists if not group.diagram):
        wanted = [service for service in wanted if _reached_by_port(service)]
    listed = [service for service in wanted if service.name in named]
    if all(group.diagram for group in document.lists):
        return
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
    lists = [group for group in document.lists if not group.diagram]
    group = max(lists, key=lambda group: len(group.items), default=None)
    return group.location if group else None
