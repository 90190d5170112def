"""The latest report as Prometheus series: one custom collector, rendered once a report and served as bytes.

Names, services and reasons are data: labels carry cleaned names only, never a message. The number of series is bounded:
past the budget the services that stand last (by criticality, then name) lose their own series; the totals still count
them, and `auditor_series_truncated` says how many series were left out. What containers do besides (processes, network,
blocks) is left out before any service is.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import auditor
from auditor import ladder
from auditor.model import (
    Container,
    Criticality,
    Finding,
    Host,
    Report,
    RungState,
    ServiceReport,
    Severity,
    Usage,
    Verdict,
)
from exporters.escape import clean

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUDGET = 100_000
PER_SERVICE = 45
BESIDE = 500  # series that are not a service's own
LABEL = 200  # characters of one label value

_HEALTH = {"healthy": 1.0, "unhealthy": 0.0}  # none, starting and unknown say nothing yet: no sample
_ORDER = {Criticality.CRITICAL: 0, Criticality.STANDARD: 1, Criticality.OPTIONAL: 2}


@dataclass(frozen=True, slots=True)
class Scans:
    """What the server knows of its own scans. `current`: the report's last scan succeeded, and not too long ago."""

    started: int = 0
    failed: int = 0
    skipped: int = 0
    current: bool = True
    last_success: datetime | None = None


def render(
    report: Report | None,
    scans: Scans | None = None,
    opened: Mapping[str, datetime] | None = None,
    budget: int = BUDGET,
) -> bytes:
    """The exposition text. `opened`: when each fingerprint was opened, from the history; absent ones are new."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exposition(report, scans, opened or {}, budget))
    return generate_latest(registry)


class Exposition(Collector):
    """Collects the families of one report, and of the server's scans where one runs."""

    def __init__(
        self, report: Report | None, scans: Scans | None, opened: Mapping[str, datetime], budget: int = BUDGET
    ) -> None:
        self._report = report
        self._scans = scans
        self._opened = opened
        self._budget = budget

    def collect(self) -> Iterator[Metric]:
        yield _gauge("build_info", "The auditor that speaks here; always 1.", (auditor.__version__, _PYTHON), 1.0)
        if self._scans:
            yield from _scan_counters(self._scans)
        if self._report:
            yield from _totals(self._report, self._opened)
            yield from _services(self._report, self._budget)


_PYTHON = platform.python_version()
_OF_CONTAINER = ("service", "environment", "container")
# The labels of each family; a family is named without its prefix.
_LABELS: Mapping[str, tuple[str, ...]] = {
    "build_info": ("version", "python"),
    "services": ("environment", "state"),
    "coverage_ratio": ("environment",),
    "findings": ("environment", "check", "severity"),
    "gap_oldest_open_seconds": ("environment", "severity"),
    "waiver_expiry_timestamp_seconds": ("check", "service"),
    "source_up": ("source", "environment"),
    "source_duration_seconds": ("source", "environment"),
    "service_info": ("service", "environment", "category", "tier", "criticality", "owner"),
    "service_health": ("service", "environment", "state"),
    "service_rung": ("service", "environment", "rung"),
    "service_rung_unknown": ("service", "environment", "rung"),
    "service_coverage_ratio": ("service", "environment"),
    "service_findings": ("service", "environment", "severity"),
    "probe_success": ("service", "environment", "probe"),
    "container_memory_usage_bytes": _OF_CONTAINER,
    "container_memory_limit_bytes": _OF_CONTAINER,
    "container_health": _OF_CONTAINER,
    "container_cpu_ratio": _OF_CONTAINER,
    "container_pids": _OF_CONTAINER,
    "host_memory_bytes": ("source", "environment"),
    "host_cpus": ("source", "environment"),
}


def _family(name: str, text: str) -> Metric:
    return GaugeMetricFamily(f"auditor_{name}", text, labels=_LABELS.get(name, ()))


def _gauge(name: str, text: str, labels: tuple[str, ...], value: float) -> Metric:
    family = _family(name, text)
    _add(family, labels, value)
    return family


