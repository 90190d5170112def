"""Reads one JSON document over HTTP: bounded in time and size, from checked addresses only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

import httpx

from auditor.errors import EvidenceError
from auditor.probes.address import Unreachable
from auditor.probes.answer import network_failure
from auditor.probes.plan import split_url
from auditor.probes.wire import Call, Reply, exchange

LIMIT = 4 * 2**20  # bytes


def fetch_json(what: str, url: str, path: str, *, timeout: float = 5.0, limit: int = LIMIT) -> object:
    """The document at `url` + `path`; `what` names the server in errors. timeout: seconds for all of it.

    Called from a thread that runs no event loop. Raises EvidenceError with the cause.
    """
    return asyncio.run(_fetch(what, url, path, timeout, limit, {}))


async def _fetch(what: str, url: str, path: str, seconds: float, limit: int, headers: Mapping[str, str]) -> object:
    try:
        scheme, host, port, base = split_url(url)
    except ValueError as error:
        raise EvidenceError(f"the address of {what} cannot be used: {error}") from None
    call = Call(
        host, port, scheme, base.partition("?")[0].rstrip("/") + path, headers=headers, limit=limit, timeout=seconds
    )
    shown = f"{what} at `{scheme}://{host}:{port}`"
    try:
        reply = await _within(call)
    except TimeoutError:
        raise _failed(shown, f"no full answer within {seconds:.3g} s") from None
    except Unreachable as error:
        raise _failed(shown, str(error)) from None
    except (httpx.RemoteProtocolError, httpx.DecodingError):
        raise _failed(shown, "the answer is not proper HTTP") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise _failed(shown, network_failure(error).reason or "the connection failed") from None
    return _document(shown, reply, limit)


def fetch_each(
    what: str,
    url: str,
    paths: Sequence[str],
    *,
    timeout: float = 5.0,
    limit: int = LIMIT,
    at_once: int = 8,
    headers: Mapping[str, str] | None = None,
) -> list[object | EvidenceError]:
    """The documents at `url` + each of `paths`, in their order; one that cannot be read is its error.

    timeout: seconds for all of them together. headers: may hold a token; no error shows it. As `fetch_json` otherwise.
    """
    return asyncio.run(_each(what, url, paths, timeout, limit, at_once, headers or {}))


async def _each(
    what: str,
    url: str,
    paths: Sequence[str],
    seconds: float,
    limit: int,
    at_once: int,
    headers: Mapping[str, str],
) -> list[object | EvidenceError]:
    loop = asyncio.get_running_loop()
    until, gate = loop.time() + seconds, asyncio.Semaphore(at_once)

    async def one(path: str) -> object | EvidenceError:
        async with gate:
            try:
                return await _fetch(what, url, path, max(0.0, until - loop.time()), limit, headers)
            except EvidenceError as error:
                return error

    return list(await asyncio.gather(*map(one, paths)))


async def _within(call: Call) -> Reply:
    async with asyncio.timeout(call.timeout):
        return await exchange(call)


def _document(shown: str, reply: Reply, limit: int) -> object:
    if reply.status in (401, 403):
        raise _failed(shown, f"HTTP {reply.status}: it wants credentials")
    if reply.status != 200:
        raise _failed(shown, f"HTTP {reply.status}")
    if not reply.whole:
        raise _failed(shown, f"the answer is larger than {limit // 2**20} MiB")
    if reply.packed:
        raise _failed(shown, "the answer is compressed, although it was asked not to be")
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        raise _failed(shown, "the answer is no JSON") from None


def _failed(shown: str, cause: str) -> EvidenceError:
    return EvidenceError(f"{shown} cannot be read: {cause}", help="is the address right, and does it answer from here?")
