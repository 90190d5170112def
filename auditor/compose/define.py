"""One merged service as a `Definition`: short and long forms become one, and every secret stays behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from collections.abc import Mapping as AnyMapping
from contextlib import suppress
from dataclasses import field, replace
from urllib.parse import urlsplit

from auditor.compose import dockerfile
from auditor.compose.configured import config_files, granted_files, stays, takes_samples
from auditor.compose.files import Loader, Source, beneath
from auditor.compose.hardening import hardening, idle
from auditor.compose.healthcheck import Question, question
from auditor.compose.interpolate import Text
from auditor.compose.merge import Short, build_mapping, keyed, named, nothing, started
from auditor.compose.mounts import mounts
from auditor.compose.places import Faults, Lines
from auditor.compose.ports import exposed, ports
from auditor.compose.purpose import purpose
from auditor.compose.references import in_command
from auditor.compose.secrets import looks_secret
from auditor.compose.told import told
from auditor.compose.values import boolean, duration, integer, linked, number, size, words
from auditor.compose.variables import EnvFile, Reader, variables
from auditor.errors import EvidenceError, TextError
from auditor.frozen import dataclass
from auditor.model import Address, Definition, Dependency, HealthCheck, Location, Mount, Reference
from auditor.regexp import regexp
from auditor.tree import join
from auditor.yamlfile import Mapping, Sequence, Value

# Searched for, not matched whole: Compose's own pattern has no anchors either.
_CONTAINER_NAME = regexp(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_WHOLE = frozenset(("command", "entrypoint", "healthcheck.test"))  # lists that are one value
_CONTAINERS = (Mapping, Sequence)  # asked of each value, and a union would be made anew each time
_DEEPEST_LINE = 4  # keys of a dotted field


@dataclass(frozen=True, slots=True)
class Built:
    """What a Dockerfile says of its image: its user, and whether it has a health check."""

    user: str | None = None
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What the services of one project have in common."""

    loader: Loader
    directory: str  # the project directory
    variables: Reader
    services: frozenset[str]
    networks: frozenset[str]
    volumes: frozenset[str]
    active_profiles: frozenset[str]
    environment: str
    external_networks: frozenset[str] = frozenset()
    devices: AnyMapping[str, str] = field(default_factory=dict)  # volume -> the host's path that it stands for
    mounted: frozenset[tuple[str, str]] = frozenset()  # sections and keys of secrets and configs that are files
    config_files: AnyMapping[str, str] = field(default_factory=dict)  # config -> its file, from the root
    built: dict[tuple[str, str | None], Built] = field(default_factory=dict)  # of Dockerfiles read so far
    questions: dict[tuple[str | None, tuple[str, ...]], Question] = field(default_factory=dict)  # of health checks

    @property
    def faults(self) -> Faults:
        return self.loader.faults

    def question(self, kind: str | None, arguments: tuple[str, ...]) -> Question:
        """What a health check asks for. Services of one project often have the same."""
        asked = kind, arguments
        if asked not in self.questions:
            self.questions[asked] = question(kind, arguments)
        return self.questions[asked]


