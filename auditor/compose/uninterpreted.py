"""The model without its variables resolved: long forms and absolute paths, but values as they are written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from collections.abc import Mapping as AnyMapping
from itertools import groupby

from auditor.compose import attached
from auditor.compose.consistency import resource_fault
from auditor.compose.forms import Convert, FormError, Work, begun, nulled, plain, put
from auditor.compose.merge import Merged, Pairs, build_mapping, copied, keyed, named, nothing, started, unwrap
from auditor.compose.service import implied, is_remote_context
from auditor.compose.values import boolean, scalar_text
from auditor.yamlfile import Mapping, Sequence, Value

_SECTIONS = ("networks", "volumes", "secrets", "configs")
_CONSISTENCY = "names no variable"  # what Compose asks of a project, not of a model


def uninterpreted(model: Mapping, name: str, work: Work) -> Mapping:
    """The whole model, its keys sorted."""
    kept = model.keys() - {"version", "include", "name", "services", *_SECTIONS}
    parts: dict[str, Value] = {key: plain(model[key], yaml=work.yaml) for key in kept}
    parts["name"] = name
    services = _services(model, work)
    if "services" in model:
        parts["services"] = plain(services, yaml=work.yaml)
    uses_default = any(isinstance(item, Mapping) and _on_default(item) for item in services.values())
    for section in _SECTIONS:
        value = unwrap(model.get(section))
        declared = value if isinstance(value, Mapping) else Mapping(line=model.line)
        made = _resources(section, declared, name, work)
        if section == "networks" and uses_default and "default" not in made:
            put(made, "default", _named(Mapping(line=model.line), "default", name, work), declared)
        if made or section in model:
            parts[section] = plain(made, yaml=work.yaml)
    result = Merged(line=model.line)
    result.overrode = {}
    for key in work.ordered(parts):
        put(result, key, parts[key], model)
    return result


def _on_default(service: Mapping) -> bool:
    networks = service.get("networks")
    if "provider" in service or "network_mode" in service:
        return False
    return isinstance(networks, Mapping) and "default" in networks


def _services(model: Mapping, work: Work) -> Merged:
    section = unwrap(model.get("services"))
    source = section if isinstance(section, Mapping) else Mapping(line=model.line)
    result = begun(source)
    for name in work.ordered(source):
        value = unwrap(source[name])
        work.service = name
        put(result, name, _service(value, work) if isinstance(value, Mapping) else None, source)
    work.service = None
    return result


def _service(value: Mapping, work: Work) -> Mapping:
    result = begun(value)
    for key, item in value.items():
        work.position = value.lines.get(key, value.line)
        convert = _LONG.get(key)
        try:
            put(result, key, convert(unwrap(item), work) if convert else item, value)
        except FormError as error:
            work.refuse(f"`{key}`: {error}", work.position)
            put(result, key, item, value)
    if not (value.get("networks") or "network_mode" in value or "provider" in value):
        default = begun(value)
        put(default, "default", None, value, "networks")
        put(result, "networks", default, value)
    edges = result.get("depends_on")
    for key, target, restart in implied(value):
        edges = edges if isinstance(edges, Mapping) else begun(value)
        if target not in edges:
            edge = Mapping(line=value.line)
            edge["condition"], edge["required"], edge["restart"] = "service_started", True, restart
            edges[target] = edge
            edges.lines[target] = value.lines.get(key, value.line)
    if isinstance(edges, Mapping):
        put(result, "depends_on", edges, value)
    return result


def _resources(section: str, declared: Mapping, project: str, work: Work) -> Merged:
    result = begun(declared)
    for key, value in declared.items():
        item = unwrap(value)
        source = item if isinstance(item, Mapping) else Mapping(line=declared.lines.get(key, declared.line))
        work.position = declared.lines.get(key, declared.line)
        if (fault := resource_fault(section, item)) and not fault.startswith(_CONSISTENCY):
            work.refuse(f"`{section}.{key[:60]}` {fault}", work.position)
        if section == "volumes" and isinstance(source.get("external"), str):
            work.refuse(f"`volumes.{key[:60]}.external` is a text, which Compose cannot read", work.position)
        put(result, key, _named(source, key, project, work, labelled=section == "networks"), declared)
    return result


def _named(source: Mapping, key: str, project: str, work: Work, *, labelled: bool = False) -> Mapping:
    result = begun(source)
    for name, value in source.items():
        put(result, name, value, source)
    if labelled and "labels" in source:
        result["labels"] = _pairs(unwrap(source["labels"]), work)
    if isinstance(path := unwrap(source.get("file")), str):
        result["file"] = attached.mounted(path, work)
    options = unwrap(source.get("driver_opts"))
    if source.get("driver") == "local" and isinstance(options, Mapping) and options.get("o") == "bind":
        result["driver_opts"] = _with(options, "device", lambda path: attached.mounted(str(path), work))
    old = unwrap(source.get("external"))
    external = isinstance(old, Mapping) or boolean(old) is True
    if source.get("name") is None:
        given = old.get("name") if isinstance(old, Mapping) else None
        put(result, "name", given or (key if external else f"{project}_{key}"), source)
    if isinstance(old, Mapping):
        result["external"] = True
    return result


def _with(mapping: Mapping, key: str, change: Callable[[Value], Value]) -> Mapping:
    """A mapping of which one value is another, where it has it."""
    result = copied(mapping)
    if mapping.get(key) is not None:
        result[key] = change(unwrap(mapping[key]))
    return result


# --- lists -----------------------------------------------------------------------------------------------------------


def _pairs_of(value: Value) -> Iterator[tuple[Value, int]]:
    if isinstance(value, Sequence):
        yield from zip(map(unwrap, value), value.lines, strict=True)


def _each_once(value: Sequence, key: Callable[[Value], object]) -> Sequence:
    """The last item of each key, where the first one stood."""
    found = {key(item): (item, line) for item, line in _pairs_of(value)}
    return Sequence([item for item, _ in found.values()], line=value.line, lines=[line for _, line in found.values()])


def _name(item: Value) -> object:
    return scalar_text(item).partition("=")[0]


def _listed(value: Value, work: Work) -> Value:
    return Sequence([value], line=work.position, lines=[work.position]) if isinstance(value, str) else value


def _once(value: Value, _work: Work) -> Value:
    """A list of texts, each once by what stands before a `=`."""
    return _each_once(value, _name) if isinstance(value, Sequence) else value


def _addresses(value: Value, work: Work) -> Value:
    """A text or a list, without what is empty."""
    made = _once(_listed(value, work), work)
    if not isinstance(made, Sequence):
        return made
    kept = [(item, line) for item, line in _pairs_of(made) if item not in (None, "")]
    return Sequence([item for item, _ in kept], line=made.line, lines=[line for _, line in kept])


def _pairs(value: Value, work: Work) -> Value:
    """Pairs that came of several places are a list of `NAME=value`, as written otherwise."""
    if not isinstance(value, Pairs):
        return _once(value, work)
    shown = [key if item is None else f"{key}={scalar_text(unwrap(item))}" for key, item in value.items()]
    return Sequence(shown, line=value.line, lines=[value.lines[key] for key in value])


def _with_values(value: Value, work: Work) -> Value:
    """Pairs without those that have no value."""
    made = _pairs(value, work)
    if isinstance(made, Mapping):
        result = begun(made)
        for key in [key for key, item in made.items() if unwrap(item) is not None]:
            put(result, key, made[key], made)
        return result
    kept = [(item, line) for item, line in _pairs_of(made) if "=" in scalar_text(item)]
    return Sequence([item for item, _ in kept], line=work.position, lines=[line for _, line in kept])


# --- ports, mounts, devices --------------------------------------------------------------------------------------


def _ports(value: Value, work: Work) -> Value:
    """File by file: a list in which one port cannot be read before its variables are known stays as it is."""
    if not isinstance(value, Sequence):
        raise FormError("wants a list")
    exact = dataclasses.replace(work, lenient=False)
    found: list[tuple[Value, int]] = []
    places = work.faults.places
    for _, group in groupby(_pairs_of(value), key=lambda pair: places.at(pair[1]).path):
        found = _once_bound(found + list(group))
        try:
            found = _once_bound([made for item, line in found for made in _read(item, line, exact)])
        except attached.UnreadableError:
            continue
    result = [_port_of(item) for item, _ in found]
    return Sequence(result, line=value.line, lines=[line for _, line in found])


def _read(item: Value, line: int, work: Work) -> Iterator[tuple[Value, int]]:
    work.position = line
    if isinstance(item, Mapping):
        yield item, line
        return
    if isinstance(item, bool) or not isinstance(item, str | int):
        raise FormError("a port is a number, a text or a mapping with `target`")
    yield from ((made, line) for made in attached.short_port(item, work))


def _once_bound(ports: list[tuple[Value, int]]) -> list[tuple[Value, int]]:
    found: dict[object, tuple[Value, int]] = {}
    for item, line in ports:
        if isinstance(item, Mapping) and item.get("target") is None:
            raise FormError("a port without a `target`")
        found[attached.binding(item, item) if isinstance(item, Mapping) else str(item)] = (item, line)
    return list(found.values())


def _port_of(item: Value) -> Value:
    if not isinstance(item, Mapping):
        return item
    host = item.get("host_ip")
    if isinstance(host, str) and not attached.is_address(host):
        raise FormError(f"`{host[:60]}` is no address")
    result = copied(item)
    for key, default in (("mode", "ingress"), ("protocol", "tcp")):
        if key not in result:
            result[key] = default
            result.lines[key] = item.line
    return result


def _volumes(value: Value, work: Work) -> Value:
    if not isinstance(value, Sequence):
        raise FormError("wants a list")
    exact = dataclasses.replace(work, lenient=False)
    written: dict[object, tuple[Mapping, int, bool]] = {}
    for item, line in _pairs_of(value):
        exact.position = line
        mount = attached.short_mount(str(item), exact) if isinstance(item, str) else item
        if not isinstance(mount, Mapping) or not isinstance(mount.get("target"), str):
            raise FormError("a mount without a `target`")
        written[mount["target"]] = (mount, line, isinstance(item, str))
    # Compose tells targets apart as written first, and once more when those of short forms are clean.
    found = {attached.clean(str(key)) if short else key: (mount, line) for key, (mount, line, short) in written.items()}
    made = [_mount(mount, work) for mount, _ in found.values()]
    return Sequence(made, line=value.line, lines=[line for _, line in found.values()])


def _mount(mount: Mapping, work: Work) -> Mapping:
    if mount.get("type") == "bind" and not isinstance(mount.get("source"), str):
        raise FormError("a bind mount wants a `source`")
    made = _with(mount, "target", lambda target: attached.clean(str(target)))
    return _with(made, "source", lambda path: attached.mounted(str(path), work)) if made.get("type") == "bind" else made


def _devices(value: Value, work: Work) -> Value:
    if not isinstance(value, Sequence):
        raise FormError("wants a list")
    once = _each_once(value, attached.written_target)
    made = [_device(item, line) for item, line in _pairs_of(once)]
    return _each_once(Sequence(made, line=value.line, lines=list(once.lines)), _target)


def _target(item: Value) -> object:
    target = item.get("target") if isinstance(item, Mapping) else None
    if not isinstance(target, str):
        raise FormError("a device without a `target`")
    return target


def _device(item: Value, line: int) -> Value:
    if not isinstance(item, str):
        return item
    parts = str(item).split(":")
    source, target, permissions = (*parts, *("", "rwm")[len(parts) - 1 :]) if len(parts) < 4 else ("", "", "rwm")
    made = {"source": source, "target": target or source, "permissions": permissions}
    return Mapping(made, line=line, lines=dict.fromkeys(made, line))


def _requests(value: Value, work: Work) -> Value:
    """Devices of which neither a number nor names are told are all of them."""
    if value == "all":
        count = Mapping({"count": "all"}, line=work.position, lines={"count": work.position})
        return Sequence([count], line=work.position, lines=[work.position])
    if not isinstance(value, Sequence):
        return value
    made: list[Value] = []
    for item, _ in _pairs_of(value):
        told = item.keys() & {"count", "device_ids"} if isinstance(item, Mapping) else ()
        if len(told) > 1:
            raise FormError("`count` and `device_ids` exclude each other")
        if isinstance(item, Mapping) and not told:
            item = copied(item)
            item["count"] = "all"
            item.lines["count"] = item.line
        made.append(item)
    return Sequence(made, line=value.line, lines=list(value.lines))


# --- the rest ------------------------------------------------------------------------------------------------------


def _build(value: Value, work: Work) -> Value:
    source = build_mapping(value, work.position)
    if not isinstance(source, Mapping):
        return value
    result = begun(source)
    for key, item in source.items():
        convert = _OF_BUILD.get(key)
        put(result, key, convert(unwrap(item), work) if convert else item, source)
    if source.get("context") is None:
        put(result, "context", work.absolute("."), source)
    if source.get("dockerfile") is None and source.get("dockerfile_inline") is None:
        put(result, "dockerfile", "Dockerfile", source)
    return result


def _context(value: Value, work: Work) -> Value:
    if not isinstance(value, str) or "://" in value or value.startswith("service:") or is_remote_context(value):
        return value
    return work.absolute(value) if value else value


def _contexts(value: Value, work: Work) -> Value:
    contexts = keyed(value)
    if contexts is None or any("=" not in scalar_text(item) for item, _ in _pairs_of(value)):
        return value
    result = begun(contexts)
    for key, path in contexts.items():
        put(result, key, _context(unwrap(path), work), contexts)
    return result


def _keys(value: Value, work: Work) -> Value:
    keys = keyed(value)
    if keys is None:
        return value
    result = begun(keys)
    for key, path in keys.items():
        put(result, key, attached.mounted(str(path), work) if isinstance(path, str) else path, keys)
    return result


def _limits(value: Value, _work: Work) -> Value:
    """Compose reads no number from a text here, not even from a variable's."""
    for item in value.values() if isinstance(value, Mapping) else ():
        if isinstance(unwrap(item), str):
            raise FormError("wants a number, not a text")
    return value


