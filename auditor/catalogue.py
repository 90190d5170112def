"""The catalogue file: its keys in one table, its text to entries with lines, and its JSON Schema.

`python -m auditor.catalogue` prints the schema. All paths in a catalogue, those in included files too, are
relative to the directory of the first file.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any
from urllib.parse import urlsplit

from auditor import yamlfile
from auditor.errors import AuditorError, CatalogueError, TextError, did_you_mean
from auditor.frozen import dataclass
from auditor.model import (
    RUNGS,
    Catalogue,
    CheckConfig,
    Criticality,
    Entry,
    EnvironmentSpec,
    Lifecycle,
    Location,
    Maintenance,
    Metrics,
    Probe,
    Severity,
    Tier,
    Waiver,
)
from auditor.shape import (
    DATE,
    DURATION,
    FLAG,
    FREE,
    SIZE,
    TEXT,
    Chosen,
    Key,
    Kind,
    Place,
    Record,
    Schema,
    choice,
    cut,
    either,
    exactly_one,
    integer,
    listing,
    number,
    one_or_many,
    record,
    single,
    table,
    words,
)
from auditor.tree import join
from auditor.yamlfile import Value

DEFAULT_ENVIRONMENT = "default"
_MOST_INCLUDES = 100


# --- kinds that only a catalogue has ----------------------------------------------------------------


def _socket(value: Value) -> str:
    """`5001` for a port of TCP, however it is written, and `53/udp` for one of UDP."""
    return f"{_port(value)}/udp" if isinstance(value, str) and value.endswith("/udp") else str(_port(value))


def _port(value: Value) -> int:
    text = value.removesuffix("/tcp").removesuffix("/udp") if isinstance(value, str) else str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdecimal() or len(text) > 5:
        raise ValueError
    if not 1 <= (port := int(text)) <= 65535:
        raise ValueError
    return port


def _statuses(value: Value) -> str:
    """`200` or `200-299`, in order."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError
    match = re.fullmatch(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", str(value))
    if match is None or int(match[1]) > int(match[2] or match[1]):
        raise ValueError
    return str(value)


def _variable(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    raise ValueError


def _address(value: Value, place: Place) -> str:
    """An address without a password: the catalogue is read by many."""
    text: str = TEXT.read(value, place)
    try:
        password = urlsplit(text).password
    except ValueError:
        raise place.wrong("an address", cut(text)) from None
    if password is not None:
        raise place.refuse(f"{place.what} holds a password", "name the variable that holds it, as `dsn_env` does")
    return text


def _url(value: Value, place: Place) -> str:
    text = _address(value, place)
    parts = urlsplit(text)
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port out of range
        usable = False
    if not usable:
        raise place.wrong(URL.wanted, text)
    return text


def _host_and_port(value: Value) -> str:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not re.fullmatch(r"\[[0-9a-fA-F:.%]+\]|[^\s/@:]+", host):
        raise ValueError
    if not port.isdecimal():
        raise ValueError
    _port(port)
    return str(value)


NAME = words("a name of letters, digits, `.`, `_` and `-`", r"[a-zA-Z0-9._-]{1,128}")
CHECK = words("the id of a check", r"[a-z0-9]+(?:-[a-z0-9]+)*")
PORT = single(
    "a port from 1 to 65535",
    {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 65535},
            {"type": "string", "pattern": "^[0-9]{1,5}(/tcp|/udp)?$"},
        ]
    },
    _port,
)
SOCKET = single(PORT.wanted, PORT.schema, _socket)
ADDRESS = Kind("an address", {"type": "string", "pattern": "\\S"}, _address)
URL = Kind("an http or https address", {"type": "string", "pattern": "^https?://[^/]"}, _url)
HOST_PORT = single("`host:port`", {"type": "string", "pattern": "^[^\\s/@]+:[0-9]{1,5}$"}, _host_and_port)
VARIABLE = single("a text", {"type": ["string", "integer", "boolean"]}, _variable, "quote it")
STATUS = single(
    "a status such as `200` or `200-299`",
    {
        "anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"type": "string", "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"},
        ]
    },
    _statuses,
)
TEXTS, NAMES = listing(TEXT), listing(NAME)
ONE_OR_MORE = one_or_many(TEXT)


