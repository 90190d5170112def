"""An Alertmanager configuration file: routes, receivers, inhibition and time intervals.

Pure given a Tree. Secrets in the file (webhook addresses with tokens, passwords, keys) are looked at for placeholders
only and never kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from auditor import yamlfile
from auditor.errors import SLIP, TextError, did_you_mean
from auditor.matching import parse_matchers, pattern
from auditor.model import (
    Address,
    AlertmanagerConfig,
    Fault,
    Inhibition,
    Integration,
    Location,
    Matcher,
    Receiver,
    Route,
    TimeRange,
)
from auditor.regexp import regexp
from auditor.tree import Tree
from auditor.yamlfile import Mapping, Sequence, Value, locate

DEPTH_LIMIT = 50  # of the route tree
HIDDEN = "<secret>"  # what a running Alertmanager shows in place of one
_ROUTE_KEYS = frozenset(
    {
        "receiver", "group_by", "continue", "match", "match_re", "matchers", "group_wait", "group_interval",
        "repeat_interval", "mute_time_intervals", "active_time_intervals", "routes",
    }
)  # fmt: skip
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_CLOCK = regexp(r"((?:[01]?[0-9])|(?:2[0-3])):([0-5][0-9])|(24):(00)")

# What stands in a sample until somebody fills it in. Compared without case.
_UNFILLED = regexp(
    r"changeme|change[-_ ]me|replace[-_ ]?me|placeholder|\bx{3,}\b|<[a-z][\w .-]*>|\byour[-_/ ]|/your/|\$\{?[a-z_]+\}?"
    r"|\btodo\b|\bdummy\b|T0{6,}/B0{6,}",
    re.IGNORECASE,
)
_EXAMPLE_HOST = regexp(r"(?:^|[@.])(?:example\.(?:com|org|net)|(?:[\w-]+\.)*(?:example|invalid|test))$", re.IGNORECASE)
_HOOK_CATCHERS = frozenset({"webhook.site", "requestbin.com", "httpbin.org", "pipedream.net", "beeceptor.com"})
# integration -> the keys whose value is the address or the name of whoever is told
_WHO: dict[str, tuple[str, ...]] = {
    "discord": ("webhook_url",),
    "email": ("to", "smarthost"),
    "jira": ("api_url", "project"),
    "mattermost": ("webhook_url",),
    "msteams": ("webhook_url",),
    "msteamsv2": ("webhook_url",),
    "opsgenie": ("api_key", "api_url"),
    "pagerduty": ("routing_key", "service_key", "url"),
    "pushover": ("user_key", "token"),
    "rocketchat": ("token", "token_id"),
    "slack": ("api_url", "channel"),
    "sns": ("topic_arn", "phone_number", "target_arn"),
    "telegram": ("bot_token", "chat_id"),
    "victorops": ("api_key", "routing_key"),
    "webex": ("room_id",),
    "webhook": ("url",),
    "wechat": ("corp_id", "api_secret"),
    "incidentio": ("url",),
}
_GLOBAL = {
    ("slack", "api_url"): "slack_api_url",
    ("opsgenie", "api_key"): "opsgenie_api_key",
    ("victorops", "api_key"): "victorops_api_key",
    ("email", "smarthost"): "smtp_smarthost",
    ("pagerduty", "url"): "pagerduty_url",
}


def parse_alertmanager_config(tree: Tree, path: str, environment: str) -> AlertmanagerConfig:
    """The configuration at `path`.

    Raises EvidenceError where the file cannot be read, TextError where it is no YAML mapping. What Alertmanager would
    refuse besides is a fault, and hides nothing else.
    """
    return parse_text(tree.read(path), path, environment)


def parse_text(data: bytes, path: str, environment: str) -> AlertmanagerConfig:
    """A configuration's text; as `parse_alertmanager_config`."""
    root = yamlfile.parse(data, path, dialect="go")
    if not isinstance(root, Mapping):
        raise TextError("an Alertmanager configuration is a mapping", path=path, line=locate(root))
    return _Reading(path, environment).config(root)


