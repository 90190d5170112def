"""JSON to plain values whose texts know their line."""

from __future__ import annotations

import json
from bisect import bisect_right
from json import decoder, scanner
from typing import Any

from auditor.errors import TextError

_SIZE = 8 << 20  # bytes


class Line(str):
    """A text of a JSON document with the line, from 1, that it ends on."""

    __slots__ = ("line",)
    line: int


def parse(data: bytes, path: str) -> Any:
    """The value of a JSON document; its texts are `Line`s, its keys plain. Raises TextError."""
    if len(data) > _SIZE:
        raise TextError(f"larger than {_SIZE >> 20} MiB", path=path, line=1)
    try:
        text = data.decode("utf-8-sig")
        return _Decoder(text).decode(text)
    except json.JSONDecodeError as error:
        raise TextError(f"it is no JSON: {error.msg.lower()}", path=path, line=error.lineno) from None
    except UnicodeDecodeError:
        raise TextError("it is no UTF-8 text", path=path, line=1) from None
    except (RecursionError, ValueError):
        raise TextError("it is nested too deeply, or holds a number that is too long", path=path, line=1) from None


class _Decoder(json.JSONDecoder):
    """The library's decoder, in Python rather than C, so that it can be asked where a text stands."""

    def __init__(self, text: str) -> None:
        super().__init__()
        starts = [0]
        while (end := text.find("\n", starts[-1])) >= 0:
            starts.append(end + 1)

        def scan_text(source: str, begin: int, strict: bool = True) -> tuple[str, int]:
            value, end = decoder.scanstring(source, begin, strict)  # type: ignore[attr-defined]
            placed = Line(value)
            placed.line = bisect_right(starts, end - 1)
            return placed, end

        self.parse_string = scan_text
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]