def _add(family: Metric, labels: tuple[str | None, ...], value: float) -> None:
    family.add_metric([_label(label) for label in labels], value)  # type: ignore[attr-defined]


def _label(text: str | None) -> str:
    return clean(text, LABEL) if text else ""


# --- the server's own scans ---------------------------------------------------------------------------------------


def _scan_counters(scans: Scans) -> Iterator[Metric]:
    yield CounterMetricFamily("auditor_scans_started", "Scans that began.", value=scans.started)
    yield CounterMetricFamily("auditor_scans_failed", "Scans that ended without a report.", value=scans.failed)
    skipped = "Scans that were due while one was still running."
    yield CounterMetricFamily("auditor_scans_skipped", skipped, value=scans.skipped)
    stale = "1 while the report is too old, or the last scan failed; states are unknown then."
    yield _gauge("report_stale", stale, (), float(not scans.current))
    if scans.last_success:
        last = "When the last scan that succeeded looked."
        yield _gauge("scan_last_success_timestamp_seconds", last, (), scans.last_success.timestamp())


# --- totals -------------------------------------------------------------------------------------------------------


def is_open(finding: Finding) -> bool:
    """Whether a finding counts: neither waived nor in the baseline."""
    return finding.waiver is None and not finding.baselined


def _totals(report: Report, opened: Mapping[str, datetime]) -> Iterator[Metric]:
    yield _service_states(report)
    yield _coverage(report)
    yield _findings(report)
    yield _oldest(report, opened)
    yield from _waivers(report)
    yield from _sources(report)
    yield from _hosts(report.hosts)
    yield from _checks(report)
    complete = "1 when every source that was asked for could be read."
    yield _gauge("report_complete", complete, (), float(report.complete))
    if report.duration is not None:
        yield _gauge("scan_duration_seconds", "How long the scan behind the report took.", (), report.duration)


def _service_states(report: Report) -> Metric:
    family = _family("services", "Services by verdict.")
    counted = Counter((service.environment, service.verdict) for service in report.services)
    for environment in report.environments:
        for verdict in Verdict:
            _add(family, (environment, verdict), counted[environment, verdict])
    return family


def _coverage(report: Report) -> Metric:
    family = _family("coverage_ratio", "Proved required rungs of those that were assessed, 0 to 1; absent if unknown.")
    for environment, ratio in coverage_by_environment(report).items():
        if ratio is not None:
            _add(family, (environment,), ratio)
    return family


def coverage_by_environment(report: Report) -> dict[str, float | None]:
    """Each environment's coverage, 0 to 1, or None where nothing was assessed. Nothing is known of a blind report."""
    if report.coverage is None or len(report.environments) == 1:
        return dict.fromkeys(report.environments, report.coverage)
    counts = {environment: ladder.Count() for environment in report.environments}
    for service in report.services:
        counts[service.environment] = counts[service.environment] + ladder.count(service.rungs)
    return {environment: counted.coverage for environment, counted in counts.items()}


def _findings(report: Report) -> Metric:
    family = _family("findings", "Open findings; waived and baselined ones are not counted.")
    counted = Counter((item.environment, item.check, item.severity) for item in report.findings if is_open(item))
    for labels, number in sorted(counted.items(), key=lambda item: tuple(map(str, item[0]))):
        _add(family, labels, number)
    return family


def _oldest(report: Report, opened: Mapping[str, datetime]) -> Metric:
    family = _family("gap_oldest_open_seconds", "Age of the oldest open finding; 0 when there is none.")
    ages: dict[tuple[str | None, Severity], float] = {
        (environment, severity): 0.0 for environment in report.environments for severity in Severity
    }
    for item in filter(is_open, report.findings):
        age = (report.taken_at - opened.get(item.fingerprint, report.taken_at)).total_seconds()
        key = item.environment, item.severity
        ages[key] = max(ages.get(key, 0.0), age)
    for labels, age in ages.items():
        _add(family, labels, age)
    return family


