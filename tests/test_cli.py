"""The command line as a user meets it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from importlib import import_module
from pathlib import Path
from urllib.request import urlopen

import click
import pytest

from auditor.cli import options, output, shell
from auditor.cli.commands import COMMANDS
from auditor.cli.commands import auditor as command_line
from exporters import report_json, text
from tests.goldens import UPDATE
from tests.hostile import HOSTILE
from tests.parts.engine import Engine
from tests.scripts import Script, auditor, environment

SCRIPTS = sorted((Path(__file__).parent / "cli").glob("*.txt"))
HEAVY = (
    "fastapi", "sqlmodel", "sqlalchemy", "docker", "httpx", "pydantic", "rich", "uvicorn", "apscheduler",
    "promql_parser", "auditor.compose.goyaml", "auditor.compose.canonical", "auditor.sources.told.proxies",
)  # fmt: skip


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


@pytest.mark.parametrize("words", [[], ["build"]])
def test_no_command_shows_what_there_is(words: list[str], tmp_path: Path) -> None:
    done = auditor(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{' '.join(['Usage: auditor', *words])} [OPTIONS] COMMAND")


def test_every_command_is_built() -> None:
    assert all(hasattr(import_module(f"auditor.cli.{module}"), name) for name, (module, _) in COMMANDS.items())


def test_flags_become_settings_and_what_was_not_given_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITOR_DOCKER", "env")
    settings = options.settings({"file": ("a.yml",), "environment": (), "offline": False, "env": ("TAG",)})
    assert (settings.compose_files, settings.admit, settings.docker) == (("a.yml",), ("TAG",), "env")


# --- hostile text, from file to terminal -------------------------------------------------------------------------


def yaml_quoted(text: str) -> str:
    """A double-quoted YAML scalar of any text; lone surrogates, which no file can hold, left out."""
    text = re.sub("[\ud800-\udfff]", "", text)[:5000] or "empty"
    return '"' + "".join(f"\\U{ord(c):08x}" if not c.isprintable() or c in '"\\' else c for c in text) + '"'


@pytest.fixture(scope="module")
def hostile_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose every free text attacks: images, titles, categories, owners, tiers, waivers' reasons."""
    place = tmp_path_factory.mktemp("hostile")
    words = [yaml_quoted(word) for word in HOSTILE]
    composed = "".join(f"  s{n}: {{image: {word}, labels: {{x: {word}}}}}\n" for n, word in enumerate(words))
    waiver = "{{check: no-memory-limit, reason: {0}, owner: {0}, until: 2999-01-01}}"
    entry = "{{title: {0}, category: {0}, owner: {0}, runbook: {0}, waivers: [" + waiver + "]}}"
    entries = "".join(f"  s{n}: {entry.format(word)}\n  gone{n}: {{title: {word}}}\n" for n, word in enumerate(words))
    (place / "compose.yaml").write_text(f"services:\n{composed}", encoding="utf-8")
    (place / "catalogue.yaml").write_text(f"services:\n{entries}", encoding="utf-8")
    return place


@pytest.mark.parametrize(
    "arguments",
    ["audit --select all -v", "audit --format json", "gate --select all", "status", "status --format json"],
)
def test_hostile_files_give_harmless_output(hostile_project: Path, arguments: str) -> None:
    done = auditor(*arguments.split(), cwd=hostile_project)
    assert done.returncode in (0, 1), done.stderr
    assert "\\u202e" in done.stdout, "the texts are there, made visible"
    for line in (done.stdout + done.stderr).split("\n"):
        assert line.isprintable(), repr(line)
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


# --- output that cannot be written -------------------------------------------------------------------------------


def piped(tmp_path: Path, shell: str) -> subprocess.CompletedProcess[str]:
    line = shell.replace("auditor", f"{shlex.quote(sys.executable)} -m auditor", 1)
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


# --- on a terminal -----------------------------------------------------------------------------------------------


def on_terminal(tmp_path: Path, *arguments: str, **variables: str) -> str:
    """What a terminal of 100 columns is sent by a command that ended well."""
    front, back = pty.openpty()
    fcntl.ioctl(back, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "auditor", *arguments],
        cwd=tmp_path, env=environment({"TERM": "xterm", **variables}), stdin=back, stdout=back, stderr=back,
    ) as child:  # fmt: skip
        os.close(back)
        seen = b""
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while piece := os.read(front, 65536):
                seen += piece
        os.close(front)
    assert child.returncode == 0, seen
    return seen.decode()


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(tmp_path: Path, variables: dict[str, str], coloured: bool) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'web:1'}}\n")
    assert ("\x1b[32m" in on_terminal(tmp_path, "audit", "-f", "compose.yaml", **variables)) is coloured


def test_quick_work_shows_no_progress_and_slow_work_does(capsys: pytest.CaptureFixture[str]) -> None:
    line = output._Line(after=0.1)
    line.show("reading files")
    assert capsys.readouterr().err == ""
    time.sleep(0.4)
    assert capsys.readouterr().err == "\r\x1b[Kreading files ..."
    line.show("asking docker\x1b[31m")
    line.close()
    line.show("late")
    assert capsys.readouterr().err == "\r\x1b[Kasking docker\\x1b[31m ...\r\x1b[K"


