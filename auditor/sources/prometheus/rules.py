"""Rule files of Prometheus: what alerts, and what is recorded under another name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.model import AlertRule, Location
from auditor.promql import NewerError, parts
from auditor.sources.prometheus.reading import Reading
from auditor.sources.prometheus.scraping import text
from auditor.yamlfile import Mapping, Sequence, Value, locate

CHECK = "rule-invalid"


def recordings(rules: Iterable[AlertRule]) -> tuple[AlertRule, ...]:
    """The recording rules among them."""
    return tuple(rule for rule in rules if rule.records)


def rules(reading: Reading, path: str) -> Iterator[AlertRule]:
    """Every rule of a file, alerting and recording ones, that Prometheus would take."""
    content = reading.parsed(path, CHECK)
    if content is None:
        return
    if not isinstance(content, Mapping) or not isinstance(content.get("groups", Sequence()), Sequence | None):
        reading.fault("a rule file is a mapping with a list of `groups`", Location(path, locate(content)), CHECK)
        return
    names: set[str] = set()
    for group in content.get("groups") or ():  # type: ignore[union-attr]  # a list, as checked above
        yield from _group(reading, group, names, path)


def _group(reading: Reading, group: Value, names: set[str], path: str) -> Iterator[AlertRule]:
    location = Location(path, locate(group))
    if not isinstance(group, Mapping) or not isinstance(group.get("name"), str) or not group["name"]:
        reading.fault("a rule group without `name`", location, CHECK)
        return
    name = str(group["name"])
    if name in names:
        reading.fault(f"two rule groups are called `{name}`", location, CHECK)
    names.add(name)
    items = group.get("rules")
    if not isinstance(items, Sequence | None):
        reading.fault(f"`rules` of group `{name}` is no list", Location(path, locate(group, "rules")), CHECK)
        return
    shared = group.get("labels")
    labels = {key: text(value) for key, value in shared.items()} if isinstance(shared, Mapping) else {}
    for item in items or ():
        if (found := _rule(reading, item, name, labels, path)) is not None:
            yield found


def _rule(reading: Reading, rule: Value, group: str, shared: dict[str, str], path: str) -> AlertRule | None:
    location = Location(path, locate(rule))
    if not isinstance(rule, Mapping) or ("alert" in rule) == ("record" in rule):
        reading.fault(f"a rule of group `{group}` wants `alert` or `record`", location, CHECK)
        return None
    kind = "alert" if "alert" in rule else "record"
    name, expression = rule[kind], rule.get("expr")
    if not isinstance(name, str) or not name:
        reading.fault(f"a rule of group `{group}` has an empty `{kind}`", location, CHECK)
        return None
    if expression is None or isinstance(expression, bool | Mapping | Sequence) or not str(expression).strip():
        reading.fault(f"rule `{name}` has no `expr`", location, CHECK)
        return None
    labels = rule.get("labels")
    own = {key: text(value) for key, value in labels.items()} if isinstance(labels, Mapping) else {}
    if not _understood(reading, name, str(expression), Location(path, locate(rule, "expr"))):
        return None
    return AlertRule(name, str(expression), Location(path, locate(rule, kind)), shared | own, kind == "record")


def _understood(reading: Reading, name: str, expression: str, location: Location) -> bool:
    try:
        parts(expression)
    except NewerError:
        return True  # Prometheus decides; whom it selects is not known here
    except ValueError as error:
        said = " ".join(str(error).split())[:160]
        reading.fault(f"the expression of rule `{name}` is no PromQL: {said}", location, CHECK)
        return False
    return True
