"""`explain --component`: what is known of a component, fact by fact, and the public page that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditor.knowledge.facts import Source
    from auditor.model import Component

_TITLES = {
    "images": "images",
    "retired": "retired images",
    "ports": "ports",
    "probe": "asked whether it works",
    "metrics": "metrics",
    "exporter_of": "speaks for",
    "pointed_by": "told whom to ask by",
    "series": "its metrics begin with",
    "log_format": "logs on standard output",
    "log": "log files",
    "data": "data",
    "lacks": "programs it lacks",
    "start": "seconds to start",
    "replaced_by": "replaced by",
}


def page(name: str, catalogue: str | None, root: str | None) -> str:
    """The text for a component, given by key, title, other name or image. Raises UsageError or CatalogueError."""
    from auditor.knowledge.facts import parse_sources
    from auditor.scan import known_components
    from auditor.settings import Settings
    from auditor.sources import knowledge
    from exporters.escape import clean

    components = known_components(Settings(catalogue=catalogue, root=root))
    component = _find(components, name)
    sources = parse_sources(knowledge.load_source_texts()).get(component.key, ())
    lines = [*_head(component), "", *_facts(component, sources), *_pages(sources)]
    return "".join(f"{clean(line)}\n" for line in lines)


def _find(components: tuple[Component, ...], name: str) -> Component:
    from auditor.errors import UsageError, did_you_mean
    from auditor.knowledge import by_image, by_key, by_name, words

    found = by_key(components, name) or by_name(components, name) or by_image(components, name)
    if found is None:
        help = did_you_mean(name, (word for component in components for word in words(component)))
        more = "name a key, a title or an image; `knowledge` in the catalogue adds components"
        raise UsageError(f"nothing is known of `{name}`", help=help or more)
    return found


def _head(component: Component) -> Iterator[str]:
    yield component.key
    yield f"{component.title}, kind {component.kind.replace('_', ' ')}"
    if component.metrics and component.metrics.exporter:
        yield f"Exporter: {component.metrics.exporter}"
    if component.alerts:
        yield f"Alert rules: {component.alerts}"
    if component.expects:
        yield ""
        yield "Belongs to its nature, and is told as info:"
        yield from (f"  {expect.check}: {expect.reason}" for expect in component.expects)


def _facts(component: Component, sources: Sequence[Source]) -> Iterator[str]:
    from auditor.knowledge.facts import facts, said_by

    yield "Known:"
    for name, items in facts(component).items():
        shown = (f"{item}{''.join(f' [{n}]' for n in said_by(sources, name, item))}" for item in items)
        yield f"  {_TITLES[name]}: {', '.join(shown)}"


def _pages(sources: Sequence[Source]) -> Iterator[str]:
    if sources:
        yield ""
        yield "Sources:"
        yield from (f"  [{number}] {source.page}" for number, source in enumerate(sources, 1))
