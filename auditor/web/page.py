"""The pages: what a report shows, laid out for templates that escape everything.

Text from data is cleaned of control and reordering characters before it is escaped; words in back-ticks become code.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import auditor
from auditor import ladder
from auditor.model import (
    RUNGS,
    Alert,
    Finding,
    Location,
    Report,
    Rung,
    RungState,
    ServiceReport,
    Severity,
    SourceState,
    Verdict,
)
from auditor.registry import Check, explain
from exporters.escape import clean
from exporters.metrics import coverage_by_environment, is_open
from exporters.services import lines

if TYPE_CHECKING:
    from auditor.web.watch import Gap, Latest

UNCATEGORIZED = "uncategorized"
_SEVERITIES = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}
_MEDIA = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
# Each state of a rung: its symbol (never colour alone), and its word.
STATES = {
    "proved": ("✓", "proved"),
    "disproved": ("✕", "disproved"),
    "unknown": ("?", "unknown"),
    "unasked": ("?", "unknown, not asked"),
    "not_required": ("·", "not required"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One rung in the matrix. `state` is one of `proved, disproved, unknown, unasked, not_required`."""

    rung: str
    state: str
    symbol: str
    word: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """One service in the matrix."""

    service: ServiceReport
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The services of one category."""

    category: str
    rows: tuple[Row, ...]
    healthy: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """The gap matrix of one environment."""

    environment: str
    coverage: float | None
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding with the time since when it is open, None where that is not known."""

    finding: Finding
    since: datetime | None
    unseen: bool = False  # open in the history, but the last report could not look


@dataclass(frozen=True, slots=True)
class Block:
    """What there is to say of one service (or of the system, where `service` is None)."""

    anchor: str
    name: str | None
    environment: str | None
    service: ServiceReport | None
    entries: tuple[Entry, ...]
    stops: tuple[Cell, ...]  # required rungs that are not proved


@cache
def view() -> View:
    """The pages' templates and static files, compiled and read once: they belong to the installation, not to an app."""
    return View()


class View:
    """The templates and static files of the pages."""

    def __init__(self) -> None:
        folder = files("auditor.web") / "static"
        self.static = {item.name: item.read_bytes() for item in folder.iterdir() if item.is_file()}
        self._templates = Environment(
            loader=PackageLoader("auditor.web"),
            autoescape=True,  # whatever the file is called
            undefined=StrictUndefined,
            finalize=_cleaned,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "spans": spans, "percent": percent, "bytes": size,
            "share": share, "clock": clock, "time_of_day": time_of_day, "iso": iso, "ago": ago,
        }  # fmt: skip
        self._templates.globals |= {"version": auditor.__version__, "asset": self.asset}

    def asset(self, name: str) -> str:
        """The address of a static file; it changes with the content, so that browsers may keep it."""
        return f"/static/{name}?v={hashlib.sha256(self.static[name]).hexdigest()[:12]}"

    def overview(self, latest: Latest, interval: float) -> str:
        """The page at `/`."""
        report = latest.report
        template = self._templates.get_template("overview.html")
        shared: dict[str, Any] = {"latest": latest, "report": report, "interval": interval, "rungs": RUNGS}
        if report is None:
            return template.render(shared, matrices=(), blocks=(), sources={})
        rows = tuple(Row(service, tuple(cells(service))) for service in report.services)
        blocks = tuple(_blocks(report, latest.gaps, () if latest.stale else rows))  # the banner says why for all
        return template.render(
            shared,
            title=report.system or "services",
            matrices=_matrices(report, rows),
            anchors={(block.environment, block.name): block.anchor for block in blocks},
            blocks=blocks,
            verdicts=_verdicts(report),
            sources=_sources(report),
            several=len({*report.environments, *(s.environment for s in report.sources if s.environment)}) > 1,
            alerts=sorted(report.alerts, key=_alert_order),
            resources=[line for line in lines(report) if line.usages],
            waived=[item for item in report.findings if not is_open(item)],
            expires=report.taken_at.astimezone(UTC) + timedelta(seconds=2 * interval),
        )

    def check(self, check: Check) -> str:
        """The page of one check: what `auditor explain` says."""
        return self._templates.get_template("check.html").render(check=check, explained=explain(check))

    def media_type(self, name: str) -> str:
        """The media type of a static file."""
        return _MEDIA[name.rpartition(".")[2]]


# --- parts of the overview ----------------------------------------------------------------------------------------


def _matrices(report: Report, rows: Sequence[Row]) -> tuple[Matrix, ...]:
    coverage = coverage_by_environment(report)
    return tuple(
        Matrix(name, coverage[name], tuple(_groups(row for row in rows if row.service.environment == name)))
        for name in report.environments
    )


def _groups(climbed: Iterable[Row]) -> Iterator[Group]:
    rows: dict[str, list[Row]] = {}
    for row in climbed:
        category = row.service.category or (UNCATEGORIZED if row.service.declared else "not declared")
        rows.setdefault(category, []).append(row)
    for category in sorted(rows, key=lambda name: (name in (UNCATEGORIZED, "not declared"), name)):
        members = rows[category]
        healthy = sum(row.service.verdict is Verdict.HEALTHY for row in members)
        yield Group(category, tuple(members), healthy)


