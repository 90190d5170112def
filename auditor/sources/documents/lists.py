"""Lists and tables of services in a document, with the ports that they give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from auditor.frozen import dataclass
from auditor.model import ListItem, Location, ServiceList
from auditor.regexp import regexp
from auditor.sources.documents.markdown import Code, Item, List, Paragraph, Row, Table
from auditor.sources.documents.owners import owner, owner_cell
from auditor.sources.documents.phrases import phrases, words
from auditor.sources.documents.sections import EXCLUDED, Section
from auditor.sources.documents.versions import version, version_cell
from auditor.words import normal

_LONGEST_KNOWN = 6  # words of a known name
_LONGEST_NAME = 5  # words of a text that can be the name of an unknown service

_MENTIONS = phrases(
    r"""
    (?:micro-?)?services | containers | components | stack
    | service (?:list|catalog(?:ue)?|inventory|overview|map|architecture|matrix|table|directory|ports?|urls?)
    """
)
_ALSO_OTHERS = phrases("components | stack")  # such a list also names libraries and languages
_NAMES_THEM = regexp(
    r"(?i)\b(?:(?:micro-?)?services|containers"
    r"|service[ ](?:list|catalog(?:ue)?|inventory|overview|map|architecture|matrix|table|directory|ports?|urls?))\W*$"
)
_SENTENCE_BREAK = regexp(r"(?<=[.!?])[ ]")
_LEADS_ON = phrases(r"following | includ\w+ | consists? | contains? | compris\w+ | these | below | here | are")

# An entry that says so of itself is not there, or not ours; the second kind only in a remark.
_NOT_THERE = phrases(
    r"""
    planned | coming soon | todo | to do | tbd | wip | upcoming | proposed | deprecated | removed | retired | n/a
    | not (?:yet|deployed|implemented|included|available|running|used)
    """
)
_NOT_OURS = phrases(
    "optional | future | disabled | legacy | external | third party | missing | saas | hosted | managed"
)
# The first also as it looks after its encoding was broken.
_SIGNS = regexp("[\N{CROSS MARK}\N{CONSTRUCTION SIGN}\N{HOURGLASS WITH FLOWING SAND}]|\u00e2\u009d?\u0152")
_REMARK = regexp(r"[(\[]([^()\[\]]*)[)\]]")
_SHORT_REMARK = 2  # words behind a dash or colon that are all that is said of an entry

_DASH = r"[-\N{EN DASH}\N{EM DASH}|:=\N{RIGHTWARDS ARROW}]"
_TIMES_SIGN = r"[\N{MULTIPLICATION SIGN}x]"
_DESCRIPTION = regexp(
    rf"[ ]+(?:{_DASH}{{1,2}}|->|=>|(?:for|using|with|via|backed[ ]by|powered[ ]by|based[ ]on|that|which|runs"
    rf"|running[ ]on|on[ ]port|port|at)\b|https?://)[ ]?.*|:[ ].*|:$|[(\[].*|[ ]{_TIMES_SIGN}\d+\b.*"
)
_TIMES = regexp(rf"^\d{{1,2}}[ ]?{_TIMES_SIGN}[ ]|[ ]{_TIMES_SIGN}[ ]?\d{{1,2}}$")
_SEVERAL = regexp(r"[ ]?(?:,[ ]|/|[ ]&[ ]|[ ]\+[ ]|[ ]and[ ])[ ]?")
_LEADING = regexp(r"^[^\w`\"'(/.]+")
_SENTENCE_LIKE = regexp(
    r"[.!?;](?:[ ]|$)|[=<>{}$\\]|\b(?:is|are|the|your|must|can|should|to|run|check|ensure|make)\b", re.IGNORECASE
)
_CALLS_ITSELF_ONE = regexp(r"(?i)service$|api$|\bgateway\b")

_PORTS = regexp(r"(?i)\bports?\b[ ]?[:=#]?[ ]?(\d{2,5}(?:[ ]?(?:[,/&-]|and)[ ]?\d{2,5}){0,9})(?![\w.])")
_URL_PORT = regexp(r"(?i)(?:\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0)|://[a-z][a-z0-9_-]{0,62}):(\d{2,5})(?![\d.])")
_COLON_PORT = regexp(r"(?:^|(?<=[\s(\[])):(\d{2,5})(?![\w.:])")
_PAIR = regexp(r"(?<![\w.:])(\d{2,5}):(\d{2,5})(?![\w.:])")
_BARE_PORTS = regexp(r"\((\d{2,5}(?:[ ]?[,/][ ]?\d{2,5}){0,5})\)")
_NUMBER = regexp(r"(?<![\w.])\d{2,5}(?![\w.])")

_NAME_COLUMNS = frozenset(
    f"{word}{rest}"
    for word in ("service", "services", "microservice", "microservices", "container", "containers")
    for rest in ("", " name")
)
_MAYBE_NAME_COLUMNS = words("name component components application app")
_INDEX_COLUMNS = words("# no nr id category tier type group layer status") | {""}
_PORT_COLUMN = phrases("ports?")
_PLACE_COLUMN = phrases("ports? | urls? | address(?:es)? | endpoints? | access | image | container")
_STATUS_COLUMN = phrases("status | state | deployed")
_NO = words("no none - x \N{BALLOT X} \N{HEAVY BALLOT X}")


class _Known:
    """The names that are known, for questions about a text."""

    def __init__(self, words: frozenset[str]) -> None:
        self._words = words

    def is_one(self, text: str) -> bool:
        """Whether the whole text is a known name."""
        return normal(text) in self._words

    def in_it(self, text: str) -> bool:
        """Whether a run of whole words of the text is a known name."""
        words = normal(text).split()[:40]
        return any(
            " ".join(words[start : start + length]) in self._words
            for length in range(1, _LONGEST_KNOWN + 1)
            for start in range(len(words) - length + 1)
        )


def lists(section: Section, words: frozenset[str], path: str) -> Iterator[ServiceList]:
    """The lists and tables of services in a section. words: normal forms of the names that are known."""
    if section.excluded:
        return
    known = _Known(words)
    lead = ""
    for block in section.blocks:
        if isinstance(block, Code):
            continue
        title = _title(section, lead)
        if isinstance(block, List) and not EXCLUDED.search(lead):
            yield from _list(block.items, title, block.line, known, path)
        elif isinstance(block, Table) and not EXCLUDED.search(lead):
            yield from _table(block, title, known, path)
        lead = _lead(block) if isinstance(block, Paragraph) else ""


def _lead(paragraph: Paragraph) -> str:
    """The sentence that introduces what follows a paragraph: bold, or with a colon at its end; else nothing."""
    if paragraph.bold:
        return paragraph.text
    last = _SENTENCE_BREAK.split(paragraph.text)[-1]
    return last if last.endswith(":") else ""


def _title(section: Section, lead: str) -> str:
    """What a list is called: the line before it where that speaks of services, else the heading where that leads on."""
    if not lead or (not _MENTIONS.search(lead) and _LEADS_ON.search(lead)):
        titles = [heading.text for heading in reversed(section.headings) if heading.level > 1]
        return next((title for title in titles if _MENTIONS.search(title)), section.title)
    return lead


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a list before it is decided whether the list is one of services."""

    name: str
    location: Location
    ports: tuple[int, ...]
    known: bool  # it names something known
    version: str | None = None
    owner: str | None = None


