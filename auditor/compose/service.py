"""One merged service as `docker compose config` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from typing import TypeAlias

from auditor.compose import attached
from auditor.compose.forms import (
    Fields,
    FormError,
    Work,
    begun,
    command,
    distinct,
    duration,
    exact_pairs,
    extensions,
    flag,
    items,
    listed,
    memory,
    natural,
    nested,
    one_or_more,
    pairs,
    put,
    real,
    record,
    text,
    texts,
    unique,
    variables,
    whole,
)
from auditor.compose.interpolate import Text
from auditor.compose.merge import Merged, build_mapping, keyed, lost, named, started, unwrap
from auditor.compose.values import boolean, linked, scalar_text
from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Value

# --- build ---------------------------------------------------------------------------------------------------------


def is_remote_context(path: str) -> bool:
    """Whether a context of a build is fetched from elsewhere."""
    return "://" in path or path.startswith(("git@", "github.com/"))


def _context(value: Value, work: Work) -> Value:
    path = str(text(value, work) or ".")
    if is_remote_context(path) or path.startswith("service:") or (work.lenient and path.startswith("$")):
        return path
    return work.absolute(path)


def _args(value: Value, work: Work) -> Value:
    """Arguments without a value come from the environment, and vanish where it has none."""
    source = variables(value, work)
    if not isinstance(source, Mapping):
        return None
    result = begun(source)
    for key, item in source.items():
        given = work.values.get(key) if item is None else item
        if given is not None:
            put(result, key, given, source)
    return result or None


_KEPT_CONTEXTS = ("docker-image://", "oci-layout://", "service:", "target:")


def context_pair(item: str) -> None:
    """Raises FormError where an item names no context."""
    if "=" not in item:
        raise FormError("an item of the list wants `name=path`")


def _contexts(value: Value, work: Work) -> Value:
    for item in value if isinstance(value, Sequence) else ():
        context_pair(str(unwrap(item)))
    source = pairs(value, work)
    if not isinstance(source, Mapping):
        return None
    for key, path in source.items():
        if isinstance(path, str) and not is_remote_context(path) and not path.startswith(_KEPT_CONTEXTS):
            source[key] = work.absolute(path)
    return source


def ssh_key(item: str) -> None:
    """Raises FormError where an item names no key."""
    name, _, path = item.partition("=")
    if not path and name != "default":
        raise FormError("an item wants `default` or `id=path`")


def _ssh(value: Value, work: Work) -> Value:
    """`default` or `id=path`, sorted; YAML has them in a form of its own."""
    source = keyed(value)
    if source is None:
        raise FormError("wants a mapping or a list")
    found = {key: scalar_text(unwrap(source[key])) for key in sorted(source)}
    for item in value if isinstance(value, Sequence) else ():
        ssh_key(str(unwrap(item)))
    between = ": " if work.yaml else "="
    shown = [f"{key}{between}{attached.mounted(path, work)}" if path else key for key, path in found.items()]
    return Sequence(shown, line=source.line, lines=[source.lines[key] for key in found])


def _stated(value: Value, work: Work) -> Value:
    """A text that may be written as true or false."""
    return scalar_text(value)


BUILD: Fields = {
    "context": _context,
    "dockerfile": text,
    "dockerfile_inline": text,
    "entitlements": texts,
    "args": _args,
    "provenance": _stated,
    "sbom": _stated,
    "ssh": _ssh,
    "labels": pairs,
    "cache_from": texts,
    "cache_to": texts,
    "no_cache": flag,
    "no_cache_filter": one_or_more,
    "additional_contexts": _contexts,
    "pull": flag,
    "extra_hosts": attached.hosts,
    "isolation": text,
    "network": text,
    "target": text,
    "secrets": attached.grants_of_build,
    "shm_size": memory,
    "tags": distinct,
    "ulimits": attached.ulimits_of_build,
    "platforms": texts,
    "privileged": flag,
}


def _build(value: Value, work: Work) -> Value:
    written = build_mapping(value, work.position)
    if not isinstance(written, Mapping):
        raise FormError("wants a path or a mapping")
    inline = unwrap(written.get("dockerfile_inline"))
    if inline and unwrap(written.get("dockerfile")) and not work.inactive:
        work.refuse("`dockerfile` and `dockerfile_inline` exclude each other", work.position)
    made = record(written, BUILD, work)
    result = begun(written)
    named = any(unwrap(written.get(key)) is not None for key in ("dockerfile", "dockerfile_inline"))
    defaults = {"context": work.directory} | ({} if named else {"dockerfile": "Dockerfile"})
    for key in BUILD:
        if key in made:
            put(result, key, made[key], made)
        elif key in defaults:
            put(result, key, defaults[key], written)
    for key in made.keys() - result.keys():
        put(result, key, made[key], made)
    return result


def _written_size(value: Value, work: Work) -> Value:
    """A size that must be a text."""
    if not isinstance(value, str):
        raise FormError("wants a text, such as `64m`")
    return memory(value, work)


# --- deploy --------------------------------------------------------------------------------------------------------


def _discrete(value: Value, work: Work) -> Value:
    """Both keys are shown, whether they are written or not."""
    made = record(value, {"kind": text, "value": whole}, work, frozenset(("kind", "value")))
    result = begun(made)
    for key, default in (("kind", ""), ("value", 0)):
        put(result, key, made.get(key, default), made)
    for key in made.keys() - result.keys():
        put(result, key, made[key], made)
    return result


_GENERIC: Fields = {"discrete_resource_spec": _discrete}
_LIMITS: Fields = {
    "cpus": real,
    "memory": _written_size,
    "pids": whole,
    "devices": attached.requested_devices,
    "generic_resources": listed(_GENERIC),
}


def _pause(value: Value, work: Work) -> Value:
    """A duration of which nothing is shown where it is none."""
    made = duration(value, work)
    return None if made == "0s" else made


_UPDATE: Fields = {
    "parallelism": natural,
    "delay": _pause,
    "failure_action": text,
    "monitor": _pause,
    "max_failure_ratio": real,
    "order": text,
}
_RESTART: Fields = {"condition": text, "delay": duration, "max_attempts": natural, "window": duration}
_PLACEMENT: Fields = {
    "constraints": texts,
    "preferences": listed({"spread": text}),
    "max_replicas_per_node": natural,
}
DEPLOY: Fields = {
    "mode": text,
    "replicas": whole,
    "labels": pairs,
    "update_config": nested(_UPDATE, frozenset(("parallelism",))),
    "rollback_config": nested(_UPDATE, frozenset(("parallelism",))),
    "resources": nested({"limits": nested(_LIMITS), "reservations": nested(_LIMITS)}),
    "restart_policy": nested(_RESTART, frozenset(("delay", "window", "max_attempts"))),
    "placement": nested(_PLACEMENT),
    "endpoint_mode": text,
}


def _deploy(value: Value, work: Work) -> Value:
    """JSON always shows `resources` and `placement`."""
    if value is None:
        return None
    made = record(value, DEPLOY, work, frozenset(("replicas",)))
    result = begun(made)
    for key in (*DEPLOY, *work.ordered(made.keys() - DEPLOY.keys())):
        structure = key in ("resources", "placement")
        if key in made and not (structure and work.yaml and made[key] == {}):
            put(result, key, made[key], made)
        elif structure and not work.yaml:
            put(result, key, begun(made), made)
    return result


# --- development, hooks, health ----------------------------------------------------------------------------------


_HOOK: Fields = {
    "command": command,
    "user": text,
    "privileged": flag,
    "working_dir": text,
    "environment": variables,
}


def _hook(item: Value, work: Work) -> Value:
    """JSON shows a command that is nothing."""
    made = record(item, _HOOK, work, frozenset(("command",)))
    if "command" in made or work.yaml or not isinstance(item, Mapping):
        return made
    result = begun(made)
    put(result, "command", None, item)
    for key in made:
        put(result, key, made[key], made)
    return result


def _hooks(value: Value, work: Work) -> Value:
    return items(value, work, _hook)


def _path(value: Value, work: Work) -> Value:
    return work.absolute(str(text(value, work)))


def _watch(item: Value, work: Work) -> Value:
    made = record(item, {"path": _path, "action": text, "target": text, "exec": _hook, "include": one_or_more,
                         "ignore": one_or_more, "initial_sync": flag}, work)  # fmt: skip
    _judge_watch(made)
    if work.yaml:
        if made.get("exec") == {}:
            del made["exec"]
        return made
    result = begun(made)
    for key in ("path", "action", "target", "exec", "include", "ignore", "initial_sync"):
        if key in made:
            put(result, key, made[key], made)
        elif key == "exec":
            nothing = begun(made)
            put(nothing, "command", None, made)
            put(result, key, nothing, made)
    return result


_ACTIONS = ("rebuild", "sync", "restart", "sync+restart", "sync+exec")


def _judge_watch(made: Mapping) -> None:
    """Raises FormError where a rule says too little."""
    if "path" not in made:
        raise FormError("a rule of `watch` without a `path`")
    action = made.get("action")
    if action not in _ACTIONS:
        raise FormError(f"a rule of `watch` wants an `action`: {', '.join(_ACTIONS)}")
    if str(action).startswith("sync") and not made.get("target"):
        raise FormError("a rule of `watch` that syncs wants a `target`")


def _develop(value: Value, work: Work) -> Value:
    if value is None:
        return None
    return record(value, {"watch": lambda found, inner: items(found, inner, _watch)}, work)


def _test(value: Value, work: Work) -> Value:
    if isinstance(value, str):
        return Sequence(["CMD-SHELL", str(value)], line=work.position, lines=[work.position] * 2)
    found = texts(value, work)
    if found and found[0] not in ("NONE", "CMD", "CMD-SHELL") and not work.inactive:
        raise FormError("a list begins with `NONE`, `CMD` or `CMD-SHELL`")
    return found


HEALTHCHECK: Fields = {
    "test": _test,
    "timeout": duration,
    "interval": duration,
    "retries": natural,
    "start_period": duration,
    "start_interval": duration,
    "disable": flag,
}
_TIMES = frozenset(("timeout", "interval", "start_period", "start_interval", "retries"))


def _healthcheck(value: Value, work: Work) -> Value:
    return record(value, HEALTHCHECK, work, _TIMES)


# --- the small ones ------------------------------------------------------------------------------------------------


_POLICIES = regexp(r"always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+")


def _strategy(value: Value, work: Work) -> Value:
    if not _POLICIES.search(str(text(value, work))) and not work.lenient:
        raise FormError("is none of always, never, build, missing, daily, weekly, every_<duration>")
    return "missing" if value == "if_not_present" else text(value, work)


def _edge(item: Value, work: Work) -> Value:
    if not isinstance(item, Mapping):
        raise FormError("an entry of `depends_on` wants a `condition`")
    if isinstance(item.get("required"), Text) and not work.lenient:
        raise FormError("`required` wants true or false, not a variable")
    if "condition" not in item:
        raise FormError("an entry of `depends_on` without a `condition`")
    result = begun(item)
    put(result, "condition", text(unwrap(item["condition"]), work), item)
    if boolean(item.get("restart")) is True:
        put(result, "restart", True, item)
    put(result, "required", boolean(item.get("required")) is not False, item)
    if work.yaml:
        extensions(result, item)
    return result


def _depends_on(value: Value, work: Work) -> Value:
    source = named(value, started)
    if source is None:
        raise FormError("wants a list or a mapping")
    result = begun(source)
    for name in work.ordered(source):
        put(result, name, _edge(unwrap(source[name]), work), source)
    return result


def _tmpfs(value: Value, work: Work) -> Value:
    """Each once; two of one target exclude each other."""
    made = one_or_more(value, work)
    seen: set[str] = set()
    for item, position in zip(made, made.lines, strict=True):
        target = str(item).partition(":")[0]
        if target in seen and not work.inactive:
            work.refuse(f"`tmpfs` mounts `{target[:60]}` twice", position)
        seen.add(target)
    return made


def _servers(value: Value, work: Work) -> Value:
    """Addresses of name servers without what is empty."""
    made = one_or_more(value, work)
    kept = [(item, line) for item, line in zip(made, made.lines, strict=True) if item != ""]
    return Sequence([item for item, _ in kept], line=made.line, lines=[line for _, line in kept])


def _label_pairs(value: Value, work: Work) -> Value:
    return pairs(value, work)


def _option_lists(value: Value, work: Work) -> Value:
    """A mapping of lists of texts; a single value is a list of one."""
    if not isinstance(value, Mapping):
        raise FormError("wants a mapping")
    result = begun(value)
    for key in work.ordered(value):
        item = unwrap(value[key])
        given = item if isinstance(item, Sequence) else Sequence([item], line=value.line, lines=[value.lines[key]])
        put(result, key, texts(given, work), value)
    return result or None


def _provider(value: Value, work: Work) -> Value:
    return record(value, {"type": text, "options": _option_lists}, work)


def _log_options(value: Value, work: Work) -> Value:
    options = value if isinstance(value, Mapping) else Mapping()
    for key, item in options.items():
        if isinstance(item, bool | Mapping | Sequence):
            work.refuse(f"`{key[:60]}` of a log driver is a text or a number", options.lines[key])
    return pairs(value, work)


_LOGGING: Fields = {"driver": text, "options": _log_options}
_CREDENTIAL: Fields = {"config": text, "file": text, "registry": text}

SERVICE: Fields = {
    "profiles": distinct,
    "annotations": pairs,
    "attach": flag,
    "build": _build,
    "develop": _develop,
    "blkio_config": nested(attached.BLKIO),
    "cap_add": distinct,
    "cap_drop": distinct,
    "cgroup_parent": text,
    "cgroup": text,
    "cpu_count": whole,
    "cpu_percent": whole,
    "cpu_period": whole,
    "cpu_quota": whole,
    "cpu_rt_period": whole,
    "cpu_rt_runtime": whole,
    "cpus": real,
    "cpuset": text,
    "cpu_shares": whole,
    "command": command,
    "configs": attached.grants,
    "container_name": text,
    "credential_spec": nested(_CREDENTIAL),
    "depends_on": _depends_on,
    "deploy": _deploy,
    "device_cgroup_rules": texts,
    "devices": attached.devices,
    "dns": _servers,
    "dns_opt": distinct,
    "dns_search": one_or_more,
    "dockerfile": text,
    "domainname": text,
    "entrypoint": command,
    "provider": _provider,
    "environment": variables,
    "expose": attached.expose,
    "external_links": unique,
    "extra_hosts": attached.hosts,
    "group_add": texts,
    "gpus": attached.requested_devices,
    "hostname": text,
    "healthcheck": _healthcheck,
    "image": text,
    "init": flag,
    "ipc": text,
    "isolation": text,
    "labels": _label_pairs,
    "links": distinct,
    "logging": nested(_LOGGING),
    "mem_limit": memory,
    "mem_reservation": memory,
    "memswap_limit": memory,
    "mem_swappiness": memory,
    "mac_address": text,
    "models": attached.models,
    "network_mode": text,
    "networks": attached.networks,
    "oom_kill_disable": flag,
    "oom_score_adj": whole,
    "pid": text,
    "pids_limit": whole,
    "platform": text,
    "ports": attached.ports,
    "privileged": flag,
    "pull_policy": _strategy,
    "read_only": flag,
    "restart": text,
    "runtime": text,
    "scale": whole,
    "secrets": attached.secrets,
    "security_opt": unique,
    "shm_size": memory,
    "stdin_open": flag,
    "stop_grace_period": duration,
    "stop_signal": text,
    "storage_opt": exact_pairs,
    "sysctls": pairs,
    "tmpfs": _tmpfs,
    "tty": flag,
    "ulimits": attached.ulimits,
    "use_api_socket": flag,
    "user": text,
    "userns_mode": text,
    "uts": text,
    "volumes": attached.volumes,
    "volumes_from": unique,
    "working_dir": text,
    "pre_start": _hooks,
    "post_start": _hooks,
    "pre_stop": _hooks,
}
_KEEP = frozenset(("attach", "init", "command", "entrypoint", "scale", "stop_grace_period"))


Given: TypeAlias = "AnyMapping[str, tuple[str | None, tuple[int, ...]]]"  # value, and positions, the deciding one first


def canonical_service(name: str, value: Mapping, environment: Given, work: Work) -> Mapping:
    """The printed form. `environment`: what env files and the service itself set, with positions."""
    work.service = name
    made = record(value, SERVICE, work, _KEEP)
    result = begun(made)
    implied = _with_implied(value, made, work)
    default = _default_networks(value, work)
    for key in (*SERVICE, *work.ordered(made.keys() - SERVICE.keys())):
        if key == "environment":
            if environment:
                put(result, key, _folded(value, environment, work), made)
        elif key == "depends_on":
            if implied:
                put(result, key, implied, made)
        elif key == "networks" and default is not None:
            put(result, key, default, made)
        elif key in ("command", "entrypoint"):
            if not work.yaml or made.get(key) is not None:
                put(result, key, made.get(key), made if key in made else value)
        elif key in made:
            put(result, key, made[key], made)
    _scaled(result)
    work.service = None
    return result


def _scaled(service: Mapping) -> None:
    """`deploy` says what `scale` does, where both are written."""
    scale, deploy = service.get("scale"), service.get("deploy")
    if isinstance(deploy, Merged) and scale is not None:
        old = dict(deploy)
        deploy.clear()
        for key in (*DEPLOY, *old):
            if key == "replicas" and "replicas" not in old:
                put(deploy, key, scale, service, "scale")
            elif key in old:
                deploy[key] = old[key]


def _folded(value: Mapping, environment: Given, work: Work) -> Mapping:
    own = keyed(unwrap(value.get("environment"))) or Mapping()
    result = begun(own)
    for key in work.ordered(environment):
        result[key], (result.lines[key], *older) = environment[key]
        older = [*lost(own).get(key, ()), *older]
        if older:
            result.overrode[key] = tuple(older)
    return result


def _default_networks(value: Mapping, work: Work) -> Mapping | None:
    """Who names no network is on `default`."""
    if unwrap(value.get("networks")) or value.get("network_mode") or value.get("provider"):
        return None
    result = begun(value)
    put(result, "default", None, value, "networks")
    return result


_SHARED = ("network_mode", "ipc", "pid", "uts", "cgroup")


def implied(value: Mapping) -> Iterator[tuple[str, str, bool]]:
    """Key, service and whether it restarts with it, for each dependency that other keys imply."""
    links = unwrap(value.get("links"))
    for link in links if isinstance(links, Sequence) else ():
        if isinstance(link, str):
            yield "links", linked(link), True
    for key in _SHARED:
        shared = unwrap(value.get(key))
        if isinstance(shared, str) and shared.startswith("service:"):
            yield key, shared.removeprefix("service:"), True
    sources = unwrap(value.get("volumes_from"))
    for source in sources if isinstance(sources, Sequence) else ():
        if isinstance(source, str) and not source.startswith("container:"):
            yield "volumes_from", source.partition(":")[0], False


def _with_implied(value: Mapping, made: Mapping, work: Work) -> Mapping:
    stated = made.get("depends_on")
    result = begun(stated if isinstance(stated, Mapping) else value)
    edges: dict[str, tuple[Value, Mapping, str]] = {}
    if isinstance(stated, Mapping):
        edges = {key: (edge, stated, key) for key, edge in stated.items()}
    for key, target, restart in implied(value):
        if target in edges:
            continue
        edge = begun(value)
        edge["condition"] = "service_started"
        if restart:
            edge["restart"] = True
        edge["required"] = True
        edge.lines = dict.fromkeys(edge, value.lines.get(key, value.line))
        edges[target] = (edge, value, key)
    for target in work.ordered(edges):
        edge_, source, old = edges[target]
        put(result, target, edge_, source, old)
    return result