def cells(service: ServiceReport) -> Iterator[Cell]:
    """The ten rungs; one that policy does not require and that is not proved shows as not required."""
    for name in RUNGS:
        rung = service.rungs.get(name, Rung(RungState.UNKNOWN, required=False))
        state = _shown_state(rung)
        symbol, word = STATES[state]
        yield Cell(name, state, symbol, word, _explanation(rung))


def _shown_state(rung: Rung) -> str:
    if not rung.required and rung.state is not RungState.PROVED:
        return "not_required"
    if rung.state is RungState.UNKNOWN and rung.reason in (ladder.NOT_ASKED, ladder.NOT_ASSESSED):
        return "unasked"
    return rung.state.value


def _explanation(rung: Rung) -> str:
    said = [rung.reason] if rung.reason else []
    said += [f"{item.text} ({_place(item)})" if item.path else item.text for item in rung.evidence[:3]]
    return "; ".join(clean(text, 300) for text in said)


def _place(item: Any) -> str:
    return str(Location(item.path, item.line))


def _blocks(report: Report, gaps: Sequence[Gap], rows: Sequence[Row]) -> Iterator[Block]:
    """The worst first; at the same severity the system's own findings before those of services."""
    since = {(gap.finding.environment, gap.finding.fingerprint): gap.opened for gap in gaps}
    found: dict[tuple[str | None, str | None], list[Entry]] = {}
    seen = set()
    for finding in filter(is_open, report.findings):
        seen.add((finding.environment, finding.fingerprint))
        opened = since.get((finding.environment, finding.fingerprint))
        found.setdefault((finding.environment, finding.service), []).append(Entry(finding, opened))
    for gap in gaps:
        if (gap.finding.environment, gap.finding.fingerprint) not in seen:
            key = gap.finding.environment, gap.finding.service
            found.setdefault(key, []).append(Entry(gap.finding, gap.opened, unseen=True))
    services = {(row.service.environment, row.service.name): row.service for row in rows}
    stops = {(row.service.environment, row.service.name): tuple(_stops(row)) for row in rows}
    keys = {*found, *(key for key, missing in stops.items() if missing)}
    worst = {key: min((_SEVERITIES[entry.finding.severity] for entry in found.get(key, ())), default=9) for key in keys}
    ranked = sorted(keys, key=lambda key: (worst[key], key[1] is not None, str(key[0]), str(key[1])))
    for number, key in enumerate(ranked, 1):
        entries = sorted(found.get(key, ()), key=lambda entry: _SEVERITIES[entry.finding.severity])
        service = services.get((key[0] or "", key[1] or ""))
        missing = stops.get((key[0] or "", key[1] or ""), ())
        yield Block(f"service-{number}", key[1], key[0], service, tuple(entries), missing)


def _stops(row: Row) -> Iterator[Cell]:
    return (cell for cell in row.cells if cell.state in ("disproved", "unknown"))


def _verdicts(report: Report) -> list[tuple[Verdict, int]]:
    counted = Counter(service.verdict for service in report.services)
    return [(verdict, counted[verdict]) for verdict in Verdict if counted[verdict]]


def _sources(report: Report) -> dict[str, list[SourceState]]:
    """Sources by state, those that failed first."""
    states: dict[str, list[SourceState]] = {state: [] for state in ("failed", "stale", "ok", "not_asked")}
    for source in report.sources:
        states.setdefault(source.state, []).append(source)
    return {state: members for state, members in states.items() if members}


def _alert_order(alert: Alert) -> tuple[object, ...]:
    ranks = {severity.value: rank for severity, rank in _SEVERITIES.items()}
    return ranks.get(alert.severity or "", 9), alert.environment, alert.name, alert.service or ""


# --- text ---------------------------------------------------------------------------------------------------------


def _cleaned(value: object) -> object:
    return clean(value) if type(value) is str else value


def spans(text: str) -> list[str]:
    """`text` cut at its back-ticks: every second part is code. Unpaired ones stay as they are."""
    parts = text.split("`")
    return parts if len(parts) % 2 else [text]


def percent(ratio: float | None) -> str:
    """A ratio for people; what is not quite all never shows as 100 %."""
    if ratio is None:
        return "unknown"
    return f"{int(ratio * 100)} %"


def share(ratio: float | None) -> str:
    """How much of what it may use something uses."""
    return "\N{EN DASH}" if ratio is None else f"{int(ratio * 100 + 1e-9)} %"


def clock(moment: datetime) -> str:
    """Date and time in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def time_of_day(moment: datetime) -> str:
    """The time in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%H:%M:%S")


def iso(moment: datetime) -> str:
    """For machines."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ago(moment: datetime, now: datetime) -> str:
    """How long before `now`, in the largest unit that fits."""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def size(number: float | None) -> str:
    """Bytes for people."""
    if number is None:
        return ""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
