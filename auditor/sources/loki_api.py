"""Reads a running Loki: which services its labels name, and when it had the last line of each. Nothing is changed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from auditor.errors import EvidenceError
from auditor.model import LogLine, LogStore
from auditor.sources.fetch import fetch_each, fetch_json
from auditor.sources.hostile import printable

HOURS = 24  # that are looked back
VALUE_LIMIT = 300  # values of labels, and so queries
NAMING = (
    "compose_service", "service", "service_name", "container_name", "container", "swarm_service", "app", "job",
)  # fmt: skip


def read_loki(url: str, environment: str, *, timeout: float = 8.0) -> tuple[LogStore, ...]:
    """The last line of each value of the labels that name services. timeout: seconds for all of it.

    Raises EvidenceError where the labels cannot be read.
    """
    until = time.monotonic() + timeout
    known = _texts(fetch_json("Loki", url, f"/loki/api/v1/labels?{_range()}", timeout=timeout * 0.3))
    labels = [label for label in NAMING if label in known]
    paths = [f"/loki/api/v1/label/{label}/values?{_range()}" for label in labels]
    answers = fetch_each("Loki", url, paths, timeout=max(0.1, (until - time.monotonic()) * 0.4)) if paths else []
    pairs = []
    for label, answer in zip(labels, answers, strict=True):
        if isinstance(answer, EvidenceError):
            raise answer
        pairs += [(label, value) for value in _texts(answer)]
    asked = pairs[:VALUE_LIMIT]
    queries = [_query(label, value) for label, value in asked]
    found = fetch_each("Loki", url, queries, timeout=max(0.1, until - time.monotonic() - 0.2)) if queries else []
    lines = tuple(
        LogLine(label, printable(value, 200), _last(answer))
        for (label, value), answer in zip(asked, found, strict=True)
        if _holds_lines(answer)
    )
    if found and not lines:
        failed = next((answer for answer in found if isinstance(answer, EvidenceError)), None)
        raise failed or EvidenceError("Loki cannot be read: the answer holds no lines")
    return (LogStore(environment, lines, len(lines) == len(pairs), empty=not known),)


def _range() -> str:
    now = time.time_ns()
    return f"start={now - HOURS * 3_600 * 10**9}&end={now}"


def _query(label: str, value: str) -> str:
    selector = quote(f"{{{label}={json.dumps(value, ensure_ascii=False)}}}", safe="")
    return f"/loki/api/v1/query_range?query={selector}&limit=1&direction=backward&{_range()}"


def _texts(answer: object) -> list[str]:
    data = answer.get("data") if isinstance(answer, Mapping) else None
    if data is None and isinstance(answer, Mapping) and answer.get("status") == "success":
        return []
    if not isinstance(data, list):
        raise EvidenceError("Loki cannot be read: the answer holds no labels")
    return [item for item in data if isinstance(item, str) and 0 < len(item) <= 500]


def _holds_lines(answer: object) -> bool:
    data = answer.get("data") if isinstance(answer, Mapping) else None
    return isinstance(data, Mapping) and isinstance(data.get("result"), list)


def _last(answer: object) -> datetime | None:
    """When the newest line of an answer was written; None where it holds none."""
    data = answer.get("data") if isinstance(answer, Mapping) else None
    result = data.get("result") if isinstance(data, Mapping) else None
    streams = [item for item in result if isinstance(item, Mapping)] if isinstance(result, list) else []
    listed = [stream.get("values") for stream in streams]
    values = [value for one in listed if isinstance(one, list) for value in one if isinstance(value, list)]
    moments = [int(value[0]) for value in values if value and str(value[0]).isdecimal() and len(str(value[0])) < 25]
    newest = max(moments, default=None)
    return datetime.fromtimestamp(newest / 10**9, UTC) if newest is not None else None
