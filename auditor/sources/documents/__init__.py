"""What a document claims of the services: how many there are, which, and on which ports.

A wrong claim is worse than a missed one, so a text must say plainly that it speaks of what is: plans, history, examples,
what is optional or lives elsewhere are passed over, and so are numbers that count phases, tiers or versions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from auditor.model import CountClaim, Document, ListItem, Location, ServiceList
from auditor.sources.documents.markdown import Block, Heading, Item, List, Paragraph, Row, Table, blocks
from auditor.words import normal

MAX_CLAIMS = 500
_LONGEST_NAME = 6  # words of a known name
_MOST_WORDS = 5  # of a text that can be the name of an unknown service


def parse_document(text: bytes, path: str, words: Collection[str]) -> Document:
    """The claims of a Markdown document.

    words: the normal forms (`auditor.words.normal`) of the names that are known: services, titles, components.
    """
    known = _Known(frozenset(words))
    sections = list(_sections(blocks(text.decode("utf-8", "replace").removeprefix("\ufeff"))))
    counts = [claim for section in sections for claim in _counts(section, path)]
    lists = [found for section in sections for found in _lists(section, known, path)]
    return Document(path, tuple(counts[:MAX_CLAIMS]), tuple(lists[:MAX_CLAIMS]))


@dataclass(frozen=True, slots=True)
class _Section:
    """What stands below one heading. `headings`: it and those above it, the outermost first."""

    headings: tuple[Heading, ...]
    blocks: tuple[Block, ...]
    numbered: bool = False  # its level's headings begin with running numbers

    @property
    def title(self) -> str:
        return self.headings[-1].text if self.headings else ""

    @property
    def excluded(self) -> bool:
        return any(_EXCLUDED.search(heading.text) for heading in self.headings if heading.level > 1)


def _sections(found: Sequence[Block]) -> Iterator[_Section]:
    numbers = [h.text for h in found if isinstance(h, Heading) and re.match(r"\d{1,2}\s", h.text)]
    headings: list[Heading] = []
    inside: list[Block] = []
    for block in found:
        if isinstance(block, Heading):
            yield _Section(tuple(headings), tuple(inside), len(numbers) > 1)
            inside = []
            while headings and headings[-1].level >= block.level:
                headings.pop()
            headings.append(block)
        else:
            inside.append(block)
    yield _Section(tuple(headings), tuple(inside), len(numbers) > 1)


# What such a section lists or counts is not there, not ours, or no service.
_EXCLUDED = re.compile(
    r"""(?ix)\b(?:
    roadmap | plan(?:s|ned)? | future | upcoming | coming | todo | to[ -]do | backlog | wish ?list | proposals? | proposed | vision | goals?
    | targets? | phases? | timeline | milestones? | success | next | recommendations? | suggestions? | ideas?
    | history | historical | changelog | change[ ]log | release | releases | previous(?:ly)? | former(?:ly)? | legacy
    | deprecated | removed | retired | archived? | old | before | migrat(?:e|ing|ion)
    | optional | missing | gaps? | examples? | samples? | demo | template | alternatives? | comparison | versus | vs
    | external | third[ -]part(?:y|ies) | cloud | managed | saas | upstream
    | prerequisites? | requirements? | requires? | tech(?:nolog(?:y|ies))? | built[ ]with
    | features? | benefits? | advantages? | responsibilit(?:y|ies) | principles? | use[ ]cases? | capabilit(?:y|ies)
    | trouble ?shooting | problems? | issues? | errors? | faq | known[ ]limitations? | debugging
    | adding | add | remov(?:e|ing) | creat(?:e|ing) | contribut(?:e|ing|ors?) | licen[cs]e | credits? | acknowledg\w+ | references? | links
    | table[ ]of[ ]contents | contents | commands? | environment[ ]variables? | thresholds? | alerts? | best[ ]practices?
    | scal(?:e|ing) | strateg(?:y|ies) | optimi[sz]ations? | improvements? | opportunit(?:y|ies) | testing | tests
    )\b"""
)


# --- counts --------------------------------------------------------------------------------------------------

_NUMBERS = {
    word: number
    for number, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
        "nineteen twenty".split(),
        2,
    )
}
_COUNT = re.compile(
    r"(?i)(?:^|(?<=[\s(\[\"']))(\d{1,3}|" + "|".join(_NUMBERS) + r")(\+|[ ]plus(?=[ ])|[ ]or[ ]more(?=[ ]))?[ ]"
    r"((?:[A-Za-z][A-Za-z/&'-]{0,30}[ ]){0,3})(micro-?services|services)\b"
)
_TOTAL = re.compile(
    r"(?i)\b(?:total(?:[ ]number[ ]of)?|number[ ]of|count[ ]of|all)[ ]((?:[a-z-]{1,30}[ ])?)(?:micro-?)?services"
    r"[ ]?(?:[:=]|is|are)?[ ]?(\d{1,3})(\+)?(?![\w.,/%-])"
)
_HYPHENED = re.compile(
    r"(?i)(?:^|(?<=[\s(]))(\d{1,3})(\+)?-(?:micro-?)?service[ ](?:stack|system|platform|architecture)\b"
)

# Words between the number and "services" that say nothing about which services are meant.
_PLAIN_WORDS = frozenset(
    "a actual autonomous compose composed containerised containerized decoupled dedicated deployed different distinct docker "
    "dockerised dockerized enterprise enterprise-grade focused fully independent independently individual integrated "
    "interconnected isolated loosely-coupled micro modular orchestrated own production production-grade production-ready "
    "running self-contained separate single-purpose small specialised specialized total ultra-focused unique well-defined".split()
)
# Words there that make it another count.
_OTHER_WORDS = frozenset(
    "additional alternative and another as at available aws azure broken by cloud critical-path day days dead deprecated "
    "discontinued down each example external extra failed failing for free from future gb gcp google healthy hour hours "
    "hosted hypothetical in inactive instances is are of legacy managed mb minute minutes missing month months more new "
    "nodes obsolete old on optional or other our out paid planned possible potential problematic public rd remaining "
    "removed replicas retired sample second seconds similar stopped such supported th the third-party to unhealthy "
    "undeployed unused upstream users week weeks with year years".split()
)
_BAD_BEFORE = re.compile(
    r"(?i)\b(?:will|would|should|could|might|may|plan\w*|future|upcoming|roadmap|goal|targets?|eventually|previously"
    r"|formerly|used[ ]to|was|were|had|once|originally|legacy|old|example|e\.g|imagine|suppose|if|when|until|unless"
    r"|support(?:s|ed|ing)?|scal(?:e|es|ing)|handles?|up[ ]to|each|every|per|any|some|missing|lack\w*|without|gap|only[ ]the"
    r"|instead|optional\w*|cloud|compar\w+|typical\w*|usually|monitors?|add(?:s|ing|ed)?|remov\w+|merg\w+|split|consolidat\w+"
    r"|reduc\w+|next|soon|propos\w+|ideal\w*|fewer|less|under|between|of[ ]these|these|those|both|either|neither|start|restart"
    r"|stop|across[ ]the|other|last|first|top|than[ ]the)\b"
)
_BAD_AFTER = re.compile(
    r"(?i)[ ,]*(?:per|each|down|fail\w*|missing|at[ ]a[ ]time|in[ ]parallel|planned|soon|later|in[ ]the[ ]future|instead"
    r"|or[ ](?:fewer|less)|into|to[ ]\d|were|was|will|would|could|should|can|may|might|remain\w*|behind|down|with[ ]errors"
    r"|\(?(?:planned|optional|future|target|goal))\b|[ ]*(?:→|->|=>|â†’)"
)
_BAD_WORD_BEFORE = frozenset(
    "tier phase step level version v section chapter week day sprint option stage part layer group server node zone port top "
    "first last next every another from to than another within after before terminal and or out no not".split()
)
_ONLY_WITH_SMALL = re.compile(
    r"(?i)(?:\b(?:consists?[ ]of|compris\w+(?:[ ]of)?|composed[ ]of|made[ ](?:up[ ])?of|contains?|has|have|runs?|running"
    r"|into|deploys?|provides?|all|total|stack[ ]of|set[ ]of)|[:|])$"
)
_AT_LEAST = re.compile(r"(?i)\b(?:over|at[ ]least|more[ ]than)$")
_SENTENCE_END = re.compile(r"[.!?;](?=[ ]|$)")


def _counts(section: _Section, path: str) -> Iterator[CountClaim]:
    if section.headings and not section.excluded:
        heading = section.headings[-1]
        numbering = section.numbered and re.match(r"\d{1,2}\s", heading.text)
        if not numbering:
            yield from _claims_of(((heading.line, heading.text),), path)
    if section.excluded:
        return
    for block in section.blocks:
        for lines in _texts(block):
            yield from _claims_of(lines, path)


def _texts(block: Block) -> Iterator[tuple[tuple[int, str], ...]]:
    """The runs of text of a block, each as numbered lines."""
    if isinstance(block, Paragraph):
        yield block.lines
    elif isinstance(block, List):
        for item in _flat(block.items):
            if not item.task and not item.struck:
                yield ((item.line, item.text),)
    elif isinstance(block, Table):
        for row in block.rows:
            if not row.struck:
                yield ((row.line, " | ".join(row.cells)),)


def _flat(items: Sequence[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _flat(item.children)


def _claims_of(lines: Sequence[tuple[int, str]], path: str) -> Iterator[CountClaim]:
    text = " ".join(line for _, line in lines)
    for match in _COUNT.finditer(text):
        category = _category(match[3])
        number = _NUMBERS.get(match[1].lower()) or int(match[1])
        if category is not None and 2 <= number <= 500 and _said_plainly(text, match, number):
            before = text[: match.start()].rstrip()
            at_least = bool(match[2]) or _AT_LEAST.search(before) is not None
            yield CountClaim(match[0], number, at_least, _place(lines, match.start(), path), category or None)
    for pattern, number_at, plus_at in ((_TOTAL, 2, 3), (_HYPHENED, 1, 2)):
        for match in pattern.finditer(text):
            number = int(match[number_at])
            if 2 <= number <= 500 and not _BAD_BEFORE.search(_sentence(text, match.start())):
                location = _place(lines, match.start(), path)
                yield CountClaim(match[0].strip(), number, bool(match[plus_at]), location)


def _category(between: str) -> str | None:
    """The word before "services" where it narrows the count, "" where nothing does, None where it is another count."""
    words = between.lower().split()
    if any(word in _OTHER_WORDS for word in words):
        return None
    if not words or words[-1] in _PLAIN_WORDS:
        return ""
    return words[-1]


def _said_plainly(text: str, match: re.Match[str], number: int) -> bool:
    before = _sentence(text, match.start()).rstrip()
    last = before.split()[-1] if before else ""
    if last.lower().strip("(*_\"'") in _BAD_WORD_BEFORE or any(sign in last[-1:] for sign in "→>-–—/†<~≈’"):
        return False
    if _BAD_BEFORE.search(before) or _BAD_AFTER.match(text, match.end()):
        return False
    if number >= 10 and match[1].isdigit():
        return True
    # A small number often counts some of them: "the two services share a database".
    return not before or _ONLY_WITH_SMALL.search(before) is not None


def _sentence(text: str, end: int) -> str:
    """What stands before `end` in the same sentence."""
    begin = 0
    for match in _SENTENCE_END.finditer(text, 0, end):
        begin = match.end()
    return text[begin:end]


def _place(lines: Sequence[tuple[int, str]], offset: int, path: str) -> Location:
    for number, line in lines:
        if offset <= len(line):
            return Location(path, number)
        offset -= len(line) + 1
    return Location(path, lines[-1][0])


# --- lists and tables ----------------------------------------------------------------------------------------

_MENTIONS = re.compile(
    r"(?i)\b(?:micro-?)?services\b|\bcontainers\b|\bcomponents\b|\bstack\b"
    r"|\bservice[ ](?:list|catalog(?:ue)?|inventory|overview|map|architecture|matrix|table|directory|ports?|urls?)\b"
)
_ALSO_OTHERS = re.compile(r"(?i)\bcomponents\b|\bstack\b")  # such a list also names libraries and languages
_NAMES_THEM = re.compile(
    r"(?i)(?:\b(?:micro-?)?services|\bcontainers"
    r"|\bservice[ ](?:list|catalog(?:ue)?|inventory|overview|map|architecture|matrix|table|directory|ports?|urls?))\W*$"
)
_LEADS_ON = re.compile(r"(?i)\b(?:following|includ\w+|consists?|contains?|compris\w+|these|below|here|are)\b")
_NOT_THERE = re.compile(
    r"(?ix)❌|🚧|⏳|\b(?:planned|optional|coming[ ]soon|future|todo|to[ ]do|not[ ](?:yet|deployed|implemented|included|available)|disabled"
    r"|deprecated|removed|retired|legacy|external|third[ -]party|missing|tbd|wip|upcoming|proposed|n/a|saas|hosted)\b"
)
_DESCRIPTION = re.compile(
    r"[ ]+(?:[-–—|:→=]{1,2}|->|=>|\bfor\b|\busing\b|\bwith\b|\bvia\b|\bbacked[ ]by\b|\bpowered[ ]by\b|\bbased[ ]on\b|\bthat\b"
    r"|\bwhich\b|\brunning[ ]on\b|\bruns\b|\bon[ ]port\b|\bport\b|\bat\b|\bhttps?://)[ ]?.*|:[ ].*|:$|[(\[].*|[ ]*[×x]\d+\b.*|,[ ].*"
)
_TIMES = re.compile(r"^\d{1,2}[ ]?[×x][ ]|[ ][×x][ ]?\d{1,2}$")
_SPLIT = re.compile(r"[ ]?(?:,[ ]|/|[ ]&[ ]|[ ]\+[ ]|[ ]and[ ])[ ]?")
_LEADING = re.compile(r"^[^\w`\"'(/.]+")
_SENTENCE_LIKE = re.compile(
    r"[.!?;](?:[ ]|$)|[=<>{}$\\]|\b(?:is|are|the|your|must|can|should|to|run|check|ensure|make)\b", re.IGNORECASE
)

_PORTS = re.compile(r"(?i)\bports?\b[ ]?[:=#]?[ ]?(\d{2,5}(?:[ ]?(?:[,/&-]|and)[ ]?\d{2,5}){0,9})(?![\w.])")
_URL_PORT = re.compile(r"(?i)(?:\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0)|://[a-z][a-z0-9_-]{0,62}):(\d{2,5})(?![\d.])")
_COLON_PORT = re.compile(r"(?:^|(?<=[\s(\[])):(\d{2,5})(?![\w.:])")
_PAIR = re.compile(r"(?<![\w.:])(\d{2,5}):(\d{2,5})(?![\w.:])")
_BARE_PORTS = re.compile(r"\((\d{2,5}(?:[ ]?[,/][ ]?\d{2,5}){0,5})\)")
_NUMBER = re.compile(r"(?<![\w.])\d{2,5}(?![\w.])")

_NAME_COLUMNS = frozenset(
    {
        "service",
        "services",
        "service name",
        "microservice",
        "microservices",
        "container",
        "containers",
        "container name",
    }
)
_MAYBE_NAME_COLUMNS = frozenset({"name", "component", "components", "application", "app"})
_INDEX_COLUMNS = frozenset({"", "#", "no", "no.", "nr", "id", "category", "tier", "type", "group", "layer", "status"})
_PORT_COLUMN = re.compile(r"(?i)\bports?\b")
_PLACE_COLUMN = re.compile(r"(?i)\b(?:ports?|urls?|address(?:es)?|endpoints?|access|image|container)\b")
_STATUS_COLUMN = re.compile(r"(?i)\b(?:status|state|deployed)\b")


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
            for length in range(1, _LONGEST_NAME + 1)
            for start in range(len(words) - length + 1)
        )


def _lists(section: _Section, known: _Known, path: str) -> Iterator[ServiceList]:
    if section.excluded:
        return
    lead: Paragraph | None = None
    for block in section.blocks:
        title = _title(section, lead)
        if isinstance(block, List) and not (lead and _EXCLUDED.search(lead.text)):
            yield from _list(block.items, title, block.line, known, path)
        elif isinstance(block, Table) and not (lead and _EXCLUDED.search(lead.text)):
            yield from _table(block, title, known, path)
        lead = block if isinstance(block, Paragraph) and _leads(block) else None


def _leads(paragraph: Paragraph) -> bool:
    return paragraph.bold or paragraph.text.endswith((":", ":."))


def _title(section: _Section, lead: Paragraph | None) -> str:
    """What a list is called: the line before it where that speaks of services, else the heading where that leads on."""
    if lead is None or (not _MENTIONS.search(lead.text) and _LEADS_ON.search(lead.text) and not lead.bold):
        return section.title
    return lead.text


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a list before it is decided whether the list is one of services."""

    name: str
    location: Location
    ports: tuple[int, ...]


