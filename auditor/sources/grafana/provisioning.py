"""Grafana's provisioning files: which datasources it has, and from where it reads dashboards.

https://grafana.com/docs/grafana/latest/administration/provisioning/
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from auditor import yamlfile
from auditor.errors import EvidenceError, TextError
from auditor.model import Address, Datasource, Definition, Fault, Location
from auditor.tree import Tree
from auditor.yamlfile import Mapping, Sequence, locate

Resolve = Callable[[str], "str | None"]

FOLDERS = ("/etc/grafana/provisioning", "/opt/bitnami/grafana/conf/provisioning")
_FILE_LIMIT = 200


@dataclass(slots=True)
class Provisioned:
    """What provisioning files say. folders: of dashboards, in the tree; elsewhere: those that are not."""

    datasources: list[Datasource] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mounted:
    """What a Grafana sees. resolve: a path in its container -> the path in the tree that is mounted there, or None."""

    server: Definition
    resolve: Resolve

    def within(self, folder: str) -> list[str]:
        """The places in the tree that a folder of the container, and what is mounted below it, stand for."""
        inner = [m.target for m in self.server.mounts if m.target.startswith(f"{folder.rstrip('/')}/")]
        places = (self.resolve(path) for path in (folder, *inner))
        return list(dict.fromkeys(place for place in places if place is not None))


def read_provisioning(tree: Tree, mounted: Mounted, environment: str) -> Provisioned:
    """What the provisioning files say that are mounted into a Grafana."""
    found = Provisioned()
    for kind, read in (("datasources", _datasources), ("dashboards", _providers)):
        for path in _files(tree, mounted, kind):
            try:
                root = yamlfile.parse(tree.read(path), path, dialect="go")
            except TextError as error:
                found.faults.append(_fault(error.what, Location(path, error.line), environment))
                continue
            except EvidenceError as error:
                found.elsewhere.append(error.what)
                continue
            found.files.append(path)
            if isinstance(root, Mapping):
                read(root, path, environment, mounted, found)
            elif root is not None:
                found.faults.append(_fault("a provisioning file is a mapping", Location(path, 1), environment))
    return found


def _files(tree: Tree, mounted: Mounted, kind: str) -> list[str]:
    """The files of a kind that are mounted, whether by folder or one by one."""
    bases = (*FOLDERS, *_other_folders(mounted))
    places = [place for base in bases for place in mounted.within(f"{base}/{kind}")]
    return list(dict.fromkeys(path for place in places for path in _yaml_in(tree, place)))[:_FILE_LIMIT]


def _other_folders(mounted: Mounted) -> Iterator[str]:
    """Where `GF_PATHS_PROVISIONING` may have moved them: whatever folder of the project is mounted."""
    if any(variable.name == "GF_PATHS_PROVISIONING" for variable in mounted.server.variables):
        for mount in mounted.server.mounts:
            yield mount.target.rstrip("/")
            yield f"{mount.target.rstrip('/')}/provisioning"


def _yaml_in(tree: Tree, place: str) -> list[str]:
    if place.endswith((".yml", ".yaml")):
        return [place] if tree.exists(place) else []
    return [path for ending in ("yml", "yaml") for path in tree.glob(f"{place}/*.{ending}")]


def _fault(message: str, location: Location, environment: str) -> Fault:
    return Fault("invalid-yaml", message, location, environment=environment)


# --- datasources ---------------------------------------------------------------------------------------------------


def _datasources(root: Mapping, path: str, environment: str, _: Mounted, found: Provisioned) -> None:
    for item in _mappings(root, "datasources"):
        name = item.get("name")
        if isinstance(name, str) and name:
            found.datasources.append(_datasource(item, name, path, environment))


def _datasource(item: Mapping, name: str, path: str, environment: str) -> Datasource:
    uid, kind, url = item.get("uid"), item.get("type"), item.get("url")
    key = "url" if "url" in item else "name"
    return Datasource(
        environment,
        name,
        str(uid) if uid else generated_uid(name),
        str(kind or ""),
        address_of(url) if isinstance(url, str) else None,
        item.get("isDefault") is True,
        item.get("access") in ("direct", "browser"),
        Location(path, locate(item, key)),
    )


def generated_uid(name: str) -> str:
    """The uid that Grafana gives a provisioned datasource that has none."""
    return "P" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16].upper()


def address_of(url: str) -> Address | None:
    """Whom a datasource asks, without user, password and path; None where a variable decides that."""
    if not url or "$" in url:
        return None
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return Address(host, port or usual, parts.scheme or None) if host else None


# --- where dashboards are ------------------------------------------------------------------------------------------


def _providers(root: Mapping, _: str, environment: str, mounted: Mounted, found: Provisioned) -> None:
    for item in _mappings(root, "providers"):
        options = item.get("options")
        place = None
        if isinstance(options, Mapping):
            place = options.get("path") or options.get("folder")
        if not isinstance(place, str) or not place:
            continue
        folders = mounted.within(place) if "$" not in place else []
        found.folders += folders
        if not folders:
            found.elsewhere.append(place)


def _mappings(root: Mapping, key: str) -> Iterator[Mapping]:
    items = root.get(key)
    yield from (item for item in items if isinstance(item, Mapping)) if isinstance(items, Sequence) else ()
