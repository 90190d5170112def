"""`audit --fix` on a project on disk: what is between the marks, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import AuditorError, EvidenceError, TextError
from auditor.rewriting import rewrite_documents
from auditor.settings import Settings
from exporters.regions import rewrite

CATALOGUE = """\
documents: [README.md]
services:
  web: {title: "Store | front", owner: shop}
  db: {}
  jobs: {lifecycle: process, ports: [9000]}
"""
COMPOSE = 'services: {web: {build: ., ports: ["8080:80"]}, db: {image: "postgres:16.8"}}\n'
README = """\
# Shop\r
There are <!-- auditor:count -->7<!-- /auditor:count --> services.\r
<!-- auditor:services -->\r
old\r
<!-- /auditor:services -->\r
`<!-- auditor:count -->` says how many.\r
"""
WRITTEN = """\
# Shop\r
There are <!-- auditor:count -->2<!-- /auditor:count --> services.\r
<!-- auditor:services -->\r
| Service | What it is | Image | Ports | Owner |\r
| --- | --- | --- | --- | --- |\r
| `web` | Store \\| front | built here | 8080 | shop |\r
| `db` | PostgreSQL | `postgres:16.8` |  |  |\r
| `jobs` |  | host process | 9000 |  |\r
<!-- /auditor:services -->\r
`<!-- auditor:count -->` says how many.\r
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "catalogue.yaml").write_text(CATALOGUE)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "README.md").write_bytes(b"\xef\xbb\xbf" + README.encode() + b"\xff\n")
    (tmp_path / "README.md").chmod(0o640)
    return tmp_path


def fix(project: Path) -> list[str]:
    return rewrite_documents(Settings(catalogue=str(project / "catalogue.yaml"), root=str(project)))


def test_only_what_is_between_the_marks_changes_and_only_once(project: Path) -> None:
    assert fix(project) == ["README.md"]
    assert (project / "README.md").read_bytes() == b"\xef\xbb\xbf" + WRITTEN.encode() + b"\xff\n"
    assert (project / "README.md").stat().st_mode & 0o777 == 0o640
    assert fix(project) == []
    assert sorted(path.name for path in project.iterdir()) == ["README.md", "catalogue.yaml", "compose.yaml"]


def test_a_link_is_not_written_to(project: Path) -> None:
    (project / "inner.md").write_text(README)
    (project / "README.md").unlink()
    (project / "README.md").symlink_to("inner.md")
    with pytest.raises(EvidenceError, match="a link"):
        fix(project)
    assert "7<!--" in (project / "inner.md").read_text()


def test_a_directory_that_is_a_link_is_not_followed(project: Path) -> None:
    (project / "docs").mkdir()
    (project / "docs/a.md").write_text(README)
    (project / "linked").symlink_to("docs")
    (project / "catalogue.yaml").write_text(CATALOGUE.replace("README.md", "linked/a.md"))
    with pytest.raises(AuditorError):
        fix(project)
    assert "7<!--" in (project / "docs/a.md").read_text()


def test_nothing_is_written_where_the_services_cannot_be_told_or_another_document_is_wrong(project: Path) -> None:
    (project / "docs.md").write_text("<!-- auditor:count -->\n")
    (project / "catalogue.yaml").write_text(CATALOGUE.replace("README.md", "README.md, docs.md"))
    with pytest.raises(TextError):
        fix(project)
    (project / "docs.md").write_text("")
    (project / "compose.yaml").write_text("services: [")
    with pytest.raises(EvidenceError, match="left alone"):
        fix(project)
    assert b">7<" in (project / "README.md").read_bytes()


WANTED = {"services": "a\nb", "count": "3"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("x\n<!-- auditor:services -->\n", 2, "is not closed"),
        ("<!-- /auditor:count -->\n", 1, "closes nothing"),
        ("<!-- auditor:count -->\n<!-- auditor:services -->\n<!-- /auditor:services -->\n", 1, "is not closed"),
        ("<!-- auditor:count -->\n<!-- /auditor:services -->\n", 2, "closes nothing"),
        ("<!-- auditor:service -->\n", 1, "unknown mark"),
    ],
)
def test_marks_that_are_not_balanced_are_refused(text: str, line: int, says: str) -> None:
    with pytest.raises(TextError, match=says) as caught:
        rewrite(text, "README.md", WANTED)
    assert caught.value.line == line
    assert caught.value.help


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("no marks\r\n", "no marks\r\n"),
        ("a <!--auditor:count--><!-- /auditor:count -->", "a <!--auditor:count-->3<!-- /auditor:count -->"),
        (
            "<!-- auditor:services --><!-- /auditor:services -->",
            "<!-- auditor:services -->\na\nb\n<!-- /auditor:services -->",
        ),
        ("```\n<!-- auditor:count -->\n```\n", "```\n<!-- auditor:count -->\n```\n"),
    ],
)
def test_texts(text: str, written: str) -> None:
    assert rewrite(text, "a.md", WANTED) == written
    assert rewrite(written, "a.md", WANTED) == written
