"""A project for each place that the published schema knows and each kind of value that could stand there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from tests.compose.conformance.corpus import Case

Node: TypeAlias = dict[str, Any]
Around: TypeAlias = Callable[[Any], Any]

SWAPS: dict[str, Any] = {
    "null": None,
    "true": True,
    "number": 1,
    "fraction": -1.5,
    "text": "text",
    "empty text": "",
    "empty list": [],
    "list of texts": ["text"],
    "list of numbers": [1],
    "list of lists": [["text"]],
    "empty mapping": {},
    "unknown key": {"unknown_key": "v"},
    "extension": {"x-key": 1},
}
# What names other files is resolved before the schema is asked; what Compose 2.40 has not is one key, not a tree.
_ELSEWHERE = frozenset(("extends", "include", "jobs"))
_NAME = "n"


def swapped(schema: Node) -> Iterator[Case]:
    """Every place of the schema once with every value of SWAPS; each case is named after both."""
    for place, around in _places(schema, schema, lambda value: value, ""):
        for kind, value in SWAPS.items():
            yield Case(f"{place}: {kind}", {"compose.yaml": _written(around(value)), "f": ""})


def _written(found: Node) -> str:
    """The project as JSON, which is YAML; whatever the place needs beside it is there."""
    named: Node = {key: {_NAME: {}} for key in ("networks", "volumes")}
    named |= {key: {_NAME: {"file": "./f"}} for key in ("secrets", "configs")}
    named |= {"models": {_NAME: {"model": "m"}}, "services": {_NAME: {"image": "x"}}}
    for key, value in found.items():
        both = isinstance(value, dict) and isinstance(named.get(key), dict)
        named[key] = named[key] | value if both else value
    return json.dumps(named)


def _places(schema: Node, node: Node, around: Around, path: str) -> Iterator[tuple[str, Around]]:
    """Each place below a node, by its dotted path, and what puts a value there."""
    for part in _parts(schema, node):
        filled = _required(schema, part)
        for key, inner in part.get("properties", {}).items():
            if key in _ELSEWHERE:
                continue
            beside = {"image": "x"} if path == f"services.{_NAME}" and key != "image" else {}
            there = _into(around, filled | beside, key)
            yield _name(path, key), there
            if key != "pre_start":
                yield from _places(schema, inner, there, _name(path, key))
        for pattern, inner in part.get("patternProperties", {}).items():
            if pattern != "^x-" and _is_object(inner):
                there = _into(around, {}, _NAME)
                yield _name(path, _NAME), there
                yield from _places(schema, inner, there, _name(path, _NAME))
        if "items" in part:
            there = _listed(around)
            yield f"{path}[]", there
            yield from _places(schema, part["items"], there, f"{path}[]")


def _parts(schema: Node, node: Node) -> Iterator[Node]:
    """A node and all that it refers to, is made of or may be instead."""
    if "$ref" in node:
        yield from _parts(schema, _at(schema, node["$ref"]))
    for word in ("oneOf", "anyOf", "allOf"):
        for inner in node.get(word, ()):
            yield from _parts(schema, inner)
    if node.keys() & {"properties", "patternProperties", "items"}:
        yield node


def _at(schema: Node, reference: str) -> Node:
    found = schema
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _into(around: Around, beside: Node, key: str) -> Around:
    return lambda value: around({**beside, key: value})


def _listed(around: Around) -> Around:
    return lambda value: around([value])


def _name(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _is_object(node: Any) -> bool:
    return isinstance(node, dict)


def _required(schema: Node, node: Node) -> Node:
    properties = node.get("properties", {})
    return {key: _example(schema, properties.get(key, {})) for key in node.get("required", ())}


def _example(schema: Node, node: Node) -> Any:
    node = _at(schema, node["$ref"]) if "$ref" in node else node
    node = node.get("oneOf", [node])[-1]
    if "enum" in node:
        return node["enum"][-1]
    kinds = node.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    return {"string": "x", "integer": 1, "number": 1, "boolean": True, "array": ["x"]}.get(kind, {})
