"""Which series Prometheus has of each service: by its scrape targets, offline, and whose metrics these are.

A series is known by the labels that its target gives it and by whose metrics they are; the values of labels that the
program itself writes are not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from enum import IntEnum
from functools import lru_cache

from auditor.feeding import asked_of
from auditor.frozen import dataclass
from auditor.inventory import HOST_MACHINE, LOCAL_HOSTS, Service, Snapshot
from auditor.matching import holds, pattern
from auditor.model import (
    Address,
    Component,
    Lifecycle,
    LiveTarget,
    Location,
    Matcher,
    Relabelling,
    ScrapeJob,
    ScrapeTarget,
)
from auditor.promql import NAME, Selector
from auditor.reach import Answer, address_in, answer
from auditor.relays import is_relay, receivers, senders, tells_of_itself
from auditor.scrapes import (
    UNREACHABLE,
    Scrape,
    federates,
    has_exporters,
    hidden,
    live_resolved,
    maybe_probed,
    resolved,
    spoken_for,
    unasked,
)
from auditor.stored import may_write, renames, stored

SYNTHETIC = frozenset(
    {
        "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
        "scrape_series_added", "scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes",
    }
)  # fmt: skip
# What the client libraries of most languages expose, whoever uses them.
COMMON = (
    "go_",
    "process_",
    "promhttp_",
    "python_",
    "jvm_",
    "nodejs_",
    "dotnet_",
    "ruby_",
    "php_",
    "scrape_",
    "target_",
)
IDENTIFYING = ("job", "instance", "service", "service_name", "container", "name", "pod", "app", "application")
_PROBED = "probe_"
_ALL_NAMES = ("",)  # how the names of metrics begin


class Match(IntEnum):
    """Whether a selector selects a series: certainly not, perhaps (a metric that nobody describes), certainly."""

    NO = 0
    PERHAPS = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class Series:
    """The series that one target has of one service.

    labels: what each of them has; exact: only these, as with metrics that Prometheus makes itself. prefixes: how the
    names of its metrics begin; None: nobody says. alien: prefixes that are known to be other programs'.
    """

    service: str
    target: ScrapeTarget | LiveTarget
    labels: Mapping[str, str]
    prefixes: tuple[str, ...] | None
    alien: tuple[str, ...] = ()
    own_up: bool = True  # `up` of the target tells of the service, or of the exporter that is there for it
    dropped: tuple[str, ...] = ()  # expressions for names of metrics that its job throws away
    kept: tuple[str, ...] = ()  # expressions for the only ones that it keeps; (): all
    rules: tuple[Relabelling, ...] = ()  # of its job, that have yet to give its series other labels or names
    hidden: frozenset[str] = frozenset()  # labels that such rules have written, with values that files do not tell
    open: bool = False  # its target may have more labels than these: who it is only a discovery knows
    server: str = ""  # the configuration of the Prometheus that has them; "": the one whose API was asked
    called: frozenset[str] = frozenset()  # of what comes through others: the names that it may give itself
    strangers: frozenset[str] = frozenset()  # and those that all services may


def series_of(environment: str, snapshot: Snapshot) -> tuple[Series, ...]:
    """All series of all services of an environment: by the targets of its running Prometheus where that was read, else
    by those that its configuration gives."""
    return _cached(snapshot, environment)


@lru_cache(maxsize=8)
def _cached(snapshot: Snapshot, environment: str) -> tuple[Series, ...]:
    return tuple(_series(environment, snapshot))


def _series(environment: str, snapshot: Snapshot) -> Iterator[Series]:
    alien = _prefixes(snapshot)
    live = snapshot.source("prometheus-api", environment).state == "ok"
    now = (*live_resolved(snapshot, environment), *unasked(snapshot, environment)) if live else ()
    known = now if live else resolved(snapshot, environment)
    jobs, honoring = _jobs(environment, snapshot), _honoring(environment, snapshot)
    for path, receiver in receivers(environment, snapshot):
        yield from _pushed(path, receiver, environment, snapshot, alien)
    for scrape in known:
        if scrape.fault == UNREACHABLE:  # no more than that it is down
            labels = dict(scrape.target.labels)
            yield Series(scrape.service, scrape.target, labels, (), _ALL_NAMES, server=scrape.server)
        else:
            job = jobs.get(id(scrape.target))
            for series in _of_target(scrape.target, scrape.answer, environment, snapshot, alien):
                yield _through(job, replace(series, server=scrape.server))
            if scrape.target.probed is None:
                honors = id(scrape.target) in honoring
                for series in _relayed(scrape, environment, snapshot, alien, honors=honors):
                    yield _through(job, series)
    seen = {id(scrape.target) for scrape in known}
    named = set(_named_by_hand(environment, snapshot))
    for target, server in _targets(environment, snapshot, live=live):
        host = target.address.host
        beside = snapshot.outside(host) or host in LOCAL_HOSTS | HOST_MACHINE or (server, host) in named
        if id(target) not in seen and (live or beside):
            honors = id(target) in honoring
            yield Series("", target, {} if honors else dict(target.labels), None, server=server, open=honors)


@lru_cache(maxsize=4)
def _prefixes(snapshot: Snapshot) -> tuple[str, ...]:
    """How the names of the metrics of all known components begin."""
    return tuple(sorted({prefix for component in snapshot.components for prefix in component.series}))


def _jobs(environment: str, snapshot: Snapshot) -> Mapping[int, ScrapeJob]:
    """Target, live ones by their job's name, -> its job, of the jobs that do not take all metrics as they come."""
    configs, asked = snapshot.prometheus_configs(environment), asked_of(environment, snapshot)
    pairs = [(job, config.path) for config in configs for job in config.jobs]
    pairs = [(job, path) for job, path in pairs if job.metrics_dropped or job.metrics_kept or job.metrics_written]
    by_name = {job.name: job for job, path in pairs if path == asked}
    live = (target for target in snapshot.live_targets if target.environment == environment)
    running = {id(target): by_name[target.job] for target in live if target.job in by_name}
    return running | {id(target): job for job, _ in pairs for target in job.targets}


