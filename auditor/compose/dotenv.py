"""`.env` and `env_file`: Compose's own grammar, which is neither the shell's nor python-dotenv's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from types import MappingProxyType
from typing import NamedTuple

from auditor.compose.interpolate import Budget, ExpansionError, Scope, TemplateError, Text
from auditor.errors import TextError
from auditor.regexp import regexp

_LARGEST = 1 << 20
_BLANK = regexp(r"(?:[ \t\r\n]+|#[^\n]*)*")
_EXPORT = regexp(r"export[ \t]+")
_KEY = regexp(r"([\w.\-\[\]]*)[ \t]*(=|:|(?=\r?\n))")
_UNENDED = regexp(r"[\w.\-\[\] \t\r]+\Z")
_SPACE = regexp(r"[ \t]*")
_SINGLE = regexp(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_DOUBLE = regexp(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_REST = regexp(r"[^\n]*")
_COMMENT = regexp(r" #.*")
_ESCAPE = regexp(r"\\(?:0([0-9]{0,3})|(.))", re.DOTALL)
_OCTAL = regexp(r"[0-3][0-7]{2}")
_ESCAPES = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)) | {'"': '"', "\\": "\\", "$": "$$"}


class Entry(NamedTuple):
    """One variable of an env file: its final value (a `Text` where a variable in it is not set), and its line."""

    value: str
    line: int


def parse(
    data: bytes,
    path: str,
    inherited: AnyMapping[str, str],
    budget: Budget,
    *,
    earlier: AnyMapping[str, str] = MappingProxyType({}),
    raw: bool = False,
) -> dict[str, Entry]:
    """The variables of an env file; the last of two equal names wins. A last line that is only a name and has no end
    is the value of a variable whose name is empty.

    `inherited`: what a bare `NAME` line and `${X}` take before they take earlier lines; `earlier`: those of earlier
    files. `raw`: `format: raw`, everything after `=` as it stands. Raises TextError at the first line that Compose
    would refuse.
    """
    text = _text(data, path)
    entries: dict[str, Entry] = {}
    if raw:
        entries.update(_raw(text, path, {**earlier, **inherited}))
        return entries
    _Reading(text, path, _Known(inherited, earlier), budget, entries).run()
    return entries


def _raw(text: str, path: str, inherited: AnyMapping[str, str]) -> Iterator[tuple[str, Entry]]:
    """`NAME=value` lines as they stand; a bare `NAME` takes what is inherited."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r").lstrip()
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not name or " " in name or "\t" in name:
            what = f"`{name[:60]}` is no name of a variable" if name else "a line without a name"
            raise TextError(what, path=path, line=number, help="write `NAME=value`, with no space in the name")
        given = value if separator else inherited.get(name)
        if given is not None:
            yield name, Entry(given, number)


def _text(data: bytes, path: str) -> str:
    if len(data) > _LARGEST:
        raise TextError("larger than 1 MiB", path=path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TextError("not UTF-8", path=path, line=line, help="save the file as UTF-8") from None


class _Known(dict[str, str]):
    """What is inherited, then the earlier lines of the same file, then those of earlier files."""

    def __init__(self, inherited: AnyMapping[str, str], earlier: AnyMapping[str, str]) -> None:
        super().__init__(earlier)
        self.inherited = inherited

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        found = self.inherited.get(name)
        return super().get(name, default) if found is None else found


class _Reading:
    """One pass over one file."""

    def __init__(self, text: str, path: str, known: _Known, budget: Budget, entries: dict[str, Entry]) -> None:
        self.text = text
        self.path = path
        self.known = known
        self.scope = Scope(self.known, budget)
        self.entries = entries
        self.at = 0
        self.line = 1

    def run(self) -> None:
        while True:
            self._skip(_BLANK)
            if self.at >= len(self.text):
                return
            self._skip(_EXPORT)
            line = self.line
            if unended := _UNENDED.match(self.text, self.at):
                self._set("", unended[0].rstrip(), line)  # a name that no line end follows, so Compose reads a value
                return
            match = _KEY.match(self.text, self.at)
            if match is None:
                raise self._refuse("no `NAME=value`: a name without spaces, then `=`")
            self._advance(match.end())
            if match[2]:
                self._skip(_SPACE)
                self._set(match[1], self._value(), line)
            elif (inherited := self.known.get(match[1])) is not None:
                self._set(match[1], inherited, line)

    def _set(self, name: str, value: str, line: int) -> None:
        self.known[name] = value
        self.entries[name] = Entry(value, line)

    def _value(self) -> str:
        quote = self.text[self.at : self.at + 1]
        if quote == "'":
            return self._quoted(_SINGLE).replace("\\'", "'")
        if quote == '"':
            return self._expand(_ESCAPE.sub(_unescape, self._quoted(_DOUBLE)))
        match = _REST.match(self.text, self.at)
        written = match[0] if match else ""
        value = self._expand(_COMMENT.sub("", written.strip(), count=1).strip())
        self._advance(self.at + len(written))
        return value

    def _quoted(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise self._refuse("a quote that is not closed")
        self._advance(match.end())
        return match[1]  # what follows on the line is read as the next entry, as Compose does

    def _expand(self, text: str) -> str:
        misses = self.scope.misses
        try:
            value = self.scope.expand(text)
        except (TemplateError, ExpansionError) as error:
            raise self._refuse(str(error)) from None
        for name in self.scope.required:
            raise self._refuse(f"variable `{name}` is required and not set")
        return Text.of(value, value, unset=True) if self.scope.misses > misses else value

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match:
            self._advance(match.end())

    def _advance(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = end

    def _refuse(self, what: str) -> TextError:
        return TextError(what, path=self.path, line=self.line)


def _unescape(match: re.Match[str]) -> str:
    if match[2]:
        return _ESCAPES.get(match[2], match[0])
    return chr(int(match[1], 8)) if _OCTAL.fullmatch(match[1]) else f"\\{match[1]}"


_BARE = regexp(r"^[ \t]*(?:export[ \t]+)?([\w.\-\[\]]+)[ \t]*\r?\n", re.MULTILINE)


def bare_names(data: bytes) -> tuple[str, ...]:
    """The lines that are only a name, whose value is the shell's where it has one."""
    return tuple(_BARE.findall(data.decode("utf-8", "replace")))


_REFERRED = regexp(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")


def referred_names(data: bytes) -> frozenset[str]:
    """The variables that lines may take their values from."""
    return frozenset((*_REFERRED.findall(data.decode("utf-8", "replace")), *bare_names(data)))
