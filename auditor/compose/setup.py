"""What the containers of each service are to be made with: the printed form of the model as setups."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from collections.abc import Mapping as AnyMapping

from auditor import setup
from auditor.compose import Composition
from auditor.compose.canonical import Writing
from auditor.compose.dotenv import bare_names
from auditor.compose.files import beneath
from auditor.compose.forms import Work
from auditor.compose.interpolate import Text
from auditor.compose.merge import unwrap
from auditor.compose.places import Faults
from auditor.compose.values import boolean, duration, integer, number
from auditor.digest import Digester
from auditor.errors import AuditorError, TextError
from auditor.frozen import dataclass
from auditor.model import Project, Setting, Setup
from auditor.setup import ANY
from auditor.yamlfile import Mapping, Sequence, Value

# Stands for the project directory, so deep that a path which climbs out of it still shows how far.
_PROJECT = "/-" * 40
_HOME = "/~"


def setups(project: Project, composition: Composition, digest: Digester) -> dict[str, Setup]:
    """Service -> setup, of every active service. Paths as `./x`, `../x`, `~/x` where they are written so."""
    work = Work(
        faults=Faults(project.environment, composition.loader.places),  # what is wrong was said while loading
        directory=_PROJECT,
        user_home=_HOME,
        values=composition.scope.values,
    )
    config = Writing(project, composition, work).run()
    services, written = config.get("services"), unwrap(composition.model.get("services"))
    found: dict[str, Setup] = {}
    if not isinstance(services, Mapping) or not isinstance(written, Mapping):
        return found
    providers = {name for name, service in services.items() if isinstance(service, Mapping) and "provider" in service}
    for name, service in services.items():
        raw = unwrap(written.get(name))
        if isinstance(service, Mapping) and isinstance(raw, Mapping) and name not in providers:
            made = _Made(service, raw, config, composition, digest, frozenset(providers))
            found[name] = dict(_fields(made)) | {"hash_key": digest.key_name}
    return found


@dataclass(frozen=True, slots=True)
class _Made:
    """One service: as printed, as written, and what it hangs on."""

    service: Mapping
    raw: Mapping
    config: Mapping
    composition: Composition
    digest: Digester
    providers: frozenset[str]

    def text(self, key: str) -> str | None:
        value = self.service.get(key)
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None

    def texts(self, key: str) -> list[str]:
        return _texts(self.service.get(key))

    def deploy(self, *keys: str) -> Value:
        """A value below `deploy`."""
        value: Value = self.service.get("deploy")
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def resource(self, section: str, key: str) -> Mapping:
        """An entry of a top-level section."""
        entries = self.config.get(section)
        found = entries.get(key) if isinstance(entries, Mapping) else None
        return found if isinstance(found, Mapping) else Mapping()

    def real_name(self, section: str, key: str) -> str:
        return str(self.resource(section, key).get("name") or key)


_Make = Callable[[_Made], Setting | None]


def _fields(made: _Made) -> Iterator[tuple[str, Setting | None]]:
    """Each field that the service states; None where a variable that is not set hides its value."""
    hidden = set(_hidden(made))
    for field, (keys, make) in _FIELDS.items():
        if not hidden.isdisjoint(keys):
            yield field, None
        elif (value := make(made)) is not None:
            yield field, value


def _hidden(made: _Made) -> Iterator[str]:
    """The keys in whose values a variable is not set; those whose values have names tell each one apart."""
    for key, value in made.raw.items():
        if key in _BY_NAME:
            continue
        if key == "deploy" and isinstance(value, Mapping):
            yield from (f"deploy.{inner}" for inner, item in value.items() if _unset(item))
        elif _unset(value):
            yield key
    for section in ("networks", "volumes", "secrets", "configs"):
        entries = unwrap(made.composition.model.get(section))
        used = [key for key in _used(made, section) if isinstance(entries, Mapping) and _unset(entries.get(key))]
        if used or (not made.composition.name and section in ("networks", "volumes") and list(_used(made, section))):
            yield section
    if made.service.get("use_api_socket"):
        yield from ("environment", "volumes")  # Compose adds its own to both


def _used(made: _Made, section: str) -> Iterator[str]:
    value = made.service.get(section)
    for item in value if isinstance(value, Mapping | Sequence) else ():
        if section == "volumes" and isinstance(item, Mapping) and item.get("type") != "volume":
            continue
        source = item.get("source") if isinstance(item, Mapping) else item
        if isinstance(source, str):
            yield source


def _unset(value: Value) -> bool:
    """Whether a variable in it is not set."""
    value = unwrap(value)
    if isinstance(value, Mapping):
        return any(_unset(item) for item in value.values())
    if isinstance(value, Sequence):
        return any(_unset(item) for item in value)
    return isinstance(value, Text) and value.unset


def _texts(value: Value) -> list[str]:
    return [str(item) for item in value if item is not None] if isinstance(value, Sequence) else []


# --- single values -----------------------------------------------------------------------------------------------


def _text(key: str, change: Callable[[str], str] = str) -> _Make:
    return lambda made: None if (text := made.text(key)) is None else change(text)


def _flag(key: str) -> _Make:
    return lambda made: boolean(made.service.get(key))


def _whole(key: str) -> _Make:
    return lambda made: integer(made.service.get(key))


def _words(key: str) -> _Make:
    """A command line; null leaves the image's own."""

    def make(made: _Made) -> Setting | None:
        line = made.service.get(key)
        return tuple(made.digest(word) for word in _texts(line)) if isinstance(line, Sequence) else None

    return make


