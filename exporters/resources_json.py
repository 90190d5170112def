"""What every service uses of what it may, and the most that it was seen to use: the body of `/api/resources`."""

from __future__ import annotations

from typing import Any

from auditor.model import Container, Host, Peak, Report, ServiceReport, Usage
from exporters.report_json import ratio, timestamp
from exporters.status_json import entries


def document(report: Report, environment: str | None = None) -> dict[str, Any]:
    """Services with their containers, and the hosts of an environment; None is the report's first."""
    name = environment or report.environment or next(iter(report.environments), None)
    containers = {item.name: item for item in report.containers if item.environment == name}
    usages = {item.container: item for item in report.usages if item.environment == name}
    peaks = {item.service: item for item in report.peaks if item.environment == name}
    return {
        "items": [_service(item, containers, usages, peaks.get(item.name)) for item in entries(report, environment)],
        "next": None,
        "hosts": [_host(host) for host in report.hosts if host.environment == name],
        "timestamp": timestamp(report.taken_at),
    }


def _service(
    item: ServiceReport, containers: dict[str, Container], usages: dict[str, Usage], peak: Peak | None
) -> dict[str, Any]:
    mine = [containers[name] for name in item.containers if name in containers]
    return {
        "service": item.name,
        "environment": item.environment,
        "status": str(item.verdict),
        "memory_bytes": item.memory_bytes,
        "memory_limit_bytes": item.memory_limit_bytes,
        "cpu_ratio": ratio(item.cpu_ratio),
        "peak": _peak(peak) if peak else None,
        "containers": [_container(container, usages.get(container.id)) for container in mine],
    }


def _container(container: Container, usage: Usage | None) -> dict[str, Any]:
    used: dict[str, Any] = {
        "memory_bytes": usage.memory if usage else container.memory_usage,
        "memory_limit_bytes": (usage.memory_limit if usage else None) or container.memory_limit,
    }
    if usage:
        used |= {
            "cpu_ratio": ratio(usage.cpu_ratio),
            "cpu_seconds": usage.cpu_seconds,
            "pids": usage.pids,
            "network_received_bytes": usage.network_received,
            "network_sent_bytes": usage.network_sent,
            "block_read_bytes": usage.block_read,
            "block_written_bytes": usage.block_written,
        }
    return {"name": container.name, "state": container.state, "restarts": container.restarts} | used


def _peak(peak: Peak) -> dict[str, Any]:
    return {
        "since": timestamp(peak.since),
        "samples": peak.samples,
        "memory_bytes": peak.memory,
        "cpus": None if peak.cpus is None else round(peak.cpus, 4),
    }


def _host(host: Host) -> dict[str, Any]:
    return {"source": host.source, "cpus": host.cpus, "memory_bytes": host.memory, "engine": host.version}
