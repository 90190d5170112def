"""Which scrape targets read the metrics of each service, and what is wrong with those that cannot."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from auditor.discovered import container_labels, followed
from auditor.frozen import dataclass
from auditor.inventory import LOCAL_HOSTS, Service, Snapshot
from auditor.model import Address, LiveTarget, ScrapeJob, ScrapeTarget
from auditor.reach import SET_UP_BY_FLAGS, Answer, address_in, answer, known_ports, sees_socket, set_up
from auditor.regexp import regexp

DEFAULT_PATH = "/metrics"
UNREACHABLE, WRONG_PORT, WRONG_PATH, UNSURE = "unreachable", "wrong port", "wrong path", "unsure"
WRONG_SCHEME = "wrong scheme"
FEDERATED = "/federate"  # where a Prometheus gives what it has of others, and nothing of itself


@dataclass(frozen=True, slots=True)
class Scrape:
    """One target that is meant to read a service's metrics. `own`: its own endpoint, not its exporter's.

    fault: why a target of the files cannot work: `unreachable`, `wrong port`, `wrong path`, `wrong scheme`; `unsure`
    where nobody says that it listens on the port, and files do not tell of all; None where nothing speaks against it.
    """

    service: str
    target: ScrapeTarget | LiveTarget
    answer: Answer
    own: bool = True
    fault: str | None = None
    server: str = ""  # the configuration of the Prometheus that reads it; "": the one whose API was asked


def scrapes_of(service: Service, snapshot: Snapshot) -> tuple[Scrape, ...]:
    """The targets in files that read a service's metrics or its exporter's."""
    return _written(snapshot, service.environment).get(service.name, ())


def live_scrapes_of(service: Service, snapshot: Snapshot) -> tuple[Scrape, ...]:
    """The active targets of the running Prometheus that read a service's metrics or its exporter's."""
    return _live(snapshot, service.environment).get(service.name, ())


@lru_cache(maxsize=8)
def _written(snapshot: Snapshot, environment: str) -> Mapping[str, tuple[Scrape, ...]]:
    return _by_service(_resolved(snapshot, environment), snapshot, environment)


@lru_cache(maxsize=8)
def _live(snapshot: Snapshot, environment: str) -> Mapping[str, tuple[Scrape, ...]]:
    return _by_service(live_resolved(snapshot, environment), snapshot, environment)


@lru_cache(maxsize=8)
def live_resolved(snapshot: Snapshot, environment: str) -> tuple[Scrape, ...]:
    """Every active target of the running Prometheus that a known service answers."""
    server = snapshot.deployed(environment, "prometheus")
    return tuple(
        Scrape(behind.service.name, target, behind)
        for target in snapshot.live_targets
        if target.environment == environment and (behind := _behind(target, server, environment, snapshot))
    )


def _behind(target: LiveTarget, server: Service | None, environment: str, snapshot: Snapshot) -> Answer | None:
    """Who is behind an active target: by its address, else by the names that its discovery found it under."""
    if found := answer(target.address, server, environment, snapshot):
        return found
    names = (Address(name, target.address.port) for name in target.names)
    return next((found for name in names if (found := answer(name, server, environment, snapshot))), None)


def resolved(snapshot: Snapshot, environment: str) -> tuple[Scrape, ...]:
    """Every target in files that a known service answers, with what speaks against it."""
    return _resolved(snapshot, environment)


@lru_cache(maxsize=8)
def _resolved(snapshot: Snapshot, environment: str) -> tuple[Scrape, ...]:
    return tuple(_each(snapshot, environment))


def unasked(snapshot: Snapshot, environment: str) -> tuple[Scrape, ...]:
    """What servers scrape by their files that are not the one that was asked."""
    others = (job for config in snapshot.prometheus_unasked(environment) for job in config.jobs)
    own = {id(target) for job in others for target in job.targets}
    return tuple(scrape for scrape in resolved(snapshot, environment) if id(scrape.target) in own)


def is_unasked(service: Service, snapshot: Snapshot) -> bool:
    """Whether a server scrapes a service, or its exporter, that is not the one that was asked."""
    own = {id(scrape.target) for scrape in unasked(snapshot, service.environment)}
    return bool(own) and any(id(scrape.target) in own for scrape in scrapes_of(service, snapshot))


def _each(snapshot: Snapshot, environment: str) -> Iterator[Scrape]:
    for config in snapshot.prometheus_configs(environment):
        server = snapshot.prometheus_server(config)
        for target in (target for job in config.jobs for target in job.targets):
            found = answer(target.address, server, environment, snapshot)
            if found is not None:
                yield Scrape(found.service.name, target, found, fault=_fault(found, target), server=config.path)
        for job in (job for job in config.jobs if job.engine is not None):
            for scrape in _of_engine(job, server, environment, snapshot):
                yield replace(scrape, server=config.path)


def _of_engine(job: ScrapeJob, server: Service | None, environment: str, snapshot: Snapshot) -> Iterator[Scrape]:
    """The composed services that a job finds by an engine, as far as their labels tell."""
    for service in snapshot.services:
        target = discovered(job, service, snapshot) if service.environment == environment else None
        if target:
            found = answer(target.address, server, environment, snapshot)
            if found is not None and found.service is service:
                yield Scrape(service.name, target, found, fault=_fault(found, target))


def discovered(job: ScrapeJob, service: Service, snapshot: Snapshot) -> ScrapeTarget | Literal[False] | None:
    """The target that a job makes of a service; False: it finds no such; None: files do not tell."""
    if not job.discovery:
        return False
    definition = service.composed
    if job.engine is None or definition is None or not _of_this_engine(job, snapshot):
        return None if definition is not None or service.containers or job.engine is None else False
    ports = known_ports(service)
    labels = container_labels(definition, snapshot) | {"job": job.name, "__metrics_path__": job.metrics_path}
    labels["__address__"] = None
    if len(ports) == 1:
        (port,) = ports
        labels |= {"__address__": f"{definition.name}:{port}", "__meta_docker_port_private": str(port)}
    after = followed(job.engine, labels)
    if not after.kept:
        return None if after.kept is None else False
    host, _, port_text = after.labels.get("__address__", definition.name).rpartition(":")
    address = Address(host, int(port_text)) if host and port_text.isdecimal() else Address(definition.name)
    told = {name: value for name, value in after.labels.items() if not name.startswith("__")}
    path = f"/{after.labels.get('__metrics_path__', job.metrics_path).lstrip('/')}"
    if "__metrics_path__" in after.unknown:
        path = _own_path(service)
    return ScrapeTarget(job.environment, told.get("job", job.name), address, job.location, path, told)


def _own_path(service: Service) -> str:
    """Where the metrics of a service are, as far as anybody says."""
    metrics = (service.entry.metrics if service.entry else None) or (service.component and service.component.metrics)
    return metrics.path if metrics else DEFAULT_PATH


def _of_this_engine(job: ScrapeJob, snapshot: Snapshot) -> bool:
    """Whether every engine that a job asks is the environment's: by its socket, or through a proxy that is composed."""
    hosts = [urlsplit(engine) for engine in job.engines]
    if any(e.scheme != "unix" and not snapshot.provided(job.environment, e.hostname or "?") for e in hosts):
        return False
    configs = snapshot.prometheus_configs(job.environment)
    return not any(unseen_socket(job, snapshot.prometheus_server(one)) for one in configs if job in one.jobs)


