"""Values for tests: a project's files in memory, and reports built by hand."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from auditor.errors import EvidenceError
from auditor.model import (
    RUNGS,
    CheckTally,
    Criticality,
    Evidence,
    Finding,
    Location,
    Report,
    Rung,
    RungState,
    ServiceReport,
    Severity,
    SourceState,
    Summary,
    Verdict,
)
from auditor.sources.tree import SKIPPED, matches


class MemoryTree:
    """A Tree over a mapping of path to content."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.files: list[str] = []

    def read(self, path: str) -> bytes:
        if path not in self._files:
            raise EvidenceError(f"cannot read `{path}`: no such file", path=path)
        if path not in self.files:
            self.files.append(path)
        return self._files[path]

    def exists(self, path: str) -> bool:
        return path in self._files or path in ("", ".") or any(name.startswith(path + "/") for name in self._files)

    def glob(self, pattern: str) -> list[str]:
        wanted = pattern.split("/")
        return sorted(
            path
            for path in self._files
            if matches(wanted, path.split("/")) and not SKIPPED.intersection(path.split("/")[:-1])
        )

    def relative(self, path: str) -> str:
        return posixpath.relpath(path, "/root")


NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def rungs(**states: str) -> dict[str, Rung]:
    """All ten rungs, proved and required where nothing else is said: `rungs(running="disproved")`."""
    return {
        name: Rung(
            state := RungState(states.get(name, "proved")),
            required=state is not RungState.NOT_REQUIRED,
            reason=None if state is RungState.PROVED else f"{name} is {state}",
            evidence=(Evidence("compose", f"{name} seen", "compose.yaml", 3),) if state is RungState.PROVED else (),
        )
        for name in RUNGS
    }


def service(name: str, environment: str = "prod", **fields: Any) -> ServiceReport:
    """One healthy, fully covered service; `fields` replace what is given."""
    defaults: dict[str, Any] = {
        "category": "core",
        "tier": "app",
        "criticality": Criticality.STANDARD,
        "owner": "platform",
        "declared": True,
        "verdict": Verdict.HEALTHY,
        "coverage": 1.0,
        "assessed": 1.0,
        "rungs": rungs(),
    }
    return ServiceReport(name, environment, **defaults | fields)


def finding(check: str, service: str | None = "web", environment: str | None = "prod", **fields: Any) -> Finding:
    """One warning at `compose.yaml:7`; its fingerprint follows from check, environment and service."""
    defaults: dict[str, Any] = {
        "severity": Severity.WARNING,
        "message": f"{check} on {service}",
        "fix": "Mend it.",
        "locations": (Location("compose.yaml", 7),),
        "evidence": (Evidence("compose", "seen so", "compose.yaml", 7),),
        "fingerprint": f"{check}/{environment}/{service}",
    }
    return Finding(check=check, service=service, environment=environment, **defaults | fields)


def report(services: tuple[ServiceReport, ...] = (), findings: tuple[Finding, ...] = (), **fields: Any) -> Report:
    """A complete report of noon on 1 March 2026 for `prod`; the summary and the tallies follow from the findings."""
    counted = [item.severity for item in findings if item.waiver is None and not item.baselined]
    defaults: dict[str, Any] = {
        "taken_at": NOON,
        "environment": "prod",
        "environments": ("prod",),
        "complete": True,
        "sources": (SourceState("catalogue", "ok"), SourceState("compose", "ok", environment="prod", duration=0.01)),
        "coverage": 1.0,
        "assessed": 1.0,
        "summary": Summary(
            **{severity.value: counted.count(severity) for severity in Severity},
            waived=sum(item.waiver is not None for item in findings),
            baselined=sum(item.baselined for item in findings),
        ),
        "services": services,
        "findings": findings,
        "checks": tuple(CheckTally(check, failed=1) for check in sorted({item.check for item in findings})),
        "system": "shop",
    }
    return Report(**defaults | fields)