@dataclass(slots=True)
class _Reading:
    """One pass over a configuration. `faults` grows."""

    path: str
    environment: str
    faults: list[Fault] = field(default_factory=list)

    def config(self, root: Mapping) -> AlertmanagerConfig:
        receivers = tuple(self.receivers(root))
        intervals = self.intervals(root)
        tree = self.root(root)
        inhibitions = tuple(rule for item in self.mappings(root, "inhibit_rules") if (rule := self.inhibition(item)))
        if tree is not None:
            self.check_names(tree, {item.name for item in receivers}, set(intervals))
        return AlertmanagerConfig(
            self.environment, self.path, tree, receivers, inhibitions, intervals, tuple(self.faults)
        )

    # --- places and faults -----------------------------------------------------------------------------------

    def at(self, container: Value, key: str | int | None = None) -> Location:
        return Location(self.path, locate(container, key))

    def fault(self, message: str, location: Location, help: str | None = None) -> None:
        self.faults.append(Fault("invalid-yaml", message, location, help, environment=self.environment))

    def items(self, parent: Mapping, key: str) -> Sequence:
        value = parent.get(key)
        if value is None:
            return Sequence()
        if not isinstance(value, Sequence):
            self.fault(f"`{key}` is no list", self.at(parent, key))
            return Sequence()
        return value

    def mappings(self, parent: Mapping, key: str) -> Iterator[Mapping]:
        items = self.items(parent, key)
        for index, item in enumerate(items):
            if isinstance(item, Mapping):
                yield item
            else:
                self.fault(f"an item of `{key}` is no mapping", self.at(items, index))

    def texts(self, parent: Mapping, key: str) -> tuple[str, ...]:
        return tuple(str(item) for item in self.items(parent, key) if isinstance(item, str | int | float))

    # --- routes ----------------------------------------------------------------------------------------------

    def root(self, parent: Mapping) -> Route | None:
        item = parent.get("route")
        if not isinstance(item, Mapping):
            self.fault("there is no `route`, which every configuration needs", self.at(parent, "route"))
            return None
        route = self.route(item, "", 0)
        if route.matchers:
            self.fault("the first route may not have matchers: it takes every alert", self.at(item))
        if not route.receiver:
            self.fault("the first route names no `receiver`", self.at(item))
        if route.goes_on:
            self.fault("the first route may not `continue`", self.at(item, "continue"))
        if route.mute_intervals or route.active_intervals:
            self.fault("the first route may not have time intervals", self.at(item))
        return route

    def route(self, item: Mapping, inherited: str, depth: int) -> Route:
        for key in item.keys() - _ROUTE_KEYS:
            if help := did_you_mean(key, _ROUTE_KEYS, cutoff=SLIP):  # else of a newer version
                self.fault(f"unknown key `{key}` in a route", self.at(item, key), help)
        own = item.get("receiver")
        receiver = str(own) if isinstance(own, str | int | float) and own != "" else inherited
        children: tuple[Route, ...] = ()
        if depth < DEPTH_LIMIT:
            children = tuple(self.route(child, receiver, depth + 1) for child in self.mappings(item, "routes"))
        elif item.get("routes"):
            self.fault(f"routes are nested deeper than {DEPTH_LIMIT}", self.at(item, "routes"))
        return Route(
            receiver,
            self.at(item),
            tuple(self.matchers(item)),
            item.get("continue") is True,
            self.texts(item, "mute_time_intervals"),
            self.texts(item, "active_time_intervals"),
            children,
        )

    def matchers(self, item: Mapping, prefix: str = "") -> Iterator[Matcher]:
        """Those of the older keys `match` and `match_re`, and of `matchers`."""
        for key, op in ((f"{prefix}match", "="), (f"{prefix}match_re", "=~")):
            found = item.get(key)
            if isinstance(found, Mapping):
                yield from self.pairs(found, op)
            elif found is not None:
                self.fault(f"`{key}` is no mapping", self.at(item, key))
        texts = self.items(item, f"{prefix}matchers")
        for index, text in enumerate(texts):
            try:
                yield from parse_matchers(str(text))
            except ValueError as error:
                self.fault(str(error), self.at(texts, index))

    def pairs(self, found: Mapping, op: str) -> Iterator[Matcher]:
        for label, value in found.items():
            text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            try:
                if op == "=~":
                    pattern(text)
                yield Matcher(label, op, text)
            except ValueError as error:
                self.fault(str(error), self.at(found, label))

    def check_names(self, route: Route, receivers: set[str], intervals: set[str]) -> None:
        if route.receiver and route.receiver not in receivers:
            help = did_you_mean(route.receiver, receivers)
            self.fault(f"a route names the receiver `{route.receiver}`, which is not defined", route.location, help)
        for name in (*route.mute_intervals, *route.active_intervals):
            if name not in intervals:
                help = did_you_mean(name, intervals)
                self.fault(f"a route names the time interval `{name}`, which is not defined", route.location, help)
        for child in route.routes:
            self.check_names(child, receivers, intervals)

    def inhibition(self, item: Mapping) -> Inhibition | None:
        sources = list(self.matchers(item, "source_"))
        for side in self.mappings(item, "sources"):
            sources += self.matchers(side)
        targets = tuple(self.matchers(item, "target_"))
        return Inhibition(tuple(sources), targets, self.texts(item, "equal"), self.at(item))

    # --- receivers -------------------------------------------------------------------------------------------

    def receivers(self, root: Mapping) -> Iterator[Receiver]:
        general = root.get("global")
        shared = general if isinstance(general, Mapping) else Mapping()
        seen: set[str] = set()
        for item in self.mappings(root, "receivers"):
            name = item.get("name")
            if not isinstance(name, str | int | float) or name == "":
                self.fault("a receiver without `name`", self.at(item))
                continue
            if str(name) in seen:
                self.fault(f"two receivers are called `{name}`", self.at(item, "name"))
            seen.add(str(name))
            yield Receiver(str(name), self.at(item, "name"), tuple(self.integrations(item, shared)))

    def integrations(self, item: Mapping, shared: Mapping) -> Iterator[Integration]:
        for key in item:
            kind = key.removesuffix("_configs")
            if key == "name":
                continue
            help = did_you_mean(key, [f"{name}_configs" for name in _WHO], cutoff=SLIP)
            if kind == key or (kind not in _WHO and help):
                self.fault(f"unknown key `{key}` in a receiver", self.at(item, key), help)
                continue
            for config in self.mappings(item, key):
                yield self.integration(kind, config, shared)

    def integration(self, kind: str, config: Mapping, shared: Mapping) -> Integration:
        placeholder = None
        for key in _WHO.get(kind, ()):  # of a newer version: whom it tells is not known here
            value = config.get(key)
            place = self.at(config, key) if value is not None else self.at(config)
            if value is None and (kind, key) in _GLOBAL:
                value = shared.get(_GLOBAL[kind, key])
            if isinstance(value, str) and (why := unreachable(value)):
                placeholder = f"`{key}` {why}"
                break
        else:
            place = self.at(config)
        told = config.get("url") if kind == "webhook" else None
        if kind == "email":
            smarthost = config.get("smarthost", shared.get("smtp_smarthost"))
            told = f"smtp://{smarthost}" if isinstance(smarthost, str) else None
        return Integration(kind, place, placeholder, _address(told) if isinstance(told, str) else None)

    # --- time intervals --------------------------------------------------------------------------------------

    def intervals(self, root: Mapping) -> dict[str, tuple[TimeRange, ...]]:
        found: dict[str, tuple[TimeRange, ...]] = {}
        for key in ("mute_time_intervals", "time_intervals"):
            for item in self.mappings(root, key):
                name = item.get("name")
                if not isinstance(name, str) or not name:
                    self.fault("a time interval without `name`", self.at(item))
                    continue
                if name in found:
                    self.fault(f"two time intervals are called `{name}`", self.at(item, "name"))
                found[name] = tuple(r for part in self.mappings(item, "time_intervals") if (r := self.range(part)))
        return found

    def range(self, item: Mapping) -> TimeRange | None:
        try:
            zone = str(item.get("location") or "UTC")
            if zone != "UTC":
                ZoneInfo(zone)
            return TimeRange(
                times=tuple(_times(one) for one in self.mappings(item, "times")) if item.get("times") else None,
                weekdays=self.ranges(item, "weekdays", lambda word: _WEEKDAYS.index(word)),
                days=self.ranges(item, "days_of_month", int),
                months=self.ranges(item, "months", _month),
                years=self.ranges(item, "years", int),
                zone=zone,
            )
        except (ValueError, KeyError, OSError):  # ZoneInfo raises a KeyError for a zone that it does not know
            self.fault("a time interval that Alertmanager would refuse", self.at(item))
            return None

    def ranges(self, item: Mapping, key: str, number: Callable[[str], int]) -> tuple[tuple[int, int], ...] | None:
        texts = self.texts(item, key)
        return tuple(_range(text, number) for text in texts) if texts else None


