"""Files with secrets that stand in a repository and that git does not ignore; names are kept, values dropped."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as AnyMapping
from contextlib import suppress

from auditor.compose.dotenv import Entry
from auditor.compose.secrets import address_passwords, holds_secret, known_default
from auditor.errors import EvidenceError, TextError
from auditor.model import Location, SecretFile
from auditor.regexp import regexp
from auditor.tree import Tree

_PATTERN = regexp(r"(?<![a-z])(?:example|sample|template|tmpl|tpl|dist|default|defaults)(?![a-z])", re.IGNORECASE)
_PRIVATE_KEY = regexp(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_PUBLIC = regexp(rb"-----BEGIN (?:TRUSTED )?(?:CERTIFICATE|PUBLIC KEY)-----|^ssh-")
_KEY_FILES = (".key", ".pem", ".p8", "id_rsa", "id_ed25519", "id_ecdsa")
_SHORTEST = 6  # characters of something that could keep anybody out
_MOST = 1_000  # files that are looked at


def secrets_in(entries: AnyMapping[str, Entry]) -> dict[str, int]:
    """The variables of an env file that hold secrets of this installation, and their lines.

    Public defaults such as `changeme` are told by another check.
    """
    return {name: entry.line for name, entry in entries.items() if _is_secret(name, entry.value)}


def _is_secret(name: str, value: str) -> bool:
    candidates = [value] if holds_secret(name, value) else address_passwords(value)
    return any(_serious(candidate) for candidate in candidates)


def _serious(value: str) -> bool:
    """Whether a text could be a secret at all, and is no placeholder."""
    return len(value) >= _SHORTEST and len(set(value)) > 3 and known_default(value) is None and "${" not in value


def secret_files(
    tree: Tree, env_files: AnyMapping[str, AnyMapping[str, int]], secrets: AnyMapping[str, str], mounted: Iterable[str]
) -> tuple[SecretFile, ...]:
    """Those that git would take: none where nothing says that the tree is a repository.

    env_files: path -> `secrets_in` it; secrets: path -> key of the top-level secret that reads it; mounted: paths of
    files that services mount, which hold a secret where they are private keys.
    """
    found: dict[str, tuple[tuple[str, ...], int]] = {}
    for path, names in env_files.items():
        if names:
            found[path] = tuple(names), min(names.values())
    for path, key in secrets.items():
        data = _content(tree, path)
        if data and _serious_file(data):
            found[path] = (key,), 1
    for path in [path for path in dict.fromkeys(mounted) if path.endswith(_KEY_FILES)][:_MOST]:
        if path not in found and _PRIVATE_KEY.search(_content(tree, path)):
            found[path] = (posixpath.basename(path),), 1
    kept = {path: what for path, what in found.items() if not _PATTERN.search(posixpath.basename(path))}
    if not kept:
        return ()
    ignores = Ignores(tree)
    return tuple(
        SecretFile(path, names, Location(path, line))
        for path, (names, line) in sorted(kept.items())
        if ignores.repository(path) and not ignores.ignored(path)
    )


def _serious_file(data: bytes) -> bool:
    if _PRIVATE_KEY.search(data):
        return True
    return not _PUBLIC.search(data) and _serious(data.decode("utf-8", "replace").strip())


def _content(tree: Tree, path: str) -> bytes:
    with suppress(EvidenceError, TextError):
        return tree.read(path) if tree.exists(path) else b""
    return b""


class Ignores:
    """What the `.gitignore` files of a tree leave out."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._rules: dict[str, list[tuple[re.Pattern[str], bool, bool]] | None] = {}

    def repository(self, path: str) -> bool:
        """Whether something says that the file stands in a repository."""
        return self._tree.exists(".git") or any(self._read(directory) is not None for directory in _above(path))

    def ignored(self, path: str) -> bool:
        """Whether git leaves the file out. A directory that is left out takes with it all that it holds."""
        parts = path.split("/")
        steps = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        return any(self._matched(step, directory=step != path) for step in steps)

    def _matched(self, path: str, *, directory: bool) -> bool:
        outcome = False
        for base in _above(path):
            below = path[len(base) :].lstrip("/")
            for pattern, kept, only_directories in self._read(base) or ():
                if (directory or not only_directories) and pattern.fullmatch(below):
                    outcome = not kept
        return outcome

    def _read(self, directory: str) -> list[tuple[re.Pattern[str], bool, bool]] | None:
        if directory not in self._rules:
            self._rules[directory] = self._parsed(directory)
        return self._rules[directory]

    def _parsed(self, directory: str) -> list[tuple[re.Pattern[str], bool, bool]] | None:
        paths = [posixpath.join(directory, ".gitignore")] + ([] if directory else [".git/info/exclude"])
        present = [path for path in paths if self._tree.exists(path)]
        if not present:
            return None
        lines = (line for path in present for line in _content(self._tree, path).decode("utf-8", "replace").split("\n"))
        return [rule for line in lines if (rule := _rule(line)) is not None]


def _above(path: str) -> Iterator[str]:
    """The directories that a path lies in, the root ("") first."""
    yield ""
    parts = path.split("/")[:-1]
    for count in range(len(parts)):
        yield "/".join(parts[: count + 1])


_GLOB = regexp(r"/\*\*/|\*\*/|/\*\*|\*+|\?|\[[^]/]*\]|\\.|.", re.DOTALL)


def _rule(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    """One line of a `.gitignore`: what it matches, whether that is kept (`!`), whether only directories count."""
    text = line.rstrip("\r").rstrip(" ")
    if not text or text.startswith("#"):
        return None
    kept = text.startswith("!")
    text = text.removeprefix("!")
    only_directories = text.endswith("/")
    text = text.rstrip("/")
    anchored = "/" in text
    body = "".join(_translated(part) for part in _GLOB.findall(text.lstrip("/")))
    with suppress(re.error):
        return re.compile(body if anchored else f"(?:.*/)?{body}", re.DOTALL), kept, only_directories
    return None


def _translated(part: str) -> str:
    if part in ("/**/", "**/"):
        return "/(?:.*/)?" if part[0] == "/" else "(?:.*/)?"
    if part == "/**":
        return "/.*"
    if part.startswith("*"):
        return "[^/]*"
    if part == "?":
        return "[^/]"
    if part.startswith("[") and len(part) > 2:
        return "[" + part[1:].replace("\\", "\\\\").replace("!", "^", 1 if part[1] == "!" else 0)
    return re.escape(part[1] if part.startswith("\\") and len(part) == 2 else part)