# --- the keys ---------------------------------------------------------------------------------------

HTTP = record(
    {
        "url": Key(URL, "the address to ask"),
        "port": Key(PORT, "the service's port, where no `url` is given"),
        "path": Key(TEXT, "the path below the port, `/` unless given"),
        "method": Key(choice(("GET", "HEAD", "POST", "OPTIONS")), "the method, GET unless given"),
        "headers_env": Key(table(NAME), "header -> the environment variable that holds its value"),
        "expect": Key(
            record(
                {
                    "status": Key(one_or_many(STATUS), "statuses that are right, 200-299 unless given"),
                    "json": Key(FREE, "values that the JSON answer must hold"),
                    "max_latency": Key(DURATION, "an answer that takes longer is slow"),
                }
            ),
            "what a right answer is",
        ),
        "timeout": Key(DURATION, "how long to wait for the answer"),
    },
    any_of=("url", "port"),
)
TCP = record(
    {
        "address": Key(HOST_PORT, "`host:port`"),
        "port": Key(PORT, "the service's port, where no `address` is given"),
        "timeout": Key(DURATION, "how long to wait for the connection"),
    },
    any_of=("address", "port"),
)
PROTOCOL = record(
    {
        "url": Key(ADDRESS, "the address, without a password"),
        "dsn_env": Key(NAME, "the environment variable that holds the address"),
        "port": Key(PORT, "the service's port"),
        "timeout": Key(DURATION, "how long to wait for the answer"),
    },
    any_of=("url", "dsn_env", "port"),
)
_PROTOCOLS = ("redis", "postgres", "mysql", "mongodb", "amqp", "kafka", "smtp", "nats", "memcached")
PROBES = {
    "http": Key(either("an address or a mapping", URL, HTTP), "ask an HTTP endpoint"),
    "tcp": Key(either("`host:port` or a mapping", HOST_PORT, TCP), "open a TCP connection"),
    **{
        name: Key(either("an address or a mapping", ADDRESS, PROTOCOL), f"speak {name} to the service")
        for name in _PROTOCOLS
    },
}
_WAIVER = {
    "check": Key(CHECK, "the id of the check", required=True),
    "field": Key(TEXT, "only findings on this field"),
    "reason": Key(TEXT, "why the finding is accepted", required=True),
    "owner": Key(TEXT, "who accepted it", required=True),
    "until": Key(DATE, "the last day on which it counts, UTC", required=True),
}
WAIVERS = listing(record(_WAIVER), distinct=False)
ALL_WAIVERS = listing(record({**_WAIVER, "service": Key(NAME, "only findings on this service")}), distinct=False)
LIMITS = record(
    {
        "memory": Key(SIZE, "most memory that it may use, e.g. `512MiB`"),
        "cpus": Key(number("a number of cores", 0, 4096), "most cores that it may use"),
    }
)
OBJECTIVES = record(
    {
        "availability": Key(number("a percentage up to 100", 0, 100), "percent of the time that it answers"),
        "latency": Key(DURATION, "how fast it should answer, e.g. `200ms`"),
    }
)
METRICS = record(
    {
        "port": Key(PORT, "the port of its metrics endpoint"),
        "path": Key(TEXT, "the path of its metrics endpoint, `/metrics` unless given"),
        "exporter": Key(NAME, "the exporter that speaks for it"),
    },
    any_of=("port", "path", "exporter"),
)
IDENTITY = record(
    {
        "service": Key(TEXT, "the name that its health answer must give"),
        "version": Key(TEXT, "the version that its health answer must give"),
    }
)
MAINTENANCE = record(
    {
        "until": Key(DATE, "the last day of it, UTC", required=True),
        "reason": Key(TEXT, "why it is down", required=True),
    }
)
LIFECYCLE = choice(tuple(Lifecycle), Lifecycle)

