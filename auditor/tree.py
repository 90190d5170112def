"""The files of a project as the pure parsers see them: asked for by path, relative to the root, with `/`."""

from __future__ import annotations

import posixpath
from typing import Protocol

from auditor.errors import TextError

NO_SUCH_FILE = "no such file"  # how the error of a `read` ends where nothing is there


class Tree(Protocol):
    """Read-only access to the project's files. Paths are relative to the root; `..` out of it is refused."""

    def read(self, path: str) -> bytes:
        """The file's bytes. Raises EvidenceError where it is missing, unreadable, too large or outside the root."""

    def exists(self, path: str) -> bool:
        """Whether `path` is a regular file or a directory inside the root."""

    def glob(self, pattern: str) -> list[str]:
        """The regular files that match (`**` = any depth), sorted; version control and caches left out."""

    def relative(self, path: str) -> str:
        """An absolute path as seen from the root: with `..` where it lies outside."""


def join(directory: str, path: str) -> str:
    """`path` as seen from `directory`, relative to the root. Raises TextError where it is absolute or climbs out."""
    if path.startswith(("/", "~")):
        raise TextError(f"`{path}` is not a relative path", path=path)
    joined = posixpath.normpath(posixpath.join(directory, path))
    if joined == ".." or joined.startswith("../"):
        raise TextError(f"`{path}` lies outside the project root", path=path)
    return joined
