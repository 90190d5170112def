"""From an engine's statistics to what a container uses, as `docker stats` computes it, on either version of cgroups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from auditor.model import Usage
from auditor.sources.docker.parse import parse_time

JSON = Mapping[str, Any]
_Number = TypeVar("_Number", int, float)


def parse_usage(stats: JSON, container: str, environment: str) -> Usage | None:
    """What the container uses; None where it does not run, of which the zero time tells.

    Raises AttributeError, LookupError, TypeError, ValueError on a strange shape.
    """
    taken_at = parse_time(stats.get("read"))
    if taken_at is None:
        return None
    networks = stats.get("networks")
    received, sent = (_total(networks, name) for name in ("rx_bytes", "tx_bytes"))
    operations = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive")
    nanoseconds = _number(((stats.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage"))
    return Usage(
        environment=environment,
        container=container,
        taken_at=taken_at,
        memory=_working_set(stats.get("memory_stats") or {}),
        cpu_seconds=None if nanoseconds is None else nanoseconds / 1e9,
        pids=_number((stats.get("pids_stats") or {}).get("current")),
        network_received=received,
        network_sent=sent,
        block_read=_operation(operations, "read"),
        block_written=_operation(operations, "write"),
    )


def _working_set(memory: JSON) -> int | None:
    usage = _number(memory.get("usage"))
    if usage is None:
        return None
    details = memory.get("stats") or {}
    # The first name is that of cgroups 1, for the container and all below it; the second that of cgroups 2.
    idle = _number(details.get("total_inactive_file", details.get("inactive_file")))
    return usage - idle if idle is not None and idle < usage else usage


def _total(networks: object, name: str) -> int | None:
    if not isinstance(networks, dict):
        return None  # it shares the network of the host or of another container
    return sum(_number(network.get(name)) or 0 for network in networks.values())


def _operation(rows: object, name: str) -> int | None:
    if not isinstance(rows, list):
        return None
    return sum(_number(row.get("value")) or 0 for row in rows if str(row.get("op")).lower() == name)


def _number(value: object) -> int | None:
    """A counter as it is kept; what is no whole number, or too large for a database, is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def cores(details: JSON) -> float | None:
    """How many cores a container may use, by its inspection; None: as many as the host has."""
    host = details.get("HostConfig") or {}
    if nano := _number(host.get("NanoCpus")):
        return nano / 1e9
    if quota := _number(host.get("CpuQuota")):
        return quota / (_number(host.get("CpuPeriod")) or 100_000)
    return float(_counted(str(host.get("CpusetCpus") or ""))) or None


def _counted(cpus: str) -> int:
    """How many a list such as `0-3,6` names; 0 where it cannot be read."""
    total = 0
    for part in filter(None, cpus.split(",")):
        first, _, last = part.partition("-")
        if not (first.strip().isdigit() and (last or first).strip().isdigit()):
            return 0
        total += max(0, int(last or first) - int(first)) + 1
    return total


def with_ratio(now: Usage, before: Usage | None, available: float | None) -> Usage:
    """`now` with the share of `available` cores that was used since the sample before it.

    Counters that went back are those of another run; samples of one moment say nothing.
    """
    if before is None or available is None or now.cpu_seconds is None or before.cpu_seconds is None:
        return now
    seconds = (now.taken_at - before.taken_at).total_seconds()
    used = now.cpu_seconds - before.cpu_seconds
    if seconds <= 0 or used < 0 or available <= 0:
        return now
    return replace(now, cpu_ratio=used / seconds / available)


def highest(
    before: tuple[int | None, float | None] | None, now: Usage, available: float | None
) -> tuple[int | None, float | None]:
    """The most memory in bytes and processors in cores: so far, or by this sample."""
    memory, cpus = before or (None, None)
    busy = None if now.cpu_ratio is None or available is None else now.cpu_ratio * available
    return _most(memory, now.memory), _most(cpus, busy)


def _most(one: _Number | None, other: _Number | None) -> _Number | None:
    return max((number for number in (one, other) if number is not None), default=None)


def online(stats: JSON) -> int | None:
    """The host's cores, as a container's statistics tell."""
    return _number((stats.get("cpu_stats") or {}).get("online_cpus")) or None
