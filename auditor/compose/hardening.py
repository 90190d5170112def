"""What a service asks of its host and its image: privileges, namespaces, profiles, and keys without effect."""

from __future__ import annotations

from auditor.compose.values import boolean, scalar_text
from auditor.frozen import dataclass
from auditor.yamlfile import Mapping, Sequence, Value

_NAMESPACES = ("pid", "ipc", "userns_mode", "uts")
# What an engine that is no Swarm is never told.
_IDLE = {
    ("deploy",): ("placement", "update_config", "rollback_config", "endpoint_mode", "labels"),
    ("deploy", "restart_policy"): ("delay", "window"),
    ("deploy", "resources", "reservations"): ("cpus", "generic_resources"),
}
_OF_GRANTS = ("uid", "gid", "mode")
_SWITCHES = frozenset(
    (
        *("APP_DEBUG", "CELERY_DEBUG", "DEBUG", "DEBUG_ENABLED", "DEBUG_MODE", "DJANGO_DEBUG", "ENABLE_DEBUG"),
        *("FLASK_DEBUG", "KC_DEBUG", "KEYCLOAK_DEBUG", "SPRING_DEBUG", "WORDPRESS_DEBUG", "WP_DEBUG"),
    )
)
_MODES = frozenset(
    (
        *("APP_ENV", "ASPNETCORE_ENVIRONMENT", "DJANGO_ENV", "DOTNET_ENVIRONMENT", "FLASK_ENV", "NODE_ENV"),
        *("RACK_ENV", "RAILS_ENV"),
    )
)
_DEBUGGERS = {
    "NODE_OPTIONS": ("--inspect",),
    "JAVA_OPTS": ("-agentlib:jdwp", "-Xrunjdwp"),
    "JAVA_TOOL_OPTIONS": ("-agentlib:jdwp", "-Xrunjdwp"),
    "XDEBUG_MODE": ("debug",),
}


@dataclass(frozen=True, slots=True)
class Hardening:
    """The fields of the same names in `Definition`."""

    privileged: bool
    cap_add: tuple[str, ...]
    cap_drop: tuple[str, ...]
    security_opt: tuple[str, ...]
    user: str | None
    read_only: bool
    host_namespaces: tuple[str, ...]
    cgroup_parent: str | None
    api_socket: bool


def hardening(service: Mapping) -> Hardening:
    """What the merged service says of itself."""
    return Hardening(
        privileged=boolean(service.get("privileged")) is True,
        cap_add=_capabilities(service.get("cap_add")),
        cap_drop=_capabilities(service.get("cap_drop")),
        security_opt=_texts(service.get("security_opt")),
        user=scalar_text(service.get("user")).strip() or None,
        read_only=boolean(service.get("read_only")) is True,
        host_namespaces=tuple(key for key in _NAMESPACES if service.get(key) == "host"),
        cgroup_parent=scalar_text(service.get("cgroup_parent")) or None,
        api_socket=boolean(service.get("use_api_socket")) is True,
    )


def switches_debugging(name: str, value: str) -> bool:
    """Whether a variable of this name and value is a well-known debug switch that is on."""
    word = value.strip().lower()
    if name in _SWITCHES:
        return word in ("1", "true", "yes", "on")
    if name in _MODES:
        return word == "development"
    return any(part in value for part in _DEBUGGERS.get(name, ()))


def idle(service: Mapping, mounted: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    """The dotted fields that Compose accepts and does nothing with.

    `mounted`: section and key of the secrets and configs that are bind mounts of files, whose owner nothing changes.
    """
    found: list[str] = []
    if "deploy" in service:
        for path, keys in _IDLE.items():
            owner = _inner(service, path)
            found += [".".join((*path, key)) for key in keys if owner.get(key) is not None]
        if "restart" in service and _inner(service, ("deploy", "restart_policy")):
            found.append("restart")
    for section in ("secrets", "configs"):
        grants = service.get(section)
        for index, grant in enumerate(grants if isinstance(grants, Sequence) else ()):
            if isinstance(grant, Mapping) and (section, grant.get("source")) in mounted:
                found += [f"{section}.{index}.{key}" for key in _OF_GRANTS if key in grant]
    return tuple(found)


def _inner(service: Mapping, path: tuple[str, ...]) -> Mapping:
    for key in path:
        inner = service.get(key)
        if not isinstance(inner, Mapping):
            return _NOTHING
        service = inner
    return service


_NOTHING = Mapping()


def _texts(value: Value) -> tuple[str, ...]:
    items = value if isinstance(value, Sequence) else None
    if not items:
        return ()
    return tuple(dict.fromkeys(str(item).strip() for item in items if isinstance(item, str) and item.strip()))


def _capabilities(value: Value) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.upper().removeprefix("CAP_") for item in _texts(value))) if value else ()
