"""Malformed and mutated projects: an answer in a second, exit codes 0 to 3, never a traceback."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.conformance.broken import broken
from tests.compose.conformance.corpus import Case
from tests.compose.conformance.place import called, standing

SHORT, WHOLE, CHILDREN = 500, 10_000, 20
SECONDS = 1.0  # of processor time
_PLACE = r"(?:.+\n  --> .+:[0-9]+|no Compose file .+\n  --> the command line)$"
NAMED = re.compile(rf"(?:error|warning): {_PLACE}", re.MULTILINE)
COMMANDS = (("config", "--format", "json"), ("config", "--lax", "--lines"), ("config", "--no-interpolate"))


def faults(case: Case, root: Path, arguments: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with the answer to one broken project."""
    start = case.write(root)
    before = time.thread_time()
    with standing(start, case.environment(root)):
        code, output, errors = called(*arguments[:1], *case.options, *arguments[1:])
    if (spent := time.thread_time() - before) > SECONDS:
        yield f"{spent:.1f} s"
    yield from said(code, output, errors)


def said(code: int, output: str, errors: str) -> Iterator[str]:
    if code not in range(4):
        yield f"exit code {code}"
    if "Traceback" in output + errors or "internal error" in errors:
        yield errors[-300:]
    if code in (2, 3) and not NAMED.search(errors):
        yield f"exit code {code} with no file and line: {errors[-200:]}"


def wrong(numbers: range, root: Path) -> list[str]:
    found: list[str] = []
    for number, case in broken(numbers.stop):
        place = root / str(number)
        found += [f"{number} {case.name}: {fault}" for fault in faults(case, place, COMMANDS[number % len(COMMANDS)])]
        shutil.rmtree(place)
    return found


def test_a_broken_project_gets_an_answer(tmp_path: Path) -> None:
    assert wrong(range(SHORT), tmp_path) == []


@pytest.mark.endurance
@pytest.mark.timeout(7_200)
def test_ten_thousand_broken_projects_get_an_answer(tmp_path: Path) -> None:
    assert wrong(range(WHOLE), tmp_path) == []


def test_so_it_is_in_processes_of_their_own(tmp_path: Path) -> None:
    for number, case in list(broken(SHORT))[:: SHORT // CHILDREN]:
        start = case.write(tmp_path / str(number))
        command = [sys.executable, "-m", "auditor", "config", *case.options]
        environment = case.environment(tmp_path)
        result = subprocess.run(command, cwd=start, env=environment, capture_output=True, timeout=30, check=False)
        assert list(said(result.returncode, result.stdout.decode(), result.stderr.decode())) == []
