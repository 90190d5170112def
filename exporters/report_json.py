"""A report as JSON: the contract `stack-auditor/report/1`. Later versions only add keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from auditor.model import (
    RUNGS,
    Alert,
    CheckTally,
    Evidence,
    Finding,
    Location,
    Report,
    Rung,
    RungState,
    ServiceReport,
    SourceState,
    Waiver,
)
from exporters.escape import json_text

_LEVELS = 3  # report, list, item
SCHEMA = "stack-auditor/report/1"
_UNSEEN = Rung(RungState.UNKNOWN, required=False, reason="not assessed")


def render(report: Report) -> str:
    """The document as text: the same report gives the same bytes. It ends with a newline."""
    return dumps(document(report))


def dumps(value: object) -> str:
    """`value` as JSON that can be encoded as UTF-8 and holds no raw control or reordering character.

    Indented down to the fields of a service or finding, and one line below: the standard library indents in Python,
    five times slower than it writes a line.
    """
    return json_text(_laid_out(value, _LEVELS, "\n")) + "\n"


def _laid_out(value: object, levels: int, margin: str) -> str:
    if not levels or not value or not isinstance(value, dict | list):
        return _line(value)
    inner = margin + "  "
    if isinstance(value, list):
        return "[" + ",".join([inner + _laid_out(item, levels - 1, inner) for item in value]) + margin + "]"
    if levels == 1:
        fields = [f"{inner}{_key(key)}: {_line(item)}" for key, item in value.items()]
    else:
        fields = [f"{inner}{_key(key)}: {_laid_out(item, levels - 1, inner)}" for key, item in value.items()]
    return "{" + ",".join(fields) + margin + "}"


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_PLAIN = {id(None): "null", id(True): "true", id(False): "false"}


def _line(value: object) -> str:
    """`value` in one line. The library makes an encoder for whatever is no text: most values are less than that."""
    if isinstance(value, str):
        return _encode(value)
    plain = _PLAIN.get(id(value))
    if plain is not None:
        return plain
    if value.__class__ is int:
        return str(value)
    return _encode(value) if value else _EMPTY.get(value.__class__) or _encode(value)


_EMPTY: Mapping[type, str] = {list: "[]", dict: "{}"}


@lru_cache(maxsize=1024)
def _key(key: object) -> str:
    return _encode(str(key))


def document(report: Report) -> dict[str, Any]:
    """The report as plain values, in the contract's order of keys."""
    return {
        "schema": SCHEMA,
        "taken_at": timestamp(report.taken_at),
        "system": report.system,
        "environment": report.environment,
        "environments": list(report.environments),
        "complete": report.complete,
        "sources": [_source(source) for source in report.sources],
        "coverage": ratio(report.coverage),
        "assessed": ratio(report.assessed),
        "summary": {
            "critical": report.summary.critical,
            "warning": report.summary.warning,
            "info": report.summary.info,
            "waived": report.summary.waived,
            "baselined": report.summary.baselined,
        },
        "services": [service(item) for item in report.services],
        "findings": [finding(item) for item in report.findings],
        "checks": [_tally(tally) for tally in report.checks],
        "alerts": [alert(item) for item in report.alerts],
        "files": list(report.files),
        "notes": list(report.notes),
    }


def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with `Z`."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def ratio(value: float | None) -> float | None:
    """A ratio without the noise of its division."""
    return None if value is None else round(value, 6)


def _source(source: SourceState) -> dict[str, Any]:
    return {
        "name": source.name,
        "environment": source.environment,
        "state": source.state,
        "detail": source.detail,
        "taken_at": timestamp(source.taken_at),
        "duration_seconds": ratio(source.duration),
    }


def service(item: ServiceReport) -> dict[str, Any]:
    """One service with all ten rungs."""
    return {
        "name": item.name,
        "title": item.title,
        "environment": item.environment,
        "category": item.category,
        "tier": item.tier,
        "criticality": str(item.criticality),
        "owner": item.owner,
        "declared": item.declared,
        "verdict": str(item.verdict),
        "reasons": list(item.reasons),
        "health": item.health,
        "coverage": ratio(item.coverage),
        "assessed": ratio(item.assessed),
        "containers": list(item.containers),
        "memory_bytes": item.memory_bytes,
        "memory_limit_bytes": item.memory_limit_bytes,
        "response_seconds": ratio(item.response_seconds),
        "last_check": timestamp(item.last_check),
        "rungs": {name: _rung(item.rungs.get(name, _UNSEEN)) for name in RUNGS},
    }


def _rung(rung: Rung) -> dict[str, Any]:
    return {
        "state": str(rung.state),
        "required": rung.required,
        "reason": rung.reason,
        "evidence": _evidence(rung.evidence),
    }


def _evidence(items: Iterable[Evidence]) -> list[dict[str, Any]]:
    return [{"source": item.source, "text": item.text, "path": item.path, "line": item.line} for item in items]


def finding(item: Finding) -> dict[str, Any]:
    """One finding; a waived or baselined one is listed all the same."""
    return {
        "check": item.check,
        "severity": str(item.severity),
        "service": item.service,
        "environment": item.environment,
        "message": item.message,
        "fix": item.fix,
        "locations": [_location(place) for place in item.locations],
        "evidence": _evidence(item.evidence),
        "fingerprint": item.fingerprint,
        "waiver": _waiver(item.waiver),
        "baselined": item.baselined,
    }


def _location(place: Location) -> dict[str, Any]:
    return {"path": place.path, "line": place.line}


def _waiver(waiver: Waiver | None) -> dict[str, Any] | None:
    if waiver is None:
        return None
    return {"reason": waiver.reason, "owner": waiver.owner, "until": waiver.until.isoformat()}


def _tally(tally: CheckTally) -> dict[str, Any]:
    return {
        "id": tally.id,
        "passed": tally.passed,
        "failed": tally.failed,
        "skipped": tally.skipped,
        "error": tally.error,
    }


def alert(item: Alert) -> dict[str, Any]:
    """One active alert."""
    return {
        "name": item.name,
        "environment": item.environment,
        "state": item.state,
        "severity": item.severity,
        "service": item.service,
        "summary": item.summary,
        "starts_at": timestamp(item.starts_at),
    }
