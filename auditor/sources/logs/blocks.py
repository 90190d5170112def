"""Alloy's own language as far as a pipeline of logs needs it: blocks, attributes, literals, and what they refer to.

https://grafana.com/docs/alloy/latest/get-started/configuration-syntax/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import field
from typing import Any

from auditor.errors import TextError
from auditor.frozen import dataclass
from auditor.regexp import regexp

_SIZE = 1 << 20  # bytes
_DEPTH = 40
_TOKEN = regexp(
    r"(?P<space>[ \t\r]+|//[^\n]*|/\*.*?\*/)|(?P<line>\n)|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|`[^`]*`)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>\d+(?:\.\d+)?)|(?P<sign>[=!<>]=|&&|\|\||[^\s])",
    re.DOTALL,
)


_JOINS = frozenset({"concat", "array.concat"})


@dataclass(frozen=True, slots=True)
class Reference:
    """An expression that is no literal, by the name that it begins with, such as `discovery.docker.all.targets`."""

    name: str


@dataclass(frozen=True, slots=True)
class Block:
    """One block: `discovery.docker "all" { ... }`."""

    kind: str
    label: str
    line: int
    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def every(self, kind: str) -> Iterator[Block]:
        """The blocks of a kind right below."""
        return (block for block in self.blocks if block.kind == kind)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def parse_blocks(data: bytes, path: str) -> list[Block]:
    """The blocks of a text. Raises TextError where it is none of this language."""
    if len(data) > _SIZE:
        raise TextError(f"larger than {_SIZE >> 20} MiB", path=path, line=1)
    reader = _Reader(list(_tokens(data.decode("utf-8", "replace"))), path)
    root = Block("", "", 1)
    reader.body(root, 0)
    reader.skip_lines()
    if reader.here.kind != "end":
        reader.fail()
    return root.blocks


def _tokens(text: str) -> Iterator[_Token]:
    line, place = 1, 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            break
        kind, found = match.lastgroup or "sign", match[0]
        if kind != "space":
            yield _Token(kind, found, line)
        line += found.count("\n")
        place = match.end()
    yield _Token("end", "", line)


class _Reader:
    """The tokens that are left."""

    def __init__(self, tokens: list[_Token], path: str) -> None:
        self._tokens, self._path, self._place = tokens, path, 0

    @property
    def here(self) -> _Token:
        return self._tokens[self._place]

    def fail(self) -> None:
        token = self.here
        raise TextError(f"unexpected `{token.text[:20] or 'end'}`".replace("\n", " "), path=self._path, line=token.line)

    def take(self) -> _Token:
        token = self.here
        if token.kind != "end":
            self._place += 1
        return token

    def sign(self, text: str) -> bool:
        """Takes a sign where it stands here."""
        if self.here.text != text or self.here.kind not in ("sign",):
            return False
        self.take()
        return True

    def skip_lines(self) -> None:
        while self.here.kind == "line" or self.here.text == ";":
            self.take()

    def body(self, block: Block, depth: int) -> None:
        """The attributes and blocks up to the closing brace, or the end."""
        if depth > _DEPTH:
            raise TextError("it is nested too deeply", path=self._path, line=self.here.line)
        while True:
            self.skip_lines()
            if self.here.kind == "end" or self.here.text == "}":
                return
            name = self.name()
            if self.sign("="):
                self.skip_lines()
                block.attributes[name] = self.value(depth + 1)
            else:
                self.inner(name, block, depth)

    def name(self) -> str:
        token = self.here
        if token.kind != "word":
            self.fail()
        parts = [self.take().text]
        while self.here.text == "." and self._tokens[self._place + 1].kind == "word":
            self.take()
            parts.append(self.take().text)
        return ".".join(parts)

    def inner(self, kind: str, parent: Block, depth: int) -> None:
        label = _unquoted(self.take().text) if self.here.kind == "text" else ""
        line = self.here.line
        if not self.sign("{"):
            self.fail()
        block = Block(kind, label, line)
        self.body(block, depth + 1)
        if not self.sign("}"):
            self.fail()
        parent.blocks.append(block)

    def value(self, depth: int) -> Any:
        """One expression; anything but a literal is a reference to what it names first."""
        if depth > _DEPTH:
            raise TextError("it is nested too deeply", path=self._path, line=self.here.line)
        first = self.single(depth)
        simple = True
        while self.here.kind == "sign" and self.here.text not in (",", "}", "]", ")", "{", ";"):
            self.take()
            self.skip_lines()
            second = self.single(depth)
            if isinstance(second, Reference) and not isinstance(first, Reference):
                first = second
            simple = False
        return first if simple or isinstance(first, Reference) else Reference("")

    def single(self, depth: int) -> Any:
        token = self.here
        if token.kind == "text":
            return _unquoted(self.take().text)
        if token.kind == "number":
            return float(self.take().text)
        if token.kind == "word":
            return self.named(depth)
        for opening, closing in (("[", "]"), ("{", "}"), ("(", ")")):
            if self.sign(opening):
                return self.many(opening, closing, depth)
        if self.sign("-") or self.sign("!"):
            return self.single(depth)
        return self.fail()

    def named(self, depth: int) -> Any:
        name = self.name()
        if name in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[name]
        if name in _JOINS and self.sign("("):
            return self.joined(depth)
        found = Reference(name)
        while self.here.text in ("(", "["):
            closing = ")" if self.take().text == "(" else "]"
            inner = self.many("(", closing, depth)
            if isinstance(inner, Reference) and inner.name and closing == ")":
                found = inner
        return found

    def joined(self, depth: int) -> list[Any]:
        """What `concat` makes of its arguments."""
        found: list[Any] = []
        self.skip_lines()
        while not self.sign(")"):
            value = self.value(depth + 1)
            found += value if isinstance(value, list) else [value]
            self.skip_lines()
            if not self.sign(",") and self.here.text != ")":
                self.fail()
            self.skip_lines()
        return found

    def many(self, opening: str, closing: str, depth: int) -> Any:
        """A list, an object, or what stands in parentheses."""
        values: list[Any] = []
        named: dict[str, Any] = {}
        self.skip_lines()
        while not self.sign(closing):
            value = self.single(depth + 1) if opening == "{" else self.value(depth + 1)
            if opening == "{":
                key = value.name if isinstance(value, Reference) else str(value)
                self.skip_lines()
                if not (self.sign("=") or self.sign(":")):
                    self.fail()
                self.skip_lines()
                named[key] = self.value(depth + 1)
            else:
                values.append(value)
            self.skip_lines()
            if not self.sign(",") and self.here.text != closing:
                self.fail()
            self.skip_lines()
        if opening == "{":
            return named
        if opening == "(":
            return next((one for one in values if isinstance(one, Reference)), values[0] if values else None)
        return values


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]
