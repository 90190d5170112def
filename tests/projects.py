"""Small projects written as planes, as in the examples of checks, and what the auditor makes of them.

A project is a mapping of

    catalogue     a mapping, or the text of `catalogue.yaml`
    compose       a mapping, or the text of `docker-compose.yml`
    prometheus    a mapping, or the text of `prometheus.yml`
    alertmanager  a mapping, or the text of `alertmanager.yml`
    dashboards    path -> the JSON model of a dashboard as a mapping, or its text; named by the catalogue
    lines         of a running Loki: label, value, minutes_ago (none: no line of the last day)
    documents     path -> text, claimed by the catalogue
    code, files   path -> text (or a mapping) of anything else
    containers    fields of containers; `state: running` and the environment's own project where not said; `made` is
                  what it was made with, in the words of a setup, with plain values where the source has digests
    images        fields of the engine's images, with `made` likewise
    listeners, probes   fields of listening ports and of probe results
    targets       active targets of a running Prometheus: job, host, port, up, error, names, labels
    loaded        alerting rules of a running Prometheus: name, expr, labels; found: selector -> list of label sets
    refused       true where the running Prometheus did not take its configuration
    notified      kind of integration -> notifications that Alertmanager sent by it, as Prometheus knows
    silences      of a running Alertmanager: matchers (label -> value), days, comment
    usages, hosts, peaks   fields of what containers use, of the engine's machine, and of what was seen (`hours` ago)
    past          moments of earlier scans, `minutes_ago`, with restarts, out_of_memory and verdicts
    swarm_services   fields of a Swarm's services; the environment's own stack where not said
    sources       name -> state, for sources that failed
    environments  what is judged; the first where not said

Each plane that is given was asked for and read; any other was not asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import yaml

from auditor import engine, registry
from auditor.catalogue import parse_catalogue
from auditor.digest import Digester
from auditor.gather import Request, gather_files
from auditor.inventory import Snapshot, WaiverUse
from auditor.model import (
    Address,
    Catalogue,
    Component,
    Container,
    EngineImage,
    EnvironmentSpec,
    Finding,
    Host,
    Listener,
    LiveTarget,
    LoadedRule,
    Location,
    LogLine,
    LogStore,
    Matcher,
    Moment,
    Notified,
    Peak,
    Port,
    ProbeResult,
    Project,
    Refused,
    Report,
    Selected,
    Setup,
    Silence,
    SourceState,
    SwarmService,
    Usage,
    Variable,
    Verdict,
)
from auditor.policy import Policy
from auditor.sources import compose_schema, knowledge
from tests.builders import NOON, MemoryTree

Planes = Mapping[str, Any]
DIGEST = Digester(b"a key that is good for tests only"[:32])
PLANES = frozenset(
    {
        "catalogue", "compose", "prometheus", "alertmanager", "documents", "code", "files", "containers", "listeners",
        "probes", "past", "sources", "environments", "images", "usages", "hosts", "peaks", "targets", "loaded", "found",
        "notified", "refused", "silences", "swarm_services", "dashboards", "lines",
    }
)  # fmt: skip
_COMPOSE_NAMES = ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml")
_FILES = {"compose": "docker-compose.yml", "prometheus": "prometheus.yml", "alertmanager": "alertmanager.yml"}
_LIVE = {
    "lines": "loki",
    "containers": "docker",
    "listeners": "processes",
    "probes": "probes",
    "targets": "prometheus-api",
    "silences": "alertmanager",
}


def snapshot_of(planes: Planes, taken_at: datetime = NOON) -> Snapshot:
    """The snapshot of a project, by the real parsers."""
    if unknown := set(planes) - PLANES:
        raise ValueError(f"no plane is called {', '.join(sorted(unknown))}")
    files = _files(planes)
    given = _catalogue(planes, files)
    reading = given or _bare(planes)
    judged = tuple(planes.get("environments", ())) or (reading.environments[0].name,)
    tree = MemoryTree(files)
    facts = gather_files(
        Request(
            tree=tree,
            components=components(),
            schema=compose_schema.load(),
            judged=judged,
            catalogue=reading,
            digest=DIGEST,
            asked=frozenset(judged if "containers" in planes else ()),
        )
    )
    composed = "compose" in planes or any(name in files for name in _COMPOSE_NAMES) or reading.environments[0].compose
    projects = tuple(facts.projects) if composed else ()
    snapshot = Snapshot(
        taken_at=taken_at,
        environments=judged,
        catalogue=given,
        components=components(),
        sources=_sources(planes, facts.sources, judged, catalogue=given is not None, composed=bool(composed)),
        projects=projects,
        prometheus=tuple(facts.prometheus),
        alertmanager_configs=tuple(facts.alertmanager_configs),
        grafanas=tuple(facts.grafanas),
        log_shippers=tuple(facts.log_shippers),
        documents=tuple(facts.documents),
        implementations=tuple(facts.implementations),
        component_configs=tuple(facts.component_configs),
        absent_files=tuple(facts.absent_files),
        faults=tuple(facts.faults),
        files=tuple(tree.files),
        hash_key=DIGEST.key_name,
    )
    return _alive(snapshot, planes)


def components() -> tuple[Component, ...]:
    """The knowledge base."""
    return knowledge.load()


def report_of(planes: Planes, *checks: str) -> Report:
    """The report of a project by the checks of these ids; by all of them where none is named."""
    known = registry.checks()
    chosen = tuple(known[name] for name in checks) or tuple(known.values())
    return engine.audit(snapshot_of(planes), Policy(chosen))


def findings_of(check: str, planes: Planes) -> list[Finding]:
    """What one check finds. What judges waivers needs the others, whose findings they cover."""
    needs_others = registry.checks()[check].subject is WaiverUse
    report = report_of(planes) if needs_others else report_of(planes, check)
    tally = next(tally for tally in report.checks if tally.id == check)
    assert tally.error is None, tally.error
    return [finding for finding in report.findings if finding.check == check]


# --- files -------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _files(planes: Planes) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {}
    for plane in ("files", "code", "documents"):
        files |= {path: _text(content) for path, content in planes.get(plane, {}).items()}
    for path, content in planes.get("dashboards", {}).items():
        files[path] = content if isinstance(content, str) else json.dumps(content, indent=1)
    for plane, path in _FILES.items():
        if plane in planes:
            files[path] = _text(planes[plane])
    if "catalogue" in planes:
        files["catalogue.yaml"] = _text(planes["catalogue"])
    return files


def _catalogue(planes: Planes, files: Mapping[str, str | bytes]) -> Catalogue | None:
    if "catalogue" not in planes:
        return None
    text = files["catalogue.yaml"]
    assert isinstance(text, str)
    parsed = parse_catalogue(text.encode(), "catalogue.yaml", read_include=lambda path: _bytes(files[path]))
    return _told(parsed, planes)


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _bare(planes: Planes) -> Catalogue:
    """Stands for a catalogue while files are read, so that documents and configurations can be named."""
    environment = EnvironmentSpec("default", Location("."))
    return _told(Catalogue("", "", None, (environment,), ()), planes)


def _told(catalogue: Catalogue, planes: Planes) -> Catalogue:
    """The catalogue with what the planes say besides: documents, and the configuration of Prometheus."""
    first, *others = catalogue.environments
    if "prometheus" in planes and first.prometheus_config is None:
        first = replace(first, prometheus_config="prometheus.yml")
    if "alertmanager" in planes and first.alertmanager_config is None:
        first = replace(first, alertmanager_config="alertmanager.yml")
    if "dashboards" in planes and not first.grafana_dashboards:
        first = replace(first, grafana_dashboards=tuple(planes["dashboards"]))
    documents = catalogue.documents or tuple(planes.get("documents", ()))
    return replace(catalogue, environments=(first, *others), documents=documents)


# --- what is alive -----------------------------------------------------------------------------------------------


def _sources(
    planes: Planes, read: list[SourceState], judged: tuple[str, ...], *, catalogue: bool, composed: bool
) -> tuple[SourceState, ...]:
    unread = {"catalogue"} if not catalogue else set()
    unread |= {"compose"} if not composed else set()
    states = [SourceState(s.name, "not_asked", None, s.environment) if s.name in unread else s for s in read]
    states += [SourceState(_LIVE[p], "ok", environment=name) for p in _LIVE if p in planes for name in judged]
    told = planes.get("sources", {})
    kept = [state for state in states if state.name not in told]
    return (*kept, *(SourceState(n, state, "made to fail", e) for n, state in told.items() for e in judged))


def _alive(snapshot: Snapshot, planes: Planes) -> Snapshot:
    environment = snapshot.environments[0]
    return replace(
        snapshot,
        containers=tuple(_container(snapshot, environment, dict(item)) for item in planes.get("containers", ())),
        images=tuple(_image(environment, item) for item in _of(planes, "images")),
        listeners=tuple(_listener(environment, x) for x in _of(planes, "listeners")),
        probes=tuple(
            ProbeResult(**{"environment": environment, "kind": "http", "target": f"http://{x['service']}"} | x)
            for x in _of(planes, "probes")
        ),
        usages=tuple(
            Usage(**{"environment": environment, "taken_at": snapshot.taken_at} | x) for x in _of(planes, "usages")
        ),
        swarm_services=tuple(_swarm(snapshot, environment, x) for x in _of(planes, "swarm_services")),
        hosts=tuple(Host(**{"environment": environment, "source": "docker"} | x) for x in _of(planes, "hosts")),
        log_stores=_store(snapshot, planes),
        live_targets=tuple(_target(environment, x) for x in _of(planes, "targets")),
        past=tuple(
            Moment(snapshot.taken_at - timedelta(minutes=x.pop("minutes_ago")), **_moment(x))
            for x in _of(planes, "past")
        ),
        loaded_rules=tuple(LoadedRule(environment, **x) for x in _of(planes, "loaded")),
        selected=tuple(
            Selected(environment, selector, tuple(tuple(sorted(labels.items())) for labels in found))
            for selector, found in planes.get("found", {}).items()
        ),
        refused=(Refused(environment),) if planes.get("refused") else (),
        notified=tuple(Notified(environment, kind, number) for kind, number in planes.get("notified", {}).items()),
        silences=tuple(_silence(snapshot, environment, x) for x in _of(planes, "silences")),
        peaks=tuple(_peak(snapshot, environment, x) for x in _of(planes, "peaks")),
    )


def _silence(snapshot: Snapshot, environment: str, fields: dict[str, Any]) -> Silence:
    matchers = tuple(Matcher(label, "=", value) for label, value in fields.pop("matchers").items())
    return Silence(environment, "made-up", matchers, snapshot.taken_at + timedelta(days=fields.pop("days")), **fields)


def _target(environment: str, fields: dict[str, Any]) -> LiveTarget:
    address = Address(fields.pop("host"), fields.pop("port", None), "http")
    labels = tuple(sorted(fields.pop("labels", {}).items()))
    return LiveTarget(environment, fields.pop("job"), address, labels=labels, **fields)


def _store(snapshot: Snapshot, planes: Planes) -> tuple[LogStore, ...]:
    if "lines" not in planes:
        return ()
    lines = []
    for item in _of(planes, "lines"):
        ago = item.pop("minutes_ago", None)
        last = snapshot.taken_at - timedelta(minutes=ago) if ago is not None else None
        lines.append(LogLine(**{"label": "container"} | item, last=last))
    return (LogStore(snapshot.environments[0], tuple(lines), empty=not lines),)


def _peak(snapshot: Snapshot, environment: str, fields: dict[str, Any]) -> Peak:
    since = snapshot.taken_at - timedelta(hours=fields.pop("hours", 48))
    return Peak(**{"environment": environment, "since": since} | fields)


def _of(planes: Planes, plane: str) -> list[dict[str, Any]]:
    return [dict(item) for item in planes.get(plane, ())]


def _swarm(snapshot: Snapshot, environment: str, fields: dict[str, Any]) -> SwarmService:
    own = snapshot.project(environment)
    stack = fields.get("stack", own.name if own else None)
    name = f"{stack}_{fields['service']}" if stack and "service" in fields else fields.get("name", "")
    fields = {"environment": environment, "id": name, "name": name, "stack": stack} | fields
    return SwarmService(**fields | {"errors": tuple(fields.get("errors", ()))})


def _moment(fields: dict[str, Any]) -> dict[str, Any]:
    verdicts = {name: Verdict(word) for name, word in fields.pop("verdicts", {}).items()}
    return fields | {"verdicts": verdicts, "out_of_memory": tuple(fields.get("out_of_memory", ()))}


def _listener(environment: str, fields: dict[str, Any]) -> Listener:
    fields = {"environment": environment, "address": "::"} | fields
    if "variables" in fields:
        fields["variables"] = tuple(Variable(**item) for item in fields["variables"])
    fields["addresses"] = {name: Address(**item) for name, item in fields.get("addresses", {}).items()}
    return Listener(**fields | {"parents": tuple(fields.get("parents", ()))})


def _container(snapshot: Snapshot, environment: str, fields: dict[str, Any]) -> Container:
    own = snapshot.project(fields.get("environment", environment)) or Project(environment, None, ())
    service = fields.get("service")
    defaults = {
        "id": fields["name"],
        "environment": environment,
        "image": f"registry.example/{service or fields['name']}:1",
        "state": "running",
        "project": own.name if service else None,
    }
    ports = tuple(Port(**port) for port in fields.pop("ports", ()))
    defaults["setup"] = _setup(fields.pop("made", None))
    return Container(**defaults | fields, ports=ports)


_DIGESTED = frozenset(("environment", "labels", "logging_options", "annotations"))


def _setup(made: Mapping[str, Any] | None) -> Setup | None:
    """A setup of plain values: the digests are made here, and lists are tuples."""
    if made is None:
        return None
    found: dict[str, Any] = {"hash_key": DIGEST.key_name}
    for field, value in made.items():
        if field in ("command", "entrypoint"):
            found[field] = tuple(DIGEST(word) for word in value)
        elif field == "healthcheck" and value.get("test") not in (None, "none"):
            found[field] = value | {"test": DIGEST("\0".join(value["test"]))}
        elif field in _DIGESTED:
            found[field] = {name: None if text is None else DIGEST(text) for name, text in value.items()}
        else:
            found[field] = tuple(value) if isinstance(value, list) else value
    return found


def _image(environment: str, fields: dict[str, Any]) -> EngineImage:
    texts = {key: tuple(fields.pop(key, ())) for key in ("references", "digests")}
    made = _setup(fields.pop("made", None))
    return EngineImage(**{"environment": environment} | fields, **texts, setup=made)