def define(name: str, service: Mapping, position: int, context: Context) -> Definition:
    """The definition of one merged service."""
    faults = context.faults
    location = faults.places.at(position)
    if name not in context.loader.half:
        _require_image(name, service, location, faults)
    profiles = texts(service.get("profiles"))
    active = not profiles or "*" in context.active_profiles or not context.active_profiles.isdisjoint(profiles)
    deploy, healthcheck = mapping(service.get("deploy")), service.get("healthcheck")
    written_limits = mapping(deploy.get("resources")).get("limits")
    limits = written_limits if isinstance(written_limits, Mapping) else None
    environment = keyed(service.get("environment")) or Mapping()
    given = variables(name, environment, _env_files(name, service, active, context), context.variables)
    asks = hardening(service)
    networks = _networks(name, service, active, context)
    depends_on = _dependencies(name, service, faults)
    container_name = text(service.get("container_name"))
    if container_name and not _CONTAINER_NAME.search(container_name):
        help = "use two or more letters, digits, `.`, `_`, `-`, and begin with a letter or digit"
        faults.add("a `container_name` that Docker refuses", service.lines["container_name"], service=name, help=help)
    aliases = _aliases(service)
    own_hosts = tuple(dict.fromkeys(_named_here(service)))
    own = {name, *aliases, *own_hosts, *((container_name,) if container_name else ())}
    published, open_ports = ports(service.get("ports"), faults, name), exposed(service.get("expose"))
    known_ports = {*open_ports, *(port.target for port in published)}
    logging = mapping(service.get("logging"))
    built = _dockerfile(service, context)
    return Definition(
        name=name,
        environment=context.environment,
        location=location,
        lines=_lines(service, environment, faults),
        image=text(service.get("image")),
        build=bool(service.get("build")),
        build_context=_build_context(service, context),
        container_name=container_name,
        ports=published,
        expose=open_ports,
        variables=given.variables,
        told=told(service, faults),
        references=tuple(_references(service, given.references, own, context)),
        networks=networks,
        network_aliases=aliases,
        network_mode=text(service.get("network_mode")),
        mounts=_mounts(name, service, active, context),
        depends_on=depends_on,
        healthcheck=_healthcheck(name, healthcheck, service, known_ports, context),
        restart=_restart(service, deploy),
        replicas=_replicas(name, service, deploy, faults),
        profiles=profiles,
        active=active,
        memory_limit=_whole(_limit(name, service, "mem_limit", limits, "memory", faults)),
        cpu_limit=_limit(name, service, "cpus", limits, "cpus", faults),
        pids_limit=_whole(_limit(name, service, "pids_limit", limits, "pids", faults)),
        logging_driver=text(logging.get("driver")),
        logging_address=_logging_address(logging),
        labels=_labels(service),
        external_networks=tuple(network for network in networks if network in context.external_networks),
        provider="provider" in service,
        privileged=asks.privileged,
        cap_add=asks.cap_add,
        cap_drop=asks.cap_drop,
        security_opt=asks.security_opt,
        user=asks.user,
        image_user=built.user,
        image_asks=built.asks,
        purpose=purpose(service),
        read_only=asks.read_only,
        host_namespaces=asks.host_namespaces,
        cgroup_parent=asks.cgroup_parent,
        api_socket=asks.api_socket,
        pull_policy=text(service.get("pull_policy")),
        debug_switches=given.switches,
        idle=idle(service, context.mounted),
        logging_options=tuple(key for key, item in mapping(logging.get("options")).items() if item is not None),
        secrets=_granted(service, "secrets"),
        configs=_granted(service, "configs"),
        config_files=config_files(service),
        own_hosts=own_hosts,
        takes_samples=takes_samples(service),
        stays=stays(service),
        granted_files=granted_files(service, context.config_files),
    )


_PLAIN = regexp(r"[A-Za-z0-9_.-]{1,40}")
_OF_WATCHING = regexp(
    r"log|loki|promtail|alloy|fluent|vector|collect|scrape|monitor|observ|prometheus|metric", re.IGNORECASE
)
_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "off", "0", "1", "enabled", "disabled"})


def _labels(service: Mapping) -> dict[str, str | None]:
    """The labels of its containers; a value is kept where whoever watches may go by it and it cannot be a secret."""
    found = keyed(service.get("labels")) or Mapping()
    return {name: _open_value(name, value) for name, value in found.items()}


def _open_value(name: str, value: Value) -> str | None:
    told = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if told.lower() in _SWITCHES or told == "":
        return told
    return told if _OF_WATCHING.search(name) and _PLAIN.fullmatch(told) and not looks_secret(name) else None


# --- values in a shape that is known ---------------------------------------------------------------------------


def text(value: Value) -> str | None:
    """A text that is not empty."""
    return str(value) if isinstance(value, str) and value else None


def texts(value: Value) -> tuple[str, ...]:
    """The texts of a list, each once."""
    if not isinstance(value, Sequence):
        return ()
    return tuple(dict.fromkeys(str(item) for item in value if isinstance(item, str) and item))


def mapping(value: Value) -> Mapping:
    """A mapping, an empty one where there is none."""
    return value if isinstance(value, Mapping) else _EMPTY


_EMPTY = Mapping()


def _open(value: Value) -> bool:
    """Whether a value is empty because a variable was not set, which is said elsewhere."""
    return isinstance(value, Text) and value == ""


