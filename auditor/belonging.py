"""To which project and service a container belongs: by Compose's labels, else by its names, else by its image."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from auditor.image import parse_image
from auditor.model import Container, Entry, Project
from auditor.regexp import regexp

_DEFAULT_NAME = regexp(r"(?:[0-9a-f]{12}_)?(?P<rest>.+?)[-_]\d{1,4}")  # the digits before: while Compose recreates


def project_name(project: Project, containers: Iterable[Container]) -> str | None:
    """What the engine calls a project.

    A project that nobody named is called after its directory, and that may be another one where it was started: then
    it is the only project of files that are called alike and of no services but its own. A given name is kept to.
    """
    found = candidates(project, containers)
    return found[0] if len(found) == 1 else project.name


def candidates(project: Project, containers: Iterable[Container]) -> tuple[str, ...]:
    """The projects on the engine that may be one that nobody named: where none has its name, all made of its files."""
    if project.named:
        return ()
    groups: dict[str, list[Container]] = defaultdict(list)
    for container in containers:
        if container.environment == project.environment and container.project:
            groups[container.project].append(container)
    if project.name in groups:
        return ()
    return tuple(sorted(name for name, group in groups.items() if _alike(project, group)))


def _alike(project: Project, group: Sequence[Container]) -> bool:
    """Whether containers were made of the project's files in another directory."""
    services = {definition.name for definition in project.definitions}
    found = {container.service for container in group if container.service}
    wanted = [posixpath.basename(path) for path in project.files if path.endswith((".yml", ".yaml", ".json"))]
    files = {tuple(posixpath.basename(path) for path in container.config_files) for container in group}
    return bool(found) and found <= services and 2 * len(found) >= len(services) and files == {tuple(wanted)}


def strays(containers: Iterable[Container], services: Iterable[str]) -> frozenset[str]:
    """The ids of containers of another project that has the same name: started in a directory that runs none of our
    services, while another directory does."""
    known = frozenset(services)
    groups: dict[str, list[Container]] = defaultdict(list)
    for container in containers:
        if container.working_dir and container.service:
            groups[container.working_dir].append(container)
    ours = {place for place, group in groups.items() if any(container.service in known for container in group)}
    if not ours:
        return frozenset()
    return frozenset(container.id for place, group in groups.items() if place not in ours for container in group)


def default_name(container: Container, project: str | None, services: Iterable[str]) -> str | None:
    """The Compose service whose container would be called so by Compose 1, 2 or Podman: `shop-db-1`, `shop_db_1`."""
    match = _DEFAULT_NAME.fullmatch(container.name)
    if match is None or project is None:
        return None
    names = {f"{project}{sign}{service}": service for service in services for sign in "-_"}
    return names.get(match["rest"])


def aliases(container: Container) -> frozenset[str]:
    """The names that a container answers to on its networks, beside its own."""
    told = (container.setup or {}).get("network_aliases")
    texts = told.values() if isinstance(told, Mapping) else ()
    return frozenset(alias for text in texts for alias in (text or "").split(",") if alias)


def by_image(
    containers: Iterable[Container], entries: Sequence[Entry], served: Callable[[str], bool]
) -> Mapping[str, str]:
    """Container id -> the entry whose `image` it runs, for containers that nothing else places.

    Only where that is one entry alone, and no other container is of its service.
    """
    found: dict[str, str] = {}
    for container in containers:
        fits = [entry.name for entry in entries if entry.image and fits_image(entry.image, container.image)]
        if len(fits) == 1 and not served(fits[0]):
            found[container.id] = fits[0]
    return found


def fits_image(declared: str, running: str) -> bool:
    """Whether a container's image is the declared one; a version takes its own patches, no tag takes any."""
    want, have = parse_image(declared), parse_image(running)
    if want is None or have is None or want.repository != have.repository:
        return False
    if want.digest and have.digest:
        return want.digest == have.digest
    tag = have.tag or "latest"
    return want.tag is None or tag == want.tag or tag.startswith(f"{want.tag}.")
