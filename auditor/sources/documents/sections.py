"""The sections of a document, and which of them speak of something else than what is deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from auditor.frozen import dataclass
from auditor.sources.documents.markdown import Block, Heading
from auditor.sources.documents.phrases import phrases

# What such a section lists or counts is not there, not ours, or no service.
EXCLUDED = phrases(
    r"""
    roadmap | plan | plans | planned | future | upcoming | coming | todo | to do | backlog | wish ?list | proposals?
    | proposed | vision | goals? | targets? | phases? | timeline | milestones? | success | next | recommendations?
    | suggestions? | ideas? | history | historical | changelog | change log | releases? | previous | previously
    | former | formerly | legacy | deprecated | removed | retired | archived? | old | before | migrate | migrating
    | migration | optional | missing | gaps? | examples? | samples? | demo | template | alternatives? | comparison
    | versus | vs | external | third part(?:y|ies) | cloud | managed | saas | upstream | prerequisites? | requirements?
    | requires? | tech | technology | technologies | built with | features? | benefits? | advantages?
    | responsibilit(?:y|ies) | principles? | use cases? | capabilit(?:y|ies) | trouble ?shooting | problems? | issues?
    | errors? | faq | limitations? | debugging | adding | add | remove | removing | create | creating | contribute
    | contributing | contributors? | licen[cs]e | credits? | acknowledg\w+ | references? | links | contents | commands?
    | environment variables? | thresholds? | best practices? | scale | scaling | strateg(?:y|ies) | optimi[sz]ations?
    | improvements? | opportunit(?:y|ies) | testing | tests | benchmarks? | performance
    """
)


@dataclass(frozen=True, slots=True)
class Section:
    """What stands below one heading. `headings`: it and those above it, the outermost first."""

    headings: tuple[Heading, ...]
    blocks: tuple[Block, ...]
    numbered: bool = False  # headings of the document begin with running numbers

    @property
    def title(self) -> str:
        return self.headings[-1].text if self.headings else ""

    @property
    def excluded(self) -> bool:
        """Whether it, or one above it but the document's own title, speaks of something else."""
        return any(EXCLUDED.search(heading.text) for heading in self.headings if heading.level > 1)


def sections(blocks: Sequence[Block]) -> Iterator[Section]:
    """The sections in order; the first one is what stands before any heading."""
    numbered = sum(isinstance(block, Heading) and starts_with_number(block.text) for block in blocks) > 1
    headings: list[Heading] = []
    inside: list[Block] = []
    for block in blocks:
        if isinstance(block, Heading):
            yield Section(tuple(headings), tuple(inside), numbered)
            inside = []
            while headings and headings[-1].level >= block.level:
                headings.pop()
            headings.append(block)
        else:
            inside.append(block)
    yield Section(tuple(headings), tuple(inside), numbered)


def starts_with_number(text: str) -> bool:
    """Whether a heading begins like `3 Services`."""
    return re.match(r"\d{1,2}\s", text) is not None
