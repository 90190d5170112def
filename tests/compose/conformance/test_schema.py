"""The verdict on each place of the published schema with each kind of value in it, against that of the real Compose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.compose.canonical import canonical
from auditor.model import EnvironmentSpec, Location
from auditor.sources import compose_schema
from tests.builders import MemoryTree
from tests.compose.conformance.corpus import Case
from tests.compose.conformance.oracle import asked
from tests.compose.conformance.swapped import SWAPS, swapped
from tests.parts.plugin import need

CASES = list({case.name: case for case in swapped(json.loads(compose_schema.load_text()))}.values())
EXCUSES = yaml.safe_load(Path(__file__).with_name("swapped.yaml").read_text())
AT_ONCE = 250
SHORT = CASES[::41]  # no multiple of the number of kinds: each kind and each part of the schema has its share


def accepted(case: Case) -> bool:
    """Whether `config` prints it."""
    spec, schema = EnvironmentSpec("default", Location("test"), project="project"), compose_schema.load()
    found = canonical(spec, MemoryTree(case.files), schema=schema, root="/project", files=("compose.yaml",))
    return found.config is not None and not found.faults


def excused(name: str, verdict: bool) -> bool:
    return any(re.fullmatch(excuse["cases"], name) and excuse["accepted"] is verdict for excuse in EXCUSES)


def unlike(cases: list[Case], folder: Path) -> Iterator[str]:
    """The cases on which the two do not agree, and nothing excuses it."""
    program = need("docker-compose")
    for start in range(0, len(cases), AT_ONCE):
        for answer in asked(program, cases[start : start + AT_ONCE], folder / str(start)):
            verdict = accepted(answer.case)
            if verdict != (answer.model is not None) and not excused(answer.case.name, verdict):
                yield f"{answer.case.name}: {answer.error[:200] or 'Compose accepts it'}"


@pytest.mark.component
def test_the_verdict_is_that_of_compose(tmp_path: Path) -> None:
    assert list(unlike(SHORT, tmp_path)) == []


@pytest.mark.component
@pytest.mark.endurance
@pytest.mark.timeout(3_600)
def test_the_verdict_is_that_of_compose_everywhere(tmp_path: Path) -> None:
    assert list(unlike(CASES, tmp_path)) == []


@pytest.mark.parametrize("excuse", EXCUSES, ids=lambda excuse: excuse["reason"])
def test_an_excuse_has_cases_that_it_is_for(excuse: dict[str, Any]) -> None:
    cases = [case for case in CASES if re.fullmatch(excuse["cases"], case.name)]
    assert any(accepted(case) is excuse["accepted"] for case in cases)


def test_every_kind_of_value_is_tried_in_the_short_run() -> None:
    assert {case.name.rpartition(": ")[2] for case in SHORT} == set(SWAPS)
