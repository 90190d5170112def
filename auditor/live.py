"""Reads what is alive, at the same time and within a deadline: engines, host processes, Alertmanager, then probes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditor.digest import Digester
from auditor.errors import AuditorError, EvidenceError, StaleError
from auditor.frozen import dataclass
from auditor.model import (
    Alert,
    AlertmanagerConfig,
    Container,
    EngineImage,
    Entry,
    EnvironmentSpec,
    Grafana,
    Host,
    Lifecycle,
    Listener,
    LiveTarget,
    LoadedRule,
    LogStore,
    Notified,
    ProbeResult,
    Refused,
    Selected,
    Silence,
    SourceState,
    SwarmService,
    Usage,
)

if TYPE_CHECKING:
    from concurrent.futures import Future

    from auditor.sources.docker import Reader

NAMES = ("docker", "processes", "prometheus-api", "alertmanager")
DEADLINE = 9.0  # seconds for everything but probes: a frozen engine must not hold a gate longer


@dataclass(frozen=True, slots=True)
class Found:
    """What a source had. limits: what it could not tell, each with the reason."""

    facts: Sequence[Any]
    limits: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """One live source to read: `read(environment)` returns its facts, with more to say of them as `Found`."""

    name: str
    environment: str
    key: str  # two asks with the same key are read once
    read: Callable[[str], Sequence[Any] | Found]


class Engines:
    """The readers of engines, one an address; whoever looks again and again keeps them: they know what changed.

    statistics: seconds between two samples of what containers use; None: as the reader has it. apart: a sampler takes
    them beside the looks.
    """

    def __init__(self, statistics: float | None = None, *, apart: bool = False) -> None:
        self._readers: dict[str, Reader] = {}
        self._statistics = statistics
        self._apart = apart

    def readers(self) -> tuple[Reader, ...]:
        """Those that looks have used so far."""
        return tuple(self._readers.copy().values())

    def at(self, address: str, digest: Digester | None = None) -> Reader:
        """The reader of the engine at `address`; what it keeps has digests of one key."""
        from auditor.sources.docker.read import STATISTICS, Reader

        every = STATISTICS if self._statistics is None else self._statistics
        found = self._readers.get(address)
        if found is None or found.digest != digest:
            found = self._readers[address] = Reader(address, digest=digest, statistics=every, apart=self._apart)
        return found


@dataclass(slots=True)
class LiveFacts:
    """What was alive."""

    containers: list[Container] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    targets: list[LiveTarget] = field(default_factory=list)
    rules: list[LoadedRule] = field(default_factory=list)
    selected: list[Selected] = field(default_factory=list)
    notified: list[Notified] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    alertmanager_configs: list[AlertmanagerConfig] = field(default_factory=list)
    grafanas: list[Grafana] = field(default_factory=list)
    log_stores: list[LogStore] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    images: list[EngineImage] = field(default_factory=list)
    swarm_services: list[SwarmService] = field(default_factory=list)
    probes: list[ProbeResult] = field(default_factory=list)
    sources: list[SourceState] = field(default_factory=list)

    def add(self, facts: Sequence[object]) -> None:
        """Sorts facts into their lists by type."""
        lists: Mapping[type, list[Any]] = {
            Container: self.containers,
            Listener: self.listeners,
            Alert: self.alerts,
            LiveTarget: self.targets,
            LoadedRule: self.rules,
            Selected: self.selected,
            Notified: self.notified,
            Refused: self.refused,
            Silence: self.silences,
            AlertmanagerConfig: self.alertmanager_configs,
            Grafana: self.grafanas,
            LogStore: self.log_stores,
            Usage: self.usages,
            Host: self.hosts,
            EngineImage: self.images,
            SwarmService: self.swarm_services,
        }
        for fact in facts:
            lists[type(fact)].append(fact)


def asks(
    judged: Sequence[EnvironmentSpec],
    *,
    docker: str | None,
    prometheus: str | None,
    alertmanager: str | None,
    processes: Mapping[str, Collection[int]],
    queries: Collection[str] = (),
    engines: Engines | None = None,
    digest: Digester | None = None,
) -> list[Ask]:
    """What the catalogue and the flags ask of each judged environment.

    processes: environment -> the ports of the host processes that it declares. queries: expressions of dashboards,
    whose selectors a Prometheus is asked about. engines: those of earlier looks.
    digest: of values that may be secret; without it no engine tells what containers were made with.
    """
    known = engines or Engines()
    wanted: list[Ask] = []
    for spec in judged:
        addresses = (docker,) if docker else spec.docker
        for address in addresses:
            name = "docker" if len(addresses) == 1 else f"docker:{address}"
            wanted.append(Ask(name, spec.name, f"docker {address}", _docker(address, known, digest)))
        local = any(address == "env" or address.startswith("unix:") for address in addresses)
        if local or spec.name in processes:
            ports = processes.get(spec.name, ())
            wanted.append(Ask("processes", spec.name, f"processes {sorted(ports)}", _processes(ports, digest)))
        if url := prometheus or spec.prometheus_url:
            wanted.append(Ask("prometheus-api", spec.name, f"prometheus {url}", _prometheus(url, queries)))
        if url := alertmanager or spec.alertmanager_url:
            wanted.append(Ask("alertmanager", spec.name, f"alertmanager {url}", _alertmanager(url)))
        if spec.grafana_url:
            key = f"grafana {spec.grafana_url} {spec.grafana_token_env}"
            wanted.append(Ask("grafana-api", spec.name, key, _grafana(spec.grafana_url, spec.grafana_token_env)))
        if spec.loki_url:
            wanted.append(Ask("loki", spec.name, f"loki {spec.loki_url}", _loki(spec.loki_url)))
    return wanted


def _docker(address: str, engines: Engines, digest: Digester | None) -> Callable[[str], Found]:
    def read(environment: str) -> Found:
        found = engines.at(address, digest).read(environment)
        return Found(found.facts, found.limits)

    return read


def _processes(ports: Collection[int], digest: Digester | None) -> Callable[[str], Sequence[Listener]]:
    def read(environment: str) -> Sequence[Listener]:
        from auditor.sources.processes import read_listeners

        return read_listeners(environment, ports, digester=digest)

    return read


def _prometheus(url: str, queries: Collection[str]) -> Callable[[str], Sequence[object]]:
    def read(environment: str) -> Sequence[object]:
        from auditor.sources.prometheus_api import read_prometheus

        return read_prometheus(url, environment, queries=queries, now=datetime.now(UTC))

    return read


def _alertmanager(url: str) -> Callable[[str], Sequence[object]]:
    def read(environment: str) -> Sequence[object]:
        from auditor.sources.alertmanager import read_alertmanager

        return read_alertmanager(url, environment)

    return read


def _grafana(url: str, token_env: str | None) -> Callable[[str], Found]:
    def read(environment: str) -> Found:
        from auditor.sources.grafana_api import read_grafana

        token = os.environ.get(token_env, "").strip() if token_env else None
        if token_env and not token:
            help = "set it to the token of a service account that may view dashboards"
            raise EvidenceError(
                f"Grafana cannot be read: the variable `{token_env}` with its token is not set", help=help
            )
        found = read_grafana(url, environment, token)
        return Found([found.grafana], found.limits)

    return read


def _loki(url: str) -> Callable[[str], Sequence[object]]:
    def read(environment: str) -> Sequence[object]:
        from auditor.sources.loki_api import read_loki

        return read_loki(url, environment)

    return read


def gather_live(wanted: Sequence[Ask], unasked: Sequence[EnvironmentSpec]) -> LiveFacts:
    """Reads each source once, in threads. One that is not back at the deadline has failed; its thread is left."""
    from concurrent.futures import ThreadPoolExecutor, wait  # with it comes `logging`: not for files alone

    facts = LiveFacts()
    started = time.monotonic()
    pool = ThreadPoolExecutor(max_workers=max(1, min(8, len(wanted))), thread_name_prefix="auditor-source")
    futures: dict[str, Future[tuple[Found, float]]] = {}
    for ask in wanted:
        if ask.key not in futures:
            futures[ask.key] = pool.submit(_timed, ask)
    wait(futures.values(), timeout=DEADLINE)
    pool.shutdown(wait=False, cancel_futures=True)
    for ask in wanted:
        facts.sources.append(_collect(ask, futures[ask.key], facts, time.monotonic() - started))
    asked = {(ask.name.partition(":")[0], ask.environment) for ask in wanted}
    for spec in unasked:
        facts.sources += [
            SourceState(n, "not_asked", environment=spec.name) for n in NAMES if (n, spec.name) not in asked
        ]
    return facts


def _timed(ask: Ask) -> tuple[Found, float]:
    started = time.monotonic()
    found = ask.read(ask.environment)
    return found if isinstance(found, Found) else Found(found), time.monotonic() - started


def _collect(ask: Ask, future: Future[tuple[Found, float]], facts: LiveFacts, waited: float) -> SourceState:
    if not future.done() or future.cancelled():
        return SourceState(ask.name, "failed", f"no answer within {DEADLINE:g} s", ask.environment, waited)
    try:
        found, duration = future.result()
    except AuditorError as error:
        detail = f"{error.where}: {error.what}" if error.where else error.what
        state = "stale" if isinstance(error, StaleError) else "failed"
        return SourceState(ask.name, state, detail, ask.environment, waited)
    except Exception as error:  # a source that crashes is a source that failed, and hides no other
        return SourceState(ask.name, "failed", f"{type(error).__name__}: {error}"[:300], ask.environment, waited)
    facts.add([_stamped(fact, ask) for fact in found.facts])
    detail = "; not known: ".join([_counted(ask.name, found.facts), *found.limits])
    return SourceState(ask.name, "ok", detail, ask.environment, duration)


def _stamped(fact: Any, ask: Ask) -> Any:
    """The fact in the environment that asked, and from the engine as it is called there."""
    if isinstance(fact, Container | Host):
        return replace(fact, environment=ask.environment, source=ask.name)
    return replace(fact, environment=ask.environment)


_NOUNS = {
    "docker": "containers",
    "processes": "listening ports",
    "prometheus-api": "active targets",
    "alertmanager": "active alerts",
}


_COUNTED: Mapping[str, type] = {"docker": Container, "prometheus-api": LiveTarget, "alertmanager": Alert}


def _counted(name: str, found: Sequence[object]) -> str:
    kind = name.partition(":")[0]
    if kind == "grafana-api":
        return f"{sum(len(one.dashboards) for one in found if isinstance(one, Grafana))} dashboards"
    if kind == "loki":
        return f"{sum(len(one.lines) for one in found if isinstance(one, LogStore))} values of labels"
    counted = _COUNTED.get(kind, object)
    number = sum(isinstance(fact, counted) for fact in found)
    text = f"{number} {_NOUNS[kind].removesuffix('s') if number == 1 else _NOUNS[kind]}"
    unseen = sum(isinstance(fact, Listener) and fact.process is None for fact in found)
    return f"{text}, {unseen} of them of processes that this user may not see" if unseen else text


def process_ports(entries: Sequence[Entry]) -> frozenset[int] | None:
    """The ports of the host processes among an environment's entries; None where it declares no process."""
    processes = [entry for entry in entries if entry.lifecycle is Lifecycle.PROCESS]
    return frozenset(port for entry in processes for port in entry.ports) if processes else None
