"""The files of one Compose project: found, read, parsed, interpolated, extended, included, merged to one model."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from auditor.compose import dotenv
from auditor.compose.casts import cast
from auditor.compose.interpolate import Budget, ExpansionError, Interpolation, Scope, Text
from auditor.compose.merge import TAGS, as_read, bare, copied, keyed, merge_model, merge_service, unwrap
from auditor.compose.places import Faults, Places
from auditor.compose.rebase import rebase_model, rebase_service
from auditor.compose.schema import Schema
from auditor.compose.shape import conform
from auditor.compose.tracked import secrets_in
from auditor.digest import Digester
from auditor.errors import AuditorError, EvidenceError, TextError
from auditor.frozen import dataclass
from auditor.model import Fault, Location
from auditor.tree import NO_SUCH_FILE, Tree, join
from auditor.yamlfile import Mapping, Sequence, Value, parse_documents

if TYPE_CHECKING:
    from auditor.compose.early import Early

DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_FILES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_SIGNS = (b"$", b"!", b"\\")  # without them no text of a file is interpolated, tagged or escaped
_MOST_FILES = 1_000
_MOST_BYTES = 16 << 20
_LONGEST_CHAIN = 100  # of `extends`
_DEEPEST_INCLUDE = 20
_REMOTE = ("git@", "github.com:", "github.com/")


class StopError(Exception):
    """A limit of the whole load was passed; its fault is already said."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read and the place that asks for it."""

    path: str
    asked: Location


@dataclass(slots=True)
class _Unit:
    """The services of one document (or of one file that is extended), and those whose `extends` is done."""

    path: str
    directory: str  # where its relative paths begin
    services: Mapping
    done: dict[str, Mapping] = field(default_factory=dict)


def beneath(directory: str, path: str, tree: Tree) -> str:
    """`path` as seen from `directory`, relative to the root, the root itself as "".

    Raises TextError where it climbs out of the root to what the tree does not allow.
    """
    given = path
    if path.startswith("/"):
        directory, path = "", tree.relative(path)
    try:
        joined = join(directory, path)
    except TextError:
        joined = posixpath.normpath(posixpath.join(directory, path))
        if not joined.startswith("../"):
            raise
        if not tree.exists(joined):
            raise TextError(f"`{given}` lies outside the project root", path=given) from None
    return "" if joined == "." else joined


def discover(tree: Tree, directory: str) -> tuple[str, ...]:
    """Compose's own discovery: the first default file in `directory` or the nearest parent, and one override."""
    while True:
        base = next((path for name in DEFAULT_FILES if _there(tree, path := posixpath.join(directory, name))), None)
        if base is not None:
            overrides = (posixpath.join(directory, name) for name in OVERRIDE_FILES)
            override = next((path for path in overrides if tree.exists(path)), None)
            return (base,) if override is None else (base, override)
        if not directory:
            return ()
        directory = posixpath.dirname(directory)


def _there(tree: Tree, path: str) -> bool:
    """Whether something of that name is there: what cannot be read is said when it is read, not passed over."""
    if tree.exists(path):
        return True
    try:
        tree.read(path)
    except EvidenceError as error:
        return not error.what.endswith(NO_SUCH_FILE)
    return True


