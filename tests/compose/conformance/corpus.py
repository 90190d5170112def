"""The corpus: small projects as data, and what both programs are asked about each of them.

A case in `corpus/*.yaml`: `files` (path -> text), or `compose` (the text of compose.yaml), or `web` (the body of
its one service, image given) with `top` (what follows at the top level), or `a` and `b` (bodies of the one service in
two files). `options`, `env` and `stdin` go to both programs, `cwd` is where they start. `refused`: Compose does not
load it. `trap`: which known trap of Compose parsers it covers. `differs`: the entry of differences.yaml that
excuses us.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
HOME = "project"  # the directory that the files stand in, and so the project's name


@dataclass(frozen=True)
class Case:
    """One project and one way to ask for it."""

    name: str
    files: Mapping[str, str | bytes]
    options: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = ""
    refused: bool = False
    traps: tuple[int, ...] = ()
    differs: str | None = None
    stdin: str = ""

    def write(self, root: Path) -> Path:
        """The files below `root`; where the programs start."""
        home = root / HOME
        (home / self.cwd).mkdir(parents=True, exist_ok=True)
        for path, text in self.files.items():
            place = home / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text if isinstance(text, bytes) else text.encode())
        return home / self.cwd

    def environment(self, root: Path) -> dict[str, str]:
        """All that either program sees of the environment."""
        return {"HOME": str(root / "home"), "PATH": "/usr/bin:/bin", **self.env}


@cache
def corpus() -> tuple[Case, ...]:
    """Every case of every file, named `file: name`."""
    return tuple(_case(path.stem, item) for path in sorted((FOLDER / "corpus").glob("*.yaml")) for item in _read(path))


@cache
def differences() -> dict[str, dict[str, Any]]:
    """What differs on purpose: name -> `version` of Compose, `reason`, `ours`."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "differences.yaml").read_text(encoding="utf-8"))
    return found


@cache
def left() -> dict[str, str]:
    """What is not equal yet, and should be: name of the case -> what is wrong."""
    return yaml.safe_load((FOLDER / "left.yaml").read_text(encoding="utf-8")) or {}


def _read(path: Path) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return items


def _case(group: str, item: dict[str, Any]) -> Case:
    traps = item.get("trap", [])
    files, options = dict(item.get("files", {})), list(item.get("options", []))
    top = item.get("top", "")
    if "compose" in item:
        files["compose.yaml"] = item["compose"]
    if "web" in item:
        files["compose.yaml"] = f"services:\n  web:\n    image: x\n{textwrap.indent(item['web'], '    ')}\n{top}"
    if "a" in item:
        first = item["a"] if "image:" in item["a"] else f"image: x\n{item['a']}"
        files["a.yaml"] = f"services:\n  web:\n{textwrap.indent(first, '    ')}\n{top}"
        files["b.yaml"] = f"services:\n  web:\n{textwrap.indent(item['b'], '    ')}\n"
        options += ["-f", "a.yaml", "-f", "b.yaml"]
    return Case(
        f"{group}: {item['name']}",
        files,
        tuple(options),
        item.get("env", {}),
        item.get("cwd", ""),
        item.get("refused", False),
        tuple(traps) if isinstance(traps, list) else (traps,),
        item.get("differs"),
        item.get("stdin", ""),
    )
