"""Runs the checks over a snapshot and stamps what they find; one cause is one finding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from auditor import drift, ladder, others
from auditor.hashing import sha256
from auditor.inventory import Service, Snapshot, WaiverUse
from auditor.model import (
    CheckTally,
    Container,
    Criticality,
    Definition,
    Evidence,
    Fault,
    Finding,
    Location,
    Report,
    ServiceReport,
    Severity,
    SourceState,
    Summary,
    Waiver,
)
from auditor.policy import Policy, covers
from auditor.registry import ByCriticality, Check, Problem, formerly

# Of several checks that saw the same cause, the one that says most. What loses becomes evidence of the winner.
PRECEDENCE = (
    "undefined-dependency",
    "duplicate-container-name",
    "duplicate-key",
    "invalid-compose",
    "composed-elsewhere",
    "configured-not-deployed",
    "implemented-not-deployed",
    "referenced-not-deployed",
    "external-only",
    "declared-not-composed",
    "alertmanager-missing",
    "exporter-missing",
    "log-shipper-missing",
    "logs-not-shipped",
    "claimed-not-composed",
    "oom-killed",
    "exited-with-error",
    "restart-loop",
    "port-taken",
    "process-not-running",
    "composed-not-running",
    "unhealthy-service",
    "degraded-service",
    "logs-stale",
    "memory-high",
    "limit-undersized",
    "phantom-target",
    "target-unreachable",
    "target-port-wrong",
    "target-down",
    "not-scraped",
    "alertmanager-not-connected",
    "rule-invalid",
    "rules-not-loaded",
    "datasource-dead",
    "dead-alert",
    "no-alert",
    "receiver-placeholder",
    "alert-not-routed",
    "dashboard-dead-panel",
    "no-dashboard",
    "tracing-not-connected",
    "running-not-declared",
    "running-not-composed",
    "default-secret",
    "secret-in-environment",
    "database-port-published",
    "admin-port-published",
    "tier-violation",
    "port-on-all-interfaces",
)
_ORDER = {name: rank for rank, name in enumerate(PRECEDENCE)}
_SEVERITY_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}
CRITICAL_CAP = 0.99  # coverage of a service with a critical finding


class _Found(NamedTuple):
    """A finding on its way: with what grouping and waiving still need."""

    finding: Finding
    cause: str | None
    field: str | None


def audit(snapshot: Snapshot, policy: Policy) -> Report:
    """The report of a snapshot. Pure: the same snapshot and policy give the same report."""
    tallies: dict[str, CheckTally] = {}
    found: list[_Found] = []
    for check in policy.checks:
        if check.subject is not WaiverUse:
            found += _run(check, snapshot, policy, _subjects(check, snapshot), tallies)
    found = _waive(_merge(found), snapshot)
    uses = _waiver_uses(found, snapshot, tallies)
    for check in policy.checks:
        if check.subject is WaiverUse:
            found += _run(check, snapshot, policy, uses, tallies)
    findings = tuple(sorted(_baselined((item.finding for item in found), policy), key=_sort_key))
    services, total = _services(snapshot, findings)
    return Report(
        taken_at=snapshot.taken_at,
        environment=snapshot.environments[0] if len(snapshot.environments) == 1 else None,
        environments=snapshot.environments,
        complete=_complete(snapshot, tallies.values()),
        sources=others.counted(snapshot),
        coverage=_capped(total.coverage, findings),
        assessed=total.assessment,
        summary=_summary(findings),
        services=services,
        findings=findings,
        checks=tuple(sorted(tallies.values(), key=lambda tally: tally.id)),
        system=snapshot.catalogue.system if snapshot.catalogue else None,
        files=snapshot.files,
        alerts=snapshot.alerts,
        notes=(*_paid_off(findings, policy), *_not_compared(snapshot, policy), *others.notes(snapshot)),
        probes=snapshot.probes,
        containers=snapshot.containers,
        waivers=_all_waivers(snapshot),
        usages=snapshot.usages,
        hosts=snapshot.hosts,
        peaks=snapshot.peaks,
    )


# --- running checks ----------------------------------------------------------------------------------------------


def _subjects(check: Check, snapshot: Snapshot) -> Sequence[object]:
    """What a check judges. A fault names its check: it is no other's subject."""
    subjects = snapshot.subjects(check.subject)
    if check.subject is Fault:
        return [fault for fault in subjects if isinstance(fault, Fault) and fault.check == check.id]
    return _composed(snapshot) if check.theme in _WHATEVER_RUNS and check.subject is Definition else subjects


# Themes for which a service counts that only a profile would start.
_WHATEVER_RUNS = frozenset({"images", "security", "style"})


