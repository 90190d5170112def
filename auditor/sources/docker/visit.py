"""One look: a list, then only what it does not tell, so that one bad container hides no other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

from auditor.digest import Digester
from auditor.model import Container, EngineImage, Host, SwarmService, Usage
from auditor.regexp import regexp
from auditor.sources.docker import samples, usage
from auditor.sources.docker.address import Route
from auditor.sources.docker.allowed import IDENTIFIER
from auditor.sources.docker.events import ENDED, Hints, changed_since, with_kills, with_memory_kills
from auditor.sources.docker.failures import FAILURES, STRANGE, Garbled, Refused, cause_of
from auditor.sources.docker.images import parse_images
from auditor.sources.docker.limits import Limits
from auditor.sources.docker.memory import Known, Memory
from auditor.sources.docker.parse import JSON, parse_container, parse_listed
from auditor.sources.docker.setup import parse_setup
from auditor.sources.docker.surroundings import Surroundings
from auditor.sources.docker.transport import Answer, Engine, document, negotiate
from auditor.sources.docker.unchanged import Look, look
from auditor.sources.hostile import printable

CONTAINER_LIMIT = 20_000
_ALIVE = 1.0  # seconds that an engine has to answer anything, after a call that had no answer in its time
_QUICK_STATISTICS = 45  # the API 1.45, of engine 26

Fact: TypeAlias = Container | Usage | Host | EngineImage | SwarmService
_ID = regexp(IDENTIFIER)


@dataclass(frozen=True, slots=True)
class Reading:
    """The facts of one look. limits: what is not known besides, each with its reason."""

    facts: tuple[Fact, ...]
    limits: tuple[str, ...] = ()

    @property
    def containers(self) -> tuple[Container, ...]:
        """Every container that the engine has, by name, running or not."""
        return tuple(fact for fact in self.facts if isinstance(fact, Container))


@dataclass(frozen=True, slots=True)
class Terms:
    """How an engine is looked at; `Reader` says what each means."""

    resync: float
    statistics: float | None
    apart: bool
    surroundings: bool
    digest: Digester | None


def width(route: Route, api: str | None) -> int:
    """How many connections are useful. An engine before 26 takes a second for each call for statistics."""
    if route.command:
        return 8  # an ssh each
    number = re.fullmatch(r"/v1\.(\d+)", api or "")
    return 256 if route.socket and number and int(number[1]) < _QUICK_STATISTICS else 64


class Visit:
    """One look at an engine, at the moment `now`, with what was kept of the look before."""

    def __init__(self, engine: Engine, environment: str, memory: Memory, terms: Terms, now: float) -> None:
        self._engine = engine
        self._environment = environment
        self._memory = memory
        self._terms = terms
        self._now = now
        self._limits = Limits(engine.timeout)
        self._around = Surroundings(engine, environment, self._limits, memory.around, now)

    async def take(self) -> Reading:
        """Everything, as far as it can be had. Raises one of FAILURES where the engine ceases to answer meanwhile."""
        version, answer, hints = await self._overview()
        looks = {str(item["Id"]): look(item, self._now) for item in checked(document(answer))}
        running = [id for id, seen in looks.items() if seen.entry.get("State") in ("running", "paused")]
        containers, usages, host, rows = await asyncio.gather(
            self._containers(looks, hints.containers, answer.moment),
            self._usages(running),
            self._host(version),
            self._image_rows(hints),
        )
        self._memory.moment = None if answer.moment is None else (answer.moment, self._now)
        used = self._kept(usages)
        containers = [replace(c, memory_usage=used[c.id].memory) if c.id in used else c for c in containers]
        swarm = await self._swarm(host, containers)
        images = await self._images(rows, containers)
        if self._engine.late:  # one container that hangs, or all of it? Then the list tells of before.
            await self._ask_anything()
        return Reading((*containers, *used.values(), *swarm, *images), self._limits.told())

    async def _overview(self) -> tuple[str | None, Answer, Hints]:
        """The engine's version, the list of containers, and what changed by events."""
        memory = self._memory
        if memory.api is None:
            version = await self._version()
            self._engine.widen(width(self._engine.route, self._engine.api))
            memory.api = self._engine.api
            return version, *await asyncio.gather(self._list(), self._hints())
        self._engine.api = memory.api
        found = await asyncio.gather(self._version(), self._list(), self._hints())
        memory.api = self._engine.api
        return found

    async def _ask_anything(self) -> None:
        with suppress(Refused):  # which is an answer, too
            await self._engine.send("GET", "/version", versioned=False, seconds=_ALIVE)

    async def _list(self) -> Answer:
        return await self._engine.send("GET", "/containers/json", "all=1")

    async def _version(self) -> str | None:
        try:
            return await negotiate(self._engine)
        except Refused as error:
            self._limits.fail("/version", error)
            return None

    # --- containers -----------------------------------------------------------------------------------------------

    async def _containers(
        self, looks: Mapping[str, Look], hints: Collection[str], moment: float | None
    ) -> list[Container]:
        """Each listed container: as it is known where it is unchanged, else inspected."""
        changed = {id: seen for id, seen in looks.items() if id in hints or not self._is_known(id, seen)}
        found = await self._inspected(changed, moment)
        before = self._memory.known
        known = {id: found.get(id, before.get(id)) for id in looks}
        # What could not be read is no knowledge: it is asked again at the next look.
        self._memory.known = {id: k for id, k in known.items() if k is not None and k.container.unread is None}
        self._memory.ends = {id: end for id, end in self._memory.ends.items() if id in looks}
        containers = [entry.container for entry in known.values() if entry is not None]
        return sorted(containers, key=lambda container: (container.name, container.id))

    def _is_known(self, id: str, seen: Look) -> bool:
        known = self._memory.known.get(id)
        if known is None or not seen.settled or known.container.health_output is not None:
            return False
        if self._now - known.inspected >= self._terms.resync or not seen.follows(known.look):
            return False
        self._memory.known[id] = replace(known, look=seen, container=replace(known.container, status=_status(seen)))
        return True

    async def _hints(self) -> Hints:
        """What events name since the last look."""
        if self._memory.moment is None or not self._memory.known:
            return Hints()
        theirs, ours = self._memory.moment
        try:
            # To a second before the last list, since that is how exact its time is, and surely not into the future.
            return await changed_since(self._engine, theirs - 1, theirs + self._now - ours)
        except (*FAILURES, *STRANGE) as error:
            self._limits.fail("/events", error)
            return Hints()

    async def _inspected(self, looks: Mapping[str, Look], moment: float | None) -> dict[str, Known | None]:
        """Each container's details; None: it is gone."""
        found = await asyncio.gather(*(self._inspect(id, seen) for id, seen in looks.items()))
        fresh = {known.container.id: known for known in found if known is not None}
        again = False
        try:
            told = await with_kills(self._engine, [known.container for known in fresh.values()])
            told = await with_memory_kills(self._engine, told, moment)
        except (*FAILURES, *STRANGE) as error:
            self._limits.fail("/events", error)
            again = not (isinstance(error, Refused) and error.denied)
            told = []
        fresh |= {container.id: replace(fresh[container.id], container=container) for container in told}
        return {id: self._with_its_end(fresh[id], again=again) if id in fresh else None for id in looks}

    def _with_its_end(self, known: Known, *, again: bool) -> Known:
        """Who ended it, also where the events do not tell: the engine keeps 256, which health checks fill in minutes.

        again: the events could not be had just now, so what they did not tell is asked at the next look.
        """
        container, ends = known.container, self._memory.ends
        if container.state not in ENDED or container.finished_at is None:
            return known
        if container.killed is not None:
            ends[container.id] = (container.finished_at, container.killed)
            return known
        finished, killed = ends.get(container.id, (None, None))
        if finished == container.finished_at:
            return replace(known, container=replace(container, killed=killed))
        return replace(known, inspected=float("-inf")) if again else known

    async def _inspect(self, id: str, seen: Look) -> Known | None:
        item = {**seen.entry, "Status": seen.status}
        try:
            details = await self._engine.get(f"/containers/{id}/json")
            container = parse_container(item, details, self._environment)
            if digest := self._terms.digest:
                container = replace(container, setup=parse_setup(details, digest))
            return Known(seen, container, usage.cores(details), self._now)
        except Refused as error:
            if error.status == 404:
                return None
            why = cause_of(error, self._engine.timeout)[0]
        except FAILURES as error:
            why = cause_of(error, self._engine.timeout)[0]
        except STRANGE:
            why = "the answer has an unknown shape"
        return Known(seen, replace(parse_listed(item, self._environment), unread=why), None, self._now)

    # --- what they use --------------------------------------------------------------------------------------------

    async def _usages(self, ids: Sequence[str]) -> dict[str, Usage]:
        """New samples of the containers, by id; those of the last look where their time has not come."""
        terms, memory, before = self._terms, self._memory, self._memory.usages
        if terms.statistics is None or not ids:
            return {}
        if terms.apart:
            if self._now - memory.sampled > 3 * terms.statistics:
                return {}  # what sampled them has failed since
            self._limit_usages(memory.unsampled)
            return {id: before[id] for id in ids if id in before}
        if memory.returned:  # an engine that has just started may withhold them: how everything is goes first
            memory.returned = False
            return {}
        if self._now - memory.sampled < terms.statistics * 0.9:
            return {id: before[id] for id in ids if id in before}
        memory.sampled = self._now
        found = await samples.take(self._engine, ids, before, self._environment)
        memory.cpus = found.cpus or memory.cpus
        self._limit_usages(found.unread)
        return found.usages

    def _kept(self, usages: Mapping[str, Usage]) -> dict[str, Usage]:
        """The samples with what their containers are allowed, and the ratio to the samples before."""
        terms, memory, kept = self._terms, self._memory, {}
        peaks = memory.peaks_since() if terms.apart else {}
        for id, sample in usages.items():
            before, known = memory.usages.get(id), memory.known.get(id)
            if not terms.apart and sample is not before:
                sample = usage.with_ratio(sample, before, memory.cores(id))
            elif known and known.container.started_at and known.container.started_at > sample.taken_at:
                continue  # of the run before this one
            most, cpus = peaks.get(id, (None, None))
            limit = known.container.memory_limit if known else None
            kept[id] = replace(sample, memory_limit=limit, memory_peak=most, cpus_peak=cpus)
        if terms.statistics is not None and not terms.apart:
            memory.usages = kept
        return kept

    def _limit_usages(self, reasons: Sequence[str]) -> None:
        if reasons:
            noun = "container" if len(reasons) == 1 else "containers"
            self._limits.say(f"what {len(reasons)} {noun} use", reasons[0])

    # --- what is around them --------------------------------------------------------------------------------------

    async def _host(self, version: str | None) -> Host | None:
        return await self._around.host(version) if self._terms.surroundings else None

    async def _swarm(self, host: Host | None, containers: Sequence[Container]) -> list[Host | SwarmService]:
        """The host and its part in a Swarm, with the services of that Swarm."""
        if host is None:
            return []
        told, services = await self._around.with_swarm(host, any(container.task for container in containers))
        return [told, *services]

    async def _image_rows(self, hints: Hints) -> object:
        return await self._around.image_rows(changed=hints.images) if self._terms.surroundings else []

    async def _images(self, rows: object, containers: Sequence[Container]) -> list[EngineImage]:
        ids, names = ({getattr(c, field) for c in containers} for field in ("image_id", "image"))
        images = parse_images(rows, ids, names, self._environment)
        if self._terms.digest is None or not self._terms.surroundings:
            return images
        return await self._around.with_setups(images, ids, self._terms.digest)


def _status(seen: Look) -> str | None:
    return printable(seen.status) or None


def checked(listed: object) -> list[JSON]:
    """The list's entries. Raises Garbled."""
    if not isinstance(listed, list):
        raise Garbled("the answer is not that of a Docker Engine")
    wanted: list[JSON] = [item for item in listed if isinstance(item, dict) and _ID.fullmatch(str(item.get("Id")))]
    if len(wanted) > CONTAINER_LIMIT:
        raise Garbled(f"it has {len(wanted)} containers, more than {CONTAINER_LIMIT}")
    return wanted