@pytest.mark.parametrize("quiet", [True, False])
def test_nobody_watches_a_pipe(quiet: bool) -> None:
    with output.progress(quiet=quiet) as tell:
        assert tell is None


# --- the demo ----------------------------------------------------------------------------------------------------


def test_the_demo_finds_what_the_example_lacks(tmp_path: Path) -> None:
    done = auditor("demo", "--no-serve", cwd=tmp_path, TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "README claims 25+ services, unified composes 16 (gap of 9)" in done.stdout
    missing = ("puppeteer", "mailhog", "alertmanager", "promtail", "nginx", "minio", "slack-notifications",
               "node-exporter", "redis-exporter", "postgres-exporter")  # fmt: skip
    assert [name for name in missing if f"── {name} ─" not in done.stdout] == []
    assert list(tmp_path.iterdir()) == []


def test_the_demo_keeps_a_copy_where_one_is_wanted(tmp_path: Path) -> None:
    assert auditor("demo", "--no-serve", "--dir", "copy", cwd=tmp_path).returncode == 0
    assert (tmp_path / "copy" / "catalogue.yaml").is_file()
    again = auditor("demo", "--no-serve", "--dir", "copy", cwd=tmp_path)
    assert (again.returncode, again.stderr.split("\n")[0]) == (2, "error: `copy` exists already")


def test_the_demo_serves_its_page_on_a_free_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        child = subprocess.Popen(
            [sys.executable, "-m", "auditor", "demo", "--port", str(taken.getsockname()[1])],
            cwd=tmp_path, env=environment({"TMPDIR": str(tmp_path)}),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert child.stdout is not None
            url = next(found[0] for line in child.stdout if (found := re.search(r"http://127\S+/", line)))
            assert str(taken.getsockname()[1]) not in url
            assert "puppeteer" in fetched(url, "puppeteer")
        finally:
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=30)
    assert child.returncode == 0
    assert list(tmp_path.iterdir()) == []


def fetched(url: str, word: str) -> str:
    """The page, once it holds `word`: the first scan takes a moment."""
    for _ in range(200):
        with contextlib.suppress(OSError), urlopen(url, timeout=5) as answer:  # noqa: S310  loopback
            page = str(answer.read().decode())
            if word in page:
                return page
        time.sleep(0.1)
    raise AssertionError(f"no `{word}` at {url}")


@pytest.mark.engine
def test_the_live_demo_says_what_its_stand_ins_do(tmp_path: Path, engine: Engine) -> None:
    done = auditor("demo", "--live", "--no-serve", cwd=tmp_path, DOCKER_HOST=engine.address, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    for check in ("composed-not-running", "unhealthy-service", "running-not-declared"):
        assert len(re.findall(rf"^  \w+ +{check}$", done.stdout, re.MULTILINE)) == 1
    assert engine.client.containers.list(all=True, filters={"label": "auditor.demo=1"}) == []


# --- ends that nobody wishes for ---------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean project as the current directory."""
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'web:1'}}\n")
    (tmp_path / "catalogue.yaml").write_text("services: {web: {}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDITOR_STATE_DIR", str(tmp_path))
    return tmp_path


CLEAN = ["gate", "--select", "declared-not-composed"]


def test_the_project_that_the_next_tests_break_is_clean(shop: Path) -> None:
    assert shell.run(CLEAN) == 0


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), RecursionError(), OSError(28, "full"), SystemExit(0)])
@pytest.mark.parametrize(
    "stage", ["scan.gather_files", "scan.gather", "scan.judge", "engine.audit", "policy.build", "policy.gate"]
)
def test_a_gate_that_breaks_is_never_green(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: str, error: BaseException
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(f"auditor.{stage}", broken)
    assert shell.run(CLEAN) == 3
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("words", [[], ["--format", "json"]])
def test_a_report_that_cannot_be_rendered_is_never_green(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    for module in (report_json, text):
        monkeypatch.setattr(module, "render", lambda *_, **__: 1 / 0)
    assert shell.run([*CLEAN, *words]) == 3
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_crash_that_cannot_be_recorded_is_told_all_the_same(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("auditor.engine.audit", lambda *_: 1 / 0)
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert shell.run(CLEAN) == 3
    assert "the details could not be written: no space left on device" in capsys.readouterr().err


def test_the_same_evidence_gives_the_same_bytes(shop: Path) -> None:
    assert auditor("snapshot", "--output", "s.json", cwd=shop).returncode == 0
    runs = [
        auditor("audit", "--snapshot", "s.json", "--select", "all", "--format", "json", cwd=shop, PYTHONHASHSEED=seed)
        for seed in ("0", "1", "2", "3")
    ]
    assert len({run.stdout for run in runs}) == 1
    assert len(runs[0].stdout) > 1000


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
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )  # fmt: skip
    time.sleep(1.5)  # it waits for somebody to write into the pipe
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (3, "")
    assert said in err
    assert "Traceback" not in err