def unseen_socket(job: ScrapeJob, server: Service | None) -> str | None:
    """The engine's socket that a job asks and that is not mounted into its server."""
    reader = server.definition if server else None
    places = (engine.removeprefix("unix://") for engine in job.engines if engine.startswith("unix://"))
    return next((place for place in places if reader and not sees_socket(reader, place)), None)


def hidden(service: Service, snapshot: Snapshot) -> tuple[ScrapeJob, ...]:
    """The jobs that may find a service by a discovery that files do not show."""
    config = snapshot.prometheus_of(service.environment)
    jobs = (job for job in config.jobs if job.discovery) if config else ()
    return tuple(job for job in jobs if discovered(job, service, snapshot) is None)


def maybe_probed(service: Service, snapshot: Snapshot) -> Iterator[ScrapeJob]:
    """The jobs whose prober may be told to ask a service, by a discovery that files do not show."""
    config, definition = snapshot.prometheus_of(service.environment), service.composed
    if config is None or definition is None:
        return
    for job in (job for job in config.jobs if job.asked_of):
        labels = container_labels(definition, snapshot) | {"job": job.name, "__address__": None}
        known = job.engine is not None and _of_this_engine(job, snapshot)
        if not known or followed(job.engine or (), labels).kept is not False:
            yield job


