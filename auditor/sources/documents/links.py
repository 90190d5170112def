"""Where a document's links lead: files of the project and headings, the rest of the world left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from auditor.regexp import regexp
from auditor.sources.documents.markdown import Code, parts

_INLINE = regexp(
    r"\]\([ ]{0,3}(?:<([^<>\n]{1,500})>|([^()\s<>]{1,500}(?:\([^()\s]{0,100}\)[^()\s]{0,100})?))"
    r"(?:[ ]+[\"'(][^\n]{0,200}?[\"')])?[ ]{0,3}\)"
)
_DEFINITION = regexp(r"[ ]{0,3}\[(?!\^)[^\[\]\n]{1,200}\]:[ \t]{0,5}<?([^\s<>]{1,500})>?")
_HTML = regexp(r"(?i)<(?:a|img|source)\b[^<>]{0,300}?\b(?:href|src|srcset)[ ]?=[ ]?[\"']([^\"'<>\s]{1,500})[\"']")
_CODE = regexp(r"(`{1,3})(?!`)[^\n]{1,300}?(?<!`)\1(?!`)")
_ELSEWHERE = regexp(r"(?i)[a-z][a-z0-9+.-]*:|//|#$|\?|.*[{}$<>*|]")
# Pages of the site that hosts the repository: `../../issues`.
_HOST_PAGE = regexp(
    r"(?:\.\./){1,6}(?:-/)?(?:issues|pulls?|actions|releases|wiki|discussions|blob|tree|raw|projects|security|commits?"
    r"|stargazers|network|graphs|milestones?|labels|compare|tags|contributors|merge_requests|pipelines|badges)\b"
)
_ANCHOR = regexp(r"(?i)<[a-z][a-z0-9]*\b[^<>]{0,200}?\b(?:id|name)[ ]?=[ ]?[\"']([^\"'<>]{1,200})[\"']")
_ATTRIBUTE = regexp(r"\{[:#][^{}]{0,100}?#?([\w-]{1,100})\}")
_HEADING = regexp(r"[ ]{0,3}#{1,6}[ \t]+(.*)")
_UNDERLINE = regexp(r"[ ]{0,3}(?:={2,}|-{2,})[ \t]*")
_NUMBERED = regexp(r"-?\d{1,3}$")
MAX_LINKS = 1_000


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a file of the project or to a heading: the path, decoded ("" = this document), and the anchor."""

    text: str
    path: str
    anchor: str
    line: int


def links(text: str) -> Iterator[Link]:
    """The links of a Markdown document that stay in the project."""
    count = 0
    for part in parts(text):
        if isinstance(part, Code) or ("(" not in part[1] and ":" not in part[1] and "=" not in part[1]):
            continue
        line = _CODE.sub(lambda match: " " * len(match[0]), part[1])
        for target in _targets(line):
            if _ELSEWHERE.match(target) or _HOST_PAGE.match(target):
                continue
            path, _, anchor = target.partition("#")
            count += 1
            if count > MAX_LINKS:
                return
            yield Link(target, unquote(path.partition("?")[0]), unquote(anchor), part[0])


def _targets(line: str) -> Iterator[str]:
    for match in _INLINE.finditer(line):
        yield match[1] or match[2]
    if definition := _DEFINITION.match(line):
        yield definition[1]
    for match in _HTML.finditer(line):
        yield match[1]


def anchors(text: str) -> frozenset[str]:
    """What can be linked to in a Markdown document, as `plain_anchor` writes it."""
    found: set[str] = set()
    before = ""
    for part in parts(text):
        if isinstance(part, Code):
            before = ""
            continue
        line = part[1]
        if match := _HEADING.fullmatch(line):
            found.add(plain_anchor(_ATTRIBUTE.sub("", match[1])))
        elif before.strip() and _UNDERLINE.fullmatch(line):
            found.add(plain_anchor(before))
        found.update(plain_anchor(match[1]) for match in _ANCHOR.finditer(line))
        found.update(plain_anchor(match[1]) for match in _ATTRIBUTE.finditer(line))
        before = line
    return frozenset(found)


def plain_anchor(text: str) -> str:
    """An anchor or heading as they are compared: by its ASCII letters and digits, since sites differ in the rest."""
    text = re.sub(r"\]\([^()]*\)", "", text)
    return "".join(char for char in text.lower() if char.isascii() and char.isalnum())


def is_there(anchor: str, known: frozenset[str]) -> bool:
    """Whether an anchor leads to a known place, as far as that can be told."""
    plain = plain_anchor(anchor)
    if not plain or plain == "top" or re.fullmatch(r"l\d+(?:l?\d+)?", plain) or not anchor.isascii():
        return True
    return plain in known or (_NUMBERED.sub("", anchor) != anchor and plain_anchor(_NUMBERED.sub("", anchor)) in known)
