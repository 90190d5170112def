"""Hosts that values and command lines name. Careful: a host that is missed costs less than an invented one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

from auditor.model import Address
from auditor.regexp import regexp


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_LONGEST = 8 << 10  # characters of a value that are looked at
_MOST = 100  # addresses of one value

_URL = regexp(r"([a-zA-Z][a-zA-Z0-9+.-]{0,30})://([^\s\"'/?#;<>{}|\\^`]*)([^\s\"',;]*)")
_SIGNS = regexp(r"[:=(]")  # without one of them only a bare host's name is an address
_NEXT_URL = regexp(r",(?=[a-zA-Z][a-zA-Z0-9+.-]{0,30}://)")
_GO_DSN = regexp(r"@tcp\(([^()\s]*)\)")
_KEY_VALUE = regexp(
    r"(?i)(?:^|[\s;])(?:host|server|data source)\s*=\s*(?:tcp:)?([\w.-]+)(?:[,:](\d{1,5}))?(?=[\s;,]|$)"
)
_HOST = regexp(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
_PAIR = regexp(r"(?:\d{1,5}@)?([A-Za-z_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?):(\d{2,5})")
_FLAG = regexp(r"-{0,2}[A-Za-z][\w.-]*")
_LETTER = regexp(r"[A-Za-z]")
_IPV4 = regexp(r"\d{1,3}(?:\.\d{1,3}){3}")
_VERSION = regexp(r"v?\d+(?:\.\d+)*(?:[.-](?:rc|alpha|beta|dev)?\.?\d*)?", re.IGNORECASE)

# Addresses of things that are no hosts.
_NO_HOST_SCHEMES = _set(
    "file unix npipe data sqlite sqlite3 s3 s3a gs gcs az abfs abfss wasb wasbs docker docker-image oci dir "
    "image chrome memory inmemory mem env secret secrets ssm sm awssm gcpsm vault-secret classpath resource "
    "resources jar class config pkg urn mailto fd systemd static dns"
)
_LOOPBACK = _set(
    "localhost localhost.localdomain ip6-localhost :: ::1 host.docker.internal gateway.docker.internal "
    "host-gateway kubernetes.docker.internal"
)
_NO_HOST_WORDS = _set(
    "true false yes no on off none null nil auto default any all localhost enabled disabled internal external "
    "public private production development staging test dev prod debug info host bridge redis-sentinel env"
)

# The last word of a name that says that its value is a host, or several.
_HOST_WORDS = _set(
    "HOST HOSTS HOSTNAME SERVER SERVERS ADDR ADDRS ADDRESS ADDRESSES BROKER BROKERS ENDPOINT ENDPOINTS NODES "
    "PEERS SEEDS UPSTREAM UPSTREAMS VOTERS CONNECT BOOTSTRAP"
)
_ADDRESS_WORDS = _HOST_WORDS | _set(
    "URL URLS URI URIS DSN TARGET TARGETS PROXY CLUSTER CONNECTION BACKEND BACKENDS STORE"
)
# Words of names that speak of the program's own address, or of who may call it.
_OWN_WORDS = _set(
    "BIND LISTEN LISTENER LISTENERS ADVERTISE ADVERTISED ALLOWED ALLOW VIRTUAL LETSENCRYPT CORS ORIGIN ORIGINS "
    "IMAGE VERSION TAG"
)
_OWN_BARE = _set(
    "PUBLIC EXTERNAL SITE DOMAIN DOMAINS ROOT CALLBACK REDIRECT COOKIE TRUSTED KC KEYCLOAK VHOST SELF THIS MY "
    "CLUSTER NODE TLS CERT SSL CLUSTER"
)


@lru_cache(maxsize=8192)
def _hints(name: str) -> tuple[bool, bool, bool]:
    """What a name says: nothing but its own address; a host; an address of any form."""
    parts = [part for part in re.split(r"[^A-Z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).upper()) if part]
    if not parts or _OWN_WORDS & set(parts):
        return True, False, False
    host = len(parts) > 1 and parts[-1] in _HOST_WORDS and _OWN_BARE.isdisjoint(parts)
    return False, host, not _ADDRESS_WORDS.isdisjoint(parts)


def addresses(
    name: str, value: str, services: Collection[str], *, flag: bool = False, loopback: bool = False
) -> tuple[Address, ...]:
    """The addresses in the value of a variable or flag called `name`; those of loopback only where `loopback` says so.

    `services`: names that are surely hosts, because the project has such services. `flag`: of a command line,
    where a lone word after `--host` is more often the program's own name.
    """
    if not value or len(value) > _LONGEST:
        return ()
    own, host, address = _hints(name)
    if own or not ((host and not flag) or _SIGNS.search(value)):
        return ()
    found = list(_in_text(value))
    if not found and "://" not in value and "=" not in value:
        found = list(_bare(value, host and not flag, host or address, services))
    return tuple(dict.fromkeys(item for item in found if loopback or not is_loopback(item.host)))[:_MOST]


def is_loopback(host: str) -> bool:
    """Whether a host is the program's own machine, or that of the engine."""
    lower = host.lower()
    return lower in _LOOPBACK or lower.startswith(("127.", "0.")) or lower.endswith(".localhost")


