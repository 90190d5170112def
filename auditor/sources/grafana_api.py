"""Reads a running Grafana: which datasources and dashboards it has. Nothing is changed there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from auditor.errors import EvidenceError, TextError
from auditor.model import Dashboard, Datasource, Grafana
from auditor.sources.fetch import fetch_each
from auditor.sources.grafana.dashboards import dashboard_of
from auditor.sources.grafana.provisioning import address_of
from auditor.sources.hostile import printable

DASHBOARD_LIMIT = 300
PAGE, PAGES = 500, 4  # dashboards an answer of the search holds, and how many answers are asked for
_LIBRARY = "/api/library-elements?kind=1&perPage=500"


@dataclass(frozen=True, slots=True)
class Read:
    """What a Grafana told. limits: what it could not tell, each with the reason."""

    grafana: Grafana
    limits: tuple[str, ...] = ()


def read_grafana(url: str, environment: str, token: str | None, *, timeout: float = 8.0) -> Read:
    """The datasources and dashboards of Grafana at `url`.

    token: of a service account that may view; None: whatever anybody may see. timeout: seconds for all of it. Raises
    EvidenceError where its list of dashboards, or not one of them, can be read.
    """

    def ask(paths: Sequence[str], seconds: float) -> list[object | EvidenceError]:
        return fetch_each("Grafana", url, paths, timeout=seconds, headers=_headers(token))

    pages = [f"/api/search?type=dash-db&limit={PAGE}&page={page}" for page in range(1, PAGES + 1)]
    sources, library, *found = ask(("/api/datasources", _LIBRARY, *pages), timeout * 0.4)
    uids, more = _uids(found)
    models = _library(library)
    answers = ask([f"/api/dashboards/uid/{quote(uid, safe='')}" for uid in uids], timeout * 0.6) if uids else []
    dashboards = [board for one in answers if (board := _dashboard(one, environment, models)) is not None]
    failed = next((one for one in answers if isinstance(one, EvidenceError)), None)
    if failed is not None and not dashboards:
        raise failed
    limits = [f"its datasources: {sources.what}"] if isinstance(sources, EvidenceError) else []
    unread = tuple(_unread(len(uids) - len(dashboards), more=more))
    known = None if isinstance(sources, EvidenceError) else tuple(_datasources(sources, environment))
    return Read(Grafana(environment, True, known, tuple(dashboards), unread), (*limits, *unread))


def _unread(number: int, *, more: bool) -> Iterator[str]:
    if number:
        yield f"{number} of its dashboards could not be read"
    if more:
        yield f"no more than {DASHBOARD_LIMIT} of its dashboards are read"


def _headers(token: str | None) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _uids(pages: Sequence[object]) -> tuple[list[str], bool]:
    """The uids of dashboards, each once, and whether there are more than are read. Raises EvidenceError."""
    uids: dict[str, None] = {}
    for place, page in enumerate(pages):
        if isinstance(page, EvidenceError):
            raise page
        if not isinstance(page, list):
            raise EvidenceError("Grafana cannot be read: the answer is no list of dashboards")
        for item in page:
            if isinstance(item, Mapping) and isinstance(item.get("uid"), str) and 0 < len(item["uid"]) <= 200:
                uids[item["uid"]] = None
        if len(page) < PAGE:
            return list(uids)[:DASHBOARD_LIMIT], len(uids) > DASHBOARD_LIMIT
        last = place == len(pages) - 1
    return list(uids)[:DASHBOARD_LIMIT], last or len(uids) > DASHBOARD_LIMIT


def _library(answer: object) -> dict[str, Any]:
    """uid -> model of the library panels; none where they cannot be read, as by a viewer of an old version."""
    result = answer.get("result") if isinstance(answer, Mapping) else None
    elements = result.get("elements") if isinstance(result, Mapping) else None
    listed = elements if isinstance(elements, list) else []
    return {str(item.get("uid")): item.get("model") for item in listed if isinstance(item, Mapping)}


def _dashboard(answer: object, environment: str, library: Mapping[str, Any]) -> Dashboard | None:
    try:
        return dashboard_of(answer, None, environment, library=library)
    except TextError:
        return None


def _datasources(answer: object, environment: str) -> Iterator[Datasource]:
    for item in answer if isinstance(answer, list) else ():
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
            continue
        url = item.get("url")
        yield Datasource(
            environment,
            printable(item["name"], 200),
            printable(item.get("uid") or "", 200),
            printable(item.get("type") or "", 100),
            address_of(url) if isinstance(url, str) else None,
            item.get("isDefault") is True,
            item.get("access") in ("direct", "browser"),
        )
