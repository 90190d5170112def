"""Several Prometheus servers of one environment, taken together: shards, a server a team, one that federates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from auditor.model import PrometheusConfig


def together(configs: Sequence[PrometheusConfig]) -> PrometheusConfig:
    """What the servers do between them, under the path of the first; external labels as far as all have them alike."""
    first, *others = configs
    if not others:
        return first
    labels = set(first.external_labels.items())
    for config in others:
        labels &= set(config.external_labels.items())
    return replace(
        first,
        jobs=tuple(job for config in configs for job in config.jobs),
        rule_patterns=tuple(pattern for config in configs for pattern in config.rule_patterns),
        rules=tuple(rule for config in configs for rule in config.rules),
        recordings=tuple(rule for config in configs for rule in config.recordings),
        external_labels=dict(sorted(labels)),
        remote_write=tuple(address for config in configs for address in config.remote_write),
        alerting=next((config.alerting for config in configs if config.alerting), None),
        alertmanagers=tuple(target for config in configs for target in config.alertmanagers),
        alertmanager_discovery=tuple(kind for config in configs for kind in config.alertmanager_discovery),
        faults=(),
        agent=all(config.agent for config in configs),
    )


def paths(configs: Sequence[PrometheusConfig]) -> str:
    """The files of configurations, for a sentence."""
    return ", ".join(f"`{config.path}`" for config in configs)
