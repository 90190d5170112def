"""The model without its variables resolved: long forms and absolute paths, but values as they are written."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

from auditor.compose import attached
from auditor.compose.forms import Convert, FormError, Work, begun, plain, put
from auditor.compose.merge import Merged, build_mapping, copied, keyed, named, nothing, started, unwrap
from auditor.compose.service import implied
from auditor.compose.values import boolean, scalar_text
from auditor.yamlfile import Mapping, Sequence, Value

_SECTIONS = ("networks", "volumes", "secrets", "configs")


def uninterpreted(model: Mapping, name: str, work: Work) -> Mapping:
    """The whole model, its keys sorted."""
    parts: dict[str, Value] = {
        key: plain(value, yaml=work.yaml) for key, value in model.items() if key not in ("version", "include")
    }
    parts["name"] = name
    services = _services(model, work)
    parts["services"] = services
    uses_default = any(isinstance(item, Mapping) and _on_default(item) for item in services.values())
    for section in _SECTIONS:
        value = unwrap(model.get(section))
        declared = value if isinstance(value, Mapping) else Mapping(line=model.line)
        made = _resources(declared, name, work)
        if section == "networks" and uses_default and "default" not in made:
            put(made, "default", _named(Mapping(line=model.line), "default", name, work), declared)
        if made:
            parts[section] = plain(made, yaml=work.yaml)
    result = Merged(line=model.line)
    result.overrode = {}
    for key in work.ordered(parts):
        put(result, key, parts[key], model)
    return result


def _on_default(service: Mapping) -> bool:
    networks = service.get("networks")
    return isinstance(networks, Mapping) and "default" in networks


def _services(model: Mapping, work: Work) -> Merged:
    section = unwrap(model.get("services"))
    source = section if isinstance(section, Mapping) else Mapping(line=model.line)
    result = begun(source)
    for name in work.ordered(source):
        value = unwrap(source[name])
        work.service = name
        put(result, name, plain(_service(value, work), yaml=work.yaml) if isinstance(value, Mapping) else None, source)
    work.service = None
    return result


def _service(value: Mapping, work: Work) -> Mapping:
    result = begun(value)
    for key, item in value.items():
        work.position = value.lines.get(key, value.line)
        convert = _LONG.get(key)
        try:
            put(result, key, convert(unwrap(item), work) if convert else item, value)
        except FormError:
            put(result, key, item, value)
    if not (value.get("networks") or value.get("network_mode") or value.get("provider")):
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


def _resources(declared: Mapping, project: str, work: Work) -> Merged:
    result = begun(declared)
    for key, value in declared.items():
        item = unwrap(value)
        source = item if isinstance(item, Mapping) else Mapping(line=declared.lines.get(key, declared.line))
        put(result, key, _named(source, key, project, work), declared)
    return result


def _named(source: Mapping, key: str, project: str, work: Work) -> Mapping:
    result = begun(source)
    for name, value in source.items():
        put(result, name, value, source)
    if isinstance(path := unwrap(source.get("file")), str) and not path.startswith("/"):
        result["file"] = work.absolute(path)
    old = unwrap(source.get("external"))
    external = isinstance(old, Mapping) or boolean(old) is True
    if not source.get("name"):
        given = old.get("name") if isinstance(old, Mapping) else None
        put(result, "name", given or (key if external else f"{project}_{key}"), source)
    if isinstance(old, Mapping):
        result["external"] = True
    return result


# --- long forms ----------------------------------------------------------------------------------------------------


def _ports(value: Value, work: Work) -> Value:
    """A list in which one port cannot be read before its variables are known stays as it is."""
    if isinstance(value, Sequence) and any(isinstance(item, str) and "$" in item for item in value):
        return value
    return attached.ports(value, work)


def _build(value: Value, work: Work) -> Value:
    source = build_mapping(value, work.position)
    if not isinstance(source, Mapping):
        return value
    result = begun(source)
    for key, item in source.items():
        put(result, key, item, source)
    context = source.get("context") or "."
    if isinstance(context, str) and "://" not in context and not context.startswith("git@"):
        put(result, "context", work.absolute(context), source)
    if not source.get("dockerfile") and not source.get("dockerfile_inline"):
        put(result, "dockerfile", "Dockerfile", source)
    for key, convert in (("additional_contexts", _contexts), ("secrets", attached.grants)):
        if (item := unwrap(source.get(key))) is not None:
            put(result, key, convert(item, work), source)
    for key in ("provenance", "sbom"):
        if isinstance(item := unwrap(source.get(key)), bool):
            put(result, key, scalar_text(item), source)
    if (ssh := source.get("ssh")) is not None:
        put(result, "ssh", keyed(unwrap(ssh)), source)
    return result


def _contexts(value: Value, work: Work) -> Value:
    contexts = keyed(value)
    if contexts is None:
        return value
    result = begun(contexts)
    for key, path in contexts.items():
        local = isinstance(path, str) and "://" not in path and not path.startswith(("service:", "target:", "git@"))
        put(result, key, work.absolute(str(path)) if local else path, contexts)
    return result


def _env_files(value: Value, work: Work) -> Value:
    items = value if isinstance(value, Sequence) else Sequence([value], line=work.position, lines=[work.position])
    made: list[Value] = []
    for item in items:
        long = item if isinstance(item, Mapping) else Mapping({"path": item}, line=work.position)
        result = begun(long)
        put(result, "required", True, long)
        for key, part in long.items():
            put(result, key, work.absolute(part) if key == "path" and isinstance(part, str) else part, long)
        made.append(result)
    return Sequence(made, line=items.line, lines=list(items.lines))


def _label_files(value: Value, work: Work) -> Value:
    items = value if isinstance(value, Sequence) else Sequence([value], line=work.position, lines=[work.position])
    paths = [work.absolute(item) if isinstance(item, str) else item for item in items]
    return Sequence(paths, line=items.line, lines=list(items.lines))


def _listed(value: Value, work: Work) -> Value:
    return Sequence([value], line=work.position, lines=[work.position]) if isinstance(value, str) else value


def _all_of_them(value: Value, work: Work) -> Value:
    if value != "all":
        return value
    count = Mapping({"count": "all"}, line=work.position, lines={"count": work.position})
    return Sequence([count], line=work.position, lines=[work.position])


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
        put(result, key, edge, edges)
    return result


def _once(value: Value, work: Work) -> Value:
    """A list of texts, each once."""
    value = _listed(value, work)
    if not isinstance(value, Sequence):
        return value
    found = {scalar_text(unwrap(item)): (item, position) for item, position in zip(value, value.lines, strict=True)}
    return Sequence([item for item, _ in found.values()], line=value.line, lines=[line for _, line in found.values()])


def _merged_pairs(value: Value, _work: Work) -> Value:
    """Pairs that came of several places are a list of `NAME=value`, as written otherwise."""
    if not isinstance(value, Merged):
        return value
    shown = [key if item is None else f"{key}={scalar_text(unwrap(item))}" for key, item in value.items()]
    return Sequence(shown, line=value.line, lines=[value.lines[key] for key in value])


def _requests(value: Value, work: Work) -> Value:
    """Devices of which neither a number nor names are told are all of them."""
    value = _all_of_them(value, work)
    if not isinstance(value, Sequence):
        return value
    made: list[Value] = []
    for item in value:
        item = unwrap(item)
        if isinstance(item, Mapping) and not item.keys() & {"count", "device_ids"}:
            item = copied(item)
            item["count"] = "all"
        made.append(item)
    return Sequence(made, line=value.line, lines=list(value.lines))


_LONG: AnyMapping[str, Convert] = {
    "build": _build,
    "configs": attached.grants,
    "depends_on": _edges,
    "devices": attached.devices,
    **dict.fromkeys(("annotations", "environment", "labels", "sysctls"), _merged_pairs),
    **dict.fromkeys(("cap_add", "cap_drop", "dns_opt", "links", "profiles"), _once),
    "dns": _once,
    "dns_search": _once,
    "expose": _once,
    "env_file": _env_files,
    "gpus": _requests,
    "pull_policy": lambda value, _work: "missing" if value == "if_not_present" else value,
    "label_file": _label_files,
    "models": lambda value, _work: named(value, nothing),
    "networks": lambda value, _work: named(value, nothing),
    "ports": _ports,
    "secrets": attached.secrets,
    "volumes": attached.volumes,
}
