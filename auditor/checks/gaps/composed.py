"""Is everything composed that is declared, and declared that is composed?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache

from auditor.checks.gaps.causes import missing
from auditor.inventory import ALIVE, Service, Snapshot
from auditor.model import Container, Entry, Evidence, Lifecycle, Reference, Severity
from auditor.registry import BY_CRITICALITY, Problem, check

DEPLOYED_HERE = (Lifecycle.DAEMON, Lifecycle.ONESHOT, Lifecycle.CRON)


def absent(service: Service, snapshot: Snapshot) -> Entry | None:
    """The entry of a service that is declared to be deployed here, and neither composed nor run by hand."""
    here = service.definition or any(container.state == "running" for container in service.containers)
    if here or service.lifecycle not in DEPLOYED_HERE or snapshot.excuse(service):
        return None
    return service.entry


@check(
    Service,
    BY_CRITICALITY,
    fix="Add the service to the environment's Compose file, or take the environment out of its `environments`.",
    needs=("catalogue", "compose"),
)
def declared_not_composed(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """The catalogue declares a service that no Compose service is.

    People plan, alert and promise by the catalogue; what is only declared will not start, and what somebody started by
    hand is gone with its container.

    Bad:
        catalogue:
          services:
            minio: {image: "minio/minio:RELEASE.2025-04-22T22-12-26Z"}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        catalogue:
          services:
            minio: {image: "minio/minio:RELEASE.2025-04-22T22-12-26Z"}
        compose:
          services:
            minio: {image: "minio/minio:RELEASE.2025-04-22T22-12-26Z"}
    """
    entry, by_hand = absent(service, snapshot), _by_hand(service, snapshot)
    if entry is None and by_hand:
        entry = service.entry
    if entry is None:
        return
    names = ", ".join(f"`{container.name}`" for container in by_hand)
    started = f": what runs, {names}, was started by hand, and nothing brings it back" if by_hand else ""
    yield Problem(
        f"`{service.name}` is declared for `{service.environment}`, but no Compose service is it{started}",
        (entry.location,),
        tuple(Evidence("docker", f"container `{c.name}` has no labels of a project") for c in by_hand),
        cause=missing(service.name),
    )


def _by_hand(service: Service, snapshot: Snapshot) -> tuple[Container, ...]:
    """The running containers of a service that is declared to be deployed here and that no file composes."""
    if service.definition or service.lifecycle not in DEPLOYED_HERE or snapshot.excuse(service):
        return ()
    return tuple(c for c in service.containers if c.state in ALIVE and c.project is None and not c.task)


@check(
    Service,
    Severity.WARNING,
    fix="Declare the service in the catalogue, or add its Compose name to an entry's `aliases`.",
    needs=("catalogue", "compose"),
)
def composed_not_declared(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A Compose service is in no catalogue entry.

    Nobody owns it, nobody expects it, and no rule says how well it must be watched.

    Bad:
        catalogue:
          services:
            web: {}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
            worker: {image: "registry.example/worker:3.1"}
    Good:
        catalogue:
          services:
            web: {}
            jobs: {aliases: [worker]}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
            worker: {image: "registry.example/worker:3.1"}
    """
    if service.entry or service.definition is None:
        return
    elsewhere = service.name in snapshot.entry_names
    yield Problem(
        f"`{service.name}` is composed in `{service.environment}`, but "
        + ("its entry does not name this environment" if elsewhere else "no catalogue entry has its name or alias"),
        (service.definition.location,),
    )


