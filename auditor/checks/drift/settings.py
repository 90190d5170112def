"""Settings that services must agree on: one secret that several share, and where one is told to find another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from auditor.inventory import Snapshot
from auditor.model import Definition, Evidence, Project, Reference, Severity, Variable
from auditor.registry import Problem, check

# Names under which services keep the one secret that signs what another one verifies.
_SIGNING = frozenset(
    (
        "JWT_SECRET", "JWT_SECRET_KEY", "JWT_SIGNING_KEY", "JWT_SIGNING_SECRET", "JWT_KEY", "JWT_PRIVATE_KEY_SECRET",
        "ACCESS_TOKEN_SECRET", "REFRESH_TOKEN_SECRET", "TOKEN_SECRET", "TOKEN_SECRET_KEY", "TOKEN_SIGNING_KEY",
    )
)  # fmt: skip


@check(
    Project,
    Severity.CRITICAL,
    needs=("compose",),
    fix="Give all of them the same value, best from one secret or one variable that each service names.",
)
def shared_setting_mismatch(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A setting that several services must share does not have the same value in all of them.

    A token that one service signs is refused by the next, often only for some users, and each service alone looks well.
    Which settings are shared says `shared_settings` in the catalogue; well-known names of token secrets are compared
    between the project's own services on a common network. Values are compared by keyed digests and never shown.

    Bad:
        compose:
          services:
            auth: {build: auth, environment: {JWT_SECRET_KEY: "${JWT:-one}"}}
            rag: {build: rag, environment: {JWT_SECRET_KEY: two}}
    Good:
        compose:
          services:
            auth: {build: auth, environment: {JWT_SECRET_KEY: "${JWT:-one}"}}
            rag: {build: rag, environment: {JWT_SECRET_KEY: "${JWT:-one}"}}
    """
    declared = snapshot.catalogue.shared_settings if snapshot.catalogue else ()
    for name in sorted({*declared, *_SIGNING}):
        holders = [(d, v) for d in project.active for v in d.variables if v.name == name and v.digest]
        if name not in declared:
            holders = [(d, v) for d, v in holders if snapshot.component_of(d) is None]
            holders = [(d, v) for d, v in holders if any(_meet(d, other) for other, _ in holders if other is not d)]
        yield from _compared(name, holders, snapshot)


def _meet(one: Definition, other: Definition) -> bool:
    return not set(one.networks).isdisjoint(other.networks) or bool(one.network_mode and other.network_mode)


def _compared(name: str, holders: list[tuple[Definition, Variable]], snapshot: Snapshot) -> Iterator[Problem]:
    groups: dict[str, list[tuple[Definition, Variable]]] = defaultdict(list)
    for definition, variable in holders:
        groups[variable.digest or ""].append((definition, variable))
    if len(groups) < 2:
        return
    usual = max(groups.values(), key=len)
    odd = [holder for group in groups.values() if group is not usual for holder in group]
    services = sorted(snapshot.called(definition) for definition, _ in odd)
    yield Problem(
        f"`{name}` is not the same in {_listed(services)} as in {_listed(snapshot.called(d) for d, _ in usual)}",
        tuple(v.location for _, v in (*odd, *usual) if v.location),
        tuple(Evidence("compose", f"`{d.name}` has its own value of `{name}`") for d, _ in odd),
        service=services[0],
        environment=usual[0][0].environment,
        key=name,
        field=name,
    )


def _listed(names: Iterable[str]) -> str:
    found = [f"`{name}`" for name in names]
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")


@check(
    Definition,
    Severity.WARNING,
    needs=("compose",),
    fix="Write the port on which the service listens inside its container, not the published one or another service's.",
)
def endpoint_mismatch(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A setting points at a service, but at a port on which it does not listen.

    The first request fails with a refused connection, long after the start. Compared are the ports that the catalogue
    declares, that the file exposes or publishes, and that the component is known for; a service that tells none of its
    ports is not judged.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", environment: {AUTH_URL: "http://auth:8001"}}
            auth: {image: "team/auth:1", ports: ["8001:5001"]}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", environment: {AUTH_URL: "http://auth:5001"}}
            auth: {image: "team/auth:1", ports: ["8001:5001"]}
    """
    wrong: dict[tuple[str, int], list[tuple[Reference, str]]] = defaultdict(list)
    for reference in definition.references:
        host, port = reference.address.host, reference.address.port
        target = snapshot.provider(definition.environment, host)
        if target is None or port is None or target is definition or not target.active:
            continue
        if why := _wrong(target, port, snapshot):
            wrong[target.name, port].append((reference, why))
    for (name, port), found in sorted(wrong.items()):
        where = ", ".join(sorted({reference.where for reference, _ in found}))
        yield Problem(
            f"{where} of `{definition.name}` points at port {port} of `{name}`, which {found[0][1]}",
            tuple(reference.location for reference, _ in found),
            key=f"{name}:{port}",
        )


def _wrong(target: Definition, port: int, snapshot: Snapshot) -> str | None:
    """Why a service surely does not listen on a port; None where it may."""
    service = snapshot.service_of(target)
    entry, component = (service.entry, service.component) if service else (None, None)
    declared = set(entry.ports) if entry else set()
    own = {p.target for p in target.ports} | set(target.expose)
    listens = own | declared | (set(component.ports) | set(component.admin_ports) if component else set())
    if port in listens or not listens or target.network_mode:
        return None
    told = _ports(listens)
    published = {int(p.published): p.target for p in target.ports if p.published and p.published.isdecimal()}
    if port in published:
        return f"is published for its port {published[port]}: inside the network it listens on {told}"
    if declared:
        return f"is declared to listen on {told}"
    others = [name for name, ports in _served(target.environment, snapshot).items() if port in ports]
    return f"listens on {told}; {port} is a port of {_listed(others)}" if others and own else None


def _ports(numbers: set[int]) -> str:
    return ", ".join(str(number) for number in sorted(numbers))


def _served(environment: str, snapshot: Snapshot) -> Mapping[str, set[int]]:
    """Service -> the ports that the file says it listens on."""
    return {
        name: {port.target for port in definition.ports} | set(definition.expose)
        for name, definition in snapshot.definitions(environment).items()
    }
