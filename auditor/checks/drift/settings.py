"""Settings that services must agree on: one secret that several share, and where one is told to find another."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from auditor.frozen import dataclass
from auditor.inventory import LOCAL_HOSTS, Service, Snapshot
from auditor.listening import called
from auditor.model import (
    Address,
    Definition,
    Entry,
    Evidence,
    Lifecycle,
    Location,
    Project,
    Reference,
    Severity,
    Variable,
)
from auditor.reach import set_up
from auditor.regexp import regexp
from auditor.registry import Problem, check
from auditor.words import normal

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
    either=("compose", "processes"),
    fix="Give all of them the same value, best from one secret or one variable that each service names.",
)
def shared_setting_mismatch(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A setting that several services must share does not have the same value in all of them.

    A token that one service signs is refused by the next, often only for some users, and each service alone looks well.
    Which settings are shared says `shared_settings` in the catalogue; well-known names of token secrets are compared
    between the project's own services on a common network, and between its host processes, by what these were started
    with. Values are compared by keyed digests and never shown.

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
    processes = list(_of_processes(project.environment, snapshot))
    names = {*declared, *_SIGNING}
    having: dict[str, list[tuple[Definition, Variable]]] = defaultdict(list)
    for definition in project.active:
        for variable in definition.variables:
            if variable.name in names and variable.digest:
                having[variable.name].append((definition, variable))
    for name in sorted(names):
        holders = having[name]
        if name not in declared:
            holders = [(d, v) for d, v in holders if snapshot.component_of(d) is None]
            holders = _meeting(holders)
        composed = [_Holder(snapshot.called(d), d.name, v, "compose", v.location) for d, v in holders]
        yield from _compared(name, composed + [h for h in processes if h.variable.name == name], project.environment)


@dataclass(frozen=True, slots=True)
class _Holder:
    """A service, by its name and by what to call it, that has a setting."""

    service: str
    shown: str
    variable: Variable
    source: str
    place: Location | None


def _of_processes(environment: str, snapshot: Snapshot) -> Iterator[_Holder]:
    """The variables with which the declared host processes were started, each once a service."""
    for service in snapshot.services:
        found: dict[tuple[str, str | None], _Holder] = {}
        for listener in snapshot.holders_of(service).own if service.environment == environment else ():
            for variable in listener.variables or ():
                if variable.digest:
                    holder = _Holder(service.name, service.name, variable, "processes", service.location)
                    found.setdefault((variable.name, variable.digest), holder)
        yield from found.values()


def _meeting(holders: list[tuple[Definition, Variable]]) -> list[tuple[Definition, Variable]]:
    """Those that share a network, or a mode of the network, with another of them."""
    on = Counter(place for definition, _ in holders for place in _places(definition))
    return [(d, v) for d, v in holders if any(on[place] > 1 for place in _places(d))]


def _places(definition: Definition) -> set[str]:
    return {*definition.networks, *(("",) if definition.network_mode else ())}


def _compared(name: str, holders: list[_Holder], environment: str) -> Iterator[Problem]:
    groups: dict[str, list[_Holder]] = defaultdict(list)
    for holder in holders:
        groups[holder.variable.digest or ""].append(holder)
    if len(groups) < 2:
        return
    usual = max(groups.values(), key=len)
    odd = [holder for group in groups.values() if group is not usual for holder in group]
    services = sorted(holder.service for holder in odd)
    yield Problem(
        f"`{name}` is not the same in {_listed(services)} as in {_listed(holder.service for holder in usual)}",
        tuple(dict.fromkeys(holder.place for holder in (*odd, *usual) if holder.place)),
        tuple(Evidence(holder.source, f"`{holder.shown}` has its own value of `{name}`") for holder in odd),
        service=services[0],
        environment=environment,
        key=name,
        field=name,
    )


def _listed(names: Iterable[str]) -> str:
    found = [f"`{name}`" for name in names]
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")


@check(
    Service,
    Severity.WARNING,
    either=("compose", "processes"),
    fix="Write the port on which the service listens inside its container, not the published one or another service's.",
)
def endpoint_mismatch(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A setting points at a service, but at a port on which it does not listen.

    The first request fails with a refused connection, long after the start. Compared are the ports that the catalogue
    declares, that the file exposes or publishes, and that the component is known for; a service that tells none of its
    ports is not judged. Of a host process the settings are those that it was started with, and by their names they tell
    which service of this machine they mean.

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
    if service.composed:
        yield from _of_definition(service.composed, snapshot)
    yield from _of_process(service, snapshot)


def _of_definition(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
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


def _of_process(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """Addresses of this machine that a process was started with, and that are not those of whom they name."""
    found: dict[tuple[str, Address], str] = {}
    for listener in snapshot.holders_of(service).own:
        for name, address in listener.addresses.items():
            if address.host.lower() in LOCAL_HOSTS and address.port:
                found.setdefault((name, address), called(listener))
    if not found:
        return
    others = [e for e in snapshot.entries(service.environment) if e.lifecycle is Lifecycle.PROCESS and e.ports]
    for (name, address), process in sorted(found.items(), key=lambda item: item[0][0]):
        target = _meant(name, [entry for entry in others if entry.name != service.name])
        if target is None or address.port in target.ports:
            continue
        holder = next((f"; {address.port} is a port of `{e.name}`" for e in others if address.port in e.ports), "")
        yield Problem(
            f"variable `{name}` of `{service.name}` points at port {address.port} of this machine, but `{target.name}` "
            f"is declared to listen on {_ports(set(target.ports))}{holder}",
            (service.location, target.place("ports")) if service.location else (target.place("ports"),),
            (Evidence("processes", f"{process} was started with it"),),
            key=f"{target.name}:{name}",
            fix="Start the process with the address on which the other one listens.",
        )


_TELLS_ADDRESS = regexp(
    r"(?i)[_-]?(?:(?:base|internal|api|http|grpc)[_-])?"
    r"(?:url|uri|addr|address|endpoint|host|server|dsn|target|upstream|backend)$"
)


def _meant(variable: str, entries: list[Entry]) -> Entry | None:
    """The service that the name of an address variable means: `AUTH_SERVICE_URL` is that of `auth`."""
    word, told = _TELLS_ADDRESS.subn("", variable)
    if not told or not word:
        return None
    for entry in entries:
        names = {_bare(name) for name in (entry.name, *entry.aliases, entry.title or "")} - {""}
        if _bare(word) in names:
            return entry
    return None


def _bare(name: str) -> str:
    """A name for comparison, without the word `service`."""
    return normal(re.sub(r"(?i)[\s_.-]*(?:service|svc)$", "", name))


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
    if service and component and len(component.ports) == 1 and not set_up(service):
        return f"listens on {told}"
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
