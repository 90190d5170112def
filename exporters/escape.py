"""Text from data made safe to print: no control, hidden or reordering characters, no commands to a CI runner."""

from __future__ import annotations

import re
from unicodedata import category, combining, east_asian_width

from auditor.regexp import regexp

LIMIT = 2000  # characters of one text; what is longer is cut, and says so

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# A runner takes `##[...]` anywhere in a line, and `::...::` at its beginning, for a command of the program it runs.
_RUNNER_COMMAND = regexp(r"##(?=\[)")
_COMMAND_AT_START = regexp(r"^((?:\s|\x1b\[[0-9;]*m)*)::")
# Raw in JSON these would act on whoever prints the file; as escapes they are the same text.
_UNSAFE_IN_JSON = regexp(
    "[\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb]"
    "|[\U000e0000-\U000e0fff]|#(?=#\\[)"
)
_UNSAFE_IN_ASCII = ("\x7f", "##[")  # what the pattern finds of it
_SURROGATE = regexp("[\ud800-\udfff]")


def clean(text: str, limit: int = LIMIT) -> str:
    """`text` on one line: what cannot be seen becomes a visible escape such as `\\x1b`, what is too long is cut."""
    if len(text) > limit:
        text = f"{text[:limit]}… ({len(text)} characters)"
    if not text.isprintable():
        text = "".join(map(_visible, text))
    return _RUNNER_COMMAND.sub("#\\\\#", text) if "##[" in text else text


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if character in _NAMED:
        return _NAMED[character]
    if category(character) == "Zs":
        return " "
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def guard(line: str) -> str:
    """A finished line of output that no CI runner takes for a command, whatever text stands at its beginning."""
    return _COMMAND_AT_START.sub(r"\1\\::", line) if "::" in line else line


def encodable(text: str, encoding: str | None) -> str:
    """`text` with what `encoding` cannot express as visible escapes; None means ASCII."""
    name = encoding or "ascii"
    return text.encode(name, "backslashreplace").decode(name)


def json_text(document: str) -> str:
    """A JSON document with the same meaning and no harmful raw character; lone surrogates become U+FFFD."""
    if _is_harmless(document):
        return document
    return "\n".join([line if _is_harmless(line) else _harmless(line) for line in document.split("\n")])


def _is_harmless(text: str) -> bool:
    """Whether it surely is; asked in a hundredth of the time in which the patterns search it."""
    return text.isascii() and not any(unsafe in text for unsafe in _UNSAFE_IN_ASCII)


def _harmless(text: str) -> str:
    return _UNSAFE_IN_JSON.sub(_json_escape, _SURROGATE.sub("\ufffd", text))


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def width(text: str) -> int:
    """Columns that `text` takes on a terminal: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(item) else 2 if east_asian_width(item) in "WF" else 1 for item in text)


def fit(text: str, columns: int, ellipsis: str = "…") -> str:
    """`text` cut or padded to exactly `columns` columns."""
    taken = width(text)
    if taken <= columns:
        return text + " " * (columns - taken)
    while text and width(text) > columns - len(ellipsis):
        text = text[:-1]
    return fit(text + ellipsis, columns, ellipsis)


def wrap(text: str, columns: int) -> list[str]:
    """`text` broken at its spaces into lines of at most `columns` columns; a longer word keeps a line of its own."""
    lines = [""]
    for word in text.split(" "):
        candidate = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width(candidate) > columns:
            lines.append(word)
        else:
            lines[-1] = candidate
    return lines
