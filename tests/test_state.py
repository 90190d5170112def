"""The key of digests: kept where only its owner reads it, made once however many come at a time, never in the way."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auditor.errors import SettingsError
from auditor.state import KEY_FILE, digester


def kept(folder: Path) -> str:
    return digester({"AUDITOR_STATE_DIR": str(folder)}, lasting=True)("value")


def test_one_key_for_all_runs_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"
    assert kept(folder) == kept(folder)
    made = (folder / KEY_FILE).stat()
    assert stat.S_IMODE(made.st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


def test_many_that_come_at_a_time_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: kept(tmp_path), range(200)))) == 1


def test_a_run_whose_digests_nobody_keeps_writes_nothing(tmp_path: Path) -> None:
    digester({"AUDITOR_STATE_DIR": str(tmp_path)}, lasting=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["01" * 32, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="])
def test_the_variable_decides_alone(tmp_path: Path, key: str) -> None:
    told = digester({"AUDITOR_STATE_DIR": str(tmp_path), "AUDITOR_HASH_KEY": key}, lasting=True)
    assert told.key == b"\1" * 32
    assert list(tmp_path.iterdir()) == []


def test_a_variable_that_is_no_key_is_refused_without_being_quoted() -> None:
    with pytest.raises(SettingsError, match="AUDITOR_HASH_KEY") as caught:
        digester({"AUDITOR_HASH_KEY": "canary-1234"}, lasting=False)
    assert "canary" not in str(caught.value)


def test_a_directory_that_cannot_be_made_or_read_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert kept(tmp_path / "file" / "below") == kept(tmp_path / "other" / ".." / "file" / "below")
    assert digester({"AUDITOR_STATE_DIR": "/proc/no/such"}, lasting=True)


@pytest.mark.parametrize("make", ["short", "readable", "link", "pipe", "directory"])
def test_what_is_no_key_of_ours_is_neither_used_nor_overwritten(tmp_path: Path, make: str) -> None:
    path, other = tmp_path / KEY_FILE, tmp_path / "other"
    other.write_bytes(b"2" * 32)
    match make:
        case "short":
            path.write_bytes(b"2" * 31)
            path.chmod(0o600)
        case "readable":
            path.write_bytes(b"2" * 32)
            path.chmod(0o644)
        case "link":
            path.symlink_to(other)
        case "pipe":
            os.mkfifo(path, 0o600)
        case _:
            path.mkdir()
    before = path.lstat()
    assert digester({"AUDITOR_STATE_DIR": str(tmp_path)}, lasting=True).key != b"2" * 32
    assert path.lstat() == before