class Loader:
    """Reads for one environment, within limits. Whatever is wrong becomes a fault; only StopError leaves."""

    def __init__(
        self,
        tree: Tree,
        faults: Faults,
        schema: Schema,
        *,
        interpolate: bool = True,
        strict: bool = False,
        digest: Digester | None = None,
    ) -> None:
        self.tree = tree
        self.schema = schema if interpolate else schema.as_written()
        self.interpolate = interpolate
        self.strict = strict
        self.digest = digest
        self.faults = faults
        self.places: Places = faults.places
        self.budget = Budget()
        self.read_files = 0
        self.read_bytes = 0
        self.tagged = False
        self.misshapen: set[Fault] = set()  # what is wrong whatever variables hold
        self.half: set[str] = set()  # services that lack what they extend
        self.texts: dict[str, bytes] = {}  # of the Compose files, by path
        self.secrets: dict[str, dict[str, int]] = {}  # env file -> names of the secrets in it, and their lines
        self.set_at: dict[str, Location] = {}  # variable of the project's env files -> where it is set
        self._ahead: dict[str, bytes] = {}
        self._beside: dict[str, bytes | None] = {}
        self._extended: dict[tuple[str, int], _Unit | None] = {}

    # --- reading -------------------------------------------------------------------------------------------

    def read(self, source: Source, *, check: str = "invalid-compose") -> bytes | None:
        """The bytes of a file, or None after a fatal fault at the place that asks for it."""
        self.read_files += 1
        try:
            data = self._ahead.pop(source.path, None) or self.tree.read(source.path)
        except (EvidenceError, TextError) as error:
            self.faults.add(error.what, source.asked, check=check, help=error.help, fatal=True)
            return None
        self.read_bytes += len(data)
        if self.read_files > _MOST_FILES or self.read_bytes > _MOST_BYTES:
            what = f"more than {_MOST_FILES} files or {_MOST_BYTES >> 20} MiB belong to one project"
            self.faults.add(what, source.asked, fatal=True)
            raise StopError
        return data

    def beside(self, source: Source) -> bytes | None:
        """The bytes of a file that services name beside the model, as env files are: read, and counted, once."""
        if source.path not in self._beside:
            self._beside[source.path] = self.read(source)
        return self._beside[source.path]

    def ahead(self, path: str) -> bytes:
        """A file's bytes before its turn, kept for it; nothing where it cannot be read, which is said in its turn."""
        if path not in self._ahead:
            with suppress(EvidenceError, TextError):
                self._ahead[path] = self.tree.read(path)
        return self._ahead.get(path, b"")

    def documents(self, source: Source, scope: Scope) -> list[Mapping]:
        """The documents of a file that are mappings, interpolated, with positions for lines."""
        data = self.read(source)
        if data is None:
            return []
        offset = self.places.offset(source.path)
        self.texts[source.path] = data
        try:
            parsed = parse_documents(data, source.path, dialect="go", tags=TAGS, string_keys=True)
        except TextError as error:
            check = "duplicate-key" if error.what.startswith("duplicate key") else "invalid-yaml"
            self.faults.add(error.what, _place(error, source), check=check, help=error.help, fatal=True)
            return []
        as_it_is = not offset and not any(sign in data for sign in _SIGNS)
        ready = [
            self._ready(document) if as_it_is else self._interpolated(document, offset, scope)
            for document in parsed
            if document is not None
        ]
        for document in ready:
            if not isinstance(document, Mapping):
                self.faults.add("a Compose file is a mapping", self.places.at(offset + 1), fatal=True)
        return [document for document in ready if isinstance(document, Mapping)]

    def _interpolated(self, document: Value, offset: int, scope: Scope) -> Value:
        work = Interpolation(scope if self.interpolate else None, offset)
        try:
            document = unwrap(work.run(document))
        except ExpansionError as error:
            self.faults.add(str(error), self.places.at(scope.position), fatal=True)
            raise StopError from None
        for position, message in work.errors:
            self.faults.add(message, position, help="write a literal `$` as `$$`")
        self.tagged |= work.tagged
        return self._ready(document)

    def _ready(self, document: Value) -> Value:
        if self.interpolate and isinstance(document, Mapping):
            cast(document, self.faults, self.unknown)
        return document

    def unknown(self, value: Value) -> bool:
        """Whether nothing can be said of a value, for a variable in it is not resolved, or not set here."""
        return self.interpolate and not self.strict and isinstance(value, Text) and value == ""

    # --- merging -------------------------------------------------------------------------------------------

    def model(
        self, sources: Iterable[Source], directory: str, scope: Scope, ancestors: tuple[str, ...] = ()
    ) -> Mapping | None:
        """The merged model of several files; `directory` is where their relative paths begin. None: no document.

        What is merged is held to the schema before the next document comes over it, as Compose does; the whole is the
        caller's to judge.
        """
        merged: Mapping | None = None
        said = len(self.faults)
        sources = tuple(sources)
        for source in sources:
            for document in self.documents(source, scope):
                before = len(self.faults)
                document = self._extend(document, source.path, directory, scope)
                document = self._include(document, directory, scope, (*ancestors, source.path))
                merged = document if merged is None else merge_model(self._ended(merged), document, self.faults)
                self.misshapen.update(self.faults.since(before))
        if merged is None and len(self.faults) == said:
            first = self.places.at(self.places.offset(sources[0].path) + 1)
            self.faults.add("an empty Compose file", first, fatal=True)
        return merged

    @cached_property
    def early(self) -> Early:
        """The judge of what something comes over; most projects are one file, and never ask."""
        from auditor.compose.early import Early

        return Early(self.faults, self.interpolate, self.strict)

    def _ended(self, model: Mapping) -> Mapping:
        """What a document made of the model, before anything comes over it: all that Compose asks of it so far."""
        said = len(self.faults)
        self.early.judge(model)
        self.misshapen.update(self.faults.since(said))
        return self.held(model, whole=False)

    def held(self, model: Mapping, *, whole: bool = True) -> Mapping:
        """A model held to the schema: without what that refuses, which is said. `whole`: nothing comes over it."""
        said = len(self.faults)
        kept = conform(bare(model) if self.tagged else model, self.schema, self.faults, self.unknown, whole=whole)
        if len(self.faults) > said:
            self.misshapen.update(self.faults.since(said))
        return kept

    # --- extends -------------------------------------------------------------------------------------------

    def _extend(self, document: Mapping, path: str, directory: str, scope: Scope) -> Mapping:
        services = unwrap(document.get("services"))
        if not isinstance(services, Mapping) or not any(_extends(service) for service in services.values()):
            return document
        unit = _Unit(path, directory, services)
        extended = copied(services)
        for name, service in services.items():
            if _extends(service):
                extended[name] = self._resolved(unit, name, scope)
        result = copied(document)
        result["services"] = extended
        return result

    def _resolved(self, unit: _Unit, name: str, scope: Scope) -> Mapping:
        """A service upon all that it extends: the chain is walked down first, then merged from its end."""
        chain: list[tuple[_Unit, str, Mapping]] = []
        visited: set[tuple[int, str]] = set()
        base: Mapping | None = None
        at: tuple[_Unit, str] | None = (unit, name)
        below = unit
        while at is not None:
            here, key = at
            below = here
            if key in here.done:
                base = here.done[key]
                break
            service = unwrap(here.services.get(key))
            if not isinstance(service, Mapping):
                break
            if (id(here), key) in visited or len(chain) >= _LONGEST_CHAIN:
                cycle = (id(here), key) in visited
                what = f"`extends` of `{key}` leads back to itself" if cycle else "a chain of more than 100 `extends`"
                self.faults.add(what, service.lines.get("extends", service.line), service=name, fatal=True)
                self.half.update(key for _, key, _ in chain)
                break
            visited.add((id(here), key))
            chain.append((here, key, service))
            at = self._target(here, key, service, scope)
            if at is None and _extends(service):
                self.half.update(key for _, key, _ in chain)
        for here, key, service in reversed(chain):
            own = _without(service, "extends")
            if base is not None:
                base = rebase_service(bare(base) if self.tagged else base, below.directory, here.directory)
                own = merge_service(base, own, self.faults, key, keep=self.tagged)
            base = here.done[key] = own
            below = here
        return base if base is not None else Mapping()

    def _target(self, unit: _Unit, name: str, service: Mapping, scope: Scope) -> tuple[_Unit, str] | None:
        """The service that this one extends; None where it extends nothing, or after a fault."""
        extends = unwrap(service.get("extends"))
        if extends is None:
            return None
        position = service.lines["extends"]
        file: Value = None
        wanted: Value = extends
        if isinstance(extends, Mapping):
            file, wanted = extends.get("file"), extends.get("service")
            position = extends.lines.get("file", position)
        if not isinstance(wanted, str) or not isinstance(file, str | None):
            self.faults.add("`extends` wants the name of a service", position, service=name)
            return None
        other = unit if file is None else self._extended_file(unit, file, position, scope)
        if other is None:
            return None
        if not isinstance(unwrap(other.services.get(wanted)), Mapping):
            where = f" in `{other.path}`" if other is not unit else ""
            self.faults.add(
                f"`extends` names the service `{wanted}`, which is not{where or ' there'}", position, service=name
            )
            return None
        return other, wanted

    def _extended_file(self, unit: _Unit, file: str, position: int, scope: Scope) -> _Unit | None:
        asked = self.places.at(position)
        if is_remote(file):
            self.faults.add("a remote file in `extends` is not read", asked, fatal=True)
            return None
        try:
            path = beneath(unit.directory, file, self.tree)
        except TextError as error:
            self.faults.add(error.what, asked, help=error.help, fatal=True)
            return None
        if path == unit.path:
            return unit
        key = (path, id(scope))
        if key not in self._extended:
            self._extended[key] = self._unit(Source(path, asked), scope)
        return self._extended[key]

    def _unit(self, source: Source, scope: Scope) -> _Unit | None:
        documents = self.documents(source, scope)
        if not documents:
            return None
        merged = documents[0]
        for document in documents[1:]:
            merged = merge_model(merged, document, self.faults)
        found = unwrap(merged.get("services"))
        services = copied(found) if isinstance(found, Mapping) else Mapping()
        services.update((name, as_read(item)) for name, item in services.items() if isinstance(item, Mapping))
        self.early.judge(merged, extended=True)
        return _Unit(source.path, posixpath.dirname(source.path), services)

    # --- include -------------------------------------------------------------------------------------------

    def _include(self, document: Mapping, directory: str, scope: Scope, ancestors: tuple[str, ...]) -> Mapping:
        if "include" not in document:
            return document
        position = document.lines["include"]
        entries = unwrap(document["include"])
        own = _without(document, "include")
        if not isinstance(entries, Sequence):
            self.faults.add("`include` wants a list", position)
            return own
        if len(ancestors) > _DEEPEST_INCLUDE:
            self.faults.add(f"`include` nested more than {_DEEPEST_INCLUDE} deep", position, fatal=True)
            return own
        merged: Mapping | None = None
        for entry, line in zip(entries, entries.lines, strict=True):
            included = self._included(unwrap(entry), line, directory, scope, ancestors)
            if included is not None:
                merged = included if merged is None else self._joined(merged, included)
        return own if merged is None else merge_model(_besides(merged, own), own, self.faults)

    def _joined(self, known: Mapping, included: Mapping) -> Mapping:
        """Two included models; what the earlier one says stands over what the later one says of the same thing."""
        rest = _besides(included, known)
        fresh, again = _apart(rest, known)
        merged = merge_model(known, fresh, self.faults)
        return merge_model(again, merged, self.faults) if again else merged

    def _included(
        self, entry: Value, position: int, directory: str, scope: Scope, ancestors: tuple[str, ...]
    ) -> Mapping | None:
        """The model of one entry, its paths relative to `directory`."""
        asked = self.places.at(position)
        if not isinstance(entry, Mapping | str):
            self.faults.add("an item of `include` is a path, or a mapping with `path`", asked)
            return None
        long = entry if isinstance(entry, Mapping) else Mapping({"path": entry}, lines={"path": position})
        for key in long.keys() - {"path", "project_directory", "env_file"}:
            self.faults.add(f"unknown key `{key}` in `include`", long.lines[key])
        files = _texts(long.get("path"))
        if not files and (long.get("path") is None or long["path"] == []):
            return None  # Compose reads nothing there, and says nothing
        if not files:
            self.faults.add("`include` wants a path or a list of paths", asked)
            return None
        if any(is_remote(file) for file in files):
            self.faults.add("a remote file in `include` is not read", asked, fatal=True)
            return None
        try:
            paths = [beneath(directory, file, self.tree) for file in files]
            own = long.get("project_directory")
            home = beneath(directory, own, self.tree) if isinstance(own, str) and own else posixpath.dirname(paths[0])
            env_files = [beneath(directory, file, self.tree) for file in _texts(long.get("env_file"))]
        except TextError as error:
            self.faults.add(error.what, asked, help=error.help, fatal=True)
            return None
        if again := next((path for path in paths if path in ancestors), None):
            self.faults.add(f"`include` of `{again}` leads back to itself", asked, fatal=True)
            return None
        inner = self._inner_scope(home, env_files, asked, scope)
        model = self.model([Source(path, asked) for path in paths], home, inner, ancestors)
        if model is None:
            return None
        model = self._ended(model)
        # Compose takes no name and no extensions from what is included.
        for key in [key for key in model if key == "name" or str(key).startswith("x-")]:
            model = _without(model, key)
        if inner is not scope:
            model = (_settled if self.interpolate else _settled_lists)(model, inner)
        return rebase_model(model, home, directory)

    def _inner_scope(self, home: str, env_files: list[str], asked: Location, scope: Scope) -> Scope:
        """The parent's variables before those of the included project's own `.env`."""
        default = posixpath.join(home, ".env")
        wanted = env_files or ([default] if self.tree.exists(default) else [])
        found = self.env_files(wanted, asked, scope.values)
        if not found:
            return scope
        inner = Scope({**found, **scope.values} if self.interpolate else found, self.budget)
        inner.missing, inner.required = scope.missing, scope.required
        return inner

    # --- env files -------------------------------------------------------------------------------------------

    def env_files(self, paths: Iterable[str], asked: Location, inherited: AnyMapping[str, str]) -> dict[str, str]:
        """The variables of several env files that must exist, the later one wins."""
        values: dict[str, str] = {}
        said = len(self.faults)
        for path in paths:
            data = self.read(Source(path, asked))
            if data is not None:
                entries = self.parse_env(data, path, inherited, values)
                values.update({name: entry.value for name, entry in entries.items()})
                self.set_at.update({name: Location(path, entry.line) for name, entry in entries.items()})
        self.misshapen.update(self.faults.since(said))
        return values

    def parse_env(
        self,
        data: bytes,
        path: str,
        inherited: AnyMapping[str, str],
        earlier: AnyMapping[str, str] = MappingProxyType({}),
        *,
        raw: bool = False,
    ) -> dict[str, dotenv.Entry]:
        """The variables of an env file, none after a fault."""
        self.places.offset(path)
        try:
            entries = dotenv.parse(data, path, inherited, self.budget, earlier=earlier, raw=raw)
        except TextError as error:
            self.faults.add(error.what, Location(path, error.line), help=error.help)
            return {}
        if path not in self.secrets:
            self.secrets[path] = secrets_in(entries)
        return entries


