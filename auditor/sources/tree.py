"""The project's files on disk: confined to the root, bounded, and never anything but regular files.

Paths are walked a component at a time from an open descriptor of the root, and symbolic links are followed by hand. So
nothing outside the root is ever opened, not even when a directory is swapped for a link while the walk goes on.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from auditor.errors import EvidenceError, UsageError
from auditor.tree import NO_SUCH_FILE, Tree

MAX_BYTES = 10 * 1024 * 1024
MAX_FILES = 50_000
MAX_LINKS = 40  # what Linux itself allows on one path
MAX_DEPTH = 64

SKIPPED = frozenset(
    {
        ".bzr", ".cache", ".eggs", ".git", ".gradle", ".hg", ".hypothesis", ".jj", ".mypy_cache", ".next", ".nox",
        ".npm", ".nuxt", ".parcel-cache", ".pnpm-store", ".pytest_cache", ".ruff_cache", ".svn", ".terraform", ".tox",
        ".turbo", ".venv", ".yarn", "__pycache__", "bower_components", "node_modules", "site-packages", "venv",
    }
)  # fmt: skip

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_REASONS = {
    errno.ENOENT: NO_SUCH_FILE,
    errno.ENOTDIR: "a part of the path is no directory",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ELOOP: "too many symbolic links",
    errno.ENAMETOOLONG: "the name is too long",
}


class WithText:
    """A tree with one more file, whose text came another way."""

    def __init__(self, tree: Tree, path: str, data: bytes) -> None:
        self.tree = tree
        self.path = path
        self.data = data

    def read(self, path: str) -> bytes:
        """As in the tree."""
        return self.data if path == self.path else self.tree.read(path)

    def exists(self, path: str) -> bool:
        """As in the tree."""
        return path == self.path or self.tree.exists(path)

    def glob(self, pattern: str) -> list[str]:
        """The files on disk alone."""
        return self.tree.glob(pattern)

    def relative(self, path: str) -> str:
        """As in the tree."""
        return self.tree.relative(path)


class DiskTree:
    """The Tree of a directory. `unread` are directories that could not be listed while looking for files.

    root: the project root. allow: files and directories outside it that may be read too. Raises UsageError where
    one of them does not exist.
    """

    def __init__(
        self, root: Path, allow: Iterable[Path] = (), *, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES
    ) -> None:
        self.root = _real(root)
        self._called = root.absolute()
        self.unread: list[str] = []
        self._read: dict[str, None] = {}
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._bases = [_parts(str(base)) for base in (self.root, *(_real(path) for path in allow))]
        self._bases[1:] = sorted(self._bases[1:], key=len, reverse=True)
        self._walks: dict[str, list[str]] = {}

    def read(self, path: str) -> bytes:
        """The file's bytes. Raises EvidenceError where it is missing, unreadable, too large or outside the root."""
        with _explained(path), self._opened(path) as descriptor:
            data = self._content(descriptor, path)
        self._read[path] = None
        return data

    @property
    def files(self) -> list[str]:
        """The paths that were read, in order, once each."""
        return list(self._read)

    def exists(self, path: str) -> bool:
        """Whether `path` is a regular file or a directory inside the root."""
        try:
            with _explained(path), self._opened(path) as descriptor:
                mode = os.fstat(descriptor).st_mode
        except EvidenceError:
            return False
        return stat.S_ISREG(mode) or stat.S_ISDIR(mode)

    def relative(self, path: str) -> str:
        """An absolute path as seen from the root, by either of its names: with `..` where it lies outside."""
        called = Path(path).is_relative_to(self._called)
        return os.path.relpath(path, self._called if called else self.root)

    def glob(self, pattern: str) -> list[str]:
        """The regular files that match (`**` = any depth), sorted; version control and caches left out.

        Raises EvidenceError where there are more files than may be walked.
        """
        wanted = _parts(pattern)
        fixed = _fixed_directory(wanted)
        return [path for path in self._below(fixed) if matches(wanted, path.split("/"))]

    def _below(self, directory: str) -> list[str]:
        """Every regular file below `directory`, sorted; walked once."""
        if directory not in self._walks:
            self._walks[directory] = sorted(self._walk(directory))
        return self._walks[directory]

    def _walk(self, directory: str) -> Iterator[str]:
        todo = [(directory, 0)]
        seen = 0
        while todo:
            current, depth = todo.pop()
            for entry in self._entries(current):
                seen += 1
                if seen > self._max_files:
                    raise EvidenceError(
                        f"more than {self._max_files:,} files below `{directory or '.'}`",
                        path=directory or ".",
                        help="choose a smaller root with `--root`",
                    )
                path = f"{current}/{entry.name}" if current else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED and depth < MAX_DEPTH:
                        todo.append((path, depth + 1))
                elif entry.is_file(follow_symlinks=False) or (entry.is_symlink() and self._is_file(path)):
                    yield path

    def _entries(self, directory: str) -> list[os.DirEntry[str]]:
        """What a directory holds; nothing where it is missing, unreadable or none."""
        try:
            with self._opened(directory) as descriptor, os.scandir(descriptor) as entries:
                return [entry for entry in entries if _is_text(entry.name)]
        except PermissionError:
            self.unread.append(directory)
        except (OSError, EvidenceError):
            pass  # gone since it was listed, or no directory: it holds no file
        return []

    def _is_file(self, path: str) -> bool:
        try:
            with _explained(path), self._opened(path) as descriptor:
                return stat.S_ISREG(os.fstat(descriptor).st_mode)
        except EvidenceError:
            return False

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        """A descriptor of the file or directory at `path`, links resolved. Raises OSError and EvidenceError."""
        _refuse_odd_text(path)
        walk = _Walk(self._bases, path)
        try:
            yield walk.run()
        finally:
            walk.close()

    def _content(self, descriptor: int, path: str) -> bytes:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _not_a_file(status.st_mode, path)
        if status.st_size > self._max_bytes:
            raise self._too_large(path)
        chunks: list[bytes] = []
        left = self._max_bytes + 1
        while left and (chunk := os.read(descriptor, min(left, 1 << 20))):
            chunks.append(chunk)
            left -= len(chunk)
        if not left:
            raise self._too_large(path)
        return b"".join(chunks)

    def _too_large(self, path: str) -> EvidenceError:
        return EvidenceError(f"`{path}` is larger than {self._max_bytes:,} bytes", path=path)


