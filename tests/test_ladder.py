"""Ten rungs, four states, six lifecycles: what proves a rung, what disproves it, and what counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditor import ladder
from auditor.ladder import Count, Rung, count
from auditor.model import RUNGS, RungState, Verdict
from tests.projects import report_of, snapshot_of

CASES: dict[str, tuple[str, dict[str, Any], str, str | None]] = {}
# name -> (rung of service `web`, planes, state, reason)
WEB = {"services": {"web": {"image": "nginx:1.27.5"}}}
DECLARED = {"services": {"web": {}}}
LISTED = {"README.md": "## Services\n\n- web\n- api\n"}
PAIR = {"services": {"web": {}, "api": {}}}
TARGETS = {
    "rule_files": ["rules.yml"],
    "scrape_configs": [{"job_name": "web", "static_configs": [{"targets": ["web:80"]}]}],
    "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alerts:9093"]}]}]},
}


def rule(expression: str) -> str:
    return f"groups: [{{name: g, rules: [{{alert: A, expr: '{expression}'}}]}}]"


def panel(expression: str) -> dict[str, Any]:
    return {"d.json": {"title": "D", "panels": [{"title": "P", "targets": [{"expr": expression}]}]}}


WATCHED = {
    "compose": WEB,
    "prometheus": TARGETS,
    "files": {"rules.yml": rule("up == 0")},
    "alertmanager": {
        "route": {"receiver": "team"},
        "receivers": [{"name": "team", "webhook_configs": [{"url": "http://relay:8080/"}]}],
    },
}
CHARTED = {
    "catalogue": {"services": {"web": {"metrics": {"port": 80}}}},
    "compose": WEB,
    "prometheus": {"scrape_configs": TARGETS["scrape_configs"]},
    "dashboards": panel("up{job='web'}"),
}
PROMETHEUS_WEB = {"services": {"web": {"image": "prom/prometheus:v3.5.0"}}}


def declared(**fields: Any) -> dict[str, Any]:
    return {"services": {"web": fields}}


def one_gone(**fields: Any) -> dict[str, Any]:
    """A container on one of two engines, and the other cannot be read."""
    container = {"name": "web-1", "service": "web", "source": "docker:a"} | fields
    sources = {"docker:a": "ok", "docker:b": "failed"}
    return {"compose": WEB, "catalogue": DECLARED, "containers": [container], "sources": sources}


def composed(**fields: Any) -> dict[str, Any]:
    return {"services": {"web": {"image": "team/web:1"} | fields}}


def running(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "web-1", "service": "web"} | fields]


PROMTAIL = """
clients: [{url: "http://loki:3100/loki/api/v1/push"}]
scrape_configs:
  - job_name: all
    docker_sd_configs: [{host: "unix:///var/run/docker.sock", filters: [{name: label, values: ["logging=yes"]}]}]
