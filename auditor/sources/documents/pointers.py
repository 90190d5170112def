"""What a document points at, by links and commands, and the project lacks.

A file counts as there wherever it lies in the tree: a document often leaves unsaid in which directory its reader is.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

from auditor.errors import TextError
from auditor.model import Location, Pointer
from auditor.regexp import regexp
from auditor.sources.commands import cut_secrets
from auditor.sources.documents.commands import Wanted, wanted
from auditor.sources.documents.links import Link, anchors, is_there, links
from auditor.sources.documents.lookup import Lookup
from auditor.sources.documents.markdown import Code
from auditor.sources.documents.phrases import phrases, words
from auditor.sources.documents.sections import Section
from auditor.sources.documents.shell import Command, shell_commands
from auditor.tree import join

MAX_POINTERS = 300

# What commands below such a heading need is not there any more, or not yet.
_NOT_NOW = phrases(
    r"""
    roadmap | plan | plans | planned | future | upcoming | coming | todo | to do | backlog | proposals? | proposed
    | vision | phases? | timeline | milestones? | recommendations? | ideas? | historical | history | changelog
    | change log | releases? | previous | former | legacy | deprecated | removed | retired | archived? | before
    | migrate | migrating | migration | missing | gaps? | upstream | third part(?:y|ies) | external
    | implementation steps? | prerequisites?
    """
)
_LEAVES = words("ssh vagrant")
_ENTERS = regexp(r"^(?:docker|podman|kubectl|docker-compose|oc)\b.*\b(?:ba|z|a)?sh$")
_MAKES_LAST = words("cp mv touch tee nano vim vi code mkdir ln install cat")
_OUTPUT = words("-o -O --output -out --out")
_INTO = words("unzip javac")  # `-d` names where they write
_CREATES = regexp(r"(?i)\b(?:create|creating|add|save|write|generate[sd]?|copy|put|rename|download)\b")
_INLINE_CODE = regexp(r"`([^`\n]{1,120})`")
_TARGET = regexp(r"^([A-Za-z][^:=#\n\t]{0,500}?)[ \t]*::?(?!=)", re.MULTILINE)
_OPEN_MAKEFILE = regexp(
    r"^(?:-?include[ \t]|[^#%\n]{0,500}%[^:\n]{0,500}:|[^#\n:=]{0,300}\$\([^:\n]{0,500}:)", re.MULTILINE
)
_CLONE = regexp(r"git clone (?:-\S+ )*\S*?([\w.-]+?)(?:\.git)?/?[ \t]*(?:[ ]([\w.-]+)[ \t]*)?$", re.MULTILINE)
_CLONING = regexp(r"git clone [^\n]{1,200}")
_STANDARD = words("http json unittest email xml test tests")
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


def pointers(
    lookup: Lookup, text: str, path: str, sections: Sequence[Section], directory: str = ""
) -> tuple[Pointer, ...]:
    """What the document at `path` points at in vain. directory: where the catalogue lies."""
    places = tuple(dict.fromkeys((posixpath.dirname(path), directory, "")))
    found = (*dead_links(lookup, text, path), *_Commands(lookup, text, path, places).dead(sections))
    first: dict[tuple[str, str], Pointer] = {}
    for pointer in found:
        first.setdefault((pointer.kind, pointer.name), pointer)
    return tuple(first.values())[:MAX_POINTERS]


# --- links -------------------------------------------------------------------------------------------------------


def dead_links(lookup: Lookup, text: str, path: str) -> Iterator[Pointer]:
    """The links to files that are not there, and to headings that are not."""
    known: dict[str, frozenset[str] | None] = {path: anchors(text)}
    for link in links(text):
        target = _target(link, path)
        if target is None:
            continue
        if not _leads_somewhere(lookup, target, link):
            yield Pointer("link", link.path, link.text, Location(path, link.line))
        elif link.anchor:
            if target not in known:
                known[target] = _anchors_of(lookup, target)
            there = known[target]
            if there is not None and not is_there(link.anchor, there):
                yield Pointer("anchor", link.text, link.text, Location(path, link.line))


def _target(link: Link, path: str) -> str | None:
    """The path that a link means; None where it leaves the project, or is one of a site's own addresses."""
    if not link.path:
        return path
    if link.path.startswith("/"):
        absolute = link.path.strip("/")
        return absolute if posixpath.splitext(absolute)[1] not in ("", ".html") else None
    try:
        return join(posixpath.dirname(path), link.path)
    except TextError:
        return None


def _leads_somewhere(lookup: Lookup, target: str, link: Link) -> bool:
    stem, ending = posixpath.splitext(target)
    candidates = [target]
    if ending in ("", ".html"):
        candidates += [f"{stem}{other}" for other in (".md", ".mdx", ".rst", ".markdown")]
        candidates += [f"{stem}/index{other}" for other in (".md", ".mdx", ".rst")]
    if any(lookup.exists(candidate) for candidate in candidates):
        return True
    if ending == ".html" or (not ending and not link.path.startswith((".", "docs/"))):
        return True  # made by a site generator, or an address of the site
    return link.path.startswith("/") and bool(lookup.ending(target) or not lookup.walked)


def _anchors_of(lookup: Lookup, target: str) -> frozenset[str] | None:
    if not target.endswith((".md", ".markdown")):
        return None
    text = lookup.text(target)
    return anchors(text) if text is not None else None


# --- commands ----------------------------------------------------------------------------------------------------


