"""The program called in this process, in a directory and an environment of its own."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from auditor.cli.shell import run


@contextlib.contextmanager
def standing(directory: Path, environment: dict[str, str]) -> Iterator[None]:
    """Inside, `directory` is the current one and `environment` is all there is."""
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(environment)
        with contextlib.chdir(directory):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def called(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """One command line: exit code, output, errors."""
    given, output, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(3))
    given.write(stdin)
    given.seek(0)
    before, sys.stdin = sys.stdin, given
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = run(arguments)
    finally:
        sys.stdin = before
    return code, _written(output), _written(errors)


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
