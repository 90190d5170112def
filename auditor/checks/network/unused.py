"""What is declared and used by nobody?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.inventory import Snapshot
from auditor.model import (
    Project,
    Resource,
    Severity,
)
from auditor.registry import Problem, check


def _unused(project: Project, section: str, used: Iterable[str], what: str) -> Iterator[Problem]:
    """Inactive services use what they name, too."""
    names = set(used)
    for resource in project.resources:
        if resource.section == section and resource.key not in names:
            yield _spare(resource, what)


def _spare(resource: Resource, what: str) -> Problem:
    return Problem(f"no service uses the {what} `{resource.key}`", (resource.location,), key=resource.key)


@check(Project, Severity.INFO, fix="Remove it, or attach the services that it was made for.", needs=("compose",))
def unused_network(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A network is declared, and no service is on it.

    It is a left-over, or a service that should be on it is not.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
          networks: {back: {}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", networks: [back]}
          networks: {back: {}}
    """
    used = (network for definition in project.definitions for network in definition.networks)
    yield from _unused(project, "networks", used, "network")


@check(Project, Severity.INFO, fix="Remove it, or mount it where it was meant to be.", needs=("compose",))
def unused_volume(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A volume is declared, and no service mounts it.

    It is a left-over, or data that somebody believes to be kept is not.

    Bad:
        compose:
          services:
            db: {image: "postgres:16.8"}
          volumes: {db-data: {}}
    Good:
        compose:
          services:
            db: {image: "postgres:16.8", volumes: ["db-data:/var/lib/postgresql/data"]}
          volumes: {db-data: {}}
    """
    used = (mount.source or "" for definition in project.definitions for mount in definition.mounts)
    yield from _unused(project, "volumes", used, "volume")


@check(Project, Severity.INFO, fix="Remove it, or give it to the service that it was made for.", needs=("compose",))
def unused_secret(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A secret is declared, and no service is given it.

    It is a left-over, or a service gets the secret by a way that shows it.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
          secrets: {token: {file: ./token}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", secrets: [token]}
          secrets: {token: {file: ./token}}
    """
    used = (name for definition in project.definitions for name in definition.secrets)
    yield from _unused(project, "secrets", used, "secret")


@check(Project, Severity.INFO, fix="Remove it, or give it to the service that it was made for.", needs=("compose",))
def unused_config(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A config is declared, and no service is given it.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
          configs: {site: {file: ./site.conf}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", configs: [site]}
          configs: {site: {file: ./site.conf}}
    """
    used = (name for definition in project.definitions for name in definition.configs)
    yield from _unused(project, "configs", used, "config")
