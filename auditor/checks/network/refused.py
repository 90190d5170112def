"""What of the services' ties does Compose refuse?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.checks.files import told
from auditor.inventory import Snapshot
from auditor.model import (
    Fault,
    Severity,
)
from auditor.registry import Problem, check


def _told(fault: Fault) -> Problem:
    problem = told(fault)
    return Problem(problem.message, (fault.location, *fault.others), key=problem.key, fix=problem.fix)


@check(Fault, Severity.CRITICAL, fix="Define the service, or correct the name in `depends_on`.")
def undefined_dependency(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A service depends on one that no file defines.

    Compose refuses the whole project. What `links`, `volumes_from` and `network_mode: service:NAME` imply counts too.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", depends_on: [databse]}
            database: {image: "postgres:16.8"}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", depends_on: [database]}
            database: {image: "postgres:16.8"}
    """
    yield _told(fault)


@check(
    Fault, Severity.CRITICAL, fix="Take one of the edges out: the service that can wait for the other keeps its own."
)
def dependency_cycle(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """Services wait for one another in a circle: none can be the first to start.

    Compose refuses the whole project.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", depends_on: [api]}
            api: {image: "registry.example/api:1", depends_on: [web]}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", depends_on: [api]}
            api: {image: "registry.example/api:1"}
    """
    yield _told(fault)


@check(Fault, Severity.CRITICAL, fix="Leave `container_name` out, or make it another.")
def duplicate_container_name(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """Two services claim the same container name.

    An engine has each name once: Compose refuses the project.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", container_name: shop}
            api: {image: "registry.example/api:1", container_name: shop}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", container_name: shop-web}
            api: {image: "registry.example/api:1", container_name: shop-api}
    """
    yield _told(fault)


@check(Fault, Severity.WARNING, fix="Leave `container_name` out: Compose numbers the containers itself.")
def container_name_scaled(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A service of several containers has one fixed container name.

    Only one container can have it, so the service cannot be scaled.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", container_name: web, deploy: {replicas: 2}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", deploy: {replicas: 2}}
    """
    yield _told(fault)
