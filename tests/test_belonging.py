"""Which service a container is of, as an engine shows what people do with Compose, Podman and by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from auditor import others
from auditor.belonging import fits_image
from auditor.inventory import Snapshot
from auditor.model import SourceState
from tests.projects import snapshot_of

CATALOGUE = {
    "services": {
        "web": {"image": "team/web:2", "aliases": ["frontend"]},
        "cache": {"image": "redis:7"},
        "queue": {"image": "redis:7-alpine"},
        "db": {},
    }
}
COMPOSE = {
    "services": {
        "web": {"image": "team/web:2"},
        "cache": {"image": "redis:7"},
        "db": {"image": "postgres:16.8", "container_name": "main-db"},
    },
}
FILES = {"config_files": ("/srv/elsewhere/docker-compose.yml",), "working_dir": "/srv/elsewhere"}


def placed(*containers: dict[str, Any], name: str | None = "shop") -> dict[str, str | None]:
    """Container -> service, as far as something is declared or composed under its name."""
    compose = COMPOSE | ({"name": name} if name else {})
    snapshot = snapshot_of({"catalogue": CATALOGUE, "compose": compose, "containers": list(containers)})
    known = {c.name: s.name for s in snapshot.services if s.entry or s.definition for c in s.containers}
    return {container["name"]: known.get(container["name"]) for container in containers}


@pytest.mark.parametrize(
    ("container", "service"),
    [
        # by Compose's labels, whatever the name
        ({"name": "shop-web-1", "service": "web"}, "web"),
        ({"name": "shop_web_1", "service": "web"}, "web"),
        ({"name": "renamed-by-hand", "service": "web"}, "web"),
        ({"name": "3f2a1b4c5d6e_shop_web_1", "service": "web"}, "web"),
        ({"name": "shop-web-17", "service": "web", "number": 17}, "web"),
        ({"name": "shop-web-run-3f2a1b4c5d6e", "service": "web", "oneoff": True}, None),
        ({"name": "other-web-1", "service": "web", "project": "other"}, None),
        # by name, of what was started by hand
        ({"name": "web", "image": "other:1"}, "web"),
        ({"name": "frontend", "image": "other:1"}, "web"),
        ({"name": "main-db", "image": "other:1"}, "db"),
        ({"name": "shop-db-1", "image": "other:1"}, "db"),
        ({"name": "shop_cache_2", "image": "other:1"}, "cache"),
        ({"name": "Web", "image": "other:1"}, None),
        ({"name": "another-db-1", "image": "other:1"}, None),
        # by what it answers to on a network
        ({"name": "x", "image": "other:1", "made": {"network_aliases": {"n": "0123456789ab,frontend"}}}, "web"),
        ({"name": "x", "image": "other:1", "made": {"network_aliases": {"n": "db", "m": "db"}}}, "db"),
        ({"name": "x", "image": "other:1", "made": {"network_aliases": {"n": "db,web"}}}, None),
        ({"name": "x", "image": "other:1", "project": "other", "made": {"network_aliases": {"n": "db"}}}, None),
        # by image
        ({"name": "happy_turing", "image": "docker.io/team/web:2"}, "web"),
        ({"name": "happy_turing", "image": "team/web:2.1"}, "web"),
        ({"name": "happy_turing", "image": "redis:7.4.2"}, "cache"),
        ({"name": "happy_turing", "image": "redis:7-alpine"}, "queue"),
        ({"name": "happy_turing", "image": "team/web:3"}, None),
        ({"name": "happy_turing", "image": "team/web:2", "state": "exited", "exit_code": 0}, None),
        ({"name": "happy_turing", "image": "team/web:2", "project": "other"}, None),
    ],
)
def test_one_container(container: dict[str, Any], service: str | None) -> None:
    assert placed(container) == {container["name"]: service}


def test_an_image_places_nothing_where_the_service_has_containers() -> None:
    beside = {"name": "happy_turing", "image": "team/web:2"}
    assert placed({"name": "shop-web-1", "service": "web"}, beside)["happy_turing"] is None


def test_a_project_that_is_called_after_another_directory() -> None:
    moved = [{"name": f"elsewhere-{s}-1", "service": s, "project": "elsewhere", **FILES} for s in ("web", "cache")]
    assert placed(*moved, name=None) == {"elsewhere-web-1": "web", "elsewhere-cache-1": "cache"}


@pytest.mark.parametrize(
    "other",
    [
        {"service": "stranger"},
        {"config_files": ("/srv/elsewhere/compose.prod.yml",)},
        {"config_files": ()},
    ],
)
def test_a_project_of_other_services_or_files_is_not_taken_for_it(other: dict[str, Any]) -> None:
    one = {"name": "elsewhere-web-1", "service": "web", "project": "elsewhere", **FILES}
    two = {"name": "elsewhere-cache-1", "service": "cache", "project": "elsewhere", **FILES, **other}
    assert placed(one, two, name=None) == {"elsewhere-web-1": None, "elsewhere-cache-1": None}


def test_a_given_name_is_kept_to_and_of_two_alike_none_is_taken() -> None:
    moved = [{"name": f"{p}-web-1", "service": "web", "project": p, **FILES} for p in ("one", "two")]
    moved += [{"name": f"{p}-cache-1", "service": "cache", "project": p, **FILES} for p in ("one", "two")]
    assert set(placed(*moved, name=None).values()) == {None}
    assert set(placed(moved[0], moved[2], name="shop").values()) == {None}


@pytest.mark.parametrize(
    ("declared", "running", "fits"),
    [
        ("redis", "redis:6", True),
        ("redis:7", "redis:7.2.1", True),
        ("redis:7", "redis:70", False),
        ("redis:latest", "redis", True),
        ("redis:7", "sha256:0123456789ab", False),
        ("redis:7", "example.com/redis:7", False),
    ],
)
def test_images(declared: str, running: str, fits: bool) -> None:
    assert fits_image(declared, running) is fits


# --- what is somebody else's, and said to be ---------------------------------------------------------------------


def beside(*projects: str, name: str | None = None, **fields: Any) -> Snapshot:
    """Our files, and the containers of projects of these names that were made of them."""
    containers = [
        {"name": f"{project}-{service}-1", "service": service, "project": project, **FILES, **fields}
        for project in projects
        for service in ("web", "cache")
    ]
    compose = COMPOSE | ({"name": name} if name else {})
    snapshot = snapshot_of({"catalogue": CATALOGUE, "compose": compose, "containers": containers})
    told = SourceState("docker", "ok", f"{len(containers)} containers; not known: x", snapshot.environments[0])
    return replace(snapshot, sources=(told,))


@pytest.mark.parametrize(
    ("projects", "name", "detail"),
    [
        (["one"], None, "2 containers; not known: x"),  # it is ours
        (["shop"], "shop", "2 containers; not known: x"),
        (["one"], "shop", "2 containers, 2 of them of project `one`, not judged here; not known: x"),
        (["b", "a"], "shop", "4 containers, 4 of them of 2 projects (`a`, `b`), not judged here; not known: x"),
        (["shop", "b"], "shop", "4 containers, 2 of them of project `b`, not judged here; not known: x"),
    ],
)
def test_containers_of_other_projects_are_counted(projects: list[str], name: str | None, detail: str) -> None:
    assert [state.detail for state in others.counted(beside(*projects, name=name))] == [detail]


def test_a_project_that_was_started_twice_under_other_names_is_told_of() -> None:
    (note,) = others.notes(beside("two", "one"))
    assert note.startswith("the projects `one` and `two` were all made of the files of `default`, so none of them is")
    quiet = (beside("one"), beside("one", "two", name="shop"), beside("one", "two", config_files=("/x/other.yml",)))
    assert [list(others.notes(snapshot)) for snapshot in quiet] == [[], [], []]
