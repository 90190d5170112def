"""A first catalogue from a Compose model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import compose
from auditor.catalogue import parse_catalogue
from auditor.draft import draft
from auditor.model import Definition, EnvironmentSpec, Lifecycle, Location, Project
from auditor.sources import compose_schema
from auditor.sources.knowledge import load
from auditor.yamlfile import parse
from tests import goldens
from tests.builders import MemoryTree

COMPOSE = """\
name: shop
services:
  web:
    build: .
    ports: ["8080:80", "127.0.0.1:8443:443"]
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
    deploy: {replicas: 2, resources: {limits: {memory: 512M, cpus: "0.5"}}}
  migrate:
    build: .
  db:
    image: postgres:15
    mem_limit: 1g
  prometheus:
    image: prom/prometheus:v3.1.0
    volumes: ["./monitoring/prometheus.yml:/etc/prometheus/prometheus.yml:ro"]
    profiles: [monitoring]
  strange:
    image: ${REGISTRY}/thing:${TAG}
"""


def project(text: str = COMPOSE, path: str = "docker-compose.yml") -> Project:
    tree = MemoryTree({path: text, "monitoring/prometheus.yml": ""})
    spec, schema = EnvironmentSpec("default", Location(".")), compose_schema.load()
    return compose.load(spec, tree, schema=schema, directory="", files=(path,))


def test_the_draft_says_where_each_value_came_from() -> None:
    goldens.check("draft.yaml", draft(project(), load(), documents=["README.md"], schema="catalogue.schema.json"))


def test_the_draft_is_a_catalogue() -> None:
    catalogue = parse_catalogue(draft(project(), load()).encode(), "catalogue.yaml")
    entries = {entry.name: entry for entry in catalogue.entries}
    assert list(entries) == [definition.name for definition in project().definitions]
    assert entries["web"].ports == (80, 443)
    assert entries["web"].replicas == 2
    assert entries["migrate"].lifecycle is Lifecycle.ONESHOT
    assert (entries["db"].image, entries["db"].memory_limit) == ("postgres:15", 1 << 30)
    assert entries["prometheus"].profiles == ("monitoring",)
    assert catalogue.environments[0].prometheus_config == "monitoring/prometheus.yml"


def test_the_same_model_gives_the_same_draft() -> None:
    assert draft(project(), load()) == draft(project(), load())


def test_paths_begin_at_the_directory_of_the_catalogue() -> None:
    text = draft(project(path="deploy/compose.yml"), load(), directory="docs")
    assert "compose: [../deploy/compose.yml]" in text
    assert "# from ../deploy/compose.yml:" in text


@pytest.mark.parametrize(
    "image", ["true", "1.5", ".5", "a: b", "a #b", "[x]", "x\ny", "- x", "*x", "5:10", "é", "null"]
)
def test_a_strange_image_is_read_as_written(image: str) -> None:
    assert read_back(image=image)["image"] == image


@given(st.text(min_size=1))
def test_any_text_is_read_as_written(text: str) -> None:
    shown = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    content: Any = parse(draft(project(), system=shown).encode(), "catalogue.yaml")
    assert content["system"] == shown


@pytest.mark.parametrize("path", ["a\n: {b.yml", "x #y.yml", "\u2028.yml"])
def test_a_strange_path_stays_one_comment(path: str) -> None:
    assert read_back(path, image="web:1") == {"category": "application", "image": "web:1"}


@pytest.mark.parametrize("image", ["/thing:", "registry.test/thing:", "${X}", ":1", "a//b", "@"])
def test_an_image_that_lacks_a_part_is_left_out(image: str) -> None:
    assert read_back(image=image) == {"category": "application"}


def read_back(path: str = "compose.yaml", **fields: Any) -> dict[str, Any]:
    definition = Definition("web", "default", Location(path, 3), **fields)
    content: Any = parse(draft(Project("default", "x", (path,), (definition,))).encode(), "catalogue.yaml")
    service: dict[str, Any] = content["services"]["web"]
    return service
