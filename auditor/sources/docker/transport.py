"""The connection to an engine: only GET, only what is on the list, bounded in time and size."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from docker import APIClient
from docker.constants import DEFAULT_UNIX_SOCKET
from docker.errors import DockerException

from auditor.sources.docker.address import options_of
from auditor.sources.hostile import printable

WORKERS = 8
BODY_LIMIT = 32 * 2**20  # bytes of one answer; a list of 10,000 containers has some 15 MB
FIRST_VERSION = "1.24"  # any engine answers `/version` whatever is named here: that call has no version

# All that is ever asked for; a name or id from outside cannot lead anywhere else.
ALLOWED = re.compile(r"(/v[0-9.]+)?/(version|containers/json|containers/[0-9a-f]{64}/json|events)")


class Engine(APIClient):
    """The SDK's client, held to GET, to the allow-list, to a deadline and to a bounded answer."""

    deadline = float("inf")

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        path = urlsplit(request.url or "").path
        if request.method != "GET" or not ALLOWED.fullmatch(path):
            raise DockerException(f"`{request.method} {printable(path)}` is not on the list of allowed requests")
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise requests.exceptions.ReadTimeout("deadline")
        kwargs["timeout"] = min(float(kwargs.get("timeout") or self.timeout), left)
        kwargs["allow_redirects"] = False
        wants_stream = kwargs.get("stream", False)
        response = super().send(request, **{**kwargs, "stream": True})
        if not wants_stream:
            response._content = b"".join(self.chunks(response, BODY_LIMIT))
        return response

    def chunks(self, response: requests.Response, limit: int) -> Iterator[bytes]:
        """The body as it comes, up to the deadline and `limit` bytes."""
        size = 0
        for chunk in response.iter_content(2**16):
            size += len(chunk)
            if size > limit:
                response.close()
                raise DockerException(f"an answer is larger than {limit // 2**20} MiB")
            if time.monotonic() > self.deadline:
                response.close()
                raise requests.exceptions.ReadTimeout("deadline")
            yield chunk


def connect(address: str, timeout: float, deadline: float) -> Engine:
    options = options_of(address)
    _knock(str(options.get("base_url") or DEFAULT_UNIX_SOCKET), timeout)
    first = _client(options, FIRST_VERSION, timeout, deadline)
    version = first.version(api_version=False).get("ApiVersion")
    first.close()
    if not isinstance(version, str) or not re.fullmatch(r"\d+\.\d+", version):
        raise DockerException("the answer is not that of a Docker Engine")
    return _client(options, version, timeout, deadline)


def _knock(address: str, timeout: float) -> None:
    """One plain connection to a local socket: its error says more than the SDK's, which also leaves the socket open."""
    scheme, _, path = address.partition("://")
    if scheme.endswith("unix"):
        with socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(timeout)
            knock.connect("/" + path.lstrip("/"))


def _client(options: Mapping[str, Any], version: str, timeout: float, deadline: float) -> Engine:
    # `timeout` is typed as whole seconds, the transport takes any number.
    engine = Engine(version=version, timeout=timeout, max_pool_size=WORKERS, **options)  # type: ignore[arg-type]
    engine.trust_env = False  # proxies, netrc and CA bundles of the shell do not lead to the engine
    engine.deadline = deadline
    return engine
