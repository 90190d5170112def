"""The targets that we read out of scrape configurations against those that a real Prometheus shows."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.model import PrometheusConfig
from auditor.sources.prometheus import parse_prometheus
from auditor.sources.tree import DiskTree
from tests.parts.plugin import need
from tests.parts.servers import Server, serving

CASES: Mapping[str, Any] = yaml.safe_load((Path(__file__).parent / "targets.yaml").read_text())
FILES: Mapping[str, str] = {path: text for case in CASES.values() for path, text in case.get("files", {}).items()}
CONFIG = {
    "global": {"scrape_interval": "1h"},
    "scrape_configs": [job for case in CASES.values() for job in case["scrape_configs"]],
    "scrape_config_files": [name for case in CASES.values() for name in case.get("scrape_config_files", ())],
}
POOLS = [job["job_name"] for job in CONFIG["scrape_configs"]] + ["extra"]
Shown = list[tuple[str, str, tuple[tuple[str, str], ...]]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A Prometheus with all the configurations in one."""
    need("prometheus")
    with serving("prometheus", yaml.safe_dump(CONFIG), FILES) as started:
        yield started


@pytest.fixture(scope="module")
def ours(server: Server) -> PrometheusConfig:
    return parse_prometheus(DiskTree(server.folder), "prometheus.yml", "prod", lambda _: None)


@pytest.fixture(scope="module")
def theirs(server: Server, ours: PrometheusConfig) -> Mapping[str, Shown]:
    """Scrape pool -> its active targets, as soon as there are as many as we expect; discovery takes seconds."""
    until, wanted = time.monotonic() + 30, sum(len(job.targets) for job in ours.jobs)
    while time.monotonic() < until:
        active = server.get("/api/v1/targets", state="active").json()["data"]["activeTargets"]
        if len(active) >= wanted:
            break
        time.sleep(0.2)
    found: dict[str, Shown] = defaultdict(list)
    for target in active:
        scheme, _, rest = target["scrapeUrl"].partition("://")
        path = "/" + rest.partition("/")[2].partition("?")[0]
        found[target["scrapePool"]].append((scheme, path, tuple(sorted(target["labels"].items()))))
    return found


@pytest.mark.component
@pytest.mark.parametrize("pool", POOLS)
def test_targets_are_those_of_prometheus(pool: str, ours: PrometheusConfig, theirs: Mapping[str, Shown]) -> None:
    (job,) = (job for job in ours.jobs if job.name == pool)
    read: Shown = [(str(t.address.scheme), t.metrics_path, tuple(sorted(t.labels.items()))) for t in job.targets]
    assert sorted(read) == sorted(theirs.get(pool, []))
    assert job.discovery == ()


@pytest.mark.component
def test_what_is_dropped_is_what_prometheus_drops(server: Server, ours: PrometheusConfig, theirs: object) -> None:
    dropped = server.get("/api/v1/targets", state="dropped").json()["data"]["droppedTargetCounts"]
    assert {job.name: len(job.dropped) for job in ours.jobs if job.dropped} == {k: n for k, n in dropped.items() if n}
    assert ours.faults == ()
