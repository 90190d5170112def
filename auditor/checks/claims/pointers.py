"""Is what a document points at there?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.checks.claims.meant import default_environment, title_of
from auditor.inventory import Snapshot
from auditor.model import Document, Pointer, Severity
from auditor.registry import Problem, check

_LINKS = frozenset({"link", "anchor"})


@check(
    Document,
    Severity.INFO,
    fix="Correct the command in the document, or add what it needs.",
    needs=("documents",),
)
def claimed_command_missing(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A document tells its reader to run what is not there.

    A script, a module, a `make` target, a script of `package.json`, a Compose file or one of its services. A file
    counts as there wherever it lies in the tree. Commands of other machines, with places to fill in, on what the
    document itself makes, and below headings that speak of plans or of the past are left alone.

    Bad:
        catalogue:
          services: {web: {}}
        documents:
          README.md: "# Demo\\n\\n```bash\\n./scripts/start.sh\\n```\\n"
        compose:
          services: {web: {image: "nginx:1.27.5"}}
    Good:
        catalogue:
          services: {web: {}}
        documents:
          README.md: "# Demo\\n\\n```bash\\n./scripts/start.sh\\n```\\n"
        compose:
          services: {web: {image: "nginx:1.27.5"}}
        files:
          scripts/start.sh: "exec docker compose up\\n"
    """
    for pointer in document.pointers:
        if pointer.kind in _LINKS or (pointer.kind == "service" and not _unknown_service(pointer, snapshot)):
            continue
        yield Problem(
            f"{title_of(document)} says to run `{pointer.text}`, but {_lacking(pointer)}",
            (pointer.location,),
            key=f"{pointer.kind} {pointer.name}",
        )


def _unknown_service(pointer: Pointer, snapshot: Snapshot) -> bool:
    """Whether every Compose model that a command may mean was read, and none of them has the service."""
    if pointer.files:
        projects = [project for project in snapshot.projects if set(pointer.files) & set(project.files)]
        if not set(pointer.files) <= {path for project in projects for path in project.files}:
            return False
    else:
        name = default_environment(snapshot)
        project = snapshot.project(name) if name else None
        projects = [project] if project and project.definitions else []
    if not projects or any(fault.fatal for project in projects for fault in project.faults):
        return False
    return not any(definition.name == pointer.name for project in projects for definition in project.definitions)


def _lacking(pointer: Pointer) -> str:
    if pointer.kind == "make":
        return f"no Makefile has the target `{pointer.name}`"
    if pointer.kind == "script":
        return f"no `package.json` has the script `{pointer.name}`"
    if pointer.kind == "service":
        return f"Compose knows no service `{pointer.name}`"
    return f"there is no {pointer.kind} `{pointer.name}`"


@check(
    Document,
    Severity.INFO,
    fix="Correct the link, or add the file or heading that it leads to.",
    needs=("documents",),
)
def dead_document_link(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A link leads to a file or a heading that is not there.

    Only links inside the project are followed.

    Bad:
        documents:
          README.md: "# Demo\\n\\nSee [the guide](docs/guide.md).\\n"
    Good:
        documents:
          README.md: "# Demo\\n\\nSee [the guide](docs/guide.md).\\n"
        files:
          docs/guide.md: "# Guide\\n"
    """
    for pointer in document.pointers:
        if pointer.kind in _LINKS:
            what = "which is not there" if pointer.kind == "link" else "where no such heading is"
            yield Problem(
                f"{title_of(document)} links to `{pointer.text}`, {what}", (pointer.location,), key=pointer.text
            )
