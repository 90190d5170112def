"""A log shipper's configuration: which logs it takes, and where it sends them. Pure given a Tree.

What these files hold for the servers behind (passwords, tokens, headers) is never looked at. An unknown input or a
language that is not read is unknown, never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from auditor.errors import EvidenceError, TextError
from auditor.model import Definition, Fault, Location, LogInput, LogShipper
from auditor.sources.logs import alloy, fluent_bit, otel, promtail, vector
from auditor.tree import Tree

_FILE_LIMIT = 50
Parse = Callable[[Mapping[str, bytes]], "tuple[LogInput, ...] | None"]  # path -> text; None: nothing of its own there

# Component -> the endings of its files, and who reads them.
_PARSERS: Mapping[str, tuple[tuple[str, ...], Parse]] = {
    "promtail": ((".yml", ".yaml"), promtail.parse),
    "alloy": ((".alloy", ".river"), alloy.parse),
    "fluent-bit": ((".conf", ".yml", ".yaml"), fluent_bit.parse),
    "vector-shipper": ((".yml", ".yaml", ".toml", ".json"), vector.parse),
    "otel-collector": ((".yml", ".yaml"), otel.parse),
}
NEEDS_NO_FILE = frozenset({"logspout"})  # its command line says all


def read_shipper(tree: Tree, definition: Definition, component: str, environment: str) -> LogShipper:
    """The configuration of a composed log shipper, from the files that are mounted into it."""
    unread = LogShipper(environment, definition.name, component, definition.location)
    known = _PARSERS.get(component)
    if known is None:
        if component in NEEDS_NO_FILE:
            return replace(unread, inputs=(LogInput("engine", definition.location, sends=True),))
        return replace(unread, unread=f"the configuration of {component} is not read by this version")
    endings, parse = known
    texts: dict[str, bytes] = {}
    faults = []
    for path in list(mounted(tree, definition, endings))[:_FILE_LIMIT]:
        try:
            texts[path] = tree.read(path)
        except EvidenceError as error:
            return replace(unread, unread=error.what)
    if not texts:
        return replace(unread, unread=f"the configuration of `{definition.name}` is not among the project's files")
    try:
        inputs = parse(texts)
    except TextError as error:
        place = Location(error.path or next(iter(texts)), error.line)
        faults.append(Fault("invalid-yaml", error.what, place, environment=environment))
        return replace(unread, unread=f"its configuration cannot be read: {error.what}", faults=tuple(faults))
    if inputs is None:
        return replace(unread, unread=f"no mounted file is the configuration of `{definition.name}`")
    spans = {"otel-collector": otel.traces, "alloy": alloy.traces}.get(component)
    traces = (spans(texts) if spans else None) or ()
    return replace(unread, inputs=inputs, traces=traces, location=Location(next(iter(texts)), 1))


def mounted(tree: Tree, definition: Definition, endings: tuple[str, ...]) -> Iterator[str]:
    """The files of the tree, with one of the endings, that are mounted into a service."""
    for mount in definition.mounts:
        source = mount.source
        if mount.kind != "bind" or source is None or source.startswith(("/", "~", "..")) or not tree.exists(source):
            continue
        if source.endswith(endings):
            yield source
        else:
            yield from (path for ending in endings for path in tree.glob(f"{source}/*{ending}"))
