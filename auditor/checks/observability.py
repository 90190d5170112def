"""Would we notice, and could we see why?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import ladder
from auditor.checks.files import told
from auditor.checks.gaps.causes import missing
from auditor.inventory import Service, Snapshot
from auditor.model import (
    Evidence,
    Fault,
    Lifecycle,
    Location,
    Metrics,
    Project,
    PrometheusConfig,
    Severity,
)
from auditor.registry import Problem, check

_LASTING = (Lifecycle.DAEMON, Lifecycle.EXTERNAL, Lifecycle.PROCESS)  # lives long enough to be scraped
_CAN_SHIP = frozenset({"otel-collector"})  # collects logs as well, if it is told to


# --- metrics -----------------------------------------------------------------------------------------------------


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
    if exporter is None or not _deployed(service, snapshot) or not _has_prometheus(environment, snapshot):
        return
    if _speaks(exporter, service, snapshot):
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


def _deployed(service: Service, snapshot: Snapshot) -> bool:
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
    if endpoint is None or ladder.targets_of(service, snapshot) or any(job.discovery for job in config.jobs):
        return
    if snapshot.live_targets_at(service.environment, ladder.metrics_hosts(service, snapshot) or ()):
        return
    here = service.definition or service.containers or service.lifecycle is not Lifecycle.DAEMON
    yield Problem(
        f"no job in `{config.path}` scrapes `{service.name}`",
        (*_metrics_place(service), Location(config.path)),
        (Evidence(*endpoint),),
        cause=None if here else missing(service.name),
    )


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


@check(
    PrometheusConfig,
    Severity.WARNING,
    fix="Deploy what the job reads, or remove the target.",
    needs=("prometheus", "compose"),
)
def phantom_target(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """A scrape job points at a host that nothing provides.

    The target is down for ever, and an alert on it is either silenced or never written.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
        prometheus:
          scrape_configs: [{job_name: billing, static_configs: [{targets: ["billing:9000"]}]}]
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            billing: {image: "registry.example/billing:2"}
        prometheus:
          scrape_configs: [{job_name: billing, static_configs: [{targets: ["billing:9000"]}]}]
    """
    environment = config.environment
    for target in (target for job in config.jobs for target in job.targets):
        host = target.address.host
        if not _own_name(host) or snapshot.provided(environment, host):
            continue
        name = snapshot.missing_name(environment, host)
        port = f":{target.address.port}" if target.address.port else ""
        yield Problem(
            f"job `{target.job}` scrapes {host}{port}, which nothing in `{environment}` provides",
            (target.location,),
            service=name if snapshot.entry(environment, name) else _prometheus_name(environment, snapshot),
            key=name,
            cause=missing(name),
        )


def _own_name(host: str) -> bool:
    """Whether a host is a name on the project's own networks, not an address and not a name of the world outside."""
    return "." not in host and ":" not in host and not host.isdigit()


def _prometheus_name(environment: str, snapshot: Snapshot) -> str | None:
    server = snapshot.deployed(environment, "prometheus")
    return server.name if server else None


# --- alerts ------------------------------------------------------------------------------------------------------


