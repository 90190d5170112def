"""The history: the life of a finding, retention, and a file that is killed, corrupt, foreign or refused."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from auditor.errors import SettingsError
from auditor.model import CheckTally, Container, Finding, Report, SourceState
from auditor.store import Store, StoreError, default_url, state_directory
from tests.builders import NOON, finding, report, service

HOUR = timedelta(hours=1)
GAP, OTHER = finding("no-alert"), finding("no-probe", "db")
DOCKER = SourceState("docker", "ok", environment="prod")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{path}")
    yield opened
    opened.close()


def seen(*findings: Finding, after: int = 0, **fields: object) -> Report:
    """A report some hours after noon, in which both checks ran."""
    tallies = (CheckTally("no-alert"), CheckTally("no-probe"))
    return report((service("web"),), findings, **{"taken_at": NOON + after * HOUR, "checks": tallies} | fields)


def open_checks(store: Store) -> set[str]:
    return {life.finding.check for life in store.open_findings()}


def test_a_report_comes_back_as_it_was(store: Store) -> None:
    first = seen(GAP, OTHER)
    number = store.save(first)
    assert store.report(number) == store.latest() == first
    assert store.report(number + 1) is None


def test_reports_are_listed_newest_first_and_by_cursor(store: Store) -> None:
    numbers = [store.save(seen(after=hour)) for hour in range(5)]
    assert [item.id for item in store.reports(limit=2)] == numbers[:2:-1]
    assert [item.id for item in store.reports(before=numbers[2])] == [numbers[1], numbers[0]]


def test_first_seen_stays_and_last_seen_moves(store: Store) -> None:
    store.save(seen(GAP))
    store.save(seen(GAP, after=3))
    [life] = store.open_findings()
    assert (life.first_seen, life.opened, life.last_seen) == (NOON, NOON, NOON + 3 * HOUR)


def test_what_a_check_no_longer_finds_is_closed(store: Store) -> None:
    store.save(seen(GAP, OTHER))
    store.save(seen(OTHER, after=1))
    assert open_checks(store) == {"no-probe"}
    [closed] = store.closed_findings()
    assert (closed.finding, closed.closed) == (GAP, NOON + HOUR)


def test_a_closed_finding_that_returns_is_opened_again(store: Store) -> None:
    for report_ in (seen(GAP), seen(after=1), seen(GAP, after=2)):
        store.save(report_)
    [life] = store.open_findings()
    assert (life.first_seen, life.opened, life.closed) == (NOON, NOON + 2 * HOUR, None)
    assert store.closed_findings() == []


@pytest.mark.parametrize(
    "blind",
    [
        {"checks": (CheckTally("no-alert", skipped="docker could not be read"),)},
        {"checks": (CheckTally("no-alert", error="ValueError"),)},
        {"checks": ()},
        {"environments": ("test",)},
        {"sources": (SourceState("compose", "failed", "gone", "prod"),)},
        {"sources": (SourceState("compose", "not_asked", environment="prod"),)},
        {"sources": (SourceState("compose", "stale"),)},
    ],
    ids=["skipped", "crashed", "no tally", "other environment", "source failed", "not asked", "stale everywhere"],
)
def test_not_seen_is_not_gone(store: Store, blind: dict[str, object]) -> None:
    store.save(seen(GAP))
    store.save(seen(after=1, **blind))
    assert open_checks(store) == {"no-alert"}


def test_a_source_that_the_check_needs_keeps_its_finding_open(store: Store) -> None:
    needs = {"no-alert": ("docker",)}
    store.save(seen(GAP), needs)
    store.save(seen(after=1, sources=(replace(DOCKER, name="docker:host2", state="failed"),)), needs)
    assert open_checks(store) == {"no-alert"}
    store.save(seen(after=2, sources=(DOCKER,)), needs)
    assert open_checks(store) == set()


def test_a_source_that_failed_elsewhere_closes_as_usual(store: Store) -> None:
    store.save(seen(GAP, environments=("prod", "test")))
    failed = SourceState("compose", "failed", "gone", "test")
    store.save(seen(after=1, environments=("prod", "test"), sources=(failed,)))
    assert open_checks(store) == set()


def test_the_same_fingerprint_lives_once_an_environment(store: Store) -> None:
    twin = replace(GAP, environment="test")
    store.save(seen(GAP, twin, environments=("prod", "test")))
    store.save(seen(GAP, environments=("prod", "test"), after=1))
    assert [life.finding.environment for life in store.open_findings()] == ["prod"]


def test_history_is_bounded_and_open_findings_are_not(path: Path) -> None:
    store = Store(f"sqlite:///{path}", keep_reports=3, keep_closed=2)
    for hour in range(10):
        store.save(seen(GAP, replace(OTHER, fingerprint=str(hour)), after=hour))
    assert len(store.reports()) == 3
    assert len(store.closed_findings()) == 2
    assert {life.first_seen for life in store.open_findings()} == {NOON, NOON + 9 * HOUR}


def test_containers_are_not_kept(store: Store) -> None:
    store.save(seen(containers=(Container("1", "web", "prod", "nginx", "running", health_output="CANARY"),)))
    assert store.latest() == seen()


@pytest.mark.parametrize("text", ["\ud800", "nul\x00", "\u202e", "x" * 70_000, "'; DROP TABLE finding; --"])
def test_hostile_text_comes_back_unharmed(store: Store, text: str) -> None:
    hostile = finding("no-alert", text, message=text)
    store.save(seen(hostile, system=text))
    assert store.open_findings()[0].finding == hostile
    assert store.latest().system == text  # type: ignore[union-attr]


def test_only_its_user_may_read(path: Path, store: Store) -> None:
    store.save(seen(GAP))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_every_connection_is_safe(store: Store) -> None:
    with store._session() as session:
        pragmas = [session.connection().exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in
                   ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")]  # fmt: skip
    assert pragmas == ["wal", 5000, 1, 2]


# --- the file -----------------------------------------------------------------------------------------------------


def kept(path: Path) -> list[Path]:
    return sorted(item for item in path.parent.iterdir() if ".corrupt." in item.name)


@pytest.mark.parametrize("content", [b"not a database at all" * 200, b"\x00" * 8192, os.urandom(8192)])
def test_a_corrupt_file_is_set_aside_with_a_notice(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    store = Store(f"sqlite:///{path}")
    assert store.save(seen(GAP)) == 1
    [aside] = kept(path)
    assert aside.read_bytes() == content
    assert store.notice is not None
    assert aside.name in store.notice


def test_a_page_that_rots_is_found_at_the_next_start(path: Path) -> None:
    store = Store(f"sqlite:///{path}")
    for number in range(50):
        store.save(seen(replace(GAP, fingerprint=str(number), message=str(number) * 500)))
    store.close()
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    path.write_bytes(content)
    assert "set aside" in (Store(f"sqlite:///{path}").notice or "")
    assert kept(path)[0].read_bytes() == content


def test_a_file_that_rots_while_it_is_used_is_set_aside_by_the_next_write(path: Path, store: Store) -> None:
    store.save(seen(GAP))
    path.write_bytes(b"rotten " * 4000)
    with pytest.raises(StoreError):
        store.save(seen(GAP))
    assert store.save(seen(GAP)) == 1
    assert len(kept(path)) == 1


def test_a_sound_file_is_never_set_aside(path: Path) -> None:
    for hour in range(5):
        store = Store(f"sqlite:///{path}")
        store.save(seen(GAP, after=hour))
        store.close()
        assert store.notice is None
    assert kept(path) == []


def test_a_newer_schema_is_refused(path: Path, store: Store) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SettingsError, match="newer version"):
        Store(f"sqlite:///{path}")
    assert kept(path) == []


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (name)")
    connection.close()
    with pytest.raises(SettingsError, match="another program"):
        Store(f"sqlite:///{path}")


@pytest.mark.parametrize(
    "url", ["postgresql://a:made-up@db/x", "history.sqlite", "sqlite://", "sqlite:///:memory:", ""]
)
def test_a_url_that_it_cannot_use_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Store(url)
    assert "made-up" not in str(raised.value)


def test_a_directory_in_its_place_is_an_error_and_stays(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot open the history"):
        Store(f"sqlite:///{path}")
    assert path.is_dir()


def test_a_full_disk_loses_nothing_and_writing_resumes(store: Store) -> None:
    store.save(seen(GAP))
    before = store.path.stat().st_size

    def full(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {before // 4096}")

    event.listen(store._engine, "connect", full)
    many = tuple(replace(GAP, fingerprint=str(number), message="x" * 900) for number in range(99))
    with pytest.raises(StoreError, match="full"):
        store.save(seen(*many, after=1))
    event.remove(store._engine, "connect", full)
    assert len(store.open_findings()) == 1
    store.save(seen(*many, after=2))
    assert len(store.open_findings()) == 99


def test_writers_in_many_threads_never_meet_a_lock(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda hour: store.save(seen(GAP, after=hour)), range(40)))
    assert sorted(numbers) == list(range(1, 41))


WRITER = """
import sys
from tests.test_store import GAP, seen
from auditor.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
hour = len(store.reports(limit=10_000))
while True:
    hour += 1
    print(store.save(seen(GAP, after=hour)), flush=True)
"""
ROUNDS = 8  # 1,000 of them by hand; each start costs a second here


def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    acknowledged: set[int] = set()
    for number in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, f"sqlite:///{path}"], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            acknowledged |= {int(child.stdout.readline()) for _ in range(1 + 5 * number)}
            child.send_signal(signal.SIGKILL)
            acknowledged |= {int(line) for line in child.stdout if line.endswith("\n")}
    store = Store(f"sqlite:///{path}")
    assert store.notice is None
    assert acknowledged <= {item.id for item in store.reports(limit=10_000)}
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_the_state_directory_follows_the_environment() -> None:
    assert state_directory({"AUDITOR_STATE_DIR": "/a"}) == Path("/a")
    assert state_directory({"XDG_STATE_HOME": "/b"}) == Path("/b/stack-auditor")
    assert state_directory({"XDG_STATE_HOME": "relative"}) == state_directory({})
    assert default_url({"AUDITOR_STATE_DIR": "/a"}) == "sqlite:////a/history.sqlite"
