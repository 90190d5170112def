"""One run, from settings to report: find the project, read its files, ask what is alive, judge."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from auditor import charting, engine, live, policy, whereabouts
from auditor.digest import Digester
from auditor.errors import AuditorError, CatalogueError, EvidenceError, SettingsError, UsageError, did_you_mean
from auditor.frozen import dataclass
from auditor.gather import FileFacts, Request, gather_files, specs
from auditor.inventory import Snapshot
from auditor.model import Catalogue, Component, EnvironmentSpec, Moment, Peak, Project, Report, SourceState
from auditor.settings import Settings
from auditor.sources import compose_schema, knowledge
from auditor.sources.tree import DiskTree
from auditor.state import digester
from auditor.tree import Tree

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from auditor.probes import ProbeRequest

CATALOGUE_NAMES = ("catalogue.yaml", "catalogue.yml")
SNAPSHOT_SCHEMA = "stack-auditor/snapshot/1"
NO_CATALOGUE_HELP = "write one with `auditor init`, or name Compose files with -f"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a project lies. `catalogue` and `directory` are relative to `root`; no catalogue: None.

    `called`: the root by its name where the command stands, which may be that of a link; `directory` is one by its
    names, too.
    """

    root: Path
    catalogue: str | None
    directory: str
    called: Path

    @property
    def name(self) -> str:
        """What the root is called."""
        return self.called.name


def _quiet(_: str) -> None:
    pass


# --- where -------------------------------------------------------------------------------------------------------


def locate(settings: Settings, cwd: Path | None = None) -> Place:
    """The project that the settings mean. Raises UsageError or CatalogueError where a named file is not there."""
    here = (cwd or Path.cwd()).resolve()
    catalogue = _catalogue(settings, here)
    start = catalogue.parent if catalogue else _first_directory(settings, here)
    root = _root(settings, start, here)
    if not start.is_relative_to(root):
        raise UsageError(f"`{start}` lies outside the root `{root}`", help="name another --root")
    called = whereabouts.called(root, _named(settings, cwd))
    place = whereabouts.called(start, _named(settings, cwd))
    relative = (place.relative_to(called) if place.is_relative_to(called) else start.relative_to(root)).as_posix()
    directory = "" if relative == "." else relative
    return Place(root, (Path(directory) / catalogue.name).as_posix() if catalogue else None, directory, called)


def _named(settings: Settings, cwd: Path | None) -> Path:
    """The directory that the settings name, or where the command stands: Compose resolves no links."""
    here = cwd or whereabouts.current(os.environ)
    named = settings.catalogue or next(iter(settings.compose_files), None)
    return Path(os.path.normpath(here / named)).parent if named else here


def _catalogue(settings: Settings, here: Path) -> Path | None:
    if settings.catalogue:
        path = here / settings.catalogue
        if not path.exists():
            raise CatalogueError("no such catalogue", path=settings.catalogue, help=NO_CATALOGUE_HELP)
        return path.parent.resolve() / path.name
    if settings.compose_files:
        return None
    top = _root(settings, here, here)
    for directory in (here, *here.parents):
        for name in CATALOGUE_NAMES:
            # A directory or a dangling link of that name is an error, not a project without a catalogue.
            if os.path.lexists(directory / name):
                return directory / name
        if directory == top:
            break
    return None


def _first_directory(settings: Settings, here: Path) -> Path:
    return (here / settings.compose_files[0]).parent.resolve() if settings.compose_files else here


def _root(settings: Settings, start: Path, here: Path) -> Path:
    """`--root`, else the nearest ancestor with `.git`, else the directory itself."""
    if settings.root:
        root = (here / settings.root).resolve()
        if not root.is_dir():
            raise UsageError(f"--root `{settings.root}` is no directory")
        return root
    return next((d for d in (start, *start.parents) if (d / ".git").exists()), start)


# --- what --------------------------------------------------------------------------------------------------------


