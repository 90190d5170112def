"""The body of `/services/status`: how every service of one environment does, by category."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from auditor.errors import UsageError, did_you_mean
from auditor.model import Report, ServiceReport, Severity, Verdict
from exporters.report_json import ratio, timestamp

UNCATEGORIZED = "uncategorized"
FIELDS = (
    "status",
    "health",
    "memory_bytes",
    "memory_limit_bytes",
    "cpu_ratio",
    "response_ms",
    "last_check",
    "coverage",
    "gaps",
    "reported",
)


def document(
    report: Report,
    environment: str | None = None,
    *,
    category: Collection[str] = (),
    tier: Collection[str] = (),
    owner: Collection[str] = (),
    status: Collection[str] = (),
    fields: Collection[str] = (),
) -> dict[str, Any]:
    """The body as plain values. The totals count every entry of the environment; filters narrow the list alone.

    environment: None is the report's first. An empty filter lets everything through; `fields` keeps the named ones.
    Raises UsageError for an environment, a status or a field that does not exist.
    """
    _require("environment", [environment] if environment else [], report.environments)
    _require("status", status, list(Verdict))
    _require("field", fields, FIELDS)
    services = entries(report, environment)
    gaps = _gaps(report, environment or _default(report))
    listed: dict[str, dict[str, Any]] = {}
    for item in services:
        wanted = (
            (category, item.category or UNCATEGORIZED),
            (tier, item.tier),
            (owner, item.owner),
            (status, str(item.verdict)),
        )
        if all(not allowed or value in allowed for allowed, value in wanted):
            body = _service(item, gaps.get(item.name, 0), _reported(report, item))
            kept = {name: value for name, value in body.items() if not fields or name in fields}
            listed.setdefault(item.category or UNCATEGORIZED, {})[item.name] = kept
    return {
        "total_services": len(services),
        "healthy_services": sum(item.verdict is Verdict.HEALTHY for item in services),
        "services": listed,
        "timestamp": timestamp(report.taken_at),
    }


def entries(report: Report, environment: str | None = None) -> list[ServiceReport]:
    """The declared services of an environment; without any declaration, those that were seen."""
    name = environment or _default(report)
    services = [item for item in report.services if item.environment == name]
    return [item for item in services if item.declared] or services


def _default(report: Report) -> str | None:
    return report.environment or next(iter(report.environments), None)


def _require(what: str, given: Collection[str], known: Collection[str]) -> None:
    for word in given:
        if word not in known:
            raise UsageError(f"unknown {what} `{word}`", help=did_you_mean(word, known))


def _gaps(report: Report, environment: str | None) -> dict[str, int]:
    """Service -> its open findings of warning or above."""
    found: dict[str, int] = {}
    for item in report.findings:
        loud = item.severity is not Severity.INFO and not item.waiver and not item.baselined
        if loud and item.service and item.environment in (None, environment):
            found[item.service] = found.get(item.service, 0) + 1
    return found


def _reported(report: Report, item: ServiceReport) -> dict[str, Any]:
    """What the service's own answers say of it; where two speak of the same, the first."""
    said: dict[str, Any] = {}
    for probe in report.probes:
        if (probe.environment, probe.service) == (item.environment, item.name):
            said = {**probe.reported, **said}
    return said


def _service(item: ServiceReport, gaps: int, reported: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": str(item.verdict),
        "health": item.health,
        "memory_bytes": item.memory_bytes,
        "memory_limit_bytes": item.memory_limit_bytes,
        "cpu_ratio": ratio(item.cpu_ratio),  # null until two samples exist
        "response_ms": None if item.response_seconds is None else round(item.response_seconds * 1000, 3),
        "last_check": timestamp(item.last_check),
        "coverage": ratio(item.coverage),
        "gaps": gaps,
        "reported": reported,
    }