# --- parts -------------------------------------------------------------------------------------------------------


def _require_image(name: str, service: Mapping, location: Location, faults: Faults) -> None:
    if service.get("image"):
        return
    built = any(isinstance(service.get(key), Mapping) for key in ("build", "provider"))
    if not built and not any(service.get(key) or _open(service.get(key)) for key in ("image", "build")):
        message = f"service `{name}` has neither `image` nor `build`"
        faults.add(message, location, service=name, help="load the file that completes it too, or add `image`")


def _build_context(service: Mapping, context: Context) -> str | None:
    build = build_mapping(service.get("build"), 0) if service.get("build") else None
    if not isinstance(build, Mapping):
        return None
    try:
        return join(context.directory, text(build.get("context")) or ".")
    except TextError:
        return None


def _dockerfile(service: Mapping, context: Context) -> Built:
    """What the Dockerfile of a build in the tree says."""
    build = build_mapping(service.get("build"), 0) if service.get("build") else None
    if not isinstance(build, Mapping):
        return Built()
    target, inline = text(build.get("target")), build.get("dockerfile_inline")
    if isinstance(inline, str):
        return _built(inline, target)
    try:
        directory = join(context.directory, text(build.get("context")) or ".")
        path = join(directory, text(build.get("dockerfile")) or "Dockerfile")
    except TextError:
        return Built()
    if (path, target) not in context.built:
        context.built[path, target] = _read_built(path, target, context)
    return context.built[path, target]


def _read_built(path: str, target: str | None, context: Context) -> Built:
    tree = context.loader.tree
    with suppress(EvidenceError, TextError):
        if tree.exists(path):
            return _built(tree.read(path).decode("utf-8", "replace"), target)
    return Built()


def _built(text: str, target: str | None) -> Built:
    return Built(dockerfile.user(text, target), dockerfile.asks(text, target))


def _env_files(name: str, service: Mapping, active: bool, context: Context) -> tuple[EnvFile, ...]:
    """The service's `env_file`s that are there, in their order."""
    value = service.get("env_file")
    if value is None:
        return ()
    items = value if isinstance(value, Sequence) else Sequence((value,), lines=[service.lines["env_file"]])
    loader, places = context.loader, context.faults.places
    found: list[EnvFile] = []
    for item, position in zip(items, items.lines, strict=True):
        asked = places.at(position)
        long = item if isinstance(item, Mapping) else Mapping({"path": item})
        path = long.get("path")
        if not isinstance(path, str) or not path:
            if not _open(path):
                context.faults.add("`env_file` wants a path", asked, service=name)
            continue
        try:
            inside = beneath(context.directory, path, loader.tree)
        except TextError as error:
            context.faults.add(error.what, asked, help=error.help, service=name, fatal=True)
            continue
        if not loader.tree.exists(inside):
            if active and boolean(long.get("required")) is not False:
                message = f"the env_file `{inside}` is missing, and with it the variables that it sets"
                help = "a file such as `.env` that is not kept with the project cannot be audited"
                context.faults.add(message, asked, check="unresolved-variable", help=help, service=name)
            continue
        if loader.beside(Source(inside, asked)) is None:
            continue
        form = long.get("format")
        if form not in (None, "", "raw"):
            help = "`raw` is the only format"
            context.faults.add("an `env_file` of an unknown `format`", asked, service=name, help=help)
        found.append(EnvFile(inside, form == "raw"))
    return tuple(found)


def _references(
    service: Mapping, named_hosts: tuple[Reference, ...], own: Collection[str], context: Context
) -> Iterator[Reference]:
    """The hosts that variables and command lines name, the service itself left out."""
    yield from (reference for reference in named_hosts if reference.address.host not in own)
    for key in ("entrypoint", "command"):
        line = service.get(key)
        if line is None:
            continue
        parts = words(line) if isinstance(line, str) else [item for item in _items(line) if isinstance(item, str)]
        location = context.faults.places.at(service.lines[key])
        for address in in_command(parts, context.services):
            if address.host not in own:
                yield Reference(address, key, location)


def _items(value: Value) -> list[Value]:
    return list(value) if isinstance(value, Sequence) else []


