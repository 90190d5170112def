"""Are rules loaded, and is there an Alertmanager that hears of them?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from auditor import alerting, hearing
from auditor.checks.files import told
from auditor.checks.gaps.causes import missing
from auditor.checks.observability.metrics import prometheus_name
from auditor.inventory import Snapshot
from auditor.model import (
    Fault,
    Location,
    PrometheusConfig,
    Severity,
)
from auditor.registry import Problem, check


@check(
    PrometheusConfig,
    Severity.WARNING,
    fix="Correct `rule_files` so that it finds the rules, or write some: `auditor build rules` generates them.",
    needs=("prometheus",),
)
def rules_not_loaded(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """Prometheus loads no rules, or a pattern of `rule_files` finds no file.

    Prometheus says nothing of a pattern that matches nothing; the alerts behind it simply never fire. A path that
    leads to files outside the project is not judged. Where a running Prometheus was asked, rules that it does not know
    are told, too (it was not reloaded, or runs with another configuration), and a configuration that it refused.

    Bad:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}}
        prometheus:
          rule_files: [rules/*.yml]
    Good:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}}
        prometheus:
          rule_files: [rules/*.yml]
        files:
          rules/web.yml: "groups: [{name: web, rules: [{alert: WebDown, expr: up == 0}]}]"
    """
    server = prometheus_name(config, snapshot)
    everything = snapshot.prometheus_of(config.environment) or config
    cause = no_rules(everything) if not everything.rules else None
    if not everything.rule_patterns and everything.path == config.path and not alerting.sends_samples(everything):
        text = f"`{config.path}` loads no rules: no alert can fire"
        yield Problem(text, (Location(config.path),), service=server, cause=cause)
    for pattern in config.rule_patterns:
        if pattern.files == ():
            yield Problem(
                f"`rule_files` names `{pattern.pattern}`, which no file matches",
                (pattern.location,),
                service=server,
                key=pattern.pattern,
                cause=cause,
            )
    yield from _refused(config, server, snapshot)
    yield from _not_reloaded(config, server, snapshot)


def _refused(config: PrometheusConfig, server: str | None, snapshot: Snapshot) -> Iterator[Problem]:
    """The running Prometheus could not take the configuration that it was last given, and the files do not show why."""
    if any(fault.check == "rule-invalid" for fault in config.faults):
        return
    asked = alerting.asked_config(config.environment, snapshot)
    if asked is config and any(one.environment == config.environment for one in snapshot.refused):
        text = f"the running Prometheus refused its configuration when it last read it: not `{config.path}` runs"
        yield Problem(text, (Location(config.path),), service=server, key="refused")


def _not_reloaded(config: PrometheusConfig, server: str | None, snapshot: Snapshot) -> Iterator[Problem]:
    """Rules that stand in the files and that the running Prometheus does not know."""
    several = len(snapshot.prometheus_configs(config.environment)) > 1  # and one of them was asked: which is not told
    if several or snapshot.source("prometheus-api", config.environment).state != "ok":
        return
    loaded = {rule.name for rule in snapshot.loaded_rules if rule.environment == config.environment}
    lost = [rule for rule in config.rules if rule.name not in loaded]
    if lost:
        names = ", ".join(f"`{rule.name}`" for rule in lost[:5]) + (", ..." if len(lost) > 5 else "")
        yield Problem(
            f"the running Prometheus has not loaded {len(lost)} alert rules of its files: {names}",
            tuple(rule.location for rule in lost[:5]),
            service=server,
            key="not reloaded",
            cause=None if loaded else no_rules(config),
        )


def no_rules(config: PrometheusConfig) -> str:
    """The cause that all services without an alert share where no rule is loaded at all."""
    return f"rules:{config.path}"


@check(Fault, Severity.CRITICAL, fix="Correct the rule: `promtool check rules` says what Prometheus refuses.")
def rule_invalid(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A rule file that Prometheus would refuse.

    One bad rule keeps Prometheus from starting, or from loading any change.

    Bad:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}}
        prometheus:
          rule_files: [rules.yml]
        files:
          rules.yml: "groups: [{name: web, rules: [{alert: WebDown}]}]"
    Good:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}}
        prometheus:
          rule_files: [rules.yml]
        files:
          rules.yml: "groups: [{name: web, rules: [{alert: WebDown, expr: up == 0}]}]"
    """
    problem = told(fault)
    config = snapshot.prometheus_of(fault.environment) if fault.environment else None
    if config is not None and not config.rules:
        first = next((one for one in config.faults if one.check == "rule-invalid"), None)
        problem = replace(problem, cause=no_rules(config)) if first == fault else problem
    yield problem


@check(
    PrometheusConfig,
    Severity.CRITICAL,
    fix="Deploy an Alertmanager and name it below `alerting:`, or declare the one that is used as `external`.",
    needs=("prometheus", "compose"),
)
def alertmanager_missing(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """Prometheus has alerts to send, and nothing deploys an Alertmanager.

    Every alert fires into the void: nobody is called.

    Bad:
        compose:
          services: {prometheus: {image: "prom/prometheus:v3.5.0"}}
        prometheus:
          alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
          scrape_configs: []
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            alertmanager: {image: "prom/alertmanager:v0.28.1"}
        prometheus:
          alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
          scrape_configs: []
    """
    if not hearing.lacks_alertmanager(config, snapshot):
        return
    environment = config.environment
    name = snapshot.missing_name(environment, "alertmanager")
    rules = config.rules
    has = f"{len(rules)} alert rules" if rules else "an `alerting:` section"
    places = [config.alerting] if config.alerting else []
    yield Problem(
        f"Prometheus of `{environment}` has {has}, but nothing deploys an Alertmanager",
        tuple(places) or (rules[0].location,),
        service=name if snapshot.entry(environment, name) else prometheus_name(config, snapshot),
        cause=missing(name),
    )


@check(
    PrometheusConfig,
    Severity.CRITICAL,
    fix="Name the Alertmanager below `alerting: alertmanagers:`.",
    needs=("prometheus", "compose"),
)
def alertmanager_not_connected(config: PrometheusConfig, snapshot: Snapshot) -> Iterator[Problem]:
    """Prometheus has alert rules, and its configuration names no Alertmanager that answers.

    Rules fire, Alertmanager waits, and neither knows of the other.

    Bad:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            alertmanager: {image: "prom/alertmanager:v0.28.1"}
        prometheus:
          rule_files: [rules.yml]
        files:
          rules.yml: "groups: [{name: web, rules: [{alert: WebDown, expr: up == 0}]}]"
    Good:
        compose:
          services:
            prometheus: {image: "prom/prometheus:v3.5.0"}
            alertmanager: {image: "prom/alertmanager:v0.28.1"}
        prometheus:
          rule_files: [rules.yml]
          alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
        files:
          rules.yml: "groups: [{name: web, rules: [{alert: WebDown, expr: up == 0}]}]"
    """
    environment = config.environment
    absent = hearing.lacks_alertmanager(config, snapshot)
    if not config.rules or hearing.sends_outside(config, snapshot):
        return
    if not absent and not hearing.has_alertmanager(environment, snapshot):
        return
    reasons = [hearing.deaf(target, config, snapshot) for target in config.alertmanagers]
    if (reasons and not all(reasons)) or (reasons and absent):
        return
    said = f"names {reasons[0]}" if reasons else "names no Alertmanager"
    yield Problem(
        f"`{config.path}` loads {len(config.rules)} alert rules, but {said}",
        (config.alertmanagers[0].location if reasons else config.alerting or Location(config.path),),
        service=prometheus_name(config, snapshot),
        cause=missing(snapshot.missing_name(environment, "alertmanager")) if absent else unheard(config),
    )


def unheard(config: PrometheusConfig) -> str:
    """The cause that all services share whose alerts Prometheus sends to nobody."""
    return f"unheard:{config.path}"
