"""Broken and mutated projects: the loader answers with a model and faults, never with an exception."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from auditor.compose import load
from auditor.model import EnvironmentSpec, Location
from auditor.sources import compose_schema
from tests.builders import MemoryTree
from tests.compose.cases import Case, cases

ROUNDS = int(os.environ.get("MUTATIONS", "4"))
SPLINTERS = (
    *("null", "[]", "{}", "[a, [b]]", "{a: {b: c}}", "-1", "1e999", "true", "''", "9" * 50, "0x", "\u00e9"),
    *("${A", "$", "${A:-}", "!reset null", "!override [x]", "*x", "&x y", "<<: {a: 1}", "@tcp(", "://", "..", "~"),
    *("\t", "\x00", "- x", "? y", "'", '"', ":", "::", "/", "\r\n", "---\n", "...\n"),
)


def mutated(text: str, dice: random.Random) -> str:
    """One of: a byte changed, a line lost, doubled or moved, a value or key replaced, two texts crossed."""
    lines = text.split("\n")
    at = dice.randrange(len(lines))
    kind = dice.randrange(6)
    if kind == 0 and text:
        place = dice.randrange(len(text))
        return text[:place] + dice.choice(SPLINTERS) + text[place + dice.randrange(2) :]
    if kind == 1:
        del lines[at]
    elif kind == 2:
        lines.insert(at, lines[at])
    elif kind == 3:
        lines[at] = "  " * dice.randrange(4) + lines[at].lstrip()
    elif kind == 4:
        lines[at] = lines[at].partition(":")[0] + ": " + dice.choice(SPLINTERS)
    else:
        words = lines[at].split(" ")
        words[dice.randrange(len(words))] = dice.choice(SPLINTERS)
        lines[at] = " ".join(words)
    return "\n".join(lines)


def variants(case: Case, rounds: int) -> Iterator[dict[str, str]]:
    dice = random.Random(case.name)  # noqa: S311 - no secret depends on it
    for _ in range(rounds):
        files = dict(case.files)
        for _ in range(dice.randrange(1, 4)):
            path = dice.choice(sorted(files))
            files[path] = mutated(files[path], dice)
        yield files


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_whatever_is_written_there_is_an_answer(case: Case) -> None:
    spec = EnvironmentSpec("default", Location("catalogue.yaml", 1), tuple(case.args))
    for files in variants(case, ROUNDS):
        found = load(spec, MemoryTree(files), schema=compose_schema.load(), directory="")
        assert all(fault.location.path and fault.message for fault in found.faults)
        assert all(definition.name and definition.location.line for definition in found.definitions)
