"""Sizes, durations, numbers and command lines as Compose writes them."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from math import isfinite

from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Tagged, Value

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_UNITS |= dict.fromkeys(("\u00b5s", "\u03bcs"), 1e-6)  # both micro signs
_DURATION_PART = regexp(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w)")
_SIZE = regexp(r"([0-9]+\.?[0-9]*|\.[0-9]+) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}
_NUMBER = regexp(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_LONGEST = 64  # characters of any number, size or duration that somebody means
_SHELL = regexp(r"""["'\\;&|<>()`]""")
_BARE = regexp(r"[^ \t\r\n]+")
_DIGITS = tuple("0123456789")


def duration(value: Value) -> float | None:
    """Seconds of `1m30s`, or None where it is no duration. Compose takes no bare number."""
    return _duration(str(value)) if isinstance(value, str) and len(value) <= _LONGEST else None


@lru_cache(maxsize=1024)  # of a thousand services most say the same
def _duration(value: str) -> float | None:
    text = value.strip()
    if text in ("0", "+0", "-0"):
        return 0.0
    if text[:1] in ("-", "+"):
        found = duration(text[1:]) if text[1:2] not in ("-", "+") else None
        return found if found is None or text[0] == "+" else -found
    at, total = 0, 0.0
    while match := _DURATION_PART.match(text, at):
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    return total if at and at == len(text) else None


def linked(link: str) -> str:
    """The service that an item of `links` names: `service:alias`, or all of it."""
    return link.partition(":")[0] if link.count(":") == 1 else link


def size(value: Value) -> int | None:
    """Bytes of `512m`, `1.5gb` or a number; None where it is no size. -1 (no limit) is kept."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if abs(value) < 2**63 else None
    return _size(str(value)) if isinstance(value, str) and len(value) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _size(value: str) -> int | None:
    if value.strip() == "-1":
        return -1
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        return None
    return int(float(match[1]) * (1 << _POWERS[match[2].lower()])) if float(match[1]) < 1e18 else None


def number(value: Value) -> float | None:
    """A number, also written as text; None where it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e18 else None
    return _number(str(value)) if isinstance(value, str) and len(value) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _number(value: str) -> float | None:
    if not _NUMBER.fullmatch(value.strip()):
        return None
    result = float(value)
    return result if abs(result) < 1e18 else None


def integer(value: Value) -> int | None:
    """A whole number, also written as text; None where it is none."""
    result = number(value)
    return int(result) if result is not None and result == int(result) else None


_TRUE = frozenset(("true", "yes", "on", "y"))
_FALSE = frozenset(("false", "no", "off", "n"))
BOOLEANS = _TRUE | _FALSE  # the texts that Compose reads as booleans, in any case


def boolean(value: Value) -> bool | None:
    """A boolean, also as the text that a variable gave; None where it is none."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    word = value.lower()
    return True if word in _TRUE else False if word in _FALSE else None


def scalar_text(value: Value) -> str:
    """A scalar as the text that a container would get: numbers the way Compose prints them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _go_text(value)
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def go_text(value: Value) -> str:
    """Any value as Go prints it in a text."""
    if isinstance(value, Tagged):
        return go_text(value.value)
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, Sequence):
        return f"[{' '.join(map(go_text, value))}]"
    return "<nil>" if value is None else scalar_text(value)


def _go_text(value: float) -> str:
    """A float as Go prints one: the shortest digits, with an exponent below -4 and above 5."""
    if not isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    mantissa, _, exponent = f"{Decimal(repr(value)).normalize():e}".partition("e")
    power = int(exponent)
    if -5 < power < 6:
        return f"{Decimal(repr(value)).normalize():f}"
    digits = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{digits}e{power:+03d}"


def words(text: str) -> list[str]:
    """A command line as its words: quotes are understood, nothing is expanded, and `;&|<>` end it, as in Compose."""
    return split(text) or text.split()


def split(text: str) -> list[str] | None:
    """The words of a command line, None where a quote or bracket is left open."""
    return _BARE.findall(text) if not _SHELL.search(text) else _Line().split(text)


class _Line:
    """A command line while it is read: the word so far, and what is open.

    `quote`: `"`, `'` or `$(`. A backtick stays open beside it: quotes inside of it are taken off, as Compose does.
    """

    __slots__ = ("backtick", "begun", "found", "quote", "word")

    def __init__(self) -> None:
        self.found: list[str] = []
        self.word = ""
        self.begun = False  # a word of nothing but quotes is one too
        self.quote = ""
        self.backtick = False

    def split(self, text: str) -> list[str] | None:
        letters = iter(text)
        for letter in letters:
            inside = self.quote or self.backtick
            if letter == "\\" and self.quote != "'":
                escaped = next(letters, None)
                if escaped is None:
                    return None
                self._add(escaped)
            elif letter in " \t\r\n" and not inside:
                self._end()
            elif letter in ";&|<>" and not inside:
                self.begun = self.begun and not (letter == ">" and self.word[:1] in _DIGITS)  # `2>` is no word
                break
            elif letter == "(" and self.quote in ("", "$(") and not self.backtick:
                if self.quote or not self.word.endswith("$"):
                    return None
                self.quote = "$("
                self._add(letter)
            elif letter in "\"'`)":
                self._quote(letter)
            else:
                self._add(letter)
        self._end()
        return None if self.quote or self.backtick else self.found

    def _quote(self, letter: str) -> None:
        if letter == "`" or (letter == ")" and self.backtick):
            self.backtick ^= letter == "`" and not self.quote
            self._add(letter)
            return
        opener = "$(" if letter == ")" else letter
        if self.quote in ("", opener):
            self.quote = "" if self.quote else opener
            self.begun = True
            if letter in "\"'":
                return
        self._add(letter)

    def _add(self, letter: str) -> None:
        self.word += letter
        self.begun = True

    def _end(self) -> None:
        if self.begun:
            self.found.append(self.word)
        self.word, self.begun = "", False
