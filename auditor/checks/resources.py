"""Is what a service uses bounded, does it come back after a crash, and does its data?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor import usage
from auditor.inventory import Service, Snapshot
from auditor.model import Definition, Evidence, Host, Lifecycle, Location, Mount, Peak, Severity
from auditor.registry import Problem, check


@check(
    Definition,
    Severity.WARNING,
    fix="Set `deploy.resources.limits.memory` (or `mem_limit`) somewhat above the observed peak.",
    needs=("compose",),
)
def no_memory_limit(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The service may use all memory of the host.

    One leak then takes its neighbours down with it, and the kernel chooses the victim. Of tasks that end by themselves
    and shells that wait for somebody it is only told.

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
        severity=Severity.INFO if snapshot.ends(definition) or definition.purpose == "shell" else None,
    )


@check(
    Service,
    Severity.WARNING,
    fix="Set `restart: unless-stopped`, or declare the service as `lifecycle: oneshot`.",
    needs=("compose",),
)
def no_restart_policy(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """Nothing starts the service again after it ends or the host reboots.

    A crash at night stays a crash until somebody looks. Services that are meant to end are left out: one-shots, those
    that another service waits for to complete, and those whose command is a migration, a test run or the like; so are
    shells that wait for somebody to come in. An explicit `restart: "no"` is taken at its word, unless the
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
    if definition is None or snapshot.ends(definition) or definition.purpose == "shell":
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


# --- limits against what is there, and against what was seen -------------------------------------------------------

_SHOWN = 5  # containers in the evidence


@check(
    Host,
    Severity.WARNING,
    fix="Lower the limits that are larger than needed, move services elsewhere, or give the host more.",
    needs=("docker",),
)
def host_overcommitted(host: Host, snapshot: Snapshot) -> Iterator[Problem]:
    """The limits of what runs on a host add up to more than it has.

    Each container keeps to its limit, and still all together run the host out of memory, or slow each other down. All
    running containers count, whoever's they are: they share the machine.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 6g}
            db: {image: "postgres:16.8", mem_limit: 6g}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", memory_limit: 6442450944}
          - {name: demo-db-1, service: db, image: "postgres:16.8", memory_limit: 6442450944}
        hosts:
          - {cpus: 4, memory: 8589934592}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 1g}
            db: {image: "postgres:16.8", mem_limit: 4g}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", memory_limit: 1073741824}
          - {name: demo-db-1, service: db, image: "postgres:16.8", memory_limit: 4294967296}
        hosts:
          - {cpus: 4, memory: 8589934592}
    """
    where = "the host" if host.source == "docker" else f"the host of `{host.source.partition(':')[2]}`"
    memory = usage.memory_claims(host, snapshot)
    total = sum(claim.amount or 0 for claim in memory)
    if host.memory and total > host.memory:
        said = f"the memory limits on {where} add up to {usage.mebibytes(total)}, it has {usage.mebibytes(host.memory)}"
        yield _overcommitted("memory", said, memory, [usage.mebibytes(c.amount) for c in memory if c.amount], host)
    cpus = usage.cpu_claims(host, snapshot)
    wanted = round(sum(claim.amount or 0 for claim in cpus), 3)
    if host.cpus and wanted > host.cpus:
        said = f"the processor limits on {where} add up to {usage.cores(wanted)}, it has {usage.cores(host.cpus)}"
        yield _overcommitted("cpus", said, cpus, [usage.cores(c.amount) for c in cpus if c.amount], host)


def _overcommitted(kind: str, said: str, claims: Sequence[usage.Claim], amounts: Sequence[str], host: Host) -> Problem:
    limited = [claim for claim in claims if claim.amount]
    fields = usage.MEMORY_FIELDS if kind == "memory" else usage.CPU_FIELDS
    owned = [claim.service.definition for claim in limited if claim.service and claim.service.definition]
    texts = [f"container `{c.container.name}` may use {text}" for c, text in zip(limited, amounts, strict=True)][
        :_SHOWN
    ]
    if len(limited) > _SHOWN:
        texts.append(f"{len(limited) - _SHOWN} more have smaller limits")
    if unlimited := len(claims) - len(limited):
        texts.append(f"{unlimited} running containers have no limit" if unlimited > 1 else "1 has no limit")
    return Problem(
        said,
        tuple(dict.fromkeys(definition.place(*fields) for definition in owned)),
        tuple(Evidence("docker", text) for text in texts),
        key=f"{host.source} {kind}",
        field="memory_limit" if kind == "memory" else "cpu_limit",
    )