def _waivers(report: Report) -> Iterator[Metric]:
    yield _gauge("waivers", "Waivers that the catalogue writes down.", (), float(len(report.waivers)))
    family = _family("waiver_expiry_timestamp_seconds", "When the day after a waiver's last one begins, UTC.")
    ends: dict[tuple[str, str | None], float] = {}
    for waiver in report.waivers:
        key = waiver.check, waiver.service
        end = datetime.fromordinal(waiver.until.toordinal()).replace(tzinfo=report.taken_at.tzinfo).timestamp()
        ends[key] = min(ends.get(key, float("inf")), end + 86400)
    for labels, end in ends.items():
        _add(family, labels, end)
    yield family


def _sources(report: Report) -> Iterator[Metric]:
    up = _family("source_up", "1 when a source that was asked for could be read, else 0.")
    took = _family("source_duration_seconds", "How long reading a source took.")
    for source in report.sources:
        labels = source.name, source.environment
        if source.state != "not_asked":
            _add(up, labels, float(source.state == "ok"))
        if source.duration is not None:
            _add(took, labels, source.duration)
    yield up
    yield took


def _hosts(hosts: Iterable[Host]) -> Iterator[Metric]:
    memory = _family("host_memory_bytes", "Memory of the machine that an engine runs on.")
    cpus = _family("host_cpus", "Processors of the machine that an engine runs on.")
    for host in hosts:
        for family, value in ((memory, host.memory), (cpus, host.cpus)):
            if value:
                _add(family, (host.source, host.environment), value)
    yield memory
    yield cpus


def _checks(report: Report) -> Iterator[Metric]:
    crashed = sum(tally.error is not None for tally in report.checks)
    yield _gauge("check_errors", "Checks that crashed in the latest scan.", (), float(crashed))
    skipped = sum(tally.skipped is not None for tally in report.checks)
    yield _gauge("checks_skipped", "Checks that did not run, because a source was missing.", (), float(skipped))


# --- one service --------------------------------------------------------------------------------------------------

_SERVICE_FAMILIES: Mapping[str, str] = {
    "service_info": "What the catalogue says of a service; always 1.",
    "service_health": "1 for the verdict that holds, 0 for the others.",
    "service_rung": "1 proved, 0 disproved; absent where not required or unknown.",
    "service_rung_unknown": "1 where a required rung could not be judged.",
    "service_coverage_ratio": "Proved required rungs of those that were assessed, 0 to 1; absent if unknown.",
    "service_findings": "Open findings of a service.",
    "probe_success": "1 when a probe's question was answered as expected, 0 when not; absent if it could not be asked.",
    "container_memory_usage_bytes": "Memory in use: the working set, without the cache that the kernel would give up.",
    "container_memory_limit_bytes": "Memory limit; absent without one.",
    "container_health": "1 healthy, 0 unhealthy by its own health check; absent without one or before its first word.",
    "container_cpu_ratio": "Processors in use, of those that it may use, 0 to 1; absent before the second sample.",
    "container_pids": "Processes and threads.",
}
# The same, for what only grows.
_SERVICE_COUNTERS: Mapping[str, str] = {
    "container_restarts": "Restarts that the engine counted.",
    "container_cpu_usage_seconds": "Seconds that processors worked for it.",
    "container_network_receive_bytes": "Bytes that came in over its networks.",
    "container_network_transmit_bytes": "Bytes that went out over its networks.",
    "container_block_read_bytes": "Bytes read from block devices.",
    "container_block_written_bytes": "Bytes written to block devices.",
}
_BESIDES = frozenset({"container_pids", *(name for name in _SERVICE_COUNTERS if "_bytes" in name)})
Sample = tuple[str, tuple[str | None, ...], float]


