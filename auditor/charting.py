"""Which services the panels of dashboards chart, and which panels can show nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from auditor.alerting import can_select, lacking, resolved, unfolded, written
from auditor.feeding import has_series_of
from auditor.frozen import dataclass
from auditor.inventory import Service, Snapshot
from auditor.model import Dashboard, Datasource, Grafana, Panel, PrometheusConfig, Query, ScrapeTarget
from auditor.promql import NewerError, Part, Selector, parts
from auditor.reach import answer
from auditor.series import Match, Series, candidates, selects

PROMQL_KINDS = frozenset(
    {
        "prometheus", "grafana-amazonprometheus-datasource", "grafana-azureprometheus-datasource",
        "victoriametrics-datasource", "victoriametrics-metrics-datasource",
    }
)  # fmt: skip
_MADE_BY_RULES = ("ALERTS", "ALERTS_FOR_STATE")


@dataclass(frozen=True, slots=True)
class Chart:
    """A panel that shows series of a service. sure: the selection is certain, whatever the service exposes."""

    dashboard: Dashboard
    panel: Panel
    query: Query
    selector: Selector
    sure: bool


@dataclass(frozen=True, slots=True)
class Dead:
    """A panel that can show nothing, and why. target: the scrape target whose series it wants, which nothing gives."""

    panel: Panel
    query: Query
    why: str
    target: ScrapeTarget | None = None
    metric: str | None = None  # that nothing gives


# --- queries -------------------------------------------------------------------------------------------------------


def datasource_of(query: Query, grafana: Grafana) -> Datasource | None:
    """The datasource that a query asks; None where it is not known, or there is none."""
    known = grafana.datasources or ()
    if query.datasource is not None and query.datasource != "default":
        return next((d for d in known if query.datasource in (d.uid, d.name)), None)
    of_kind = [d for d in known if query.kind in (None, d.kind)]
    first = next((d for d in of_kind if d.default), None)
    return first or (of_kind[0] if query.kind and of_kind else None)


def lacks_datasource(query: Query, dashboard: Dashboard, grafana: Grafana) -> str | None:
    """Why the datasource that a query names does not exist; None where it does, or cannot be told."""
    name = query.datasource
    if name is None or name == "default":
        return None
    if name.startswith(("$", "[[")):
        return f"its datasource `{name}` is filled in by hand only" if dashboard.provisioned else None
    if grafana.datasources is None or datasource_of(query, grafana) is not None:
        return None
    return f"its datasource `{name}` does not exist"


def hidden_panel(grafana: Grafana) -> str | None:
    """Why it is not known what all panels query: one stands in Grafana's library only."""
    for dashboard in grafana.dashboards:
        for panel in dashboard.panels:
            if panel.hidden:
                return f"what library panel “{panel.title}” of dashboard “{dashboard.title}” queries was not read"
    return None


def is_promql(query: Query, grafana: Grafana) -> bool:
    """Whether a query is meant for a server that speaks PromQL."""
    source = datasource_of(query, grafana)
    kind = query.kind or (source.kind if source else None)
    if kind is not None:
        return kind in PROMQL_KINDS
    return query.datasource is None or "loki" not in query.datasource.lower()


def _parses(query: Query) -> bool:
    try:
        parts(query.text)
    except NewerError:
        return True
    except ValueError:
        return False
    return True


def queries(grafana: Grafana) -> Iterator[tuple[Dashboard, Panel, Query]]:
    """Every query that is PromQL and whose datasource, as far as it is known, exists."""
    for dashboard in grafana.dashboards:
        for panel in dashboard.panels:
            for query in panel.queries:
                if is_promql(query, grafana) and not lacks_datasource(query, dashboard, grafana):
                    yield dashboard, panel, query


# --- what is charted -----------------------------------------------------------------------------------------------


def charts(service: Service, snapshot: Snapshot) -> tuple[Chart, ...]:
    """The panels that show series of a service, certain ones first; one a selector and dashboard."""
    return _charts(snapshot, service.environment).get(service.name, ())


