"""A report for a person at a terminal: what was looked at, the ladder as a matrix, the findings, what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from auditor.frozen import dataclass
from auditor.model import (
    RUNGS,
    Evidence,
    Finding,
    Location,
    Report,
    Rung,
    RungState,
    ServiceReport,
    Severity,
    SourceState,
)
from exporters.escape import clean, encodable, fit, guard, width, wrap

MINIMUM, MAXIMUM = 64, 132  # columns; wider lines read badly, narrower ones hold no matrix
EVIDENCE_LINES = 3  # of one finding, unless verbose
LISTED = 8  # names in one line, unless verbose

_COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_SEVERITY_COLOUR = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
_STATE_COLOUR = {
    RungState.PROVED: "green",
    RungState.DISPROVED: "red",
    RungState.UNKNOWN: "yellow",
    RungState.NOT_REQUIRED: "dim",
}
_ORDER = {severity: place for place, severity in enumerate(Severity)}
_MINOR = "x"  # disproved where it is not required
_MEANINGS = {
    RungState.PROVED: "proved",
    RungState.DISPROVED: f"disproved ({_MINOR} where not required)",
    RungState.UNKNOWN: "unknown",
    RungState.NOT_REQUIRED: "not required",
}
_UNICODE = {RungState.PROVED: "✓", RungState.DISPROVED: "✗", RungState.UNKNOWN: "?", RungState.NOT_REQUIRED: "·"}
_UNICODE_ALL = "".join(_UNICODE.values())
_ASCII = {RungState.PROVED: "+", RungState.DISPROVED: "X", RungState.UNKNOWN: "?", RungState.NOT_REQUIRED: "."}


@lru_cache(maxsize=64)  # asked for each cell of a matrix
def _can(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Look:
    """How the page is drawn. `encoding` is that of the output; None stands for one that can express everything."""

    colour: bool = False
    width: int = 80
    verbose: bool = False
    encoding: str | None = None
    now: datetime | None = None
    hints: bool = True

    def paint(self, text: str, *styles: str) -> str:
        """`text` in these styles, where colour is wanted."""
        if not self.colour or not text.strip():
            return text
        return f"\x1b[{';'.join(_COLOURS[style] for style in styles)}m{text}\x1b[0m"

    def can(self, text: str) -> bool:
        """Whether the output can express `text`."""
        return _can(text, self.encoding or "utf-8")

    @property
    def symbols(self) -> Mapping[RungState, str]:
        """One character for each state of a rung, legible without colour."""
        return _UNICODE if self.can(_UNICODE_ALL) else _ASCII

    @property
    def dot(self) -> str:
        """What stands between things on one line."""
        return " · " if self.can("·") else " - "

    @property
    def ellipsis(self) -> str:
        """What stands where a text was cut."""
        return "…" if self.can("…") else "..."


def render(
    report: Report,
    *,
    colour: bool = False,
    width: int = 80,
    verbose: bool = False,
    encoding: str | None = None,
    now: datetime | None = None,
    hints: bool = True,
) -> str:
    """The whole page. `now` adds how old the evidence is, `hints` what to do next; every line ends with a newline."""
    look = Look(colour, max(MINIMUM, min(width, MAXIMUM)), verbose, encoding, now, hints)
    parts = (_head, _sources, _ladder, _findings, _set_aside, _notes, _summary)
    blocks = [list(part(report, look)) for part in parts]
    text = "\n\n".join("\n".join(guard(line.rstrip()) for line in block) for block in blocks if block) + "\n"
    return text if encoding is None else encodable(text, encoding)


# --- what was looked at ----------------------------------------------------------------------------------------


def _head(report: Report, look: Look) -> Iterator[str]:
    names = [report.system or "audit", *report.environments]
    yield look.paint(look.dot.join(clean(name, 60) for name in names), "bold")
    yield f"evidence of {report.taken_at:%Y-%m-%d %H:%M:%S} UTC{_age(report.taken_at, look.now)}"


def _age(taken_at: datetime, now: datetime | None) -> str:
    if now is None:
        return ""
    seconds = (now - taken_at).total_seconds()
    if seconds < 60:
        return ", just now" if seconds > -60 else ", from the future: a clock is wrong"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f", {_count(int(seconds // length), unit)} old"
    return ""


_SOURCE_STATES = {
    "ok": (RungState.PROVED, "read"),
    "failed": (RungState.DISPROVED, "failed"),
    "stale": (RungState.UNKNOWN, "stale"),
    "not_asked": (RungState.NOT_REQUIRED, "not asked"),
}


def _sources(report: Report, look: Look) -> Iterator[str]:
    yield look.paint("Looked at", "bold")
    silent = [source for source in report.sources if source.state == "not_asked"]
    asked = [source for source in report.sources if source.state != "not_asked"]
    column = min(max([14, *(width(_source_name(source, report)) for source in asked)]), 26)
    for source in asked:
        yield from _source(source, report, column, look)
    if silent:
        label = look.paint(f"  {look.symbols[RungState.NOT_REQUIRED]} not asked  ", "dim")
        text = wrap(", ".join(dict.fromkeys(_source_name(source, report) for source in silent)), look.width - 15)
        yield label + look.paint(text[0], "dim")
        yield from (" " * 15 + look.paint(line, "dim") for line in text[1:])
    if report.files:
        yield f"    {_count(len(report.files), 'file')} read{'' if look.verbose else ' (named with -v)'}"
        yield from (f"      {clean(path)}" for path in report.files if look.verbose)


def _source_name(source: SourceState, report: Report) -> str:
    name = clean(source.name, 60)
    if source.environment is None or report.environments == (source.environment,):
        return name
    return f"{name} ({clean(source.environment, 60)})"


def _source(source: SourceState, report: Report, column: int, look: Look) -> Iterator[str]:
    state, word = _SOURCE_STATES.get(source.state, (RungState.UNKNOWN, source.state))
    symbol = look.paint(look.symbols[state], _STATE_COLOUR[state])
    name = _source_name(source, report)
    said = source.detail or word
    text = clean(said if source.state == "ok" or said.startswith(word) else f"{word}: {said}")
    if source.taken_at and (report.taken_at - source.taken_at).total_seconds() >= 60:
        text += f" ({_age(source.taken_at, report.taken_at)[2:]})"
    first, *more = wrap(text, look.width - column - 6)
    yield f"  {symbol} {fit(name, column, look.ellipsis)}  {first}"
    yield from (" " * (column + 6) + line for line in more)


# --- the ladder -------------------------------------------------------------------------------------------------

_COVERAGE = "coverage"


@dataclass(frozen=True, slots=True)
class _Grid:
    """Columns of the matrix: `step` for each rung, coverage at `coverage` from the first of them."""

    step: int
    coverage: int
    rows: int  # lines for the rungs' names: on two in turn where columns are narrow

    @property
    def width(self) -> int:
        return self.coverage + len(_COVERAGE)


_NARROW = _Grid(step=5, coverage=48, rows=2)
_ROOMY = _Grid(step=9, coverage=90, rows=1)


def _ladder(report: Report, look: Look) -> Iterator[str]:
    if not report.services:
        yield look.paint("Evidence ladder", "bold")
        yield "  no service is declared, composed or running"
        return
    for place, environment in enumerate(report.environments):
        services = [service for service in report.services if service.environment == environment]
        if place:
            yield ""
        yield from _matrix(services, environment, report, look)
    yield ""
    yield from _legend(report, look)


def _matrix(services: Sequence[ServiceReport], environment: str, report: Report, look: Look) -> Iterator[str]:
    longest = max((width(clean(service.name)) for service in services), default=0)
    grid = _ROOMY if look.width >= _ROOMY.width + longest + 4 else _NARROW
    column = min(longest, look.width - grid.width - 4)
    title = f"Evidence ladder{look.dot}{clean(environment, 60)}" if len(report.environments) > 1 else "Evidence ladder"
    yield look.paint(title, "bold")
    yield from _heads(" " * (2 + column + 2), grid, look)
    alike: dict[tuple[object, ...], str] = {}  # of many services most stand at one of a few places
    for category, group in _by_category(services, judged=not _unasked(report, "catalogue")):
        yield look.paint(category, "cyan")
        for service in group:
            rungs = [service.rungs.get(name) for name in RUNGS]
            stand = (service.coverage, *((rung.state, rung.required) if rung else None for rung in rungs))
            cells = alike.get(stand) or alike.setdefault(stand, _cells(service, grid, look))
            yield f"  {fit(clean(service.name), column, look.ellipsis)}  {cells}"


def _heads(indent: str, grid: _Grid, look: Look) -> Iterator[str]:
    for row in range(grid.rows):
        names = "".join(fit(name, grid.step * grid.rows) for name in RUNGS[row :: grid.rows])
        line = " " * (grid.step * row) + names.rstrip()
        yield indent + look.paint(fit(line, grid.coverage) + _COVERAGE if row == 0 else line, "dim")


def _cells(service: ServiceReport, grid: _Grid, look: Look) -> str:
    cells = []
    for place, name in enumerate(RUNGS):
        room = min(grid.step, grid.coverage - place * grid.step)
        cells.append(_cell(service.rungs.get(name), look) + " " * (room - 1))
    return f"{''.join(cells)}{percent(service.coverage):>{len(_COVERAGE)}}"


def _cell(rung: Rung | None, look: Look) -> str:
    state = rung.state if rung else RungState.UNKNOWN
    if rung and state is RungState.DISPROVED and not rung.required:
        return look.paint(_MINOR, "dim")
    return look.paint(look.symbols[state], _STATE_COLOUR[state])


def _by_category(services: Sequence[ServiceReport], *, judged: bool) -> list[tuple[str, list[ServiceReport]]]:
    """Services under their category; `judged`: there is a catalogue in which they could have been declared."""
    groups: dict[str, list[ServiceReport]] = {}
    for service in services:
        label = service.category or ("not declared" if judged and not service.declared else "uncategorized")
        groups.setdefault(clean(label, 60), []).append(service)
    return list(groups.items())


def _legend(report: Report, look: Look) -> Iterator[str]:
    yield "  " + "   ".join(
        f"{look.paint(look.symbols[state], _STATE_COLOUR[state])} {_MEANINGS[state]}" for state in RungState
    )
    for reason, rungs in _unknown_everywhere(report).items():
        yield from (look.paint(f"  {line}", "dim") for line in wrap(f"? {', '.join(rungs)}: {reason}", look.width - 2))


def _unknown_everywhere(report: Report) -> dict[str, list[str]]:
    """Reason -> the rungs that no service proves or disproves, all for that one reason."""
    found: dict[str, list[str]] = {}
    for name in RUNGS:
        rungs = [rung for service in report.services if (rung := service.rungs.get(name))]
        reasons = {rung.reason for rung in rungs if rung.state is RungState.UNKNOWN}
        settled = any(rung.state in (RungState.PROVED, RungState.DISPROVED) for rung in rungs)
        if len(reasons) == 1 and not settled and (reason := reasons.pop()):
            found.setdefault(clean(reason), []).append(name)
    return found


# --- findings ---------------------------------------------------------------------------------------------------


def _findings(report: Report, look: Look) -> Iterator[str]:
    yield look.paint("Findings", "bold")
    open_ones = [finding for finding in report.findings if not finding.waiver and not finding.baselined]
    loud = [finding for finding in open_ones if _loud(finding, look)]
    if not loud:
        yield f"  {_nothing(report, open_ones)}"
    for title, group in _by_service(loud, report):
        yield ""
        yield look.paint(_ruled(title, look), "bold")
        for finding in group:
            yield from _finding(finding, look)
    quiet = [finding for finding in open_ones if not _loud(finding, look)]
    if quiet:
        yield ""
        yield look.paint("Also noticed", "bold") + look.paint("  (info; in full with -v)", "dim")
        yield from _briefs(quiet, look)


def _loud(finding: Finding, look: Look) -> bool:
    return look.verbose or finding.severity is not Severity.INFO


_MOST_ALIKE = 4  # notices of one check that are told one by one


def _briefs(findings: Iterable[Finding], look: Look) -> Iterator[str]:
    """Notices, those of one check that many services share in one line."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.check, []).append(finding)
    for check, group in groups.items():
        names = list(dict.fromkeys(finding.service for finding in group if finding.service))
        if len(group) <= _MOST_ALIKE or len(names) < len(group):
            for finding in group:
                yield from _brief(finding, look)
            continue
        shown = ", ".join(clean(name, 60) for name in names[:_MOST_ALIKE])
        text = f"{check}: {len(names)} services ({shown}, and {len(names) - _MOST_ALIKE} more)"
        yield from _dotted(text, look)