def _range(text: str, number: Callable[[str], int]) -> tuple[int, int]:
    start, colon, end = text.strip().lower().partition(":")
    first = number(start.strip())
    last = number(end.strip()) if colon else first
    if first > last and not (first > 0 > last):  # `1:-1` is the whole month
        raise ValueError(text)
    return first, last


def _month(word: str) -> int:
    return _MONTHS.index(word) + 1 if word in _MONTHS else int(word)


def _times(item: Mapping) -> tuple[int, int]:
    start, end = _minute(item.get("start_time")), _minute(item.get("end_time"))
    if start >= end:
        raise ValueError(f"{start} to {end}")
    return start, end


def _minute(value: Value) -> int:
    match = _CLOCK.fullmatch(str(value))
    if match is None:
        raise ValueError(value)
    return int(match[1] or match[3]) * 60 + int(match[2] or match[4])


def unreachable(value: str) -> str | None:
    """Why nobody can be reached at an address, number or key that a configuration names; None where somebody may be."""
    if value == HIDDEN:
        return None
    if not value.strip():
        return "is empty"
    if _UNFILLED.search(value):
        return "is a placeholder"
    for part in value.split(","):
        host = urlsplit(part.strip()).hostname if "://" in part else part.strip().rpartition("@")[2].partition(":")[0]
        if host and _EXAMPLE_HOST.search(host):
            return "is an example address"
        if host and (host in _HOOK_CATCHERS or any(host.endswith(f".{name}") for name in _HOOK_CATCHERS)):
            return "is a public test address"
    return None


def _address(url: str) -> Address | None:
    try:
        parts = urlsplit(url)
        known = parts.hostname and not re.search(r"[${}<>]", parts.hostname)
        return Address(parts.hostname or "", parts.port, parts.scheme) if known else None
    except ValueError:
        return None
