"""What findings of several checks have in common: a cause that they share is told once."""

from __future__ import annotations


def missing(name: str) -> str:
    """The cause that everything shares which speaks of one missing component."""
    return f"missing:{name}"


def stopped(name: str) -> str:
    """The cause that everything shares which speaks of one service that does not run."""
    return f"stopped:{name}"