def _nothing(report: Report, notices: Sequence[Finding]) -> str:
    """What an empty list means: less than all is well, where something was not read or was accepted."""
    if not report.complete:
        return "none in what could be read"
    if notices:
        return "none of warning or above"
    return "none but what is accepted" if report.findings else "none: what was looked at agrees"


def _by_service(findings: Iterable[Finding], report: Report) -> list[tuple[str, list[Finding]]]:
    """Findings under their service, each group and all groups worst first, else in the report's order."""
    groups: dict[tuple[str | None, str | None], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.environment, finding.service), []).append(finding)
    for group in groups.values():
        group.sort(key=lambda finding: _ORDER[finding.severity])
    ordered = sorted(groups.items(), key=lambda item: (_ORDER[item[1][0].severity], -len(item[1])))
    several = len(report.environments) > 1
    return [(_group_title(*key, several=several), group) for key, group in ordered]


def _group_title(environment: str | None, service: str | None, *, several: bool) -> str:
    name = clean(service, 100) if service else "the whole system"
    return f"{name} ({clean(environment, 60)})" if several and environment else name


def _ruled(title: str, look: Look) -> str:
    """A title that stands out without colour, too."""
    rule = "─" if look.can("─") else "-"
    return f"{rule * 2} {title} {rule * max(2, look.width - width(title) - 4)}"