def is_remote(path: str) -> bool:
    """Whether Compose would fetch this from another machine."""
    return "://" in path or path.startswith(_REMOTE)


def _place(error: AuditorError, source: Source) -> Location:
    return Location(source.path, error.line) if error.path == source.path else source.asked


def _extends(service: Value) -> bool:
    service = unwrap(service)
    return isinstance(service, Mapping) and unwrap(service.get("extends")) is not None


def _without(mapping: Mapping, key: str) -> Mapping:
    if key not in mapping:
        return mapping
    result = copied(mapping)
    del result[key]
    result.lines.pop(key, None)
    return result


def _settled(model: Mapping, scope: Scope) -> Mapping:
    """An included model whose variables without a value took theirs from the included project's own `.env`."""
    services = model.get("services")
    if not isinstance(services, Mapping):
        return model
    result, found = copied(model), copied(services)
    for name, service in services.items():
        given = keyed(service.get("environment")) if isinstance(service, Mapping) else None
        if not isinstance(service, Mapping) or given is None or None not in given.values():
            continue
        environment, settled = copied(given), copied(service)
        for key, value in given.items():
            if value is None and key in scope.values:
                environment[key] = Text.of(scope.values[key], f"${{{key}}}")
        settled["environment"] = environment
        found[name] = settled
    result["services"] = found
    return result


