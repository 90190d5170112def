"""Whole projects of many kinds, `stacks/*.yaml`: how far each service's evidence goes, and exactly what is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor import registry
from auditor.model import Report, Severity
from tests.projects import report_of

STACKS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((Path(__file__).parent / "stacks").iterdir())}
CHECKS = [item.id for item in registry.checks().values() if item.theme in ("gaps", "observability")]
CHECKS += ["invalid-yaml"]
SIGNS = {"+": "proved", "x": "disproved", "?": "unknown", ".": "not_required"}


def audited(stack: dict[str, Any]) -> Report:
    planes = {name: content for name, content in stack.items() if name not in ("about", "rungs", "finds")}
    return report_of(planes, *CHECKS)


@pytest.mark.parametrize("name", STACKS)
def test_how_far_the_evidence_goes(name: str) -> None:
    services = {service.name: service.rungs for service in audited(STACKS[name]).services}
    assert services.keys() == STACKS[name]["rungs"].keys()
    for service, told in STACKS[name]["rungs"].items():
        wanted = {word[:-1]: SIGNS[word[-1]] for word in told.split()}
        assert {rung: str(services[service][rung].state) for rung in wanted} == wanted, service


@pytest.mark.parametrize("name", STACKS)
def test_what_is_found(name: str) -> None:
    loud = [item for item in audited(STACKS[name]).findings if item.severity is not Severity.INFO]
    said = [f"{item.check} {item.service or '-'}: {item.message}" for item in loud]
    assert sorted(said) == sorted(STACKS[name]["finds"])
