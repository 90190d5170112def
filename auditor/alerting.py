"""Which alerts can fire for a service, and whom they reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

from auditor.feeding import asked_of, has_series_of
from auditor.frozen import dataclass
from auditor.inventory import Service, Snapshot
from auditor.matching import all_hold, holds
from auditor.model import (
    AlertmanagerConfig,
    AlertRule,
    Inhibition,
    LiveTarget,
    Location,
    Matcher,
    PrometheusConfig,
    Receiver,
    Route,
)
from auditor.promql import Kept, Part, Selector, parts
from auditor.regexp import regexp
from auditor.relabel import Rule, relabel
from auditor.routing import inhibited, never_sends, taken
from auditor.scrapes import mute
from auditor.series import (
    SYNTHETIC,
    Match,
    Series,
    as_stored,
    by_target,
    candidates,
    is_recorded,
    selects,
    target_labels,
    unfollowed,
)

DEPTH_LIMIT = 10  # of recording rules that build on one another


@dataclass(frozen=True, slots=True)
class Watch:
    """An alert rule that selects series of a service.

    labels: those of the alert as it is sent, as far as they are known; unknown: names of labels that it has with values
    that only a running Prometheus knows. sure: the selection is certain, whatever the service exposes.
    """

    rule: AlertRule
    selector: Selector
    labels: Mapping[str, str]
    unknown: frozenset[str]
    sure: bool
    kept_back: bool = False  # relabelling throws the alert away before it is sent


def watches(service: Service, snapshot: Snapshot) -> tuple[Watch, ...]:
    """The loaded alert rules that can certainly fire for a service, and after them the first of those that may."""
    return _watches(snapshot, service.environment).get(service.name, ())


def unread(environment: str, snapshot: Snapshot) -> str | None:
    """Why it is not known of all loaded alerts whom they select: one's language is another version's."""
    rule = next((one for one in rules_of(environment, snapshot) if not _is_read(one.expr)), None)
    return f"the expression of alert `{rule.name}` is not read by this version" if rule else None


def _is_read(expression: str) -> bool:
    try:
        parts(expression)
    except ValueError:
        return False
    return True


def unforeseen(service: Service, snapshot: Snapshot) -> str | None:
    """Why an alert may fire for a service of which files tell of none; None where nothing speaks for it."""
    environment = service.environment
    config = snapshot.prometheus_of(environment)
    if config is None:
        return None
    elsewhere = [pattern.pattern for pattern in config.rule_patterns if pattern.files is None]
    if elsewhere:
        return f"rules may stand in `{elsewhere[0]}`, outside the project"
    if sends_samples(config):
        store = f"at `{config.remote_write[0].host}`" if config.remote_write else "at the store"
        return f"rules may stand {store}, which all samples are sent to"
    jobs = list(unfollowed(service, snapshot))
    for rule in rules_of(environment, snapshot) if jobs else ():
        for part in resolved(rule.expr, config):
            for job, series in jobs:
                if part.gives and not part.absent and selects(part.selector, series) is not Match.NO:
                    found = f"{', '.join(job.discovery or job.asked_of)} of job `{job.name}` find it"
                    return f"alert `{rule.name}` selects it if {found}, which cannot be followed in files"
    return None


def sends_samples(config: PrometheusConfig) -> bool:
    """Whether a Prometheus without rules sends its samples to a store that may have some."""
    return (config.agent or bool(config.remote_write)) and not config.rules


NOWHERE = Location("")  # of a rule that no file of the project holds


def rules_of(environment: str, snapshot: Snapshot) -> tuple[AlertRule, ...]:
    """The alerting rules that count: those that the running Prometheus has loaded, else those of its files; and those
    in the files of other servers, which were not asked.

    A loaded one stands where the file's rule of its name does.
    """
    config = snapshot.prometheus_of(environment)
    in_files = config.rules if config else ()
    if not _asked(environment, snapshot):
        return in_files
    places = {rule.name: rule.location for rule in in_files}
    loaded = (rule for rule in snapshot.loaded_rules if rule.environment == environment)
    asked = (AlertRule(rule.name, rule.expr, places.get(rule.name, NOWHERE), rule.labels) for rule in loaded)
    return (*asked, *(rule for other in snapshot.prometheus_unasked(environment) for rule in other.rules))


def _asked(environment: str, snapshot: Snapshot) -> bool:
    return snapshot.source("prometheus-api", environment).state == "ok"


@lru_cache(maxsize=4)
def _watches(snapshot: Snapshot, environment: str) -> Mapping[str, tuple[Watch, ...]]:
    config = snapshot.prometheus_of(environment) or PrometheusConfig(environment, "")
    certain: dict[str, list[Watch]] = {}
    perhaps: dict[str, Watch] = {}  # what nobody describes is selected by many rules: one of them says enough
    for rule, server in by_server(environment, snapshot):
        seen: set[str] = set()
        for part, series, sure in _of_rule(rule, config, snapshot, server.path):
            if sure and series.service not in seen:
                seen.add(series.service)
                certain.setdefault(series.service, []).append(_watch(rule, part, series, server, sure=True))
            elif not sure and series.service not in perhaps:
                perhaps[series.service] = _watch(rule, part, series, server, sure=False)
    last = {name: (watch,) for name, watch in perhaps.items()}
    return {name: (*certain.get(name, ()), *last.get(name, ())) for name in (*certain, *perhaps)}


def by_server(environment: str, snapshot: Snapshot) -> Iterator[tuple[AlertRule, PrometheusConfig]]:
    """The rules that count, each with the configuration of the server that evaluates it and sends its alerts."""
    configs = snapshot.prometheus_configs(environment)
    if _asked(environment, snapshot):
        configs = snapshot.prometheus_unasked(environment)
        own = {id(rule) for config in configs for rule in config.rules}
        asked = asked_config(environment, snapshot)
        yield from ((rule, asked) for rule in rules_of(environment, snapshot) if id(rule) not in own)
    for config in configs:
        yield from ((rule, config) for rule in config.rules)


def asked_config(environment: str, snapshot: Snapshot) -> PrometheusConfig:
    """The configuration of the server whose API was read; an empty one where files tell of none."""
    path = asked_of(environment, snapshot)
    own = (config for config in snapshot.prometheus_configs(environment) if config.path == path)
    return next(own, PrometheusConfig(environment, ""))


Found = Mapping[str, tuple[Mapping[str, str], ...]]


@lru_cache(maxsize=8)
def found_now(snapshot: Snapshot, environment: str) -> Found:
    """Selector -> the label sets that the running Prometheus has for it; one that was not asked is not there."""
    own = (item for item in snapshot.selected if item.environment == environment)
    return {item.selector: tuple(dict(labels) for labels in item.found) for item in own}


@lru_cache(maxsize=8)
def labels_given(snapshot: Snapshot, environment: str) -> frozenset[str]:
    """The labels that the targets of the running Prometheus give their series."""
    return target_labels(target for target in snapshot.live_targets if target.environment == environment)


def now_of(selector: Selector, seen: Found, given: frozenset[str]) -> tuple[Mapping[str, str], ...] | None:
    """What the running Prometheus has that a selector may select, now or when its moment comes; None: not known."""
    now = seen.get(str(selector))
    return seen.get(str(by_target(selector, given))) if now == () else now


def can_select(part: Part, config: PrometheusConfig, snapshot: Snapshot, server: str | None = None) -> bool:
    """Whether anything has the series of a part: the running Prometheus says so, else a target may give them.

    server: the configuration of the one of several servers that looks; None: not known.
    """
    environment = config.environment
    if part.selector.name in SYNTHETIC and not _asked(environment, snapshot):
        configs = [one for one in snapshot.prometheus_configs(environment) if _is_target(part.selector, one)]
        if any(has_series_of(server, one.path, environment, snapshot) for one in configs):
            return True
    seen, inner = found_now(snapshot, environment), tuple(unfolded(part, config))
    now = now_of(part.selector, seen, labels_given(snapshot, environment))
    if now and (inner or seen.get(str(part.selector))):  # without any: what rules record has no such label
        return True
    still = {one.name for one in snapshot.of_kind(environment, "exporter") if mute(one, snapshot)} if now == () else ()
    return any(
        selects(one.selector, each) is not Match.NO
        for one in inner
        for each in candidates(one.selector, environment, snapshot)
        if (now is None or silent(each) or each.service in still)
        and has_series_of(server, each.server, environment, snapshot)
    )


def _is_target(selector: Selector, config: PrometheusConfig) -> bool:
    """Whether targets are selected, be they reached or not: what Prometheus makes itself is there of each of them."""
    targets = (target for job in config.jobs for target in job.targets)
    return any(all_hold(selector.matchers, target.labels) for target in targets)


def _of_rule(
    rule: AlertRule, config: PrometheusConfig, snapshot: Snapshot, server: str
) -> Iterator[tuple[Part, Series, bool]]:
    """The series that a rule selects, each with the part of its expression that does; and whether it surely does.

    server: the configuration of the one that evaluates it: what only others have it does not see.
    """
    environment = config.environment
    seen, given = found_now(snapshot, environment), labels_given(snapshot, environment)
    for outer in written(rule.expr):
        if not outer.gives:
            continue
        now, likely = seen.get(str(outer.selector)), now_of(outer.selector, seen, given)
        agrees = _agreement(likely or ())
        for part in unfolded(outer, config):
            everywhere = _selected(part.selector, environment, snapshot)
            selected = [pair for pair in everywhere if has_series_of(server, pair[0].server, environment, snapshot)]
            if part.absent and _are_many(each for each, _ in selected):
                continue  # it stays silent while another of them is there
            for series, match in selected:
                if likely is not None and not silent(series):
                    match = Match.YES if agrees(series.labels) else Match.NO
                if match is not Match.NO or (part.absent and now == ()):  # it fires just now
                    yield part, series, match is not Match.PERHAPS


def _selected(selector: Selector, environment: str, snapshot: Snapshot) -> list[tuple[Series, Match]]:
    found = ((series, selects(selector, series)) for series in candidates(selector, environment, snapshot))
    return [(as_stored(selector, series) or series, match) for series, match in found if match is not Match.NO]


def silent(series: Series) -> bool:
    """Whether the server that was asked does not read its target just now: that nothing is found of it says nothing."""
    return not isinstance(series.target, LiveTarget) or series.target.up is not True


def _agreement(found: Iterable[Mapping[str, str]]) -> Callable[[Mapping[str, str]], bool]:
    """Whether one of the label sets that were found can be a series of a target with these labels."""
    by_instance: dict[str | None, list[Mapping[str, str]]] = {}
    for labels in found:
        by_instance.setdefault(labels.get("instance"), []).append(labels)
    everything = [labels for group in by_instance.values() for labels in group]

    def agrees(target: Mapping[str, str]) -> bool:
        instance = target.get("instance")
        groups = (by_instance.get(instance, ()), by_instance.get(None, ())) if instance else (everything,)
        return any(_agree(labels, target) for group in groups for labels in group)

    return agrees


def _agree(found: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether series with these labels can be the series of a target."""
    return all(labels[name] == value for name, value in found.items() if name in labels)


