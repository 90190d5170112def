"""Times, inside one process, the loading of a Compose file against bare libyaml events and PyYAML's own loader.

python -m bench.load FILE ROUNDS     prints {"events": seconds, "load": seconds, "csafe": seconds}, CPU medians
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from auditor.compose import load
from auditor.model import EnvironmentSpec, Location
from auditor.sources import compose_schema
from auditor.sources.tree import DiskTree


def events(data: bytes) -> None:
    """Python iterates what libyaml reads, and throws it away."""
    for _ in yaml.parse(data, Loader=yaml.CSafeLoader):
        pass


def csafe(data: bytes) -> None:
    """PyYAML's C loader: no lines, no limits, no meaning of Compose."""
    yaml.load(data, Loader=yaml.CSafeLoader)


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main(path: Path, rounds: int) -> None:
    """Measures by turns after one warm-up, and prints the medians."""
    data = path.read_bytes()
    spec = EnvironmentSpec("bench", Location(path.name), compose=(path.name,))
    schema = compose_schema.load()
    works: dict[str, Callable[[], object]] = {
        "events": lambda: events(data),
        "load": lambda: load(spec, DiskTree(path.parent), schema=schema, directory=""),
        "csafe": lambda: csafe(data),
    }
    runs: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            took = seconds(work)
            if number:
                runs[name].append(took)
    print(json.dumps({name: statistics.median(found) for name, found in runs.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