def _list(items: Sequence[Item], title: str, line: int, known: _Known, path: str) -> Iterator[ServiceList]:
    if any(item.task for item in items):
        return
    entries = [entry for item in items if (entry := _entry(item, known, path)) is not None]
    chosen = _chosen(entries, title, known)
    if chosen:
        yield ServiceList(title or None, Location(path, line), tuple(_split(chosen, known)))
    for item in items:
        if item.children and not _EXCLUDED.search(item.text):
            below = item.text if _MENTIONS.search(item.text) or not _MENTIONS.search(title) else title
            yield from _list(item.children, below, item.children[0].line, known, path)


def _entry(item: Item, known: _Known, path: str) -> _Entry | None:
    """An item as an entry; None where it is no name, not there, or only the head of the items below it."""
    if item.struck or _NOT_THERE.search(item.text):
        return None
    name = _name(item.bold if item.bold and item.text.startswith(item.bold) else item.text)
    if not name or (item.children and not known.in_it(name) and _is_category(item, known)):
        return None
    below = tuple(
        port for child in item.children if normal(child.text).startswith("port") for port in _ports(child.text)
    )
    return _Entry(name, Location(path, item.line), tuple(dict.fromkeys(_ports(item.text) + below)))


def _is_category(item: Item, known: _Known) -> bool:
    return sum(known.in_it(_name(child.text)) for child in item.children) * 2 >= len(item.children)


