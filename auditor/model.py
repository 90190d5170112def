"""The nouns: what is declared, what was seen, and what follows from both. Frozen values, no behaviour.

Lines count from 1. Paths are relative to the project root, with `/`. Sizes are bytes, durations seconds, times UTC.
No value here ever holds a secret: whoever reads one keeps its name and its class, and drops the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from enum import StrEnum
from typing import TypeAlias

from auditor.frozen import dataclass


class Severity(StrEnum):
    """How bad a finding is; the same words in checks, alerts, metrics and pages."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Lifecycle(StrEnum):
    """How a service lives, and so which rungs it can be asked for."""

    DAEMON = "daemon"
    ONESHOT = "oneshot"
    CRON = "cron"
    EXTERNAL = "external"
    PROCESS = "process"
    EMBEDDED = "embedded"


class Criticality(StrEnum):
    """How much depends on a service."""

    CRITICAL = "critical"
    STANDARD = "standard"
    OPTIONAL = "optional"


class Verdict(StrEnum):
    """The fused health of one service."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    STARTING = "starting"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class RungState(StrEnum):
    """What the evidence says of one rung. Unknown is never a pass."""

    PROVED = "proved"
    DISPROVED = "disproved"
    UNKNOWN = "unknown"
    NOT_REQUIRED = "not_required"


RUNGS = (
    "claimed",
    "declared",
    "composed",
    "running",
    "healthy",
    "scraped",
    "logged",
    "alerted",
    "routed",
    "charted",
)


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file."""

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence that a source can stand for, with its place where it has one."""

    source: str
    text: str
    path: str | None = None
    line: int | None = None


# --- the catalogue -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that somebody accepted, until a date (inclusive, UTC)."""

    check: str
    reason: str
    owner: str
    until: date
    location: Location
    service: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One active health question as declared: `http`, `tcp`, ...; `options` are that kind's own keys, checked."""

    kind: str
    options: Mapping[str, object]
    location: Location


@dataclass(frozen=True, slots=True)
class Metrics:
    """Where a service's metrics are: its own endpoint, or the name of the exporter that speaks for it."""

    port: int | None = None
    path: str = "/metrics"
    exporter: str | None = None


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A service that is down on purpose until a date (inclusive, UTC)."""

    until: date
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One service as the catalogue declares it. `lines`: the line of each key that stands in the file."""

    name: str
    location: Location
    lines: Mapping[str, int]
    title: str | None = None
    category: str | None = None
    tier: str | None = None
    criticality: Criticality = Criticality.STANDARD
    owner: str | None = None
    runbook: str | None = None
    image: str | None = None
    ports: tuple[int, ...] = ()
    sockets: tuple[tuple[int, str], ...] = ()  # `ports` with their protocols
    replicas: int | None = None
    environments: tuple[str, ...] | None = None  # None: all
    lifecycle: Lifecycle = Lifecycle.DAEMON
    depends_on: tuple[str, ...] = ()
    implementation: str | None = None
    probes: tuple[Probe, ...] = ()
    memory_limit: int | None = None  # bytes
    cpu_limit: float | None = None  # cores
    availability: float | None = None  # percent
    latency: float | None = None  # seconds
    waivers: tuple[Waiver, ...] = ()
    aliases: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    maintenance: Maintenance | None = None
    address: str | None = None
    command: str | None = None
    schedule: str | None = None
    component: str | None = None
    metrics: Metrics | None = None
    identity_service: str | None = None
    identity_version: str | None = None
    embedded_in: str | None = None

    @property
    def host(self) -> str | None:
        """The host of the declared address."""
        return self.address.rpartition("//")[2].partition("/")[0].partition(":")[0] if self.address else None

    def place(self, key: str) -> Location:
        """Where `key` is written, else where the entry begins."""
        return Location(self.location.path, self.lines.get(key, self.location.line))


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """One deployment as the catalogue describes it. Paths as written, relative to the catalogue's directory."""

    name: str
    location: Location
    compose: tuple[str, ...] = ()  # (): Compose's own discovery
    project: str | None = None
    profiles: tuple[str, ...] = ()
    env_file: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    docker: tuple[str, ...] = ()
    docker_scope: str = "project"  # or "engine"
    prometheus_config: str | None = None
    prometheus_url: str | None = None
    alertmanager_config: str | None = None
    alertmanager_url: str | None = None
    grafana_dashboards: tuple[str, ...] = ()
    grafana_url: str | None = None
    grafana_token_env: str | None = None
    loki_url: str | None = None
    lifecycle: Lifecycle | None = None  # how its services live unless they say otherwise