@lru_cache(maxsize=4)
def _charts(snapshot: Snapshot, environment: str) -> Mapping[str, tuple[Chart, ...]]:
    grafana = snapshot.grafana_of(environment)
    if grafana is None:
        return {}
    config = snapshot.prometheus_of(environment) or PrometheusConfig(environment, "")
    matches: dict[tuple[str, str | None], dict[str, Match]] = {}  # a selector's text, and who looks -> how surely
    found: dict[str, dict[tuple[str, str], Chart]] = {}
    for dashboard, panel, query in queries(grafana):
        for part in resolved(query.text, config):
            text, server = str(part.selector), _asked(query, grafana, snapshot)
            if (text, server) not in matches:
                matches[text, server] = _selected(part.selector, server, environment, snapshot)
            for name, match in matches[text, server].items():
                chart = Chart(dashboard, panel, query, part.selector, match is Match.YES and query.sure)
                found.setdefault(name, {}).setdefault((dashboard.key, text), chart)
    return {name: tuple(sorted(of.values(), key=lambda chart: not chart.sure)) for name, of in found.items()}


def _asked(query: Query, grafana: Grafana, snapshot: Snapshot) -> str | None:
    """The configuration of the server that a query's datasource asks; None where it is none of those that were read."""
    configs = snapshot.prometheus_configs(grafana.environment)
    source = datasource_of(query, grafana) if len(configs) > 1 else None
    if source is None or source.address is None:
        return None
    asker = snapshot.deployed(grafana.environment, "grafana")
    found = answer(source.address, asker, grafana.environment, snapshot)
    own = (one.path for one in configs if not one.agent and found and snapshot.prometheus_server(one) is found.service)
    return next(own, None)


def _selected(selector: Selector, server: str | None, environment: str, snapshot: Snapshot) -> dict[str, Match]:
    found: dict[str, Match] = {}
    for series in candidates(selector, environment, snapshot):
        match = selects(selector, series)
        if match is not Match.NO and has_series_of(server, series.server, environment, snapshot):
            found[series.service] = max(match, found.get(series.service, Match.NO))
    return found


# --- what shows nothing --------------------------------------------------------------------------------------------


def dead_panels(dashboard: Dashboard, grafana: Grafana, snapshot: Snapshot) -> tuple[Dead, ...]:
    """The panels of a dashboard one of whose queries can have no answer, each with its first such query."""
    found = (_dead(panel, dashboard, grafana, snapshot) for panel in dashboard.panels)
    return tuple(dead for dead in found if dead is not None)


def _dead(panel: Panel, dashboard: Dashboard, grafana: Grafana, snapshot: Snapshot) -> Dead | None:
    config = snapshot.prometheus_of(dashboard.environment)
    for query in panel.queries:
        if why := lacks_datasource(query, dashboard, grafana):
            return Dead(panel, query, why)
        if not is_promql(query, grafana):
            continue
        if not _parses(query):
            certain = query.sure and (query.kind in PROMQL_KINDS or datasource_of(query, grafana) is not None)
            if certain:
                return Dead(panel, query, "its query is no PromQL")
        elif config is not None and (
            selector := _selects_nothing(query, _asked(query, grafana, snapshot), config, snapshot)
        ):
            seen = _seen(snapshot, config)
            lacks = "no target of the running Prometheus gives" if seen else lacking(Part(selector), config)
            why, target = f"{lacks} `{selector}`", _lost_target(selector, config, snapshot)
            return Dead(panel, query, why, target, selector.name)
    return None


def _selects_nothing(query: Query, server: str | None, config: PrometheusConfig, snapshot: Snapshot) -> Selector | None:
    """The first selector of a query none of whose selectors finds series; None where one does or nobody can tell."""
    if any(job.discovery or job.asked_of for job in config.jobs) and not _seen(snapshot, config):
        return None
    giving = [part for part in written(query.text) if part.gives and not part.absent]
    giving = [part for part in giving if part.selector.name not in _MADE_BY_RULES]
    if not giving or any(can_select(part, config, snapshot, server) for part in giving):
        return None
    return next(unfolded(giving[0], config), giving[0]).selector


def _seen(snapshot: Snapshot, config: PrometheusConfig) -> bool:
    """Whether the targets are those of the running Prometheus."""
    return snapshot.source("prometheus-api", config.environment).state == "ok"


def _lost_target(selector: Selector, config: PrometheusConfig, snapshot: Snapshot) -> ScrapeTarget | None:
    """The target whose series are selected, and that nothing provides."""
    targets = (target for job in config.jobs for target in job.targets)
    lost = (target for target in targets if not snapshot.provided(config.environment, target.address.host))
    return next((t for t in lost if selects(selector, Series("", t, t.labels, None)) is not Match.NO), None)
