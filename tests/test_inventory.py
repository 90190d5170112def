"""How facts are joined into services, and what a name, a host or a word of a document means."""

from __future__ import annotations

from typing import Any

import pytest

from auditor import registry
from auditor.inventory import Snapshot
from auditor.model import ListItem, Location, SourceState
from tests.builders import NOON
from tests.projects import components, report_of, snapshot_of

SHOP: dict[str, Any] = {
    "catalogue": {
        "services": {
            "frontend": {"title": "Shop Front", "aliases": ["web"]},
            "db": {"title": "Main Database"},
            "sentry": {"lifecycle": "external"},
            "agent": {"lifecycle": "process", "ports": [9100]},
            "mails": {"lifecycle": "embedded", "embedded_in": "frontend"},
            "mailer": {"aliases": ["smtp"], "image": "axllent/mailpit:v1.24"},
        }
    },
    "compose": {
        "name": "shop",
        "services": {
            "web": {"image": "team/web:1", "container_name": "shop-web", "networks": {"default": {"aliases": ["www"]}}},
            "db": {"image": "postgres:16.8"},
            "spare": {"image": "redis:7.4", "profiles": ["spare"]},
        },
    },
    "containers": [
        {"name": "shop-web", "service": "web"},
        {"name": "shop-db-1", "service": "db"},
        {"name": "shop-db-run", "service": "db", "oneoff": True},
        {"name": "other-db-1", "service": "db", "project": "other"},
        {"name": "by-hand"},
        {"name": "tried-once", "state": "exited", "exit_code": 0},
    ],
}


@pytest.fixture(scope="module")
def shop() -> Snapshot:
    return snapshot_of(SHOP)


# --- joining -----------------------------------------------------------------------------------------------------


def test_declared_services_first_then_composed_then_running(shop: Snapshot) -> None:
    names = [service.name for service in shop.services]
    assert names == ["frontend", "db", "sentry", "agent", "mails", "mailer", "spare", "by-hand"]


def test_an_alias_joins_entry_definition_and_container(shop: Snapshot) -> None:
    service = shop.service("default", "frontend")
    assert service is not None
    assert service.definition is not None
    assert (service.definition.name, [c.name for c in service.containers]) == ("web", ["shop-web"])


def test_one_off_runs_and_other_projects_are_left_out(shop: Snapshot) -> None:
    service = shop.service("default", "db")
    assert service is not None
    assert [container.name for container in service.containers] == ["shop-db-1"]


def test_scope_engine_judges_every_project() -> None:
    environments = {"default": {"docker_scope": "engine"}}
    catalogue = SHOP["catalogue"] | {"environments": environments}
    snapshot = snapshot_of(SHOP | {"catalogue": catalogue})
    assert "other-db-1" in {service.name for service in snapshot.services}


def test_a_container_by_its_fixed_name(shop: Snapshot) -> None:
    planes = SHOP | {"containers": [{"name": "shop-web"}]}
    service = snapshot_of(planes).service("default", "frontend")
    assert service is not None
    assert [container.name for container in service.containers] == ["shop-web"]


@pytest.mark.parametrize(
    ("name", "key"), [("db", "postgres"), ("spare", "redis"), ("mailer", "mailpit"), ("frontend", None)]
)
def test_component_by_image(shop: Snapshot, name: str, key: str | None) -> None:
    service = shop.service("default", name)
    assert service is not None
    assert (service.component.key if service.component else None) == key


@pytest.mark.parametrize(
    ("fields", "key"),
    [({}, "redis"), ({"component": "postgres"}, "postgres"), ({"image": "team/own:1"}, None)],
)
def test_component_by_name_only_where_no_image_says_otherwise(fields: dict[str, str], key: str | None) -> None:
    (service,) = snapshot_of({"catalogue": {"services": {"redis": fields}}}).services
    assert (service.component.key if service.component else None) == key


# --- hosts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "provided"),
    [
        ("web", True),
        ("www", True),
        ("shop-web", True),
        ("db.default", True),
        ("spare", True),
        ("by-hand", True),
        ("localhost", True),
        ("host.docker.internal", True),
        ("sentry", True),
        ("agent", True),
        ("mails", True),
        ("mailer", False),
        ("smtp", False),
        ("WEB", True),
        ("db.other.net", False),
        ("nobody", False),
    ],
)
def test_provided(shop: Snapshot, host: str, provided: bool) -> None:
    assert shop.provided("default", host) is provided


@pytest.mark.parametrize(
    ("word", "name"),
    [("smtp", "mailer"), ("mailpit", "mailer"), ("redis", "redis"), ("Redis", "redis"), ("nobody", "nobody")],
)
def test_missing_name(shop: Snapshot, word: str, name: str) -> None:
    assert shop.missing_name("default", word) == name


