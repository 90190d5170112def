"""The action for continuous integration: its own script, run as a runner would, against real projects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parent.parent
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text())
GATE = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "gate")


def run(project: Path, place: Path, **inputs: str) -> tuple[int, dict[str, str], str]:
    """Exit code, outputs, and what was printed; the installed program is this checkout's."""
    program = place / "stack-auditor" / "bin" / "auditor"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -m auditor "$@"\n')
    program.chmod(0o755)
    output = place / "output"
    given = {name: str(item["default"]) for name, item in ACTION["inputs"].items()} | inputs
    environ = {variable: given[text.split(".")[1].strip(" }")] for variable, text in GATE["env"].items()}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", GATE["run"]],
        cwd=project,
        env=os.environ | environ | {"RUNNER_TEMP": str(place), "GITHUB_OUTPUT": str(output)},
        capture_output=True,
        text=True,
        timeout=90,
    )
    lines = output.read_text().splitlines() if output.exists() else []
    return done.returncode, dict(line.split("=", 1) for line in lines), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("project", "inputs", "code"),
    [
        ("examples/auterity", {}, 1),
        ("examples/auterity", {"min-coverage": "99", "fail-on": "critical"}, 1),
        (".", {}, 0),
        (".", {"environment": "no-such"}, 2),
        (".", {"catalogue": "$(touch pwned).yaml"}, 2),
    ],
)
def test_the_gate_ends_as_the_program_does(project: str, inputs: dict[str, str], code: int, tmp_path: Path):
    folder = Path(shutil.copytree(REPOSITORY / "compose", tmp_path / "checkout" / "compose")) / project
    shutil.copytree(REPOSITORY / "rules", tmp_path / "checkout" / "rules")
    (tmp_path / "checkout" / ".git").mkdir()
    found, outputs, said = run(folder, tmp_path / "runner", **inputs)
    assert (found, outputs["exit-code"]) == (code, str(code)), said
    assert not list(tmp_path.rglob("pwned*"))
    if code < 2:
        assert json.loads(Path(outputs["report"]).read_text())["schema"] == "stack-auditor/report/1"


def test_inputs_never_become_part_of_a_script():
    assert all("inputs." not in step["run"] for step in ACTION["runs"]["steps"])
