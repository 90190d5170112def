"""The live table: what keys do, what is drawn at any size, and a real terminal that is as it was afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.cli.top.look import Seen
from auditor.cli.top.screen import Size, draw
from auditor.cli.top.terminal import decoded
from auditor.cli.top.view import SORTS, View, press, rows, window
from auditor.model import Container, Severity, SourceState, Usage, Verdict
from exporters.escape import width
from exporters.services import lines
from tests.builders import NOON, finding, report, service
from tests.hostile import HOSTILE
from tests.parts.engine import Engine
from tests.scripts import auditor, environment

BOXES = (
    Container("a" * 64, "web-1", "prod", "web:1", "running", memory_limit=100, restarts=3),
    Container("b" * 64, "db-1", "prod", "db:1", "exited", exit_code=1),
)
USED = (Usage("prod", "a" * 64, NOON, memory=93, cpu_ratio=0.5),)
REPORT = report(
    (
        service("web", containers=("web-1",), memory_bytes=93, memory_limit_bytes=100, cpu_ratio=0.5),
        service("db", category="data", verdict=Verdict.STOPPED, containers=("db-1",)),
        service("cache", verdict=Verdict.DEGRADED, owner="data-team"),
    ),
    (finding("no-alert", "web"), finding("memory-high", "web", severity=Severity.CRITICAL)),
    containers=BOXES,
    usages=USED,
)
LINES = lines(REPORT)


def names(view: View) -> list[str]:
    return [line.service.name for line in rows(view, LINES)]


def after(*keys: str, view: View = View()) -> View:  # noqa: B008 - it is frozen
    for key in keys:
        view = press(view, key, rows(view, LINES), 10)
    return view


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("health", ["db", "cache", "web"]),
        ("name", ["cache", "db", "web"]),
        ("memory", ["web", "cache", "db"]),
        ("cpu", ["web", "cache", "db"]),
        ("gaps", ["web", "cache", "db"]),
        ("restarts", ["web", "cache", "db"]),
    ],
)
def test_orders(sort: str, order: list[str]) -> None:
    assert names(View(sort=sort)) == order


def test_keys_choose_the_order() -> None:
    assert [after(key).sort for key in "hnmcgr"] == list(SORTS)
    assert after(*"s" * len(SORTS)).sort == View().sort
    assert after("s").sort == "name"


@pytest.mark.parametrize(
    ("text", "left"), [("DB", ["db"]), ("data", ["db", "cache"]), ("data degraded", ["cache"]), ("nothing", [])]
)
def test_a_filter_is_words_that_all_stand_somewhere(text: str, left: list[str]) -> None:
    assert names(after("/", *text, "enter")) == left


def test_the_filter_is_mended_and_dropped() -> None:
    assert after("/", "d", "x", "backspace").filter == "d"
    assert after("/", "q").filter == "q", "keys are text while somebody types"
    assert after("/", "d", "escape").filter == after("/", "d", "enter", "escape").filter == ""


def test_a_selection_stays_on_its_service() -> None:
    view = after("down")
    assert view.selected == ("prod", "cache")
    assert after("m", "s", view=view).selected == ("prod", "cache")
    assert after("down", "down", "down", "down").selected == ("prod", "web")
    assert after("end", "home", "up").selected == ("prod", "db")


def test_pages() -> None:
    assert after("enter").page == "service"
    assert after("enter").selected == ("prod", "db")
    assert after("enter", "escape").page == after("?", "escape").page == "table"
    assert after("enter", "down", "down", "up").top == 1
    assert [after(*keys).ended for keys in (["q"], ["enter", "q"], ["?", "q"], ["x"])] == [True, True, True, False]


def test_nothing_is_selected_where_nothing_is_shown() -> None:
    assert press(View(filter="nothing"), "enter", [], 10).page == "table"
    assert press(View(filter="nothing"), "down", [], 10).selected is None


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 20), st.integers(1, 50))
def test_the_selected_row_is_always_seen(selected: int, top: int, height: int, length: int) -> None:
    selected = min(selected, length - 1)
    first = window(selected, top, height, length)
    assert 0 <= first <= selected < first + height


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1bOB", ["up", "down"]),
        ("\x1b", ["escape"]),
        ("\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["pageup", "pagedown", "home", "end"]),
        ("a\x1b[1;5Cb", ["a", "b"]),
        ("\x1b[200~", []),
        ("\r\x7f\x01", ["enter", "backspace"]),
        ("é/", ["é", "/"]),
    ],
)
def test_what_a_terminal_sends(data: str, keys: list[str]) -> None:
    assert list(decoded(data)) == keys


@given(st.text("\x1b[O~1;5ABq", max_size=12))
def test_any_bytes_end(data: str) -> None:
    assert len(list(decoded(data))) <= len(data)


# --- what is drawn ------------------------------------------------------------------------------------------------


def drawn(view: View, seen: Seen, columns: int = 80, height: int = 24) -> list[str]:
    return [text.plain for text in draw(view, seen, 100.0, Size(columns, height))[0]]


def shown(view: View = View(), **fields: Any) -> str:  # noqa: B008 - it is frozen
    return "\n".join(drawn(view, Seen(REPORT, **{"at": 99.0, "audited": 70.0} | fields)))


def test_a_row_says_it_all() -> None:
    row = next(line for line in shown().split("\n") if " web " in line)
    assert row.split() == ["web", "healthy", "running", "93", "B", "93", "%", "50", "%", "2", "3"]
    assert "1 of 3 healthy   2 gaps" in shown()
    assert "exited 1" in shown()


def test_the_findings_of_a_service_the_worst_first() -> None:
    text = shown(View(page="service", selected=("prod", "web")))
    assert text.index("memory-high") < text.index("no-alert")
    assert "compose.yaml:7" in text
    assert "fix: Mend it." in text
    assert "no longer there" in shown(View(page="service", selected=("prod", "gone")))


def test_the_header_says_what_is_wrong() -> None:
    assert "the last look failed: no such catalogue" in shown(error="no such catalogue")
    failed = replace(REPORT, sources=(SourceState("docker", "failed", "connection refused", "prod"),))
    assert "docker: connection refused" in "\n".join(drawn(View(), Seen(failed, at=99.0)))
    assert "looking for the first time" in "\n".join(drawn(View(), Seen()))
    assert "cannot look: x" in "\n".join(drawn(View(), Seen(error="x")))


PAGES = [View(), View(page="help"), View(page="service", selected=("prod", "web")), View(filter="zzz")]


@given(st.integers(1, 200), st.integers(1, 60), st.sampled_from(PAGES))
def test_any_size_is_filled_exactly(columns: int, height: int, view: View) -> None:
    found = drawn(view, Seen(REPORT, at=99.0, audited=70.0), columns, height)
    assert len(found) == max(height, 2)
    assert [line for line in found if width(line) > columns] == []


def test_at_80_columns_nothing_is_cut() -> None:
    for page in ("table", "help", "service"):
        found = drawn(View(page=page, selected=("prod", "web")), Seen(REPORT, at=99.0))
        assert [line for line in found if width(line) > 80] == []


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_names_are_harmless(word: str) -> None:
    one = report(
        (service(word or "x", title=word, owner=word),), (finding("x", word or "x", message=word),), system=word
    )
    for view in (View(), View(page="service", selected=("prod", word or "x"))):
        assert all(line.isprintable() for line in drawn(view, Seen(one, at=99.0)))


# --- a real terminal ----------------------------------------------------------------------------------------------


class Screen:
    """`auditor top` on a terminal of its own, and what stands on it."""

    def __init__(
        self, folder: Path, *arguments: str, size: tuple[int, int] = (80, 24), code: str | None = None
    ) -> None:
        self.front, self.back = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.back)
        command = ["-c", code] if code else ["-m", "auditor", "top"]
        self.child = subprocess.Popen(
            [sys.executable, *command, *arguments],
            cwd=folder, env=environment({"TERM": "xterm"}), stdin=self.back, stdout=self.back, stderr=subprocess.PIPE,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self.seen = ""

    def resize(self, columns: int, height: int) -> None:
        fcntl.ioctl(self.back, termios.TIOCSWINSZ, struct.pack("HHHH", height, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.front, keys.encode())

    def read(self, seconds: float = 0.2) -> None:
        while select.select([self.front], [], [], seconds)[0]:
            self.seen += os.read(self.front, 65536).decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """The last whole picture."""
        last = self.seen.rpartition("\x1b[H")[2]
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", last).replace("\r", "")

    def until(self, word: str, seconds: float = 20) -> str:
        end = time.monotonic() + seconds
        while word not in self.text:
            assert time.monotonic() < end, f"{word!r} is not on the screen:\n{self.text}"
            assert self.child.poll() is None, self.seen
            self.read(0.1)
        return self.text

    def end(self) -> int:
        code = self.child.wait(20)
        self.read()
        return code

    def is_as_before(self) -> bool:
        """The mode of the terminal, its own screen, and the cursor."""
        left = self.seen.rpartition("\x1b[?1049h")[2]
        return termios.tcgetattr(self.back) == self.before and "\x1b[?1049l" in left and "\x1b[?25h" in left


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    services = "".join(f"  s{number:02}: {{image: 'web:1'}}\n" for number in range(40))
    (tmp_path / "compose.yaml").write_text(f"name: shop\nservices:\n{services}  web: {{image: 'nginx:latest'}}\n")
    (tmp_path / "catalogue.yaml").write_text("system: shop\nservices:\n  web: {owner: ops}\n" + services.replace(
        "{image: 'web:1'}", "{}"
    ))  # fmt: skip
    return tmp_path


@contextlib.contextmanager
def top(folder: Path, *arguments: str, **options: Any) -> Iterator[Screen]:
    screen = Screen(folder, *arguments, **options)
    try:
        yield screen
    finally:
        screen.child.kill()
        screen.child.communicate()
        os.close(screen.front)
        os.close(screen.back)


def test_keys_on_a_terminal(folder: Path) -> None:
    with top(folder, "--offline") as screen:
        screen.until("41 healthy")
        screen.press("/web\r")
        assert "s01" not in screen.until("/web ")
        screen.press("\r")
        screen.until("moving-image-tag")
        screen.press("\x1b")
        screen.until("sorted by")
        screen.press("?")
        screen.until("PgUp")
        screen.press("q")
        assert screen.end() == 0
        assert screen.is_as_before()


def test_it_fits_a_terminal_of_80_by_24_and_follows_its_size(folder: Path) -> None:
    with top(folder, "--offline") as screen:
        first = screen.until("41 healthy").split("\n")
        assert len(first) == 24
        assert "q quit" in first[-1]
        screen.resize(120, 30)
        os.kill(screen.child.pid, signal.SIGWINCH)
        end = time.monotonic() + 10
        while len(screen.text.split("\n")) != 30 and time.monotonic() < end:
            screen.read(0.1)
        assert len(screen.text.split("\n")) == 30
        assert "\x1b[2J" not in screen.seen.partition("\x1b[H")[2], "the screen is never cleared: that would flicker"


@pytest.mark.parametrize(("how", "code"), [("\x03", 0), (signal.SIGTERM, 3)])
def test_the_terminal_is_as_before_when_it_is_ended(folder: Path, how: Any, code: int) -> None:
    with top(folder, "--offline") as screen:
        screen.until("41 healthy")
        screen.press(how) if isinstance(how, str) else os.kill(screen.child.pid, how)
        assert screen.end() == code
        assert screen.is_as_before()


CRASH = """
import sys
from auditor.cli.top import screen
from auditor.cli.shell import run
draw = screen.draw
def crash(view, *rest):
    if view.page == "help":
        raise RuntimeError("made to crash")
    return draw(view, *rest)