_INDENT = " " * 12


def _finding(finding: Finding, look: Look) -> Iterator[str]:
    yield f"  {look.paint(f'{finding.severity:<8}', _SEVERITY_COLOUR[finding.severity])}  {clean(finding.check)}"
    room = look.width - len(_INDENT)
    yield from (_INDENT + look.paint(line, "bold") for line in wrap(clean(finding.message), room))
    yield from (f"{_INDENT}{look.paint('-->', 'cyan')} {clean(str(place))}" for place in _places(finding))
    yield from _evidence(finding, look)
    first, *more = wrap(clean(finding.fix), room - 5)
    yield f"{_INDENT}{look.paint('fix:', 'green')} {first}"
    yield from (f"{_INDENT}     {line}" for line in more)


def _places(finding: Finding) -> Iterator[Location]:
    """The primary location, and those of the others that no evidence names anyway."""
    named = {(item.path, item.line) for item in finding.evidence}
    for number, place in enumerate(finding.locations):
        if number == 0 or (place.path, place.line) not in named:
            yield place


def _evidence(finding: Finding, look: Look) -> Iterator[str]:
    telling = [item for item in finding.evidence if item.path or item.text not in finding.message]
    shown = telling if look.verbose else telling[:EVIDENCE_LINES]
    for item in shown:
        first, *more = wrap(_evidence_text(item), look.width - len(_INDENT) - 2)
        yield _INDENT + look.paint(f"| {first}", "dim")
        yield from (_INDENT + look.paint(f"|   {line}", "dim") for line in more)
    left = len(telling) - len(shown)
    if left:
        yield _INDENT + look.paint(f"| and {left} more (with -v)", "dim")