def _set(key: str, change: Callable[[str], str] = str) -> _Make:
    return lambda made: tuple(sorted({change(item) for item in found})) if (found := made.texts(key)) else None


def _listed(key: str) -> _Make:
    return lambda made: tuple(found) if (found := made.texts(key)) else None


def _seconds(made: _Made) -> Setting | None:
    period = duration(made.service.get("stop_grace_period"))
    return None if period is None else int(period)


def _limit(key: str, section: str, inner: str) -> _Make:
    def make(made: _Made) -> Setting | None:
        value = made.deploy("resources", section, inner)
        return integer(made.service.get(key) if value is None else value)

    return make


def _cpus(made: _Made) -> Setting | None:
    value = made.deploy("resources", "limits", "cpus")
    return number(made.service.get("cpus") if value is None else value)


_CONDITIONS = {"any": "always", "none": "no"}


def _restart(made: _Made) -> Setting | None:
    policy, given = made.deploy("restart_policy"), made.text("restart")
    if isinstance(policy, Mapping):
        condition = str(policy.get("condition") or "")
        return setup.restart(_CONDITIONS.get(condition, condition), integer(policy.get("max_attempts")) or 0)
    if given is None:
        return None
    name, _, attempts = given.partition(":")
    return setup.restart(_CONDITIONS.get(name, name), integer(attempts) or 0)


# --- values with names -------------------------------------------------------------------------------------------


def _environment(made: _Made) -> Setting | None:
    found = _digests("environment")(made)
    names = dict(found) if isinstance(found, AnyMapping) else {}
    depends_on = made.service.get("depends_on")
    told = {str(name) for name in depends_on} if isinstance(depends_on, Mapping) else set()
    if made.service.get("models") or told & made.providers:
        names[ANY] = None  # Compose adds variables that the file does not name
    for name in _from_the_shell(made, "env_file"):
        names.setdefault(name, None)
    return names or None


def _labels(made: _Made) -> Setting | None:
    found = _digests("labels")(made)
    names = dict(found) if isinstance(found, AnyMapping) else {}
    for name in _from_the_shell(made, "label_file"):
        names.setdefault(name, None)
    return names or None


def _digests(key: str) -> _Make:
    """Name -> digest; None where the value comes from where only the deployment is."""

    def make(made: _Made) -> Setting | None:
        value = made.service.get(key)
        if not isinstance(value, Mapping):
            return None
        found: dict[str, str | None] = {}
        for name, item in value.items():
            unknown = item is None or (isinstance(item, Text) and item.unset)
            found[name] = None if unknown else made.digest(str(item))
        return found or None

    return make


