"""Do logs get to where somebody can read them?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import ladder
from auditor.checks.gaps.causes import missing
from auditor.checks.observability.metrics import deployed
from auditor.inventory import Service, Snapshot
from auditor.model import (
    Lifecycle,
    Location,
    Project,
    Severity,
)
from auditor.registry import Problem, check

_CAN_SHIP = frozenset({"otel-collector"})  # collects logs as well, if it is told to


@check(
    Project,
    Severity.WARNING,
    fix="Deploy a log shipper (Grafana Alloy, Fluent Bit, Vector), or set a logging driver that ships.",
    needs=("compose",),
)
def log_shipper_missing(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A log store is deployed, and nothing ships logs to it.

    It is empty on the day when somebody looks.

    Bad:
        compose:
          services:
            loki: {image: "grafana/loki:3.4.2"}
            web: {image: "nginx:1.27.5"}
    Good:
        compose:
          services:
            loki: {image: "grafana/loki:3.4.2"}
            web: {image: "nginx:1.27.5"}
            alloy: {image: "grafana/alloy:v1.8.3"}
    """
    environment = project.environment
    store = next((s for s in snapshot.of_kind(environment, "log_store") if deployed(s, snapshot)), None)
    if store is None or _ships(environment, snapshot) or _most_ship_themselves(store, snapshot):
        return
    name = _missing_shipper(environment, snapshot)
    yield Problem(
        f"`{store.name}` stores logs, but nothing in `{environment}` ships them there",
        _composed_at(store),
        service=name if snapshot.entry(environment, name) else store.name,
        cause=missing(name),
    )


def _composed_at(service: Service) -> tuple[Location, ...]:
    """Where it is composed: the line that shows that it is there; else where it is declared."""
    place = service.definition.location if service.definition else service.location
    return (place,) if place else ()


def _missing_shipper(environment: str, snapshot: Snapshot) -> str:
    """The shipper that is declared, else the one that a scrape job or a configuration file speaks of."""
    declared = sorted(service.name for service in _shippers(environment, snapshot) if service.entry)
    words = [target.address.host for target in snapshot.targets(environment)]
    words += [config.component for config in snapshot.component_configs]
    meant = (component for word in words if (component := snapshot.component(word)))
    return next(iter(declared + sorted(c.key for c in meant if c.kind == "log_shipper")), "log-shipper")


def _shippers(environment: str, snapshot: Snapshot) -> list[Service]:
    found = [s for s in snapshot.services if s.environment == environment and s.component]
    return [s for s in found if s.component and (s.component.kind == "log_shipper" or s.component.key in _CAN_SHIP)]


def _ships(environment: str, snapshot: Snapshot) -> bool:
    outside = (Lifecycle.EXTERNAL, Lifecycle.PROCESS)
    return any(
        service.definition or service.containers or service.lifecycle in outside
        for service in _shippers(environment, snapshot)
    )


def _most_ship_themselves(store: Service, snapshot: Snapshot) -> bool:
    """Whether most other services use a driver that ships, or are told the store's address."""
    hosts = ladder.hosts_of(store)
    others = [s for s in snapshot.services if s.environment == store.environment and s.definition and s != store]
    shipping = [
        s
        for s in others
        if s.definition
        and (
            s.definition.logging_driver in ladder.SHIPPING_DRIVERS
            or any(reference.address.host in hosts for reference in s.definition.references)
        )
    ]
    return bool(shipping) and 2 * len(shipping) > len(others)