@dataclass(frozen=True, slots=True)
class Tier:
    """Where services of a tier may stand."""

    name: str
    networks: tuple[str, ...] = ()
    publish: bool | None = None


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """What the catalogue sets for one check."""

    check: str
    location: Location
    severity: Severity | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The declared service catalogue of one system. `directory` is where its relative paths begin ("" = the root)."""

    path: str
    directory: str
    system: str | None
    environments: tuple[EnvironmentSpec, ...]
    entries: tuple[Entry, ...]
    documents: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # criticality -> rungs
    tiers: tuple[Tier, ...] = ()
    tier_order: tuple[str, ...] = ()
    shared_networks: tuple[str, ...] = ()
    shared_settings: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    checks: tuple[CheckConfig, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    knowledge: tuple[str, ...] = ()  # files that add to what is known of components
    knowledge_place: Location | None = None


# --- knowledge -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DefaultProbe:
    """How a known component is asked whether it works."""

    kind: str  # http, tcp
    port: int
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Expect:
    """A finding that belongs to a component's nature; it is shown as info."""

    check: str
    reason: str


@dataclass(frozen=True, slots=True)
class Component:
    """A product that the knowledge base knows. `images` are repository paths without registry and tag."""

    key: str
    title: str
    kind: str
    images: tuple[str, ...]
    names: tuple[str, ...] = ()  # other words for it, in documents and host names
    ports: tuple[int, ...] = ()
    metrics: Metrics | None = None  # own endpoint, or `exporter` = key of the component that speaks for it
    exporter_of: tuple[str, ...] = ()  # for an exporter: keys of the components that it speaks for
    backing: bool = False  # datastore, broker or exporter: no service of its own in a count
    config_files: tuple[str, ...] = ()  # glob patterns of its configuration file in a tree
    log_path: str | None = None  # where it writes files of its own, in a container
    log_format: str | None = None  # json, logfmt or plain, on its standard output unless told otherwise
    probe: DefaultProbe | None = None
    replaced_by: str | None = None  # retired or renamed: what to use instead
    retired: tuple[str, ...] = ()  # those of `images` that are no longer kept up; the first of `images` is
    start_seconds: int | None = None  # for a slow starter: how long its makers' own examples let it start
    expects: tuple[Expect, ...] = ()
    admin_ports: tuple[int, ...] = ()  # ports of `ports` and others that are for its operators only
    data_paths: tuple[str, ...] = ()  # where it keeps what must outlive it; an image has one of them
    series: tuple[str, ...] = ()  # how the names of its metrics begin, for an exporter those that it alone has
    lacks: tuple[str, ...] = ()  # programs that no tag of its first image brings, `debug` ones left out
    pointed_by: tuple[str, ...] = ()  # for an exporter: variables and flags that tell it whom to ask
    alerts: str | None = None  # the address of public alert rules for it


# --- what a container is made with ---------------------------------------------------------------------------

# Compose's own name of a field, such as `mem_limit`, -> its canonical value. A field that is missing is not said, or
# could not be seen. What may hold a secret (values of variables, labels and options, arguments) is a keyed digest.
Setting: TypeAlias = bool | int | float | str | tuple[str, ...] | Mapping[str, str | None]
Setup: TypeAlias = Mapping[str, Setting | None]