def _are_many(members: Iterable[Series]) -> bool:
    return len({str(one.labels.get("instance")) for one in members}) > 1


def _watch(rule: AlertRule, part: Part, series: Series, server: PrometheusConfig, *, sure: bool) -> Watch:
    labels = {name: value for name, value in series.labels.items() if part.kept.has(name)}
    if part.absent:
        labels = {m.label: m.value for m in part.selector.matchers if m.op == "="}
    unknown = {*part.kept.added, *(name for name in series.hidden if part.kept.has(name))}
    if part.kept.only is not None:
        unknown |= part.kept.only - labels.keys()
    for name, value in rule.labels.items():
        if "{{" in value:
            unknown.add(name)
        else:
            labels[name] = value
            unknown.discard(name)
    labels["alertname"] = rule.name
    labels |= {name: value for name, value in server.external_labels.items() if name not in labels}
    sent, hidden = _sent(labels, unknown - labels.keys() | _templated(rule), server)
    return Watch(rule, part.selector, labels if sent is None else sent, frozenset(hidden), sure, sent is None)


def _sent(
    labels: dict[str, str], unknown: set[str], server: PrometheusConfig
) -> tuple[dict[str, str] | None, set[str]]:
    """The labels of an alert when it is sent, and those whose value is not known; None: it is thrown away.

    A rule that looks at what is not known is taken to keep the alert, and what it writes is not known either.
    """
    for item in server.alert_relabelling:
        rule = Rule(item.action, item.sources, item.separator, item.regex, item.target, item.replacement)
        if unknown.intersection(item.sources):
            unknown = unknown | {item.target} if item.target else unknown
            continue
        after = relabel(labels, (rule,))
        if after is None:
            return None, unknown
        unknown = unknown - {item.target}
        labels = after
    return labels, unknown


