"""What is known of a component, fact by fact, and which public page says it.

The pages stand in YAML files of their own, which no audit reads: component -> address -> what that page says, in the
words of the component's own file. So a fact that changes is without a source until somebody looks again.

    redis-exporter:
      https://github.com/oliver006/redis_exporter/blob/master/README.md:
        ports: 9121
        pointed_by: REDIS_ADDR, --redis.addr
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor import yamlfile
from auditor.errors import TextError, did_you_mean
from auditor.model import Component, DefaultProbe, Metrics

# What is found in the world. The rest is this project's own judgement: titles, kinds, further names, patterns of files,
# which ports are for operators, what belongs to a component's nature; and `exporter` is the other end of `exporter_of`.
FACTS = (
    "images", "retired", "ports", "probe", "metrics", "exporter_of", "pointed_by", "series", "log_format", "log",
    "data", "lacks", "start", "replaced_by",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """A public page and the facts that it states, each as its items."""

    page: str
    says: Mapping[str, tuple[str, ...]]


Sources = Mapping[str, tuple[Source, ...]]


def facts(component: Component) -> dict[str, tuple[str, ...]]:
    """The facts of a component that must have a source, each as the items of which it is made."""
    found = {
        "images": component.images,
        "retired": component.retired,
        "ports": tuple(map(str, component.ports)),
        "probe": _probe(component.probe),
        "metrics": _metrics(component.metrics),
        "exporter_of": component.exporter_of,
        "pointed_by": component.pointed_by,
        "series": component.series,
        "log_format": _single(component.log_format),
        "log": _single(component.log_path),
        "data": component.data_paths,
        "lacks": component.lacks,
        "start": _single(component.start_seconds),
        "replaced_by": _single(successor(component)),
    }
    return {name: items for name, items in found.items() if items}


def successor(component: Component) -> str | None:
    """What replaces a component that is retired as a whole, without the reason."""
    return component.replaced_by.partition(";")[0] if component.replaced_by else None


def _single(value: str | int | None) -> tuple[str, ...]:
    return () if value is None else (str(value),)


def _probe(probe: DefaultProbe | None) -> tuple[str, ...]:
    return () if probe is None else (f"{probe.kind} {probe.port}{probe.path or ''}",)


def _metrics(metrics: Metrics | None) -> tuple[str, ...]:
    if metrics is None or metrics.port is None:
        return ()
    return (f"{metrics.port}{'' if metrics.path == '/metrics' else metrics.path}",)


def said_by(sources: Iterable[Source], name: str, item: str) -> Iterator[int]:
    """Which of the sources, counted from 1, state an item of a fact.

    That a port can be asked by TCP follows from its being a port.
    """
    if name == "probe" and item.startswith("tcp "):
        name, item = "ports", item.removeprefix("tcp ")
    return (number for number, source in enumerate(sources, 1) if item in source.says.get(name, ()))


def unsourced(component: Component, sources: Sequence[Source]) -> list[tuple[str, str]]:
    """The facts that no source states, item by item."""
    pairs = [(name, item) for name, items in facts(component).items() for item in items]
    return [(name, item) for name, item in pairs if not any(said_by(sources, name, item))]


def astray(component: Component, sources: Iterable[Source]) -> list[tuple[str, str]]:
    """What sources state that is no fact of the component."""
    known = facts(component)
    stated = [(name, item) for source in sources for name, items in source.says.items() for item in items]
    return [(name, item) for name, item in stated if item not in known.get(name, ())]


def parse_sources(texts: Iterable[tuple[str, bytes]]) -> dict[str, tuple[Source, ...]]:
    """The sources of several texts by component, each text with its path for messages. Raises TextError."""
    found: dict[str, tuple[Source, ...]] = {}
    for path, text in texts:
        for key, line, pages in _mappings(yamlfile.parse(text, path), path, 1):
            if key in found:
                raise TextError(f"the sources of `{key}` stand in two places", path=path, line=line)
            found[key] = tuple(_source(*item, path) for item in _mappings(pages, path, line))
    return found


def _mappings(value: yamlfile.Value, path: str, line: int) -> Iterator[tuple[str, int, yamlfile.Value]]:
    if not isinstance(value, yamlfile.Mapping):
        raise TextError("sources are mappings: component, address, what it says", path=path, line=line)
    return ((key, value.lines[key], below) for key, below in value.items())


def _source(page: str, line: int, says: yamlfile.Value, path: str) -> Source:
    stated: dict[str, tuple[str, ...]] = {}
    for name, at, value in _mappings(says, path, line):
        if name not in FACTS:
            raise TextError(f"`{name}` is no fact with a source", path=path, line=at, help=did_you_mean(name, FACTS))
        whole = name in ("probe", "replaced_by")
        stated[name] = (str(value),) if whole else tuple(item.strip() for item in str(value).split(","))
    return Source(page, stated)
