"""The README's table of other linters' rules: each rule once, and the check that it names finds what the rule finds."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor import registry
from bench.peers import dclint
from tests.compose.conformance.place import called, standing

README = (Path(__file__).parent.parent / "README.md").read_text()
SECTION = README.partition("## Rules of other linters")[2].partition("\n## ")[0]
_ROW = re.compile(r"^\| (?!linter).+\|$", re.MULTILINE)
ROWS = [tuple(cell.strip() for cell in row.split("|")[1:5]) for row in _ROW.findall(SECTION)]
RULES = {"dclint": 15, "KICS": 22, "DockSec": 17}
CHECKS = {(linter, rule): frozenset(re.findall(r"`([a-z-]+)`", checks)) for linter, rule, checks, _ in ROWS}
TEXTS: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("linters.yaml").read_text())


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


def texts(kind: str) -> list[tuple[str, str, str, dict[str, str]]]:
    """Linter, rule, a name, and the files of each project that is `good`, `bad`, or judged `apart`."""
    return [
        (linter, rule, f"{linter} {rule} {number}", files(text["text"] if kind == "apart" else text))
        for linter, rules in TEXTS.items()
        for rule, kinds in rules.items()
        for number, text in enumerate(kinds.get(kind, ()))
    ]


def files(text: str | dict[str, str]) -> dict[str, str]:
    """A project; the body of a service stands for one that has it alone."""
    if isinstance(text, dict):
        return text
    whole = "services:" in text
    return {"compose.yaml": text if whole else f"services:\n  web:\n{textwrap.indent(text, '    ')}\n"}


def found(project: dict[str, str], folder: Path) -> set[str]:
    """The checks that have a finding there."""
    for path, text in project.items():
        (folder / path).write_text(text)
    with standing(folder, {"HOME": str(folder)}):
        _, output, errors = called(
            "audit", "-f", "compose.yaml", "--offline", "--select", "all,style", "--format", "json"
        )
    assert output, errors
    return {finding["check"] for finding in json.loads(output)["findings"]}


def test_each_rule_has_texts() -> None:
    assert {(linter, rule) for linter, rules in TEXTS.items() for rule in rules} == CHECKS.keys()
    assert all(len(kinds[kind]) >= 3 for kinds in TEXTS["dclint"].values() for kind in ("bad", "good"))
    assert all(kinds[kind] for rules in TEXTS.values() for kinds in rules.values() for kind in ("bad", "good"))


@pytest.mark.parametrize(("linter", "rule", "name", "project"), texts("bad"), ids=lambda part: str(part)[:60])
def test_what_a_rule_is_for_is_found(linter: str, rule: str, name: str, project: Any, tmp_path: Path) -> None:
    assert found(project, tmp_path) & CHECKS[linter, rule], name


@pytest.mark.parametrize(
    ("linter", "rule", "name", "project"), [*texts("good"), *texts("apart")], ids=lambda part: str(part)[:60]
)
def test_what_it_leaves_alone_is_left_alone(linter: str, rule: str, name: str, project: Any, tmp_path: Path) -> None:
    assert not found(project, tmp_path) & CHECKS[linter, rule], name


def told(projects: dict[str, dict[str, str]], folder: Path) -> dict[str, set[str]]:
    """What the real dclint finds in each of several projects: its rules, by the project's name."""
    program = dclint()
    if program is None:
        pytest.skip("dclint cannot be had: there is no npm, or no registry")
    places = {str(folder / f"{number}" / "compose.yaml"): name for number, name in enumerate(projects)}
    for place, name in places.items():
        Path(place).parent.mkdir(parents=True)
        Path(place).write_text(projects[name]["compose.yaml"])
    with (folder / "said").open("w") as said:  # it ends before a pipe has taken all
        command = [*program, "-f", "json", *places]
        subprocess.run(command, stdout=said, stderr=subprocess.DEVNULL, timeout=120, check=False)
    answers: list[dict[str, Any]] = json.loads((folder / "said").read_text())
    assert {answer["filePath"] for answer in answers} == places.keys()
    return {places[one["filePath"]]: {message["rule"] for message in one["messages"]} for one in answers}


def unlike_dclint(kind: str, folder: Path) -> Iterator[str]:
    ours = [one for one in texts(kind) if one[0] == "dclint"]
    answers = told({name: project for _, _, name, project in ours}, folder)
    for _, rule, name, _ in ours:
        if (rule in answers[name]) != (kind != "good") and "invalid-schema" not in answers[name]:
            yield f"{name}: {sorted(answers[name])}"


@pytest.mark.component
@pytest.mark.parametrize("kind", ["bad", "good", "apart"])
def test_dclint_itself_says_so_of_these_texts(kind: str, tmp_path: Path) -> None:
    assert list(unlike_dclint(kind, tmp_path)) == []