screen.draw = crash
sys.exit(run(["top", "--offline"]))
"""


def test_the_terminal_is_as_before_after_a_crash(folder: Path) -> None:
    with top(folder, code=CRASH) as screen:
        screen.until("41 healthy")
        screen.press("?")
        assert screen.end() == 3
        assert screen.is_as_before()
        assert screen.child.stderr is not None
        assert b"internal error (RuntimeError" in screen.child.stderr.read()


def test_a_catalogue_that_breaks_is_said_and_recovers(folder: Path) -> None:
    catalogue = folder / "catalogue.yaml"
    text = catalogue.read_text()
    with top(folder, "--offline", "--every", "200ms", "--audit-every", "200ms") as screen:
        screen.until("41 healthy")
        catalogue.write_text("services: {web: {teir: x}}\n")
        assert "web" in screen.until("the last look failed")
        catalogue.write_text(text)
        screen.until("read just now")


@pytest.mark.engine
def test_an_engine_that_goes_and_comes_back(folder: Path, engine: Engine) -> None:
    engine.clear()
    engine.import_busybox()
    (folder / "compose.yaml").write_text("name: shop\nservices: {web: {image: 'busybox:test', mem_limit: 64m}}\n")
    engine.compose(folder, "up", "--detach")
    (folder / "catalogue.yaml").write_text("services: {web: {}}\n")
    link = folder / "docker.sock"
    link.symlink_to(engine.socket)
    with top(folder, "--docker", f"unix://{link}", "--every", "300ms") as screen:
        screen.until("running")
        link.unlink()
        assert "running" not in screen.until("unknown, docker:")
        link.symlink_to(engine.socket)
        screen.until("running")
        screen.press("q")
        assert screen.end() == 0


# --- no terminal --------------------------------------------------------------------------------------------------


def test_without_a_terminal_there_is_one_table(folder: Path) -> None:
    done = auditor("top", "--offline", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n")[0].split() == ["service", "status", "gaps"]
    assert len(done.stdout.split("\n")) == 43
    assert "\x1b" not in done.stdout
