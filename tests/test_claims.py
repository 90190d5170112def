"""Small projects, reviewed by hand: what of their documents, configurations and code is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from auditor import registry
from tests.projects import report_of

PROJECTS = sorted((Path(__file__).parent / "claims").glob("*.yaml"))
CHECKS = sorted(
    {
        *(item.id for item in registry.checks().values() if item.theme == "claims"),
        "endpoint-mismatch", "external-only", "implemented-not-deployed", "placeholder-implementation",
        "referenced-not-deployed", "undeclared-dependency", "unreachable-dependency",
    }
)  # fmt: skip


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.stem)
def test_what_a_reviewer_would_find(path: Path) -> None:
    project = yaml.safe_load(path.read_text())
    wanted = project.pop("finds")
    found = [f"{finding.check}: {finding.message}" for finding in report_of(project, *CHECKS).findings]
    assert sorted(found) == sorted(wanted)
