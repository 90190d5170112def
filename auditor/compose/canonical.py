"""The merged model of a project in the shape, types and text of `docker compose config`."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from math import isfinite
from types import MappingProxyType
from typing import Literal

from auditor.compose import ANYWHERE, Composition, Standing, compose, normal_name
from auditor.compose.attached import mounted
from auditor.compose.consistency import resource_fault, service_faults
from auditor.compose.files import Source, beneath
from auditor.compose.forms import (
    Fields,
    Work,
    begun,
    exact_pairs,
    extensions,
    flag,
    listed,
    nested,
    pairs,
    put,
    record,
    text,
    texts,
    whole,
)
from auditor.compose.merge import Merged, keyed, unwrap
from auditor.compose.places import Places
from auditor.compose.schema import Schema
from auditor.compose.service import SERVICE, canonical_service
from auditor.compose.uninterpreted import nulled_model, uninterpreted
from auditor.compose.values import boolean, scalar_text
from auditor.compose.variables import NAMELESS
from auditor.errors import TextError
from auditor.frozen import dataclass
from auditor.model import EnvironmentSpec, Fault, Location, Project
from auditor.regexp import regexp
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
    schema: Schema,
    root: str,
    directory: str = "",
    files: tuple[str, ...] | None = None,
    variables: AnyMapping[str, str] = _NONE,
    interpolate: bool = True,
    form: Literal["json", "yaml"] = "json",
    standing: Standing = ANYWHERE,
) -> Canonical:
    """What `docker compose config` prints of a project.

    `root`: the absolute path of the tree's root; the rest as in `compose.load`. `form`: JSON leaves `x-` keys of
    services out and shows some empty records, YAML the other way round.
    """
    project, composition = compose(
        spec,
        tree,
        schema=schema,
        directory=directory,
        files=files,
        variables=variables,
        root_name=posixpath.basename(root),
        interpolate=interpolate,
        strict=True,
        standing=standing,
    )
    if composition is None:
        return Canonical(None, *_judged(project.faults, frozenset(), None if interpolate else frozenset()), None)
    work = Work(
        faults=composition.loader.faults,
        directory=posixpath.normpath(posixpath.join(root, composition.home)),
        user_home=variables.get("HOME", "~"),
        values=composition.scope.values,
        yaml=form == "yaml",
        lenient=not interpolate,
    )
    if interpolate:
        config = Writing(project, composition, work).run()
    else:
        said = len(work.faults)
        config = uninterpreted(composition.model, composition.name or "", work)
        composition.loader.misshapen.update(work.faults.since(said))
        if form == "json":
            nulled_model(config)
    inactive = frozenset(definition.name for definition in project.definitions if not definition.active)
    if (named := composition.told) and normal_name(named) != named:
        help = "use lower-case letters, digits, `_` and `-`, and begin with a letter or digit"
        where = composition.told_at or Location("COMPOSE_PROJECT_NAME")
        work.faults.add(f"`{named[:60]}` is no name of a project", where, help=help)
    if form == "json":
        _say_unprintable(config, work)
    faults = composition.loader.faults.all()
    judged = None if interpolate else frozenset(composition.loader.misshapen)
    return Canonical(config, *_judged(faults, inactive, judged), composition.loader.places)


def _say_unprintable(config: Mapping, work: Work) -> None:
    """Says which numbers JSON has no form for; of values that are converted only `x-` keys hold such."""
    asked = [key for key in config if key.startswith("x-") or work.lenient]
    todo: list[tuple[Value, int]] = [(config[key], config.lines.get(key, config.line)) for key in asked]
    while todo:
        value, position = todo.pop()
        if isinstance(value, Mapping):
            todo += [(item, value.lines.get(key, position)) for key, item in value.items()]
        elif isinstance(value, Sequence):
            todo += [(item, position) for item in value]
        elif isinstance(value, float) and not isfinite(value):
            help = "put it into quotes, or print YAML"
            work.faults.add("a number that JSON cannot write", position, help=help, fatal=True)


_OF_THE_WHOLE = (
    "does not say how it is run",
    "undefined",
    "neither `image` nor",
    "depends on",
    "env_file",
    "together with",
)


def _judged(
    faults: tuple[Fault, ...], inactive: frozenset[str], misshapen: frozenset[Fault] | None
) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """What Compose refuses, and what it only warns of. It drops inactive services before it looks at the whole.

    `misshapen`: what is wrong whatever variables hold, where they are not resolved; only that is sure then, and what is
    fatal.
    """
    refused: list[Fault] = []
    spoken: list[Fault] = []
    for fault in faults:
        unset = fault.check == "unresolved-variable" and fault.message.endswith("is not set") and _optional(fault)
        if unset or fault.message == NAMELESS:
            spoken.append(fault)
        elif fault.service in inactive and any(part in fault.message for part in _OF_THE_WHOLE):
            continue
        elif misshapen is not None and not fault.fatal and not _sure(fault, misshapen):
            continue  # what a value means is known only when its variables are
        else:
            refused.append(fault)
    return _once(refused), tuple(spoken)


_OF_KEY = regexp(r"`(\w+)[.`]")
_IN_GENERAL = regexp(r"`(\w+)`: ")


def _once(refused: list[Fault]) -> tuple[Fault, ...]:
    """Without what conversion says of a key where the loader says more closely what is wrong with it there."""
    general = {fault: match[1] for fault in refused if (match := _IN_GENERAL.match(fault.message))}
    rest = ((fault, _OF_KEY.match(fault.message)) for fault in refused if fault not in general)
    closely = {(fault.location, match[1]) for fault, match in rest if match}
    return tuple(fault for fault in refused if (fault.location, general.get(fault)) not in closely)


def _sure(fault: Fault, misshapen: frozenset[Fault]) -> bool:
    """Whether something is wrong whatever variables hold."""
    return (
        fault in misshapen or fault.message.startswith("unknown key") or fault.message.endswith("no name of a project")
    )


def _optional(fault: Fault) -> bool:
    return " is required " not in fault.message


class Writing:
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
        self._judge(services)
        for key in sections if self.work.yaml else sorted(sections):
            put(result, key, sections[key], self.model)
        extensions(result, self.model, yaml=self.work.yaml)
        return result

    # --- services ----------------------------------------------------------------------------------------------

    def _services(self) -> Mapping:
        section = unwrap(self.model.get("services"))
        if not isinstance(section, Mapping):
            return Mapping()
        result = begun(section)
        for name in self.work.ordered(section):
            value = unwrap(section[name])
            if not isinstance(value, Mapping):
                continue
            if name not in self.active:
                self.work.inactive = True
                canonical_service(name, value, {}, self.work)
                self.work.inactive = False
                continue
            made = canonical_service(name, value, self._environment(name, value), self.work)
            self._label_files(name, value, made)
            put(result, name, made, section)
        return result

    def _judge(self, services: Mapping) -> None:
        """Says what Compose refuses of the model as a whole, beyond what the loader says."""
        for section in ("secrets", "configs", "volumes", "networks"):
            declared = unwrap(self.model.get(section))
            if not isinstance(declared, Mapping):
                continue
            for name, item in declared.items():
                if fault := resource_fault(section, unwrap(item)):
                    self.work.refuse(f"`{section}.{name[:60]}` {fault}", declared.lines[name])
        for name, service in services.items():
            if isinstance(service, Mapping):
                self.work.service = name
                for message in service_faults(service, self._known):
                    self.work.refuse(f"service `{name}` {message}", services.lines[name])
        self.work.service = None

    def _known(self, section: str, name: str) -> bool:
        if section == "services":
            return name in self.active
        if section == "builds":
            services = unwrap(self.model.get("services"))
            service = unwrap(services.get(name)) if isinstance(services, Mapping) else None
            return isinstance(service, Mapping) and unwrap(service.get("build")) is not None
        declared = unwrap(self.model.get(section))
        return isinstance(declared, Mapping) and name in declared

    def _environment(self, name: str, service: Mapping) -> dict[str, tuple[str | None, tuple[int, ...]]]:
        """The service's own variables over those of its env files; null where nothing gives a value."""
        stated: dict[str, tuple[str | None, int]] = {}
        own = keyed(unwrap(service.get("environment"))) or Mapping()
        for key, item in own.items():
            item = unwrap(item)
            if isinstance(item, Mapping | Sequence):
                continue  # said by the loader
            given = self.work.values.get(key) if item is None else scalar_text(item)
            stated[key] = (given, own.lines[key])
        known = {key: value for key, (value, _) in stated.items() if value is not None}
        found: dict[str, tuple[str | None, tuple[int, ...]]] = {}
        from_files = ((key, (value, at)) for key, value, at in self._env_files(service, {**known, **self.work.values}))
        for key, (value, at) in (*from_files, *stated.items()):
            found[key] = (value, (at, *(found[key][1] if key in found else ())))
        return found

    def _label_files(self, name: str, written: Mapping, made: Mapping) -> None:
        """Labels of `label_file`s beneath those of the service itself."""
        value = unwrap(written.get("label_file"))
        if value is None:
            return
        paths = value if isinstance(value, Sequence) else [value]
        found = begun(written)
        for path in paths:
            if isinstance(path, str):
                earlier = {key: str(value) for key, value in found.items()}
                for key, text_, position in self._labels_of(name, str(path), written.lines["label_file"], earlier):
                    found[key], found.lines[key] = text_, position
        own = made.get("labels")
        if isinstance(own, Mapping):
            for key in own:
                put(found, key, own[key], own)
        if not found:
            return
        labels = begun(found)
        for key in self.work.ordered(found):
            put(labels, key, found[key], found)
        rest = [key for key in made if key != "labels"]
        order = [*(key for key in SERVICE if key in rest or key == "labels"), *(k for k in rest if k not in SERVICE)]
        old = dict(made)
        made.clear()
        for key in order:
            made[key] = labels if key == "labels" else old[key]
        made.lines.setdefault("labels", written.lines["label_file"])

    def _labels_of(
        self, name: str, path: str, position: int, earlier: AnyMapping[str, str]
    ) -> Iterator[tuple[str, str, int]]:
        faults, tree = self.loader.faults, self.loader.tree
        try:
            inside = beneath(self.home, path, tree)
        except TextError as error:
            faults.add(error.what, position, help=error.help, service=name, fatal=True)
            return
        if not tree.exists(inside):
            faults.add(f"the label_file `{inside}` is missing", position, service=name)
            return
        data = self.loader.beside(Source(inside, faults.places.at(position)))
        if data is not None:
            offset = self.loader.places.offset(inside)
            for key, entry in self.loader.parse_env(data, inside, earlier).items():
                yield key, entry.value, offset + entry.line

    def _env_files(self, service: Mapping, known: AnyMapping[str, str]) -> Iterator[tuple[str, str, int]]:
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
            data = self.loader.beside(Source(inside, Location(inside)))
            if data is None:
                continue
            raw = long.get("format") == "raw"
            offset = self.loader.places.offset(inside)
            for key, entry in self.loader.parse_env(data, inside, known, earlier, raw=raw).items():
                earlier[key] = entry.value
                yield key, entry.value, offset + entry.line

    # --- networks, volumes, secrets, configs, models -----------------------------------------------------------

    def _resources(self, section: str, services: Mapping) -> Mapping:
        declared = unwrap(self.model.get(section))
        source = declared if isinstance(declared, Mapping) else Mapping(line=self.model.line)
        result = begun(source)
        used = _used(section, services)
        for name in source.keys() - used:
            if isinstance(item := unwrap(source[name]), Mapping):
                self._resource(section, name, item)  # not shown, and refused if it is wrong
        for name in self.work.ordered(used):
            if name not in source and name != "default":
                continue  # said by the loader
            item = unwrap(source.get(name))
            value = item if isinstance(item, Mapping) else Mapping(line=source.lines.get(name, source.line))
            put(result, name, self._resource(section, name, value), source)
        return result

    def _resource(self, section: str, name: str, value: Mapping) -> Mapping:
        old = unwrap(value.get("external"))
        external = isinstance(old, Mapping) or boolean(old) is True
        made = record(value, _SECTIONS[section], self.work, _KEEP)
        if section == "volumes":
            _bind(made, self.work)
        result = begun(value)
        if section == "models":
            for key in made:
                put(result, key, made[key], made)
            return result
        real = unwrap(value.get("name"))
        if real is None and isinstance(old, Mapping):
            real = unwrap(old.get("name"))
        shown = scalar_text(real) if real is not None else name if external else f"{self.name}_{name}"
        if shown:
            put(result, "name", shown, value)
        for key in (*_SECTIONS[section], *self.work.ordered(made.keys() - _SECTIONS[section].keys())):
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


def _bind(volume: Mapping, work: Work) -> None:
    """A local volume that is a directory of the host names it absolutely."""
    options = volume.get("driver_opts")
    if volume.get("driver") != "local" or not isinstance(options, Mapping) or options.get("o") != "bind":
        return
    if isinstance(device := options.get("device"), str):
        options["device"] = mounted(device, work)


def _external(value: Value, work: Work) -> Value:
    return True if isinstance(value, Mapping) else flag(value, work)


def _file(value: Value, work: Work) -> Value:
    path = text(value, work)
    return mounted(path, work) if isinstance(path, str) else None


_KEEP = frozenset(("enable_ipv4", "enable_ipv6"))
_POOL: Fields = {"subnet": text, "gateway": text, "ip_range": text, "aux_addresses": pairs}
_FILE: Fields = {
    "content": text,
    "environment": text,
    "file": _file,
    "external": _external,
    "labels": pairs,
    "driver": text,
    "driver_opts": exact_pairs,
    "template_driver": text,
}
_SECTIONS: dict[str, Fields] = {
    "networks": {
        "driver": text,
        "driver_opts": pairs,
        "ipam": nested({"driver": text, "config": listed(_POOL)}),
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
