"""The YAML that we print against that of the real Compose, byte by byte."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.compose.conformance.corpus import Case, corpus
from tests.compose.conformance.oracle import asked
from tests.compose.conformance.place import called, standing
from tests.compose.conformance.projects import projects
from tests.parts.plugin import need

CASES = [case for case in (*corpus(), *projects()) if not case.refused and not case.differs]
SHORT = CASES[::7]
WORDS = (
    *(
        "",
        "~",
        "null",
        "Null",
        "true",
        "TRUE",
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "N",
        "nan",
        ".nan",
        ".Inf",
        "-.inf",
        "<<",
    ),
    *("0", "-0", "+1", "012", "0o14", "08", "0x1F", "0x", "0b1", "1_000", "1.", ".5", "1e3", "1e999", ".", "..", "-.5"),
    *(
        "22:22",
        "1:2:3",
        "2020-01-01",
        "2020-13-01",
        "2020-1-1 1:2:3",
        "2020-01-01T00:00:00Z",
        "2020-01-01t1:2:3",
        "=",
        "!",
    ),
    *(
        "99999999999999999999",
        "18446744073709551615",
        "a: b",
        "a:b",
        "a #b",
        "a#b",
        "a:",
        "-",
        "- a",
        "-a",
        "--- a",
        "...",
    ),
    *(
        "? a",
        "?a",
        ":a",
        ": a",
        "@a",
        "`a`",
        "%a",
        "&a",
        "*a",
        "|",
        ">a",
        "'a'",
        '"a"',
        "it's",
        'say "a"',
        "{a}",
        "[a]",
    ),
    *(" a", "a ", "a\tb", "\ta", "a\nb", "a\nb\n", "a\n\n", "\n", " a\nb", "a \nb", "a\n b", "a\r\nb", "\x07", "\x7f"),
    *(
        "caf\u00e9",
        "\u00a0",
        "\U0001f600",
        "\ud7ff",
        "\ufeff",
        "a\u0085b",
        "a\\b",
        "/a/b",
        "a,b",
        "a;b",
        "#a",
        "a  b",
        ",a",
    ),
)
SIGNS = "ab01.:-_ #'\"\\{}[],&*!|>%@`?~=<$\n\t+eExoyn/\u00e9"
KEYS = "aAb_-.019é"


def unlike(cases: Iterable[Case], folder: Path) -> Iterator[str]:
    """The cases of which the two print different text."""
    for answer in asked(need("docker-compose"), cases, folder, "--format", "yaml"):
        with standing(answer.start, answer.case.environment(answer.root)):
            _, output, errors = called("config", *answer.case.options, stdin=answer.case.stdin)
        if output != answer.text:
            first = zip((answer.text or "").splitlines(), (output or errors).splitlines(), strict=False)
            yield f"{answer.case.name}: {next((pair for pair in first if pair[0] != pair[1]), 'one is longer')}"


def of_texts(texts: list[str], keys: list[str]) -> Case:
    """A project whose texts and keys these are."""
    written = json.dumps(texts).replace(r"\ud83d\ude00", r"\U0001f600")  # YAML knows no pairs of surrogates
    lines = [f"x-texts: {written}", f"x-keys: {json.dumps(dict.fromkeys(keys, 1))}"]
    return Case("texts", {"compose.yaml": "\n".join(["services: {a: {image: x}}", *lines, ""]).replace("$", "$$")})


def made(dice: random.Random, signs: str, most: int) -> str:
    return "".join(dice.choice(signs) for _ in range(dice.randint(1, most)))


@pytest.mark.component
def test_projects_are_printed_as_the_same_text(tmp_path: Path) -> None:
    assert list(unlike(SHORT, tmp_path)) == []


@pytest.mark.component
@pytest.mark.endurance
@pytest.mark.timeout(1_800)
def test_all_projects_are_printed_as_the_same_text(tmp_path: Path) -> None:
    assert list(unlike(CASES, tmp_path)) == []


@pytest.mark.component
def test_odd_texts_and_keys_are_written_the_same(tmp_path: Path) -> None:
    dice = random.Random("texts")  # noqa: S311 - no secret depends on it
    texts = [*WORDS, *(made(dice, SIGNS, 6) for _ in range(3_000))]
    keys = list(dict.fromkeys(made(dice, KEYS, 5) for _ in range(500)))
    assert list(unlike([of_texts(texts, keys)], tmp_path)) == []


@pytest.mark.component
def test_a_key_for_ssh_is_written_as_compose_writes_it(tmp_path: Path) -> None:
    body = "services: {b: {image: x, build: {context: ., ssh: ['k=./id']}}, c: {build: {ssh: {l: ~/id}}}}"
    include = Case("ssh", {"compose.yaml": "include: [s/o.yaml]\nservices: {}", "s/o.yaml": body})
    assert list(unlike([Case("ssh", {"compose.yaml": body}), include], tmp_path)) == []
