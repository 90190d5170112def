"""Projects broken on purpose: mutated lines and bytes, swapped types, odd encodings, texts made of YAML's own signs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import yaml

from auditor.compose.files import DEFAULT_FILES
from auditor.sources import compose_schema
from tests.compose.conformance.corpus import Case, corpus
from tests.compose.conformance.projects import projects
from tests.compose.conformance.swapped import swapped

_SPLINTERS = (
    *("null", "[]", "{}", "[a, [b]]", "{a: {b: c}}", "-1", "1e999", "true", "''", "9" * 5_000, "0x", "\u00e9", "~"),
    *("${A", "$", "${A:-}", "${A:-${B:?x}}", "!reset null", "!override [x]", "*x", "&x y", "<<: {a: 1}", "..", "://"),
    *(
        "\t",
        "\x00",
        "- x",
        "? y",
        "'",
        '"',
        ":",
        "::",
        "/",
        "\r\n",
        "---\n",
        "...\n",
        "%YAML 9\n",
        "[" * 200,
        "{" * 200,
    ),
    *("<<: *a", "&a [*a]", "!!binary x", "!!python/object:os.system x", "=", "0o9", "22:22:22", "2020-01-01", ".inf"),
)
_SIGNS = "abc:-[]{}&*!|>'\"%@`#,?$\n\n  \t0159.~<=/\\"
_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "utf-7", "cp037")
_SWAPS: tuple[Any, ...] = ([], {}, None, "text", 0, True, -1.5, ["a"], {"a": "b"}, [{"a": []}], "", [None], {"a": None})


def broken(count: int) -> Iterator[tuple[int, Case]]:
    """`count` projects, the same ones in every run, with the number that makes each of them."""
    told = [case for case in (*corpus(), *projects()) if case.files and not case.cwd and not case.stdin]
    found = [case for case in told if case.options or case.env or not case.files.keys().isdisjoint(DEFAULT_FILES)]
    whole = [case for case in found if not (case.refused and (case.options or case.env))]  # which are what is wrong
    for number in range(count):
        dice = random.Random(number)  # noqa: S311 - no secret depends on it
        yield number, _broken(dice.choice(whole), dice)


def _broken(case: Case, dice: random.Random) -> Case:
    files: dict[str, str | bytes] = dict(case.files)
    path = dice.choice(sorted(files))
    text = str(case.files[path])
    way = dice.choices((_mutated, _swapped, _typed, _made, _encoded), (40, 10, 20, 20, 10))[0]
    files[path] = way(text, dice)
    return Case(case.name, files, case.options, case.env)


def _mutated(text: str, dice: random.Random) -> str:
    """One to four of: a byte changed, a line lost, doubled or moved, a value or a word replaced."""
    for _ in range(dice.randint(1, 4)):
        lines = text.split("\n")
        at = dice.randrange(len(lines))
        kind = dice.randrange(6)
        if kind == 0 and text:
            place = dice.randrange(len(text))
            text = text[:place] + dice.choice(_SPLINTERS) + text[place + dice.randrange(3) :]
            continue
        if kind == 1:
            del lines[at]
        elif kind == 2:
            lines.insert(at, lines[dice.randrange(len(lines))])
        elif kind == 3:
            lines[at] = "  " * dice.randrange(4) + lines[at].lstrip()
        elif kind == 4:
            lines[at] = lines[at].partition(":")[0] + ": " + dice.choice(_SPLINTERS)
        else:
            words = lines[at].split(" ")
            words[dice.randrange(len(words))] = dice.choice(_SPLINTERS)
            lines[at] = " ".join(words)
        text = "\n".join(lines)
    return text


def _swapped(text: str, dice: random.Random) -> str:
    """One or two values of the document replaced by a value of another type."""
    document = _parsed(text)
    for _ in range(dice.randint(1, 2)):
        places = list(_places(document))
        if places:
            container, key = dice.choice(places)
            container[key] = deepcopy(dice.choice(_SWAPS))
    return yaml.safe_dump(document)


@cache
def _plain(text: str) -> str | None:
    try:
        return yaml.safe_dump(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError):
        return None


def _parsed(text: str) -> Any:
    plain = _plain(text)
    return yaml.safe_load(plain) if plain is not None else {"services": {"a": {"image": "x", "ports": ["80"]}}}


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


@cache
def _of_the_schema() -> tuple[str, ...]:
    return tuple(str(case.files["compose.yaml"]) for case in swapped(json.loads(compose_schema.load_text())))


def _typed(_text: str, dice: random.Random) -> str:
    """A value of any type at any place that the published schema knows."""
    return dice.choice(_of_the_schema())


def _made(_text: str, dice: random.Random) -> str:
    """A text of YAML's own signs, sometimes below a service."""
    noise = "".join(dice.choice(_SIGNS) for _ in range(dice.randint(1, 400)))
    return noise if dice.random() < 0.5 else f"services:\n  a:\n    image: x\n    {noise}\n"


def _encoded(text: str, dice: random.Random) -> bytes:
    """The same text in another encoding, with NUL bytes, or with other ends of lines."""
    kind = dice.randrange(4)
    if kind == 0:
        return text.replace("\n", dice.choice(("\r\n", "\r", "\u2028", "\x85"))).encode()
    data = text.encode(dice.choice(_ENCODINGS), "replace")
    if kind == 1 and data:
        at = dice.randrange(len(data))
        return data[:at] + bytes(dice.randrange(256) for _ in range(3)) + data[at:]
    return data
