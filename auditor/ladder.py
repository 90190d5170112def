"""How far the evidence goes for one service: ten rungs, each proved, disproved, not required or unknown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from auditor import alerting, charting, health, hearing, listening, past, shipping, usage
from auditor.frozen import dataclass
from auditor.inventory import Service, Snapshot
from auditor.model import (
    RUNGS,
    AlertmanagerConfig,
    Container,
    Criticality,
    Evidence,
    Lifecycle,
    LiveTarget,
    Location,
    Receiver,
    Rung,
    RungState,
    ScrapeTarget,
    ServiceReport,
    SwarmService,
    Verdict,
)
from auditor.routing import muted
from auditor.scrapes import (
    UNREACHABLE,
    UNSURE,
    WRONG_PATH,
    WRONG_SCHEME,
    Scrape,
    hidden,
    is_unasked,
    live_scrapes_of,
    scrapes_of,
)

PROVED, DISPROVED = RungState.PROVED, RungState.DISPROVED
UNKNOWN, NOT_REQUIRED = RungState.UNKNOWN, RungState.NOT_REQUIRED
NOT_ASKED = "not asked"
NOT_ASSESSED = "not assessed by this version"

REQUIRED: Mapping[str, tuple[str, ...]] = {
    Criticality.CRITICAL: RUNGS,
    Criticality.STANDARD: ("composed", "running", "healthy", "scraped", "alerted"),
    Criticality.OPTIONAL: ("composed", "running"),
}

# Rungs that a lifecycle cannot reach and so need not.
_WITHOUT: Mapping[Lifecycle, tuple[frozenset[str], str]] = {
    Lifecycle.EXTERNAL: (frozenset({"composed", "running", "logged"}), "it is external"),
    Lifecycle.PROCESS: (frozenset({"composed", "logged"}), "it is a host process"),
    Lifecycle.ONESHOT: (frozenset({"scraped", "charted"}), "it runs once"),
    Lifecycle.CRON: (frozenset({"scraped", "charted"}), "it runs on a schedule"),
    Lifecycle.EMBEDDED: (frozenset({"scraped", "charted"}), "it is part of another service"),
}
_FOLLOWS_HOST = ("composed", "running", "healthy", "logged", "alerted", "routed")
_AFTER_RUNNING = RUNGS[RUNGS.index("running") :]


@dataclass(frozen=True, slots=True)
class Step:
    """What the evidence says of one rung, before anyone asks whether it is required."""

    state: RungState
    reason: str | None = None
    evidence: tuple[Evidence, ...] = ()


def unknown(snapshot: Snapshot, source: str, environment: str) -> Step | None:
    """The step for a source that was not asked or could not be read; None where it was read."""
    known = _memory_of(snapshot).missing
    key = source, environment
    if key not in known:
        known[key] = _missing(snapshot, source, environment)
    return known[key]


def _missing(snapshot: Snapshot, source: str, environment: str) -> Step | None:
    state = snapshot.source(source, environment)
    if state.state == "ok":
        return None
    if state.state == "not_asked":
        return Step(UNKNOWN, NOT_ASKED)
    return Step(UNKNOWN, f"{source} could not be read: {state.detail or state.state}")


def _seen(source: str, text: str, location: Location | None = None) -> tuple[Evidence, ...]:
    place = location if location and location.path else None
    return (Evidence(source, text, place.path if place else None, place.line if place else None),)


class _Memory:
    """What was worked out of one snapshot; the report asks for it, and checks ask again."""

    def __init__(self) -> None:
        self.missing: dict[tuple[str, str], Step | None] = {}
        self.bare: dict[tuple[RungState, bool, str | None], Rung] = {}  # those without evidence: many are alike
        self.rungs: dict[tuple[str, str], Mapping[str, Rung]] = {}
        self.verdicts: dict[tuple[str, str], tuple[Verdict, tuple[str, ...]]] = {}


def _memory_of(snapshot: Snapshot) -> _Memory:
    known: _Memory | None = snapshot.memo.get("ladder")
    return known if known is not None else snapshot.memo.setdefault("ladder", _Memory())


def climb(service: Service, snapshot: Snapshot) -> Mapping[str, Rung]:
    """All ten rungs of a service of the snapshot."""
    known = _memory_of(snapshot).rungs
    key = service.environment, service.name
    if key not in known:
        known[key] = _climbed(service, snapshot)
    return known[key]


def _climbed(service: Service, snapshot: Snapshot) -> Mapping[str, Rung]:
    host = snapshot.service(service.environment, service.host) if service.host else None
    without, because = _WITHOUT.get(service.lifecycle, (frozenset(), ""))
    excuse = snapshot.excuse(host or service)
    required = _required(service, snapshot)
    bare = _memory_of(snapshot).bare
    rungs = {}
    for name in RUNGS:
        subject = host if host and name in _FOLLOWS_HOST else service
        step = _STEPS[name](subject, snapshot)
        if step.state is not PROVED and name in without:
            step = Step(NOT_REQUIRED, because)
        elif step.state is not PROVED and excuse and name in _AFTER_RUNNING:
            step = Step(NOT_REQUIRED, excuse)
        elif host and name in _FOLLOWS_HOST:
            step = replace(step, reason=step.reason or f"follows its host `{host.name}`")
        if step.evidence:
            rungs[name] = Rung(step.state, name in required, step.reason, step.evidence)
            continue
        key = step.state, name in required, step.reason
        if key not in bare:
            bare[key] = Rung(*key)
        rungs[name] = bare[key]
    return rungs


def _required(service: Service, snapshot: Snapshot) -> Collection[str]:
    policy = snapshot.catalogue.required if snapshot.catalogue else {}
    return policy.get(service.criticality, REQUIRED[service.criticality])


# --- the rungs ---------------------------------------------------------------------------------------------------


def _claimed(service: Service, snapshot: Snapshot) -> Step:
    if missing := unknown(snapshot, "documents", service.environment):
        return missing
    found = snapshot.mentions(service)
    if found:
        item = found[0]
        return Step(PROVED, None, _seen("documents", f"listed as “{item.text}”", item.location))
    return Step(DISPROVED, "no list or table of services names it")


def _declared(service: Service, snapshot: Snapshot) -> Step:
    if snapshot.catalogue is None:
        return Step(UNKNOWN, NOT_ASKED)
    if service.entry is None:
        return Step(DISPROVED, "no catalogue entry has its name or alias")
    return Step(PROVED, None, _seen("catalogue", f"declared as `{service.entry.name}`", service.entry.location))


def _composed(service: Service, snapshot: Snapshot) -> Step:
    missing = unknown(snapshot, "compose", service.environment)
    if missing and service.definition is None:
        return missing
    if service.definition is None:
        return Step(DISPROVED, f"no Compose service of `{service.environment}` is it")
    definition = service.definition
    return Step(PROVED, None, _seen("compose", f"composed as `{definition.name}`", definition.location))


def _running(service: Service, snapshot: Snapshot) -> Step:
    if service.lifecycle is Lifecycle.PROCESS:
        return _listening(service, snapshot)
    if missing := unknown(snapshot, "docker", service.environment):
        seen = enough_to_be_seen(service, snapshot)
        return Step(PROVED, None, tuple(Evidence("docker", _shown(c)) for c in seen)) if seen else missing
    if swarm := snapshot.swarm_of(service):
        return _tasks(swarm)
    up = [c for c in service.containers if c.state == "running"]
    if snapshot.hidden_in_swarm(service) and not up:
        return Step(UNKNOWN, HIDDEN)
    if snapshot.runs_once(service):
        return Step(UNKNOWN, _NO_RUN) if _leaves_no_trace(service) else _ran(service.containers, up)
    wanted = service.definition.replicas if service.definition else 1
    evidence = tuple(Evidence("docker", _shown(container)) for container in service.containers)
    if up and len(up) >= wanted:
        return Step(PROVED, None, evidence)
    if not service.containers:
        return Step(DISPROVED, "no container of it exists")
    if snapshot.hidden_in_swarm(service):
        return Step(UNKNOWN, f"{len(up)} of {wanted} wanted containers run here; {HIDDEN}", evidence)
    return Step(DISPROVED, f"{len(up)} of {wanted} wanted containers run", evidence)


def enough_to_be_seen(service: Service, snapshot: Snapshot) -> tuple[Container, ...]:
    """Of a daemon on several engines, some of which could not be read: its containers on the others, where as many
    run there as it wants. What lacks may run on an engine that is gone, and proves nothing."""
    if not service.containers or service.lifecycle is not Lifecycle.DAEMON:
        return ()
    if snapshot.runs_once(service) or snapshot.swarm_of(service):
        return ()
    here = tuple(container for container in service.containers if snapshot.readable(container))
    wanted = service.definition.replicas if service.definition else 1
    return here if sum(container.state == "running" for container in here) >= max(wanted, 1) else ()


HIDDEN = "where else in the Swarm it runs could not be read"


def _tasks(swarm: SwarmService) -> Step:
    """What a Swarm says of a service, wherever its tasks run."""
    said = swarm_words(swarm)
    if not tasks_lack(swarm):
        return Step(PROVED, None, _seen("docker", said))
    return Step(DISPROVED, "; ".join((said, *swarm.errors)), _seen("docker", said))


def tasks_lack(swarm: SwarmService) -> int:
    """How many tasks of a Swarm's service are missing. Of a job, a run that ended well is not."""
    return max(0, (swarm.desired if swarm.desired is not None else 1) - swarm.running - swarm.completed)


