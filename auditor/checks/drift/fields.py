"""What containers were made with, against what the Compose files write: a check for each kind of harm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from auditor.drift import Difference, drifts, shown
from auditor.inventory import ALIVE, Service, Snapshot
from auditor.model import Evidence, Location, Severity
from auditor.origin import elsewhere
from auditor.registry import Problem, check

_NEEDS = ("compose", "docker")
_SHOWN = 4  # differences in a message; the rest is evidence
_RECREATE = "recreate the container (`docker compose up --detach SERVICE`), or write into the file what is meant"


def _fix(why: str) -> str:
    return f"{why}: {_RECREATE}."


_COMMAND = frozenset(
    (
        "command", "entrypoint", "working_dir", "init", "tty", "stdin_open", "stop_signal", "stop_grace_period",
        "runtime", "logging", "logging_options",
    )
)  # fmt: skip
_MOUNTS = frozenset(("volumes", "volumes_from", "devices", "device_requests", "storage_opt"))
_NETWORK = frozenset(
    (
        "networks", "aliases", "address", "mac_address", "network_mode", "hostname", "domainname", "extra_hosts", "dns",
        "dns_search", "dns_opt", "sysctls", "container_name",
    )
)  # fmt: skip
_LIMITS = frozenset(
    (
        "mem_limit", "mem_reservation", "memswap_limit", "mem_swappiness", "cpus", "cpuset", "cpu_shares", "cpu_period",
        "cpu_quota", "cpu_rt_period", "cpu_rt_runtime", "cpu_count", "cpu_percent", "pids_limit", "shm_size", "ulimits",
        "oom_score_adj", "oom_kill_disable", "blkio_config",
    )
)  # fmt: skip
_RIGHTS = frozenset(
    (
        "user", "group_add", "cap_add", "cap_drop", "privileged", "security_opt", "read_only", "pid", "ipc", "uts",
        "userns_mode", "cgroup", "cgroup_parent", "device_cgroup_rules",
    )
)  # fmt: skip


def _found(service: Service, snapshot: Snapshot, fields: Iterable[str]) -> Iterator[Problem]:
    """One problem that says how the containers differ in these fields."""
    drift, definition = drifts(snapshot).get((service.environment, service.name)), service.composed
    if drift is None or definition is None:
        return
    mine = frozenset(fields)
    found = {d: names for d, names in drift.differences.items() if d.field.partition(".")[0] in mine}
    if not found:
        return
    rest = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    said = "; ".join(difference.text for difference in list(found)[:_SHOWN]) + rest
    changed = sorted({difference.field for difference in found})
    alike = drift.judged - len({name for names in found.values() for name in names})
    some = f" in {drift.judged - alike} of {drift.judged} containers" if alike else ""
    yield Problem(
        f"`{service.name}` does not run as it is written{some}: {said}",
        tuple(dict.fromkeys(_place(service, difference) for difference in found)),
        (
            *(Evidence("docker", f"{_containers(names)}: {d.text}") for d, names in found.items()),
            *_origin(service, snapshot),
        ),
        key=",".join(sorted({f"{d.field}:{d.name}" for d in found})),
        field=changed[0] if len(changed) == 1 else None,
    )


def _evidence(found: Mapping[Difference, tuple[str, ...]]) -> Iterator[Evidence]:
    for difference, names in found.items():
        yield Evidence("docker", f"{_containers(names)}: {difference.text}")


def _origin(service: Service, snapshot: Snapshot) -> Iterator[Evidence]:
    """From which other files the containers were made: often the reason."""
    project = snapshot.project(service.environment)
    for container in service.containers if project else ():
        if project and container.state in ALIVE and (why := elsewhere(container, project, snapshot)):
            yield Evidence("docker", f"container `{container.name}` was made from {why}")


def _containers(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{'container' if len(names) == 1 else 'containers'} {shown}{more}"


# Where a field is decided, when it is not under its own name.
_DECIDED: dict[str, tuple[str, ...]] = {
    "mem_limit": ("deploy.resources.limits.memory",),
    "cpus": ("deploy.resources.limits.cpus",),
    "pids_limit": ("deploy.resources.limits.pids",),
    "mem_reservation": ("deploy.resources.reservations.memory",),
    "restart": ("deploy.restart_policy",),
    "logging": ("logging.driver",),
    "logging_options": ("logging.options", "logging"),
    "device_requests": ("gpus", "deploy.resources.reservations.devices"),
    "expose": ("expose", "ports"),
    "aliases": ("networks",),
    "address": ("networks",),
    "environment": ("env_file",),
}


def _place(service: Service, difference: Difference) -> Location:
    """The line that decided the field, else where the service begins."""
    definition = service.composed
    assert definition is not None  # noqa: S101  the caller looked
    field = difference.field
    if field == "environment":
        own = next((v.location for v in definition.variables if v.name == difference.name and v.location), None)
        if own:
            return own
    return definition.place(f"{field}.{difference.name}", *_DECIDED.get(field, ()), field)


@check(Service, Severity.WARNING, needs=_NEEDS, fix=_fix("The container does something else than what was reviewed"))
def command_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container runs another command, or is run and stopped in another way, than its file writes.

    Whoever reads the file, a probe's author included, is misled, and the next `up` changes what the service does. Of
    commands only the place that differs is said: their arguments may hold secrets. What the image sets is taken into
    account.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", stop_grace_period: 60s}
        containers:
          - {name: web-1, service: web, made: {stop_grace_period: 10}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", stop_grace_period: 60s}
        containers:
          - {name: web-1, service: web, made: {stop_grace_period: 60}}
    """
    yield from _found(service, snapshot, _COMMAND)