def _settled_lists(model: Mapping, scope: Scope) -> Mapping:
    """The same as far as Compose does it where it resolves nothing: in lists, and by nothing but that `.env`."""
    services = model.get("services")
    if not isinstance(services, Mapping):
        return model
    result, found = copied(model), copied(services)
    for name, service in services.items():
        written = service.get("environment") if isinstance(service, Mapping) else None
        if isinstance(service, Mapping) and isinstance(written, Sequence):
            shown: list[Value] = [_set(item, scope) for item in map(unwrap, written)]
            found[name] = settled = copied(service)
            settled["environment"] = Sequence(shown, line=written.line, lines=written.lines)
    result["services"] = found
    return result


def _set(item: Value, scope: Scope) -> Value:
    return f"{item}={scope.values[item]}" if isinstance(item, str) and item in scope.values else item


def _besides(model: Mapping, known: Mapping) -> Mapping:
    """A model without what another says too, word by word: a file that is included twice says nothing twice."""
    result = copied(model)
    for section, items in model.items():
        there = known.get(section)
        if isinstance(items, Mapping) and isinstance(there, Mapping):
            result[section] = kept = copied(items)
            for key in [key for key, item in items.items() if key in there and item == there[key]]:
                del kept[key]
                kept.lines.pop(key, None)
    return result


def _apart(model: Mapping, known: Mapping) -> tuple[Mapping, Mapping]:
    """What a model says of things that another does not know, and what it says of those that both know."""
    fresh, again = copied(model), Mapping(line=model.line)
    for section, items in model.items():
        there = known.get(section)
        if isinstance(items, Mapping) and isinstance(there, Mapping) and (both := items.keys() & there.keys()):
            fresh[section], again[section] = _only(items, items.keys() - both), _only(items, both)
            again.lines[section] = model.lines[section]
    return fresh, again


def _only(items: Mapping, keys: AbstractSet[str]) -> Mapping:
    kept = copied(items)
    for key in items.keys() - keys:
        del kept[key]
        kept.lines.pop(key, None)
    return kept


def _texts(value: Value) -> list[str]:
    value = unwrap(value)
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, Sequence) else []