"""


def shipped(configuration: str) -> dict[str, Any]:
    """`web`, whose label `logging` is `yes`, beside a Promtail and a Loki."""
    services = {
        "web": {"image": "nginx:1.27.5", "labels": {"logging": "yes"}},
        "loki": {"image": "grafana/loki:3.4.2"},
        "promtail": {
            "image": "grafana/promtail:3.4.2",
            "volumes": ["./p.yml:/etc/promtail/config.yml", "/run/docker.sock:/run/docker.sock"],
        },
    }
    return {"compose": {"services": services}, "files": {"p.yml": configuration}}


def scraping(*targets: str) -> dict[str, Any]:
    return {"scrape_configs": [{"job_name": "all", "static_configs": [{"targets": list(targets)}]}]}


CASES |= {
    "claimed: listed": ("claimed", {"catalogue": PAIR, "compose": WEB, "documents": LISTED}, "proved", None),
    "claimed: not listed": (
        "claimed",
        {"catalogue": DECLARED, "compose": WEB, "documents": {"README.md": "# Shop\n"}},
        "disproved",
        "no list or table of services names it",
    ),
    "claimed: nobody asked": ("claimed", {"catalogue": DECLARED, "compose": WEB}, "unknown", "not asked"),
    "declared: by name": ("declared", {"catalogue": DECLARED, "compose": WEB}, "proved", None),
    "declared: not": (
        "declared",
        {"catalogue": {"services": {"api": {}}}, "compose": WEB},
        "disproved",
        "no catalogue entry has its name or alias",
    ),
    "declared: no catalogue": ("declared", {"compose": WEB}, "unknown", "not asked"),
    "composed": ("composed", {"compose": WEB}, "proved", None),
    "composed: not": (
        "composed",
        {"catalogue": DECLARED, "compose": {"services": {"api": {"image": "team/api:1"}}}},
        "disproved",
        "no Compose service of `default` is it",
    ),
    "composed: unreadable": (
        "composed",
        {"catalogue": DECLARED, "files": {"docker-compose.yml": "services: ["}},
        "unknown",
        None,
    ),
    "running": ("running", {"compose": WEB, "containers": running()}, "proved", None),
    "running: none": ("running", {"compose": WEB, "containers": []}, "disproved", "no container of it exists"),
    "running: fewer than wanted": (
        "running",
        {"compose": composed(deploy={"replicas": 2}), "containers": running()},
        "disproved",
        "1 of 2 wanted containers run",
    ),
    "running: stopped": (
        "running",
        {"compose": WEB, "containers": running(state="exited", exit_code=0), "catalogue": DECLARED},
        "disproved",
        "0 of 1 wanted containers run",
    ),
    "running: nobody asked": ("running", {"compose": WEB}, "unknown", "not asked"),
    "running: the engine failed": (
        "running",
        {"compose": WEB, "sources": {"docker": "failed"}},
        "unknown",
        "docker could not be read: made to fail",
    ),
    "running: a one-shot that ended well": (
        "running",
        {
            "catalogue": declared(lifecycle="oneshot"),
            "compose": WEB,
            "containers": running(state="exited", exit_code=0),
        },
        "proved",
        None,
    ),
    "running: a one-shot that failed": (
        "running",
        {
            "catalogue": declared(lifecycle="oneshot"),
            "compose": WEB,
            "containers": running(state="exited", exit_code=2),
        },
        "disproved",
        "its last run exited 2",
    ),
    "running: a one-shot that never ran": (
        "running",
        {"catalogue": declared(lifecycle="oneshot"), "compose": WEB, "containers": []},
        "disproved",
        "no run of it is on record",
    ),
    "running: a process that listens": (
        "running",
        {"catalogue": declared(lifecycle="process", ports=[80]), "listeners": [{"port": 80}]},
        "proved",
        None,
    ),
    "running: a process that does not": (
        "running",
        {"catalogue": declared(lifecycle="process", ports=[80]), "listeners": [{"port": 81}]},
        "disproved",
        "nothing listens on 80",
    ),
    "running: a listener proves no daemon": (
        "running",
        {"catalogue": declared(ports=[80]), "compose": WEB, "containers": [], "listeners": [{"port": 80}]},
        "disproved",
        "no container of it exists",
    ),
    "running: a scheduled run that left no container": (
        "running",
        {"catalogue": declared(lifecycle="cron"), "compose": WEB, "containers": []},
        "unknown",
        "no run of it is on record",
    ),
    "healthy: a scheduled run that left no container": (
        "healthy",
        {"catalogue": declared(lifecycle="cron"), "compose": WEB, "containers": []},
        "unknown",
        "no run of it is on record",
    ),
    "running: the last of several runs failed": (
        "running",
        {
            "catalogue": declared(lifecycle="oneshot"),
            "compose": WEB,
            "containers": [
                {"name": "web-1", "service": "web", "state": "exited", "exit_code": 1, "id": "b"},
                {"name": "web-0", "service": "web", "state": "exited", "exit_code": 0, "id": "a"},
            ],
        },
        "disproved",
        "its last run exited 1",
    ),
    "running: seen on one engine while another is gone": ("running", one_gone(), "proved", None),
    "running: not seen where the engine could be read": (
        "running",
        one_gone(state="exited", exit_code=137),
        "unknown",
        "docker could not be read: made to fail",
    ),
    "running: fewer than wanted where the engine could be read": (
        "running",
        one_gone() | {"compose": composed(deploy={"replicas": 2})},
        "unknown",
        "docker could not be read: made to fail",
    ),
    "running: what the engine that is gone showed before": (
        "running",
        one_gone(source="docker:b"),
        "unknown",
        "docker could not be read: made to fail",
    ),
    "healthy: seen on one engine while another is gone": ("healthy", one_gone(health="healthy"), "proved", None),
    "healthy: ill on one engine while another is gone": (
        "healthy",
        one_gone(health="unhealthy"),
        "disproved",
        "unhealthy: container `web-1` is unhealthy",
    ),
    "healthy: not seen where the engine could be read": (
        "healthy",
        one_gone(state="exited", exit_code=137),
        "unknown",
        "the engine could not be read, and nothing else speaks for the service",
    ),
    "healthy": ("healthy", {"compose": WEB, "containers": running(health="healthy")}, "proved", None),
    "healthy: unhealthy": (
        "healthy",
        {"compose": WEB, "containers": running(health="unhealthy")},
        "disproved",
        "unhealthy: container `web-1` is unhealthy",
    ),
    "healthy: stopped": (
        "healthy",
        {"compose": WEB, "containers": []},
        "disproved",
        "stopped: no container",
    ),
    "healthy: starting": (
        "healthy",
        {"compose": WEB, "containers": running(health="starting")},
        "unknown",
        "container `web-1` is starting",
    ),
    "healthy: no health check": (
        "healthy",
        {"compose": WEB, "containers": running()},
        "unknown",
        "container `web-1` runs; nothing proves that it works",
    ),
    "healthy: a probe answers": (
        "healthy",
        {"catalogue": DECLARED, "compose": WEB, "probes": [{"service": "web", "outcome": "success"}]},
        "proved",
        None,
    ),
    "healthy: nobody asked": ("healthy", {"compose": WEB}, "unknown", "not asked"),
    "scraped": (
        "scraped",
        {"catalogue": declared(metrics={"port": 80}), "compose": WEB, "prometheus": scraping("web:80")},
        "proved",
        None,
    ),
    "scraped: itself": (
        "scraped",
        {"compose": PROMETHEUS_WEB, "prometheus": scraping("localhost:9090")},
        "proved",
        None,
    ),
    "scraped: no job": (
        "scraped",
        {"catalogue": declared(metrics={"port": 80}), "compose": WEB, "prometheus": scraping("api:80")},
        "disproved",
        "no scrape job targets it or its exporter",
    ),
    "scraped: a target that nothing provides": (
        "scraped",
        {
            "catalogue": declared(metrics={"port": 80}),
            "compose": {"services": {"api": {"image": "team/api:1"}}},
            "prometheus": scraping("web:80"),
        },
        "disproved",
        "job `all` targets web:80, which nothing provides",
    ),
    "scraped: a declared exporter that is not there": (
        "scraped",
        {
            "catalogue": {"services": {"web": {"metrics": {"exporter": "speaker"}}, "speaker": {}}},
            "compose": WEB,
            "prometheus": scraping("speaker:9000"),
        },
        "disproved",
        "job `all` targets speaker:9000, which nothing provides",
    ),
    "scraped: by its exporter": (
        "scraped",
        {
            "compose": {
                "services": {"web": {"image": "redis:7.4"}, "m": {"image": "oliver006/redis_exporter:v1.70.0"}}
            },
            "prometheus": scraping("m:9121"),
        },
        "proved",
        None,
    ),
    "scraped: no endpoint is known": (
        "scraped",
        {"compose": WEB | {"services": {"web": {"image": "team/web:1"}}}, "prometheus": scraping("api:80")},
        "not_required",
        "no metrics endpoint of it is known",
    ),
    "scraped: a discovery hides it": (
        "scraped",
        {
            "catalogue": declared(metrics={"port": 80}),
            "compose": WEB,
            "prometheus": {"scrape_configs": [{"job_name": "a", "dns_sd_configs": [{"names": ["x"]}]}]},
        },
        "unknown",
        "no static target is it, and dns_sd_configs cannot be followed in files",
    ),
    "scraped: nobody asked": ("scraped", {"compose": WEB}, "unknown", "not asked"),
    "logged: a shipper": (
        "logged",
        {"compose": {"services": {**WEB["services"], "logs": {"image": "gliderlabs/logspout:v3.2.14"}}}},
        "proved",
        None,
    ),
    "logged: a shipper whose configuration is not here": (
        "logged",
        {"compose": {"services": {**WEB["services"], "logs": {"image": "grafana/alloy:v1.8.3"}}}},
        "unknown",
        "the configuration of `logs` is not among the project's files",
    ),
    "logged: by what it takes": ("logged", shipped(PROMTAIL), "proved", None),
    "logged: left out": (
        "logged",
        shipped(PROMTAIL.replace("=yes", "=no")),
        "disproved",
        "no input of `promtail` takes its logs",
    ),
    "logged: to nothing": (
        "logged",
        shipped(PROMTAIL.replace("loki:3100", "lokki:3100")),
        "disproved",
        "`promtail` takes its logs and sends them to lokki:3100, which nothing in `default` provides",
    ),
    "logged: a line": ("logged", {"compose": WEB, "lines": [{"value": "web", "minutes_ago": 5}]}, "proved", None),
    "logged: no line": (
        "logged",
        shipped(PROMTAIL) | {"lines": [{"value": "web"}]},
        "disproved",
        "Loki has had no line of it for a day",
    ),
    "logged: a label that is missing": (
        "logged",
        shipped(PROMTAIL) | {"lines": [{"value": "loki", "minutes_ago": 5}]},
        "disproved",
        "no label of Loki names it",
    ),
    "logged: labels that name nobody": (
        "logged",
        shipped(PROMTAIL) | {"lines": [{"value": "x", "minutes_ago": 5}]},
        "proved",
        None,
    ),
    "logged: Loki cannot be read": (
        "logged",
        shipped(PROMTAIL) | {"sources": {"loki": "stale"}},
        "unknown",
        "loki could not be read: made to fail",
    ),
    "logged: a driver that ships": ("logged", {"compose": composed(logging={"driver": "loki"})}, "proved", None),
    "logged: a driver that keeps nothing": (
        "logged",
        {"compose": composed(logging={"driver": "none"})},
        "disproved",
        "its logging driver is `none`",
    ),
    "logged: nobody ships": (
        "logged",
        {"compose": WEB},
        "disproved",
        "no log shipper is composed and its logging driver ships nothing",
    ),
    "logged: not composed": (
        "logged",
        {"catalogue": DECLARED, "compose": {"services": {"api": {"image": "team/api:1"}}}},
        "disproved",
        "it is not composed, so nothing ships its logs",
    ),
    "alerted: no Prometheus": ("alerted", {"compose": WEB}, "unknown", "not asked"),
    "routed: no Alertmanager": ("routed", {"compose": WEB}, "unknown", "not asked"),
    "alerted: by its target": ("alerted", WATCHED, "proved", None),
    "alerted: no rule": (
        "alerted",
        WATCHED | {"files": {"rules.yml": "groups: []"}},
        "disproved",
        "no loaded alert rule selects its series",
    ),
    "alerted: perhaps": (
        "alerted",
        WATCHED | {"files": {"rules.yml": rule("errors_total > 1")}},
        "unknown",
        "alert `A` selects `errors_total`, and nobody says whether it exposes that",
    ),
    "alerted: rules elsewhere": (
        "alerted",
        WATCHED | {"prometheus": {**TARGETS, "rule_files": ["/srv/rules/*.yml"]}},
        "unknown",
        "rules may stand in `/srv/rules/*.yml`, outside the project",
    ),
    "alerted: in the language of another version": (
        "alerted",
        WATCHED | {"files": {"rules.yml": rule("rate(errors_total[5m] anchored) > 1")}},
        "unknown",
        "the expression of alert `A` is not read by this version",
    ),
    "alerted: rules where all samples go": (
        "alerted",
        WATCHED
        | {
            "prometheus": {**TARGETS, "rule_files": [], "remote_write": [{"url": "https://mimir.corp.net/push"}]},
            "files": {},
        },
        "unknown",
        "rules may stand at `mimir.corp.net`, which all samples are sent to",
    ),
    "routed: a receiver that was never filled in": (
        "routed",
        WATCHED
        | {
            "alertmanager": {
                "route": {"receiver": "a"},
                "receivers": [{"name": "a", "webhook_configs": [{"url": "https://hooks.example.com/x"}]}],
            }
        },
        "disproved",
        "its alerts end at `a`, which tells nobody",
    ),
    "routed: thrown away before it is sent": (
        "routed",
        WATCHED
        | {
            "prometheus": {
                **TARGETS,
                "alerting": {**TARGETS["alerting"], "alert_relabel_configs": [{"action": "drop", "regex": ".*"}]},
            }
        },
        "disproved",
        "`alert_relabel_configs` throws its alerts away",
    ),
    "routed: to the team": ("routed", WATCHED, "proved", None),
    "routed: to nobody": (
        "routed",
        WATCHED | {"alertmanager": {"route": {"receiver": "a"}, "receivers": [{"name": "a"}]}},
        "disproved",
        "its alerts end at `a`, which tells nobody",
    ),
    "routed: nobody listens": (
        "routed",
        WATCHED | {"prometheus": {**TARGETS, "alerting": None}},
        "disproved",
        "`prometheus.yml` names no Alertmanager to send its alerts to",
    ),
    "routed: not deployed": (
        "routed",
        WATCHED | {"compose": {"services": {**WEB["services"], "prometheus": {"image": "prom/prometheus:v3.5.0"}}}},
        "disproved",
        "nothing deploys the Alertmanager that its alerts are sent to",
    ),
    "charted: nobody asked": ("charted", {"compose": WEB}, "unknown", "not asked"),
    "charted: by its job": ("charted", CHARTED, "proved", None),
    "charted: no panel": (
        "charted",
        CHARTED | {"dashboards": panel("up{job='api'}")},
        "disproved",
        "no panel of a dashboard queries its series",
    ),
    "charted: perhaps": (
        "charted",
        CHARTED | {"dashboards": panel("errors_total")},
        "unknown",
        "panel “P” of dashboard “D” queries `errors_total`, and nobody says whether it exposes that",
    ),
    "charted: no endpoint is known": (
        "charted",
        CHARTED | {"catalogue": DECLARED, "dashboards": panel("vector(1)"), "compose": composed()},
        "not_required",
        "no metrics endpoint of it is known",
    ),
    "charted: whatever a variable holds": (
        "charted",
        CHARTED | {"dashboards": panel("up{job=~'$job'}")},
        "proved",
        None,
    ),
    "charted: the dashboards cannot be read": (
        "charted",
        CHARTED | {"dashboards": {}, "sources": {"grafana": "failed"}},
        "unknown",
        "grafana could not be read: made to fail",
    ),
    "charted: a running Grafana that cannot be read": (
        "charted",
        CHARTED | {"sources": {"grafana-api": "stale"}},
        "unknown",
        "grafana-api could not be read: made to fail",
    ),
    "charted: targets that files do not show": (
        "charted",
        CHARTED
        | {
            "prometheus": {"scrape_configs": [{"job_name": "all", "docker_sd_configs": [{"host": "x"}]}]},
            "dashboards": panel("up{job='api'}"),
        },
        "unknown",
        "which series it has is for docker_sd_configs, which cannot be followed in files",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rung(name: str) -> None:
    rung, planes, state, reason = CASES[name]
    found = rungs_of("web", planes)[rung]
    assert found.state == state
    if reason or state != "unknown":
        assert found.reason == reason
    assert bool(found.evidence) or state != "proved"


def rungs_of(name: str, planes: dict[str, Any]) -> dict[str, Rung]:
    snapshot = snapshot_of(planes)
    service = snapshot.service(snapshot.environments[0], name)
    assert service is not None
    return dict(ladder.climb(service, snapshot))


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (("00:00", "08:00"), "alert `A` reaches receiver `team`"),
        (("08:00", "18:00"), "alert `A` reaches receiver `team`, and a time interval holds it back just now"),
    ],
)
def test_who_is_told_and_that_nobody_is_at_the_moment(hours: tuple[str, str], said: str) -> None:
    start, end = hours
    config = WATCHED["alertmanager"] | {
        "route": {"receiver": "other", "routes": [{"receiver": "team", "mute_time_intervals": ["quiet"]}]},
        "receivers": [*WATCHED["alertmanager"]["receivers"], {"name": "other"}],
        "time_intervals": [{"name": "quiet", "time_intervals": [{"times": [{"start_time": start, "end_time": end}]}]}],
    }
    assert [item.text for item in rungs_of("web", WATCHED | {"alertmanager": config})["routed"].evidence] == [said]


def test_all_ten_rungs_stand_in_order() -> None:
    assert tuple(rungs_of("web", {"compose": WEB})) == RUNGS


def unneeded(rungs: dict[str, Rung]) -> dict[str, str]:
    return {name: rung.reason or "" for name, rung in rungs.items() if rung.state is RungState.NOT_REQUIRED}


LIFECYCLES = {
    "external": ({"lifecycle": "external"}, {"composed", "running", "logged"}, "it is external"),
    "process": ({"lifecycle": "process", "ports": [80]}, {"composed", "logged"}, "it is a host process"),
    "oneshot": ({"lifecycle": "oneshot"}, {"scraped", "charted"}, "it runs once"),
    "cron": ({"lifecycle": "cron"}, {"scraped", "charted"}, "it runs on a schedule"),
}


@pytest.mark.parametrize("name", LIFECYCLES)
def test_what_a_lifecycle_need_not_reach(name: str) -> None:
    fields, rungs, reason = LIFECYCLES[name]
    entry = fields | {"metrics": {"port": 80}}
    other = {"services": {"api": {"image": "team/api:1"}}}
    planes = {
        "catalogue": declared(**entry),
        "compose": other,
        "prometheus": scraping(),
        "containers": [],
        "listeners": [],
    }
    assert unneeded(rungs_of("web", planes)) == dict.fromkeys(rungs, reason)


def test_what_is_proved_stays_proved_though_it_need_not_be() -> None:
    planes = {"catalogue": declared(lifecycle="external", metrics={"port": 80}), "compose": WEB}
    assert rungs_of("web", planes)["composed"].state is RungState.PROVED


def test_an_embedded_service_follows_its_host() -> None:
    catalogue = {"services": {"web": {}, "mails": {"lifecycle": "embedded", "embedded_in": "web"}}}
    planes = {"catalogue": catalogue, "compose": WEB, "containers": running(health="unhealthy")}
    rungs = rungs_of("mails", planes)
    assert rungs["composed"].state is RungState.PROVED
    assert rungs["healthy"].reason == "unhealthy: container `web-1` is unhealthy"
    assert unneeded(rungs) == dict.fromkeys(("scraped", "charted"), "it is part of another service")


EXCUSES = {
    "in maintenance until 2026-03-01: new disk": ({"maintenance": {"until": "2026-03-01", "reason": "new disk"}}, {}),
    "its profile is not active (tools)": ({}, {"profiles": ["tools"]}),
    "scaled to 0": ({}, {"deploy": {"replicas": 0}}),
    "declared with 0 replicas": ({"replicas": 0}, {}),
}


@pytest.mark.parametrize("reason", EXCUSES)
def test_an_excuse_covers_running_and_what_follows(reason: str) -> None:
    entry, service = EXCUSES[reason]
    planes = {"catalogue": declared(**entry), "compose": composed(**service), "containers": []}
    assert unneeded(rungs_of("web", planes)) == dict.fromkeys(RUNGS[RUNGS.index("running") :], reason)


def test_maintenance_ends_with_its_last_day() -> None:
    entry = {"maintenance": {"until": "2026-02-28", "reason": "new disk"}}
    planes = {"catalogue": declared(**entry), "compose": WEB, "containers": []}
    assert rungs_of("web", planes)["running"].state is RungState.DISPROVED


# --- what is required, and how it is counted ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criticality", "required"),
    [
        ("critical", set(RUNGS)),
        ("standard", {"composed", "running", "healthy", "scraped", "alerted"}),
        ("optional", {"composed", "running"}),
    ],
)
def test_required_by_criticality(criticality: str, required: set[str]) -> None:
    rungs = rungs_of("web", {"catalogue": declared(criticality=criticality), "compose": WEB})
    assert {name for name, rung in rungs.items() if rung.required} == required


def test_the_catalogue_may_require_other_rungs() -> None:
    catalogue = declared() | {"policy": {"required": {"standard": ["composed", "logged"]}}}
    rungs = rungs_of("web", {"catalogue": catalogue, "compose": WEB})
    assert {name for name, rung in rungs.items() if rung.required} == {"composed", "logged"}


def rung(state: str, reason: str | None = None, *, required: bool = True) -> Rung:
    return Rung(RungState(state), required, reason)


@pytest.mark.parametrize(
    ("rungs", "counted", "coverage", "assessed"),
    [
        ([], Count(), None, None),
        ([rung("proved"), rung("disproved")], Count(2, 2, 1), 0.5, 1.0),
        ([rung("proved"), rung("disproved", required=False)], Count(1, 1, 1), 1.0, 1.0),
        ([rung("proved"), rung("not_required", "it is external")], Count(1, 1, 1), 1.0, 1.0),
        ([rung("proved"), rung("unknown", "not asked")], Count(2, 1, 1), 1.0, 0.5),
        ([rung("proved"), rung("unknown", "not assessed by this version")], Count(2, 1, 1), 1.0, 0.5),
        ([rung("proved"), rung("unknown", "docker could not be read: gone")], Count(2, 2, 1), 0.5, 1.0),
        ([rung("unknown", "not asked")], Count(1, 0, 0), None, 0.0),
    ],
)
def test_count(rungs: list[Rung], counted: Count, coverage: float | None, assessed: float | None) -> None:
    found = count(dict(zip(RUNGS, rungs, strict=False)))
    assert found == counted
    assert (found.coverage, found.assessment) == (coverage, assessed)


def test_coverage_of_a_blind_audit_is_not_that_of_a_good_one() -> None:
    planes = {"catalogue": DECLARED, "compose": WEB, "containers": running(health="healthy")}
    blind = {"catalogue": DECLARED, "compose": WEB, "sources": {"docker": "failed"}}
    assert report_of(planes).coverage == 1.0
    assert report_of(blind).coverage == pytest.approx(1 / 3, abs=1e-4)


def test_describe_tells_what_the_verdict_stands_on() -> None:
    planes = {
        "catalogue": declared(owner="platform", category="core", title="Web"),
        "compose": composed(mem_limit="64m"),
        "containers": running(health="healthy", memory_usage=1000),
        "probes": [{"service": "web", "outcome": "success", "duration": 0.25}],
    }
    snapshot = snapshot_of(planes)
    found, _ = ladder.describe(snapshot.services[0], snapshot)
    assert (found.verdict, found.health, found.owner, found.title) == (Verdict.HEALTHY, "healthy", "platform", "Web")
    assert (found.memory_bytes, found.memory_limit_bytes, found.response_seconds) == (1000, 64 * 2**20, 0.25)
    assert found.reasons == ("container `web-1` is healthy", "http probe of `http://web` answered")


def test_a_process_is_shown_with_what_it_uses_and_counted_once_on_all_its_ports() -> None:
    one = {"process": "python3", "pid": 7, "command": "python3 app.py", "memory": 50 << 20, "cpu_seconds": 1.5}
    listeners = [{"port": port, "started_at": datetime(2026, 2, 1, 8, tzinfo=UTC)} | one for port in (80, 81)]
    catalogue = declared(lifecycle="process", ports=[80, 81], command="python app.py")
    (web,) = report_of({"catalogue": catalogue, "listeners": listeners}).services
    assert (web.memory_bytes, web.last_check is not None) == (50 << 20, True)
    assert [item.text for item in web.rungs["running"].evidence] == [
        f"process `python3` (pid 7: python3 app.py) listens on port {port}, since 2026-02-01 08:00:00 UTC, "
        "50 MiB of memory, 1.5 s of processor time"
        for port in (80, 81)
    ]
