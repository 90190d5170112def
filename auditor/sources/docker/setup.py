"""From an engine's inspections to setups: what a container was made with, and what its image gives by itself.

What may be secret leaves as digests only: values of variables, labels and options, arguments, the test of a health
check. A field that is missing could not be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from auditor import setup
from auditor.digest import Digester
from auditor.model import EngineImage, Setting, Setup
from auditor.regexp import regexp
from auditor.sources.hostile import printable

JSON = Mapping[str, Any]

_ANONYMOUS = regexp(r"[0-9a-f]{64}")
_BIND = regexp(r"(?P<source>.*?):(?P<target>/[^:]*)(?::(?P<options>[^:]*))?")
_SECOND = 10**9  # nanoseconds
_LONGEST = 500  # characters of a path or a name


def parse_setup(details: JSON, digest: Digester) -> Setup:
    """The setup of a container from its inspection. Raises KeyError, TypeError, ... on a strange shape."""
    config, host = details["Config"], details.get("HostConfig") or {}
    found: dict[str, Setting | None] = {"hash_key": digest.key_name, **_given(config, digest)}
    found |= _process(details, config, host)
    found |= _resources(host)
    found |= _rights(host)
    found |= _logging(host, digest)
    found |= _names(details, config, host)
    found |= _networks(details, config, host)
    found["volumes"], found["volume_options"] = _volumes(details, host)
    found["volumes_from"] = _sorted(printable(item, _LONGEST) for item in host.get("VolumesFrom") or ())
    found["devices"] = _sorted(_device(item) for item in host.get("Devices") or ())
    found["device_requests"] = _sorted(_request(item) for item in host.get("DeviceRequests") or ())
    found["device_cgroup_rules"] = _sorted(printable(rule) for rule in host.get("DeviceCgroupRules") or ())
    if host.get("Annotations") or _is_new(details):
        found["annotations"] = {
            printable(key): digest(str(value)) for key, value in (host.get("Annotations") or {}).items()
        }
    return found


def parse_image(details: JSON, environment: str, digest: Digester) -> EngineImage:
    """An image from its inspection. Raises KeyError, TypeError, ... on a strange shape."""
    config = details.get("Config") or {}
    defaults: dict[str, Setting | None] = {"hash_key": digest.key_name, **_given(config, digest)}
    defaults["volumes"] = dict.fromkeys(
        (setup.path(printable(target, _LONGEST)) for target in _keys(config, "Volumes")), ""
    )
    return EngineImage(
        environment,
        printable(details["Id"]),
        tuple(printable(name, _LONGEST) for name in details.get("RepoTags") or ()),
        tuple(printable(name, _LONGEST) for name in details.get("RepoDigests") or ()),
        defaults,
    )


# --- what an image may give, too ---------------------------------------------------------------------------------


def _given(config: JSON, digest: Digester) -> dict[str, Setting | None]:
    return {
        "environment": dict(_variables(config.get("Env") or (), digest)),
        "command": tuple(digest(str(word)) for word in config.get("Cmd") or ()),
        "entrypoint": tuple(digest(str(word)) for word in config.get("Entrypoint") or ()),
        "working_dir": setup.path(printable(config.get("WorkingDir") or "/", _LONGEST)),
        "user": printable(config.get("User") or ""),
        "labels": {
            printable(name, _LONGEST): digest(str(value))
            for name, value in (config.get("Labels") or {}).items()
            if not setup.is_own(str(name))
        },
        "expose": _sorted(port for item in _keys(config, "ExposedPorts") for port in setup.exposed(printable(item))),
        "stop_signal": setup.signal(printable(config.get("StopSignal") or "SIGTERM")),
        "healthcheck": _healthcheck(config.get("Healthcheck") or {}, digest),
    }


def _variables(found: Iterable[object], digest: Digester) -> Iterator[tuple[str, str | None]]:
    for item in found:
        name, separator, value = str(item).partition("=")
        yield printable(name, _LONGEST), digest(value) if separator else None


def _healthcheck(found: JSON, digest: Digester) -> Mapping[str, str | None]:
    test = [str(word) for word in found.get("Test") or ()]
    if test[:1] == ["NONE"]:
        return {"test": "none"}
    made: dict[str, str | None] = {"test": digest("\0".join(test))} if test else {}
    times = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}
    for key, name in (times | {"start_interval": "StartInterval"}).items():
        if nanoseconds := found.get(name):
            made[key] = f"{nanoseconds / _SECOND:g}"
    if retries := found.get("Retries"):
        made["retries"] = str(int(retries))
    return made


def _keys(found: JSON, key: str) -> list[str]:
    return [str(name) for name in found.get(key) or {}]


def _sorted(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(found)))


# --- how it runs -------------------------------------------------------------------------------------------------


def _process(details: JSON, config: JSON, host: JSON) -> dict[str, Setting | None]:
    policy = host.get("RestartPolicy") or {}
    return {
        "tty": bool(config.get("Tty")),
        "stdin_open": bool(config.get("OpenStdin")),
        "stop_grace_period": config.get("StopTimeout"),
        "init": host.get("Init"),
        "restart": setup.restart(printable(policy.get("Name") or ""), int(policy.get("MaximumRetryCount") or 0)),
        "runtime": printable(host.get("Runtime") or ""),
        "container_name": printable(str(details.get("Name") or "").lstrip("/")),
    }


_NUMBERS = {
    "mem_limit": "Memory",
    "mem_reservation": "MemoryReservation",
    "memswap_limit": "MemorySwap",
    "mem_swappiness": "MemorySwappiness",
    "shm_size": "ShmSize",
    "pids_limit": "PidsLimit",
    "cpu_shares": "CpuShares",
    "cpu_period": "CpuPeriod",
    "cpu_quota": "CpuQuota",
    "cpu_rt_period": "CpuRealtimePeriod",
    "cpu_rt_runtime": "CpuRealtimeRuntime",
    "cpu_count": "CpuCount",
    "cpu_percent": "CpuPercent",
    "oom_score_adj": "OomScoreAdj",
}
_RATES = {
    "weight_device": ("BlkioWeightDevice", "Weight"),
    "device_read_bps": ("BlkioDeviceReadBps", "Rate"),
    "device_read_iops": ("BlkioDeviceReadIOps", "Rate"),
    "device_write_bps": ("BlkioDeviceWriteBps", "Rate"),
    "device_write_iops": ("BlkioDeviceWriteIOps", "Rate"),
}


def _resources(host: JSON) -> dict[str, Setting | None]:
    found: dict[str, Setting | None] = {field: host.get(name) for field, name in _NUMBERS.items()}
    found["cpus"] = round((host.get("NanoCpus") or 0) / _SECOND, 6)
    found["cpuset"] = setup.cpus(printable(host.get("CpusetCpus") or ""))
    found["oom_kill_disable"] = host.get("OomKillDisable")
    found["ulimits"] = {
        printable(item["Name"]): f"{item.get('Soft', 0)}:{item.get('Hard', 0)}" for item in host.get("Ulimits") or ()
    }
    weight = {"weight": str(host["BlkioWeight"])} if host.get("BlkioWeight") else {}
    found["blkio_config"] = weight | {
        f"{key} {printable(row.get('Path'), _LONGEST)}": str(row.get(inner))
        for key, (name, inner) in _RATES.items()
        for row in host.get(name) or ()
    }
    return found


def _rights(host: JSON) -> dict[str, Setting | None]:
    return {
        "privileged": bool(host.get("Privileged")),
        "read_only": bool(host.get("ReadonlyRootfs")),
        "cap_add": _sorted(setup.capability(printable(name)) for name in host.get("CapAdd") or ()),
        "cap_drop": _sorted(setup.capability(printable(name)) for name in host.get("CapDrop") or ()),
        "security_opt": _sorted(printable(setup.security(str(item))) for item in host.get("SecurityOpt") or ()),
        "group_add": _sorted(printable(group) for group in host.get("GroupAdd") or ()),
        "userns_mode": printable(host.get("UsernsMode") or ""),
        "pid": printable(host.get("PidMode") or ""),
        "ipc": printable(host.get("IpcMode") or ""),
        "uts": printable(host.get("UTSMode") or ""),
        "cgroup": printable(host.get("CgroupnsMode") or ""),
        "cgroup_parent": printable(host.get("CgroupParent") or "", _LONGEST),
    }


def _logging(host: JSON, digest: Digester) -> dict[str, Setting | None]:
    log = host.get("LogConfig") or {}
    return {
        "logging": printable(log.get("Type") or ""),
        "logging_options": {printable(k): digest(str(v)) for k, v in (log.get("Config") or {}).items()},
        "storage_opt": {printable(k): printable(str(v)) for k, v in (host.get("StorageOpt") or {}).items()},
        "sysctls": {printable(k): printable(str(v)) for k, v in (host.get("Sysctls") or {}).items()},
    }


# --- names and networks ------------------------------------------------------------------------------------------


def _names(details: JSON, config: JSON, host: JSON) -> dict[str, Setting | None]:
    hostname = printable(config.get("Hostname") or "", _LONGEST)
    return {
        "hostname": "" if hostname == details["Id"][:12] else hostname,
        "domainname": printable(config.get("Domainname") or "", _LONGEST),
        "extra_hosts": _sorted(setup.host(printable(item, _LONGEST)) for item in host.get("ExtraHosts") or ()),
        "dns": tuple(printable(item) for item in host.get("Dns") or ()),
        "dns_search": tuple(printable(item) for item in host.get("DnsSearch") or ()),
        "dns_opt": _sorted(printable(item) for item in host.get("DnsOptions") or ()),
    }


def _networks(details: JSON, config: JSON, host: JSON) -> dict[str, Setting | None]:
    joined = (details.get("NetworkSettings") or {}).get("Networks") or {}
    found: dict[str, Setting | None] = {
        "network_mode": printable(host.get("NetworkMode") or "", _LONGEST),
        "ports": _sorted(
            setup.port(binding.get("HostIp"), binding.get("HostPort"), *_target(printable(key)))
            for key, bindings in (host.get("PortBindings") or {}).items()
            for binding in bindings or ()
        ),
    }
    macs = {str(item.get("MacAddress") or "").lower() for item in joined.values() if isinstance(item, dict)}
    own = printable(config.get("MacAddress") or "").lower()
    if own or macs - {""}:
        found["mac_address"] = (own,) if own else tuple(sorted(printable(mac) for mac in macs - {""}))
    if joined:
        names = {printable(name, _LONGEST): item or {} for name, item in joined.items()}
        found["networks"] = tuple(sorted(names))
        found["network_aliases"] = {name: ",".join(_aliases(item, details["Id"])) for name, item in names.items()}
        found["network_addresses"] = {n: given for n, item in names.items() if (given := ",".join(_addresses(item)))}
    return found


def _target(key: str) -> tuple[str, str]:
    target, _, protocol = key.partition("/")
    return target, protocol or "tcp"


def _aliases(item: JSON, container: str) -> list[str]:
    return sorted({printable(alias, _LONGEST) for alias in item.get("Aliases") or ()} - {container[:12]})


def _addresses(item: JSON) -> list[str]:
    given = item.get("IPAMConfig") or {}
    wanted = (given.get("IPv4Address"), given.get("IPv6Address"), *(given.get("LinkLocalIPs") or ()))
    return [printable(address) for address in wanted if address]


def _is_new(details: JSON) -> bool:
    """Whether the answer is of API 1.44 or later, which shows what is not set, too."""
    joined = (details.get("NetworkSettings") or {}).get("Networks") or {}
    return any("DNSNames" in item for item in joined.values() if isinstance(item, dict))


# --- mounts and devices ------------------------------------------------------------------------------------------


def _volumes(details: JSON, host: JSON) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """Target -> source as it was asked for, and target -> options; what the image or another container gave, too."""
    sources: dict[str, str | None] = {}
    options: dict[str, str | None] = {}
    for target, source, given in (*_asked(host), *_shown(details)):
        place = setup.path(printable(target, _LONGEST))
        if place not in sources:
            sources[place] = printable(source, 2 * _LONGEST)
            if given:
                options[place] = printable(given, _LONGEST)
    return sources, options


def _asked(host: JSON) -> Iterator[tuple[str, str, str]]:
    for item in host.get("Binds") or ():
        if match := _BIND.fullmatch(str(item)):
            flags = (match["options"] or "").split(",")
            yield match["target"], _named(match["source"]), setup.options(flags, "ro" in flags)
    for item in host.get("Mounts") or ():
        kind, source = item.get("Type"), str(item.get("Source") or "")
        yield item["Target"], _named(source) if kind == "volume" else f"{kind}:{source}", _flags(item)
    for target, flags in (host.get("Tmpfs") or {}).items():
        yield target, "tmpfs:", setup.options(str(flags).split(","))


def _named(source: str) -> str:
    if source.startswith("/"):
        return f"bind:{source}"
    return "volume:" if _ANONYMOUS.fullmatch(source) else f"volume:{source}"


def _flags(item: JSON) -> str:
    flags = [(item.get("BindOptions") or {}).get("Propagation") or ""]
    volume, tmpfs = item.get("VolumeOptions") or {}, item.get("TmpfsOptions") or {}
    flags += ["nocopy"] if volume.get("NoCopy") else []
    flags += [f"subpath={volume['Subpath']}"] if volume.get("Subpath") else []
    flags += [f"size={tmpfs['SizeBytes']}"] if tmpfs.get("SizeBytes") else []
    flags += [f"mode={tmpfs['Mode']:o}"] if tmpfs.get("Mode") else []
    return setup.options(flags, bool(item.get("ReadOnly")))


def _shown(details: JSON) -> Iterator[tuple[str, str, str]]:
    for item in details.get("Mounts") or ():
        kind = item.get("Type")
        source = _named(str(item.get("Name") or "")) if kind == "volume" else f"{kind}:{item.get('Source') or ''}"
        yield item["Destination"], source, setup.options((), item.get("RW") is False)


def _device(item: JSON) -> str:
    text = f"{item['PathOnHost']}:{item['PathInContainer']}:{item.get('CgroupPermissions') or 'rwm'}"
    return printable(text, 2 * _LONGEST)


def _request(item: JSON) -> str:
    capabilities = {str(name) for group in item.get("Capabilities") or () for name in group}
    given = {str(key): str(value) for key, value in (item.get("Options") or {}).items()}
    ids = [str(name) for name in item.get("DeviceIDs") or ()]
    return printable(
        setup.device_request(str(item.get("Driver") or ""), int(item.get("Count") or 0), ids, capabilities, given),
        _LONGEST,
    )
