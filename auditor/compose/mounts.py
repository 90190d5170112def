"""`volumes` and `tmpfs`: what is mounted where; and the file of the project behind a path in a container."""

from __future__ import annotations

import posixpath

from auditor.compose.interpolate import Text, literal_part, written
from auditor.compose.places import Faults
from auditor.compose.values import boolean
from auditor.errors import TextError
from auditor.model import Definition, Location, Mount
from auditor.regexp import regexp
from auditor.tree import join
from auditor.yamlfile import Mapping, Sequence, Value

SHORTEST = 2  # characters: Compose looks no further into a short volume that is not longer
_LETTER = regexp(r"(?:^|:)[^\W\d_]:")  # which Compose takes for a Windows drive, whatever follows
_DRIVE = regexp(r"[^\W\d_]:")
_PROPAGATIONS = frozenset(("shared", "slave", "private", "rshared", "rslave", "rprivate"))
_KINDS = ("bind", "volume", "tmpfs", "npipe", "cluster", "image")


class MountError(ValueError):
    """A mount that Compose refuses."""


def mounts(service: Mapping, directory: str, faults: Faults, name: str) -> tuple[Mount, ...]:
    """The mounts of a service, the last one of each target. Bind sources inside the root are relative to it."""
    found: dict[str, Mount] = {}
    volumes, tmpfs = service.get("volumes"), service.get("tmpfs")
    if isinstance(volumes, Sequence):
        for item, position in zip(volumes, volumes.lines, strict=True):
            location = faults.places.at(position)
            try:
                mount = _read(item, directory, location)
            except MountError as error:
                faults.add(str(error), location, service=name)
                continue
            if mount is not None:
                found[mount.target] = mount
    targets = tmpfs if isinstance(tmpfs, Sequence) else [tmpfs] if isinstance(tmpfs, str) else []
    for target in targets:
        if isinstance(target, str):
            path = clean(target.partition(":")[0])
            found[path] = Mount("tmpfs", path, location=faults.places.at(service.lines["tmpfs"]))
    return tuple(found.values())


def resolve_mount(definition: Definition, container_path: str) -> str | None:
    """The path, relative to the root, of the project's file behind a path in the container; None where none is."""
    path = clean(container_path)
    if path in definition.granted_files:
        return definition.granted_files[path]
    within = [mount for mount in definition.mounts if path == mount.target or path.startswith(_folder(mount.target))]
    if not within:
        return None
    nearest = max(within, key=lambda mount: len(mount.target))
    source = mounted_file(nearest)
    return posixpath.normpath(posixpath.join(source, path[len(nearest.target) :].lstrip("/"))) if source else None


def mounted_file(mount: Mount) -> str | None:
    """The path, relative to the root, of the project's file or directory that a mount shows; None where it is none."""
    if mount.kind != "bind" or not mount.source or mount.source.startswith(("/", "~", "..")):
        return None
    return posixpath.normpath(mount.source)


def is_covered(definition: Definition, container_path: str) -> bool:
    """Whether anything is mounted, or put by `configs`, at a path in the container, above it or below it."""
    path = clean(container_path)
    targets = (*definition.granted_files, *(mount.target for mount in definition.mounts))
    return any(path == one or path.startswith(_folder(one)) or one.startswith(_folder(path)) for one in targets)


def place_of(definition: Definition, path: str) -> str | None:
    """Where in the container a file of the project is, by `configs` and bind mounts; None where it is nowhere."""
    granted = [place for place, source in definition.granted_files.items() if source == path]
    binds = [mount for mount in definition.mounts if mount.kind == "bind" and mount.source is not None]
    mounted = [mount.target for mount in binds if mount.source == path]
    below = [mount for mount in binds if mount.source in ("", ".") or path.startswith(f"{mount.source}/")]
    within = [posixpath.join(m.target, posixpath.relpath(path, m.source or ".")) for m in below]
    return next((place for place in (*granted, *mounted, *within) if resolve_mount(definition, place) == path), None)


def clean(path: str) -> str:
    """A path in a container without doubled or trailing slashes."""
    return posixpath.normpath(path) if path else path


def _folder(target: str) -> str:
    return target if target.endswith("/") else f"{target}/"


def _read(item: Value, directory: str, location: Location) -> Mount | None:
    if isinstance(item, Mapping):
        return _long(item, directory, location)
    if not isinstance(item, str):
        raise MountError("a volume is a text or a mapping with `type` and `target`")
    return _short(item, directory, location)


def _short(item: str, directory: str, location: Location) -> Mount | None:
    parts = sections(item)
    if any(part == "" for part in parts[:2]) or not parts:
        if isinstance(item, Text):  # a variable was empty, and that is said elsewhere
            return Mount("volume", clean(parts[1]), location=location) if len(parts) > 1 and parts[1] else None
        raise MountError(f"`{written(item)[:60]}` has an empty section between colons")
    if len(parts) == 1:
        return Mount("volume", clean(parts[0]), location=location)
    source, target, *options = parts
    flags = ",".join(options).split(",")
    read_only = "ro" in flags and [flag for flag in flags if flag in ("ro", "rw")][-1] == "ro"
    if is_path(source):
        propagation = next((flag for flag in flags if flag in _PROPAGATIONS), None)
        path = _inside(source, directory)
        return Mount("bind", clean(target), path, read_only, location, propagation, unset=_unset(item))
    return Mount("volume", clean(target), source, read_only, location)


def _unset(value: str) -> bool:
    """Whether a variable left a hole in a text."""
    if not isinstance(value, Text):
        return False
    literal, open_ended = literal_part(value.raw)
    return open_ended and literal == value


def sections(item: str) -> list[str]:
    """A short volume by its colons, but for that of a Windows drive, and for those in variables."""
    if len(item) <= SHORTEST:
        return [item]
    if not _LETTER.search(item) and "${" not in item:
        return item.split(":")
    parts, depth = [""], 0
    for character, following in zip(item, [*item[1:], ""], strict=True):
        depth += (character == "$" and following == "{") - (character == "}" and depth > 0)
        if character != ":" or depth or (len(parts[-1]) == 1 and parts[-1].isalpha()):
            parts[-1] += character
        else:
            parts.append("")
    return parts


def is_path(source: str) -> bool:
    """Whether the source of a short volume is a path of the host, not the name of a volume."""
    return source[0] in "./~" or source.startswith("\\\\") or _DRIVE.match(source) is not None


def _long(item: Mapping, directory: str, location: Location) -> Mount:
    kind, source, target = item.get("type"), item.get("source"), item.get("target")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise MountError(f"a volume wants a `type`: {', '.join(_KINDS)}")
    if not isinstance(target, str) or not target:
        raise MountError("a volume without a `target`")
    text = source if isinstance(source, str) and source else None
    read_only = boolean(item.get("read_only")) is True
    if kind != "bind" or text is None:
        return Mount(kind, clean(target), text, read_only, location)
    options = item.get("bind")
    propagation = options.get("propagation") if isinstance(options, Mapping) else None
    told = propagation if isinstance(propagation, str) and propagation in _PROPAGATIONS else None
    return Mount(kind, clean(target), _inside(text, directory), read_only, location, told, unset=_unset(text))


def _inside(source: str, directory: str) -> str:
    """A bind source relative to the root where it lies inside, else as written."""
    try:
        return join(directory, source)
    except TextError:
        return source