def swarm_words(swarm: SwarmService) -> str:
    """How many of its tasks run, or of a job ended well."""
    if swarm.mode.endswith("-job"):
        return f"Swarm job `{swarm.name}`: {swarm.completed} of {swarm.desired} runs ended well, {swarm.running} run"
    return f"Swarm service `{swarm.name}`: {swarm.running} of {swarm.desired} tasks run"


def _listening(service: Service, snapshot: Snapshot) -> Step:
    if missing := unknown(snapshot, "processes", service.environment):
        return missing
    wanted = listening.sockets_of(service.entry) if service.entry else ()
    if not wanted:
        return Step(UNKNOWN, "the catalogue names no port that it listens on")
    found = snapshot.holders_of(service)
    if found.own:
        return Step(PROVED, None, tuple(Evidence("processes", listening.described(x)) for x in found.own))
    if found.unseen:
        port = listening.shown((found.unseen[0].port, found.unseen[0].protocol))
        return Step(UNKNOWN, f"who listens on port {port} may not be seen, so nothing proves that it is its command")
    if found.others:
        held = f"port {listening.shown((found.others[0].port, found.others[0].protocol))} is held by another"
        return Step(DISPROVED, held, _seen("processes", f"{held}: {listening.called(found.others[0])}"))
    return Step(DISPROVED, f"nothing listens on {', '.join(map(listening.shown, wanted))}")


