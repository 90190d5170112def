"""The server's answers, by ASGI and without a socket: every route, who may ask, what is served while it is blind."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from auditor.errors import CatalogueError, UsageError
from auditor.model import (
    Alert,
    Container,
    Host,
    Peak,
    Report,
    Severity,
    SourceState,
    Usage,
    Verdict,
    Waiver,
)
from auditor.settings import Settings
from auditor.web.app import App, create_app
from auditor.web.guard import OPEN_PATHS, Guard, access
from auditor.web.server import refuse_open_door
from tests.builders import NOON, finding, report, service

HOUR = timedelta(hours=1)
CHECKED = {"checks": ()}


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """An application over reports that the test hands it; a report that is an error is raised."""

    def __init__(self, path: Path, **fields: Any) -> None:
        database = fields.pop("database", f"sqlite:///{path / 'state' / 'history.sqlite'}")
        self.next: Report | BaseException = report((service("web"),))
        self.clock = Clock()
        self.app = create_app(Settings(database=database, **fields), scan=self._scan)
        self.app.watch._clock = self.clock

    def _scan(self, _: Settings) -> Report:
        if isinstance(self.next, BaseException):
            raise self.next
        return self.next

    def scan(self, found: Report | BaseException | None = None) -> Site:
        self.next = found or self.next
        self.app.watch.scan_once()
        return self

    def get(self, path: str, method: str = "GET", **options: Any) -> httpx.Response:
        return ask(self.app, path, method, **options)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def metric(self, name: str, **labels: str) -> float | None:
        families = text_string_to_metric_families(self.get("/metrics").text)
        samples = (sample for family in families for sample in family.samples)
        return next((s.value for s in samples if s.name == f"auditor_{name}" and s.labels == labels), None)


def ask(app: Any, path: str, method: str = "GET", host: str = "localhost:8642", **options: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"host": host} | options.pop("headers", {})
            raw = [(name, value.encode("latin-1")) for name, value in headers.items()]
            return await client.request(method, path, headers=raw, **options)

    return anyio.run(once)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    yield Site(tmp_path, interval=60)


Make = Callable[..., Site]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda **fields: Site(tmp_path, **fields)


# --- before the first scan ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/services/status", "/api/resources", "/api/reports/latest", "/api/gaps", "/api/alerts", "/readyz"]
)
def test_before_the_first_scan_there_is_no_answer_yet(site: Site, path: str) -> None:
    answer = site.get(path)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"


def test_before_the_first_scan_page_and_metrics_say_so(site: Site) -> None:
    assert "The first scan is running" in site.get("/").text
    assert site.metric("scans_started_total") == 0
    assert site.get("/livez").status_code == 200


# --- answers ------------------------------------------------------------------------------------------------------


def test_status_is_the_body_of_the_contract(site: Site) -> None:
    stopped = service("db", category=None, verdict=Verdict.STOPPED)
    body = site.scan(report((service("web"), stopped), (finding("no-alert"),))).json("/services/status")
    assert (body["total_services"], body["healthy_services"], body["timestamp"]) == (2, 1, "2026-03-01T12:00:00Z")
    assert body["services"]["core"]["web"]["status"] == "healthy"
    assert body["services"]["core"]["web"]["gaps"] == 1
    assert body["services"]["uncategorized"]["db"]["status"] == "stopped"
    assert site.json("/api/services/status") == body


def test_status_can_be_narrowed(site: Site) -> None:
    site.scan(report((service("web"), service("db", owner="data", verdict=Verdict.STOPPED))))
    assert site.json("/services/status?owner=data")["services"] == {"core": {"db": site_entry(site, "db")}}
    assert list(site.json("/services/status?status=healthy,starting")["services"]["core"]) == ["web"]
    assert site.json("/services/status?category=none")["services"] == {}
    only = site.json("/services/status?fields=status,gaps&fields=health")["services"]["core"]["web"]
    assert set(only) == {"status", "gaps", "health"}


BOX = Container("a" * 64, "web-1", "prod", "web:1", "running", memory_limit=1000)
USED = Usage("prod", "a" * 64, NOON, memory=900, cpu_seconds=12.0, cpu_ratio=0.25, pids=3)


def watched(**fields: Any) -> Report:
    web = service("web", containers=("web-1",), memory_bytes=900, memory_limit_bytes=1000, cpu_ratio=0.25)
    return report((web,), containers=(BOX,), usages=(USED,), hosts=(Host("prod", "docker", 4, 8000, "28"),), **fields)


def test_resources_of_every_service(site: Site) -> None:
    body = site.scan(watched(peaks=(Peak("prod", "web", NOON, 950, 0.5, 7),))).json("/api/resources")
    (web,) = body["items"]
    assert (web["service"], web["memory_bytes"], web["memory_limit_bytes"], web["cpu_ratio"]) == (
        "web",
        900,
        1000,
        0.25,
    )
    assert web["peak"] == {"since": "2026-03-01T12:00:00Z", "samples": 7, "memory_bytes": 950, "cpus": 0.5}
    assert (web["containers"][0]["name"], web["containers"][0]["pids"]) == ("web-1", 3)
    assert body["hosts"] == [{"source": "docker", "cpus": 4, "memory_bytes": 8000, "engine": "28"}]
    assert site.get("/api/resources?environment=nowhere").status_code == 400


def test_resources_are_not_told_of_old_reports(site: Site) -> None:
    body = site.scan(watched()).scan(OSError("gone")).json("/api/resources")
    assert body["stale"]
    assert (body["items"][0]["memory_bytes"], body["items"][0]["containers"]) == (None, [])
    assert site.metric("container_memory_usage_bytes", service="web", environment="prod", container="web-1") is None


def test_the_page_shows_what_services_use(site: Site) -> None:
    text = site.scan(watched()).get("/").text
    assert text.count('<meter min="0" max="1" value="0.9"') == 1
    assert '<span class="gauge high"><meter' in text
    assert "25 %" in text
    assert "What they use" not in site.scan(OSError("gone")).get("/").text, "old figures are not the present's"


def test_the_next_scan_is_told_of_peaks_even_by_another_process(site: Site, tmp_path: Path) -> None:
    assert site.app.watch.peaks == ()
    site.scan(watched())
    assert [(peak.service, peak.memory, peak.samples) for peak in site.app.watch.peaks] == [("web", 900, 1)]
    assert Site(tmp_path).app.watch.peaks == site.app.watch.peaks


def site_entry(site: Site, name: str) -> Any:
    return site.json("/services/status")["services"]["core"][name]


@pytest.mark.parametrize("query", ["environment=nowhere", "status=well", "fields=colour"])
def test_a_filter_that_cannot_be_meant_is_a_problem(site: Site, query: str) -> None:
    answer = site.scan().get(f"/services/status?{query}")
    assert (answer.status_code, answer.json()["status"], answer.json()["type"]) == (400, 400, "about:blank")


def test_other_environments_are_asked_by_name(site: Site) -> None:
    two = report((service("web"), service("api", "test")), environment=None, environments=("prod", "test"))
    site.scan(two)
    assert list(site.json("/services/status")["services"]["core"]) == ["web"]
    assert list(site.json("/services/status?environment=test")["services"]["core"]) == ["api"]


def test_the_latest_report_is_the_audits_json(site: Site) -> None:
    from exporters import report_json

    found = report((service("web"),), (finding("no-alert"),), duration=0.1)
    assert site.scan(found).json("/api/reports/latest") == report_json.document(found)


def test_gaps_carry_the_times_of_the_history(site: Site) -> None:
    gap = finding("no-alert")
    for hours in (0, 3):
        site.scan(report((), (gap,), taken_at=NOON + hours * HOUR))
    [item] = site.json("/api/gaps")["items"]
    assert item["check"] == "no-alert"
    assert item["first_seen"] == "2026-03-01T12:00:00Z"
    assert item["last_seen"] == "2026-03-01T15:00:00Z"


def test_waived_and_baselined_findings_are_no_gaps(site: Site) -> None:
    from datetime import date

    waiver = Waiver("no-alert", "known", "ops", date(2027, 1, 1), finding("x").locations[0])
    site.scan(report((), (finding("no-alert", waiver=waiver), finding("no-probe", baselined=True))))
    assert site.json("/api/gaps")["items"] == []


def test_gaps_come_in_pages_worst_first(site: Site) -> None:
    gaps = tuple(
        finding("no-alert", f"s{number}", severity=Severity.CRITICAL if number == 7 else Severity.WARNING)
        for number in range(10)
    )
    site.scan(report((), gaps))
    seen, cursor = [], ""
    for _ in range(4):
        page = site.json(f"/api/gaps?limit=3{cursor}")
        seen += [item["service"] for item in page["items"]]
        cursor = f"&cursor={page['next']}"
    assert page["next"] is None
    assert seen[0] == "s7"
    assert sorted(seen) == sorted(item.service or "" for item in gaps)


def test_gaps_can_be_narrowed(site: Site) -> None:
    site.scan(report((), (finding("no-alert", "a"), finding("no-alert", "b", severity=Severity.INFO))))
    assert [item["service"] for item in site.json("/api/gaps?severity=info")["items"]] == ["b"]
    assert [item["service"] for item in site.json("/api/gaps?service=a&check=no-alert")["items"]] == ["a"]


@pytest.mark.parametrize("query", ["cursor=!!", "cursor=W10", "cursor=bnVsbA", "cursor=%00", "cursor=" + "W" * 9999])
def test_a_foreign_cursor_is_a_problem(site: Site, query: str) -> None:
    assert site.scan().get(f"/api/gaps?{query}").status_code == 400


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=100000", "severity=awful"])
def test_parameters_of_the_wrong_kind_are_a_problem(site: Site, query: str) -> None:
    answer = site.scan().get(f"/api/gaps?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_alerts_are_those_of_the_report(site: Site) -> None:
    alert = Alert("prod", "Down", "active", "critical", "web", "it is down", NOON)
    body = site.scan(report((service("web"),), alerts=(alert,))).json("/api/alerts")
    assert [item["name"] for item in body["items"]] == ["Down"]
    assert body["next"] is None
    assert "it is down" in site.get("/").text


def test_a_check_explains_itself(site: Site) -> None:
    from auditor.registry import checks

    check = next(iter(checks().values()))
    answer = site.get(f"/checks/{check.id}")
    assert answer.status_code == 200
    assert check.id in answer.text
    assert site.get("/checks/no-such-check").status_code == 404
    assert site.get("/checks/..%2f..%2fetc%2fpasswd").status_code == 404


def test_the_open_api_document_names_every_route_of_the_contract(site: Site) -> None:
    paths = site.json("/openapi.json")["paths"]
    contract = {"/services/status", "/api/services/status", "/api/reports/latest", "/api/gaps", "/api/alerts"}
    assert contract | {"/metrics", "/livez", "/readyz"} <= set(paths)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/nowhere", "/static/nowhere.js", "/static/../app.py", "/api"])
def test_what_is_not_there_is_a_problem(site: Site, path: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


# --- forms of an answer -------------------------------------------------------------------------------------------

COMMON = ["/", "/services/status", "/api/reports/latest", "/metrics", "/static/page.css"]


@pytest.mark.parametrize("path", COMMON)
def test_what_a_client_has_already_is_not_sent_again(site: Site, path: str) -> None:
    etag = site.scan().get(path).headers["etag"]
    again = site.get(path, headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert site.get(path, headers={"if-none-match": 'W/"other"'}).status_code == 200


def test_a_new_report_has_a_new_etag(site: Site) -> None:
    first = site.scan().get("/services/status").headers["etag"]
    assert site.scan(report((service("other"),))).get("/services/status").headers["etag"] != first


@pytest.mark.parametrize("path", ["/", "/api/reports/latest", "/metrics", "/static/page.css"])
def test_large_answers_are_compressed_for_who_can_read_it(site: Site, path: str) -> None:
    plain = site.scan().get(path, headers={"accept-encoding": "identity"})
    packed = site.get(path, headers={"accept-encoding": "br, gzip;q=0.5"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content  # httpx unpacks it
    assert site.get(path, headers={"accept-encoding": "gzip;q=0"}).headers.get("content-encoding") is None


def test_the_packed_form_is_one_gzip_stream(site: Site) -> None:
    body = site.scan().app.watch.latest.document
    assert body is not None
    assert body.packed is not None
    assert gzip.decompress(body.packed.body) == body.content


@pytest.mark.parametrize("path", COMMON)
def test_head_is_get_without_the_body(site: Site, path: str) -> None:
    full = site.scan().get(path, headers={"accept-encoding": "identity"})
    head = site.get(path, "HEAD", headers={"accept-encoding": "identity"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"]


@pytest.mark.parametrize("path", [*COMMON, "/nowhere", "/livez", "/checks/nowhere", "/readyz"])
def test_every_answer_carries_the_security_headers(site: Site, path: str) -> None:
    headers = site.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


# --- who may ask --------------------------------------------------------------------------------------------------

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TOKEN = "made-up-token-for-tests"
EXAMPLES = {"{name}": "page.css", "{check}": "no-such-check", "{action}": "restart"}
ACTION = "/api/services/page.css/restart"  # without `--allow-actions` it is refused, as it is for an unknown service


def paths(app: App) -> list[str]:
    """Every path that the application routes, with its parameters filled in."""
    found = {getattr(route, "path", "") for route in app.routes}
    for parameter, example in EXAMPLES.items():
        found = {path.replace(parameter, example) for path in found}
    return sorted(found)


CREDENTIALS = {
    "anonymous": {},
    "wrong": {"authorization": "Bearer not-the-token"},
    "empty": {"authorization": "Bearer "},
    "no scheme": {"authorization": TOKEN},
    "basic, token as user": {"authorization": httpx.BasicAuth(TOKEN, "")._auth_header},
    "basic, broken": {"authorization": "Basic !!!"},
    "not ASCII": {"authorization": "Bearer \xe9"},
}


@pytest.mark.parametrize("credentials", CREDENTIALS.values(), ids=CREDENTIALS)
def test_without_the_token_only_health_and_style_are_open(make: Make, credentials: dict[str, str]) -> None:
    app = make(host="0.0.0.0", token=TOKEN).scan().app  # noqa: S104
    known = paths(app)
    assert {"/", "/metrics", "/services/status", "/api/gaps", "/openapi.json"} <= set(known)
    for path in known:
        for method in METHODS:
            status = ask(app, path, method, headers=credentials).status_code
            if path in OPEN_PATHS or path.startswith("/static/"):
                assert status == (200 if method in ("GET", "HEAD") else 405), (method, path)
            else:
                assert status == 401, (method, path)


@pytest.mark.parametrize(
    "authorization", [f"Bearer {TOKEN}", f"bearer {TOKEN}", httpx.BasicAuth("x", TOKEN)._auth_header]
)
def test_with_the_token_everything_can_be_read_and_nothing_changed(make: Make, authorization: str) -> None:
    app = make(host="0.0.0.0", token=TOKEN).scan().app  # noqa: S104
    for path in paths(app):
        for method in METHODS:
            status = ask(app, path, method, headers={"authorization": authorization}).status_code
            expected = (404 if path.startswith("/checks/") else 200) if method in ("GET", "HEAD") else 405
            if path == ACTION:
                expected = 403 if method == "POST" else 405
            assert status == expected, (method, path)


def test_a_token_in_the_query_does_not_count(make: Make) -> None:
    app = make(host="0.0.0.0", token=TOKEN).scan().app  # noqa: S104
    answer = ask(app, f"/services/status?token={TOKEN}")
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]
    assert TOKEN not in answer.text


def test_on_loopback_reading_is_open(make: Make) -> None:
    assert make(token=TOKEN).scan().get("/services/status").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_an_open_door_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="no token"):
        refuse_open_door(Settings(host=host))
    refuse_open_door(Settings(host=host, token=TOKEN))
    refuse_open_door(Settings(host=host, insecure_no_auth=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    refuse_open_door(Settings(host=host))


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8642", "127.0.0.1:1", "[::1]:8642", "a.localhost", "LOCALHOST"]
)
def test_names_of_this_machine_are_answered(site: Site, host: str) -> None:
    assert site.get("/livez", host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "", "192.0.2.7", "localhost.evil.example", "auditor"]
)
def test_foreign_names_are_not(site: Site, host: str) -> None:
    for path in ("/livez", "/services/status", "/"):
        answer = site.get(path, host=host)
        assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")


def test_an_address_open_to_others_answers_under_names_that_no_public_dns_has(make: Make) -> None:
    app = make(host="0.0.0.0", token=TOKEN, allowed_hosts=("status.example.org",)).app  # noqa: S104
    answered = {host: ask(app, "/livez", host=host).status_code for host in
                ("auditor:8642", "192.0.2.7", "status.example.org", "evil.example")}  # fmt: skip
    assert answered == {"auditor:8642": 200, "192.0.2.7": 200, "status.example.org": 200, "evil.example": 421}


# --- bodies -------------------------------------------------------------------------------------------------------


async def swallow(scope: Any, receive: Any, send: Any) -> None:
    """Reads a whole body, as a route that takes one would."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    guarded = Guard(swallow, access(Settings()), max_body=1000)
    assert ask(guarded, "/", "POST", content=b"x" * 1000).text == "1000"
    assert ask(guarded, "/", "POST", content=b"x" * 1001).status_code == 413
    read = []

    async def endless() -> Any:
        for number in range(10_000):
            read.append(number)
            yield b"x" * 100

    assert ask(guarded, "/", "POST", content=endless()).status_code == 413


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "9" * 50, "\xb2"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    guarded = Guard(swallow, access(Settings()))
    assert ask(guarded, "/", "POST", headers={"content-length": length}).status_code in (400, 413)


