"""Who a document says answers for a service: in a column of owners, or behind the word in a list's entry."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.regexp import regexp
from auditor.words import normal

_COLUMNS = frozenset({"owner", "owners", "owned by", "owning team", "owner team", "service owner", "responsible"})
_BEHIND = regexp(r"(?i)\b(?:owner[ ]?:|owned[ ]by)[ ]{1,4}(@?[A-Za-z][\w./-]{0,60}\w)")
_NOBODY = frozenset({"", "none", "n a", "na", "tbd", "todo", "unknown", "nobody", "open", "various"})
_LONGEST = 80


def owner_cell(cells: Sequence[str], header: Sequence[str]) -> str | None:
    """The owner in a row's column of owners."""
    pairs = zip(cells, header, strict=False)
    return next((_name(cell) for cell, column in pairs if normal(column) in _COLUMNS), None)


def owner(text: str) -> str | None:
    """The owner that an entry of a list names."""
    match = _BEHIND.search(text[:500])
    return _name(match[1]) if match else None


def _name(text: str) -> str | None:
    text = " ".join(text.split())
    return text if normal(text) not in _NOBODY and len(text) <= _LONGEST else None
