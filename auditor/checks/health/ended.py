"""How did a service end?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import ladder, past
from auditor.checks.gaps.causes import stopped
from auditor.inventory import Service, Snapshot
from auditor.model import Container, Evidence, Severity
from auditor.registry import BY_CRITICALITY, Problem, check

_SIGNALS = {137: "SIGKILL", 143: "SIGTERM"}  # 128 + the signal's number
_ENDED = frozenset({"exited", "dead"})


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
    killed = [c for c in service.containers if past.kills(c, snapshot.past)]
    if not killed or snapshot.excuse(service):
        return
    down = all(container.state != "running" for container in killed)
    definition = service.definition
    place = definition.place("mem_limit", "deploy.resources.limits.memory") if definition else service.location
    said = [_out_of_memory(container, past.kills(container, snapshot.past)) for container in killed]
    yield Problem(
        f"`{service.name}` ran out of memory: " + "; ".join(said),
        (place,) if place else (),
        tuple(Evidence("docker", text) for text in said),
        cause=stopped(service.name) if down else None,
    )


def _out_of_memory(container: Container, times: int) -> str:
    limit = f" at its limit of {container.memory_limit // 2**20} MiB" if container.memory_limit else ""
    text = f"the kernel killed a process of container `{container.name}`{limit}"
    return f"{text}, {times} times of late" if times > 1 else text


def _down(service: Service, snapshot: Snapshot) -> tuple[Container, ...]:
    """The ended containers that count: of runs that end, the last one; of daemons, those that are missed."""
    if snapshot.excuse(service) or snapshot.swarm_of(service) or snapshot.hidden_in_swarm(service):
        return ()  # a Swarm replaces what ended, and tells why it did
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
    if container.start_error:
        return f"container `{container.name}` could not be started: {container.start_error}"
    text = f"container `{container.name}` exited {container.exit_code}"
    signal = _SIGNALS.get(container.exit_code or 0)
    if signal is None:
        return text
    return f"{text} ({signal}" + (", and nobody told the engine to stop it)" if container.killed is False else ")")


@check(
    Service,
    Severity.WARNING,
    fix="Read the last lines of its log, mend what ends it, and limit how often it is restarted.",
    needs=("docker",),
)
def restart_loop(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service ends and is restarted again and again.

    Between two ends it looks as if it ran. A server compares with its earlier scans; a single run goes by the count of
    restarts and how lately the last one was.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", restart: always}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: restarting, restarts: 7}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", restart: always}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", restarts: 1}
    """
    found = ladder.loops(service, snapshot)
    if not found or snapshot.excuse(service):
        return
    definition = service.definition
    place = definition.place("restart", "deploy.restart_policy") if definition else service.location
    yield Problem(
        f"`{service.name}` is in a restart loop: {'; '.join(found)}",
        (place,) if place else (),
        tuple(Evidence("docker", text) for text in found),
        cause=stopped(service.name),
    )


_FLAPS = 4  # changes between well and ill


@check(
    Service,
    Severity.WARNING,
    fix="Look at what is short when it is ill: memory, a dependency, a health check that is too strict.",
    either=("docker", "probes"),
)
def flapping_service(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service is well and ill by turns.

    Whoever looks now and then sees it well. Found by a server, over its scans of the last quarter of an hour.

    Bad:
        compose: {services: {web: {image: "nginx:1.27.5"}}}
        containers: [{name: demo-web-1, service: web, image: "nginx:1.27.5", health: healthy}]
        past:
          - {minutes_ago: 4, verdicts: {default/web: healthy}}
          - {minutes_ago: 3, verdicts: {default/web: unhealthy}}
          - {minutes_ago: 2, verdicts: {default/web: healthy}}
          - {minutes_ago: 1, verdicts: {default/web: unhealthy}}
    Good:
        compose: {services: {web: {image: "nginx:1.27.5"}}}
        containers: [{name: demo-web-1, service: web, image: "nginx:1.27.5", health: healthy}]
        past:
          - {minutes_ago: 2, verdicts: {default/web: healthy}}
          - {minutes_ago: 1, verdicts: {default/web: unhealthy}}
    """
    if service.host or not snapshot.past or snapshot.excuse(service) or ladder.loops(service, snapshot):
        return
    verdict, reasons = ladder.judge_health(service, snapshot)
    turns = past.changes(service.environment, service.name, snapshot.past, verdict)
    if turns < _FLAPS:
        return
    minutes = int((snapshot.taken_at - snapshot.past[0].taken_at).total_seconds()) // 60
    yield Problem(
        f"`{service.name}` changed between well and ill {turns} times within {max(minutes, 1)} min",
        (service.location,) if service.location else (),
        tuple(Evidence("health", f"now {verdict}: {reason}") for reason in reasons),
    )
