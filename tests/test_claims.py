"""Small projects, reviewed by hand: what of their documents, configurations and code is found, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def windows(text: str) -> str:
    return "\ufeff" + "".join(f"{line}  \r\n" for line in text.split("\n"))


def decorated(text: str) -> str:
    """Emoji before each heading."""
    return re.sub(r"(?m)^(#+) ", "\\1 \N{ROCKET} ", text)


def commented(text: str) -> str:
    return f"<!--\n{text.replace('-->', '')}\n-->\n"


def planned(text: str) -> str:
    """All of it one level deeper, below a heading that speaks of the future."""
    return "# Plans\n\n## Roadmap\n\n" + re.sub(r"(?m)^#", "###", text)


def broken(text: str) -> str:
    """As it looks after UTF-8 was taken for Windows-1252."""
    return "".join(bytes([byte]).decode("cp1252", "replace") for byte in text.encode())


def claims(path: Path, mutate: Callable[[str], str]) -> set[str]:
    project: dict[str, Any] = yaml.safe_load(path.read_text())
    del project["finds"]
    project["documents"] = {name: mutate(text) for name, text in project.get("documents", {}).items()}
    wanted = [check for check in CHECKS if check.startswith(("claimed", "count", "missing-from", "dead-"))]
    return {f"{f.check} {f.message}" for f in report_of(project, *wanted).findings if f.check != "dead-document-link"}


DOCUMENTED = [path for path in PROJECTS if "README.md" in path.read_text()]


@pytest.mark.parametrize("mutate", [windows, decorated], ids=lambda mutate: mutate.__name__)
@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: path.stem)
def test_claims_do_not_hang_on_how_they_are_dressed(path: Path, mutate: Callable[[str], str]) -> None:
    assert claims(path, mutate) == claims(path, str)


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: path.stem)
def test_what_is_commented_out_or_planned_is_no_claim(path: Path) -> None:
    assert claims(path, commented) == set()
    assert {found for found in claims(path, planned) if "on a badge" not in found and "count-" not in found} == set()


@pytest.mark.parametrize("path", [p for p in DOCUMENTED if p.stem != "mojibake"], ids=lambda path: path.stem)
def test_a_broken_encoding_invents_no_claims(path: Path) -> None:
    assert claims(path, broken) <= claims(path, str)
