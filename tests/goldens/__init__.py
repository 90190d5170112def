"""Whole expected outputs. `UPDATE_GOLDENS=1 pytest` writes them anew; the difference is then for a reader to judge."""

from __future__ import annotations

import os
from pathlib import Path

UPDATE = bool(os.environ.get("UPDATE_GOLDENS"))


def check(name: str, text: str) -> None:
    """Compare `text` with the file `name` beside this module, or write that file."""
    path = Path(__file__).parent / name
    if UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    assert text == path.read_text(encoding="utf-8"), f"{name} differs: UPDATE_GOLDENS=1 writes it anew"
