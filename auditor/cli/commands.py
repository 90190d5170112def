"""The command `auditor` and its commands: each is imported when it is called, so that help and gate start fast."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

from auditor import __version__

# name -> (module, one line of help); the lines repeat what the modules say, and a test holds them together.
COMMANDS: Final = {
    "audit": ("audit", "Say for each service how far the evidence goes and where it stops."),
    "gate": ("audit", "Audit, and exit 1 if there are findings: for CI."),
    "status": ("status", "Show how every service does: the body of `/services/status`."),
    "config": ("config", "Print the merged Compose model, as `docker compose config` does."),
    "checks": ("checks", "List the checks with severity, theme and summary."),
    "explain": ("checks", "Explain one check: why it matters, a bad and a good example, the fix."),
    "snapshot": ("audit", "Save all evidence of this moment, to audit it later or elsewhere."),
    "init": ("init", "Write a first catalogue and a baseline from Compose files."),
    "build": ("build", "Generate files for other programs from the catalogue."),
    "services": ("services", "Look at services one by one, and start, stop or restart them."),
    "top": ("top", "Watch all services live: health, state, memory, CPU, gaps, restarts."),
    "serve": ("serve", "Audit again and again, and serve the status page, API and metrics."),
    "demo": ("demo", "Audit a packaged example system and show its page."),
}


class Commands(click.Group):
    """A group that knows its commands' names and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"auditor.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name where there is no such command."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from auditor.errors import UsageError, did_you_mean

            near = did_you_mean(args[0], COMMANDS)
            raise UsageError(f"no such command `{args[0]}`", help=near or "`auditor --help` lists the commands")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing one of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def _version(ctx: click.Context, _param: click.Parameter, wanted: Any) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"auditor {__version__}")
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Example:
  auditor demo                     see it work, without Docker or network
  auditor init                     write a catalogue from your Compose files
  auditor audit                    look at everything, exit 0
  auditor gate                     the same for CI, exit 1 if there are findings

\b
Exit codes: 0 clean, 1 findings, 2 a wrong option or catalogue, 3 incomplete.
Completion: eval "$(_AUDITOR_COMPLETE=bash_source auditor)"   (zsh_source, fish_source)""",
)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def auditor() -> None:
    """Stack Auditor takes your service catalogue as the truth to check, gathers evidence from Compose files, Docker,
    Prometheus, documents and code, and says for each service how far that evidence goes.
    """
