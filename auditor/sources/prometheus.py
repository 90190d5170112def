"""A Prometheus configuration file: what it scrapes, which rules it loads, whom it sends alerts to.

Pure given a Tree. Secrets in the file (passwords, tokens, headers) are never looked at.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from auditor import yamlfile
from auditor.errors import TextError
from auditor.model import (
    Address,
    AlertRule,
    Fault,
    Location,
    PrometheusConfig,
    RulePattern,
    ScrapeJob,
    ScrapeTarget,
)
from auditor.tree import Tree, join
from auditor.yamlfile import Mapping, Sequence, Value, locate

Resolve = Callable[[str], "str | None"]

IN_CONTAINER = "/etc/prometheus"  # where the images keep their configuration
_WILD = re.compile(r"[*?\[]")
_PORT = re.compile(r":([0-9]{1,5})")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_prometheus(tree: Tree, path: str, environment: str, resolve: Resolve) -> PrometheusConfig:
    """The configuration at `path`, its rule files and target files included.

    resolve: a path in Prometheus's container -> the file of the project that is mounted there, or None.
    Raises EvidenceError where a file cannot be read, TextError where the configuration is no YAML mapping. What
    Prometheus would refuse besides is a fault, and hides nothing else.
    """
    value = yamlfile.parse(tree.read(path), path, dialect="go")
    if value is None:
        value = Mapping()
    if not isinstance(value, Mapping):
        raise TextError("a Prometheus configuration is a mapping", path=path, line=locate(value))
    reading = _Reading(tree, path, environment, resolve)
    return reading.config(value)


def address_of(target: str, scheme: str) -> Address | None:
    """A scrape target as an address: `host:port`, `[::1]:port`, or a host whose port follows from the scheme."""
    if target.startswith("["):
        host, bracket, rest = target[1:].partition("]")
        known = bool(bracket and host)
    else:
        host, colon, port = target.partition(":")
        rest = colon + port
        known = _HOST.fullmatch(host) is not None
    match = _PORT.fullmatch(rest)
    if not known or (rest and match is None):
        return None
    port_number = int(match[1]) if match else _DEFAULT_PORTS.get(scheme)
    if port_number is not None and not 0 < port_number < 65_536:
        return None
    return Address(host, port_number, scheme)


@dataclass(slots=True)
class _Reading:
    """One pass over a configuration. `faults` grows."""

    tree: Tree
    path: str
    environment: str
    resolve: Resolve
    faults: list[Fault] = field(default_factory=list)

    def config(self, root: Mapping) -> PrometheusConfig:
        patterns = tuple(self.patterns(root, "rule_files"))
        jobs = tuple(self.jobs(root))
        rules = tuple(rule for pattern in patterns for name in pattern.files or () for rule in self.rules(name))
        alertmanagers, discovery = self.alertmanagers(root)
        return PrometheusConfig(
            self.environment,
            self.path,
            jobs=jobs,
            rule_patterns=patterns,
            rules=rules,
            alerting=self.at(root, "alerting") if "alerting" in root else None,
            alertmanagers=alertmanagers,
            alertmanager_discovery=discovery,
            faults=tuple(self.faults),
        )

    # --- places and faults -----------------------------------------------------------------------------------

    def at(self, container: Value, key: str | int | None = None, path: str | None = None) -> Location:
        return Location(path or self.path, locate(container, key))

    def fault(self, message: str, location: Location, check: str = "invalid-yaml") -> None:
        self.faults.append(Fault(check, message, location, environment=self.environment))

    def mappings(self, parent: Mapping, key: str, path: str | None = None) -> Iterator[Mapping]:
        """The mappings of a list; anything else in its place is a fault."""
        for index, item in enumerate(self.items(parent, key, path)):
            if isinstance(item, Mapping):
                yield item
            else:
                self.fault(f"an item of `{key}` is no mapping", self.at(parent.get(key), index, path))

    def items(self, parent: Mapping, key: str, path: str | None = None) -> Sequence:
        value = parent.get(key)
        if value is None:
            return Sequence()
        if not isinstance(value, Sequence):
            self.fault(f"`{key}` is no list", self.at(parent, key, path))
            return Sequence()
        return value

    def text(self, parent: Mapping, key: str, default: str) -> str:
        value = parent.get(key)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        self.fault(f"`{key}` is no text", self.at(parent, key))
        return default

    # --- files that the configuration names ------------------------------------------------------------------

    def patterns(self, parent: Mapping, key: str) -> Iterator[RulePattern]:
        items = self.items(parent, key)
        for index, item in enumerate(items):
            location = self.at(items, index)
            if isinstance(item, str) and item:
                yield RulePattern(item, location, self.matching(item))
            else:
                self.fault(f"an item of `{key}` is no text", location)

    def parsed(self, path: str, check: str = "invalid-yaml") -> Value:
        """What a file holds that the configuration names; None, and a fault, where it is no YAML."""
        data = self.tree.read(path)
        try:
            return yamlfile.parse(data, path, dialect="go")
        except TextError as error:
            self.fault(error.what, Location(path, error.line), check)
            return None

    def matching(self, pattern: str) -> tuple[str, ...] | None:
        """The files of the tree that Prometheus would find; None where the path leads out of what is known."""
        place = self.in_tree(pattern)
        if place is None:
            return None
        # Go's Glob knows no `**`, and `[^a]` where Python writes `[!a]`.
        place = re.sub(r"\*\*+", "*", place).replace("[^", "[!")
        if not _WILD.search(place):
            return (place,) if self.tree.exists(place) else ()
        return tuple(self.tree.glob(place))

    def in_tree(self, path: str) -> str | None:
        mounted = self.resolve(f"{IN_CONTAINER}/{posixpath.basename(self.path)}") == self.path
        if mounted or path.startswith("/"):
            found = self.resolve(posixpath.join(IN_CONTAINER, path))
            if found is not None or mounted:
                return found
        # Without a mount to follow, the image's own directory stands for that of the configuration.
        relative = path.removeprefix(f"{IN_CONTAINER}/")
        try:
            return join(posixpath.dirname(self.path), relative)
        except TextError:
            return None

    # --- scraping --------------------------------------------------------------------------------------------

    def jobs(self, root: Mapping) -> Iterator[ScrapeJob]:
        names: set[str] = set()
        for job in self._all_jobs(root):
            if job.name in names:
                self.fault(f"two scrape jobs are called `{job.name}`", job.location)
            names.add(job.name)
            yield job

    def _all_jobs(self, root: Mapping) -> Iterator[ScrapeJob]:
        for item in self.mappings(root, "scrape_configs"):
            yield self.job(item, self.path)
        for pattern in self.patterns(root, "scrape_config_files"):
            if not pattern.files:
                yield ScrapeJob(self.environment, pattern.pattern, pattern.location, (), ("scrape_config_files",))
            for name in pattern.files or ():
                content = self.parsed(name)
                if isinstance(content, Mapping):
                    for item in self.mappings(content, "scrape_configs", name):
                        yield self.job(item, name)
                elif content is not None:
                    self.fault("a file of scrape configurations is a mapping", Location(name, locate(content)))

    def job(self, item: Mapping, path: str) -> ScrapeJob:
        name = self.text(item, "job_name", "")
        location = Location(path, locate(item, "job_name"))
        if not name:
            self.fault("a scrape job without `job_name`", location)
        scheme = self.text(item, "scheme", "http")
        targeting = _Targeting(name, self.text(item, "metrics_path", "/metrics"), scheme)
        targets = list(self.static(item, targeting, path))
        discovery = [key for key, value in item.items() if key.endswith("_sd_configs") and value]
        if "file_sd_configs" in discovery:
            found = list(self.file_targets(item, targeting))
            targets += found
            if found:
                discovery.remove("file_sd_configs")
        rewrites = [rule for rule in self.mappings(item, "relabel_configs", path) if _writes_address(rule)]
        if rewrites:
            targets = [target for rule in rewrites for target in self.rewritten(rule, targeting, path)]
            # One address for whatever the targets were, as with the blackbox exporter, leaves nothing unknown.
            certain = len(targets) == len(rewrites) and any("regex" not in rule for rule in rewrites)
            discovery = [] if certain else [*discovery, "relabel_configs"]
        return ScrapeJob(self.environment, name, location, tuple(targets), tuple(discovery))

    def static(self, item: Mapping, targeting: _Targeting, path: str) -> Iterator[ScrapeTarget]:
        for group in self.mappings(item, "static_configs", path):
            yield from self.group(group, targeting, path)

    def group(self, group: Mapping, targeting: _Targeting, path: str) -> Iterator[ScrapeTarget]:
        targets = self.items(group, "targets", path)
        for index, target in enumerate(targets):
            location = self.at(targets, index, path)
            if isinstance(target, str) and "$" in target:
                continue  # filled in by whatever makes the file; its host is not known here
            address = address_of(target, targeting.scheme) if isinstance(target, str) else None
            if address:
                yield ScrapeTarget(self.environment, targeting.job, address, location, targeting.metrics_path)
            elif not (isinstance(target, str) and "/" in target):  # a URL for a prober, rewritten by relabelling
                self.fault(f"a target of job `{targeting.job}` is no `host:port`", location)

    def file_targets(self, item: Mapping, targeting: _Targeting) -> Iterator[ScrapeTarget]:
        for source in self.mappings(item, "file_sd_configs"):
            for pattern in self.patterns(source, "files"):
                for name in pattern.files or ():
                    content = self.parsed(name)
                    for group in content if isinstance(content, Sequence) else ():
                        if isinstance(group, Mapping):
                            yield from self.group(group, targeting, name)

    def rewritten(self, rule: Mapping, targeting: _Targeting, path: str) -> Iterator[ScrapeTarget]:
        """The one address that all targets of a job become, as with the blackbox exporter."""
        replacement = rule.get("replacement")
        if not isinstance(replacement, str) or "$" in replacement:
            return
        address = address_of(replacement, targeting.scheme)
        if address:
            location = self.at(rule, "replacement", path)
            yield ScrapeTarget(self.environment, targeting.job, address, location, targeting.metrics_path)

    # --- alerting --------------------------------------------------------------------------------------------

    def alertmanagers(self, root: Mapping) -> tuple[tuple[ScrapeTarget, ...], tuple[str, ...]]:
        alerting = root.get("alerting")
        if alerting is None:
            return (), ()
        if not isinstance(alerting, Mapping):
            self.fault("`alerting` is no mapping", self.at(root, "alerting"))
            return (), ()
        targets: list[ScrapeTarget] = []
        discovery: list[str] = []
        for item in self.mappings(alerting, "alertmanagers"):
            targeting = _Targeting(
                "alertmanagers", self.text(item, "path_prefix", "/"), self.text(item, "scheme", "http")
            )
            targets += self.static(item, targeting, self.path)
            discovery += [key for key, value in item.items() if key.endswith("_sd_configs") and value]
        return tuple(targets), tuple(discovery)

    def rules(self, path: str) -> Iterator[AlertRule]:
        content = self.parsed(path, "rule-invalid")
        if content is None:
            return
        if not isinstance(content, Mapping) or not isinstance(content.get("groups", Sequence()), Sequence | None):
            self.fault(
                "a rule file is a mapping with a list of `groups`", Location(path, locate(content)), "rule-invalid"
            )
            return
        groups: set[str] = set()
        for group in content.get("groups") or ():  # type: ignore[union-attr]  # a list, as checked above
            yield from self.rule_group(group, groups, path)

    def rule_group(self, group: Value, names: set[str], path: str) -> Iterator[AlertRule]:
        location = Location(path, locate(group))
        if not isinstance(group, Mapping) or not isinstance(group.get("name"), str) or not group["name"]:
            self.fault("a rule group without `name`", location, "rule-invalid")
            return
        name = str(group["name"])
        if name in names:
            self.fault(f"two rule groups are called `{name}`", location, "rule-invalid")
        names.add(name)
        rules = group.get("rules")
        if not isinstance(rules, Sequence | None):
            self.fault(f"`rules` of group `{name}` is no list", Location(path, locate(group, "rules")), "rule-invalid")
            return
        for rule in rules or ():
            if (found := self.rule(rule, name, path)) is not None:
                yield found

    def rule(self, rule: Value, group: str, path: str) -> AlertRule | None:
        location = Location(path, locate(rule))
        if not isinstance(rule, Mapping) or ("alert" in rule) == ("record" in rule):
            self.fault(f"a rule of group `{group}` wants `alert` or `record`", location, "rule-invalid")
            return None
        kind = "alert" if "alert" in rule else "record"
        name, expression = rule[kind], rule.get("expr")
        if not isinstance(name, str) or not name:
            self.fault(f"a rule of group `{group}` has an empty `{kind}`", location, "rule-invalid")
            return None
        if expression is None or isinstance(expression, bool | Mapping | Sequence) or not str(expression).strip():
            self.fault(f"rule `{name}` has no `expr`", location, "rule-invalid")
            return None
        if kind == "record":
            return None
        labels = rule.get("labels")
        known = {key: _text(value) for key, value in labels.items()} if isinstance(labels, Mapping) else {}
        return AlertRule(name, str(expression), Location(path, locate(rule, "alert")), known)


@dataclass(frozen=True, slots=True)
class _Targeting:
    """What the targets of one job have in common."""

    job: str
    metrics_path: str
    scheme: str


def _writes_address(rule: Mapping) -> bool:
    return rule.get("target_label") == "__address__" and str(rule.get("action", "replace")).lower() == "replace"


def _text(value: Value) -> str:
    """A label value as Prometheus keeps it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