def _list(items: Sequence[Item], title: str, line: int, known: _Known, path: str) -> Iterator[ServiceList]:
    if any(item.task for item in items):
        return
    entries = [entry for item in items if (entry := _entry(item, known, path)) is not None]
    chosen = _chosen(entries, title, known)
    if chosen:
        yield ServiceList(title or None, Location(path, line), tuple(_split(chosen, known)))
    for item in items:
        if item.children and not EXCLUDED.search(item.text):
            below = item.text if _MENTIONS.search(item.text) or not _MENTIONS.search(title) else title
            yield from _list(item.children, below, item.children[0].line, known, path)


def _entry(item: Item, known: _Known, path: str) -> _Entry | None:
    """An item as an entry; None where it is no name, not there, or only the head of the items below it."""
    if item.struck or _is_absent(item.text):
        return None
    name = _name(item.bold if item.bold and item.text.startswith(item.bold) else item.text)
    if not name or (item.children and not known.in_it(name) and _is_category(item, known)):
        return None
    below = tuple(
        port for child in item.children if normal(child.text).startswith("port") for port in _ports(child.text)
    )
    ports = tuple(dict.fromkeys(_ports(item.text) + below))
    place = Location(path, item.line)
    return _Entry(name, place, ports, known.in_it(name), version(item.text, name), owner(item.text))


def _is_absent(text: str) -> bool:
    """Whether an entry says of itself that it is not there: `Kafka (planned)`, `Kafka - optional`."""
    if _SIGNS.search(text) or _NOT_THERE.search(text):
        return True
    rest = text[len(_name(text)) :] if text.startswith(_name(text)) else ""
    remarks = [*_REMARK.findall(text), rest if len(normal(rest).split()) <= _SHORT_REMARK else ""]
    return any(_NOT_OURS.search(remark) for remark in remarks)


def _is_category(item: Item, known: _Known) -> bool:
    return sum(known.in_it(_name(child.text)) for child in item.children) * 2 >= len(item.children)


def _name(text: str) -> str:
    """The name that an entry begins with: without emoji, description, remark in brackets, number of instances."""
    first, _, rest = text.partition(" ")
    while rest and not normal(first):  # an emoji, also one whose encoding is broken
        first, _, rest = rest.partition(" ")
    name = _LEADING.sub("", f"{first} {rest}".strip())
    name = _DESCRIPTION.sub("", _TIMES.sub("", name), count=1)
    return _TIMES.sub("", name).strip(" .,:;*_`\"'")


