"""Markdown text to the few blocks that claims are found in: headings, paragraphs, list items, table rows, code.

No renderer: comments and front matter are left out, markup is taken off, lines are kept. Every pattern is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from auditor.regexp import regexp

MAX_LINES = 20_000
MAX_WIDTH = 2_000  # characters of a line that are looked at


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; `level` from 1."""

    level: int
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines of prose: the number and the text of each. `bold`: nothing but bold text, which serves as a heading."""

    lines: tuple[tuple[int, str], ...]
    bold: bool = False

    @property
    def text(self) -> str:
        return " ".join(text for _, text in self.lines)

    @property
    def line(self) -> int:
        return self.lines[0][0]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list with the items below it. `task`: it has a check box. `struck`: it is crossed out."""

    text: str
    line: int
    indent: int
    bold: str | None = None  # the bold text or code that it begins with
    task: bool = False
    struck: bool = False
    children: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class List:
    """The items of one list."""

    items: tuple[Item, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    cells: tuple[str, ...]
    line: int
    struck: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a header row."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Code:
    """Text between fences, as it stands; `language` is the first word behind the opening one, in lower case."""

    language: str
    lines: tuple[tuple[int, str], ...]


Block = Heading | Paragraph | List | Table | Code

_HEADING = regexp(r" {0,3}(#{1,6})[ \t]+(.*)")
_FENCE = regexp(r"[ \t]*(?:>[ \t]?)?(`{3,}|~{3,})(.*)")
_ITEM = regexp(r"([ \t]*)(?:[-*+•]|\d{1,3}[.)])[ \t]+(\S.*)")
_TASK = regexp(r"\[[ xX]\][ \t]+")
_RULE = regexp(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})")
_DELIMITER = regexp(r"[ \t|:-]+")
_BOLD_START = regexp(r"(?:\*\*|__|`)([^*`]{1,120}?)(?:\*\*|__|`)")
_BOLD_ALL = regexp(
    r"[^\w*]{0,4}(?:\*\*|__)[^*]+(?:\*\*|__)[^\w*]{0,2}|[^\w*]{0,4}(?:\*\*|__)[^*]+(?:\*\*|__) ?\([^()]*\):?"
)
_QUOTE = regexp(r"^[ \t]{0,3}>[ \t]?")

_IMAGE = regexp(r"!\[[^\[\]]*\]\([^()]*\)")
_LINK = regexp(r"\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_TAG = regexp(r"<(?:/?[A-Za-z][^<>]*|![^<>]*)>")
_AUTOLINK = regexp(r"<(https?://[^<>\s]+)>")
_ESCAPE = regexp(r"\\([^\w\s])")
_MARKS = regexp(r"\*{1,3}|`{1,3}|~~|(?<!\w)_{1,3}|_{1,3}(?!\w)")
_STRUCK = regexp(r"[ \t]*~~[^~]+~~")


def plain(text: str) -> str:
    """Text without Markdown's and HTML's markup."""
    text = _IMAGE.sub(" ", text)
    text = _AUTOLINK.sub(r"\1", text)
    text = _TAG.sub(" ", _LINK.sub(r"\1", text))
    text = _MARKS.sub("", text)
    return " ".join(unescape(_ESCAPE.sub(r"\1", text)).split())


def blocks(text: str) -> list[Block]:
    """The blocks of a document in order."""
    reader = _Reader()
    for part in parts(text):
        if isinstance(part, Code):
            reader.found.append(part)
        else:
            reader.take(*part)
    reader.close()
    return reader.found


def parts(text: str) -> Iterator[tuple[int, str] | Code]:
    """The numbered lines outside comments and front matter, and the code among them.

    What is left out leaves an empty line, and so does code.
    """
    fence, language = "", ""
    comment = False
    inside: list[tuple[int, str]] = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MAX_LINES]
    begin = _front_matter(lines)
    for number, full in enumerate(lines, 1):
        line = full[:MAX_WIDTH]
        if number <= begin:
            continue
        match = _FENCE.fullmatch(line)
        if fence:
            if match and match[1].startswith(fence) and not match[2].strip():
                yield Code(language, tuple(inside))
                fence, inside = "", []
            else:
                inside.append((number, _QUOTE.sub("", line, count=1)))
            yield number, ""
            continue
        line, comment = _without_comments(line, comment)
        match = _FENCE.fullmatch(line)
        if match and not (match[1][0] == "`" and "`" in match[2]):
            fence, language = match[1], _language(match[2])
            yield number, ""
            continue
        yield number, line
    if fence:
        yield Code(language, tuple(inside))


def _language(info: str) -> str:
    """`bash` of `bash title="x"`, `{.bash}` and `{bash}`."""
    return next(iter(re.findall(r"[\w+-]+", info.lower())), "")


def _front_matter(lines: list[str]) -> int:
    """How many lines a YAML block at the very top takes."""
    if not lines or lines[0].rstrip() != "---":
        return 0
    return next((number for number, line in enumerate(lines[1:200], 2) if line.rstrip() in ("---", "...")), 0)


