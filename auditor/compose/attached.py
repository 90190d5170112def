"""What a service is given, in Compose's long forms: ports, volumes, devices, hosts, secrets, networks, limits."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from auditor.compose.forms import (
    Convert,
    Fields,
    FormError,
    Work,
    begun,
    distinct,
    flag,
    items,
    memory,
    mode,
    natural,
    nested,
    nullable_pairs,
    pairs,
    put,
    record,
    text,
    texts,
    whole,
)
from auditor.compose.interpolate import written
from auditor.compose.merge import Merged, named, nothing, unwrap
from auditor.compose.mounts import SHORTEST, is_path, sections
from auditor.compose.values import scalar_text
from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Value

# --- ports ---------------------------------------------------------------------------------------------------------

_SHORT = regexp(
    r"(?:(?P<host>\[[0-9a-fA-F:.%]*\]|[^:\[\]]*):(?=[^:]*:))?(?:(?P<published>[0-9]*(?:-[0-9]+)?):)?"
    r"(?P<target>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>\w*)(?:/.*)?)?"
)
_HIGHEST = 65_535
_MOST_PORTS = 10_000


def is_address(text: str) -> bool:
    """Whether a text is an address of either version, without a zone."""
    try:
        IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        return False
    return "%" not in text


def _published(value: Value, work: Work) -> Value:
    if isinstance(value, float | bool | Mapping | Sequence):
        raise FormError("wants a port or a range of ports")
    return scalar_text(value)


_PORT: Fields = {
    "name": text,
    "mode": text,
    "host_ip": text,
    "target": whole,
    "published": _published,
    "protocol": text,
    "app_protocol": text,
}


def ports(value: Value, work: Work) -> Value:
    """Each published port in its long form, once."""
    if not isinstance(value, Sequence):
        raise FormError("wants a list")
    found: dict[object, tuple[Value, int]] = {}
    for item, position in zip(value, value.lines, strict=True):
        work.position = position
        try:
            made = _port(unwrap(item), work)
        except FormError as error:
            work.refuse(str(error), position)
            continue
        for port in made:
            found[binding(port, unwrap(item))] = (port, position)
        if len(found) > _MOST_PORTS:
            raise FormError(f"more than {_MOST_PORTS} ports")
    return Sequence([port for port, _ in found.values()], line=value.line, lines=[line for _, line in found.values()])


def binding(port: Value, item: Value) -> object:
    """By what Compose tells two ports apart: long forms as they are written, so that `8080` is not `"8080"`."""
    if not isinstance(port, Mapping):
        return port
    source = item if isinstance(item, Mapping) else port
    published = source.get("published")
    host, protocol = source.get("host_ip", "0.0.0.0"), source.get("protocol", "tcp")  # noqa: S104 - a name, not bound
    return host, published.__class__ is int, None if published is None else str(published), port.get("target"), protocol


def _port(item: Value, work: Work) -> list[Value]:
    if isinstance(item, Mapping):
        return [_long_port(item, work)]
    if isinstance(item, bool) or not isinstance(item, str | int):
        raise FormError("a port is a number, a text or a mapping with `target`")
    if work.lenient and "$" in str(item):
        return [item]
    return short_port(item, work)


class UnreadableError(FormError):
    """A short port that has no meaning, or none before its variables are known."""


def short_port(item: str | int, work: Work) -> list[Value]:
    """The ports that a short form means. Raises UnreadableError."""
    source = str(item)
    match = _SHORT.fullmatch(source)
    if match is None:
        forms = "`published:target` or `address:published:target/protocol`"
        raise UnreadableError(f"`{source[:60]}` is no port: write {forms}")
    protocol = (match["protocol"] or "tcp").lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise UnreadableError(f"`{source[:60]}` has no protocol that Compose knows")
    host = (match["host"] or "").strip("[]")
    if host and not is_address(host):
        raise UnreadableError(f"`{host[:60]}` is no address")
    targets, given = _span(match["target"]), match["published"] or ""
    if targets[0] == 0:
        raise FormError(f"`{source[:60]}` has no target port")
    sources = _span(given) if given else range(0)
    if given:
        given = f"{sources[0]}-{sources[-1]}" if len(sources) > 1 else str(sources[0])
    if given and len(targets) > 1 and len(sources) != len(targets):
        raise UnreadableError(f"the ranges of `{source[:60]}` differ in length")
    shown = [given] * len(targets) if len(targets) == 1 or not given else [str(number) for number in sources]
    made = zip(targets, shown, strict=True)
    return [_record_of_port(work, target, published, host, protocol) for target, published in made]


def _record_of_port(work: Work, target: int, published: str, host: str, protocol: str) -> Mapping:
    values: dict[str, Value] = {"mode": "ingress", "host_ip": host, "target": target, "published": published}
    values["protocol"] = protocol
    return _at(work, {key: value for key, value in values.items() if value != ""})


def _at(work: Work, values: dict[str, Value]) -> Merged:
    """A record all of whose keys were decided by one line."""
    result = Merged(values, line=work.position, lines=dict.fromkeys(values, work.position))
    result.overrode = {}
    return result


def _span(source: str) -> range:
    first, _, last = source.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()) or len(source) > 11:
        raise UnreadableError(f"`{source[:60]}` is no port")
    low, high = int(first), int(last or first)
    if not low <= high <= _HIGHEST:
        raise UnreadableError(f"`{source[:60]}` is no port: the highest is {_HIGHEST}, ranges go upwards")
    return range(low, high + 1)


def _long_port(item: Mapping, work: Work) -> Value:
    made = record(item, _PORT, work)
    if item.get("target") is None:
        raise FormError("a port without a `target`")
    host = item.get("host_ip")
    if isinstance(host, str) and not is_address(host) and not (work.lenient and "$" in host):
        raise FormError(f"`{host[:60]}` is no address")
    result = begun(item)
    for key in _PORT:
        if key in made:
            put(result, key, made[key], made)
        elif key in ("mode", "protocol"):
            put(result, key, "ingress" if key == "mode" else "tcp", item)
    for key in made.keys() - result.keys():
        put(result, key, made[key], made)
    return result


def _exposed(item: Value, work: Work) -> Value:
    if isinstance(item, float):
        raise FormError("a port is a whole number or a text")
    return text(item, work)


def expose(value: Value, work: Work) -> Value:
    """Ports as texts, each once."""
    found = items(value, work, _exposed)
    seen: dict[Value, int] = {}
    for item, position in zip(found, found.lines, strict=True):
        seen.setdefault(item, position)
    return Sequence(seen, line=found.line, lines=list(seen.values()))


# --- volumes -------------------------------------------------------------------------------------------------------

_PROPAGATIONS = frozenset(("shared", "slave", "private", "rshared", "rslave", "rprivate"))


def _tmpfs_mode(value: Value, work: Work) -> Value:
    """As a number; Compose reads none from a text here, and keeps 32 bits."""
    if isinstance(value, str) and not work.lenient:
        raise FormError("is no file mode: write it octal and without quotes, such as `0440`")
    found = natural(value, work)
    return found & 0xFFFFFFFF if isinstance(found, int) else found


_BIND: Fields = {"propagation": text, "selinux": text, "create_host_path": flag, "recursive": text}
_BIND_ORDER = ("selinux", "propagation", "create_host_path", "recursive")
_VOLUME: Fields = {
    "type": text,
    "source": text,
    "target": text,
    "read_only": flag,
    "consistency": text,
    "bind": nested({key: _BIND[key] for key in _BIND_ORDER}),
    "volume": nested({"labels": pairs, "nocopy": flag, "subpath": text}),
    "tmpfs": nested({"size": memory, "mode": _tmpfs_mode}),
    "image": nested({"subpath": text}),
}


def volumes(value: Value, work: Work) -> Value:
    """Each mount in its long form, the last one of a target."""
    if not isinstance(value, Sequence):
        raise FormError("wants a list")
    found: dict[object, tuple[Value, int, bool]] = {}
    for item, position in zip(value, value.lines, strict=True):
        work.position = position
        try:
            mount = _mount(unwrap(item), work)
        except FormError as error:
            work.refuse(str(error), position)
            continue
        key = mount.get("target") if isinstance(mount, Mapping) else mount
        found[key] = (mount, position, isinstance(item, Mapping))
    # Compose tells targets apart as written first, and once more when those of short forms are clean.
    apart: dict[object, tuple[Value, int]] = {
        clean(key) if isinstance(key, str) and not long else key: (mount, position)
        for key, (mount, position, long) in found.items()
    }
    mounts: set[str] = set()
    for written_key, (mount, position) in apart.items():
        if isinstance(mount, Mapping) and isinstance(written_key, str) and (target := clean(written_key)):
            mount["target"] = target
            if target in mounts and not work.inactive:
                work.refuse(f"`volumes` mounts `{target[:60]}` twice", position)
            mounts.add(target)
    lines = [line for _, line in apart.values()]
    return Sequence([mount for mount, _ in apart.values()], line=value.line, lines=lines)


def _mount(item: Value, work: Work) -> Value:
    if isinstance(item, Mapping):
        return _long_mount(item, work)
    if not isinstance(item, str):
        raise FormError("a volume is a text or a mapping with `type` and `target`")
    if work.lenient and "${" in item and ":-" in item:
        return item
    return short_mount(str(item), work, item)


def short_mount(source: str, work: Work, item: str = "") -> Value:
    """A mount of its short form; `item`: the text as it is written. Raises FormError."""
    item = item or source
    parts = sections(source)
    if any(part == "" for part in parts):
        raise FormError(f"`{written(item)[:60]}` has an empty section between colons")
    if len(parts) > 3:
        raise FormError(f"`{written(item)[:60]}` has too many colons")
    if len(parts) == 1:
        options: dict[str, Value] = {"volume": _at(work, {})} if len(source) > SHORTEST else {}
        return _at(work, {"type": "volume", "target": parts[0], **options})
    origin, target = parts[0], parts[1]
    flags = parts[2].split(",") if len(parts) > 2 else []
    is_bind = is_path(origin)
    values: dict[str, Value] = {"type": "bind", "source": mounted(origin, work)} if is_bind else {"source": origin}
    values = {"type": "volume", **values, "target": target}
    if [flag for flag in flags if flag in ("ro", "rw")][-1:] == ["ro"]:
        values["read_only"] = True
    # Compose keeps the options of either kind of mount, whichever this one is.
    bind: dict[str, Value] = {}
    if given := [flag for flag in flags if flag in ("z", "Z")]:
        bind["selinux"] = given[-1]
    if given := [flag for flag in flags if flag in _PROPAGATIONS]:
        bind["propagation"] = given[-1]
    if is_bind:
        bind["create_host_path"] = True
    if bind:
        values["bind"] = _at(work, bind)
    if not is_bind or "nocopy" in flags:
        values["volume"] = _at(work, {"nocopy": True} if "nocopy" in flags else {})
    return _at(work, values)


_OF_WINDOWS = regexp(r"[\\/]{2}|[\x00-\x7f]:[\\/]")


def mounted(path: str, work: Work) -> str:
    """A path of the host, as Compose makes it absolute: what is absolute on Windows stays, too."""
    return path if _OF_WINDOWS.match(path) else work.absolute(path)


def clean(path: str) -> str:
    """A path in a container as Compose prints it."""
    return posixpath.normpath(path).replace("//", "/") if path else path


def _long_mount(item: Mapping, work: Work) -> Value:
    made = record(item, _VOLUME, work)
    if "type" not in made:
        raise FormError("a volume wants a `type`")
    source = made.get("source")
    if made["type"] == "bind":
        if not isinstance(source, str):
            raise FormError("a bind mount wants a `source`")
        if not (work.lenient and source.startswith("$")):
            made["source"] = mounted(source, work)
    return made


# --- the rest ------------------------------------------------------------------------------------------------------


def devices(value: Value, work: Work) -> Value:
    """Devices of the host as source, target, permissions; the last one of a target."""
    if not isinstance(value, Sequence):
        raise FormError("wants a list")
    # Compose tells targets apart as written first, and once more when each is known.
    made = items(_last(value, written_target), work, _device)
    return _last(made, lambda device: device.get("target") if isinstance(device, Mapping) else device)


def written_target(item: Value) -> object:
    """The target of a device as it is written."""
    item = unwrap(item)
    if isinstance(item, Mapping):
        return item.get("target")
    source, *rest = str(item).split(":")
    return rest[0] if rest else source


def _last(value: Sequence, key: Callable[[Value], object]) -> Sequence:
    """The last item of each key, where the first one stood."""
    found = {key(item): (item, position) for item, position in zip(value, value.lines, strict=True)}
    return Sequence([item for item, _ in found.values()], line=value.line, lines=[line for _, line in found.values()])


def _device(item: Value, work: Work) -> Value:
    if isinstance(item, Mapping):
        made = record(item, {"source": text, "target": text, "permissions": text}, work)
        if "target" not in item:
            raise FormError("a device without a `target`")
        return made
    if not isinstance(item, str):
        raise FormError("a device is a text or a mapping with `source`")
    source, target, permissions = short_device(item)
    found: dict[str, Value] = {"source": source, "target": target or source, "permissions": permissions}
    return _at(work, {key: part for key, part in found.items() if part})


def short_device(item: str) -> tuple[str, str, str]:
    """Source, target and permissions of a short form. Raises FormError."""
    parts = item.split(":")
    if len(parts) > 3:
        raise FormError(f"`{item[:60]}` is no device")
    source, target, permissions = (*parts, *("", "rwm")[len(parts) - 1 :])
    return str(source), str(target), str(permissions)


def hosts(value: Value, work: Work) -> Value:
    """`name=address`, sorted."""
    found: list[tuple[str, int]] = []
    for name, address, position in _addresses(value, work):
        if not name or ":" in name or "=" in name:
            work.refuse(f"`{name[:60]}` is no name of a host", position)
        bare = address[1:-1] if len(address) > 2 and address[0] == "[" and address[-1] == "]" else address
        found.append((f"{name}={bare}", position))
    found.sort(key=lambda entry: entry[0])
    return Sequence([shown for shown, _ in found], line=work.position, lines=[line for _, line in found])


def _addresses(value: Value, work: Work) -> Iterator[tuple[str, str, int]]:
    """Name, address and position; an item of a list may hold several addresses."""
    if isinstance(value, Mapping):
        for name, given in value.items():
            addresses = given if isinstance(given, Sequence) else [given]
            yield from ((name, scalar_text(unwrap(address)), value.lines[name]) for address in addresses)
    elif isinstance(value, Sequence):
        for item, position in zip(value, value.lines, strict=True):
            entry = scalar_text(unwrap(item))
            name, sign, rest = entry.partition("=" if "=" in entry else ":")
            if not sign:
                work.refuse(f"`{entry[:60]}` is no host with its address", position)
                continue
            yield from ((name, address, position) for address in rest.split(","))
    else:
        raise FormError("wants a list or a mapping")


_GRANT: Fields = {"source": text, "target": text, "uid": text, "gid": text, "mode": mode}


def grants(value: Value, work: Work) -> Value:
    """Configs of a service."""
    return _granted(value, work, "/")


def _granted(value: Value, work: Work, folder: str) -> Sequence:
    """Each once: the last one of a target. What it replaces is not read, and so may be wrong."""
    if not isinstance(value, Sequence):
        raise FormError("wants a list")

    def target(item: Value) -> object:
        item = unwrap(item)
        source, told = (item.get("source"), item.get("target")) if isinstance(item, Mapping) else (item, None)
        return str(told) if told else f"{folder}{source}"

    return items(_last(value, target), work, _grant)


def grants_of_build(value: Value, work: Work) -> Value:
    """Secrets of a build, all of them."""
    return items(value, work, _grant)


def secrets(value: Value, work: Work) -> Value:
    """Secrets of a service, mounted below /run/secrets unless told."""
    made = _granted(value, work, "/run/secrets/")
    for grant in made:
        if isinstance(grant, Merged) and not grant.get("target"):
            _insert(grant, "target", f"/run/secrets/{grant.get('source', '')}", after="source")
    return made


def _insert(grant: Merged, key: str, value: Value, after: str) -> None:
    old = dict(grant)
    grant.clear()
    for name, item in old.items():
        grant[name] = item
        if name == after:
            grant[key] = value
            grant.lines[key] = grant.lines[name]


def _grant(item: Value, work: Work) -> Value:
    if isinstance(item, Mapping):
        return record(item, _GRANT, work)
    return _at(work, {"source": text(item, work)})


_ATTACHMENT: Fields = {
    "aliases": distinct,
    "driver_opts": nullable_pairs,
    "gw_priority": whole,
    "interface_name": text,
    "ipv4_address": text,
    "ipv6_address": text,
    "link_local_ips": distinct,
    "mac_address": text,
    "priority": whole,
}


def networks(value: Value, work: Work) -> Value:
    """A sorted mapping of networks to how the service is on them."""
    source = named(value, nothing)
    if source is None:
        raise FormError("wants a list or a mapping")
    result = begun(source)
    for name in work.ordered(source):
        item = unwrap(source[name])
        put(result, name, None if item is None else record(item, _ATTACHMENT, work), source)
    return result or None


_MODEL: Fields = {"endpoint_var": text, "model_var": text}


def models(value: Value, work: Work) -> Value:
    source = named(value, nothing)
    if source is None:
        raise FormError("wants a list or a mapping")
    result = begun(source)
    for name in work.ordered(source):
        item = unwrap(source[name])
        put(result, name, None if item is None else record(item, _MODEL, work), source)
    return result or None


def ulimits(value: Value, work: Work) -> Value:
    """Both limits of each name, or the one number that is both."""
    return _limits(value, work, whole)


def ulimits_of_build(value: Value, work: Work) -> Value:
    """The same where Compose reads no number from a text, not even from a variable's."""
    return _limits(value, work, _number)


