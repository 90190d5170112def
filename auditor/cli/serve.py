"""`serve`: audit again and again, behind a page, an API and metrics."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import click

from auditor.cli import options

if TYPE_CHECKING:
    from auditor.settings import Settings


@click.command(
    epilog="""\b
Examples:
  auditor serve
  auditor serve --docker env --interval 30s
  AUDITOR_TOKEN=... auditor serve --host 0.0.0.0"""
)
@options.evidence
@options.judgement
@click.option("--host", metavar="ADDRESS", help="Address to listen on; default 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="NUMBER", help="Port to listen on; default 8642.")
@click.option("--interval", type=options.Duration(), metavar="DURATION", help="Time between two scans; default 60s.")
@click.option("--database", metavar="URL", help="Where history is kept; default: SQLite in the state directory.")
@click.option("--insecure-no-auth", is_flag=True, help="Let everybody who reaches another address in.")
@click.option(
    "--allow-actions",
    is_flag=True,
    help="Let callers with the token of AUDITOR_TOKEN start, stop and restart services.",
)
@options.talk
def serve(**flags: Any) -> int:
    """Audit again and again, and serve the status page, API and metrics.

    Another address than this machine's own needs a token in AUDITOR_TOKEN, or --insecure-no-auth.
    """
    for name in ("quiet", "verbose"):
        flags.pop(name)
    return run(options.settings(flags, look_here=True))


def run(settings: Settings) -> int:
    """Serve until a signal ends it; 0 then. Raises UsageError where the address would be open to everybody."""
    gc.enable()
    from auditor.cli.shell import Terminated
    from auditor.web.app import serve as serve_forever

    try:
        serve_forever(settings)
    except (KeyboardInterrupt, Terminated):
        return 0  # how a server is meant to end
    except SystemExit as end:
        if end.code not in (0, None):
            raise
    return 0