def _plain(key: str) -> _Make:
    def make(made: _Made) -> Setting | None:
        value = made.service.get(key)
        pairs = value if isinstance(value, Mapping) else {}
        return {name: str(item) for name, item in pairs.items() if item is not None} or None

    return make


def _from_the_shell(made: _Made, key: str) -> Iterator[str]:
    """Names that files leave to the shell; `*` where a file itself is not here, or its name not known."""
    value = unwrap(made.raw.get(key))
    for item in value if isinstance(value, Sequence) else [] if value is None else [value]:
        path = unwrap(item.get("path")) if isinstance(item, Mapping) else unwrap(item)
        tree = made.composition.loader.tree
        try:
            if not isinstance(path, str) or _unset(path):
                raise TextError("no path")
            inside = beneath(made.composition.home, path, tree)
            yield from bare_names(tree.read(inside))
        except AuditorError:
            yield ANY


def _log_options(made: _Made) -> Setting | None:
    logging = made.service.get("logging")
    given = logging.get("options") if isinstance(logging, Mapping) else None
    return {k: made.digest(str(v)) for k, v in given.items()} if isinstance(given, Mapping) and given else None


def _log_driver(made: _Made) -> Setting | None:
    logging = made.service.get("logging")
    return str(logging.get("driver") or "") or None if isinstance(logging, Mapping) else None


def _ulimits(made: _Made) -> Setting | None:
    value = made.service.get("ulimits")
    found: dict[str, str | None] = {}
    for name, item in value.items() if isinstance(value, Mapping) else ():
        both = (item.get("soft"), item.get("hard")) if isinstance(item, Mapping) else (item, item)
        found[name] = f"{both[0]}:{both[1]}"
    return found or None


def _healthcheck(made: _Made) -> Setting | None:
    value = made.service.get("healthcheck")
    if not isinstance(value, Mapping):
        return None
    test = _texts(value.get("test"))
    if value.get("disable") is True or test[:1] == ["NONE"]:
        return {"test": "none"}
    found: dict[str, str | None] = {"test": made.digest("\0".join(test))} if test else {}
    for key in ("interval", "timeout", "start_period", "start_interval"):
        if seconds := duration(value.get(key)):
            found[key] = f"{seconds:g}"
    if retries := integer(value.get("retries")):
        found["retries"] = str(retries)
    return found or None


def _blkio(made: _Made) -> Setting | None:
    value = made.service.get("blkio_config")
    found: dict[str, str | None] = {}
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if isinstance(item, Sequence):
            rows = [row for row in item if isinstance(row, Mapping)]
            found.update({f"{key} {row.get('Path')}": str(row.get("Rate", row.get("Weight"))) for row in rows})
        else:
            found[key] = str(item)
    return found or None


# --- ports, mounts, networks, devices ----------------------------------------------------------------------------


def _port_records(made: _Made) -> list[Mapping]:
    value = made.service.get("ports")
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, Sequence) else []


def _ports(made: _Made) -> Setting | None:
    found = {
        setup.port(
            _said(item, "host_ip"),
            _said(item, "published"),
            str(item.get("target")),
            str(item.get("protocol") or "tcp"),
        )
        for item in _port_records(made)
    }
    return tuple(sorted(found)) or None


def _said(item: Mapping, key: str) -> str | None:
    value = item.get(key)
    return None if value is None else str(value)


def _expose(made: _Made) -> Setting | None:
    found = {single for item in made.texts("expose") for single in setup.exposed(item)}
    found |= {f"{item.get('target')}/{item.get('protocol') or 'tcp'}" for item in _port_records(made)}
    return tuple(sorted(found)) or None


