"""The pipelines of an OpenTelemetry collector (https://opentelemetry.io/docs/collector/configuration/)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from auditor.model import LogInput, LogOutput
from auditor.sources.logs.reading import at, items, mapping, output, parsed

_FIELDS = ("endpoint", "endpoints", "logs_endpoint", "traces_endpoint", "brokers", "broker")


def parse(texts: Mapping[str, bytes]) -> tuple[LogInput, ...] | None:
    """The receivers of each logs pipeline, with its exporters."""
    return _pipelines(texts, "logs")


def traces(texts: Mapping[str, bytes]) -> tuple[LogInput, ...] | None:
    """The receivers of each traces pipeline, with its exporters."""
    return _pipelines(texts, "traces")


def _pipelines(texts: Mapping[str, bytes], signal: str) -> tuple[LogInput, ...] | None:
    for path, data in texts.items():
        root = parsed(data, path)
        pipelines = mapping(mapping(root.get("service")).get("pipelines"))
        if "receivers" in root and pipelines:
            wanted = [mapping(p) for name, p in pipelines.items() if name.partition("/")[0] == signal]
            return tuple(one for pipeline in wanted for one in _inputs(pipeline, root, path))
    return None


def _inputs(pipeline: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[LogInput]:
    outputs = tuple(made for name in items(pipeline.get("exporters")) for made in _outputs(str(name), root, path))
    filtered = any(str(name).startswith("filter") for name in items(pipeline.get("processors")))
    unclear = "a filter lets through only a part" if filtered else None
    receivers = mapping(root.get("receivers"))
    for name in items(pipeline.get("receivers")):
        place = at(path, receivers, str(name))
        kind = str(name).partition("/")[0]
        if kind in ("filelog", "filelogreceiver"):
            paths = tuple(str(one) for one in items(mapping(receivers.get(str(name))).get("include")))
            yield LogInput("files", place, paths, outputs=outputs, unclear=unclear)
        else:
            yield LogInput("journal" if kind == "journald" else "receive", place, outputs=outputs, unclear=unclear)


def _outputs(name: str, root: Mapping[str, Any], path: str) -> tuple[LogOutput, ...]:
    exporters = mapping(root.get("exporters"))
    exporter = mapping(exporters.get(name))
    field = next((key for key in _FIELDS if key in exporter), None)
    return output(name.partition("/")[0], items(exporter.get(field)) if field else [], at(path, exporters, name))
