"""What every request passes first: its host, its token, the size of its body; and the headers of every answer.

| paths | without a token configured, or on loopback | with a token, on another address |
|---|---|---|
| `/livez`, `/readyz`, `/static/*` | open | open |
| everything else | open | `Authorization: Bearer TOKEN`, or Basic with the token as password (for browsers) |

The host must be a name of this machine (421 otherwise): a page on a foreign name that resolves to a loopback address
must not read the answers. What changes something needs the token everywhere, see `actions`; all other routes refuse
methods other than GET and HEAD.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditor.settings import Settings
from auditor.web.answers import PROBLEM, RawHeaders, problem

MAX_BODY = 1024 * 1024  # bytes
OPEN_PATHS = ("/livez", "/readyz")
OPEN_FOLDER = "/static/"
SECURITY_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_CHALLENGE = [(b"www-authenticate", b'Bearer realm="auditor", Basic realm="auditor", charset="UTF-8"')]
_READ = frozenset({b"host", b"authorization", b"content-length"})


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask: under which host names, and with which token (None: reading is open)."""

    hosts: frozenset[str]
    any_address: bool  # an address instead of a name cannot be rebound by anyone's DNS
    token: str | None


def access(settings: Settings) -> Access:
    """The access that the settings give."""
    names = {
        "localhost",
        "127.0.0.1",
        "::1",
        settings.host.lower().strip("[]"),
        *map(str.lower, settings.allowed_hosts),
    }
    if is_loopback(settings.host):
        return Access(frozenset(names), any_address=False, token=None)
    names.add(socket.gethostname().lower())
    return Access(frozenset(names), any_address=True, token=settings.token)


def is_loopback(host: str) -> bool:
    """Whether nobody on another machine can reach this address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """The outermost layer, as plain ASGI: it answers by itself where a request may not pass."""

    def __init__(self, app: ASGIApp, access: Access, max_body: int = MAX_BODY) -> None:
        self._app = app
        self._access = access
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, head=scope["method"] == "HEAD")
        # One pass over the headers; of one that is sent twice the last counts.
        fields = {name: value for name, value in scope["headers"] if name in _READ}
        if refused := self._refusal(scope["path"], fields):
            await answer.refuse(*refused)
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        body = _Bounded(receive, self._max_body)
        try:
            await self._app(scope, body.receive, answer.send)
        except _TooLargeError:
            await answer.refuse(413, f"a body may have {self._max_body} bytes", [])

    def _refusal(self, path: str, fields: Mapping[bytes, bytes]) -> tuple[int, str, RawHeaders] | None:
        if not self._knows(fields.get(b"host", b"").decode("latin-1")):
            return 421, "this server does not answer under that host name; see `AUDITOR_ALLOWED_HOSTS`", []
        if not self._admits(path, fields.get(b"authorization", b"").decode("latin-1")):
            return 401, "a valid token is needed: `Authorization: Bearer TOKEN`", _CHALLENGE
        length = fields.get(b"content-length", b"0")
        if not length.isdigit():
            return 400, "`Content-Length` is not a number", []
        if len(length) > 15 or int(length) > self._max_body:
            return 413, f"a body may have {self._max_body} bytes", []
        return None

    def _knows(self, host: str) -> bool:
        name = _host_name(host)
        if name in self._access.hosts or name.endswith(".localhost"):
            return True
        if not self._access.any_address or not name:
            return False
        # A name without a dot is one of this network (a container's, say): no public DNS answers for it.
        return _is_address(name) or "." not in name

    def _admits(self, path: str, authorization: str) -> bool:
        if self._access.token is None or path in OPEN_PATHS or path.startswith(OPEN_FOLDER):
            return True
        given = _given_token(authorization)
        return given is not None and hmac.compare_digest(given, self._access.token.encode())


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _given_token(authorization: str) -> bytes | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("utf-8", "replace")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return None
    return None


class _TooLargeError(Exception):
    pass


class _Bounded:
    """Counts a body that does not say its size."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise _TooLargeError
        return message


class _Answer:
    """Adds the security headers to whatever is answered, and drops the body of an answer to HEAD."""

    def __init__(self, send: Send, *, head: bool) -> None:
        self._send = send
        self._head = head
        self._started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            message = {**message, "headers": [*message["headers"], *SECURITY_HEADERS]}
        elif message["type"] == "http.response.body" and self._head:
            message = {**message, "body": b""}
        await self._send(message)

    async def refuse(self, status: int, detail: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        if self._started:
            return
        content = problem(status, detail)
        fixed = [
            (b"content-type", PROBLEM.encode()),
            (b"content-length", str(len(content)).encode()),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
        await self.send({"type": "http.response.body", "body": content})