def _env_files(value: Value, work: Work) -> Value:
    items = value if isinstance(value, Sequence) else Sequence([value], line=work.position, lines=[work.position])
    made: list[Value] = []
    for item, _ in _pairs_of(items):
        long = item if isinstance(item, Mapping) else Mapping({"path": item}, line=work.position)
        result = begun(long)
        put(result, "required", True, long)
        for key, part in long.items():
            put(result, key, work.absolute(part) if key == "path" and isinstance(part, str) else part, long)
        made.append(result)
    listed = Sequence(made, line=items.line, lines=list(items.lines))
    return _each_once(listed, lambda item: item.get("path") if isinstance(item, Mapping) else id(item))


def _label_files(value: Value, work: Work) -> Value:
    items = value if isinstance(value, Sequence) else Sequence([value], line=work.position, lines=[work.position])
    paths = [work.absolute(item) if isinstance(item, str) else item for item, _ in _pairs_of(items)]
    return Sequence(paths, line=items.line, lines=list(items.lines))


def _edges(value: Value, _work: Work) -> Value:
    edges = named(value, started)
    if edges is None:
        return value
    result = begun(edges)
    for key, item in edges.items():
        edge = unwrap(item)
        if isinstance(edge, Mapping) and "required" not in edge:
            edge = copied(edge)
            edge["required"] = True
            edge.lines["required"] = edge.line
        put(result, key, edge, edges)
    return result


