"""Addresses that a service is told by other files than Compose's: the configuration that it mounts, and its code."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from auditor import knowledge
from auditor.compose.mounts import mounted_file
from auditor.errors import AuditorError
from auditor.frozen import dataclass
from auditor.model import Address, Catalogue, Component, Definition, Entry, Location, Project, Reference
from auditor.regexp import regexp
from auditor.tree import Tree, join

if TYPE_CHECKING:
    from auditor.sources.told.literals import Named

MAX_FILES = 2_000  # of code
MAX_TEXT = 32 << 20  # bytes of code together
MAX_SOURCE = 1 << 20  # bytes of one file
MAX_MOUNTED = 100  # configuration files of one service
MAX_FOUND = 500  # addresses of one service

_CODE = (
    ".py", ".ts", ".tsx", ".js", ".mjs", ".cjs", ".jsx", ".java", ".kt", ".go", ".rb", ".cs", ".rs", ".php", ".scala",
)  # fmt: skip
# Directories of code that is somebody else's, made, or not part of what runs.
_PASSED_OVER = frozenset(
    {
        "test", "tests", "__tests__", "testing", "testdata", "spec", "specs", "e2e", "fixtures", "mocks", "__mocks__",
        "docs", "doc", "examples", "example", "samples", "demo", "vendor", "third_party", "dist", "build", "target",
        "generated", "gen", "migrations", "stories", "coverage", "benchmarks", "bench", "public", "static",
    }
)  # fmt: skip
_TEST_FILE = regexp(
    r"(?:^test_|^conftest\.py$|_test\.\w+$|\.(?:test|spec|stories|min|d|config)\.\w+$|Tests?\.(?:java|kt|cs)$|Spec\.\w+$)"
)

Found = tuple[int, Address]
_TITLES = {
    "nginx": "nginx", "haproxy": "HAProxy", "caddy": "Caddy", "kong": "Kong", "traefik": "Traefik", "envoy": "Envoy",
}  # fmt: skip
# Where a configuration is mounted says whose it is, when the image does not.
_TARGETS = (
    (re.compile(r"/(?:nginx|openresty)(?:/|$)"), "nginx"),
    (re.compile(r"haproxy\.cfg$|/haproxy(?:/|$)"), "haproxy"),
    (re.compile(r"/Caddyfile$|/caddy(?:/|$)"), "caddy"),
    (re.compile(r"/kong\.ya?ml$|/kong(?:/|$)"), "kong"),
    (re.compile(r"/traefik(?:/|\.ya?ml$|\.toml$|$)"), "traefik"),
    (re.compile(r"/envoy(?:/|\.ya?ml$|$)"), "envoy"),
)
_ENDINGS = {
    "kong": (".yml", ".yaml", ".json"), "traefik": (".yml", ".yaml", ".toml"), "envoy": (".yml", ".yaml", ".json"),
}  # fmt: skip
_BUILT_IN = regexp(r"(?i)^(?:nginx[\w.-]*\.conf|default\.conf|[\w.-]*\.conf\.template|[\w.-]+\.nginx)$")


def with_told(
    projects: Sequence[Project],
    tree: Tree,
    components: tuple[Component, ...],
    catalogue: Catalogue | None = None,
    directory: str = "",
) -> tuple[Project, ...]:
    """The projects, each active service with the addresses that its configuration files and its code name."""
    code = _Code(tree, catalogue, directory)
    return tuple(_told(project, tree, components, code) for project in projects)


def _told(project: Project, tree: Tree, components: tuple[Component, ...], code: _Code) -> Project:
    active = [definition for definition in project.definitions if definition.active]
    found: dict[str, list[Reference]] = defaultdict(list)
    mounted: set[str] = set()
    for definition in active:
        files = list(_mounted(definition, tree, components))
        mounted.update(path for path, _ in files)
        found[definition.name] += _all_configured(tree, files)
    for definition, paths in _baked(active, tree):
        found[definition.name] += _all_configured(tree, [(path, "nginx") for path in paths if path not in mounted])
    for name, references in code.references(active).items():
        found[name] += references
    if not any(found.values()):
        return project
    return replace(
        project,
        definitions=tuple(
            replace(d, references=(*d.references, *dict.fromkeys(found[d.name][:MAX_FOUND]))) if d.name in found else d
            for d in project.definitions
        ),
    )


# --- configuration -----------------------------------------------------------------------------------------------


def _mounted(definition: Definition, tree: Tree, components: tuple[Component, ...]) -> Iterator[tuple[str, str]]:
    """The files that a service mounts and that configure a proxy, with its kind."""
    known = knowledge.by_image(components, definition.image) if definition.image else None
    count = 0
    for mount in definition.mounts:
        source = mounted_file(mount)
        key = known.key if known and known.key in _TITLES else _key_of(mount.target)
        if key is None or source is None:
            continue
        try:
            files = [source] if source in tree.glob(source) else tree.glob(posixpath.join(source, "**/*"))
        except AuditorError:
            continue
        for path in files:
            if path.endswith(_ENDINGS.get(key, ("",))) and count < MAX_MOUNTED:
                count += 1
                yield path, key


def _key_of(target: str) -> str | None:
    return next((key for pattern, key in _TARGETS if pattern.search(target)), None)


def _baked(active: Sequence[Definition], tree: Tree) -> Iterator[tuple[Definition, list[str]]]:
    """The configurations of nginx that stand in what one service alone is built from, and nothing nearer."""
    contexts: dict[str, list[Definition]] = defaultdict(list)
    for definition in active:
        if definition.build_context is not None:
            contexts[definition.build_context].append(definition)
    for context, sharing in contexts.items():
        if len(sharing) > 1:
            continue
        try:
            files = tree.glob(posixpath.join(context, "**/*")) if context not in ("", ".") else tree.glob("*")
        except AuditorError:
            continue
        built_in = [p for p in files if _BUILT_IN.search(posixpath.basename(p))][:MAX_MOUNTED]
        yield sharing[0], [p for p in built_in if _nearest(p, contexts) == context and not _passed_over(p)]


def _all_configured(tree: Tree, files: Sequence[tuple[str, str]]) -> Iterator[Reference]:
    """The addresses in the files of one service, each with whose configuration it is."""
    if not files:
        return
    from auditor.sources.told import proxies  # late: most projects have none of them

    texts = (_text(tree, path) for path, key in files if key == "nginx")
    elsewhere = frozenset(name for text in texts for name in proxies.upstreams(text))
    for path, key in files:
        where = f"the {_TITLES[key]} configuration"
        try:
            for line, address in _addresses(key, tree.read(path), path, elsewhere):
                yield Reference(address, where, Location(path, line), source="configuration")
        except AuditorError:
            continue  # nobody asked for it by name; what it configures will complain itself


def _text(tree: Tree, path: str) -> str:
    try:
        return tree.read(path).decode("utf-8", "replace")
    except AuditorError:
        return ""


def _addresses(key: str, data: bytes, path: str, elsewhere: frozenset[str]) -> Iterator[Found]:
    from auditor.sources.told import proxies, settings

    documents = {"kong": settings.kong, "traefik": settings.traefik, "envoy": settings.envoy}
    if key in documents:
        return documents[key](data, path)
    text = data.decode("utf-8", "replace")
    if key == "nginx":
        return proxies.nginx(text, elsewhere)
    return {"haproxy": proxies.haproxy, "caddy": proxies.caddy}[key](text)


def _nearest(path: str, contexts: Iterable[str]) -> str | None:
    """The longest of the directories that a path lies in."""
    holding = [context for context in contexts if context in ("", ".") or path.startswith(f"{context.rstrip('/')}/")]
    return max(holding, key=len, default=None)


# --- code --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    entry: str | None  # whose implementation it is


class _Code:
    """The code that the catalogue names, read once for all environments."""

    def __init__(self, tree: Tree, catalogue: Catalogue | None, directory: str) -> None:
        self._tree, self._catalogue, self._directory = tree, catalogue, directory
        self._texts: dict[str, str] = {}
        self._files: list[_File] | None = None

    def references(self, active: Sequence[Definition]) -> Mapping[str, list[Reference]]:
        """Service -> what its code names, but for what a variable of its own overrides."""
        found: dict[str, list[Reference]] = defaultdict(list)
        if self._catalogue is None or not active:
            return found
        from auditor.sources.told.literals import named_addresses  # its patterns and parsers are for code alone

        hosts = {host.lower() for d in active for host in (d.name, d.container_name, *d.network_aliases) if host}
        contexts: dict[str, list[Definition]] = defaultdict(list)
        for definition in active:
            if definition.build_context is not None:
                contexts[definition.build_context].append(definition)
        entries = {entry.name: entry for entry in self._catalogue.entries}
        for file in self._all():
            sharing = _sharing(file, active, contexts, entries)
            if sharing:
                overridden = {variable.name.upper() for definition in sharing for variable in definition.variables}
                named = named_addresses(self._text(file.path), file.path, hosts)
                found[sharing[0].name] += _references(file.path, named, overridden, certain=len(sharing) == 1)
        return found

    def _all(self) -> list[_File]:
        if self._files is None:
            self._files = list(islice(self._listed(), MAX_FILES))
        return self._files

    def _listed(self) -> Iterator[_File]:
        """What entries name as their own goes before the roots of all code, and the nearer root before the wider."""
        seen: set[str] = set()
        entries = self._catalogue.entries if self._catalogue else ()
        roots = self._catalogue.code if self._catalogue else ()
        own = [(entry.implementation, entry.name) for entry in entries if entry.implementation]
        for root, entry in (*sorted(own, key=lambda item: -len(item[0])), *((root, None) for root in roots)):
            for path in self._below(root):
                if path not in seen and path.endswith(_CODE):
                    seen.add(path)
                    yield _File(path, entry)

    def _below(self, root: str) -> list[str]:
        try:
            place = join(self._directory, root)
            exact = self._tree.glob(place)
            if exact:
                return exact
            below = "" if place == "." else f"{place}/"
            return [path for path in self._tree.glob(f"{below}**/*") if not _passed_over(path.removeprefix(below))]
        except AuditorError:
            return []

    def _text(self, path: str) -> str:
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: str) -> str:
        if sum(map(len, self._texts.values())) > MAX_TEXT:
            return ""
        try:
            data = self._tree.read(path)
        except AuditorError:
            return ""
        return data.decode("utf-8", "replace").removeprefix("\ufeff") if len(data) <= MAX_SOURCE else ""


def _sharing(
    file: _File,
    active: Sequence[Definition],
    contexts: Mapping[str, list[Definition]],
    entries: Mapping[str, Entry],
) -> list[Definition]:
    """The services that run a file: the entry's own, else those built from where it lies."""
    if file.entry is not None:
        entry = entries[file.entry]
        names = (entry.name, *entry.aliases, entry.embedded_in or entry.name)
        own = [definition for definition in active if definition.name in names]
        if own:
            return own[:1]
    nearest = _nearest(file.path, contexts)
    return contexts[nearest] if nearest is not None else []


def _references(path: str, named: Iterable[Named], overridden: set[str], *, certain: bool) -> Iterator[Reference]:
    for item in named:
        if item.words.isdisjoint(overridden):
            yield Reference(item.address, "the code", Location(path, item.line), source="code", certain=certain)


def _passed_over(path: str) -> bool:
    *directories, last = path.split("/")
    return not _PASSED_OVER.isdisjoint(directories) or _TEST_FILE.search(last) is not None
