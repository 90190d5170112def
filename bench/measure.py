"""Runs whole programs by turns and keeps the median of their CPU time and peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Figure:
    """Median CPU seconds (user and system) and peak memory in MiB of one program."""

    seconds: float
    mebibytes: float


def run(argv: Sequence[str], cwd: Path) -> Figure:
    """One run of a program, its output thrown away. Raises RuntimeError where it ends with a code above 1."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(argv, cwd=cwd, stdout=subprocess.DEVNULL, stderr=errors, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-400:]
            raise RuntimeError(f"{' '.join(argv)} ended with {process.returncode}: {said}")
    return Figure(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compare(programs: Mapping[str, tuple[Sequence[str], Path]], rounds: int = ROUNDS) -> dict[str, Figure]:
    """The median figures of several programs: warmed up once, then run by turns so that noise meets all alike."""
    runs: dict[str, list[Figure]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, (argv, cwd) in programs.items():
            figure = run(argv, cwd)
            if number:
                runs[name].append(figure)
    return {
        name: Figure(statistics.median(f.seconds for f in found), statistics.median(f.mebibytes for f in found))
        for name, found in runs.items()
    }


def python(*arguments: str) -> list[str]:
    """This interpreter with arguments."""
    return [sys.executable, *arguments]