def _mounts(made: _Made) -> Iterator[tuple[str, str, str]]:
    """Target, source and options of everything that is mounted."""
    for target in made.texts("tmpfs"):
        place, _, given = target.partition(":")
        yield setup.path(place), "tmpfs:", setup.options(given.split(","))
    volumes = made.service.get("volumes")
    for item in volumes if isinstance(volumes, Sequence) else ():
        if isinstance(item, Mapping) and item.get("target"):
            kind, source = str(item.get("type")), item.get("source")
            flags = setup.options(_mount_flags(item), item.get("read_only") is True)
            yield setup.path(str(item["target"])), f"{kind}:{_source(made, kind, source)}", flags
    for section, folder in (("secrets", "/run/secrets/"), ("configs", "/")):
        granted = made.service.get(section)
        for item in granted if isinstance(granted, Sequence) else ():
            key = str(item.get("source")) if isinstance(item, Mapping) else ""
            file = made.resource(section, key).get("file")
            if isinstance(item, Mapping) and isinstance(file, str):
                target = str(item.get("target") or key)
                place = target if target.startswith("/") else f"{folder}{target}"
                yield setup.path(place), f"bind:{_relative(file)}", "ro"


def _source(made: _Made, kind: str, source: Value) -> str:
    if not isinstance(source, str):
        return ""
    if kind == "bind":
        return _relative(source)
    return made.real_name("volumes", source) if kind == "volume" else source


def _relative(path: str) -> str:
    """A path of the project as it is written: from the project directory, from the home directory, or absolute."""
    if path == _HOME or path.startswith(f"{_HOME}/"):
        return path[1:]
    if not path.startswith("/-/-"):
        return path
    relative = posixpath.relpath(path, _PROJECT)
    return relative if relative.startswith("../") or relative in (".", "..") else f"./{relative}"


def _mount_flags(item: Mapping) -> Iterator[str]:
    for section in ("bind", "volume", "tmpfs"):
        given = item.get(section)
        for key, value in given.items() if isinstance(given, Mapping) else ():
            if key in ("propagation", "selinux"):
                yield str(value)
            elif key == "nocopy" and value is True:
                yield "nocopy"
            elif key in ("size", "subpath"):
                yield f"{key}={value}"
            elif key == "mode" and isinstance(value, int):
                yield f"mode={value:o}"


def _volumes(made: _Made) -> Setting | None:
    return {target: source for target, source, _ in _mounts(made)} or None


def _volume_options(made: _Made) -> Setting | None:
    return {target: flags for target, _, flags in _mounts(made) if flags} or None


def _networks(made: _Made) -> Iterator[tuple[str, Mapping]]:
    value = made.service.get("networks")
    for key, item in value.items() if isinstance(value, Mapping) else ():
        yield made.real_name("networks", key), item if isinstance(item, Mapping) else Mapping()


def _network_names(made: _Made) -> Setting | None:
    return tuple(sorted(name for name, _ in _networks(made))) or None


def _aliases(made: _Made) -> Setting | None:
    own = ((name, sorted(set(_texts(item.get("aliases"))))) for name, item in _networks(made))
    return {name: ",".join(aliases) for name, aliases in own if aliases} or None


def _addresses(made: _Made) -> Setting | None:
    found: dict[str, str | None] = {}
    for name, item in _networks(made):
        given = [item.get("ipv4_address"), item.get("ipv6_address"), *_texts(item.get("link_local_ips"))]
        if addresses := [str(address) for address in given if address]:
            found[name] = ",".join(addresses)
    return found or None


def _mac(made: _Made) -> Setting | None:
    own = made.text("mac_address") or next(
        (str(item["mac_address"]) for _, item in _networks(made) if item.get("mac_address")), None
    )
    return own.lower() if own else None


def _devices(made: _Made) -> Setting | None:
    value = made.service.get("devices")
    found = set()
    for item in value if isinstance(value, Sequence) else ():
        if isinstance(item, Mapping) and "=" not in str(item.get("source")):
            found.add(f"{item.get('source')}:{item.get('target')}:{item.get('permissions') or 'rwm'}")
    return tuple(sorted(found)) or None


def _requests(made: _Made) -> Setting | None:
    found = set()
    for value, always in (
        (made.service.get("gpus"), ["gpu"]),
        (made.deploy("resources", "reservations", "devices"), []),
    ):
        for item in value if isinstance(value, Sequence) else ():
            if isinstance(item, Mapping):
                given = item.get("options")
                found.add(
                    setup.device_request(
                        str(item.get("driver") or ""),
                        integer(item.get("count")) or 0,
                        _texts(item.get("device_ids")),
                        {*_texts(item.get("capabilities")), *always},
                        {k: str(v) for k, v in given.items()} if isinstance(given, Mapping) else {},
                    )
                )
    value = made.service.get("devices")
    for item in value if isinstance(value, Sequence) else ():
        if isinstance(item, Mapping) and "=" in str(item.get("source")):
            found.add(setup.device_request("cdi", 0, [str(item.get("source"))], (), {}))
    return tuple(sorted(found)) or None