# --- blind --------------------------------------------------------------------------------------------------------


def assert_blind(site: Site, cause: str) -> None:
    """No surface claims anything about now, and the page and the API name the cause."""
    status = site.json("/services/status")
    assert status["healthy_services"] == 0
    assert {entry["status"] for group in status["services"].values() for entry in group.values()} == {"unknown"}
    document = site.json("/api/reports/latest")
    assert (document["complete"], document["coverage"]) == (False, None)
    assert {rung["state"] for item in document["services"] for rung in item["rungs"].values()} == {"unknown"}
    assert {source["state"] for source in document["sources"]} == {"stale"}
    assert cause in json.dumps(document["sources"])
    assert cause in site.json("/api/gaps")["stale"]
    assert site.get("/readyz").status_code == 503
    assert site.metric("report_stale") == 1
    assert site.metric("services", environment="prod", state="healthy") == 0
    assert site.metric("service_rung", service="web", environment="prod", rung="running") is None
    assert site.metric("coverage_ratio", environment="prod") is None
    page = site.get("/").text
    assert "Nothing here is known to hold now" in page
    assert "proved</span></td>" not in page


def test_a_fresh_report_counts(site: Site) -> None:
    site.scan()
    site.clock.now += 119
    assert site.json("/services/status")["healthy_services"] == 1
    assert site.get("/readyz").json() == {"status": "ready", "history": "ok"}
    assert site.metric("report_stale") == 0


