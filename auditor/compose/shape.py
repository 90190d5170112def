"""Which keys Compose knows and what kind of value each takes: one table a level, and one walk that applies it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from auditor.compose.interpolate import Text
from auditor.compose.merge import kind
from auditor.compose.places import Faults
from auditor.errors import did_you_mean
from auditor.yamlfile import Mapping, Sequence, Value

# What a value may be, as bits: plain numbers, because enum flags cost more than the whole walk.
# A text that a variable gave also passes where a number or a boolean is wanted.
Kind: TypeAlias = int

_T, _N, _B, _L, _M, _0 = 1, 2, 4, 8, 16, 32
_SIZE, _FLAG, _PAIRS, _TEXTS = _T | _N, _B | _T, _M | _L, _T | _L

_NAMES = {
    _T: "a text",
    _N: "a number",
    _B: "true or false",
    _L: "a list",
    _M: "a mapping",
    _0: "nothing",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys of one mapping, and the shapes of those that are mappings themselves."""

    keys: dict[str, Kind]
    inner: dict[str, Shape] = field(default_factory=dict)


def _shape(inner: dict[str, Shape] | None = None, **groups: str) -> Shape:
    """`_shape(text="a b", ...)`: the keys by the kind of their values."""
    keys = {key: _GROUPS[group] for group, names in groups.items() for key in names.split()}
    return Shape(keys, inner or {})


_GROUPS = {
    "text": _T,
    "size": _SIZE,
    "flag": _FLAG,
    "items": _L,
    "mapping": _M,
    "pairs": _PAIRS,
    "texts": _TEXTS,
    "command": _TEXTS | _0,
    "text_or_mapping": _T | _M,
    "optional_mapping": _M | _0,
    "optional_text": _T | _0,
    "any_scalar": _T | _N | _B,
    "flag_or_mapping": _B | _T | _M,
}

_LIMITS = _shape(size="cpus memory pids")
_RESERVATIONS = _shape(size="cpus memory", items="generic_resources devices")
_RESOURCES = _shape({"limits": _LIMITS, "reservations": _RESERVATIONS}, mapping="limits reservations")
_UPDATE = _shape(size="parallelism max_failure_ratio", text="delay failure_action monitor order")
DEPLOY = _shape(
    {
        "resources": _RESOURCES,
        "update_config": _UPDATE,
        "rollback_config": _UPDATE,
        "restart_policy": _shape(text="condition delay window", size="max_attempts"),
        "placement": _shape(items="constraints preferences", size="max_replicas_per_node"),
    },
    text="mode endpoint_mode",
    size="replicas",
    pairs="labels",
    mapping="rollback_config update_config resources restart_policy placement",
)
HEALTHCHECK = _shape(flag="disable", text="interval timeout start_period start_interval", size="retries", texts="test")
BUILD = _shape(
    text="context dockerfile dockerfile_inline network target isolation",
    pairs="args labels ssh additional_contexts extra_hosts",
    items="cache_from cache_to secrets tags platforms entitlements",
    flag="no_cache pull privileged",
    size="shm_size",
    mapping="ulimits",
    any_scalar="provenance sbom",
)
LOGGING = _shape(text="driver", mapping="options")
SERVICE = _shape(
    {"deploy": DEPLOY, "healthcheck": HEALTHCHECK, "build": BUILD, "logging": LOGGING},
    text="cgroup cgroup_parent container_name cpuset domainname hostname image ipc isolation mac_address network_mode "
    "platform pull_policy pull_refresh_after restart runtime stop_grace_period stop_signal user userns_mode uts "
    "working_dir",
    optional_text="pid",
    size="cpu_count cpu_percent cpu_shares cpu_quota cpu_period cpu_rt_period cpu_rt_runtime cpus mem_limit "
    "mem_reservation mem_swappiness memswap_limit oom_score_adj pids_limit scale shm_size",
    flag="attach init oom_kill_disable privileged read_only stdin_open tty use_api_socket",
    items="cap_add cap_drop configs device_cgroup_rules devices dns_opt expose external_links group_add links ports "
    "post_start pre_start pre_stop profiles secrets security_opt volumes volumes_from",
    pairs="annotations depends_on environment extra_hosts labels models networks sysctls",
    texts="dns dns_search env_file gpus label_file tmpfs",
    command="command entrypoint",
    text_or_mapping="extends",
    mapping="blkio_config credential_spec logging provider storage_opt ulimits healthcheck",
    optional_mapping="deploy develop",
)
SERVICE.keys["build"] = _T | _M
_RESOURCE = dict.fromkeys(("driver", "name"), _T) | {"driver_opts": _M, "external": _B | _T | _M, "labels": _PAIRS}
NETWORK = Shape(
    _RESOURCE | {"ipam": _M} | dict.fromkeys(("attachable", "enable_ipv4", "enable_ipv6", "internal"), _FLAG)
)
VOLUME = Shape(_RESOURCE)
_FILE = dict.fromkeys(("name", "file", "environment", "template_driver", "driver"), _T) | {
    "external": _B | _T | _M,
    "labels": _PAIRS,
    "driver_opts": _M,
}
CONFIG = Shape(_FILE | {"content": _T})
SECRET = Shape(_FILE)
MODEL = Shape(
    {"version": _T | _N, "name": _T, "include": _L}
    | dict.fromkeys(("services", "networks", "volumes", "configs", "secrets", "models"), _M)
)


def conform(value: Mapping, shape: Shape, faults: Faults, where: str, service: str | None = None) -> Mapping:
    """`value` without what Compose refuses, each of it said at its line. Unchanged values are shared, not copied."""
    result: Mapping | None = None
    keys = shape.keys
    for key, item in value.items():
        wanted = keys.get(key)
        kept: Value = item
        if wanted is None:
            if key.startswith("x-"):
                continue
            faults.add(
                f"unknown key `{key[:60]}` in {where}", value.lines[key], help=did_you_mean(key, keys), service=service
            )
        elif not _KINDS.get(item.__class__, _M) & wanted and not _fits(item, wanted):
            _refuse(key, item, wanted, value.lines[key], faults, service)
        else:
            inner = shape.inner.get(key)
            if inner is None or not isinstance(item, Mapping):
                continue
            kept = conform(item, inner, faults, f"`{key}`", service)
            if kept is item:
                continue
        if result is None:
            result = Mapping(value, line=value.line, lines=value.lines)
        if kept is item:
            del result[key]
        else:
            result[key] = kept
    return value if result is None else result


_KINDS: dict[type, Kind] = {
    str: _T,
    int: _N,
    float: _N,
    bool: _B,
    Sequence: _L,
    Mapping: _M,
    type(None): _0,
    Text: _T,
}


def _fits(item: Value, wanted: Kind) -> bool:
    """What `_KINDS` alone would refuse: texts that variables gave."""
    return isinstance(item, Text) and bool(wanted & (_N | _B | _T))


def _refuse(key: str, item: Value, wanted: Kind, position: int, faults: Faults, service: str | None) -> None:
    names = " or ".join(name for flag, name in _NAMES.items() if flag & wanted)
    found = {bool: "true or false", int: "a number", float: "a number", str: "a text"}.get(type(item)) or kind(item)
    faults.add(f"`{key}` is {found}, where Compose wants {names}", position, service=service)