# What `defaults` may give to every service.
SHARED_KEYS = {
    "category": Key(TEXT, "the group that it is shown in"),
    "tier": Key(NAME, "the tier that it stands in, one of the policy's"),
    "criticality": Key(choice(tuple(Criticality), Criticality), "how much depends on it"),
    "owner": Key(TEXT, "the team or person who answers for it"),
    "runbook": Key(TEXT, "the document that says what to do: a path or an address"),
    "environments": Key(NAMES, "the environments that it belongs to; all unless given"),
    "lifecycle": Key(LIFECYCLE, "how it lives, `daemon` unless given"),
    "profiles": Key(NAMES, "the Compose profiles that switch it on"),
    "limits": Key(LIMITS, "what it may use"),
    "objectives": Key(OBJECTIVES, "what it should reach"),
}
SERVICE_KEYS = {
    "title": Key(TEXT, "the name that people use"),
    **SHARED_KEYS,
    "image": Key(TEXT, "the image that must run"),
    "ports": Key(listing(SOCKET), "the ports that it listens on"),
    "replicas": Key(integer("a number of containers", 0, 100_000), "how many containers must run"),
    "depends_on": Key(NAMES, "the services that it needs"),
    "implementation": Key(TEXT, "the code that is this service, or its client"),
    "probes": Key(listing(exactly_one(PROBES), distinct=False), "questions that only a working service answers"),
    "waivers": Key(WAIVERS, "findings on it that are accepted"),
    "aliases": Key(TEXTS, "other names of it, in Compose files and documents"),
    "maintenance": Key(MAINTENANCE, "it is down on purpose"),
    "address": Key(ADDRESS, "where an external service is reached"),
    "command": Key(TEXT, "the command line of a host process"),
    "schedule": Key(TEXT, "when a cron service runs"),
    "component": Key(NAME, "the known component that an own image is, e.g. `postgres`"),
    "metrics": Key(METRICS, "where its metrics are"),
    "identity": Key(IDENTITY, "what its health answer must say of itself"),
    "embedded_in": Key(NAME, "the service that it is a part of"),
}
ENVIRONMENT_KEYS = {
    "compose": Key(ONE_OR_MORE, "Compose files in order; Compose's own discovery unless given"),
    "project": Key(TEXT, "the Compose project name"),
    "profiles": Key(NAMES, "the active Compose profiles"),
    "env_file": Key(ONE_OR_MORE, "files of variables for interpolation, instead of `.env`"),
    "variables": Key(table(VARIABLE), "variables for interpolation"),
    "docker": Key(one_or_many(ADDRESS), "engine addresses; `env` is the shell's `DOCKER_HOST`"),
    "docker_scope": Key(choice(("project", "engine")), "judge this project's containers, or all of the engine's"),
    "prometheus": Key(
        record({"config": Key(TEXT, "its configuration file"), "url": Key(URL, "where it answers")}),
        "the Prometheus that scrapes it",
    ),
    "alertmanager": Key(
        record({"config": Key(TEXT, "its configuration file"), "url": Key(URL, "where it answers")}),
        "the Alertmanager that routes its alerts",
    ),
    "grafana": Key(
        record(
            {
                "dashboards": Key(ONE_OR_MORE, "patterns of dashboard files"),
                "url": Key(URL, "where it answers"),
                "token_env": Key(NAME, "the environment variable that holds its token"),
            }
        ),
        "the Grafana that charts it",
    ),
    "lifecycle": Key(
        choice((Lifecycle.DAEMON, Lifecycle.PROCESS), Lifecycle),
        "how its services live unless they say otherwise; with `process` nothing is composed unless `compose` is given",
    ),
    "loki": Key(record({"url": Key(URL, "where it answers", required=True)}), "the Loki that keeps its logs"),
}
RUNG_NAMES = listing(choice(RUNGS))
POLICY_KEYS = {
    "required": Key(
        record({word: Key(RUNG_NAMES, f"the rungs that a {word} service must reach") for word in Criticality}),
        "the rungs that a service must reach, by criticality",
    ),
    "tiers": Key(
        table(
            record(
                {
                    "networks": Key(TEXTS, "the networks that its services may join"),
                    "publish": Key(FLAG, "whether its services may publish ports"),
                },
                blank=True,
            ),
            "tier",
            NAME,
        ),
        "the tiers and what each allows",
    ),
    "order": Key(NAMES, "the tiers from the edge inwards"),
    "networks": Key(
        table(record({"shared": Key(FLAG, "whether any two tiers may meet in it")}), "network"),
        "what holds for single networks",
    ),
}
CHECK_KEYS = {
    "severity": Key(choice(tuple(Severity), Severity), "how bad its findings are"),
    "options": Key(FREE, "its options"),
}
# What an included file may hold.
PART_KEYS = {
    "include": Key(ONE_OR_MORE, "catalogue files whose services belong here too"),
    "documents": Key(ONE_OR_MORE, "documents whose claims are checked"),
    "code": Key(ONE_OR_MORE, "directories of code"),
    "defaults": Key(record(SHARED_KEYS, blank=True), "what each service of this file has unless it says otherwise"),
    "services": Key(table(record(SERVICE_KEYS, blank=True), "service", NAME), "the declared services by name"),
    "shared_settings": Key(TEXTS, "environment variables that must be equal in every service that has them"),
    "waivers": Key(ALL_WAIVERS, "findings that are accepted"),
}
TOP_KEYS = {
    "system": Key(TEXT, "the name of the system"),
    "environments": Key(
        table(record(ENVIRONMENT_KEYS, blank=True), "environment", NAME), "the deployments; the first is the default"
    ),
    **PART_KEYS,
    "policy": Key(record(POLICY_KEYS, blank=True), "what is asked of services"),
    "checks": Key(table(record(CHECK_KEYS), "check", CHECK), "severity and options of single checks"),
    "select": Key(ONE_OR_MORE, "the checks or profiles of checks to run"),
    "ignore": Key(ONE_OR_MORE, "the checks to leave out"),
    "knowledge": Key(ONE_OR_MORE, "files that add to what is known of components, or change it"),
}
PART, TOP = record(PART_KEYS), record(TOP_KEYS)


