"""Who ended a container: the engine's last events, where they can be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import requests

from auditor.model import Container
from auditor.sources.docker.failures import FAILURES
from auditor.sources.docker.transport import Engine

EVENT_LIMIT = 4 * 2**20
GRACE = 3600  # seconds that a stop may take between `kill` and `die`

_RELOADS = frozenset({"1", "10", "12", "28"})  # HUP, USR1, USR2, WINCH: sent to reload, not to stop

JSON = Mapping[str, Any]


def with_kills(engine: Engine, containers: tuple[Container, ...]) -> tuple[Container, ...]:
    """`killed` for the containers that did not end with 0, as far as the engine's last events go.

    Not only for the codes of signals: a Go program that is told to stop ends with 2 where it is process 1.
    """
    ended = [c for c in containers if c.state in ("exited", "dead") and c.exit_code and c.finished_at]
    if not ended:
        return containers
    events = _events(engine, [container.finished_at for container in ended if container.finished_at])
    killed = {container.id: was_killed(container, events) for container in ended}
    return tuple(replace(c, killed=killed[c.id]) if c.id in killed else c for c in containers)


def _events(engine: Engine, finished: Sequence[datetime]) -> Sequence[JSON]:
    """The kept events about the ends of containers; none where they cannot be read: they are a hint, no evidence.

    Both bounds are the engine's own times, so that its clock needs not agree with ours.
    """
    params = {
        "since": f"{min(finished).timestamp() - GRACE:.3f}",
        "until": f"{max(finished).timestamp() + 0.5:.3f}",
        "filters": json.dumps({"type": ["container"], "event": ["start", "kill", "die"]}),
    }
    try:
        response = engine.get(f"{engine.base_url}/v{engine.api_version}/events", params=params, stream=True)
        if response.status_code != requests.codes.ok:
            return []
        return parse_events(b"".join(engine.chunks(response, EVENT_LIMIT)))
    except FAILURES:
        return []


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
        actor = event.get("Actor") or {}
        if not isinstance(actor, dict) or (actor.get("ID") or event.get("id")) != container.id:
            continue
        action = event.get("Action") or event.get("status")
        if action == "start":
            asked = False
        elif action == "kill" and (actor.get("Attributes") or {}).get("signal") not in _RELOADS:
            asked = True
        elif action == "die" and _is_the_end(event, container):
            answer = asked
    return answer


def _is_the_end(event: JSON, container: Container) -> bool:
    moment = event.get("time")
    finished = container.finished_at
    return isinstance(moment, int) and finished is not None and abs(moment - finished.timestamp()) < 10