def _networks(name: str, service: Mapping, active: bool, context: Context) -> tuple[str, ...]:
    """The keys of the service's networks; `default` where none is named."""
    networks = named(service.get("networks"), nothing)
    mode = service.get("network_mode")
    if mode and networks:
        message = "`network_mode` together with `networks`"
        context.faults.add(message, service.lines["networks"], service=name, help="keep one of them")
    if mode or "provider" in service:
        return ()
    if not networks:
        return ("default",)
    for key in networks:
        if active and key not in context.networks and key != "default":
            message = f"service `{name}` refers to the undefined network `{key[:60]}`"
            context.faults.add(message, networks.lines[key], service=name, help="declare it under `networks:`")
    return tuple(networks)


_FIXED = ("ipv4_address", "ipv6_address")


def _aliases(service: Mapping) -> tuple[str, ...]:
    """What others may call the service on its networks: aliases, fixed addresses; engines from 25 on the `hostname`."""
    networks = [mapping(network) for network in mapping(service.get("networks")).values()]
    aliases = [alias for network in networks for alias in texts(network.get("aliases"))]
    aliases += [str(network[key]) for network in networks for key in _FIXED if isinstance(network.get(key), str)]
    hostname = text(service.get("hostname"))
    return tuple(dict.fromkeys((*aliases, hostname) if hostname else aliases))


_LOG_ADDRESSES = ("fluentd-address", "gelf-address", "syslog-address", "loki-url", "splunk-url")
_USUAL_LOG_ADDRESS = {"fluentd": Address("localhost", 24224)}


def _logging_address(logging: Mapping) -> Address | None:
    """Where a logging driver is told to send, or does by itself; None where nobody says, or a variable does."""
    if not logging:
        return None
    driver, options = text(logging.get("driver")) or "", mapping(logging.get("options"))
    told = next((value for key in _LOG_ADDRESSES if isinstance(value := options.get(key), str)), None)
    if told is None:
        return _USUAL_LOG_ADDRESS.get(driver)
    try:
        parts = urlsplit(told if "://" in told else f"tcp://{told}")
        return Address(parts.hostname, parts.port, parts.scheme) if parts.hostname and "$" not in told else None
    except ValueError:
        return None


def _named_here(service: Mapping) -> Iterator[str]:
    """Hosts that only this service knows by that name: aliases of links, and its own lines of `/etc/hosts`."""
    for link in (*texts(service.get("links")), *texts(service.get("external_links"))):
        if ":" in link:
            yield link.rpartition(":")[2]
    for link in texts(service.get("external_links")):
        yield link.partition(":")[0]
    hosts = service.get("extra_hosts")
    for line in hosts if isinstance(hosts, Mapping) else texts(hosts):
        yield re.split("[:=]", line, maxsplit=1)[0].strip()


def _mounts(name: str, service: Mapping, active: bool, context: Context) -> tuple[Mount, ...]:
    found = mounts(service, context.directory, context.faults, name)
    for mount in found if active else ():
        if mount.kind == "volume" and mount.source is not None and mount.source not in context.volumes:
            message = f"service `{name}` refers to the undefined volume `{mount.source[:60]}`"
            help = "declare it under `volumes:`, or begin a path with `./`"
            context.faults.add(message, mount.location or 0, service=name, help=help)
    if context.devices:
        devices = context.devices
        return tuple(replace(m, device=devices.get(m.source or "")) for m in found)
    return found


_CONDITIONS_OF_EDGES = ("service_started", "service_healthy", "service_completed_successfully")
_SHARED = ("network_mode", "ipc", "pid", "uts")


def _dependencies(name: str, service: Mapping, faults: Faults) -> tuple[Dependency, ...]:
    """The edges of `depends_on`, and those that `links`, `volumes_from` and shared namespaces imply."""
    at = faults.places.at
    found: dict[str, Dependency] = {}
    edges = named(service.get("depends_on"), started) or _EMPTY
    for key, value in edges.items():
        long = mapping(value)
        condition = text(long.get("condition")) or "service_started"
        if isinstance(value, Mapping) and long.get("condition") not in _CONDITIONS_OF_EDGES:
            message = f"the dependency on `{key[:60]}` has no `condition` that Compose knows"
            help = f"write one of {', '.join(_CONDITIONS_OF_EDGES)}"
            faults.add(message, edges.lines[key], service=name, help=help)
        required = boolean(long.get("required")) is not False
        found[key] = Dependency(key, condition, required, at(edges.lines[key]), not isinstance(value, Short))
    for key, target in _implied(service):
        if target or key in _SHARED:
            found.setdefault(target, Dependency(target, location=at(service.lines[key]), stated=False))
    return tuple(found.values())