def test_a_report_older_than_two_intervals_is_unknown_everywhere(site: Site) -> None:
    site.scan()
    site.clock.now += 121
    assert_blind(site, "older than two intervals of 60 s")


def test_a_report_is_told_old_before_anybody_has_to_wait_for_that(tmp_path: Path) -> None:
    hang, scans = threading.Event(), iter([report((service("web"),))])
    scan = lambda _: next(scans, None) or (hang.wait(20) and None)  # noqa: E731
    watch = create_app(Settings(port=0, interval=1, database=f"sqlite:///{tmp_path / 'h'}"), scan=scan).watch
    watch.start()
    try:
        end = time.monotonic() + 15
        while watch.latest.stale is None and time.monotonic() < end:
            time.sleep(0.05)
        assert watch.latest.stale == "the last report is older than two intervals of 1 s"
    finally:
        hang.set()
        watch.stop()


def test_a_slow_scan_may_take_its_time(site: Site) -> None:
    def slow(_: Settings) -> Report:
        site.clock.now += 100
        return report((service("web"),))

    site.app.watch._scan = slow
    site.scan()
    site.clock.now += 159
    assert site.get("/readyz").status_code == 200
    site.clock.now += 2
    assert site.get("/readyz").status_code == 503


FAULTS = {
    "catalogue": CatalogueError("a catalogue with no service", path="catalogue.yaml", line=1),
    "bug": ValueError("boom"),
    "deep": RecursionError("too deep"),
    "exit": SystemExit(3),
    "interrupt": KeyboardInterrupt(),
    "memory": MemoryError(),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_scan_that_fails_blinds_at_once_and_the_next_one_heals(site: Site, fault: BaseException) -> None:
    site.scan().scan(fault)
    assert_blind(site, "the last scan failed")
    assert site.metric("scans_failed_total") == 1
    site.scan(report((service("web"),)))
    assert site.json("/services/status")["healthy_services"] == 1
    assert site.get("/readyz").status_code == 200


def test_a_first_scan_that_fails_says_why(site: Site) -> None:
    site.scan(FAULTS["catalogue"])
    assert "a catalogue with no service (catalogue.yaml:1)" in site.get("/").text
    answer = site.get("/services/status")
    assert answer.status_code == 503
    assert "a catalogue with no service" in answer.json()["detail"]
    assert site.get("/readyz").json()["state"] == "stale"


def test_an_incomplete_report_names_the_source_that_failed(site: Site) -> None:
    docker = SourceState("docker", "failed", "permission denied on `/var/run/docker.sock`", "prod")
    page = site.scan(report((service("web"),), sources=(docker,), complete=False)).get("/").text
    assert "Incomplete." in page
    assert "permission denied on" in page
    assert site.metric("source_up", source="docker", environment="prod") == 0


def test_readiness_tells_nothing_to_strangers(site: Site) -> None:
    site.scan(CatalogueError("SECRET PLACE"))
    assert "SECRET" not in site.get("/readyz").text


# --- history ------------------------------------------------------------------------------------------------------


def test_without_a_place_for_history_everything_else_goes_on(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    site = make(database=f"sqlite:///{tmp_path / 'file' / 'history.sqlite'}")
    gap = finding("no-alert")
    for hours in (0, 3):
        site.scan(report((service("web"),), (gap,), taken_at=NOON + hours * HOUR))
    assert site.get("/readyz").json() == {"status": "ready", "history": "degraded"}
    assert "cannot open the history" in site.get("/").text
    assert site.json("/api/gaps")["items"][0]["first_seen"] == "2026-03-01T12:00:00Z"


def test_a_history_that_breaks_later_is_said_and_mended(site: Site) -> None:
    site.scan()
    assert site.app.watch._store is not None
    site.app.watch._store.path.write_bytes(b"rotten " * 4000)
    site.scan()
    assert site.get("/readyz").json()["history"] == "degraded"
    site.scan()
    assert "set aside as" in site.get("/").text


def test_a_gap_that_nobody_could_look_at_again_stays_listed(site: Site) -> None:
    site.scan(report((service("web"),), (finding("no-alert"),)))
    site.scan(report((service("web"),), sources=(SourceState("compose", "failed", "gone", "prod"),), complete=False))
    assert [item["check"] for item in site.json("/api/gaps")["items"]] == ["no-alert"]
    assert "the last scan could not look again" in site.get("/").text


def test_after_a_restart_the_times_are_still_known(make: Make) -> None:
    gap = finding("no-alert")
    make().scan(report((), (gap,)))
    site = make().scan(report((), (gap,), taken_at=NOON + HOUR))
    assert site.json("/api/gaps")["items"][0]["first_seen"] == "2026-03-01T12:00:00Z"
    assert site.metric("gap_oldest_open_seconds", environment="prod", severity="warning") == 3600


# --- hostile text -------------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{7*7}}{% include '/etc/passwd' %}",
    "javascript:alert(1)",
    "</title><svg onload=alert(1)>",
    "\ud800\udfff lone",
    "nul\x00 esc\x1b[31m bell\x07",
    "turn\u202eed \u200bzero",
    "a\r\nSet-Cookie: x=1",
    "`" * 51,
    "x" * 70_000,
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_text_on_every_surface(site: Site, text: str) -> None:
    everywhere = service(text, category=text, tier=text, owner=text, title=text, reasons=(text,))
    gap = finding("no-alert", text, message=text, fix=text, locations=(replace(finding("x").locations[0], path=text),))
    site.scan(
        report(
            (everywhere, service("web")),
            (gap,),
            system=text,
            files=(text,),
            notes=(text,),
            sources=(SourceState("docker", "failed", text, "prod"),),
            alerts=(Alert("prod", text, "active", text, text, text),),
        )
    )
    page = site.get("/")
    assert page.status_code == 200
    lower = page.text.lower()
    assert lower.count("<script") == 1  # our own
    assert not any(mark in lower for mark in ("<img", "<svg", "onmouseover='", "\x00", "\x1b", "\u202e", "\u200b"))
    assert "49" not in text or "{{7*7}}" in page.text
    for path in ("/services/status", "/api/reports/latest", "/api/gaps", "/api/alerts"):
        site.json(path)
    assert site.metric("report_complete") is not None


def test_a_failure_with_hostile_words_is_text_too(site: Site) -> None:
    page = site.scan(ValueError("<script>alert(1)</script>\x1b")).get("/").text
    assert "<script>alert" not in page
    assert "\x1b" not in page


# --- the scheduler ------------------------------------------------------------------------------------------------


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)


def test_scans_never_overlap_and_those_left_out_are_counted(tmp_path: Path) -> None:
    running, most, done = 0, 0, 0
    lock = threading.Lock()

    def slow(_: Settings) -> Report:
        nonlocal running, most, done
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.35)
        with lock:
            running -= 1
            done += 1
        return report((service("web"),))

    app = create_app(Settings(interval=0.1, database=f"sqlite:///{tmp_path / 'h.sqlite'}"), scan=slow)
    app.watch.start()
    try:
        until(lambda: done >= 4)
    finally:
        app.watch.stop()
    assert most == 1
    assert app.watch.latest.scans.skipped >= 3