class _Commands:
    """The commands of one document. places: where its reader may stand."""

    def __init__(self, lookup: Lookup, text: str, path: str, places: tuple[str, ...]) -> None:
        self._lookup, self._text, self._path, self._places = lookup, text, path, places
        self._made: set[str] = set()

    def dead(self, sections: Sequence[Section]) -> Iterator[Pointer]:
        """What they need and the project lacks."""
        codes = [(code, section) for section in sections for code in section.blocks if isinstance(code, Code)]
        blocks = [(list(shell_commands(code)), section) for code, section in codes]
        self._made = self._made_here([command for commands, _ in blocks for command in commands])
        for commands, section in blocks:
            if not any(_NOT_NOW.search(heading.text) for heading in section.headings if heading.level > 1):
                yield from self._of_block(commands)

    def _of_block(self, commands: Sequence[Command]) -> Iterator[Pointer]:
        here = True
        for command in commands:
            first = command.words[0]
            if first in ("cd", "pushd"):
                here = self._is_ours(command.words[1] if len(command.words) > 1 else "")
                continue
            if here:
                yield from (self._pointer(item, command) for item in wanted(command) if self._lacks(item))
            if first in _LEAVES or _ENTERS.search(command.text):
                here = False

    def _pointer(self, item: Wanted, command: Command) -> Pointer:
        files: tuple[str, ...] = ()
        if item.kind == "service":
            files = tuple(found for name in item.files for found in self._lookup.ending(posixpath.normpath(name)))
            files = files if item.files else self._usual_compose_files()
        text = " ".join(cut_secrets(command.text.split()))
        return Pointer(item.kind, item.name, text, Location(self._path, command.line), files)

    def _made_here(self, commands: Sequence[Command]) -> set[str]:
        """The names of files and directories that the document makes, or tells its reader to make."""
        made: set[str] = set()
        for command in commands:
            made.update(command.writes)
            if command.words[0] in _MAKES_LAST:
                made.update(command.words[-1:])
            made.update(b for a, b in zip(command.words, command.words[1:], strict=False) if a in _OUTPUT)
            if command.words[0] in _INTO:
                made.update(b for a, b in zip(command.words, command.words[1:], strict=False) if a == "-d")
            if command.words[0] in ("curl", "wget"):
                made.update(word for word in command.words if "://" in word)
        for line in self._text.split("\n")[:20_000]:
            if "`" in line and _CREATES.search(line[:2_000]):
                made.update(match[1] for match in _INLINE_CODE.finditer(line[:2_000]))
        return {posixpath.basename(word.rstrip("/")) for word in made} - {""}

    def _is_ours(self, place: str) -> bool:
        """Whether a directory is one of the project's; one of no certain name is taken for the project's own."""
        if place in ("", "-", "~", ".", "..") or place.startswith(("/", "~", "$", "../")) or re.search("[<>{$]", place):
            return True
        path = posixpath.normpath(place)
        return self._anywhere(path) or path.partition("/")[0] == self._clone()

    def _clone(self) -> str | None:
        """The directory that the first `git clone` of the document makes: the project's own, more often than not."""
        line = _CLONING.search(self._text)
        match = _CLONE.search(line[0]) if line else None
        return (match[2] or match[1]) if match else None

    def _lacks(self, item: Wanted) -> bool:
        if posixpath.basename(item.name) in self._made:
            return False
        return self._QUESTIONS[item.kind](self, item.name)

    def _anywhere(self, path: str) -> bool:
        if any(self._lookup.exists(posixpath.normpath(posixpath.join(place, path))) for place in self._places):
            return True
        return bool(self._lookup.ending(path)) or not self._lookup.walked

    def _lacks_file(self, name: str) -> bool:
        return not self._anywhere(name)

    def _lacks_module(self, name: str) -> bool:
        first = name.partition(".")[0]
        if first in _STANDARD or not self._lookup.has_python(first):
            return False  # not ours
        path = name.replace(".", "/")
        return not (self._lookup.ending(f"{path}.py") or self._lookup.ending(path))

    def _lacks_target(self, name: str) -> bool:
        makefiles = [path for kind in ("Makefile", "makefile", "GNUmakefile") for path in self._lookup.ending(kind)]
        for path in makefiles:
            text = self._lookup.text(path)
            if text is None or _OPEN_MAKEFILE.search(text):
                return False
            if any(name in match[1].split() for match in _TARGET.finditer(text)):
                return False
        return self._lookup.walked

    def _lacks_script(self, name: str) -> bool:
        for path in self._lookup.ending("package.json"):
            scripts = _scripts(self._lookup.text(path))
            if scripts is None or name in scripts:
                return False
        return self._lookup.walked

    def _lacks_service(self, _: str) -> bool:
        return True  # whether Compose knows it is no question to the tree

    def _usual_compose_files(self) -> tuple[str, ...]:
        paths = [posixpath.join(place, name) for place in self._places for name in COMPOSE_FILES]
        return tuple(path for path in paths if self._lookup.exists(path))

    _QUESTIONS: ClassVar[Mapping[str, Callable[[_Commands, str], bool]]] = {
        "file": _lacks_file,
        "module": _lacks_module,
        "make": _lacks_target,
        "script": _lacks_script,
        "service": _lacks_service,
    }


def _scripts(text: str | None) -> frozenset[str] | None:
    """The scripts of a package.json; None where they cannot be told."""
    try:
        content = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    scripts = content.get("scripts", {}) if isinstance(content, dict) else None
    return frozenset(scripts) if isinstance(scripts, dict) else None
