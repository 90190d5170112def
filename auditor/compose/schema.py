"""The published JSON Schema of Compose, the judge of keys and types, with what Compose 2.40 does otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import field
from math import isfinite
from operator import is_
from typing import Any, TypeAlias

from auditor.compose.values import BOOLEANS
from auditor.errors import TextError
from auditor.frozen import dataclass
from auditor.yamlfile import Mapping, Sequence, Value

Raw: TypeAlias = AnyMapping[str, Any]

# The schema follows the newest Compose; 2.40 refuses these.
NEWER = frozenset(("jobs", "no_cache_filter", "pre_start", "umask", "use_service_name_alias"))
_UNIQUE = {"uniqueItems": True}
_NO_FRACTION = {"items": {"type": ["string", "integer"]}}
_NAMED = {"items": {"pattern": "."}}
_BYTES = {"type": ["number", "string"]}
_REQUESTED = {"items": {"properties": dict.fromkeys(("capabilities", "device_ids", "options"), _UNIQUE)}}
_LABELLED = {"properties": {"labels": _UNIQUE}}
_POLICIES = "always|never|build|if_not_present|missing|refresh|daily|weekly|every_[0-9]+[wdhms]"  # anywhere in it
_ANY_NAME = {"additionalProperties": None}
_WATCHED = {"items": {"properties": dict.fromkeys(("ignore", "include"), _UNIQUE)}}
# A merge patch (RFC 7386): null takes a key away.
DIFFERENCES: dict[str, Any] = {
    "properties": {"models": _ANY_NAME, "networks": _ANY_NAME},
    "$defs": {
        "config": _LABELLED,
        "container_spec": {
            "properties": {
                **dict.fromkeys(("device_cgroup_rules", "security_opt"), _UNIQUE),
                **dict.fromkeys(("mem_limit", "memswap_limit", "shm_size"), _BYTES),
                "volumes_from": _UNIQUE | _NAMED,
                "group_add": _UNIQUE | _NO_FRACTION,
                **dict.fromkeys(("models", "networks"), _UNIQUE),
                "pull_policy": {
                    "pattern": "always|never|build|if_not_present|missing|refresh|daily|weekly|every_[0-9]+[wdhms]"
                },
                "volumes": {"items": {"properties": {"volume": _LABELLED}}},
            },
        },
        "development": {"properties": {"watch": _WATCHED}},
        "devices": _REQUESTED,
        "extra_hosts": _UNIQUE,
        "gpus": _REQUESTED,
        "secret": _LABELLED,
        "service": {"properties": {"external_links": _UNIQUE, "links": _NAMED}},
        "service_hook": {"properties": {"environment": _UNIQUE}},
        "volume": _LABELLED,
        "workload_spec": {
            "properties": {
                "build": {"properties": {"ssh": _UNIQUE}},
                "depends_on": _UNIQUE,
                "expose": _NO_FRACTION,
            }
        },
    },
}
# A text that stands for a boolean is one of these, in any case; but in two places it has a meaning of its own.
_BOOLEAN = "|".join("".join(f"[{sign}{sign.upper()}]" for sign in word) for word in sorted(BOOLEANS))
_OWN_WORDS = frozenset(("provenance", "sbom"))


@dataclass(slots=True)
class Node:
    """What the schema says of one place, `$ref` and `allOf` written out. None: nothing is said."""

    types: frozenset[str] | None = None
    options: tuple[str, ...] | None = None
    pattern: re.Pattern[str] | None = None
    least: float | None = None
    most: float | None = None
    required: tuple[str, ...] = ()
    unique: bool = False
    properties: dict[str, Raw] = field(default_factory=dict)
    patterns: dict[re.Pattern[str], Raw] = field(default_factory=dict)
    open: bool = True  # whether a mapping may hold other keys
    items: Raw | None = None
    branches: tuple[Raw, ...] = ()  # one of which fits


class Schema:
    """The schema as a judge, and as nodes for whoever wants to say what is wrong."""

    def __init__(self, document: dict[str, Any]) -> None:
        import jsonschema_rs

        self.document = document
        self._validator = jsonschema_rs.validator_for(document)
        self._nodes: dict[int, Node] = {}

    def accepts(self, model: Value) -> bool:
        """Whether a whole model is as the schema wants it."""
        return self._validator.is_valid(_bare(model))

    def first(self, model: Value) -> tuple[str | int, ...]:
        """The path to something that is not as the schema wants it; empty where there is none."""
        import jsonschema_rs

        try:
            self._validator.validate(_bare(model))
        except jsonschema_rs.ValidationError as error:
            return tuple(error.instance_path)
        return ()

    def as_written(self) -> Schema:
        """The schema of a model whose variables are not resolved: any text may be to become a boolean."""
        return Schema(_without_booleans(self.document))

    @property
    def root(self) -> Node:
        return self.node(self.document)

    def node(self, raw: Raw) -> Node:
        """A part of the schema, read once."""
        found = self._nodes.get(id(raw))
        if found is None:
            found = self._nodes[id(raw)] = self._read(raw)
        return found

    def _read(self, raw: Raw) -> Node:
        node = Node()
        for part in (*self._parts(raw), raw):
            _add(node, part)
        return node

    def _parts(self, raw: Raw) -> Iterator[Raw]:
        """What a part refers to and is made of, the farthest first."""
        inner = [*raw.get("allOf", ())]
        if "$ref" in raw:
            inner.append(self._at(raw["$ref"]))
        for part in inner:
            yield from self._parts(part)
            yield part

    def _at(self, reference: str) -> Raw:
        found: Any = self.document
        for name in reference.removeprefix("#").split("/"):
            found = found[name] if name else found
        return dict(found)


_BARE = frozenset((str, int, bool, type(None)))  # classes whose values are what they are


def _bare(value: Value) -> Value:
    """A value of nothing but what the validator reads: no kinds of text, no infinity. Shared as far as it is so."""
    if isinstance(value, Mapping):
        changed: Mapping | None = None
        for key, item in value.items():
            if item.__class__ not in _BARE and (bare := _bare(item)) is not item:
                changed = changed if changed is not None else Mapping(value)
                changed[key] = bare
        return value if changed is None else changed
    if isinstance(value, Sequence):
        if _BARE.issuperset(map(type, value)):
            return value
        items = [_bare(item) for item in value]
        return value if all(map(is_, items, value)) else Sequence(items)
    if isinstance(value, float) and not isfinite(value):
        return 0.5  # as much a number as what JSON cannot write
    return str(value) if isinstance(value, str) and type(value) is not str else value


def _add(node: Node, raw: Raw) -> None:
    """What one part says, on top of what the others said."""
    if "type" in raw:
        kinds = raw["type"]
        node.types = frozenset((kinds,) if isinstance(kinds, str) else kinds)
    node.options = tuple(raw["enum"]) if "enum" in raw else node.options
    node.pattern = re.compile(raw["pattern"]) if "pattern" in raw else node.pattern
    node.least, node.most = raw.get("minimum", node.least), raw.get("maximum", node.most)
    node.required = (*node.required, *raw.get("required", ()))
    node.unique = raw.get("uniqueItems", node.unique)
    node.properties |= raw.get("properties", {})
    node.patterns |= {re.compile(pattern): inner for pattern, inner in raw.get("patternProperties", {}).items()}
    node.open = node.open and raw.get("additionalProperties") is not False
    node.open = node.open and raw.get("unevaluatedProperties") is not False
    node.items = raw.get("items", node.items)
    node.branches = raw.get("oneOf") or raw.get("anyOf") or node.branches


def parse_schema(text: bytes) -> Schema:
    """The schema of a JSON text. Raises TextError where it is none."""
    try:
        document = json.loads(text)
        if "properties" not in document:
            raise TypeError("no schema of mappings")
        return Schema(patched(_settled(document), DIFFERENCES))
    except (ValueError, TypeError, AttributeError) as error:
        raise TextError("the Compose schema cannot be read", help="install `check-jsonschema` anew") from error


def _settled(part: Any, name: str = "") -> Any:
    """The schema as far as 2.40 knows it, at each level: what needs no path to be told.

    Lists may repeat themselves, for Compose drops what stands twice before it asks; texts are read as booleans before.
    """
    if isinstance(part, list):
        return [_settled(inner, name) for inner in part]
    if not isinstance(part, dict):
        return part
    result = {key: _settled(inner, key) for key, inner in part.items() if key != "uniqueItems"}
    if isinstance(result.get("properties"), dict):
        result["properties"] = {key: inner for key, inner in result["properties"].items() if key not in NEWER}
    kinds = part.get("type")
    if isinstance(kinds, list) and {"boolean", "string"} <= {*kinds} and "number" not in kinds:
        return result if name in _OWN_WORDS else result | {"pattern": f"^({_BOOLEAN})$"}
    return result


def _without_booleans(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_booleans(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    return {key: _without_booleans(inner) for key, inner in part.items() if inner != f"^({_BOOLEAN})$"}


def patched(document: Any, patch: Any) -> Any:
    """A JSON document with a merge patch applied."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value)
    return result
