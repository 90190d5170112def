"""Joins the facts of one moment by service: the snapshot that every check and every rung looks at."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

from auditor import belonging, knowledge, listening
from auditor.frozen import dataclass
from auditor.listening import Holders
from auditor.model import (
    Alert,
    AlertmanagerConfig,
    Catalogue,
    Component,
    ComponentConfig,
    Container,
    Criticality,
    Dashboard,
    Datasource,
    Definition,
    Document,
    EngineImage,
    Entry,
    EnvironmentSpec,
    Fault,
    Grafana,
    Host,
    Implementation,
    Lifecycle,
    Listener,
    ListItem,
    LiveTarget,
    LoadedRule,
    Location,
    LogShipper,
    LogStore,
    Moment,
    Notified,
    Peak,
    ProbeResult,
    Project,
    PrometheusConfig,
    Reference,
    Refused,
    ScrapeTarget,
    Selected,
    Silence,
    SourceState,
    SwarmService,
    Usage,
    Waiver,
)
from auditor.regexp import regexp
from auditor.servers import together
from auditor.words import longest, normal

ALIVE = frozenset({"running", "restarting", "paused"})
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1", "::"})  # noqa: S104  compared, never bound
_CONTAINER_NAME = regexp(r"(.+)[-_]\d{1,4}")
# How a container calls the machine it runs on; the last is the gateway of the engine's own bridge as it comes.
HOST_MACHINE = frozenset({"host.docker.internal", "gateway.docker.internal", "host-gateway", "172.17.0.1"})


@dataclass(frozen=True, slots=True)
class Service:
    """One service of one environment, with everything that is known of it."""

    name: str
    environment: str
    entry: Entry | None = None
    definition: Definition | None = None
    containers: tuple[Container, ...] = ()
    component: Component | None = None
    host: str | None = None  # for an embedded service: the service that it is part of

    @property
    def criticality(self) -> Criticality:
        return self.entry.criticality if self.entry else Criticality.STANDARD

    @property
    def lifecycle(self) -> Lifecycle:
        return self.entry.lifecycle if self.entry else Lifecycle.DAEMON

    @property
    def composed(self) -> Definition | None:
        """Its definition, where its profile is active and a container is made of it."""
        definition = self.definition
        return definition if definition and definition.active and not definition.provider else None

    @property
    def location(self) -> Location | None:
        """Where it is declared, else where it is composed."""
        if self.entry:
            return self.entry.location
        return self.definition.location if self.definition else None


@dataclass(frozen=True, slots=True)
class WaiverUse:
    """A waiver and how many findings of this audit it covered. `judged`: its check ran over all it could cover."""

    waiver: Waiver
    used: int
    judged: bool = True


_NOBODY = Holders()


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshot:
    """All facts of one moment. `environments` are those that are judged; the files of the others are read too."""

    taken_at: datetime
    environments: tuple[str, ...]
    catalogue: Catalogue | None = None
    components: tuple[Component, ...] = ()
    sources: tuple[SourceState, ...] = ()
    projects: tuple[Project, ...] = ()
    containers: tuple[Container, ...] = ()
    listeners: tuple[Listener, ...] = ()
    prometheus: tuple[PrometheusConfig, ...] = ()
    alertmanager_configs: tuple[AlertmanagerConfig, ...] = ()
    grafanas: tuple[Grafana, ...] = ()
    log_shippers: tuple[LogShipper, ...] = ()
    log_stores: tuple[LogStore, ...] = ()
    documents: tuple[Document, ...] = ()
    implementations: tuple[Implementation, ...] = ()
    component_configs: tuple[ComponentConfig, ...] = ()
    probes: tuple[ProbeResult, ...] = ()
    alerts: tuple[Alert, ...] = ()
    live_targets: tuple[LiveTarget, ...] = ()
    loaded_rules: tuple[LoadedRule, ...] = ()
    selected: tuple[Selected, ...] = ()
    notified: tuple[Notified, ...] = ()
    refused: tuple[Refused, ...] = ()
    silences: tuple[Silence, ...] = ()
    usages: tuple[Usage, ...] = ()
    peaks: tuple[Peak, ...] = ()
    past: tuple[Moment, ...] = ()  # earlier scans, the oldest first; (): this is the first
    hosts: tuple[Host, ...] = ()
    images: tuple[EngineImage, ...] = ()
    swarm_services: tuple[SwarmService, ...] = ()
    hash_key: str | None = None  # which key the digests were made with; those of another key say nothing
    absent_files: tuple[str, ...] = ()  # files that the catalogue names (runbooks) and the tree lacks
    faults: tuple[Fault, ...] = ()  # of files that belong to no environment's Compose model
    files: tuple[str, ...] = ()

    # --- sources ---------------------------------------------------------------------------------------------

    def source(self, name: str, environment: str | None = None) -> SourceState:
        """How reading the source `name` went: the worst of its parts, or not asked."""
        known = self._worst.get((name, environment))
        if known is None:
            known = self._worst[name, environment] = self._worst_part(name, environment)
        return known

    @cached_property
    def _worst(self) -> dict[tuple[str, str | None], SourceState]:
        return {}

    def _worst_part(self, name: str, environment: str | None) -> SourceState:
        parts = [
            *self._sources.get((name, None), ()),
            *(self._sources.get((name, environment), ()) if environment else ()),
        ]
        order = ("failed", "stale", "ok", "not_asked")
        return min(parts, key=lambda state: order.index(state.state), default=SourceState(name, "not_asked"))

    @cached_property
    def _sources(self) -> Mapping[tuple[str, str | None], list[SourceState]]:
        found: dict[tuple[str, str | None], list[SourceState]] = defaultdict(list)
        for state in self.sources:
            found[state.name.partition(":")[0], state.environment].append(state)
        return found

    def readable(self, container: Container) -> bool:
        """Whether the engine that a container is on was read: of several engines one may be gone."""
        parts = self._sources.get(("docker", container.environment), ())
        return any(part.name == container.source and part.state == "ok" for part in parts)

    # --- services --------------------------------------------------------------------------------------------

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """Every service of the judged environments: declared ones first, in the catalogue's order."""
        return tuple(service for name in self.environments for service in self._services_of(name))

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], Service]:
        return {(service.environment, service.name): service for service in self.services}

    def service(self, environment: str, name: str) -> Service | None:
        """The service of that name in a judged environment."""
        return self._by_name.get((environment, name))

    def service_with(self, environment: str, container: str) -> Service | None:
        """The service that has a container of just that name."""
        return self._by_own_container.get((environment, container))

    @cached_property
    def _by_own_container(self) -> Mapping[tuple[str, str], Service]:
        found: dict[tuple[str, str], Service] = {}
        for service in self.services:
            for container in service.containers:
                found.setdefault((service.environment, container.name), service)
        return found

    def service_at(self, environment: str, host: str) -> Service | None:
        """The service whose entry declares an address on that host."""
        return self._by_address.get((environment, host))

    @cached_property
    def _by_address(self) -> Mapping[tuple[str, str], Service]:
        found: dict[tuple[str, str], Service] = {}
        for service in self.services:
            if service.entry and service.entry.host is not None:
                found.setdefault((service.environment, service.entry.host), service)
        return found

    def _services_of(self, environment: str) -> Iterator[Service]:
        definitions = dict(self.definitions(environment))
        containers = self._containers_by_service(environment)
        for entry in self.entries(environment):
            definition = next((definitions.pop(n) for n in (entry.name, *entry.aliases) if n in definitions), None)
            yield self._join(environment, entry.name, entry, definition, containers.pop(entry.name, ()))
        for name, definition in definitions.items():
            yield self._join(environment, name, None, definition, containers.pop(name, ()))
        for name, group in containers.items():
            if any(container.state in ALIVE for container in group):  # what ended long ago is no service
                yield self._join(environment, name, None, None, group)

    def _join(
        self,
        environment: str,
        name: str,
        entry: Entry | None,
        definition: Definition | None,
        containers: Iterable[Container],
    ) -> Service:
        group = tuple(containers)
        component = self._component(name, entry, definition, group)
        return Service(name, environment, entry, definition, group, component, entry.embedded_in if entry else None)

    def _component(
        self, name: str, entry: Entry | None, definition: Definition | None, containers: tuple[Container, ...]
    ) -> Component | None:
        if entry and entry.component:
            return self.component(entry.component)
        images = [definition.image if definition else None, entry.image if entry else None]
        images += [container.image for container in containers]
        found = next((c for image in images if image and (c := knowledge.by_image(self.components, image))), None)
        if found or any(images) or (definition and definition.build):
            return found
        return knowledge.by_name(self.components, name) if entry else None

    def component(self, key: str) -> Component | None:
        """The component of that key, or that goes by that name."""
        return self._components.get(key) or knowledge.by_name(self.components, key)

    @cached_property
    def _components(self) -> Mapping[str, Component]:
        return {component.key: component for component in self.components}

    def entries(self, environment: str) -> tuple[Entry, ...]:
        """What the catalogue declares for an environment, each entry as it lives there."""
        if environment not in self._entries:
            self._entries[environment] = tuple(self._entries_of(environment))
        return self._entries[environment]

    @cached_property
    def _entries(self) -> dict[str, tuple[Entry, ...]]:
        return {}

    def _entries_of(self, environment: str) -> Iterator[Entry]:
        spec = self._specs.get(environment)
        for entry in self.catalogue.entries if self.catalogue else ():
            if entry.environments is not None and environment not in entry.environments:
                continue
            open_to = entry.lifecycle is Lifecycle.DAEMON and "lifecycle" not in entry.lines
            yield replace(entry, lifecycle=spec.lifecycle) if spec and spec.lifecycle and open_to else entry

    @cached_property
    def _specs(self) -> Mapping[str, EnvironmentSpec]:
        return {spec.name: spec for spec in self.catalogue.environments} if self.catalogue else {}

    def spec(self, environment: str) -> EnvironmentSpec | None:
        """How the catalogue describes an environment."""
        return self._specs.get(environment)

    @cached_property
    def _projects(self) -> Mapping[str, Project]:
        return {project.environment: project for project in self.projects}

    def project(self, environment: str) -> Project | None:
        """The environment's Compose model."""
        return self._projects.get(environment)

    def definitions(self, environment: str) -> Mapping[str, Definition]:
        """The environment's composed services by Compose's own names, inactive ones included."""
        return self._definitions.get(environment, {})

    @cached_property
    def _definitions(self) -> Mapping[str, Mapping[str, Definition]]:
        return {p.environment: {d.name: d for d in p.definitions} for p in self.projects}

    def network_names(self, environment: str) -> Mapping[str, str]:
        """Network key -> the name that the engine knows it by, as far as the files tell it apart."""
        return self._network_names.get(environment, {})

    @cached_property
    def _network_names(self) -> Mapping[str, Mapping[str, str]]:
        return {project.environment: _real_names(project) for project in self.projects}

    @cached_property
    def _entry_of(self) -> Mapping[tuple[str, str], Entry]:
        """(environment, name or alias) -> entry; a name goes before an alias."""
        environments = {*self.environments, *self._projects}
        found: dict[tuple[str, str], Entry] = {}
        for environment in environments:
            for entry in self.entries(environment):
                for alias in entry.aliases:
                    found.setdefault((environment, alias), entry)
            for entry in self.entries(environment):
                found[environment, entry.name] = entry
        return found

    def entry(self, environment: str, name: str) -> Entry | None:
        """The entry whose name or alias is exactly `name`."""
        return self._entry_of.get((environment, name))

    def known_as(self, environment: str, composed: str) -> str:
        """The service name of a Compose service: its entry's name, else its own."""
        entry = self.entry(environment, composed)
        return entry.name if entry else composed

    # --- containers ------------------------------------------------------------------------------------------

    def called(self, definition: Definition) -> str:
        """The name of the service that a Compose service is."""
        return self.known_as(definition.environment, definition.name)

    def service_of(self, definition: Definition) -> Service | None:
        """The service that a Compose service of a judged environment is."""
        known = self._service_of
        key = definition.environment, definition.name
        if key not in known:
            known[key] = self.service(definition.environment, self.called(definition))
        return known[key]

    @cached_property
    def _service_of(self) -> dict[tuple[str, str], Service | None]:
        return {}

    def component_of(self, definition: Definition) -> Component | None:
        """The known component that a Compose service runs."""
        service = self.service_of(definition)
        return service.component if service else None

    def ours(self, container: Container) -> bool:
        """Whether the container belongs to its environment's project, to nobody, or the whole engine is judged."""
        spec = self._specs.get(container.environment)
        if spec and spec.docker_scope == "engine":
            return True
        return container.project is None or container.project == self._project_name(container.environment)

    def _project_name(self, environment: str) -> str | None:
        """What the engine calls the environment's project."""
        if environment not in self._project_names:
            project = self.project(environment)
            self._project_names[environment] = belonging.project_name(project, self.containers) if project else None
        return self._project_names[environment]

    @cached_property
    def _project_names(self) -> dict[str, str | None]:
        return {}

    def named_there(self, environment: str) -> Mapping[str, str]:
        """Networks and volumes that nobody named: what they would be called here -> what the engine calls them, where
        the project was started under another name."""
        project, there = self.project(environment), self._project_name(environment)
        if project is None or there is None or project.name == there:
            return {}
        given = {(item.section, item.key) for item in project.resources if item.name or item.external}
        keys = {(item.section, item.key) for item in project.resources} | {("networks", "default")}
        return {f"{project.name}_{key}": f"{there}_{key}" for section, key in keys - given}

    def in_project(self, container: Container) -> bool:
        """Whether Compose's labels make a container one of its environment's project."""
        return bool(container.service) and container.project == self._project_name(container.environment)

    def swarm_of(self, service: Service) -> SwarmService | None:
        """The Swarm's own service that runs it: of the environment's stack, else of its name."""
        return self._swarm.get((service.environment, service.name))

    def hidden_in_swarm(self, service: Service) -> bool:
        """Whether more of a service may run in a Swarm whose services could not be read, elsewhere in it."""
        return self._hidden_in_swarm(service.environment) and all(c.task for c in service.containers)

    def _hidden_in_swarm(self, environment: str) -> bool:
        """Whether a Swarm keeps its services from us, and nothing tells that Compose started the project instead."""
        hosts = [host for host in self.hosts if host.environment == environment]
        if not any(host.hidden_services for host in hosts) or any(h.swarm and not h.hidden_services for h in hosts):
            return False
        here = [c for c in self.containers if c.environment == environment and self.in_project(c)]
        return not any(container.number is not None and not container.task for container in here)

    @cached_property
    def _swarm(self) -> Mapping[tuple[str, str], SwarmService]:
        found: dict[tuple[str, str], SwarmService] = {}
        for item in self.swarm_services:
            of_stack = item.service and item.stack == self._project_name(item.environment)
            name = item.service if of_stack else item.name if item.stack is None else None
            if name:
                found.setdefault((item.environment, self.known_as(item.environment, name)), item)
        return found

    def of_namesake(self, container: Container) -> bool:
        """Whether a container belongs to another project of the same name, as far as its directory tells."""
        return container.id in self._namesakes

    @cached_property
    def _namesakes(self) -> frozenset[str]:
        found: frozenset[str] = frozenset()
        for environment in self.environments:
            here = [c for c in self.containers if c.environment == environment and self.in_project(c)]
            found |= belonging.strays(here, self.definitions(environment))
        return found

    def _containers_by_service(self, environment: str) -> dict[str, list[Container]]:
        groups: dict[str, list[Container]] = defaultdict(list)
        for container in self.containers:
            if container.environment == environment and not container.oneoff and self.ours(container):
                groups[self.placed(container)].append(container)
        return groups

    def placed(self, container: Container) -> str:
        """The name of the service that a container is of, whether or not anything declares or composes it."""
        return self._places[container.environment].get(container.id, container.name)

    @cached_property
    def _places(self) -> Mapping[str, Mapping[str, str]]:
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for environment in {container.environment for container in self.containers}:
            here = [c for c in self.containers if c.environment == environment and self.ours(c)]
            places = {c.id: name for c in here if (name := self._by_label_or_name(c))}
            served = set(places.values())
            lost = [c for c in here if c.id not in places and c.project is None and c.state in ALIVE]
            places.update(belonging.by_image(lost, self.entries(environment), served.__contains__))
            found[environment] = places
        return found

    def _by_label_or_name(self, container: Container) -> str | None:
        environment = container.environment
        if container.service and self.in_project(container):
            return self.known_as(environment, container.service)
        if container.service and container.project is None:  # of a Swarm's service without a stack
            return self.known_as(environment, container.service)
        if named := self._by_container_name.get((environment, container.name)):
            return named
        if entry := self.entry(environment, container.name):
            return entry.name
        services = self.definitions(environment)
        if container.name in services:
            return container.name
        if container.project is not None:
            return None
        named = belonging.default_name(container, self._project_name(environment), services)
        return self.known_as(environment, named) if named else self._by_alias(container)

    def _by_alias(self, container: Container) -> str | None:
        """The service whose name a container answers to on its networks, where that is one alone."""
        services = self.definitions(container.environment)
        names = belonging.aliases(container)
        known = {n for n in names if n in services or self.entry(container.environment, n)}
        found = {self.known_as(container.environment, name) for name in known}
        return found.pop() if len(found) == 1 else None

    @cached_property
    def _by_container_name(self) -> Mapping[tuple[str, str], str]:
        return {
            (d.environment, d.container_name): self.known_as(d.environment, d.name)
            for project in self.projects
            for d in project.definitions
            if d.container_name
        }

    # --- what is used ----------------------------------------------------------------------------------------

    def usage_of(self, container: Container) -> Usage | None:
        """What a container uses just now."""
        return self._usages.get((container.environment, container.id))

    @cached_property
    def _usages(self) -> Mapping[tuple[str, str], Usage]:
        return {(usage.environment, usage.container): usage for usage in self.usages}

    def host_of(self, container: Container) -> Host | None:
        """The machine that a container runs on."""
        return self._hosts.get((container.environment, container.source))

    @cached_property
    def _hosts(self) -> Mapping[tuple[str, str], Host]:
        return {(host.environment, host.source): host for host in self.hosts}

    @cached_property
    def peaks_by_service(self) -> Mapping[tuple[str, str], Peak]:
        """(environment, service) -> the most that a container of it was seen to use."""
        return {(peak.environment, peak.service): peak for peak in self.peaks}

    # --- who provides what -----------------------------------------------------------------------------------

    @cached_property
    def _providers(self) -> Mapping[str, Mapping[str, Definition]]:
        """environment -> host in lower case, as names are compared on a network -> the service that answers to it."""
        found: dict[str, dict[str, Definition]] = {}
        for project in self.projects:
            hosts = found.setdefault(project.environment, {})
            for definition in project.definitions:
                for host in (definition.container_name, *definition.network_aliases):
                    if host:
                        hosts.setdefault(host.lower(), definition)
            hosts.update({definition.name.lower(): definition for definition in project.definitions})
        return found

    def provider(self, environment: str, host: str) -> Definition | None:
        """The composed service that answers to `host` on the project's networks, an inactive one included."""
        hosts, host = self._providers.get(environment, {}), host.lower()
        found = hosts.get(host) or hosts.get(host.partition(".")[0] if host.count(".") == 1 else host)
        return found or self._by_default_name(environment, host)

    def _by_default_name(self, environment: str, host: str) -> Definition | None:
        """The service one of whose containers Compose calls `host`, as in `shop-db-1`."""
        match = _CONTAINER_NAME.fullmatch(host)
        if match is None:
            return None
        project, hosts, whole = self._project_name(environment), self._providers.get(environment, {}), match[1]
        for at, sign in enumerate(whole):
            if sign in "-_" and project in (None, whole[:at]) and (found := hosts.get(whole[at + 1 :])):
                return found
        return None

    def provided(self, environment: str, host: str) -> bool:
        """Whether `host` is composed, runs by hand beside the project, or is declared to live elsewhere."""
        if host in LOCAL_HOSTS or host in HOST_MACHINE or self.provider(environment, host):
            return True
        if (environment, host) in self._running_by_name:
            return True
        entry = self.entry(environment, host)
        return entry is not None and entry.lifecycle in (Lifecycle.EXTERNAL, Lifecycle.PROCESS, Lifecycle.EMBEDDED)

    @cached_property
    def _running_by_name(self) -> frozenset[tuple[str, str]]:
        return frozenset((c.environment, c.name) for c in self.containers if c.state == "running")

    def has_address_of(self, service: Service | None, host: str) -> bool:
        """Whether a service has an address of its own for a name, as by `extra_hosts`."""
        return service is not None and service.definition is not None and host in service.definition.own_hosts

    def outside(self, host: str) -> bool:
        """Whether a host is an address, or a name of the world outside, and no name on the project's own networks."""
        if host in LOCAL_HOSTS or host in HOST_MACHINE:
            return False
        return "." in host or ":" in host or host.isdigit()

    def deployed(self, environment: str, key: str) -> Service | None:
        """The service of an environment that is a component `key` and is composed or runs."""
        return next((s for s in self._by_component.get((environment, key), ()) if s.definition or s.containers), None)

    def elsewhere(self, environment: str, key: str) -> bool:
        """Whether the catalogue declares component `key` as external, a process or a part of another service."""
        outside = (Lifecycle.EXTERNAL, Lifecycle.PROCESS, Lifecycle.EMBEDDED)
        return any(s.lifecycle in outside for s in self._by_component.get((environment, key), ()))

    @cached_property
    def _by_component(self) -> Mapping[tuple[str, str], list[Service]]:
        found: dict[tuple[str, str], list[Service]] = defaultdict(list)
        for service in self.services:
            if service.component:
                found[service.environment, service.component.key].append(service)
        return found

    def of_kind(self, environment: str, kind: str) -> list[Service]:
        """The composed or running services whose component is of a kind (`log_store`, `log_shipper`, ...)."""
        return self._by_kind.get((environment, kind), [])

    @cached_property
    def _by_kind(self) -> Mapping[tuple[str, str], list[Service]]:
        found: dict[tuple[str, str], list[Service]] = defaultdict(list)
        for service in self.services:
            if service.component and (service.definition or service.containers):
                found[service.environment, service.component.kind].append(service)
        return found

    @cached_property
    def entry_names(self) -> frozenset[str]:
        """Every name and alias that the catalogue declares, in whatever environment."""
        entries = self.catalogue.entries if self.catalogue else ()
        return frozenset(name for entry in entries for name in (entry.name, *entry.aliases))

    def missing_name(self, environment: str, word: str) -> str:
        """What a missing host or component is called: its catalogue entry, else the component, else the word."""
        entry = self.entry(environment, word)
        if entry:
            return entry.name
        component = self.component(word)
        if component is None:
            return word
        declared = [s for s in self._by_component.get((environment, component.key), ()) if s.entry]
        return declared[0].name if declared else component.key

    def references(self, environment: str) -> Iterator[Reference]:
        """Every host that the environment's active definitions name."""
        for definition in self.definitions(environment).values():
            if definition.active:
                yield from definition.references

    def owners(self, environment: str) -> Mapping[Reference, Definition]:
        """The active definition that each reference stands in."""
        return self._owners.get(environment, {})

    @cached_property
    def _owners(self) -> Mapping[str, Mapping[Reference, Definition]]:
        return {
            environment: {reference: d for d in composed.values() if d.active for reference in d.references}
            for environment, composed in self._definitions.items()
        }

    def targets(self, environment: str) -> Iterator[ScrapeTarget]:
        """Every static scrape target of an environment."""
        for config in self.prometheus:
            if config.environment == environment:
                for job in config.jobs:
                    yield from job.targets

    def targets_at(self, environment: str, hosts: Iterable[str]) -> tuple[ScrapeTarget, ...]:
        """The static scrape targets on any of the hosts, one followed by a network's name included, in file order."""
        return _picked(self._targets_by_host, environment, hosts)

    @cached_property
    def _targets_by_host(self) -> _ByHost[ScrapeTarget]:
        return _by_host(target for name in self.environments for target in self.targets(name))

    def prometheus_configs(self, environment: str) -> tuple[PrometheusConfig, ...]:
        """The configurations of an environment's Prometheus servers."""
        return self._prometheus.get(environment, ())

    def prometheus_of(self, environment: str) -> PrometheusConfig | None:
        """The environment's Prometheus configuration; of several servers what they do together, in the first's file."""
        return self._together.get(environment)

    @cached_property
    def _prometheus(self) -> Mapping[str, tuple[PrometheusConfig, ...]]:
        found: dict[str, tuple[PrometheusConfig, ...]] = {}
        for config in self.prometheus:
            found[config.environment] = (*found.get(config.environment, ()), config)
        return found

    @cached_property
    def _together(self) -> Mapping[str, PrometheusConfig]:
        return {environment: together(configs) for environment, configs in self._prometheus.items()}

    def prometheus_unasked(self, environment: str) -> tuple[PrometheusConfig, ...]:
        """The configurations of those of several servers that are not the one whose API was read: by their jobs."""
        return self._unasked.get(environment, ())

    @cached_property
    def _unasked(self) -> Mapping[str, tuple[PrometheusConfig, ...]]:
        found: dict[str, tuple[PrometheusConfig, ...]] = {}
        for environment, configs in self._prometheus.items():
            if len(configs) > 1 and self.source("prometheus-api", environment).state == "ok":
                jobs = {target.job for target in self.live_targets if target.environment == environment}
                asked = max(configs, key=lambda config: len(jobs.intersection(job.name for job in config.jobs)))
                found[environment] = tuple(config for config in configs if config is not asked)
        return found

    def prometheus_server(self, config: PrometheusConfig) -> Service | None:
        """The service that runs with a configuration: the one that is told, else the only Prometheus there is."""
        definition = self.definitions(config.environment).get(config.server or "")
        own = self.service_of(definition) if definition else None
        return own or self.deployed(config.environment, "prometheus")

    def alertmanager_of(self, environment: str) -> AlertmanagerConfig | None:
        """The environment's Alertmanager configuration: as the running one has loaded it, else that of the file."""
        found = [config for config in self.alertmanager_configs if config.environment == environment]
        return min(found, key=lambda config: not config.live, default=None)

    def grafana_of(self, environment: str) -> Grafana | None:
        """The environment's Grafana, as its API shows it where that answered, else as its files do."""
        found = [grafana for grafana in self.grafanas if grafana.environment == environment]
        return next((grafana for grafana in found if grafana.live), next(iter(found), None))

    def implementation(self, entry: str) -> Implementation | None:
        """The code of an entry."""
        return next((item for item in self.implementations if item.service == entry), None)

    def probes_of(self, service: Service) -> tuple[ProbeResult, ...]:
        """The probe results of a service."""
        return self._probes.get((service.environment, service.name), ())

    @cached_property
    def _probes(self) -> Mapping[tuple[str, str], tuple[ProbeResult, ...]]:
        found: dict[tuple[str, str], tuple[ProbeResult, ...]] = {}
        for result in self.probes:
            key = (result.environment, result.service)
            found[key] = (*found.get(key, ()), result)
        return found

    def holders_of(self, service: Service) -> Holders:
        """Who listens on the ports of a service that is declared as a host process."""
        if service.entry is None or service.lifecycle is not Lifecycle.PROCESS:
            return _NOBODY
        return listening.holders(service.entry, self._listeners.get(service.environment, ()))

    @cached_property
    def _listeners(self) -> Mapping[str, list[Listener]]:
        found: dict[str, list[Listener]] = defaultdict(list)
        for listener in self.listeners:
            found[listener.environment].append(listener)
        return found

    def listeners_in(self, environment: str) -> Sequence[Listener]:
        """Who listens on the host of an environment."""
        return self._listeners.get(environment, ())

    # --- what documents say ----------------------------------------------------------------------------------

    @cached_property
    def _words(self) -> Mapping[str, Mapping[str, str]]:
        """environment -> normal form -> service name, or the key of a component that no service is."""
        found: dict[str, dict[str, str]] = {}
        for environment in self.environments:
            words = found.setdefault(environment, {})
            for component in self.components:
                name = self._called(environment, component)
                for word in (component.key, component.title, *component.names):
                    words.setdefault(normal(word), name)
            for service in self.services:
                if service.environment == environment:
                    words.update({normal(word): service.name for word in _own_words(service)})
            words.pop("", None)
        return found

    def _called(self, environment: str, component: Component) -> str:
        """The service that is the component, one that is deployed before one that is declared; else the key."""
        services = self._by_component.get((environment, component.key), ())
        found = next((s for s in services if s.definition or s.containers), None)
        found = found or next((s for s in services if s.entry), None)
        return found.name if found else component.key

    def meant(self, environment: str, item: ListItem) -> str | None:
        """The service or component that an entry of a list means; None where nothing known is meant."""
        return longest(item.text, self._words.get(environment, {}))

    @cached_property
    def _mentions(self) -> Mapping[tuple[str, str], tuple[ListItem, ...]]:
        found: dict[tuple[str, str], tuple[ListItem, ...]] = {}
        for environment in self.environments:
            for document in self.documents:
                for group in document.lists:
                    for item in group.items:
                        if name := self.meant(environment, item):
                            found[environment, name] = (*found.get((environment, name), ()), item)
        return found

    def mentions(self, service: Service) -> tuple[ListItem, ...]:
        """The entries of documents' lists and tables that mean this service."""
        return self._mentions.get((service.environment, service.name), ())

    # --- lifecycle -------------------------------------------------------------------------------------------

    @cached_property
    def _completed(self) -> frozenset[tuple[str, str]]:
        """Services that another one waits for to end: one-shots, whatever the catalogue leaves unsaid."""
        return frozenset(
            (d.environment, dependency.service)
            for project in self.projects
            for d in project.definitions
            for dependency in d.depends_on
            if dependency.condition == "service_completed_successfully"
        )

    def runs_once(self, service: Service) -> bool:
        """Whether it is meant to end: declared so, waited for so, or undeclared, not restarted and ended well.

        A server ends well, too, when it is told to stop: what others are to reach, and what was stopped, is no such.
        """
        if service.lifecycle in (Lifecycle.ONESHOT, Lifecycle.CRON):
            return True
        definition = service.definition
        if definition is None:
            return False
        if (service.environment, definition.name) in self._completed:
            return True
        if service.entry is not None or definition.restart not in (None, "no") or _serves(service, definition):
            return False
        ended = (c.state == "exited" and c.exit_code == 0 and not c.killed for c in service.containers)
        return bool(service.containers) and all(ended)

    def ends(self, definition: Definition) -> bool:
        """Whether a Compose service is meant to end: `runs_once`, or so its command says, and nothing restarts it."""
        service = self.service_of(definition)
        if service is not None and self.runs_once(service):
            return True
        return definition.purpose == "task" and not (definition.restart or "").startswith(("always", "unless"))

    def excuse(self, service: Service) -> str | None:
        """Why the service need not run now, or None."""
        entry, definition = service.entry, service.definition
        if entry and entry.maintenance and self.taken_at.date() <= entry.maintenance.until:
            return f"in maintenance until {entry.maintenance.until.isoformat()}: {entry.maintenance.reason}"
        if definition and not definition.active:
            return f"its profile is not active ({', '.join(definition.profiles)})"
        if definition and definition.replicas == 0:
            return "scaled to 0"
        swarm = self.swarm_of(service)
        if swarm and swarm.desired == 0:
            return f"scaled to 0 in the Swarm, as `{swarm.name}`"
        if entry and entry.replicas == 0:
            return "declared with 0 replicas"
        return None

    @cached_property
    def memo(self) -> dict[str, Any]:
        """What others worked out of this snapshot and will ask for again, each under a name of its own."""
        return {}

    # --- what checks judge -----------------------------------------------------------------------------------

    def subjects(self, kind: type) -> tuple[object, ...]:
        """Everything of one type that the judged environments hold, in a stable order."""
        known = self._subjects.get(kind)
        if known is None:
            known = self._subjects[kind] = _SUBJECTS[kind](self)
        return known

    @cached_property
    def _subjects(self) -> dict[type, tuple[object, ...]]:
        return {}

    def all_faults(self) -> tuple[Fault, ...]:
        """What the parsers had to say, of judged environments and of files that belong to none."""
        projects = [project for project in self.projects if project.environment in self.environments]
        of_projects = (fault for project in projects for fault in (*project.faults, *project.remarks))
        of_prometheus = (f for p in self.prometheus if p.environment in self.environments for f in p.faults)
        of_alertmanager = (f for a in self.alertmanager_configs if a.environment in self.environments for f in a.faults)
        of_shippers = (f for s in self.log_shippers if s.environment in self.environments for f in s.faults)
        of_grafana = (f for g in self.grafanas if g.environment in self.environments for f in g.faults)
        return (*of_projects, *of_prometheus, *of_alertmanager, *of_grafana, *of_shippers, *self.faults)


