"""Are the numbers of each service collected, and do the jobs that collect them find anything?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import ladder
from auditor.checks.gaps.causes import missing
from auditor.inventory import Service, Snapshot
from auditor.knowledge import published
from auditor.model import (
    Component,
    Evidence,
    Lifecycle,
    Location,
    Metrics,
    PrometheusConfig,
    Severity,
)
from auditor.registry import Problem, check
from auditor.scrapes import UNREACHABLE, federates, hidden, live_scrapes_of, scrapes_of, spoken_for
from auditor.series import known_program
from auditor.servers import paths

_LASTING = (Lifecycle.DAEMON, Lifecycle.EXTERNAL, Lifecycle.PROCESS)  # lives long enough to be scraped


@check(
    Service,
    Severity.WARNING,
    fix="Deploy its exporter and scrape it, or name the endpoint that it has in its entry's `metrics`.",
    needs=("compose",),
)
def exporter_missing(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A database, broker or proxy has no exporter, though there is a Prometheus.

    Its saturation is seen when its users complain.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            cache: {image: "redis:7.4"}
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            cache: {image: "redis:7.4"}
            cache-metrics: {image: "oliver006/redis_exporter:v1.70.0"}
    """
    environment = service.environment
    exporter = _exporter(service)
    if exporter is None or not deployed(service, snapshot) or not _has_prometheus(environment, snapshot):
        return
    if _speaks(exporter, service, snapshot) or any(not one.own for one in scrapes_of(service, snapshot)):
        return
    name = snapshot.missing_name(environment, exporter)
    component = snapshot.component(exporter)
    title = component.title if component else exporter
    yield Problem(
        f"`{service.name}` has no metrics: nothing in `{environment}` deploys its exporter ({title})",
        _composed_place(service),
        service=name if snapshot.entry(environment, name) else service.name,
        key=exporter,
        cause=missing(name),
        fix=_how_to_deploy(component) if component else None,
    )


def _how_to_deploy(exporter: Component) -> str | None:
    """What to deploy, and how it is told whom to ask, as far as that is known."""
    port = exporter.metrics.port if exporter.metrics else None
    if not exporter.pointed_by or port is None:
        return None
    told = " or ".join(f"`{name}`" for name in exporter.pointed_by[:2])
    return (
        f"Deploy `{published(exporter)}`, tell it the address in {told}, and scrape port {port}; "
        "or name the endpoint that it has in its entry's `metrics`."
    )


def _composed_place(service: Service) -> tuple[Location, ...]:
    if service.definition:
        return (service.definition.location,)
    return (service.location,) if service.location else ()


def _metrics(service: Service) -> tuple[Metrics | None, Metrics | None]:
    """What the catalogue and what the knowledge base say of a service's metrics."""
    declared = service.entry.metrics if service.entry else None
    return declared, service.component.metrics if service.component else None


def _exporter(service: Service) -> str | None:
    """The exporter that a service without an endpoint of its own needs."""
    declared, known = _metrics(service)
    if declared and (declared.exporter or declared.port):
        return declared.exporter
    return known.exporter if known else None


def deployed(service: Service, snapshot: Snapshot) -> bool:
    return bool(service.definition or service.containers) and snapshot.excuse(service) is None


def _has_prometheus(environment: str, snapshot: Snapshot) -> bool:
    return bool(snapshot.prometheus_of(environment) or snapshot.deployed(environment, "prometheus"))


def _speaks(exporter: str, service: Service, snapshot: Snapshot) -> bool:
    """Whether the exporter, or another that speaks for the same component, is deployed or declared elsewhere."""
    environment = service.environment
    named = snapshot.service(environment, exporter)
    if named and (named.definition or named.containers or named.lifecycle in (Lifecycle.EXTERNAL, Lifecycle.PROCESS)):
        return True
    if snapshot.deployed(environment, exporter) or snapshot.elsewhere(environment, exporter):
        return True
    key = service.component.key if service.component else ""
    return any(key in s.component.exporter_of for s in snapshot.of_kind(environment, "exporter") if s.component)


