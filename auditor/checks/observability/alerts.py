"""Would an alert fire for each service, and would it reach somebody?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from auditor import alerting, hearing, ladder
from auditor.checks.gaps.causes import missing
from auditor.checks.observability.alertmanagers import no_rules, unheard
from auditor.checks.observability.metrics import (
    deployed,
    exporter_missing,
    not_scraped,
    unread,
    unread_program,
    unread_speaker,
)
from auditor.inventory import Service, Snapshot
from auditor.matching import all_hold
from auditor.model import (
    AlertmanagerConfig,
    AlertRule,
    Evidence,
    Lifecycle,
    Location,
    PrometheusConfig,
    Receiver,
    RungState,
    Severity,
    Silence,
)
from auditor.promql import Part
from auditor.registry import BY_CRITICALITY, Problem, check
from auditor.scrapes import UNREACHABLE, resolved, scrapes_of
from auditor.series import Match, Series, candidates, if_reached, selects

_MADE_BY_RULES = ("ALERTS", "ALERTS_FOR_STATE")


@check(
    Service,
    BY_CRITICALITY,
    fix="Write an alert on its series, or let `auditor build rules` write one.",
    either=("prometheus", "prometheus-api"),
)
def no_alert(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """No alert rule that Prometheus loads selects series of a service.

    When it fails, its users are the ones who notice. An alert on its probe, its container or its exporter counts.
    Silent where the policy does not ask for an alert.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            api: {image: "registry.example/api:1"}
        prometheus:
          rule_files: [rules.yml]
          scrape_configs:
            - {job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}
            - {job_name: api, static_configs: [{targets: ["api:8000"]}]}
        files:
          rules.yml:
            groups: [{name: all, rules: [{alert: PrometheusDown, expr: 'up{job="prometheus"} == 0'}]}]
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            api: {image: "registry.example/api:1"}
        prometheus:
          rule_files: [rules.yml]
          scrape_configs:
            - {job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}
            - {job_name: api, static_configs: [{targets: ["api:8000"]}]}
        files:
          rules.yml:
            groups: [{name: all, rules: [{alert: TargetDown, expr: up == 0}]}]
    """
    if not _to_be_watched(service, snapshot):
        return
    rung = ladder.climb(service, snapshot)["alerted"]
    if not rung.required or rung.state is not RungState.DISPROVED:
        return
    config, configs = snapshot.prometheus_of(service.environment), snapshot.prometheus_configs(service.environment)
    rules = len(alerting.rules_of(service.environment, snapshot))
    loaded = f"none of the {rules} loaded alert rules selects its series" if rules else "no alert rule is loaded"
    unscraped = next(exporter_missing(service, snapshot), None) or next(not_scraped(service, snapshot), None)
    cause = unscraped.cause if unscraped else unread_speaker(service, snapshot) or _unreached(service, snapshot)
    yield Problem(
        f"no alert can fire for `{service.name}`: {loaded}",
        (service.location,) if service.location else (),
        tuple(Evidence("prometheus", f"rules of `{one.path}`", one.path) for one in configs if not one.agent),
        cause=cause or (no_rules(config) if config and not rules else None),
        fix=_begin_with(service),
    )


def _unreached(service: Service, snapshot: Snapshot) -> str | None:
    """The cause where a rule would select its series, and the network keeps Prometheus from them."""
    config = snapshot.prometheus_of(service.environment) or PrometheusConfig(service.environment, "")
    parts = [part for rule in config.rules for part in alerting.resolved(rule.expr, config)]
    for scrape in scrapes_of(service, snapshot) if parts else ():
        lost = if_reached(scrape, snapshot) if scrape.fault == UNREACHABLE else None
        if lost and any(selects(part.selector, lost) is Match.YES for part in parts):
            return unread(scrape.answer.service)
    return None


def _begin_with(service: Service) -> str | None:
    """The usual fix with the public rules that there are for it; None where none are known."""
    if service.component is None or service.component.alerts is None:
        return None
    return (
        "Write an alert on its series, let `auditor build rules` write one, "
        f"or begin with the public rules at {service.component.alerts}."
    )


def _to_be_watched(service: Service, snapshot: Snapshot) -> bool:
    """Whether the service is here, and meant to be; what is not deployed has a finding of its own."""
    if service.entry is None and service.definition is None:
        return False  # `running-not-declared` says of it what there is to say
    elsewhere = service.lifecycle in (Lifecycle.EXTERNAL, Lifecycle.PROCESS)
    return (deployed(service, snapshot) or elsewhere) and snapshot.excuse(service) is None and service.host is None


@check(
    PrometheusConfig,
    Severity.WARNING,
    fix="Correct the metric or the labels that the rule names, or delete it.",
    needs=("prometheus", "compose"),
)
def dead_alert(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """An alert rule selects series that nothing exposes.

    It looks like a safeguard and can never fire. Silent where targets come from a discovery that files do not show.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            api: {image: "registry.example/api:1"}
        prometheus:
          rule_files: [rules.yml]
          scrape_configs: [{job_name: api, static_configs: [{targets: ["api:8000"]}]}]
        files:
          rules.yml:
            groups: [{name: all, rules: [{alert: ApiDown, expr: 'up{job="backend"} == 0'}]}]
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            api: {image: "registry.example/api:1"}
        prometheus:
          rule_files: [rules.yml]
          scrape_configs: [{job_name: api, static_configs: [{targets: ["api:8000"]}]}]
        files:
          rules.yml:
            groups: [{name: all, rules: [{alert: ApiDown, expr: 'up{job="api"} == 0'}]}]
    """
    live = snapshot.source("prometheus-api", config.environment).state == "ok"
    everything = snapshot.prometheus_of(config.environment) or config
    hidden = any(job.discovery or job.asked_of for job in everything.jobs)
    if (not live and hidden) or (live and config.path != everything.path):
        return
    asked = alerting.asked_config(config.environment, snapshot) if live else None
    for rule, server in alerting.by_server(config.environment, snapshot):
        if not live and server is not config:
            continue
        giving = [part for part in alerting.written(rule.expr) if part.gives and not part.absent]
        giving = [part for part in giving if part.selector.name not in _MADE_BY_RULES]
        if giving and not any(alerting.can_select(part, everything, snapshot, server.path) for part in giving):
            running = asked is not None and server.path == asked.path
            because = "nothing in the running Prometheus is" if running else alerting.lacking(giving[0], everything)
            yield Problem(
                f"alert `{rule.name}` can never fire: {because} `{giving[0].selector}`",
                (rule.location,) if rule.location.path else (),
                key=rule.name,
                cause=_phantom(giving[0], everything, snapshot)
                or unread_program(giving[0].selector.name, config.environment, snapshot),
            )


def _phantom(part: Part, config: PrometheusConfig, snapshot: Snapshot) -> str | None:
    """The missing component whose target the part selects, or the one that is not reached: that says why."""
    for target in (target for job in config.jobs for target in job.targets):
        if not snapshot.provided(config.environment, target.address.host):
            lost = Series("", target, dict(target.labels), None)
            if selects(part.selector, lost) is not Match.NO:
                return missing(snapshot.missing_name(config.environment, target.address.host))
    for scrape in resolved(snapshot, config.environment):
        if scrape.fault == UNREACHABLE and selects(part.selector, if_reached(scrape, snapshot)) is not Match.NO:
            return unread(scrape.answer.service)
    return None


@check(
    PrometheusConfig,
    Severity.INFO,
    fix="Alert on `up == 0`, or on `absent` of each member by its `instance`.",
    needs=("prometheus",),
)
def fleet_wide_absent(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """An alert fires only when every member of a group is gone.

    `absent()` stays silent as long as one instance is left: nineteen of twenty may be down.

    Bad:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}, a: {image: "x/api:1"}, b: {image: "x/api:1"}}
        prometheus:
          rule_files: [rules.yml]
          scrape_configs: [{job_name: api, static_configs: [{targets: ["a:8000", "b:8000"]}]}]
        files:
          rules.yml:
            groups: [{name: all, rules: [{alert: ApiGone, expr: 'absent(up{job="api"})'}]}]
    Good:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}, a: {image: "x/api:1"}}
        prometheus:
          rule_files: [rules.yml]
          scrape_configs: [{job_name: api, static_configs: [{targets: ["a:8000"]}]}]
        files:
          rules.yml:
            groups: [{name: all, rules: [{alert: ApiGone, expr: 'absent(up{job="api"})'}]}]
    """
    for rule in config.rules:
        for part in alerting.resolved(rule.expr, config):
            series = candidates(part.selector, config.environment, snapshot) if part.absent else ()
            members = {one.labels.get("instance") for one in series if selects(part.selector, one) is Match.YES}
            if len(members) > 1 and not _by_member(rule, config):
                yield Problem(
                    f"alert `{rule.name}` is silent until all {len(members)} instances of `{part.selector}` are gone",
                    (rule.location,),
                    key=rule.name,
                )
                break


def _by_member(rule: AlertRule, config: PrometheusConfig) -> bool:
    """Whether another rule sees each member on its own."""
    return any(
        part.gives and not part.absent and part.selector.name == "up" and part.kept.has("instance")
        for other in config.rules
        if other is not rule
        for part in alerting.resolved(other.expr, config)
    )


@check(
    Service,
    BY_CRITICALITY,
    fix="Route its alerts to a receiver that tells somebody.",
    either=("alertmanager", "alertmanager-config"),
)
def alert_not_routed(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """The alerts of a service end at a receiver that tells nobody.

    They fire, are shown on a page that nobody looks at, and that is all. The route tree is evaluated as Alertmanager
    does it.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            alertmanager: {image: "prom/alertmanager:v0.28.1"}
        prometheus:
          rule_files: [rules.yml]
          alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
          scrape_configs: [{job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}]
        files:
          rules.yml:
            groups: [{name: all, rules: [{alert: TargetDown, expr: up == 0}]}]
        alertmanager:
          route: {receiver: nobody}
          receivers: [{name: nobody}]
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            alertmanager: {image: "prom/alertmanager:v0.28.1"}
        prometheus:
          rule_files: [rules.yml]
          alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
          scrape_configs: [{job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}]
        files:
          rules.yml:
            groups: [{name: all, rules: [{alert: TargetDown, expr: up == 0}]}]
        alertmanager:
          route: {receiver: team}
          receivers: [{name: team, webhook_configs: [{url: "https://chat.mycompany.net/hook"}]}]
    """
    rung = ladder.climb(service, snapshot)
    if rung["alerted"].state is not RungState.PROVED or rung["routed"].state is not RungState.DISPROVED:
        return
    config = snapshot.alertmanager_of(service.environment)
    prometheus = snapshot.prometheus_of(service.environment)
    if config is None or config.root is None or not _to_be_watched(service, snapshot):
        return
    sent = alerting.deliveries(service, config, snapshot)
    alerts = ", ".join(dict.fromkeys(f"`{one.watch.rule.name}`" for one in sent))
    ends = list(dict.fromkeys(receiver for one in sent for receiver in one.receivers))
    if prometheus is not None and (why := hearing.unheard(prometheus, snapshot)):
        absent = hearing.lacks_alertmanager(prometheus, snapshot)
        name = snapshot.missing_name(service.environment, "alertmanager")
        place = prometheus.alerting or Location(prometheus.path)
        cause = missing(name) if absent else unheard(prometheus)
        yield Problem(f"the alerts of `{service.name}` ({alerts}) are sent to nobody: {why}", (place,), cause=cause)
    elif not ends and (over := next((one.inhibitor for one in sent if one.inhibitor), None)):
        said = f"are sent at no time: alert `{over.name}` always fires and inhibits them"
        place = over.location if over.location.path else config.inhibitions[0].location
        yield Problem(f"the alerts of `{service.name}` ({alerts}) {said}", (place,), cause=f"inhibited:{over.name}")
    elif not ends and (silent := [route for one in sent for route in one.silent]):
        said = "are sent at no time: the time intervals of their route hold them back for ever"
        place = silent[0].location
        yield Problem(f"the alerts of `{service.name}` ({alerts}) {said}", (place,), cause=f"held back:{place}")
    elif prometheus is not None and sent and all(one.watch.kept_back for one in sent):
        said = f"are thrown away before they are sent: by `alert_relabel_configs` of `{prometheus.path}`"
        yield Problem(
            f"the alerts of `{service.name}` ({alerts}) {said}",
            (prometheus.alerting or Location(prometheus.path),),
            cause=f"thrown away:{prometheus.path}",
        )
    elif ends:
        names = ", ".join(f"`{receiver.name}`" for receiver in ends)
        unfilled = [receiver for receiver in ends if receiver.integrations]
        yield Problem(
            f"the alerts of `{service.name}` ({alerts}) end at {names}, which tells nobody",
            (*[one.routes[0].location for one in sent if one.routes][:1], *(receiver.location for receiver in ends)),
            cause=_mute(unfilled[:1] or ends),
        )


@check(
    AlertmanagerConfig,
    Severity.WARNING,
    fix="Put the real address in, or take the receiver out of the routes.",
    either=("alertmanager", "alertmanager-config"),
)
def receiver_placeholder(config: AlertmanagerConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """A receiver that routes lead to still has the address of an example.

    Alertmanager sends there, gets an error or a polite nothing, and nobody is called.

    Bad:
        compose: {services: {alertmanager: {image: "prom/alertmanager:v0.28.1"}}}
        alertmanager:
          route: {receiver: team}
          receivers: [{name: team, email_configs: [{to: "oncall@example.com"}]}]
    Good:
        compose: {services: {alertmanager: {image: "prom/alertmanager:v0.28.1"}}}
        alertmanager:
          route: {receiver: team}
          receivers: [{name: team, email_configs: [{to: "oncall@mycompany.net"}]}]
    """
    if config.root is None:
        return
    used = hearing.used(config)
    server = snapshot.deployed(config.environment, "alertmanager")
    for receiver in config.receivers:
        written = hearing.as_written(receiver, config, snapshot)
        unreal = {one: why for one in written if (why := hearing.astray(one, config, snapshot))}
        if receiver.name in used and unreal:
            said = "; ".join(dict.fromkeys(f"{one.kind}: {why}" for one, why in unreal.items()))
            yield Problem(
                f"receiver `{receiver.name}` reaches nobody by {said}",
                tuple(Location(one.location.path, one.location.line) for one in unreal),
                service=server.name if server else None,
                key=receiver.name,
                cause=_mute([receiver]),
            )


def _mute(receivers: Sequence[Receiver]) -> str:
    """The cause that all share whose alerts end at receivers that tell nobody."""
    return f"receivers:{', '.join(receiver.name for receiver in receivers)}"


@check(
    Silence,
    Severity.WARNING,
    fix="End the silence, or repair what it hides; what is accepted for long is a waiver with a date.",
    needs=("alertmanager",),
)
def alert_silenced_forever(silence: Silence, snapshot: Snapshot, *, days: int = 30) -> Iterator[Problem]:
    """A silence lasts so long that nobody will remember it.

    Whatever it matches is not sent to anybody until then: the alert is as good as deleted, but looks alive. `days`: how
    long one may still last.

    Bad:
        compose: {services: {api: {image: "registry.example/api:1"}}}
        silences: [{matchers: {service: api}, days: 3650, comment: noisy}]
    Good:
        compose: {services: {api: {image: "registry.example/api:1"}}}
        silences: [{matchers: {service: api}, days: 1, comment: maintenance}]
    """
    if silence.ends_at - snapshot.taken_at <= timedelta(days=days):
        return
    matched = ",".join(f'{m.label}{m.op}"{m.value}"' for m in silence.matchers)
    who = sorted(
        service.name
        for service in snapshot.services
        if service.environment == silence.environment
        and any(
            watch.sure and all_hold(silence.matchers, watch.labels) for watch in alerting.watches(service, snapshot)
        )
    )
    silent = f", among them those of {', '.join(f'`{name}`' for name in who)}" if who else ""
    said = f" (“{silence.comment}”)" if silence.comment else ""
    yield Problem(
        f"alerts with `{matched}` are silenced until {silence.ends_at.date().isoformat()}{said}{silent}",
        service=who[0] if len(who) == 1 else None,
        environment=silence.environment,
        key=matched,
    )