def _ran(containers: Iterable[Container], up: list[Container]) -> Step:
    last = max((c for c in containers if c.state == "exited"), key=_recency, default=None)
    if up or (last and last.exit_code == 0):
        return Step(PROVED, None, _seen("docker", "it runs now" if up else "its last run exited 0"))
    if last:
        return Step(DISPROVED, f"its last run exited {last.exit_code}", _seen("docker", _shown(last)))
    return Step(DISPROVED, _NO_RUN)


def _recency(container: Container) -> tuple[float, str]:
    moment = container.started_at or container.finished_at
    return (moment.timestamp() if moment else 0.0, container.id)


_NO_RUN = "no run of it is on record"


def _leaves_no_trace(service: Service) -> bool:
    """A scheduled run without a container: it may have been removed after a run that went well."""
    return service.lifecycle is Lifecycle.CRON and not service.containers


def _shown(container: Container) -> str:
    state = container.state
    if state == "exited" and container.exit_code is not None:
        state = f"exited {container.exit_code}"
    health = f", {container.health}" if container.health not in ("none", "unknown") else ""
    return f"container `{container.name}` is {state}{health}"


def _healthy(service: Service, snapshot: Snapshot) -> Step:
    answer, reasons = judge_health(service, snapshot)
    said = "; ".join(reasons) or None
    if answer is Verdict.HEALTHY:
        return Step(PROVED, None, _seen("health", said or "healthy"))
    if answer in (Verdict.UNHEALTHY, Verdict.DEGRADED, Verdict.STOPPED):
        return Step(DISPROVED, f"{answer}: {said}" if said else str(answer))
    asked = snapshot.source("docker", service.environment).state != "not_asked" or bool(snapshot.probes_of(service))
    if service.lifecycle is Lifecycle.PROCESS:
        asked = snapshot.source("processes", service.environment).state != "not_asked"
    return Step(UNKNOWN, said or str(answer)) if asked else Step(UNKNOWN, NOT_ASKED)


