"""Where a result goes: standard output or a file, completely or with an error."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from auditor.errors import AuditorError
from exporters.escape import clean

FIRST_PROGRESS = 1.0  # seconds of work before anything is said


def write(text: str, path: str | None = None) -> None:
    """`text` to a file, replaced whole, or to standard output. Raises AuditorError where it cannot all be written."""
    if path is None:
        _print(text)
    else:
        write_file(path, text.encode("utf-8", "backslashreplace"))


def _print(text: str) -> None:
    stream = sys.stdout
    if stream is None:
        raise AuditorError("cannot write the output: standard output is closed")
    encoding = stream.encoding or "ascii"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError) as error:
        raise _failed("the output", error) from error


def write_file(path: str, content: bytes, *, new: bool = False, parents: bool = False) -> None:
    """`content` to `path`. `new`: refuse one that exists; `parents`: make its directories first.

    Raises AuditorError, and then leaves what was there.
    """
    target = Path(path)
    try:
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        if new:
            _create(target, content)
        elif target.exists() and not target.is_file():  # a device or a pipe cannot be replaced
            target.write_bytes(content)
        else:
            _replace(target, content)
    except FileExistsError as error:
        raise exists(path) from error
    except (OSError, ValueError) as error:
        raise _failed(f"`{path}`", error) from error


def exists(path: str) -> AuditorError:
    """The refusal to overwrite a file."""
    from auditor.errors import UsageError

    return UsageError(f"`{path}` exists already", help="nothing is overwritten: move it away or name another file")


def _create(target: Path, content: bytes) -> None:
    with target.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            target.unlink()
            raise


def _replace(target: Path, content: bytes) -> None:
    import tempfile  # few runs write a file

    target = target.resolve()  # a link stays, what it points at is replaced
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _failed(what: str, error: Exception) -> AuditorError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return AuditorError(f"cannot write {what}: {reason.lower()}")


def terminal() -> bool:
    """Whether somebody reads standard output as it is written."""
    return sys.stdout is not None and sys.stdout.isatty()


def look() -> dict[str, Any]:
    """How standard output wants its page: keywords for `exporters.text.render`."""
    colour = terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    columns = shutil.get_terminal_size((80, 24)).columns if terminal() or os.environ.get("COLUMNS") else 80
    encoding = sys.stdout.encoding if sys.stdout is not None else None
    return {"colour": colour, "width": columns, "encoding": encoding or "ascii"}


def plain() -> dict[str, Any]:
    """The same for a file: UTF-8 and no colour."""
    return {"colour": False, "width": 100, "encoding": "utf-8"}


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str], None] | None]:
    """A function that shows on standard error what is being done, once that takes longer than a second.

    None where nobody watches: with -q, or where standard error is no terminal.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    line = _Line()
    try:
        yield line.show
    finally:
        line.close()


class _Line:
    """One line of a terminal that is written again and again."""

    def __init__(self, after: float = FIRST_PROGRESS) -> None:
        self._text = ""
        self._shown = False
        self._closed = False
        self._lock = Lock()  # sources report from threads
        self._first = time.monotonic() + after
        self._timer = Timer(after, self._draw)
        self._timer.daemon = True
        self._timer.start()

    def show(self, text: str) -> None:
        self._text = text
        if time.monotonic() >= self._first:
            self._draw()

    def _draw(self) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._closed or not self._text:
                return
            self._shown = True
            columns = shutil.get_terminal_size().columns
            sys.stderr.write(f"\r\x1b[K{clean(self._text, 200)[: max(10, columns - 4)]} ...")
            sys.stderr.flush()

    def close(self) -> None:
        self._timer.cancel()
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._closed = True
            if self._shown:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()


def note(text: str) -> None:
    """A line for whoever reads standard error; whether it can be written decides nothing."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            encoding = sys.stderr.encoding or "ascii"
            sys.stderr.write(f"{text.encode(encoding, 'backslashreplace').decode(encoding)}\n")
            sys.stderr.flush()
