"""Whose metrics come without a scrape of their own: through a gateway or collector, or pushed to Prometheus itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache

from auditor.inventory import Service, Snapshot
from auditor.reach import answer
from auditor.regexp import regexp

# Programs that expose what others send them, beside metrics of their own.
RELAYS = frozenset(
    {"pushgateway", "statsd-exporter", "otel-collector", "alloy", "telegraf", "vector-shipper", "fluent-bit", "fluentd"}
)
# Of these, the ones whose usual port has their own metrics only.
_OWN_TELEMETRY = frozenset({"otel-collector", "alloy"})
_SENDS = regexp(r"OTEL|OTLP|PUSH|STATSD|REMOTE_?WRITE|(?:^|_)RW(?:_|$)", re.IGNORECASE)


def is_relay(service: Service) -> bool:
    """Whether a service's endpoint also has the metrics of those that send it theirs."""
    return service.component is not None and service.component.key in RELAYS


def tells_of_itself(relay: Service, port: int | None) -> bool:
    """Whether what a relay has at a port is about itself alone."""
    component = relay.component
    if component is None or component.key not in _OWN_TELEMETRY or component.metrics is None:
        return False
    return port == component.metrics.port


def senders(relay: Service, snapshot: Snapshot) -> tuple[Service, ...]:
    """The services that may send their metrics to a relay, or to a Prometheus, as far as files tell."""
    known = _senders(snapshot, relay.environment)
    found = {service.name: service for service in known.get(relay.name, ())}
    if not is_relay(relay):
        for name, services in known.items():
            other = snapshot.service(relay.environment, name)
            found |= {service.name: service for service in services if other and is_relay(other)}
    return tuple(found.values())


def receivers(environment: str, snapshot: Snapshot) -> Iterator[tuple[str, Service]]:
    """The servers that take samples which are pushed to them, each with the path of its configuration."""
    for config in snapshot.prometheus_configs(environment):
        server = snapshot.prometheus_server(config)
        if server and server.definition and server.definition.takes_samples:
            yield config.path, server


@lru_cache(maxsize=8)
def _senders(snapshot: Snapshot, environment: str) -> Mapping[str, tuple[Service, ...]]:
    """Relay or Prometheus -> the services that are told its address and have metrics to send there."""
    found: dict[str, list[Service]] = defaultdict(list)
    mine = [service for service in snapshot.services if service.environment == environment]
    takers = {s.name for s in mine if is_relay(s)} | {s.name for _, s in receivers(environment, snapshot)}
    for service in mine if takers else ():
        for reference in service.definition.references if service.definition else ():
            if service.component is not None and not _SENDS.search(reference.where):
                continue
            told = answer(reference.address, service, environment, snapshot)
            if told and told.service.name in takers and told.service is not service:
                found[told.service.name].append(service)
    return {name: tuple(services) for name, services in found.items()}
