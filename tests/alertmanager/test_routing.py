"""Our evaluation of route trees against that of the real `amtool`, and what it makes of broken configurations."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.model import AlertmanagerConfig
from auditor.routing import routes_of
from auditor.sources.alertmanager_config import parse_alertmanager_config
from auditor.sources.tree import DiskTree
from tests.alertmanager.generated import generated

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def parsed(path: Path) -> AlertmanagerConfig:
    """The configuration as we read it."""
    return parse_alertmanager_config(DiskTree(path.parent), path.name, "prod")


def receivers(config: AlertmanagerConfig, labels: Mapping[str, str]) -> list[str]:
    """The receivers in the order in which their routes are taken, each once in a row."""
    assert config.root is not None
    return [route.receiver for route in routes_of(config.root, labels)]


def asked(amtool: Run, path: Path, labels: Mapping[str, str]) -> list[str]:
    """What `amtool` says of the labels."""
    words = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()]
    done = amtool("config", "routes", "test", "--config.file", path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().split(",")


def compare(amtool: Run, folder: Path, seed: int, sets: int) -> int:
    """Hold us against `amtool` for one configuration; how many label sets were compared."""
    case = generated(seed, sets)
    path = folder / f"{seed}.yml"
    path.write_text(yaml.safe_dump(case.config, allow_unicode=True, sort_keys=False))
    config = parsed(path)
    assert config.faults == ()
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda labels: asked(amtool, path, labels), case.labels))
    for labels, wanted in zip(case.labels, told, strict=True):
        assert receivers(config, labels) == wanted, (labels, path.read_text())
    return len(told)


@pytest.mark.component
@pytest.mark.parametrize("seed", range(6))
def test_routes_are_those_of_amtool(seed: int, amtool: Run, tmp_path: Path) -> None:
    assert compare(amtool, tmp_path, seed, 12) == 12


@pytest.mark.component
@pytest.mark.endurance
def test_routes_are_those_of_amtool_for_many(amtool: Run, tmp_path: Path) -> None:
    assert sum(compare(amtool, tmp_path, seed, 25) for seed in range(100, 160)) >= 1500


REFUSED: Mapping[str, Any] = {
    "no route": {"receivers": [{"name": "a"}]},
    "no receiver in the root": {"route": {}, "receivers": [{"name": "a"}]},
    "an unknown receiver": {"route": {"receiver": "b"}, "receivers": [{"name": "a"}]},
    "an unknown receiver below": {
        "route": {"receiver": "a", "routes": [{"receiver": "b"}]},
        "receivers": [{"name": "a"}],
    },
    "a root with matchers": {"route": {"receiver": "a", "matchers": ["a=b"]}, "receivers": [{"name": "a"}]},
    "a root that goes on": {"route": {"receiver": "a", "continue": True}, "receivers": [{"name": "a"}]},
    "two receivers of one name": {"route": {"receiver": "a"}, "receivers": [{"name": "a"}, {"name": "a"}]},
    "an unknown interval": {
        "route": {"receiver": "a", "routes": [{"mute_time_intervals": ["night"]}]},
        "receivers": [{"name": "a"}],
    },
    "a misspelt key": {"route": {"receiver": "a", "matcher": ["a=b"]}, "receivers": [{"name": "a"}]},
    "a matcher without operator": {
        "route": {"receiver": "a", "routes": [{"matchers": ["severity"]}]},
        "receivers": [{"name": "a"}],
    },
    "a broken expression": {
        "route": {"receiver": "a", "routes": [{"matchers": ["severity=~'['"]}]},
        "receivers": [{"name": "a"}],
    },
    "an unknown integration": {"route": {"receiver": "a"}, "receivers": [{"name": "a", "slak_configs": []}]},
    "a broken interval": {
        "route": {"receiver": "a"},
        "receivers": [{"name": "a"}],
        "time_intervals": [{"name": "n", "time_intervals": [{"weekdays": ["someday"]}]}],
    },
}


@pytest.mark.component
@pytest.mark.parametrize("name", REFUSED)
def test_what_alertmanager_refuses_is_a_fault(name: str, amtool: Run, tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(REFUSED[name]))
    assert amtool("check-config", path).returncode != 0
    faults = parsed(path).faults
    assert faults and all(fault.location.line for fault in faults)
