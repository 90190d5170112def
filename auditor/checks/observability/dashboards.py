"""Is each service on a dashboard, and do the dashboards show anything?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from auditor import charting, ladder
from auditor.checks.gaps.causes import missing
from auditor.checks.observability.metrics import (
    deployed,
    exporter_missing,
    not_scraped,
    unread_program,
    unread_speaker,
)
from auditor.inventory import Service, Snapshot
from auditor.model import Dashboard, Datasource, Evidence, Lifecycle, Location, RungState, Severity
from auditor.reach import answer
from auditor.registry import Problem, check

_NAMED = 3  # panels that a message names


@check(
    Datasource,
    Severity.WARNING,
    fix="Correct its `url`, deploy what it names, or delete it.",
    needs=("compose",),
    either=("grafana", "grafana-api"),
)
def datasource_dead(datasource: Datasource, snapshot: Snapshot) -> Iterator[Problem]:
    """A datasource of Grafana asks a server that nothing provides, or that it cannot reach.

    Every panel on it is empty or shows an error. What lies outside the project is not judged.

    Bad:
        compose: {services: {grafana: {image: "grafana/grafana:11.6.0", volumes: ["./g:/etc/grafana/provisioning"]}}}
        files:
          g/datasources/all.yml: {datasources: [{name: Metrics, type: prometheus, url: "http://prometheus:9090"}]}
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            grafana: {image: "grafana/grafana:11.6.0", volumes: ["./g:/etc/grafana/provisioning"]}
        files:
          g/datasources/all.yml: {datasources: [{name: Metrics, type: prometheus, url: "http://prometheus:9090"}]}
    """
    environment, address = datasource.environment, datasource.address
    if address is None or datasource.by_browser or snapshot.outside(address.host):
        return
    server = snapshot.deployed(environment, "grafana")
    shown = f"{address.host}:{address.port}" if address.port else address.host
    said = f"datasource `{datasource.name}` asks {shown}"
    place = (datasource.location,) if datasource.location else ()
    found = answer(address, server, environment, snapshot)
    name = snapshot.missing_name(environment, address.host)
    if not snapshot.provided(environment, address.host):
        yield Problem(
            f"{said}, which nothing in `{environment}` provides",
            place,
            service=name if snapshot.entry(environment, name) else server.name if server else None,
            key=datasource.name,
            cause=missing(name),
        )
    elif found is not None and (why := _unreachable(found.reached, found.served, found.service, server)):
        yield Problem(f"{said}, {why}", place, service=server.name if server else None, key=datasource.name)


def _unreachable(reached: bool | None, served: bool | None, there: Service, server: Service | None) -> str | None:
    if reached is False and server is not None:
        return f"but `{server.name}` shares no network with `{there.name}`"
    if served is False and there is server:
        return f"which is `{there.name}` itself, and that does not listen there"
    return f"a port that `{there.name}` does not listen on" if served is False else None


@check(
    Dashboard,
    Severity.WARNING,
    fix="Correct the query or the datasource, or delete the panel.",
    needs=("compose",),
    either=("grafana", "grafana-api"),
)
def dashboard_dead_panel(dashboard: Dashboard, snapshot: Snapshot) -> Iterator[Problem]:
    """A panel can show nothing: its query selects what nothing exposes, is no PromQL, or has no datasource.

    Whoever looks in an incident takes an empty panel for a quiet system. Variables stand for anything. Silent where
    targets come from a discovery that files do not show.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            grafana: {image: "grafana/grafana:11.6.0"}
        prometheus:
          scrape_configs: [{job_name: grafana, static_configs: [{targets: ["grafana:3000"]}]}]
        dashboards:
          main.json: {title: Main, panels: [{title: Up, targets: [{expr: 'up{job="graphana"}'}]}]}
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            grafana: {image: "grafana/grafana:11.6.0"}
        prometheus:
          scrape_configs: [{job_name: grafana, static_configs: [{targets: ["grafana:3000"]}]}]
        dashboards:
          main.json: {title: Main, panels: [{title: Up, targets: [{expr: 'up{job="grafana"}'}]}]}
    """
    grafana = snapshot.grafana_of(dashboard.environment)
    if grafana is None:
        return
    groups: dict[str | None, list[charting.Dead]] = defaultdict(list)
    for dead in charting.dead_panels(dashboard, grafana, snapshot):
        host = dead.target.address.host if dead.target else None
        lost = missing(snapshot.missing_name(dashboard.environment, host)) if host else None
        groups[lost or unread_program(dead.metric, dashboard.environment, snapshot)].append(dead)
    server = snapshot.deployed(dashboard.environment, "grafana")
    for cause, group in groups.items():
        yield Problem(
            _told(dashboard, group),
            tuple(dict.fromkeys(place for dead in group if (place := _place(dead, dashboard)))),
            tuple(_evidence(dead, dashboard, live=grafana.live) for dead in group),
            service=server.name if server else None,
            key=f"{dashboard.key}\0{(cause or '').removeprefix('missing:')}",
            cause=cause,
        )


def _told(dashboard: Dashboard, group: list[charting.Dead]) -> str:
    names = ", ".join(f"“{dead.panel.title}”" for dead in group[:_NAMED])
    more = f" and {len(group) - _NAMED} more" if len(group) > _NAMED else ""
    noun = "panel" if len(group) == 1 else "panels"
    return f"{noun} {names}{more} of dashboard “{dashboard.title}” can show nothing: {group[0].why}"


def _place(dead: charting.Dead, dashboard: Dashboard) -> Location | None:
    return dead.query.location or dead.panel.location or dashboard.location


def _evidence(dead: charting.Dead, dashboard: Dashboard, *, live: bool) -> Evidence:
    place = _place(dead, dashboard)
    said = f"panel “{dead.panel.title}”: {dead.why}"
    source = "grafana-api" if live else "grafana"
    return Evidence(source, said, place.path if place else None, place.line if place else None)


@check(
    Service,
    Severity.INFO,
    fix="Add a panel with its numbers, or let `auditor build dashboards` make one.",
    either=("grafana", "grafana-api"),
)
def no_dashboard(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """No panel of a dashboard shows a service that has metrics and should be seen.

    In an incident somebody writes the queries by hand. Silent where the policy does not ask for a dashboard.

    Bad:
        catalogue: {services: {grafana: {criticality: critical}, prometheus: {}}}
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            grafana: {image: "grafana/grafana:11.6.0"}
        prometheus:
          scrape_configs:
            - {job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}
            - {job_name: grafana, static_configs: [{targets: ["grafana:3000"]}]}
        dashboards:
          main.json: {title: Main, panels: [{title: Up, targets: [{expr: 'up{job="prometheus"}'}]}]}
    Good:
        catalogue: {services: {grafana: {criticality: critical}, prometheus: {}}}
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            grafana: {image: "grafana/grafana:11.6.0"}
        prometheus:
          scrape_configs:
            - {job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}
            - {job_name: grafana, static_configs: [{targets: ["grafana:3000"]}]}
        dashboards:
          main.json: {title: Main, panels: [{title: Up, targets: [{expr: "up"}]}]}
    """
    here = deployed(service, snapshot) or service.lifecycle in (Lifecycle.EXTERNAL, Lifecycle.PROCESS)
    if not here or snapshot.excuse(service) or service.host is not None:
        return
    rung = ladder.climb(service, snapshot)["charted"]
    if not rung.required or rung.state is not RungState.DISPROVED:
        return
    unread = next(exporter_missing(service, snapshot), None) or next(not_scraped(service, snapshot), None)
    yield Problem(
        f"no panel of a dashboard shows `{service.name}`",
        (service.location,) if service.location else (),
        cause=unread.cause if unread else unread_speaker(service, snapshot),
    )
