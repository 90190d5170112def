"""Containers that are somebody else's: counted where the engine is named, so that nobody misses them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from auditor import belonging
from auditor.inventory import Snapshot
from auditor.model import Container, SourceState

_SHOWN = 5  # names of projects


def counted(snapshot: Snapshot) -> tuple[SourceState, ...]:
    """The sources; those of engines say how many of their containers other projects have, and which projects."""
    strange = [container for container in snapshot.containers if not snapshot.ours(container)]
    return tuple(_with_others(state, strange) for state in snapshot.sources) if strange else snapshot.sources


def _with_others(state: SourceState, strange: list[Container]) -> SourceState:
    here = [c for c in strange if (c.source, c.environment) == (state.name, state.environment)]
    if not here or not state.detail:
        return state
    names = sorted({container.project or "" for container in here})
    listed = ", ".join(f"`{name}`" for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    projects = f"of project {listed}" if len(names) == 1 else f"of {len(names)} projects ({listed})"
    number, sign, rest = state.detail.partition(";")
    return replace(state, detail=f"{number}, {len(here)} of them {projects}, not judged here{sign}{rest}")


def notes(snapshot: Snapshot) -> Iterator[str]:
    """Where a project that nobody named was started more than once under other names: none of them is taken for it."""
    for project in snapshot.projects:
        found = (
            belonging.candidates(project, snapshot.containers) if project.environment in snapshot.environments else ()
        )
        if len(found) > 1:
            listed = " and ".join(f"`{name}`" for name in found[:_SHOWN])
            yield (
                f"the projects {listed} were all made of the files of `{project.environment}`, so none of them is "
                "judged: `name` in the Compose file, or `project` of the environment, says which is meant"
            )
