"""The loader against the real Compose: what both make of the same small projects."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from auditor.compose.values import duration
from tests.compose.cases import HOME, Case, cases, loaded, ours

pytestmark = pytest.mark.component


@pytest.mark.parametrize("case", [case for case in cases() if not case.missing], ids=lambda case: case.name)
def test_equals_compose(case: Case, tmp_path: Path, docker_compose: Any) -> None:
    home = written(case, tmp_path)
    files = [part for path in case.args for part in ("-f", str(home / path))]
    profiles = [part for name in case.profiles for part in ("--profile", name)]
    result = docker_compose(*files, *profiles, "config", "--format", "json", cwd=home, env={"HOME": str(tmp_path)})
    project = loaded(case)
    if case.refused:
        assert result.returncode != 0
        assert project.faults, "Compose refuses it"
        return
    assert result.returncode == 0, result.stderr
    assert [fault for fault in project.faults if fault.check != "unresolved-variable"] == []
    theirs = json.loads(result.stdout.replace("$$", "$"))  # printed escaped
    assert project.name == theirs["name"]
    active = {definition.name: ours(definition) for definition in project.definitions if definition.active}
    assert active == {name: canonical(value, tmp_path) for name, value in theirs.get("services", {}).items()}


def written(case: Case, root: Path) -> Path:
    for path, text in case.files.items():
        place = root / HOME / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, newline="")
    return root / HOME


def canonical(service: dict[str, Any], root: Path) -> dict[str, Any]:
    """A service of `config --format json` in the words of `ours`."""
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    check = service.get("healthcheck")
    return {
        "image": service.get("image"),
        "container_name": service.get("container_name"),
        "ports": sorted(
            (str(port.get("host_ip")), str(port.get("published")), port["target"], port["protocol"])
            for port in service.get("ports", [])
        ),
        "networks": sorted(service.get("networks", {})),
        "network_mode": service.get("network_mode"),
        "environment": sorted(service.get("environment", {})),
        "depends_on": {
            name: (edge["condition"], edge["required"]) for name, edge in service.get("depends_on", {}).items()
        },
        "mounts": sorted(mounts(service, root)),
        "healthcheck": None if check is None else health(check),
        "disabled": check is not None and (check.get("disable", False) or check.get("test") == ["NONE"]),
        "restart": service.get("restart"),
        "replicas": service.get("deploy", {}).get("replicas", service.get("scale", 1)),
        "memory": int(limits.get("memory", service.get("mem_limit", 0))) or None,
        "cpus": float(limits.get("cpus", service.get("cpus", 0))) or None,
        "pids": limits.get("pids", service.get("pids_limit")),
        "profiles": sorted(service.get("profiles", [])),
        "build": "build" in service,
        "expose": sorted(int(port) for port in service.get("expose", [])),
    }


def mounts(service: dict[str, Any], root: Path) -> list[tuple[str, str, str, bool]]:
    tmpfs = service.get("tmpfs", [])
    found = [
        ("tmpfs", "None", path.partition(":")[0], False) for path in ([tmpfs] if isinstance(tmpfs, str) else tmpfs)
    ]
    for mount in service.get("volumes", []):
        source = mount.get("source")
        if mount["type"] == "bind" and Path(source).is_relative_to(root):
            source = os.path.relpath(source, root)
        found.append((mount["type"], str(source), mount["target"], mount.get("read_only", False)))
    return found


def health(check: dict[str, Any]) -> tuple[Any, ...]:
    test = check.get("test") or [None]
    times = [duration(check.get(key)) for key in ("interval", "timeout", "start_period")]
    return (test[0], times[0], times[1], check.get("retries"), times[2])
