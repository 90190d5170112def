"""`init`: a first catalogue and a baseline from what is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli import options, output

if TYPE_CHECKING:
    from auditor.inventory import Snapshot
    from auditor.model import Project

BASELINE = "auditor-baseline.json"
_DOCUMENTS = ("README.md", "docs/README.md", "ARCHITECTURE.md", "docs/architecture.md")


@click.command(
    epilog="""\b
Examples:
  auditor init
  auditor init -f docker-compose.yml -f docker-compose.override.yml"""
)
@click.option("-f", "--file", multiple=True, metavar="FILE", help="Compose files; default: as Compose finds them.")
@click.option("--output", "target", metavar="FILE", default="catalogue.yaml", show_default=True, help="The catalogue.")
@click.option("--root", metavar="DIR", help="Project root; nothing outside it is read.")
@click.option("--allow-path", metavar="DIR", multiple=True, help="Another directory that may be read.")
@click.option("--env", metavar="NAME", multiple=True, help="Environment variable that interpolation may see.")
def init(target: str, **flags: Any) -> int:
    """Write a first catalogue and a baseline from Compose files.

    Every guessed field says in a comment where it came from. Nothing is overwritten. The baseline holds the findings of
    today, so that `gate --baseline` fails on new ones only.
    """
    from auditor import scan
    from auditor.cli.audit import explain_incomplete
    from auditor.policy import write_baseline

    baseline = str(Path(target).parent / BASELINE)
    _refuse_existing(target, baseline)
    snapshot = scan.gather(options.settings({**flags, "offline": True}))
    project = _project(snapshot)
    output.write_file(target, _draft(project, snapshot, target).encode(), new=True)
    try:
        seen = {name: value for name, value in flags.items() if name != "file"}
        report = scan.scan(options.settings({**seen, "catalogue": target, "offline": True}))
        output.write_file(baseline, write_baseline(report), new=True)
    except BaseException:
        Path(target).unlink(missing_ok=True)  # ours, a moment ago: half of a result would block the next try
        raise
    output.write(_next_steps(target, baseline, project, len(report.findings)))
    return explain_incomplete(report)


def _refuse_existing(*paths: str) -> None:
    for path in paths:
        if os.path.lexists(path):
            raise output.exists(path)


def _project(snapshot: Snapshot) -> Project:
    from auditor.errors import EvidenceError, UsageError

    if snapshot.catalogue is not None:
        raise UsageError(
            "there is a catalogue already",
            path=snapshot.catalogue.path,
            help="name Compose files with -f to draft another one",
        )
    project = snapshot.projects[0]
    fatal = next((fault for fault in project.faults if fault.fatal), None)
    if fatal and not project.files:
        raise UsageError(fatal.message, path=fatal.location.path, help=fatal.help or "name Compose files with -f")
    if fatal:
        raise EvidenceError(fatal.message, path=fatal.location.path, line=fatal.location.line, help=fatal.help)
    if not project.definitions:
        raise EvidenceError("these Compose files define no service", path=next(iter(project.files), None))
    return project


def _draft(project: Project, snapshot: Snapshot, target: str) -> str:
    import auditor
    from auditor.draft import draft
    from auditor.scan import locate
    from auditor.settings import Settings

    place = locate(Settings(compose_files=(target,)))
    here = Path(target).resolve().parent
    return draft(
        project,
        snapshot.components,
        directory=place.directory,
        documents=[name for name in _DOCUMENTS if (here / name).is_file()],
        schema=(Path(auditor.__file__).parent / "catalogue.schema.json").as_uri(),
    )


def _next_steps(target: str, baseline: str, project: Project, findings: int) -> str:
    from exporters.escape import clean

    files = clean(", ".join(project.files))
    where = "" if target == "catalogue.yaml" else f" --catalogue {clean(target)}"
    lines = [
        f"wrote {clean(target)}: {len(project.definitions)} services from {files}",
        f"wrote {clean(baseline)}: {findings} findings that stand today",
        "",
        "Read the catalogue: each guessed value says where it came from. Then add the",
        "services that should be there and are not; only you can know them.",
        "",
        f"  auditor audit{where}",
        f"  auditor gate{where} --baseline {clean(baseline)}",
    ]
    return "\n".join(lines) + "\n"
