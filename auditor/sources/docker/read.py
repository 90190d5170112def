"""Reads what runs: one list, then only what it does not tell, so that one bad container hides no other.

A reader is kept between looks. It inspects again what the list or an event shows to have changed, and after
`RESYNC` seconds everything, so that nothing depends on an event. Statistics have their own cadence.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TypeAlias

from auditor.digest import Digester
from auditor.model import Container, EngineImage, Host, Setup, SwarmService, Usage
from auditor.sources.docker import samples, usage
from auditor.sources.docker.address import Route, route_of
from auditor.sources.docker.allowed import IDENTIFIER, READING
from auditor.sources.docker.events import changed_since, with_kills
from auditor.sources.docker.failures import FAILURES, STRANGE, Garbled, Refused, cause_of, explain, silent
from auditor.sources.docker.images import parse_images
from auditor.sources.docker.parse import JSON, parse_container, parse_host, parse_listed
from auditor.sources.docker.setup import parse_image, parse_setup
from auditor.sources.docker.swarm import parse_services
from auditor.sources.docker.transport import Answer, Engine, connected, document, negotiate
from auditor.sources.docker.unchanged import Look, look
from auditor.sources.hostile import printable

TOTAL = 8.0  # seconds for everything, whatever the engine does
RESYNC = 300.0  # seconds after which a container is inspected again although nothing tells that it changed
STATISTICS = 15.0  # seconds between two samples
INFORMATION = 60.0  # seconds between two questions for the host
CONTAINER_LIMIT = 20_000
_QUICK_STATISTICS = 45  # the API 1.45, of engine 26

Fact: TypeAlias = Container | Usage | Host | EngineImage | SwarmService
_ID = re.compile(IDENTIFIER)
_IMAGE = re.compile(f"sha256:{IDENTIFIER}")


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
class _Known:
    """A container as it was last inspected. cores: how many it may use, where it has a limit."""

    look: Look
    container: Container
    cores: float | None
    inspected: float


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
        self._peaking = threading.Lock()
        self._returned = False  # the last look failed: the engine may be starting
        self.lost = False  # the last look got no answer that another one soon would not better
        self._forget()

    def _forget(self) -> None:
        self._api: str | None = None  # what stands before a path
        self._known: dict[str, _Known] = {}
        self._moment: tuple[float, float] | None = None  # of the last list, by the engine's clock and by ours
        self._usages: dict[str, Usage] = {}
        self._unsampled: list[str] = []  # why samples are missing
        self._peaks: dict[str, tuple[int | None, float | None]] = {}  # bytes and cores, since the last look
        self._sampled = float("-inf")
        self._host: Host | None = None
        self._asked_host = float("-inf")
        self._cpus: int | None = None
        self._image_setups: dict[str, Setup] = {}

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
                width=_width(route, self._api),
            )
            async with connected(engine), asyncio.timeout(self._total):
                found = await _Look(self, engine, route, environment).take()
            self.lost = False
            return found
        except FAILURES as error:
            self._forget()
            self._returned = True
            self.lost = not (isinstance(error, Refused) and error.denied)
            raise explain(self.address, error, self._timeout) from None
        except BaseException:
            self._forget()
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
            async with self._beside() as engine, asyncio.timeout(self._total):
                if self._api is None:
                    await _negotiated(engine)
                engine.widen(_width(engine.route, engine.api))
                rows = _checked(document(await engine.send("GET", "/containers/json")))
                found = await samples.take(engine, [str(row["Id"]) for row in rows], self._usages, "")
        except Refused as error:
            return error.denied  # which another look would not better
        except FAILURES:
            return False
        self._cpus = found.cpus or self._cpus
        self._unsampled = found.unread
        self._keep(found.usages)
        return True

    @asynccontextmanager
    async def _beside(self) -> AsyncIterator[Engine]:
        """The engine over connections of their own, so that no look waits for them."""
        deadline = time.monotonic() + self._total - 0.5
        route = route_of(self.address)
        async with connected(Engine(route, timeout=self._timeout, deadline=deadline, width=8)) as engine:
            engine.api = self._api or ""
            yield engine

    def _keep(self, fresh: Mapping[str, Usage]) -> None:
        known, before, kept = self._known, self._usages, {}
        for id, sample in fresh.items():
            cores = (known[id].cores if id in known else None) or self._cpus
            kept[id] = usage.with_ratio(sample, before.get(id), cores)
            with self._peaking:
                self._peaks[id] = usage.highest(self._peaks.get(id), kept[id], cores)
        self._usages, self._sampled = kept, self._clock()

    def _peaks_since(self) -> dict[str, tuple[int | None, float | None]]:
        """The most that each container was seen to use since this was asked last."""
        with self._peaking:
            peaks, self._peaks = self._peaks, {}
        return peaks


async def _negotiated(engine: Engine) -> None:
    with suppress(Refused):  # then each path is used without a version
        await negotiate(engine)


def _width(route: Route, api: str | None) -> int:
    """How many connections are useful. An engine before 26 takes a second for each call for statistics."""
    if route.command:
        return 8  # an ssh each
    number = re.fullmatch(r"/v1\.(\d+)", api or "")
    return 256 if route.socket and number and int(number[1]) < _QUICK_STATISTICS else 64


class _Look:
    """One look of a reader."""

    def __init__(self, reader: Reader, engine: Engine, route: Route, environment: str) -> None:
        self._reader = reader
        self._engine = engine
        self._route = route
        self._environment = environment
        self._now = reader._clock()
        self._limits: dict[str, str] = {}  # what is not known -> why

    async def take(self) -> Reading:
        """Everything, as far as it can be had."""
        version, answer, hints, rows = await self._overview()
        looks = {str(item["Id"]): look(item, self._now) for item in _checked(document(answer))}
        running = [id for id, seen in looks.items() if seen.entry.get("State") in ("running", "paused")]
        containers, usages, host = await asyncio.gather(
            self._containers(looks, hints), self._usages(running), self._host(version)
        )
        self._reader._moment = None if answer.moment is None else (answer.moment, self._now)
        used = self._kept(usages)
        containers = [replace(c, memory_usage=used[c.id].memory) if c.id in used else c for c in containers]
        ids, names = ({getattr(c, field) for c in containers} for field in ("image_id", "image"))
        images = await self._with_setups(parse_images(rows, ids, names, self._environment), ids)
        services = await self._swarm() if any(machine.swarm for machine in host) else []
        host = [replace(machine, hidden_services=services is None) for machine in host]
        return Reading((*containers, *used.values(), *host, *images, *(services or ())), self._told())

    async def _overview(self) -> tuple[str | None, Answer, set[str], object]:
        """The engine's version, the list of containers, who changed by events, and the list of images."""
        reader = self._reader
        if reader._api is None:
            version = await self._version()
            self._engine.widen(_width(self._route, self._engine.api))
            reader._api = self._engine.api
            return version, *await asyncio.gather(self._list(), self._hints(), self._image_rows())
        self._engine.api = reader._api
        found = await asyncio.gather(self._version(), self._list(), self._hints(), self._image_rows())
        reader._api = self._engine.api
        return found

    async def _list(self) -> Answer:
        return await self._engine.send("GET", "/containers/json", "all=1")

    async def _version(self) -> str | None:
        try:
            return await negotiate(self._engine)
        except Refused as error:
            self._limit("/version", error)
            return None

    # --- containers -----------------------------------------------------------------------------------------------

    async def _containers(self, looks: Mapping[str, Look], hints: Collection[str]) -> list[Container]:
        """Each listed container: as it is known where it is unchanged, else inspected."""
        changed = {id: seen for id, seen in looks.items() if id in hints or not self._is_known(id, seen)}
        found = await self._inspected(changed)
        before = self._reader._known
        known = {id: found.get(id, before.get(id)) for id in looks}
        # What could not be read is no knowledge: it is asked again at the next look.
        self._reader._known = {id: k for id, k in known.items() if k is not None and k.container.unread is None}
        containers = [entry.container for entry in known.values() if entry is not None]
        return sorted(containers, key=lambda container: (container.name, container.id))

    def _is_known(self, id: str, seen: Look) -> bool:
        known = self._reader._known.get(id)
        if known is None or not seen.settled or known.container.health_output is not None:
            return False
        if self._now - known.inspected >= self._reader._resync or not seen.follows(known.look):
            return False
        self._reader._known[id] = replace(known, look=seen, container=replace(known.container, status=_status(seen)))
        return True

    async def _hints(self) -> set[str]:
        """The ids of containers that an event names since the last look."""
        if self._reader._moment is None or not self._reader._known:
            return set()
        theirs, ours = self._reader._moment
        try:
            # To a second before the last list, since that is how exact its time is, and surely not into the future.
            return await changed_since(self._engine, theirs - 1, theirs + self._now - ours)
        except (*FAILURES, *STRANGE) as error:
            self._limit("/events", error)
            return set()

    async def _inspected(self, looks: Mapping[str, Look]) -> dict[str, _Known | None]:
        """Each container's details; None: it is gone."""
        found = await asyncio.gather(*(self._inspect(id, seen) for id, seen in looks.items()))
        fresh = {known.container.id: known for known in found if known is not None}
        try:
            told = await with_kills(self._engine, [known.container for known in fresh.values()])
        except (*FAILURES, *STRANGE) as error:
            self._limit("/events", error)
            told = []
        fresh |= {container.id: replace(fresh[container.id], container=container) for container in told}
        return {id: fresh.get(id) for id in looks}

    async def _inspect(self, id: str, seen: Look) -> _Known | None:
        item = {**seen.entry, "Status": seen.status}
        try:
            details = await self._engine.get(f"/containers/{id}/json")
            container = parse_container(item, details, self._environment)
            if digest := self._reader.digest:
                container = replace(container, setup=parse_setup(details, digest))
            return _Known(seen, container, usage.cores(details), self._now)
        except Refused as error:
            if error.status == 404:
                return None
            why = cause_of(error, self._reader._timeout)[0]
        except FAILURES as error:
            why = cause_of(error, self._reader._timeout)[0]
        except STRANGE:
            why = "the answer has an unknown shape"
        return _Known(seen, replace(parse_listed(item, self._environment), unread=why), None, self._now)

    # --- what they use --------------------------------------------------------------------------------------------

    async def _usages(self, ids: Sequence[str]) -> dict[str, Usage]:
        """New samples of the containers, by id; those of the last look where their time has not come."""
        reader, before = self._reader, self._reader._usages
        if reader._statistics is None or not ids:
            return {}
        if reader._apart:
            if self._now - reader._sampled > 3 * reader._statistics:
                return {}  # what sampled them has failed since
            self._limit_usages(reader._unsampled)
            return {id: before[id] for id in ids if id in before}
        if reader._returned:  # an engine that has just started may withhold them: how everything is goes first
            reader._returned = False
            return {}
        if self._now - reader._sampled < reader._statistics * 0.9:
            return {id: before[id] for id in ids if id in before}
        reader._sampled = self._now
        found = await samples.take(self._engine, ids, before, self._environment)
        reader._cpus = found.cpus or reader._cpus
        self._limit_usages(found.unread)
        return found.usages

    def _kept(self, usages: Mapping[str, Usage]) -> dict[str, Usage]:
        """The samples with what their containers are allowed, and the ratio to the samples before."""
        reader, kept = self._reader, {}
        peaks = reader._peaks_since() if reader._apart else {}
        for id, sample in usages.items():
            before, known = reader._usages.get(id), reader._known.get(id)
            if not reader._apart and sample is not before:
                cores = (known.cores if known else None) or reader._cpus
                sample = usage.with_ratio(sample, before, cores)
            elif known and known.container.started_at and known.container.started_at > sample.taken_at:
                continue  # of the run before this one
            memory, cpus = peaks.get(id, (None, None))
            limit = known.container.memory_limit if known else None
            kept[id] = replace(sample, memory_limit=limit, memory_peak=memory, cpus_peak=cpus)
        if reader._statistics is not None and not reader._apart:
            reader._usages = kept
        return kept

    def _limit_usages(self, reasons: Sequence[str]) -> None:
        if reasons:
            noun = "container" if len(reasons) == 1 else "containers"
            self._limits[f"what {len(reasons)} {noun} use"] = reasons[0]

    # --- what is around them --------------------------------------------------------------------------------------

    async def _host(self, version: str | None) -> list[Host]:
        reader = self._reader
        if not reader._surroundings:
            return []
        if reader._host is None or self._now - reader._asked_host >= INFORMATION:
            reader._host = None
            try:
                reader._host = parse_host(await self._engine.get("/info"), self._environment)
                reader._asked_host = self._now
            except (*FAILURES, *STRANGE) as error:
                self._limit("/info", error)
        host = reader._host or Host(self._environment, "docker")
        return [replace(host, version=version or host.version)]

    async def _swarm(self) -> list[SwarmService] | None:
        """The services of a Swarm, of which only a manager tells; None: they cannot be read. Where its tasks cannot,
        as much as the services tell of them."""
        found: dict[str, object] = {"/services": None, "/tasks": None}
        for path, query in (("/services", "status=true"), ("/tasks", "")):
            try:
                found[path] = await self._engine.get(path, query)
            except FAILURES as error:
                self._limit(path, error)
        try:
            services, tasks = found["/services"], found["/tasks"]
            return None if services is None else parse_services(services, tasks, self._environment)
        except STRANGE as error:
            self._limit("/services", error)
            return None

    async def _image_rows(self) -> object:
        if not self._reader._surroundings:
            return []
        try:
            return await self._engine.get("/images/json")
        except FAILURES as error:
            self._limit("/images/json", error)
            return []

    async def _with_setups(self, images: Sequence[EngineImage], used: Collection[str | None]) -> list[EngineImage]:
        """The images with what those that containers were made of set themselves. An id names one content for ever."""
        if self._reader.digest is None or not self._reader._surroundings:
            return list(images)
        known = self._reader._image_setups
        missing = [id for id in used if id and id not in known and _IMAGE.fullmatch(id)]
        found = await asyncio.gather(*(self._image(id) for id in missing))
        kept = {id: known[id] for id in used if id and id in known}
        self._reader._image_setups = kept | {image.id: image.setup for image in found if image and image.setup}
        setups = self._reader._image_setups
        listed = {image.id for image in images}
        unlisted = [image for image in found if image and image.id not in listed]
        return [replace(image, setup=setups.get(image.id)) for image in (*images, *unlisted)]

    async def _image(self, id: str) -> EngineImage | None:
        """An image by its id; None where it is gone or cannot be read."""
        try:
            details = await self._engine.get(f"/images/{id}/json")
            return parse_image(details, self._environment, self._reader.digest) if self._reader.digest else None
        except Refused as error:
            if error.status != 404:
                self._limit("/images/sha256:{id}/json", error)
        except (*FAILURES, *STRANGE) as error:
            self._limit("/images/sha256:{id}/json", error)
        return None

    # --- what is not known ----------------------------------------------------------------------------------------

    def _limit(self, path: str, error: BaseException) -> None:
        """What the request at `path` would have told is not known, because of `error`."""
        lost = next((request.lost for request in READING if request.path == path), None)
        why, advice = cause_of(error, self._reader._timeout)
        denied = isinstance(error, Refused) and error.denied
        self._limits[lost or path] = f"{why}: {advice}" if denied else why

    def _told(self) -> tuple[str, ...]:
        return tuple(f"{lost} ({why})" for lost, why in sorted(self._limits.items()))


def _status(seen: Look) -> str | None:
    return printable(seen.status) or None


def _checked(listed: object) -> list[JSON]:
    """The list's entries. Raises Garbled."""
    if not isinstance(listed, list):
        raise Garbled("the answer is not that of a Docker Engine")
    wanted: list[JSON] = [item for item in listed if isinstance(item, dict) and _ID.fullmatch(str(item.get("Id")))]
    if len(wanted) > CONTAINER_LIMIT:
        raise Garbled(f"it has {len(wanted)} containers, more than {CONTAINER_LIMIT}")
    return wanted
