"""The real Compose, asked about many projects at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.compose.conformance.corpus import Case

_AT_ONCE = 4
_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What `config` says of a case: its text, or why there is none. `root`: where the files are."""

    case: Case
    root: Path
    start: Path
    text: str | None
    error: str

    @property
    def model(self) -> Any:
        """What the text says, where JSON was asked for."""
        return None if self.text is None else json.loads(self.text)


def asked(program: Path, cases: Iterable[Case], folder: Path, *flags: str) -> Iterator[Answer]:
    """The answers of the real Compose in the order of the cases; each has a directory of its own below `folder`.

    `flags`: of `config`, JSON without any.
    """

    def ask(numbered: tuple[int, Case]) -> Answer:
        number, case = numbered
        root = folder / f"{number:04}"
        start = case.write(root)
        command: list[str | Path] = [program, *case.options, "config", *(flags or ("--format", "json"))]
        environment = case.environment(root)
        found = subprocess.run(
            command,
            cwd=start,
            env=environment,
            input=case.stdin,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        text = found.stdout if found.returncode == 0 else None
        return Answer(case, root, start, text, found.stderr.strip())

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(ask, enumerate(cases))
