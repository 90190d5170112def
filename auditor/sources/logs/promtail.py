"""Promtail's configuration (https://grafana.com/docs/loki/latest/send-data/promtail/configuration/)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from auditor.model import LogInput, LogOutput
from auditor.sources.logs.reading import (
    asked,
    at,
    engine_filters,
    items,
    mapping,
    mappings,
    output,
    parsed,
    relabelling,
)

_RECEIVED = ("syslog", "loki_push_api", "gelf", "gcplog", "heroku_drain", "azure_event_hubs", "kafka", "cloudflare")


def parse(texts: Mapping[str, bytes]) -> tuple[LogInput, ...] | None:
    """The inputs of a Promtail, each with all of its clients."""
    for path, data in texts.items():
        root = parsed(data, path)
        if "scrape_configs" in root or "clients" in root or "client" in root:
            outputs = tuple(_clients(root, path))
            scrapes = list(mappings(root.get("scrape_configs")))
            return tuple(one for scrape in scrapes for one in _inputs(scrape, outputs, path))
    return None


def _clients(root: Mapping[str, Any], path: str) -> Iterator[LogOutput]:
    for client in [*mappings(root.get("clients")), *mappings([root.get("client")])]:
        yield from output("loki", [client.get("url")], at(path, client, "url"))


def _inputs(scrape: Mapping[str, Any], outputs: tuple[LogOutput, ...], path: str) -> Iterator[LogInput]:
    rules = tuple(relabelling(item) for item in mappings(scrape.get("relabel_configs")))
    place, unclear = at(path, scrape, "job_name"), _drops(scrape.get("pipeline_stages"))
    for sd in mappings(scrape.get("docker_sd_configs")):
        kept = (*engine_filters(mappings(sd.get("filters"))), *rules)
        yield LogInput("engine", place, asked(sd.get("host")), kept, outputs, unclear)
    for group in mappings(scrape.get("static_configs")):
        labels = mapping(group.get("labels"))
        if "__path__" in labels:
            yield LogInput("files", place, (str(labels["__path__"]),), outputs=outputs, unclear=unclear)
    if "journal" in scrape:
        yield LogInput("journal", place, outputs=outputs)
    if any(key in scrape for key in _RECEIVED):
        yield LogInput("receive", place, outputs=outputs, unclear=unclear)
    for key in scrape:
        if key.endswith("_sd_configs") and key != "docker_sd_configs" and scrape[key]:
            yield LogInput("unknown", place, outputs=outputs, unclear=f"what {key} discovers is not in its file")


def _drops(stages: object) -> str | None:
    """Why not every line gets through: a stage that throws away what a selector means."""
    for stage in mappings(stages):
        match = mapping(stage.get("match"))
        if match.get("action") == "drop" or any(_drops(items(match.get("stages"))) or () for _ in (0,)):
            return "a stage of its pipeline throws away what a selector means"
    return None
