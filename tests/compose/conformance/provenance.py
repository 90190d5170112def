"""Where a value is written, told by nothing but the texts of the files: what stands on which line, read by PyYAML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml


@dataclass(frozen=True)
class Written:
    """A key of a mapping with its value, or an item of a list (`key` is None), as it stands in one file.

    `path`: the keys above. `line` is where it begins. `texts`: each scalar in it, what its aliases name too.
    `span`: from its first character to the last one of its value; `value`: that of a scalar alone.
    """

    path: tuple[str, ...]
    key: str | None
    line: int
    texts: tuple[str, ...]
    span: tuple[int, int]
    value: tuple[int, int] | None


@dataclass(frozen=True)
class _Node:
    kind: str  # of `map`, `list`, `text`
    line: int
    span: tuple[int, int]
    text: str = ""
    alias: bool = False
    inner: list[_Node] = field(default_factory=list)


def written(text: str) -> list[Written]:
    """All that stands in a YAML text."""
    events = iter(yaml.parse(text, Loader=yaml.SafeLoader))
    found: list[Written] = []
    anchors: dict[str, _Node] = {}
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            found += _below(_node(next(events), events, anchors), ())
    return found


def _node(event: Any, events: Iterator[Any], anchors: dict[str, _Node]) -> _Node:
    line, start = event.start_mark.line + 1, event.start_mark.index
    if isinstance(event, yaml.AliasEvent):
        return replace(anchors[event.anchor], line=line, span=(start, event.end_mark.index), alias=True)
    if isinstance(event, yaml.ScalarEvent):
        made = _Node("text", line, (start, event.end_mark.index), event.value)
    else:
        inner = []
        while not isinstance(following := next(events), yaml.MappingEndEvent | yaml.SequenceEndEvent):
            inner.append(_node(following, events, anchors))
        kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
        end = max((node.span[1] for node in inner), default=following.end_mark.index)
        made = _Node(kind, line, (start, following.end_mark.index if event.flow_style else end), inner=inner)
    if event.anchor:
        anchors[event.anchor] = made
    return made


def _below(node: _Node, path: tuple[str, ...]) -> Iterator[Written]:
    if node.alias:
        return
    pairs = zip(node.inner[::2], node.inner[1::2], strict=True) if node.kind == "map" else ()
    for key, value in pairs:
        yield _one(path, key.text, key, value)
        yield from _below(value, (*path, key.text))
    for number, item in enumerate(node.inner if node.kind == "list" else ()):
        yield _one(path, None, item, item)
        yield from _below(item, (*path, str(number)))


def _one(path: tuple[str, ...], key: str | None, first: _Node, value: _Node) -> Written:
    own = value.span if value.kind == "text" and not value.alias else None
    return Written(path, key, first.line, tuple(_texts(value)), (first.span[0], value.span[1]), own)


def _texts(node: _Node) -> Iterator[str]:
    if node.kind == "text":
        yield node.text
    for item in node.inner:
        yield from _texts(item)
