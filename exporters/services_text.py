"""Services as a table for a person at a terminal: who they are, how they do, what they use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from exporters.escape import clean, encodable, fit, guard, width
from exporters.services import Line
from exporters.status_text import size
from exporters.text import Look, percent

_COLOURS = {"healthy": "green", "degraded": "yellow", "starting": "yellow", "unhealthy": "red", "stopped": "red"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `cut`: what gives way where the terminal is too narrow."""

    title: str
    cell: Callable[[Line], str]
    right: bool = False
    cut: bool = False


def _share(ratio: float | None) -> str:
    return "-" if ratio is None else f"{int(ratio * 100 + 1e-9)} %"


def _size(number: float | None) -> str:
    return "-" if number is None else size(number)


def _number(number: int | None) -> str:
    return "-" if number is None else str(number)


def _response(line: Line) -> str:
    seconds = line.service.response_seconds
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def _flow(line: Line, *counters: str) -> str:
    return " / ".join(_size(line.total(counter)) for counter in counters)


NAME = Column("service", lambda line: line.service.name, cut=True)
ENVIRONMENT = Column("environment", lambda line: line.service.environment, cut=True)
STATUS = Column("status", lambda line: str(line.service.verdict))
REASONS = Column("because", lambda line: "; ".join(line.service.reasons), cut=True)
GAPS = Column("gaps", lambda line: str(line.gaps), right=True)
RESTARTS = Column("restarts", lambda line: _number(line.restarts), right=True)
MEMORY = Column("memory", lambda line: _size(line.service.memory_bytes), right=True)
SHARE = Column("of limit", lambda line: _share(line.memory_ratio), right=True)
CPU = Column("cpu", lambda line: _share(line.service.cpu_ratio), right=True)
TABLES: Mapping[str, Sequence[Column]] = {
    "list": (
        NAME,
        Column("category", lambda line: line.service.category or "-", cut=True),
        Column("tier", lambda line: line.service.tier or "-", cut=True),
        Column("owner", lambda line: line.service.owner or "-", cut=True),
        STATUS,
        Column("coverage", lambda line: percent(line.service.coverage), right=True),
    ),
    "status": (
        NAME,
        STATUS,
        Column("containers", lambda line: line.state),
        GAPS,
        RESTARTS,
        MEMORY,
        SHARE,
        CPU,
    ),
    "health": (NAME, STATUS, Column("docker", lambda line: line.service.health),
               Column("answer", _response, right=True), REASONS),
    "resources": (
        NAME,
        MEMORY,
        Column("limit", lambda line: _size(line.service.memory_limit_bytes), right=True),
        SHARE,
        Column("peak", lambda line: _size(line.peak.memory if line.peak else None), right=True),
        CPU,
        Column("pids", lambda line: _number(line.total("pids")), right=True),
        Column("net in / out", lambda line: _flow(line, "network_received", "network_sent"), right=True),
        Column("block r / w", lambda line: _flow(line, "block_read", "block_written"), right=True),
    ),
}  # fmt: skip


def render(
    kind: str, lines: Sequence[Line], *, colour: bool = False, width: int = 80, encoding: str | None = None
) -> str:
    """A table of `TABLES` over the lines, each row on one line; every line ends with a newline."""
    columns = list(TABLES[kind])
    if len({line.service.environment for line in lines}) > 1:
        columns.insert(1, ENVIRONMENT)
    # What nothing could tell of anybody is no column.
    columns = [c for c in columns if c in (NAME, STATUS) or any(set(c.cell(line)) - set("-/ ") for line in lines)]
    look = Look(colour, width, encoding=encoding)
    text = "\n".join(guard(row.rstrip()) for row in _rows(columns, lines, look)) + "\n"
    return text if encoding is None else encodable(text, encoding)


def _rows(columns: Sequence[Column], lines: Sequence[Line], look: Look) -> list[str]:
    cells = [[clean(column.cell(line)) for column in columns] for line in lines]
    widths = _widths(columns, cells, look.width)
    head = "  ".join(_set(column.title, column, room, look) for column, room in zip(columns, widths, strict=True))
    rows = [look.paint(head, "dim")]
    for texts in cells:
        parts = []
        for text, column, room in zip(texts, columns, widths, strict=True):
            shown = _set(text, column, room, look)
            parts.append(look.paint(shown, _COLOURS[text]) if column is STATUS and text in _COLOURS else shown)
        rows.append("  ".join(parts))
    return rows


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[str]], room: int) -> list[int]:
    """As wide as the longest text; where all is too wide, the widest of those that may be cut gives way."""
    widths = [max([width(c.title), *(width(row[n]) for row in cells)]) for n, c in enumerate(columns)]
    able = [n for n, column in enumerate(columns) if column.cut]
    least = 8
    while sum(widths) + 2 * (len(widths) - 1) > room and any(widths[n] > least for n in able):
        widest = max(able, key=lambda n: widths[n])
        others = sum(widths) - widths[widest] + 2 * (len(widths) - 1)
        second = max([least, *(widths[n] for n in able if n != widest)])
        widths[widest] = max(min(widths[widest] - 1, second), room - others, least)
    return widths


def _set(text: str, column: Column, room: int, look: Look) -> str:
    return " " * (room - width(text)) + text if column.right else fit(text, room, look.ellipsis)
