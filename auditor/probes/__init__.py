"""Asks services whether they work. A prober is one async function a kind; time and number are kept here."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from auditor.model import ProbeResult
from auditor.probes.address import Unreachable
from auditor.probes.answer import Answer
from auditor.probes.plan import Expectation, ProbeRequest, plan_probes

__all__ = ["Answer", "Expectation", "ProbeRequest", "plan_probes", "run_probes"]

CONCURRENCY = 50
LONGEST = 300.0  # seconds that a declared timeout may be

Prober = Callable[[ProbeRequest, Mapping[str, str]], Awaitable[Answer]]


def probers() -> Mapping[str, Prober]:
    """How each kind is asked. A new kind is a function here, and its address in `plan`."""
    from auditor.probes import http, tcp  # a run without probes must not pay for an HTTP client

    return {"http": http.ask, "tcp": tcp.ask}


def run_probes(
    requests: Sequence[ProbeRequest],
    *,
    now: datetime | None = None,
    concurrency: int = CONCURRENCY,
    environ: Mapping[str, str] | None = None,
) -> tuple[ProbeResult, ...]:
    """The result of each request, in their order. Each ends within its own timeout; none hides another.

    now: when the round begins (default: now). environ: where `headers_env` finds its values (default: the process's).
    Called from a thread that runs no event loop.
    """
    if not requests:
        return ()
    return asyncio.run(
        _round(requests, now or datetime.now(UTC), concurrency, os.environ if environ is None else environ)
    )


async def _round(
    requests: Sequence[ProbeRequest], now: datetime, concurrency: int, environ: Mapping[str, str]
) -> tuple[ProbeResult, ...]:
    gate = asyncio.Semaphore(concurrency)
    known = probers()
    begin = time.monotonic()

    async def one(request: ProbeRequest) -> ProbeResult:
        async with gate:
            started = time.monotonic()
            answer = await _answer(request, known, environ)
            duration = time.monotonic() - started
        return _result(request, answer, now + timedelta(seconds=started - begin), duration)

    return tuple(await asyncio.gather(*(one(request) for request in requests)))


async def _answer(request: ProbeRequest, known: Mapping[str, Prober], environ: Mapping[str, str]) -> Answer:
    if request.unreachable is not None:
        return Answer("unknown", request.unreachable)
    limit = min(request.timeout, LONGEST)
    try:
        async with asyncio.timeout(limit):
            return await known[request.kind](request, environ)
    except TimeoutError:
        return Answer("failure", f"no full answer within {limit:g} s")
    except Unreachable as error:
        return Answer("unknown", str(error))
    except Exception as error:  # a fault of ours: it must not take the other results with it
        return Answer("unknown", f"the probe itself failed: {type(error).__name__}")


def _result(request: ProbeRequest, answer: Answer, taken_at: datetime, duration: float) -> ProbeResult:
    limit = request.expect.max_latency
    slow = answer.outcome == "success" and limit is not None and duration > limit
    return ProbeResult(
        service=request.service,
        environment=request.environment,
        kind=request.kind,
        target=request.target,
        outcome=answer.outcome,
        reason=f"answered in {duration:.2f} s, wanted within {limit:g} s" if slow else answer.reason,
        duration=None if answer.outcome == "unknown" else duration,
        taken_at=taken_at,
        slow=slow,
        reported=answer.reported,
    )