def _fault(found: Answer, target: ScrapeTarget) -> str | None:
    if found.reached is False:
        return UNREACHABLE
    if _tells_nothing(found) or found.served is False:
        sure = target.address.host in LOCAL_HOSTS or _tells_of_ports(found)
        return WRONG_PORT if sure else UNSURE
    if target.probed is None and _elsewhere(found.service, target.metrics_path):
        return WRONG_PATH
    return WRONG_SCHEME if target.address.scheme == "https" and _plain(found.service) else None


def federates(target: ScrapeTarget) -> bool:
    """Whether a job takes what another Prometheus has of others."""
    return target.metrics_path.endswith(FEDERATED)


def _elsewhere(service: Service, path: str) -> bool:
    """Whether the metrics of a service are under another path, by its entry or as its program has it by itself."""
    declared = service.entry.metrics if service.entry else None
    known = service.component.metrics if service.component else None
    if declared and declared.path != DEFAULT_PATH:
        return path.partition("?")[0] != declared.path.partition("?")[0]
    if service.component and service.component.key == "prometheus" and path.endswith(FEDERATED):
        return True
    usual = known.path if known and known.port and not declared else DEFAULT_PATH
    return path == DEFAULT_PATH != usual and not set_up(service)


def _plain(service: Service) -> bool:
    """Whether a known program, set up as its image is, surely speaks HTTP without TLS."""
    component, definition = service.component, service.definition
    if component is None or component.kind not in SET_UP_BY_FLAGS or definition is None or set_up(service):
        return False
    return not any(_TLS.search(variable.name) for variable in definition.variables)


_TLS = regexp(r"TLS|SSL|CERT|HTTPS|WEB_CONFIG", re.IGNORECASE)


def _tells_of_ports(found: Answer) -> bool:
    """Whether what is known of a service's ports is all: nothing may have set up another that is not published."""
    service, definition = found.service, found.service.definition
    declared = service.entry and (service.entry.ports or (service.entry.metrics and service.entry.metrics.port))
    if declared or definition is None:
        return True
    if str(found.port) in definition.labels.values():
        return False
    if service.component is None:
        return bool(definition.expose)
    without = service.component.metrics is None or service.component.metrics.port is None
    return (without and found.port in service.component.ports) or not set_up(service)


def _tells_nothing(found: Answer) -> bool:
    """Whether the service has no metrics at the port that is asked: they are at another, or an exporter has them."""
    declared = found.service.entry.metrics if found.service.entry else None
    if found.port is None or found.via == "address":
        return False
    if declared and declared.port:
        return found.port != declared.port
    component = found.service.component
    if component is None or component.metrics is None:
        return False
    if component.metrics.port is None:
        return found.port in component.ports
    return found.port != component.metrics.port and found.port in component.ports


def _by_service(
    found: tuple[Scrape, ...] | list[Scrape], snapshot: Snapshot, environment: str
) -> Mapping[str, tuple[Scrape, ...]]:
    """The scrapes by service; those of an exporter are also those of the services that it speaks for."""
    groups: dict[str, list[Scrape]] = defaultdict(list)
    for scrape in found:
        others = spoken_for(scrape.answer.service, environment, snapshot)
        if asked := _asked(scrape, environment, snapshot):
            others = tuple({one.name: one for one in (*others, asked)}.values())
        if scrape.target.probed is None or not has_exporters(scrape.answer.service):
            groups[scrape.service].append(scrape)
        for other in others:
            groups[other.name].append(replace(scrape, service=other.name, own=False))
    return {name: tuple(scrapes) for name, scrapes in groups.items()}


