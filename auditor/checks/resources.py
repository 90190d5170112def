"""Is the use of memory bounded, and does a service come back?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.inventory import Service, Snapshot
from auditor.model import Definition, Lifecycle, Severity
from auditor.registry import Problem, check


@check(
    Definition,
    Severity.WARNING,
    fix="Set `deploy.resources.limits.memory` (or `mem_limit`) somewhat above the observed peak.",
    needs=("compose",),
)
def no_memory_limit(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The service may use all memory of the host.

    One leak then takes its neighbours down with it, and the kernel chooses the victim.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 256m}
    """
    if definition.memory_limit:
        return
    yield Problem(
        f"`{definition.name}` has no memory limit",
        (definition.place("mem_limit", "deploy.resources.limits", "deploy.resources", "deploy"),),
        field="memory_limit",
    )


@check(
    Service,
    Severity.WARNING,
    fix="Set `restart: unless-stopped`, or declare the service as `lifecycle: oneshot`.",
    needs=("compose",),
)
def no_restart_policy(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """Nothing starts the service again after it ends or the host reboots.

    A crash at night stays a crash until somebody looks. Services that are meant to end are left out: one-shots, and
    those that another service waits for to complete. An explicit `restart: "no"` is taken at its word, unless the
    catalogue declares a daemon.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", restart: unless-stopped}
            migrate: {image: "registry.example/migrate:4.2", restart: "no"}
    """
    definition = service.definition
    if definition is None or not definition.active or snapshot.runs_once(service):
        return
    if definition.restart not in (None, "no") or (definition.restart == "no" and not _daemon(service)):
        return
    yield Problem(
        f"`{definition.name}` has no restart policy",
        (definition.place("restart", "deploy.restart_policy"),),
        field="restart",
    )


def _daemon(service: Service) -> bool:
    return service.entry is not None and service.lifecycle is Lifecycle.DAEMON
