"""A Prometheus configuration file: what it scrapes, which rules it loads, whom it sends alerts to.

Pure given a Tree. Secrets in the file (passwords, tokens, headers) are never looked at.
"""

from __future__ import annotations

from auditor import yamlfile
from auditor.errors import TextError
from auditor.model import Address, PrometheusConfig, ScrapeTarget
from auditor.sources.prometheus.reading import Reading, Resolve
from auditor.sources.prometheus.rules import recordings, rules
from auditor.sources.prometheus.scraping import address_of, alert_relabelling, alertmanager_targets, jobs, text
from auditor.tree import Tree
from auditor.yamlfile import Mapping, locate

__all__ = ["Resolve", "address_of", "parse_prometheus"]


def parse_prometheus(
    tree: Tree, path: str, environment: str, resolve: Resolve, place: str | None = None, server: str | None = None
) -> PrometheusConfig:
    """The configuration at `path`, its rule files and target files included.

    resolve: a path in Prometheus's container -> the file of the project that is mounted there; "": nothing is there;
    None: what is there is not known. place: where this file is in that container. server: the Compose service that it
    is of.
    Raises EvidenceError where a file cannot be read, TextError where the configuration is no YAML mapping. What
    Prometheus would refuse besides is a fault, and hides nothing else.
    """
    root = yamlfile.parse(tree.read(path), path, dialect="go")
    if root is None:
        root = Mapping()
    if not isinstance(root, Mapping):
        raise TextError("a Prometheus configuration is a mapping", path=path, line=locate(root))
    reading = Reading(tree, path, environment, resolve, place)
    patterns = tuple(reading.patterns(root, "rule_files"))
    found_jobs = tuple(jobs(reading, root))
    found_rules = tuple(rule for pattern in patterns for name in pattern.files or () for rule in rules(reading, name))
    alertmanagers, discovery = _alertmanagers(reading, root)
    return PrometheusConfig(
        environment,
        path,
        jobs=found_jobs,
        rule_patterns=patterns,
        rules=tuple(rule for rule in found_rules if not rule.records),
        recordings=recordings(found_rules),
        alerting=reading.at(root, "alerting") if "alerting" in root else None,
        alertmanagers=alertmanagers,
        alertmanager_discovery=discovery,
        external_labels=_external_labels(reading, root),
        remote_write=tuple(_remote_write(reading, root)),
        faults=tuple(reading.faults),
        server=server,
        alert_relabelling=alert_relabelling(reading, reading.mapping(root, "alerting")),
        reads_others=bool(root.get("remote_read")),
    )


def _external_labels(reading: Reading, root: Mapping) -> dict[str, str]:
    general = reading.mapping(root, "global")
    return {name: text(value) for name, value in reading.mapping(general, "external_labels").items()}


def _remote_write(reading: Reading, root: Mapping) -> list[Address]:
    found = []
    for item in reading.mappings(root, "remote_write"):
        scheme, _, rest = reading.text(item, "url", "").partition("://")
        address = address_of(rest.partition("/")[0].rpartition("@")[2], scheme)
        if address:
            found.append(address)
    return found


def _alertmanagers(reading: Reading, root: Mapping) -> tuple[tuple[ScrapeTarget, ...], tuple[str, ...]]:
    if root.get("alerting") is None:
        return (), ()
    alerting = reading.mapping(root, "alerting")
    targets: list[ScrapeTarget] = []
    discovery: list[str] = []
    for item in reading.mappings(alerting, "alertmanagers"):
        targets += alertmanager_targets(reading, item)
        discovery += [key for key, value in item.items() if key.endswith("_sd_configs") and value]
    return tuple(targets), tuple(discovery)
