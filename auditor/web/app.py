"""The application: which address answers with what. Common answers are bytes made after a scan; no route does IO."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

import auditor
from auditor.errors import AuditorError, UsageError
from auditor.live import Engines
from auditor.model import Report, Severity
from auditor.settings import Settings
from auditor.store import Store, StoreError, default_url
from auditor.web import actions
from auditor.web.answers import FOR_EVER, HTML, JSON, Body, body, refuse, respond
from auditor.web.guard import Guard, access
from auditor.web.page import View, view
from auditor.web.watch import Gap, Latest, Scan, Watch
from exporters import report_json, resources_json, status_json

_RANKS = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}
Words = Annotated[list[str] | None, Query()]


class App(FastAPI):
    """The application with its watch: every request passes the guard, and common ones need no routing."""

    watch: Watch
    front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Outside of everything that FastAPI adds: the headers are on the answer to a crash, too.
        await self.front(scope, receive, send)


class Common:
    """Answers the addresses that are asked again and again with the bytes that are ready; all else goes on."""

    _BODIES: Mapping[str, Callable[[Latest], Body | None]] = {
        "/": lambda latest: latest.page,
        "/services/status": lambda latest: latest.status,
        "/api/services/status": lambda latest: latest.status,
        "/api/reports/latest": lambda latest: latest.document,
        "/metrics": lambda latest: latest.metrics,
    }

    def __init__(self, app: ASGIApp, watch: Watch) -> None:
        self._app = app
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            choose = self._BODIES.get(scope["path"])
            answer = choose(self._watch.current()) if choose else None
            if answer is not None:
                ready = respond(answer, Headers(scope=scope))
                await send({"type": "http.response.start", "status": ready.status_code, "headers": ready.raw_headers})
                await send({"type": "http.response.body", "body": ready.body})
                return
        await self._app(scope, receive, send)


def create_app(settings: Settings, *, scan: Scan | None = None) -> App:
    """The application for these settings; it scans while its lifespan lasts. `scan` defaults to a scan of the system.

    Raises SettingsError for a database that cannot be meant.
    """
    store, history_error = _history(settings)
    engines = Engines(apart=True)
    watch = Watch(
        settings,
        scan or (lambda now: _scan(now, watch, engines)),
        store,
        view=view(),
        history_error=history_error,
    )

    from auditor.sources.docker.sampler import Sampler  # only who serves needs it

    sampler = Sampler(engines.readers, watch.scan_soon)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watch.start()
        sampler.start()
        yield
        sampler.stop()
        watch.stop()

    app = App(
        title="Stack Auditor",
        version=auditor.__version__,
        description="How far the evidence goes for each declared service, and where it stops.",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.watch = watch
    app.front = Guard(Common(super(App, app).__call__, watch), access(settings))
    _errors(app)
    _health(app, watch)
    _api(app, watch)
    actions.add(app, settings, watch, store)
    _pages(app, watch, view())
    return app


def serve(settings: Settings) -> None:
    """Serve until a signal ends it. Raises UsageError where the address would be open to everybody, or is taken."""
    from auditor.web.server import run

    run(settings)


def _scan(settings: Settings, watch: Watch, engines: Engines) -> Report:
    from auditor.scan import scan

    return scan(settings, peaks=watch.peaks, past=watch.past, engines=engines)


def _history(settings: Settings) -> tuple[Store | None, str | None]:
    """The history, or why there is none: the disk may refuse, and the service goes on."""
    try:
        store = Store(settings.database or default_url(os.environ))
    except StoreError as error:
        return None, error.what
    return store, store.notice


# --- errors: problem documents ------------------------------------------------------------------------------------


def _errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        return refuse(error.status_code, str(error.detail) if error.detail else None, headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5]]
        return refuse(422, "; ".join(problems))

    @app.exception_handler(AuditorError)
    async def expected(_: Request, error: AuditorError) -> Response:
        status = 400 if isinstance(error, UsageError) else 500
        return refuse(status, f"{error.what}; {error.help}" if error.help else error.what)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, __: Exception) -> Response:
        return refuse(500, "the server made a mistake; its log says more")


def _or_wait(answer: Body | None, latest: Latest, request: Request) -> Response:
    """The answer, or 503 while no scan has succeeded yet."""
    if answer is not None:
        return respond(answer, request.headers)
    return refuse(503, latest.stale or "the first scan has not ended yet", {"retry-after": "1"})


# --- routes -------------------------------------------------------------------------------------------------------


def _health(app: FastAPI, watch: Watch) -> None:
    @app.get("/livez", tags=["health"])
    async def livez() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["health"])
    async def readyz() -> Response:
        """Whether what is served may be taken for the present: 503 before the first report and while it is stale."""
        latest = watch.current()
        state = "ready" if latest.ready else "stale" if latest.report or latest.error else "starting"
        history = "degraded" if latest.history_error else "ok"
        headers = {"cache-control": "no-store"}
        if latest.ready:
            return Response(json.dumps({"status": state, "history": history}), headers=headers, media_type=JSON)
        # The reason may name hosts and paths; it is on the page, which asks for the token where one is set.
        return refuse(503, "no current report", {"retry-after": "1"}, state=state, history=history)

    @app.get("/metrics", tags=["metrics"])
    async def prometheus(request: Request) -> Response:
        """The latest report, and the server's own scans, as Prometheus series."""
        latest = watch.current()
        return _or_wait(latest.metrics, latest, request)