def _in_text(value: str) -> Iterator[Address]:
    """Addresses whose form alone says that they are some."""
    if "://" in value:
        for match in _URL.finditer(_NEXT_URL.sub(" ", value)):
            yield from _authority(match[1].lower(), match[2], match[3])
    if "@tcp(" in value:
        for match in _GO_DSN.finditer(value):
            yield from _hosts(match[1], "tcp")
    if "=" in value and (" " in value or ";" in value):
        for match in _KEY_VALUE.finditer(value):
            if _is_host(match[1]):
                yield Address(match[1], _port(match[2]))


def _authority(scheme: str, authority: str, rest: str) -> Iterator[Address]:
    if scheme in _NO_HOST_SCHEMES:
        return
    if "@" not in authority and ":" in authority and "@" in rest.partition("?")[0]:
        return  # a password with a slash in it: what looks like a host may be a part of it
    yield from _hosts(authority.rpartition("@")[2], scheme)


def _hosts(text: str, scheme: str | None) -> Iterator[Address]:
    for item in text.split(","):
        host, separator, port = item.partition(":")
        if separator and not port.isdecimal():
            continue
        if _is_host(host):
            yield Address(host, _port(port), scheme)


def _bare(value: str, host: bool, address: bool, services: Collection[str]) -> Iterator[Address]:
    """`name`, `name:port`, or several by comma, where the name or the project vouches for them."""
    items = [item.strip() for item in re.split(r"[,\s]+", value.strip())]
    if len(items) > _MOST:
        return
    for item in items:
        pair = _PAIR.fullmatch(item)
        if pair is not None:
            port = _port(pair[2])
            if port is not None and (address or pair[1] in services):
                yield Address(pair[1], port)
        elif host and _is_bare_host(item, services):
            yield Address(item)


def _is_bare_host(word: str, services: Collection[str]) -> bool:
    if word in services:
        return True
    if word.lower() in _NO_HOST_WORDS or _VERSION.fullmatch(word) or word.isupper():
        return False
    return _is_host(word) and _LETTER.search(word) is not None


def _is_host(word: str) -> bool:
    if _HOST.fullmatch(word) is None or ".." in word:
        return False
    return _LETTER.search(word) is not None or _IPV4.fullmatch(word) is not None


def _port(text: str | None) -> int | None:
    if not text or len(text) > 5 or not text.isdecimal():
        return None
    number = int(text)
    return number if 0 < number <= 65_535 else None


def in_command(words: list[str], services: Collection[str]) -> tuple[Address, ...]:
    """The addresses in a command line: in flags (`--name=value`, `--name value`), or plain as `service:port`."""
    found: dict[Address, None] = {}
    flag = ""
    for word in words[:1_000]:
        name, separator, value = word.partition("=")
        if separator and _FLAG.fullmatch(name):
            flag = ""
            found.update(dict.fromkeys(addresses(name, value, services, flag=True)))
            continue
        if word.startswith("-"):
            flag = word
            continue
        found.update(dict.fromkeys(addresses(flag or "word", word, services, flag=True)))
        flag = ""
    return tuple(found)