# --- Compose -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Port:
    """One published port. `published` is text: it may be a range, and None or "0" is a random one.

    `host_ip`: None is every interface, "" one that a variable would have named, had it been set.
    """

    target: int
    published: str | None = None
    host_ip: str | None = None
    protocol: str = "tcp"
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Another program's address found in a value, without user, password, path or query."""

    host: str
    port: int | None = None
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: its name and what kind of value it has, never the value.

    kind: empty, literal, reference (a plain `${X}`), address, secret, default-secret.
    """

    name: str
    kind: str
    location: Location | None = None
    default: str | None = None  # for default-secret: the well-known public word, such as `changeme`
    digest: str | None = None  # keyed, of the value; None: nobody gave a key, or the value is not known
    given_by: str | None = None  # for default-secret: the variable of `.env` whose value it is
    where: str = "environment"  # of what a service tells elsewhere: `command`, `label`, `build argument`


@dataclass(frozen=True, slots=True)
class Reference:
    """A host that a definition or a configuration names. `where` says in what, e.g. "variable `DB_URL`"."""

    address: Address
    where: str
    location: Location
    source: str = "compose"  # or configuration, code
    certain: bool = True  # False: other services share the code that names it


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount of a definition. `source` is a path relative to the root for binds inside it, else as written."""

    kind: str  # bind, volume, tmpfs
    target: str
    source: str | None = None
    read_only: bool = False
    location: Location | None = None
    propagation: str | None = None  # of a bind: shared, rslave, ...
    device: str | None = None  # the host's path that a named volume stands for by its `driver_opts`
    unset: bool = False  # a variable in its source is not set, so the source is not what it will be


@dataclass(frozen=True, slots=True)
class Dependency:
    """One edge of `depends_on`, implied ones included."""

    service: str
    condition: str = "service_started"
    required: bool = True
    location: Location | None = None
    stated: bool = True  # False: `condition` is what the short form, or another key, stands for


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A health check as composed, without its command (which may hold a secret). `kind`: CMD, CMD-SHELL or NONE."""

    kind: str | None
    disabled: bool = False
    interval: float | None = None
    timeout: float | None = None
    retries: int | None = None
    start_period: float | None = None
    location: Location | None = None
    tools: tuple[str, ...] = ()  # programs that the image must bring for it; (): not sure which
    needs_shell: bool = False  # a list for `CMD` that only a shell would understand
    always_true: bool = False  # whatever the service does, the command ends well
    stray_ports: tuple[int, ...] = ()  # ports of its own loopback that it asks and nothing else in the service names


@dataclass(frozen=True, slots=True)
class Definition:
    """One service of an environment's merged Compose model.

    `lines`: dotted field (`image`, `restart`, `environment.DB_URL`, `ports.0`) -> the line that decided it.
    """

    name: str
    environment: str
    location: Location
    lines: Mapping[str, Location] = field(default_factory=dict)
    image: str | None = None
    build: bool = False
    build_context: str | None = None  # where the image is built from, when that lies in the tree
    container_name: str | None = None
    ports: tuple[Port, ...] = ()
    expose: tuple[int, ...] = ()
    variables: tuple[Variable, ...] = ()
    told: tuple[Variable, ...] = ()  # secrets that stand outside of `environment`
    references: tuple[Reference, ...] = ()
    networks: tuple[str, ...] = ()
    network_aliases: tuple[str, ...] = ()
    network_mode: str | None = None
    mounts: tuple[Mount, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    healthcheck: HealthCheck | None = None
    restart: str | None = None
    replicas: int = 1
    profiles: tuple[str, ...] = ()
    active: bool = True
    memory_limit: int | None = None
    cpu_limit: float | None = None
    pids_limit: int | None = None
    logging_driver: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)  # None: a value that is not kept
    external_networks: tuple[str, ...] = ()  # those of `networks` that other projects may be on too
    logging_options: tuple[str, ...] = ()  # their names
    logging_address: Address | None = None  # where its logging driver sends, as the engine sees it
    secrets: tuple[str, ...] = ()  # keys of the top-level section, those for the build included
    configs: tuple[str, ...] = ()
    provider: bool = False  # another program provides it; no container is made
    privileged: bool = False
    cap_add: tuple[str, ...] = ()  # capabilities in capitals without `CAP_`
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    user: str | None = None
    image_user: str | None = None  # the `USER` of the Dockerfile that it is built from
    image_asks: bool = False  # whether that Dockerfile has a `HEALTHCHECK`
    purpose: str | None = None  # `task`: its command ends by itself; `shell`: it waits for somebody to come in
    read_only: bool = False
    host_namespaces: tuple[str, ...] = ()  # which of `pid`, `ipc`, `userns_mode`, `uts` are the host's
    cgroup_parent: str | None = None
    api_socket: bool = False  # `use_api_socket`
    pull_policy: str | None = None
    debug_switches: tuple[str, ...] = ()  # names of variables that switch debugging on
    idle: tuple[str, ...] = ()  # dotted fields that Compose accepts and does nothing with
    setup: Setup | None = None  # what its containers are to be made with; None where no engine is asked
    config_files: tuple[str, ...] = ()  # of the program: paths in the container that its command line names
    granted_files: Mapping[str, str] = field(default_factory=dict)  # by `configs`: path in the container -> in the tree
    own_hosts: tuple[str, ...] = ()  # names that it alone resolves: by `extra_hosts`, `links` and `external_links`
    takes_samples: bool = False  # a Prometheus that others may push to
    stays: bool = False  # its command is flags for its image's own program, none of which says where that listens

    def place(self, *fields: str) -> Location:
        """Where the first of `fields` that is written was decided, else where the service begins."""
        for name in fields:
            if name in self.lines:
                return self.lines[name]
        return self.location


@dataclass(frozen=True, slots=True)
class Fault:
    """What a parser has to say of a file without refusing it. `check` is the id of the check that reports it.

    `fatal`: the evidence could not be composed at all, so the report is incomplete.
    """

    check: str
    message: str
    location: Location
    help: str | None = None
    service: str | None = None
    environment: str | None = None
    fatal: bool = False
    others: tuple[Location, ...] = ()  # more lines that have a part in it


@dataclass(frozen=True, slots=True)
class Resource:
    """One entry of a top-level section: `networks`, `volumes`, `secrets` or `configs`, whether used or not."""

    section: str
    key: str
    location: Location
    external: bool = False
    name: str | None = None  # the real name where one is written


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file of the tree that holds secrets and that git does not ignore. `names`: of its secrets, never a value."""

    path: str
    names: tuple[str, ...]
    location: Location  # of the first secret in it