@check(
    PrometheusConfig,
    Severity.WARNING,
    fix="Correct `rule_files` so that it finds the rules, or write some: `auditor build rules` generates them.",
    needs=("prometheus",),
)
def rules_not_loaded(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """Prometheus loads no rules, or a pattern of `rule_files` finds no file.

    Prometheus says nothing of a pattern that matches nothing; the alerts behind it simply never fire. A path that
    leads to files outside the project is not judged.

    Bad:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}}
        prometheus:
          rule_files: [rules/*.yml]
    Good:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}}
        prometheus:
          rule_files: [rules/*.yml]
        files:
          rules/web.yml: "groups: [{name: web, rules: [{alert: WebDown, expr: up == 0}]}]"
    """
    server = _prometheus_name(config.environment, snapshot)
    if not config.rule_patterns:
        yield Problem(f"`{config.path}` loads no rules: no alert can fire", (Location(config.path),), service=server)
    for pattern in config.rule_patterns:
        if pattern.files == ():
            yield Problem(
                f"`rule_files` names `{pattern.pattern}`, which no file matches",
                (pattern.location,),
                service=server,
                key=pattern.pattern,
            )


@check(Fault, Severity.CRITICAL, fix="Correct the rule: `promtool check rules` says what Prometheus refuses.")
def rule_invalid(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A rule file that Prometheus would refuse.

    One bad rule keeps Prometheus from starting, or from loading any change.

    Bad:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}}
        prometheus:
          rule_files: [rules.yml]
        files:
          rules.yml: "groups: [{name: web, rules: [{alert: WebDown}]}]"
    Good:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}}
        prometheus:
          rule_files: [rules.yml]
        files:
          rules.yml: "groups: [{name: web, rules: [{alert: WebDown, expr: up == 0}]}]"
    """
    yield told(fault)


@check(
    PrometheusConfig,
    Severity.CRITICAL,
    fix="Deploy an Alertmanager and name it below `alerting:`, or declare the one that is used as `external`.",
    needs=("prometheus", "compose"),
)
def alertmanager_missing(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """Prometheus has alerts to send, and nothing deploys an Alertmanager.

    Every alert fires into the void: nobody is called.

    Bad:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}}
        prometheus:
          alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
          scrape_configs: []
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            alertmanager: {image: "prom/alertmanager:v0.28.1"}
        prometheus:
          alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
          scrape_configs: []
    """
    if not _lacks_alertmanager(config, snapshot):
        return
    environment = config.environment
    name = snapshot.missing_name(environment, "alertmanager")
    rules = config.rules
    has = f"{len(rules)} alert rules" if rules else "an `alerting:` section"
    places = [config.alerting] if config.alerting else []
    yield Problem(
        f"Prometheus of `{environment}` has {has}, but nothing deploys an Alertmanager",
        tuple(places) or (rules[0].location,),
        service=name if snapshot.entry(environment, name) else _prometheus_name(environment, snapshot),
        cause=missing(name),
    )


def _lacks_alertmanager(config: PrometheusConfig, snapshot: Snapshot) -> bool:
    environment = config.environment
    if not snapshot.deployed(environment, "prometheus") or not (config.rules or config.alerting):
        return False
    return not _has_alertmanager(environment, snapshot) and not _alerts_outside(config)


def _has_alertmanager(environment: str, snapshot: Snapshot) -> bool:
    key = "alertmanager"
    return bool(snapshot.deployed(environment, key) or snapshot.elsewhere(environment, key))


def _alerts_outside(config: PrometheusConfig) -> bool:
    """Whether alerts go to an address outside the project, or to where a discovery says."""
    outside = any(not _own_name(target.address.host) for target in config.alertmanagers)
    return outside or bool(config.alertmanager_discovery)


@check(
    PrometheusConfig,
    Severity.CRITICAL,
    fix="Name the Alertmanager below `alerting: alertmanagers:`.",
    needs=("prometheus", "compose"),
)
def alertmanager_not_connected(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """Prometheus has alert rules, and its configuration names no Alertmanager that answers.

    Rules fire, Alertmanager waits, and neither knows of the other.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            alertmanager: {image: "prom/alertmanager:v0.28.1"}
        prometheus:
          rule_files: [rules.yml]
        files:
          rules.yml: "groups: [{name: web, rules: [{alert: WebDown, expr: up == 0}]}]"
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            alertmanager: {image: "prom/alertmanager:v0.28.1"}
        prometheus:
          rule_files: [rules.yml]
          alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
        files:
          rules.yml: "groups: [{name: web, rules: [{alert: WebDown, expr: up == 0}]}]"
    """
    environment = config.environment
    absent = _lacks_alertmanager(config, snapshot)
    if not config.rules or _alerts_outside(config) or not (absent or _has_alertmanager(environment, snapshot)):
        return
    named = [target.address.host for target in config.alertmanagers]
    if any(snapshot.provided(environment, host) for host in named) or (named and absent):
        return
    said = f"names `{named[0]}`, which nothing provides" if named else "names no Alertmanager"
    yield Problem(
        f"`{config.path}` loads {len(config.rules)} alert rules, but {said}",
        (config.alertmanagers[0].location if named else config.alerting or Location(config.path),),
        service=_prometheus_name(environment, snapshot),
        cause=missing(snapshot.missing_name(environment, "alertmanager")) if absent else None,
    )


# --- logs --------------------------------------------------------------------------------------------------------


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
    store = next((s for s in snapshot.of_kind(environment, "log_store") if _deployed(s, snapshot)), None)
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