def schema() -> Schema:
    """The JSON Schema (2020-12) of a catalogue, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack Auditor catalogue",
        "description": "The services that a system declares, and where their evidence is found.",
        **TOP.schema,
    }


# --- reading ----------------------------------------------------------------------------------------

ReadInclude = Callable[[str], bytes]


def parse_catalogue(data: bytes, path: str, *, read_include: ReadInclude | None = None) -> Catalogue:
    """A catalogue from its text. `path` is relative to the root, and so are the paths given to `read_include`.

    Durations are seconds, sizes bytes, dates dates. The options of a probe are read too: `timeout` and
    `expect.max_latency` are seconds, `expect.status` a tuple of texts such as `200-299`, the short form of a
    probe is its `url` (tcp: `address`). Raises CatalogueError.
    """
    directory = posixpath.dirname(path)
    top = _record(data, path, TOP)
    parts = _Parts(directory, read_include)
    parts.add(top, (path,))
    environments = _environments(top)
    entries = _entries(parts.records, tuple(spec.name for spec in environments))
    if not entries:
        at = top.at("services")
        raise at.refuse("the catalogue declares no service", "add one below `services`, or run `auditor init`")
    policy = top.get("policy")
    tiers = _tiers(policy)
    return Catalogue(
        path=path,
        directory=directory,
        system=top.get("system"),
        environments=environments,
        entries=entries,
        documents=_all("documents", parts.records),
        code=_all("code", parts.records),
        required=dict(policy.get("required").values) if policy and policy.get("required") else {},
        tiers=tiers,
        tier_order=_tier_order(policy, tiers),
        shared_networks=_shared_networks(policy),
        shared_settings=_all("shared_settings", parts.records),
        waivers=tuple(_waiver(item, item.get("service")) for part in parts.records for item in part.get("waivers", ())),
        checks=tuple(_check(name, item) for name, item in top.get("checks", {}).items()),
        select=top.get("select", ()),
        ignore=top.get("ignore", ()),
        knowledge=top.get("knowledge", ()),
        knowledge_place=Location(path, top.at("knowledge").line) if "knowledge" in top.values else None,
    )


def _record(data: bytes, path: str, kind: Kind) -> Record:
    try:
        value = yamlfile.parse(data, path)
    except TextError as error:
        raise CatalogueError(error.what, path=error.path, line=error.line, help=error.help) from None
    place = Place(path, yamlfile.locate(value), "the catalogue")
    if value is None:
        raise place.refuse("the catalogue is empty", "declare services below `services`, or run `auditor init`")
    if not isinstance(value, yamlfile.Mapping):
        raise place.wrong("a mapping", value)
    if kind is PART and (misplaced := next((key for key in value if key in TOP_KEYS and key not in PART_KEYS), None)):
        raise place.key(value, misplaced).refuse(f"`{misplaced}` in an included file", "move it to the first catalogue")
    found: Record = kind.read(value, place)
    return found


@dataclass(slots=True)
class _Parts:
    """The catalogue's files in the order in which they are named, included ones behind the file that names them."""

    directory: str
    read: ReadInclude | None
    records: list[Record] = field(default_factory=list)
    seen: dict[str, Place | None] = field(default_factory=dict)

    def add(self, top: Record, chain: tuple[str, ...]) -> None:
        self.seen[posixpath.normpath(chain[0])] = None
        waiting = [(top, chain)]
        while waiting:
            part, chain = waiting.pop()
            self.records.append(part)
            waiting += reversed([(self.load(*item), (*chain, item[0])) for item in self.named(part, chain)])

    def named(self, part: Record, chain: tuple[str, ...]) -> Iterator[tuple[str, Place]]:
        """The files that one file includes, resolved; cycles and repetitions are refused."""
        written = part.written.get("include")
        for index, text in enumerate(part.get("include", ())):
            at = part.at("include")
            at = at.item(written, index) if isinstance(written, yamlfile.Sequence) else at
            path = self.resolved(text, at)
            if path in map(posixpath.normpath, chain):
                cycle = " -> ".join([*chain, path])
                raise at.refuse(f"include cycle: {cut(cycle)}", "remove one of the includes")
            if path in self.seen:
                first = self.seen[path]
                where = f", first by {first.path}:{first.line}" if first else ""
                raise at.refuse(f"`{cut(path)}` is included twice{where}", "remove one of the includes")
            if len(self.seen) > _MOST_INCLUDES:
                raise at.refuse(f"more than {_MOST_INCLUDES} included files")
            self.seen[path] = at
            yield path, at

    def resolved(self, text: str, at: Place) -> str:
        try:
            return join(self.directory, text)
        except TextError as error:
            raise at.refuse(error.what, "include a file below the project root") from None

    def load(self, path: str, at: Place) -> Record:
        if self.read is None:
            raise at.refuse(f"`{cut(path)}` cannot be included here: only one text was given")
        try:
            data = self.read(path)
        except AuditorError as error:
            raise at.refuse(f"cannot include `{cut(path)}`: {error.what}", error.help) from None
        return _record(data, path, PART)