def _evidence_text(item: Evidence) -> str:
    place = "" if item.path is None else f"{item.path}: " if item.line is None else f"{item.path}:{item.line}: "
    return clean(f"{place}{item.text}" if place else f"{item.source}: {item.text}")


def _brief(finding: Finding, look: Look) -> Iterator[str]:
    place = f" ({finding.locations[0]})" if finding.locations else ""
    yield from _dotted(clean(f"{finding.check}: {finding.message}{place}"), look)


def _dotted(text: str, look: Look) -> Iterator[str]:
    first, *more = wrap(text, look.width - 4)
    yield f"  {look.dot.strip()} {first}"
    yield from (f"    {line}" for line in more)


def _set_aside(report: Report, look: Look) -> Iterator[str]:
    """What somebody accepted: one line each for waivers, names only for the baseline."""
    waived = [finding for finding in report.findings if finding.waiver]
    old = [finding for finding in report.findings if finding.baselined and not finding.waiver]
    if waived or old:
        yield look.paint("Accepted", "bold")
    for finding in waived:
        yield from _waived(finding, look)
    if old:
        yield f"  {_count(len(old), 'finding')} of the baseline"
        yield from _listed([f"{finding.check}{_of(finding)}" for finding in old], look)


def _waived(finding: Finding, look: Look) -> Iterator[str]:
    waiver = finding.waiver
    if waiver is None:
        return
    text = f"{finding.check}{_of(finding)}: {waiver.reason} ({waiver.owner}, until {waiver.until.isoformat()})"
    first, *more = wrap(clean(text), look.width - 10)
    yield f"  waived  {first}"
    yield from (f"          {line}" for line in more)


def _of(finding: Finding) -> str:
    return f" of {finding.service}" if finding.service else ""


def _listed(names: Sequence[str], look: Look) -> Iterator[str]:
    shown = names if look.verbose else names[:LISTED]
    more = f", and {len(names) - len(shown)} more (with -v)" if len(shown) < len(names) else ""
    yield from (f"    {line}" for line in wrap(clean(", ".join(shown)) + more, look.width - 4))


