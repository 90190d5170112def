"""`make bench`: prints the performance table of the README, each goal as a ratio that was met or missed."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from yaml import _yaml

from bench import projects
from bench.measure import ROUNDS, Figure, compare, python

SIZES = (10, 100, 1000)
EVENTS = (
    "import sys, yaml\n"
    "for path in sys.argv[1:]:\n"
    "    with open(path, 'rb') as stream:\n"
    "        for event in yaml.parse(stream, Loader=yaml.CSafeLoader):\n"
    "            pass\n"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. goal: the ratio that is aimed at, None where there is none."""

    what: str
    figure: Figure
    floor_name: str
    floor: Figure
    goal: float | None = None

    @property
    def ratio(self) -> float:
        return self.figure.seconds / self.floor.seconds

    def render(self) -> str:
        verdict = "" if self.goal is None else f"{'met' if self.ratio <= self.goal else 'missed'} (≤ {self.goal:g})"
        return (
            f"| {self.what} | {self.figure.seconds:.3f} s, {self.figure.mebibytes:.0f} MiB "
            f"| {self.floor_name}: {self.floor.seconds:.3f} s | {self.ratio:.1f} | {verdict} |"
        )


def start(directory: Path, rounds: int) -> list[Row]:
    """What starting costs, against a bare interpreter."""
    projects.write(directory / "25", 25)
    bare = python("-c", "pass")
    gate = python("-m", "auditor", "gate", "--offline", "-q")
    figures = compare(
        {
            "bare": (bare, directory),
            "help": (python("-m", "auditor", "--help"), directory),
            "gate": (gate, directory / "25"),
        },
        rounds,
    )
    return [
        Row("`auditor --help`", figures["help"], "bare interpreter", figures["bare"], 6),
        Row("`auditor gate --offline`, 25 services", figures["gate"], "bare interpreter", figures["bare"], 30),
    ]


def files(directory: Path, services: int, rounds: int) -> Row:
    """An offline audit of generated services, against libyaml's events of the same files."""
    where = directory / str(services)
    paths = [str(path) for path in projects.write(where, services)]
    figures = compare(
        {
            "events": (python("-c", EVENTS, *paths), where),
            "audit": (python("-m", "auditor", "audit", "--offline", "--format", "json"), where),
        },
        rounds,
    )
    return Row(f"`auditor audit --offline`, {services:,} services", figures["audit"], "libyaml", figures["events"])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="bench", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measured runs of each program (default 7)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="auditor-bench-") as name:
        directory = Path(name)
        print(f"Medians of {rounds} runs by turns; CPU time and peak memory of whole processes.")
        libyaml = _yaml.get_version_string()
        print(
            f"Python {platform.python_version()} on {platform.machine()}, "
            f"PyYAML {version('pyyaml')} with libyaml {libyaml}\n"
        )
        print("| what | median, peak memory | against | ratio | goal |")
        print("|---|---|---|---|---|")
        rows = start(directory, rounds)
        for row in rows:
            print(row.render(), flush=True)
        for services in SIZES:
            print(files(directory, services, rounds).render(), flush=True)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
