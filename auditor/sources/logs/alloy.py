"""Grafana Alloy's pipelines of logs (https://grafana.com/docs/alloy/latest/reference/components/loki/)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditor.frozen import dataclass
from auditor.model import Location, LogInput, LogOutput, Relabelling
from auditor.sources.logs.blocks import Block, Reference, parse_blocks
from auditor.sources.logs.reading import UNKNOWN_RULE, asked, engine_filters, items, output, relabelling

_RECEIVED = ("api", "syslog", "gelf", "heroku", "kafka", "cloudflare", "awsfirehose", "azure_event_hubs", "gcplog")
_DEPTH = 20


@dataclass(frozen=True, slots=True)
class _Place:
    block: Block
    path: str

    @property
    def location(self) -> Location:
        return Location(self.path, self.block.line)


_Named = Mapping[str, _Place]  # `loki.write.main` -> where it is


def parse(texts: Mapping[str, bytes]) -> tuple[LogInput, ...] | None:
    """The sources of logs of an Alloy, each with the writers that it gets to."""
    places = [_Place(block, path) for path, data in texts.items() for block in parse_blocks(data, path)]
    named = {f"{place.block.kind}.{place.block.label}": place for place in places}
    if not any("." in place.block.kind for place in places):
        return None
    return tuple(made for place in places for made in _input(place, named))


def traces(texts: Mapping[str, bytes]) -> tuple[LogInput, ...]:
    """The receivers of spans, each with the exporters that it gets to."""
    places = [_Place(block, path) for path, data in texts.items() for block in parse_blocks(data, path)]
    named = {f"{place.block.kind}.{place.block.label}": place for place in places}
    receivers = [place for place in places if place.block.kind.startswith("otelcol.receiver.")]
    return tuple(LogInput("receive", one.location, outputs=tuple(_exported(one, named, set()))) for one in receivers)


def _exported(place: _Place, named: _Named, seen: set[str]) -> Iterator[LogOutput]:
    """The exporters that spans get to from a component, through whatever lies between."""
    for following in (
        one for out in place.block.every("output") for one in _found(out.attributes.get("traces"), named)
    ):
        block = following.block
        if (key := f"{block.kind}.{block.label}") in seen or not block.kind.startswith("otelcol."):
            continue
        seen.add(key)
        if block.kind.startswith("otelcol.exporter."):
            for client in block.every("client"):
                where = Location(following.path, client.line)
                yield from output(block.kind.rpartition(".")[2], [client.attributes.get("endpoint")], where)
        else:
            yield from _exported(following, named, seen)


def _input(place: _Place, named: _Named) -> Iterator[LogInput]:
    block = place.block
    family, _, kind = block.kind.rpartition(".")
    if block.kind.startswith("otelcol.receiver."):
        told = "what its OpenTelemetry pipeline does with logs is not read by this version"
        yield LogInput("receive", place.location, unclear=told)
    if family != "loki.source":
        return
    outputs, unclear = _written(block.attributes.get("forward_to"), named, 0)
    if kind == "docker":
        rules, more = _targets(block.attributes.get("targets"), named, 0)
        engine = asked(block.attributes.get("host"))
        yield LogInput("engine", place.location, engine, rules, outputs, more or unclear)
    elif kind == "file":
        paths = tuple(_paths(block.attributes.get("targets"), named, 0))
        unclear = unclear or (None if paths else "where its files are is not in its file")
        yield LogInput("files", place.location, paths, outputs=outputs, unclear=unclear)
    elif kind == "journal":
        yield LogInput("journal", place.location, outputs=outputs, unclear=unclear)
    elif kind in _RECEIVED:
        yield LogInput("receive", place.location, outputs=outputs, unclear=unclear)
    else:
        yield LogInput("unknown", place.location, outputs=outputs, unclear=f"`{block.kind}` is not known here")


def _found(value: object, named: _Named) -> list[_Place]:
    """The components that an expression refers to."""
    names = [one.name.split(".") for one in items(value) if isinstance(one, Reference)]
    words = [".".join(parts[:end]) for parts in names for end in range(len(parts), 0, -1)]
    return [named[word] for word in words if word in named]


def _written(value: object, named: _Named, depth: int) -> tuple[tuple[LogOutput, ...], str | None]:
    """The writers that lines are forwarded to, and why not all lines may get there."""
    outputs: list[LogOutput] = []
    unclear = None
    if depth > _DEPTH:
        return (), "its pipeline has no end"
    for place in _found(value, named):
        block = place.block
        if block.kind == "loki.write":
            for endpoint in block.every("endpoint"):
                outputs += output("loki", [endpoint.attributes.get("url")], Location(place.path, endpoint.line))
        elif block.kind in ("loki.process", "loki.relabel", "loki.secretfilter"):
            inner, why = _written(block.attributes.get("forward_to"), named, depth + 1)
            outputs += inner
            unclear = unclear or why or _drops(block)
        elif block.kind.startswith("loki.") or block.kind.startswith("otelcol."):
            outputs.append(LogOutput(block.kind, None, place.location))
    return tuple(outputs), unclear


def _drops(block: Block) -> str | None:
    dropping = [one for one in block.every("rule") if one.attributes.get("action") in ("drop", "keep")]
    dropping += [one for one in block.every("stage.match") if one.attributes.get("action") == "drop"]
    return f"`{block.kind}` throws away what a condition means" if dropping else None


def _targets(value: object, named: _Named, depth: int) -> tuple[tuple[Relabelling, ...], str | None]:
    """The rules that decide which containers are targets, and why that may not be all."""
    found = _found(value, named)
    if not found or depth > _DEPTH:
        return (), "which containers its targets are is not in its file"
    rules: list[Relabelling] = []
    unclear = None
    for place in found:
        block = place.block
        if block.kind == "discovery.docker":
            rules += engine_filters({**one.attributes} for one in block.every("filter"))
        elif block.kind == "discovery.relabel":
            before, unclear = _targets(block.attributes.get("targets"), named, depth + 1)
            rules += [*before, *(_rule(one) for one in block.every("rule"))]
        else:
            unclear = f"what `{block.kind}` finds is not in its file"
    return tuple(rules), unclear if len(found) == 1 else "its targets come from several places"


def _rule(block: Block) -> Relabelling:
    if any(isinstance(one, Reference) for value in block.attributes.values() for one in items(value)):
        return Relabelling(UNKNOWN_RULE)
    return relabelling(block.attributes)


def _paths(value: object, named: _Named, depth: int) -> Iterator[str]:
    """The patterns of files that a source reads."""
    for one in items(value) if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield from (str(path) for path in [one.get("__path__")] if isinstance(path, str))
    if depth < _DEPTH:
        for place in _found(value, named):
            key = "path_targets" if place.block.kind == "local.file_match" else "targets"
            yield from _paths(place.block.attributes.get(key), named, depth + 1)