def gather(settings: Settings, progress: Progress | None = None, engines: live.Engines | None = None) -> Snapshot:
    """Every fact of this moment. A source that was asked and failed is a state of the snapshot, not an error.

    engines: those of earlier scans, which then ask less.
    """
    say = progress or _quiet
    place = locate(settings)
    tree = DiskTree(place.root, allow=tuple(Path(path) for path in settings.allow_paths))
    catalogue = _read_catalogue(tree, place)
    judged = _judged(settings, catalogue)
    taken_at = datetime.now(UTC)
    components = knowledge.extended(catalogue, tree)
    live_engines = [] if settings.offline else [spec for spec in judged if settings.docker or spec.docker]
    asked = frozenset(spec.name for spec in live_engines)
    digest = digester(os.environ, lasting=bool(asked))
    say("reading files")
    facts = gather_files(
        Request(
            tree=tree,
            components=components,
            schema=compose_schema.load(),
            judged=tuple(spec.name for spec in judged),
            catalogue=catalogue,
            directory=place.directory,
            files=_compose_files(settings, place),
            variables={name: os.environ[name] for name in settings.admit if name in os.environ},
            root_name=place.name,
            digest=digest,
            asked=asked,
        )
    )
    snapshot = _snapshot(taken_at, judged, catalogue, facts, components=components, files=tuple(tree.files))
    snapshot = replace(snapshot, hash_key=digest.key_name)
    if settings.offline:
        return replace(snapshot, sources=(*snapshot.sources, *_unasked(judged)))
    return _with_live(snapshot, judged, settings, say, engines, digest)


def _read_catalogue(tree: Tree, place: Place) -> Catalogue | None:
    if place.catalogue is None:
        return None
    from auditor.catalogue import parse_catalogue  # late: much code, and many a project has none

    try:
        data = tree.read(place.catalogue)
    except EvidenceError as error:
        raise CatalogueError(error.what, path=error.path, line=error.line, help=error.help) from error
    return parse_catalogue(data, place.catalogue, read_include=tree.read)


def known_components(settings: Settings) -> tuple[Component, ...]:
    """What is known of components where the settings point. Raises UsageError or CatalogueError."""
    place = locate(settings)
    tree = DiskTree(place.root, allow=tuple(Path(path) for path in settings.allow_paths))
    return knowledge.extended(_read_catalogue(tree, place), tree)


def _judged(settings: Settings, catalogue: Catalogue | None) -> tuple[EnvironmentSpec, ...]:
    known = specs(catalogue)
    if not settings.environments:
        return known[:1]
    if "all" in settings.environments:
        return known
    by_name = {spec.name: spec for spec in known}
    for name in settings.environments:
        if name not in by_name:
            hint = did_you_mean(name, by_name) or f"it has {', '.join(f'`{known}`' for known in by_name)}"
            raise UsageError(f"the catalogue has no environment `{name}`", help=hint)
    return tuple(by_name[name] for name in dict.fromkeys(settings.environments))


def _compose_files(settings: Settings, place: Place) -> tuple[str, ...] | None:
    """The -f files as paths from the root; one outside it keeps its absolute path, for the tree to refuse or allow."""
    if not settings.compose_files:
        return None
    paths = []
    for name in settings.compose_files:
        path = Path(os.path.normpath(whereabouts.current(os.environ) / name))
        if not path.is_relative_to(place.called):
            path = Path(os.path.normpath(Path.cwd().resolve() / name))
        root = place.called if path.is_relative_to(place.called) else place.root
        paths.append(path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path))
    return tuple(paths)


def _snapshot(
    taken_at: datetime,
    judged: Sequence[EnvironmentSpec],
    catalogue: Catalogue | None,
    facts: FileFacts,
    *,
    components: tuple[Component, ...],
    files: tuple[str, ...],
) -> Snapshot:
    return Snapshot(
        taken_at=taken_at,
        environments=tuple(spec.name for spec in judged),
        catalogue=catalogue,
        components=components,
        sources=tuple(facts.sources),
        projects=tuple(facts.projects),
        prometheus=tuple(facts.prometheus),
        alertmanager_configs=tuple(facts.alertmanager_configs),
        grafanas=tuple(facts.grafanas),
        log_shippers=tuple(facts.log_shippers),
        documents=tuple(facts.documents),
        implementations=tuple(facts.implementations),
        component_configs=tuple(facts.component_configs),
        absent_files=tuple(facts.absent_files),
        faults=tuple(facts.faults),
        files=files,
    )


