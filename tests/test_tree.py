"""Files come from inside the root, are regular and bounded, whatever the links say."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.errors import EvidenceError, UsageError
from auditor.sources import tree as tree_module
from auditor.sources.tree import DiskTree, matches
from tests.builders import MemoryTree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a few files, and a secret beside it."""
    root = tmp_path / "root"
    (root / "monitoring" / "rules").mkdir(parents=True)
    (root / "README.md").write_text("hello")
    (root / "monitoring" / "prometheus.yml").write_text("scrape_configs: []")
    (root / "monitoring" / "rules" / "a.yml").write_text("groups: []")
    (root / ".git").mkdir()
    (root / ".git" / "config.yml").write_text("x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.yml").write_text("CANARY")
    return root


def test_reads_a_file_and_remembers_it(root: Path) -> None:
    tree = DiskTree(root)
    assert tree.read("README.md") == b"hello"
    assert tree.read("monitoring/../README.md") == b"hello"
    tree.read("README.md")
    assert tree.files == ["README.md", "monitoring/../README.md"]


@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret.yml",
        "monitoring/../../outside/secret.yml",
        "/etc/passwd",
        "link-to-file",
        "link-to-directory/secret.yml",
        "absolute-link",
        "../root2/x",
    ],
)
def test_outside_the_root_is_refused(root: Path, path: str) -> None:
    (root / "link-to-file").symlink_to("../outside/secret.yml")
    (root / "link-to-directory").symlink_to("../outside")
    (root / "absolute-link").symlink_to(root.parent / "outside" / "secret.yml")
    tree = DiskTree(root)
    with pytest.raises(EvidenceError, match="lies outside the project root"):
        tree.read(path)
    assert not tree.exists(path)
    assert tree.files == []


@pytest.mark.parametrize(
    "target", ["prometheus.yml", "../monitoring/prometheus.yml", "ABSOLUTE", "../../root/README.md"]
)
def test_a_link_inside_the_root_is_followed(root: Path, target: str) -> None:
    absolute = str(root / "README.md")
    (root / "monitoring" / "link.yml").symlink_to(absolute if target == "ABSOLUTE" else target)
    tree = DiskTree(root)
    assert tree.read("monitoring/link.yml") in (b"hello", b"scrape_configs: []")
    assert "monitoring/link.yml" in tree.glob("monitoring/*.yml")


def test_a_root_that_is_itself_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert DiskTree(link).read("README.md") == b"hello"


def test_an_allowed_place_outside(root: Path) -> None:
    outside = root.parent / "outside"
    tree = DiskTree(root, allow=(outside,))
    assert tree.read("../outside/secret.yml") == b"CANARY"
    assert tree.read(str(outside / "secret.yml")) == b"CANARY"
    only_file = DiskTree(root, allow=(outside / "secret.yml",))
    assert only_file.read("../outside/secret.yml") == b"CANARY"
    with pytest.raises(EvidenceError):
        only_file.read("../outside/other.yml")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing.yml", "no such file"),
        ("monitoring", "it is a directory"),
        ("pipe", "it is a named pipe"),
        ("README.md/x", "a part of the path is no directory"),
        ("loop", "too many symbolic links"),
        ("x" * 300, "the name is too long"),
        ("a\0b", "NUL"),
        ("", "it is a directory"),
    ],
)
def test_what_is_no_file_is_named(root: Path, path: str, words: str) -> None:
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    with pytest.raises(EvidenceError, match=words):
        DiskTree(root).read(path)


def test_a_device_behind_a_link_is_refused(root: Path) -> None:
    (root / "zero").symlink_to("/dev/zero")
    with pytest.raises(EvidenceError, match="outside"):
        DiskTree(root).read("zero")
    with pytest.raises(EvidenceError, match="it is a device"):
        DiskTree(root, allow=(Path("/dev"),)).read("/dev/zero")


def test_a_sparse_giant_is_refused_unread(root: Path) -> None:
    with (root / "giant").open("wb") as file:
        file.truncate(1 << 30)
    begin = time.monotonic()
    with pytest.raises(EvidenceError, match="larger than 10,485,760 bytes"):
        DiskTree(root).read("giant")
    assert time.monotonic() - begin < 1


def test_the_limit_itself_is_read(root: Path) -> None:
    (root / "edge").write_bytes(b"x" * 100)
    assert len(DiskTree(root, max_bytes=100).read("edge")) == 100
    with pytest.raises(EvidenceError):
        DiskTree(root, max_bytes=99).read("edge")


