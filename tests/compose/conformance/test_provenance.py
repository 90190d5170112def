"""Every printed value names the line that decided it: it stands there, and another text there makes it another one."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose.conformance.corpus import Case, corpus
from tests.compose.conformance.grammar import composed
from tests.compose.conformance.place import called, standing
from tests.compose.conformance.projects import projects
from tests.compose.conformance.provenance import changed, is_compose, leaves, spread, why, without

CASES = {case.name: case for case in (*corpus(), *projects())}
SHORT, RANDOM, WHOLE = 12, 10, 300  # every how many cases; random projects, few and many
TRIED, ALL = 2, 1_000  # values of a case that are changed
# What Compose adds by itself, or makes of a short form: the last part of the path, of an item that of its list.
ADDED = {
    *("command", "entrypoint", "default", "name", "ipam", "dockerfile", "context", "placement", "resources", "mode"),
    *("protocol", "type", "volume", "source", "target", "create_host_path", "read_only", "required", "condition"),
    *("restart", "permissions", "count", "selinux", "propagation", "options", "Rate", "Weight", "Path"),
    *("kind", "value", "generic_resources.#", "nocopy"),
    *(
        "published",
        "command.#",
        "test.#",
        "entrypoint.#",
        "extra_hosts.#",
        "dns.#",
        "ssh.#",
        "x-a.#",
        "generic_resources.#",
    ),
}


class Asked:
    """One case as it is written, or changed, and what `config --lines` says of it."""

    def __init__(self, case: Case, root: Path) -> None:
        self.case, self.root = case, root
        start = case.write(root)
        with standing(start, case.environment(root)):
            home = str(root / "project")
            said = called("config", "--root", home, *case.options, "--format", "json", "--lines")
        self.accepted, self.errors = said[0] == 0, said[2]
        printed = json.loads(said[1]) if self.accepted else {"config": {}, "lines": {}}
        self.model, self.lines = printed["config"], printed["lines"]

    def chain(self, path: tuple[str, ...]) -> list[tuple[str, int]]:
        return [(place["path"], place["line"]) for place in self.lines.get(".".join(path), ())]

    def text(self, file: str) -> str:
        return (self.root / "project" / file).read_text()

    def value(self, path: tuple[str, ...]) -> Any:
        value = self.model
        for part in path:
            if isinstance(value, list):
                value = value[int(part)] if int(part) < len(value) else None
            else:
                value = (value or {}).get(part)
        return value

    def rewritten(self, file: str, text: str) -> Asked:
        return Asked(replace(self.case, files={**self.case.files, file: text}), self.root)


def one_a_line(case: Case) -> Case:
    """The case with a line for each key; what is no YAML to PyYAML stays as it is."""
    files = dict(case.files)
    for path, text in files.items():
        if is_compose(path) and isinstance(text, str):
            with contextlib.suppress(yaml.YAMLError, KeyError):  # an alias of what does not stand before it
                files[path] = spread(text)
    return replace(case, files=files)


def misplaced(asked: Asked) -> Iterator[str]:
    """The values whose lines do not hold them, nor what they come from."""
    for path, value in leaves(asked.model):
        chain = asked.chain(path)
        printed = (value, *([None] * len(chain)))  # what an older line held is not printed
        reasons = [why(path, printed[n], file, asked.text(file), at) for n, (file, at) in enumerate(chain)]
        kind = ".".join((path[-2], "#") if path[-1].isdigit() else path[-1:])
        if not chain or None in reasons or (reasons[0] == "cause" and kind not in ADDED):
            yield f"{'.'.join(path)}: {value!r} at {chain}, by {reasons}"


def unmoved(asked: Asked, most: int) -> Iterator[str]:
    """The values that stay what they are when the line that decided them says something else."""
    found = list(leaves(asked.model))
    dice = random.Random(asked.case.name)  # noqa: S311 - no secret depends on it
    for path, value in dice.sample(found, min(most, len(found))):
        file, line = asked.chain(path)[0]
        text = asked.case.files.get(file)
        other = changed(path, value, text, line) if isinstance(text, str) and is_compose(file) else None
        if other is None:
            continue
        then = asked.rewritten(file, other)
        listed = any(part.isdigit() for part in path)  # an equal item may stand elsewhere, and the order change
        same = then.model == asked.model if listed else then.value(path) == value
        if then.accepted and same:
            yield f"{'.'.join(path)}: {value!r} is not decided by {file}:{line}"


def unrevealed(asked: Asked) -> Iterator[str]:
    """The values that, once the deciding key is gone, do not come from what it is said to have overridden."""
    for path, value in leaves(asked.model):
        (file, line), *older = asked.chain(path)
        text = asked.case.files.get(file)
        rest = without(path, text, line) if older and isinstance(text, str) else None
        if rest is not None and (now := asked.rewritten(file, rest).chain(path)) and now[-len(older) :] != older:
            yield f"{'.'.join(path)}: {value!r} overrode {older}, and then comes {now}"


def wrong(cases: list[Case], root: Path, most: int) -> list[str]:
    found: list[str] = []
    for number, case in enumerate(cases):
        asked = Asked(one_a_line(case), root / str(number))
        if asked.accepted:
            faults = (*misplaced(asked), *unmoved(asked, most), *unrevealed(asked))
            found += [f"{case.name}: {fault}" for fault in faults]
    return found


def test_each_value_is_decided_where_it_is_said_to_be(tmp_path: Path) -> None:
    cases = [*list(CASES.values())[::SHORT], *map(composed, range(RANDOM))]
    assert wrong(cases, tmp_path, TRIED) == []


@pytest.mark.endurance
@pytest.mark.timeout(7_200)
def test_each_value_of_the_whole_corpus_is(tmp_path: Path) -> None:
    assert wrong([*CASES.values(), *map(composed, range(WHOLE))], tmp_path, ALL) == []


def test_a_line_for_each_key_changes_nothing(tmp_path: Path) -> None:
    for number, case in enumerate(list(CASES.values())[::SHORT]):
        before, after = Asked(case, tmp_path / f"{number}"), Asked(one_a_line(case), tmp_path / f"{number}")
        assert after.model == before.model


TEXT = "services:\n  web:\n    image: nginx:1\n    ports: ['80:81']\n    mem_limit: 1g\n    hostname: ${H}\n"


@pytest.mark.parametrize(
    ("path", "value", "line", "reason"),
    [
        ("services.web.image", "nginx:1", 3, "value"),
        ("services.web.image", "nginx:1", 4, None),
        ("services.web.ports.0.published", "80", 4, "value"),
        ("services.web.ports.0.mode", "ingress", 4, "cause"),
        ("services.web.ports.0.mode", "ingress", 5, None),
        ("services.web.mem_limit", "1073741824", 5, "form"),
        ("services.web.mem_limit", "1073741824", 2, None),
        ("services.web.hostname", "box", 6, "variable"),
        ("services.web.command", None, 2, "cause"),
        ("services.web.command", None, 3, None),
        ("networks.default.name", "x_default", 1, "start"),
        ("networks.default.name", "x_default", 2, None),
    ],
)
def test_what_counts_as_a_reason(path: str, value: object, line: int, reason: str | None) -> None:
    assert why(tuple(path.split(".")), value, "compose.yaml", TEXT, line) == reason
