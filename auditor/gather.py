"""The project's files -> facts: which are read for an environment, and what becomes of one that cannot be read.

Pure given a Tree: the same files give the same facts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace

from auditor import compose, knowledge
from auditor.compose.mounts import is_covered, place_of, resolve_mount
from auditor.compose.schema import Schema
from auditor.digest import Digester
from auditor.errors import AuditorError
from auditor.frozen import dataclass
from auditor.model import (
    AlertmanagerConfig,
    Catalogue,
    Component,
    ComponentConfig,
    Definition,
    Document,
    Entry,
    EnvironmentSpec,
    Fault,
    Grafana,
    Implementation,
    Lifecycle,
    Location,
    LogShipper,
    Project,
    PrometheusConfig,
    RulePattern,
    ScrapeJob,
    SourceState,
)
from auditor.sources.components import find_component_configs
from auditor.sources.told import with_told
from auditor.tree import Tree, join
from auditor.words import normal

NO_CATALOGUE = "default"  # the environment's name where no catalogue names one
PROMETHEUS_FILE = "/etc/prometheus/prometheus.yml"
ALERTMANAGER_FILES = ("/etc/alertmanager/alertmanager.yml", "/etc/alertmanager/config.yml")


@dataclass(slots=True)
class FileFacts:
    """What the files of a project say, and how reading them went."""

    projects: list[Project] = field(default_factory=list)
    prometheus: list[PrometheusConfig] = field(default_factory=list)
    alertmanager_configs: list[AlertmanagerConfig] = field(default_factory=list)
    grafanas: list[Grafana] = field(default_factory=list)
    log_shippers: list[LogShipper] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    implementations: list[Implementation] = field(default_factory=list)
    component_configs: list[ComponentConfig] = field(default_factory=list)
    absent_files: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    sources: list[SourceState] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Request:
    """What to read. `files` replace the Compose files of the judged environments.

    `digest` makes the digests of values; `asked` are the environments whose engine is asked, so that what their
    containers are to be made with is worth working out.
    """

    tree: Tree
    components: tuple[Component, ...]
    schema: Schema  # of Compose files
    judged: tuple[str, ...]
    catalogue: Catalogue | None = None
    directory: str = ""
    files: tuple[str, ...] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    root_name: str = ""  # what the root directory is called: the name of a project that has no other
    digest: Digester | None = None
    asked: frozenset[str] = frozenset()


def specs(catalogue: Catalogue | None) -> tuple[EnvironmentSpec, ...]:
    """The environments of a catalogue, or the one that stands for "these files"."""
    if catalogue:
        return catalogue.environments
    return (EnvironmentSpec(NO_CATALOGUE, Location(".")),)


def gather_files(request: Request) -> FileFacts:
    """Reads every file that the catalogue, the flags and the Compose files name."""
    facts = FileFacts()
    if request.catalogue:
        facts.sources.append(SourceState("catalogue", "ok", request.catalogue.path))
    else:
        facts.sources.append(SourceState("catalogue", "not_asked"))
    for spec in specs(request.catalogue):
        project = _compose(request, spec, facts)
        _prometheus(request, spec, project, facts)
        _alertmanager(request, spec, project, facts)
        _grafana(request, spec, project, facts)
        _logs(request, spec, project, facts)
    facts.projects[:] = with_told(
        facts.projects, request.tree, request.components, request.catalogue, request.directory
    )
    _documents(request, facts)
    _code(request, facts)
    _tree(request, facts)
    return facts


# --- Compose -----------------------------------------------------------------------------------------------------


def _compose(request: Request, spec: EnvironmentSpec, facts: FileFacts) -> Project:
    files = request.files if spec.name in request.judged else None
    if spec.lifecycle is Lifecycle.PROCESS and not spec.compose and files is None:
        facts.sources.append(SourceState("compose", "ok", "its services are host processes", spec.name))
        facts.projects.append(Project(spec.name, None, ()))
        return facts.projects[-1]
    project, composition = compose.compose(
        spec,
        request.tree,
        schema=request.schema,
        directory=request.directory,
        files=files,
        variables=request.variables,
        root_name=request.root_name,
        optional=not spec.compose and files is None and _composes_nothing(request.catalogue, spec.name),
        digest=request.digest,
    )
    if composition and request.digest and spec.name in request.asked:
        project = _with_setups(project, composition, request.digest)
    facts.projects.append(project)
    facts.sources.append(_compose_state(spec.name, project))
    return project


def _with_setups(project: Project, composition: compose.Composition, digest: Digester) -> Project:
    from auditor.compose.setup import setups  # what no engine is asked for need not load

    found = setups(project, composition, digest)
    return replace(project, definitions=tuple(replace(d, setup=found.get(d.name)) for d in project.definitions))


def _composes_nothing(catalogue: Catalogue | None, environment: str) -> bool:
    """Whether all that is declared for an environment lives elsewhere: as a host process, at an outside address."""
    elsewhere = (Lifecycle.PROCESS, Lifecycle.EXTERNAL, Lifecycle.EMBEDDED)
    entries = catalogue.entries if catalogue else ()
    here = [entry for entry in entries if entry.environments is None or environment in entry.environments]
    return bool(here) and all(entry.lifecycle in elsewhere for entry in here)


def _compose_state(environment: str, project: Project) -> SourceState:
    fatal = next((fault for fault in project.faults if fault.fatal), None)
    if fatal:
        return SourceState("compose", "failed", f"{fatal.location}: {fatal.message}", environment)
    if not project.files:
        return SourceState("compose", "ok", "no Compose file, and no service that needs one", environment)
    names = ", ".join(path for path in project.files if not _sets_variables(path)) or project.files[0]
    return SourceState("compose", "ok", f"{counted(len(project.definitions), 'service')} in {names}", environment)


def _sets_variables(path: str) -> bool:
    name = posixpath.basename(path)
    return name.startswith(".env") or name.endswith(".env")


# --- Prometheus --------------------------------------------------------------------------------------------------


def _prometheus(request: Request, spec: EnvironmentSpec, project: Project, facts: FileFacts) -> None:
    """The configuration that the catalogue names, and that of each composed server."""
    read: list[str] = []
    jobs = 0
    for path, server in _prometheus_files(request, spec, project):
        from auditor.sources.prometheus import parse_prometheus

        def resolve(container_path: str, server: Definition | None = server) -> str | None:
            if server is None:
                return None
            found = resolve_mount(server, container_path)
            empty = found is None and not server.build and not is_covered(server, posixpath.dirname(container_path))
            return "" if empty else found

        place, name = (place_of(server, path), server.name) if server else (None, None)
        try:
            config = parse_prometheus(request.tree, path, spec.name, resolve, place, name)
        except AuditorError as error:
            facts.sources.append(SourceState("prometheus", "failed", _said(error), spec.name))
            return
        facts.prometheus.append(config)
        read.append(path)
        jobs += len(config.jobs)
    for config in _scrapers(request, spec, project, read, facts):
        facts.prometheus.append(config)
        read.append(config.path)
        jobs += len(config.jobs)
    if read:
        facts.prometheus += _unseen_servers(request, spec, project, facts)
    state = "ok" if read else "not_asked"
    said = f"{counted(jobs, 'job')} in {', '.join(read)}" if read else None
    facts.sources.append(SourceState("prometheus", state, said, spec.name))


def _unseen_servers(
    request: Request, spec: EnvironmentSpec, project: Project, facts: FileFacts
) -> Iterator[PrometheusConfig]:
    """The composed servers beside those that were read whose configuration is not in the tree: it may say anything."""
    known = {config.server for config in facts.prometheus if config.environment == spec.name}
    for server in _servers(request, project, "prometheus"):
        if server.name not in known and server.active and not _configured(request, server, (PROMETHEUS_FILE,)):
            hidden = f"the configuration of `{server.name}`"
            job = ScrapeJob(spec.name, server.name, server.location, discovery=(hidden,))
            rules = RulePattern(server.config_files[0] if server.config_files else PROMETHEUS_FILE, server.location)
            yield PrometheusConfig(
                spec.name,
                server.location.path,
                jobs=(job,),
                rule_patterns=(rules,),
                alertmanager_discovery=(hidden,),
                server=server.name,
                reads_others=True,
            )


def _scrapers(
    request: Request, spec: EnvironmentSpec, project: Project, read: list[str], facts: FileFacts
) -> Iterator[PrometheusConfig]:
    """What composed programs beside Prometheus scrape; one whose configuration cannot be read is a fault of its own."""
    for definition in project.definitions:
        known = knowledge.by_image(request.components, definition.image) if definition.image else None
        key = known.key if known else "vmagent" if _is_vmagent(definition) else ""
        if key not in ("alloy", "otel-collector", "vmagent") or not definition.active:
            continue
        from auditor.sources.prometheus.scrapers import read_scraper

        try:
            config = read_scraper(request.tree, definition, key, spec.name)
        except AuditorError as error:
            place = Location(error.path or definition.location.path, error.line)
            if key == "vmagent":  # of the others, reading them as shippers of logs says so
                facts.faults.append(Fault("invalid-yaml", error.what, place, environment=spec.name))
            unread = ScrapeJob(spec.name, definition.name, place, (), (f"what `{definition.name}` scrapes",))
            config = PrometheusConfig(spec.name, place.path, (unread,), server=definition.name, agent=True)
        if config and config.path not in read:
            yield config


def _is_vmagent(definition: Definition) -> bool:
    return bool(definition.image) and knowledge.is_repository(definition.image or "", "victoriametrics/vmagent")


def _prometheus_files(
    request: Request, spec: EnvironmentSpec, project: Project
) -> Iterator[tuple[str, Definition | None]]:
    """Each configuration once, with the server that is composed with it."""
    servers = list(_servers(request, project, "prometheus"))
    own = [(path, server) for server in servers if (path := _configured(request, server, (PROMETHEUS_FILE,)))]
    if named := spec.prometheus_config:
        path = posixpath.normpath(posixpath.join(request.directory, named))
        yield path, next((server for found, server in own if found == path), servers[0] if servers else None)
        own = [one for one in own if one[0] != path] if len(own) > 1 else []
    paths = [path for path, _ in own]
    yield from (one for place, one in enumerate(own) if one[0] not in paths[:place])


def _alertmanager(request: Request, spec: EnvironmentSpec, project: Project, facts: FileFacts) -> None:
    server = _server(request, project, "alertmanager")
    path = _configuration(request, spec.alertmanager_config, server, ALERTMANAGER_FILES)
    name = "alertmanager-config"
    if path is None:
        facts.sources.append(SourceState(name, "not_asked", environment=spec.name))
        return
    from auditor.sources.alertmanager_config import parse_alertmanager_config

    try:
        config = parse_alertmanager_config(request.tree, path, spec.name)
    except AuditorError as error:
        facts.sources.append(SourceState(name, "failed", _said(error), spec.name))
        return
    facts.alertmanager_configs.append(config)
    said = f"{counted(len(config.receivers), 'receiver')} in {path}"
    facts.sources.append(SourceState(name, "ok", said, spec.name))


def _grafana(request: Request, spec: EnvironmentSpec, project: Project, facts: FileFacts) -> None:
    """The dashboards that the catalogue names, else those that the composed Grafana is provisioned with."""
    server = _server(request, project, "grafana")
    if not spec.grafana_dashboards and server is None:
        facts.sources.append(SourceState("grafana", "not_asked", environment=spec.name))
        return
    from auditor.sources.grafana import Mounted, is_provisioned, read_grafana

    mounted = Mounted(server, lambda path: resolve_mount(server, path)) if server else None
    if not spec.grafana_dashboards and not is_provisioned(request.tree, mounted, spec.name):
        facts.sources.append(SourceState("grafana", "not_asked", environment=spec.name))
        return
    named = _globbed(request, spec.grafana_dashboards) if spec.grafana_dashboards else None
    try:
        found = read_grafana(request.tree, spec.name, mounted, named)
    except AuditorError as error:
        facts.sources.append(SourceState("grafana", "failed", _said(error), spec.name))
        return
    facts.grafanas.append(found)
    said = f"{counted(len(found.dashboards), 'dashboard')}, {counted(len(found.datasources or ()), 'datasource')}"
    facts.sources.append(SourceState("grafana", "ok", said, spec.name))


_SHIPPER_KEYS = ("otel-collector",)  # takes logs as well, if it is told to


def _logs(request: Request, spec: EnvironmentSpec, project: Project, facts: FileFacts) -> None:
    """The configurations of the composed log shippers; without one there is nothing to ask."""
    for definition in project.definitions:
        known = knowledge.by_image(request.components, definition.image) if definition.image else None
        if known is None or (known.kind != "log_shipper" and known.key not in _SHIPPER_KEYS):
            continue
        from auditor.sources.logs import read_shipper

        facts.log_shippers.append(read_shipper(request.tree, definition, known.key, spec.name))


def _globbed(request: Request, patterns: Iterable[str]) -> list[str]:
    """The files that patterns find; a plain path stays, so that reading it says where it is missing."""
    found: dict[str, None] = {}
    for pattern in patterns:
        path = posixpath.normpath(posixpath.join(request.directory, pattern))
        found.update(dict.fromkeys(request.tree.glob(path) if any(sign in path for sign in "*?[") else [path]))
    return list(found)


def _server(request: Request, project: Project, key: str) -> Definition | None:
    """The first composed service that is the component `key`."""
    return next(_servers(request, project, key), None)


def _servers(request: Request, project: Project, key: str) -> Iterator[Definition]:
    """The composed services that are the component `key`."""
    for definition in project.definitions:
        known = knowledge.by_image(request.components, definition.image) if definition.image else None
        if known and known.key == key:
            yield definition


def _configuration(
    request: Request, named: str | None, server: Definition | None, usual: tuple[str, ...]
) -> str | None:
    """The configuration that the catalogue names, else the one that the composed server is given."""
    if named:
        return posixpath.normpath(posixpath.join(request.directory, named))
    return _configured(request, server, usual) if server else None


def _configured(request: Request, server: Definition, usual: tuple[str, ...]) -> str | None:
    """The file that a composed server starts with: as its command says, else what is at a usual place."""
    targets = (*server.granted_files, *(mount.target for mount in server.mounts))
    others = [target for target in targets if _stem(target) in {_stem(path) for path in usual}]
    found = (resolve_mount(server, path) for path in server.config_files or (*usual, *others))
    return next((path for path in found if path and request.tree.exists(path)), None)


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


# --- documents and code ------------------------------------------------------------------------------------------


def _documents(request: Request, facts: FileFacts) -> None:
    patterns = request.catalogue.documents if request.catalogue else ()
    if not patterns:
        facts.sources.append(SourceState("documents", "not_asked"))
        return
    words = _known_words(request, facts)
    from auditor.sources.documents import parse_document
    from auditor.sources.documents.lookup import Lookup

    lookup = Lookup(request.tree)

    def read(path: str) -> None:
        facts.documents.append(parse_document(request.tree.read(path), path, words, lookup, request.directory))

    problems = _each(_expand(request, patterns), read)
    facts.sources.append(_state("documents", problems, f"{len(facts.documents)} read"))


def _known_words(request: Request, facts: FileFacts) -> frozenset[str]:
    """The normal form of everything that a document may call a service."""
    words: set[str] = set()
    for component in request.components:
        words.update((component.key, component.title, *component.names))
    for project in facts.projects:
        words.update(definition.name for definition in project.definitions)
    for entry in request.catalogue.entries if request.catalogue else ():
        words.update((entry.name, *entry.aliases, entry.title or ""))
    return frozenset(normal(word) for word in words) - {""}


def _code(request: Request, facts: FileFacts) -> None:
    entries = [e for e in request.catalogue.entries if e.implementation] if request.catalogue else []
    if not entries:
        facts.sources.append(SourceState("code", "not_asked"))
        return
    problems = _each(entries, lambda entry: _implementation(request, entry, facts))
    facts.sources.append(_state("code", problems, f"{counted(len(facts.implementations), 'implementation')} read"))


def _implementation(request: Request, entry: Entry, facts: FileFacts) -> None:
    from auditor.sources.code import parse_implementation

    facts.implementations.append(parse_implementation(request.tree, entry, request.directory))


def _tree(request: Request, facts: FileFacts) -> None:
    """Configurations of known components, and which of the files that entries name are not there."""
    if request.catalogue is None:
        return
    facts.component_configs += find_component_configs(request.tree, request.components, request.directory)
    for entry in request.catalogue.entries:
        if entry.runbook and "://" not in entry.runbook and not _exists(request, entry.runbook):
            facts.absent_files.append(entry.runbook)


def _exists(request: Request, path: str) -> bool:
    try:
        return request.tree.exists(join(request.directory, path.partition("#")[0]))
    except AuditorError:
        return False


def _expand(request: Request, patterns: Iterable[str]) -> list[str]:
    """The files that patterns name, and the documents below directories; a plain path that is missing stays, so that
    reading it says so."""
    paths: dict[str, None] = {}
    for pattern in patterns:
        path = posixpath.normpath(posixpath.join(request.directory, pattern))
        wild = any(sign in path for sign in "*?[")
        found = request.tree.glob(path) if wild else _documents_below(request, path) or [path]
        paths.update(dict.fromkeys(found))
    return list(paths)


def _documents_below(request: Request, directory: str) -> list[str]:
    return [path for ending in ("md", "rst") for path in request.tree.glob(posixpath.join(directory, f"**/*.{ending}"))]


def _each(items: Iterable[object], read: Callable[..., None]) -> list[str]:
    """Reads each item; one that cannot be read is told and hides no other."""
    problems = []
    for item in items:
        try:
            read(item)
        except AuditorError as error:
            problems.append(_said(error))
    return problems


def _state(name: str, problems: list[str], detail: str) -> SourceState:
    return SourceState(name, "failed", "; ".join(problems)) if problems else SourceState(name, "ok", detail)


def counted(number: int, noun: str) -> str:
    """`1 service`, `2 services`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _said(error: AuditorError) -> str:
    return f"{error.where}: {error.what}" if error.where else error.what
