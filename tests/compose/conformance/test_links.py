"""Projects that are reached through symbolic links: named and placed as the real Compose has them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from auditor.scan import locate
from auditor.settings import Settings
from tests.compose.conformance.place import called, standing
from tests.parts.plugin import need

FILES = {
    "deploy/compose.yaml": "services: {a: {extends: {file: ../common/c.yaml, service: b}, volumes: [./d:/d]}}\n",
    "common/c.yaml": "services: {b: {image: 'y:${TAG}', env_file: one.env, volumes: ['../z:/z']}}\n",
    "common/one.env": "A=1\n",
    "deploy/.env": "TAG=5\n",
}
# Where the programs start, whether the shell says so, and the variables that say what is asked for.
WAYS = (
    ("current", True, {}),
    ("current", False, {}),
    ("current/below", True, {}),
    ("", True, {"COMPOSE_FILE": "current/compose.yaml"}),
    ("", True, {"COMPOSE_FILE": "current/../current/compose.yaml"}),
    ("current", True, {"COMPOSE_FILE": "../deploy/compose.yaml"}),
    ("current", True, {"COMPOSE_ENV_FILES": "../current/.env"}),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / ".git").mkdir()
    (tmp_path / "deploy/below").mkdir()
    (tmp_path / "current").symlink_to("deploy")
    return tmp_path


@pytest.mark.component
@pytest.mark.parametrize(("start", "told", "variables"), WAYS)
def test_a_linked_project_is_that_of_compose(start: str, told: bool, variables: dict[str, str], root: Path) -> None:
    here = root / start
    environment = {"HOME": str(root), "PATH": "/usr/bin", **({"PWD": str(here)} if told else {}), **variables}
    command = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in environment.items())]
    command += [str(need("docker-compose")), "config", "--format", "json"]
    theirs = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=60, check=True)
    with standing(here, environment):
        code, output, errors = called("config", "--format", "json")
    assert (code, json.loads(output or "null")) == (0, json.loads(theirs.stdout)), errors


def test_a_root_that_is_a_link_keeps_its_name(root: Path) -> None:
    (root / ".git").rmdir()
    assert locate(Settings(), root / "current").name == "current"
    assert locate(Settings(compose_files=("current/compose.yaml",)), root).name == "current"
    assert locate(Settings(compose_files=("deploy/compose.yaml",)), root).name == "deploy"
