"""Answers of another version: any part of what the APIs say may be of any type, and only a clear error comes of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from auditor.errors import EvidenceError
from auditor.sources import grafana_api, loki_api
from auditor.sources.alertmanager import parse_alerts, parse_silences, parse_status
from auditor.sources.prometheus_api import parse_rules, parse_targets

ODD = (None, True, -7, 1e300, "", "a\x00\ud800b", [], [None, 7, "x"], {}, {"a": 7, "": [None]}, [[[]]])
TARGETS = {
    "data": {
        "activeTargets": [
            {
                "scrapeUrl": "http://web:80/metrics?target=db",
                "labels": {"job": "web", "instance": "web:80"},
                "discoveredLabels": {"__meta_dns_name": "web.", "__address__": "web:80"},
                "scrapePool": "web",
                "lastError": "refused",
                "health": "down",
            }
        ]
    }
}
RULE = {"name": "Down", "query": "up == 0", "type": "alerting", "labels": {"severity": "page"}, "lastError": "none"}
RULES = {"data": {"groups": [{"name": "all", "rules": [RULE | {"state": "firing", "health": "ok"}]}]}}
ALERTS = [
    {
        "labels": {"alertname": "Down", "service": "web"},
        "annotations": {"summary": "web is down"},
        "status": {"state": "active"},
        "startsAt": "2026-03-01T12:00:00Z",
    }
]
SILENCES = [
    {
        "id": "1",
        "matchers": [{"name": "job", "value": "web", "isRegex": False, "isEqual": True}],
        "status": {"state": "active"},
        "startsAt": "2026-03-01T12:00:00Z",
        "endsAt": "2036-03-01T12:00:00Z",
        "comment": "noisy",
        "createdBy": "me",
    }
]
STATUS = {"config": {"original": "route: {receiver: a}\nreceivers: [{name: a}]\n"}, "versionInfo": {"version": "9"}}
SEARCH = [{"uid": "a", "title": "A"}]
SOURCES = [
    {"name": "M", "uid": "m", "type": "prometheus", "url": "http://m:9090", "isDefault": True, "access": "proxy"}
]
PANEL = {
    "id": 1,
    "title": "P",
    "type": "graph",
    "datasource": {"type": "prometheus", "uid": "$source"},
    "targets": [{"expr": "rate(up{job=~'$job'}[$__rate_interval])", "refId": "A", "datasource": {"uid": "m"}}],
    "libraryPanel": {"uid": "l", "name": "L"},
}
QUERY = {"query": "label_values(up, job)", "refId": "B"}
VARIABLES = [
    {"name": "job", "type": "query", "query": QUERY, "current": {"value": ["web"]}, "options": [{"value": "web"}]},
    {"name": "source", "type": "datasource", "query": "prometheus", "current": {"value": "m"}},
]
BOARD = {
    "dashboard": {
        "uid": "a",
        "title": "A",
        "templating": {"list": VARIABLES},
        "panels": [PANEL, {"type": "row", "panels": [PANEL]}],
        "rows": [{"panels": [PANEL]}],
        "annotations": {"list": [{"datasource": {"uid": "m"}, "expr": "up"}]},
    }
}
NEWER = {
    "kind": "Dashboard",
    "spec": {
        "title": "A",
        "layout": {"kind": "GridLayout"},
        "variables": [{"kind": "QueryVariable", "spec": {"name": "job", "query": {"kind": "q", "spec": QUERY}}}],
        "elements": {
            "panel-1": {
                "kind": "Panel",
                "spec": {
                    "title": "P",
                    "data": {"kind": "g", "spec": {"queries": [{"spec": {"query": {"spec": {"expr": "up"}}}}]}},
                },
            }
        },
    },
}
LIBRARY = {"result": {"elements": [{"uid": "l", "model": PANEL}]}}
LINES = {"data": {"result": [{"stream": {"a": "b"}, "values": [["1772366400000000000", "line"]]}]}}


def board(answer: Any) -> object:
    return grafana_api._dashboard(answer, "prod", {"l": {"targets": [{"expr": "lib"}]}})


def through_library(answer: Any) -> object:
    return grafana_api._dashboard(BOARD, "prod", grafana_api._library(answer))


READS: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "targets": (TARGETS, lambda answer: parse_targets(answer, "prod")),
    "rules": (RULES, lambda answer: parse_rules(answer, "prod")),
    "alerts": (ALERTS, lambda answer: parse_alerts(answer, "prod")),
    "silences": (SILENCES, lambda answer: parse_silences(answer, "prod")),
    "status": (STATUS, lambda answer: parse_status(answer, "prod", "alertmanager.yml")),
    "search": (SEARCH, lambda answer: grafana_api._uids([answer])),
    "sources": (SOURCES, lambda answer: list(grafana_api._datasources(answer, "prod"))),
    "dashboard": (BOARD, board),
    "newer dashboard": (NEWER, board),
    "library": (LIBRARY, through_library),
    "labels": ({"data": ["job"]}, loki_api._texts),
    "lines": (LINES, lambda answer: (loki_api._holds_lines(answer), loki_api._last(answer))),
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from places(value[key], (*path, key))


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    changed = copy.copy(value)
    changed[path[0]] = put(value[path[0]], path[1:], odd)
    return changed


@pytest.mark.parametrize("name", READS)
def test_any_part_of_an_answer_may_be_of_any_type(name: str) -> None:
    answer, read = READS[name]
    assert read(answer)
    for path in places(answer):
        for odd in ODD:
            try:
                read(put(answer, path, odd))
            except EvidenceError as error:
                assert error.what
            except Exception as error:
                pytest.fail(f"{odd!r} at {path}: {type(error).__name__}: {error}")