@dataclass(frozen=True, slots=True)
class Project:
    """One environment's merged Compose model. `name` is Compose's project name."""

    environment: str
    name: str | None
    files: tuple[str, ...]
    definitions: tuple[Definition, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    resources: tuple[Resource, ...] = ()
    named: bool = True  # whether somebody gave it a name, or only its directory did
    sections: Mapping[str, Location] = field(default_factory=dict)  # its top-level keys
    remarks: tuple[Fault, ...] = ()  # on how its files are written, whatever they mean
    secret_files: tuple[SecretFile, ...] = ()

    @property
    def active(self) -> list[Definition]:
        """The services that are judged, by name: the order of the file decides nothing."""
        return sorted((d for d in self.definitions if d.active), key=lambda definition: definition.name)


# --- what runs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the engine shows it. Labels, names, health output are claims, cut and cleaned at the source."""

    id: str
    name: str
    environment: str
    image: str  # as asked for when it was created
    state: str  # created, running, paused, restarting, removing, exited, dead
    image_id: str | None = None
    status: str | None = None  # the engine's own words, e.g. "Up 3 minutes (healthy)"
    health: str = "none"  # healthy, unhealthy, starting, none, unknown
    health_output: str | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    restarts: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    project: str | None = None  # Compose project or Swarm stack label
    service: str | None = None  # Compose service label
    number: int | None = None
    oneoff: bool = False
    task: bool = False  # of a Swarm's service
    config_files: tuple[str, ...] = ()
    working_dir: str | None = None
    networks: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    memory_limit: int | None = None
    memory_usage: int | None = None
    killed: bool | None = None  # a `kill` was seen before its `die`; None: no events were read
    unread: str | None = None  # why the details could not be read, when they could not
    start_error: str | None = None  # why it could not be started, in the engine's words, cut and cleaned
    setup: Setup | None = None  # what it was made with, the image's own defaults mixed in, as the engine shows it
    source: str = "docker"  # the name of the engine's source; several engines an environment have one each


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container uses just now. The counters only grow; `cpu_ratio` needs a sample before this one."""

    environment: str
    container: str  # its id
    taken_at: datetime
    memory: int | None = None  # bytes, the working set: without the cache that the kernel would give up
    memory_limit: int | None = None  # None: no limit of its own
    cpu_seconds: float | None = None
    cpu_ratio: float | None = None  # of the cores that it may use: its limit, else the host's
    pids: int | None = None
    network_received: int | None = None  # bytes
    network_sent: int | None = None
    block_read: int | None = None
    block_written: int | None = None
    memory_peak: int | None = None  # bytes, the most of all samples since the look before; None: no others were taken
    cpus_peak: float | None = None  # cores, likewise


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that a service's containers, taken one by one, were seen to use since `since`."""

    environment: str
    service: str
    since: datetime
    memory: int | None = None  # bytes
    cpus: float | None = None  # cores
    samples: int = 0
    basis: str | None = None  # the images and limits that it was seen with; what has others is not the same any more


@dataclass(frozen=True, slots=True)
class Moment:
    """What an earlier scan saw, as far as later ones compare with it."""

    taken_at: datetime
    restarts: Mapping[str, int] = field(default_factory=dict)  # container id -> its count
    out_of_memory: tuple[str, ...] = ()  # container ids
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)  # `environment/service`