def _networks(value: Value, work: Work) -> Value:
    networks = named(value, nothing)
    if networks is None:
        return value
    result = begun(networks)
    for key, item in networks.items():
        given = unwrap(item)
        for lists in ("aliases", "link_local_ips") if isinstance(given, Mapping) else ():
            given = _with(given, lists, lambda found: _once(found, work)) if isinstance(given, Mapping) else given
        put(result, key, given, networks)
    return result


def _deploy(value: Value, work: Work) -> Value:
    if not isinstance(value, Mapping):
        return value
    made = _with(value, "labels", lambda labels: _pairs(labels, work))
    return _with(made, "resources", lambda found: _inside(found, ("reservations", "devices"), work))


def _inside(value: Value, path: tuple[str, ...], work: Work) -> Value:
    """A mapping whose devices at a path are told in full."""
    if not path:
        return _requests(value, work)
    return _with(value, path[0], lambda item: _inside(item, path[1:], work)) if isinstance(value, Mapping) else value


def _develop(value: Value, work: Work) -> Value:
    return _with(value, "watch", lambda rules: _watched(rules, work)) if isinstance(value, Mapping) else value


def _watched(rules: Value, work: Work) -> Value:
    if not isinstance(rules, Sequence):
        return rules
    return Sequence([_rule(rule, work) for rule, _ in _pairs_of(rules)], line=rules.line, lines=list(rules.lines))


