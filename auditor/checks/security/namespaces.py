"""What does a service share with the host beside files?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.inventory import Snapshot
from auditor.model import (
    Definition,
    Port,
    Severity,
)
from auditor.registry import Problem, check
from auditor.words import listed


@check(
    Definition,
    Severity.WARNING,
    fix="Give it a network of its own and publish the ports that it needs.",
    needs=("compose",),
)
def host_network(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container is on the host's own network.

    It reaches whatever listens on the host's loopback, and each port that it opens is open on the host.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", network_mode: host}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", ports: ["127.0.0.1:8080:8080"]}}
    """
    if definition.network_mode == "host":
        said = f"`{definition.name}` is on the host's network"
        yield Problem(said, (definition.place("network_mode"),), field="network_mode")
    for key in definition.external_networks:
        if _is_the_hosts(key, definition, snapshot):
            said = f"`{definition.name}` is on the host's network, by the external network `{key}`"
            yield Problem(said, (definition.place(f"networks.{key}", "networks"),), field="network_mode")


def _is_the_hosts(key: str, definition: Definition, snapshot: Snapshot) -> bool:
    project = snapshot.project(definition.environment)
    networks = (item for item in (project.resources if project else ()) if item.section == "networks")
    return any(item.key == key and (item.name or item.key) == "host" for item in networks)


@check(
    Definition,
    Severity.CRITICAL,
    fix="Leave the namespace to the container, or share that of one other service with `service:NAME`.",
    needs=("compose",),
)
def host_namespace(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container shares a namespace with the host.

    With `pid: host` it sees and may end the host's processes, with `ipc: host` it reads their shared memory, with
    `userns_mode: host` its root is the host's root, with `uts: host` it may rename the host.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", pid: host}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1"}
            debugger: {image: "registry.example/debugger:1", pid: "service:web"}
    """
    shared = definition.host_namespaces
    if shared:
        names = listed([f"`{key}`" for key in shared])
        noun = "namespace" if len(shared) == 1 else "namespaces"
        places = tuple(dict.fromkeys(definition.place(key) for key in shared))
        said = f"`{definition.name}` shares the host's {noun} {names}"
        yield Problem(said, places, key=",".join(shared), field=shared[0])


@check(Definition, Severity.WARNING, fix="Take `cgroup_parent` away.", needs=("compose",))
def custom_cgroup_parent(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container is put into a control group of its own choice.

    The limits of the engine's own group no longer hold for it.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", cgroup_parent: m-executor-abcd}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", mem_limit: 256m}}
    """
    if definition.cgroup_parent:
        said = f"`{definition.name}` runs in the control group `{definition.cgroup_parent}`"
        yield Problem(said, (definition.place("cgroup_parent"),), field="cgroup_parent")


@check(
    Definition,
    Severity.INFO,
    fix="Publish a port from 1024 on, behind the gateway that has the low one.",
    needs=("compose",),
)
def privileged_port(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A service takes a port of the host below 1024.

    Such ports are kept for the host's own services. A gateway on 80 and 443 may well be meant.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", ports: ["80:8080"]}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", ports: ["8080:8080"]}}
    """
    found = {port: port.published for port in definition.ports if _is_low(port)}
    if found:
        numbers = sorted(set(found.values()), key=lambda text: int((text or "0").partition("-")[0]))
        places = tuple(dict.fromkeys(port.location or definition.place("ports") for port in found))
        shown = listed([f"`{number}`" for number in numbers])
        noun = "port" if len(numbers) == 1 else "ports"
        said = f"`{definition.name}` takes the privileged {noun} {shown} of the host"
        yield Problem(said, places, key=",".join(map(str, numbers)), field="ports")


def _is_low(port: Port) -> bool:
    first = (port.published or "").partition("-")[0]
    return first.isdecimal() and 0 < int(first) < 1024
