"""Every service on one line with all that is known of it: what tables, documents and the live table are made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from auditor.errors import UsageError, did_you_mean
from auditor.model import Container, Finding, Peak, ProbeResult, Report, ServiceReport, Severity, Usage, Verdict
from exporters.report_json import ratio, timestamp
from exporters.status_json import UNCATEGORIZED, entries

SCHEMA = "stack-auditor/services/1"
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Line:
    """One service of one environment. `findings` are the open ones, the worst first."""

    service: ServiceReport
    containers: tuple[Container, ...] = ()
    usages: tuple[Usage, ...] = ()
    probes: tuple[ProbeResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    peak: Peak | None = None

    @property
    def gaps(self) -> int:
        """Open findings of warning or above."""
        return sum(finding.severity is not Severity.INFO for finding in self.findings)

    @property
    def restarts(self) -> int | None:
        """Of all its containers, as far as the engine tells."""
        known = [container.restarts for container in self.containers if container.restarts is not None]
        return sum(known) if known else None

    @property
    def memory_ratio(self) -> float | None:
        """Of its fullest container, of the limit that this one has."""
        limits = {container.id: container.memory_limit for container in self.containers}
        found = [
            usage.memory / limit
            for usage in self.usages
            if usage.memory is not None and (limit := usage.memory_limit or limits.get(usage.container))
        ]
        return max(found, default=None)

    @property
    def state(self) -> str:
        """What its containers do, in the engine's words: `running`, `2 of 3 running`, `exited 1`, `-` for none."""
        if not self.containers:
            return "-"
        up = sum(container.state == "running" for container in self.containers)
        if up == len(self.containers):
            return "running" if up == 1 else f"{up} running"
        if up:
            return f"{up} of {len(self.containers)} running"
        last = self.containers[0]
        ended = last.state == "exited" and last.exit_code is not None
        return f"exited {last.exit_code}" if ended else last.state

    def total(self, counter: str) -> int | None:
        """The sum of a counter of `Usage` over its containers."""
        known = [value for usage in self.usages if (value := getattr(usage, counter)) is not None]
        return sum(known) if known else None


def lines(
    report: Report,
    *,
    category: Collection[str] = (),
    tier: Collection[str] = (),
    owner: Collection[str] = (),
    status: Collection[str] = (),
) -> list[Line]:
    """The services of all judged environments; an empty filter lets everything through. Raises UsageError."""
    for word in status:
        if word not in list(Verdict):
            raise UsageError(f"unknown status `{word}`", help=did_you_mean(word, list(Verdict)))
    chosen = [item for name in report.environments for item in entries(report, name)]
    facts = _Facts(report)
    return [
        facts.line(item)
        for item in chosen
        if (not category or (item.category or UNCATEGORIZED) in category)
        and (not tier or item.tier in tier)
        and (not owner or item.owner in owner)
        and (not status or str(item.verdict) in status)
    ]


def named(found: Iterable[Line], name: str) -> list[Line]:
    """The lines of the service of that name, one an environment. Raises UsageError with the nearest name."""
    known = list(found)
    chosen = [line for line in known if line.service.name == name]
    if not chosen:
        near = did_you_mean(name, {line.service.name: None for line in known})
        raise UsageError(f"there is no service `{name}`", help=near or "`auditor services list` lists them")
    return chosen


class _Facts:
    """A report's facts by service and by container."""

    def __init__(self, report: Report) -> None:
        self._containers = {(item.environment, item.name): item for item in report.containers}
        self._usages = {(item.environment, item.container): item for item in report.usages}
        self._peaks = {(item.environment, item.service): item for item in report.peaks}
        self._probes: dict[tuple[str, str], list[ProbeResult]] = {}
        for probe in report.probes:
            self._probes.setdefault((probe.environment, probe.service), []).append(probe)
        self._findings: dict[tuple[str | None, str | None], list[Finding]] = {}
        for finding in report.findings:
            if finding.waiver is None and not finding.baselined:
                self._findings.setdefault((finding.environment, finding.service), []).append(finding)

    def line(self, item: ServiceReport) -> Line:
        where = item.environment
        containers = tuple(self._containers[where, n] for n in item.containers if (where, n) in self._containers)
        usages = tuple(self._usages[where, c.id] for c in containers if (where, c.id) in self._usages)
        findings = [*self._findings.get((where, item.name), ()), *self._findings.get((None, item.name), ())]
        return Line(
            item,
            containers,
            usages,
            tuple(self._probes.get((where, item.name), ())),
            tuple(sorted(findings, key=lambda finding: _RANK[finding.severity])),
            self._peaks.get((where, item.name)),
        )


def document(report: Report, chosen: Iterable[Line]) -> dict[str, Any]:
    """The lines as plain values."""
    return {
        "schema": SCHEMA,
        "timestamp": timestamp(report.taken_at),
        "complete": report.complete,
        "services": [_document(line) for line in chosen],
    }


def _document(line: Line) -> dict[str, Any]:
    item = line.service
    return {
        "name": item.name,
        "environment": item.environment,
        "title": item.title,
        "category": item.category,
        "tier": item.tier,
        "criticality": str(item.criticality),
        "owner": item.owner,
        "declared": item.declared,
        "status": str(item.verdict),
        "state": line.state,
        "health": item.health,
        "reasons": list(item.reasons),
        "coverage": ratio(item.coverage),
        "gaps": line.gaps,
        "restarts": line.restarts,
        "memory_bytes": item.memory_bytes,
        "memory_limit_bytes": item.memory_limit_bytes,
        "memory_ratio": ratio(line.memory_ratio),
        "cpu_ratio": ratio(item.cpu_ratio),
        "pids": line.total("pids"),
        "network_received_bytes": line.total("network_received"),
        "network_sent_bytes": line.total("network_sent"),
        "block_read_bytes": line.total("block_read"),
        "block_written_bytes": line.total("block_written"),
        "response_ms": None if item.response_seconds is None else round(item.response_seconds * 1000, 3),
        "last_check": timestamp(item.last_check),
        "containers": [{"id": c.id, "name": c.name, "state": c.state, "health": c.health} for c in line.containers],
        "findings": [{"check": f.check, "severity": str(f.severity), "message": f.message} for f in line.findings],
    }
