"""Where a container comes from: which files of which directory it was made from, against those of its environment."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from auditor.inventory import ALIVE, Snapshot
from auditor.model import Container, Project, Setting, Setup


def elsewhere(container: Container, project: Project, snapshot: Snapshot) -> str | None:
    """The other files or the other directory, in words; None where they are the environment's own."""
    directory = container.working_dir
    if not directory or not container.config_files or not project.files or container.project != project.name:
        return None
    home = posixpath.dirname(project.files[0])
    used = [posixpath.relpath(posixpath.join(directory, file), directory) for file in container.config_files]
    known = {posixpath.relpath(file, home or ".") for file in project.files}
    foreign = [file for file in used if file not in known]
    if foreign:
        return ", ".join(f"`{file}`" for file in foreign)
    wanted = _named(project, snapshot, home)
    if wanted is not None and wanted != used:
        alone = ", ".join(f"`{file}`" for file in used)
        return f"{alone} alone" if len(used) < len(wanted) else "its files in another order"
    if home and not home.startswith("..") and not f"{directory}/".endswith(f"/{home}/"):
        return f"the directory `{directory}`"
    return _minority(container, snapshot)


def _named(project: Project, snapshot: Snapshot, home: str) -> list[str] | None:
    """The files that the catalogue lists for the environment, from the project directory."""
    catalogue = snapshot.catalogue
    spec = next((s for s in catalogue.environments if s.name == project.environment), None) if catalogue else None
    if catalogue is None or spec is None or not spec.compose:
        return None
    paths = [posixpath.normpath(posixpath.join(catalogue.directory, path)) for path in spec.compose]
    if paths[0] != posixpath.normpath(project.files[0]):
        return None  # flags named others
    return [posixpath.relpath(path, home or ".") for path in paths]


def _minority(container: Container, snapshot: Snapshot) -> str | None:
    """The directory, where most containers of the project come from another one."""
    same = [
        c.working_dir
        for c in snapshot.containers
        if c.project == container.project and c.environment == container.environment and c.state in ALIVE
    ]
    usual = max(sorted({d for d in same if d}), key=same.count, default=container.working_dir)
    return None if container.working_dir == usual else f"the directory `{container.working_dir}`, others from `{usual}`"


# --- a project that is called otherwise on the engine ------------------------------------------------------------

_OF_NETWORKS = ("networks", "network_aliases", "network_addresses", "network_mode")


def called_there(wanted: Setup, names: Mapping[str, str]) -> Setup:
    """The setup with the engine's own names of the project's networks and volumes."""
    if not names:
        return wanted
    found = {**wanted, **{field: _renamed(wanted[field], names) for field in _OF_NETWORKS if field in wanted}}
    if isinstance(volumes := wanted.get("volumes"), Mapping):
        found["volumes"] = {target: _volume(source, names) for target, source in volumes.items()}
    return found


def _renamed(value: Setting | None, names: Mapping[str, str]) -> Setting | None:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, tuple):
        return tuple(sorted(names.get(item, item) for item in value))
    if isinstance(value, Mapping):
        return {names.get(key, key): item for key, item in value.items()}
    return value


def _volume(source: str | None, names: Mapping[str, str]) -> str | None:
    kind, sign, name = (source or "").partition(":")
    return f"volume:{names[name]}" if kind == "volume" and sign and name in names else source