def _composed(snapshot: Snapshot) -> Sequence[object]:
    """The services that become containers, then those that only a profile would make into some."""
    if "composed" not in snapshot.memo:
        found = (definition for name in snapshot.environments for definition in snapshot.definitions(name).values())
        inactive = (definition for definition in found if not definition.active and not definition.provider)
        snapshot.memo["composed"] = (*snapshot.subjects(Definition), *inactive)
    composed: Sequence[object] = snapshot.memo["composed"]
    return composed


def _run(
    check: Check, snapshot: Snapshot, policy: Policy, subjects: Sequence[object], tallies: dict[str, CheckTally]
) -> list[_Found]:
    options = policy.options.get(check.id, {})
    found: list[_Found] = []
    passed = failed = 0
    skips = {name: _skip(check, snapshot, name) for name in _environments(check, subjects, snapshot)}
    judged = subjects
    if any(skips.values()):
        judged = [subject for subject in subjects if not skips[_environment_of(subject)]]
    run = partial(check.run, **options) if options else check.run
    for subject in judged:
        try:
            problems = list(run(subject, snapshot))
        except Exception as error:  # a crash of one check must hide no other
            tallies[check.id] = CheckTally(check.id, passed, failed, error=f"{type(error).__name__}: {error}"[:300])
            return found
        if problems:
            failed += 1
            found += [_stamp(check, problem, subject, snapshot, policy) for problem in problems]
        else:
            passed += 1
    why = next(filter(None, skips.values()), None) if not passed and not failed else None
    if not subjects:
        why = next((r for name in snapshot.environments if (r := _skip(check, snapshot, name))), None)
    tallies[check.id] = CheckTally(check.id, passed, failed, skipped=why)
    return found


def _environments(check: Check, subjects: Sequence[object], snapshot: Snapshot) -> Iterable[str | None]:
    """Those of the subjects, each once. Most checks share their subjects with many others."""
    if check.subject in (Fault, WaiverUse):
        return dict.fromkeys(map(_environment_of, subjects))
    known: dict[tuple[type, bool], dict[str | None, None]] = snapshot.memo.setdefault("environments", {})
    shared = check.subject, check.theme in _WHATEVER_RUNS
    if shared not in known:
        known[shared] = dict.fromkeys(map(_environment_of, subjects))
    return known[shared]


def _environment_of(subject: object) -> str | None:
    return getattr(subject, "environment", None)


def _skip(check: Check, snapshot: Snapshot, environment: str | None) -> str | None:
    """Why a check cannot judge, or None. A subject without environment asks for the judged environments' sources."""
    environments = (environment,) if environment else snapshot.environments
    unread = (_unread(need, snapshot, environments) for need in check.needs)
    if reason := next(filter(None, unread), None):
        return reason
    reasons = [_unread(source, snapshot, environments) for source in check.either]
    if not reasons or None in reasons:
        return None
    return next((reason for reason in reasons if reason and not reason.endswith(NOT_ASKED)), reasons[0])


NOT_ASKED = "not asked"


def _unread(source: str, snapshot: Snapshot, environments: Sequence[str]) -> str | None:
    """Why a source says nothing of any of the environments, or None."""
    if source == "catalogue":
        return None if snapshot.catalogue else f"{source}: {NOT_ASKED}"
    states = [snapshot.source(source, name) for name in environments] or [SourceState(source, "not_asked")]
    if any(state.state == "ok" for state in states):
        return None
    state = states[0]
    return f"{source}: {NOT_ASKED if state.state == 'not_asked' else state.detail or state.state}"


class _About(NamedTuple):
    """A subject and what a finding about it says where the problem does not."""

    subject: object
    environment: str | None
    name: str | None
    service: Service | None


def _about(subject: object, snapshot: Snapshot) -> _About:
    """Known by identity: one subject is judged by many checks, and each that fails asks."""
    known: dict[int, _About] = snapshot.memo.setdefault("about", {})
    found = known.get(id(subject))
    if found is None:
        environment = _environment_of(subject)
        name = _service_name(subject, environment, snapshot)
        service = snapshot.service(environment, name) if environment and name else None
        found = known[id(subject)] = _About(subject, environment, name, service)
    return found


