"""The published schema: who judges by it, what is said in its name, and what is left of a wrong model."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from auditor.compose import compose
from auditor.compose.places import Faults, Places
from auditor.compose.schema import NEWER, parse_schema, patched
from auditor.compose.shape import conform
from auditor.errors import TextError
from auditor.model import EnvironmentSpec, Location
from auditor.sources import compose_schema
from auditor.yamlfile import Mapping, parse
from tests.builders import MemoryTree
from tests.compose.conformance.swapped import swapped

PUBLISHED = json.loads(compose_schema.load_text())
SCHEMA = compose_schema.load()
JARGON = ("is not valid under", "oneOf", "anyOf", "schemas", "additional properties", "were unexpected")


def conformed(text: str) -> tuple[Mapping, list[str]]:
    """What is left of a model, and what was said."""
    model = parse(text.encode(), "compose.yaml", dialect="go", string_keys=True)
    assert isinstance(model, Mapping)
    return judged(model)


def judged(model: Mapping) -> tuple[Mapping, list[str]]:
    places = Places()
    places.offset("compose.yaml")
    faults = Faults("default", places)
    kept = conform(model, SCHEMA, faults)
    return kept, [f"{fault.location.line} {fault.message}" for fault in faults.all()]


def web(body: str) -> str:
    return f"services:\n  web:\n    image: x\n    {body}\n"


WRONG: list[tuple[str, str, str]] = [
    ("build: {context: 3}", "build: {}", "4 `build.context` is a number, where Compose wants a text"),
    ("build: [a]", "{}", "4 `build` is a list, where Compose wants a text or a mapping"),
    ("tty: maybe", "{}", "4 `tty` is a text, where Compose wants true or false"),
    ("cpus: true", "{}", "4 `cpus` is true or false, where Compose wants a text or a number"),
    ("expose: [{}]", "expose: []", "4 an item of `expose` is a mapping, where Compose wants a text or a whole number"),
    ("networks: {n: {alias: a}}", "networks: {n: {}}", "4 unknown key `alias` in `networks.n`"),
    ("umask: 1", "{}", "4 unknown key `umask` in service `web`"),
    ("cgroup: hots", "{}", "4 `cgroup` is none of `host`, `private`"),
    ("cpu_percent: 101", "{}", "4 `cpu_percent` is more than 100"),
    ("cpu_percent: -1", "{}", "4 `cpu_percent` is less than 0"),
    ("volumes: [{target: /v}]", "volumes: [{target: /v}]", "4 an item of `volumes` lacks `type`"),
    ("links: ['']", "links: []", "4 an item of `links` is empty"),
    ("volumes_from: [a, b, a]", "volumes_from: [a, b]", "4 an item of `volumes_from` is there twice"),
    ("x-a: 1", "x-a: 1", ""),
    ("ports: ['1', '1']", "ports: ['1', '1']", ""),
]  # fmt: skip


@pytest.mark.parametrize(("body", "left", "said"), WRONG, ids=[said or body for body, _, said in WRONG])
def test_what_is_wrong_costs_only_itself(body: str, left: str, said: str) -> None:
    kept, words = conformed(web(body))
    assert words == ([said] if said else [])
    assert kept["services"]["web"] == {"image": "x"} | yaml.safe_load(left)  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: {a b: {image: x}}", "1 `a b` is no name of a service"),
        ("servces: {}", "1 unknown key `servces` in the file"),
        ("networks:\n  n: {driver: [x]}", "2 `networks.n.driver` is a list, where Compose wants a text"),
        ("secrets:\n  s:", "2 `secrets.s` is nothing, where Compose wants a mapping"),
    ],
)
def test_what_is_wrong_outside_services(text: str, said: str) -> None:
    assert conformed(text)[1] == [said]


def test_the_walk_finds_something_exactly_where_the_judge_refuses() -> None:
    for case in swapped(PUBLISHED):
        text = str(case.files["compose.yaml"])
        kept, said = conformed(text)
        assert bool(said) is not SCHEMA.accepts(json_model(text)), case.name
        assert all(" lacks " in word for word in judged(kept)[1]), case.name
        assert not any(word in " ".join(said) for word in JARGON), said


def json_model(text: str) -> Mapping:
    model = parse(text.encode(), "compose.yaml")
    assert isinstance(model, Mapping)
    return model


def test_what_newer_versions_know_is_in_the_published_schema() -> None:
    assert set(_properties(PUBLISHED)) >= NEWER
    assert NEWER.isdisjoint(_properties(SCHEMA.document))


def _properties(part: Any) -> list[str]:
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    own = list(part["properties"]) if isinstance(part, dict) and isinstance(part.get("properties"), dict) else []
    return own + [name for value in inner for name in _properties(value)]


def test_variables_stand_where_numbers_do() -> None:
    text = "services: {a: {image: x, init: '${A}', scale: '${B:-1}'}}"
    spec = EnvironmentSpec("default", Location("test"), variables={"A": "yes"})
    project, _ = compose(spec, MemoryTree({"compose.yaml": text}), schema=SCHEMA, directory="")
    assert project.faults == ()


def test_thousands_of_wrong_values_are_named_in_bounded_words() -> None:
    values = "".join(f"      K{number}: [1]\n" for number in range(19_000))
    kept, said = conformed(f"services:\n  web:\n    image: x\n    environment:\n{values}")
    assert len(said) == 1_001
    assert kept["services"]["web"]["environment"] == {}  # type: ignore[index, call-overload]


def test_a_merge_patch() -> None:
    assert patched({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": None, "e": 3}}) == {"a": {"c": 2, "e": 3}, "d": [1]}


@pytest.mark.parametrize("text", [b"", b"[", b"[]", b'"x"'])
def test_a_schema_that_is_none(text: bytes) -> None:
    with pytest.raises(TextError):
        parse_schema(text)


def test_neither_help_nor_the_schema_imports_the_package_that_brings_it() -> None:
    code = (
        "import sys; from auditor.cli.shell import run; run(['--help']); print('jsonschema_rs' in sys.modules);"
        "from auditor.sources import compose_schema; compose_schema.load(); print('check_jsonschema' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert shown.splitlines()[-2:] == ["False", "False"]
