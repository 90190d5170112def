"""Does a service use more than it may?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import usage
from auditor.inventory import Service, Snapshot
from auditor.model import Evidence, Severity
from auditor.registry import Problem, check


@check(
    Service,
    Severity.WARNING,
    fix="Find what it keeps in memory, or raise its memory limit.",
    needs=("docker",),
)
def memory_high(
    service: Service,
    snapshot: Snapshot,
    *,
    warning: float = usage.MEMORY_WARNING,
    critical: float = usage.MEMORY_CRITICAL,
) -> Iterator[Problem]:
    """A service uses almost all memory that it may have.

    At its limit the kernel kills it. What counts is its working set: without the cache that the kernel would give up.
    Without a limit of its own it is the host's memory that it may use. The thresholds are percentages.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 256m}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", memory_limit: 268435456}
        usages:
          - {container: demo-web-1, memory: 241591910, memory_limit: 268435456}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 256m}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", memory_limit: 268435456}
        usages:
          - {container: demo-web-1, memory: 134217728, memory_limit: 268435456}
    """
    full = [load for load in usage.memory_loads(service, snapshot) if load.ratio * 100 > warning]
    if not full or snapshot.excuse(service):
        return
    definition = service.definition
    place = definition.place(*usage.MEMORY_FIELDS) if definition else service.location
    said = [usage.memory_words(load) for load in full]
    yield Problem(
        f"`{service.name}` is short of memory: {'; '.join(said)}",
        (place,) if place else (),
        tuple(Evidence("docker", text) for text in said),
        field="memory_limit",
        cause=f"memory of {service.name}",
        severity=Severity.CRITICAL if full[0].ratio * 100 > critical else None,
    )


@check(
    Service,
    Severity.WARNING,
    fix="Find what keeps it busy, give it more processors, or spread the work over more containers.",
    needs=("docker",),
)
def cpu_high(
    service: Service, snapshot: Snapshot, *, warning: float = usage.CPU_WARNING, critical: float = usage.CPU_CRITICAL
) -> Iterator[Problem]:
    """A service uses almost all processors that it may have.

    It answers late then, and what asks it waits. Known from the second sample of a running server on; what runs once
    may use all that it can get. The thresholds are percentages.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", cpus: 0.5}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
        usages:
          - {container: demo-web-1, cpu_ratio: 0.97}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", cpus: 0.5}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
        usages:
          - {container: demo-web-1, cpu_ratio: 0.4}
    """
    busy = [load for load in usage.cpu_loads(service, snapshot) if load.ratio * 100 > warning]
    if not busy or snapshot.excuse(service) or snapshot.runs_once(service):
        return
    definition = service.definition
    place = definition.place(*usage.CPU_FIELDS) if definition else service.location
    said = [usage.cpu_words(load) for load in busy]
    yield Problem(
        f"`{service.name}` is short of processors: {'; '.join(said)}",
        (place,) if place else (),
        tuple(Evidence("docker", text) for text in said),
        field="cpu_limit",
        severity=Severity.CRITICAL if busy[0].ratio * 100 > critical else None,
    )