class _Walk:
    """One path on its way to a descriptor. It keeps each directory passed open, so that `..` only steps back."""

    def __init__(self, bases: list[list[str]], path: str) -> None:
        self._bases = bases
        self._path = path
        self._base: list[str] = []
        self._names: list[str] = []  # below the base
        self._stack: list[int] = []
        self._links = 0
        self._todo = list(reversed(_parts(path)))
        if path.startswith("/"):
            self._enter(_parts(path))
        else:
            self._start(bases[0])

    def run(self) -> int:
        while self._todo:
            self._step(self._todo.pop())
        return self._stack[-1]

    def close(self) -> None:
        for descriptor in self._stack:
            os.close(descriptor)
        self._stack.clear()

    def _start(self, base: list[str]) -> None:
        self.close()
        self._base, self._names = base, []
        path = "/" + "/".join(base)
        # A base is a real path, made so once: only its last component could have become a link since then.
        self._stack.append(os.open(path, _DIRECTORY if os.path.isdir(path) else _FILE))  # noqa: PTH112 - a str path

    def _enter(self, parts: list[str]) -> None:
        """Go on from an absolute path. Raises EvidenceError where it begins in no allowed place."""
        for base in self._bases:
            if parts[: len(base)] == base:
                self._start(base)
                self._todo = list(reversed(parts[len(base) :]))
                return
        raise EvidenceError(f"`{self._path}` lies outside the project root", path=self._path)

    def _step(self, name: str) -> None:
        if name == "..":
            self._up()
            return
        mode = os.stat(name, dir_fd=self._stack[-1], follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            self._follow(name)
        elif stat.S_ISDIR(mode):
            self._push(name, _DIRECTORY)
        elif self._todo:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        elif stat.S_ISREG(mode):
            self._push(name, _FILE)
        else:
            raise _not_a_file(mode, self._path)

    def _push(self, name: str, flags: int) -> None:
        self._stack.append(os.open(name, flags, dir_fd=self._stack[-1]))
        self._names.append(name)

    def _up(self) -> None:
        if self._names:
            os.close(self._stack.pop())
            self._names.pop()
            return
        above = self._base[:-1]
        while self._todo and self._todo[-1] == "..":
            self._todo.pop()
            above = above[:-1]
        self._enter([*above, *reversed(self._todo)])

    def _follow(self, name: str) -> None:
        self._links += 1
        if self._links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = os.readlink(name, dir_fd=self._stack[-1])
        rest = [*_parts(target), *reversed(self._todo)]
        if target.startswith("/"):
            self._enter(rest)
        else:
            self._todo = list(reversed(rest))


def matches(pattern: list[str], path: list[str]) -> bool:
    """Whether a path matches a glob, both split at `/`; `**` stands for any number of directories."""
    reached = _closure(pattern, {0})
    for part in path:
        after = set()
        for index in reached:
            if index == len(pattern):
                continue
            if pattern[index] == "**":
                after.add(index)
            elif fnmatchcase(part, pattern[index]):
                after.add(index + 1)
        reached = _closure(pattern, after)
    return len(pattern) in reached


def _closure(pattern: list[str], reached: set[int]) -> set[int]:
    """With each place in the pattern also those behind a `**`, which may stand for nothing."""
    closed = set(reached)
    for start in reached:
        index = start
        while index < len(pattern) and pattern[index] == "**":
            index += 1
            closed.add(index)
    return closed


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or "it cannot be read")
        raise EvidenceError(f"cannot read `{path}`: {reason}", path=path) from error


def _not_a_file(mode: int, path: str) -> EvidenceError:
    kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
    return EvidenceError(f"cannot read `{path}`: it is {kind}, not a file", path=path)


def _refuse_odd_text(path: str) -> None:
    if "\0" in path or not _is_text(path):
        raise EvidenceError("cannot read a path with a NUL or an undecodable byte in it")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _real(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"cannot read the directory `{path}`", path=str(path)) from error


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _fixed_directory(pattern: list[str]) -> str:
    """The directory before the first part with a wildcard: only what is below it need be walked."""
    fixed: list[str] = []
    for part in pattern[:-1]:
        if any(sign in part for sign in "*?["):
            break
        fixed.append(part)
    return "/".join(fixed)
