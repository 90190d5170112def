"""reStructuredText as Markdown, line for line: what claims are found in, and nothing that would only be rendered.

A small reader of lines, not a parser: it never fails, follows no `include`, and keeps the number of each line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from auditor.regexp import regexp

MAX_LINES = 20_000

_ADORNMENT = regexp(r"([=\-`:.'\"~^_*+#<>!$%&(),/;?@\[\\\]{|}])\1{2,}[ \t]*")
_DIRECTIVE = regexp(r"([ \t]*)\.\.[ \t]+([\w:+.-]+)::[ \t]*(.*)")
_TARGET = regexp(r"[ \t]*\.\.[ \t]+_([^:\n]{1,200}):[ \t]*(\S*)")
_COMMENT = regexp(r"[ \t]*\.\.(?:[ \t]|$)")
_OPTION = regexp(r"[ \t]+:[\w-]+:")
_GRID = regexp(r"[ \t]*\+(?:[-=]+\+)+[ \t]*")
_SIMPLE = regexp(r"[ \t]*=+(?:[ \t]+=+)+[ \t]*")
_ITEM = regexp(r"([ \t]*)(?:#\.|\(?\d{1,3}[.)])([ \t]+\S.*)")
_LINK = regexp(r"`([^`<>\n]{1,200}?)[ ]*<([^`<>\n]{1,500})>`__?")
_ROLE = regexp(
    r":(?:[a-z]+:)?(doc|ref|file|code|command|term|download|literal)?:?"
    r"`(?:([^`<>\n]{1,200}?)[ ]*<([^`<>\n]{1,300})>|([^`\n]{1,200}))`"
)
_CODE = ("code-block", "code", "sourcecode", "prompt", "mermaid")
_BODIES = (
    "note", "warning", "tip", "important", "attention", "hint", "caution", "danger", "seealso", "admonition",
    "container", "topic", "sidebar", "versionadded", "rubric",
)  # fmt: skip


def as_markdown(text: str) -> str:
    """The Markdown that says the same on the same lines."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(8).split("\n")[:MAX_LINES]
    return "\n".join(_Reader(lines).read())


