"""Which series Prometheus has of each service: by its scrape targets, offline, and whose metrics these are.

A series is known by the labels that its target gives it and by whose metrics they are; the values of labels that the
program itself writes are not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from enum import IntEnum
from functools import lru_cache

from auditor.frozen import dataclass
from auditor.inventory import HOST_MACHINE, LOCAL_HOSTS, Service, Snapshot
from auditor.matching import holds, pattern
from auditor.model import Address, Component, Lifecycle, LiveTarget, Matcher, ScrapeJob, ScrapeTarget
from auditor.promql import NAME, Selector
from auditor.reach import Answer, address_in, answer
from auditor.scrapes import UNREACHABLE, hidden, live_resolved, resolved, spoken_for, unasked

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
    open: bool = False  # its target may have more labels than these: who it is only a discovery knows


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
    jobs = _jobs(environment, snapshot)
    for scrape in known:
        if scrape.fault == UNREACHABLE:  # no more than that it is down
            yield Series(scrape.service, scrape.target, dict(scrape.target.labels), (), _ALL_NAMES)
        else:
            job = jobs.get(id(scrape.target))
            for series in _of_target(scrape.target, scrape.answer, environment, snapshot, alien):
                filtered = job is not None and (job.metrics_dropped or job.metrics_kept)
                yield (
                    replace(series, dropped=job.metrics_dropped, kept=job.metrics_kept) if job and filtered else series
                )
    seen = {id(scrape.target) for scrape in known}
    for target in _targets(environment, snapshot, live=live):
        host = target.address.host
        if id(target) not in seen and (live or snapshot.outside(host) or host in LOCAL_HOSTS | HOST_MACHINE):
            yield Series("", target, dict(target.labels), None)


@lru_cache(maxsize=4)
def _prefixes(snapshot: Snapshot) -> tuple[str, ...]:
    """How the names of the metrics of all known components begin."""
    return tuple(sorted({prefix for component in snapshot.components for prefix in component.series}))


def _jobs(environment: str, snapshot: Snapshot) -> Mapping[int, ScrapeJob]:
    """Target -> its job, of the jobs that do not take all metrics."""
    jobs = [job for config in snapshot.prometheus_configs(environment) for job in config.jobs]
    jobs = [job for job in jobs if job.metrics_dropped or job.metrics_kept]
    return {id(target): job for job in jobs for target in job.targets}


def unfollowed(service: Service, snapshot: Snapshot) -> Iterator[tuple[ScrapeJob, Series]]:
    """The series that a service would have if jobs found it whose discovery files do not show."""
    own = service.component.series if service.component else ()
    foreign = tuple(prefix for prefix in _prefixes(snapshot) if prefix not in own)
    for job in hidden(service, snapshot):
        labels = {} if {"job", "*"}.intersection(job.writes) else {"job": job.name}
        target = ScrapeTarget(service.environment, job.name, Address(service.name), job.location)
        yield job, Series(service.name, target, labels, own or None, foreign, open=True)


def _targets(environment: str, snapshot: Snapshot, *, live: bool) -> Iterator[ScrapeTarget | LiveTarget]:
    if live:
        yield from (target for target in snapshot.live_targets if target.environment == environment)
    else:
        yield from snapshot.targets(environment)


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
        groups.setdefault(series.labels.get(label), []).append(series)
    return {value: tuple(group) for value, group in groups.items()}


def selects(selector: Selector, series: Series) -> Match:
    """Whether a selector selects series of a service."""
    name = _by_name(selector, series)
    if name is Match.NO:
        return Match.NO
    exact = selector.name in SYNTHETIC
    pinned = False
    for matcher in selector.matchers:
        if matcher.label == NAME:
            continue
        if matcher.label in series.labels or (exact and not series.open):
            if not holds(matcher, series.labels):
                return Match.NO
            pinned = pinned or _pins(matcher)
        elif matcher.label in ("job", "instance") and matcher.label not in series.labels:
            name = min(name, Match.PERHAPS)  # an instance that only a resolver knows
        elif not series.open and _never_own(matcher, series):
            return Match.NO
    if pinned or name is Match.YES:
        return Match.YES
    return Match.PERHAPS if series.prefixes is None else Match.NO


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
    foreign = selector.name.startswith(series.alien) or (not series.own_up and selector.name.startswith(COMMON))
    return Match.NO if foreign else Match.PERHAPS


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
