"""What went wrong between us and an engine, in words that say what to do."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from urllib.parse import urlsplit

import requests
from docker.errors import APIError, DockerException

from auditor.causes import causes
from auditor.errors import EvidenceError
from auditor.sources.hostile import printable

_SECTIONS = {"version": "VERSION", "containers": "CONTAINERS", "events": "EVENTS"}

# The SDK lets the transport's own exceptions through, and OSError where it looks for contexts and certificates.
# Its JSON comes from outside: RecursionError.
FAILURES = (DockerException, requests.exceptions.RequestException, OSError, ValueError, RecursionError)

_ERRNO: Mapping[int, tuple[str, str]] = {
    errno.ENOENT: ("there is no such socket", "is the Docker Engine running, and is its socket's directory mounted?"),
    errno.ENOTDIR: ("there is no such socket", "is the Docker Engine running, and is its socket's directory mounted?"),
    errno.EACCES: ("permission denied", "run as a user of the group `docker`, or use a socket proxy"),
    errno.EPERM: ("permission denied", "run as a user of the group `docker`, or use a socket proxy"),
    errno.ECONNREFUSED: ("connection refused", "is the Docker Engine running at this address?"),
    errno.ECONNRESET: ("the connection was reset", "is the Docker Engine restarting?"),
    errno.EHOSTUNREACH: ("the host cannot be reached", "is the address right, and the network up?"),
    errno.ENETUNREACH: ("the network cannot be reached", "is the address right, and the network up?"),
}


def explain(address: str, error: BaseException, timeout: float) -> EvidenceError:
    cause, advice = cause_of(error, timeout)
    return EvidenceError(f"the Docker Engine at `{shown(address)}` cannot be read: {cause}", help=advice)


def silent(address: str, seconds: float) -> EvidenceError:
    return EvidenceError(
        f"the Docker Engine at `{shown(address)}` cannot be read: docker timeout: no full answer within {seconds:g} s",
        help="is the engine frozen or overloaded?",
    )


def cause_of(error: BaseException, timeout: float) -> tuple[str, str]:
    chain = list(causes(error))
    for link in chain:
        if isinstance(link, APIError):
            return _refused(link)
    if any(isinstance(link, requests.exceptions.Timeout | TimeoutError) for link in chain):
        return f"docker timeout: no answer within {timeout:g} s", "is the engine frozen or overloaded?"
    if any(isinstance(link, requests.exceptions.SSLError) for link in chain):
        return "TLS failed", "check the certificates in `DOCKER_CERT_PATH`, and that the engine speaks TLS here"
    for link in chain:
        if isinstance(link, OSError) and (known := _ERRNO.get(link.errno or 0)):
            return known
    return printable(chain[-1]) or type(error).__name__, "check the address, and the engine's own log"


def _refused(error: APIError) -> tuple[str, str]:
    status = error.response.status_code if error.response is not None else None
    path = urlsplit(str(getattr(error.response, "url", ""))).path
    section = next((name for part, name in _SECTIONS.items() if f"/{part}" in path), "CONTAINERS")
    if status in (401, 403):
        return f"HTTP {status} for `{printable(path)}`", f"allow the section `{section}` in the socket proxy"
    return f"HTTP {status} for `{printable(path)}`", "check the engine's own log"


def shown(address: str) -> str:
    """The address without a user and a password."""
    scheme, separator, rest = address.partition("://")
    return printable(scheme + separator + rest.rpartition("@")[2])
