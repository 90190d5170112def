"""Every finding of a first run on the stacks was read by somebody; a new one and a lost one show here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compose.conformance.review import VERDICTS, found, judged, reasons, reviewed, tally

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", list(judged()))
def test_each_finding_was_judged(name: str, tmp_path: Path) -> None:
    told, _ = found(judged()[name], tmp_path)
    assert told == sorted(line["finding"] for line in reviewed().get(name, []))


def test_each_verdict_has_its_reason() -> None:
    lines = [line for lines in reviewed().values() for line in lines]
    assert {line["verdict"] for line in lines} <= set(VERDICTS)
    assert {line["reason"] for line in lines} == reasons().keys()


def test_the_readme_says_how_many() -> None:
    counts = tally()
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"a first run finds {counts.total()} things of warning or above. By our review {counts['wrong']} of" in text
    assert f"wrong, {counts['minor']} are true but not worth a warning, and {counts['true']} are true." in text


def test_few_are_wrong() -> None:
    assert tally()["wrong"] <= 0.02 * tally().total()
