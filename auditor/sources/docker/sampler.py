"""What a server does beside its looks: samples in their own cadence, and an eye on the engines that did not answer.

One thread, whatever the number of engines; it ends with the server.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection

from auditor.sources.docker.read import STATISTICS, Reader

TICK = 0.5  # seconds
_LONGEST = 30.0  # seconds between two looks at an engine that answers, but not as it should


class Sampler:
    """Samples what containers use, for readers that leave it to others.

    readers: those of now. soon: asks for a look, because an engine is back or gone, or there are first samples.
    every: seconds between two samples of an engine.
    """

    def __init__(
        self, readers: Callable[[], Collection[Reader]], soon: Callable[[], None], *, every: float = STATISTICS
    ) -> None:
        self._readers = readers
        self._soon = soon
        self._every = every
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._ended.clear()
        threading.Thread(target=self._run, name="docker-sampler", daemon=True).start()

    def stop(self) -> None:
        """End soon, whatever an engine does."""
        self._ended.set()

    def _run(self) -> None:
        asyncio.run(self._attend_all())

    async def _attend_all(self) -> None:
        tasks: dict[Reader, asyncio.Task[None]] = {}
        while not self._ended.is_set():
            now = self._readers()
            for reader in [known for known in tasks if known not in now]:
                tasks.pop(reader).cancel()
            for reader in now:
                if reader not in tasks or tasks[reader].done():
                    tasks[reader] = asyncio.create_task(self._attend(reader))
            await asyncio.sleep(TICK)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _attend(self, reader: Reader) -> None:
        """Sample one engine again and again. What goes wrong with it is told by its looks."""
        loop, first, due = asyncio.get_running_loop(), True, 0.0
        while True:
            if reader.lost:
                await self._until_back(reader)
                first, due = True, 0.0
            elif loop.time() >= due:
                due = loop.time() + self._every
                sampled = await reader.sample()
                if not sampled or first:
                    self._soon()
                first = first and not sampled
            await asyncio.sleep(TICK)

    async def _until_back(self, reader: Reader) -> None:
        """Wait for an engine that a look did not reach, and ask for the next look as soon as it answers."""
        pause = TICK
        while reader.lost:
            if await reader.answers():
                self._soon()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST)
            else:
                await asyncio.sleep(reader.patience)