def _asked(scrape: Scrape, environment: str, snapshot: Snapshot) -> Service | None:
    """Whom an exporter of many is told to ask at one of its targets; a prober of anything has no metrics of others."""
    exporter, probed = scrape.answer.service, scrape.target.probed
    kinds = exporter.component.exporter_of if exporter.component else ()
    within = has_exporters(exporter)
    address = address_in(probed) if probed and (kinds or within) else None
    found = answer(address, exporter, environment, snapshot) if address else None
    of_kind = found and (within or (found.service.component and found.service.component.key in kinds))
    return found.service if found and of_kind else None


def has_exporters(service: Service) -> bool:
    """Whether exporters of many kinds are built in, whose metrics are not its own."""
    return service.component is not None and service.component.key == "alloy"


# --- exporters -----------------------------------------------------------------------------------------------------


def spoken_for(exporter: Service, environment: str, snapshot: Snapshot) -> tuple[Service, ...]:
    """The services whose metrics an exporter exposes: those that it is told the addresses of, else the only one.

    Which kinds an exporter speaks for is in the knowledge base; that a service's entry names it decides.
    """
    telling, by_kind = _telling(snapshot, environment), _by_kind(snapshot, environment)
    named = [s for s in telling if s.name != exporter.name and _names(s, exporter)]
    kinds = exporter.component.exporter_of if exporter.component else ()
    fitting = [s for kind in kinds for s in by_kind.get(kind, ()) if s.name != exporter.name]
    fitting = [s for s in fitting if not _has_other(s, exporter)]
    references = exporter.definition.references if exporter.definition and fitting else ()
    hosts = {
        found.service.name
        for reference in references
        if (found := answer(reference.address, exporter, environment, snapshot))
    }
    told = [s for s in fitting if s.name in hosts]
    if not told and len(fitting) == 1:
        told = fitting
    return tuple({s.name: s for s in (*named, *told)}.values())


@lru_cache(maxsize=8)
def _telling(snapshot: Snapshot, environment: str) -> tuple[Service, ...]:
    """The services whose entries say who has their metrics."""
    own = (s for s in snapshot.services if s.environment == environment)
    return tuple(s for s in own if s.entry and s.entry.metrics and s.entry.metrics.exporter is not None)


@lru_cache(maxsize=8)
def _by_kind(snapshot: Snapshot, environment: str) -> Mapping[str, tuple[Service, ...]]:
    groups: dict[str, list[Service]] = defaultdict(list)
    for service in snapshot.services:
        if service.environment == environment and service.component:
            groups[service.component.key].append(service)
    return {kind: tuple(group) for kind, group in groups.items()}


def _names(service: Service, exporter: Service) -> bool:
    metrics = service.entry.metrics if service.entry else None
    return metrics is not None and metrics.exporter is not None and metrics.exporter in _words(exporter)


def _words(exporter: Service) -> frozenset[str]:
    aliases = exporter.entry.aliases if exporter.entry else ()
    return frozenset({exporter.name, *aliases, *((exporter.component.key,) if exporter.component else ())})


def _has_other(service: Service, exporter: Service) -> bool:
    """Whether the catalogue gives the service another exporter, or an endpoint of its own."""
    metrics = service.entry.metrics if service.entry else None
    if metrics is None:
        return False
    return metrics.exporter is None or metrics.exporter not in _words(exporter)


def mute(exporter: Service, snapshot: Snapshot) -> bool:
    """Whether an exporter can tell little just now: what it asks does not run, or is not there."""
    others = spoken_for(exporter, exporter.environment, snapshot)
    return any(gone(other, snapshot) for other in others) or lost_subject(exporter, snapshot) is not None


def gone(service: Service, snapshot: Snapshot) -> bool:
    """Whether it is composed, and no container of it runs; False where no engine was asked."""
    running = snapshot.source("docker", service.environment).state == "ok"
    return running and service.definition is not None and not any(c.state == "running" for c in service.containers)


def lost_subject(exporter: Service, snapshot: Snapshot) -> str | None:
    """The host that an exporter is told to ask and that nothing provides."""
    if exporter.component is None or not exporter.component.exporter_of or exporter.definition is None:
        return None
    hosts = (reference.address.host for reference in exporter.definition.references)
    lost = (h for h in hosts if not snapshot.outside(h) and not snapshot.provided(exporter.environment, h))
    return next(lost, None)
