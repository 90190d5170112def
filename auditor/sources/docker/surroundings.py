"""What an engine tells beside its containers: its host, the images that they were made of, and its Swarm."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from auditor.digest import Digester
from auditor.model import EngineImage, Host, Setup, SwarmService
from auditor.sources.docker.allowed import IMAGE
from auditor.sources.docker.failures import FAILURES, STRANGE, Refused
from auditor.sources.docker.limits import Limits
from auditor.sources.docker.parse import parse_host
from auditor.sources.docker.setup import parse_image
from auditor.sources.docker.swarm import Role, parse_services, role_of_header, role_of_info
from auditor.sources.docker.transport import Engine

INFORMATION = 60.0  # seconds between two questions for the host, and for images that no event names
_NO_MANAGER = 503  # what an engine that leads no Swarm answers to a question for its services

_SWARM = "the Swarm's services and their tasks"
_WHETHER = "whether it leads a Swarm"


@dataclass(slots=True)
class Kept:
    """What seldom changes, from one look to the next. asked: when the host was asked for last."""

    host: Host | None = None
    role: Role | None = None
    asked: float = float("-inf")
    images: object = None  # their list, and when it was asked for
    listed: float = float("-inf")
    setups: dict[str, Setup] = field(default_factory=dict)  # of images, by id: an id names one content for ever


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The questions of one look; `now` is its time, `kept` what the look before left."""

    engine: Engine
    environment: str
    limits: Limits
    kept: Kept
    now: float

    async def host(self, version: str | None) -> Host:
        """The machine, as far as it can be had; asked again after `INFORMATION`."""
        kept = self.kept
        if kept.host is None or self.now - kept.asked >= INFORMATION:
            kept.host = kept.role = None
            try:
                info = await self.engine.get("/info")
                kept.host, kept.role = parse_host(info, self.environment), role_of_info(info)
                kept.asked = self.now
            except (*FAILURES, *STRANGE) as error:
                self.limits.fail("/info", error)
        host = kept.host or Host(self.environment, "docker")
        return replace(host, version=version or host.version)

    # --- the Swarm ------------------------------------------------------------------------------------------------

    async def with_swarm(self, host: Host, tasks_here: bool) -> tuple[Host, list[SwarmService]]:
        """The host with its part in a Swarm, and that Swarm's services, of which only a manager tells.

        tasks_here: whether containers of the engine are a Swarm's. Where the tasks cannot be read, the services are
        told as far as they tell themselves.
        """
        role = self.kept.role or await self._role_by_ping()
        if role is Role.NONE:
            return host, []
        if role is Role.MEMBER:
            self.limits.say(_SWARM, "this engine is no active manager of its Swarm, and only those tell")
            return replace(host, hidden_services=True), []
        services = await self._services(sure=role is Role.MANAGER or tasks_here)
        if services is None:
            return replace(host, swarm=role is Role.MANAGER, hidden_services=role is Role.MANAGER or tasks_here), []
        return replace(host, swarm=True), services

    async def _role_by_ping(self) -> Role | None:
        """The engine's part in a Swarm where its host may not be asked for; before version 23 none tells."""
        try:
            return role_of_header((await self.engine.send("GET", "/_ping", versioned=False)).swarm)
        except FAILURES:
            return None

    async def _services(self, *, sure: bool) -> list[SwarmService] | None:
        """The services with their tasks; None: there are none to be had. sure: there is a Swarm."""
        try:
            services = await self.engine.get("/services", "status=true")
        except FAILURES as error:
            self._unread(error, sure)
            return None
        tasks: object = None
        try:
            tasks = await self.engine.get("/tasks")
        except FAILURES as error:
            self.limits.fail("/tasks", error)
        try:
            return parse_services(services, tasks, self.environment)
        except STRANGE as error:
            self.limits.fail("/services", error)
            return None

    def _unread(self, error: BaseException, sure: bool) -> None:
        if sure:
            self.limits.fail("/services", error)
        elif not (isinstance(error, Refused) and error.status == _NO_MANAGER):
            self.limits.say(_WHETHER, self.limits.why(error))

    # --- images ---------------------------------------------------------------------------------------------------

    async def image_rows(self, *, changed: bool) -> object:
        """The engine's list of images; asked again where it may have changed, and after `INFORMATION`."""
        kept = self.kept
        if changed or self.now - kept.listed >= INFORMATION:
            kept.listed = float("-inf")
            try:
                kept.images, kept.listed = await self.engine.get("/images/json"), self.now
            except FAILURES as error:
                self.limits.fail("/images/json", error)
                return []
        return kept.images

    async def with_setups(
        self, images: Sequence[EngineImage], used: Collection[str | None], digest: Digester
    ) -> list[EngineImage]:
        """The images with what those that containers were made of set themselves."""
        known = self.kept.setups
        missing = [id for id in used if id and id not in known and IMAGE.fullmatch(id)]
        found = await asyncio.gather(*(self._image(id, digest) for id in missing))
        setups = {id: known[id] for id in used if id and id in known}
        setups |= {image.id: image.setup for image in found if image and image.setup}
        self.kept.setups = setups
        listed = {image.id for image in images}
        unlisted = [image for image in found if image and image.id not in listed]
        return [replace(image, setup=setups.get(image.id)) for image in (*images, *unlisted)]

    async def _image(self, id: str, digest: Digester) -> EngineImage | None:
        """An image by its id; None where it is gone or cannot be read."""
        try:
            return parse_image(await self.engine.get(f"/images/{id}/json"), self.environment, digest)
        except Refused as error:
            if error.status != 404:
                self.limits.fail("/images/sha256:{id}/json", error)
        except (*FAILURES, *STRANGE) as error:
            self.limits.fail("/images/sha256:{id}/json", error)
        return None