_Target = TypeVar("_Target", ScrapeTarget, LiveTarget)
_ByHost: TypeAlias = Mapping[tuple[str, str], list[tuple[int, _Target]]]  # (environment, host) -> place and target


def _by_host(targets: Iterable[_Target]) -> _ByHost[_Target]:
    found: dict[tuple[str, str], list[tuple[int, _Target]]] = defaultdict(list)
    for place, target in enumerate(targets):
        host = target.address.host
        found[target.environment, host].append((place, target))
        if host.count(".") == 1:  # `service.network`
            found[target.environment, host.partition(".")[0]].append((place, target))
    return found


def _picked(index: _ByHost[_Target], environment: str, hosts: Iterable[str]) -> tuple[_Target, ...]:
    found = {place: target for host in hosts for place, target in index.get((environment, host), ())}
    return tuple(found[place] for place in sorted(found))


def _serves(service: Service, definition: Definition) -> bool:
    """Whether a service is there to be reached, as far as its file tells: what is made of it for a task is not."""
    if definition.purpose == "task":
        return False
    asked = definition.ports or (definition.healthcheck and not definition.healthcheck.disabled)
    as_it_comes = not any(field in (definition.setup or definition.lines) for field in ("command", "entrypoint"))
    return bool(asked or (service.component and service.component.ports and as_it_comes))


