"""Text from outside made safe to show: one line, printable, bounded."""

from __future__ import annotations


def printable(text: object, limit: int = 200) -> str:
    """`text` without control, bidi, zero-width and surrogate characters, spaces folded, at most `limit` long."""
    raw = text if isinstance(text, str) else str(text)
    if len(raw) <= limit and raw.isprintable() and "  " not in raw and raw == raw.strip():
        return raw  # as nearly all are
    kept = "".join(char if char.isprintable() else " " for char in raw[: limit * 8])
    folded = " ".join(kept.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"