def _api(app: FastAPI, watch: Watch) -> None:
    @app.get("/services/status", tags=["services"])
    @app.get("/api/services/status", tags=["services"], operation_id="api_services_status")
    async def services_status(
        request: Request,
        environment: str | None = None,
        category: Words = None,
        tier: Words = None,
        owner: Words = None,
        status: Words = None,
        fields: Words = None,
    ) -> Response:
        """How every service of one environment does. Filters repeat; `status` and `fields` take commas too."""
        latest = watch.current()
        if latest.report is None or not request.scope["query_string"]:
            return _or_wait(latest.status, latest, request)
        chosen = status_json.document(
            latest.report,
            environment,
            category=category or (),
            tier=tier or (),
            owner=owner or (),
            status=_words(status),
            fields=_words(fields),
        )
        return respond(body(report_json.dumps(chosen), JSON), request.headers)

    @app.get("/api/resources", tags=["services"])
    async def resources(request: Request, environment: str | None = None) -> Response:
        """What every service of one environment uses, its peaks, and the hosts."""
        latest = watch.current()
        if latest.report is None:
            return _or_wait(None, latest, request)
        if environment is not None and environment not in latest.report.environments:
            raise UsageError(f"unknown environment `{environment}`")
        content = resources_json.document(latest.report, environment) | {"stale": latest.stale}
        return respond(body(report_json.dumps(content), JSON), request.headers)

    @app.get("/api/reports/latest", tags=["reports"])
    async def latest_report(request: Request) -> Response:
        """The latest report, as `auditor audit --format json` prints it."""
        latest = watch.current()
        return _or_wait(latest.document, latest, request)

    @app.get("/api/gaps", tags=["gaps"])
    async def gaps(
        request: Request,
        environment: str | None = None,
        service: str | None = None,
        severity: Severity | None = None,
        check: str | None = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """Open findings, the worst and oldest first, with those that the last report could not look at again."""
        latest = watch.current()
        if latest.report is None:
            return _or_wait(None, latest, request)
        wanted = {"environment": environment, "service": service, "severity": severity, "check": check}
        after = _decode(cursor) if cursor else None
        chosen = sorted((gap for gap in latest.gaps if _matches(gap, wanted)), key=_rank)
        rest = [gap for gap in chosen if after is None or _rank(gap) > after]
        following = _encode(_rank(rest[limit - 1])) if len(rest) > limit else None
        items = [_gap(gap) for gap in rest[:limit]]
        content = {"items": items, "next": following, "stale": latest.stale}
        return respond(body(report_json.dumps(content), JSON), request.headers)

    @app.get("/api/alerts", tags=["alerts"])
    async def alerts(request: Request) -> Response:
        """The alerts that were active in Alertmanager when the last scan looked."""
        latest = watch.current()
        if latest.report is None:
            return _or_wait(None, latest, request)
        items = [report_json.alert(item) for item in latest.report.alerts]
        content = {"items": items, "next": None, "stale": latest.stale}
        return respond(body(report_json.dumps(content), JSON), request.headers)


def _pages(app: FastAPI, watch: Watch, view: View) -> None:
    kinds = {name: view.media_type(name) for name in view.static}
    assets = {name: body(content, kinds[name]) for name, content in view.static.items()}
    versions = {view.asset(name): body(content, kinds[name], FOR_EVER) for name, content in view.static.items()}
    checks: dict[str, Body] = {}

    @app.get("/", include_in_schema=False)
    async def overview(request: Request) -> Response:
        latest = watch.current()
        return _or_wait(latest.page, latest, request)

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str, request: Request) -> Response:
        if name not in assets:
            raise HTTPException(404)
        address = f"{request.url.path}?{request.url.query}"
        return respond(versions.get(address, assets[name]), request.headers)

    @app.get("/checks/{check}", include_in_schema=False)
    async def explanation(check: str, request: Request) -> Response:
        from auditor.registry import checks as registered

        if check not in checks:
            if check not in registered():
                raise HTTPException(404, "no such check")
            checks[check] = body(view.check(registered()[check]), HTML)
        return respond(checks[check], request.headers)


def _words(values: list[str] | None) -> list[str]:
    return [word for value in values or () for word in value.split(",") if word]


# --- gaps ---------------------------------------------------------------------------------------------------------

Rank = tuple[int, str, str, str]


def _matches(gap: Gap, wanted: dict[str, str | None]) -> bool:
    return all(value is None or getattr(gap.finding, name) == value for name, value in wanted.items())


def _rank(gap: Gap) -> Rank:
    finding = gap.finding
    return _RANKS[finding.severity], gap.opened.isoformat(), finding.environment or "", finding.fingerprint


def _gap(gap: Gap) -> dict[str, Any]:
    times = {"first_seen": gap.first_seen, "opened": gap.opened, "last_seen": gap.last_seen}
    return report_json.finding(gap.finding) | {name: report_json.timestamp(time) for name, time in times.items()}


def _encode(rank: Rank) -> str:
    return base64.urlsafe_b64encode(json.dumps(rank).encode()).decode().rstrip("=")


def _decode(cursor: str) -> Rank:
    try:
        number, opened, environment, fingerprint = json.loads(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        )
        return int(number), str(opened), str(environment), str(fingerprint)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise UsageError("the cursor is not one of this list's", help="leave it out to begin anew") from error
