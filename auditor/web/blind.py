"""A report that nobody may take for the present any more: its states are unknown, and it says why."""

from __future__ import annotations

from dataclasses import replace

from auditor.model import Report, Rung, RungState, ServiceReport, SourceState, Verdict


def blind(report: Report, why: str) -> Report:
    """`report` without any claim about now: verdicts and rungs unknown, no coverage, every source that was read stale.

    What is not required stays so; findings and alerts stay listed as last seen.
    """
    return replace(
        report,
        complete=False,
        coverage=None,
        assessed=None,
        sources=tuple(_stale(source, why) for source in report.sources),
        services=tuple(_unknown(service, why) for service in report.services),
        probes=(),
        containers=(),
        usages=(),
    )


def _stale(source: SourceState, why: str) -> SourceState:
    return replace(source, state="stale", detail=why) if source.state == "ok" else source


def _unknown(service: ServiceReport, why: str) -> ServiceReport:
    return replace(
        service,
        verdict=Verdict.UNKNOWN,
        coverage=None,
        assessed=None,
        rungs={name: _unseen(rung, why) for name, rung in service.rungs.items()},
        health="unknown",
        memory_bytes=None,
        cpu_ratio=None,
        response_seconds=None,
        reasons=(why,),
    )


def _unseen(rung: Rung, why: str) -> Rung:
    if rung.state is RungState.NOT_REQUIRED:
        return rung
    return Rung(RungState.UNKNOWN, rung.required, why, rung.evidence)