def _services(report: Report, budget: int) -> Iterator[Metric]:
    families: dict[str, Metric] = {name: _family(name, text) for name, text in _SERVICE_FAMILIES.items()}
    families |= {
        name: CounterMetricFamily(f"auditor_{name}", text, labels=_OF_CONTAINER)
        for name, text in _SERVICE_COUNTERS.items()
    }
    left = min(budget, PER_SERVICE * len(report.services) + BESIDE) - BESIDE
    services = sorted(report.services, key=lambda item: (_ORDER[item.criticality], item.environment, item.name))
    facts = _Facts(report)
    described = [list(_samples(service, facts)) for service in services]
    truncated = 0
    if (total := sum(map(len, described))) > left:
        described = [[sample for sample in samples if sample[0] not in _BESIDES] for samples in described]
        truncated = total - sum(map(len, described))
    seen: set[tuple[str, ...]] = set()  # names that differ in what is cleaned away would be one series twice
    for samples in described:
        if len(samples) > left:
            truncated += len(samples)
            left = 0  # what stands behind is folded too: which services have series must not depend on their size
            continue
        left -= len(samples)
        for name, labels, value in samples:
            cleaned = name, *map(_label, labels)
            if cleaned not in seen:
                seen.add(cleaned)
                families[name].add_metric(cleaned[1:], value)  # type: ignore[attr-defined]
    yield from families.values()
    yield _gauge("series_truncated", "Series left out because the budget is spent.", (), float(truncated))


class _Facts:
    """The report's findings, probes and containers by service."""

    def __init__(self, report: Report) -> None:
        self.findings = Counter(
            (item.environment, item.service, item.severity) for item in report.findings if is_open(item)
        )
        self.probes: dict[tuple[str, str], dict[str, bool]] = {}
        for probe in report.probes:
            if probe.outcome != "unknown":
                answers = self.probes.setdefault((probe.environment, probe.service), {})
                name = f"{probe.kind} {probe.target}"
                answers[name] = answers.get(name, True) and probe.outcome == "success"
        self.containers = {(item.environment, item.name): item for item in report.containers}
        self.usages = {(item.environment, item.container): item for item in report.usages}

    def containers_of(self, service: ServiceReport) -> Iterator[Container]:
        for name in dict.fromkeys(service.containers):
            if found := self.containers.get((service.environment, name)):
                yield found


def _samples(service: ServiceReport, facts: _Facts) -> Iterator[Sample]:
    own = service.name, service.environment
    described = service.category, service.tier, service.criticality, service.owner
    yield "service_info", (*own, *described), 1.0
    for verdict in Verdict:
        yield "service_health", (*own, verdict), float(service.verdict is verdict)
    for name, rung in service.rungs.items():
        if rung.state is RungState.PROVED:
            yield "service_rung", (*own, name), 1.0
        elif rung.required and rung.state is RungState.DISPROVED:
            yield "service_rung", (*own, name), 0.0
        elif rung.required and rung.state is RungState.UNKNOWN:
            yield "service_rung_unknown", (*own, name), 1.0
    if service.coverage is not None:
        yield "service_coverage_ratio", own, service.coverage
    for severity in Severity:
        yield "service_findings", (*own, severity), facts.findings[service.environment, service.name, severity]
    for probe, success in facts.probes.get((service.environment, service.name), {}).items():
        yield "probe_success", (*own, probe), float(success)
    for container in facts.containers_of(service):
        yield from _container(
            container, facts.usages.get((container.environment, container.id)), (*own, container.name)
        )


def _container(container: Container, usage: Usage | None, labels: tuple[str, ...]) -> Iterator[Sample]:
    values: dict[str, float | None] = {
        "memory_usage_bytes": container.memory_usage,
        "memory_limit_bytes": container.memory_limit or None,
        "restarts": container.restarts,
        "health": _HEALTH.get(container.health),
    }
    if usage:
        values |= {name: value for name, value in _used(usage).items() if value is not None}
    for name, value in values.items():
        if value is not None:
            yield f"container_{name}", labels, value


def _used(usage: Usage) -> Mapping[str, float | None]:
    return {
        "memory_usage_bytes": usage.memory,
        "memory_limit_bytes": usage.memory_limit or None,
        "cpu_usage_seconds": usage.cpu_seconds,
        "cpu_ratio": usage.cpu_ratio,
        "pids": usage.pids,
        "network_receive_bytes": usage.network_received,
        "network_transmit_bytes": usage.network_sent,
        "block_read_bytes": usage.block_read,
        "block_written_bytes": usage.block_written,
    }
