"""The first reference system, as a golden: each gap that it was built with, once, at the line that proves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.model import Finding, Report, Severity
from auditor.scan import gather, judge, load_snapshot, save_snapshot
from auditor.settings import Settings

EXAMPLE = Path(__file__).parent.parent / "compose/examples/auterity"
BELOW = "compose/examples/auterity/"

# What the system was built with: check, service, a location, and what the text at that place says.
GAPS = [
    ("implemented-not-deployed", "puppeteer", "backend/app/services/puppeteer_service.py", "browserless.io"),
    ("implemented-not-deployed", "mailhog", "backend/app/services/email_service.py", "api.sendgrid.com"),
    ("placeholder-implementation", "slack-notifications", "backend/app/services/notification_service.py", "SLACK:"),
    ("composed-elsewhere", "alertmanager", "docker-compose.prod.yml", "alertmanager:"),
    ("composed-elsewhere", "alertmanager", "monitoring/alertmanager/alertmanager.yml", "route:"),
    ("referenced-not-deployed", "node-exporter", "monitoring/prometheus/prometheus.yml", "node-exporter:9100"),
    ("referenced-not-deployed", "redis-exporter", "monitoring/prometheus/prometheus.yml", "redis-exporter:9121"),
    ("referenced-not-deployed", "postgres-exporter", "monitoring/prometheus/prometheus.yml", "postgres-exporter:9187"),
    ("referenced-not-deployed", "promtail", "monitoring/prometheus/prometheus.yml", "promtail:9080"),
    ("referenced-not-deployed", "promtail", "docker-compose.unified.yml", "loki:"),
    ("declared-not-composed", "nginx", "catalogue.yaml", "nginx:"),
    ("declared-not-composed", "minio", "catalogue.yaml", "minio:"),
    ("count-claim-wrong", None, "README.md", "25+ Services"),
]
UNWATCHED = {"frontend", "celery-worker", "mlflow"}  # no endpoint of theirs is known, and no alert means them
NOT_SCRAPED = {"kong", "zookeeper", "vault", "weaviate", "grafana", "jaeger", "loki"}


def audited(environment: str) -> Report:
    settings = Settings(catalogue=str(EXAMPLE / "catalogue.yaml"), environments=(environment,))
    return judge(load_snapshot(save_snapshot(gather(settings)), "saved"), settings)


@pytest.fixture(scope="module")
def unified() -> Report:
    return audited("unified")


def finding(report: Report, check: str, service: str | None) -> Finding:
    (found,) = [f for f in report.findings if (f.check, f.service) == (check, service)]
    return found


@pytest.mark.parametrize(("check", "service", "path", "text"), GAPS)
def test_each_gap_is_found_at_the_line_that_proves_it(unified, check, service, path, text):
    places = [place for place in finding(unified, check, service).locations if place.path == BELOW + path]
    lines = (EXAMPLE / path).read_text().splitlines()
    assert any(place.line and text in lines[place.line - 1] for place in places), places


def test_nothing_else_of_warning_or_above(unified):
    found = {(f.check, f.service) for f in unified.findings if f.severity is not Severity.INFO}
    others = {("not-scraped", name) for name in NOT_SCRAPED} | {("exporter-missing", "kafka")}
    others |= {("no-alert", name) for name in UNWATCHED} | {("deprecated-image", "jaeger")}
    assert found == {(check, service) for check, service, _, _ in GAPS} | others


def test_what_is_said_and_how_bad_it_is(unified):
    count = finding(unified, "count-claim-wrong", None)
    assert count.message == "README claims 25+ services, unified composes 16 (gap of 9)"
    critical = {f.service for f in unified.findings if f.severity is Severity.CRITICAL}
    without_alert = {"frontend", "kong", "vault", "postgres-exporter", "redis-exporter"}  # or whom these speak for
    assert critical == {"alertmanager"} | without_alert
    said = {item.source for item in finding(unified, "composed-elsewhere", "alertmanager").evidence}
    assert {"configured-not-deployed", "alertmanager-missing"} <= said
    assert unified.complete
    assert len(unified.services) == 26


def test_no_service_looks_alive_where_nothing_alive_was_asked(unified):
    states = {(name, rung.state) for s in unified.services for name, rung in s.rungs.items()}
    assert not states & {("running", "proved"), ("healthy", "proved")}


def test_production_has_an_alertmanager_and_lacks_the_rest():
    found = {(f.check, f.service) for f in audited("prod").findings}
    assert ("composed-elsewhere", "alertmanager") not in found
    assert {("implemented-not-deployed", "puppeteer"), ("declared-not-composed", "nginx")} <= found