def judge_health(service: Service, snapshot: Snapshot) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict of a service, or of the service that it is part of, with what it stands on."""
    known = _memory_of(snapshot).verdicts
    key = service.environment, service.name
    if key not in known:
        known[key] = _judged(service, snapshot)
    return known[key]


def _judged(service: Service, snapshot: Snapshot) -> tuple[Verdict, tuple[str, ...]]:
    host = snapshot.service(service.environment, service.host) if service.host else None
    if host is not None and host.host is None:
        service = host
    ports = service.entry.ports if service.entry else ()
    listeners = snapshot.holders_of(service).present
    heard = snapshot.source("processes", service.environment).state == "ok"
    if _leaves_no_trace(service) and not snapshot.probes_of(service):
        return Verdict.UNKNOWN, (_NO_RUN,)
    if swarm := snapshot.swarm_of(service):
        return _swarm_health(service, swarm, snapshot)
    engine = snapshot.source("docker", service.environment).state
    hidden = snapshot.hidden_in_swarm(service)  # then the tasks that run here speak for it, and nothing else
    here = tuple(c for c in service.containers if c.state == "running") if hidden else service.containers
    if engine != "ok" and not hidden and (seen := enough_to_be_seen(service, snapshot)):
        engine, here = "ok", seen
    return health.verdict(
        lifecycle=Lifecycle.ONESHOT if snapshot.runs_once(service) else service.lifecycle,
        containers=here,
        probes=snapshot.probes_of(service),
        listeners=listeners if heard and ports else None,
        engine_state="failed" if hidden and not here else engine,
        wanted=0 if hidden else service.definition.replicas if service.definition else 1,
        targets_up=_own_targets_up(service, snapshot),
        crossed=(*usage.crossed(service, snapshot), *loops(service, snapshot)),
        restarts_before=snapshot.past[-1].restarts if snapshot.past else None,
    )


def _swarm_health(service: Service, swarm: SwarmService, snapshot: Snapshot) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict by the Swarm's own count of tasks, and by those of them that run on this engine."""
    lack, said = tasks_lack(swarm), swarm_words(swarm)
    if swarm.desired == 0 or (lack and not swarm.running):
        return Verdict.STOPPED, (said, *swarm.errors)
    if swarm.mode.endswith("-job"):
        return (Verdict.UNKNOWN, (said,)) if swarm.running else (Verdict.HEALTHY, (said,))
    here = tuple(container for container in service.containers if container.state == "running")
    short = (said, *swarm.errors) if lack else ()
    return health.verdict(
        lifecycle=service.lifecycle,
        containers=here,
        probes=snapshot.probes_of(service),
        engine_state="ok" if here else "not_asked",
        wanted=0,
        targets_up=_own_targets_up(service, snapshot),
        crossed=(*short, *usage.crossed(service, snapshot)),
    )


def loops(service: Service, snapshot: Snapshot) -> tuple[str, ...]:
    """The containers of a service that are restarted again and again, in words."""
    if snapshot.source("docker", service.environment).state != "ok":
        return ()
    found = (past.loop(container, snapshot.past, snapshot.taken_at) for container in service.containers)
    return tuple(text for text in found if text)


def _own_targets_up(service: Service, snapshot: Snapshot) -> tuple[str, ...]:
    """Its own targets that Prometheus reads now. An exporter that answers proves the exporter, not its service."""
    if snapshot.source("prometheus-api", service.environment).state != "ok":
        return ()
    found = (scrape.target for scrape in live_scrapes_of(service, snapshot) if scrape.own)
    return tuple(_host_port(target) for target in found if isinstance(target, LiveTarget) and target.up)