def _implied(service: Mapping) -> Iterator[tuple[str, str]]:
    for link in texts(service.get("links")):
        yield "links", linked(link)
    for item in texts(service.get("volumes_from")):
        if not item.startswith("container:"):
            yield "volumes_from", item.partition(":")[0]
    for key in _SHARED:
        value = service.get(key)
        if isinstance(value, str) and value.startswith("service:"):
            yield key, value.removeprefix("service:")


def _granted(service: Mapping, section: str) -> tuple[str, ...]:
    """The keys of the secrets or configs that a service, or its build, is given."""
    found: dict[str, None] = {}
    for owner in (service, mapping(service.get("build"))):
        for item in _items(owner.get(section)):
            key = item.get("source") if isinstance(item, Mapping) else item
            if isinstance(key, str) and key:
                found[str(key)] = None
    return tuple(found)


def _healthcheck(
    name: str, value: Value, service: Mapping, known_ports: Collection[int], context: Context
) -> HealthCheck | None:
    if not isinstance(value, Mapping):
        return None
    faults = context.faults
    times: dict[str, float | None] = {}
    for key in ("interval", "timeout", "start_period"):
        item = value.get(key)
        times[key] = duration(item)
        if item is not None and times[key] is None and not _open(item):
            faults.add(f"`{key}` is no duration", value.lines[key], service=name, help="write it with a unit, as `30s`")
    kind = _test_kind(name, value, faults)
    retries = integer(value.get("retries"))
    disabled = boolean(value.get("disable")) is True or kind == "NONE"
    location = faults.places.at(service.lines["healthcheck"])
    test = value.get("test")
    asked = context.question(kind, (test,) if isinstance(test, str) else tuple(str(item) for item in _items(test)[1:]))
    return HealthCheck(
        kind=kind,
        disabled=disabled,
        interval=times["interval"],
        timeout=times["timeout"],
        retries=retries,
        start_period=times["start_period"],
        location=location,
        tools=asked.tools,
        needs_shell=asked.needs_shell,
        always_true=asked.always_true,
        stray_ports=_stray([port for port in asked.ports if port not in known_ports], service),
    )


_NUMBER = regexp(r"\d{2,5}")
_SAYS_PORTS = ("environment", "command", "entrypoint", "labels", "build")


def _stray(asked: list[int], service: Mapping) -> tuple[int, ...]:
    """Those of the ports that no setting of the service names; none where an env file may name them."""
    if not asked or "env_file" in service:
        return ()
    todo: list[Value] = [service.get(key) for key in _SAYS_PORTS]
    while todo and asked:
        value = todo.pop()
        if isinstance(value, Mapping):
            todo += value.values()
        elif isinstance(value, Sequence):
            todo += value
        elif value is not None:
            numbers = {int(number) for number in _NUMBER.findall(str(value))}
            asked = [port for port in asked if port not in numbers]
    return tuple(asked)


def _test_kind(name: str, healthcheck: Mapping, faults: Faults) -> str | None:
    test = healthcheck.get("test")
    if isinstance(test, str):
        return "CMD-SHELL" if test else None
    if not isinstance(test, Sequence) or not test:
        return None
    first = test[0]
    if isinstance(first, str) and first in ("CMD", "CMD-SHELL", "NONE"):
        return str(first)
    help = "begin the list with `CMD`, `CMD-SHELL` or `NONE`"
    faults.add("a `test` that does not say how it is run", healthcheck.lines["test"], service=name, help=help)
    return None


_CONDITIONS = {"any": "always", "none": "no", "on-failure": "on-failure"}


def _restart(service: Mapping, deploy: Mapping) -> str | None:
    """`restart`, else what `deploy.restart_policy` means; the latter wins, as it does in Compose."""
    policy = deploy.get("restart_policy")
    if isinstance(policy, Mapping):
        condition = _CONDITIONS.get(text(policy.get("condition")) or "any", "always")
        attempts = integer(policy.get("max_attempts"))
        return f"{condition}:{attempts}" if condition == "on-failure" and attempts else condition
    return text(service.get("restart"))


