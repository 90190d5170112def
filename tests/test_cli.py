"""The command line as a user meets it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import click
import pytest

from auditor.cli import options
from auditor.cli.commands import COMMANDS
from auditor.cli.commands import auditor as command_line
from tests.goldens import UPDATE
from tests.scripts import Script, auditor, environment

SCRIPTS = sorted((Path(__file__).parent / "cli").glob("*.txt"))
HEAVY = ("fastapi", "sqlmodel", "sqlalchemy", "docker", "httpx", "pydantic", "rich", "uvicorn", "apscheduler")


def command(name: str) -> click.Command:
    found = command_line.get_command(click.Context(command_line), name)
    assert found is not None
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script(path: Path, tmp_path: Path) -> None:
    script = Script.read(path)
    made = script.run(tmp_path)
    if UPDATE:
        path.write_text(made.text(), encoding="utf-8")
    assert made.text() == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_with_an_example(name: str) -> None:
    text = command(name).get_help(click.Context(command(name), info_name=f"auditor {name}"))
    assert re.search(rf"^  Examples?:\n +.*auditor {name}\b", text, re.MULTILINE)
    assert (command(name).help or "").split("\n")[0] == COMMANDS[name][1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_line_of_help(name: str) -> None:
    unexplained = [
        option.name
        for option in command(name).params
        if isinstance(option, click.Option) and not option.help and option.name != "form"
    ]
    assert unexplained == []


def test_help_and_an_offline_gate_import_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'web:1'}}\n")
    (tmp_path / "catalogue.yaml").write_text("services: {web: {}}\n")
    code = (
        "import sys; from auditor.cli.shell import run; code = run(sys.argv[1:]);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    for arguments in (["--help"], ["audit", "--help"], ["gate", "--offline", "--fail-on", "critical"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path, env=environment({}), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stderr.endswith("[]\n"), done.stderr
        assert done.returncode == 0, done.stderr


def test_every_command_is_built() -> None:
    assert all(hasattr(import_module(f"auditor.cli.{module}"), name) for name, (module, _) in COMMANDS.items())


def test_flags_become_settings_and_what_was_not_given_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITOR_DOCKER", "env")
    settings = options.settings({"file": ("a.yml",), "environment": (), "offline": False, "env": ("TAG",)})
    assert (settings.compose_files, settings.admit, settings.docker) == (("a.yml",), ("TAG",), "env")


# --- output that cannot be written -------------------------------------------------------------------------------


def piped(tmp_path: Path, shell: str) -> subprocess.CompletedProcess[str]:
    line = shell.replace("auditor", f"{sys.executable} -m auditor", 1)
    return subprocess.run(
        ["/bin/bash", "-c", line], cwd=tmp_path, env=environment({}), capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("arguments", ["checks", "--help", "explain no-memory-limit", "checks --format json"])
@pytest.mark.parametrize("sink", [">/dev/full", "| true; exit ${PIPESTATUS[0]}", "| head -c1; exit ${PIPESTATUS[0]}"])
def test_output_that_is_lost_is_no_success(tmp_path: Path, arguments: str, sink: str) -> None:
    done = piped(tmp_path, f"auditor {arguments} {sink}")
    assert "Traceback" not in done.stderr
    if "head" not in sink or done.returncode:  # a short text may be through before the reader leaves
        assert (done.returncode, done.stderr.split(":")[0]) == (3, "error")


def test_a_closed_standard_output_is_no_success(tmp_path: Path) -> None:
    done = piped(tmp_path, "auditor checks >&-")
    assert (done.returncode, done.stderr) == (3, "error: cannot write the output: standard output is closed\n")


@pytest.mark.parametrize(
    ("target", "reason"),
    [("/dev/full", "no space left on device"), (".", "is a directory"), ("no/such/dir/x", "no such file or directory")],
)
def test_a_file_that_cannot_be_written_is_no_success(tmp_path: Path, target: str, reason: str) -> None:
    done = auditor("checks", "--output", target, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"error: cannot write `{target}`: {reason}\n"


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "checks.txt"
    target.write_text("old")
    target.chmod(0o640)
    assert auditor("checks", "--output", "checks.txt", cwd=tmp_path).returncode == 0
    assert "no-memory-limit" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["checks.txt"]


def test_a_narrow_encoding_prints_all_the_same(tmp_path: Path) -> None:
    done = auditor("checks", cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode == 0
    assert done.stdout.isascii()


# --- ends that nobody wishes for ---------------------------------------------------------------------------------


CRASH = """
import sys
from auditor import registry
from auditor.cli import shell

def broken():
    secret = "made-up-secret-4711"
    raise KeyError(secret)

registry.checks = broken
sys.argv = ["auditor", "checks"]
sys.exit(shell.run(["checks"]))
"""


def test_our_own_fault_is_one_line_and_a_file_without_data(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASH],
        env=environment({"AUDITOR_STATE_DIR": str(tmp_path)}), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    (file,) = tmp_path.iterdir()
    text = file.read_text()
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: internal error (KeyError at ")
    assert f"  --> {file}\n" in done.stderr
    assert "made-up-secret-4711" not in done.stderr + text.replace('secret = "made-up-secret-4711"', "")
    assert "builtins.KeyError" in text
    assert "auditor/cli/checks.py" in text


@pytest.mark.parametrize(("number", "said"), [(signal.SIGTERM, "stopped by a signal"), (signal.SIGINT, "interrupted")])
def test_a_signal_ends_it_with_a_reason(tmp_path: Path, number: signal.Signals, said: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    child = subprocess.Popen(
        [sys.executable, "-m", "auditor", "audit", "--snapshot", "pipe"],
        cwd=tmp_path, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(1.5)  # it waits for somebody to write into the pipe
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (3, "")
    assert said in err
    assert "Traceback" not in err