@dataclass(frozen=True, slots=True)
class Host:
    """The machine that an engine runs on."""

    environment: str
    source: str  # `docker`, or `docker:<address>` where there are several
    cpus: int | None = None
    memory: int | None = None  # bytes
    version: str | None = None  # of the engine
    swarm: bool = False  # it is an active manager
    hidden_services: bool = False  # it is part of a Swarm whose services could not be read


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image that containers were made of, and what it gives them. `references` name it on the engine just now."""

    environment: str
    id: str
    references: tuple[str, ...] = ()  # `repository:tag`
    digests: tuple[str, ...] = ()  # `repository@sha256:...`
    setup: Setup | None = None


@dataclass(frozen=True, slots=True)
class SwarmService:
    """A service of a Swarm, as its manager shows it. `service` and `stack` are those of a deployed Compose file."""

    environment: str
    id: str
    name: str
    stack: str | None = None
    service: str | None = None
    image: str | None = None
    mode: str = "replicated"  # or global, replicated-job, global-job
    desired: int | None = None
    running: int = 0
    completed: int = 0  # of a job, the runs that ended well
    errors: tuple[str, ...] = ()  # of its newest tasks that failed or wait
    networks: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening port of a host process. `command` has its secrets cut out."""

    environment: str
    port: int
    address: str
    pid: int | None = None
    process: str | None = None
    protocol: str = "tcp"
    command: str | None = None
    started_at: datetime | None = None
    memory: int | None = None  # bytes, resident
    cpu_seconds: float | None = None
    directory: str | None = None  # where it was started
    variables: tuple[Variable, ...] | None = None  # None: they may not be seen
    addresses: Mapping[str, Address] = field(default_factory=dict)  # variable -> the address in it
    parents: tuple[str, ...] = ()  # the commands that started it, the nearest first
    container: str | None = None  # id of the container that it runs in


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe found. outcome: success, failure, unknown (the target cannot be reached from here)."""

    service: str
    environment: str
    kind: str
    target: str  # without user, password or query
    outcome: str
    reason: str | None = None
    duration: float | None = None  # seconds
    taken_at: datetime | None = None
    slow: bool = False  # it answered rightly, but later than `expect.max_latency`
    reported: Mapping[str, str | int | float | bool] = field(default_factory=dict)  # `service`, `version`, figures


@dataclass(frozen=True, slots=True)
class Alert:
    """An active alert of Alertmanager."""

    environment: str
    name: str
    state: str  # active, suppressed
    severity: str | None = None
    service: str | None = None
    summary: str | None = None
    starts_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """An active silence of Alertmanager."""

    environment: str
    id: str
    matchers: tuple[Matcher, ...]
    ends_at: datetime
    starts_at: datetime | None = None
    comment: str | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """An alerting rule that a running Prometheus has loaded. `error`: of its last evaluation."""

    environment: str
    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
    state: str = "inactive"  # pending, firing
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Selected:
    """What a selector finds in a running Prometheus just now: label sets, cut down to the labels that tell whose."""

    environment: str
    selector: str
    found: tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A running Prometheus has not taken its configuration when it last read it: it still runs with an older one."""

    environment: str


@dataclass(frozen=True, slots=True)
class Notified:
    """How many notifications Alertmanager sent by one kind of integration, as far back as Prometheus was asked."""

    environment: str
    kind: str
    number: float


# --- monitoring configuration, documents, code ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """One target of a scrape job that the files show, after relabelling. `job`: the label, not the job's own name."""

    environment: str
    job: str
    address: Address
    location: Location
    metrics_path: str = "/metrics"
    labels: Mapping[str, str] = field(default_factory=dict)  # what every series of it has; no `instance`: not known
    probed: str | None = None  # for a prober: whom it asks
    probed_at: Location | None = None  # where that is written


