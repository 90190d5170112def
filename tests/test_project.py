"""What the project is set up with agrees: locks with dependencies, targets with the promised ones."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
LOCKS = {
    "requirements.lock": PROJECT["project"]["dependencies"] + GROUPS["build"],
    "requirements-dev.lock": PROJECT["project"]["dependencies"] + GROUPS["build"] + GROUPS["dev"],
}


def locked(name: str) -> dict[str, str]:
    """Package -> version, as the lock says."""
    return dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", (ROOT / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_lock_holds_every_dependency(name: str) -> None:
    wanted = {re.match(r"[\w.-]+", text)[0].lower().replace("_", "-") for text in LOCKS[name]}
    assert wanted - locked(name).keys() == set()


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_place_and_hashes_everything(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text and "--index" not in text and " @ " not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_locks_agree() -> None:
    demo, development = (locked(name) for name in LOCKS)
    assert {name: development.get(name) for name in demo} == demo


@pytest.mark.parametrize("target", ["demo", "test", "lint", "format", "generate", "bench", "endurance"])
def test_make_knows_the_target(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def make_environment(python: str | Path, place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", ROOT / ".ci/venv.sh", place / "venv"],
        env={"PYTHON": str(python), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("python", ["/bin/false", "/nowhere/python3"])
def test_unfit_python_is_named(python: str, tmp_path: Path) -> None:
    done = make_environment(python, tmp_path)
    assert done.returncode == 1
    assert f"error: no Python 3.11 or newer: tried {python}" in done.stderr


def test_python_without_venv_says_what_to_install(tmp_path: Path) -> None:
    bare = tmp_path / "python3"
    bare.write_text(f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec {shlex.quote(sys.executable)} "$@"\n')
    bare.chmod(0o755)
    done = make_environment(bare, tmp_path)
    assert done.returncode == 1 and not (tmp_path / "venv").exists()
    assert "apt-get install python3-venv" in done.stderr