@check(Service, Severity.WARNING, needs=_NEEDS, fix=_fix("It works with other settings than the reviewed ones"))
def environment_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container has other variables than its file gives it.

    Its settings are not the written ones, and a recreation will change them at a moment that nobody chose. Only names
    are told: values are compared by keyed digests. The image's own variables and those of a client's proxy are no
    difference; a value that the file leaves to the shell is not judged.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", environment: {LEVEL: info}}
        containers:
          - {name: web-1, service: web, made: {environment: {LEVEL: debug}}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", environment: {LEVEL: info}}
        containers:
          - {name: web-1, service: web, made: {environment: {LEVEL: info, https_proxy: "http://proxy"}}}
    """
    yield from _found(service, snapshot, ("environment",))


@check(
    Service,
    Severity.WARNING,
    either=("compose", "docker"),
    fix=_fix("Clients, firewalls and scrapers count on the written ports"),
)
def port_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container publishes or exposes other ports than its file writes.

    A port that nobody wrote is a door that nobody reviewed; one that is missing breaks whoever calls it after the next
    restart elsewhere. What was asked for is compared, so a random port is none.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", ports: ["127.0.0.1:8080:80"]}
        containers:
          - {name: web-1, service: web, made: {ports: [":8080:80/tcp"], expose: [80/tcp]}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", ports: ["127.0.0.1:8080:80"]}
        containers:
          - {name: web-1, service: web, made: {ports: ["127.0.0.1:8080:80/tcp"], expose: [80/tcp]}}
    """
    yield from _declared_ports(service)
    yield from _found(service, snapshot, ("ports", "expose"))


def _declared_ports(service: Service) -> Iterator[Problem]:
    """Only where none of the declared ports is one of the file's: a service may listen on more than it exposes."""
    entry, definition = service.entry, service.composed
    if entry is None or definition is None:
        return
    composed = {*definition.expose, *(port.target for port in definition.ports)}
    published = {int(p.published) for p in definition.ports if p.published and p.published.isdecimal()}
    if not entry.ports or not composed or not (composed | published).isdisjoint(entry.ports):
        return
    declared, written = (", ".join(str(number) for number in sorted(ports)) for ports in (entry.ports, composed))
    yield Problem(
        f"`{service.name}` is declared with port {declared}, but composed with {written}",
        (definition.place("ports", "expose"), entry.place("ports")),
        key="declared",
        field="ports",
    )


@check(Service, Severity.WARNING, needs=_NEEDS, fix=_fix("Data may be written where no backup looks, or be lost"))
def mount_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container has other volumes, files or devices than its file writes.

    A missing volume loses data with the container; another one shows old data; a mount that is writable, or that nobody
    wrote, opens the host. Paths of the project are compared from where it was when it made the container.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", volumes: ["./site:/srv:ro"]}
        containers:
          - {name: web-1, service: web, working_dir: /app, made: {volumes: {/srv: "bind:/app/site"}}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", volumes: ["./site:/srv:ro"]}
        containers:
          - name: web-1
            service: web
            working_dir: /app
            made: {volumes: {/srv: "bind:/app/site"}, volume_options: {/srv: ro}}
    """
    yield from _found(service, snapshot, _MOUNTS)


@check(Service, Severity.WARNING, needs=_NEEDS, fix=_fix("Others may not reach the service, or may who should not"))
def network_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container is on other networks, or under other names and addresses, than its file writes.

    Separation that the file shows does not exist, or a name that others call leads nowhere. Names that Compose and the
    engine give by themselves are no difference.

    Bad:
        compose:
          name: shop
          services:
            db: {image: "postgres:16.4", networks: [data]}
          networks: {data: {}}
        containers:
          - {name: db-1, service: db, made: {network_mode: shop_data, networks: [shop_data, public]}}
    Good:
        compose:
          name: shop
          services:
            db: {image: "postgres:16.4", networks: [data]}
          networks: {data: {}}
        containers:
          - {name: db-1, service: db, made: {network_mode: shop_data, networks: [shop_data]}}
    """
    yield from _found(service, snapshot, _NETWORK)


@check(
    Service,
    Severity.WARNING,
    either=("compose", "docker"),
    fix=_fix("The limits that capacity was planned with are not those that hold"),
)
def limit_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container, or the file, has other limits than were agreed on.

    One service may take the memory of all others, or be killed below what it needs; plans of capacity count wrong.
    The catalogue is compared with the file, the file with the container; half of these come from `docker update`.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 512m}
        containers:
          - {name: web-1, service: web, made: {mem_limit: 0}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 512m}
        containers:
          - {name: web-1, service: web, made: {mem_limit: 536870912, memswap_limit: 1073741824}}
    """
    yield from _declared_limits(service)
    yield from _found(service, snapshot, _LIMITS)


def _declared_limits(service: Service) -> Iterator[Problem]:
    entry, definition = service.entry, service.composed
    if entry is None or definition is None:
        return
    limits = (
        ("memory", entry.memory_limit, definition.memory_limit, "mem_limit"),
        ("cpus", entry.cpu_limit, definition.cpu_limit, "cpus"),
    )
    for name, declared, composed, field in limits:
        if declared is None or (composed is not None and abs(declared - composed) < 0.001):
            continue
        texts = [shown("mem_limit" if name == "memory" else "cpus", value or 0) for value in (declared, composed)]
        yield Problem(
            f"`{service.name}` is declared with the limit {name} {texts[0]}, but composed with {texts[1]}",
            (definition.place(*_DECIDED[field], field), entry.place("limits")),
            key=f"declared:{name}",
            field=field,
        )


@check(Service, Severity.WARNING, needs=_NEEDS, fix=_fix("After a crash or a reboot the service is not up as planned"))
def restart_policy_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container has another restart policy than its file writes.

    Nobody notices until the host restarts or the process dies: then it stays down, or restarts for ever.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", restart: unless-stopped}
        containers:
          - {name: web-1, service: web, made: {restart: "no"}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", restart: unless-stopped}
        containers:
          - {name: web-1, service: web, made: {restart: unless-stopped}}
    """
    yield from _found(service, snapshot, ("restart",))


@check(Service, Severity.WARNING, needs=_NEEDS, fix=_fix("What is called healthy is decided by another question"))
def healthcheck_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container is checked by another health check than its file or its image writes.

    Its health then means something else than what was reviewed, and what waits for it waits for the wrong thing. The
    test itself is compared by its digest.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", healthcheck: {test: curl -f localhost, interval: 10s}}
        containers:
          - {name: web-1, service: web, made: {healthcheck: {}}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", healthcheck: {disable: true}}
        containers:
          - {name: web-1, service: web, made: {healthcheck: {test: none}}}
    """
    yield from _found(service, snapshot, ("healthcheck",))


@check(Service, Severity.WARNING, needs=_NEEDS, fix=_fix("Somebody who breaks in has other rights than were reviewed"))
def user_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container runs as another user, or with other rights, than its file writes.

    Users, groups, capabilities, security options, a writable root and shared namespaces decide what a break-in costs;
    an audit of the file says nothing about a container that was made with others.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", user: "1000", read_only: true}
        containers:
          - {name: web-1, service: web, made: {user: "0", privileged: true}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", user: "1000", cap_add: [net_admin]}
        containers:
          - {name: web-1, service: web, made: {user: "1000", cap_add: [NET_ADMIN]}}
    """
    yield from _found(service, snapshot, _RIGHTS)


@check(Service, Severity.WARNING, needs=_NEEDS, fix=_fix("Proxies, log shippers and scrapers choose by labels"))
def label_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A container has other labels than its file writes.

    Reverse proxies, log shippers and scrapers read labels from the engine, not from the file: what the file says of
    routes and scraping does not hold. Labels of the image, of Compose and of Swarm are no difference.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", labels: {traefik.enable: "true"}}
        containers:
          - {name: web-1, service: web, made: {labels: {}}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", labels: {traefik.enable: "true"}}
        containers:
          - {name: web-1, service: web, made: {labels: {traefik.enable: "true"}}}
    """
    yield from _found(service, snapshot, ("labels", "annotations"))
