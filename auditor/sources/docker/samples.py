"""Samples of what containers use: taken for all at the same time, bounded, one that hangs hides no other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from auditor.model import Usage
from auditor.sources.docker import usage
from auditor.sources.docker.failures import FAILURES, STRANGE, Refused, cause_of
from auditor.sources.docker.transport import Engine


@dataclass(slots=True)
class Samples:
    """Those of one moment, by container. unread: why others are missing. cpus: the host's cores, as they tell."""

    usages: dict[str, Usage] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    cpus: int | None = None


async def take(engine: Engine, ids: Sequence[str], before: Mapping[str, Usage], environment: str) -> Samples:
    """A sample of each container. Where the time is too short for all, each has its turn: the first are those sampled
    longest ago, or never.
    """
    found = Samples()
    order = sorted(ids, key=lambda id: before[id].taken_at.timestamp() if id in before else 0.0)
    tasks = {id: asyncio.create_task(_sample(engine, id, environment, found)) for id in order}
    if not tasks:
        return found
    _, late = await asyncio.wait(tasks.values(), timeout=engine.timeout + 0.1)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    results = {id: "no time was left" if task in late else task.result() for id, task in tasks.items()}
    found.unread = [why for why in results.values() if isinstance(why, str)]
    found.usages = {id: sample for id, sample in results.items() if isinstance(sample, Usage)}
    return found


async def _sample(engine: Engine, id: str, environment: str, found: Samples) -> Usage | str | None:
    """What a container uses; a text: why that is not known; None: it does not run any more."""
    try:
        stats = await engine.get(f"/containers/{id}/stats", "stream=0&one-shot=1")
        found.cpus = usage.online(stats) or found.cpus
        return usage.parse_usage(stats, id, environment)
    except Refused as error:
        return None if error.status in (404, 409) else cause_of(error, engine.timeout)[0]
    except FAILURES as error:
        return cause_of(error, engine.timeout)[0]
    except STRANGE:
        return "the answer has an unknown shape"
