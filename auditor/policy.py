"""What is judged and what counts: selected checks, severities, waivers, baseline, and the gate's exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field

from auditor import registry
from auditor.errors import CatalogueError, SettingsError, UsageError, did_you_mean
from auditor.frozen import dataclass
from auditor.model import Catalogue, CheckConfig, Finding, Report, Severity, Waiver
from auditor.registry import Check
from auditor.settings import Settings

GAP_THEMES = frozenset({"gaps", "claims", "drift", "health", "observability"})
# Whatever is selected, evidence that could not be read is said.
ALWAYS = frozenset({"invalid-yaml", "invalid-compose", "duplicate-key"})
# Warnings that a first run on a decent stack can do without.
NOT_RECOMMENDED = frozenset(
    {
        "root-user",
        "port-on-all-interfaces",
        "custom-cgroup-parent",
        "shared-mount-propagation",
        "data-not-persisted",
        "no-probe",
        "no-owner",
        "no-runbook",
    }
)


def _gaps(item: Check) -> bool:
    return item.theme in GAP_THEMES


def _recommended(item: Check) -> bool:
    if item.id in NOT_RECOMMENDED:
        return False
    return _gaps(item) or item.theme == "catalogue" or item.severity is not Severity.INFO


PROFILES: Mapping[str, Callable[[Check], bool]] = {
    "gaps": _gaps,
    "recommended": _recommended,
    "all": lambda item: item.theme != "style",
    "style": lambda item: item.theme == "style",
}
DEFAULT_PROFILE = "recommended"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the engine is told: the checks to run, what is set for them, and what was accepted before."""

    checks: tuple[Check, ...]
    severities: Mapping[str, Severity] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    baseline: frozenset[str] | None = None  # fingerprints


def build(catalogue: Catalogue | None, settings: Settings, baseline: frozenset[str] | None = None) -> Policy:
    """The policy of one run. Raises UsageError or CatalogueError for a check, profile or option that does not exist."""
    configs = catalogue.checks if catalogue else ()
    path = catalogue.path if catalogue else None
    selected = _names(settings.select, UsageError, None) or _names(catalogue.select if catalogue else (), _bad, path)
    ignored = _names(settings.ignore, UsageError, None)
    ignored |= _names(catalogue.ignore if catalogue else (), _bad, path)
    chosen = selected or frozenset({DEFAULT_PROFILE})
    for config in configs:
        _known(config.check, _bad, config.location.path, config.location.line)
        _check_options(config)
    for waiver in _waivers(catalogue):
        _known(waiver.check, _bad, waiver.location.path, waiver.location.line)
    checks = tuple(item for item in registry.checks().values() if _runs(item, chosen, ignored))
    current = registry.formerly()
    return Policy(
        checks,
        {current.get(c.check, c.check): c.severity for c in configs if c.severity},
        {current.get(c.check, c.check): c.options for c in configs if c.options},
        baseline,
    )


def _waivers(catalogue: Catalogue | None) -> Iterable[Waiver]:
    if catalogue is None:
        return ()
    return (*catalogue.waivers, *(waiver for entry in catalogue.entries for waiver in entry.waivers))


def _runs(item: Check, chosen: frozenset[str], ignored: frozenset[str]) -> bool:
    if item.id in ALWAYS:
        return True
    if item.id in ignored or any(PROFILES[name](item) for name in ignored if name in PROFILES):
        return False
    return item.id in chosen or any(PROFILES[name](item) for name in chosen if name in PROFILES)


_Error = Callable[..., UsageError | CatalogueError]
_bad: _Error = CatalogueError


def _names(words: tuple[str, ...], error: _Error, path: str | None) -> frozenset[str]:
    current = registry.formerly()
    for word in words:
        if word not in PROFILES:
            _known(word, error, path, None)
    return frozenset(current.get(word, word) for word in words)


def _known(name: str, error: _Error, path: str | None, line: int | None) -> None:
    known = {*registry.checks(), *registry.formerly()}
    if name not in known:
        help = did_you_mean(name, {*known, *PROFILES}) or "`auditor checks` lists them, and the profiles"
        raise error(f"no check is called `{name}`", path=path, line=line, help=help)


def _check_options(config: CheckConfig) -> None:
    item = registry.checks()[registry.formerly().get(config.check, config.check)]
    for name, value in config.options.items():
        path, line = config.location.path, config.location.line
        if name not in item.options:
            hint = did_you_mean(name, item.options) if item.options else "it has no options"
            raise CatalogueError(f"check `{item.id}` has no option `{name}`", path=path, line=line, help=hint)
        default = item.options[name]
        expected = (int, float) if isinstance(default, float) else type(default)
        if isinstance(value, bool) is not isinstance(default, bool) or not isinstance(value, expected):
            raise CatalogueError(f"option `{name}` of check `{item.id}` is not like `{default}`", path=path, line=line)


# --- waivers -----------------------------------------------------------------------------------------------------


def covers(waiver: Waiver, finding: Finding, problem_field: str | None) -> bool:
    """Whether a waiver that still holds accepts a finding."""
    check = registry.formerly().get(waiver.check, waiver.check)
    if check != finding.check or waiver.service not in (None, finding.service):
        return False
    if waiver.field is None or waiver.field == problem_field:
        return True
    # `environment` stands for all that is below it, and a bare `DB_PASSWORD` for `environment.DB_PASSWORD`.
    path = problem_field or ""
    return path.startswith(f"{waiver.field}.") or path.partition(".")[2] == waiver.field


# --- baseline ----------------------------------------------------------------------------------------------------

BASELINE_SCHEMA = "stack-auditor/baseline/1"


def write_baseline(report: Report) -> bytes:
    """The open findings of a report as a baseline file."""
    items = [
        {
            "fingerprint": finding.fingerprint,
            "check": finding.check,
            "service": finding.service,
            "environment": finding.environment,
            "message": finding.message,
        }
        for finding in report.findings
        if finding.waiver is None
    ]
    text = json.dumps({"schema": BASELINE_SCHEMA, "findings": items}, indent=2, ensure_ascii=True)
    return (text + "\n").encode()


def read_baseline(data: bytes, path: str) -> frozenset[str]:
    """The fingerprints of a baseline file. Raises SettingsError."""
    try:
        content = json.loads(data)
        if content["schema"] != BASELINE_SCHEMA:
            raise SettingsError(f"its schema is not `{BASELINE_SCHEMA}`", path=path)
        return frozenset(str(item["fingerprint"]) for item in content["findings"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SettingsError("it is not a baseline file", path=path, help="write one with --write-baseline") from error


# --- the gate ----------------------------------------------------------------------------------------------------

_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def failing(report: Report, fail_on: Severity) -> list[Finding]:
    """The open findings that are at least as bad as `fail_on`."""
    return [
        finding
        for finding in report.findings
        if finding.waiver is None and not finding.baselined and _RANK[finding.severity] <= _RANK[fail_on]
    ]


def gate(report: Report, settings: Settings) -> int:
    """The gate's exit code: 3 incomplete, 1 findings or too little coverage, 0 clean."""
    if not report.complete:
        return 3
    if failing(report, settings.fail_on):
        return 1
    if settings.min_coverage is not None and (report.coverage or 0.0) * 100 < settings.min_coverage:
        return 1
    return 0