def _notes(report: Report, look: Look) -> Iterator[str]:
    if report.notes:
        yield look.paint("Notes", "bold")
    for note in report.notes:
        first, *more = wrap(clean(note), look.width - 4)
        yield f"  {look.dot.strip()} {first}"
        yield from (f"    {line}" for line in more)


# --- the end ----------------------------------------------------------------------------------------------------


def _summary(report: Report, look: Look) -> Iterator[str]:
    yield look.paint("Summary", "bold")
    yield f"  {look.dot.join(_numbers(report, look))}"
    yield from (f"  {line}" for line in wrap(_coverage(report), look.width - 2))
    yield from _unfinished(report, look)
    yield from _next(report, look)


def _numbers(report: Report, look: Look) -> Iterator[str]:
    summary = report.summary
    for severity, number in zip(Severity, (summary.critical, summary.warning, summary.info), strict=True):
        yield look.paint(f"{number} {severity}", *([_SEVERITY_COLOUR[severity], "bold"] if number else ["dim"]))
    if summary.waived:
        yield f"{summary.waived} waived"
    if summary.baselined:
        yield f"{summary.baselined} in the baseline"
    yield _count(len(report.services), "service")


def _coverage(report: Report) -> str:
    if report.coverage is None:
        return "coverage: nothing that is required could be assessed"
    text = f"coverage {percent(report.coverage)}: proved, of the required rungs that were assessed"
    if report.assessed is None or report.assessed >= 1:
        return text
    return f"{text} ({percent(report.assessed)} of all that are required)"


def _unfinished(report: Report, look: Look) -> Iterator[str]:
    reasons = list(incomplete(report))
    if reasons:
        yield look.paint("  incomplete", "red", "bold") + ": what is unknown is not proved"
    for reason in reasons:
        first, *more = wrap(clean(reason), look.width - 6)
        yield f"    - {first}"
        yield from (f"      {line}" for line in more)


def incomplete(report: Report) -> Iterator[str]:
    """Why the report is not complete, one reason at a time; nothing where it is."""
    if report.complete:
        return
    reasons = [f"{item.name}: {item.detail or 'failed'}" for item in report.sources if item.state == "failed"]
    reasons += [f"check `{tally.id}` ended with {tally.error}" for tally in report.checks if tally.error]
    yield from dict.fromkeys(reasons) or ["some of the evidence could not be composed; see the findings"]


def shortfalls(report: Report, fail_on: Severity, min_coverage: float | None) -> Iterator[str]:
    """What a gate finds wanting: open findings of `fail_on` or above by severity, and coverage below a percentage."""
    open_ones = [finding.severity for finding in report.findings if not finding.waiver and not finding.baselined]
    for severity in Severity:
        if _ORDER[severity] <= _ORDER[fail_on] and (number := open_ones.count(severity)):
            yield f"{number} {severity}"
    if min_coverage is not None and (report.coverage or 0) * 100 < min_coverage:
        yield f"coverage {percent(report.coverage)} is below {min_coverage:g} %"


def _next(report: Report, look: Look) -> Iterator[str]:
    hints = list(_hints(report)) if look.hints else []
    if not hints:
        return
    room = max(len(command) for command, _ in hints)
    yield ""
    yield look.paint("Next", "bold")
    for command, meaning in hints:
        yield f"  {look.paint(f'{command:<{room}}', 'cyan')}  {meaning}"


def _hints(report: Report) -> Iterator[tuple[str, str]]:
    open_ones = [finding for finding in report.findings if not finding.waiver and not finding.baselined]
    worst = min(open_ones, key=lambda finding: _ORDER[finding.severity], default=None)
    if worst:
        yield f"auditor explain {clean(worst.check)}", "why it matters, with an example"
    if _unasked(report, "docker"):
        yield "auditor audit --docker env", "proves what runs, on a Docker Engine"
    if _unasked(report, "catalogue"):
        yield "auditor init", "writes a catalogue, so that what is missing can be told"
    elif open_ones:
        yield "auditor gate", "the same with an exit code, for CI"


def _unasked(report: Report, name: str) -> bool:
    states = [source.state for source in report.sources if source.name.partition(":")[0] == name]
    return bool(states) and set(states) == {"not_asked"}


def percent(ratio: float | None) -> str:
    """`86 %`, or a dash where there is nothing to count. Rounded down: 100 % means all of it."""
    return "-" if ratio is None else f"{int(ratio * 100 + 1e-9)} %"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
