"""Vocabulary of documents as patterns that can be read."""

from __future__ import annotations

import re


def phrases(text: str) -> re.Pattern[str]:
    """A pattern for whole phrases, divided by `|`; a space also matches a hyphen, case does not matter."""
    alternatives = (" ".join(part.split()).replace(" ", "[ -]") for part in text.split("|"))
    return re.compile(rf"\b(?:{'|'.join(part for part in alternatives if part)})\b", re.IGNORECASE)


def words(text: str) -> frozenset[str]:
    """A set of words."""
    return frozenset(text.split())
