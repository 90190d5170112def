"""`make bench`: prints the performance table of the README, each goal as a ratio that was met or missed."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from yaml import _yaml

from bench import engine, projects, shapes
from bench.measure import ROUNDS, Figure, compare, python
from bench.peers import compose, compose_1, dclint

SIZES = (10, 100, 1000, 5000)
PEERS_AT = 1000  # services
SHAPE_SIZES = (1000, 5000)
GROWTH = 6.0  # of the work of 5,000 over that of 1,000
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


def growing(directory: Path, rounds: int) -> Iterator[str]:
    """How the audit of each shape grows from 1,000 to 5,000: five times the work is all that it may take."""
    for shape in shapes.SHAPES:
        programs = {}
        for size in SHAPE_SIZES:
            where = directory / "shapes" / str(size)
            named = [word for name in shapes.write(where, shape, size) for word in ("-f", name)]
            argv = python("-m", "auditor", "audit", *named, "--offline", "--select", "all", "--format", "json")
            programs[str(size)] = (argv, where)
        small, large = compare(programs, rounds).values()
        growth = large.seconds / small.seconds
        yield (
            f"| {shape}: {SHAPE_SIZES[1]:,} over {SHAPE_SIZES[0]:,} | {large.seconds:.3f} s, {large.mebibytes:.0f} MiB "
            f"| {small.seconds:.3f} s | {growth:.1f} | {'met' if growth <= GROWTH else 'missed'} (≤ {GROWTH:g}) |"
        )
        shutil.rmtree(directory / "shapes")


def loading(directory: Path, services: int, rounds: int) -> list[str]:
    """Loading alone, inside one process: against libyaml's events, and against PyYAML's own C loader."""
    (directory / str(services)).mkdir(exist_ok=True)
    _, path = projects.write(directory / str(services), services)
    done = subprocess.run(
        python("-m", "bench.load", str(path), str(rounds)), capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    what = f"load, {services:,} services"
    rows = []
    for floor, name, goal in (("events", "libyaml events", 8.0), ("csafe", "`CSafeLoader`", 1.0)):
        ratio = found["load"] / found[floor]
        said = (
            ""
            if (floor == "csafe") is not (services == 5000)
            else f"{'met' if ratio <= goal else 'missed'} (≤ {goal:g})"
        )
        rows.append(f"| {what} | {found['load']:.3f} s | {name}: {found[floor]:.3f} s | {ratio:.1f} | {said} |")
    return rows


def peers(directory: Path, rounds: int) -> Iterator[str]:
    """A whole audit of 1,000 services against programs that only load, or hold fewer rules: how often faster."""
    where = directory / str(PEERS_AT)
    ours = python("-m", "auditor", "audit", "-f", "docker-compose.yml", "--offline", "--select", "all", "-q")
    text = (where / "docker-compose.yml").read_text()
    (where / "unnamed.yml").write_text(text.removeprefix("name: bench\n"))  # 1.29 knows no `name`
    wanted = {
        "dclint": (dclint(), ["docker-compose.yml"], 10.0),
        "docker-compose 1.29 `config -q`": (compose_1(), ["-f", "unnamed.yml", "config", "-q"], 5.0),
        "docker-compose 2.40 `config -q`": (compose(), ["-f", "docker-compose.yml", "config", "-q"], 2.0),
    }
    here = {name: ([*argv, *rest], where) for name, (argv, rest, _) in wanted.items() if argv}
    figures = compare({"audit": (ours, where), **here}, rounds)
    audit = figures.pop("audit")
    for name, figure in figures.items():
        goal = wanted[name][2]
        times = figure.seconds / audit.seconds
        memory = "less" if audit.mebibytes < figure.mebibytes else "more"
        yield (
            f"| audit with every check, {PEERS_AT:,} services | {audit.seconds:.3f} s, {audit.mebibytes:.0f} MiB "
            f"| {name}: {figure.seconds:.3f} s, {figure.mebibytes:.0f} MiB | {times:.1f} times faster, {memory} memory "
            f"| {'met' if times >= goal else 'missed'} (≥ {goal:g}) |"
        )
    for name in wanted.keys() - {*figures}:
        yield f"| audit with every check, {PEERS_AT:,} services | | {name}: not here | | |"


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
        audits = {services: files(directory, services, rounds) for services in SIZES}
        for row in audits.values():
            print(row.render(), flush=True)
        growth = audits[5000].figure.seconds / audits[1000].figure.seconds
        verdict = "met" if growth <= GROWTH else "missed"
        print(f"| audit of 5,000 over audit of 1,000 | | | {growth:.1f} | {verdict} (≤ {GROWTH:g}) |")
        for services in (1000, 5000):
            for line in loading(directory, services, rounds):
                print(line, flush=True)
        for line in growing(directory, max(1, rounds // 2)):
            print(line, flush=True)
        for line in peers(directory, max(1, rounds // 2)):
            print(line, flush=True)
        for line in engine.rows(rounds):
            print(line, flush=True)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
