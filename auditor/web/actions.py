"""The routes that change what runs. Each call needs the token, even where reading is open, and none comes from a page.

They exist for callers with `Authorization: Bearer TOKEN` only: a browser adds Basic by itself, on any page's behalf.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from starlette.responses import Response

from auditor.errors import AuditorError, EvidenceError, UsageError
from auditor.settings import Settings
from auditor.store import Store, StoreError
from auditor.web.answers import JSON, refuse
from auditor.web.watch import Watch
from exporters import report_json
from exporters.actions import performed

GRACE = 10  # seconds that a container has to end
_CHALLENGE = {"www-authenticate": 'Bearer realm="auditor"'}


def add(app: FastAPI, settings: Settings, watch: Watch, store: Store | None) -> None:
    """Add the routes. They are there whether or not actions are allowed, and say why they refuse."""
    one_at_a_time = threading.Lock()

    @app.post("/api/services/{name}/{action}", tags=["services"])
    def act(
        request: Request, name: str, action: Literal["start", "stop", "restart"], environment: str | None = None
    ) -> Response:
        """Start, stop or restart the containers of a declared service. Needs `--allow-actions` and the token."""
        if refused := refusal(settings, request.headers):
            return refused
        if store is None:
            return refuse(503, "there is no history to write it into, so nothing was done")
        if not one_at_a_time.acquire(blocking=False):
            return refuse(409, "another action is under way", {"retry-after": "5"})
        try:
            return _acted(settings, store, request, (environment, name, action))
        finally:
            one_at_a_time.release()
            watch.scan_soon()


def refusal(settings: Settings, headers: Mapping[str, str]) -> Response | None:
    """Why a call may not change anything, or None."""
    if not settings.allow_actions:
        return refuse(403, "actions are not allowed: start the server with `--allow-actions`")
    if not settings.token:
        return refuse(403, "actions need a token: set `AUDITOR_TOKEN`")
    scheme, _, given = headers.get("authorization", "").partition(" ")
    known = settings.token.encode()
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("utf-8", "replace"), known):
        return refuse(401, "a valid token is needed: `Authorization: Bearer TOKEN`", _CHALLENGE)
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        return refuse(403, "the call comes from a page of another origin")
    return None


def _acted(settings: Settings, store: Store, request: Request, asked: tuple[str | None, str, str]) -> Response:
    from auditor import act, scan
    from auditor.orders import order

    environment, name, action = asked
    client = request.client.host if request.client else "unknown"
    chosen = replace(settings, environments=(environment,)) if environment else _default(settings)
    try:
        snapshot = scan.gather(chosen)
        if snapshot.service(snapshot.environments[0], name) is None:
            return refuse(404, f"there is no service `{name}` in `{snapshot.environments[0]}`")
        wanted = order(snapshot, action, name)
        steps = (
            act.carry_out(
                wanted, snapshot.spec(wanted.environment), settings.docker, store, f"token from {client}",
                grace=GRACE, tell=lambda _: None,
            )
            if wanted.containers
            else ()
        )  # fmt: skip
    except StoreError as error:
        return refuse(503, f"the trail cannot be written: {error.what}")
    except EvidenceError as error:
        return refuse(503, error.what)
    except UsageError as error:
        return refuse(409, f"{error.what}; {error.help}" if error.help else error.what)
    except AuditorError as error:
        return refuse(500, error.what)
    content = performed(wanted, steps)
    if any(step.error for step in steps):
        return refuse(502, "not every container did as it was told", **content)
    return Response(report_json.dumps(content), headers={"cache-control": "no-store"}, media_type=JSON)


def _default(settings: Settings) -> Settings:
    """The first of the environments that are watched."""
    first = settings.environments[:1]
    return replace(settings, environments=() if first == ("all",) else first)
