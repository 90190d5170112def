"""A dashboard's JSON model -> its panels and their queries, of old and new schema versions alike.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from auditor.errors import TextError
from auditor.model import Dashboard, Location, Panel, Query
from auditor.regexp import regexp
from auditor.sources.grafana.filled import ANY, fill_in, shape_of
from auditor.sources.grafana.jsontext import Line, parse

PANEL_LIMIT = 2_000
_DEPTH = 6  # of rows within rows
_OWN = frozenset({"-- Grafana --", "-- Dashboard --", "grafana", "__expr__", "-- Mixed --", "mixed", "datasource"})
_REFERENCE = regexp(r"\$\{?(\w+)(?::\w+)?\}?|\[\[(\w+)\]\]")
_TEXT_LIMIT = 300


@dataclass(slots=True)
class _Reading:
    """One dashboard while it is read. sources: variable of a datasource -> its kind."""

    path: str | None
    variables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    library: Mapping[str, Any] = field(default_factory=dict)
    count: int = 0

    def at(self, value: object) -> Location | None:
        if self.path is None:
            return None
        return Location(self.path, value.line if isinstance(value, Line) else 1)


def parse_dashboard(
    data: bytes, path: str, environment: str, *, provisioned: bool = False, library: Mapping[str, Any] | None = None
) -> Dashboard | None:
    """The dashboard of a file; None where its JSON is something else. Raises TextError where it is no JSON."""
    return dashboard_of(parse(data, path), path, environment, provisioned=provisioned, library=library)


def dashboard_of(
    value: object,
    path: str | None,
    environment: str,
    *,
    provisioned: bool = False,
    library: Mapping[str, Any] | None = None,
) -> Dashboard | None:
    """The dashboard of a JSON value; None where it is none. `path`: None where the API told it.

    library: uid -> model of library panels. A model of Grafana 12's new layouts is told by TextError.
    """
    model = _model(value)
    if model is None:
        return None
    if isinstance(model.get("elements"), Mapping) and "layout" in model:
        model = _of_elements(model)
    reading = _Reading(path, library={**_own_library(model), **(library or {})})
    _read_variables(model, reading)
    title = _text(model.get("title")) or "untitled"
    panels = tuple(_panels(model, reading, 0))
    key = _text(model.get("uid")) or title
    return Dashboard(environment, title, key, panels, provisioned, reading.at(model.get("title")))


def _model(value: object) -> Mapping[str, Any] | None:
    """What a file or an answer holds, out of what it may be wrapped in."""
    for _ in range(3):
        if not isinstance(value, Mapping):
            return None
        inner = next((value[key] for key in ("dashboard", "spec") if isinstance(value.get(key), Mapping)), None)
        if inner is None or _looks_like_one(value):
            break
        value = inner
    return value if isinstance(value, Mapping) and _looks_like_one(value) else None


def _looks_like_one(value: Mapping[str, Any]) -> bool:
    if isinstance(value.get("elements"), Mapping) and "layout" in value:
        return True
    listed = isinstance(value.get("panels"), list) or isinstance(value.get("rows"), list)
    return listed and ("title" in value or "schemaVersion" in value)


def _of_elements(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """A model of the second schema (`elements`, `layout`) in the shape of the first."""
    panels = []
    for element in model["elements"].values():
        spec = _mapping(_mapping(element).get("spec"))
        if _mapping(element).get("kind") == "LibraryPanel":
            panels.append({"title": spec.get("title"), "libraryPanel": spec.get("libraryPanel")})
            continue
        queries = _list(_mapping(_mapping(spec.get("data")).get("spec")).get("queries"))
        panels.append({"title": spec.get("title"), "targets": [_of_query(query) for query in queries]})
    variables = [
        {"type": str(one.get("kind", "")).removesuffix("Variable").lower(), **_mapping(one.get("spec"))}
        for one in _list(model.get("variables"))
        if isinstance(one, Mapping)
    ]
    return {**model, "panels": panels, "templating": {"list": variables}}


def _of_query(query: object) -> dict[str, Any]:
    outer = _mapping(_mapping(query).get("spec"))
    inner = _mapping(outer.get("query"))
    source = _mapping(inner.get("datasource")) or _mapping(outer.get("datasource"))
    kind = inner.get("group") or inner.get("kind") or source.get("type")
    uid = source.get("name") or source.get("uid")
    return {**_mapping(inner.get("spec")), "datasource": {"type": kind, "uid": uid}, "hide": outer.get("hidden")}


def _own_library(model: Mapping[str, Any]) -> dict[str, Any]:
    """The library panels that an exported dashboard brings with it."""
    brought = _mapping(model.get("__elements"))
    return {str(uid): _mapping(item).get("model") for uid, item in brought.items()}


# --- variables -----------------------------------------------------------------------------------------------------


def _read_variables(model: Mapping[str, Any], reading: _Reading) -> None:
    for item in _list(model.get("__inputs")):
        one = _mapping(item)
        name = str(one.get("name", ""))
        if one.get("type") == "datasource":
            reading.sources[name] = str(one.get("pluginId") or "")
        elif one.get("type") == "constant":
            reading.variables[name] = (str(one.get("value") or ""),)
    for item in _list(_mapping(model.get("templating")).get("list")):
        one = _mapping(item)
        name = str(one.get("name", ""))
        if one.get("type") == "datasource":
            reading.sources[name] = str(one.get("query") or one.get("pluginId") or "")
        reading.variables[name] = _values(one)


def _values(variable: Mapping[str, Any]) -> tuple[str, ...]:
    """What a variable can hold; none: anything."""
    kind, query = variable.get("type"), variable.get("query")
    if kind == "constant" and isinstance(query, str):
        return (query,)
    if kind == "interval":
        written = [part.strip() for part in str(query or "").split(",")]
        return tuple(part for part in written if part and part != "auto" and not part.startswith("$"))[:1] or ("5m",)
    if kind in (None, "query") and not variable.get("allValue"):
        return shape_of(variable.get("regex"))
    if kind != "custom" or not isinstance(query, str) or "$" in query:
        return ANY
    parts = [part.strip().replace("\\,", ",") for part in re.split(r"(?<!\\),", query)]
    values = [part.rpartition(" : ")[2].strip() for part in parts if part]
    everything = [str(variable["allValue"])] if variable.get("includeAll") and variable.get("allValue") else []
    return tuple(dict.fromkeys([*values, *everything]))[:100] if values else ANY


# --- panels --------------------------------------------------------------------------------------------------------


def _panels(parent: Mapping[str, Any], reading: _Reading, depth: int) -> Iterator[Panel]:
    """The panels below a dashboard or a row; rows are no panels, and closed ones hold theirs."""
    if depth > _DEPTH:
        return
    for row in _list(parent.get("rows")):
        yield from _panels(_mapping(row), reading, depth + 1)
    for item in _list(parent.get("panels")):
        panel = _mapping(item)
        reading.count += 1
        if reading.count > PANEL_LIMIT:
            raise TextError(f"it has more than {PANEL_LIMIT} panels", path=reading.path)
        if panel.get("type") == "row" or "panels" in panel:
            yield from _panels(panel, reading, depth + 1)
        else:
            yield _panel(_from_library(panel, reading), reading)


def _from_library(panel: Mapping[str, Any], reading: _Reading) -> Mapping[str, Any]:
    uid = _mapping(panel.get("libraryPanel")).get("uid")
    model = reading.library.get(str(uid)) if uid else None
    if not isinstance(model, Mapping):
        return {**panel, "title": panel.get("title") or _mapping(panel.get("libraryPanel")).get("name")}
    return {"targets": [], **model, "title": panel.get("title") or model.get("title")}


def _panel(panel: Mapping[str, Any], reading: _Reading) -> Panel:
    title = _text(panel.get("title")) or f"panel {panel.get('id', reading.count)}"
    targets = [_mapping(target) for target in _list(panel.get("targets"))]
    queries = [query for target in targets if (query := _query(target, panel, reading)) is not None]
    place = queries[0].location if queries else reading.at(panel.get("title"))
    return Panel(title, tuple(queries), place, bool(panel.get("libraryPanel")) and "targets" not in panel)


def _query(target: Mapping[str, Any], panel: Mapping[str, Any], reading: _Reading) -> Query | None:
    """The query of a target; None where it asks no server, or in no expression."""
    written = target.get("expr")
    if not isinstance(written, str) or not written.strip():
        return None
    reference = target.get("datasource") or panel.get("datasource")
    name, kind = _named(reference, reading)
    if name in ("-- Mixed --", "mixed"):
        name, kind = None, None
    if name in _OWN or kind in ("__expr__", "datasource"):
        return None
    filled = fill_in(written, reading.variables)
    return Query(filled.text, str(written)[:_TEXT_LIMIT], name, kind, filled.sure, reading.at(written))


def _named(reference: object, reading: _Reading) -> tuple[str | None, str | None]:
    """The uid or name of a datasource, and its kind where that is told.

    A variable that the reader sets names none; one that only an import fills in stays as written.
    """
    given = _mapping(reference)
    name = given.get("uid") if given else reference
    kind = given.get("type") if isinstance(given.get("type"), str) else None
    if not isinstance(name, str) or not name:
        return None, kind and str(kind)
    match = _REFERENCE.fullmatch(name)
    if match is None:
        return str(name), kind and str(kind)
    variable = match[1] or match[2]
    kind = kind or reading.sources.get(variable) or None
    return (None if variable in reading.variables else str(name)), kind and str(kind)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return " ".join(str(value).split())[:_TEXT_LIMIT] if isinstance(value, str) else ""
