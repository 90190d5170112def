"""What containers use of what they may: ratios to their limit or their host, and the peaks that a server has seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from auditor.frozen import dataclass
from auditor.inventory import Service, Snapshot
from auditor.model import Container, Host, Peak, Report, Usage

MEMORY_WARNING, MEMORY_CRITICAL = 80.0, 90.0  # percent
CPU_WARNING, CPU_CRITICAL = 80.0, 95.0
# Where a limit is written, as dotted fields of a definition.
MEMORY_FIELDS = ("mem_limit", "deploy.resources.limits.memory", "deploy.resources.limits", "deploy.resources", "deploy")
CPU_FIELDS = ("cpus", "deploy.resources.limits.cpus", "deploy.resources.limits", "deploy.resources", "deploy")


@dataclass(frozen=True, slots=True)
class Load:
    """How much of `of` one running container uses: bytes of memory, or cores (None: how many is not known).

    ratio: 0 to 1, more where a limit was lowered below what is used. limited: by a limit of its own, else by the host.
    """

    container: Container
    ratio: float
    of: float | None
    limited: bool


def memory_loads(service: Service, snapshot: Snapshot) -> list[Load]:
    """The memory of each running container that has a limit, or whose host is known; the fullest first."""
    found = []
    for container, usage in _measured(service, snapshot):
        host = snapshot.host_of(container)
        limit = usage.memory_limit or container.memory_limit
        of = limit or (host.memory if host else None)
        if usage.memory is not None and of:
            found.append(Load(container, usage.memory / of, of, bool(limit)))
    return _fullest_first(found)


def cpu_loads(service: Service, snapshot: Snapshot) -> list[Load]:
    """The processors of each running container of which two samples exist; the busiest first."""
    found = []
    for container, usage in _measured(service, snapshot):
        limit = cpu_limit(container, service)
        host = snapshot.host_of(container)
        if usage.cpu_ratio is not None:
            found.append(Load(container, usage.cpu_ratio, limit or (host.cpus if host else None), bool(limit)))
    return _fullest_first(found)


def _measured(service: Service, snapshot: Snapshot) -> Iterator[tuple[Container, Usage]]:
    for container in service.containers:
        usage = snapshot.usage_of(container)
        if usage and container.state == "running":
            yield container, usage


def _fullest_first(loads: Iterable[Load]) -> list[Load]:
    return sorted(loads, key=lambda load: (-load.ratio, load.container.name))


def cpu_limit(container: Container, service: Service | None) -> float | None:
    """The cores that a container may use at most: as the engine shows it, else as it was composed."""
    set_up = (container.setup or {}).get("cpus")
    if isinstance(set_up, int | float) and set_up > 0:
        return float(set_up)
    return service.definition.cpu_limit if container.setup is None and service and service.definition else None


# --- thresholds --------------------------------------------------------------------------------------------------


def crossed(service: Service, snapshot: Snapshot) -> tuple[str, ...]:
    """What it uses beyond the thresholds of `memory-high` and `cpu-high`, in words. A run that ends may use all."""
    if not service.containers or snapshot.runs_once(service):
        return ()
    memory = _threshold(snapshot, "memory-high", MEMORY_WARNING)
    cpu = _threshold(snapshot, "cpu-high", CPU_WARNING)
    said = [memory_words(load) for load in memory_loads(service, snapshot) if load.ratio * 100 > memory]
    return (*said, *(cpu_words(load) for load in cpu_loads(service, snapshot) if load.ratio * 100 > cpu))


def _threshold(snapshot: Snapshot, check: str, default: float) -> float:
    """The warning threshold, as the catalogue may set it for the check: the verdict must not say another one."""
    for config in snapshot.catalogue.checks if snapshot.catalogue else ():
        value = config.options.get("warning")
        if config.check == check and isinstance(value, int | float):
            return float(value)
    return default


def memory_words(load: Load) -> str:
    """As in "container `shop-web-1` uses 93 % of its memory limit (238 of 256 MiB)"."""
    whose = "its memory limit" if load.limited else "the host's memory"
    sizes = f" ({amounts(load.ratio * load.of, load.of)})" if load.of else ""
    return f"container `{load.container.name}` uses {percent(load.ratio)} of {whose}{sizes}"


def cpu_words(load: Load) -> str:
    """As in "container `shop-web-1` uses 97 % of its 0.5 cores"."""
    whose = "its" if load.limited else "the host's"
    of = f"{whose} {cores(load.of)}" if load.of else "the processors that it may use"
    return f"container `{load.container.name}` uses {percent(load.ratio)} of {of}"


def percent(ratio: float) -> str:
    """Rounded down, so that what is below a threshold never reads as if it were at it."""
    return f"{int(ratio * 100 + 1e-9)} %"


def cores(number: float) -> str:
    """`1 core`, `0.5 cores`."""
    return f"{number:g} {'core' if number == 1 else 'cores'}"


def amounts(used: float, of: float) -> str:
    """Two sizes in the unit of the second: `238 of 256 MiB`."""
    divisor, unit, places = (2**30, "GiB", 1) if of >= 10 * 2**30 else (2**20, "MiB", 0)
    return f"{used / divisor:.{places}f} of {of / divisor:.{places}f} {unit}"


def mebibytes(number: float) -> str:
    """A size in MiB, or GiB from ten of them on."""
    return f"{number / 2**30:.1f} GiB" if number >= 10 * 2**30 else f"{number / 2**20:.0f} MiB"


# --- limits against the host ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """What one running container may take of its host: bytes, or cores; None: all of it."""

    container: Container
    service: Service | None
    amount: float | None


def memory_claims(host: Host, snapshot: Snapshot) -> list[Claim]:
    """The memory limits of everything that runs on a host, whoever's it is, the largest first."""
    return _largest_first(
        Claim(container, service, container.memory_limit) for container, service in _on(host, snapshot)
    )


