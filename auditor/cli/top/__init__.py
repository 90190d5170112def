"""`top`: every service on one line, live."""

from __future__ import annotations

import gc
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from auditor.cli import options, output

if TYPE_CHECKING:
    from auditor.settings import Settings


@click.command(
    epilog="""\b
Examples:
  auditor top --docker env
  auditor top --docker env --every 1s --audit-every 1m"""
)
@options.evidence
@options.judgement
@click.option("--every", type=options.Duration(), default=2.0, metavar="DURATION", help="Read what runs; default 2s.")
@click.option(
    "--audit-every", type=options.Duration(), default=30.0, metavar="DURATION", help="Audit everything; default 30s."
)
@options.talk
def top(every: float, audit_every: float, **flags: Any) -> int:
    """Watch all services live: health, state, memory, CPU, gaps, restarts.

    Keys are explained by `?`. Where standard output or input is no terminal, one table is printed instead.
    """
    if not (output.terminal() and sys.stdin is not None and sys.stdin.isatty()):
        from auditor.cli.services import show

        return show("status", flags)
    for name in ("quiet", "verbose"):
        flags.pop(name)
    try:
        return _watch(options.settings(flags), every, audit_every)
    except KeyboardInterrupt:
        return 0  # a way to quit, as good as `q`


def _watch(settings: Settings, every: float, audit_every: float) -> int:
    from rich.console import Console, Group
    from rich.live import Live

    from auditor import scan
    from auditor.cli.top.look import Looker
    from auditor.cli.top.screen import Size, draw
    from auditor.cli.top.terminal import taken
    from auditor.cli.top.view import View, press, rows
    from exporters.services import lines

    gc.enable()
    scan.locate(settings)  # a catalogue that is named and not there is the caller's mistake
    console = Console(highlight=False, markup=False, emoji=False)
    view = View()
    with taken() as terminal, Live(
        console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as live:  # fmt: skip
        looker = Looker(settings, every, audit_every, terminal.wake)
        looker.start()
        try:
            while not view.ended:
                screen = Size(*console.size)
                drawn, view = draw(view, looker.seen, time.monotonic(), screen)
                live.update(Group(*drawn), refresh=True)
                keys = terminal.keys(1.0)
                if keys is None:
                    break
                for key in keys:
                    report = looker.seen.report
                    view = press(view, key, rows(view, lines(report)) if report else [], screen.room)
        finally:
            looker.stop()
    return 0
