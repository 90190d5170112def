"""The addresses in the configurations of nginx, HAProxy and Caddy, line by line; what is no address is passed over."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from auditor.compose.references import addresses
from auditor.model import Address
from auditor.regexp import regexp

_PART = regexp(r"#[^\n]*|\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|[{};]|[^\s{};]+|\n")
_PASSES = frozenset({"proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"})
_HOST = regexp(r"(?:[a-z]+://)?([A-Za-z0-9][\w.-]{0,252}?)(?::(\d{1,5}))?(?:/\S*)?")
_VARIABLE = regexp(r"(?:[a-z]+://)?\$\{?(\w+)\}?(?:/\S*)?")
_PAIR = regexp(r"[A-Za-z][\w.-]*:\d{2,5}")
_SERVER = regexp(r"[ \t]+server(?:-template)?[ \t]+\S+[ \t]+(?:\d+(?:-\d+)?[ \t]+)?([A-Za-z][\w.-]*):(\d{1,5})\b")
_CADDY = regexp(r"[ \t]*(reverse_proxy|php_fastcgi|forward_auth|to)[ \t]+(.+)")
_PARTS = 10_000  # statements of a file
Found = tuple[int, Address]


def nginx(text: str, elsewhere: Collection[str] = ()) -> Iterator[Found]:
    """Where requests are passed to, upstreams resolved to their servers.

    elsewhere: the upstreams that other files of the same server define.
    """
    passed, own = _passes(text)
    for line, word in passed:
        if (address := _address(word)) and address.host.lower() not in own and address.host.lower() not in elsewhere:
            yield line, address


def upstreams(text: str) -> frozenset[str]:
    """The names of the upstreams that a file of nginx defines."""
    return frozenset(_passes(text)[1])


def _passes(text: str) -> tuple[list[tuple[int, str]], set[str]]:
    """What requests are passed to, each with its line; and the names of the upstreams that are defined."""
    passed: list[tuple[int, str]] = []
    own: set[str] = set()
    inside: list[str] = []  # the first words of the blocks that are open
    hosts: dict[str, tuple[int, str]] = {}  # variable -> the address that it is set to, without a scheme
    for line, words, end in _statements(text):
        if end == "}":
            inside = inside[:-1]
        elif end == "{":
            inside.append(words[0] if words else "")
            if len(words) > 1 and words[0] == "upstream":
                own.add(words[1].lower())
        elif len(words) > 1 and (words[0] in _PASSES or (words[0] == "server" and inside[-1:] == ["upstream"])):
            used = _VARIABLE.fullmatch(words[1])
            passed.append(hosts.pop(used[1], (line, words[1])) if used else (line, words[1]))
        elif len(words) == 3 and words[0] == "set" and "://" in words[2]:
            passed.append((line, words[2]))
        elif len(words) == 3 and words[0] == "set" and _PAIR.fullmatch(words[2]):
            hosts[words[1].removeprefix("$")] = (line, words[2])
    return passed, own


def _statements(text: str) -> Iterator[tuple[int, list[str], str]]:
    """(line, words, what ends it) of each statement."""
    words: list[str] = []
    line, began, count = 1, 1, 0
    for match in _PART.finditer(text):
        part = match[0]
        if part in ("{", "}", ";"):
            count += 1
            if count > _PARTS:
                return
            yield began, words, part
            words = []
        elif part != "\n" and not part.startswith("#"):
            began = began if words else line
            words.append(part.strip("\"'"))
        line += part.count("\n")


def _address(word: str) -> Address | None:
    """The host of `http://web:8000/x` or `web:8000`; None for a variable, a socket or an address."""
    if "$" in word or word.startswith("unix:"):
        return None
    match = _HOST.fullmatch(word)
    if match is None or not re.search("[A-Za-z]", match[1]):
        return None
    scheme = word.partition("://")[0] if "://" in word else None
    port = int(match[2]) if match[2] and 0 < int(match[2]) < 65_536 else None
    return Address(match[1], port, scheme)


def haproxy(text: str) -> Iterator[Found]:
    """The servers of backends."""
    for number, line in enumerate(text.split("\n"), 1):
        match = _SERVER.match(line)
        if match and 0 < int(match[2]) < 65_536:
            yield number, Address(match[1], int(match[2]))


def caddy(text: str) -> Iterator[Found]:
    """The upstreams of a Caddyfile."""
    for number, line in enumerate(text.split("\n"), 1):
        match = _CADDY.match(line.partition(" #")[0])
        for word in match[2].split() if match else ():
            if ":" in word and not word.startswith(("/", "@", "*", "{", "unix", "http://{", ":")):
                yield from ((number, address) for address in addresses("TARGET", word, (), flag=True))
