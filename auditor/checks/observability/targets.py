"""Do scrape jobs point at what is there, at the right port, on a network that Prometheus is on, and does it answer?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.checks.gaps.causes import missing, stopped
from auditor.checks.observability.metrics import prometheus_name, unread
from auditor.inventory import LOCAL_HOSTS, Service, Snapshot
from auditor.model import Address, Evidence, LiveTarget, Location, PrometheusConfig, ScrapeTarget, Severity
from auditor.reach import address_in, answer, known_ports
from auditor.registry import BY_CRITICALITY, Problem, check
from auditor.scrapes import (
    UNREACHABLE,
    WRONG_PATH,
    WRONG_PORT,
    WRONG_SCHEME,
    Scrape,
    federates,
    gone,
    live_scrapes_of,
    lost_subject,
    resolved,
    spoken_for,
    unseen_socket,
)


@check(
    PrometheusConfig,
    Severity.WARNING,
    fix="Deploy what the job reads, or remove the target.",
    needs=("prometheus", "compose"),
)
def phantom_target(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """A scrape job asks a host that nothing provides, or has a prober ask one; or samples are sent to one.

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
    yield from _written_to(config, snapshot)
    yield from _unseen_sockets(config, snapshot)
    environment, server = config.environment, snapshot.prometheus_server(config)
    for job in config.jobs:
        asked = [("asks", address, place, job.name) for address, place in job.asks]
        asked += [(*one, target.job) for target in job.targets for one in _asked(target)]
        for does, address, place, name_of_job in asked:
            if snapshot.outside(address.host) or snapshot.provided(environment, address.host):
                continue
            if snapshot.has_address_of(server, address.host):
                continue
            name = snapshot.missing_name(environment, address.host)
            for_what = " for its targets" if does == "asks" else ""
            yield Problem(
                f"job `{name_of_job}` {does} {_shown(address)}{for_what}, which nothing in `{environment}` provides",
                (place,),
                service=name if snapshot.entry(environment, name) else prometheus_name(config, snapshot),
                key=name,
                cause=missing(name),
            )