@dataclass(frozen=True, slots=True)
class ScrapeJob:
    """One scrape job. `discovery` names the mechanisms whose targets a file does not show, e.g. `file_sd_configs`."""

    environment: str
    name: str
    location: Location
    targets: tuple[ScrapeTarget, ...] = ()
    discovery: tuple[str, ...] = ()
    dropped: tuple[ScrapeTarget, ...] = ()  # that relabelling throws away
    metrics_dropped: tuple[str, ...] = ()  # expressions for names of metrics that are thrown away after the scrape
    metrics_kept: tuple[str, ...] = ()  # expressions for the only ones that are kept; (): all
    writes: tuple[str, ...] = ()  # labels that relabelling gives its targets; `*`: any
    # What becomes of each container that an engine knows; None where that is not all its discovery, or is not known.
    engine: tuple[Relabelling, ...] | None = None
    engines: tuple[str, ...] = ()  # whom it asks for containers
    metrics_path: str = "/metrics"
    honors_labels: bool = False  # what a target says of `job`, `instance` and others wins
    asks: tuple[tuple[Address, Location], ...] = ()  # whom it asks for targets, and where that is written
    asked_of: tuple[str, ...] = ()  # the discoveries of whom a prober, its only target, is told to ask
    metrics_written: tuple[Relabelling, ...] = ()  # what gives its series other labels or names after the scrape


@dataclass(frozen=True, slots=True)
class LiveTarget:
    """One active target of a running Prometheus. up: None before its first scrape."""

    environment: str
    job: str
    address: Address
    up: bool | None = None
    error: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()  # under which its discovery found it: of a container, of a Compose service, in DNS
    probed: str | None = None  # for a prober: whom it asks


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alerting rule, or a recording one, whose `name` is that of the metric that it makes."""

    name: str
    expr: str
    location: Location
    labels: Mapping[str, str] = field(default_factory=dict)
    records: bool = False


@dataclass(frozen=True, slots=True)
class RulePattern:
    """One line of `rule_files`. `files` are the matches in the tree; None: the path cannot be followed to the tree."""

    pattern: str
    location: Location
    files: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PrometheusConfig:
    """A Prometheus configuration file of an environment. server: the Compose service that it is of, if that is told."""

    environment: str
    path: str
    jobs: tuple[ScrapeJob, ...] = ()
    rule_patterns: tuple[RulePattern, ...] = ()
    rules: tuple[AlertRule, ...] = ()
    recordings: tuple[AlertRule, ...] = ()
    external_labels: Mapping[str, str] = field(default_factory=dict)
    remote_write: tuple[Address, ...] = ()
    alerting: Location | None = None  # the `alerting:` section
    alertmanagers: tuple[ScrapeTarget, ...] = ()
    alertmanager_discovery: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    server: str | None = None
    agent: bool = False  # it only scrapes and sends on: rules are another's matter
    reads_others: bool = False  # it also asks other stores for what it is queried for
    alert_relabelling: tuple[Relabelling, ...] = ()  # of what is sent to Alertmanager


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label: `op` is =, !=, =~ or !~; a regular expression has to match the whole value."""

    label: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Route:
    """A node of Alertmanager's route tree, what it inherits filled in."""

    receiver: str
    location: Location
    matchers: tuple[Matcher, ...] = ()
    goes_on: bool = False  # `continue`: its later siblings are asked, too
    mute_intervals: tuple[str, ...] = ()
    active_intervals: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Integration:
    """One way in which a receiver is told. `placeholder`: why nobody can be reached by it, where that is plain."""

    kind: str  # email, slack, webhook, ...
    location: Location
    placeholder: str | None = None
    address: Address | None = None  # of a webhook


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver; one without integrations tells nobody."""

    name: str
    location: Location
    integrations: tuple[Integration, ...] = ()


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that `sources` match fires, one that `targets` match and that agrees in `equal` is not sent."""

    sources: tuple[Matcher, ...]
    targets: tuple[Matcher, ...]
    equal: tuple[str, ...]
    location: Location


