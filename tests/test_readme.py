"""The README is true: every command in it is run, every link leads somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from auditor.sources.docker import allowed
from tests.parts.process import free_port

REPOSITORY = Path(__file__).parent.parent
EXAMPLE = REPOSITORY / "compose/examples/auterity"
README = (REPOSITORY / "README.md").read_text()
BLOCK = re.compile(r"<!-- run: (\w+)(?:, exits (\d))? -->\n```console\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Step:
    where: str
    code: int
    commands: tuple[str, ...]


def steps() -> Iterator[Step]:
    for where, code, text in BLOCK.findall(README):
        yield Step(where, int(code or 0), tuple(line.removeprefix("$ ") for line in text.splitlines()))


def those(where: str) -> list[Step]:
    return [step for step in steps() if step.where == where]


def run(command: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(command)
    assert program == "auditor"
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "AUDITOR_STATE_DIR": str(folder / ".state")} | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
    )


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "auterity"))


def test_every_block_of_commands_says_where_it_is_run():
    assert len(list(steps())) == README.count("```console")


@pytest.mark.parametrize("step", those("example"), ids=lambda step: step.commands[0])
def test_in_the_example(step: Step, example: Path):
    for command in step.commands:
        done = run(command, example)
        assert done.returncode == step.code, (command, done.stdout, done.stderr)


@pytest.mark.parametrize("step", those("project"), ids=lambda step: step.commands[0])
def test_in_a_project_without_a_catalogue(step: Step, example: Path):
    (example / "catalogue.yaml").unlink()
    for command in step.commands:
        done = run(command, example)
        assert done.returncode == step.code, (command, done.stdout, done.stderr)


@pytest.mark.parametrize("step", those("anywhere"), ids=lambda step: step.commands[0])
def test_anywhere(step: Step, tmp_path: Path):
    for command in step.commands:
        done = run(command, tmp_path)
        assert done.returncode == step.code, (command, done.stdout, done.stderr)
        assert "README claims 25+ services, unified composes 16 (gap of 9)" in re.sub(r"\s+", " ", done.stdout)


@pytest.mark.engine
@pytest.mark.parametrize("step", those("engine"), ids=lambda step: step.commands[0])
def test_with_an_engine(step: Step, example: Path, engine):
    for command in step.commands:
        assert run(command, example, DOCKER_HOST=engine.address).returncode == step.code


@pytest.mark.parametrize("step", those("serve"), ids=lambda step: step.commands[0])
def test_serving(step: Step, example: Path):
    (command,) = step.commands
    port = free_port()
    environ = os.environ | {"PYTHONPATH": str(REPOSITORY), "AUDITOR_STATE_DIR": str(example / ".state")}
    arguments = [sys.executable, "-m", *shlex.split(command), "--port", str(port)]
    with subprocess.Popen(arguments, cwd=example, env=environ, stderr=subprocess.DEVNULL) as server:
        try:
            named = re.findall(r"`(/[a-z/]*)`", README.partition("**6. Serve.**")[2].partition("<!--")[0])
            assert {"/", "/metrics", "/readyz"} <= set(named)
            for path in named:
                assert reached(f"http://127.0.0.1:{port}{path}") == 200, path
        finally:
            server.terminate()
    assert server.returncode == 0


def reached(url: str) -> int:
    """The status code, as soon as somebody answers something else than "not yet"."""
    end = time.monotonic() + 30
    while True:
        try:
            code = httpx.get(url).status_code
        except httpx.TransportError:
            code = 0
        if code not in (0, 503) or time.monotonic() > end:
            return code
        time.sleep(0.2)


@pytest.mark.parametrize("command", [command for step in those("make") for command in step.commands])
def test_make_knows_its_targets(command: str):
    """What they do is done by continuous integration; here only that they are there."""
    program, *arguments = shlex.split(command)
    assert program == "make"
    done = subprocess.run(["make", "--dry-run", *arguments], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [command for step in those("shown") for command in step.commands])
def test_what_is_only_shown_is_there(command: str):
    """Commands that change something: their options are known, and no more is done."""
    words = [word for word in shlex.split(command) if "=" not in word.partition(" ")[0]]
    if words[0] == "auditor":
        options = [word for word in words if word.startswith("--")]
        subcommand = [word for word in words[1:3] if word.isalpha() and word != "web"]
        done = run(shlex.join(["auditor", *subcommand, "--help"]), REPOSITORY)
        assert done.returncode == 0
        assert [option for option in options if option not in done.stdout] == []


def test_the_requests_are_those_that_are_allowed():
    shown = README.partition("<!-- allowed.table -->\n")[2].partition("<!-- /allowed.table -->")[0]
    assert shown == allowed.table()


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if "://" not in link and not (REPOSITORY / link).exists()] == []


def test_the_exit_codes_are_those_of_the_program():
    rows = dict(re.findall(r"^\| (\d) \| (.+?) \|$", README, re.MULTILINE))
    assert set(rows) == {"0", "1", "2", "3"}
    assert run("auditor audit --no-such-option", REPOSITORY).returncode == 2
    assert run("auditor gate --docker unix:///no/such.sock", EXAMPLE).returncode == 3