def _real_names(project: Project) -> dict[str, str]:
    networks = (resource for resource in project.resources if resource.section == "networks")
    return {
        resource.key: resource.name or (resource.key if resource.external else f"{project.name}_{resource.key}")
        for resource in networks
    }


def _own_words(service: Service) -> Iterator[str]:
    yield service.name
    if service.entry:
        yield from service.entry.aliases
        if service.entry.title:
            yield service.entry.title
    if service.definition:
        yield service.definition.name


def _judged_definitions(snapshot: Snapshot) -> tuple[object, ...]:
    """The services that are active and become containers: what a `provider` provides is none."""
    composed = (definition for name in snapshot.environments for definition in snapshot.definitions(name).values())
    return tuple(definition for definition in composed if definition.active and not definition.provider)


def _judged_containers(snapshot: Snapshot) -> tuple[object, ...]:
    return tuple(c for c in snapshot.containers if c.environment in snapshot.environments)


def _judged_grafanas(snapshot: Snapshot) -> tuple[Grafana, ...]:
    return tuple(g for name in snapshot.environments if (g := snapshot.grafana_of(name)) is not None)


_SUBJECTS: Mapping[type, Callable[[Snapshot], tuple[object, ...]]] = {
    Service: lambda snapshot: snapshot.services,
    Entry: lambda snapshot: snapshot.catalogue.entries if snapshot.catalogue else (),
    Catalogue: lambda snapshot: (snapshot.catalogue,) if snapshot.catalogue else (),
    Definition: _judged_definitions,
    Container: _judged_containers,
    Project: lambda snapshot: tuple(p for p in snapshot.projects if p.environment in snapshot.environments),
    PrometheusConfig: lambda snapshot: tuple(p for p in snapshot.prometheus if p.environment in snapshot.environments),
    Silence: lambda snapshot: tuple(s for s in snapshot.silences if s.environment in snapshot.environments),
    AlertmanagerConfig: lambda snapshot: tuple(
        a for name in snapshot.environments if (a := snapshot.alertmanager_of(name)) is not None
    ),
    Dashboard: lambda snapshot: tuple(
        dashboard for grafana in _judged_grafanas(snapshot) for dashboard in grafana.dashboards
    ),
    Datasource: lambda snapshot: tuple(
        source for grafana in _judged_grafanas(snapshot) for source in grafana.datasources or ()
    ),
    Document: lambda snapshot: snapshot.documents,
    Implementation: lambda snapshot: snapshot.implementations,
    Host: lambda snapshot: tuple(host for host in snapshot.hosts if host.environment in snapshot.environments),
    Fault: lambda snapshot: snapshot.all_faults(),
    SourceState: lambda snapshot: tuple(s for s in snapshot.sources if s.environment in (None, *snapshot.environments)),
}
