"""Programs beside Prometheus that scrape as it does and send on what they read: vmagent, collectors, Grafana Alloy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from auditor import yamlfile
from auditor.compose.mounts import place_of, resolve_mount
from auditor.model import Address, Definition, Location, PrometheusConfig, ScrapeJob
from auditor.regexp import regexp
from auditor.sources.logs import mounted
from auditor.sources.logs.blocks import Block, Reference, parse_blocks
from auditor.sources.logs.reading import address, items, mapping
from auditor.sources.prometheus import parse_prometheus
from auditor.sources.prometheus.reading import Reading, Resolve
from auditor.sources.prometheus.scraping import job_of, jobs
from auditor.tree import Tree
from auditor.yamlfile import Mapping as YamlMapping
from auditor.yamlfile import Sequence

_DEPTH = 20
_DSN = regexp(r"@(?:tcp)?\(([^()\s]+)\)")
# What an exporter that is built into Alloy is told of whom it asks.
_ASKED = (
    "redis_addr", "address", "server", "mongodb_uri", "data_source_name", "data_source_names", "kafka_uris",
    "target_server", "uri", "connection_string",
)  # fmt: skip


def read_scraper(tree: Tree, definition: Definition, key: str, environment: str) -> PrometheusConfig | None:
    """What a composed `alloy`, `otel-collector` or `vmagent` scrapes; None where files tell of nothing.

    Raises AuditorError where a file cannot be read.
    """

    def resolve(path: str) -> str | None:
        return resolve_mount(definition, path)

    named = [path for place in definition.config_files if (path := resolve(place)) and tree.exists(path)]
    if key == "vmagent":
        sent = tuple(one.address for one in definition.references)
        place = place_of(definition, named[0]) if named else None
        config = parse_prometheus(tree, named[0], environment, resolve, place, definition.name) if named else None
        return replace(config, agent=True, remote_write=(*config.remote_write, *sent)) if config else None
    if key == "alloy":
        paths = [path for path in named if path.endswith(_OF_ALLOY)] or list(mounted(tree, definition, _OF_ALLOY))
        return parse_alloy(tree, paths, environment, resolve, definition.name) if paths else None
    paths = named or list(mounted(tree, definition, (".yml", ".yaml")))
    found = (parse_collector(tree, path, environment, resolve, definition.name) for path in paths)
    return next((config for config in found if config), None)


_OF_ALLOY = (".alloy", ".river")


def parse_collector(tree: Tree, path: str, environment: str, resolve: Resolve, server: str) -> PrometheusConfig | None:
    """The scrape jobs of an OpenTelemetry collector's `prometheus` receivers; None where it has none.

    Only receivers of a pipeline of metrics count. Raises as `parse_prometheus`.
    """
    text = tree.read(path).replace(b"$$", b"$")  # as the collector itself unescapes
    root = yamlfile.parse(text, path, dialect="go")
    if not isinstance(root, YamlMapping):
        return None
    reading = Reading(tree, path, environment, resolve)
    found: list[ScrapeJob] = []
    sent: list[Address] = []
    receivers, exporters = mapping(root.get("receivers")), mapping(root.get("exporters"))
    for pipeline in _pipelines(root):
        own = [str(name) for name in items(pipeline.get("receivers")) if str(name).partition("/")[0] == "prometheus"]
        configs = [mapping(receivers.get(name)).get("config") for name in own]
        found += [job for one in configs if isinstance(one, YamlMapping) for job in jobs(reading, one)]
        if own:
            told = [mapping(exporters.get(str(name))) for name in items(pipeline.get("exporters"))]
            sent += [place for one in told if (place := address(one.get("endpoint")))]
    if not found:
        return None
    return _agent(reading, found, sent, server)


def _pipelines(root: YamlMapping) -> Iterator[Mapping[str, Any]]:
    named = mapping(mapping(root.get("service")).get("pipelines"))
    return (mapping(one) for name, one in named.items() if name.partition("/")[0] == "metrics")


def parse_alloy(
    tree: Tree, paths: list[str], environment: str, resolve: Resolve, server: str
) -> PrometheusConfig | None:
    """The `prometheus.scrape` components of an Alloy; None where it has none. Raises as `parse_prometheus`."""
    found: list[ScrapeJob] = []
    sent: list[Address] = []
    reading = Reading(tree, paths[0], environment, resolve)
    blocks = [(block, path) for path in paths for block in parse_blocks(tree.read(path), path)]
    named = {f"{block.kind}.{block.label}": block for block, _ in blocks}
    for block, path in blocks:
        if block.kind == "prometheus.scrape":
            found += _scraped(block, path, named, reading)
        elif block.kind == "prometheus.remote_write":
            urls = [one.attributes.get("url") for one in block.every("endpoint")]
            sent += [place for url in urls if (place := address(url))]
        elif block.kind.startswith("import.") or block.kind == "declare":
            found.append(ScrapeJob(environment, block.kind, Location(path, block.line), (), (f"`{block.kind}`",)))
    if not any(block.kind == "prometheus.scrape" for block, _ in blocks):
        return None
    return _agent(reading, found, sent, server)


def _agent(reading: Reading, found: list[ScrapeJob], sent: list[Address], server: str) -> PrometheusConfig:
    return PrometheusConfig(
        reading.environment,
        reading.path,
        jobs=tuple(found),
        remote_write=tuple(dict.fromkeys(sent)),
        faults=tuple(reading.faults),
        server=server,
        agent=True,
    )


# --- Alloy ---------------------------------------------------------------------------------------------------------


def _scraped(block: Block, path: str, named: Mapping[str, Block], reading: Reading) -> Iterator[ScrapeJob]:
    """One job for each way by which a component gets its targets, as Prometheus would write it."""
    said = block.attributes
    name = said.get("job_name")
    job: dict[str, Any] = {"job_name": name if isinstance(name, str) else f"{block.kind}.{block.label}"}
    job |= {key: said[key] for key in ("metrics_path", "scheme") if isinstance(said.get(key), str)}
    if said.get("honor_labels") is True:
        job["honor_labels"] = True
    for found, rules, unseen in _targets(said.get("targets"), named, [], 0):
        item = _yaml({**job, **found, "relabel_configs": rules}, block.line)
        yield job_of(reading, item, path, unseen)


_Way = tuple[dict[str, Any], list[dict[str, Any]], str | None]  # as Prometheus writes it, rules, what is not seen


def _targets(value: object, named: Mapping[str, Block], rules: list[dict[str, Any]], depth: int) -> Iterator[_Way]:
    for one in [value] if isinstance(value, Reference) else items(value):
        if isinstance(one, dict):
            labels = {key: text for key, text in one.items() if isinstance(text, str)}
            if len(labels) < len(one):  # an expression decides
                yield {}, rules, "expressions in `targets`"
            elif "__address__" in labels:
                told = labels.pop("__address__")
                yield {"static_configs": [{"targets": [told], "labels": labels}]}, rules, None
        elif isinstance(one, Reference) and depth < _DEPTH:
            yield from _referred(one, named, rules, depth)


def _referred(one: Reference, named: Mapping[str, Block], rules: list[dict[str, Any]], depth: int) -> Iterator[_Way]:
    parts = one.name.split(".")
    block = next((named[key] for end in range(len(parts), 0, -1) if (key := ".".join(parts[:end])) in named), None)
    if block is None:
        yield {}, rules, f"`{one.name[:60]}`" if one.name else "expressions in `targets`"
    elif block.kind == "discovery.relabel":
        own = [dict(rule.attributes) for rule in block.every("rule")]
        yield from _targets(block.attributes.get("targets"), named, [*own, *rules], depth + 1)
    elif block.kind.startswith("prometheus.exporter."):
        yield _built_in(block), [], None if _hosts(block) else f"`{block.kind}`"
    elif block.kind.startswith("discovery."):
        yield {f"{block.kind.removeprefix('discovery.')}_sd_configs": [_discovery(block)]}, rules, None
    else:
        yield {}, rules, f"`{block.kind}`"


def _discovery(block: Block) -> dict[str, Any]:
    said = {key: value for key, value in block.attributes.items() if isinstance(value, str | float | list)}
    filters = [{**one.attributes} for one in block.every("filter")]
    port = said.get("port")
    return said | ({"filters": filters} if filters else {}) | ({"port": int(port)} if isinstance(port, float) else {})


def _built_in(block: Block) -> dict[str, Any]:
    """The target of an exporter that runs inside of Alloy: itself, told whom to ask."""
    labels = [{"__param_target": host, "instance": host} for host in _hosts(block)] or [{}]
    return {"static_configs": [{"targets": ["localhost:12345"], "labels": one} for one in labels]}


def _hosts(block: Block) -> list[str]:
    found = []
    for key in _ASKED:
        for text in items(block.attributes.get(key)):
            match = _DSN.search(text) if isinstance(text, str) else None
            place = address(match[1] if match else text)
            if place:
                found.append(f"{place.host}:{place.port}" if place.port else place.host)
    return found


def _yaml(value: Any, line: int) -> Any:
    """Plain values as a document of YAML, every line the same."""
    if isinstance(value, dict):
        rest = {key: _yaml(item, line) for key, item in value.items() if not isinstance(item, Reference)}
        return YamlMapping(rest, line=line, lines=dict.fromkeys(rest, line))
    if isinstance(value, list):
        found = [_yaml(item, line) for item in value]
        return Sequence(found, line=line, lines=[line] * len(found))
    return value
