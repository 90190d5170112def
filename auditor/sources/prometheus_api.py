"""Reads a running Prometheus: what it scrapes and whether that answers, which alerts it loaded, and what they find."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from urllib.parse import quote, unquote_plus

from auditor.errors import EvidenceError, StaleError
from auditor.model import Address, LiveTarget, LoadedRule, Notified, Refused, Selected
from auditor.promql import Part, Selector, parts
from auditor.series import by_target, target_labels
from auditor.sources.fetch import fetch_each
from auditor.sources.hostile import printable
from auditor.sources.prometheus import address_of

ANSWER_LIMIT = 32 * 2**20  # bytes: a discovery gives a target some kilobytes of labels, and there are thousands
TARGET_LIMIT = 50_000
RULE_LIMIT = 10_000
LATE = 300.0  # seconds: nothing that runs was last done longer ago, unless its interval is long
NOTIFIED_DAYS = 30
SELECTOR_LIMIT = 500  # that are asked about; the labels of one answer are cut down to these:
TELLING = ("job", "instance", "service", "name", "container", "container_label_com_docker_compose_service")
_STATES = {"up": True, "down": False}  # "unknown": not scraped yet


def parse_targets(found: object, environment: str) -> tuple[LiveTarget, ...]:
    """The targets of an answer of `/api/v1/targets`, by job and address. Raises EvidenceError where it is none."""
    data = found.get("data") if isinstance(found, Mapping) else None
    items = data.get("activeTargets") if isinstance(data, Mapping) else None
    if not isinstance(items, list):
        raise EvidenceError("Prometheus cannot be read: the answer holds no targets")
    targets = {target for item in items[:TARGET_LIMIT] for target in _parse(item, environment)}
    return tuple(sorted(targets, key=lambda target: (target.job, target.address.host, target.address.port or 0)))


def read_prometheus(
    url: str, environment: str, *, queries: Iterable[str] = (), now: datetime | None = None, timeout: float = 8.0
) -> tuple[LiveTarget | LoadedRule | Selected | Notified | Refused, ...]:
    """Active targets, loaded alerting rules, what their selectors find just now, what Alertmanager has sent, and a
    configuration that the server refused.

    queries: expressions whose selectors are asked about, too. now: what must be of now is held against it. timeout:
    seconds for all of it. A selector whose answer cannot be read is left out: nothing is known of it.
    Raises EvidenceError where targets or rules cannot be read, StaleError where they are of an earlier time.
    """
    paths = ("/api/v1/targets?state=active", "/api/v1/rules?type=alert")
    targets, rules = fetch_each("Prometheus", url, paths, timeout=timeout * 0.6, limit=ANSWER_LIMIT)
    for answer in (targets, rules):
        if isinstance(answer, EvidenceError):
            raise answer
    loaded, active = parse_rules(rules, environment), parse_targets(targets, environment)
    if now is not None and (why := stale(targets, rules, now)):
        raise StaleError(f"Prometheus tells of an earlier time: {why}")
    expressions = dict.fromkeys((*(rule.expr for rule in loaded), *queries))
    given = target_labels(active)
    found = _selected(url, environment, expressions, given, timeout * 0.3)
    return (*active, *loaded, *found, *_of_server(url, environment, timeout * 0.1))


def parse_rules(found: object, environment: str) -> tuple[LoadedRule, ...]:
    """The alerting rules of an answer of `/api/v1/rules`. Raises EvidenceError where it is none."""
    data = found.get("data") if isinstance(found, Mapping) else None
    groups = data.get("groups") if isinstance(data, Mapping) else None
    if not isinstance(groups, list):
        raise EvidenceError("Prometheus cannot be read: the answer holds no rules")
    listed = (group.get("rules") for group in groups if isinstance(group, Mapping))
    items = (rule for rules in listed if isinstance(rules, list) for rule in rules)
    return tuple(islice((rule for item in items for rule in _rule(item, environment)), RULE_LIMIT))


def stale(targets: object, rules: object, now: datetime) -> str | None:
    """Why answers of `/api/v1/targets` and `/api/v1/rules` are not of `now`; None where nothing speaks against it.

    What was never scraped or evaluated yet says nothing.
    """
    for what, items, moment, interval in (
        ("scrape", _below(targets, "activeTargets"), "lastScrape", "scrapeInterval"),
        ("evaluation of a rule", _below(rules, "groups"), "lastEvaluation", "interval"),
    ):
        times = [time for item in items if (time := _moment(item.get(moment))) is not None]
        usual = max((_seconds(item.get(interval)) for item in items), default=0.0)
        newest = max(times, default=None)
        if newest is not None and (now - newest).total_seconds() > max(LATE, 3 * usual):
            return f"its newest {what} is of {newest:%Y-%m-%d %H:%M:%S} UTC"
    return None


def _below(found: object, key: str) -> list[Mapping[str, object]]:
    data = found.get("data") if isinstance(found, Mapping) else None
    items = data.get(key) if isinstance(data, Mapping) else None
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _moment(value: object) -> datetime | None:
    """A time as Go writes it, with more digits than Python reads; its zero time is none."""
    text = re.sub(r"\.\d+", "", value) if isinstance(value, str) else ""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None and found.year > 1970 else None


def _seconds(value: object) -> float:
    """A number of seconds, or a duration as Prometheus writes it; 0 for anything else."""
    if isinstance(value, int | float):
        return float(value)
    parts = re.findall(r"(\d+)(ms|[smhdw])", value) if isinstance(value, str) else []
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


def _of_server(url: str, environment: str, timeout: float) -> Iterator[Notified | Refused]:
    """What Alertmanager sent by each kind of integration, where Prometheus scrapes it; whether it took its files."""
    query = f"sum by (integration) (max_over_time(alertmanager_notifications_total[{NOTIFIED_DAYS}d]))"
    paths = [f"/api/v1/query?query={quote(query)}", "/api/v1/status/runtimeinfo"]
    answer, state = fetch_each("Prometheus", url, paths, timeout=timeout)
    told = state.get("data") if isinstance(state, Mapping) else None
    if isinstance(told, Mapping) and told.get("reloadConfigSuccess") is False:
        yield Refused(environment)
    for item in _below(answer, "result"):
        metric, value = item.get("metric"), item.get("value")
        kind = metric.get("integration") if isinstance(metric, Mapping) else None
        if (
            isinstance(kind, str)
            and isinstance(value, list)
            and value
            and re.fullmatch(r"\d+(?:\.\d+)?", str(value[-1]))
        ):
            yield Notified(environment, printable(kind, 50), float(value[-1]))


def _rule(item: object, environment: str) -> Iterator[LoadedRule]:
    if not isinstance(item, Mapping) or item.get("type") != "alerting":
        return
    name, query, labels = item.get("name"), item.get("query"), item.get("labels")
    if not isinstance(name, str) or not isinstance(query, str):
        return
    shown = labels.items() if isinstance(labels, Mapping) else ()
    yield LoadedRule(
        environment,
        printable(name, 200),
        query[:10_000],
        {printable(label, 100): printable(value, 200) for label, value in shown},
        printable(item.get("state") or "inactive", 20),
        printable(item["lastError"], 300) or None if item.get("lastError") else None,
    )


def _selected(
    url: str, environment: str, expressions: Iterable[str], given: frozenset[str], timeout: float
) -> Iterator[Selected]:
    """What each selector finds, and where it finds nothing what it finds by the labels that targets give.

    The latter is left out where Prometheus knows the metric from a target that has no sample of it yet.
    """
    selectors = list(dict.fromkeys(part.selector for text in expressions for part in _parts(text)))[:SELECTOR_LIMIT]
    empty: dict[str, Selector] = {}
    for selector, found in zip(selectors, _found(url, selectors, timeout / 2), strict=True):
        if found is not None:
            yield Selected(environment, str(selector), found)
        if found == () and selector.name is not None:
            reduced = by_target(selector, given)
            empty[str(reduced)] = reduced
    known = {str(selector) for selector in selectors}
    rest = list(empty.values())
    paths = [f"/api/v1/metadata?limit=1&metric={quote(_family(selector.name or ''))}" for selector in rest]
    described = fetch_each("Prometheus", url, paths, timeout=timeout / 4)
    for selector, found, answer in zip(rest, _found(url, rest, timeout / 4), described, strict=True):
        told = isinstance(answer, Mapping) and bool(answer.get("data"))
        if found is not None and (found or not told) and str(selector) not in known:
            yield Selected(environment, str(selector), found)


def _family(name: str) -> str:
    """The name under which a target describes a metric: a histogram's series have endings of their own."""
    return re.sub(r"_(?:bucket|sum|count)$", "", name)


