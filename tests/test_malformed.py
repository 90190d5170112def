"""Malformed files at the parsers: one error with its place, soon, and of bounded size."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from auditor.catalogue import parse_catalogue
from auditor.errors import AuditorError, CatalogueError, TextError
from auditor.yamlfile import parse_documents
from tests.malformed.cases import CATALOGUES, COMPOSE_FILES, SECOND, YAML, Case


def as_catalogue(data: bytes) -> None:
    parse_catalogue(data, "some.yaml")


def as_compose(data: bytes) -> None:
    tags = frozenset({"!reset", "!override"})
    parse_documents(data, "some.yaml", dialect="go", tags=tags, string_keys=True)


def holds(case: Case, parse: Callable[[bytes], None], kind: type[AuditorError]) -> None:
    data = case.content()
    assert data is not None
    started = time.process_time()
    with pytest.raises(kind) as caught:
        parse(data)
    assert time.process_time() - started < SECOND * 10
    assert case.says in caught.value.what
    assert caught.value.path == "some.yaml"
    assert caught.value.line is not None and case.line in (None, caught.value.line)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("case", [*YAML, *CATALOGUES], ids=str)
def test_malformed_catalogues(case: Case) -> None:
    holds(case, as_catalogue, CatalogueError)


@pytest.mark.parametrize("case", [*YAML, *COMPOSE_FILES], ids=str)
def test_malformed_compose_files(case: Case) -> None:
    holds(case, as_compose, TextError)