# --- words of documents ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("web", "frontend"),
        ("The Shop-Front!", "frontend"),
        ("MAIN DATABASE", "db"),
        ("PostgreSQL Database", "db"),
        ("Redis Cache", "spare"),
        ("Postgres Exporter", "postgres-exporter"),
        ("MinIO Object Storage", "minio"),
        ("Ledger", None),
        ("webbing", None),
        ("", None),
    ],
)
def test_meant(shop: Snapshot, text: str, meant: str | None) -> None:
    assert shop.meant("default", ListItem(text, Location("README.md", 1))) == meant


def test_mentions() -> None:
    planes = SHOP | {"documents": {"README.md": "## Services\n\n- Shop Front\n- Main Database\n"}}
    snapshot = snapshot_of(planes)
    mentioned = {s.name: [str(item.location) for item in snapshot.mentions(s)] for s in snapshot.services}
    assert {name: places for name, places in mentioned.items() if places} == {
        "frontend": ["README.md:3"],
        "db": ["README.md:4"],
    }


# --- sources -----------------------------------------------------------------------------------------------------


def sources(*states: tuple[str, str, str | None]) -> Snapshot:
    parts = tuple(SourceState(name, state, environment=environment) for name, state, environment in states)
    return Snapshot(NOON, ("prod",), sources=parts)


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([], "not_asked"),
        ([("docker", "ok", "prod")], "ok"),
        ([("docker", "ok", None)], "ok"),
        ([("docker", "ok", "test")], "not_asked"),
        ([("docker:a", "ok", "prod"), ("docker:b", "failed", "prod")], "failed"),
        ([("docker:a", "ok", "prod"), ("docker:b", "stale", "prod")], "stale"),
        ([("dockerhub", "failed", "prod"), ("docker", "ok", "prod")], "ok"),
    ],
)
def test_a_source_is_as_good_as_its_worst_part(states: list[tuple[str, str, str | None]], state: str) -> None:
    assert sources(*states).source("docker", "prod").state == state


# --- runs that end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("planes", "once"),
    [
        ({"catalogue": {"services": {"job": {"lifecycle": "oneshot"}}}}, True),
        ({"catalogue": {"services": {"job": {"lifecycle": "cron"}}}}, True),
        ({"catalogue": {"services": {"job": {}}}}, False),
        ({}, False),
        ({"containers": [{"name": "job-1", "service": "job", "state": "exited", "exit_code": 0}]}, True),
        ({"containers": [{"name": "job-1", "service": "job", "state": "exited", "exit_code": 1}]}, False),
        ({"containers": [{"name": "job-1", "service": "job"}]}, False),
    ],
)
def test_runs_once(planes: dict[str, Any], once: bool) -> None:
    snapshot = snapshot_of({"compose": {"services": {"job": {"image": "team/job:1"}}}} | planes)
    assert snapshot.runs_once(snapshot.services[0]) is once


@pytest.mark.parametrize(
    ("said", "killed", "once"),
    [
        ({}, False, True),
        ({}, None, True),
        ({}, True, False),  # somebody told it to stop, and it ended well
        ({"ports": ["8080:80"]}, None, False),
        ({"healthcheck": {"test": "curl -f localhost"}}, None, False),
        ({"healthcheck": {"disable": True}}, None, True),
        ({"ports": ["8080:80"], "command": "python manage.py migrate"}, None, True),
        ({"ports": ["8080:80"], "command": "python manage.py migrate"}, True, False),
        ({"image": "redis:7.4.2"}, None, False),
        ({"image": "redis:7.4.2", "command": "sh -c 'until redis-cli ping; do sleep 1; done'"}, None, True),
        ({"restart": "unless-stopped"}, False, False),
    ],
)
def test_what_ended_well_is_done_unless_it_serves_or_was_stopped(
    said: dict[str, Any], killed: bool | None, once: bool
) -> None:
    container = {"name": "job-1", "service": "job", "state": "exited", "exit_code": 0, "killed": killed}
    compose = {"services": {"job": {"image": "team/job:1"} | said}}
    snapshot = snapshot_of({"compose": compose, "containers": [container]})
    assert snapshot.runs_once(snapshot.services[0]) is once


# --- faults ------------------------------------------------------------------------------------------------------

FAULTY = {
    "services: [": "invalid-yaml",
    "services: {web: {image: a, image: b}}": "duplicate-key",
    "services: {web: {image: a, imagee: b}}": "invalid-compose",
    "services: {web: {image: '${TAG}'}}": "unresolved-variable",
}


@pytest.mark.parametrize("text", FAULTY)
def test_no_fault_is_lost(text: str) -> None:
    planes = {"catalogue": {"services": {"web": {}}}, "files": {"docker-compose.yml": text}}
    assert FAULTY[text] in {fault.check for fault in snapshot_of(planes).all_faults()}
    assert FAULTY[text] in {finding.check for finding in report_of(planes).findings}


def test_components_are_those_of_the_package() -> None:
    assert len({component.key for component in components()}) >= 40
    assert {check.theme for check in registry.checks().values()} >= {"gaps", "claims", "files"}