def _all(key: str, parts: list[Record]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for part in parts for item in part.get(key, ())))


def _environments(top: Record) -> tuple[EnvironmentSpec, ...]:
    written = top.get("environments")
    if not written:
        return (EnvironmentSpec(DEFAULT_ENVIRONMENT, Location(top.place.path, top.at("environments").line)),)
    if "all" in written:
        at = written["all"].place
        raise at.refuse("`all` names no single environment", "choose another name: `--environment all` means all")
    return tuple(_environment(name, item) for name, item in written.items())


def _environment(name: str, item: Record) -> EnvironmentSpec:
    empty: dict[str, Any] = {}
    prometheus, alertmanager = item.get("prometheus", empty), item.get("alertmanager", empty)
    grafana, loki = item.get("grafana", empty), item.get("loki", empty)
    return EnvironmentSpec(
        name=name,
        location=Location(item.place.path, item.place.line),
        compose=item.get("compose", ()),
        project=item.get("project"),
        profiles=item.get("profiles", ()),
        env_file=item.get("env_file", ()),
        variables=item.get("variables", {}),
        docker=item.get("docker", ()),
        docker_scope=item.get("docker_scope", "project"),
        prometheus_config=prometheus.get("config"),
        prometheus_url=prometheus.get("url"),
        alertmanager_config=alertmanager.get("config"),
        alertmanager_url=alertmanager.get("url"),
        grafana_dashboards=grafana.get("dashboards", ()),
        grafana_url=grafana.get("url"),
        grafana_token_env=grafana.get("token_env"),
        loki_url=loki.get("url"),
        lifecycle=item.get("lifecycle"),
    )


