"""Addresses in string literals of code: Python by its syntax tree, others by a tokenizer that skips comments.

Only what surely is an address of another program counts: an address with a scheme and a host, or a host with a port
where the project has a service of that name.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterator, Sequence

from auditor.frozen import dataclass
from auditor.model import Address
from auditor.regexp import regexp

MAX_NODES = 300_000
MAX_LITERAL = 2_000  # characters

_URL = regexp(
    r"([a-z][a-z0-9+.-]{1,30})://(?:[^\s/@\"'<>{}]{0,200}@)?([A-Za-z0-9](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?)(?::(\d{1,5}))?(?=$|[/?#])"
)
_PAIR = regexp(r"([A-Za-z][A-Za-z0-9_-]{0,62}):(\d{2,5})")
_WORD = regexp(r"[A-Za-z_][A-Za-z0-9_]{2,60}")
_HTTP = frozenset({"http", "https", "ws", "wss"})
_NO_HOST = frozenset(
    {"file", "sqlite", "data", "unix", "npm", "git", "ssh", "app", "asset", "res", "content", "jar", "chrome", "about",
     "classpath", "s3", "gs", "mailto", "urn", "javascript", "blob", "vscode", "memory", "mock", "test", "resource"}
)  # fmt: skip
# Hosts of examples and of tests' clients.
_NOBODY = regexp(
    r"(?i)^(?:test\w*|example\w*|host\w*|server\w*|user|username|domain|dummy|foo|bar|baz|your.*|my.*|some.*|a|b|x|y|z|local\w*"
    r"|mock\w*|fake\w*|internal|placeholder|base|ip|address|url|backend_host|.*_host)$"
)

# Comments and literals of languages that write `//`; a text that is not closed ends with its line, or with the file.
_C_LIKE = regexp(
    r"//[^\n]*|/\*.*?(?:\*/|\Z)|\"\"\".*?(?:\"\"\"|\Z)|\"(?:\\.|[^\"\\\n])*\"?|`(?:\\.|[^`\\])*`?|'(?:\\.|[^'\\\n])*'?",
    re.DOTALL,
)
_HASH = regexp(r"(?:(?<=\s)|^)#[^\n]*|\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?", re.MULTILINE)
_HASH_LANGUAGES = ("rb", "ex", "exs", "sh", "pl")


@dataclass(frozen=True, slots=True)
class Named:
    """An address in a literal. words: in capitals, what stands on its lines, such as the setting that overrides it."""

    address: Address
    line: int
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Literal:
    text: str
    line: int
    last: int
    whole: bool = True  # False: what it goes on with is only known when the program runs


def named_addresses(text: str, path: str, hosts: Collection[str]) -> Iterator[Named]:
    """The addresses in the literals of a file. hosts: names of services, in lower case."""
    if "://" not in text and not any(f"{host}:" in text for host in hosts):
        return
    lines = text.split("\n")
    for literal in _literals(text, path):
        for address in _addresses(literal, hosts):
            yield Named(address, literal.line, frozenset(map(str.upper, _WORD.findall(_around(lines, literal)))))


def _around(lines: Sequence[str], literal: _Literal) -> str:
    """The lines of a literal, and those before where it stands alone on its own, as in a call over several lines."""
    alone = lines[literal.line - 1].lstrip().startswith(("'", '"', "`", "f'", 'f"'))
    first = max(0, literal.line - 1 - (2 if alone else 0))
    return "\n".join(line[:MAX_LITERAL] for line in lines[first : min(literal.last, literal.line + 3)])


def _addresses(literal: _Literal, hosts: Collection[str]) -> Iterator[Address]:
    text = literal.text
    if len(text) > MAX_LITERAL or "\n" in text.strip():
        return
    if "://" in text:
        match = _URL.match(text.strip())
        if match and (literal.whole or match.end() < len(text.strip())):
            yield from _checked(match[2], match[3], match[1].partition("+")[0], hosts)
    elif literal.whole and (pair := _PAIR.fullmatch(text.strip())) and pair[1].lower() in hosts:
        yield from _checked(pair[1], pair[2], None, hosts)


def _checked(host: str, port: str | None, scheme: str | None, hosts: Collection[str]) -> Iterator[Address]:
    """A plain name on the project's networks; one that no service has only where it is plainly meant as a host."""
    number = int(port) if port and 0 < int(port) < 65_536 else None
    if "." in host or host.isdigit() or scheme in _NO_HOST:
        return
    if host.lower() in hosts or (not _NOBODY.fullmatch(host) and (number or scheme not in _HTTP)):
        yield Address(host, number, scheme)


# --- literals ----------------------------------------------------------------------------------------------------


def _literals(text: str, path: str) -> Iterator[_Literal]:
    if path.endswith(".py"):
        yield from _python(text)
        return
    pattern = _HASH if path.endswith(_HASH_LANGUAGES) else _C_LIKE
    line, at = 1, 0
    for match in pattern.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        token = match[0]
        if token[0] in "\"'`":
            yield _foreign(token, line)


def _foreign(token: str, line: int) -> _Literal:
    mark = '"""' if token.startswith('"""') and len(token) >= 6 else token[0]
    inner = token.removeprefix(mark).removesuffix(mark)
    before, cut, _ = inner.partition("${")
    before, percent, _ = before.partition("%s")
    return _Literal(before, line, line + token.count("\n"), not cut and not percent)


def _python(text: str) -> Iterator[_Literal]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    nodes = [node for _, node in zip(range(MAX_NODES), ast.walk(tree), strict=False)]
    skipped = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    formatted = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    skipped |= {id(part) for node in formatted for part in node.values[1:]}
    begun = {id(node.values[0]) for node in formatted if len(node.values) > 1}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield _Literal(node.value, node.lineno, node.end_lineno or node.lineno, id(node) not in begun)
