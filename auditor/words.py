"""Words: names compared the way documents write them, and lists of them as a sentence says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from auditor.regexp import regexp

_NOT_WORD = regexp(r"[^a-z0-9]+")
_LONGEST = 8  # words; no title of a service is longer

T = TypeVar("T")


@lru_cache(maxsize=16_384)
def normal(text: str) -> str:
    """Lower-case words, one space between: `**MLflow** ML-Tracking` -> `mlflow ml tracking`."""
    return _NOT_WORD.sub(" ", text.lower()).strip()


def longest(text: str, known: Mapping[str, T]) -> T | None:
    """What the longest run of whole words in `text` means, of the normal forms in `known`."""
    words = normal(text).split()
    for length in range(min(len(words), _LONGEST), 0, -1):
        for start in range(len(words) - length + 1):
            found = known.get(" ".join(words[start : start + length]))
            if found is not None:
                return found
    return None


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else "".join(words)
