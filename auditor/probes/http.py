"""Asks over HTTP: the status, and where wanted a part of the JSON body."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import httpx

from auditor.probes.address import Unreachable
from auditor.probes.answer import Answer, network_failure
from auditor.probes.plan import ProbeRequest
from auditor.probes.reported import Reported, reported
from auditor.probes.wire import Call, Reply, exchange
from auditor.sources.hostile import printable

_SHOWN = 60  # characters of a found value


async def ask(request: ProbeRequest, environ: Mapping[str, str]) -> Answer:
    """Success: status and JSON are as expected. A redirect is judged as it is: nothing is carried to another place."""
    secrets = _secrets(request, environ)
    call = Call(
        host=request.host,
        port=request.port,
        scheme=request.scheme,
        path=request.path,
        method=request.method,
        headers=secrets,
        timeout=request.timeout,
    )
    try:
        reply = await exchange(call)
        answer = replace(_judged(request, call, reply), reported=_said_of_itself(reply, secrets.values()))
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        answer = _broken(error)
    return replace(answer, reason=_without(answer.reason, secrets.values()))


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


def _said_of_itself(reply: Reply, secrets: Iterable[str]) -> Reported:
    """What the whole answer says of its service; nothing that was sent to it as a secret."""
    if not reply.whole or reply.packed:
        return {}
    found = reported(reply.body)
    return {key: value for key, value in found.items() if not any(secret in str(value) for secret in secrets if secret)}


# --- judging ---------------------------------------------------------------------------------------------------


def _judged(request: ProbeRequest, call: Call, reply: Reply) -> Answer:
    if not request.expect.allows(reply.status):
        return Answer("failure", f"status {reply.status}")
    if request.expect.json is None:
        return Answer("success")
    if not reply.whole:
        return Answer("failure", f"the answer is too large: more than {call.limit // 1024} KiB")
    if reply.packed:
        return Answer("failure", "the answer is compressed, although it was asked not to be")
    try:
        found = json.loads(reply.body)
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
