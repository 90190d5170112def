"""What git would take: our reading of `.gitignore` against git's own, and files with secrets found by it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from auditor.compose import load
from auditor.compose.tracked import Ignores
from auditor.model import EnvironmentSpec, Location, SecretFile
from auditor.sources import compose_schema
from tests.builders import MemoryTree

PATHS = (
    ".env", "prod.env", ".env.local", "conf/.env", "conf/prod.env", "conf/deep/er/prod.env", "secrets/db.txt",
    "secrets/deep/db.txt", "app/secrets/db.txt", "a b/key.pem", "#key", "!key", "key[1].pem", "x/key.pem ",
)  # fmt: skip
RULES = (
    ".env", "/.env", "*.env", "**/.env", "conf/.env", "conf/*", "conf/**", "**/er/*.env", "conf/**/prod.env",
    "secrets", "secrets/", "/secrets/", "/secrets/*\n!/secrets/db.txt", "/secrets/\n!/secrets/db.txt", "*\n!*.env",
    ".env*\n!.env.local", "*.[ep]*", "[!a-z]env", "?env", "\\#key", "\\!key", "key\\[1\\].pem", "# .env", " .env",
    "*.env   ", "a b/", "deep", "conf/deep/", "**", "/*", "*.env\r", "!.env", "",
)  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", folder], check=True, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)})
    return folder


def ignored_by_git(folder: Path, rules: str) -> set[str]:
    (folder / ".gitignore").write_text(rules)
    done = subprocess.run(
        ["git", "-C", folder, "check-ignore", "-z", "--stdin", "--no-index"],
        input="\0".join(PATHS),
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )
    assert done.returncode in (0, 1), done.stderr
    return set(filter(None, done.stdout.split("\0")))


@pytest.mark.parametrize("rules", RULES)
def test_it_leaves_out_what_git_leaves_out(repository: Path, rules: str) -> None:
    ours = Ignores(MemoryTree({".gitignore": rules}))
    assert {path for path in PATHS if ours.ignored(path)} == ignored_by_git(repository, rules)


def test_a_file_further_down_has_the_last_word() -> None:
    ignores = Ignores(MemoryTree({".gitignore": "*.env", "conf/.gitignore": "!keep.env\n/own"}))
    paths = ("a.env", "conf/a.env", "conf/keep.env", "conf/own", "conf/deep/own", "own")
    assert [path for path in paths if ignores.ignored(path)] == ["a.env", "conf/a.env", "conf/own"]


@pytest.mark.parametrize(
    ("files", "found"),
    [({}, False), ({".gitignore": ""}, True), ({".git/HEAD": ""}, True), ({"conf/.gitignore": ""}, True)],
)
def test_only_where_something_shows_a_repository(files: dict[str, str], found: bool) -> None:
    assert Ignores(MemoryTree(files)).repository("conf/.env") is found


def secret_files(**files: str) -> tuple[SecretFile, ...]:
    tree = MemoryTree({"compose.yaml": "services: {a: {image: a}}", ".gitignore": ""} | files)
    return load(EnvironmentSpec("e", Location(".")), tree, schema=compose_schema.load(), directory="").secret_files


@pytest.mark.parametrize(
    "line",
    [
        "API_TOKEN=", "API_TOKEN=changeme", "API_TOKEN=xxxxxxxx", "API_TOKEN=<your-token>", "TAG=made-up-77",
        "PASSWORD_FILE=/run/secrets/p", "DB_URL=postgres://app@db/app", "API_TOKEN=abc", "TOKEN_TTL=3600000",
    ],
)  # fmt: skip
def test_what_is_no_secret_is_none(line: str) -> None:
    assert secret_files(**{".env": line}) == ()


def test_names_and_lines_are_kept_and_no_value() -> None:
    found = secret_files(**{".env": "TAG=1\nAPI_TOKEN=made-up-77ab\nDB_URL=postgres://app:made-up-9@db/app\n"})
    assert found == (SecretFile(".env", ("API_TOKEN", "DB_URL"), Location(".env", 2)),)
    assert "made-up" not in repr(found)
