"""Does what runs work, and would anybody ask?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import ladder, usage
from auditor.checks.gaps.causes import stopped
from auditor.inventory import Service, Snapshot
from auditor.knowledge import repository
from auditor.model import Component, Container, Definition, Evidence, HealthCheck, Location, Severity, Verdict
from auditor.registry import BY_CRITICALITY, Problem, check

_SIGNALS = {137: "SIGKILL", 143: "SIGTERM"}  # 128 + the signal's number
_ENDED = frozenset({"exited", "dead"})


@check(
    Definition,
    Severity.WARNING,
    fix="Add a `healthcheck` with a `test` and an `interval`.",
    needs=("compose",),
)
def missing_healthcheck(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """Nothing asks whether a service works.

    Its container counts as running while it answers nobody, and what depends on it starts too early. A health check
    that the image brings counts: a `HEALTHCHECK` of the project's Dockerfile, of images that are known for it, and of
    any that runs. Tasks that end and shells that wait for somebody need none; where the image has no shell to ask with
    it is only told.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        compose:
          services:
            web:
              image: nginx:1.27.5
              healthcheck: {test: [CMD, curl, -f, "http://localhost/"], interval: 30s}
    """
    service = snapshot.service_of(definition)
    if definition.healthcheck or definition.image_asks or definition.purpose == "shell":
        return
    if snapshot.ends(definition) or _asks_itself(definition) or (service and _asked_by_docker(service)):
        return
    component = service.component if service else None
    bare = component is not None and "sh" in component.lacks and _is_plain(definition, component)
    yield Problem(
        f"`{definition.name}` has no health check" + (", and its image no shell for one" if bare else ""),
        (definition.location,),
        field="healthcheck",
        severity=Severity.INFO if bare else None,
        fix="Ask it from outside with a probe, or by a command of its own if it has one." if bare else None,
    )


# Images that have brought a health check of their own for years, whatever the tag.
_ASK_THEMSELVES = frozenset(
    {
        "authelia/authelia", "axllent/mailpit", "blakeblackshear/frigate", "boky/postfix", "cadvisor/cadvisor",
        "containrrr/watchtower", "gitlab/gitlab-ce", "gitlab/gitlab-ee", "goauthentik/server", "google/cadvisor",
        "gotify/server", "immich-app/immich-machine-learning", "immich-app/immich-server",
        "itzg/minecraft-bedrock-server", "itzg/minecraft-server", "jellyfin/jellyfin", "localstack/localstack",
        "louislam/uptime-kuma", "mattermost/mattermost-team-edition", "mvance/unbound", "netdata/netdata",
        "nodered/node-red", "open-webui/open-webui", "openzipkin/zipkin", "paperless-ngx/paperless-ngx",
        "pihole/pihole", "qmcgaw/gluetun", "vaultwarden/server", "wg-easy/wg-easy",
    }
)  # fmt: skip


def _asks_itself(definition: Definition) -> bool:
    """Whether the image is known to bring a health check; one that is built upon it is not known."""
    if not definition.image or definition.build:
        return False
    return repository(definition.image)[1] in _ASK_THEMSELVES


@check(
    Definition,
    Severity.WARNING,
    fix="Write a `test` that asks the service, or take `disable` out to use the one that the image brings.",
    needs=("compose",),
)
def healthcheck_disabled(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A health check is switched off.

    Nothing asks whether the service works, not even where its image would. Runs that end need none.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", healthcheck: {disable: true}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", healthcheck: {test: [CMD, curl, -f, "http://localhost/"]}}
    """
    if definition.healthcheck and definition.healthcheck.disabled and not snapshot.ends(definition):
        yield Problem(
            f"the health check of `{definition.name}` is switched off",
            (definition.place("healthcheck.disable", "healthcheck.test", "healthcheck"),),
            field="healthcheck",
        )


def _asked(definition: Definition) -> HealthCheck | None:
    """The health check that is on."""
    asked = definition.healthcheck
    return None if asked is None or asked.disabled else asked


_DEFAULT_INTERVAL = 30.0  # seconds, Docker's


