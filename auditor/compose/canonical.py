"""The merged model of a project in the shape, types and text of `docker compose config`."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from auditor.compose import Composition, compose
from auditor.compose.files import Source, beneath
from auditor.compose.forms import (
    Fields,
    Work,
    begun,
    extensions,
    flag,
    listed,
    nested,
    pairs,
    plain,
    put,
    record,
    text,
    texts,
    whole,
)
from auditor.compose.merge import Merged, keyed, unwrap
from auditor.compose.places import Places
from auditor.compose.service import canonical_service
from auditor.compose.values import boolean, scalar_text
from auditor.errors import TextError
from auditor.model import EnvironmentSpec, Fault, Location, Project
from auditor.tree import Tree
from auditor.yamlfile import Mapping, Sequence, Value

_NONE: AnyMapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Canonical:
    """`config`: what would be printed, `$` not yet doubled; its mappings know their lines. None: nothing to print.

    `faults`: what Compose refuses; `warnings`: what it only speaks of.
    """

    config: Mapping | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    places: Places | None


def canonical(
    spec: EnvironmentSpec,
    tree: Tree,
    *,
    root: str,
    directory: str = "",
    files: tuple[str, ...] | None = None,
    variables: AnyMapping[str, str] = _NONE,
    interpolate: bool = True,
    form: Literal["json", "yaml"] = "json",
) -> Canonical:
    """What `docker compose config` prints of a project.

    `root`: the absolute path of the tree's root; the rest as in `compose.load`. `form`: JSON leaves `x-` keys of
    services out and shows some empty records, YAML the other way round.
    """
    project, composition = compose(
        spec,
        tree,
        directory=directory,
        files=files,
        variables=variables,
        root_name=posixpath.basename(root),
        interpolate=interpolate,
    )
    if composition is None:
        return Canonical(None, *_judged(project.faults, frozenset(), interpolate=interpolate), None)
    work = Work(
        faults=composition.loader.faults,
        directory=posixpath.normpath(posixpath.join(root, composition.home)),
        user_home=variables.get("HOME", "~"),
        values=composition.scope.values,
        yaml=form == "yaml",
        lenient=not interpolate,
    )
    config = _Writing(project, composition, work).run()
    inactive = frozenset(definition.name for definition in project.definitions if not definition.active)
    faults = composition.loader.faults.all()
    return Canonical(config, *_judged(faults, inactive, interpolate=interpolate), composition.loader.places)


_OF_THE_WHOLE = ("undefined", "neither `image` nor", "depends on", "env_file", "together with")


def _judged(
    faults: tuple[Fault, ...], inactive: frozenset[str], *, interpolate: bool
) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """What Compose refuses, and what it only warns of. It drops inactive services before it looks at the whole."""
    refused: list[Fault] = []
    spoken: list[Fault] = []
    for fault in faults:
        if fault.check == "unresolved-variable" and fault.message.endswith("is not set") and _optional(fault):
            spoken.append(fault)
        elif fault.service in inactive and any(part in fault.message for part in _OF_THE_WHOLE):
            continue
        else:
            refused.append(fault)
    return tuple(refused), tuple(spoken)


def _optional(fault: Fault) -> bool:
    return " is required " not in fault.message


class _Writing:
    """One project on its way to its printed form."""

    def __init__(self, project: Project, composition: Composition, work: Work) -> None:
        self.project = project
        self.model = composition.model
        self.loader = composition.loader
        self.home = composition.home
        self.name = composition.name or ""
        self.work = work
        self.active = {definition.name for definition in project.definitions if definition.active}

    def run(self) -> Mapping:
        result = Merged(line=self.model.line)
        result.overrode = {}
        services = self._services()
        sections: dict[str, Value] = {"name": self.name, "services": services}
        for section in ("networks", "volumes", "secrets", "configs", "models"):
            made = self._resources(section, services)
            if made and (section != "models" or self.work.yaml):
                sections[section] = made
        for key in sections if self.work.yaml else sorted(sections):
            put(result, key, sections[key], self.model)
        extensions(result, self.model)
        return result

    # --- services ----------------------------------------------------------------------------------------------

    def _services(self) -> Mapping:
        section = unwrap(self.model.get("services"))
        if not isinstance(section, Mapping):
            return Mapping()
        result = begun(section)
        for name in sorted(section):
            value = unwrap(section[name])
            if name in self.active and isinstance(value, Mapping):
                made = canonical_service(name, value, self._environment(name, value), self.work)
                put(result, name, self._settled(name, made), section)
        return result

    def _settled(self, name: str, service: Mapping) -> Mapping:
        """Edges that are not required and lead to nothing active are dropped."""
        edges = service.get("depends_on")
        if isinstance(edges, Mapping):
            for target in [key for key in edges if key not in self.active]:
                edge = edges[target]
                if isinstance(edge, Mapping) and edge.get("required") is False:
                    del edges[target]
            if not edges:
                del service["depends_on"]
        return service

    def _environment(self, name: str, service: Mapping) -> dict[str, tuple[str | None, int]]:
        """The service's own variables over those of its env files; null where nothing gives a value."""
        found: dict[str, tuple[str | None, int]] = {}
        for key, value, position in self._env_files(service):
            found[key] = (value, position)
        own = keyed(unwrap(service.get("environment"))) or Mapping()
        for key, item in own.items():
            item = unwrap(item)
            if isinstance(item, Mapping | Sequence):
                continue  # said by the loader
            given = self.work.values.get(key) if item is None else scalar_text(item)
            found[key] = (given, own.lines[key])
        return found

    def _env_files(self, service: Mapping) -> Iterator[tuple[str, str, int]]:
        value = unwrap(service.get("env_file"))
        if value is None:
            return
        items = value if isinstance(value, Sequence) else [value]
        earlier: dict[str, str] = {}
        for item in items:
            long = item if isinstance(item, Mapping) else Mapping({"path": unwrap(item)})
            path = unwrap(long.get("path"))
            if not isinstance(path, str) or not path:
                continue
            try:
                inside = beneath(self.home, path, self.loader.tree)
            except TextError:
                continue  # said by the loader
            if not self.loader.tree.exists(inside):
                continue
            data = self.loader.read(Source(inside, Location(inside)))
            if data is None:
                continue
            raw = long.get("format") == "raw"
            offset = self.loader.places.offset(inside)
            for key, entry in self.loader.parse_env(data, inside, {**self.work.values, **earlier}, raw=raw).items():
                earlier[key] = entry.value
                yield key, entry.value, offset + entry.line

    # --- networks, volumes, secrets, configs, models -----------------------------------------------------------

    def _resources(self, section: str, services: Mapping) -> Mapping:
        declared = unwrap(self.model.get(section))
        source = declared if isinstance(declared, Mapping) else Mapping(line=self.model.line)
        result = begun(source)
        for name in sorted(_used(section, services)):
            if name not in source and name != "default":
                continue  # said by the loader
            item = unwrap(source.get(name))
            value = item if isinstance(item, Mapping) else Mapping(line=source.lines.get(name, source.line))
            put(result, name, self._resource(section, name, value), source)
        return result

    def _resource(self, section: str, name: str, value: Mapping) -> Mapping:
        old = unwrap(value.get("external"))
        external = isinstance(old, Mapping) or boolean(old) is True
        made = record(value, _SECTIONS[section], self.work)
        result = begun(value)
        if section == "models":
            for key in made:
                put(result, key, made[key], made)
            return result
        real = unwrap(value.get("name")) or (unwrap(old.get("name")) if isinstance(old, Mapping) else None)
        put(result, "name", scalar_text(real) if real else name if external else f"{self.name}_{name}", value)
        for key in (*_SECTIONS[section], *sorted(made.keys() - _SECTIONS[section].keys())):
            if key in made:
                put(result, key, made[key], made)
            elif key == "ipam" and not self.work.yaml:
                put(result, key, begun(value), value)
        if result.get("ipam") == {} and self.work.yaml:
            del result["ipam"]
        return result