def _number(value: Value, work: Work) -> Value:
    if isinstance(value, str):
        raise FormError("wants a number, not a text")
    return whole(value, work)


def _limits(value: Value, work: Work, number: Convert) -> Value:
    if not isinstance(value, Mapping):
        raise FormError("wants a mapping")
    result = begun(value)
    for name in work.ordered(value):
        item = unwrap(value[name])
        if isinstance(item, Mapping):
            if "soft" not in item or "hard" not in item:
                raise FormError(f"`{name[:60]}` wants both `soft` and `hard`")
            limits = {key: number(unwrap(item[key]), work) for key in ("soft", "hard")}
            both = begun(item)
            for key, limit in limits.items():
                if limit or work.yaml:
                    put(both, key, limit, item)
            made: Value = both
        else:
            if isinstance(item, float):
                raise FormError(f"`{name[:60]}` wants a whole number")
            made = number(item, work) or _no_limit(work)
        put(result, name, made, value)
    return result or None


def _no_limit(work: Work) -> Value:
    """What Compose makes of a single 0."""
    return _at(work, {"soft": 0, "hard": 0} if work.yaml else {})


def _count(value: Value, work: Work) -> Value:
    return -1 if value == "all" else whole(value, work)


_GPU: Fields = {"capabilities": texts, "driver": text, "count": _count, "device_ids": texts, "options": pairs}


