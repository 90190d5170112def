"""What a document claims of the services: how many there are, which, on which ports, and what it points at.

A wrong claim is worse than a missed one, so a text must say plainly that it speaks of what is: plans, history,
examples, what is optional or lives elsewhere are passed over, and so are numbers that count phases, tiers or versions.
"""

from __future__ import annotations

from collections.abc import Collection

from auditor.model import Document
from auditor.sources.documents.badges import badges
from auditor.sources.documents.counts import counts
from auditor.sources.documents.diagrams import diagrams
from auditor.sources.documents.lists import lists
from auditor.sources.documents.lookup import Lookup
from auditor.sources.documents.markdown import blocks
from auditor.sources.documents.pointers import pointers
from auditor.sources.documents.restructured import as_markdown
from auditor.sources.documents.sections import sections
from auditor.sources.documents.sums import sums

MAX_CLAIMS = 500


def parse_document(
    text: bytes, path: str, words: Collection[str], lookup: Lookup | None = None, directory: str = ""
) -> Document:
    """The claims of a document: Markdown, or reStructuredText where its name ends so.

    words: the normal forms (`auditor.words.normal`) of the names that are known: services, titles, components.
    lookup: where what it points at is looked for. directory: where the catalogue lies.
    """
    whole = text.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if path.endswith((".rst", ".rest")):
        whole = as_markdown(whole)
    found = list(sections(blocks(whole)))
    known = frozenset(words)
    claims = [*badges(whole, path)]
    claims += [claim for section in found for claim in (*counts(section, path), *sums(section, path))]
    named = [group for section in found for group in (*lists(section, known, path), *diagrams(section, known, path))]
    dead = pointers(lookup, whole, path, found, directory) if lookup else ()
    return Document(path, tuple(claims[:MAX_CLAIMS]), tuple(named[:MAX_CLAIMS]), dead)
