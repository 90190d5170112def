"""What Compose refuses about a canonical model as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from auditor.compose.merge import unwrap
from auditor.compose.values import boolean
from auditor.yamlfile import Mapping, Sequence, Value

_SOURCES = {"secrets": ("file", "environment"), "configs": ("file", "environment", "content")}
_WITH_EXTERNAL = frozenset(("driver", "driver_opts", "labels"))


def resource_fault(section: str, value: Value) -> str | None:
    """What is wrong with one declared network, volume, secret or config; None where nothing is."""
    item = value if isinstance(value, Mapping) else Mapping()
    old = unwrap(item.get("external"))
    external = isinstance(old, Mapping) or boolean(old) is True
    if isinstance(old, Mapping) and old.get("name") and item.get("name") not in (None, old["name"]):
        return "has two names: `name` and `external.name`"
    if section == "volumes" and external and (odd := sorted(_WITH_EXTERNAL & item.keys())):
        return f"is external, and `{odd[0]}` would make it"
    sources = _SOURCES.get(section)
    if sources is None or external:
        return None
    given = [key for key in sources if item.get(key) is not None]
    if len(given) > 1:
        return f"has several sources: {', '.join(f'`{key}`' for key in given)}"
    if section == "secrets" and given == ["environment"] and item["environment"] == "":
        return "names no variable in `environment`"
    return None if given else f"has no source: write one of {', '.join(f'`{key}`' for key in sources)}"


def service_faults(service: Mapping, known: Callable[[str, str], bool]) -> Iterator[str]:
    """What is wrong with one canonical service. `known`: whether a section declares a name.

    `builds` are the services that have a `build`.
    """
    build = service.get("build")
    if not any(service.get(key) for key in ("image", "build", "provider")):
        yield "has neither `image` nor `build`"
    models = service.get("models")
    for name in models if isinstance(models, Mapping) else ():
        if not known("models", name):
            yield f"refers to the undefined model `{name[:60]}`"
    if isinstance(build, Mapping):
        yield from _build_faults(build, known)
        platforms, platform = build.get("platforms"), service.get("platform")
        if platform and isinstance(platforms, Sequence) and platforms and platform not in platforms:
            yield f"runs on `{str(platform)[:60]}`, which is none of its `build.platforms`"
    yield from _reservation_faults(service)


def _build_faults(build: Mapping, known: Callable[[str, str], bool]) -> Iterator[str]:
    secrets = build.get("secrets")
    for item in secrets if isinstance(secrets, Sequence) else ():
        source = item.get("source") if isinstance(item, Mapping) else None
        if source is None:
            yield "has a build secret that lacks `source`"
        elif isinstance(source, str) and not known("secrets", source):
            yield f"refers to the undefined build secret `{source[:60]}`"
    contexts = build.get("additional_contexts")
    for path in contexts.values() if isinstance(contexts, Mapping) else ():
        if isinstance(path, str) and path.startswith("service:"):
            name = path.removeprefix("service:")
            if not known("services", name):
                yield f"builds on the undefined service `{name[:60]}`"
            elif not known("builds", name):
                yield f"builds on the service `{name[:60]}`, which has no `build`"


def _reservation_faults(service: Mapping) -> Iterator[str]:
    own = service.get("mem_reservation")
    deploy = service.get("deploy")
    resources = deploy.get("resources") if isinstance(deploy, Mapping) else None
    reserved = resources.get("reservations") if isinstance(resources, Mapping) else None
    if own is not None and isinstance(reserved, Mapping) and reserved.get("memory") != own:
        yield "sets `mem_reservation` and `deploy.resources.reservations.memory` to different values"
