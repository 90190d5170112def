"""Our canonical model against that of the real Compose, on every case of the corpus."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.compose.conformance.corpus import corpus, differences, left
from tests.compose.conformance.oracle import Answer, asked
from tests.compose.conformance.place import called, standing
from tests.compose.conformance.projects import projects
from tests.parts.plugin import need

pytestmark = pytest.mark.timeout(900)  # the first test waits for all answers of the real Compose
CASES = {case.name: case for case in (*corpus(), *projects())}
EVERY_TRAP = range(1, 72)
REFUSED = (2, 3)  # exit codes: a wrong option, or files that cannot be composed


@pytest.fixture(scope="module")
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """What the real Compose says of all cases that this run asks for, by name."""
    program = need("docker-compose")
    names = [item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")]
    wanted = [CASES[name] for name in dict.fromkeys(names) if name in CASES]
    return {answer.case.name: answer for answer in asked(program, wanted, tmp_path_factory.mktemp("conformance"))}


@pytest.fixture
def ours() -> Callable[[Answer], tuple[int, str, str]]:
    """`auditor config --format json` of the same files, in the same place: code, output, errors."""

    def config(answer: Answer) -> tuple[int, str, str]:
        with standing(answer.start, answer.case.environment(answer.root)):
            return called("config", *answer.case.options, "--format", "json", stdin=answer.case.stdin)

    return config


def told(name: str) -> Any:
    """The case's name, marked where it is known not to be equal yet."""
    return pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=left()[name])) if name in left() else name


@pytest.mark.component
@pytest.mark.parametrize("name", [told(name) for name in CASES])
def test_means_the_same_as_compose(name: str, answers: dict[str, Answer], ours: Callable[[Answer], Any]) -> None:
    answer = answers[name]
    assert (answer.model is None) == answer.case.refused, answer.error or "Compose accepts it"
    code, output, errors = ours(answer)
    if answer.case.differs:
        assert (code == 0) == differences()[answer.case.differs]["accepted"], errors
    elif answer.case.refused:
        assert code in REFUSED, output
    else:
        assert code == 0, errors
        assert json.loads(output) == answer.model


@pytest.mark.component
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.differs])
def test_a_difference_is_one(name: str, answers: dict[str, Answer], ours: Callable[[Answer], Any]) -> None:
    code, output, _ = ours(answers[name])
    assert (json.loads(output) if code == 0 else None) != answers[name].model


def test_every_trap_is_covered() -> None:
    assert set(EVERY_TRAP) <= {trap for case in corpus() for trap in case.traps}


def test_every_difference_has_a_case_a_version_and_a_reason() -> None:
    assert {case.differs for case in CASES.values() if case.differs} == differences().keys()
    assert all({"compose", "accepted", "reason"} <= entry.keys() for entry in differences().values())


def test_the_corpus_is_large_enough() -> None:
    assert len(corpus()) >= 300
    assert len(projects()) >= 40
    assert len(CASES) == len(corpus()) + len(projects()), "two cases of one name"
