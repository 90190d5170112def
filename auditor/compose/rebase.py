"""Relative paths of a file in one directory, said from another: for `extends` and `include`."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from auditor.compose.merge import copied, keyed
from auditor.yamlfile import Mapping, Sequence, Value

_Change = Callable[[Value], Value]


def rebase_model(model: Mapping, source: str, target: str) -> Mapping:
    """A whole model whose paths began in `source`, so that they begin in `target`."""
    if source == target:
        return model
    result = copied(model)
    services = model.get("services")
    change = _prefixing(source, target)
    if isinstance(services, Mapping):
        rebased = _each(services, lambda service: _rebased(service, source, target))
        result["services"] = _each(
            rebased, lambda service: _at_key(service, "build", lambda b: _with_context(b, change))
        )
    for section in ("configs", "secrets"):
        items = model.get(section)
        if isinstance(items, Mapping):
            result[section] = _each(items, lambda item: _at_key(item, "file", change))
    volumes = model.get("volumes")
    if isinstance(volumes, Mapping):
        result["volumes"] = _each(volumes, lambda volume: _volume(volume, change))
    return result


def _volume(volume: Value, change: _Change) -> Value:
    """A local volume that is a directory of the host."""
    options = volume.get("driver_opts") if isinstance(volume, Mapping) else None
    if not isinstance(volume, Mapping) or not isinstance(options, Mapping):
        return volume
    bound = volume.get("driver") == "local" and options.get("o") == "bind"
    return _at_key(volume, "driver_opts", lambda found: _at_key(found, "device", change)) if bound else volume


def rebase_service(service: Mapping, source: str, target: str) -> Mapping:
    """One service whose paths began in `source`, so that they begin in `target`."""
    if source == target:
        return service
    result = _rebased(service, source, target)
    return result if isinstance(result, Mapping) else service


def _rebased(service: Value, source: str, target: str) -> Value:
    if not isinstance(service, Mapping):
        return service
    change = _prefixing(source, target)
    result = copied(service)
    for key, rule in _RULES.items():
        if key in service:
            result[key] = rule(service[key], change)
    return result


_DEEP = "/-" * 40  # so deep that a path which climbs out of the root still has a name


def _prefixing(source: str, target: str) -> _Change:
    prefix = posixpath.relpath(f"{_DEEP}/{source}", f"{_DEEP}/{target}")

    def change(value: Value) -> Value:
        if not isinstance(value, str) or not value or value[0] in "/~" or "://" in value or value.startswith("git@"):
            return value
        joined = posixpath.normpath(posixpath.join(prefix, value))
        return joined if joined.startswith("../") or joined == ".." else f"./{joined}"

    return change


def _build(value: Value, change: _Change) -> Value:
    if isinstance(value, str):
        return change(value)
    if not isinstance(value, Mapping):
        return value
    result = _at_key(value, "context", change)
    result = _at_key(result, "ssh", lambda keys: _keys(keys, change))
    return _at_key(result, "additional_contexts", lambda contexts: _contexts(contexts, change))


def _keys(value: Value, change: _Change) -> Value:
    """`ssh`: a mapping of paths, or a list of `name=path`, of which a name alone stays."""
    if not isinstance(value, Sequence):
        return _each(value, change) if isinstance(value, Mapping) else value
    return _items(value, lambda item: _key(item, change) if isinstance(item, str) else item)


def _key(item: str, change: _Change) -> str:
    name, separator, path = item.partition("=")
    return f"{name}={change(path)}" if separator else item


def _with_context(build: Value, change: _Change) -> Value:
    """A build whose directory is said, for it is that of its own project."""
    if not isinstance(build, Mapping) or "context" in build:
        return build
    result = copied(build)
    result["context"] = change(".")
    result.lines["context"] = build.line
    return result


def _files(value: Value, change: _Change) -> Value:
    """`env_file`, `label_file`: a path, or a list of paths and `{path}`."""
    if isinstance(value, Sequence):
        return _items(value, lambda item: _at_key(item, "path", change) if isinstance(item, Mapping) else change(item))
    return change(value)


def _volumes(value: Value, change: _Change) -> Value:
    if not isinstance(value, Sequence):
        return value

    def one(item: Value) -> Value:
        if isinstance(item, Mapping):
            return _at_key(item, "source", change) if item.get("type") == "bind" else item
        if not isinstance(item, str) or not item.startswith("."):
            return item
        source, separator, rest = item.partition(":")
        return f"{change(source)}{separator}{rest}" if separator else item  # what is mounted from nowhere has no source

    return _items(value, one)


def _contexts(value: Value, change: _Change) -> Value:
    contexts = keyed(value)
    if contexts is None:
        return value
    return _each(contexts, lambda item: item if isinstance(item, str) and ":" in item else change(item))


def _develop(value: Value, change: _Change) -> Value:
    def watched(items: Value) -> Value:
        return _items(items, lambda item: _at_key(item, "path", change)) if isinstance(items, Sequence) else items

    return _at_key(value, "watch", watched)


_RULES: dict[str, Callable[[Value, _Change], Value]] = {
    "build": _build,
    "develop": _develop,
    "env_file": _files,
    "label_file": _files,
    "volumes": _volumes,
}


def _each(mapping: Mapping, change: _Change) -> Mapping:
    result = copied(mapping)
    result.update((key, change(value)) for key, value in mapping.items())
    return result


def _items(sequence: Sequence, change: _Change) -> Sequence:
    return Sequence([change(value) for value in sequence], line=sequence.line, lines=sequence.lines)


def _at_key(value: Value, key: str, change: _Change) -> Value:
    if not isinstance(value, Mapping) or key not in value:
        return value
    result = copied(value)
    result[key] = change(value[key])
    return result