def test_after_an_overlong_scan_the_next_one_begins_at_once(tmp_path: Path) -> None:
    began: list[float] = []

    def slow_once(_: Settings) -> Report:
        began.append(time.monotonic())
        if len(began) == 1:
            time.sleep(2.5)
        return report((service("web"),))

    app = create_app(Settings(interval=2, database=f"sqlite:///{tmp_path / 'h.sqlite'}"), scan=slow_once)
    app.watch.start()
    try:
        until(lambda: len(began) >= 2)
    finally:
        app.watch.stop()
    assert began[1] - began[0] < 3.5


def test_an_overdue_scan_is_made_up_for_when_somebody_asks(tmp_path: Path) -> None:
    began: list[float] = []

    def quick(_: Settings) -> Report:
        began.append(time.monotonic())
        return report((service("web"),))

    app = create_app(Settings(interval=3600, database=f"sqlite:///{tmp_path / 'h.sqlite'}"), scan=quick)
    app.watch.start()
    try:
        until(lambda: app.watch.latest.ready)
        app.watch._clock = lambda: time.monotonic() + 2 * 3600  # as if the wall clock had been set back for so long
        assert not app.watch.current().ready
        until(lambda: len(began) == 2)
    finally:
        app.watch.stop()


def test_two_applications_in_one_process_share_nothing(make: Make, tmp_path: Path) -> None:
    one, two = make(), Site(tmp_path / "other")
    one.scan(report((service("one"),)))
    two.scan(report((service("two"),)))
    assert 'service="two"' not in one.get("/metrics").text
    assert "one" not in one.json("/services/status")["services"]["core"].get("two", {})


def test_requests_do_not_read_or_render(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.scan()

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a request must not do this")

    monkeypatch.setattr("builtins.open", never)
    monkeypatch.setattr("exporters.metrics.render", never)
    monkeypatch.setattr("exporters.status_json.document", never)
    monkeypatch.setattr(site.app.watch._view, "overview", never)
    for path in COMMON:
        assert site.get(path).status_code == 200


def test_a_crash_is_a_problem_without_details(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("SECRET")

    monkeypatch.setattr("exporters.status_json.document", crash)
    site.app.watch.latest = replace(site.app.watch.latest, report=report())
    answer = site.get("/services/status?status=healthy")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "SECRET" not in answer.text
    assert "content-security-policy" in answer.headers
