"""`status`: how every service does, as the API says it."""

from __future__ import annotations

from typing import Any

import click

from auditor.cli import options, output


@click.command(
    epilog="""\b
Examples:
  auditor status --docker env
  auditor status --format json --category core"""
)
@options.evidence
@options.output("text", "json")
@click.option("--category", multiple=True, metavar="NAME", help="Only this category; repeatable, like the next three.")
@click.option("--tier", multiple=True, metavar="NAME", help="Only this tier.")
@click.option("--owner", multiple=True, metavar="NAME", help="Only this owner.")
@click.option("--status", "verdict", multiple=True, metavar="WORD", help="Only services that are healthy, stopped, ...")
@options.talk
def status(
    form: str,
    target: str | None,
    category: tuple[str, ...],
    tier: tuple[str, ...],
    owner: tuple[str, ...],
    verdict: tuple[str, ...],
    **flags: Any,
) -> int:
    """Show how every service does: the body of `/services/status`."""
    from auditor import scan
    from auditor.cli.audit import explain_incomplete
    from exporters import status_json

    flags.pop("verbose")
    quiet = flags.pop("quiet")
    with output.progress(quiet=quiet) as tell:
        report = scan.scan(options.settings(flags), progress=tell)
    body = status_json.document(report, None, category=category, tier=tier, owner=owner, status=verdict)
    output.write(_render(body, form, target), target)
    return explain_incomplete(report)


def _render(body: dict[str, Any], form: str, target: str | None) -> str:
    if form == "json":
        from exporters.report_json import dumps

        return dumps(body)
    from exporters import status_text

    return status_text.render(body, **(output.plain() if target else output.look()))
