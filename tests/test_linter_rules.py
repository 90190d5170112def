"""The README's table of other linters' rules names checks that exist, and each rule once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from auditor import registry

README = (Path(__file__).parent.parent / "README.md").read_text()
SECTION = README.partition("## Rules of other linters")[2].partition("\n## ")[0]
_ROW = re.compile(r"^\| (?!linter).+\|$", re.MULTILINE)
ROWS = [tuple(cell.strip() for cell in row.split("|")[1:5]) for row in _ROW.findall(SECTION)]
RULES = {"dclint": 15, "KICS": 22, "DockSec": 17}


def test_every_rule_has_one_row() -> None:
    assert Counter(linter for linter, *_ in ROWS) == RULES
    assert max(Counter((linter, rule) for linter, rule, *_ in ROWS).values()) == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_its_checks_exist(row: tuple[str, str, str, str]) -> None:
    named = re.findall(r"`([a-z-]+)`", row[2])
    assert named
    assert set(named) <= registry.checks().keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_what_is_called_style_is_style_and_nothing_else_is(row: tuple[str, str, str, str]) -> None:
    themes = {registry.checks()[name].theme for name in re.findall(r"`([a-z-]+)`", row[2])}
    assert ("style" in themes) is row[3].startswith("style")