class _Reader:
    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._out = list(lines)
        self._levels: list[str] = []  # adornments in the order in which they appear
        self._at = 0

    def read(self) -> list[str]:
        while self._at < len(self._lines):
            if not (self._heading() or self._directive() or self._table()):
                self._plain()
        return self._out

    def _line(self, ahead: int = 0) -> str:
        return self._lines[self._at + ahead] if 0 <= self._at + ahead < len(self._lines) else ""

    def _blank(self, count: int) -> None:
        for _ in range(min(count, len(self._lines) - self._at)):
            self._out[self._at] = ""
            self._at += 1

    def _heading(self) -> bool:
        over = _ADORNMENT.fullmatch(self._line()) is not None
        title, under = (self._line(1), self._line(2)) if over else (self._line(), self._line(1))
        if not _ADORNMENT.fullmatch(under) or not title.strip() or _ADORNMENT.fullmatch(title):
            return False
        if (over and self._line().strip() != under.strip()) or (not over and title[0] == " "):
            return False
        if len(under.strip()) < min(len(title.strip()), 4):
            return False
        kind = f"{under[0]}{'o' if over else ''}"
        if kind not in self._levels:
            self._levels.append(kind)
        level = min(6, self._levels.index(kind) + 1)
        if over:
            self._blank(1)
        self._out[self._at] = f"{'#' * level} {_inline(title.strip())}"
        self._at += 1
        self._blank(1)
        return True

    def _directive(self) -> bool:
        line = self._line()
        if match := _DIRECTIVE.fullmatch(line):
            self._named(len(match[1]), match[2].lower(), match[3].strip())
            return True
        if match := _TARGET.fullmatch(line):
            name = match[1].strip("` ")
            self._out[self._at] = f"[{name}]: {match[2]}" if match[2] else f'<a id="{name}"></a>'
            self._at += 1
            return True
        if _COMMENT.match(line):
            indent = len(line) - len(line.lstrip())
            self._blank(1)
            self._blank(self._body(indent))
            return True
        return False

    def _named(self, indent: int, name: str, argument: str) -> None:
        if name in _CODE:
            opening = self._at
            self._blank(1)
            self._options(indent)
            self._literal(indent, "mermaid" if name == "mermaid" else argument or "text", opening)
        elif name in ("image", "figure"):
            self._out[self._at] = f"![]({argument})"
            self._at += 1
            self._options(indent)
        elif name == "list-table":
            self._list_table(indent)
        elif name in _BODIES:
            self._out[self._at] = _inline(argument)
            self._at += 1
            self._options(indent)
        else:
            self._blank(1)
            self._blank(self._body(indent))

    def _options(self, indent: int) -> None:
        while _OPTION.match(self._line()) and _indent(self._line()) > indent:
            self._blank(1)

    def _body(self, indent: int) -> int:
        """How many lines from here on are indented more, blank ones between them included."""
        count = last = 0
        while self._at + count < len(self._lines):
            line = self._line(count)
            if line.strip():
                if _indent(line) <= indent:
                    break
                last = count + 1
            count += 1
        return last

    def _literal(self, indent: int, language: str, opening: int | None = None) -> None:
        """An indented block as a fenced one. Its fences take the line `opening`, else the empty one before, and the one
        after it."""
        count = self._body(indent)
        body = [self._line(ahead) for ahead in range(count)]
        begin = next((index for index, line in enumerate(body) if line.strip()), count)
        margin = min((_indent(line) for line in body if line.strip()), default=0)
        place = self._at + begin - 1 if opening is None else opening
        if begin == count or (opening is None and not begin) or self._line(count).strip():
            self._blank(count)
            return
        for index, line in enumerate(body):
            self._out[self._at + index] = line[margin:]
        self._out[place] = f"```{language}"
        self._at += count
        if self._at < len(self._out):
            self._out[self._at] = "```"
            self._at += 1

    def _list_table(self, indent: int) -> None:
        self._blank(1)
        count, rows = self._body(indent), 0
        for index in range(self._at, self._at + count):
            line = self._lines[index].strip()
            if line.startswith("* -"):
                cells = [line[3:].strip()]
                following = index + 1
                while following < self._at + count and not self._lines[following].strip().startswith("* -"):
                    inner = self._lines[following].strip()
                    if inner.startswith("- "):
                        cells.append(inner[2:].strip())
                    following += 1
                rows += 1
                self._out[index] = f"| {' | '.join(map(_inline, cells))} |"
            elif rows:
                self._out[index] = self._below_row(index, first=rows == 1)
            else:
                self._out[index] = ""
        self._at += count

    def _below_row(self, index: int, *, first: bool) -> str:
        """What a line below the first one of a row becomes: once what sets the header off, else an empty row."""
        above = self._out[index - 1]
        if first and set(above) - set("|- "):
            return f"|{'---|' * above.count('|', 1)}"
        return "| |"

    def _table(self) -> bool:
        if _GRID.fullmatch(self._line()):
            self._grid()
            return True
        if _SIMPLE.fullmatch(self._line()) and self._line(1).strip():
            self._simple()
            return True
        return False

    def _grid(self) -> None:
        self._blank(1)
        headed = False
        while self._at < len(self._lines):
            line = self._line()
            if _GRID.fullmatch(line):
                self._out[self._at] = "| |" if headed else f"|{'---|' * (line.count('+') - 1)}"
                headed = True
            elif line.lstrip().startswith("|"):
                self._out[self._at] = _inline(line.strip())
            else:
                return
            self._at += 1

    def _simple(self) -> None:
        border = self._line()
        spans = [(match.start(), match.end()) for match in re.finditer("=+", border)]
        ends = [start for start, _ in spans[1:]] + [None]
        self._blank(1)
        borders = 0
        while self._at < len(self._lines) and borders < 2:
            line = self._line()
            if _SIMPLE.fullmatch(line):
                borders += 1
                self._out[self._at] = f"|{'---|' * len(spans)}" if borders == 1 else ""
                if borders == 1 and not self._line(1).strip():
                    borders = 2
            elif not line.strip():
                self._out[self._at] = "| |" if borders else ""
            else:
                cells = [line[start:end].strip() for (start, _), end in zip(spans, ends, strict=True)]
                self._out[self._at] = f"| {' | '.join(map(_inline, cells))} |"
            self._at += 1

    def _plain(self) -> None:
        line = self._line()
        item = _ITEM.fullmatch(line)
        text = f"{item[1]}1.{item[2]}" if item else line
        ends = text.rstrip().endswith("::")
        self._out[self._at] = _inline(text.rstrip()[:-1] if ends else text)
        self._at += 1
        if ends:
            self._literal(_indent(line), "")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _inline(text: str) -> str:
    """Links and roles as Markdown writes them."""
    text = _LINK.sub(r"[\1](\2)", text)
    return _ROLE.sub(_role, text)


def _role(match: re.Match[str]) -> str:
    title, target = match[2] or match[4], match[3] or match[4]
    if match[1] == "doc" and not target.startswith("/"):
        return f"[{title}](./{target.removeprefix('./')})"
    return title
