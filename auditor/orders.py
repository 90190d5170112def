"""Which containers an order to start, stop or restart a service means: ours alone, by catalogue and labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from auditor.errors import CatalogueError, EvidenceError, UsageError, did_you_mean
from auditor.inventory import Service, Snapshot
from auditor.model import Container, Lifecycle

ACTIONS = ("start", "stop", "restart")
_ELSEWHERE = {
    Lifecycle.EXTERNAL: "it is external: nobody here runs it",
    Lifecycle.PROCESS: "it is a host process: no engine starts or stops it",
    Lifecycle.EMBEDDED: "it is part of another service: act on that one",
}
_ALIVE = frozenset({"running", "paused", "restarting"})
_STARTED = frozenset({"running", "restarting"})  # a paused one is not: the engine refuses, and says what to do


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to the containers of one service, in this order. `skipped`: ours, but already so."""

    action: str
    environment: str
    service: str
    containers: tuple[Container, ...]
    skipped: tuple[Container, ...] = ()


def order(snapshot: Snapshot, action: str, name: str) -> Order:
    """The order for a service of the one judged environment.

    A container counts only if it has the labels that Compose gives to this service of this project: one of the same
    name is somebody else's. Raises UsageError where the service may not be acted on, EvidenceError where it cannot be
    known which containers it has.
    """
    service = _declared(snapshot, name)
    environment = service.environment
    state = snapshot.source("docker", environment)
    if state.state != "ok":
        why = "no engine is asked" if state.state == "not_asked" else state.detail or state.state
        raise EvidenceError(
            f"the containers of `{name}` are not known: {why}", help="`--docker` names an engine, as the catalogue can"
        )
    if any(container.task for container in service.containers):
        raise UsageError(
            f"`{name}` is a service of a Swarm, which replaces what is stopped",
            help="`docker service scale` stops and starts it, `docker service update --force` restarts it",
        )
    ours = sorted(_ours(service, snapshot), key=lambda container: (container.number or 0, container.name))
    if not ours:
        raise UsageError(f"nothing to {action}: {_no_container(service)}", help=_advice(service))
    acted = [container for container in ours if _changes(action, container)]
    return Order(action, environment, name, tuple(acted), tuple(c for c in ours if c not in acted))


def _declared(snapshot: Snapshot, name: str) -> Service:
    if snapshot.catalogue is None:
        raise CatalogueError(
            "without a catalogue nothing is declared, and only declared services are acted on",
            help="`auditor init` writes one from your Compose files; `--catalogue` names one elsewhere",
        )
    if len(snapshot.environments) != 1:
        raise UsageError("an action needs one environment", help="name it with --environment")
    service = snapshot.service(snapshot.environments[0], name)
    if service is None:
        near = did_you_mean(name, _names(snapshot.services))
        raise UsageError(f"there is no service `{name}`", help=near or "`auditor services list` lists them")
    if service.entry is None:
        raise UsageError(
            f"`{name}` is not declared in the catalogue, and only declared services are acted on",
            help=f"add it to `{snapshot.catalogue.path}`",
        )
    if service.lifecycle in _ELSEWHERE:
        host = f" (`{service.host}`)" if service.host else ""
        raise UsageError(f"`{name}` cannot be acted on: {_ELSEWHERE[service.lifecycle]}{host}")
    return service


def _names(services: Iterable[Service]) -> list[str]:
    return [service.name for service in services if service.entry]


def _ours(service: Service, snapshot: Snapshot) -> list[Container]:
    project, definition = snapshot.project(service.environment), service.definition
    if project is None or project.name is None or definition is None:
        return []
    labels = (project.name, definition.name)
    return [container for container in service.containers if (container.project, container.service) == labels]


def _no_container(service: Service) -> str:
    if service.definition is None:
        return f"no Compose service of `{service.environment}` is `{service.name}`"
    others = ", ".join(f"`{container.name}`" for container in service.containers)
    if others:
        return f"{others} has not the labels of `{service.definition.name}` in this project, and is left alone"
    return f"`{service.name}` has no container"


def _advice(service: Service) -> str | None:
    return "`docker compose up` makes its containers" if service.definition and not service.containers else None


def _changes(action: str, container: Container) -> bool:
    if action == "start":
        return container.state not in _STARTED
    return action == "restart" or container.state in _ALIVE
