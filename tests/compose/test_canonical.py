"""The printed form of a project: types, text, and the lines that decided it."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.compose import emit
from auditor.compose.canonical import Canonical, canonical
from auditor.compose.forms import go_duration, short_float
from auditor.model import EnvironmentSpec, Location
from auditor.sources import compose_schema
from tests.builders import MemoryTree


def printed(files: dict[str, str], *paths: str, **given: Any) -> Canonical:
    spec = EnvironmentSpec("default", Location("test"), project="shop")
    given = {"schema": compose_schema.load(), "root": "/srv/shop"} | given
    return canonical(spec, MemoryTree(files), files=paths or ("compose.yaml",), **given)


def web(body: str, **given: Any) -> Any:
    found = printed({"compose.yaml": f"services: {{web: {{image: x, {body}}}}}"}, **given)
    assert found.faults == ()
    assert found.config is not None
    return found.config["services"]["web"]  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("body", "key", "value"),
    [
        ("mem_limit: 1.5g", "mem_limit", "1610612736"),
        ("stop_grace_period: 1m90s", "stop_grace_period", "2m30s"),
        ("command: run 'a b'", "command", ["run", "a b"]),
        ("tmpfs: /run", "tmpfs", ["/run"]),
        ("ulimits: {nofile: 5}", "ulimits", {"nofile": 5}),
        ("environment: [B=1, A]", "environment", {"A": None, "B": "1"}),
        ("extra_hosts: {b: '[::1]', a: 1.1.1.1}", "extra_hosts", ["a=1.1.1.1", "b=::1"]),
        ("pull_policy: if_not_present", "pull_policy", "missing"),
        ("tty: true", "networks", {"default": None}),
    ],
)
def test_a_value_takes_composes_form(body: str, key: str, value: object) -> None:
    assert web(body)[key] == value


def test_a_range_to_one_port_is_one_entry() -> None:
    entry = {"mode": "ingress", "target": 80, "published": "8000-8005", "protocol": "tcp"}
    assert web("ports: ['8000-8005:80']")["ports"] == [entry]


def test_paths_are_absolute() -> None:
    assert web("volumes: ['./d:/d']")["volumes"][0]["source"] == "/srv/shop/d"
    assert web("volumes: ['~/d:/d']", variables={"HOME": "/home/me"})["volumes"][0]["source"] == "/home/me/d"


def test_only_yaml_keeps_the_extensions_of_services() -> None:
    assert "x-a" not in web("x-a: 1")
    assert web("x-a: 1", form="yaml")["x-a"] == 1


@pytest.mark.parametrize(
    "body",
    [
        "networks: [none]",
        "ports: ['1-2:1-3']",
        "stop_grace_period: 5x",
        "volumes: ['vol:/b']",
        "odd: 1",
        "secrets: [s]",
    ],
)
def test_what_compose_refuses_is_a_fault_with_its_line(body: str) -> None:
    found = printed({"compose.yaml": f"services:\n  web:\n    image: x\n    {body}\n"})
    assert [(fault.location.path, fault.location.line) for fault in found.faults] == [("compose.yaml", 4)]


@pytest.mark.parametrize("base", ["base.yaml", "sub/base.yaml"])
def test_what_an_extended_service_was_overridden_by_is_known(base: str) -> None:
    files = {
        base: "services:\n  app:\n    image: x:1\n",
        "a.yaml": f"services:\n  web:\n    extends: {{file: {base}, service: app}}\n\n    image: x:2\n",
        "b.yaml": "services: {web: {image: 'x:3'}}\n",
    }
    found = printed(files, "a.yaml", "b.yaml")
    assert found.config is not None
    assert found.places is not None
    chain = emit.lines(found.config, found.places)["services.web.image"]
    assert chain == (Location("b.yaml", 1), Location("a.yaml", 5), Location(base, 3))


def test_a_build_of_an_included_project_is_held_to_the_schema_without_a_context() -> None:
    service = "services: {w: {image: x, build: {dockerfile: D, odd: 1}}}\n"
    found = printed({"compose.yaml": "include: [sub/a.yaml]\nservices: {v: {odd: 1}}\n", "sub/a.yaml": service})
    assert {fault.location.path for fault in found.faults} == {"compose.yaml", "sub/a.yaml"}


def test_what_an_included_project_overrode_is_known() -> None:
    files = {
        "compose.yaml": "include: [{path: [sub/a.yaml, sub/b.yaml]}]\nservices: {}\n",
        "sub/a.yaml": "services: {web: {image: 'x:1'}}\n",
        "sub/b.yaml": "\nservices: {web: {image: 'x:2'}}\n",
    }
    found = printed(files)
    assert found.config is not None
    assert found.places is not None
    chain = emit.lines(found.config, found.places)["services.web.image"]
    assert chain == (Location("sub/b.yaml", 2), Location("sub/a.yaml", 1))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("mem_limit: lots", ["`mem_limit` is not a size, as `512m`"]),
        ("ulimits: {nofile: {soft: 1}}", ["`ulimits.nofile` lacks `hard`"]),
        ("shm_size: 1x", ["`shm_size`: is no size: write a number with `b`, `k`, `m` or `g`"]),
    ],
)
def test_one_mistake_is_told_once(wrong: str, told: list[str]) -> None:
    found = printed({"compose.yaml": f"services:\n  web:\n    image: x\n    {wrong}\n"})
    assert [fault.message for fault in found.faults] == told


SAID = "services: {web: {image: x}}\n"


@pytest.mark.parametrize(
    ("own", "second", "image", "places"),
    [
        ("", SAID, "x", ("one.yaml:1",)),
        (SAID, SAID, "x", ("compose.yaml:2",)),
        ("", "\nservices: {web: {image: y}}\n", "x", ("one.yaml:1", "two.yaml:2")),
        ("services: {web: {image: z}}\n", SAID, "z", ("compose.yaml:2", "one.yaml:1")),
    ],
    ids=["included in equal words", "own in equal words", "included in other words", "own in other words"],
)
def test_what_is_said_first_of_an_included_service_holds(own: str, second: str, image: str, places: object) -> None:
    files = {"compose.yaml": f"include: [one.yaml, two.yaml]\n{own}", "one.yaml": SAID, "two.yaml": second}
    found = printed(files)
    assert found.config is not None
    assert found.places is not None
    assert emit.values(found.config)["services.web.image"] == image
    assert tuple(map(str, emit.lines(found.config, found.places)["services.web.image"])) == places


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (5 * 10**8, "500ms"),
        (90_000_000_000, "1m30s"),
        (3600 * 10**9, "1h0m0s"),
    ],
)
def test_durations_as_go_prints_them(nanoseconds: int, text: str) -> None:
    assert go_duration(nanoseconds) == text


def test_floats_are_as_short_as_a_float32_allows() -> None:
    assert [short_float(value) for value in (0.1, 1.0, 0.333333343)] == [0.1, 1, 0.33333334]
