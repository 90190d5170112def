"""The nodes of diagrams, Mermaid's and those drawn with characters, as far as they are known names and nothing else.

What a diagram shows that is not known may be a user, a browser or another company, so it is no claim.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.model import ListItem, Location, ServiceList
from auditor.regexp import regexp
from auditor.sources.documents.markdown import Code
from auditor.sources.documents.phrases import phrases
from auditor.sources.documents.sections import Section
from auditor.words import normal

_KINDS = regexp(r"[ \t]*(?:graph|flowchart|sequenceDiagram|architecture-beta|C4Container|C4Component|C4Deployment)\b")
_OTHERS = regexp(r"[ \t]*(?:gantt|pie|timeline|journey|gitGraph|mindmap|erDiagram|classDiagram|stateDiagram)")
_LABEL = regexp(
    r"(?<![\w-])[\w-]{1,60}(?:@\{[^{}\n]{0,80})?[ ]?[\[({>/\\|]{1,3}[\"']?([^\[\](){}|\"\n]{1,120})[\"']?[\])}/\\]{1,3}"
)
_BARE = regexp(
    r"[ \t]*([A-Za-z][\w-]{0,60})[ \t]*(?:-|=|<|\.|--)[^\n]*?[>ox-][ \t]*(?:\|[^|\n]*\|)?[ \t]*"
    r"([A-Za-z][\w-]{0,60})[ \t]*;?[ \t]*$"
)
_PARTICIPANT = regexp(r"[ \t]*participant[ \t]+([\w-]{1,60})(?:[ \t]+as[ \t]+([^\n]{1,120}))?$")
_CALL = regexp(r"[ \t]*(?:Container|ContainerDb|ContainerQueue|Component)\([^,\n]{1,60},[ ]?\"([^\"\n]{1,120})\"")
_ARCHITECTURE = regexp(r"[ \t]*service[ \t]+([\w-]{1,60})(?:\([^()\n]*\))?(?:\[([^\[\]\n]{1,80})\])?")
_SUBGRAPH = regexp(r"[ \t]*(?:subgraph|box|System_Ext|group)\b(.*)")
_END = regexp(r"[ \t]*end[ \t]*$")
_BREAK = regexp(r"<br[ ]?/?>|\\n")
# Boxes of these names hold what is not deployed here.
_OUTSIDE = phrases(
    """
    external | third part(?:y|ies) | clients? | users? | browsers? | internet | cloud | saas | aws | gcp | azure
    | future | planned | optional | legacy | other | partner
    """
)
_WALL = regexp("[\u2502\u2503\u2551|]|\u00e2\u201d(?:\u201a|\u0192)|\u00e2\u2022\u2018")
_BORDER = regexp(
    "[\u250c\u2510\u2514\u2518\u251c\u2524\u2500\u2550\u2554\u2557]|\\+-{2,}|\u00e2\u201d[\u20ac\u0152\u0090]"
)
_FEWEST = 3  # nodes that make a diagram one of the system


def diagrams(section: Section, words: frozenset[str], path: str) -> Iterator[ServiceList]:
    """The diagrams of a section whose nodes are mostly known. words: normal forms of the names that are known."""
    if section.excluded:
        return
    for block in section.blocks:
        if not isinstance(block, Code) or not block.lines:
            continue
        found = list(_mermaid(block)) if block.language == "mermaid" else list(_drawn(block))
        items: dict[str, ListItem] = {}
        for line, text in found:
            name = " ".join(text.split()).strip(" .,:;*_`\"'")
            if normal(name) in words:
                items.setdefault(normal(name), ListItem(name, Location(path, line)))
        if len(items) >= _FEWEST:
            yield ServiceList(section.title or None, Location(path, block.lines[0][0]), tuple(items.values()), True)


def _mermaid(block: Code) -> Iterator[tuple[int, str]]:
    kind = next((line for _, line in block.lines if _KINDS.match(line) or _OTHERS.match(line)), "")
    if not _KINDS.match(kind):
        return
    boxes: list[bool] = []  # whether each open box holds what lives elsewhere
    for number, line in block.lines:
        line = line.partition("%%")[0]
        if box := _SUBGRAPH.match(line):
            boxes.append(_OUTSIDE.search(box[1]) is not None)
        elif _END.match(line):
            boxes = boxes[:-1]
        elif not any(boxes):
            yield from ((number, name) for name in _nodes(line, sequence="sequence" in kind))


def _nodes(line: str, *, sequence: bool) -> Iterator[str]:
    if match := _PARTICIPANT.match(line):
        yield _first(match[2] or match[1])
    elif sequence:
        return
    elif match := _CALL.match(line) or _ARCHITECTURE.match(line):
        yield _first(match[match.lastindex or 1])
    else:
        for label in _LABEL.finditer(line):
            yield _first(label[1])
        if edge := _BARE.match(line):
            yield from edge.groups()


def _first(label: str) -> str:
    """The first line of a label, without what is said of it in brackets."""
    return re.sub(r"\([^()]*\)|:\d{2,5}\b", "", _BREAK.split(label)[0])


def _drawn(block: Code) -> Iterator[tuple[int, str]]:
    if block.language not in ("", "text", "txt", "plaintext", "ascii") or not any(
        _BORDER.search(line) for _, line in block.lines
    ):
        return
    for number, line in block.lines:
        cells = _WALL.split(line)
        for cell in cells[1:-1] if len(cells) > 2 else ():
            if cell.strip() and not _BORDER.search(cell):
                yield number, _first(cell)