@check(
    Service,
    Severity.WARNING,
    fix="Compose the service in this environment too, or list the environments that it belongs to in its entry.",
    needs=("catalogue", "compose"),
)
def composed_elsewhere(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service that is declared here is composed only in another environment.

    Configured for production and missing from the stack that people develop and test on, or the other way round.

    Bad:
        catalogue:
          environments:
            unified: {compose: [docker-compose.yml]}
            prod: {compose: [docker-compose.prod.yml]}
          services:
            alertmanager: {}
        files:
          docker-compose.yml: "services: {web: {image: 'nginx:1.27.5'}}"
          docker-compose.prod.yml: "services: {alertmanager: {image: 'prom/alertmanager:v0.28.1'}}"
    Good:
        catalogue:
          environments:
            unified: {compose: [docker-compose.yml]}
            prod: {compose: [docker-compose.prod.yml]}
          services:
            alertmanager: {environments: [prod]}
        files:
          docker-compose.yml: "services: {web: {image: 'nginx:1.27.5'}}"
          docker-compose.prod.yml: "services: {alertmanager: {image: 'prom/alertmanager:v0.28.1'}}"
    """
    entry = absent(service, snapshot)
    if entry is None:
        return
    for project in snapshot.projects:
        definitions = snapshot.definitions(project.environment)
        names = (entry.name, *entry.aliases)
        found = next((definitions[name] for name in names if name in definitions), None)
        if project.environment == service.environment or found is None:
            continue
        yield Problem(
            f"`{service.name}` is composed in `{project.environment}`, but not in `{service.environment}`",
            (found.location, entry.location),
            cause=missing(service.name),
        )
        return


@check(
    Service,
    Severity.INFO,
    fix="Deploy the service, or declare it as `lifecycle: external` with its `address`.",
    needs=("catalogue", "compose"),
)
def external_only(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service is reached only at an outside address, though it is declared as deployed here.

    Bad:
        catalogue:
          services: {web: {}, sentry: {}}
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {SENTRY_URL: "https://sentry.example.com/7"}}
    Good:
        catalogue:
          services: {web: {}, sentry: {lifecycle: external, address: "https://sentry.example.com"}}
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {SENTRY_URL: "https://sentry.example.com/7"}}
    """
    entry = absent(service, snapshot)
    if entry is None:
        return
    code = snapshot.implementation(service.name)
    names = {entry.name, *entry.aliases}
    if service.component:
        names.update((service.component.key, *service.component.names))
    labelled = _by_outside_label(snapshot, service.environment)
    ranked = {rank: reference for name in names for rank, reference in labelled.get(name, ())}
    found = [ranked[rank] for rank in sorted(ranked)]
    found += code.references if code else ()
    if not found:
        return
    host = found[0].address.host
    yield Problem(
        f"`{service.name}` is declared as deployed here, but is reached only outside, at {host}",
        tuple(dict.fromkeys(reference.location for reference in found)),
        cause=missing(service.name),
    )


@lru_cache(maxsize=8)
def _by_outside_label(snapshot: Snapshot, environment: str) -> Mapping[str, list[tuple[int, Reference]]]:
    """The references to outside hosts by each label of the host's name, with their places in line."""
    found: dict[str, list[tuple[int, Reference]]] = defaultdict(list)
    for rank, reference in enumerate(snapshot.references(environment)):
        for label in _outside_labels(reference.address.host):
            found[label].append((rank, reference))
    return found


def _outside_labels(host: str) -> list[str]:
    """The labels of an outside host name; none for names on the project's own networks and for addresses."""
    labels = host.split(".")
    return labels if len(labels) > 1 and not labels[-1].isdigit() else []


@check(
    Service,
    Severity.WARNING,
    fix="Make `replicas` of the entry and of the Compose service equal.",
    needs=("catalogue", "compose"),
)
def replicas_short(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """The catalogue declares another number of replicas than the Compose file.

    Bad:
        catalogue:
          services: {web: {replicas: 2}}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        catalogue:
          services: {web: {replicas: 2}}
        compose:
          services:
            web: {image: "nginx:1.27.5", deploy: {replicas: 2}}
    """
    entry, definition = service.entry, service.composed
    if entry is None or entry.replicas is None or definition is None:
        return
    if entry.replicas == definition.replicas:
        return
    yield Problem(
        f"`{service.name}` is declared with {entry.replicas} replicas and composed with {definition.replicas}",
        (definition.place("deploy.replicas", "scale", "deploy"), entry.place("replicas")),
        field="replicas",
    )
