"""Reads what runs: one list, then only what it does not tell, so that one bad container hides no other.

A reader is kept between looks. It inspects again what the list or an event shows to have changed, and after
`RESYNC` seconds everything, so that nothing depends on an event. Statistics have their own cadence.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from queue import Empty, SimpleQueue

from auditor.digest import Digester
from auditor.model import Container
from auditor.sources.docker import samples
from auditor.sources.docker.address import route_of
from auditor.sources.docker.failures import FAILURES, Refused, explain, silent
from auditor.sources.docker.memory import Memory
from auditor.sources.docker.transport import Engine, connected, document, negotiate
from auditor.sources.docker.visit import Reading, Terms, Visit, checked, width

TOTAL = 8.0  # seconds for everything, whatever the engine does
RESYNC = 300.0  # seconds after which a container is inspected again although nothing tells that it changed
STATISTICS = 15.0  # seconds between two samples


def read_containers(
    address: str, environment: str, *, timeout: float = 5.0, total: float = TOTAL
) -> tuple[Container, ...]:
    """Every container that the engine at `address` has, and nothing else; see `Reader`."""
    reader = Reader(address, timeout=timeout, total=total, statistics=None, surroundings=False)
    return reader.read(environment).containers


class Reader:
    """Reads one engine, again and again. What it keeps only saves work.

    address: `unix:///...`, `tcp://host:port`, `https://host:port`, `ssh://...`, the name of a Docker context, or `env`
    (DOCKER_HOST, else the current context, as the Docker CLI has it). timeout: seconds a call, total: for everything.
    statistics: seconds between two samples of what containers use; None: none are taken. apart: no look takes them, but
    whoever calls `sample`. surroundings: whether the host and the images are asked for. digest: makes the digests of
    what may be secret; without it neither containers nor images tell what they were made with.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float = 5.0,
        total: float = TOTAL,
        resync: float = RESYNC,
        statistics: float | None = STATISTICS,
        apart: bool = False,
        surroundings: bool = True,
        digest: Digester | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self.digest = digest
        self._timeout = timeout
        self._total = total
        self._resync = resync
        self._statistics = statistics
        self._apart = apart
        self._surroundings = surroundings
        self._clock = clock
        self._reading = threading.Lock()
        self._memory = Memory()
        self.lost = False  # the last look got no answer that another one soon would not better

    def _terms(self) -> Terms:
        return Terms(self._resync, self._statistics, self._apart, self._surroundings, self.digest)

    def read(self, environment: str) -> Reading:
        """What the engine shows now. A container that vanishes meanwhile is left out; one that cannot be inspected
        says so in `unread`. Raises EvidenceError, with the cause named, where the list itself cannot be read.
        """
        if not self._reading.acquire(blocking=False):
            raise silent(self.address, self._total)  # the last look hangs where nothing can interrupt it
        outcome: SimpleQueue[Reading | BaseException] = SimpleQueue()

        def work() -> None:
            found: Reading | BaseException
            try:
                found = asyncio.run(self._within(environment))
            except BaseException as error:
                found = error
            self._reading.release()  # before the caller hears of it, who may look again at once
            outcome.put(found)

        # A thread of its own: the caller may have an event loop. A daemon: a look-up of a name cannot be interrupted.
        threading.Thread(target=work, name="docker-source", daemon=True).start()
        try:
            found = outcome.get(timeout=self._total + 0.5)
        except Empty:
            raise silent(self.address, self._total) from None
        if isinstance(found, BaseException):
            raise found
        return found

    async def _within(self, environment: str) -> Reading:
        try:
            route = route_of(self.address)
            engine = Engine(
                route,
                timeout=self._timeout,
                deadline=time.monotonic() + self._total - 0.5,
                width=width(route, self._memory.api),
            )
            async with connected(engine), asyncio.timeout(self._total):
                found = await Visit(engine, environment, self._memory, self._terms(), self._clock()).take()
            self.lost = False
            return found
        except FAILURES as error:
            self._memory = Memory(returned=True, ends=self._memory.ends)
            self.lost = not (isinstance(error, Refused) and error.denied)
            raise explain(self.address, error, self._timeout) from None
        except BaseException:
            self._memory = Memory(returned=self._memory.returned, ends=self._memory.ends)
            raise

    # --- beside the looks ---------------------------------------------------------------------------------------

    @property
    def patience(self) -> float:
        """Seconds between two questions whether a lost engine is back: a socket that is not there costs nothing."""
        return 0.5 if self.address.startswith("unix:") else 5.0

    async def answers(self) -> bool:
        """Whether the engine answers at all now."""
        try:
            async with self._beside() as engine:
                await engine.send("GET", "/version", versioned=False)
        except Refused:
            return True
        except FAILURES:
            return False
        return True

    async def sample(self) -> bool:
        """Samples what containers use, for the looks that follow. False: the engine cannot be asked."""
        try:
            memory = self._memory
            async with self._beside() as engine, asyncio.timeout(self._total):
                if memory.api is None:
                    await _negotiated(engine)
                engine.widen(width(engine.route, engine.api))
                rows = checked(document(await engine.send("GET", "/containers/json")))
                found = await samples.take(engine, [str(row["Id"]) for row in rows], memory.usages, "")
        except Refused as error:
            return error.denied  # which another look would not better
        except FAILURES:
            return False
        memory.keep(found, self._clock())
        return True

    @asynccontextmanager
    async def _beside(self) -> AsyncIterator[Engine]:
        """The engine over connections of their own, so that no look waits for them."""
        deadline = time.monotonic() + self._total - 0.5
        route = route_of(self.address)
        async with connected(Engine(route, timeout=self._timeout, deadline=deadline, width=8)) as engine:
            engine.api = self._memory.api or ""
            yield engine


async def _negotiated(engine: Engine) -> None:
    with suppress(Refused):  # then each path is used without a version
        await negotiate(engine)
