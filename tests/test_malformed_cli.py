"""Malformed files at the command line: exit code, one error with its place, no traceback, soon, in bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.malformed.cases import CATALOGUES, COMPOSE_FILES, DIRECTORY, MEMORY, SECOND, YAML, Case

ROOT = Path(__file__).parent.parent
SERVICE = "services:\n  web: {image: example/web:1}\n"


# A child's peak counts the memory of whoever forked it, so a small process stands between the tests and the auditor.
LAUNCH = """
import resource, subprocess, sys, time
started = time.monotonic()
with open("said.txt", "wb") as out:
    code = subprocess.run(sys.argv[1:], stdout=out, stderr=out, timeout=60).returncode
spent = time.monotonic() - started
print(code, spent, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def audit(directory: Path) -> tuple[int, str, float, int]:
    """Exit code, all text, seconds and peak bytes of `auditor audit` there."""
    command = [sys.executable, "-m", "auditor", "audit", "--offline", "--root", "."]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TMPDIR": str(directory)}
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, *command], cwd=directory, env=environ, stdout=subprocess.PIPE, check=True
    )
    code, spent, peak = done.stdout.split()
    return int(code), (directory / "said.txt").read_text(), float(spent), int(peak)


def holds(case: Case, directory: Path, name: str, code: int) -> None:
    exit_code, said, spent, peak = audit(directory)
    assert exit_code == code, said
    assert "Traceback" not in said and "internal error" not in said
    assert case.says in " ".join(said.split()), said
    assert (f"{name}:{case.line}" if case.line else name) in said
    assert spent < SECOND * 10
    assert peak < MEMORY


# The same YAML reader serves both: every fourth of its cases shows that here too.
@pytest.mark.parametrize("case", [*YAML[::4], *CATALOGUES, DIRECTORY], ids=str)
def test_catalogue(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path / "catalogue.yaml")
    holds(case, tmp_path, "catalogue.yaml", 2)


@pytest.mark.parametrize("case", [*YAML, *COMPOSE_FILES, DIRECTORY], ids=str)
def test_compose_file(case: Case, tmp_path: Path) -> None:
    (tmp_path / "catalogue.yaml").write_text(SERVICE + "environments: {default: {compose: compose.yaml}}\n")
    case.write(tmp_path / "compose.yaml")
    holds(case, tmp_path, "compose.yaml", 3)