def _name(text: str) -> str:
    """The name that an entry begins with: without emoji, description, remark in brackets, number of instances."""
    name = _LEADING.sub("", text)
    name = _DESCRIPTION.sub("", _TIMES.sub("", name), count=1)
    return _TIMES.sub("", name).strip(" .,:;*_`\"'")


def _chosen(entries: list[_Entry], title: str, known: _Known) -> list[_Entry]:
    """The entries that are claims; none where the list is not one of services."""
    if not entries:
        return []
    matching = [entry for entry in entries if known.in_it(entry.name)]
    share = len(matching) / len(entries)
    if _MENTIONS.search(title):
        named = [entry for entry in entries if entry in matching or _is_name(entry.name)]
        if len(matching) >= 2 and share >= 0.5:
            return matching if _ALSO_OTHERS.search(title) else named
        if (
            _NAMES_THEM.search(_bare(title))
            and len(named) == len(entries) >= 2
            and _look_like_services(entries, matching)
        ):
            return named
        return []
    whole = [entry for entry in matching if known.is_one(entry.name) or entry.ports]
    return matching if len(entries) >= 3 and share >= 0.8 and len(whole) * 2 >= len(entries) else []


def _bare(title: str) -> str:
    """A title without remarks in brackets and a number behind a colon."""
    return re.sub(r"\([^()]*\)|:[ ]?\d+\+?(?:[ ]\w+)?$", "", title).rstrip(" :")