def requested_devices(value: Value, work: Work) -> Value:
    """`gpus` and reserved devices; without a count or ids it is all of them."""
    if value == "all":
        return Sequence([_at(work, {"count": -1})], line=work.position, lines=[work.position])
    made = items(value, work, lambda item, inner: record(item, _GPU, inner))
    for device in made:
        if isinstance(device, Merged):
            if device.get("device_ids") and device.get("count"):
                raise FormError("`count` and `device_ids` exclude each other")
            if not device.get("device_ids") and "count" not in device:
                device["count"] = -1
                _reorder(device, tuple(_GPU))
    return made


def _reorder(value: Mapping, order: tuple[str, ...]) -> None:
    old = dict(value)
    value.clear()
    for key in (*order, *old):
        if key in old:
            value[key] = old[key]


def weight(value: Value, work: Work) -> Value:
    """A weight, which Compose takes as a number alone."""
    if isinstance(value, str) and not work.lenient:
        raise FormError("wants a number, not a text")
    return whole(value, work)


def _rate(value: Value, work: Work) -> Value:
    """Bytes or operations a second; none is shown, too."""
    return memory(value, work) or "0"


_WEIGHT: Fields = {"path": text, "weight": weight}
_RATE: Fields = {"path": text, "rate": _rate}
_GO_NAMES: dict[str, tuple[str, Value]] = {"path": ("Path", ""), "weight": ("Weight", 0), "rate": ("Rate", "0")}


def _throttles(fields: Fields) -> Convert:
    def convert(value: Value, work: Work) -> Value:
        return items(value, work, lambda item, inner: _go_named(record(item, fields, inner), fields, inner))

    return convert


def _go_named(made: Merged, fields: Fields, work: Work) -> Value:
    """JSON shows these under the names of Go's fields; both are there, whether they are written or not."""
    result = begun(made)
    for key in (*fields, *(key for key in made if key not in fields)):
        name, default = _GO_NAMES.get(key, (key, None))
        put(result, key if work.yaml else name, made.get(key, default), made, key)
    return result


BLKIO: Fields = {
    "weight": weight,
    "weight_device": _throttles(_WEIGHT),
    **dict.fromkeys(
        ("device_read_bps", "device_read_iops", "device_write_bps", "device_write_iops"),
        _throttles(_RATE),
    ),
}
