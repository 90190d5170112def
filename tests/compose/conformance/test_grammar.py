"""Random projects from the grammar of the whole specification: equal to the real Compose, or refused by both."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.compose.conformance.grammar import composed, grammar, service_keys
from tests.compose.conformance.oracle import Answer, asked
from tests.compose.conformance.place import called, standing
from tests.parts.plugin import need

SHORT, WHOLE, AT_ONCE = 60, 6_000, 100
# What a random project cannot avoid and differences.yaml excuses, by what Compose says of it.
EXCUSED = re.compile(
    r"conflicts with imported resource"  # include-redefined
    r"|invalid jsonType time\.Time"  # yaml-timestamps
)


def unlike(numbers: Iterable[int], folder: Path) -> Iterator[str]:
    """The projects of which the two say different things."""
    for answer in asked(need("docker-compose"), map(composed, numbers), folder):
        if said := difference(answer):
            yield f"{answer.case.name}: {said}"


def difference(answer: Answer) -> str | None:
    with standing(answer.start, answer.case.environment(answer.root)):
        code, output, errors = called("config", *answer.case.options, "--format", "json")
    if answer.model is None:
        return f"only Compose refuses it: {answer.error[-200:]}" if code == 0 and not excused(answer) else None
    if code != 0:
        return f"only we refuse it: {errors[:300]}"
    ours = json.loads(output)
    return None if ours == answer.model else "; ".join(apart(answer.model, ours, ""))[:300]


def excused(answer: Answer) -> bool:
    return bool(EXCUSED.search(answer.error))


def apart(theirs: object, ours: object, path: str) -> Iterator[str]:
    """Where two models part."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys()):
            yield from apart(theirs.get(key), ours.get(key), f"{path}.{key}")
    elif theirs != ours:
        yield f"{path}: {theirs!r} there, {ours!r} here"


@pytest.mark.component
def test_random_projects_mean_the_same(tmp_path: Path) -> None:
    assert list(unlike(range(SHORT), tmp_path)) == []


@pytest.mark.component
@pytest.mark.endurance
@pytest.mark.timeout(7_200)
def test_thousands_of_random_projects_mean_the_same(tmp_path: Path) -> None:
    found: list[str] = []
    for start in range(0, WHOLE, AT_ONCE):
        found += unlike(range(start, start + AT_ONCE), tmp_path / str(start))
        shutil.rmtree(tmp_path / str(start))
    assert found == []


def test_the_same_number_is_the_same_project() -> None:
    assert [composed(number) for number in range(20)] == [composed(number) for number in range(20)]


def test_every_key_of_a_service_is_in_the_grammar() -> None:
    from auditor.compose.service import SERVICE

    unwritten = {"dockerfile", "image", "pre_start"}  # no key of a service, in every service, and newer than 2.40
    assert SERVICE.keys() - unwritten <= {*service_keys(), *grammar()}
