"""Configuration files of known components that stand in the tree, deployed or not.

A file name alone proves little, so a file counts only where its content has the marks of the component, too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

from auditor.errors import EvidenceError
from auditor.model import Component, ComponentConfig, Location
from auditor.tree import Tree

MAX_FILES = 200  # candidates that are opened

# Directories, right below the root or deeper, whose files configure nothing that is meant to run.
_SHOWN_ONLY = frozenset(
    {
        "docs", "doc", "documentation", "example", "examples", "sample", "samples", "demo", "demos", "test", "tests",
        "testing", "testdata", "fixtures", "vendor", "third_party", "third-party", "templates", "archive", "archived",
        "old", "backup", "backups", "deprecated", "site", "dist", "build", "target", "spec", "specs",
    }
)  # fmt: skip

# What a file of the component has, at the beginning of a line; all of them.
_MARKS: Mapping[str, tuple[str, ...]] = {
    "alertmanager": (r"route:", r"receivers:"),
    "alloy": (r"(?:loki|prometheus|otelcol|discovery|logging|local)[.\w]*[ \t]",),
    "blackbox-exporter": (r"modules:",),
    "caddy": (r"[^#\n]*\{",),
    "elasticsearch": (r"(?:cluster|node|network|discovery|xpack|path)[.:]",),
    "envoy": (r"(?:static_resources|dynamic_resources|admin):",),
    "filebeat": (r"(?:filebeat|output)[.:]",),
    "fluent-bit": (r"(?:\[(?:SERVICE|INPUT|OUTPUT)\]|pipeline:|service:)",),
    "fluentd": (r"<(?:source|match)",),
    "grafana": (r"(?:datasources:|\[[\w.]+\])",),
    "haproxy": (r"(?:frontend|backend|listen|defaults)\b",),
    "kibana": (r"(?:server|elasticsearch)\.",),
    "logstash": (r"(?:input[ \t]*\{|http\.host|path\.config|pipeline\.)",),
    "loki": (r"(?:schema_config|storage_config|ingester|common|auth_enabled|limits_config):",),
    "mongodb": (r"(?:storage|net|systemLog|replication):",),
    "mosquitto": (r"(?:listener|port|persistence|allow_anonymous|log_dest)[ \t]",),
    "nats": (r"(?:port|listen|server_name|jetstream|cluster|http_port|http|monitor_port)[ \t]*[:={ ]",),
    "nginx": (r"[ \t]*(?:http|stream|events)[ \t]*\{",),
    "opensearch": (r"(?:cluster|node|network|discovery|plugins)[.:]",),
    "otel-collector": (r"receivers:", r"service:"),
    "pgbouncer": (r"\[(?:databases|pgbouncer)\]",),
    "postgres": (r"[a-z_]+[ \t]*=",),
    "prometheus": (r"(?:scrape_configs|global|rule_files):",),
    "promtail": (r"(?:clients|client):", r"scrape_configs:"),
    "rabbitmq": (r"[a-z_]+(?:\.[\w.]+)?[ \t]*=",),
    "redis": (r"(?:port|bind|maxmemory|appendonly|save|requirepass|protected-mode|dir|maxmemory-policy)[ \t]",),
    "snmp-exporter": (r"(?:modules|auths|if_mib):",),
    "squid": (r"(?:http_port|acl|http_access)[ \t]",),
    "telegraf": (r"\[\[?(?:inputs|outputs|agent)",),
    "tempo": (r"(?:distributor|storage|ingester):",),
    "traefik": (r"(?:entryPoints|providers|api|certificatesResolvers|\[entryPoints|\[providers)\b",),
    "valkey": (r"(?:port|bind|maxmemory|appendonly|save|requirepass|protected-mode|dir|maxmemory-policy)[ \t]",),
    "vector-shipper": (r"(?:sources|sinks|\[sources|\[sinks)\b",),
}
# Programs that are often built into an image of one's own, whose configuration then stands beside a Dockerfile.
_BUILT_IN = frozenset({"nginx", "caddy", "haproxy", "envoy", "squid", "fluentd", "fluent-bit", "redis", "postgres"})


def find_component_configs(
    tree: Tree, components: Iterable[Component], directory: str = ""
) -> tuple[ComponentConfig, ...]:
    """The configuration files below the catalogue's `directory`, by path.

    Raises EvidenceError where the tree cannot be walked. A single file that cannot be read is passed over: nobody asked
    for it by name.
    """
    found: dict[str, ComponentConfig] = {}
    candidates = [(path, component) for component in components for path in _candidates(tree, component, directory)]
    for path, component in sorted(candidates, key=lambda item: (item[0], item[1].key))[:MAX_FILES]:
        if path not in found and (line := _first_mark(tree, path, component)) is not None:
            found[path] = ComponentConfig(component.key, Location(path, line))
    return tuple(found.values())


def _candidates(tree: Tree, component: Component, directory: str) -> list[str]:
    below = f"{directory}/" if directory not in ("", ".") else ""
    paths = {path for pattern in component.config_files for path in tree.glob(below + pattern)}
    return [path for path in sorted(paths) if _is_meant(tree, path, below, component)]


def _is_meant(tree: Tree, path: str, below: str, component: Component) -> bool:
    directories = path.removeprefix(below).split("/")[:-1]
    if any(name.lower() in _SHOWN_ONLY or name.startswith(".") for name in directories):
        return False
    if component.key not in _BUILT_IN:
        return True
    above = [posixpath.join(below, *directories[:count]) for count in range(1, len(directories) + 1)]
    return not any(tree.glob(f"{place.rstrip('/')}/Dockerfile*") for place in above)


def _first_mark(tree: Tree, path: str, component: Component) -> int | None:
    """The line of the first mark; None where one is missing or the file cannot be read."""
    try:
        text = tree.read(path).decode("utf-8", "replace")
    except EvidenceError:
        return None
    lines: list[int] = []
    for mark in _MARKS.get(component.key, ()):
        match = re.search(f"^{mark}", text, re.MULTILINE)
        if match is None:
            return None
        lines.append(text.count("\n", 0, match.start()) + 1)
    return min(lines, default=1)
