"""Whom discovery by an engine finds, as we follow it in files, against what a real Prometheus finds there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.model import ScrapeTarget
from auditor.scrapes import discovered
from tests.parts.engine import Engine
from tests.parts.plugin import need
from tests.parts.servers import serving
from tests.projects import snapshot_of

pytestmark = [pytest.mark.engine, pytest.mark.component, pytest.mark.timeout(180)]
LABEL, SERVICE = "__meta_docker_container_label_", "__meta_docker_container_label_com_docker_compose_service"
SERVICES: Mapping[str, Mapping[str, str]] = {
    "web": {"prometheus.scrape": "true", "prometheus.path": "on"},
    "worker": {"prometheus.scrape": "true"},
    "quiet": {"prometheus.scrape": "false"},
    "bare": {},
}
COMPOSE = {
    "name": "found",
    "services": {
        name: {"image": "busybox:test", "command": "sleep 600", "stop_grace_period": "0s", "expose": ["80"]}
        | {"labels": dict(labels)}
        for name, labels in SERVICES.items()
    },
}
KEEP = {"source_labels": [f"{LABEL}prometheus_scrape"], "regex": "true", "action": "keep"}
JOBS: Mapping[str, Mapping[str, Any]] = {
    "all": {},
    "by label": {"relabel_configs": [KEEP]},
    "by filter": {"filters": [{"name": "label", "values": ["prometheus.scrape=true"]}]},
    "by name": {
        "relabel_configs": [
            {"source_labels": ["__meta_docker_container_name"], "regex": "/found-w.*", "action": "keep"}
        ]
    },
    "not one": {"relabel_configs": [{"source_labels": [SERVICE], "regex": "worker|bare", "action": "drop"}]},
    "by port": {
        "relabel_configs": [{"source_labels": ["__meta_docker_port_private"], "regex": "80", "action": "keep"}]
    },
    "renamed": {
        "relabel_configs": [
            KEEP,
            {"source_labels": [SERVICE], "target_label": "job"},
            {"source_labels": ["__meta_docker_container_name"], "regex": "/(.*)-1", "target_label": "container"},
            {"regex": f"{LABEL}(prometheus_.+)", "action": "labelmap"},
            {"source_labels": [f"{LABEL}prometheus_path"], "regex": "(.+)", "target_label": "__metrics_path__"},
        ]
    },
}


def config(engine: Engine) -> dict[str, Any]:
    jobs = []
    for name, job in JOBS.items():
        discovery = {"host": engine.address, "refresh_interval": "1s", "filters": job.get("filters", [])}
        jobs.append({"job_name": name, "docker_sd_configs": [discovery]})
        jobs[-1] |= {"relabel_configs": job.get("relabel_configs", [])}
    return {"global": {"scrape_interval": "1h"}, "scrape_configs": jobs}


Found = set[tuple[str, str, str, tuple[tuple[str, str], ...]]]  # pool, service, path, labels without the instance


def ours(written: Mapping[str, Any]) -> Found:
    snapshot = snapshot_of({"compose": COMPOSE, "prometheus": written})
    found: Found = set()
    for job in snapshot.prometheus[0].jobs:
        for service in snapshot.services:
            target = discovered(job, service, snapshot)
            assert target is not None, f"{job.name}: {service.name} is not known"
            if isinstance(target, ScrapeTarget):
                found.add((job.name, service.name, target.metrics_path, tuple(sorted(target.labels.items()))))
    return found


def theirs(active: list[dict[str, Any]]) -> Found:
    found: Found = set()
    for target in active:
        labels = {name: value for name, value in target["labels"].items() if name != "instance"}
        path = "/" + target["scrapeUrl"].partition("://")[2].partition("/")[2]
        found.add((target["scrapePool"], target["discoveredLabels"][SERVICE], path, tuple(sorted(labels.items()))))
    return found


def test_the_same_containers_are_found_with_the_same_labels(engine: Engine, tmp_path: Path) -> None:
    need("prometheus")
    engine.import_busybox()
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(COMPOSE))
    written = config(engine)
    engine.compose(tmp_path, "up", "--detach")
    try:
        with serving("prometheus", yaml.safe_dump(written), {}) as server:
            expected, until = ours(written), time.monotonic() + 30
            while time.monotonic() < until:
                found = theirs(server.get("/api/v1/targets", state="active").json()["data"]["activeTargets"])
                if found == expected:
                    break
                time.sleep(0.5)
            assert found == expected
    finally:
        engine.compose(tmp_path, "down", "--timeout", "0")
