"""Compose files to the merged model of one environment: pure, bounded, and each value knows its line."""

from __future__ import annotations

import gc
import posixpath
import re
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import MappingProxyType

from auditor.compose.define import Context, define
from auditor.compose.dependencies import say_dependencies
from auditor.compose.files import Loader, Source, StopError, beneath, discover
from auditor.compose.interpolate import ExpansionError, Scope, TemplateError, Text
from auditor.compose.merge import untag
from auditor.compose.mounts import resolve_mount
from auditor.compose.places import Faults, Places
from auditor.compose.schema import Schema
from auditor.compose.tracked import secret_files
from auditor.compose.values import boolean
from auditor.compose.variables import Reader
from auditor.compose.writing import remarks
from auditor.digest import Digester
from auditor.errors import TextError
from auditor.frozen import dataclass
from auditor.model import Definition, EnvironmentSpec, Location, Project, Resource, SecretFile
from auditor.regexp import regexp
from auditor.tree import Tree, join
from auditor.yamlfile import Mapping, Sequence, Value

__all__ = ["ANYWHERE", "Composition", "Standing", "compose", "load", "resolve_mount"]

_NONE: AnyMapping[str, str] = MappingProxyType({})
_NOT_IN_PROJECT = regexp(r"[^a-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Composition:
    """What a project was made of: the merged model as written, tags used up, and what its values may still need."""

    model: Mapping
    loader: Loader
    home: str  # the project directory, relative to the root
    name: str | None
    scope: Scope
    profiles: frozenset[str]
    told: str | None = None  # the name that a variable gives the project, as it was given
    told_at: Location | None = None  # where an env file gives it


@dataclass(frozen=True, slots=True)
class Standing:
    """From where a command line asks for a project; all paths are relative to the root.

    `home`: the project directory, where it is not that of the first file. `here`: whose `.env` is read before the
    project's own. `dotenv`: whether a `.env` is read at all.
    """

    home: str | None = None
    here: str | None = None
    dotenv: bool = True


ANYWHERE = Standing()


def load(
    spec: EnvironmentSpec,
    tree: Tree,
    *,
    schema: Schema,
    directory: str,
    files: tuple[str, ...] | None = None,
    variables: AnyMapping[str, str] = _NONE,
    optional: bool = False,
    root_name: str = "",
    digest: Digester | None = None,
) -> Project:
    """The merged model of an environment, as far as its files allow; what they lack is in `faults`.

    `schema`: the published one. `directory`: where the paths of `spec` begin (the catalogue's, or that of the first
    `-f`), "" is the root.
    `files`: instead of those of `spec`, relative to the root. `variables` win over those of `spec`, and
    these over `.env`. `optional`: no file to be found is no fault. `root_name`: what the root
    directory is called, for a project that has no other name. `digest`: makes the digests of variables; without it they
    have none. Wrong content raises nothing.
    """
    return compose(
        spec,
        tree,
        schema=schema,
        directory=directory,
        files=files,
        variables=variables,
        optional=optional,
        root_name=root_name,
        digest=digest,
    )[0]


def compose(
    spec: EnvironmentSpec,
    tree: Tree,
    *,
    schema: Schema,
    directory: str,
    files: tuple[str, ...] | None = None,
    variables: AnyMapping[str, str] = _NONE,
    optional: bool = False,
    root_name: str = "",
    interpolate: bool = True,
    strict: bool = False,
    digest: Digester | None = None,
    standing: Standing = ANYWHERE,
) -> tuple[Project, Composition | None]:
    """As `load`, with what the project was made of beside it; None where nothing could be merged.

    `interpolate`: False leaves `$NAME` in the texts as it stands. `strict`: a variable that nothing sets is an empty
    text, wherever it stands, as for Compose; without it nothing is said of such a value.
    """
    faults = Faults(spec.name, Places())
    loader = Loader(tree, faults, schema, interpolate=interpolate, strict=strict, digest=digest)
    with _collector_paused():
        try:
            return _load(spec, loader, directory, files, variables, standing, optional=optional, root_name=root_name)
        except StopError:
            return Project(spec.name, spec.project, tuple(faults.places.paths), faults=faults.all()), None


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Nothing made here is cyclic; the collector would walk the growing model again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _load(
    spec: EnvironmentSpec,
    loader: Loader,
    directory: str,
    files: tuple[str, ...] | None,
    variables: AnyMapping[str, str],
    standing: Standing,
    *,
    optional: bool,
    root_name: str,
) -> tuple[Project, Composition | None]:
    faults = loader.faults
    given = {**spec.variables, **variables}
    wanted = files if files is not None else _beneath_all(loader, spec.compose, directory, spec.location)
    paths = wanted or _discovered(loader, spec, directory, given, standing)
    if not paths:
        if wanted is not None and not faults.all() and not optional:
            where = f"`{directory}`" if directory else "the root"
            help = "name the files in the environment's `compose:`, or with `-f`"
            faults.add(f"no Compose file in {where} or above", spec.location, help=help, fatal=True)
        return Project(spec.name, spec.project, (), faults=faults.all()), None
    home = posixpath.dirname(paths[0]) if standing.home is None else standing.home
    env = _env(loader, spec, directory, home, given, standing)
    scope = Scope({**env, **given}, loader.budget)
    told = None if spec.project else scope.values.get("COMPOSE_PROJECT_NAME") or None
    name = _project_name(loader, spec, paths, home or root_name, scope)
    scope = Scope({**scope.values, "COMPOSE_PROJECT_NAME": name or ""}, loader.budget)
    told_files = None if wanted else _told_files(loader, given)
    sources = [Source(path, told_files or _asked(spec, path)) for path in paths]
    model = loader.model(sources, home, scope)
    _say_missing(loader, scope, home, bool(spec.env_file))
    if model is None:
        return Project(spec.name, name, tuple(paths), faults=faults.all()), None
    if loader.tagged:
        untag(model)
    if loader.strict and not model.keys() - {"version"}:
        faults.add("an empty Compose file", model.line, fatal=True)
    elif not loader.strict and not model.keys() & loader.schema.root.properties.keys() - {"version", "name"}:
        faults.add("no `services`", model.line, help="write the services under a top-level `services:`")
    model = loader.held(model)
    project = _project(spec, loader, model, home, name, scope)
    told_at = None if "COMPOSE_PROJECT_NAME" in given else loader.set_at.get("COMPOSE_PROJECT_NAME")
    composition = Composition(model, loader, home, name, scope, _profiles(spec, scope), told, told_at)
    return replace(project, named=bool(spec.project or told) or project.named), composition


def _files(configs: Mapping, home: str) -> dict[str, str]:
    """Key of a config -> its file, relative to the root, where it lies inside."""
    found: dict[str, str] = {}
    for key, item in configs.items():
        file = item.get("file") if isinstance(item, Mapping) else None
        if isinstance(file, str) and file:
            with suppress(TextError):
                found[key] = join(home, file)
    return found


def _project(
    spec: EnvironmentSpec, loader: Loader, model: Mapping, home: str, name: str | None, scope: Scope
) -> Project:
    faults = loader.faults
    networks, volumes = _section(model, "networks"), _section(model, "volumes")
    configs, secrets = _section(model, "configs"), _section(model, "secrets")
    services = {key: item for key, item in _section(model, "services").items() if isinstance(item, Mapping)}
    context = Context(
        loader,
        home,
        Reader(loader, dict(scope.values), frozenset(services)),
        frozenset(services),
        frozenset(networks),
        frozenset(volumes),
        _profiles(spec, scope),
        spec.name,
        frozenset(name for name, network in networks.items() if _is_external(network)),
        _devices(volumes),
        frozenset(
            (section, key)
            for section, items in (("secrets", secrets), ("configs", configs))
            for key, item in items.items()
            if isinstance(item, Mapping) and "file" in item
        ),
        _files(configs, home),
    )
    section = model.get("services")
    lines = section.lines if isinstance(section, Mapping) else {}
    definitions = tuple(define(key, service, lines[key], context) for key, service in services.items())
    for key, service in services.items():
        _known(key, service, "secrets", secrets, faults)
        _known(key, service, "configs", configs, faults)
    say_dependencies(definitions, faults)
    _say_container_names(definitions, faults)
    used = {network for definition in definitions for network in definition.networks}
    all_networks = tuple(networks) + (("default",) if "default" in used and "default" not in networks else ())
    sections = {"networks": networks, "volumes": volumes, "secrets": secrets, "configs": configs}
    written = {key: faults.places.at(model.lines[key]) for key in model}
    return Project(
        spec.name,
        name,
        tuple(loader.places.paths),
        definitions,
        all_networks,
        tuple(volumes),
        faults.all(),
        tuple(_resources(sections, faults)),
        named="name" in model,
        sections=written,
        remarks=remarks(definitions, written, loader.texts, spec.name),
        secret_files=_secret_files(loader, secrets, definitions, home),
    )


def _devices(volumes: Mapping) -> dict[str, str]:
    """The host's paths that named volumes stand for, as `driver_opts: {o: bind, device: /etc}` makes them."""
    found: dict[str, str] = {}
    for key, volume in volumes.items():
        options = volume.get("driver_opts") if isinstance(volume, Mapping) else None
        if not isinstance(options, Mapping):
            continue
        device, kinds = options.get("device"), f"{options.get('o')},{options.get('type')}".split(",")
        if isinstance(device, str) and device.startswith("/") and not {"bind", "rbind"}.isdisjoint(kinds):
            found[key] = device
    return found


def _secret_files(
    loader: Loader, secrets: Mapping, definitions: tuple[Definition, ...], home: str
) -> tuple[SecretFile, ...]:
    read: dict[str, str] = {}
    for key, secret in secrets.items():
        file = secret.get("file") if isinstance(secret, Mapping) else None
        if isinstance(file, str) and file:
            with suppress(TextError):
                read[join(home, file)] = key
    sources = (m.source for d in definitions for m in d.mounts if m.kind == "bind" and m.source)
    mounted = (source for source in sources if not source.startswith(("/", "~", "..", "$")))
    return secret_files(loader.tree, loader.secrets, read, mounted)


def _resources(sections: AnyMapping[str, Mapping], faults: Faults) -> Iterator[Resource]:
    """What the top-level sections hold, used or not."""
    for section, entries in sections.items():
        for key, item in entries.items():
            name = item.get("name") if isinstance(item, Mapping) else None
            if isinstance(item, Mapping) and isinstance(old := item.get("external"), Mapping):
                name = old.get("name", name)
            named = str(name) if isinstance(name, str) and name else None
            yield Resource(section, key, faults.places.at(entries.lines[key]), _is_external(item), named)


# --- which files -------------------------------------------------------------------------------------------------


def _beneath_all(loader: Loader, paths: tuple[str, ...], directory: str, location: Location) -> tuple[str, ...] | None:
    found = []
    for path in paths:
        try:
            found.append(beneath(directory, path, loader.tree))
        except TextError as error:
            loader.faults.add(error.what, location, help=error.help, fatal=True)
    return tuple(found)


def _asked(spec: EnvironmentSpec, path: str) -> Location:
    return spec.location if spec.compose else Location(path)


def _discovered(
    loader: Loader, spec: EnvironmentSpec, directory: str, given: AnyMapping[str, str], standing: Standing
) -> tuple[str, ...]:
    """`COMPOSE_FILE` of the variables or of `.env`, else Compose's own discovery."""
    if loader.faults.all():
        return ()
    here = directory if standing.here is None else standing.here
    values = {**_env(loader, spec, directory, here, given, standing), **given}
    named = values.get("COMPOSE_FILE")
    if not named:
        return discover(loader.tree, directory if standing.home is None else standing.home)
    separator = values.get("COMPOSE_PATH_SEPARATOR") or ":"
    paths = tuple(path for path in named.split(separator) if path)
    return _beneath_all(loader, paths, directory, _told_files(loader, given) or spec.location) or ()


def _told_files(loader: Loader, given: AnyMapping[str, str]) -> Location | None:
    """Where an env file names the Compose files; None where it is not one that does."""
    return None if given.get("COMPOSE_FILE") else loader.set_at.get("COMPOSE_FILE")


def _env(
    loader: Loader,
    spec: EnvironmentSpec,
    directory: str,
    home: str,
    given: AnyMapping[str, str],
    standing: Standing,
) -> dict[str, str]:
    """The variables of the environment's own env files, else of the `.env` in the project directory."""
    if spec.env_file:
        paths = _beneath_all(loader, spec.env_file, directory, spec.location) or ()
        return loader.env_files(paths, spec.location, given)
    found: dict[str, str] = {}
    places = (home,) if standing.here is None else (standing.here, home)
    for place in dict.fromkeys(places if standing.dotenv else ()):
        default = posixpath.join(place, ".env")
        if loader.tree.exists(default):
            earlier = {**loader.set_at}
            found = {**loader.env_files((default,), spec.location, {**found, **given}), **found}
            loader.set_at.update(earlier)
    return found


# --- the project's name and profiles -----------------------------------------------------------------------------


def _project_name(loader: Loader, spec: EnvironmentSpec, paths: tuple[str, ...], home: str, scope: Scope) -> str | None:
    """Compose's rules; None where only the root's own name would tell, and nobody said it."""
    if spec.project:
        return spec.project
    told = scope.values.get("COMPOSE_PROJECT_NAME")
    written = None if told else _name_in_files(loader, paths, scope)
    if written is not None and loader.strict and not normal_name(written[0]):
        said = len(loader.faults)
        loader.faults.add("the `name` of the project is empty", Location(*written[1:]), help="write one that is not")
        loader.misshapen.update(loader.faults.since(said))
    named = told or (written and written[0]) or posixpath.basename(home)
    return normal_name(named) or None


# With the end of the line before it: what begins with fixed bytes is searched for many times as fast as `^` is.
_NAME_LINE = regexp(rb"\nname:[ \t]*(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^#\n]*?))[ \t]*(?:#[^\n]*)?\r?$", re.MULTILINE)


def _name_in_files(loader: Loader, paths: tuple[str, ...], scope: Scope) -> tuple[str, str, int] | None:
    """The last top-level `name:` that the files write, its file and line, read ahead: interpolation may ask for it."""
    found: tuple[str, str, int] | None = None
    for path in paths:
        data = b"\n" + (loader.ahead(path) or b"")
        for match in _NAME_LINE.finditer(data):
            raw = next(part for part in match.groups() if part is not None).decode("utf-8", "replace")
            if raw:
                found = raw, path, data.count(b"\n", 0, match.start()) + 1
    if found is None or not loader.interpolate:
        return found
    try:
        return Scope(scope.values, loader.budget).expand(found[0]), *found[1:]
    except (TemplateError, ExpansionError):
        return None


def normal_name(name: str) -> str:
    """A project name as Compose makes one: lower case, only `a-z0-9_-`, no `_` or `-` in front."""
    return _NOT_IN_PROJECT.sub("", name.lower()).lstrip("_-")


def _profiles(spec: EnvironmentSpec, scope: Scope) -> frozenset[str]:
    named = spec.profiles or tuple((scope.values.get("COMPOSE_PROFILES") or "").split(","))
    return frozenset(profile.strip() for profile in named if profile.strip())


# --- what the whole model lacks -----------------------------------------------------------------------------------


def _say_missing(loader: Loader, scope: Scope, home: str, has_env_file: bool) -> None:
    """One fault a variable that nothing sets. The help names `.env` where only a missing one would set it."""
    env = posixpath.join(home, ".env")
    help = "set it in the environment's `variables`, or give it a default: `${NAME:-value}`"
    if not has_env_file and not loader.tree.exists(env):
        help = f"there is no `{env}` that could set it; it may well stand where this is deployed"
    unset = {name: (position, "") for name, position in scope.missing.items()} | scope.required
    for name, (position, message) in unset.items():
        what = (
            f"variable `{name}` is required and not set" if name in scope.required else f"variable `{name}` is not set"
        )
        said = f": {message[:80]}" if message and "$" not in message else ""
        loader.faults.add(what + said, position, check="unresolved-variable", help=help)


def _section(model: Mapping, section: str) -> Mapping:
    value = model.get(section)
    return value if isinstance(value, Mapping) else Mapping()


def _is_external(network: Value) -> bool:
    """Whether a network is made elsewhere, so that other projects may be on it."""
    external = network.get("external") if isinstance(network, Mapping) else None
    return isinstance(external, Mapping) or boolean(external) is True


def _known(service: str, value: Mapping, section: str, declared: Mapping, faults: Faults) -> None:
    """Says which secrets or configs a service uses that nothing declares."""
    items = value.get(section)
    if not isinstance(items, Sequence):
        return
    for item, position in zip(items, items.lines, strict=True):
        name: Value = item.get("source") if isinstance(item, Mapping) else item
        if name is None and isinstance(item, Mapping):
            faults.add(f"an item of `{section}` lacks `source`", position, service=service)
        elif isinstance(name, str) and name not in declared and (name or not isinstance(name, Text)):
            message = f"service `{service}` refers to the undefined {section[:-1]} `{name[:60]}`"
            faults.add(message, position, service=service, help=f"declare it under `{section}:`")


def _say_container_names(definitions: tuple[Definition, ...], faults: Faults) -> None:
    """Says which container names Compose refuses: taken twice, or on a service of several containers."""
    owners: dict[str, Definition] = {}
    for definition in sorted(definitions, key=lambda definition: definition.name):  # the file's order decides nothing
        name = definition.container_name
        if name is None or not definition.active:
            continue
        place = definition.place("container_name")
        owner = owners.setdefault(name, definition)
        if owner is not definition:
            message = f"`container_name` of `{definition.name}` is that of `{owner.name}` too"
            help, first = "leave it out, or make it another", owner.place("container_name")
            check = "duplicate-container-name"
            faults.add(message, place, check=check, service=definition.name, help=help, others=(first,))
        if definition.replicas > 1:
            message = f"a `container_name` on `{definition.name}`, which has {definition.replicas} replicas"
            lines = definition.lines
            others = tuple(lines[key] for key in ("deploy.replicas", "scale") if key in lines)
            check = "container-name-scaled"
            faults.add(message, place, check=check, service=definition.name, help="leave the name out", others=others)