def cpu_claims(host: Host, snapshot: Snapshot) -> list[Claim]:
    """The same for cores."""
    return _largest_first(
        Claim(container, service, cpu_limit(container, service)) for container, service in _on(host, snapshot)
    )


def _on(host: Host, snapshot: Snapshot) -> Iterator[tuple[Container, Service | None]]:
    owners = {(c.environment, c.id): service for service in snapshot.services for c in service.containers}
    for container in snapshot.containers:
        if container.state == "running" and snapshot.host_of(container) == host:
            yield container, owners.get((container.environment, container.id))


def _largest_first(claims: Iterable[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claim: (-(claim.amount or 0.0), claim.container.name))


# --- peaks -------------------------------------------------------------------------------------------------------


def peak_of(service: Service, snapshot: Snapshot) -> Peak | None:
    """The most that a container of a service was seen to use with the images and limits that it has now."""
    peak = snapshot.peaks_by_service.get((service.environment, service.name))
    running = [container for container in service.containers if container.state == "running"]
    if peak and peak.basis not in (None, _basis((c, snapshot.usage_of(c)) for c in running)):
        return None
    return peak


@dataclass(frozen=True, slots=True)
class Observation:
    """The most that one container of a service used at one scan. `basis` changes with its images and limits."""

    environment: str
    service: str
    taken_at: datetime
    basis: str
    memory: int | None = None  # bytes
    cpus: float | None = None  # cores, the mean between two samples


def observe(report: Report, before: Sequence[Usage] = ()) -> list[Observation]:
    """What each service of a report was seen to use; `before` are the usages of the report before it."""
    usages = {(usage.environment, usage.container): usage for usage in report.usages}
    earlier = {(usage.environment, usage.container): usage for usage in before}
    containers = {(c.environment, c.name): c for c in report.containers if c.state == "running"}
    found = []
    for service in report.services:
        mine = [containers[key] for name in service.containers if (key := (service.environment, name)) in containers]
        pairs = [(container, usages.get((container.environment, container.id))) for container in mine]
        seen = [usage for _, usage in pairs if usage]
        if seen:
            memory = max(
                (size for one in seen for size in (one.memory, one.memory_peak) if size is not None), default=None
            )
            busy = [_cores(usage, earlier.get((usage.environment, usage.container))) for usage in seen]
            cpus = max((number for number in busy if number is not None), default=None)
            found.append(Observation(service.environment, service.name, report.taken_at, _basis(pairs), memory, cpus))
    return found


def _cores(usage: Usage, before: Usage | None) -> float | None:
    if usage.cpus_peak is not None:
        return usage.cpus_peak
    if before is None or usage.cpu_seconds is None or before.cpu_seconds is None:
        return None
    seconds = (usage.taken_at - before.taken_at).total_seconds()
    spent = usage.cpu_seconds - before.cpu_seconds
    return spent / seconds if seconds > 0 and spent >= 0 else None  # a restarted container counts from 0 again


def _basis(containers: Iterable[tuple[Container, Usage | None]]) -> str:
    parts = set()
    for container, usage in containers:
        limit = (usage.memory_limit if usage else None) or container.memory_limit
        parts.add(f"{container.image_id or container.image} {limit} {cpu_limit(container, None)}")
    return "; ".join(sorted(parts))
