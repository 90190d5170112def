"""Reads the active alerts of an Alertmanager. Labels and annotations are claims: cut and cleaned here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from auditor.errors import EvidenceError
from auditor.model import Alert
from auditor.sources.fetch import fetch_json
from auditor.sources.hostile import printable

ALERT_LIMIT = 10_000
_SUMMARY = 500  # characters


def read_alerts(url: str, environment: str, *, timeout: float = 5.0) -> tuple[Alert, ...]:
    """The alerts that Alertmanager at `url` holds, by name and service; silenced and inhibited ones are suppressed.

    timeout: seconds for all of it. Raises EvidenceError with the cause.
    """
    found = fetch_json("Alertmanager", url, "/api/v2/alerts", timeout=timeout)
    if not isinstance(found, list):
        raise EvidenceError("Alertmanager cannot be read: the answer is no list of alerts")
    alerts = [parse_alert(item, environment) for item in found[:ALERT_LIMIT] if isinstance(item, Mapping)]
    return tuple(sorted(alerts, key=lambda alert: (alert.name, alert.service or "", str(alert.starts_at))))


def parse_alert(item: Mapping[str, object], environment: str) -> Alert:
    """One alert as `/api/v2/alerts` gives it; what is missing or of a wrong type is left out."""
    labels, annotations, status = (_mapping(item.get(key)) for key in ("labels", "annotations", "status"))
    return Alert(
        environment=environment,
        name=_text(labels.get("alertname")) or "unnamed",
        state="suppressed" if status.get("state") == "suppressed" else "active",
        severity=_text(labels.get("severity")),
        service=_text(labels.get("service")),
        summary=_text(annotations.get("summary") or annotations.get("description"), _SUMMARY),
        starts_at=_time(item.get("startsAt")),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object, limit: int = 200) -> str | None:
    return printable(value, limit) or None if isinstance(value, str) else None


def _time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