def _templated(rule: AlertRule) -> set[str]:
    return {name for name, value in rule.labels.items() if "{{" in value}


def resolved(expression: str, config: PrometheusConfig) -> Iterator[Part]:
    """The parts of an expression with the metrics that rules record replaced by what these look at."""
    for part in written(expression):
        yield from unfolded(part, config)


def written(expression: str) -> tuple[Part, ...]:
    """The parts of an expression; none of one that a newer Prometheus takes and we do not."""
    try:
        return parts(expression)
    except ValueError:
        return ()


def lacking(part: Part, config: PrometheusConfig) -> str:
    """Who does not give what a part selects: rules where its name is one that they record, else scrape jobs."""
    recorded = is_recorded(part.selector.name) or any(r.name == part.selector.name for r in config.recordings)
    return "no rule records" if recorded else "no scrape job gives"


def unfolded(part: Part, config: PrometheusConfig, depth: int = 0) -> Iterator[Part]:
    """A part, or where rules record its metric what these look at."""
    recording = [rule for rule in config.recordings if rule.name == part.selector.name]
    if not recording or depth >= DEPTH_LIMIT:
        yield part
        return
    for rule in recording:
        for inner in written(rule.expr):
            for deep in unfolded(inner, config, depth + 1):
                if (narrowed := _narrowed(part, rule, deep)) is not None:
                    yield narrowed


