"""Whether the command of a process is the one that the catalogue declares, however it was started."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from auditor.regexp import regexp

_WRAPPERS = frozenset({"exec", "nohup", "sudo", "env", "time", "setsid", "command"})
_SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
_ASSIGNMENT = regexp(r"[A-Za-z_]\w*=.*", re.DOTALL)
_VARIABLE = regexp(r"\$(?:\{[^}]*\}|\w+)|\*\*\*")
_INTERPRETER = regexp(r"(python|pypy|node|ruby|perl|php|java|bash|sh)(?:js)?[\d.]*")
_CUT = "***"  # where a secret was
_ADDRESS = regexp(r"(?:[\w.*:\[\]-]*:\d{1,5}|\[[\w-]+\])")


def same_command(declared: str, actual: str) -> bool:
    """Whether `actual` runs `declared`: its words in their order, wherever the programs lie and whatever is between.

    `python` is any Python, a path is known by its end, a variable and a secret that was cut out are anything. Of a
    process that gave itself another title, as nginx and Redis do, only the program is compared.
    """
    wanted, found = words_of(declared), _split(actual)
    if not wanted:
        return False
    if _is_title(found):
        program = _base(wanted[0])
        return any(_base(word.rstrip(":")) == program for word in found)
    return _in_order(wanted, found) or _in_order(wanted, _unpacked(found))


def started_by(declared: str, parent: str) -> bool:
    """Whether `parent`, the command of what started a process, is the declared one.

    The script of a shell may start many: each of them is known by its own command, and what the script says besides is
    of others.
    """
    words = _split(parent)
    scripted = bool(words) and _base(words[0]) in _SHELLS and any(" " in word for word in words[1:])
    return _in_order(words_of(declared), words) if scripted else same_command(declared, parent)


def words_of(command: str) -> list[str]:
    """The words of a declared command without what only prepares it: `cd ... &&`, assignments, `exec`, `nohup`."""
    words = _split(command)
    for index in range(len(words) - 1, -1, -1):
        if words[index] in ("&&", ";"):
            words = words[index + 1 :]
            break
    while words and (words[0] in _WRAPPERS or _ASSIGNMENT.fullmatch(words[0])):
        words = words[1:]
    end = next((index for index, word in enumerate(words) if re.fullmatch(r"\||&|\d?>.*", word)), len(words))
    return words[:end]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _unpacked(words: Sequence[str]) -> list[str]:
    """The words with those of `sh -c '...'` among them."""
    return [inner for word in words for inner in (_split(word) if " " in word else [word])]


def _is_title(words: Sequence[str]) -> bool:
    """Whether a process replaced its arguments: `nginx: master process ...`, `redis-server *:6379`."""
    if not words:
        return False
    if words[0].endswith(":"):
        return True
    return len(words) > 1 and all(_ADDRESS.fullmatch(word) for word in words[1:])


def _in_order(wanted: Sequence[str], found: Sequence[str]) -> bool:
    """A word that was cut out whole stands for the one that is wanted after the word before it."""
    at = 0
    for number, want in enumerate(wanted):
        fits = (at + n for n, have in enumerate(found[at:]) if _same_word(want, have) or (have == _CUT and n == 0))
        place = next(fits, None) if number else next((f for f in fits if found[f] != _CUT), None)
        if place is None:
            return False
        at = place + 1
    return True


def _same_word(want: str, have: str) -> bool:
    if want == have or have == _CUT:
        return want == have
    if _VARIABLE.search(want) or _CUT in have:
        pattern = "".join(".*" if part is None else re.escape(part) for part in _parts(want))
        loose = "".join(".*" if part is None else re.escape(part) for part in _parts(have))
        return bool(re.fullmatch(pattern, have) or re.fullmatch(loose, want))
    if (kind := _INTERPRETER.fullmatch(_base(want))) and (other := _INTERPRETER.fullmatch(_base(have))):
        return kind[1] == other[1]
    return have.endswith("/" + want.removeprefix("./")) or ("/" in want and want.endswith("/" + have))


def _parts(word: str) -> list[str | None]:
    """The fixed texts of a word, and None for each variable between them."""
    parts: list[str | None] = []
    at = 0
    for match in _VARIABLE.finditer(word):
        parts += [word[at : match.start()], None]
        at = match.end()
    return [*parts, word[at:]]


def _base(word: str) -> str:
    return word.rpartition("/")[2]
