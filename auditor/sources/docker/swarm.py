"""What a Swarm's manager shows: its services, how many of their tasks run, and why others do not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from auditor.model import Port, SwarmService
from auditor.sources.commands import cut_secrets
from auditor.sources.docker.parse import JSON
from auditor.sources.hostile import printable

_MOST_ERRORS = 3
_FAILED = frozenset({"failed", "rejected", "orphaned"})
_WAITING = frozenset({"new", "pending", "assigned", "accepted", "preparing", "ready", "starting"})
_MODES = {
    "Replicated": "replicated",
    "Global": "global",
    "ReplicatedJob": "replicated-job",
    "GlobalJob": "global-job",
}


class Role(Enum):
    """An engine's part in a Swarm. Only a manager that works tells of the Swarm's services."""

    NONE = "none"
    MEMBER = "member"
    MANAGER = "manager"


def role_of_info(info: JSON) -> Role:
    """By the engine's own information. Raises AttributeError on a strange shape."""
    swarm = info.get("Swarm") or {}
    state = swarm.get("LocalNodeState")
    if state in (None, "", "inactive"):
        return Role.NONE
    return Role.MANAGER if state == "active" and swarm.get("ControlAvailable") is True else Role.MEMBER


def role_of_header(said: bytes) -> Role | None:
    """By the header `Swarm` of an answer to a ping, `active/manager` for example; None: it tells nothing."""
    known = {b"": None, b"inactive": Role.NONE, b"active/manager": Role.MANAGER}
    return known.get(said.strip().lower(), Role.MEMBER)


def parse_services(services: object, tasks: object, environment: str) -> list[SwarmService]:
    """The services by name. tasks: those of all services; None where they may not be seen.

    Raises AttributeError, LookupError or TypeError on a strange shape.
    """
    groups: dict[str, list[JSON]] = defaultdict(list)
    for task in tasks if isinstance(tasks, list) else ():
        groups[str(task.get("ServiceID"))].append(task)
    found = [_service(item, groups.get(item["ID"], []), environment) for item in _listed(services)]
    return sorted(found, key=lambda service: (service.name, service.id))


def _listed(services: object) -> Sequence[JSON]:
    if not isinstance(services, list):
        raise TypeError("no list of services")
    return services


def _service(item: JSON, tasks: Sequence[JSON], environment: str) -> SwarmService:
    spec = item["Spec"]
    name, labels = printable(spec["Name"]), spec.get("Labels") or {}
    stack = printable(labels.get("com.docker.stack.namespace") or "") or None
    mode = next((word for key, word in _MODES.items() if key in (spec.get("Mode") or {})), "replicated")
    job = mode.endswith("-job")
    current = [task for task in tasks if not job or _iteration(task) == _iteration_of(item)]
    states = [_state(task) for task in current if job or task.get("DesiredState") in ("running", "ready")]
    told = item.get("ServiceStatus") or {}
    return SwarmService(
        environment=environment,
        id=str(item["ID"]),
        name=name,
        stack=stack,
        service=name.removeprefix(f"{stack}_") if stack else None,
        image=printable(_container(spec).get("Image") or "", 500) or None,
        mode=mode,
        desired=_desired(spec, mode, told, current),
        running=told["RunningTasks"] if not tasks and "RunningTasks" in told else states.count("running"),
        completed=states.count("complete") if tasks else told.get("CompletedTasks", 0),
        errors=tuple(_errors(current)),
        networks=tuple(sorted(set(_networks(tasks)))),
        ports=tuple(_ports(item)),
    )


def _container(spec: JSON) -> JSON:
    found: JSON = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    return found


def _desired(spec: JSON, mode: str, told: JSON, tasks: Sequence[JSON]) -> int | None:
    """How many tasks there should be: as written; a global service has one for each node that takes it."""
    written = (spec.get("Mode") or {}).get("Replicated") or {}
    if mode == "replicated":
        replicas = written.get("Replicas")
        return int(replicas) if replicas is not None else 1
    if mode == "replicated-job":
        return int((spec["Mode"]["ReplicatedJob"] or {}).get("TotalCompletions") or 1)
    if "DesiredTasks" in told:
        return int(told["DesiredTasks"])
    return len({task.get("NodeID") for task in tasks if task.get("DesiredState") in ("running", "complete")}) or None


def _state(task: JSON) -> str:
    return str((task.get("Status") or {}).get("State") or "")


def _iteration(task: JSON) -> object:
    return (task.get("JobIteration") or {}).get("Index")


def _iteration_of(service: JSON) -> object:
    return ((service.get("JobStatus") or {}).get("JobIteration") or {}).get("Index")


def _errors(tasks: Sequence[JSON]) -> list[str]:
    """Why the newest tasks failed or wait, each reason once."""
    bad = [task for task in tasks if _state(task) in _FAILED | _WAITING and (task.get("Status") or {}).get("Err")]
    bad.sort(key=lambda task: str(task["Status"].get("Timestamp") or ""), reverse=True)
    return list(dict.fromkeys(clean(task["Status"]["Err"]) for task in bad))[:_MOST_ERRORS]


def clean(text: object) -> str:
    """An error of a task without what it quotes of the command, and without secrets."""
    unquoted = re.sub(r"\"[^\"]*\"|\[[^\]]*\]", "…", printable(text, 500))
    return printable(" ".join(cut_secrets(unquoted.split())), 200)


def _networks(tasks: Sequence[JSON]) -> Iterator[str]:
    for task in tasks:
        for attached in task.get("NetworksAttachments") or ():
            name = ((attached.get("Network") or {}).get("Spec") or {}).get("Name")
            if name and name != "ingress":
                yield printable(name)


def _ports(item: JSON) -> Iterator[Port]:
    published: Sequence[Mapping[str, object]] = (item.get("Endpoint") or {}).get("Ports") or ()
    for port in published:
        number, protocol = port.get("PublishedPort"), str(port.get("Protocol") or "tcp")
        yield Port(int(str(port["TargetPort"])), str(number) if number else None, None, protocol)
