"""Files of the tree by the end of their paths, for what a document names without saying from where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from auditor.errors import AuditorError
from auditor.tree import Tree

MAX_READ = 200  # files that are opened


class Lookup:
    """The tree walked once, for all documents. Where it cannot be walked, `walked` is False and nothing is known."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.walked = True
        self._index: Mapping[str, list[str]] | None = None
        self._files: list[str] = []
        self._texts: dict[str, str | None] = {}

    def ending(self, path: str) -> list[str]:
        """The files and directories whose paths end in the parts of `path`."""
        tail = f"/{path.strip('/')}"
        return [found for found in self._by_name().get(tail.rpartition("/")[2], ()) if f"/{found}".endswith(tail)]

    def has_python(self, directory: str) -> bool:
        """Whether a directory of that name has Python code somewhere below it."""
        inside = [f"{found}/" for found in self.ending(directory)]
        return any(path.endswith(".py") and path.startswith(place) for place in inside for path in self._files)

    def text(self, path: str) -> str | None:
        """A file's text; None where it cannot be read, or enough was read already."""
        if path not in self._texts:
            self._texts[path] = self._read(path) if len(self._texts) < MAX_READ else None
        return self._texts[path]

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory; yes, where that cannot be told."""
        try:
            return self.tree.exists(path)
        except AuditorError:
            return True

    def _read(self, path: str) -> str | None:
        try:
            return self.tree.read(path).decode("utf-8", "replace")
        except AuditorError:
            return None

    def _by_name(self) -> Mapping[str, list[str]]:
        if self._index is None:
            index: dict[str, list[str]] = defaultdict(list)
            for path in sorted(self._every()):
                index[path.rpartition("/")[2]].append(path)
            self._index = index
        return self._index

    def _every(self) -> set[str]:
        try:
            self._files = self.tree.glob("**/*")
        except AuditorError:
            self.walked = False
            return set()
        found: set[str] = set()
        for path in self._files:
            while path and path not in found:
                found.add(path)
                path = path.rpartition("/")[0]
        return found
