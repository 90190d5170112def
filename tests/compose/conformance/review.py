"""What the auditor says of the stacks by default, next to what somebody who read each finding thinks of it."""

from __future__ import annotations

import json
import random
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.compose.conformance.corpus import Case
from tests.compose.conformance.place import called, standing
from tests.compose.conformance.projects import by_hand, projects

REVIEWED = Path(__file__).with_name("reviewed.yaml")
VERDICTS = ("true", "minor", "wrong")  # minor: true, but not worth a warning
SAMPLE = 8  # grown projects, more than 150 findings


@cache
def judged() -> dict[str, Case]:
    """Every stack by hand, and a sample of the grown ones that a seed chose."""
    grown = sorted(case.name for case in projects() if case.name.startswith("grown"))
    chosen = random.Random("reviewed").sample(grown, SAMPLE)  # noqa: S311 - no secret depends on it
    return {case.name: case for case in projects() if case.name in chosen or case in by_hand()}


@cache
def reviewed() -> dict[str, list[dict[str, Any]]]:
    """Stack -> findings, each with `finding`, `verdict` and the key of its `reason`."""
    text = REVIEWED.read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return {
        name: [dict(zip(("finding", "verdict", "reason"), line.split(" | "), strict=True)) for line in lines]
        for name, lines in found["stacks"].items()
    }


def reasons() -> dict[str, str]:
    """The reasons by their keys."""
    found: dict[str, str] = yaml.safe_load(REVIEWED.read_text(encoding="utf-8"))["reasons"]
    return found


def found(case: Case, root: Path) -> tuple[list[str], int]:
    """The findings of warning or above as `severity check service`, sorted; and how many services were judged."""
    options = list(case.options)
    files = [part for at, option in enumerate(options) if option == "-f" for part in options[at : at + 2]]
    start = case.write(root)
    with standing(start, case.environment(root)):
        _, output, _ = called("audit", *files, "--offline", "--format", "json")
    report = json.loads(output)
    told = (item for item in report["findings"] if item["severity"] != "info")
    return sorted(f"{f['severity']} {f['check']} {f['service'] or '-'}" for f in told), len(report["services"])


def tally() -> Counter[str]:
    """How many findings have which verdict."""
    return Counter(line["verdict"] for lines in reviewed().values() for line in lines)