def _chosen(entries: list[_Entry], title: str, known: _Known) -> list[_Entry]:
    """The entries that are claims; none where the list is not one of services."""
    if not entries:
        return []
    matching = [entry for entry in entries if entry.known]
    share = len(matching) / len(entries)
    if not _MENTIONS.search(title):
        # No title says so: then nearly all of the entries must be nothing but a known name.
        whole = [entry for entry in matching if known.is_one(entry.name)]
        return whole if len(entries) >= 3 and len(whole) >= 0.8 * len(entries) else []
    named = [entry for entry in entries if entry.known or _is_name(entry.name)]
    if len(matching) >= 2 and share >= 0.5:
        return matching if _ALSO_OTHERS.search(title) else named
    plain = _NAMES_THEM.search(_bare(title)) is not None
    return named if plain and len(named) == len(entries) >= 2 and _look_like_services(entries) else []


def _bare(title: str) -> str:
    """A title without remarks in brackets and a number behind a colon."""
    return re.sub(r"\([^()]*\)|:[ ]?\d+\+?(?:[ ]\w+)?$", "", title).rstrip(" :")


def _is_name(name: str) -> bool:
    words = name.split()
    return bool(words) and len(words) <= _LONGEST_NAME and name[0].isalpha() and not _SENTENCE_LIKE.search(name)


def _look_like_services(entries: list[_Entry]) -> bool:
    """For a list under a plain title whose names are mostly unknown: ports, the word itself, or one that is known."""
    clear = [entry for entry in entries if entry.ports or entry.known or _CALLS_ITSELF_ONE.search(entry.name)]
    return len(clear) * 2 > len(entries)


def _split(entries: Sequence[_Entry], known: _Known) -> Iterator[ListItem]:
    """The items; one that names several known things at once becomes several."""
    for entry in entries:
        parts = [part for part in _SEVERAL.split(entry.name) if part]
        if len(parts) > 1 and not known.is_one(entry.name) and all(known.is_one(part) for part in parts):
            yield from (ListItem(part, entry.location) for part in parts)
        else:
            yield ListItem(entry.name.partition(", ")[0], entry.location, entry.ports, entry.version, entry.owner)


def _ports(text: str) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for pattern in (_PORTS, _BARE_PORTS):
        for match in pattern.finditer(text):
            found.update(dict.fromkeys(map(int, re.findall(r"\d{2,5}", match[1]))))
    for pattern in (_URL_PORT, _COLON_PORT, _PAIR):
        for match in pattern.finditer(text):
            found.update(dict.fromkeys(map(int, match.groups())))
    return tuple(port for port in found if 20 <= port < 65_536)


def _table(table: Table, title: str, known: _Known, path: str) -> Iterator[ServiceList]:
    header = [normal(cell) for cell in table.header]
    column = _name_column(header)
    if column is None:
        return
    rows = [row for row in table.rows if not _absent(row, header) and len(row.cells) > column]
    entries = [_row_entry(row, column, table.header, known, path) for row in rows]
    entries = [entry for entry in entries if entry.name]
    matching = [entry for entry in entries if entry.known]
    located = any(_PLACE_COLUMN.search(cell) for index, cell in enumerate(table.header) if index != column)
    clear = header[column] in _NAME_COLUMNS
    if not entries or (not clear and not (matching and (located or _MENTIONS.search(title)))):
        return
    if len(matching) * 2 >= len(entries) or (clear and located and all(_is_name(entry.name) for entry in entries)):
        kept = entries if clear else matching
        items = tuple(_split([entry for entry in kept if entry.known or _is_name(entry.name)], known))
        yield ServiceList(title or None, Location(path, table.line), items)


def _name_column(header: Sequence[str]) -> int | None:
    """The column of names: the first, or the one after running numbers and the like."""
    for index, cell in enumerate(header[:3]):
        if cell in _NAME_COLUMNS or cell in _MAYBE_NAME_COLUMNS:
            return index
        if cell not in _INDEX_COLUMNS:
            return None
    return None


def _absent(row: Row, header: Sequence[str]) -> bool:
    """Whether a row says that its service is not there."""
    if row.struck or any(_is_absent(cell) for cell in row.cells):
        return True
    pairs = zip(row.cells, header, strict=False)
    return any(_STATUS_COLUMN.search(name) and cell.lower() in _NO for cell, name in pairs)


def _row_entry(row: Row, column: int, header: Sequence[str], known: _Known, path: str) -> _Entry:
    found: dict[int, None] = {}
    for index, cell in enumerate(row.cells):
        numbers: Sequence[int] = ()
        if index < len(header) and index != column and _PORT_COLUMN.search(header[index]):
            numbers = [int(number) for number in _NUMBER.findall(cell.replace(":", " "))]
        found.update(dict.fromkeys((*_ports(cell), *numbers)))
    ports = tuple(port for port in found if 20 <= port < 65_536)
    name = _name(row.cells[column])
    said = version_cell(row.cells, header) or version(row.cells[column], name)
    return _Entry(name, Location(path, row.line), ports, known.in_it(name), said, owner_cell(row.cells, header))