def _scraped(service: Service, snapshot: Snapshot) -> Step:
    """Live targets decide where a running Prometheus was asked; else what its configuration says."""
    live = unknown(snapshot, "prometheus-api", service.environment)
    written = unknown(snapshot, "prometheus", service.environment)
    if live and live.reason != NOT_ASKED:
        return live
    if live and written:
        return written
    found = scrapes_of(service, snapshot) if live else live_scrapes_of(service, snapshot)
    if not found and metrics_hosts(service, snapshot) is None:
        return Step(NOT_REQUIRED, "no metrics endpoint of it is known")
    if live or (not found and is_unasked(service, snapshot)):
        return _scraped_by_file(service, snapshot)
    return _scraped_now(found)


def _scraped_now(found: tuple[Scrape, ...]) -> Step:
    targets = [scrape.target for scrape in found if isinstance(scrape.target, LiveTarget)]
    up = next((target for target in targets if target.up), None)
    if up:
        return Step(PROVED, None, _seen("prometheus-api", f"target {up.address.host} of job `{up.job}` is up"))
    if any(target.up is None for target in targets):
        return Step(UNKNOWN, "Prometheus has not scraped it yet")
    if targets:
        return Step(DISPROVED, f"its target is down: {targets[0].error or 'no reason given'}")
    return Step(DISPROVED, "no active target of Prometheus is it or its exporter")


def _scraped_by_file(service: Service, snapshot: Snapshot) -> Step:
    scrapes = scrapes_of(service, snapshot)
    best = min(scrapes, key=lambda scrape: {None: 0, UNSURE: 1}.get(scrape.fault, 2), default=None)
    if best:
        return _by_target(best)
    named = targets_of(service, snapshot)
    phantom = next((one for one in named if not snapshot.provided(service.environment, one.address.host)), None)
    if phantom:
        said = f"job `{phantom.job}` targets {_host_port(phantom)}, which nothing provides"
        return Step(DISPROVED, said, _seen("prometheus", said, phantom.location))
    if kinds := _hidden(service, snapshot):
        return Step(UNKNOWN, f"no static target is it, and {kinds} cannot be followed in files")
    return Step(DISPROVED, "no scrape job targets it or its exporter")


_FAULTS = {
    UNREACHABLE: "with which Prometheus shares no network",
    UNSURE: "and nobody says that it listens there",
    WRONG_SCHEME: "which speaks plain HTTP",
}


def _by_target(scrape: Scrape) -> Step:
    target = scrape.target
    place = target.location if isinstance(target, ScrapeTarget) else None
    path = target.metrics_path if isinstance(target, ScrapeTarget) and scrape.fault == WRONG_PATH else ""
    scheme = "https://" if scrape.fault == WRONG_SCHEME else ""
    said = f"job `{target.job}` scrapes {scheme}{_host_port(target)}{path}"
    if scrape.fault is None:
        return Step(PROVED, None, _seen("prometheus", said, place))
    why = _FAULTS.get(scrape.fault, "where it has no metrics")
    state = UNKNOWN if scrape.fault == UNSURE else DISPROVED
    return Step(state, f"{said}, {why}", _seen("prometheus", said, place))


def _hidden(service: Service, snapshot: Snapshot) -> str:
    """The discoveries that may find a service, and that files do not show."""
    return ", ".join(sorted({kind for job in hidden(service, snapshot) for kind in job.discovery}))


def targets_of(service: Service, snapshot: Snapshot) -> tuple[ScrapeTarget, ...]:
    """The targets in files that are meant to read its metrics, whether or not anything answers there."""
    found = [scrape.target for scrape in scrapes_of(service, snapshot)]
    named = snapshot.targets_at(service.environment, metrics_hosts(service, snapshot) or ())
    return tuple({id(target): target for target in (*found, *named) if isinstance(target, ScrapeTarget)}.values())


def _host_port(target: ScrapeTarget | LiveTarget) -> str:
    return f"{target.address.host}:{target.address.port}" if target.address.port else target.address.host


