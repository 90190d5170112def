"""Projects that are reached through symbolic links: named and placed as the real Compose has them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from auditor.scan import gather, locate
from auditor.settings import Settings
from tests.compose.conformance.place import called, standing
from tests.parts.plugin import need

FILES = {
    "deploy/compose.yaml": "services: {a: {extends: {file: ../common/c.yaml, service: b}, volumes: [./d:/d]}}\n",
    "common/c.yaml": "services: {b: {image: 'y:${TAG}', env_file: one.env, volumes: ['../z:/z']}}\n",
    "common/one.env": "A=1\n",
    "deploy/.env": "TAG=5\n",
    "more.yaml": "services: {a: {hostname: h}}\n",
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


ABSOLUTE = {
    "a file of `.env`": {".env": "COMPOSE_FILE=ROOT/deploy/compose.yaml:ROOT/more.yaml\n"},
    "files that are included and extended": {
        "compose.yaml": "include: [ROOT/common/c.yaml]\n"
        "services: {a: {extends: {file: ROOT/common/c.yaml, service: b}, label_file: ROOT/common/one.env}}\n"
    },
    "a directory and env files": {
        "compose.yaml": "include: [{path: common/c.yaml, project_directory: ROOT/common, env_file: ROOT/deploy/.env}]\n"
        "services: {a: {image: x, env_file: ROOT/common/one.env}}\n"
    },
}


@pytest.mark.component
@pytest.mark.parametrize("written", ABSOLUTE.values(), ids=ABSOLUTE)
@pytest.mark.parametrize("linked", [False, True], ids=["by its own name", "by a link"])
def test_an_absolute_path_below_the_root_is_read_as_by_compose(
    written: dict[str, str], linked: bool, root: Path
) -> None:
    (root / "link").symlink_to(root)
    here = root / "link" if linked else root
    for path, text in written.items():
        (root / path).write_text(text.replace("ROOT", str(here)))
    command = [need("docker-compose"), "config", "--format", "json"]
    environment = {"HOME": str(root), "PATH": "/usr/bin", "PWD": str(here)}
    theirs = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, timeout=60, check=True)
    with standing(here, environment):
        code, output, errors = called("config", "--format", "json")
    assert (code, json.loads(output or "null")) == (0, json.loads(theirs.stdout)), errors


def test_an_absolute_path_outside_the_root_is_refused(root: Path) -> None:
    (root / "deploy/.env").write_text(f"COMPOSE_FILE={root}/common/c.yaml\n")
    with standing(root / "deploy", {"HOME": str(root), "PATH": "/usr/bin"}):
        code, _, errors = called("config", "--root", ".")
        allowed, *_ = called("config", "--root", ".", "--allow-path", str(root / "common"))
    assert (code, f"`{root}/common/c.yaml` lies outside the project root" in errors, allowed) == (3, True, 0)


AUDITS = (*WAYS, ("", True, {"-f": "current/compose.yaml"}), ("current", True, {"-f": "compose.yaml"}))
AUDITS += (("current/below", True, {"-f": "../compose.yaml"}), ("deploy", True, {"-f": "../current/compose.yaml"}))


@pytest.mark.component
@pytest.mark.parametrize(("start", "told", "variables"), [way for way in AUDITS if "COMPOSE_FILE" not in way[2]])
def test_an_audit_names_a_linked_project_as_compose_does(
    start: str, told: bool, variables: dict[str, str], root: Path
) -> None:
    here, options = root / start, [part for pair in variables.items() if pair[0] == "-f" for part in pair]
    environment = {"HOME": str(root), "PATH": "/usr/bin", **({"PWD": str(here)} if told else {})}
    command = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in environment.items())]
    command += [str(need("docker-compose")), *options, "config", "--format", "json"]
    theirs = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=60, check=True)
    with standing(here, environment):
        snapshot = gather(Settings(offline=True, compose_files=tuple(options[1:])))
    assert [project.name for project in snapshot.projects] == [json.loads(theirs.stdout)["name"]]


def test_a_root_that_is_a_link_keeps_its_name(root: Path) -> None:
    (root / ".git").rmdir()
    assert locate(Settings(), root / "current").name == "current"
    assert locate(Settings(compose_files=("current/compose.yaml",)), root).name == "current"
    assert locate(Settings(compose_files=("deploy/compose.yaml",)), root).name == "deploy"