def _through(job: ScrapeJob | None, series: Series) -> Series:
    """A series with what its job does to it."""
    if job is None:
        return series
    return replace(series, dropped=job.metrics_dropped, kept=job.metrics_kept, rules=job.metrics_written)


def _named_by_hand(environment: str, snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """The configurations with the hosts that their servers have addresses of their own for."""
    for config in snapshot.prometheus_configs(environment):
        server = snapshot.prometheus_server(config)
        if server and server.definition:
            yield from ((config.path, host) for host in server.definition.own_hosts)


def _honoring(environment: str, snapshot: Snapshot) -> frozenset[int]:
    """The targets, live ones by their job's name, whose own word wins over the labels that their job gives them."""
    configs = snapshot.prometheus_configs(environment)
    jobs = [job for config in configs for job in config.jobs if job.honors_labels]
    names = {job.name for job in jobs}
    live = (id(target) for target in snapshot.live_targets if target.environment == environment and target.job in names)
    return frozenset({id(target) for job in jobs for target in job.targets}.union(live))


def _relayed(
    scrape: Scrape, environment: str, snapshot: Snapshot, alien: tuple[str, ...], *, honors: bool
) -> Iterator[Series]:
    """What a target has of others: nobody's in particular, and that of each service that is told to send it there."""
    target = scrape.target
    if not is_relay(scrape.answer.service) and not (isinstance(target, ScrapeTarget) and federates(target)):
        return
    if tells_of_itself(scrape.answer.service, scrape.answer.port):
        return
    labels = {} if honors else dict(target.labels)
    yield Series("", target, labels, None, own_up=False, open=True, server=scrape.server)
    for service in senders(scrape.answer.service, snapshot) if is_relay(scrape.answer.service) else ():
        yield _sent_by(service, target, labels, scrape.server, snapshot, alien)


def _pushed(
    path: str, server: Service, environment: str, snapshot: Snapshot, alien: tuple[str, ...]
) -> Iterator[Series]:
    """What may be pushed to a Prometheus that takes it."""
    place = server.location or Location(path)
    target = ScrapeTarget(environment, "", Address(server.name), place)
    origin = "" if path == asked_of(environment, snapshot) else path
    yield Series("", target, {}, None, open=True, server=origin)
    for service in senders(server, snapshot):
        yield _sent_by(service, target, {}, origin, snapshot, alien)


def _sent_by(
    service: Service,
    target: ScrapeTarget | LiveTarget,
    labels: Mapping[str, str],
    server: str,
    snapshot: Snapshot,
    alien: tuple[str, ...],
) -> Series:
    own = service.component.series if service.component else ()
    foreign = tuple(prefix for prefix in alien if prefix not in own)
    named, everybody = names_of(service), _everybody(snapshot, service.environment)
    return Series(
        service.name,
        target,
        labels,
        own or None,
        foreign,
        own_up=False,
        open=True,
        server=server,
        called=named,
        strangers=everybody,
    )


def names_of(service: Service) -> frozenset[str]:
    """What a service may call itself where it says who it is."""
    names = {service.name, *(service.entry.aliases if service.entry else ())}
    if service.definition:
        names |= {service.definition.name, service.definition.container_name or service.name}
    return frozenset(names)


@lru_cache(maxsize=8)
def _everybody(snapshot: Snapshot, environment: str) -> frozenset[str]:
    own = (service for service in snapshot.services if service.environment == environment)
    return frozenset(name for service in own for name in names_of(service))


def unfollowed(service: Service, snapshot: Snapshot) -> Iterator[tuple[ScrapeJob, Series]]:
    """The series that a service would have if jobs found it, or its exporter, whose discovery files do not show."""
    environment = service.environment
    exporters = snapshot.of_kind(environment, "exporter")
    for one in (service, *(e for e in exporters if service in spoken_for(e, environment, snapshot))):
        own = one.component.series if one.component else ()
        foreign = tuple(prefix for prefix in _prefixes(snapshot) if prefix not in own)
        for job in hidden(one, snapshot):
            target, labels = _to_be_found(job, one)
            yield job, Series(service.name, target, labels, own or None, foreign, open=True)
    foreign = tuple(prefix for prefix in _prefixes(snapshot) if prefix != _PROBED)
    for job in maybe_probed(service, snapshot):
        target, labels = _to_be_found(job, service)
        yield job, Series(service.name, target, labels, (_PROBED,), foreign, own_up=False, open=True)


def _to_be_found(job: ScrapeJob, service: Service) -> tuple[ScrapeTarget, dict[str, str]]:
    labels = {} if {"job", "*"}.intersection(job.writes) else {"job": job.name}
    return ScrapeTarget(service.environment, job.name, Address(service.name), job.location), labels


def if_reached(scrape: Scrape, snapshot: Snapshot) -> Series:
    """The series that a target would have of whom it asks, if it could reach that."""
    found = _of_target(scrape.target, scrape.answer, scrape.target.environment, snapshot, _prefixes(snapshot))
    return next(found)


def _targets(environment: str, snapshot: Snapshot, *, live: bool) -> Iterator[tuple[ScrapeTarget | LiveTarget, str]]:
    """The targets that count, each with the configuration of the server that reads it."""
    if live:
        yield from ((target, "") for target in snapshot.live_targets if target.environment == environment)
        return
    for config in snapshot.prometheus_configs(environment):
        yield from ((target, config.path) for job in config.jobs for target in job.targets)


def _of_target(
    target: ScrapeTarget | LiveTarget, found: Answer, environment: str, snapshot: Snapshot, alien: tuple[str, ...]
) -> Iterator[Series]:
    service, component = found.service, found.service.component
    own = component.series if component else ()
    foreign = tuple(prefix for prefix in alien if prefix not in own)
    labels = dict(target.labels)
    yield Series(service.name, target, labels, own or None, foreign)
    if target.probed is not None:
        probed = _probed(target.probed, service, environment, snapshot)
        if probed:
            prefixes = (_PROBED,) if component and component.key == "blackbox-exporter" else own
            if has_exporters(service):
                prefixes = _exported(probed, snapshot)
                foreign = tuple(prefix for prefix in alien if prefix not in prefixes)
            yield Series(probed.name, target, labels, prefixes, foreign, own_up=False)
        return
    for other in spoken_for(service, environment, snapshot):
        yield Series(other.name, target, labels, own or None, foreign)
    if component and component.key == "cadvisor":
        yield from _contained(target, environment, snapshot)
    if component and component.key == "stack-auditor":
        yield from _audited(target, environment, snapshot)


def _probed(url: str, prober: Service, environment: str, snapshot: Snapshot) -> Service | None:
    """Whom a prober is told to ask."""
    address = address_in(url)
    found = answer(address, prober, environment, snapshot) if address else None
    return found.service if found else None


def _exported(service: Service, snapshot: Snapshot) -> tuple[str, ...]:
    """How the names of metrics begin that an exporter has of a service."""
    key = service.component.key if service.component else ""
    kinds = (one for one in snapshot.components if key in one.exporter_of or one.key == key)
    return tuple(dict.fromkeys(prefix for one in kinds for prefix in one.series))


def _contained(target: ScrapeTarget | LiveTarget, environment: str, snapshot: Snapshot) -> Iterator[Series]:
    """What cAdvisor has of each container; which value its label `name` has is known where the container is."""
    for service in snapshot.services:
        if service.environment != environment or service.lifecycle is Lifecycle.PROCESS:
            continue
        definition = service.definition
        names = {container.name for container in service.containers}
        if definition and definition.container_name:
            names = {definition.container_name}
        if not names and definition:
            project = snapshot.project(environment)
            names = {f"{project.name}-{definition.name}-1"} if project and project.name else set()
        for name in sorted(names):
            labels = dict(target.labels) | {"name": name}
            if definition:
                labels["container_label_com_docker_compose_service"] = definition.name
            yield Series(service.name, target, labels, ("container_",), own_up=False)


def _audited(target: ScrapeTarget | LiveTarget, environment: str, snapshot: Snapshot) -> Iterator[Series]:
    """What this program's own metrics say of each service."""
    for service in snapshot.services:
        if service.environment == environment:
            labels = dict(target.labels) | {"service": service.name, "environment": environment}
            yield Series(service.name, target, labels, ("auditor_",), own_up=False)


def by_target(selector: Selector, labels: Collection[str]) -> Selector:
    """A selector without its conditions on labels that a program itself writes; `labels`: those that targets give.

    That no series has such a value just now, a status code or an error's name, says nothing of whether one ever will.
    """
    if selector.name is None or selector.name in SYNTHETIC:
        return selector
    return Selector(selector.name, tuple(m for m in selector.matchers if m.label in labels))


def target_labels(targets: Iterable[LiveTarget]) -> frozenset[str]:
    """The labels that targets give their series."""
    return frozenset({"job", "instance"}).union(*({name for name, _ in target.labels} for target in targets))


# --- selecting -----------------------------------------------------------------------------------------------------


def candidates(selector: Selector, environment: str, snapshot: Snapshot) -> tuple[Series, ...]:
    """The series that a selector may select: without those whose target has another value of a label that it names.

    A large system has many rules that each name one job: they need not be held against every series.
    """
    exact = (m for m in selector.matchers if m.op == "=" and m.value and m.label in IDENTIFYING)
    named = next(exact, None)
    if named is None:
        return series_of(environment, snapshot)
    by_value = _by_value(snapshot, environment, named.label)
    return (*by_value.get(named.value, ()), *by_value.get(None, ()))


@lru_cache(maxsize=64)
def _by_value(snapshot: Snapshot, environment: str, label: str) -> Mapping[str | None, tuple[Series, ...]]:
    groups: dict[str | None, list[Series]] = {}
    for series in series_of(environment, snapshot):
        written = bool(series.rules) and may_write(series.rules, label)
        groups.setdefault(None if written else series.labels.get(label), []).append(series)
    return {value: tuple(group) for value, group in groups.items()}


def as_stored(selector: Selector, series: Series) -> Series | None:
    """Series as a selector finds them, with what their job's rules have made of them; None: under no such name."""
    if not series.rules or selector.name in SYNTHETIC:
        return series
    after = stored(series.rules, selector.name, series.labels)
    if selector.name is not None and after.name not in (None, selector.name):
        return None
    kept = replace(series, labels=after.labels, hidden=after.hidden, rules=())
    own = selector.name is not None and series.prefixes is not None and selector.name.startswith(series.prefixes)
    return kept if own or not renames(series.rules) else replace(kept, prefixes=None, alien=())


def selects(selector: Selector, series: Series) -> Match:
    """Whether a selector selects series of a service."""
    if series.rules and not renames(series.rules) and _by_name(selector, series) is Match.NO:
        return Match.NO
    kept = as_stored(selector, series)
    return Match.NO if kept is None else _selects(selector, kept)


def _selects(selector: Selector, series: Series) -> Match:
    name = _by_name(selector, series)
    if name is Match.NO:
        return Match.NO
    exact = selector.name in SYNTHETIC
    pinned = False
    if series.strangers:
        named = {m.value for m in selector.matchers if m.op == "=" and m.label in _SELF_NAMING} & series.strangers
        if named and not named & series.called:
            return Match.NO
        pinned = bool(named)
    for matcher in selector.matchers:
        if matcher.label == NAME:
            continue
        if matcher.label in series.labels or (exact and not series.open):
            if not holds(matcher, series.labels):
                return Match.NO
            pinned = pinned or _pins(matcher)
        elif matcher.label in ("job", "instance") and matcher.label not in series.labels:
            name = min(name, Match.PERHAPS)  # an instance that only a resolver knows
        elif not series.open and matcher.label not in series.hidden and _never_own(matcher, series):
            return Match.NO
    if pinned or name is Match.YES:
        return Match.YES
    return Match.PERHAPS if series.prefixes is None else Match.NO


_SELF_NAMING = frozenset({*IDENTIFYING, *(f"exported_{name}" for name in IDENTIFYING)})


def _pins(matcher: Matcher) -> bool:
    """Whether a condition names whom it means, rather than take whoever there is."""
    return matcher.label in IDENTIFYING and matcher.op in ("=", "=~") and matcher.value not in ("", ".*", ".+")


def _never_own(matcher: Matcher, series: Series) -> bool:
    """Whether a label that the target lacks must be there: environment, team and such come with the target only."""
    return matcher.label in _TARGET_LABELS and not holds(matcher, {})


# Labels that people write in `static_configs`, and no program on its own series.
_TARGET_LABELS = frozenset({"environment", "env", "team", "owner", "tier", "cluster", "region", "datacenter", "dc"})


def _by_name(selector: Selector, series: Series) -> Match:
    names = [m for m in selector.matchers if m.label == NAME]
    if selector.name is None:
        if not names:
            return Match.YES
        return Match.YES if _could_begin(names, series) else Match.NO
    if selector.name in SYNTHETIC:
        return Match.YES if series.own_up else Match.NO
    if _matches(series.dropped, selector.name) or (series.kept and not _matches(series.kept, selector.name)):
        return Match.NO
    if series.prefixes is not None and selector.name.startswith(series.prefixes):
        return Match.YES
    if is_recorded(selector.name) and not series.open:
        return Match.NO
    foreign = selector.name.startswith(series.alien) or (not series.own_up and selector.name.startswith(COMMON))
    return Match.NO if foreign else Match.PERHAPS


def is_recorded(name: str | None) -> bool:
    """Whether a name is of the form `level:metric:operations`, which rules give what they record."""
    return name is not None and name.count(":") > 1


def _matches(expressions: Iterable[str], name: str) -> bool:
    return any(pattern(expression).fullmatch(name) is not None for expression in expressions)


def _could_begin(names: Iterable[Matcher], series: Series) -> bool:
    """Whether expressions for names can be meant for the metrics of a series: by one name that begins so."""
    if series.prefixes is None:
        return True
    return all(
        any(pattern(m.value).fullmatch(word) is not None for word in _samples(series, m.value)) is (m.op == "=~")
        for m in names
        if "~" in m.op
    )


def _samples(series: Series, text: str) -> Iterator[str]:
    """Names that a series may have, made of its prefixes and of what the expression itself spells."""
    spelt = text.split("|")
    for prefix in series.prefixes or ():
        yield prefix
        yield f"{prefix}x"
        yield from (word for word in spelt if word.startswith(prefix))


def known_program(name: str, components: Iterable[Component]) -> Component | None:
    """The component whose metrics begin as `name` does, by the longest prefix."""
    found = [(prefix, component) for component in components for prefix in component.series if name.startswith(prefix)]
    return max(found, key=lambda pair: len(pair[0]))[1] if found else None