@pytest.fixture
def locked(root: Path) -> Iterator[Path]:
    """The root with a file and a directory that nobody may read, seen by nobody: root itself reads everything."""
    closed = (root / "README.md", root / "monitoring")
    above = [place for place in (root, *root.parents) if place.stat().st_mode & 0o005 != 0o005]
    modes = {place: place.stat().st_mode for place in (*closed, *above)}
    for place in modes:
        place.chmod(0 if place in closed else 0o755)
    if os.getuid() == 0:
        os.seteuid(65_534)
    yield root
    os.seteuid(os.getuid())
    for place, mode in modes.items():
        place.chmod(mode)


def test_permission_denied(locked: Path) -> None:
    tree = DiskTree(locked)
    with pytest.raises(EvidenceError, match="permission denied"):
        tree.read("README.md")
    assert tree.glob("**/*.yml") == []
    assert tree.unread == ["monitoring"]


def test_exists(root: Path) -> None:
    tree = DiskTree(root)
    os.mkfifo(root / "pipe")
    asked = ("README.md", "monitoring", "", ".", "missing", "pipe", "../outside")
    assert [tree.exists(path) for path in asked] == [True, True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**/*.yml", ["monitoring/prometheus.yml", "monitoring/rules/a.yml"]),
        ("*.md", ["README.md"]),
        ("./README.md", ["README.md"]),
        ("monitoring/*", ["monitoring/prometheus.yml"]),
        ("monitoring/**", ["monitoring/prometheus.yml", "monitoring/rules/a.yml"]),
        ("monitoring/rules/[ab].yml", ["monitoring/rules/a.yml"]),
        ("nowhere/*.yml", []),
        ("*", ["README.md"]),
    ],
)
def test_glob_on_disk_and_in_memory(root: Path, pattern: str, found: list[str]) -> None:
    memory = MemoryTree({str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()})
    assert DiskTree(root).glob(pattern) == found
    if not pattern.startswith("."):
        assert memory.glob(pattern) == found


def test_glob_goes_through_a_linked_directory_only_when_named(root: Path) -> None:
    (root / "ops").symlink_to("monitoring")
    (root / "evil").symlink_to("../outside")
    tree = DiskTree(root)
    assert tree.glob("ops/*.yml") == ["ops/prometheus.yml"]
    assert tree.glob("evil/*.yml") == []
    assert all(not path.startswith(("ops", "evil")) for path in tree.glob("**"))


def test_too_many_files(root: Path) -> None:
    with pytest.raises(EvidenceError, match="more than 2 files"):
        DiskTree(root, max_files=2).glob("**/*.yml")
    assert DiskTree(root, max_files=2).glob("monitoring/rules/*") == ["monitoring/rules/a.yml"]


def test_a_root_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the directory"):
        DiskTree(tmp_path / "missing")


def test_no_descriptor_stays_open(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    tree = DiskTree(root)
    before = _open_descriptors()
    for path in ("README.md", "loop", "missing", "monitoring/rules/a.yml", "../outside/secret.yml"):
        tree.exists(path)
    tree.glob("**")
    assert _open_descriptors() == before


def _open_descriptors() -> int:
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.exists() else 0


def test_a_directory_swapped_for_a_link_leaks_nothing(root: Path) -> None:
    swapped, spare = root / "swap", root / "spare"
    swapped.mkdir()
    (swapped / "secret.yml").write_text("ours")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            swapped.rename(spare)
            swapped.symlink_to("../outside")
            swapped.unlink()
            spare.rename(swapped)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        outcomes = {_attempt(root) for _ in range(2_000)}
    finally:
        stop.set()
        thread.join()
    assert b"CANARY" not in outcomes
    assert outcomes <= {b"ours", b""}


def _attempt(root: Path) -> bytes:
    try:
        return DiskTree(root).read("swap/secret.yml")
    except EvidenceError:
        return b""


def test_a_pattern_of_many_stars_is_quick() -> None:
    begin = time.monotonic()
    assert not matches(["**", "*a" * 40 + "b"], ["x"] * 50 + ["a" * 200])
    assert not matches(["**"] * 30 + ["x"], ["y"] * 60)
    assert time.monotonic() - begin < 1


def test_what_is_skipped_is_spelt_in_lower_case() -> None:
    assert {name.lower() for name in tree_module.SKIPPED} == tree_module.SKIPPED
