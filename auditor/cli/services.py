"""`services`: how each service does, what it uses, and, where that was allowed, start, stop and restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from auditor.cli import options, output

if TYPE_CHECKING:
    from auditor.model import Report
    from exporters.services import Line

F = TypeVar("F", bound=Callable[..., Any])


@click.group(
    epilog="""\b
Examples:
  auditor services list
  auditor services status --docker env --status unhealthy,degraded
  auditor services resources db --format json"""
)
def services() -> None:
    """Look at services one by one, and start, stop or restart them."""


def _looking(command: F) -> F:
    """What the commands that only look have in common."""
    for option in (
        click.argument("name", metavar="[NAME]", required=False),
        options.evidence,
        options.output("table", "json"),
        click.option("--category", metavar="NAME,...", multiple=True, callback=options.commas, help="Only these."),
        click.option("--tier", metavar="NAME,...", multiple=True, callback=options.commas, help="Only these tiers."),
        click.option("--owner", metavar="NAME,...", multiple=True, callback=options.commas, help="Only these owners."),
        click.option(
            "--status", "verdicts", metavar="WORD,...", multiple=True, callback=options.commas,
            help="Only services that are healthy, stopped, ...",
        ),
        options.talk,
    )[::-1]:  # fmt: skip
        command = option(command)
    return command


@services.command("list", epilog="\b\nExample:\n  auditor services list --tier data --owner data-team")
@_looking
def list_(**flags: Any) -> int:
    """List the services and whose they are."""
    return show("list", flags)


@services.command(epilog="\b\nExample:\n  auditor services status --docker env --status unhealthy,degraded")
@_looking
def status(**flags: Any) -> int:
    """Show how each service does.

    Its verdict, containers, gaps (findings of warning or above), restarts, memory and processors.
    """
    return show("status", flags)


@services.command(epilog="\b\nExample:\n  auditor services health --docker env db")
@_looking
def health(**flags: Any) -> int:
    """Show each verdict and what it stands on."""
    return show("health", flags)


@services.command(epilog="\b\nExample:\n  auditor services resources --docker env --category core")
@_looking
def resources(**flags: Any) -> int:
    """Show what each service uses.

    Memory, processors (they need two samples), processes, network and block traffic.
    """
    return show("resources", flags)


def show(kind: str, flags: dict[str, Any]) -> int:
    """Look once, and print one of the tables."""
    from auditor.cli.audit import explain_incomplete
    from exporters.services import lines, named

    name, form, target = flags.pop("name", None), flags.pop("form", "table"), flags.pop("target", None)
    wanted = {field: flags.pop(field, ()) for field in ("category", "tier", "owner")}
    wanted["status"] = flags.pop("verdicts", ())
    report = _looked(kind, flags)
    found = lines(report, **wanted)
    if name:
        every = named(lines(report), name)  # also where a filter leaves nothing of it
        found = [line for line in every if line in found]
    output.write(_rendered(kind, report, found, form, target), target)
    return explain_incomplete(report)


_BETWEEN = 1.0  # seconds between two samples: processors are known from the second on


def _looked(kind: str, flags: dict[str, Any]) -> Report:
    from auditor import scan
    from auditor.live import Engines

    flags.pop("verbose")
    quiet = flags.pop("quiet")
    settings = options.settings(flags)
    engines = Engines(statistics=_BETWEEN)
    with output.progress(quiet=quiet) as tell:
        snapshot = scan.gather(settings, tell, engines)
        if kind == "resources" and snapshot.usages:
            time.sleep(_BETWEEN)
            snapshot = scan.refresh(snapshot, settings, engines)
        return scan.judge(snapshot, settings)


def _rendered(kind: str, report: Report, found: list[Line], form: str, target: str | None) -> str:
    if form == "json":
        from exporters.report_json import dumps
        from exporters.services import document

        return dumps(document(report, found))
    from exporters import services_text

    return services_text.render(kind, found, **look(target))


def look(target: str | None) -> dict[str, Any]:
    """As for any page, but where nobody reads it as it is written nothing is cut: a script wants whole names."""
    shown = output.plain() if target else output.look()
    return shown if output.terminal() and not target else shown | {"width": 10_000}
