"""Who hears of the alerts that Prometheus sends: an Alertmanager, and behind it a receiver that reaches somebody."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.inventory import Snapshot
from auditor.model import AlertmanagerConfig, Integration, PrometheusConfig, Receiver, Route, ScrapeTarget
from auditor.reach import answer


def lacks_alertmanager(config: PrometheusConfig, snapshot: Snapshot) -> bool:
    """Whether a deployed Prometheus has alerts to send, and nothing deploys or declares an Alertmanager."""
    environment = config.environment
    if not snapshot.deployed(environment, "prometheus") or not (config.rules or config.alerting):
        return False
    return not has_alertmanager(environment, snapshot) and not sends_outside(config, snapshot)


def has_alertmanager(environment: str, snapshot: Snapshot) -> bool:
    """Whether an Alertmanager is deployed, or declared to live elsewhere."""
    key = "alertmanager"
    return bool(snapshot.deployed(environment, key) or snapshot.elsewhere(environment, key))


def sends_outside(config: PrometheusConfig, snapshot: Snapshot) -> bool:
    """Whether alerts go to an address outside the project, or to where a discovery says."""
    named = [target.address.host for target in config.alertmanagers]
    outside = any(snapshot.outside(host) and not snapshot.provided(config.environment, host) for host in named)
    return outside or bool(config.alertmanager_discovery)


def deaf(target: ScrapeTarget, config: PrometheusConfig, snapshot: Snapshot) -> str | None:
    """Why what is sent to an Alertmanager's address is heard by nobody; None where somebody may listen there."""
    shown = f"`{target.address.host}:{target.address.port}`" if target.address.port else f"`{target.address.host}`"
    if not snapshot.provided(config.environment, target.address.host):
        return f"{shown}, which nothing provides"
    server = snapshot.prometheus_server(config)
    found = answer(target.address, server, config.environment, snapshot)
    if found is None or server is None:
        return None
    if found.service is server:
        return f"{shown}, which is `{server.name}` itself"
    if found.reached is False:
        return f"{shown}, with which `{server.name}` shares no network"
    return f"{shown}, a port that `{found.service.name}` does not listen on" if found.served is False else None


def unheard(config: PrometheusConfig, snapshot: Snapshot) -> str | None:
    """Why no Alertmanager hears of the alerts; None where one does, as far as files tell."""
    if sends_outside(config, snapshot):
        return None
    if not config.alertmanagers:
        return f"`{config.path}` names no Alertmanager to send its alerts to"
    if lacks_alertmanager(config, snapshot):
        return "nothing deploys the Alertmanager that its alerts are sent to"
    if not has_alertmanager(config.environment, snapshot):
        return None
    reasons = [deaf(target, config, snapshot) for target in config.alertmanagers]
    return f"`{config.path}` sends them to {reasons[0]}" if all(reasons) else None


# --- receivers -----------------------------------------------------------------------------------------------------


def as_written(receiver: Receiver, config: AlertmanagerConfig, snapshot: Snapshot) -> tuple[Integration, ...]:
    """The integrations of a receiver, as its file has them where that is the same: a running one hides addresses."""
    files = (c for c in snapshot.alertmanager_configs if c.environment == config.environment and not c.live)
    same = (one for file in files for one in file.receivers if one.name == receiver.name)
    kinds = [one.kind for one in receiver.integrations]
    found = next((one for one in same if [each.kind for each in one.integrations] == kinds), None)
    return found.integrations if found and config.live else receiver.integrations


def astray(integration: Integration, config: AlertmanagerConfig, snapshot: Snapshot) -> str | None:
    """Why nobody is reached by an integration: it was never filled in, or Alertmanager tells only itself."""
    if integration.placeholder or integration.address is None:
        return integration.placeholder
    server = snapshot.deployed(config.environment, "alertmanager")
    if server is None:
        return None
    host, port = integration.address.host, integration.address.port
    said = f"`{'smarthost' if integration.kind == 'email' else 'url'}` is {host}{f':{port}' if port else ''}"
    found = answer(integration.address, server, config.environment, snapshot)
    if found is None:
        there = snapshot.outside(host) or snapshot.provided(config.environment, host)
        there = there or snapshot.has_address_of(server, host)
        return None if there else f"{said}, which nothing provides"
    if found.service is not server:
        return f"{said}, with which `{server.name}` shares no network" if found.reached is False else None
    return f"{said}, which is `{server.name}` itself" if port and found.served is not True else None


def tells(receiver: Receiver, config: AlertmanagerConfig, snapshot: Snapshot) -> bool:
    """Whether a receiver reaches somebody, as far as that can be seen."""
    return any(astray(one, config, snapshot) is None for one in as_written(receiver, config, snapshot))


def used(config: AlertmanagerConfig) -> frozenset[str]:
    """The names of the receivers that routes lead to."""
    return frozenset(_led_to(config.root)) if config.root else frozenset()


def _led_to(route: Route) -> Iterator[str]:
    yield route.receiver
    for child in route.routes:
        yield from _led_to(child)
