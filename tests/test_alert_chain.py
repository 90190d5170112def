"""On the real thing: Prometheus scrapes `auditor serve`, the dashboard's queries answer, and an alert arrives."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from auditor.catalogue import parse_catalogue
from exporters import dashboards, rules
from tests.parts.process import Child, free_port, start, wait_until
from tests.parts.servers import Server

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]

REPOSITORY = Path(__file__).parent.parent
EXAMPLE = REPOSITORY / "compose/examples/auterity"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """`served(*options)` starts `auditor serve` on the example and returns its port."""
    children: list[Child] = []

    def serve(*options: str) -> int:
        project = tmp_path / "auterity"
        shutil.copytree(EXAMPLE, project)
        port = free_port()
        command = [sys.executable, "-m", "auditor", "serve", "--port", str(port), "--interval", "1s", *options]
        environ = os.environ | {"PYTHONPATH": str(REPOSITORY), "AUDITOR_STATE_DIR": str(tmp_path / "state")}
        child = start(command, tmp_path / "auditor.log", cwd=project, env=environ)
        children.append(child)
        wait_until(lambda: status(port) == 200, child, "auditor", 40)
        return port

    yield serve
    for child in children:
        child.stop()


def status(port: int) -> int:
    """The status code of `/readyz`; 0 while nobody answers."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code
    return 0


def answered(server: Server, query: str, seconds: float = 30) -> list[dict[str, object]]:
    """What a query answers, as soon as it answers anything."""
    end = time.monotonic() + seconds
    while not (found := server.query(query)) and time.monotonic() < end:
        time.sleep(0.3)
    return found


def scraping(port: int, **more: Any) -> str:
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": "auditor", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
    }
    return yaml.safe_dump(config | more)


def test_every_query_of_the_dashboard_answers(served, prometheus_server) -> None:
    server = prometheus_server(scraping(served()))
    assert answered(server, "auditor_coverage_ratio")
    for query in dashboards.queries(dashboards.fleet("demo")):
        assert answered(server, query.replace("$environment", ".*"), 10), query
    matrix = server.query(dashboards.MATRIX.replace("$environment", ".*"))
    cells = {(row["metric"]["service"], row["metric"]["rung"]): row["value"][1] for row in matrix}
    assert cells["unified/kong", "composed"] == "1"
    assert cells["unified/minio", "composed"] == "0"
    assert cells["unified/kong", "running"] == "2", "unknown is shown as such"


def test_an_open_gap_becomes_an_alert_on_the_page(served, prometheus_server, alertmanager_server) -> None:
    alertmanager = alertmanager_server("route: {receiver: page}\nreceivers: [{name: page}]\n")
    url = f"http://127.0.0.1:{alertmanager.port}"
    port = served("--alertmanager", url)
    text = rules.generate(parse_catalogue((EXAMPLE / "catalogue.yaml").read_bytes(), "c"))["rules/auditor.rules.yml"]
    at_once = {"auditor.rules.yml": text.replace("for: 5m", "for: 1s")}
    alerting = {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]}
    prometheus_server(scraping(port, rule_files=["auditor.rules.yml"], alerting=alerting), files=at_once)

    def arrived() -> bool:
        items = httpx.get(f"http://127.0.0.1:{port}/api/alerts").json()["items"]
        return any(item["name"] == "GapOpenCritical" for item in items)

    end = time.monotonic() + 60
    while not arrived() and time.monotonic() < end:
        time.sleep(0.5)
    page = httpx.get(f"http://127.0.0.1:{port}/").text
    assert "GapOpenCritical" in page
    assert "composed-elsewhere" in page
