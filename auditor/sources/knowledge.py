"""Reads the knowledge base that is part of the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from auditor import knowledge
from auditor.model import Component

_DIRECTORY = Path(knowledge.__file__).parent


def load_texts() -> list[tuple[str, bytes]]:
    """The package's own files, each with its name for messages."""
    return [(f"knowledge/{path.name}", path.read_bytes()) for path in sorted(_DIRECTORY.glob("*.yaml"))]


@cache
def load() -> tuple[Component, ...]:
    """The parsed knowledge base; read once a process, for it is part of the program."""
    return knowledge.parse_knowledge(load_texts())
