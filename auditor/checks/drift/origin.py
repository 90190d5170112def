"""Containers that were made from other files, or elsewhere, and are as written all the same."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.checks.drift.images import image_differs
from auditor.drift import drifts
from auditor.inventory import ALIVE, Service, Snapshot
from auditor.model import Evidence, Severity
from auditor.origin import elsewhere
from auditor.registry import Problem, check


@check(
    Service,
    Severity.INFO,
    needs=("compose", "docker"),
    fix="Run `docker compose up` with the files that the environment names, or correct its `compose:` list.",
)
def stale_container(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container was made from other Compose files, or in another directory, than its environment names.

    What runs then follows a file that nobody looks at, or the project was started from two checkouts at a time. Paths
    are compared from the project directory, so it does not matter where the auditor sees the files. Where a field
    differs as well, the origin is evidence of that drift.

    Bad:
        compose:
          name: shop
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - name: web-1
            service: web
            image: nginx:1.27.5
            working_dir: /app
            config_files: [/app/docker-compose.old.yml]
    Good:
        compose:
          name: shop
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - name: web-1
            service: web
            image: nginx:1.27.5
            working_dir: /app
            config_files: [/app/docker-compose.yml]
    """
    project, definition = snapshot.project(service.environment), service.composed
    drift = drifts(snapshot).get((service.environment, service.name))
    if project is None or definition is None or (drift and drift.differences) or image_differs(service):
        return
    alive = [c for c in service.containers if c.state in ALIVE and c.project == project.name]
    others = [(c.name, why) for c in alive if (why := elsewhere(c, project, snapshot))]
    if others:
        yield Problem(
            f"`{service.name}` was made from {', '.join(sorted({why for _, why in others}))}",
            (definition.location,),
            tuple(Evidence("docker", f"container `{name}` was made from {why}") for name, why in others),
            key="origin",
        )
