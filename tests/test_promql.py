"""Which selectors an expression has, which labels reach its result; the latter against a real Prometheus."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from auditor.promql import Kept, NewerError, Part, parts
from tests.parts.plugin import Run, Serve
from tests.parts.servers import Server


@pytest.mark.parametrize(
    ("expression", "selectors"),
    [
        ("up == 0", ["up"]),
        ('up{job="api"} == 0', ['up{job="api"}']),
        ('{__name__="up", job!="x"}', ['up{job!="x"}']),
        ('{__name__=~"http_.*"}', ['{__name__=~"http_.*"}']),
        ("sum(rate(a[5m])) / sum(rate(b[5m])) > 0.1", ["a", "b"]),
        ("max_over_time(a[5m:1m]) > 1", ["a"]),
        ('absent(up{job="a"})', ['up{job="a"}']),
        ('foo{a="b" or c="d"}', ['foo{a="b"}', 'foo{c="d"}']),
        ("-(a) or vector(1)", ["a"]),
        ("time() - a > 1", ["a"]),
        ("topk(3, a)", ["a"]),
        (r'a{b=~"x\\.y"}', [r'a{b=~"x\\.y"}']),
        ("vector(1)", []),
        (r"a{b=~`x\.y\d`} > 1_000", [r'a{b=~"x\\.y\\d"}']),
        ('a{b="`", c=~`"\\d`} == 1_0e3', ['a{b="`",c=~"\\"\\\\d"}']),
        ("a_1_000 # `\\d` 1_000", ["a_1_000"]),
    ],
)
def test_selectors(expression: str, selectors: list[str]) -> None:
    assert [str(part.selector) for part in parts(expression)] == selectors


TAKEN = (
    r"a{b=~`\d`}", "1_000 > a", "a == 1_0e3", "rate(a[300])", 'a{"b c"="d"}', '{"a.b", c="d"}', 'sum by ("a.b") (a)',
    "a @ start()", "a offset 5", 'up{job="a",}', "up # with a word", "rate(a[1h30m])", "rate(a[5m] offset -1m)",
    "max_over_time(rate(a[5m])[1h:1m])", "0x1F == a", "a{b='\\'c'}",
)  # fmt: skip
REFUSED = (
    "up == == 0", "sum(a", "rate(a)", "nofunction(a)", 'a{b="\\d"}', 'a{b=~"("}', 'a{__name__=~"b"}', "a b", "",
    'a{b="anchored"} == == 1', "a[5m:1m] == == 2", "1_ > a", "rat(a[5m])",
)  # fmt: skip
OTHERS = (
    "rate(a[5m+1m])", "a offset (5m)", "max_over_time(a[1h:5m+1m])", "rate(a[5m] anchored)", "a smoothed",
    "a fill(0) + b", "holt_winters(a[5m], 0.1, 0.1)", "histogram_of_tomorrow(a)", "best_over_time(a[5m])",
)  # fmt: skip


def refusal(expression: str) -> ValueError | None:
    try:
        parts(expression)
    except ValueError as error:
        return error
    return None


@pytest.mark.parametrize("expression", [*TAKEN, *REFUSED])
def test_what_is_promql_is_so_to_promtool(expression: str, promtool: Run, tmp_path: Path) -> None:
    rule = {"alert": "A", "expr": expression}
    (tmp_path / "a.yml").write_text(yaml.safe_dump({"groups": [{"name": "a", "rules": [rule]}]}))
    done = promtool("check", "rules", str(tmp_path / "a.yml"))
    assert (done.returncode == 0) is (expression in TAKEN), done.stderr
    assert (refusal(expression) is None) is (expression in TAKEN)


@pytest.mark.parametrize("expression", REFUSED)
def test_what_no_version_takes(expression: str) -> None:
    assert type(refusal(expression)) is ValueError


@pytest.mark.parametrize("expression", OTHERS)
def test_what_another_version_may_take(expression: str) -> None:
    assert isinstance(refusal(expression), NewerError)


@pytest.mark.parametrize("text", ["", "up ==", "sum(", 'up{job="a"', "foo bar"])
def test_no_promql(text: str) -> None:
    with pytest.raises(ValueError):
        parts(text)


def test_what_is_absent() -> None:
    (part,) = parts('absent(up{job="a", instance=~"b.*"})')
    assert part.absent
    assert part.kept == Kept(frozenset({"job"}))


SERIES = """
# TYPE a gauge
a{x="1",y="2",z="3"} 5
# TYPE b gauge
b{x="1",y="2",w="4"} 7
# TYPE c gauge
c{x="1"} 2
# TYPE h histogram
h_bucket{x="1",le="1"} 1
h_bucket{x="1",le="+Inf"} 2
h_count{x="1"} 2
h_sum{x="1"} 2
"""
EXPRESSIONS = (
    "a",
    "a > 1",
    "1 < a",
    "a > bool 1",
    "sum(a)",
    "sum by (x) (a)",
    "sum by (x, nothing) (a)",
    "sum without (x) (a)",
    "topk(1, a)",
    "max by (x) (sum without (y) (a))",
    "a / on (x, y) b",
    "a / ignoring (z, w) b",
    "a > on (x) c",
    "a * on (x) group_left (w) b",
    "c * on (x) group_right () a",
    "b * on (x) group_right (w) a",
    "c * on (x) group_left () c",
    "a and on (x) c",
    "a unless on (z) c",
    "a or c",
    'label_replace(a, "new", "$1", "x", "(.*)")',
    'label_join(a, "z", "-", "x", "y")',
    'absent(nothing{job="q", z="r", other=~"s"})',
    "histogram_quantile(0.9, h_bucket)",
    "-a",
    "abs(a)",
    "a + scalar(c)",
    "a * 2 > 1",
    "quantile(0.5, a)",
    'count_values by (x) ("v", a)',
    "avg_over_time(a[1m])",
    "max_over_time(sum by (y) (a)[1m:1s])",
)


OWN = {"a": {"x", "y", "z"}, "b": {"x", "y", "w"}, "c": {"x"}, "h_bucket": {"x", "le"}, "nothing": {"job", "z"}}


@pytest.fixture
def prometheus(prometheus_server: Serve) -> Iterator[Server]:
    """A Prometheus that has scraped `SERIES`."""
    with exposing(SERIES) as address:
        config = {
            "scrape_configs": [
                {"job_name": "s", "scrape_interval": "200ms", "static_configs": [{"targets": [address]}]}
            ]
        }
        server = prometheus_server(json.dumps(config))
        until = time.monotonic() + 20
        while not server.query("max_over_time(h_count[1m])") and time.monotonic() < until:
            time.sleep(0.1)
        yield server


@pytest.mark.component
def test_labels_of_results_are_those_of_prometheus(prometheus: Server) -> None:
    for expression in EXPRESSIONS:
        found = {frozenset(item["metric"]) - {"__name__"} for item in prometheus.query(expression)}
        assert found, expression
        assert {labels(part) for part in parts(expression) if part.gives} == found, expression


def labels(part: Part) -> frozenset[str]:
    """The labels that the part's series have in the result, as we reckon."""
    own = OWN[str(part.selector.name)] | (set() if part.absent else {"job", "instance"})
    return frozenset({label for label in own if part.kept.has(label)} | part.kept.added)


@contextmanager
def exposing(text: str) -> Iterator[str]:
    """The address of a server that answers every request with `text`."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
