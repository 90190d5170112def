"""How Go's YAML library, with which Compose prints, writes single values and orders the keys of a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import cmp_to_key
from math import isfinite

from auditor.compose.values import scalar_text
from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Value

# --- single values -------------------------------------------------------------------------------------------------

_SAFE = regexp(r"[A-Za-z/$(][A-Za-z0-9_./$()=@+;~-]*")  # most texts: nothing in them has a meaning for YAML
_WORDS = regexp(
    r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|\.nan|\.NaN|\.NAN|[-+]?\.(?:inf|Inf|INF)"
    r"|y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF"
)
_WHOLE = regexp(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FRACTION = regexp(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SIXTY = regexp(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DAY = regexp(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_TIME = regexp(
    r"(?P<sign>[Tt ])(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})(?:[.,][0-9]+)?"
    r"(?P<zone>Z|[-+][0-9]{2}:[0-9]{2})?"
)
_HIGHEST = 2**64
_INFINITE = {"NaN": ".nan", "+Inf": ".inf", "-Inf": "-.inf"}
_INDICATORS = frozenset(",[]{}&*!|>'\"%@`#")
_BREAK = regexp(r"[\r\n\x85\u2028\u2029]")  # for some readers
_UNPRINTABLE = regexp(r"[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_NAMED_ESCAPES = dict(zip('\0\a\b\t\n\v\f\r\x1b"\\\x85\u2028\u2029', '0abtnvfre"\\NLP', strict=True))
_ESCAPED = regexp(r"[^\x20\x21\x23-\x5b\x5d-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")


def scalar(value: Value) -> str:
    """A value in one line."""
    if isinstance(value, str):
        return _text(str(value))
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return scalar_text(value) if isfinite(value) else _INFINITE[scalar_text(value)]
    if isinstance(value, Mapping):
        return "{}"
    return "[]" if isinstance(value, Sequence) else str(value)


def block(text: str) -> str | None:
    """What begins a text of several lines as a block, such as `|-`; None where it has to stand in quotes."""
    lines = text.split("\n")
    if len(lines) == 1 or " \n" in text or text.endswith(" "):
        return None
    if any(_UNPRINTABLE.search(line.replace("\t", "")) or _BREAK.search(line) for line in lines):
        return None
    hint = "2" if text[0] in " \n" else ""
    if text[-1] != "\n":
        return f"|{hint}-"
    return f"|{hint}+" if text[-2:] in ("\n", "\n\n") else f"|{hint}"


def _text(text: str) -> str:
    if _SAFE.fullmatch(text) and not _WORDS.fullmatch(text):
        return text
    if _BREAK.search(text) or _UNPRINTABLE.search(text) or _means_else(text):
        return _doubled(text)
    return text if _stands_bare(text) else "'{}'".format(text.replace("'", "''"))


def _means_else(text: str) -> bool:
    """Whether a plain scalar would be read as something else than this text, by an old reader or a new one."""
    if _WORDS.fullmatch(text) or _SIXTY.fullmatch(text):
        return True
    if text[0] == ".":
        return bool(_FRACTION.fullmatch(text))
    if text[0] not in "+-0123456789":
        return False
    digits = text.replace("_", "")
    if _is_time(text) or (_WHOLE.fullmatch(digits) and abs(_read(digits)) < _HIGHEST):
        return True
    return bool(_FRACTION.fullmatch(digits)) and isfinite(float(digits))


def _read(digits: str) -> int:
    octal = re.fullmatch(r"([-+]?)0([0-7]+)", digits)
    return int(f"{octal[1]}{octal[2]}", 8) if octal else int(digits, 0)


def _is_time(text: str) -> bool:
    day = _DAY.match(text)
    if day is None:
        return False
    rest = text[day.end() :]
    time = _TIME.fullmatch(rest)
    if rest and (time is None or (time["sign"] == " ") is (time["zone"] is not None)):
        return False
    clock = (int(time["hour"]), int(time["minute"]), int(time["second"])) if time else ()
    try:
        datetime(int(day[1]) or 2000, int(day[2]), int(day[3]), *clock)  # noqa: DTZ001 - only whether there is such a day
    except ValueError:
        return False
    return True


def _stands_bare(text: str) -> bool:
    """Whether no sign in a text means something to YAML where it stands."""
    first = text[0]
    if first in _INDICATORS or first == " " or text[-1] == " ":
        return False
    if first in "?:-" and (len(text) == 1 or text[1] == " "):
        return False
    if text.startswith(("---", "...")):
        return False
    return ": " not in text and " #" not in text and not text.endswith(":")


def _doubled(text: str) -> str:
    return f'"{_ESCAPED.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    sign = match[0]
    if sign in _NAMED_ESCAPES:
        return f"\\{_NAMED_ESCAPES[sign]}"
    code = ord(sign)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


# --- order -----------------------------------------------------------------------------------------------------------


def in_order(keys: Iterable[str]) -> list[str]:
    """Keys as Go's library orders them: numbers in them by their value, letters after other signs."""
    return sorted(keys, key=_KEY)


def _compared(left: str, right: str) -> int:
    at = next((at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), None)
    if at is None:
        return len(left) - len(right)
    one, other = left[at], right[at]
    if one.isalpha() and other.isalpha():
        return -1 if one < other else 1
    if one.isalpha() or other.isalpha():
        return -1 if one.isalpha() is (at > 0 and left[at - 1].isdecimal()) else 1
    return -1 if (*_number(left, at, other), one) < (*_number(right, at, one), other) else 1


def _number(text: str, at: int, opposite: str) -> tuple[int, int]:
    """The number that goes on at a place, and where it ends. A zero on either side counts the figures before it."""
    end = at
    while end < len(text) and text[end].isdecimal():
        end += 1
    begun = at
    while begun and text[begun - 1].isdecimal():
        begun -= 1
    leads = "0" in (text[at], opposite) and text[begun:at].strip("0") != ""
    return int(f"{'1' if leads else ''}{text[at:end] or ('' if leads else '0')}"), end


_KEY = cmp_to_key(_compared)
