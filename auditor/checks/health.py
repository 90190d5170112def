"""Does what runs work, and would anybody ask?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import ladder
from auditor.checks.gaps import stopped
from auditor.inventory import Service, Snapshot
from auditor.model import Container, Definition, Evidence, Location, Severity, Verdict
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

    Its container counts as running while it answers nobody, and what depends on it starts too early. An image that
    brings its own health check is known by its running container.

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
    service = snapshot.service(definition.environment, snapshot.known_as(definition.environment, definition.name))
    if definition.healthcheck or (service and (snapshot.runs_once(service) or _asked_by_docker(service))):
        return
    yield Problem(
        f"`{definition.name}` has no health check",
        (definition.location,),
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

    Exit codes 137 and 143 are what a deliberate stop leaves, too; they count only where the engine's events show that
    nobody told the container to stop. A one-shot that exited 0 has done its work.

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
    """A non-zero exit. After a signal only where nobody sent it through the engine: a daemon's must be sure of it, a
    run that should have ended well is a failure unless it is sure of the contrary."""
    if not container.exit_code:
        return False
    if container.exit_code not in _SIGNALS:
        return True
    return container.killed is False or (once and container.killed is None)


def _failure(container: Container) -> str:
    text = f"container `{container.name}` exited {container.exit_code}"
    signal = _SIGNALS.get(container.exit_code or 0)
    if signal is None:
        return text
    return f"{text} ({signal}" + (", and nobody told the engine to stop it)" if container.killed is False else ")")
