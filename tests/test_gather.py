"""Which files are read for an environment, and what becomes of one that is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditor.catalogue import parse_catalogue
from auditor.gather import FileFacts, Request, gather_files
from auditor.sources import compose_schema
from auditor.sources.tree import DiskTree
from tests.builders import MemoryTree

WEB = "services: {web: {image: 'nginx:1.27.5'}}"


def facts(catalogue: str, **files: str) -> FileFacts:
    tree = MemoryTree({path.replace("__", "/"): text for path, text in files.items()})
    return _gathered(catalogue, tree)


def _gathered(catalogue: str, tree: MemoryTree | DiskTree) -> FileFacts:
    known = parse_catalogue(catalogue.encode(), "catalogue.yaml")
    return gather_files(
        Request(tree=tree, components=(), schema=compose_schema.load(), judged=("default",), catalogue=known)
    )


def state(found: FileFacts, name: str) -> tuple[str, str | None]:
    return next((source.state, source.detail) for source in found.sources if source.name == name)


@pytest.mark.parametrize("lifecycle", ["{lifecycle: process, ports: [8000]}", "{lifecycle: external, address: a.b}"])
def test_a_system_that_lives_elsewhere_needs_no_compose_file(lifecycle: str) -> None:
    found = facts(f"system: s\nservices: {{core: {lifecycle}}}")
    assert state(found, "compose") == ("ok", "no Compose file, and no service that needs one")
    assert found.projects[0].faults == ()


@pytest.mark.parametrize(
    "catalogue",
    [
        "system: s\nservices: {core: {lifecycle: process, ports: [8000]}, web: {}}",
        "system: s\nservices: {core: {lifecycle: process, ports: [8000]}}\nenvironments: {default: {compose: [a.yml]}}",
    ],
)
def test_a_compose_file_that_is_needed_or_named_is_missed(catalogue: str) -> None:
    assert state(facts(catalogue), "compose")[0] == "failed"


def test_files_of_variables_hold_no_services() -> None:
    text = "services: {web: {image: 'nginx:$TAG', env_file: web.env}}"
    found = facts("system: s\nservices: {web: {}}", **{"compose.yaml": text, ".env": "TAG=1.27.5", "web.env": "A=1"})
    assert state(found, "compose") == ("ok", "1 service in compose.yaml")


def test_a_directory_of_documents() -> None:
    files = {"compose.yaml": WEB, "docs__a.md": "# A", "docs__b__c.md": "# C", "docs__x.png": "", "docs2__d.md": "# D"}
    found = facts("system: s\ndocuments: [docs/]\nservices: {web: {}}", **files)
    assert [document.path for document in found.documents] == ["docs/a.md", "docs/b/c.md"]


def test_a_document_that_is_missing() -> None:
    found = facts("system: s\ndocuments: [docs]\nservices: {web: {}}", **{"compose.yaml": WEB})
    assert state(found, "documents") == ("failed", "docs: cannot read `docs`: no such file")


def test_a_compose_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "compose.yaml")
    (tmp_path / "docker-compose.yml").write_text(WEB)
    found = _gathered("system: s\nservices: {web: {}}", DiskTree(tmp_path))
    assert state(found, "compose")[0] == "failed"
    assert "a named pipe" in found.projects[0].faults[0].message


def test_a_compose_file_that_leads_out_says_so(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "compose.yaml").write_text(WEB)
    (tmp_path / "root" / "compose.yaml").symlink_to("../compose.yaml")
    found = _gathered("system: s\nservices: {web: {}}", DiskTree(tmp_path / "root"))
    assert "outside the project root" in found.projects[0].faults[0].message


@pytest.mark.parametrize(("allowed", "state_of_compose"), [(True, "ok"), (False, "failed")])
def test_files_outside_the_root_only_where_they_are_allowed(
    tmp_path: Path, allowed: bool, state_of_compose: str
) -> None:
    (root := tmp_path / "root").mkdir()
    (shared := tmp_path / "shared").mkdir()
    (shared / "inc.yml").write_text("services: {cache: {image: 'redis:7.4', env_file: inc.env}}")
    (shared / "inc.env").write_text("COLOUR=blue")
    (shared / "base.yml").write_text("services: {base: {image: 'nginx:1.27.5', env_file: inc.env}}")
    extends = "extends: {file: ../shared/base.yml, service: base}"
    (root / "compose.yaml").write_text(f"include: [../shared/inc.yml]\nservices: {{web: {{{extends}}}}}")
    found = _gathered("system: s\nservices: {web: {}}", DiskTree(root, allow=(shared,) if allowed else ()))
    assert state(found, "compose")[0] == state_of_compose
    variables = [v.name for d in found.projects[0].definitions for v in d.variables]
    assert variables == (["COLOUR", "COLOUR"] if allowed else [])