def _replicas(name: str, service: Mapping, deploy: Mapping, faults: Faults) -> int:
    scale, replicas = service.get("scale"), deploy.get("replicas")
    values = []
    for owner, key, value in ((service, "scale", scale), (deploy, "replicas", replicas)):
        count = integer(value)
        if count is not None and 0 <= count <= 1_000_000:
            values.append(count)
        elif value is not None and not _open(value):
            faults.add(f"`{key}` is no number of containers", owner.lines[key], service=name)
    if len(set(values)) > 1:
        faults.add(
            "`scale` and `deploy.replicas` differ", service.lines["scale"], service=name, help="keep one of them"
        )
    return values[-1] if values else 1


def _limit(name: str, service: Mapping, key: str, limits: Mapping | None, inner: str, faults: Faults) -> float | None:
    """A limit in bytes, cores or a count. Compose refuses the older key beside limits that do not say the same."""
    read, wanted = _MEASURES[inner]
    older = _measured(name, key, service, read, faults, wanted)
    newer = None if limits is None else _measured(name, inner, limits, read, faults, wanted)
    if limits is not None and older is not None and older != newer:
        message = f"`{key}` and `deploy.resources.limits.{inner}` differ"
        faults.add(message, service.lines[key], service=name, help="keep one of them")
    result = newer if newer is not None else older
    return result if result is not None and result > 0 else None


def _dropped(value: Value) -> float | None:
    """A whole number; a fraction that is written as a number is dropped, as Compose does, and one too high is none."""
    if isinstance(value, float):
        return float(int(value)) if abs(value) < 2**63 else -1.0
    return integer(value)


def _bytes(value: Value) -> float | None:
    """A size; Compose takes a fraction or exponent that is no text, and reads nothing from it."""
    return 0.0 if isinstance(value, float) else size(value)


_MEASURES: dict[str, tuple[Callable[[Value], float | None], str]] = {
    "memory": (_bytes, "a size, as `512m`"),
    "cpus": (number, "a number of cores, as `0.5`"),
    "pids": (_dropped, "a whole number"),
}


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _measured(
    name: str, key: str, owner: Mapping, read: Callable[[Value], float | None], faults: Faults, wanted: str
) -> float | None:
    """The value of `key` as a number; one that cannot be read is a fault."""
    value = owner.get(key)
    if value is None:
        return None
    result = read(value)
    if result is None and not _open(value):
        faults.add(f"`{key}` is not {wanted}", owner.lines[key], service=name)
    return result


# --- lines ---------------------------------------------------------------------------------------------------------


def _lines(service: Mapping, environment: Mapping, faults: Faults) -> Lines:
    """Every dotted field down to four keys and the place that decided it."""
    lines: dict[str, int] = {}
    forms = {
        "environment": environment,
        "depends_on": named(service.get("depends_on"), started),
        "networks": named(service.get("networks"), nothing),
        "labels": keyed(service.get("labels")),
    }
    todo: list[tuple[str, Value, int]] = []
    for key, value in service.items():
        lines[key] = service.lines[key]
        if key == "build":
            value = build_mapping(value, service.lines[key])
        elif key in forms:
            value = forms[key]
        if isinstance(value, _CONTAINERS):
            todo.append((key, value, 1))
    while todo:
        path, value, depth = todo.pop()
        if depth >= _DEEPEST_LINE:
            continue
        if isinstance(value, Mapping):
            positions, above = value.lines, lines[path]
            for key, item in value.items():
                inner = f"{path}.{key}"
                lines[inner] = positions.get(key, above)  # what nobody wrote stands with what holds it
                if isinstance(item, _CONTAINERS):
                    todo.append((inner, item, depth + 1))
        elif isinstance(value, Sequence) and path not in _WHOLE:
            for index, item in enumerate(value):
                inner = f"{path}.{index}"
                lines[inner] = value.lines[index]
                if isinstance(item, Mapping):
                    todo.append((inner, item, depth + 1))
    return Lines(lines, faults.places.at)