def _is_name(name: str) -> bool:
    words = name.split()
    return bool(words) and len(words) <= _MOST_WORDS and name[0].isalpha() and not _SENTENCE_LIKE.search(name)


def _look_like_services(entries: list[_Entry], matching: list[_Entry]) -> bool:
    """For a list under a plain title whose names are mostly unknown: ports, the word itself, or one that is known."""
    clear = [e for e in entries if e.ports or e in matching or re.search(r"(?i)service$|api$|-api\b|gateway", e.name)]
    return len(clear) * 2 > len(entries)


def _split(entries: Sequence[_Entry], known: _Known) -> Iterator[ListItem]:
    """The items; one that names several known things at once becomes several."""
    for entry in entries:
        parts = [part for part in _SPLIT.split(entry.name) if part]
        if len(parts) > 1 and not known.is_one(entry.name) and all(known.is_one(part) for part in parts):
            yield from (ListItem(part, entry.location) for part in parts)
        else:
            yield ListItem(entry.name, entry.location, entry.ports)


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
    entries = [_row_entry(row, column, table.header, path) for row in rows]
    entries = [entry for entry in entries if entry.name]
    matching = [entry for entry in entries if known.in_it(entry.name)]
    located = any(_PLACE_COLUMN.search(cell) for index, cell in enumerate(table.header) if index != column)
    clear = header[column] in _NAME_COLUMNS
    if not entries or (not clear and not (matching and (located or _MENTIONS.search(title)))):
        return
    if len(matching) * 2 >= len(entries) or (clear and located and all(_is_name(entry.name) for entry in entries)):
        kept = entries if clear else matching
        items = tuple(_split([entry for entry in kept if entry in matching or _is_name(entry.name)], known))
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
    if row.struck:
        return True
    return any(
        _NOT_THERE.search(cell)
        or (index < len(header) and _STATUS_COLUMN.search(header[index]) and cell.lower() in ("no", "✗", "✘"))
        for index, cell in enumerate(row.cells)
    )


def _row_entry(row: Row, column: int, header: Sequence[str], path: str) -> _Entry:
    found: dict[int, None] = {}
    for index, cell in enumerate(row.cells):
        numbers: Sequence[int] = ()
        if index < len(header) and index != column and _PORT_COLUMN.search(header[index]):
            numbers = [int(number) for number in _NUMBER.findall(cell.replace(":", " "))]
        found.update(dict.fromkeys((*_ports(cell), *numbers)))
    ports = tuple(port for port in found if 20 <= port < 65_536)
    return _Entry(_name(row.cells[column]), Location(path, row.line), ports)
