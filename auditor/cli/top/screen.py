"""The screen: one line of text a row, of fixed widths, so that nothing moves but what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from auditor.cli.top.look import Seen
from auditor.cli.top.view import View, key_of, place, rows, window
from auditor.model import Severity, Verdict
from exporters.escape import clean, fit, wrap
from exporters.services import Line, lines
from exporters.status_text import size
from exporters.text import percent

_STYLES = {
    Verdict.HEALTHY: "green",
    Verdict.DEGRADED: "yellow",
    Verdict.STARTING: "yellow",
    Verdict.UNHEALTHY: "bold red",
    Verdict.STOPPED: "red",
    Verdict.UNKNOWN: "dim",
}
_SEVERITY = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
_FIXED = (("health", 9), ("state", 12), ("memory", 8), ("limit", 5), ("cpu", 5), ("gaps", 4), ("rst", 4))
_ABOVE, _BELOW = 4, 1  # lines around the rows
_KEYS = "↑↓ select  Enter findings  / filter  s sort  ? help  q quit"
_HELP = """\
What runs is read every few seconds, everything is audited now and then. What
could not be read is unknown, and the line at the top says why.

  health   the verdict: healthy, degraded, unhealthy, starting, stopped, unknown
  state    what the engine says of its containers
  memory   in use, without the cache that the kernel would give up
  limit    how much of its memory limit its fullest container uses
  cpu      how much of the processors that it may use; from the second sample
  gaps     open findings of warning or above
  rst      restarts that the engine counted

  up, down, PgUp, PgDn, Home, End, j, k   select a service, or scroll
  Enter    its findings                   Esc   back; in the table: no filter
  /        filter: words that stand in name, owner, tier, health, ...
  s        sort by the next column
  h n m c g r   sort by health, name, memory, cpu, gaps, restarts
  q        quit"""


@dataclass(frozen=True, slots=True)
class Size:
    """Columns and lines of the terminal."""

    width: int
    height: int

    @property
    def room(self) -> int:
        """Lines for rows."""
        return max(1, self.height - _ABOVE - _BELOW)


def draw(view: View, seen: Seen, now: float, screen: Size) -> tuple[list[Text], View]:
    """The lines of the whole screen, and the view with what scrolling made of it. `now`: monotonic seconds."""
    found = lines(seen.report) if seen.report else []
    head = [*_header(seen, found, now, screen), _prompt(view, screen)]
    if view.page == "help":
        body, view = _scrolled([Text(text) for text in _HELP.split("\n")], view, screen)
        keys = "Esc back  q quit"
    elif view.page == "service":
        body, view = _scrolled(_service(view, found, screen), view, screen)
        keys = "↑↓ scroll  Esc back  ? help  q quit"
    else:
        body, view = _table(view, found, screen)
        keys = _KEYS
    blank = [Text()] * max(0, screen.height - _BELOW - len(head) - len(body))
    all_lines = [*head, *body, *blank][: max(1, screen.height - _BELOW)]
    all_lines.append(Text(fit(f" {keys}", screen.width), style="reverse dim"))
    for text in all_lines:
        text.truncate(screen.width)
        text.no_wrap = True
    return all_lines, view


def _header(seen: Seen, found: Sequence[Line], now: float, screen: Size) -> list[Text]:
    report = seen.report
    if report is None:
        said = f"cannot look: {clean(seen.error)}" if seen.error else "looking for the first time ..."
        return [Text(fit("Stack Auditor", screen.width), style="bold"), _trouble(said, screen, bad=bool(seen.error))]
    title = " · ".join(clean(word) for word in (report.system or "services", *report.environments))
    healthy = sum(line.service.verdict is Verdict.HEALTHY for line in found)
    sums = f"{healthy} of {len(found)} healthy   {sum(line.gaps for line in found)} gaps"
    sums += f"   coverage {percent(report.coverage)}"
    age = f"read {_age(now - seen.at)}, audited {_age(now - seen.audited)}"
    first = Text(fit(f"{fit(title, max(10, screen.width - len(sums) - 2))}  {sums}", screen.width), style="bold")
    failed = [f"{s.name}: {s.detail or s.state}" for s in report.sources if s.state in ("failed", "stale")]
    if all(s.state == "not_asked" for s in report.sources if s.name.partition(":")[0] == "docker"):
        age += "; no engine is asked, see --docker"
    if seen.error:
        return [first, _trouble(f"the last look failed: {clean(seen.error)}", screen, bad=True)]
    if failed:
        return [first, _trouble(f"unknown, {clean('; '.join(failed))}", screen, bad=True)]
    return [first, _trouble(age, screen, bad=False)]


def _trouble(text: str, screen: Size, *, bad: bool) -> Text:
    return Text(fit(text, screen.width), style="bold red" if bad else "dim")


def _age(seconds: float) -> str:
    return "just now" if seconds < 1.5 else f"{int(seconds)} s ago" if seconds < 120 else f"{int(seconds / 60)} min ago"


def _prompt(view: View, screen: Size) -> Text:
    if view.page == "help":
        return Text(fit("help", screen.width), style="bold")
    filtered = f"/{view.filter}{'_' if view.typing else ''}" if view.filter or view.typing else ""
    return Text(fit(f"sorted by {view.sort}   {filtered}", screen.width), style="cyan" if filtered else "dim")


# --- the table ---------------------------------------------------------------------------------------------------


def _table(view: View, found: Sequence[Line], screen: Size) -> tuple[list[Text], View]:
    shown = rows(view, found)
    name = max(8, screen.width - 2 - sum(room + 2 for _, room in _FIXED))
    titles = [fit("  service", name + 2), *(_cell(title, room, number) for number, (title, room) in enumerate(_FIXED))]
    head = Text(fit("  ".join(titles), screen.width), style="dim")
    if not shown:
        return [head, Text("  no service passes the filter" if found else "", style="dim")], view
    selected = place(view, shown)
    top = window(selected, view.top, screen.room, len(shown))
    several = len({line.service.environment for line in found}) > 1
    visible = shown[top : top + screen.room]
    drawn = [_row(line, name, screen, chosen=top + n == selected, several=several) for n, line in enumerate(visible)]
    return [head, *drawn], View(view.page, view.sort, view.filter, view.typing, key_of(shown[selected]), top)


def _cell(text: str, room: int, number: int) -> str:
    return fit(text, room) if number < 2 else " " * (room - len(text)) + text[-room:]


def _row(line: Line, name: int, screen: Size, *, chosen: bool, several: bool) -> Text:
    item = line.service
    called = f"{item.environment}/{item.name}" if several else item.name
    texts = (
        str(item.verdict),
        clean(line.state),
        "-" if item.memory_bytes is None else size(item.memory_bytes),
        _share(line.memory_ratio),
        _share(item.cpu_ratio),
        str(line.gaps) if line.gaps else "·",
        "-" if line.restarts is None else str(line.restarts),
    )
    row = Text(("> " if chosen else "  ") + fit(clean(called), name))
    for number, (text, (_, room)) in enumerate(zip(texts, _FIXED, strict=True)):
        row.append("  ")
        row.append(_cell(text, room, number), _colour(number, line))
    row.truncate(screen.width, pad=True)
    if chosen:
        row.stylize("reverse")
    return row


def _share(ratio: float | None) -> str:
    return "-" if ratio is None else f"{int(ratio * 100 + 1e-9)} %"


def _colour(column: int, line: Line) -> str:
    if column == 0:
        return _STYLES[line.service.verdict]
    ratio = {3: line.memory_ratio, 4: line.service.cpu_ratio}.get(column)
    if ratio is not None:
        return "bold red" if ratio > 0.9 else "yellow" if ratio > 0.8 else ""
    if column == 5 and line.gaps:
        return _SEVERITY[line.findings[0].severity]
    return ""


# --- pages of text -----------------------------------------------------------------------------------------------


def _scrolled(text: list[Text], view: View, screen: Size) -> tuple[list[Text], View]:
    room = max(1, screen.height - _BELOW - 3)
    top = max(0, min(view.top, len(text) - room))
    return text[top : top + room], View(view.page, view.sort, view.filter, view.typing, view.selected, top)


def _service(view: View, found: Sequence[Line], screen: Size) -> list[Text]:
    line = next((line for line in found if key_of(line) == view.selected), None)
    if line is None:
        return [Text("it is no longer there", style="dim")]
    item = line.service
    told = [Text(clean(item.title or item.name), style="bold")]
    facts = (item.name, item.environment, item.category, item.tier, item.owner, str(item.criticality))
    told.append(Text(" · ".join(clean(fact) for fact in facts if fact), style="dim"))
    told.append(Text.assemble((str(item.verdict), _STYLES[item.verdict])))
    for reason in item.reasons:
        told += _wrapped(clean(reason), screen, "  ")
    for container in line.containers:
        told += _wrapped(clean(f"{container.name}: {container.status or container.state}"), screen, "  ")
    told += [Text(), Text(f"{len(line.findings)} open findings" if line.findings else "no open findings", style="bold")]
    for finding in line.findings:
        told += [Text(), Text.assemble((f"{finding.severity}  ", _SEVERITY[finding.severity]), finding.check)]
        told += _wrapped(clean(finding.message), screen, "  ")
        told += [Text(f"  {clean(str(place))}", style="dim") for place in finding.locations[:3]]
        told += _wrapped(f"fix: {clean(finding.fix)}", screen, "  ", "dim")
    return told


def _wrapped(text: str, screen: Size, margin: str, style: str = "") -> list[Text]:
    return [Text(margin + part, style=style) for part in wrap(text, max(20, screen.width - len(margin) - 1))]