@check(
    Definition,
    Severity.WARNING,
    fix="Let the `test` ask the service itself, by a tool that its image has, and end within the `interval`.",
    needs=("compose",),
)
def impossible_healthcheck(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A health check cannot tell a working service from a broken one.

    It always succeeds, waits longer for an answer than the time between two questions (as long is only told), is a
    shell's line that no shell reads, calls a tool that the image lacks, or asks a port on which the service does not
    listen.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", healthcheck: {test: [CMD, curl, -f, "http://localhost/", "||", exit, "1"]}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", healthcheck: {test: [CMD-SHELL, "curl -f http://localhost/ || exit 1"]}}
    """
    asked = _asked(definition)
    if asked is None:
        return
    for key, place, what, severity, fix in _impossible(definition, asked, snapshot):
        yield Problem(
            f"the health check of `{definition.name}` {what}",
            (definition.place(f"healthcheck.{place}", "healthcheck"),),
            key=key,
            field="healthcheck",
            severity=severity,
            fix=fix,
        )


_Fault = tuple[str, str, str, Severity | None, str | None]  # key, field, words, severity and fix where special


def _impossible(definition: Definition, asked: HealthCheck, snapshot: Snapshot) -> Iterator[_Fault]:
    if asked.always_true:
        yield "always true", "test", "succeeds whatever the service does", None, None
    interval = asked.interval or _DEFAULT_INTERVAL
    if asked.timeout is not None and asked.timeout >= interval:
        than = "longer than" if asked.timeout > interval else "as long as"
        words = f"waits {_seconds(asked.timeout)} for an answer, {than} its interval of {_seconds(interval)}"
        severity = None if asked.timeout > interval else Severity.INFO
        yield "timeout", "timeout", words, severity, "Make the `timeout` shorter than the `interval`."
    if asked.needs_shell:
        fix = "Write it as a text, or begin the list with `CMD-SHELL`."
        yield "shell", "test", "is written for a shell, but `CMD` starts none", None, fix
    service = snapshot.service_of(definition)
    component = service.component if service else None
    lacking = [tool for tool in asked.tools if component and tool in component.lacks]
    if component and lacking and _is_plain(definition, component):
        fix = "Ask by what the image has, or build an image that has the tool."
        words = f"calls `{lacking[0]}`, which the image of {component.title} does not have"
        yield f"tool {lacking[0]}", "test", words, None, fix
    yield from _wrong_ports(definition, asked, service)


def _seconds(value: float) -> str:
    return f"{value:g} s"


def _is_plain(definition: Definition, component: Component) -> bool:
    """Whether the image is the very one that the knowledge base speaks of: not rebuilt, no `debug` one, no vendor's."""
    if definition.build or not definition.image or not component.images:
        return False
    _, path = repository(definition.image)
    tag = definition.image.partition("@")[0].rpartition(":")[2]
    return "debug" not in tag and f"/{path}".endswith(f"/{component.images[0]}")


def _wrong_ports(definition: Definition, asked: HealthCheck, service: Service | None) -> Iterator[_Fault]:
    """Ports of its own loopback that no setting names and on which nothing is known to listen."""
    if not asked.stray_ports or definition.network_mode:
        return
    entry, component = (service.entry, service.component) if service else (None, None)
    usual = set(component.ports) if component else set()
    configured = definition.build or definition.configs or any(mount.kind == "bind" for mount in definition.mounts)
    sure = {*(entry.ports if entry else ()), *(() if configured else usual)}
    named = {port.target for port in definition.ports} | set(definition.expose)
    metrics = entry.metrics.port if entry and entry.metrics else None
    for port in asked.stray_ports:
        if port in usual or port in sure or port in named or port == metrics or not (sure or named):
            continue
        listens = ", ".join(str(number) for number in sorted(sure or named)[:6])
        fix = "Ask the port on which it listens."
        if sure:
            yield f"port {port}", "test", f"asks port {port}, but it listens on {listens}", None, fix
        else:
            words = f"asks port {port}, which nothing else names (ports: {listens})"
            yield f"port {port}", "test", words, Severity.INFO, fix


@check(
    Definition,
    Severity.INFO,
    fix="Set a `start_period` that is as long as it takes to start, as `60s`.",
    needs=("compose",),
)
def no_start_period(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A service that is slow to start is called unhealthy before it is up.

    What waits for it gives up, and whatever restarts unhealthy containers never lets it finish.

    Bad:
        compose:
          services:
            db: {image: "mysql:8.4", healthcheck: {test: [CMD, mysqladmin, ping]}}
    Good:
        compose:
          services:
            db: {image: "mysql:8.4", healthcheck: {test: [CMD, mysqladmin, ping], start_period: 60s}}
    """
    asked, component = _asked(definition), snapshot.component_of(definition)
    if asked is None or asked.start_period or component is None or not component.slow_start:
        return
    yield Problem(
        f"`{definition.name}` ({component.title}) is slow to start, and its health check has no start period",
        (definition.place("healthcheck"),),
        field="healthcheck",
    )


def _asked_by_docker(service: Service) -> bool:
    return any(container.health in ("healthy", "unhealthy", "starting") for container in service.containers)


@check(
    Service,
    BY_CRITICALITY,
    fix="Look at the service's logs and at what its health check or probe asks.",
    either=("docker", "probes"),
)
def unhealthy_service(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service runs and does not work: Docker's health check or a probe says so.

    One that does not run at all is another finding, and so is one of which only some containers are bad.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: running, health: unhealthy}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: running, health: healthy}
    """
    if service.host or snapshot.excuse(service):
        return
    verdict, reasons = ladder.judge_health(service, snapshot)
    if verdict is not Verdict.UNHEALTHY:
        return
    yield Problem(
        f"`{service.name}` is unhealthy: {'; '.join(reasons)}",
        _places(service, snapshot),
        tuple(Evidence("docker" if reason.startswith("container ") else "probes", reason) for reason in reasons),
        cause=stopped(service.name),
    )


def _places(service: Service, snapshot: Snapshot) -> tuple[Location, ...]:
    """Where the questions stand that were answered badly: probes in the catalogue, a health check in Compose."""
    failed = any(probe.outcome == "failure" for probe in snapshot.probes_of(service))
    places = [service.entry.place("probes")] if failed and service.entry else []
    if service.definition:
        places.append(service.definition.place("healthcheck"))
    return tuple(places) or ((service.location,) if service.location else ())


@check(
    Service,
    BY_CRITICALITY,
    fix="Read the last lines of its log, mend what ended it, and start it again.",
    needs=("docker",),
)
def exited_with_error(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service ended with an error.

    What was told to stop has not failed, whatever its exit code, as far back as the engine's events go; 137 and 143 are
    what a stop leaves, and count only where the events show none. A one-shot that exited 0 has done its work.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: exited, exit_code: 1}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: running}
    """
    once = snapshot.runs_once(service)
    failed = [c for c in _down(service, snapshot) if _failed(c, once=once) and not c.oom_killed]
    if not failed:
        return
    said = "; ".join(_failure(container) for container in failed)
    yield Problem(
        f"`{service.name}` ended with an error: {said}",
        (service.location,) if service.location else (),
        tuple(Evidence("docker", _failure(container)) for container in failed),
        cause=stopped(service.name),
    )


@check(
    Service,
    Severity.CRITICAL,
    fix="Raise its memory limit, or find what it keeps in memory.",
    needs=("docker",),
)
def oom_killed(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """The kernel ended a service because it used more memory than it may.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 64m}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: exited, exit_code: 137, oom_killed: true}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 64m}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: running}
    """
    killed = [container for container in service.containers if container.oom_killed]
    if not killed or snapshot.excuse(service):
        return
    down = all(container.state != "running" for container in killed)
    definition = service.definition
    place = definition.place("mem_limit", "deploy.resources.limits.memory") if definition else service.location
    yield Problem(
        f"`{service.name}` ran out of memory: " + "; ".join(_out_of_memory(container) for container in killed),
        (place,) if place else (),
        tuple(Evidence("docker", _out_of_memory(container)) for container in killed),
        cause=stopped(service.name) if down else None,
    )


def _out_of_memory(container: Container) -> str:
    limit = f" at its limit of {container.memory_limit // 2**20} MiB" if container.memory_limit else ""
    return f"the kernel killed a process of container `{container.name}`{limit}"


def _down(service: Service, snapshot: Snapshot) -> tuple[Container, ...]:
    """The ended containers that count: of runs that end, the last one; of daemons, those that are missed."""
    if snapshot.excuse(service):
        return ()
    if snapshot.runs_once(service):
        last = max(service.containers, key=_recency, default=None)
        return (last,) if last and last.state in _ENDED else ()
    wanted = service.definition.replicas if service.definition else 1
    if sum(container.state == "running" for container in service.containers) >= wanted:
        return ()
    return tuple(container for container in service.containers if container.state in _ENDED)


def _recency(container: Container) -> tuple[float, str]:
    moment = container.started_at or container.finished_at
    return (moment.timestamp() if moment else 0.0, container.id)


def _failed(container: Container, *, once: bool) -> bool:
    """A non-zero exit that nobody asked the engine for. After a signal a daemon's must be sure of that; any other code,
    and a run that should have ended well, is a failure unless it is sure of the contrary."""
    if not container.exit_code:
        return False
    if container.exit_code not in _SIGNALS:
        return container.killed is not True
    return container.killed is False or (once and container.killed is None)


def _failure(container: Container) -> str:
    text = f"container `{container.name}` exited {container.exit_code}"
    signal = _SIGNALS.get(container.exit_code or 0)
    if signal is None:
        return text
    return f"{text} ({signal}" + (", and nobody told the engine to stop it)" if container.killed is False else ")")


# --- what it uses --------------------------------------------------------------------------------------------------


@check(
    Service,
    Severity.WARNING,
    fix="Find what it keeps in memory, or raise its memory limit.",
    needs=("docker",),
)
def memory_high(
    service: Service,
    snapshot: Snapshot,
    *,
    warning: float = usage.MEMORY_WARNING,
    critical: float = usage.MEMORY_CRITICAL,
) -> Iterator[Problem]:
    """A service uses almost all memory that it may have.

    At its limit the kernel kills it. What counts is its working set: without the cache that the kernel would give up.
    Without a limit of its own it is the host's memory that it may use. The thresholds are percentages.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 256m}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", memory_limit: 268435456}
        usages:
          - {container: demo-web-1, memory: 241591910, memory_limit: 268435456}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", mem_limit: 256m}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", memory_limit: 268435456}
        usages:
          - {container: demo-web-1, memory: 134217728, memory_limit: 268435456}
    """
    full = [load for load in usage.memory_loads(service, snapshot) if load.ratio * 100 > warning]
    if not full or snapshot.excuse(service):
        return
    definition = service.definition
    place = definition.place(*usage.MEMORY_FIELDS) if definition else service.location
    said = [usage.memory_words(load) for load in full]
    yield Problem(
        f"`{service.name}` is short of memory: {'; '.join(said)}",
        (place,) if place else (),
        tuple(Evidence("docker", text) for text in said),
        field="memory_limit",
        cause=f"memory of {service.name}",
        severity=Severity.CRITICAL if full[0].ratio * 100 > critical else None,
    )


@check(
    Service,
    Severity.WARNING,
    fix="Find what keeps it busy, give it more processors, or spread the work over more containers.",
    needs=("docker",),
)
def cpu_high(
    service: Service, snapshot: Snapshot, *, warning: float = usage.CPU_WARNING, critical: float = usage.CPU_CRITICAL
) -> Iterator[Problem]:
    """A service uses almost all processors that it may have.

    It answers late then, and what asks it waits. Known from the second sample of a running server on; what runs once
    may use all that it can get. The thresholds are percentages.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", cpus: 0.5}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
        usages:
          - {container: demo-web-1, cpu_ratio: 0.97}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", cpus: 0.5}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
        usages:
          - {container: demo-web-1, cpu_ratio: 0.4}
    """
    busy = [load for load in usage.cpu_loads(service, snapshot) if load.ratio * 100 > warning]
    if not busy or snapshot.excuse(service) or snapshot.runs_once(service):
        return
    definition = service.definition
    place = definition.place(*usage.CPU_FIELDS) if definition else service.location
    said = [usage.cpu_words(load) for load in busy]
    yield Problem(
        f"`{service.name}` is short of processors: {'; '.join(said)}",
        (place,) if place else (),
        tuple(Evidence("docker", text) for text in said),
        field="cpu_limit",
        severity=Severity.CRITICAL if busy[0].ratio * 100 > critical else None,
    )
