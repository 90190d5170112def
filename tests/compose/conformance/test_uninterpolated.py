"""`config --no-interpolate` against that of the real Compose, on every case of the corpus, in both forms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.compose.conformance.corpus import Case, corpus
from tests.compose.conformance.oracle import Answer, asked
from tests.compose.conformance.place import called, standing
from tests.compose.conformance.projects import projects
from tests.parts.plugin import need

CASES = [case for case in (*corpus(), *projects()) if not case.differs]
SHORT = CASES[::9]
REFUSED = (2, 3)  # exit codes: a wrong option, or files that cannot be composed


def unlike(cases: Iterable[Case], folder: Path, form: str) -> Iterator[str]:
    """The cases of which the two say different things."""
    flags = ("--format", form, "--no-interpolate")
    for answer in asked(need("docker-compose"), cases, folder, *flags):
        with standing(answer.start, answer.case.environment(answer.root)):
            code, output, errors = called("config", *answer.case.options, *flags, stdin=answer.case.stdin)
        if not same(answer, code, output, form):
            yield f"{answer.case.name}: exit code {code}, {answer.error[-200:] or errors[:200] or 'another model'}"


def same(answer: Answer, code: int, output: str, form: str) -> bool:
    """Whether both print the same, or both refuse."""
    if answer.text is None:
        return code in REFUSED
    if code != 0:
        return False
    return output == answer.text if form == "yaml" else bool(json.loads(output) == answer.model)


@pytest.mark.component
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_projects_mean_the_same_unresolved(form: str, tmp_path: Path) -> None:
    assert list(unlike(SHORT, tmp_path, form)) == []


@pytest.mark.component
@pytest.mark.endurance
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_all_projects_mean_the_same_unresolved(form: str, tmp_path: Path) -> None:
    assert list(unlike(CASES, tmp_path, form)) == []
