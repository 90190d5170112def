"""What may stand in a knowledge file: each field with its meaning, and the JSON Schema of them for editors.

`python -m auditor.knowledge.schema` prints the schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

KINDS = (
    "admin", "alerting", "broker", "browser", "cache", "ci", "coordination", "dashboard", "database", "exporter",
    "gateway", "identity", "log_shipper", "log_store", "mail", "metrics", "ml", "object_store", "proxy", "registry",
    "search", "secrets", "socket_proxy", "tool", "tracing", "updater", "vector_database", "workflow",
)  # fmt: skip
KEY = "[a-z0-9]+(-[a-z0-9]+)*"
LOG_FORMATS = ("json", "logfmt", "plain")

_TEXT: Schema = {"type": "string", "pattern": "\\S"}
_TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
_SOME = "^\\s*[0-9]{1,5}\\s*(,\\s*[0-9]{1,5}\\s*)*$"
_PORTS: Schema = {
    "anyOf": [_PORT, {"type": "string", "pattern": _SOME}, {"type": "array", "items": _PORT, "minItems": 1}]
}

# In the order in which the package's own files give them.
FIELDS: Mapping[str, tuple[Schema, str]] = {
    "title": (_TEXT, "the name that people use"),
    "kind": ({"enum": list(KINDS)}, "what it is"),
    "images": (
        _TEXTS,
        "repository paths without tag and `library/`, with the registry where only that one counts; the first is what "
        "its makers publish",
    ),
    "retired": (_TEXTS, "those of `images` that are no longer kept up"),
    "names": (_TEXTS, "other words for it, in documents and host names"),
    "ports": (_PORTS, "what it listens on"),
    "metrics": (
        {"anyOf": [_PORT, {"type": "string", "pattern": "^[0-9]{1,5}(/\\S*)?$"}]},
        "its own endpoint, as `9090` or `8200/v1/sys/metrics`",
    ),
    "exporter": (_TEXT, "instead of `metrics`: the key of the component that speaks Prometheus for it"),
    "exporter_of": (_TEXTS, "for an exporter: the keys of those that it speaks for"),
    "pointed_by": (_TEXTS, "for an exporter: the variables and flags that tell it whom to ask"),
    "probe": (
        {"type": "string", "pattern": "^(tcp [0-9]{1,5}|http [0-9]{1,5}/\\S*)$"},
        "how it is asked whether it works, as `tcp 5432` or `http 9090/-/healthy`",
    ),
    "log_format": ({"enum": list(LOG_FORMATS)}, "how the lines of its standard output look"),
    "log": (_TEXT, "where it writes files of its own, in a container"),
    "config": (_TEXTS, "glob patterns of its configuration in a tree"),
    "backing": ({"type": "boolean"}, "a datastore, broker or exporter: no service of its own in a count"),
    "start": (
        {"type": "integer", "minimum": 1, "maximum": 3600},
        "for a slow starter: the seconds that its makers' own examples let it start",
    ),
    "data": (_TEXTS, "where it keeps what must outlive its container; several where images differ"),
    "admin": (_PORTS, "those of its ports that are for its operators only"),
    "lacks": (_TEXTS, "programs that no tag of the first of `images` brings, `debug` tags aside"),
    "series": (_TEXTS, "how the names of its metrics begin; for an exporter, of those that it exposes"),
    "alerts": ({"type": "string", "pattern": "^https://\\S+$"}, "the address of public alert rules for it"),
    "replaced_by": (_TEXT, "for what is retired or renamed as a whole: what to use instead"),
    "expects": (
        {"type": "object", "additionalProperties": _TEXT},
        "finding -> why it belongs to the nature of the component; it is told as info",
    ),
}
_ALWAYS = ("title", "kind", "images")  # never taken away


def schema() -> Schema:
    """The JSON Schema (2020-12) of a file that a catalogue's `knowledge` names."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack Auditor knowledge",
        "description": "Known components by key: further ones, and what is different about those that are known.",
        "type": "object",
        "propertyNames": {"pattern": f"^{KEY}$"},
        "additionalProperties": {
            "type": "object",
            "properties": {name: _field(name, *field) for name, field in FIELDS.items()},
            "not": {"required": ["metrics", "exporter"]},
            "additionalProperties": False,
        },
    }


def _field(name: str, accepts: Schema, meaning: str) -> Schema:
    allowed = accepts if name in _ALWAYS else {"anyOf": [accepts, {"type": "null"}]}
    return {"description": meaning, **allowed}


def schema_text() -> str:
    """The schema as the committed file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")  # noqa: T201 the generator's output
