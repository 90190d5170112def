"""Each fact of the knowledge base stands on a public page, and a page states nothing that is no fact (any more)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from auditor.errors import TextError
from auditor.knowledge.facts import FACTS, Source, astray, facts, parse_sources, said_by, unsourced
from auditor.model import Component, DefaultProbe, Metrics
from auditor.sources.knowledge import load, load_source_texts, load_texts

KNOWN = load()
SOURCES = parse_sources(load_source_texts())
PAGES = sorted({source.page for sources in SOURCES.values() for source in sources})
OURSELVES = "stack-auditor"  # what this project says of itself is held by the tests of its server

CACHE = Component(
    "cache",
    "Cache",
    "cache",
    ("cache", "team/cache"),
    ports=(6379, 80),
    metrics=Metrics(80),
    probe=DefaultProbe("tcp", 80),
)


@pytest.mark.parametrize("component", [c for c in KNOWN if c.key != OURSELVES], ids=lambda c: c.key)
def test_each_fact_has_its_source(component: Component) -> None:
    assert unsourced(component, SOURCES.get(component.key, ())) == []


@pytest.mark.parametrize("component", KNOWN, ids=lambda c: c.key)
def test_no_source_states_what_is_no_fact(component: Component) -> None:
    assert astray(component, SOURCES.get(component.key, ())) == []
    assert set(component.admin_ports) <= set(component.ports)


def test_sources_are_of_known_components_and_stand_beside_their_facts() -> None:
    assert set(SOURCES) == {component.key for component in KNOWN} - {OURSELVES}
    themes = {path: re.findall(r"^([a-z0-9-]+):", text.decode(), re.MULTILINE) for path, text in load_source_texts()}
    facts_of = {path: re.findall(r"^([a-z0-9-]+):", text.decode(), re.MULTILINE) for path, text in load_texts()}
    assert all(set(keys) <= set(facts_of[path]) for path, keys in themes.items())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_an_address_that_anybody_can_open(page: str) -> None:
    parts = urlsplit(page)
    assert parts.scheme == "https"
    assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc)
    assert re.fullmatch(r"[\w./#-]*", page.removeprefix(f"https://{parts.netloc}"))
    if parts.netloc == "github.com":
        assert re.match(
            r"/[\w.-]+/[\w.-]+(/(blob/(HEAD|[0-9a-f]{40})/.+|issues/\d+|releases|wiki/.+|pkgs/container/.+))?$",
            parts.path,
        )


@pytest.mark.parametrize("component", [c for c in KNOWN if c.alerts], ids=lambda c: c.key)
def test_alert_rules_are_a_file_that_can_be_fetched(component: Component) -> None:
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/blob/HEAD/[\w./-]+\.ya?ml", component.alerts or "")


def test_facts_are_listed_item_by_item_as_they_are_written() -> None:
    assert facts(CACHE) == {
        "images": ("cache", "team/cache"),
        "ports": ("6379", "80"),
        "probe": ("tcp 80",),
        "metrics": ("80",),
    }


def test_a_fact_that_changed_is_without_a_source_again() -> None:
    source = Source("https://a.example", {"images": ("cache",), "ports": ("6379", "81"), "metrics": ("80",)})
    assert unsourced(CACHE, [source]) == [("images", "team/cache"), ("ports", "80"), ("probe", "tcp 80")]
    assert astray(CACHE, [source]) == [("ports", "81")]


def test_who_states_the_port_states_that_it_can_be_asked() -> None:
    sources = [Source("https://a.example", {"images": ("cache",)}), Source("https://b.example", {"ports": ("80",)})]
    assert list(said_by(sources, "probe", "tcp 80")) == [2]
    assert list(said_by(sources, "probe", "http 80/")) == []


def test_sources_are_read_with_their_items() -> None:
    text = b"a:\n  https://x.example/y:\n    ports: 1, 2\n    replaced_by: this, or that\n"
    assert parse_sources([("s.yaml", text)]) == {
        "a": (Source("https://x.example/y", {"ports": ("1", "2"), "replaced_by": ("this, or that",)}),)
    }
    assert set(FACTS) >= {"ports", "replaced_by"}


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("[]", "mappings", 1),
        ("a: x", "mappings", 1),
        ("a:\n  https://x.example: x", "mappings", 2),
        ("a:\n  https://x.example:\n    port: 1", "`port` is no fact", 3),
        ("a: {", "not valid YAML", 2),
    ],
)
def test_what_is_wrong_in_sources_is_said(text: str, words: str, line: int) -> None:
    with pytest.raises(TextError) as caught:
        parse_sources([("s.yaml", text.encode())])
    assert words in caught.value.what
    assert caught.value.line == line


def test_sources_of_a_component_stand_in_one_place() -> None:
    text = b"a: {https://x.example: {ports: 1}}"
    with pytest.raises(TextError, match="two places"):
        parse_sources([("s.yaml", text), ("t.yaml", text)])
