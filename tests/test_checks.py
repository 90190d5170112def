"""Every check by its own examples and by its cases: `checks/<id>.yaml`, planes in, exact findings out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor import registry
from auditor.inventory import WaiverUse
from auditor.model import Fault, Finding
from auditor.registry import Check, explain
from tests.projects import findings_of

CASES = Path(__file__).parent / "checks"
CHECKS = list(registry.checks().values())
TOLD = {"case", "finds"}


def cases() -> list[Any]:
    """Every case of every file, named after both."""
    return [
        pytest.param(path.stem, case, id=f"{path.stem}: {case['case']}")
        for path in sorted(CASES.glob("*.yaml"))
        for case in yaml.safe_load(path.read_text())
    ]


def shown(finding: Finding, wanted: Any) -> Any:
    """A finding in the words of a case: its message, or the fields that the case asks for."""
    if isinstance(wanted, str):
        return finding.message
    known = {
        "message": finding.message,
        "service": finding.service,
        "environment": finding.environment,
        "severity": str(finding.severity),
        "at": [str(location) for location in finding.locations],
        "evidence": [evidence.text for evidence in finding.evidence],
        "fix": finding.fix,
        "waived": finding.waiver is not None,
    }
    return {field: known[field] for field in wanted}


@pytest.mark.parametrize(("check", "case"), cases())
def test_case(check: str, case: dict[str, Any]) -> None:
    found = findings_of(check, {plane: content for plane, content in case.items() if plane not in TOLD})
    wanted = case["finds"] + [""] * (len(found) - len(case["finds"]))
    assert [shown(f, w) for f, w in zip(found, wanted, strict=False)] == case["finds"]


@pytest.mark.parametrize("item", CHECKS, ids=lambda item: item.id)
def test_bad_example_is_found(item: Check) -> None:
    assert findings_of(item.id, yaml.safe_load(explain(item).bad))


@pytest.mark.parametrize("item", CHECKS, ids=lambda item: item.id)
def test_good_example_is_clean(item: Check) -> None:
    found = findings_of(item.id, yaml.safe_load(explain(item).good))
    assert [finding for finding in found if finding.waiver is None] == []


@pytest.mark.parametrize("item", CHECKS, ids=lambda item: item.id)
def test_examples_judge_what_the_check_looks_at(item: Check) -> None:
    """A good example that holds no subject would prove nothing."""
    planes = yaml.safe_load(explain(item).good)
    assert planes.keys() & {"catalogue", "compose", "files"}
    assert item.subject is WaiverUse or planes.keys() >= {_PLANE[n] for n in item.needs if n in _PLANE} - {"compose"}


_PLANE = {
    "docker": "containers",
    "processes": "listeners",
    "documents": "documents",
    "prometheus": "prometheus",
    "prometheus-api": "targets",
}


@pytest.mark.parametrize("item", CHECKS, ids=lambda item: item.id)
def test_documentation(item: Check) -> None:
    told = explain(item)
    assert told.summary[0].isupper()
    assert told.summary.endswith(".")
    assert item.fix.endswith(".")
    assert item.fix[0].isupper()


def test_every_check_has_a_finding_case_and_a_clean_case() -> None:
    for item in CHECKS:
        path = CASES / f"{item.id}.yaml"
        outcomes = {bool(case["finds"]) for case in yaml.safe_load(path.read_text())} if path.exists() else set()
        assert outcomes == {True, False}, f"tests/checks/{item.id}.yaml"


def test_every_case_file_has_a_check() -> None:
    assert {path.stem for path in CASES.iterdir()} == {item.id for item in CHECKS}


def test_every_fault_that_a_parser_can_tell_has_its_check() -> None:
    """Ids stand in the parsers as text; one that no check carries would vanish."""
    root = Path(__file__).parent.parent / "auditor"
    paths = [*root.glob("compose/*.py"), *root.glob("sources/**/*.py"), root / "catalogue.py", root / "gather.py"]
    words = {text for path in paths for text in _FAULT_ID.findall(path.read_text())}
    of_faults = {item.id for item in CHECKS if item.subject is Fault}
    assert of_faults - words == set(), "checks that nothing would ever reach"
    assert {word for word in words if word not in of_faults} <= _NO_FAULTS


_FAULT_ID = re.compile(
    r'"((?:invalid|duplicate|unresolved|rule|unsupported|ignored|undefined|outside|yaml|obsolete|unquoted|quoted|'
    r'container-name|dependency)-[a-z-]+)"'
)
_NO_FAULTS: frozenset[str] = frozenset()
