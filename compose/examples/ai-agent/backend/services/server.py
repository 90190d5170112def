"""What the services share: an HTTP server with a health answer, JSON bodies, and calls from one to another."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from backend.services.tokens import user_of

VERSION = "0.2.0"
BODY_LIMIT = 1 << 20
RATE_LIMIT = 600  # requests a minute of one client

Body = dict[str, Any]
Route = Callable[["Request"], tuple[int, Body]]


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Request:
    """One request as the routes see it."""

    def __init__(self, path: str, body: Body, headers: Mapping[str, str]) -> None:
        self.path = path
        self.body = body
        self.headers = headers

    @property
    def token(self) -> str:
        """The bearer token. Raises Refused without one."""
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not token:
            raise Refused(401, 'the token must be sent as "Bearer TOKEN"')
        return token

    def user(self) -> str:
        """Who asks, by the token that JWT_SECRET_KEY signed. Raises Refused."""
        found = user_of(self.token, secret("JWT_SECRET_KEY"))
        if found is None:
            raise Refused(401, "the token is not valid")
        return found

    def text(self, key: str) -> str:
        """A text of the body. Raises Refused where it is missing."""
        value = self.body.get(key)
        if not isinstance(value, str) or not value:
            raise Refused(400, f"`{key}` is missing")
        return value


def secret(name: str) -> str:
    """A secret of the environment, or the content of the file that `<name>_FILE` names."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
    return os.environ[name]


def call(url: str, path: str, body: Body, token: str | None = None) -> tuple[int, Body]:
    """What another service answers. Raises Refused where it does not."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url.rstrip("/") + path, json.dumps(body).encode(), headers)  # noqa: S310 ours
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 the deployment chose the address
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")
    except (OSError, ValueError) as error:
        raise Refused(502, f"{url} does not answer") from error


def check_token(request: Request) -> str:
    """Who asks: the token is checked here, and the auth service is asked whether it was revoked. Raises Refused."""
    user = request.user()
    status, _ = call(os.environ["AUTH_SERVICE_URL"], "/verify", {}, request.token)
    if status != 200:
        raise Refused(401, "the auth service does not know the token")
    return user


def serve(
    name: str, port_variable: str, port: int, routes: Mapping[str, Route], healthy: Callable[[], bool] = lambda: True
) -> None:
    """Answer for ever. `routes`: path, or the beginning of one that ends with `/` -> what answers to POST."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/health":
                self._send(*_health(name, healthy))
            else:
                self._send(404, {"error": "not found"})

        def do_POST(self) -> None:
            try:
                length = int(self.headers.get("Content-Length") or 0)
                if length > BODY_LIMIT:
                    raise Refused(413, "the body is too large")
                body = json.loads(self.rfile.read(length) or b"{}")
                self._send(*_route(routes, self.path)(Request(self.path, body, dict(self.headers))))
            except Refused as error:
                self._send(error.status, {"error": str(error)})
            except (ValueError, AttributeError):
                self._send(400, {"error": "the body is no JSON object"})
            except OSError as error:
                self._send(503, {"error": str(error)})

        def _send(self, status: int, body: Body) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            _log(name, format % args)

    address = (os.environ.get("BIND_ADDRESS", "127.0.0.1"), int(os.environ.get(port_variable, port)))
    try:
        server = ThreadingHTTPServer(address, Handler)
    except OSError as error:
        sys.exit(f"{name} cannot listen on port {address[1]}: {error.strerror}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 of a container would ignore it
    _log(name, f"{VERSION} listens on {address[0]}:{address[1]}")
    server.serve_forever()


def _log(name: str, text: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {name} {text}\n")
    sys.stdout.flush()


def _health(name: str, healthy: Callable[[], bool]) -> tuple[int, Body]:
    well = healthy()
    return 200 if well else 503, {
        "status": "healthy" if well else "unhealthy",
        "service": name,
        "version": os.environ.get("SERVICE_VERSION", VERSION),
        "timestamp": datetime.now(UTC).isoformat(),
    }


def _route(routes: Mapping[str, Route], path: str) -> Route:
    below = (route for start, route in routes.items() if start.endswith("/") and path.startswith(start))
    found = routes.get(path) or next(below, None)
    if found is None:
        raise Refused(404, "not found")
    return found
