"""Other programs that read Compose files, where this machine has them or can get them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.parts.finder import cache_folder, find

DCLINT = "3.1.0"


def compose() -> list[str] | None:
    """`docker-compose` 2.40 or later, as the tests have it; None where there is none."""
    program = find("docker-compose")
    return [str(program)] if program else None


def compose_1() -> list[str] | None:
    """`docker-compose` 1.29, the one in Python that Debian 12 has; None where there is none."""
    program = find("docker-compose-1")
    return [str(program)] if program else None


def dclint() -> list[str] | None:
    """dclint, installed once beside the tests' components where npm is there; None where it cannot be had."""
    npm, folder = shutil.which("npm"), cache_folder() / f"dclint-{DCLINT}"
    program = folder / "node_modules" / ".bin" / "dclint"
    if npm and not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), f"dclint@{DCLINT}"]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=300)
    return [str(program)] if Path(program).exists() else None
