"""The engine's last events: who ended a container, and which containers changed. A hint, where they can be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from auditor.model import Container
from auditor.sources.docker.transport import Engine

EVENT_LIMIT = 4 * 2**20
SECONDS = 1.0  # nobody waits long for a hint, but over ssh, where making the connection may take as long
OF_LATE = 900  # seconds back from now in which a process that was killed for want of memory is told of
GRACE = 3600  # seconds that a stop may take between `kill` and `die`

ENDED = frozenset({"exited", "dead"})

_RELOADS = frozenset({"1", "10", "12", "28"})  # HUP, USR1, USR2, WINCH: sent to reload, not to stop
_ENDS = ("start", "kill", "die")
# Not `exec_...`, which every health check makes.
_CHANGES = ("start", "die", "oom", "update", "rename", "pause", "unpause", "health_status", "restart", "destroy")
_IMAGE_CHANGES = ("tag", "untag", "delete", "pull", "import", "load", "prune")

JSON = Mapping[str, Any]


class Hints(NamedTuple):
    """What changed since the last look, as far as events tell."""

    containers: frozenset[str] = frozenset()  # their ids
    images: bool = True  # whether their list may be another one


async def with_kills(engine: Engine, containers: Sequence[Container]) -> list[Container]:
    """`killed` for the containers that ended, as far as the engine's last events go.

    Whatever their exit code: a server that is told to stop may end with 0, a Go program that is process 1 with 2.
    Raises one of `failures.FAILURES`.
    """
    ended = {c.id: c.finished_at for c in containers if c.state in ENDED and c.finished_at}
    if not ended:
        return list(containers)
    moments = [moment.timestamp() for moment in ended.values()]
    # Both bounds are the engine's own times, so that its clock needs not agree with ours.
    events = await read_events(engine, min(moments) - GRACE, max(moments) + 0.5, _ENDS)
    by_id: dict[object, list[JSON]] = {}
    for event in events:
        by_id.setdefault(_subject(event), []).append(event)
    return [replace(c, killed=was_killed(c, by_id.get(c.id, ()))) if c.id in ended else c for c in containers]


async def with_memory_kills(engine: Engine, containers: Sequence[Container], moment: float | None) -> list[Container]:
    """`oom_killed` for the containers that run on, though the kernel killed a process of theirs not long ago.

    An engine before 23 tells of that by its events alone: what a container is said to be goes by its first process.
    moment: the engine's own time, past. Raises one of `failures.FAILURES`.
    """
    bounded = {c.id for c in containers if c.state == "running" and c.memory_limit and not c.oom_killed}
    if not bounded or moment is None:
        return list(containers)
    hit = {_subject(event) for event in await read_events(engine, moment - OF_LATE, moment, ("oom",))}
    return [replace(c, oom_killed=True) if c.id in bounded & hit else c for c in containers]


async def changed_since(engine: Engine, since: float, until: float) -> Hints:
    """What something happened to, by events. Raises one of `failures.FAILURES`."""
    events = await read_events(engine, since, until, (*_CHANGES, *_IMAGE_CHANGES), ("container", "image"))
    of_images = [event for event in events if event.get("Type") == "image"]
    ids = {str(id) for event in events if event.get("Type") != "image" and (id := _subject(event))}
    return Hints(frozenset(ids), images=bool(of_images))


async def read_events(
    engine: Engine, since: float, until: float, actions: Sequence[str], kinds: Sequence[str] = ("container",)
) -> Sequence[JSON]:
    """The kept events about things of some kinds between two moments of the engine's own clock, both of them past."""
    query = {
        "since": f"{since:.3f}",
        "until": f"{until:.3f}",
        "filters": json.dumps({"type": list(kinds), "event": list(actions)}),
    }
    seconds = None if engine.route.command else SECONDS
    answer = await engine.send("GET", "/events", urlencode(query), seconds=seconds, limit=EVENT_LIMIT)
    return parse_events(answer.body)


def parse_events(body: bytes) -> Sequence[JSON]:
    """The engine's events, one JSON object a line; what is none is left out."""
    events = []
    for line in body.splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def was_killed(container: Container, events: Iterable[JSON]) -> bool | None:
    """Whether somebody told the engine to end `container`; None where the events do not reach back to its end."""
    asked: bool = False
    answer: bool | None = None
    for event in events:
        if _subject(event) != container.id:
            continue
        actor = event.get("Actor") or {}
        action = event.get("Action") or event.get("status")
        if action == "start":
            asked = False
        elif action == "kill" and (actor.get("Attributes") or {}).get("signal") not in _RELOADS:
            asked = True
        elif action == "die" and _is_the_end(event, container):
            answer = asked
    return answer


def _subject(event: JSON) -> object:
    actor = event.get("Actor") or {}
    return (actor.get("ID") or event.get("id")) if isinstance(actor, dict) else None


def _is_the_end(event: JSON, container: Container) -> bool:
    moment = event.get("time")
    finished = container.finished_at
    return isinstance(moment, int) and finished is not None and abs(moment - finished.timestamp()) < 10
