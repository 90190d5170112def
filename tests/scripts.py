"""Script files: one text that holds files, a command line, and what it must print and return.

    What it shows, in a line or two.
    -- compose.yaml --
    (a file's content)
    -- $ auditor audit --offline --
    (what it prints)
    -- stderr --
    (what it prints there, if anything)
    -- exit 1 --

Several commands may follow each other in the same directory; without `exit` the code must be 0. `-- see FILE --`
compares a file with what was written. In what is printed, `<time>` stands for a time of now, and `<dir>` for the
directory.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_MARK = re.compile(r"^-- (.+) --\n", re.MULTILINE)
_NOW = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| UTC)")
_SECONDS = re.compile(r'("duration_seconds": )\d[\d.e-]*')


@dataclass
class Script:
    """A script file in its parts: (mark, text) in order, the text before the first mark under ""."""

    path: Path
    parts: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Script:
        pieces = _MARK.split(path.read_text(encoding="utf-8"))
        return cls(path, [("", pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True)])

    def text(self) -> str:
        return "".join(f"-- {mark} --\n{text}" if mark else text for mark, text in self.parts)

    def run(self, directory: Path) -> Script:
        """The same script with what really came out."""
        made = Script(self.path)
        for mark, text in self.parts:
            if mark.startswith("$ "):
                made.parts += _command(mark, directory)
            elif mark.startswith("see "):
                made.parts.append((mark, _settled((directory / mark[4:]).read_text(encoding="utf-8"), directory)))
            elif mark != "stderr" and not mark.startswith("exit "):
                made.parts.append((mark, text))
                if mark:
                    _write(directory / mark, text)
        return made


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _command(mark: str, directory: Path) -> list[tuple[str, str]]:
    words = mark.removeprefix("$ ").split()
    done = auditor(*words[1:], cwd=directory)
    found = [(mark, _settled(done.stdout, directory))]
    if done.stderr:
        found.append(("stderr", _settled(done.stderr, directory)))
    if done.returncode:
        found.append((f"exit {done.returncode}", ""))
    return found


def auditor(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a user would: no terminal, no settings of this shell."""
    return subprocess.run(
        [sys.executable, "-m", "auditor", *arguments],
        cwd=cwd,
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a plain shell; the checkout is importable from anywhere."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}
    checkout = str(Path(__file__).parents[1])
    return kept | {"PYTHONPATH": checkout, "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1"} | variables


def _settled(text: str, directory: Path) -> str:
    text = _NOW.sub("<time>", text.replace(str(directory), "<dir>"))
    return _SECONDS.sub(r"\g<1>0", text)
