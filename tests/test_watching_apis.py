"""A running Grafana and a running Loki: recorded answers, and each way in which they and others say nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
import respx

from auditor.errors import EvidenceError
from auditor.live import Ask, asks, gather_live
from auditor.model import Address, EnvironmentSpec, Location, LogLine
from auditor.sources.alertmanager import read_alertmanager
from auditor.sources.grafana_api import DASHBOARD_LIMIT, PAGE, PAGES, read_grafana
from auditor.sources.loki_api import read_loki
from auditor.sources.prometheus_api import read_prometheus

URL, LOKI = "http://192.0.2.7:3000", "http://192.0.2.8:3100"
TOKEN = "glsa_canary"
SOURCES = [
    {"name": "M", "uid": "m", "type": "prometheus", "url": "http://u:canary@prometheus:9090/x", "isDefault": True},
    {"name": 7},
    None,
]
MODEL = {
    "title": "Web",
    "uid": "w",
    "panels": [{"title": "P", "targets": [{"expr": "up"}]}, {"libraryPanel": {"uid": "l"}}],
}
LIBRARY = {"result": {"elements": [{"uid": "l", "model": {"title": "L", "targets": [{"expr": "lib"}]}}]}}


def grafana(**answers: Any) -> None:
    """The addresses of a Grafana with one dashboard; `search`, `sources`, `library`, `dashboard` replace an answer."""
    respx.get(f"{URL}/api/search").mock(side_effect=answers.get("search") or pages([{"uid": "w/1"}]))
    respx.get(f"{URL}/api/datasources").mock(return_value=answers.get("sources") or httpx.Response(200, json=SOURCES))
    respx.get(f"{URL}/api/library-elements").mock(
        return_value=answers.get("library") or httpx.Response(200, json=LIBRARY)
    )
    told = answers.get("dashboard") or httpx.Response(200, json={"meta": {}, "dashboard": MODEL})
    respx.get(url__startswith=f"{URL}/api/dashboards/uid/").mock(return_value=told)


def pages(*found: list[dict[str, str]]) -> Any:
    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        return httpx.Response(200, json=found[page - 1] if page <= len(found) else [])

    return answer


@respx.mock
def test_dashboards_with_library_panels_and_datasources() -> None:
    grafana()
    found = read_grafana(URL, "prod", TOKEN)
    (source,), (board,) = found.grafana.datasources or (), found.grafana.dashboards
    assert (source.name, source.address, source.default) == ("M", Address("prometheus", 9090, "http"), True)
    assert [query.text for panel in board.panels for query in panel.queries] == ["up", "lib"]
    assert (found.limits, found.grafana.live, board.location) == ((), True, None)
    assert "canary" not in repr(found)


@respx.mock
def test_only_reading_and_with_the_token() -> None:
    grafana()
    read_grafana(URL, "prod", TOKEN)
    requests = [call.request for call in respx.calls]
    assert {request.method for request in requests} == {"GET"}
    assert {request.headers["authorization"] for request in requests} == {f"Bearer {TOKEN}"}
    assert "/api/dashboards/uid/w%2F1" in {request.url.raw_path.decode() for request in requests}


@respx.mock
def test_every_page_is_read() -> None:
    grafana(search=pages([{"uid": f"a{n}"} for n in range(PAGE)], [{"uid": "last"}]))
    found = read_grafana(URL, "prod", None)
    assert f"no more than {DASHBOARD_LIMIT} of" in found.limits[0]
    assert len({call.request.url.path for call in respx.calls if "/uid/" in call.request.url.path}) == DASHBOARD_LIMIT
    assert len([call for call in respx.calls if call.request.url.path == "/api/search"]) == PAGES


@respx.mock
def test_what_may_not_be_read_is_told() -> None:
    grafana(sources=httpx.Response(403), library=httpx.Response(404))
    found = read_grafana(URL, "prod", None)
    assert found.grafana.datasources is None
    assert "wants credentials" in found.limits[0]


@respx.mock
@pytest.mark.parametrize(
    ("part", "response", "cause"),
    [
        ("search", httpx.Response(500), "HTTP 500"),
        ("search", httpx.Response(401), "wants credentials"),
        ("search", httpx.Response(302, headers={"Location": "http://evil.example/"}), "HTTP 302"),
        ("search", httpx.Response(200, text="<html>"), "no JSON"),
        ("search", httpx.Response(200, json={"message": "new"}), "no list of dashboards"),
        ("dashboard", httpx.Response(500), "HTTP 500"),
        ("dashboard", httpx.Response(200, content=b" " * (5 * 2**20)), "larger than 4 MiB"),
    ],
)
def test_answers_of_grafana_that_are_none(part: str, response: httpx.Response, cause: str) -> None:
    grafana(**{part: response if part == "dashboard" else lambda _: response})
    with pytest.raises(EvidenceError, match=cause) as caught:
        read_grafana(URL, "prod", TOKEN)
    assert "canary" not in caught.value.what


def test_a_token_that_is_not_set_is_a_source_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFANA_TOKEN", raising=False)
    (state,) = states(EnvironmentSpec("prod", Location("."), grafana_url=URL, grafana_token_env="GRAFANA_TOKEN"))
    assert (state.name, state.state) == ("grafana-api", "failed")
    assert "`GRAFANA_TOKEN` with its token is not set" in (state.detail or "")


def states(spec: EnvironmentSpec) -> list[Any]:
    wanted: list[Ask] = asks([spec], docker=None, prometheus=None, alertmanager=None, processes={})
    return gather_live(wanted, ()).sources


# --- Loki ----------------------------------------------------------------------------------------------------------

NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 10**9)


def lines(*moments: int) -> httpx.Response:
    values = [[str(moment), "text with canary"] for moment in moments]
    return httpx.Response(200, json={"status": "success", "data": {"result": [{"stream": {}, "values": values}]}})


def loki(labels: Any, query: Any) -> None:
    respx.get(f"{LOKI}/loki/api/v1/labels").mock(return_value=labels)
    values = httpx.Response(200, json={"status": "success", "data": ["web", 'a"b']})
    respx.get(url__regex=rf"{LOKI}/loki/api/v1/label/\w+/values.*").mock(return_value=values)
    respx.get(f"{LOKI}/loki/api/v1/query_range").mock(side_effect=query)


LABELS = httpx.Response(200, json={"status": "success", "data": ["filename", "container"]})


@respx.mock
def test_the_last_line_of_each_value() -> None:
    loki(LABELS, lambda request: lines(NOON) if '"web"' in request.url.params["query"] else lines())
    (store,) = read_loki(LOKI, "prod")
    assert store.lines == (
        LogLine("container", "web", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        LogLine("container", 'a"b', None),
    )
    asked = [call.request.url.params for call in respx.calls if "query" in call.request.url.params]
    assert [(one["query"], one["limit"]) for one in asked] == [('{container="web"}', "1"), ('{container="a\\"b"}', "1")]
    assert store.complete
    assert "canary" not in repr(store)


@respx.mock
def test_a_value_that_cannot_be_asked_about_is_not_known() -> None:
    loki(LABELS, lambda request: lines(NOON) if '"web"' in request.url.params["query"] else httpx.Response(500))
    (store,) = read_loki(LOKI, "prod")
    assert ([line.value for line in store.lines], store.complete) == (["web"], False)


@respx.mock
def test_an_empty_loki() -> None:
    loki(httpx.Response(200, json={"status": "success"}), lambda _: lines())
    assert read_loki(LOKI, "prod")[0].lines == ()


@respx.mock
@pytest.mark.parametrize(
    ("labels", "query", "cause"),
    [
        (httpx.Response(500), lines(), "HTTP 500"),
        (httpx.Response(200, text="<html>"), lines(), "no JSON"),
        (httpx.Response(200, json={"data": {"a": 1}}), lines(), "no labels"),
        (LABELS, httpx.Response(503), "HTTP 503"),
        (LABELS, httpx.Response(200, json={"status": "success", "data": 7}), "no lines"),
    ],
)
def test_answers_of_loki_that_are_none(labels: httpx.Response, query: httpx.Response, cause: str) -> None:
    loki(labels, lambda _: query)
    with pytest.raises(EvidenceError, match=cause):
        read_loki(LOKI, "prod")


# --- in the deadline -----------------------------------------------------------------------------------------------


class Endless(BaseHTTPRequestHandler):
    """Begins an answer and never ends it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(200):
            try:
                self.wfile.write(b" ")
            except OSError:
                return
            time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def endless() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_servers_that_never_end_fail_in_the_deadline() -> None:
    with endless() as url:
        started = time.monotonic()
        for read in (
            lambda: read_grafana(url, "prod", None, timeout=1.0),
            lambda: read_loki(url, "prod", timeout=1.0),
            lambda: read_prometheus(url, "prod", timeout=1.0),
            lambda: read_alertmanager(url, "prod", timeout=1.0),
        ):
            with pytest.raises(EvidenceError, match="no full answer within"):
                read()
    assert time.monotonic() - started < 8
