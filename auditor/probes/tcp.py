"""Asks whether a TCP port takes a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from auditor.probes.address import resolve
from auditor.probes.answer import Answer, network_failure
from auditor.probes.plan import ProbeRequest


async def ask(request: ProbeRequest, environ: Mapping[str, str]) -> Answer:
    """Success: a connection was made, to the first address that takes one. Nothing is sent."""
    answer = Answer("unknown", "no address")
    for address in await resolve(request.host, request.port):
        try:
            _, writer = await asyncio.open_connection(address, request.port)
        except OSError as error:
            answer = network_failure(error)
            continue
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return Answer("success")
    return answer