def _stamp(check: Check, problem: Problem, subject: object, snapshot: Snapshot, policy: Policy) -> _Found:
    _, environment, name, service = _about(subject, snapshot)
    if problem.service or problem.environment:
        environment = problem.environment or environment
        name = problem.service or _service_name(subject, environment, snapshot)
        service = snapshot.service(environment, name) if environment and name else None
    severity = policy.severities.get(check.id) or problem.severity or _severity(check, service)
    expected = _expected(check.id, service)
    evidence = problem.evidence
    if expected and severity is not Severity.INFO:
        severity = Severity.INFO
        evidence = (*evidence, Evidence("knowledge", expected))
    if isinstance(subject, Definition) and not subject.active and check.id not in policy.severities:
        severity = severity if check.id == "secret-in-environment" else Severity.INFO  # a secret is told by the file
        place = subject.place("profiles")
        said = f"no profile of `{subject.name}` is active ({', '.join(subject.profiles)})"
        evidence = (*evidence, Evidence("compose", said, place.path, place.line))
    finding = Finding(
        check=check.id,
        severity=severity,
        service=name,
        environment=environment,
        message=problem.message,
        fix=problem.fix or check.fix,
        locations=problem.locations or _default_location(subject),
        evidence=evidence,
        fingerprint=fingerprint(check.id, environment, name, problem.key),
    )
    return _Found(finding, problem.cause, problem.field)


_NAMING_A_SERVICE = (Definition, Container, Fault)


def _service_name(subject: object, environment: str | None, snapshot: Snapshot) -> str | None:
    if isinstance(subject, Service):
        return subject.name
    name = getattr(subject, "service", None) or getattr(subject, "name", None)
    if not isinstance(name, str) or environment is None:
        return name if isinstance(name, str) and hasattr(subject, "criticality") else None
    return snapshot.known_as(environment, name) if isinstance(subject, _NAMING_A_SERVICE) else None


def _default_location(subject: object) -> tuple[Location, ...]:
    location = getattr(subject, "location", None)
    return (location,) if isinstance(location, Location) else ()


def _severity(check: Check, service: Service | None) -> Severity:
    if isinstance(check.severity, ByCriticality):
        critical = service is not None and service.criticality is Criticality.CRITICAL
        return Severity.CRITICAL if critical else Severity.WARNING
    return check.severity


def _expected(check: str, service: Service | None) -> str | None:
    component = service.component if service else None
    if component is not None:
        for item in component.expects:
            if item.check == check:
                return item.reason
    return None


_SHA256 = sha256()  # a copy of it is made in half the time


def fingerprint(check: str, environment: str | None, service: str | None, key: str) -> str:
    """32 hex digits that say "the same problem": no path, no line, no wording."""
    text = "\0".join((check, environment or "", service or "", key))
    digest = _SHA256.copy()
    digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


# --- one cause, one finding --------------------------------------------------------------------------------------


def _merge(found: Iterable[_Found]) -> list[_Found]:
    groups: dict[tuple[str | None, str], list[_Found]] = defaultdict(list)
    alone: list[_Found] = []
    for item in found:
        if item.cause is None:
            alone.append(item)
        else:
            groups[item.finding.environment, item.cause].append(item)
    return alone + [_winner(group) for group in groups.values()]


def _rank(item: _Found) -> tuple[int, str, str, str]:
    """Who wins: by check, then by name, so that the order of files and services decides nothing."""
    finding = item.finding
    return _ORDER.get(finding.check, len(_ORDER)), finding.check, finding.service or "", finding.fingerprint


def _winner(group: list[_Found]) -> _Found:
    first, *rest = sorted(group, key=_rank)
    if not rest:
        return first
    evidence = [*first.finding.evidence]
    locations = [*first.finding.locations]
    for loser in rest:
        finding = loser.finding
        place = finding.locations[0] if finding.locations else None
        said = Evidence(finding.check, finding.message, place.path if place else None, place.line if place else None)
        evidence += [said, *finding.evidence]
        locations += finding.locations
    severity = min((item.finding.severity for item in group), key=_SEVERITY_RANK.__getitem__)
    distinct = tuple(dict.fromkeys(evidence))
    merged = replace(first.finding, evidence=distinct, locations=tuple(dict.fromkeys(locations)), severity=severity)
    return first._replace(finding=merged)


# --- waivers and baseline ----------------------------------------------------------------------------------------


def _all_waivers(snapshot: Snapshot) -> tuple[Waiver, ...]:
    if snapshot.catalogue is None:
        return ()
    of_entries = (waiver for entry in snapshot.catalogue.entries for waiver in entry.waivers)
    return (*of_entries, *snapshot.catalogue.waivers)


def _waive(found: list[_Found], snapshot: Snapshot) -> list[_Found]:
    today = snapshot.taken_at.date()
    valid: _Ranked = defaultdict(list)
    for rank, waiver in enumerate(_all_waivers(snapshot)):
        if waiver.until >= today:
            valid[formerly().get(waiver.check, waiver.check), waiver.service].append((rank, waiver))
    return [_waived(item, valid) for item in found] if valid else found