@check(
    Service,
    Severity.WARNING,
    fix="Raise its memory limit well above the observed peak, or find what it keeps in memory.",
    needs=("docker",),
)
def limit_undersized(
    service: Service, snapshot: Snapshot, *, near: float = 90.0, samples: int = 3
) -> Iterator[Problem]:
    """A service has come near its memory limit.

    The next busy hour may get it killed. Known where a server has watched it; `near` is a percentage, and fewer
    `samples` say nothing. Processors are not judged by their peak: almost anything uses all it may while it starts.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 256m}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", memory_limit: 268435456}
        peaks:
          - {service: web, memory: 257949696, samples: 500}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 256m}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", memory_limit: 268435456}
        peaks:
          - {service: web, memory: 150000000, samples: 500}
    """
    peak, limit = usage.peak_of(service, snapshot), _least_memory_limit(service)
    if peak is None or peak.memory is None or not limit or peak.samples < samples or snapshot.excuse(service):
        return
    if peak.memory * 100 < near * limit:
        return
    said = f"{usage.percent(peak.memory / limit)} of its memory limit ({usage.amounts(peak.memory, limit)})"
    yield Problem(
        f"`{service.name}` has used up to {said}",
        _limit_place(service, usage.MEMORY_FIELDS),
        (Evidence("docker", _watched(peak)),),
        field="memory_limit",
        cause=f"memory of {service.name}",
    )


@check(
    Service,
    Severity.INFO,
    fix="Lower the limit to somewhat above the observed peak.",
    needs=("docker",),
)
def limit_oversized(
    service: Service,
    snapshot: Snapshot,
    *,
    far: float = 25.0,
    hours: float = 24.0,
    samples: int = 100,
    least_memory: float = 128.0,
) -> Iterator[Problem]:
    """A service has a limit far above everything that it was seen to use.

    What it may take and never takes is lost to others when limits are added up, and a leak is noticed late. Known where
    a server has watched it for `hours` and `samples`; `far` is a percentage of the limit, and memory limits up to
    `least_memory` MiB are never too large.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 4g}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", memory_limit: 4294967296}
        peaks:
          - {service: web, memory: 104857600, samples: 5000, hours: 90}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 4g}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", memory_limit: 4294967296}
        peaks:
          - {service: web, memory: 104857600, samples: 20, hours: 1}
    """
    peak = usage.peak_of(service, snapshot)
    if peak is None or peak.samples < samples or snapshot.excuse(service) or snapshot.runs_once(service):
        return
    if (snapshot.taken_at - peak.since).total_seconds() < hours * 3600:
        return
    limit = _least_memory_limit(service)
    if limit and limit > least_memory * 2**20 and peak.memory is not None and peak.memory * 100 < far * limit:
        said = f"no more than {usage.amounts(peak.memory, limit)} of its memory limit"
        yield _oversized(service, said, "memory", usage.MEMORY_FIELDS, peak)
    cpus = min((n for c in service.containers if (n := usage.cpu_limit(c, service))), default=None)
    if cpus and cpus > _LEAST_CPUS and peak.cpus is not None and peak.cpus * 100 < far * cpus:
        said = f"no more than {peak.cpus:.2g} of its {usage.cores(cpus)}"
        yield _oversized(service, said, "cpu", usage.CPU_FIELDS, peak)


_LEAST_CPUS = 0.5  # cores; less is never too much


def _oversized(service: Service, said: str, kind: str, fields: tuple[str, ...], peak: Peak) -> Problem:
    return Problem(
        f"`{service.name}` has used {said}",
        _limit_place(service, fields),
        (Evidence("docker", _watched(peak)),),
        key=kind,
        field=f"{kind}_limit",
    )


def _least_memory_limit(service: Service) -> int | None:
    """The smallest memory limit of its containers: a peak is one container's, and this one it must fit."""
    return min((c.memory_limit for c in service.containers if c.memory_limit), default=None)


def _limit_place(service: Service, fields: tuple[str, ...]) -> tuple[Location, ...]:
    place = service.definition.place(*fields) if service.definition else service.location
    return (place,) if place else ()


def _watched(peak: Peak) -> str:
    return f"the most of {peak.samples} samples since {peak.since:%Y-%m-%d %H:%M} UTC"