def _unseen_sockets(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """The jobs that ask the engine by a socket that their server does not have."""
    server = snapshot.prometheus_server(config)
    for job in config.jobs:
        if place := unseen_socket(job, server):
            said = f"job `{job.name}` asks the engine at {place} for its targets, which is not mounted"
            yield Problem(said, (job.location,), service=prometheus_name(config, snapshot), key=f"engine {job.name}")


def _written_to(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """The stores that samples are sent to and that nothing provides."""
    environment, server = config.environment, snapshot.prometheus_server(config)
    for address in dict.fromkeys(config.remote_write):
        known = snapshot.outside(address.host) or snapshot.provided(environment, address.host)
        if known or snapshot.has_address_of(server, address.host):
            continue
        name = snapshot.missing_name(environment, address.host)
        yield Problem(
            f"`{config.path}` sends its samples to {_shown(address)}, which nothing in `{environment}` provides",
            (Location(config.path),),
            service=prometheus_name(config, snapshot),
            key=f"write {name}",
            cause=missing(name),
        )


def _asked(target: ScrapeTarget) -> Iterator[tuple[str, Address, Location]]:
    """Whom a target is, and whom a prober is told to ask there; with the verb for it and the line."""
    yield "scrapes", target.address, target.location
    if target.probed and (address := address_in(target.probed)):
        yield "probes", address, target.probed_at or target.location


@check(
    PrometheusConfig,
    Severity.WARNING,
    fix="Scrape the port and the path that have the metrics; a database's are at its exporter.",
    needs=("prometheus", "compose"),
)
def target_port_wrong(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """A scrape job asks a service at a port, under a path or by a scheme where it has no metrics.

    The target is down, or worse, answers something else. Silent where a running Prometheus finds the target up.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            cache-metrics: {image: "oliver006/redis_exporter:v1.70.0"}
        prometheus:
          scrape_configs: [{job_name: redis, static_configs: [{targets: ["cache-metrics:9122"]}]}]
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            cache-metrics: {image: "oliver006/redis_exporter:v1.70.0"}
        prometheus:
          scrape_configs: [{job_name: redis, static_configs: [{targets: ["cache-metrics:9121"]}]}]
    """
    for scrape, target in _faulty(config, snapshot, WRONG_PORT, WRONG_PATH, WRONG_SCHEME):
        service = scrape.answer.service
        if scrape.fault == WRONG_PATH and federates(target):
            continue
        path = target.metrics_path if scrape.fault == WRONG_PATH else ""
        scheme = "https://" if scrape.fault == WRONG_SCHEME else ""
        meant = _meant(target, service, snapshot)
        if scrape.fault == WRONG_SCHEME:
            said = f"but `{service.name}` speaks plain HTTP"
        elif meant is not None:
            said = f"which is `{service.name}` itself: `{meant.name}` is not there"
            service = meant
        else:
            said = f"but {_under(service) if path else _where(service, scrape.answer.port)}"
        yield Problem(
            f"job `{target.job}` scrapes {scheme}{_host_port(target)}{path}, {said}",
            (target.location,),
            service=service.name,
            key=f"{target.job}:{target.address.port}",
            cause=unread(service),
        )


def _meant(target: ScrapeTarget, server: Service, snapshot: Snapshot) -> Service | None:
    """The service that is meant where Prometheus is told to ask its own loopback: who listens there on the host, else
    the only one that has the port."""
    if server.component is None or server.component.key != "prometheus" or target.address.host not in LOCAL_HOSTS:
        return None
    found = answer(target.address, None, target.environment, snapshot)
    if found is not None:
        return found.service if found.service is not server else None
    own = (s for s in snapshot.services if s.environment == target.environment and s is not server)
    having = [service for service in own if target.address.port in known_ports(service)]
    return having[0] if len(having) == 1 else None


def _under(service: Service) -> str:
    declared = service.entry.metrics if service.entry else None
    known = service.component.metrics if service.component else None
    metrics = declared or known
    return f"`{service.name}` has its metrics at {metrics.path if metrics else ''}"


def _where(service: Service, asked: int | None) -> str:
    declared = service.entry.metrics if service.entry else None
    known = service.component.metrics if service.component else None
    port = (declared.port if declared else None) or (known.port if known else None)
    if port is not None:
        return f"`{service.name}` has its metrics at port {port}"
    ports = known_ports(service)
    if asked in ports:
        return f"`{service.name}` has no metrics of its own; its exporter has"
    return f"`{service.name}` listens on {', '.join(map(str, sorted(ports)))}"


@check(
    PrometheusConfig,
    Severity.WARNING,
    fix="Put Prometheus and the target on one network.",
    needs=("prometheus", "compose"),
)
def target_unreachable(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """A scrape job points at a service with which Prometheus shares no network.

    The name does not resolve there, so the target is down for ever.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0", networks: [watch]}
            api: {image: "registry.example/api:1", networks: [app]}
          networks: {watch: {}, app: {}}
        prometheus:
          scrape_configs: [{job_name: api, static_configs: [{targets: ["api:8000"]}]}]
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0", networks: [watch, app]}
            api: {image: "registry.example/api:1", networks: [app]}
          networks: {watch: {}, app: {}}
        prometheus:
          scrape_configs: [{job_name: api, static_configs: [{targets: ["api:8000"]}]}]
    """
    server = snapshot.prometheus_server(config)
    for scrape, target in _faulty(config, snapshot, UNREACHABLE):
        service = scrape.answer.service
        places = [one.definition.place("networks") for one in (server, service) if one and one.definition]
        yield Problem(
            f"job `{target.job}` scrapes {_host_port(target)}, but Prometheus shares no network with `{service.name}`",
            (target.location, *places),
            service=service.name,
            key=target.job,
            cause=unread(service),
        )


def _faulty(config: PrometheusConfig, snapshot: Snapshot, *faults: str) -> Iterator[tuple[Scrape, ScrapeTarget]]:
    """The targets with one of the faults that no running Prometheus finds up all the same."""
    own = {id(target) for job in config.jobs for target in job.targets}
    written = {id(t) for one in snapshot.prometheus_configs(config.environment) for j in one.jobs for t in j.targets}
    for scrape in resolved(snapshot, config.environment):
        target = scrape.target
        discovered = id(target) not in written and scrape.server == config.path
        if scrape.fault not in faults or not isinstance(target, ScrapeTarget) or not (id(target) in own or discovered):
            continue
        live = live_scrapes_of(scrape.answer.service, snapshot)
        if not any(isinstance(one.target, LiveTarget) and one.target.up for one in live):
            yield scrape, target


@check(
    Service,
    BY_CRITICALITY,
    fix="Read the error: the target is gone, its port or path is wrong, or Prometheus may not reach it.",
    needs=("prometheus-api",),
)
def target_down(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """Prometheus cannot read the metrics of a service just now.

    There is a hole in every chart, and alerts on its series stay silent. One finding for all targets of a service; none
    where the service does not run at all, which says more.

    Bad:
        compose:
          services: {api: {image: "registry.example/api:1"}}
        targets: [{job: api, host: api, port: 8000, up: false, error: "connection refused"}]
    Good:
        compose:
          services: {api: {image: "registry.example/api:1"}}
        targets: [{job: api, host: api, port: 8000, up: true}]
    """
    down = [
        scrape.target
        for scrape in live_scrapes_of(service, snapshot)
        if scrape.own and isinstance(scrape.target, LiveTarget) and scrape.target.up is False
    ]
    if not down or snapshot.excuse(service):
        return
    first = down[0]
    more = f" and {len(down) - 1} more" if len(down) > 1 else ""
    yield Problem(
        f"target {_host_port(first)} of job `{first.job}`{more} is down: {first.error or 'no reason given'}",
        (service.location,) if service.location else (),
        tuple(Evidence("prometheus-api", f"{_host_port(target)}: {target.error or 'down'}") for target in down),
        cause=_why_down(service, snapshot) or unread(service),
    )


def _why_down(service: Service, snapshot: Snapshot) -> str | None:
    """The cause elsewhere: the service does not run, or what it is an exporter of does not, or is not there."""
    others = spoken_for(service, service.environment, snapshot)
    if stands := next((one for one in (service, *others) if gone(one, snapshot)), None):
        return stopped(stands.name)
    host = lost_subject(service, snapshot)
    return missing(snapshot.missing_name(service.environment, host)) if host else None


def _host_port(target: ScrapeTarget | LiveTarget) -> str:
    return _shown(target.address)


def _shown(address: Address) -> str:
    return f"{address.host}:{address.port}" if address.port else address.host