def metrics_hosts(service: Service, snapshot: Snapshot) -> frozenset[str] | None:
    """The hosts where its metrics could be scraped: its own, or its exporter's. None: no endpoint is known.

    An exporter that the catalogue names is an endpoint, whether or not it is deployed; one that only the knowledge
    base names must be.
    """
    declared = service.entry.metrics if service.entry else None
    known = service.component.metrics if service.component else None
    names: set[str] = set()
    if (declared and declared.port) or (known and known.port):
        names |= hosts_of(service)
    exporter = (declared.exporter if declared else None) or (known.exporter if known else None)
    if exporter:
        speaker = snapshot.service(service.environment, exporter) or snapshot.deployed(service.environment, exporter)
        if speaker and speaker.definition:
            names |= hosts_of(speaker)
        elif declared and declared.exporter:
            names.add(exporter)
    return frozenset(names) or None


def hosts_of(service: Service) -> set[str]:
    """Every name that a service answers to on its networks."""
    names = {service.name}
    if service.entry:
        names.update(service.entry.aliases)
    if service.entry and service.entry.host is not None:
        names.add(service.entry.host)
    if service.definition:
        names.update({service.definition.name, *service.definition.network_aliases})
        if service.definition.container_name:
            names.add(service.definition.container_name)
    if service.component and service.component.key == "prometheus":
        names.update({"localhost", "127.0.0.1"})  # it scrapes itself there
    return names


def _logged(service: Service, snapshot: Snapshot) -> Step:
    """What the running log store has decides where it was asked and names services; else what files say."""
    if missing := unknown(snapshot, "compose", service.environment):
        return missing
    live = unknown(snapshot, "loki", service.environment)
    if live and live.reason != NOT_ASKED:
        return live
    written = _shipped(shipping.shipment(service, snapshot))
    store = shipping.store_of(service.environment, snapshot)
    if live or store is None:
        return written
    lines = shipping.lines_of(service, store, snapshot)
    last = max((line for line in lines if line.last), key=lambda line: line.last or snapshot.taken_at, default=None)
    if last and last.last:
        said = f'Loki has a line of `{last.label}="{last.value}"` of {last.last:%Y-%m-%d %H:%M} UTC'
        return Step(PROVED, None, _seen("loki", said))
    if lines or store.empty:
        return Step(DISPROVED, f"Loki has had no line of {'it' if lines else 'anybody'} for a day", written.evidence)
    if written.state is PROVED and store.complete and shipping.names_anybody(store, snapshot):
        return Step(DISPROVED, "no label of Loki names it", written.evidence)
    return written


def _shipped(found: shipping.Shipment) -> Step:
    if found.shipped is None:
        return Step(UNKNOWN, found.text)
    evidence = _seen("compose", found.text, found.location) if found.location else ()
    return Step(PROVED, None, evidence) if found.shipped else Step(DISPROVED, found.text, evidence)


def _alerted(service: Service, snapshot: Snapshot) -> Step:
    """Loaded rules and the series that they find decide where a running Prometheus was asked; else its files."""
    missing, source = _either("prometheus-api", "prometheus", service, snapshot)
    if missing:
        return missing
    found = alerting.watches(service, snapshot)
    sure = next((watch for watch in found if watch.sure), None)
    if sure:
        return Step(PROVED, None, _seen(source, _selects(sure), sure.rule.location))
    if found:
        return Step(UNKNOWN, f"{_selects(found[0])}, and nobody says whether it exposes that")
    why = alerting.unread(service.environment, snapshot)
    if source == "prometheus":
        why = why or alerting.unforeseen(service, snapshot)
    if why:
        return Step(UNKNOWN, why)
    return Step(DISPROVED, "no loaded alert rule selects its series")


def _either(live: str, written: str, service: Service, snapshot: Snapshot) -> tuple[Step | None, str]:
    """The source that decides: the live one where it was asked, else the files; and why neither can."""
    now = unknown(snapshot, live, service.environment)
    if now is None or now.reason != NOT_ASKED:
        return now, live
    return unknown(snapshot, written, service.environment), written


