"""What the auditor keeps between runs: its directory, and in it the key of all digests."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from auditor.digest import KEY_BYTES, Digester
from auditor.errors import SettingsError

KEY_FILE = "hash.key"
_VARIABLE = "AUDITOR_HASH_KEY"
_HELP = f"give {KEY_BYTES} random bytes as 64 hexadecimal digits, such as `openssl rand -hex {KEY_BYTES}` prints them"


def state_directory(environ: Mapping[str, str]) -> Path:
    """Where the auditor keeps what it must remember: `AUDITOR_STATE_DIR`, else below the user's state directory."""
    if given := environ.get("AUDITOR_STATE_DIR"):
        return Path(given)
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".local/state") / "stack-auditor"


def digester(environ: Mapping[str, str], *, lasting: bool) -> Digester:
    """What makes the digests of a run: with `AUDITOR_HASH_KEY`, else the key of the state directory.

    `lasting`: False for a run whose digests nobody keeps or compares with others: it reads and writes no file. Where
    the directory can be neither read nor written the key is for this process alone. Raises SettingsError.
    """
    if given := environ.get(_VARIABLE):
        return Digester(_told(given.strip()))
    return Digester((_kept(environ) if lasting else None) or _of_this_process())


@cache
def _of_this_process() -> bytes:
    return os.urandom(KEY_BYTES)


def _told(text: str) -> bytes:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    with suppress(binascii.Error, ValueError):
        if len(key := base64.b64decode(text, validate=True)) == KEY_BYTES:
            return key
    raise SettingsError(f"variable `{_VARIABLE}` is no key", help=_HELP)


def _kept(environ: Mapping[str, str]) -> bytes | None:
    """The key of the state directory, made where there is none; None where the directory does not serve."""
    try:
        path = state_directory(environ).absolute() / KEY_FILE
        return _read(path) if os.path.lexists(path) else _make(path)
    except (OSError, RuntimeError):  # RuntimeError: there is no home directory
        return None


def _read(path: Path) -> bytes | None:
    """The key, where only its owner can have seen it."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        kept = os.fstat(handle)
        if not stat.S_ISREG(kept.st_mode) or kept.st_mode & 0o077 or kept.st_uid not in (0, os.geteuid()):
            return None
        key = file.read(KEY_BYTES + 1)
    return key if len(key) == KEY_BYTES else None


def _make(path: Path) -> bytes | None:
    """Writes a key under another name and links it: whoever comes first wins, and nobody ever reads half of one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = os.urandom(KEY_BYTES)
    draft = path.with_name(f"{KEY_FILE}.{os.urandom(8).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(handle)
        try:
            os.link(draft, path)
        except FileExistsError:
            return _read(path)
    finally:
        draft.unlink(missing_ok=True)
    return key
