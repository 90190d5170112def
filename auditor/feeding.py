"""Which of several Prometheus servers has the series of which: by remote write and by federation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from auditor.inventory import Service, Snapshot
from auditor.model import Address, PrometheusConfig
from auditor.reach import Answer, answer
from auditor.scrapes import federates


def has_series_of(server: str | None, other: str, environment: str, snapshot: Snapshot) -> bool:
    """Whether the server whose configuration is `server` has what `other` scrapes.

    "": the one that was asked; None: it is not known who looks, or it is a store that may have everything.
    """
    known = _feeders(snapshot, environment)
    if len(known) < 2 or server is None:
        return True
    asked = asked_of(environment, snapshot)
    server, other = server or asked, other or asked
    return server not in known or other not in known or other in known[server]


def asked_of(environment: str, snapshot: Snapshot) -> str:
    """The configuration of the server whose API was read, else the first one's; "" where there is none."""
    unasked = {config.path for config in snapshot.prometheus_unasked(environment)}
    configs = snapshot.prometheus_configs(environment)
    return next((config.path for config in configs if config.path not in unasked), "")


@lru_cache(maxsize=8)
def _feeders(snapshot: Snapshot, environment: str) -> Mapping[str, frozenset[str]]:
    """Configuration -> those whose series its server has, its own and those that come through another among them."""
    configs = snapshot.prometheus_configs(environment)
    found = {config.path: {config.path} for config in configs}
    pairs = [(one, other) for one in configs for other in configs if one is not other]
    direct = [(one.path, other.path) for one, other in pairs if _feeds(other, one, snapshot)]
    for _ in configs:
        for one, other in direct:
            found[one] |= found[other]
    return {path: frozenset(paths) for path, paths in found.items()}


def _feeds(giving: PrometheusConfig, taking: PrometheusConfig, snapshot: Snapshot) -> bool:
    giver, taker = snapshot.prometheus_server(giving), snapshot.prometheus_server(taking)
    if taking.reads_others or giver is None or taker is None or giver is taker:
        return True  # nobody can tell them apart, or what is read from elsewhere
    environment = giving.environment
    sent = (answer(address, giver, environment, snapshot) for address in giving.remote_write)
    taken = (answer(address, taker, environment, snapshot) for address in _federated(taking))
    return _any_is(taker, sent) or _any_is(giver, taken)


def _any_is(service: Service, answers: Iterable[Answer | None]) -> bool:
    return any(found is not None and found.service is service for found in answers)


def _federated(config: PrometheusConfig) -> Iterator[Address]:
    return (target.address for job in config.jobs for target in job.targets if federates(target))
