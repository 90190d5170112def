"""Where a command stands, by the names that the shell and Compose have for it: links are not resolved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def current(environ: Mapping[str, str]) -> Path:
    """The current directory as `PWD` names it, where that is true."""
    told = Path(environ.get("PWD", ""))
    here = Path.cwd()
    return told if told.is_absolute() and told.is_dir() and told.samefile(here) else here


def root_of(start: Path) -> Path:
    """The nearest ancestor with `.git`, else the directory itself; itself, too, where a link leads out of that."""
    found = next((place for place in (start, *start.parents) if (place / ".git").exists()), start)
    return found if start.resolve().is_relative_to(found.resolve()) else start


def called(root: Path, start: Path) -> Path:
    """The root by the name that it has in the path of what lies in it."""
    real = root.resolve()
    return next((place for place in (start, *start.parents) if place.resolve() == real), real)
