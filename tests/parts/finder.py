"""Finds a component: on PATH, else in the cache, else fetched into the cache."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.parts import debian
from tests.parts.wanted import BUNDLES, PARTS, Part


def cache_folder() -> Path:
    """Where fetched components are kept; delete it to fetch anew. Shared by all clones of the project."""
    named = os.environ.get("STACK_AUDITOR_PARTS")
    if named:
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stack-auditor-parts"


def bundle_folder(name: str) -> Path:
    """Where the bundle `name` is, or would be, unpacked: `bin` has its programs, `tree` everything."""
    return cache_folder() / BUNDLES[name].folder(name)


@functools.cache
def find(name: str) -> Path | None:
    """The program `name` of `wanted.PARTS`, fetched where that is possible; None if it cannot be had."""
    here = present(name)
    bundle = PARTS[name].bundle
    if here or debian.why_not() or bundle in _faults:
        return here
    with _locked(cache_folder()):
        try:
            if not present(name):
                debian.fetch(bundle, cache_folder())
        except (debian.FetchError, subprocess.TimeoutExpired) as fault:
            _faults[bundle] = str(fault)
            return None
    _version.cache_clear()
    return present(name)


def present(name: str) -> Path | None:
    """The program `name` if it is on the machine already and new enough."""
    part = PARTS[name]
    places = [shutil.which(command) for command in part.commands]
    places.append(str(bundle_folder(part.bundle) / "bin" / name))
    return next((Path(place) for place in places if place and _suits(Path(place), part)), None)


def missing(name: str) -> str:
    """Why `find(name)` found nothing."""
    part = PARTS[name]
    if part.bundle in _faults:
        return f"`{name}` could not be fetched: {_faults[part.bundle]}"
    least = f" {'.'.join(map(str, part.oldest))} or newer" if any(part.oldest) else ""
    return f"`{name}`{least} is not on PATH, and {debian.why_not() or 'what was fetched does not run'}"


def version(name: str) -> str | None:
    """The version that the program says of itself, or None if it is not here."""
    program = present(name)
    return _version(program, PARTS[name].version) if program else None


_faults: dict[str, str] = {}  # of bundles


def _suits(program: Path, part: Part) -> bool:
    if not program.exists():
        return False
    said = _version(program, part.version)
    return said is not None and tuple(map(int, re.findall(r"\d+", said)[:2])) >= part.oldest


@functools.cache
def _version(program: Path, arguments: tuple[str, ...]) -> str | None:
    try:
        done = subprocess.run(
            [program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+\.\d[\w.+~-]*", done.stdout + done.stderr)
    return found[0] if found and done.returncode == 0 else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
