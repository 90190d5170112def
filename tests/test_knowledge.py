"""The knowledge base holds together, and images and names lead to the right component or to none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import auditor.knowledge
from auditor.errors import TextError
from auditor.knowledge import by_image, by_key, by_name, repository
from auditor.knowledge.reading import _FIELDS, extend, parse_knowledge
from auditor.knowledge.schema import FIELDS, KINDS, schema, schema_text
from auditor.model import Component, Metrics
from auditor.sources.knowledge import compile_texts, load, load_texts

KNOWN = load()


def one(text: str) -> None:
    parse_knowledge([("k.yaml", text.encode())])


@pytest.mark.parametrize(
    ("image", "key"),
    [
        ("redis", "redis"),
        ("redis:7-alpine", "redis"),
        ("docker.io/library/redis:7", "redis"),
        ("library/redis", "redis"),
        ("redis@sha256:0123", "redis"),
        ("redis:7@sha256:0123", "redis"),
        ("localhost:5000/redis", "redis"),
        ("registry.example.com:5000/redis:7", "redis"),
        ("mirror.example/library/redis:7", "redis"),
        ("mirror.example/hub/library/redis:7", "redis"),
        ("public.ecr.aws/docker/library/redis", "redis"),
        ("bitnami/redis:7", "redis"),
        ("mirror.example/proxy/prom/prometheus:v3", "prometheus"),
        ("quay.io/prometheus/node-exporter:v1.9", "node-exporter"),
        ("gcr.io/cadvisor/cadvisor", "cadvisor"),
        ("docker.elastic.co/elasticsearch/elasticsearch:8.1", "elasticsearch"),
        ("postgis/postgis:16-3.4", "postgres"),
        ("confluentinc/cp-kafka:7.6", "kafka"),
        ("registry.example/mirror/library/redis", "redis"),
        ("registry.example:5000/docker.io/library/redis:7@sha256:0123", "redis"),
        ("[::1]:5000/redis:7", "redis"),
        ("ghcr.io/prometheus/prometheus", "prometheus"),
        ("quay.io/keycloak/keycloak:26.0", "keycloak"),
        ("registry.example/quay.io/keycloak/keycloak@sha256:0123", "keycloak"),
        ("ghcr.io/browserless/chromium:v2", "browserless"),
        ("ghcr.io/browserless/chrome", "browserless"),
        ("browserless/chrome:latest", "browserless-v1"),
        ("redislabs/redisinsight:latest", "redisinsight-v1"),
        ("mailhog/mailhog:latest", "mailhog"),
        ("registry.example.com:5000/team/redis@sha256:0123", None),
        ("team/redis", None),
        ("myorg/nginx:1", None),
        ("acme/redis-stack", None),
        ("someone/redis-fork", None),
        ("redis-fork", None),
        ("someone/redis_exporter", None),
        ("my-prom/prometheus", None),
        ("registry.example/team/redis", None),
        ("registry.example/team/app/redis", None),
        ("registry.example/prom/prometheus/extra", None),
        ("ghcr.io/someone/prometheus-fork:v3", None),
        ("rediss", None),
        ("", None),
        (":7", None),
        ("/", None),
    ],
)
def test_image(image: str, key: str | None) -> None:
    found = by_image(KNOWN, image)
    assert (found.key if found else None) == key


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("Postgres", "postgres"),
        ("PostgreSQL", "postgres"),
        ("node_exporter", "node-exporter"),
        ("Node Exporter", "node-exporter"),
        ("HashiCorp Vault", "vault"),
        ("Apache Kafka", "kafka"),
        ("puppeteer", "browserless"),
        ("alert-manager", "alertmanager"),
        ("web", None),
        ("vector", None),
        ("registry", None),
        ("", None),
        ("redis-cluster-3", None),
    ],
)
def test_name(word: str, key: str | None) -> None:
    found = by_name(KNOWN, word)
    assert (found.key if found else None) == key


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("redis:7", (None, "redis")),
        ("a.b/c/d:1", ("a.b", "c/d")),
        ("localhost/x", ("localhost", "x")),
        ("host:5000/x@sha256:1", ("host:5000", "x")),
        ("team/x", (None, "team/x")),
    ],
)
def test_repository(image: str, parts: tuple[str | None, str]) -> None:
    assert repository(image) == parts


@pytest.mark.parametrize("component", KNOWN, ids=lambda component: component.key)
def test_each_component_is_whole(component) -> None:  # type: ignore[no-untyped-def]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", component.key)
    assert component.kind in KINDS
    assert component.title
    assert component.images
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._/-]*", image) for image in component.images)
    assert not any(image.startswith("library/") for image in component.images)
    assert all(by_image(KNOWN, image) is component for image in component.images)
    assert all(pattern.startswith("**/") for pattern in component.config_files)
    assert (component.kind == "exporter") <= component.backing


@pytest.mark.parametrize("component", [c for c in KNOWN if c.metrics and c.metrics.exporter], ids=lambda c: c.key)
def test_each_exporter_knows_whom_it_speaks_for(component) -> None:  # type: ignore[no-untyped-def]
    exporter = by_key(KNOWN, component.metrics.exporter)
    assert exporter is not None
    assert component.key in exporter.exporter_of
    assert exporter.metrics is not None
    assert exporter.metrics.port in exporter.ports


def test_facts_that_others_rely_on() -> None:
    facts = {c.key: c.metrics and (c.metrics.port, c.metrics.path) for c in KNOWN}
    assert facts["rabbitmq"] == (15692, "/metrics")
    assert facts["vault"] == (8200, "/v1/sys/metrics")
    assert facts["minio"] == (9000, "/minio/v2/metrics/cluster")
    assert facts["weaviate"] == (2112, "/metrics")
    assert facts["jaeger"] == (14269, "/metrics")
    assert {c.key for c in KNOWN if c.kind == "log_shipper"} >= {"promtail", "alloy", "vector-shipper", "fluent-bit"}
    retired = {c.key for c in KNOWN if c.replaced_by}
    assert retired >= {"promtail", "mailhog", "browserless-v1", "redisinsight-v1"}


def test_the_compiled_form_is_fresh() -> None:
    assert parse_knowledge(load_texts()) == KNOWN, "run `make generate`"
    compiled = Path(auditor.knowledge.__file__).parent / "compiled.json"
    assert compiled.read_text(encoding="utf-8") == compile_texts(), "run `make generate`"


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("[]", "is a mapping", 1),
        ("a: 1", "`a` is no mapping", 1),
        ("a:\n  title: A\n  kind: cache\n  image: x", "unknown key `image`", 4),
        ("a:\n  title: A\n  kind: cash\n", "unknown kind `cash`", 3),
        ("a:\n  kind: cache\n", "lacks `title`", 1),
        ("a:\n  title: A\n  kind: cache\n", "lacks `images`", 1),
        ("a:\n  title: A\n", "lacks `kind`", 1),
        ("a:\n  title: 1\n  kind: cache\n", "must be a text", 2),
        ("a:\n  title: A\n  kind: cache\n  metrics: {port: 1}", "`metrics` of component `a` is no port with a path", 4),
        ("a:\n  title: A\n  kind: cache\n  ports: 0", "`0` in `ports` of component `a` is no port", 4),
        ("a:\n  title: A\n  kind: cache\n  ports: true", "no port", 4),
        ("a:\n  title: A\n  kind: cache\n  ports: 1, x", "`x` in `ports` of component `a` is no port", 4),
        ("a:\n  title: A\n  kind: cache\n  images: x,,y", "empty item", 4),
        ("a:\n  title: A\n  kind: cache\n  probe: tcp 1/x", "is `tcp PORT`", 4),
        ("a:\n  title: A\n  kind: cache\n  probe: http 1", "is `tcp PORT`", 4),
        ("a:\n  title: A\n  kind: cache\n  probe: udp 1", "is `tcp PORT`", 4),
        ("a:\n  title: A\n  kind: cache\n  metrics: /x", "no port", 4),
        ("a:\n  title: A\n  kind: cache\n  backing: 1", "true or false", 4),
        ("a:\n  title: A\n  kind: cache\n  expects: [x]", "mapping of finding", 4),
        ("a:\n  title: A\n  kind: cache\n  images: x\n  metrics: 1\n  exporter: b", "both `metrics` and `exporter`", 6),
        ("a:\n  title: A\n  kind: cache\n  images: x\n  exporter: b", "names `b`, which no file describes", 5),
        ("a: {title: A, kind: cache, images: x}\nb: {title: B, kind: cache, images: x}", "the image `x`", 2),
        ("a: {title: A, kind: cache, images: x}\nb: {title: a, kind: cache, images: y}", "the name `a`", 2),
        ("a: {", "not valid YAML", 2),
        ("a:\n  title: A\n  kind: cache\n  start: 0", "seconds up to 3600", 4),
        ("a:\n  title: A\n  kind: cache\n  start: 1m", "a number of seconds", 4),
        ("a:\n  title: A\n  kind: cache\n  log_format: xml", "is json, logfmt or plain", 4),
        ("a:\n  title: A\n  kind: cache\n  alerts: x.example", "an https address", 4),
        ("a:\n  title: A\n  kind: cache\n  images: x\n  retired: x", "`retired` of component `a` names `x`", 5),
        ("a:\n  title: A\n  kind: cache\n  images: [x, 7]", "a list of texts", 4),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str, line: int | None) -> None:
    with pytest.raises(TextError) as caught:
        one(text)
    assert words in caught.value.what
    assert caught.value.line == line


def test_a_component_is_described_once() -> None:
    text = b"a: {title: A, kind: cache, images: x}"
    with pytest.raises(TextError, match="described twice"):
        parse_knowledge([("x.yaml", text), ("y.yaml", text)])


def test_the_schema_is_fresh_and_has_the_fields_that_are_read() -> None:
    published = Path(auditor.knowledge.__file__).parent.parent / "knowledge.schema.json"
    assert published.read_text(encoding="utf-8") == schema_text(), "run `make generate`"
    assert FIELDS.keys() == _FIELDS.keys()


@pytest.mark.parametrize(("path", "text"), load_texts(), ids=lambda value: value if isinstance(value, str) else "")
def test_the_schema_holds_for_our_own_files(path: str, text: bytes) -> None:
    Draft202012Validator(schema()).validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "a: {titel: A}",
        "a: {kind: cash}",
        "a: {title: }",
        "a: {ports: 70000}",
        "a: {ports: 1, x}",
        "a: {images: []}",
        "a: {metrics: /x}",
        "a: {metrics: 1, exporter: b}",
        "a: {probe: udp 1}",
        "a: {start: 0}",
        "a: {alerts: http://x.example}",
        "a: {expects: [x]}",
        "A b: {title: A}",
        "a: x",
        "[a]",
    ],
)
def test_the_schema_refuses_what_is_refused(text: str) -> None:
    assert not Draft202012Validator(schema()).is_valid(yaml.safe_load(text))


def test_the_schema_takes_what_a_user_may_write() -> None:
    text = "a: {images: [x, y], ports: [1, 2], probe: , metrics: 80/stats, log_format: json, expects: {x: y}}"
    Draft202012Validator(schema()).validate(yaml.safe_load(text))


OURS = b"""
redis: {title: Redis, kind: cache, images: "redis, bitnami/redis", ports: 6379, exporter: metrics, probe: tcp 6379}
valkey: {title: Valkey, kind: cache, images: valkey/valkey, names: kv store}
metrics: {title: Redis Exporter, kind: exporter, images: oliver006/redis_exporter, exporter_of: redis}
"""


def added(*texts: str) -> tuple[Component, ...]:
    return extend(
        parse_knowledge([("ours.yaml", OURS)]), [(f"{n}.yaml", text.encode()) for n, text in enumerate(texts)]
    )


def test_a_users_file_adds_components() -> None:
    known = added(
        "pricing:\n  title: Pricing\n  kind: tool\n  images: [registry.example/shop/pricing]\n  ports: [8080, 8081]"
    )
    assert [component.key for component in known] == ["redis", "valkey", "metrics", "pricing"]
    found = by_image(known, "registry.example/shop/pricing:1.2")
    assert found is not None
    assert found.ports == (8080, 8081)
    assert by_image(known, "other.example/shop/pricing:1.2") is None


def test_a_users_file_changes_what_it_gives_and_keeps_the_rest() -> None:
    known = added("redis: {images: shop/cache, ports: 7000, title: Our Redis, probe: }")
    redis = by_key(known, "redis")
    assert redis is not None
    assert (redis.title, redis.kind, redis.ports, redis.probe) == ("Our Redis", "cache", (7000,), None)
    assert redis.images == ("redis", "bitnami/redis", "shop/cache")
    assert redis.metrics is not None
    assert redis.metrics.exporter == "metrics"


def test_a_users_file_gives_an_endpoint_instead_of_an_exporter() -> None:
    redis = by_key(added("redis: {metrics: 9121/stats}"), "redis")
    assert redis is not None
    assert redis.metrics == Metrics(9121, "/stats")


def test_an_image_or_a_name_belongs_to_whom_the_user_gives_it() -> None:
    known = added("own: {title: Own, kind: cache, images: bitnami/redis, names: KV-Store}")
    assert getattr(by_image(known, "bitnami/redis:7"), "key", None) == "own"
    assert getattr(by_image(known, "redis:7"), "key", None) == "redis"
    assert getattr(by_name(known, "kv store"), "key", None) == "own"


@pytest.mark.parametrize(
    ("texts", "words", "where"),
    [
        (["redis: {port: 1}"], "unknown key `port`", "0.yaml:1"),
        (["\nredis:\n  ports: x"], "`x` in `ports` of component `redis` is no port", "0.yaml:3"),
        (["own: {title: Own, kind: cache}"], "lacks `images`", "0.yaml:1"),
        (["redis: {title: }"], "must be a text", "0.yaml:1"),
        (["valkey:\n  exporter: metric"], "names `metric`, which no file describes", "0.yaml:2"),
        (["redis: {ports: 1}", "redis: {ports: 2}"], "described twice", "1.yaml:1"),
        (
            ["a: {title: A, kind: cache, images: x}", "b: {title: B, kind: cache, images: x}"],
            "the image `x`",
            "1.yaml:1",
        ),
        (["- redis"], "is a mapping", "0.yaml:1"),
        (["redis: {"], "not valid YAML", "0.yaml:2"),
        (["Our Cache: {title: A, kind: cache, images: x}"], "cannot be the key", "0.yaml:1"),
    ],
)
def test_what_is_wrong_in_a_users_file_is_said(texts: list[str], words: str, where: str) -> None:
    with pytest.raises(TextError) as caught:
        added(*texts)
    assert words in caught.value.what
    assert caught.value.where == where