@dataclass(frozen=True, slots=True)
class TimeRange:
    """When an interval holds: inclusive ranges, and times in minutes of the day, the end left out. None: always."""

    times: tuple[tuple[int, int], ...] | None = None
    weekdays: tuple[tuple[int, int], ...] | None = None  # 0 is Sunday
    days: tuple[tuple[int, int], ...] | None = None  # of the month; -1 is its last
    months: tuple[tuple[int, int], ...] | None = None
    years: tuple[tuple[int, int], ...] | None = None
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class AlertmanagerConfig:
    """An Alertmanager configuration file of an environment. `root` is None where it has no usable route."""

    environment: str
    path: str
    root: Route | None = None
    receivers: tuple[Receiver, ...] = ()
    inhibitions: tuple[Inhibition, ...] = ()
    intervals: Mapping[str, tuple[TimeRange, ...]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    live: bool = False  # as the running Alertmanager has loaded it


@dataclass(frozen=True, slots=True)
class Datasource:
    """A datasource of a Grafana. address: None where a variable, or only Grafana itself, knows it."""

    environment: str
    name: str
    uid: str
    kind: str  # prometheus, loki, ...
    address: Address | None = None
    default: bool = False
    by_browser: bool = False  # the reader's browser asks it, not Grafana
    location: Location | None = None  # None: the API told


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel. `text` is PromQL with variables and intervals filled in; `written` as it stands.

    datasource: name or uid, or an input as written; None: the default one, or the reader's choice. kind: the
    datasource's, where the dashboard tells. sure: nothing had to be guessed to fill it in.
    """

    text: str
    written: str
    datasource: str | None = None
    kind: str | None = None
    sure: bool = True
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a dashboard with its queries."""

    title: str
    queries: tuple[Query, ...] = ()
    location: Location | None = None
    hidden: bool = False  # what it queries is kept in Grafana's library, and was not read


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard. `key`: its uid, else its title. provisioned: Grafana reads its file as it stands."""

    environment: str
    title: str
    key: str
    panels: tuple[Panel, ...] = ()
    provisioned: bool = False
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Grafana:
    """What a Grafana has, by its files or, where `live`, by its API.

    datasources: None where it is not known which there are. unseen: why there may be more dashboards.
    """

    environment: str
    live: bool = False
    datasources: tuple[Datasource, ...] | None = None
    dashboards: tuple[Dashboard, ...] = ()
    unseen: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Relabelling:
    """One rule of relabelling as written, defaults filled in; the action `?` stands for one that cannot be judged."""

    action: str
    sources: tuple[str, ...] = ()
    separator: str = ";"
    regex: str = "(.*)"
    target: str = ""
    replacement: str = "$1"


@dataclass(frozen=True, slots=True)
class LogOutput:
    """Where a log shipper sends lines. address: None where its kind has none, or a variable decides it."""

    kind: str
    address: Address | None
    location: Location


@dataclass(frozen=True, slots=True)
class LogInput:
    """One way in which lines come into a log shipper, and where they go from there.

    kind: engine (it asks the engine for containers' logs), files, journal, receive (others send), unknown. paths: of
    the files, or where the engine is asked. rules: which containers it takes, by the labels of Docker's discovery.
    unclear: why not all that it takes may get through.
    """

    kind: str
    location: Location
    paths: tuple[str, ...] = ()
    rules: tuple[Relabelling, ...] = ()
    outputs: tuple[LogOutput, ...] = ()
    unclear: str | None = None
    sends: bool = False  # it sends on, though its configuration does not say where to
    port: int | None = None  # where it waits for what others send; None: not known


@dataclass(frozen=True, slots=True)
class LogShipper:
    """A composed log shipper and what its configuration says. `service`: the Compose service; unread: why nothing."""

    environment: str
    service: str
    component: str
    location: Location
    inputs: tuple[LogInput, ...] = ()
    traces: tuple[LogInput, ...] = ()  # the same of spans
    unread: str | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """The newest line that a log store has under a label, of the last day; last: None where it has none."""

    label: str
    value: str
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogStore:
    """What a running log store told of the labels that name services. complete: it was asked about all of them.

    empty: it has had no line at all of the last day, of whomever.
    """

    environment: str
    lines: tuple[LogLine, ...] = ()
    complete: bool = True
    empty: bool = False


@dataclass(frozen=True, slots=True)
class CountClaim:
    """A number of services that a document claims. `category` is the word before "services", when it has one."""

    text: str
    number: int
    at_least: bool
    location: Location
    category: str | None = None


@dataclass(frozen=True, slots=True)
class ListItem:
    """One entry of a list or table of services."""

    text: str
    location: Location
    ports: tuple[int, ...] = ()
    version: str | None = None  # as written, `15`, `7.2+`
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceList:
    """A list, table or diagram of services in a document. A diagram need not be complete."""

    title: str | None
    location: Location
    items: tuple[ListItem, ...]
    diagram: bool = False


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a document points at and the tree lacks.

    kind: link, anchor; for what a command needs: file, module, make (a target), script (of a package.json), or service,
    which Compose has to know, in `files` if there are any. `text`: the link or the command as it is written.
    """

    kind: str
    name: str
    text: str
    location: Location
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """What one document claims."""

    path: str
    counts: tuple[CountClaim, ...] = ()
    lists: tuple[ServiceList, ...] = ()
    pointers: tuple[Pointer, ...] = ()


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A part of an implementation that is a stub. kind: not-implemented, empty, logs-only."""

    kind: str
    text: str
    location: Location


@dataclass(frozen=True, slots=True)
class Implementation:
    """The code that an entry names as its own. `references` are the outside addresses that it uses."""

    service: str
    path: str
    exists: bool
    location: Location
    placeholders: tuple[Placeholder, ...] = ()
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class ComponentConfig:
    """A configuration file of a known component that stands in the tree. `component` is the knowledge base's key."""

    component: str
    location: Location


# --- the snapshot's own bookkeeping --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceState:
    """How reading one source went. state: ok, failed, stale, not_asked. `name` is unique in the environment."""

    name: str
    state: str
    detail: str | None = None
    environment: str | None = None  # None: one for all environments
    duration: float | None = None  # seconds
    taken_at: datetime | None = None


# --- the report ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem stamped with everything that a reader, a gate or a store needs."""

    check: str
    severity: Severity
    service: str | None
    environment: str | None
    message: str
    fix: str
    locations: tuple[Location, ...]
    evidence: tuple[Evidence, ...]
    fingerprint: str
    waiver: Waiver | None = None
    baselined: bool = False


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of one service. `required` by the service's criticality, whatever is known of it."""

    state: RungState
    required: bool
    reason: str | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """One service of one environment. coverage and assessed: 0 to 1, or None where nothing is required."""

    name: str
    environment: str
    category: str | None
    tier: str | None
    criticality: Criticality
    owner: str | None
    declared: bool
    verdict: Verdict
    coverage: float | None
    assessed: float | None
    rungs: Mapping[str, Rung]
    title: str | None = None
    health: str = "unknown"  # Docker's word
    containers: tuple[str, ...] = ()
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    cpu_ratio: float | None = None  # of its busiest container, of the cores that this one may use
    response_seconds: float | None = None
    last_check: datetime | None = None
    reasons: tuple[str, ...] = ()  # what the verdict stands on


@dataclass(frozen=True, slots=True)
class CheckTally:
    """How one check went: counts of subjects; `skipped` and `error` say why it did not run or end."""

    id: str
    passed: int = 0
    failed: int = 0
    skipped: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Open findings by severity; waived and baselined ones are counted apart."""

    critical: int = 0
    warning: int = 0
    info: int = 0
    waived: int = 0
    baselined: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What one snapshot shows. `environment` is None when several were audited."""

    taken_at: datetime
    environment: str | None
    environments: tuple[str, ...]
    complete: bool
    sources: tuple[SourceState, ...]
    coverage: float | None
    assessed: float | None
    summary: Summary
    services: tuple[ServiceReport, ...]
    findings: tuple[Finding, ...]
    checks: tuple[CheckTally, ...]
    system: str | None = None
    files: tuple[str, ...] = ()  # what was read
    alerts: tuple[Alert, ...] = ()
    notes: tuple[str, ...] = ()  # paid-off baseline entries and the like
    duration: float | None = None  # seconds that the scan took
    probes: tuple[ProbeResult, ...] = ()
    containers: tuple[Container, ...] = ()
    waivers: tuple[Waiver, ...] = ()  # every one that the catalogue writes down
    usages: tuple[Usage, ...] = ()
    hosts: tuple[Host, ...] = ()
    peaks: tuple[Peak, ...] = ()
