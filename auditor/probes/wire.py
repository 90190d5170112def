"""One HTTP exchange with an address that was checked: a client of its own, a bounded body, no redirects."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import httpx

from auditor.probes.address import resolve
from auditor.probes.network import Transport
from auditor.probes.plan import PORTS


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked. `path` with its query; `limit`: bytes that are read of the body; `timeout`: seconds a step."""

    host: str
    port: int
    scheme: str = "http"
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: int = 64 * 1024
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came. `body` as it was sent, never unpacked; `whole`: that is all of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    @property
    def packed(self) -> bool:
        """Whether the body is compressed, although it was asked not to be."""
        return self.headers.get("content-encoding", "").strip().lower() not in ("", "identity")


async def exchange(call: Call) -> Reply:
    """The reply of the first address that takes a connection. The caller sets the deadline around it.

    Raises Unreachable where no address may be asked, httpx.HTTPError, httpx.InvalidURL, UnicodeError.
    """
    failure: httpx.HTTPError | None = None
    for address in await resolve(call.host, call.port):
        try:
            return await _exchange(call, address)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = failure or error
    raise failure or httpx.ConnectError("no address")


async def _exchange(call: Call, address: str) -> Reply:
    # A client that is shared keeps dead slots after each cancelled request, and then finds healthy targets dead.
    # Connected is the address that was checked; the name goes into `Host` and into TLS.
    async with (
        httpx.AsyncClient(
            transport=Transport(_trust()), trust_env=False, follow_redirects=False, timeout=call.timeout
        ) as client,
        client.stream(
            call.method,
            f"{call.scheme}://{_bracketed(address)}:{call.port}{call.path}",
            headers={**_headers(call), **call.headers},
            extensions={"sni_hostname": call.host} if call.host != address else {},
        ) as response,
    ):
        body, whole = await _body(response, call.limit)
        return Reply(response.status_code, response.headers, body, whole)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """The system's certificates; made once, it costs more than many requests."""
    return ssl.create_default_context()


def _headers(call: Call) -> dict[str, str]:
    port = "" if PORTS[call.scheme] == call.port else f":{call.port}"
    return {
        "Host": f"{_bracketed(call.host)}{port}",
        "User-Agent": "stack-auditor",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _body(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), False
    return bytes(body), True
