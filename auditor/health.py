"""The verdict: what container states, health checks, probes and listeners together say of one service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import lru_cache

from auditor.frozen import dataclass
from auditor.model import Container, Lifecycle, Listener, ProbeResult, Verdict

ENDING = frozenset({Lifecycle.ONESHOT, Lifecycle.CRON})  # meant to end: the last run's exit code is their health
BAD = (Verdict.UNHEALTHY, Verdict.STOPPED, Verdict.DEGRADED)  # the worst first: stopped only when nothing runs at all
_HEALTH = {
    "healthy": Verdict.HEALTHY,
    "unhealthy": Verdict.UNHEALTHY,
    "starting": Verdict.STARTING,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one service; the parameters of `verdict` say what each means."""

    lifecycle: Lifecycle
    containers: tuple[Container, ...] = ()
    probes: tuple[ProbeResult, ...] = ()
    listeners: tuple[Listener, ...] | None = None
    engine_state: str = "not_asked"
    wanted: int = 1
    restarts_before: Mapping[str, int] = field(default_factory=dict)  # container id -> restarts at the scan before
    targets_up: tuple[str, ...] = ()
    crossed: tuple[str, ...] = ()

    @property
    def contained(self) -> bool:
        """Whether containers speak for this service."""
        return self.engine_state == "ok" and self.lifecycle not in (Lifecycle.EXTERNAL, Lifecycle.PROCESS)

    @property
    def failed(self) -> list[ProbeResult]:
        return [probe for probe in self.probes if probe.outcome == "failure"]

    @property
    def answered(self) -> list[ProbeResult]:
        return [probe for probe in self.probes if probe.outcome == "success"]


Condition = Callable[[Facts], list[str]]  # why the row holds; nothing: it does not


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the truth table."""

    verdict: Verdict
    when: str
    holds: Condition


def verdict(
    *,
    lifecycle: Lifecycle,
    containers: Sequence[Container] = (),
    probes: Sequence[ProbeResult] = (),
    listeners: Sequence[Listener] | None = None,
    engine_state: str = "not_asked",
    wanted: int = 1,
    restarts_before: Mapping[str, int] | None = None,
    targets_up: Sequence[str] = (),
    crossed: Sequence[str] = (),
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict of one service and the reasons that it stands on: the first row of `TABLE` that holds.

    engine_state: "ok" (an empty `containers` means that there are none), "failed" or "stale" (containers then say
    nothing), "not_asked". restarts_before: container id -> restarts at the scan before. `listeners` are those
    on the service's own ports, None where host processes were not read. targets_up: its own targets (no exporter's)
    that a running Prometheus reads now. crossed: what it uses beyond a threshold, in words. An embedded service is
    judged by its host's facts. Several containers: all bad = the worst, some bad or missing = degraded.
    """
    if not (containers or probes or listeners or targets_up or crossed):
        return _of_nothing(lifecycle, engine_state, wanted, listeners is not None)
    return _judge(
        Facts(
            lifecycle=lifecycle,
            containers=tuple(containers),
            probes=tuple(probes),
            listeners=None if listeners is None else tuple(listeners),
            engine_state=engine_state,
            wanted=wanted,
            restarts_before=restarts_before or {},
            targets_up=tuple(targets_up),
            crossed=tuple(crossed),
        )
    )


def _judge(facts: Facts) -> tuple[Verdict, tuple[str, ...]]:
    return next((row.verdict, tuple(reasons)) for row in TABLE if (reasons := row.holds(facts)))


@lru_cache(maxsize=256)
def _of_nothing(lifecycle: Lifecycle, engine_state: str, wanted: int, heard: bool) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict where nothing speaks for a service, as offline for every one of them."""
    listeners = () if heard else None
    return _judge(Facts(lifecycle, listeners=listeners, engine_state=engine_state, wanted=wanted))


def container_verdict(container: Container, lifecycle: Lifecycle = Lifecycle.DAEMON) -> tuple[Verdict, str]:
    """One container's own verdict and its reason; unknown: it runs, and nothing says how well."""
    name = f"container `{container.name}`"
    if lifecycle in ENDING:
        return _run_verdict(container, name)
    if container.state == "restarting":
        return Verdict.UNHEALTHY, f"{name} keeps restarting"
    if container.state != "running":
        return Verdict.STOPPED, f"{name} {_ended(container)}"
    found = _HEALTH.get(container.health, Verdict.UNKNOWN)
    if found is Verdict.UNHEALTHY and container.health_output:
        return found, f"{name}: {container.health_output}"
    return found, f"{name} is {container.health}" if found is not Verdict.UNKNOWN else f"{name} runs"


def _run_verdict(container: Container, name: str) -> tuple[Verdict, str]:
    if container.state in ("running", "restarting", "paused"):
        return Verdict.UNKNOWN, f"{name} has not ended yet"
    if container.state == "exited" and container.exit_code == 0:
        return Verdict.HEALTHY, f"{name} exited 0"
    return Verdict.STOPPED, f"{name} {_ended(container)}"


def _ended(container: Container) -> str:
    if container.state in ("exited", "dead") and container.exit_code is not None:
        killed = ", out of memory" if container.oom_killed else ""
        return f"exited {container.exit_code}{killed}"
    return f"is {container.state}"


