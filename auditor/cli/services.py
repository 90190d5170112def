"""`services`: how each service does, what it uses, and, where that was allowed, start, stop and restart."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from auditor.cli import options, output
from exporters.escape import clean

if TYPE_CHECKING:
    from auditor.inventory import Snapshot
    from auditor.model import Container, Report
    from auditor.orders import Order
    from auditor.settings import Settings
    from auditor.store import Store
    from auditor.store.actions import Step
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


# --- acting ------------------------------------------------------------------------------------------------------


def _acting(command: F) -> F:
    """What the commands that change something have in common."""
    for option in (
        click.argument("name", metavar="NAME"),
        click.option("--allow-actions", is_flag=True, help="Allow it: without this nothing is changed."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option(
            "--grace", type=click.IntRange(0, 600), default=10, metavar="SECONDS",
            help="Time to end before it is killed; default 10.",
        ),
        click.option("--database", metavar="URL", help="Where the trail is kept; default: in the state directory."),
        options.evidence,
        options.output("table", "json"),
        options.talk,
    )[::-1]:  # fmt: skip
        command = option(command)
    return command


@services.command(epilog="\b\nExample:\n  auditor services start web --allow-actions --docker env")
@_acting
def start(**flags: Any) -> int:
    """Start the containers of a declared service."""
    return _act("start", flags)


@services.command(epilog="\b\nExample:\n  auditor services stop web --allow-actions --yes --docker env")
@_acting
def stop(**flags: Any) -> int:
    """Stop the containers of a declared service."""
    return _act("stop", flags)


@services.command(epilog="\b\nExample:\n  auditor services restart web --allow-actions --docker env")
@_acting
def restart(**flags: Any) -> int:
    """Restart the containers of a declared service."""
    return _act("restart", flags)


@services.command(epilog="\b\nExample:\n  auditor services history --limit 20")
@click.option("--database", metavar="URL", help="Where the trail is kept; default: in the state directory.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="NUMBER", help="How many; default 50.")
@click.option("--config", metavar="FILE", help="Settings file.")
@options.output("table", "json")
def history(limit: int, form: str, target: str | None, **flags: Any) -> int:
    """Show who started, stopped or restarted what, and what came of it."""
    from exporters.actions import document, table

    found = _store(options.settings(flags)).actions(limit=limit)
    if form == "json":
        from exporters.report_json import dumps

        output.write(dumps(document(found)), target)
    else:
        output.write(table(found), target)
    return 0


def _act(action: str, flags: dict[str, Any]) -> int:
    """Look, ask, write down, act, write down, look again."""
    from auditor import act, scan
    from auditor.live import Engines
    from auditor.orders import order

    name, form, target = flags.pop("name"), flags.pop("form"), flags.pop("target")
    yes, grace, quiet = flags.pop("yes"), flags.pop("grace"), flags.pop("quiet")
    flags.pop("verbose")
    settings = options.settings(flags)
    act.require_allowed(settings.allow_actions, f"services {action}")
    _require_answer(yes)
    engines = Engines()
    with output.progress(quiet=quiet) as tell:
        snapshot = scan.gather(settings, tell, engines)
    wanted = order(snapshot, action, name)
    if not wanted.containers:
        output.note(f"nothing to do: {_listed(wanted.skipped)} {_already(action, len(wanted.skipped))}")
    elif not (yes or _confirmed(wanted)):
        output.note("nothing was done")
        return 0
    steps = _done(wanted, snapshot, settings, grace, quiet=quiet) if wanted.containers else ()
    report = scan.judge(scan.refresh(snapshot, settings, engines), settings)
    _say_outcome(wanted, steps, report, form, target)
    return 3 if any(step.error for step in steps) else 0


def _require_answer(yes: bool) -> None:
    from auditor.errors import UsageError

    if not yes and not (sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError("nobody can be asked here: standard input is no terminal", help="add `--yes` to act at once")


def _confirmed(wanted: Order) -> bool:
    number = len(wanted.containers)
    output.note(f"{wanted.action} of `{clean(wanted.service)}` in `{clean(wanted.environment)}`:")
    for container in wanted.containers:
        output.note(f"  {clean(container.name)} ({container.id[:12]}, {clean(container.status or container.state)})")
    return click.confirm(f"{wanted.action} {'it' if number == 1 else f'these {number} containers'}?", err=True)


def _done(wanted: Order, snapshot: Snapshot, settings: Settings, grace: int, *, quiet: bool) -> tuple[Step, ...]:
    from auditor import act

    spec = snapshot.spec(wanted.environment)
    with output.progress(quiet=quiet) as tell, contextlib.closing(_store(settings)) as store:
        say = tell or (lambda _: None)
        return act.carry_out(wanted, spec, settings.docker, store, act.me(), grace=grace, tell=say)


def _store(settings: Settings) -> Store:
    from auditor.store import Store, default_url

    return Store(settings.database or default_url(os.environ))


def _say_outcome(wanted: Order, steps: tuple[Step, ...], report: Report, form: str, target: str | None) -> None:
    from exporters.services import lines, named

    for step in steps:
        said = f"failed: {clean(step.error)}" if step.error else _PAST[wanted.action]
        output.note(f"{clean(step.name)}: {said}")
    line = named(lines(report), wanted.service)
    if form == "json":
        from exporters.actions import outcome
        from exporters.report_json import dumps

        output.write(dumps(outcome(wanted, steps, report, line)), target)
    else:
        output.write(_rendered("status", report, line, form, target), target)


_PAST = {"start": "started", "stop": "stopped", "restart": "restarted"}


def _listed(containers: tuple[Container, ...]) -> str:
    return ", ".join(f"`{clean(container.name)}`" for container in containers)


def _already(action: str, number: int) -> str:
    verb = "is" if number == 1 else "are"
    return f"{verb} {'running' if action == 'start' else 'stopped'} already"


# --- looking -----------------------------------------------------------------------------------------------------

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