def _unasked(judged: Sequence[EnvironmentSpec]) -> list[SourceState]:
    names = (*live.NAMES, "probes")
    return [SourceState(name, "not_asked", environment=spec.name) for spec in judged for name in names]


# --- what is alive -----------------------------------------------------------------------------------------------


def _with_live(
    snapshot: Snapshot,
    judged: Sequence[EnvironmentSpec],
    settings: Settings,
    say: Progress,
    engines: live.Engines | None,
    digest: Digester,
) -> Snapshot:
    ports = {spec.name: live.process_ports(snapshot.entries(spec.name)) for spec in judged}
    wanted = live.asks(
        judged,
        docker=settings.docker,
        prometheus=settings.prometheus,
        alertmanager=settings.alertmanager,
        processes={name: found for name, found in ports.items() if found is not None},
        queries=_charted(snapshot, judged),
        engines=engines,
        digest=digest,
    )
    if wanted:
        say("asking " + ", ".join(dict.fromkeys(ask.name for ask in wanted)))
    found = live.gather_live(wanted, judged)
    snapshot = replace(
        snapshot,
        containers=tuple(found.containers),
        listeners=tuple(found.listeners),
        alerts=tuple(found.alerts),
        live_targets=tuple(found.targets),
        loaded_rules=tuple(found.rules),
        selected=tuple(found.selected),
        notified=tuple(found.notified),
        refused=tuple(found.refused),
        silences=tuple(found.silences),
        alertmanager_configs=(*found.alertmanager_configs, *snapshot.alertmanager_configs),
        grafanas=(*snapshot.grafanas, *found.grafanas),
        log_stores=tuple(found.log_stores),
        usages=tuple(found.usages),
        hosts=tuple(found.hosts),
        images=tuple(found.images),
        swarm_services=tuple(found.swarm_services),
        sources=(*snapshot.sources, *found.sources),
    )
    return _with_probes(snapshot, judged, settings, say)


def _charted(snapshot: Snapshot, judged: Sequence[EnvironmentSpec]) -> tuple[str, ...]:
    """What the dashboards in files ask a Prometheus, as far as nothing of it had to be guessed."""
    grafanas = [grafana for spec in judged if (grafana := snapshot.grafana_of(spec.name))]
    asked = (query for grafana in grafanas for _, _, query in charting.queries(grafana) if query.sure)
    return tuple(dict.fromkeys(query.text for query in asked))


def refresh(snapshot: Snapshot, settings: Settings, engines: live.Engines) -> Snapshot:
    """The snapshot with what its engines show now; what was read from files, and all else, stays as it was."""
    judged = [spec for spec in specs(snapshot.catalogue) if spec.name in snapshot.environments]
    asked = [spec for spec in judged if settings.docker or spec.docker]
    if settings.offline or not asked:
        return snapshot
    wanted = live.asks(
        asked,
        docker=settings.docker,
        prometheus=None,
        alertmanager=None,
        processes={},
        engines=engines,
        digest=digester(os.environ, lasting=True),
    )
    wanted = [ask for ask in wanted if ask.name.partition(":")[0] == "docker"]
    found = live.gather_live(wanted, ())
    others = tuple(state for state in snapshot.sources if state.name.partition(":")[0] != "docker")
    return replace(
        snapshot,
        taken_at=datetime.now(UTC),
        containers=tuple(found.containers),
        usages=tuple(found.usages),
        hosts=tuple(found.hosts),
        images=tuple(found.images),
        swarm_services=tuple(found.swarm_services),
        sources=(*others, *found.sources),
    )


