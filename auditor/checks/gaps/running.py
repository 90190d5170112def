"""Does everything run that should, and nothing that nobody knows?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import ladder
from auditor.checks.gaps.causes import stopped
from auditor.inventory import Service, Snapshot
from auditor.model import Container, Definition, Evidence, Lifecycle, Severity, SwarmService
from auditor.registry import BY_CRITICALITY, Problem, check


@check(
    Service,
    BY_CRITICALITY,
    fix="Start the service, or say why it is down with `maintenance`, `lifecycle: oneshot` or `replicas: 0`.",
    needs=("compose", "docker"),
)
def composed_not_running(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """Fewer containers of a composed service run than its file wants.

    A one-shot that exited 0, a service scaled to 0, one whose profile is not active or that is in maintenance is none.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: exited, exit_code: 0}
        catalogue:
          services: {web: {}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: running}
        catalogue:
          services: {web: {}}
    """
    definition = service.definition
    if definition is None or snapshot.excuse(service) or snapshot.hidden_in_swarm(service):
        return
    if swarm := snapshot.swarm_of(service):
        yield from _tasks_missing(service, definition, swarm)
        return
    if snapshot.runs_once(service):
        yield from _never_ran(service)
        return
    up = [container for container in service.containers if container.state == "running"]
    if len(up) >= definition.replicas:
        return
    down = [container for container in service.containers if container.state != "running"]
    wanted = f"{len(up)} of {definition.replicas} containers run" if definition.replicas > 1 else "it does not run"
    detail = "; ".join(_ending(container) for container in down) or "no container of it exists"
    yield Problem(
        f"`{service.name}` is composed in `{service.environment}`, but {wanted}: {detail}",
        (definition.location,),
        tuple(Evidence("docker", _ending(container)) for container in down),
        cause=stopped(service.name),
        fix=_PAUSED if down and all(container.state == "paused" for container in down) else None,
    )


_PAUSED = "Let it go on with `docker compose unpause`, or say why it is down with `maintenance`."


def _tasks_missing(service: Service, definition: Definition, swarm: SwarmService) -> Iterator[Problem]:
    """A Swarm's service with fewer tasks than it should have, and why."""
    if not ladder.tasks_lack(swarm):
        return
    said = ladder.swarm_words(swarm)
    why = f" ({'; '.join(swarm.errors)})" if swarm.errors else ""
    yield Problem(
        f"`{service.name}` is composed in `{service.environment}`, but tasks are missing: {said}{why}",
        (definition.location,),
        tuple(Evidence("docker", text) for text in (said, *swarm.errors)),
        cause=stopped(service.name),
    )


def _never_ran(service: Service) -> Iterator[Problem]:
    """A one-shot without any run on record; one that failed is another check's."""
    if service.containers or service.definition is None or service.lifecycle is Lifecycle.CRON:
        return
    yield Problem(
        f"`{service.name}` is composed in `{service.environment}` to run once, but no run of it is on record",
        (service.definition.location,),
        cause=stopped(service.name),
    )


def _ending(container: Container) -> str:
    """How a container that does not run came to be so, as far as the engine tells."""
    if container.start_error:
        return f"container `{container.name}` could not be started: {container.start_error}"
    if container.state not in ("exited", "dead") or container.exit_code is None:
        return f"container `{container.name}` is {container.state}"
    text = f"container `{container.name}` exited {container.exit_code}"
    if container.exit_code in (137, 143) and container.killed is None:
        return text + " (stopped or killed: the engine's events do not go back that far)"
    return text + (" after it was told to stop" if container.killed else "")


@check(
    Container,
    Severity.WARNING,
    fix="Add the service to a Compose file, or remove the container with `docker compose up --remove-orphans`.",
    needs=("compose", "docker"),
)
def running_not_composed(container: Container, snapshot: Snapshot) -> Iterator[Problem]:
    """A container of the project that no file defines: an orphan.

    It was composed once, still runs, and nothing would bring it back or keep it up to date.

    Bad:
        catalogue:
          services: {web: {}, reports: {lifecycle: daemon}}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
          - {name: demo-reports-1, service: reports, image: "registry.example/reports:2"}
    Good:
        catalogue:
          services: {web: {}}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
    """
    project = snapshot.project(container.environment)
    if not _judged(container, snapshot) or project is None or not snapshot.in_project(container):
        return
    if container.service is None or container.service in snapshot.definitions(container.environment):
        return
    said = f"container `{container.name}` runs as service `{container.service}` of `{container.project}`, but "
    namesake = snapshot.of_namesake(container)
    if namesake:
        said += f"was started in another directory, {container.working_dir}, where none of this project's services was"
    else:
        said += f"no file of `{container.environment}` defines it"
    started = f"container `{container.name}` was started in {container.working_dir}"
    yield Problem(
        said,
        (),
        (Evidence("docker", started),) if container.working_dir and not namesake else (),
        service=snapshot.known_as(container.environment, container.service),
        key=container.service,
        cause=f"unknown:{container.service}",
        fix=_NAMESAKE if namesake else None,
    )


_NAMESAKE = (
    "Give one of two projects of this name another `name`, for Compose takes them for one and may remove the other's "
    "containers; if it is left over from the project's earlier place, remove the container."
)


@check(
    Container,
    Severity.WARNING,
    fix="Declare and compose the service, or remove the container.",
    needs=("compose", "docker"),
)
def running_not_declared(container: Container, snapshot: Snapshot) -> Iterator[Problem]:
    """A container runs that no catalogue entry and no Compose file knows.

    Started by hand, it uses ports, memory and data, and will be gone after the next reboot.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
          - {name: try-redis, image: "redis:7.4"}
        catalogue:
          services: {web: {}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
        catalogue:
          services: {web: {}}
    """
    if not _judged(container, snapshot):
        return
    name = snapshot.placed(container)
    service = snapshot.service(container.environment, name)
    if service and (service.entry or service.definition):
        return
    yield Problem(
        f"container `{container.name}` ({container.image}) runs, but no catalogue entry and no file knows it",
        (),
        (Evidence("docker", f"container `{container.name}` is {container.state}"),),
        service=name,
        key=container.name,
        cause=f"unknown:{name}",
        fix=_NAMESAKE if snapshot.of_namesake(container) else None,
    )


def _judged(container: Container, snapshot: Snapshot) -> bool:
    """Running containers that are this environment's to judge."""
    return container.state in ("running", "restarting", "paused") and not container.oneoff and snapshot.ours(container)
