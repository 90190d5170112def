"""The cases of `cases/*.yaml`: small projects, told by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from auditor.compose import load
from auditor.model import Definition, EnvironmentSpec, Location, Project
from auditor.sources import compose_schema
from tests.builders import MemoryTree

HOME = "project"  # the directory that the files stand in


@dataclass(frozen=True)
class Case:
    """`refused`: Compose does not load it; `missing`: nor this, but for a file that need not be in the project."""

    name: str
    files: dict[str, str]
    args: list[str] = field(default_factory=list)
    profiles: list[str] = field(default_factory=list)
    refused: bool = False
    missing: bool = False


def cases() -> list[Case]:
    folder = Path(__file__).with_name("cases")
    return [Case(**case) for path in sorted(folder.glob("*.yaml")) for case in yaml.safe_load(path.read_text())]


def loaded(case: Case) -> Project:
    tree = MemoryTree({f"{HOME}/{path}": text for path, text in case.files.items()})
    spec = EnvironmentSpec("default", Location("catalogue.yaml", 1), tuple(case.args), profiles=tuple(case.profiles))
    return load(spec, tree, schema=compose_schema.load(), directory=HOME)


def ours(definition: Definition) -> dict[str, Any]:
    """What the real Compose prints of a service, said from our model; paths relative to the root."""
    check = definition.healthcheck
    return {
        "image": definition.image,
        "container_name": definition.container_name,
        "ports": sorted(
            (str(port.host_ip), str(port.published), port.target, port.protocol) for port in definition.ports
        ),
        "networks": sorted(definition.networks),
        "network_mode": definition.network_mode,
        "environment": sorted(variable.name for variable in definition.variables),
        "depends_on": {edge.service: (edge.condition, edge.required) for edge in definition.depends_on},
        "mounts": sorted((mount.kind, str(mount.source), mount.target, mount.read_only) for mount in definition.mounts),
        "healthcheck": None
        if check is None
        else (check.kind, check.interval, check.timeout, check.retries, check.start_period),
        "disabled": check is not None and check.disabled,
        "restart": definition.restart,
        "replicas": definition.replicas,
        "memory": definition.memory_limit,
        "cpus": definition.cpu_limit,
        "pids": definition.pids_limit,
        "profiles": sorted(definition.profiles),
        "build": definition.build,
        "expose": sorted(definition.expose),
    }