def _without_comments(line: str, inside: bool) -> tuple[str, bool]:
    kept: list[str] = []
    rest = line
    while rest:
        mark = "-->" if inside else "<!--"
        before, found, rest = rest.partition(mark)
        if not inside:
            kept.append(before)
        if not found:
            break
        inside = not inside
    return "".join(kept), inside


def cells(line: str) -> tuple[str, ...]:
    """The cells of a table row, still with markup."""
    inner = line.strip().removeprefix("|").removesuffix("|")
    return tuple(cell.replace("\0", "|").strip() for cell in inner.replace("\\|", "\0").split("|"))


@dataclass(slots=True)
class _Open:
    """An item whose children are still to come."""

    text: str
    line: int
    indent: int
    bold: str | None
    task: bool
    struck: bool
    children: list[_Open] = field(default_factory=list)

    def closed(self, depth: int = 0) -> Item:
        children = tuple(child.closed(depth + 1) for child in self.children) if depth < _DEEPEST else ()
        return Item(self.text, self.line, self.indent, self.bold, self.task, self.struck, children)


_DEEPEST = 20


class _Reader:
    """Gathers lines into blocks."""

    def __init__(self) -> None:
        self.found: list[Block] = []
        self._lines: list[tuple[int, str]] = []  # of the open paragraph, with markup
        self._items: list[_Open] = []
        self._stack: list[_Open] = []
        self._blank = True
        self._table: tuple[int, tuple[str, ...]] | None = None
        self._rows: list[Row] = []

    def take(self, number: int, line: str) -> None:
        line = _QUOTE.sub("", line, count=1)
        if not line.strip():
            self._end_paragraph()
            self._end_table()
            self._blank = True
            return
        if not (self._heading(number, line) or self._row(number, line) or self._item(number, line)):
            self._other(number, line)
        self._blank = False

    def close(self) -> None:
        self._end_paragraph()
        self._end_table()
        self._end_list()

    def _heading(self, number: int, line: str) -> bool:
        match = _HEADING.fullmatch(line)
        if match:
            self.close()
            self.found.append(Heading(len(match[1]), plain(match[2].rstrip(" \t#")), number))
            return True
        stripped = line.strip()
        if self._lines and len(self._lines) == 1 and (set(stripped) == {"="} or set(stripped) == {"-"}):
            number, text = self._lines.pop()
            self.close()
            self.found.append(Heading(1 if stripped[0] == "=" else 2, plain(text), number))
            return True
        if _RULE.fullmatch(line):
            self.close()
            return True
        return False

    def _row(self, number: int, line: str) -> bool:
        if self._table is not None:
            if "|" not in line:
                self._end_table()
                return False
            values = cells(line)
            self._rows.append(Row(tuple(map(plain, values)), number, any(map(_STRUCK.fullmatch, values))))
            return True
        if "|" in line and "-" in line and self._lines and _DELIMITER.fullmatch(line) and "|" in self._lines[-1][1]:
            began, header = self._lines.pop()
            names = tuple(map(plain, cells(header)))
            self._end_paragraph()
            self._end_list()
            self._table = (began, names)
            return True
        return False

    def _item(self, number: int, line: str) -> bool:
        match = _ITEM.fullmatch(line)
        if not match:
            return False
        indent = len(match[1].expandtabs(4))
        if indent >= 4 and not self._stack:
            return True  # indented code
        self._end_paragraph()
        self._end_table()
        raw = match[2]
        task = _TASK.match(raw)
        raw = raw[task.end() :] if task else raw
        bold = _BOLD_START.match(raw)
        item = _Open(
            plain(raw), number, indent, plain(bold[0]) if bold else None, task is not None, bool(_STRUCK.match(raw))
        )
        while self._stack and indent < self._stack[-1].indent + (2 if self._stack[-1].indent < indent else 1):
            self._stack.pop()
        (self._stack[-1].children if self._stack else self._items).append(item)
        self._stack.append(item)
        return True

    def _other(self, number: int, line: str) -> None:
        indented = line[0] in " \t"
        if self._stack and (indented or not self._blank):
            return  # goes on with the item above
        if indented and self._blank and len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip()) >= 4:
            return  # indented code
        self._end_list()
        self._lines.append((number, line))

    def _end_paragraph(self) -> None:
        if not self._lines:
            return
        bold = len(self._lines) == 1 and _BOLD_ALL.fullmatch(self._lines[0][1].strip()) is not None
        self._end_list()
        self.found.append(Paragraph(tuple((number, plain(line)) for number, line in self._lines), bold))
        self._lines = []

    def _end_table(self) -> None:
        if self._table is not None:
            line, header = self._table
            self.found.append(Table(header, tuple(self._rows), line))
        self._table, self._rows = None, []

    def _end_list(self) -> None:
        if self._items:
            self.found.append(List(tuple(item.closed() for item in self._items), self._items[0].line))
        self._items, self._stack = [], []
