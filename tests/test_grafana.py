"""Dashboards and datasources from files: each form that Grafana knows, and what is none of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import TextError
from auditor.model import Dashboard, Query
from auditor.promql import parts
from auditor.sources.grafana.dashboards import dashboard_of, parse_dashboard
from auditor.sources.grafana.filled import fill_in, shape_of
from auditor.sources.grafana.jsontext import parse
from tests.parts.plugin import Serve
from tests.projects import snapshot_of

ROOT = Path(__file__).parent.parent
VARIABLES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("job", "n", "metric", "group", "f"), ()), "env": ("prod", "stag.ing"), "i": ("10m",),
    "known": ("up",),
}  # fmt: skip

# What is written, what is asked, and whether all of it was known.
FILLED = [
    ('up{job="$job"}', 'up{job=~".*"}', True),
    ('up{job=~"${job:regex}", x!="$job"}', 'up{job=~".*", x!="$job"}', True),
    ('up{job!~"[[env]]"}', 'up{job!="[[env]]"}', True),
    ('rate(x_total{env="$env"}[$__rate_interval])', 'rate(x_total{env=~"(prod|stag\\\\.ing)"}[5m])', True),
    ('up{job="pre-$job.net"}', 'up{job=~"pre-.*\\\\.net"}', True),
    ('up{job=~"(a|$job)"}', 'up{job=~"(a|.*)"}', True),
    ("up{job='$job'}", "up{job=~'.*'}", True),
    ('up{job=~"a$"}', 'up{job=~"a$"}', True),
    ('{job=~"$job"}', '{job=~".+"}', True),
    ("sum(rate(x[${__range_s}s])) * $__interval_ms", "sum(rate(x[3600s])) * 60000", True),
    ("max_over_time(up[$i:$__interval])", "max_over_time(up[10m:1m])", True),
    ("up offset $i", "up offset 10m", True),
    ("rate(x[$job])", "rate(x[5m])", True),
    ('label_replace(up, "a", "$1", "job", "(.*)")', 'label_replace(up, "a", "$1", "job", "(.*)")', True),
    ("sum by ($group) (up)", "sum by (group) (up)", False),
    ("topk($n, up) > $n", "topk(1, up) > 1", False),
    ("histogram_quantile(0.$n, x_bucket)", "histogram_quantile(0.1, x_bucket)", False),
    ('${metric}{job="a"}', '{__name__=~".+",job="a"}', False),
    ("sum(rate(pre_${metric}_total[$i]))", 'sum(rate({__name__=~"pre_.*_total"}[10m]))', False),
    ('job:$metric:rate5m{a="b"}', '{__name__=~"job:.*:rate5m",a="b"}', False),
    ("$known", "up", True),
    ('$known{job="$job"}', 'up{job=~".*"}', True),
    ("$f(rate(up[5m]))", "sum(rate(up[5m]))", False),
    ("$f(up[5m])", "rate(up[5m])", False),
    ('up{a="$undefined"} or vector(0)', 'up{a=~".*"} or vector(0)', True),
]


@pytest.mark.parametrize(("written", "text", "sure"), FILLED)
def test_variables_are_filled_in(written: str, text: str, sure: bool) -> None:
    found = fill_in(written, VARIABLES)
    assert (found.text, found.sure) == (text, sure)
    assert parts(found.text)


SHAPES = [
    ("/^(a.*)$/", '(?:a.*)'),
    ("/web/", '(?:.*(?:web).*)'),
    ("/^web-[0-9]+$/", '(?:(?:web-[0-9]+))'),
    ('/.*instance="([^"]*):.*"/', '(?:[^\\"]*)'),
    ("db", '(?:(?:db))'),
    ("", ".*"),
    ("/(?!node).*/", ".*"), ("/(?<text>a)|(?<value>b)/", ".*"), ("/a(b(c))/", ".*"), ("/[/", ".*"), (None, ".*"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "text"), SHAPES)
def test_a_variable_keeps_to_its_expression(written: str | None, text: str) -> None:
    found = fill_in('up{job=~"$v"}', {"v": shape_of(written)}).text
    assert found == f'up{{job=~"{text}"}}'
    assert parts(found)


NO_QUERY = ["sum(", "$", "$" * 500, "[[" * 200, '"$x', "{" * 300 + "$a", "$a" * 300, "", "${", "x[$"]


@pytest.mark.parametrize("text", NO_QUERY)
def test_what_is_no_query_stays_none(text: str) -> None:
    found = fill_in(text, {})
    with pytest.raises(ValueError, match=r"\w"):
        parts(found.text)


def queries_of(model: Any, **options: Any) -> list[Query]:
    found = dashboard_of(model, "a.json", "prod", **options)
    return [query for panel in found.panels for query in panel.queries] if found else []


def panel(*expressions: str, **fields: Any) -> dict[str, Any]:
    return {"title": "P", "targets": [{"expr": text} for text in expressions]} | fields


def board(*panels: Any, **fields: Any) -> dict[str, Any]:
    return {"title": "D", "panels": list(panels)} | fields


EVERY = {"name": "w", "type": "interval", "query": "auto,2m"}
LIBRARY = {"uid-1": {"title": "L", "targets": [{"expr": "from_library"}]}}
NEW = {
    "kind": "Dashboard",
    "spec": {
        "title": "New",
        "layout": {"kind": "GridLayout"},
        "variables": [{"kind": "CustomVariable", "spec": {"name": "env", "query": "a,b"}}],
        "elements": {
            "panel-1": {
                "kind": "Panel",
                "spec": {
                    "title": "P",
                    "data": {
                        "spec": {
                            "queries": [
                                {
                                    "spec": {
                                        "query": {
                                            "kind": "DataQuery",
                                            "group": "prometheus",
                                            "datasource": {"name": "main"},
                                            "spec": {"expr": 'up{env="$env"}'},
                                        }
                                    }
                                }
                            ]
                        }
                    },
                },
            }
        },
    },
}


@pytest.mark.parametrize(
    ("model", "texts"),
    [
        (board(panel("a", "b")), ["a", "b"]),
        (board({"type": "row", "collapsed": True, "panels": [panel("a")]}, panel("b")), ["a", "b"]),
        ({"title": "D", "rows": [{"panels": [panel("a")]}, {"panels": [panel("b")]}]}, ["a", "b"]),
        ({"dashboard": board(panel("a")), "overwrite": True}, ["a"]),
        ({"meta": {}, "dashboard": board(panel("a"))}, ["a"]),
        (board({"title": "P", "libraryPanel": {"uid": "uid-1"}}), ["from_library"]),
        (board({"libraryPanel": {"uid": "u"}}, __elements={"u": {"model": panel("brought")}}), ["brought"]),
        (board(panel("a", repeat="job"), panel("a", repeatPanelId=1)), ["a", "a"]),
        (board(panel("a", datasource="-- Grafana --"), panel("a", datasource={"type": "datasource"})), []),
        (board({"targets": [{"expr": "$A * 2", "datasource": {"type": "__expr__", "uid": "__expr__"}}]}), []),
        (board({"targets": [{"target": "graphite.a"}, {"rawSql": "select 1"}, {"expr": ""}, {"expr": 7}, None]}), []),
        (NEW, ['up{env=~"(a|b)"}']),
        (board(panel("rate(a[$w])"), templating={"list": [EVERY]}), ["rate(a[2m])"]),
    ],
)  # fmt: skip
def test_the_queries_of_each_form(model: Any, texts: list[str]) -> None:
    assert [query.text for query in queries_of(model, library=LIBRARY)] == texts


@pytest.mark.parametrize(
    "model",
    [
        None,
        7,
        [],
        {},
        {"panels": 7},
        {"title": "x"},
        {"dashboard": []},
        {"spec": {"spec": {}}},
        {"panels": {}, "rows": 1},
    ],
)
def test_what_is_no_dashboard(model: Any) -> None:
    assert dashboard_of(model, "a.json", "prod") is None


@pytest.mark.parametrize(
    "panels",
    [[None, 7, "x", []], [{"targets": 7}], [{"targets": [{"expr": "up", "datasource": []}]}], [{"libraryPanel": 7}],
     [{"panels": [{"panels": [{"panels": 7}]}]}]],
)  # fmt: skip
def test_panels_of_another_shape_hurt_nothing(panels: list[Any]) -> None:
    assert isinstance(dashboard_of({"title": "D", "panels": panels, "templating": 7}, "a", "prod"), Dashboard)


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff", b'{"a": ' + b"9" * 10_000 + b"}", b"nope"])
def test_what_is_no_json_is_told(data: bytes) -> None:
    with pytest.raises(TextError):
        parse_dashboard(data, "a.json", "prod")


def test_each_query_has_its_line() -> None:
    text = json.dumps(board(panel("a"), panel("b")), indent=1)
    found = parse_dashboard(text.encode(), "a.json", "prod")
    lines = [query.location and query.location.line for p in (found.panels if found else ()) for query in p.queries]
    assert lines == [text.splitlines().index(f'     "expr": "{name}"') + 1 for name in "ab"]


def test_json_is_read_as_the_library_does() -> None:
    value = {"a": [1, -2.5, True, None, '\u00e9\U0001f600\n"\\/'], "b": {"": {}}, "c": []}
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)):
        assert parse(text.encode(), "x") == value


def test_what_a_composed_grafana_mounts_is_read() -> None:
    files = {
        "g/datasources/a.yaml": {"datasources": [{"name": "M", "type": "prometheus", "url": "http://u:canary@p:1/x"}]},
        "g/dashboards/a.yaml": {"providers": [{"options": {"path": "/boards"}}]},
        "boards/deep/er/a.json": json.dumps(board(panel("up"))),
        "boards/broken.json": "{",
        "boards/note.json": "[]",
    }
    volumes = ["./g:/etc/grafana/provisioning", "./boards:/boards"]
    snapshot = snapshot_of(
        {"compose": {"services": {"g": {"image": "grafana/grafana:11", "volumes": volumes}}}, "files": files}
    )
    found = snapshot.grafana_of("default")
    assert found is not None
    assert [board.location and board.location.path for board in found.dashboards] == ["boards/deep/er/a.json"]
    assert [fault.location.path for fault in found.faults] == ["boards/broken.json"]
    assert "canary" not in repr(found)


# --- against a real Prometheus -------------------------------------------------------------------------------------


def of_examples() -> Iterator[str]:
    """The filled-in queries of every dashboard of the project."""
    for path in sorted((*ROOT.glob("dashboards/*.json"), *ROOT.glob("compose/examples/**/*.json"))):
        found = parse_dashboard(path.read_bytes(), path.name, "prod")
        yield from (query.text for p in (found.panels if found else ()) for query in p.queries)


def test_every_query_runs_on_prometheus(prometheus_server: Serve) -> None:
    server = prometheus_server("scrape_configs: []")
    texts = [text for _, text, _ in FILLED] + list(of_examples())
    said = {text: server.get("/api/v1/query", query=text).json() for text in texts}
    assert len(said) > 40
    assert {text: answer.get("error") for text, answer in said.items() if answer["status"] != "success"} == {}