def _rule(rule: Value, work: Work) -> Value:
    if not isinstance(rule, Mapping):
        return rule
    made = _with(rule, "path", lambda path: work.absolute(str(path)))
    for key in ("ignore", "include"):
        made = _with(made, key, lambda value: _listed(value, work))
    return made


def _stated(value: Value, _work: Work) -> Value:
    return scalar_text(value)


_OF_BUILD: AnyMapping[str, Convert] = {
    "additional_contexts": _contexts,
    "args": _with_values,
    "context": _context,
    "labels": _pairs,
    "provenance": _stated,
    "sbom": _stated,
    "secrets": attached.grants_of_build,
    "ssh": _keys,
    "tags": _once,
    "ulimits": _limits,
}
_LONG: AnyMapping[str, Convert] = {
    "build": _build,
    "configs": attached.grants,
    "depends_on": _edges,
    "deploy": _deploy,
    "develop": _develop,
    "devices": _devices,
    **dict.fromkeys(("annotations", "environment", "labels", "sysctls"), _pairs),
    **dict.fromkeys(("cap_add", "cap_drop", "dns_opt", "dns_search", "links", "profiles", "tmpfs"), _once),
    "dns": _addresses,
    "expose": lambda value, _work: _each_once(value, scalar_text) if isinstance(value, Sequence) else value,
    "env_file": _env_files,
    "gpus": _requests,
    "pull_policy": lambda value, _work: "missing" if value == "if_not_present" else value,
    "label_file": _label_files,
    "models": lambda value, _work: named(value, nothing),
    "networks": _networks,
    "ports": _ports,
    "secrets": attached.secrets,
    "ulimits": _limits,
    "volumes": _volumes,
}
_DISTINCT = _LONG.keys() - {"annotations", "build", "deploy", "develop", "gpus", "label_file", "models", "ulimits"}


def nulled_model(config: Mapping) -> None:
    """Makes the empty lists null, as Go writes them into JSON; not those in which Compose looks for equal items."""
    services = config.get("services")
    found = services.values() if isinstance(services, Mapping) else ()
    kept = [(item, key) for item in found if isinstance(item, Mapping) for key in _DISTINCT if item.get(key) == []]
    nulled(config)
    for service, key in kept:
        service[key] = Sequence()