def _selects(watch: alerting.Watch) -> str:
    return f"alert `{watch.rule.name}` selects `{watch.selector}`"


def _routed(service: Service, snapshot: Snapshot) -> Step:
    missing, source = _either("alertmanager", "alertmanager-config", service, snapshot)
    if missing:
        return missing
    config = snapshot.alertmanager_of(service.environment)
    alerted = _alerted(service, snapshot)
    if alerted.state is not PROVED or config is None:
        return replace(alerted, evidence=())
    prometheus = snapshot.prometheus_of(service.environment)
    if prometheus and (why := hearing.unheard(prometheus, snapshot)):
        return Step(DISPROVED, why)
    deliveries = alerting.deliveries(service, config, snapshot)
    told = {one: hearing.tells(one, config, snapshot) for sent in deliveries for one in sent.receivers}
    sure = [(sent, one) for sent in deliveries if sent.certain for one in sent.receivers if told[one]]
    if sure:
        speaking = [pair for pair in sure if not _held(*pair, config, snapshot)]
        sent, receiver = (speaking or sure)[0]
        held = "" if speaking else ", and a time interval holds it back just now"
        said = f"alert `{sent.watch.rule.name}` reaches receiver `{receiver.name}`{held}"
        return Step(PROVED, None, _seen(source, said, sent.routes[0].location))
    if any(told.values()):
        return Step(UNKNOWN, "labels that only a running Prometheus knows decide who is told")
    names = ", ".join(dict.fromkeys(f"`{receiver.name}`" for sent in deliveries for receiver in sent.receivers))
    if names:
        return Step(DISPROVED, f"its alerts end at {names}, which tells nobody")
    if over := next((sent.inhibitor for sent in deliveries if sent.inhibitor), None):
        return Step(DISPROVED, f"alert `{over.name}` fires at all times and inhibits its alerts")
    if any(sent.silent for sent in deliveries):
        return Step(DISPROVED, "time intervals hold its alerts back at all times")
    thrown_away = bool(deliveries) and all(sent.watch.kept_back for sent in deliveries)
    return Step(
        DISPROVED, "`alert_relabel_configs` throws its alerts away" if thrown_away else "its alerts reach no receiver"
    )


def _held(sent: alerting.Delivery, receiver: Receiver, config: AlertmanagerConfig, snapshot: Snapshot) -> bool:
    """Whether each route of a delivery to its receiver is silent at the moment of the snapshot."""
    return all(muted(route, config, snapshot.taken_at) for route in sent.routes if route.receiver == receiver.name)


def _charted(service: Service, snapshot: Snapshot) -> Step:
    """By the dashboards that a running Grafana has, where it was asked; else by those of its files."""
    missing, source = _either("grafana-api", "grafana", service, snapshot)
    unseen, _ = _either("prometheus-api", "prometheus", service, snapshot)
    if why := missing or unseen:
        return why
    found = charting.charts(service, snapshot)
    if found and found[0].sure:
        return Step(PROVED, None, _seen(source, _queries(found[0]), found[0].query.location))
    if metrics_hosts(service, snapshot) is None:
        return Step(NOT_REQUIRED, "no metrics endpoint of it is known")
    if found:
        return Step(UNKNOWN, f"{_queries(found[0])}, and nobody says whether it exposes that")
    return _uncharted(service, snapshot)


def _queries(chart: charting.Chart) -> str:
    return f"panel “{chart.panel.title}” of dashboard “{chart.dashboard.title}” queries `{chart.selector}`"


def _uncharted(service: Service, snapshot: Snapshot) -> Step:
    """Why no panel is known to show it: there is none, or not everything could be seen."""
    grafana = snapshot.grafana_of(service.environment)
    if grafana and grafana.unseen:
        return Step(UNKNOWN, grafana.unseen[0])
    if grafana and (hidden := charting.hidden_panel(grafana)):
        return Step(UNKNOWN, hidden)
    seen = snapshot.source("prometheus-api", service.environment).state == "ok"
    kinds = "" if seen else _hidden(service, snapshot)
    if kinds and not targets_of(service, snapshot):
        return Step(UNKNOWN, f"which series it has is for {kinds}, which cannot be followed in files")
    return Step(DISPROVED, "no panel of a dashboard queries its series")