def _with_probes(snapshot: Snapshot, judged: Sequence[EnvironmentSpec], settings: Settings, say: Progress) -> Snapshot:
    declared = [spec for spec in judged if any(entry.probes for entry in snapshot.entries(spec.name))]
    states = [SourceState("probes", "not_asked", environment=spec.name) for spec in judged if spec not in declared]
    if not declared:
        return replace(snapshot, sources=(*snapshot.sources, *states))
    from auditor.probes import run_probes

    requests = [request for spec in declared for request in _questions(snapshot, spec, settings)]
    say(f"running {len(requests)} probes")
    started = monotonic()
    results = run_probes(requests, now=datetime.now(UTC))
    took = monotonic() - started
    for spec in declared:
        mine = [result for result in results if result.environment == spec.name]
        states.append(SourceState("probes", "ok", f"{len(mine)} run", spec.name, took))
    return replace(snapshot, probes=tuple(results), sources=(*snapshot.sources, *states))


def _questions(snapshot: Snapshot, spec: EnvironmentSpec, settings: Settings) -> list[ProbeRequest]:
    from auditor.probes import plan_probes

    addresses = (settings.docker,) if settings.docker else spec.docker
    local = all(address == "env" or address.startswith("unix:") for address in addresses)
    return plan_probes(snapshot, spec.name, local=local, shares_network=settings.shares_network)


# --- judging -----------------------------------------------------------------------------------------------------


def judge(snapshot: Snapshot, settings: Settings) -> Report:
    """The report of a snapshot under the settings. Raises UsageError, SettingsError or CatalogueError."""
    known = _read_baseline(settings.baseline) if settings.baseline else None
    return engine.audit(snapshot, policy.build(snapshot.catalogue, settings, known))


def _read_baseline(name: str) -> frozenset[str]:
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise SettingsError(f"the baseline cannot be read: {error.strerror}", path=name) from error
    return policy.read_baseline(data, name)


def scan(
    settings: Settings,
    *,
    progress: Progress | None = None,
    peaks: Sequence[Peak] = (),
    past: Sequence[Moment] = (),
    engines: live.Engines | None = None,
) -> Report:
    """Gathers and judges once. `peaks`, `past`: what was seen at earlier scans; `engines`: their readers."""
    started = monotonic()
    snapshot = gather(settings, progress, engines)
    known = tuple(peak for peak in peaks if peak.environment in snapshot.environments)
    report = judge(replace(snapshot, peaks=known, past=tuple(past)), settings)
    return replace(report, duration=monotonic() - started)


# --- snapshots ---------------------------------------------------------------------------------------------------


def _adapter() -> TypeAdapter[Snapshot]:
    from pydantic import TypeAdapter

    return TypeAdapter(Snapshot)


def save_snapshot(snapshot: Snapshot) -> bytes:
    """The snapshot as JSON text, from which the same audit can be run again."""
    plain = replace(snapshot, projects=tuple(map(_written_out, snapshot.projects)))
    content = {"schema": SNAPSHOT_SCHEMA, "snapshot": _adapter().dump_python(plain, mode="json")}
    return (json.dumps(content, indent=1, ensure_ascii=True) + "\n").encode()


def _written_out(project: Project) -> Project:
    """The project with every place made, which otherwise are made when they are asked for."""
    definitions = (replace(definition, lines=dict(definition.lines)) for definition in project.definitions)
    return replace(project, definitions=tuple(definitions))


def load_snapshot(data: bytes, path: str) -> Snapshot:
    """The snapshot of a file that `save_snapshot` wrote. Raises EvidenceError."""
    from pydantic import ValidationError

    try:
        content = json.loads(data)
        if not isinstance(content, dict) or content.get("schema") != SNAPSHOT_SCHEMA:
            raise EvidenceError(f"its schema is not `{SNAPSHOT_SCHEMA}`", path=path)
        return _adapter().validate_python(content["snapshot"])
    except (ValueError, KeyError, RecursionError, ValidationError) as error:
        if isinstance(error, AuditorError):
            raise
        raise EvidenceError(
            "it is not a snapshot of this version", path=path, help="write one with `auditor snapshot`"
        ) from error