@check(
    Service,
    Severity.WARNING,
    fix="Add a scrape job for it.",
    needs=("prometheus",),
)
def not_scraped(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service has a metrics endpoint, and no scrape job reads it.

    Nothing of it can be charted, and no alert on its series can ever fire. Silent where no endpoint is known, and
    where targets come from a discovery that files do not show.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            grafana: {image: "grafana/grafana:11.6.0"}
        prometheus:
          scrape_configs: [{job_name: self, static_configs: [{targets: ["localhost:9090"]}]}]
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            grafana: {image: "grafana/grafana:11.6.0"}
        prometheus:
          scrape_configs: [{job_name: all, static_configs: [{targets: ["localhost:9090", "grafana:3000"]}]}]
    """
    config = snapshot.prometheus_of(service.environment)
    if config is None or service.lifecycle not in _LASTING or snapshot.excuse(service):
        return
    endpoint = _endpoint(service, snapshot)
    targets = [target for target in ladder.targets_of(service, snapshot) if not federates(target)]
    if endpoint is None or targets or hidden(service, snapshot):
        return
    if live_scrapes_of(service, snapshot):
        return
    here = service.definition or service.containers or service.lifecycle is not Lifecycle.DAEMON
    configs = snapshot.prometheus_configs(service.environment)
    yield Problem(
        f"no job in {paths(configs)} scrapes `{service.name}`",
        (*_metrics_place(service), *(Location(config.path) for config in configs)),
        (Evidence(*endpoint),),
        cause=unread(service) if here else missing(service.name),
    )


def unread_program(metric: str | None, environment: str, snapshot: Snapshot) -> str | None:
    """The cause why a metric is nowhere, where the program that has it is deployed and no job reads it."""
    component = known_program(metric, snapshot.components) if metric else None
    if component is None:
        return None
    own = (s for s in snapshot.services if s.environment == environment and s.component == component)
    return next((cause for service in own if (cause := _why_unread(service, snapshot))), None)


def unread_speaker(service: Service, snapshot: Snapshot) -> str | None:
    """The cause why nothing of a service is read, where it is that no job reads the exporter that speaks for it."""
    environment = service.environment
    speakers = (s for s in snapshot.of_kind(environment, "exporter") if service in spoken_for(s, environment, snapshot))
    problems = (next(not_scraped(speaker, snapshot), None) for speaker in speakers)
    return next((problem.cause for problem in problems if problem), None)


def _why_unread(service: Service, snapshot: Snapshot) -> str | None:
    """The cause that a service's own metrics are not read: no job does, or each that does shares no network with it."""
    own = [scrape.fault for scrape in scrapes_of(service, snapshot) if scrape.own]
    if own and all(fault == UNREACHABLE for fault in own):
        return unread(service)
    problem = next(not_scraped(service, snapshot), None)
    return problem.cause if problem else None


def unread(service: Service) -> str:
    """The cause that everything shares which follows from a service that no job reads."""
    return f"unread:{service.name}"


def _metrics_place(service: Service) -> tuple[Location, ...]:
    if service.entry:
        return (service.entry.place("metrics"),)
    return (service.location,) if service.location else ()


def _endpoint(service: Service, snapshot: Snapshot) -> tuple[str, str] | None:
    """Who says that the service has metrics, and where. What another service's endpoint tells is that one's matter."""
    declared, known = _metrics(service)
    if declared and declared.port:
        return "catalogue", f"its metrics are on port {declared.port} at {declared.path}"
    if known and known.port and not (declared and declared.exporter):
        return "knowledge", f"its metrics are on port {known.port} at {known.path}"
    speaker = snapshot.service(service.environment, declared.exporter) if declared and declared.exporter else None
    if speaker is None or not speaker.definition or any(m and m.port for m in _metrics(speaker)):
        return None
    return "catalogue", f"`{speaker.name}` speaks for it"


def prometheus_name(config: PrometheusConfig, snapshot: Snapshot) -> str | None:
    """The service that runs with a configuration."""
    server = snapshot.prometheus_server(config)
    return server.name if server else None