_STEPS: Mapping[str, Callable[[Service, Snapshot], Step]] = {
    "claimed": _claimed,
    "declared": _declared,
    "composed": _composed,
    "running": _running,
    "healthy": _healthy,
    "scraped": _scraped,
    "logged": _logged,
    "alerted": _alerted,
    "routed": _routed,
    "charted": _charted,
}


# --- coverage ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Count:
    """Required rungs: how many there are, how many were assessed, how many are proved."""

    required: int = 0
    assessed: int = 0
    proved: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.required + other.required, self.assessed + other.assessed, self.proved + other.proved)

    @property
    def coverage(self) -> float | None:
        """Proved of the assessed ones, 0 to 1; None where nothing could be assessed."""
        return round(self.proved / self.assessed, 4) if self.assessed else None

    @property
    def assessment(self) -> float | None:
        """Assessed of the required ones, 0 to 1; None where nothing is required."""
        return round(self.assessed / self.required, 4) if self.required else None


def count(rungs: Mapping[str, Rung]) -> Count:
    """Counts the required rungs of one service. A rung whose sources were not asked is required but not assessed."""
    required = [rung for rung in rungs.values() if rung.required and rung.state is not NOT_REQUIRED]
    unasked = sum(rung.state is UNKNOWN and rung.reason in (NOT_ASKED, NOT_ASSESSED) for rung in required)
    proved = sum(rung.state is PROVED for rung in required)
    return Count(len(required), len(required) - unasked, proved)


def describe(service: Service, snapshot: Snapshot) -> tuple[ServiceReport, Count]:
    """A service's line of the report, before findings cap its coverage."""
    rungs = climb(service, snapshot)
    counted = count(rungs)
    verdict, reasons = judge_health(service, snapshot)
    entry, containers = service.entry, service.containers
    loads = usage.cpu_loads(service, snapshot) if containers else []
    probes = snapshot.probes_of(service)
    seen = [probe.taken_at for probe in probes if probe.taken_at]
    durations = [probe.duration for probe in probes if probe.duration is not None]
    return (
        ServiceReport(
            name=service.name,
            environment=service.environment,
            category=entry.category if entry else None,
            tier=entry.tier if entry else None,
            criticality=service.criticality,
            owner=entry.owner if entry else None,
            declared=entry is not None,
            verdict=verdict,
            coverage=counted.coverage,
            assessed=counted.assessment,
            rungs=rungs,
            title=entry.title if entry else None,
            health=_docker_health(containers),
            containers=tuple(container.name for container in containers),
            memory_bytes=_total(_memory(container, snapshot) for container in containers)
            if containers
            else _of_processes(service, snapshot),
            memory_limit_bytes=(_total(container.memory_limit for container in containers) if containers else None)
            or (service.definition.memory_limit if service.definition else None),
            cpu_ratio=max((load.ratio for load in loads), default=None),
            response_seconds=max(durations, default=None),
            last_check=max(seen, default=snapshot.taken_at if containers or _heard(service, snapshot) else None),
            reasons=reasons,
        ),
        counted,
    )


_WORST = ("unhealthy", "starting", "unknown", "none", "healthy")


def _docker_health(containers: tuple[Container, ...]) -> str:
    return min((c.health for c in containers), key=_WORST.index) if containers else "unknown"


def _memory(container: Container, snapshot: Snapshot) -> int | None:
    seen = snapshot.usage_of(container)
    return seen.memory if seen and seen.memory is not None else container.memory_usage


def _of_processes(service: Service, snapshot: Snapshot) -> int | None:
    """The memory of a declared process, each one once, on however many ports it listens."""
    own = snapshot.holders_of(service).own
    return _total({(x.pid, x.process): x.memory for x in own}.values()) if own else None


def _heard(service: Service, snapshot: Snapshot) -> bool:
    """Whether a declared process was looked for."""
    process = service.lifecycle is Lifecycle.PROCESS
    return process and snapshot.source("processes", service.environment).state == "ok"


def _total(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value]
    return sum(known) if known else None