_Labels = tuple[tuple[str, str], ...]


def _found(url: str, selectors: Sequence[Selector], timeout: float) -> Iterator[tuple[_Labels, ...] | None]:
    """What each selector finds: one small answer each, grouped by the labels that tell whose it is. None: unread."""
    labels = ",".join(TELLING)
    paths = [f"/api/v1/query?query={quote(f'group by ({labels}) ({selector})')}" for selector in selectors]
    for answer in fetch_each("Prometheus", url, paths, timeout=timeout):
        data = answer.get("data") if isinstance(answer, Mapping) else None
        result = data.get("result") if isinstance(data, Mapping) else None
        metrics = (item.get("metric") for item in result if isinstance(item, Mapping)) if result else ()
        shown = tuple(_labels(one) for one in metrics if isinstance(one, Mapping))
        yield shown if isinstance(result, list) else None


def _parts(expression: str) -> tuple[Part, ...]:
    try:
        return parts(expression)
    except ValueError:  # of a newer language than ours
        return ()


def _labels(found: Mapping[object, object]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((printable(name, 100), printable(value, 200)) for name, value in found.items()))


def _parse(item: object, environment: str) -> Iterator[LiveTarget]:
    """One active target as the API gives it; what is not shaped so is left out."""
    if not isinstance(item, Mapping):
        return
    url = item.get("scrapeUrl")
    labels = item.get("labels")
    if not isinstance(url, str) or not isinstance(labels, Mapping):
        return
    scheme, _, rest = url.partition("://")
    address = address_of(rest.partition("/")[0], scheme)
    if address is None:
        return
    yield LiveTarget(
        environment=environment,
        job=printable(labels.get("job", item.get("scrapePool", "")), 200),
        address=Address(printable(address.host, 253), address.port, address.scheme),
        up=_STATES.get(str(item.get("health"))),
        error=printable(item.get("lastError"), 300) or None if item.get("lastError") else None,
        labels=_labels(labels),
        names=_names(item.get("discoveredLabels")),
        probed=_probed(url),
    )


def _probed(url: str) -> str | None:
    """The parameter `target` of a prober's address, without user and query."""
    for item in url.partition("?")[2].split("&"):
        name, _, value = item.partition("=")
        if name == "target" and value:
            return printable(unquote_plus(value).partition("?")[0].rpartition("@")[2], 300)
    return None


_NAMING = (
    "__meta_docker_container_label_com_docker_compose_service",
    "__meta_docker_container_name",
    "__meta_dockerswarm_service_name",
    "__meta_dns_name",
)


def _names(found: object) -> tuple[str, ...]:
    """The names under which a discovery found a target."""
    labels = found if isinstance(found, Mapping) else {}
    return tuple(printable(str(labels[name]).strip("/."), 253) for name in _NAMING if labels.get(name))