def _narrowed(outer: Part, rule: AlertRule, inner: Part) -> Part | None:
    """An inner part as the outer one sees it; None where the outer one's conditions exclude it."""
    passed: list[Matcher] = []
    for matcher in outer.selector.matchers:
        if matcher.label in rule.labels:
            if not holds(matcher, rule.labels):
                return None
        elif inner.kept.has(matcher.label):
            passed.append(matcher)
        elif matcher.label not in inner.kept.added and not holds(matcher, {}):
            return None  # what is recorded has no such label
    selector = Selector(inner.selector.name, (*inner.selector.matchers, *passed))
    return Part(selector, _chained(inner.kept, outer.kept), inner.absent or outer.absent, outer.gives and inner.gives)


def _chained(inner: Kept, outer: Kept) -> Kept:
    only = inner.only if outer.only is None else outer.only if inner.only is None else inner.only & outer.only
    return Kept(only, inner.dropped | outer.dropped, (inner.added - outer.dropped) | outer.added)


# --- whom they reach -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where one alert may end: the receivers that it can reach, by the labels that are known."""

    watch: Watch
    routes: tuple[Route, ...]
    receivers: tuple[Receiver, ...]
    certain: bool  # no label whose value is not known decides
    silent: tuple[Route, ...] = ()  # of the routes those whose time intervals never let anything through
    inhibitor: AlertRule | None = None  # an alert that fires at all times and keeps this one from being sent


def deliveries(service: Service, config: AlertmanagerConfig, snapshot: Snapshot) -> tuple[Delivery, ...]:
    """Where each alert goes that can certainly fire for a service."""
    always = _firing_always(snapshot, service.environment)
    return tuple(delivery(watch, config, always) for watch in watches(service, snapshot) if watch.sure)


Firing = tuple[tuple[AlertRule, Mapping[str, str]], ...]


@lru_cache(maxsize=8)
def _firing_always(snapshot: Snapshot, environment: str) -> Firing:
    """The alerts that fire at all times, as a dead man's switch does, with their labels."""
    return tuple(
        (rule, {**server.external_labels, **rule.labels, "alertname": rule.name})
        for rule, server in by_server(environment, snapshot)
        if _ALWAYS.fullmatch(rule.expr) and not _templated(rule)
    )


_ALWAYS = regexp(r"\s*vector\(\s*\d+(?:\.\d+)?\s*\)\s*")


def delivery(watch: Watch, config: AlertmanagerConfig, always: Firing = ()) -> Delivery:
    """Where an alert goes in Alertmanager's route tree. always: the alerts that fire at all times."""
    if config.root is None or watch.kept_back:
        return Delivery(watch, (), (), True)
    rules = [rule for rule in config.inhibitions if watch.unknown.isdisjoint(_looked_at(rule))]
    for rule, labels in always:
        if rule is not watch.rule and inhibited(watch.labels, [labels], rules):
            return Delivery(watch, (), (), True, inhibitor=rule)
    routes, certain = taken(config.root, watch.labels, watch.unknown)
    by_name = {receiver.name: receiver for receiver in config.receivers}
    silent = tuple(route for route in routes if never_sends(route, config))
    names = dict.fromkeys(route.receiver for route in routes if route not in silent)
    receivers = tuple(by_name[name] for name in names if name in by_name)
    return Delivery(watch, routes, receivers, certain, silent)


def _looked_at(rule: Inhibition) -> frozenset[str]:
    """The labels of an alert that decide whether a rule inhibits it."""
    return frozenset({*rule.equal, *(m.label for m in (*rule.sources, *rule.targets))})
