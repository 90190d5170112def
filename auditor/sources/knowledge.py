"""Reads what is known of components: the package's own, and what a catalogue's files add.

`python -m auditor.sources.knowledge` prints the compiled form of the package's YAML files.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from auditor import knowledge
from auditor.errors import AuditorError, CatalogueError, TextError
from auditor.knowledge import compiled
from auditor.model import Catalogue, Component, Location
from auditor.tree import Tree, join

_DIRECTORY = Path(knowledge.__file__).parent


@cache
def load() -> tuple[Component, ...]:
    """The package's own components; read once a process, for they are part of the program."""
    return compiled.load((_DIRECTORY / "compiled.json").read_bytes())


def load_texts() -> list[tuple[str, bytes]]:
    """The YAML files that they are compiled from, each with its name for messages."""
    return _texts(_DIRECTORY.glob("*.yaml"))


def load_source_texts() -> list[tuple[str, bytes]]:
    """The files that say where each fact was found; for who asks, for no audit needs them."""
    return _texts((_DIRECTORY / "sources").glob("*.yaml"))


def _texts(paths: Iterable[Path]) -> list[tuple[str, bytes]]:
    return [(f"knowledge/{path.name}", path.read_bytes()) for path in sorted(paths)]


def extended(catalogue: Catalogue | None, tree: Tree) -> tuple[Component, ...]:
    """All known components, with those of the files that the catalogue names. Raises CatalogueError."""
    if catalogue is None or not catalogue.knowledge:
        return load()
    from auditor.knowledge.reading import extend

    try:
        return extend(load(), [_read(name, catalogue, tree) for name in catalogue.knowledge])
    except TextError as error:
        raise CatalogueError(error.what, path=error.path, line=error.line, help=error.help) from None


def _read(name: str, catalogue: Catalogue, tree: Tree) -> tuple[str, bytes]:
    try:
        path = join(catalogue.directory, name)
        return path, tree.read(path)
    except AuditorError as error:
        place = catalogue.knowledge_place or Location(catalogue.path)
        help = error.help or "`knowledge` in the catalogue names files below the project root"
        raise CatalogueError(error.what, path=place.path, line=place.line, help=help) from None


def compile_texts() -> str:
    """The compiled form of the YAML files, as the committed file holds it."""
    from auditor.knowledge.reading import parse_knowledge

    return compiled.dump(parse_knowledge(load_texts()))


if __name__ == "__main__":
    print(compile_texts(), end="")  # noqa: T201 the generator's output
