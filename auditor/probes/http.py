"""Asks over HTTP: the status, and where wanted a part of the JSON body. One client a question, no redirects."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import httpx

from auditor.probes.address import Unreachable, resolve
from auditor.probes.answer import Answer, network_failure
from auditor.probes.plan import PORTS, ProbeRequest
from auditor.sources.hostile import printable

BODY_LIMIT = 64 * 1024  # bytes that are read of a body; more is too large where it has to be understood
_SHOWN = 60  # characters of a found value


async def ask(request: ProbeRequest, environ: Mapping[str, str]) -> Answer:
    """Success: status and JSON are as expected. A redirect is judged as it is: nothing is carried to another place."""
    secrets = _secrets(request, environ)
    answer = Answer("unknown", "no address")
    for address in await resolve(request.host, request.port):
        try:
            answer = await _exchange(request, address, secrets)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            answer = network_failure(error)
            continue
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            answer = _broken(error)
        break
    return Answer(answer.outcome, _without(answer.reason, secrets.values()))


def _secrets(request: ProbeRequest, environ: Mapping[str, str]) -> dict[str, str]:
    """Header -> value. Raises Unreachable where a value is missing or is none for a header."""
    values = {}
    for header, variable in request.headers_env.items():
        value = environ.get(variable)
        if value is None:
            raise Unreachable(f"the environment variable `{variable}` is not set")
        if not value.isascii() or not value.isprintable():
            raise Unreachable(f"the environment variable `{variable}` holds no valid header value")
        values[header] = value
    return values


async def _exchange(request: ProbeRequest, address: str, secrets: Mapping[str, str]) -> Answer:
    # A client of its own: one that is shared keeps dead slots after each cancelled request.
    # Connected is the address that was checked; the name goes into `Host` and into TLS.
    async with (
        httpx.AsyncClient(verify=_trust(), trust_env=False, follow_redirects=False, timeout=request.timeout) as client,
        client.stream(
            request.method,
            _url(request, address),
            headers={**_headers(request), **secrets},
            extensions={"sni_hostname": request.host} if request.host != address else {},
        ) as response,
    ):
        body, whole = await _body(response)
        return _judged(request, response, body, whole)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """The system's certificates; made once, it costs more than many requests."""
    return ssl.create_default_context()


def _url(request: ProbeRequest, address: str) -> str:
    return f"{request.scheme}://{_bracketed(address)}:{request.port}{request.path}"


def _headers(request: ProbeRequest) -> dict[str, str]:
    port = "" if PORTS[request.scheme] == request.port else f":{request.port}"
    return {
        "Host": f"{_bracketed(request.host)}{port}",
        "User-Agent": "stack-auditor",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _body(response: httpx.Response) -> tuple[bytes, bool]:
    """The body as it was sent, never unpacked, and whether that is all of it."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > BODY_LIMIT:
            return bytes(body[:BODY_LIMIT]), False
    return bytes(body), True


# --- judging ---------------------------------------------------------------------------------------------------


def _judged(request: ProbeRequest, response: httpx.Response, body: bytes, whole: bool) -> Answer:
    if not request.expect.allows(response.status_code):
        return Answer("failure", f"status {response.status_code}")
    if request.expect.json is None:
        return Answer("success")
    if not whole:
        return Answer("failure", f"the answer is larger than {BODY_LIMIT // 1024} KiB")
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return Answer("failure", "the answer is compressed, although it was asked not to be")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return Answer("failure", "the answer is no JSON")
    difference = next(differences(request.expect.json, found), None)
    return Answer("failure", difference) if difference else Answer("success")


def differences(wanted: object, found: object, place: str = "") -> Iterator[str]:
    """Where `found` does not hold `wanted`: objects by the wanted keys, everything else whole."""
    name = f"`{place}`" if place else "the JSON"
    if not isinstance(wanted, Mapping):
        if not _same(wanted, found):
            yield f"{name} is {_said(found)}, not {_said(wanted)}"
        return
    if not isinstance(found, Mapping):
        yield f"{name} is no object"
        return
    for key, value in wanted.items():
        inner = f"{place}.{key}" if place else str(key)
        if key in found:
            yield from differences(value, found[key], inner)
        else:
            yield f"`{printable(inner)}` is missing"


def _same(wanted: object, found: object) -> bool:
    """Equal, where true is not 1."""
    return wanted == found and isinstance(wanted, bool) == isinstance(found, bool)


def _said(value: object) -> str:
    if isinstance(value, Mapping | list):
        return "an object" if isinstance(value, Mapping) else "a list"
    return f"`{printable(json.dumps(value, ensure_ascii=False, default=str).strip(chr(34)), _SHOWN)}`"


def _broken(error: Exception) -> Answer:
    if isinstance(error, httpx.TimeoutException):
        return Answer("failure", "no full answer in time")
    if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError):
        return Answer("failure", "the answer is not proper HTTP")
    if isinstance(error, httpx.NetworkError):
        return network_failure(error)
    return Answer("unknown", "the request cannot be sent as declared")


def _without(reason: str | None, secrets: Iterable[str]) -> str | None:
    for secret in secrets:
        if reason and secret:
            reason = reason.replace(secret, "***")
    return reason