_Ranked = dict[tuple[str, str | None], list[tuple[int, Waiver]]]  # by check and service, each with its place in line


def _waived(item: _Found, valid: _Ranked) -> _Found:
    check, service = item.finding.check, item.finding.service
    asked = {(check, None), (check, service)}
    ranked = sorted((pair for key in asked for pair in valid.get(key, ())), key=lambda pair: pair[0])
    waiver = next((waiver for _, waiver in ranked if covers(waiver, item.finding, item.field)), None)
    return item._replace(finding=replace(item.finding, waiver=waiver)) if waiver else item


def _waiver_uses(found: list[_Found], snapshot: Snapshot, tallies: Mapping[str, CheckTally]) -> tuple[WaiverUse, ...]:
    used: Mapping[int, int] = defaultdict(int, _counted(id(item.finding.waiver) for item in found))
    return tuple(
        WaiverUse(waiver, used[id(waiver)], _could_be_used(waiver, snapshot, tallies))
        for waiver in _all_waivers(snapshot)
    )


def _could_be_used(waiver: Waiver, snapshot: Snapshot, tallies: Mapping[str, CheckTally]) -> bool:
    """Whether the waiver's check ran, and its service stands in no environment that was left out."""
    tally = tallies.get(formerly().get(waiver.check, waiver.check))
    if tally is None or tally.skipped or tally.error:
        return False
    left_out = [p.environment for p in snapshot.projects if p.environment not in snapshot.environments]
    return not any(waiver.service is None or snapshot.entry(name, waiver.service) for name in left_out)


def _counted(keys: Iterable[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return counts


def _baselined(findings: Iterable[Finding], policy: Policy) -> Iterator[Finding]:
    known = policy.baseline or frozenset()
    for finding in findings:
        yield replace(finding, baselined=True) if finding.fingerprint in known else finding


def _not_compared(snapshot: Snapshot, policy: Policy) -> tuple[str, ...]:
    """What drift could not judge, where it was asked for."""
    return drift.notes(snapshot) if any(check.theme == "drift" for check in policy.checks) else ()


def _paid_off(findings: tuple[Finding, ...], policy: Policy) -> tuple[str, ...]:
    if not policy.baseline:
        return ()
    gone = len(policy.baseline - {finding.fingerprint for finding in findings})
    if not gone:
        return ()
    return (f"{gone} of {len(policy.baseline)} baseline entries are paid off and can be removed from the file",)


# --- sums --------------------------------------------------------------------------------------------------------


def _sort_key(finding: Finding) -> tuple[object, ...]:
    place = finding.locations[0] if finding.locations else Location("", 0)
    return (
        _SEVERITY_RANK[finding.severity],
        finding.environment or "",
        finding.service or "",
        finding.check,
        place.path,
        place.line or 0,
        finding.message,
    )


def _summary(findings: tuple[Finding, ...]) -> Summary:
    counts = dict.fromkeys(Severity, 0)
    waived = baselined = 0
    for finding in findings:
        if finding.waiver:
            waived += 1
        elif finding.baselined:
            baselined += 1
        else:
            counts[finding.severity] += 1
    return Summary(counts[Severity.CRITICAL], counts[Severity.WARNING], counts[Severity.INFO], waived, baselined)


def _services(snapshot: Snapshot, findings: tuple[Finding, ...]) -> tuple[tuple[ServiceReport, ...], ladder.Count]:
    critical = {
        (finding.environment, finding.service)
        for finding in findings
        if finding.severity is Severity.CRITICAL and finding.waiver is None and not finding.baselined
    }
    reports = []
    total = ladder.Count()
    for service in snapshot.services:
        described, counted = ladder.describe(service, snapshot)
        total = total + counted
        if (service.environment, service.name) in critical and described.coverage is not None:
            described = replace(described, coverage=min(described.coverage, CRITICAL_CAP))
        reports.append(described)
    return tuple(reports), total


def _capped(coverage: float | None, findings: tuple[Finding, ...]) -> float | None:
    if coverage is None:
        return None
    open_critical = any(
        finding.severity is Severity.CRITICAL and not finding.waiver and not finding.baselined for finding in findings
    )
    return min(coverage, CRITICAL_CAP) if open_critical else coverage


def _complete(snapshot: Snapshot, tallies: Iterable[CheckTally]) -> bool:
    return all(state.state not in ("failed", "stale") for state in snapshot.sources) and not any(
        tally.error for tally in tallies
    )
