"""What is left of a run that failed by our own fault: one line for the user, a file for whoever repairs it."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from auditor import __version__

PACKAGES = ("click", "PyYAML", "docker", "fastapi", "httpx", "pydantic", "sqlmodel", "uvicorn")


def record(error: BaseException) -> str:
    """Write the file, and give the lines to print. Messages of exceptions stay out: they may quote what was read."""
    what = f"error: internal error ({type(error).__name__}{_place(error)}); this is a fault of the auditor itself"
    try:
        path = _write("\n".join(_report(error)) + "\n")
    except OSError as fault:
        return f"{what}\n  help: the details could not be written: {(fault.strerror or 'unknown reason').lower()}"
    return f"{what}\n  --> {path}\n  help: attach that file to a report; it holds versions and code lines, no data"


def _write(text: str) -> Path:
    name = f"auditor-crash-{datetime.now(UTC):%Y%m%dT%H%M%S}-"
    for directory in (os.environ.get("AUDITOR_STATE_DIR"), None):
        try:
            handle, path = tempfile.mkstemp(prefix=name, suffix=".txt", dir=directory)
        except OSError:
            if directory is None:
                raise
            continue
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        return Path(path)
    raise OSError("no directory to write to")


def _report(error: BaseException) -> Iterator[str]:
    yield f"auditor {__version__}, Python {platform.python_version()} on {platform.platform()}"
    yield ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    yield f"command: {sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith('-') else 'none'}"
    for item in _chain(error):
        yield ""
        yield f"{type(item).__module__}.{type(item).__qualname__}"
        for frame in traceback.extract_tb(item.__traceback__)[-60:]:
            yield f"  {_short(frame.filename)}:{frame.lineno} in {frame.name}"
            yield f"    {frame.line}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    item: BaseException | None = error
    while item is not None and id(item) not in seen:
        seen.add(id(item))
        yield item
        item = item.__cause__ or item.__context__


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _short(filename: str) -> str:
    """The path from the package on, without the user's directories."""
    parts = Path(filename).parts
    starts = [place for place, part in enumerate(parts) if part in ("auditor", "exporters", "site-packages")]
    return "/".join(parts[starts[-1] :]) if starts else Path(filename).name


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {_short(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
