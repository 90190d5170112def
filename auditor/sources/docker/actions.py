"""Starts, stops and restarts single containers: the only requests of the auditor that change an engine."""

from __future__ import annotations

import asyncio
import threading
import time
from queue import SimpleQueue

from auditor.errors import EvidenceError
from auditor.sources.docker.address import route_of
from auditor.sources.docker.allowed import Allowed, allowed
from auditor.sources.docker.failures import FAILURES, Refused, cause_of
from auditor.sources.docker.transport import Engine, connected

ACTING = (
    Allowed("/containers/{id}/start", "POST", "starts a container", method="POST"),
    Allowed("/containers/{id}/stop", "POST", "stops a container", method="POST"),
    Allowed("/containers/{id}/restart", "POST", "stops and starts a container", method="POST"),
)
MAY_ACT = allowed(ACTING)
GRACE = 10  # seconds between asking a container to end and killing it
_OPENS = "the socket proxy must let `POST` requests of the section `CONTAINERS` through"
_MARGIN = 20.0  # seconds that the engine itself may take beside


def act(address: str, action: str, container: str, *, grace: int = GRACE) -> str | None:
    """Let the engine at `address` start, stop or restart one container, given by its whole id.

    None when it has done so, or there was nothing to do; else why it did not. grace: seconds that a stop may take.
    """
    outcome: SimpleQueue[str | None] = SimpleQueue()

    # A thread of its own: the caller may have an event loop.
    def work() -> None:
        try:
            outcome.put(asyncio.run(_act(address, action, container, grace)))
        except BaseException as error:  # whoever waits must hear of it
            outcome.put(f"{type(error).__name__}: {error}")

    threading.Thread(target=work, name="docker-action", daemon=True).start()
    return outcome.get()


async def _act(address: str, action: str, container: str, grace: int) -> str | None:
    seconds = grace + _MARGIN
    try:
        engine = Engine(route_of(address), timeout=seconds, deadline=time.monotonic() + seconds, width=1, may=MAY_ACT)
        async with connected(engine), asyncio.timeout(seconds):
            query = "" if action == "start" else f"t={grace}"
            await engine.send("POST", f"/containers/{container}/{action}", query)
    except EvidenceError as error:
        return error.what
    except Refused as error:
        why = error.said or cause_of(error, seconds)[0]
        return f"{why}: {_OPENS}" if error.denied else why
    except FAILURES as error:
        return cause_of(error, seconds)[0]
    return None
