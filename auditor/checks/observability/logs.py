"""Do logs get to where somebody can read them?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import ladder, shipping
from auditor.checks.gaps.causes import missing, stopped
from auditor.checks.observability.metrics import deployed
from auditor.inventory import Service, Snapshot
from auditor.model import (
    Evidence,
    Lifecycle,
    Location,
    LogShipper,
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
    themselves = [
        s
        for s in others
        if s.definition
        and (
            s.definition.logging_driver in shipping.SHIPPING_DRIVERS
            or any(reference.address.host in hosts for reference in s.definition.references)
        )
    ]
    return bool(themselves) and 2 * len(themselves) > len(others)


@check(
    Project,
    Severity.WARNING,
    fix="Let an input of the shipper take its logs, and an output lead to a store that is deployed.",
    needs=("compose",),
)
def logs_not_shipped(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A log shipper sends to nothing, or leaves out a service whose logs should be kept.

    The lines that would explain the failure stay on a host that may be gone. Of services, those are judged whose policy
    asks for logs; one that a shipper may take is not found.

    Bad:
        compose:
          services:
            promtail:
              image: grafana/promtail:3.4.2
              volumes: ["./promtail.yml:/etc/promtail/config.yml", "/var/run/docker.sock:/var/run/docker.sock:ro"]
        files:
          promtail.yml:
            clients: [{url: "http://loki:3100/loki/api/v1/push"}]
            scrape_configs: [{job_name: all, docker_sd_configs: [{host: "unix:///var/run/docker.sock"}]}]
    Good:
        compose:
          services:
            loki: {image: "grafana/loki:3.4.2"}
            promtail:
              image: grafana/promtail:3.4.2
              volumes: ["./promtail.yml:/etc/promtail/config.yml", "/var/run/docker.sock:/var/run/docker.sock:ro"]
        files:
          promtail.yml:
            clients: [{url: "http://loki:3100/loki/api/v1/push"}]
            scrape_configs: [{job_name: all, docker_sd_configs: [{host: "unix:///var/run/docker.sock"}]}]
    """
    environment = project.environment
    shippers = shipping.shippers_of(environment, snapshot)
    for shipper in shippers:
        yield from _astray(shipper, snapshot)
    if not shippers:
        return
    for service in snapshot.services:
        if service.environment == environment and _asked_for(service, snapshot):
            found = shipping.shipment(service, snapshot)
            if found.shipped is False and not found.broken:
                yield Problem(
                    f"the logs of `{service.name}` are not shipped: {found.text}",
                    tuple(dict.fromkeys((*_composed_at(service), *((found.location,) if found.location else ())))),
                    service=service.name,
                )


def _astray(shipper: LogShipper, snapshot: Snapshot) -> Iterator[Problem]:
    """What a shipper cannot ask, and its outputs that lead to nothing."""
    name = snapshot.known_as(shipper.environment, shipper.service)
    taking = {"engine", "files", "journal"} | ({"receive"} if shipping.fed_by_drivers(shipper, snapshot) else set())
    for one in shipper.inputs:
        if why := shipping.engine_fault(one, shipper, snapshot):
            yield Problem(f"`{shipper.service}` {why}", (one.location,), service=name, key=f"engine {one.paths[0]}")
        if one.kind in taking and not one.outputs and not one.sends and not one.unclear:
            said = f"`{shipper.service}` takes logs and sends them nowhere"
            yield Problem(said, (one.location,), service=name, key=f"nowhere {one.kind} {' '.join(one.paths)}")
    outputs = dict.fromkeys(out for one in shipper.inputs for out in one.outputs)
    for out in outputs:
        why = shipping.fault(out, shipper, snapshot)
        if why is None or out.address is None:
            continue
        provided = snapshot.provided(shipper.environment, out.address.host)
        wanted = snapshot.missing_name(shipper.environment, out.address.host)
        yield Problem(
            f"`{shipper.service}` sends its logs to {why}",
            (out.location,),
            service=name,
            key=f"{out.address.host}:{out.address.port}",
            cause=None if provided else missing(wanted),
        )


def _asked_for(service: Service, snapshot: Snapshot) -> bool:
    """Whether the policy asks for the logs of a service that is here."""
    if not deployed(service, snapshot) or service.host is not None or service.definition is None:
        return False
    return ladder.climb(service, snapshot)["logged"].required


@check(
    Service,
    Severity.WARNING,
    fix="Find out where its lines get lost: its driver, the shipper's own log, the labels that it sets.",
    needs=("compose", "loki"),
)
def logs_stale(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """The log store has had no line of a service for a day.

    Either it has fallen silent, or its lines get lost. Silent where no label of the store names services; where it has
    had no line of anybody, that is told once.

    Bad:
        compose:
          services:
            loki: {image: "grafana/loki:3.4.2"}
            web: {image: "nginx:1.27.5"}
        lines: [{value: loki, minutes_ago: 1}, {value: web}]
    Good:
        compose:
          services:
            loki: {image: "grafana/loki:3.4.2"}
            web: {image: "nginx:1.27.5"}
        lines: [{value: loki, minutes_ago: 1}, {value: web, minutes_ago: 2}]
    """
    store = shipping.store_of(service.environment, snapshot)
    if store is None or not deployed(service, snapshot) or snapshot.runs_once(service) or service.host is not None:
        return
    if store.empty and service.component and service.component.kind == "log_store":
        yield Problem("Loki has had no line of anybody for a day", _composed_at(service), key="empty")
    lines = shipping.lines_of(service, store, snapshot)
    if lines and not any(line.last for line in lines):
        names = ", ".join(dict.fromkeys(f'`{line.label}="{line.value}"`' for line in lines))
        yield Problem(
            f"Loki has had no line of `{service.name}` for a day",
            _composed_at(service),
            (Evidence("loki", f"no line of {names}"),),
            cause=stopped(service.name),
        )