# --- services ---------------------------------------------------------------------------------------


def _entries(parts: list[Record], environments: tuple[str, ...]) -> tuple[Entry, ...]:
    services: dict[str, Record] = {}
    defaults: dict[str, dict[str, Any]] = {}
    shared = parts[0].get("defaults")
    for part in parts:
        own = part.get("defaults")
        if own is not None:
            _refuse_unknown("environment", own.get("environments"), environments, own.at("environments"))
        for name, item in part.get("services", {}).items():
            if name in services:
                first = services[name].place
                what = f"service `{cut(name)}` is declared twice, first at {first.path}:{first.line}"
                raise item.place.refuse(what, "keep one of them")
            services[name] = item
            defaults[name] = _joined(shared, own)
    _refuse_taken(services)
    entries = {name: _entry(name, item, defaults[name], environments) for name, item in services.items()}
    for name in entries:
        _refuse_wrong_host(name, entries, services)
    return tuple(entries.values())


def _joined(shared: Record | None, own: Record | None) -> dict[str, Any]:
    return {**(shared.values if shared else {}), **(own.values if own else {})}


def _refuse_unknown(noun: str, names: tuple[str, ...] | None, known: tuple[str, ...], at: Place) -> None:
    for name in names or ():
        if name not in known:
            near = did_you_mean(name, known) or f"known: {', '.join(f'`{item}`' for item in known[:20])}"
            raise at.refuse(f"unknown {noun} `{cut(name)}` in {at.what}", near)


def _refuse_taken(services: dict[str, Record]) -> None:
    """Refuses an alias that is another service's name or alias: nobody could tell whose evidence it is."""
    taken = {name: item.place for name, item in services.items()}
    for name, item in services.items():
        written = item.written.get("aliases")
        for index, alias in enumerate(item.get("aliases", ())):
            at = item.at("aliases").item(written, index)
            if alias in taken and taken[alias] is not item.place:
                first = taken[alias]
                what = f"alias `{cut(alias)}` of service `{name}` is taken by {first.what}, {first.path}:{first.line}"
                raise at.refuse(what, "keep the name on one service")
            taken.setdefault(alias, Place(at.path, at.line, f"an alias of service `{name}`"))


def _refuse_wrong_host(name: str, entries: dict[str, Entry], services: dict[str, Record]) -> None:
    """Refuses a host that is not declared, and services embedded in one another in a circle."""
    item, host = services[name], entries[name].embedded_in
    if host is None:
        return
    at = item.at("embedded_in")
    _refuse_unknown("service", (host,), tuple(entries), at)
    passed = [name]
    while host is not None and host in entries:
        if host in passed:
            circle = " -> ".join([*passed, host])
            raise at.refuse(f"services embedded in one another: {cut(circle)}", "name the service that runs")
        passed.append(host)
        host = entries[host].embedded_in


