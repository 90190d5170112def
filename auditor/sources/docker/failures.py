"""What went wrong between us and an engine, in words that say what to do."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import ssl
from collections.abc import Mapping

from auditor.causes import causes
from auditor.errors import EvidenceError
from auditor.regexp import regexp
from auditor.sources.docker.allowed import IDENTIFIER, section_of
from auditor.sources.docker.tls_failures import Dropped, cause_of_drop, cause_of_tls
from auditor.sources.hostile import printable

_ID = regexp(IDENTIFIER)


class Garbled(Exception):
    """An answer that no engine gives: no HTTP, no JSON, of another shape, or larger than allowed."""


class Refused(Exception):
    """An answer whose status is not 200. `said` is the engine's own message, cleaned."""

    def __init__(self, status: int, path: str, said: str = "") -> None:
        super().__init__(f"HTTP {status} for `{printable(_ID.sub(lambda id: id[0][:12], path))}`")
        self.status = status
        self.path = path
        self.said = said

    @property
    def denied(self) -> bool:
        """Whether somebody between us and the engine keeps this request from it."""
        return self.status in (401, 403)


class Late(TimeoutError):
    """No answer within the `seconds` that a request had."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")
        self.seconds = seconds


def refusal(status: int, path: str, body: bytes) -> Refused | Garbled:
    """The error for an answer that is not 200, with what the engine said of it."""
    if b"HTTP request to an HTTPS server" in body:
        return Garbled("it speaks TLS at this port: its address begins with `https://`")
    try:
        said = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = ""
    return Refused(status, path, printable(said, 300))


# What a request may end in. Answers come from outside: ValueError, RecursionError. TimeoutError is an OSError.
FAILURES = (Garbled, Refused, OSError, ValueError, RecursionError)
# A strange shape, on top of what a request may end in.
STRANGE = (AttributeError, LookupError, TypeError)

_ERRNO: Mapping[int, tuple[str, str]] = {
    errno.ENOENT: ("there is no such socket", "is the Docker Engine running, and is its socket's directory mounted?"),
    errno.ENOTDIR: ("there is no such socket", "is the Docker Engine running, and is its socket's directory mounted?"),
    errno.EACCES: ("permission denied", "run as a user of the group `docker`, or use a socket proxy"),
    errno.EPERM: ("permission denied", "run as a user of the group `docker`, or use a socket proxy"),
    errno.ECONNREFUSED: ("connection refused", "is the Docker Engine running at this address?"),
    errno.ECONNRESET: ("the connection was reset", "is the Docker Engine restarting?"),
    errno.EPIPE: ("the connection was reset", "is the Docker Engine restarting?"),
    errno.EHOSTUNREACH: ("the host cannot be reached", "is the address right, and the network up?"),
    errno.ENETUNREACH: ("the network cannot be reached", "is the address right, and the network up?"),
    errno.EMFILE: ("too many open files", "raise the limit of open files"),
}


def explain(address: str, error: BaseException, timeout: float) -> EvidenceError:
    """The one error that says that the engine at `address` cannot be read, and why."""
    cause, advice = cause_of(error, timeout)
    return EvidenceError(f"the Docker Engine at {_told(address)} cannot be read: {cause}", help=advice)


def silent(address: str, seconds: float) -> EvidenceError:
    """The error for an engine that lets the whole time pass."""
    return EvidenceError(
        f"the Docker Engine at {_told(address)} cannot be read: docker timeout: no full answer within {seconds:g} s",
        help="is the engine frozen or overloaded?",
    )


def cause_of(error: BaseException, timeout: float) -> tuple[str, str]:
    """What happened, and what to do. timeout: the seconds that the call had."""
    if isinstance(error, Garbled):
        return printable(error), "check the address, and the engine's own log"
    chain = list(causes(error))
    for link in chain:
        if isinstance(link, Refused):
            return _refused(link)
    if late := next((link for link in chain if isinstance(link, TimeoutError)), None):
        seconds = late.seconds if isinstance(late, Late) else timeout
        return f"docker timeout: no answer within {seconds:g} s", "is the engine frozen or overloaded?"
    if tls := next((link for link in chain if isinstance(link, ssl.SSLError)), None):
        return cause_of_tls(tls)
    if any(isinstance(link, Dropped) for link in chain):
        return cause_of_drop()
    if any(isinstance(link, socket.gaierror) for link in chain):
        return "its host's name cannot be looked up", "is the address right, and the network up?"
    for link in chain:
        if isinstance(link, OSError) and (known := _ERRNO.get(_number(link))):
            return known
    return printable(chain[-1]) or type(error).__name__, "check the address, and the engine's own log"


def _number(error: OSError) -> int:
    """Its errno; where several addresses of a host were tried, that of the first."""
    if error.errno is None and (found := re.search(r"\[Errno (\d+)\]", str(error))):
        return int(found[1])
    return error.errno or 0


def _refused(error: Refused) -> tuple[str, str]:
    said = f"{error}: {error.said}" if error.said and not error.denied else str(error)
    if error.denied:
        return said, f"allow the section `{section_of(error.path)}` in the socket proxy"
    return said, "check the engine's own log"


def _told(address: str) -> str:
    """An address in a sentence; for `env` what that is just now, too."""
    host = os.environ.get("DOCKER_HOST") if address == "env" else None
    return f"`env` (`DOCKER_HOST` is `{shown(host)}`)" if host else f"`{shown(address)}`"


def shown(address: str) -> str:
    """The address without a user and a password."""
    scheme, separator, rest = address.partition("://")
    return printable(scheme + separator + rest.rpartition("@")[2])
