"""`build`: files for other programs, generated from the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from auditor.cli import output

if TYPE_CHECKING:
    from auditor.inventory import Snapshot

F = TypeVar("F", bound=Callable[..., Any])


@click.group(
    epilog="""\b
Examples:
  auditor build rules --output rules
  auditor build dashboards --check"""
)
def build() -> None:
    """Generate files for other programs from the catalogue."""


def _options(command: F) -> F:
    for option in (
        click.option("--check", is_flag=True, help="Write nothing; exit 1 where a file is not what would be written."),
        click.option("--root", metavar="DIR", help="Project root; nothing outside it is read."),
        click.option("--environment", metavar="NAME", multiple=True, help="Environment; repeatable, or `all`."),
        click.option("--catalogue", metavar="FILE", help="The catalogue; default: catalogue.yaml here or above."),
    ):
        command = option(command)
    return command


@build.command(epilog="\b\nExample:\n  auditor build rules --output monitoring/rules")
@_options
@click.option("--output", "target", metavar="DIR", default="rules", show_default=True, help="Where the files go.")
@click.option("--page", metavar="URL", help="Where the status page is, for links in alerts.")
def rules(target: str, check: bool, page: str | None, **flags: Any) -> int:
    """Prometheus alert rules with their promtool tests."""
    from exporters.rules import generate

    return _place(generate(_catalogue(flags), prefix=target.rstrip("/"), **_given(page=page)), check=check)


@build.command(epilog="\b\nExample:\n  auditor build dashboards --output monitoring/grafana/dashboards")
@_options
@click.option("--output", "target", metavar="DIR", default="dashboards", show_default=True, help="Where the files go.")
def dashboards(target: str, check: bool, **flags: Any) -> int:
    """Grafana dashboards over the auditor's metrics."""
    from exporters.dashboards import generate

    return _place(generate(_catalogue(flags), prefix=target.rstrip("/")), check=check)


def _snapshot(flags: dict[str, Any]) -> Snapshot:
    from auditor import scan
    from auditor.cli import options

    return scan.gather(options.settings({**flags, "offline": True}))


def _catalogue(flags: dict[str, Any]) -> Any:
    from auditor.errors import CatalogueError

    found = _snapshot(flags).catalogue
    if found is None:
        raise CatalogueError("there is no catalogue to build from", help="`auditor init` writes one")
    return found


def _place(files: Mapping[str, str], *, check: bool) -> int:
    """Write the files, or say which of them are not what would be written."""
    stale = [path for path, text in files.items() if _content(Path(path)) != text.encode()]
    if check:
        for path in stale:
            output.note(f"stale: {path}")
        output.write(f"{len(files) - len(stale)} of {len(files)} files are fresh\n")
        return 1 if stale else 0
    for path in stale:
        output.write_file(path, files[path].encode(), parents=True)
    output.write("".join(f"{'wrote' if path in stale else 'fresh'} {path}\n" for path in files))
    return 0


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
