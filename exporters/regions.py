"""What the auditor writes into documents: a table of the services, and their number, between marks and nowhere else.

<!-- auditor:services -->           a table takes the lines between the marks
<!-- /auditor:services -->
There are <!-- auditor:count -->16<!-- /auditor:count --> services.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor.errors import TextError, did_you_mean
from auditor.inventory import Service, Snapshot
from auditor.model import Lifecycle
from auditor.regexp import regexp

_MARK = regexp(r"<!--[ \t]*(/?)auditor:([\w-]{1,40})[ \t]*-->")
_FENCE = regexp(r"[ \t]*(?:>[ \t]?)?(`{3,}|~{3,})([^\n]*)")
_CODE = regexp(r"(`+)(?!`)[^\n]*?(?<!`)\1(?!`)")
KINDS = ("services", "count")


@dataclass(frozen=True, slots=True)
class _Mark:
    """One mark: its name, whether it closes, where it begins and ends in the text, and its line."""

    name: str
    closes: bool
    begin: int
    end: int
    line: int


def contents(snapshot: Snapshot, environment: str) -> Mapping[str, str]:
    """What belongs between the marks of each kind: of what an environment composes, or runs as host processes."""
    services = [s for s in snapshot.services if s.environment == environment]
    composed = [s for s in services if s.composed]
    shown = [s for s in services if s.composed or s.lifecycle is Lifecycle.PROCESS]
    return {"services": "\n".join(_table(shown)), "count": str(len(composed))}


def _table(services: Sequence[Service]) -> Iterator[str]:
    columns = ["Service", "What it is", "Image", "Ports", "Owner"]
    rows = [[_code(s.name), _title(s), _image(s), _ports(s), s.entry.owner or "" if s.entry else ""] for s in services]
    kept = [index for index in range(len(columns)) if index == 0 or any(row[index] for row in rows)]
    yield _row([columns[index] for index in kept])
    yield _row(["---"] * len(kept))
    yield from (_row([row[index] for index in kept]) for row in rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _title(service: Service) -> str:
    title = service.entry.title if service.entry else None
    return _plain(title or (service.component.title if service.component else ""))


def _image(service: Service) -> str:
    definition = service.composed
    if definition is None:
        return "host process"
    return _code(definition.image) if definition.image and not definition.build else "built here"


def _ports(service: Service) -> str:
    """The ports of the host, else those of a process."""
    if service.composed is None:
        return ", ".join(map(str, service.entry.ports)) if service.entry else ""
    published = (port.published for port in service.composed.ports)
    return ", ".join(dict.fromkeys(_plain(port) for port in published if port and port != "0"))


def _code(text: str) -> str:
    return f"`{text.replace('`', '').replace('|', '')}`"


def _plain(text: str) -> str:
    """A text that stays in its cell and is no markup."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(text.split()))


def rewrite(text: str, path: str, wanted: Mapping[str, str]) -> str:
    """The document with what is between its marks replaced; the same text where it has none.

    Raises TextError where marks are not balanced, are nested, or are of no known kind.
    """
    kept: list[str] = []
    at = 0
    newline = "\r\n" if "\r\n" in text else "\n"
    for opening, closing in _regions(text, path):
        content = wanted[opening.name].replace("\n", newline)
        kept.append(text[at : opening.end])
        kept.append(f"{newline}{content}{newline}" if opening.name == "services" else content)
        at = closing.begin
    return "".join([*kept, text[at:]])


def _regions(text: str, path: str) -> Iterator[tuple[_Mark, _Mark]]:
    opening: _Mark | None = None
    for mark in _marks(text):
        if mark.name not in KINDS:
            hint = did_you_mean(mark.name, KINDS) or f"the marks are {', '.join(f'`auditor:{k}`' for k in KINDS)}"
            raise TextError(f"unknown mark `auditor:{mark.name}`", path=path, line=mark.line, help=hint)
        if mark.closes and (opening is None or opening.name != mark.name):
            message = f"`/auditor:{mark.name}` closes nothing"
            raise TextError(message, path=path, line=mark.line, help=f"write `<!-- auditor:{mark.name} -->` before it")
        if not mark.closes and opening is not None:
            raise _unclosed(opening, path)
        if mark.closes and opening is not None:
            yield opening, mark
        opening = None if mark.closes else mark
    if opening is not None:
        raise _unclosed(opening, path)


def _unclosed(mark: _Mark, path: str) -> TextError:
    help = f"write `<!-- /auditor:{mark.name} -->` where its text ends"
    return TextError(f"`auditor:{mark.name}` is not closed", path=path, line=mark.line, help=help)


def _marks(text: str) -> Iterator[_Mark]:
    """The marks outside code, in order."""
    fence, start = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        match = _FENCE.fullmatch(line.rstrip("\r"))
        if fence:
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
        elif match and not (match[1][0] == "`" and "`" in match[2]):
            fence = match[1]
        elif "auditor:" in line:
            seen = _CODE.sub(lambda code: " " * len(code[0]), line)
            for found in _MARK.finditer(seen):
                yield _Mark(found[2], bool(found[1]), start + found.start(), start + found.end(), number)
        start += len(line) + 1