_LIMITS, _MOUNTED = "deploy.resources", ("volumes", "tmpfs", "secrets", "configs")
_BY_NAME = frozenset(("environment", "env_file", "labels", "label_file"))
# Field of a setup -> the keys of the file that it follows from, and how.
_FIELDS: AnyMapping[str, tuple[tuple[str, ...], _Make]] = {
    **{key: ((key,), _words(key)) for key in ("command", "entrypoint")},
    **{
        key: ((key,), _text(key))
        for key in (
            "user", "hostname", "domainname", "network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup",
            "cgroup_parent", "runtime", "container_name",
        )
    },
    **{
        key: ((key,), _flag(key))
        for key in ("privileged", "read_only", "init", "tty", "stdin_open", "oom_kill_disable")
    },
    **{
        key: ((key,), _whole(key))
        for key in (
            "memswap_limit", "mem_swappiness", "shm_size", "cpu_shares", "cpu_period", "cpu_quota", "cpu_rt_period",
            "cpu_rt_runtime", "cpu_count", "cpu_percent", "oom_score_adj",
        )
    },
    "working_dir": (("working_dir",), _text("working_dir", setup.path)),
    "stop_signal": (("stop_signal",), _text("stop_signal", setup.signal)),
    "stop_grace_period": (("stop_grace_period",), _seconds),
    "cpuset": (("cpuset",), _text("cpuset", setup.cpus)),
    "mem_limit": (("mem_limit", _LIMITS), _limit("mem_limit", "limits", "memory")),
    "mem_reservation": (("mem_reservation", _LIMITS), _limit("mem_reservation", "reservations", "memory")),
    "pids_limit": (("pids_limit", _LIMITS), _limit("pids_limit", "limits", "pids")),
    "cpus": (("cpus", _LIMITS), _cpus),
    "ulimits": (("ulimits",), _ulimits),
    "blkio_config": (("blkio_config",), _blkio),
    "restart": (("restart", "deploy.restart_policy"), _restart),
    "environment": (("environment",), _environment),
    "labels": (("labels",), _labels),
    "annotations": (("annotations",), _digests("annotations")),
    "sysctls": (("sysctls",), _plain("sysctls")),
    "storage_opt": (("storage_opt",), _plain("storage_opt")),
    "logging": (("logging",), _log_driver),
    "logging_options": (("logging",), _log_options),
    "healthcheck": (("healthcheck",), _healthcheck),
    "group_add": (("group_add",), _set("group_add")),
    "cap_add": (("cap_add",), _set("cap_add", setup.capability)),
    "cap_drop": (("cap_drop",), _set("cap_drop", setup.capability)),
    "security_opt": (("security_opt",), _set("security_opt", setup.security)),
    "device_cgroup_rules": (("device_cgroup_rules",), _set("device_cgroup_rules")),
    "extra_hosts": (("extra_hosts",), _set("extra_hosts", setup.host)),
    "dns": (("dns",), _listed("dns")),
    "dns_search": (("dns_search",), _listed("dns_search")),
    "dns_opt": (("dns_opt",), _set("dns_opt")),
    "devices": (("devices",), _devices),
    "device_requests": (("gpus", "devices", _LIMITS), _requests),
    "ports": (("ports",), _ports),
    "expose": (("ports", "expose"), _expose),
    "volumes": (_MOUNTED, _volumes),
    "volume_options": (_MOUNTED, _volume_options),
    "volumes_from": (("volumes_from",), _set("volumes_from")),
    "networks": (("networks",), _network_names),
    "network_aliases": (("networks",), _aliases),
    "network_addresses": (("networks",), _addresses),
    "mac_address": (("mac_address", "networks"), _mac),
}  # fmt: skip

__all__ = ["setups"]
