"""Configuration files of known components: found by name, believed by content, shown-only places left out."""

from __future__ import annotations

import pytest

from auditor.errors import EvidenceError
from auditor.sources.components import find_component_configs
from auditor.sources.knowledge import load
from tests.builders import MemoryTree

KNOWN = load()
ALERTMANAGER = "# routes\nglobal: {}\nroute:\n  receiver: team\nreceivers:\n  - name: team\n"
PROMTAIL = "server: {}\nclients:\n  - url: http://loki:3100\nscrape_configs: []\n"


def found(files: dict[str, str], directory: str = "") -> list[tuple[str, str]]:
    return [(c.component, str(c.location)) for c in find_component_configs(MemoryTree(files), KNOWN, directory)]


@pytest.mark.parametrize(
    ("path", "content", "component", "line"),
    [
        ("monitoring/alertmanager/alertmanager.yml", ALERTMANAGER, "alertmanager", 3),
        ("alertmanager/config.yml", ALERTMANAGER, "alertmanager", 3),
        ("ops/alertmanager.yaml", ALERTMANAGER, "alertmanager", 3),
        ("ops/alertmanager-prod.yml", ALERTMANAGER, "alertmanager", 3),
        ("monitoring/promtail/config.yml", PROMTAIL, "promtail", 2),
        ("promtail-config.yaml", PROMTAIL, "promtail", 2),
        ("loki/loki-config.yml", "auth_enabled: false\n", "loki", 1),
        ("prometheus.yml", "global:\n", "prometheus", 1),
        ("otel-collector-config.yaml", "receivers: {}\nservice: {}\n", "otel-collector", 1),
        ("blackbox/blackbox.yml", "modules: {}\n", "blackbox-exporter", 1),
        ("nginx/nginx.conf", "events {}\nhttp {\n}\n", "nginx", 1),
        ("traefik/traefik.yml", "entryPoints:\n", "traefik", 1),
        ("vector.toml", "[sources.in]\n", "vector-shipper", 1),
        ("fluent-bit/fluent-bit.conf", "[SERVICE]\n", "fluent-bit", 1),
        ("filebeat.yml", "filebeat.inputs: []\n", "filebeat", 1),
        ("redis/redis.conf", "maxmemory 100mb\n", "redis", 1),
        ("mosquitto/mosquitto.conf", "listener 1883\n", "mosquitto", 1),
        ("grafana/provisioning/datasources/all.yml", "datasources: []\n", "grafana", 1),
        ("alloy/config.alloy", 'loki.source.docker "all" {\n', "alloy", 1),
        ("haproxy.cfg", "defaults\n", "haproxy", 1),
        ("Caddyfile", "example.com {\n", "caddy", 1),
    ],
)
def test_a_configuration(path: str, content: str, component: str, line: int) -> None:
    assert found({path: content}) == [(component, f"{path}:{line}")]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("config.yml", ALERTMANAGER),
        ("app/config.yml", "route:\nreceivers:\n"),
        ("alertmanager/config.yml", "database: {}\n"),
        ("alertmanager.yml", "route: {}\n"),
        ("alertmanager-rules.yml", "groups: []\n"),
        ("promtail/config.yml", "name: x\n"),
        ("examples/alertmanager.yml", ALERTMANAGER),
        ("tests/data/alertmanager.yml", ALERTMANAGER),
        ("docs/alertmanager.yml", ALERTMANAGER),
        ("vendor/x/alertmanager.yml", ALERTMANAGER),
        (".github/alertmanager.yml", ALERTMANAGER),
        ("node_modules/x/alertmanager.yml", ALERTMANAGER),
        ("alertmanager.yml.bak", ALERTMANAGER),
        ("prometheus.yml", "springdoc: 1\n"),
        ("redis.conf", "# nothing but comments\n"),
        ("nginx.conf", "server { listen 80; }\n"),
        ("alertmanager.yml", ""),
    ],
)
def test_what_is_none(path: str, content: str) -> None:
    assert found({path: content}) == []


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"frontend/nginx.conf": "http {\n", "frontend/Dockerfile": "FROM nginx\n"}, 0),
        ({"frontend/deploy/nginx.conf": "http {\n", "frontend/Dockerfile": "FROM nginx\n"}, 0),
        ({"frontend/nginx.conf": "http {\n", "frontend/Dockerfile.prod": "FROM nginx\n"}, 0),
        ({"nginx/nginx.conf": "http {\n", "Dockerfile": "FROM python\n"}, 1),
        ({"nginx/nginx.conf": "http {\n", "backend/Dockerfile": "FROM python\n"}, 1),
        ({"alertmanager/alertmanager.yml": ALERTMANAGER, "alertmanager/Dockerfile": "FROM x\n"}, 1),
    ],
)
def test_what_is_built_into_an_image_is_no_service(files: dict[str, str], count: int) -> None:
    assert len(found(files)) == count


def test_a_project_that_lives_below_examples() -> None:
    files = {
        "compose/examples/one/monitoring/alertmanager.yml": ALERTMANAGER,
        "monitoring/alertmanager.yml": ALERTMANAGER,
    }
    assert found(files, "compose/examples/one") == [
        ("alertmanager", "compose/examples/one/monitoring/alertmanager.yml:3")
    ]
    assert found(files) == [("alertmanager", "monitoring/alertmanager.yml:3")]


def test_a_file_that_cannot_be_read_is_passed_over() -> None:
    class Locked(MemoryTree):
        def read(self, path: str) -> bytes:
            if path.startswith("a"):
                raise EvidenceError("permission denied", path=path)
            return super().read(path)

    tree = Locked({"a/alertmanager.yml": ALERTMANAGER, "b/alertmanager.yml": ALERTMANAGER})
    assert [str(c.location) for c in find_component_configs(tree, KNOWN)] == ["b/alertmanager.yml:3"]


def test_a_component_whose_file_the_knowledge_base_names_has_marks() -> None:
    """A file name alone proves nothing, so a new pattern needs its marks."""
    from auditor.sources.components import _MARKS

    assert {component.key for component in KNOWN if component.config_files} == set(_MARKS)
