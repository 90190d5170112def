"""Values for tests: a project's files in memory."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.errors import EvidenceError
from auditor.sources.tree import SKIPPED, matches


class MemoryTree:
    """A Tree over a mapping of path to content."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.files: list[str] = []

    def read(self, path: str) -> bytes:
        if path not in self._files:
            raise EvidenceError(f"cannot read `{path}`: no such file", path=path)
        if path not in self.files:
            self.files.append(path)
        return self._files[path]

    def exists(self, path: str) -> bool:
        return path in self._files or path in ("", ".") or any(name.startswith(path + "/") for name in self._files)

    def glob(self, pattern: str) -> list[str]:
        wanted = pattern.split("/")
        return sorted(
            path
            for path in self._files
            if matches(wanted, path.split("/")) and not SKIPPED.intersection(path.split("/")[:-1])
        )
