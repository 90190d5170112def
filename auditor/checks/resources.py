"""Is what a service uses bounded, does it come back after a crash, and does its data?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.inventory import Service, Snapshot
from auditor.model import Definition, Lifecycle, Mount, Severity
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
    definition = service.composed
    if definition is None or snapshot.runs_once(service):
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


@check(
    Definition,
    Severity.INFO,
    fix="Set `deploy.resources.limits.cpus` (or `cpus`) to what it may use at most.",
    needs=("compose",),
)
def no_cpu_limit(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The service may use all processors of the host.

    A busy loop in one of them then slows all the others down.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", cpus: 0.5}
    """
    if not definition.cpu_limit and not any(key in definition.lines for key in ("cpu_quota", "cpu_count", "cpuset")):
        yield _unlimited(definition, "no limit of processors", "cpus", "cpu_limit")


@check(
    Definition,
    Severity.INFO,
    fix="Set `deploy.resources.limits.pids` (or `pids_limit`), for instance to 256.",
    needs=("compose",),
)
def no_pids_limit(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The service may start any number of processes.

    A fork bomb, or a leak of threads, takes the whole host with it.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", pids_limit: 100}
    """
    if not definition.pids_limit:
        yield _unlimited(definition, "no limit of processes", "pids_limit", "pids_limit")


def _unlimited(definition: Definition, what: str, key: str, field: str) -> Problem:
    place = definition.place(key, "deploy.resources.limits", "deploy.resources", "deploy")
    return Problem(f"`{definition.name}` has {what}", (place,), field=field)


_UNBOUNDED = ("always", "unless-stopped", "on-failure")


@check(
    Definition,
    Severity.INFO,
    fix="Give a number of attempts, as `restart: on-failure:5`, where somebody is told when they are used up.",
    needs=("compose",),
)
def unbounded_restart(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A service that cannot start is started again and again, without end.

    A crash loop then looks like a service that runs, and fills the logs. For a service that must come back after a
    reboot `unless-stopped` is right; what watches restarts should then tell.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", restart: on-failure}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", restart: "on-failure:5"}
    """
    if definition.restart in _UNBOUNDED:
        yield Problem(
            f"`{definition.name}` restarts without end (`{definition.restart}`)",
            (definition.place("deploy.restart_policy", "restart"),),
            field="restart",
        )


_GROWING_DRIVERS = (None, "json-file")  # drivers that keep a file and never cut it on their own


@check(
    Definition,
    Severity.INFO,
    fix="Set `logging: {driver: json-file, options: {max-size: 10m, max-file: '3'}}`, or the driver `local`.",
    needs=("compose",),
)
def no_log_rotation(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The log of a service grows until the disk is full.

    Docker's default driver keeps every line. An engine whose `daemon.json` sets a size for all is not seen here.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", logging: {driver: json-file, options: {max-size: 10m}}}
    """
    if definition.logging_driver in _GROWING_DRIVERS and "max-size" not in definition.logging_options:
        yield Problem(
            f"the log of `{definition.name}` is never rotated",
            (definition.place("logging.options", "logging"),),
            field="logging",
        )


@check(
    Service,
    Severity.WARNING,
    fix="Mount a named volume or a directory of the host where it keeps its data.",
    needs=("compose",),
)
def data_not_persisted(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A datastore keeps its data where it is lost with the container.

    The next `docker compose down` or update takes it. What the knowledge base knows of an image decides; a `tmpfs`
    there, or a named volume anywhere in the service, counts as a decision.

    Bad:
        compose:
          services:
            db: {image: "postgres:16.8", volumes: ["./init.sql:/docker-entrypoint-initdb.d/init.sql:ro"]}
    Good:
        compose:
          services:
            db: {image: "postgres:16.8", volumes: ["db-data:/var/lib/postgresql/data"]}
          volumes: {db-data: {}}
    """
    definition, component = service.composed, service.component
    if definition is None or component is None or not component.data_paths:
        return
    if any(_keeps(mount, component.data_paths) for mount in definition.mounts) or "volumes_from" in definition.lines:
        return
    yield Problem(
        f"`{definition.name}` ({component.title}) keeps its data in the container: nothing is mounted at "
        f"`{component.data_paths[0]}`",
        (definition.place("volumes"),),
        field="volumes",
    )


def _keeps(mount: Mount, paths: tuple[str, ...]) -> bool:
    if mount.kind == "volume" and mount.source:
        return True
    if mount.kind == "volume" or mount.read_only:
        return False
    return any(_meets(mount.target, path) for path in paths)


def _meets(target: str, path: str) -> bool:
    """Whether a mount holds a path, or a part of what lies below it."""
    return target == path or path.startswith(f"{target.rstrip('/')}/") or target.startswith(f"{path}/")
