"""`audit --fix`: documents written anew between their marks, each at once or not at all, and nothing else touched."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from auditor import scan
from auditor.errors import EvidenceError
from auditor.inventory import Snapshot
from auditor.settings import Settings
from auditor.sources.tree import DiskTree
from exporters import regions

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MARKDOWN = (".md", ".markdown", ".mdx")


def rewrite_documents(settings: Settings) -> list[str]:
    """Rewrites what the documents that the catalogue names have between marks; the paths that changed.

    All are worked out before the first is written. Raises TextError for marks that are not balanced, and EvidenceError
    where the Compose model or a document cannot be read, or one cannot be written: a link, or a path outside the root.
    """
    snapshot = scan.gather(replace(settings, offline=True))
    root = scan.locate(settings).root
    changed = dict(_changed(snapshot, DiskTree(root)))
    for path, data in changed.items():
        _write(root, path, data)
    return list(changed)


def _changed(snapshot: Snapshot, tree: DiskTree) -> Iterator[tuple[str, bytes]]:
    environment = snapshot.environments[0]
    wanted = regions.contents(snapshot, environment)
    for document in snapshot.documents:
        if not document.path.endswith(MARKDOWN):
            continue
        data = tree.read(document.path)
        text = data.decode("utf-8", "surrogateescape")
        found = regions.rewrite(text, document.path, wanted).encode("utf-8", "surrogateescape")
        if found == data:
            continue
        if snapshot.source("compose", environment).state != "ok":
            raise EvidenceError(f"`{document.path}` is left alone: `{environment}` could not be composed")
        yield document.path, found


def _write(root: Path, path: str, data: bytes) -> None:
    """Replaces a file below the root, no part of whose path is a link; its mode stays."""
    try:
        with _parent(root, path) as (directory, name):
            mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
            if not stat.S_ISREG(mode):
                raise EvidenceError(f"`{path}` is not written: it is a link, or no file", path=path)
            _replace(directory, name, data, stat.S_IMODE(mode))
    except OSError as error:
        raise EvidenceError(f"cannot write `{path}`: {(error.strerror or 'it failed').lower()}", path=path) from error


@contextmanager
def _parent(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """A descriptor of the directory of a file, reached from the root without following a link, and the file's name."""
    *parts, name = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or path.startswith("/"):
        raise EvidenceError(f"`{path}` is not written: it lies outside the root", path=path)
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            inner = os.open(part, _DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = inner
        yield directory, name
    finally:
        os.close(directory)


def _replace(directory: int, name: str, data: bytes, mode: int) -> None:
    draft = f".{name[:100]}.{os.getpid()}.new"
    handle = os.open(
        draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory
    )
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=directory)
        raise
