"""`audit`, `gate` and `snapshot`: look once, and say what follows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli import options, output

if TYPE_CHECKING:
    from auditor.model import Report
    from auditor.settings import Settings

_LIVE = ("docker", "prometheus", "alertmanager", "file", "offline")


@click.command(
    epilog="""\b
Examples:
  auditor audit
  auditor audit -f docker-compose.yml --format json --output report.json
  auditor audit --docker env --environment all"""
)
@options.evidence
@options.judgement
@options.output("text", "json")
@click.option("--snapshot", metavar="FILE", help="Judge evidence that `snapshot` saved, instead of looking.")
@click.option("--write-baseline", metavar="FILE", help="Write all open findings as a baseline for `gate`.")
@click.option(
    "--fix", is_flag=True, help="First write the documents' regions between `<!-- auditor:... -->` marks anew."
)
@options.talk
def audit(form: str, target: str | None, write_baseline: str | None, fix: bool, **flags: Any) -> int:
    """Say for each service how far the evidence goes and where it stops.

    Exits 0 whatever it finds, 2 for a wrong option or catalogue, 3 if something that was asked could not be read.
    """
    if fix:
        _fix(flags)
    report, _ = _report(flags)
    if write_baseline:
        _write_baseline(report, write_baseline)
    show(report, form, target, verbose=flags["verbose"])
    return explain_incomplete(report)


@click.command(
    epilog="""\b
Examples:
  auditor gate
  auditor gate --fail-on critical --baseline auditor-baseline.json
  auditor gate --min-coverage 80"""
)
@options.evidence
@options.judgement
@click.option("--fail-on", type=click.Choice(["critical", "warning", "info"]), help="Default: warning.")
@click.option("--baseline", metavar="FILE", help="Findings that are known and do not count.")
@click.option("--min-coverage", type=click.FloatRange(0, 100), metavar="PERCENT", help="Least coverage that passes.")
@options.output("text", "json")
@click.option("--snapshot", metavar="FILE", help="Judge evidence that `snapshot` saved, instead of looking.")
@options.talk
def gate(form: str, target: str | None, **flags: Any) -> int:
    """Audit, and exit 1 if there are findings: for CI.

    Exits 0 clean, 1 findings, 2 for a wrong option or catalogue, 3 if something that was asked could not be read.
    """
    from auditor.policy import gate as judge

    report, settings = _report(flags)
    _require_catalogue(report)
    show(report, form, target, verbose=flags["verbose"])
    code = judge(report, settings)
    _say_verdict(report, settings, code)
    return code


@click.command(
    epilog="""\b
Example:
  auditor snapshot --docker env --output now.json
  auditor audit --snapshot now.json"""
)
@options.evidence
@click.option("--output", "target", metavar="FILE", help="Write there instead of standard output.")
@options.talk
def snapshot(target: str | None, **flags: Any) -> int:
    """Save all evidence of this moment, to audit it later or elsewhere."""
    from auditor import scan

    flags.pop("verbose")
    with output.progress(quiet=flags.pop("quiet")) as tell:
        taken = scan.gather(options.settings(flags), progress=tell)
    output.write(scan.save_snapshot(taken).decode("utf-8"), target)
    return 0


# --- what they share ---------------------------------------------------------------------------------------------


def _report(flags: dict[str, Any]) -> tuple[Report, Settings]:
    """The report of live or saved evidence, and the settings it was made with."""
    given = {name: value for name, value in flags.items() if name not in ("quiet", "verbose", "snapshot")}
    settings = options.settings(given)
    saved = flags.get("snapshot")
    if saved:
        _refuse_live(flags)
    from auditor import scan

    if saved:
        return scan.judge(scan.load_snapshot(_read(saved), saved), settings), settings
    with output.progress(quiet=flags["quiet"]) as tell:
        return scan.scan(settings, progress=tell), settings


def _fix(flags: dict[str, Any]) -> None:
    """Rewrites documents between their marks, and says which."""
    from auditor.errors import UsageError

    if flags.get("snapshot"):
        raise UsageError("`--fix` has no meaning with `--snapshot`", help="a snapshot holds no documents to write to")
    from auditor.rewriting import rewrite_documents
    from exporters.escape import clean

    given = {name: value for name, value in flags.items() if name not in ("quiet", "verbose", "snapshot")}
    for path in rewrite_documents(options.settings(given)):
        output.note(f"fixed: {clean(path)}")


def _refuse_live(flags: dict[str, Any]) -> None:
    from auditor.errors import UsageError

    for name in _LIVE:
        if flags.get(name):
            raise UsageError(
                f"`--{name}` has no meaning with `--snapshot`",
                help="a snapshot holds all evidence already: leave one of the two out",
            )


def _require_catalogue(report: Report) -> None:
    from auditor.errors import CatalogueError

    if any(source.name == "catalogue" and source.state == "not_asked" for source in report.sources):
        raise CatalogueError(
            "a gate needs a catalogue, and there is none here",
            help="`auditor init` writes one from your Compose files; `--catalogue` names one elsewhere",
        )


def _read(path: str) -> bytes:
    from auditor.errors import EvidenceError

    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise EvidenceError(f"cannot read the snapshot: {reason}", path=path) from error


def _write_baseline(report: Report, path: str) -> None:
    from auditor import policy

    output.write_file(path, policy.write_baseline(report))


def show(report: Report, form: str, path: str | None, *, verbose: bool, hints: bool = True) -> None:
    """The report in one format, to a file or to standard output."""
    output.write(_render(report, form, path, verbose=verbose, hints=hints), path)


def _render(report: Report, form: str, path: str | None, *, verbose: bool, hints: bool) -> str:
    if form == "json":
        from exporters import report_json

        return report_json.render(report)
    from datetime import UTC, datetime

    from exporters import text

    look = output.plain() if path else output.look()
    return text.render(report, verbose=verbose, hints=hints, now=datetime.now(UTC), **look)


def explain_incomplete(report: Report) -> int:
    """0, or 3 with every reason on standard error."""
    if report.complete:
        return 0
    from exporters.escape import clean
    from exporters.text import incomplete

    output.note("error: the audit is incomplete")
    for reason in incomplete(report):
        output.note(f"  --> {clean(reason)}")
    return 3


def _say_verdict(report: Report, settings: Settings, code: int) -> None:
    if code == 3:
        explain_incomplete(report)
        return
    if code == 0:
        output.note("gate: passed")
        return
    from exporters.text import shortfalls

    output.note(f"gate: failed: {', '.join(shortfalls(report, settings.fail_on, settings.min_coverage))}")