def _judged(facts: Facts) -> list[tuple[Verdict, str]]:
    """The verdicts of the containers that count: of runs that end, only the last one."""
    if not facts.contained:
        return []
    containers = facts.containers
    if facts.lifecycle in ENDING and containers:
        containers = (max(containers, key=_recency),)
    return [container_verdict(container, facts.lifecycle) for container in containers]


def _recency(container: Container) -> tuple[float, str]:
    moment = container.started_at or container.finished_at
    return (moment.timestamp() if moment else 0.0, container.id)


def _bad(facts: Facts) -> list[tuple[Verdict, str]]:
    return [judged for judged in _judged(facts) if judged[0] in BAD]


def _all_bad(facts: Facts, worst: Verdict) -> list[str]:
    """The reasons, where no container is any good and the worst of them is `worst`."""
    judged = _judged(facts)
    bad = [found for found, _ in judged if found in BAD]
    if not judged or len(bad) < len(judged) or min(bad, key=BAD.index) is not worst:
        return []
    return [reason for _, reason in judged]


# --- the rows --------------------------------------------------------------------------------------------------


def _blind(facts: Facts) -> list[str]:
    needed = facts.lifecycle not in (Lifecycle.EXTERNAL, Lifecycle.PROCESS)
    spoken = facts.failed or facts.answered or facts.targets_up
    if needed and facts.engine_state not in ("ok", "not_asked") and not spoken:
        return ["the engine could not be read, and nothing else speaks for the service"]
    return []


def _stopped(facts: Facts) -> list[str]:
    if facts.lifecycle is Lifecycle.PROCESS and facts.listeners is not None and not facts.listeners:
        return ["no process listens on its ports"]
    if facts.contained and not facts.containers:
        return ["no container"]
    return _all_bad(facts, Verdict.STOPPED)


def _starting(facts: Facts) -> list[str]:
    judged = _judged(facts)
    if any(found in BAD for found, _ in judged):
        return []
    return [reason for found, reason in judged if found is Verdict.STARTING]


def _unhealthy(facts: Facts) -> list[str]:
    probes = [probe_words(probe) for probe in facts.failed] if not facts.answered else []
    return _all_bad(facts, Verdict.UNHEALTHY) + probes


def _degraded(facts: Facts) -> list[str]:
    reasons = [reason for _, reason in _bad(facts)]
    reasons += _missing(facts)
    reasons += [probe_words(probe) for probe in facts.failed]
    reasons += _growing(facts)
    reasons += facts.crossed if facts.contained else ()
    reasons += [probe_words(probe) for probe in facts.answered if probe.slow]
    return reasons


def _healthy(facts: Facts) -> list[str]:
    reasons = [reason for found, reason in _judged(facts) if found is Verdict.HEALTHY]
    reasons += [probe_words(probe) for probe in facts.answered]
    return reasons + [f"Prometheus reads its target {target}" for target in facts.targets_up]


def _missing(facts: Facts) -> list[str]:
    present = len(facts.containers)
    if not facts.contained or facts.lifecycle in ENDING or present >= facts.wanted:
        return []
    return [f"{present} of {facts.wanted} containers exist"]


def _growing(facts: Facts) -> list[str]:
    if not facts.contained:
        return []
    return [
        f"container `{container.name}` restarted {container.restarts - before} times since the last scan"
        for container in facts.containers
        if container.restarts is not None
        and (before := facts.restarts_before.get(container.id)) is not None
        and container.restarts > before
    ]


def probe_words(probe: ProbeResult) -> str:
    """What a probe asked, and what came of it."""
    words = {"success": "answered", "failure": "failed", "unknown": "could not be asked"}
    said = f"{probe.kind} probe of `{probe.target}` {words.get(probe.outcome, probe.outcome)}"
    return f"{said}: {probe.reason}" if probe.reason else said


def _unproved(facts: Facts) -> list[str]:
    """Why nothing is known: what was seen of it, and the probes that could not be asked."""
    reasons = [reason for _, reason in _judged(facts)]
    reasons += [f"a process listens on port {listener.port}" for listener in facts.listeners or ()]
    reasons += [probe_words(probe) for probe in facts.probes if probe.outcome == "unknown"]
    return [*reasons, "nothing proves that it works"]


TABLE = (
    Row(Verdict.UNKNOWN, "the engine was asked and could not be read, and no probe or target speaks", _blind),
    Row(Verdict.STOPPED, "nothing of it runs; a run that ended with 0 is healthy instead", _stopped),
    Row(Verdict.STARTING, "Docker health is starting, and no container is bad", _starting),
    Row(Verdict.UNHEALTHY, "every container is unhealthy or stopped, or every probe that decided failed", _unhealthy),
    Row(
        Verdict.DEGRADED,
        "a container is bad or missing, a probe failed or was slow, restarts grow, a resource threshold is crossed",
        _degraded,
    ),
    Row(
        Verdict.HEALTHY,
        "a positive proof: Docker healthy, a probe answered, its target is up, the last run exited 0",
        _healthy,
    ),
    Row(Verdict.UNKNOWN, "none of these: it may run, nothing proves that it works", _unproved),
)
