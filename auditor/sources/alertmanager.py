"""Reads a running Alertmanager: active alerts, silences, and the configuration that it has loaded.

Labels, annotations and comments are claims: cut and cleaned here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from auditor.errors import EvidenceError, TextError
from auditor.model import Alert, AlertmanagerConfig, Matcher, Silence
from auditor.sources.alertmanager_config import parse_text
from auditor.sources.fetch import fetch_each
from auditor.sources.hostile import printable

ALERT_LIMIT = 10_000
LIVE_PATH = "alertmanager.yml"  # stands for the file that nobody names
_SUMMARY = 500  # characters


def parse_alerts(found: object, environment: str) -> tuple[Alert, ...]:
    """The alerts of an answer of `/api/v2/alerts`. Raises EvidenceError where it is none."""
    if not isinstance(found, list):
        raise EvidenceError("Alertmanager cannot be read: the answer is no list of alerts")
    alerts = [parse_alert(item, environment) for item in found[:ALERT_LIMIT] if isinstance(item, Mapping)]
    return tuple(sorted(alerts, key=lambda alert: (alert.name, alert.service or "", str(alert.starts_at))))


def read_alertmanager(
    url: str, environment: str, *, path: str | None = None, timeout: float = 5.0
) -> tuple[Alert | Silence | AlertmanagerConfig, ...]:
    """Active alerts, active silences and the loaded configuration of Alertmanager at `url`.

    path: where the configuration's file is in the tree, None where nobody says; its lines are those of that file.
    timeout: seconds for all of it. Raises EvidenceError where one of the three cannot be read.
    """
    answers = fetch_each("Alertmanager", url, ("/api/v2/alerts", "/api/v2/silences", "/api/v2/status"), timeout=timeout)
    for answer in answers:
        if isinstance(answer, EvidenceError):
            raise answer
    alerts, silences, status = answers
    return (
        *parse_alerts(alerts, environment),
        *parse_silences(silences, environment),
        parse_status(status, environment, path or LIVE_PATH),
    )


def parse_silences(found: object, environment: str) -> tuple[Silence, ...]:
    """The silences that hold now, of an answer of `/api/v2/silences`. Raises EvidenceError where it is none."""
    if not isinstance(found, list):
        raise EvidenceError("Alertmanager cannot be read: the answer is no list of silences")
    parsed = (_silence(_mapping(item), environment) for item in found[:ALERT_LIMIT])
    return tuple(sorted((silence for silence in parsed if silence), key=lambda silence: (silence.ends_at, silence.id)))


def _silence(item: Mapping[str, object], environment: str) -> Silence | None:
    ends, matchers = _time(item.get("endsAt")), item.get("matchers")
    if _mapping(item.get("status")).get("state") != "active" or ends is None or not isinstance(matchers, list):
        return None
    return Silence(
        environment,
        _text(item.get("id"), 50) or "",
        tuple(_matcher(_mapping(one)) for one in matchers),
        ends,
        _time(item.get("startsAt")),
        _text(item.get("comment"), _SUMMARY),
        _text(item.get("createdBy")),
    )


def _matcher(item: Mapping[str, object]) -> Matcher:
    op = ("=" if item.get("isEqual", True) else "!") + ("~" if item.get("isRegex") else "")
    return Matcher(_text(item.get("name")) or "", "!=" if op == "!" else op, str(item.get("value") or "")[:1000])


def parse_status(found: object, environment: str, path: str) -> AlertmanagerConfig:
    """The loaded configuration, of an answer of `/api/v2/status`. Raises EvidenceError where it holds none."""
    text = _mapping(_mapping(found).get("config")).get("original")
    if not isinstance(text, str):
        raise EvidenceError("Alertmanager cannot be read: its status holds no configuration")
    try:
        config = parse_text(text.encode("utf-8", "replace"), path, environment)
    except TextError as error:
        raise EvidenceError(f"Alertmanager cannot be read: its configuration has {error.what}") from None
    return replace(config, live=True, faults=())  # it runs, so it took it


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
