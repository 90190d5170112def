"""Which keys Compose knows and what kind of value each takes: one table a level, and one walk that applies it."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import is_
from typing import TypeAlias

from auditor.compose.interpolate import Text
from auditor.compose.merge import kind
from auditor.compose.places import Faults
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
    """The keys of one mapping, the shapes of those that are mappings themselves, and of what lists and mappings hold.

    `each`: key -> shape of its mappings (`ports: [{target: 80}]`, `networks: {front: {aliases: []}}`);
    `texts`: keys whose lists hold nothing but texts; `unique`: lists that may hold nothing twice.
    """

    keys: dict[str, Kind]
    inner: dict[str, Shape] = field(default_factory=dict)
    each: dict[str, Shape] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    unique: frozenset[str] = frozenset()


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
PORT = _shape(text="name mode host_ip protocol app_protocol", size="target published")
MOUNT = _shape(
    text="type source target consistency", flag="read_only", mapping="bind volume tmpfs image"
)  # the options inside concern no fact that is kept
EDGE = _shape(text="condition", flag="required restart")
ATTACHMENT = _shape(
    text="interface_name ipv4_address ipv6_address mac_address",
    items="aliases link_local_ips",
    size="priority gw_priority",
    mapping="driver_opts",
)
GRANT = _shape(text="source target uid gid", size="mode")
ENV_FILE = _shape(text="path format", flag="required")
_TEXT_ITEMS = frozenset(
    (
        *("annotations", "cap_add", "cap_drop", "command", "device_cgroup_rules", "dns", "dns_opt", "dns_search"),
        *("entrypoint", "environment", "external_links", "extra_hosts", "label_file", "labels", "links", "profiles"),
        *("security_opt", "sysctls", "tmpfs", "volumes_from"),
    )
)
_SERVICE = _shape(
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
SERVICE = Shape(
    _SERVICE.keys | {"build": _T | _M},
    _SERVICE.inner,
    each={
        "ports": PORT,
        "volumes": MOUNT,
        "depends_on": EDGE,
        "networks": ATTACHMENT,
        "secrets": GRANT,
        "configs": GRANT,
        "env_file": ENV_FILE,
    },
    texts=_TEXT_ITEMS,
    unique=frozenset(("device_cgroup_rules", "external_links", "group_add", "security_opt", "volumes_from")),
)
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
    {"version": _T, "name": _T, "include": _L}
    | dict.fromkeys(("services", "networks", "volumes", "configs", "secrets", "models"), _M)
)


def conform(value: Mapping, shape: Shape, faults: Faults, where: str, service: str | None = None) -> Mapping:
    """`value` without what Compose refuses, each of it said at its line. Unchanged values are shared, not copied."""
    result: Mapping | None = None
    keys = shape.keys
    for key, item in value.items():
        wanted = keys.get(key)
        if wanted is None:
            if key.startswith("x-"):
                continue
            help = faults.near(key, keys)
            faults.add(f"unknown key `{key[:60]}` in {where}", value.lines[key], help=help, service=service)
        elif not _KINDS.get(item.__class__, _M) & wanted and not _fits(item, wanted):
            _refuse(key, item, wanted, value.lines[key], faults, service)
        else:
            if key in shape.texts and isinstance(item, Sequence):
                _only_texts(key, item, faults, service)
            if key in shape.unique and isinstance(item, Sequence):
                _only_once(key, item, faults, service)
            kept = _conform_inner(key, item, shape, faults, service)
            if kept is not item:
                result = result or Mapping(value, line=value.line, lines=value.lines)
                result[key] = kept
            continue
        result = result or Mapping(value, line=value.line, lines=value.lines)
        del result[key]
    return value if result is None else result


def _conform_inner(key: str, item: Value, shape: Shape, faults: Faults, service: str | None) -> Value:
    inner = shape.inner.get(key)
    if inner is not None and isinstance(item, Mapping):
        return conform(item, inner, faults, f"`{key}`", service)
    each = shape.each.get(key)
    if each is None:
        return item
    if isinstance(item, Sequence):
        kept = [conform(one, each, faults, f"`{key}`", service) if isinstance(one, Mapping) else one for one in item]
        return item if all(map(is_, kept, item)) else Sequence(kept, line=item.line, lines=item.lines)
    if isinstance(item, Mapping):
        for name, one in item.items():
            if isinstance(one, Mapping):
                conform(one, each, faults, f"`{key}.{name[:60]}`", service)
            elif one is not None:
                faults.add(f"`{key}.{name[:60]}` is no mapping", item.lines[name], service=service)
    return item


def _only_texts(key: str, items: Sequence, faults: Faults, service: str | None) -> None:
    for item, position in zip(items, items.lines, strict=True):
        if not isinstance(item, str):
            faults.add(f"an item of `{key}` is no text", position, service=service, help="put it into quotes")


def _only_once(key: str, items: Sequence, faults: Faults, service: str | None) -> None:
    """Compose merges these without dropping what is there already, and then refuses the result."""
    seen: set[tuple[type, str]] = set()
    for item, position in zip(items, items.lines, strict=True):
        if isinstance(item, Mapping | Sequence):
            continue
        if (kind := (type(item) if not isinstance(item, str) else str, str(item))) in seen:
            faults.add(f"an item of `{key}` is there twice", position, service=service, help="leave it out here")
        seen.add(kind)


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