def _used(section: str, services: Mapping) -> set[str]:
    """The keys of a section that the services name."""
    found: set[str] = set()
    for service in services.values():
        if isinstance(service, Mapping):
            found.update(_names(section, service))
    return found


def _names(section: str, service: Mapping) -> Iterator[str]:
    value = service.get(section)
    if section in ("networks", "models"):
        yield from value if isinstance(value, Mapping) else ()
        return
    items = list(value) if isinstance(value, Sequence) else []
    build = service.get("build")
    if section == "secrets" and isinstance(build, Mapping):
        own = build.get("secrets")
        items += own if isinstance(own, Sequence) else []
    for item in items:
        source = item.get("source") if isinstance(item, Mapping) else None
        if isinstance(item, Mapping) and section == "volumes" and item.get("type") != "volume":
            continue
        if isinstance(source, str):
            yield source


def _external(value: Value, work: Work) -> Value:
    return True if isinstance(value, Mapping) else flag(value, work)


def _file(value: Value, work: Work) -> Value:
    path = text(value, work)
    return work.absolute(path) if isinstance(path, str) and path else None


def _plain(value: Value, _work: Work) -> Value:
    return plain(value)


_POOL: Fields = {"subnet": text, "gateway": text, "ip_range": text, "aux_addresses": pairs}
_FILE: Fields = {
    "content": text,
    "environment": text,
    "file": _file,
    "external": _external,
    "labels": pairs,
    "driver": text,
    "driver_opts": pairs,
    "template_driver": text,
}
_SECTIONS: dict[str, Fields] = {
    "networks": {
        "driver": text,
        "driver_opts": pairs,
        "ipam": nested({"driver": text, "config": listed(_POOL), "options": pairs}),
        "external": _external,
        "internal": flag,
        "attachable": flag,
        "labels": pairs,
        "enable_ipv4": flag,
        "enable_ipv6": flag,
    },
    "volumes": {"driver": text, "driver_opts": pairs, "external": _external, "labels": pairs},
    "secrets": _FILE,
    "configs": _FILE,
    "models": {"name": text, "model": text, "context_size": whole, "runtime_flags": texts},
}

__all__ = ["Canonical", "canonical"]