def _entry(name: str, item: Record, defaults: dict[str, Any], environments: tuple[str, ...]) -> Entry:
    def given(key: str, default: Any = None) -> Any:
        return item.values[key] if key in item.values else defaults.get(key, default)

    empty: dict[str, Any] = {}
    own, limits, objectives = item.get, given("limits", empty), given("objectives", empty)
    identity = own("identity", empty)
    sockets = tuple(
        (int(port), protocol or "tcp") for port, _, protocol in (s.partition("/") for s in own("ports", ()))
    )
    _refuse_unknown("environment", own("environments"), environments, item.at("environments"))
    return Entry(
        name=name,
        location=Location(item.place.path, item.place.line),
        lines=item.lines(),
        title=own("title"),
        category=given("category"),
        tier=given("tier"),
        criticality=given("criticality", Criticality.STANDARD),
        owner=given("owner"),
        runbook=given("runbook"),
        image=own("image"),
        ports=tuple(dict.fromkeys(port for port, _ in sockets)),
        sockets=sockets,
        replicas=own("replicas"),
        environments=given("environments"),
        lifecycle=_lifecycle(item, given("lifecycle", Lifecycle.DAEMON)),
        depends_on=own("depends_on", ()),
        implementation=own("implementation"),
        probes=tuple(_probe(chosen) for chosen in own("probes", ())),
        memory_limit=limits.get("memory"),
        cpu_limit=limits.get("cpus"),
        availability=objectives.get("availability"),
        latency=objectives.get("latency"),
        waivers=tuple(_waiver(waiver, name) for waiver in own("waivers", ())),
        aliases=own("aliases", ()),
        profiles=given("profiles", ()),
        maintenance=_maintenance(own("maintenance")),
        address=own("address"),
        command=own("command"),
        schedule=own("schedule"),
        component=own("component"),
        metrics=_metrics(own("metrics")),
        identity_service=identity.get("service"),
        identity_version=identity.get("version"),
        embedded_in=own("embedded_in"),
    )


def _parted(text: str) -> tuple[int, str]:
    port, _, protocol = text.partition("/")
    return int(port), protocol or "tcp"


def _lifecycle(item: Record, lifecycle: Lifecycle) -> Lifecycle:
    """`embedded` and `embedded_in` go together; the second is enough."""
    hosted = "embedded_in" in item.values
    if hosted and "lifecycle" in item.values and lifecycle is not Lifecycle.EMBEDDED:
        what = f"{item.place.what} is embedded in `{item.get('embedded_in')}`, yet its lifecycle is `{lifecycle}`"
        raise item.at("lifecycle").refuse(what, "remove `lifecycle` or `embedded_in`")
    if lifecycle is Lifecycle.EMBEDDED and not hosted:
        raise item.at("lifecycle").refuse(f"{item.place.what} lacks `embedded_in`", "name the service it is a part of")
    return Lifecycle.EMBEDDED if hosted else lifecycle


_SHORT = {"tcp": "address"}


def _probe(chosen: Chosen) -> Probe:
    location = Location(chosen.place.path, chosen.place.line)
    if isinstance(chosen.value, Record):
        return Probe(chosen.name, _plain(chosen.value), location)
    return Probe(chosen.name, {_SHORT.get(chosen.name, "url"): chosen.value}, location)


def _plain(item: Record) -> dict[str, object]:
    return {key: _plain(value) if isinstance(value, Record) else value for key, value in item.values.items()}


def _waiver(item: Record, service: str | None) -> Waiver:
    return Waiver(
        check=item.get("check"),
        reason=item.get("reason"),
        owner=item.get("owner"),
        until=item.get("until"),
        location=Location(item.place.path, item.place.line),
        service=service,
        field=item.get("field"),
    )


def _maintenance(item: Record | None) -> Maintenance | None:
    return Maintenance(item.get("until"), item.get("reason")) if item else None


def _metrics(item: Record | None) -> Metrics | None:
    return Metrics(item.get("port"), item.get("path", "/metrics"), item.get("exporter")) if item else None


# --- policy and checks ------------------------------------------------------------------------------


def _tiers(policy: Record | None) -> tuple[Tier, ...]:
    written = policy.get("tiers", {}) if policy else {}
    return tuple(Tier(name, item.get("networks", ()), item.get("publish")) for name, item in written.items())


def _tier_order(policy: Record | None, tiers: tuple[Tier, ...]) -> tuple[str, ...]:
    order: tuple[str, ...] = policy.get("order", ()) if policy else ()
    if policy and tiers:
        _refuse_unknown("tier", order, tuple(tier.name for tier in tiers), policy.at("order"))
    return order


def _shared_networks(policy: Record | None) -> tuple[str, ...]:
    networks = policy.get("networks", {}) if policy else {}
    return tuple(name for name, item in networks.items() if item.get("shared"))


def _check(name: str, item: Record) -> CheckConfig:
    location = Location(item.place.path, item.place.line)
    return CheckConfig(name, location, item.get("severity"), item.get("options", {}))


def schema_text() -> str:
    """The schema as the committed file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")  # noqa: T201 the generator's output
