"""What the configurations of all log shippers have in common: addresses, filters, lists that may be one text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from auditor import yamlfile
from auditor.model import Address, Location, LogOutput, Relabelling
from auditor.yamlfile import Mapping as YamlMapping
from auditor.yamlfile import Sequence, locate

NOWHERE = frozenset(
    {"console", "stdout", "null", "blackhole", "counter", "debug", "logging", "nop", "exit", "flowcounter"}
)
ENGINE = "unix:///var/run/docker.sock"  # where programs look for one by themselves
NAME = "__meta_docker_container_name"
LABEL = "__meta_docker_container_label_"
UNKNOWN_RULE = "?"  # the action of a rule that cannot be judged here


def items(value: object) -> list[Any]:
    """The items of a list; one text or number alone is a list of one."""
    if isinstance(value, list):
        return list(value)
    return [] if value is None or isinstance(value, Mapping) else [value]


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    yield from (item for item in items(value) if isinstance(item, Mapping))


def parsed(data: bytes, path: str) -> YamlMapping:
    """The mapping of a YAML (or JSON) text, an empty one where it holds something else. Raises TextError."""
    root = yamlfile.parse(data, path, dialect="go")
    return root if isinstance(root, YamlMapping) else YamlMapping()


def at(path: str, container: object, key: str | int | None = None) -> Location:
    return Location(path, locate(container, key) if isinstance(container, YamlMapping | Sequence) else None)


def address(text: object, port: int | None = None) -> Address | None:
    """Whom a URL or `host:port` means, without user, password and path; None where a variable decides that."""
    if not isinstance(text, str) or not text or re.search(r"\$|\{\{|\}", text):
        return None
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, given = parts.hostname, parts.port
    except ValueError:
        return None
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return Address(host, given or port or usual, parts.scheme or None) if host else None


def asked(host: object) -> tuple[str, ...]:
    """Where an engine is asked: the one address that is written, without what may be secret in it."""
    if not isinstance(host, str):
        return ()
    if host.startswith("unix://"):
        return (host,)
    found = address(host.replace("tcp://", "http://", 1))
    return (f"tcp://{found.host}:{found.port}",) if found else ()


def output(kind: str, addresses: Iterable[object], place: Location, port: int | None = None) -> tuple[LogOutput, ...]:
    """The outputs of one kind, one an address; one whose address is not told has none."""
    if kind in NOWHERE:
        return ()
    found = [address(one, port) for one in addresses]
    return tuple(LogOutput(kind, one, place) for one in found) or (LogOutput(kind, None, place),)


def label_name(name: str) -> str:
    """The name that a container's label has in discovery."""
    return LABEL + re.sub(r"[^a-zA-Z0-9_]", "_", name)


def keep(source: str, regex: str) -> Relabelling:
    return Relabelling("keep", (source,), regex=regex)


def drop(source: str, regex: str) -> Relabelling:
    return Relabelling("drop", (source,), regex=regex)


def engine_filters(filters: Iterable[Mapping[str, Any]]) -> Iterator[Relabelling]:
    """What the engine's own filters keep, as rules on a container's labels."""
    for one in filters:
        name, values = one.get("name"), [str(value) for value in items(one.get("values"))]
        if name == "label":
            for value in values:
                label, sign, wanted = value.partition("=")
                yield keep(label_name(label), re.escape(wanted) if sign else ".+")
        elif name == "name" and values:
            yield keep(NAME, f".*({'|'.join(value.removeprefix('^').removesuffix('$') for value in values)}).*")
        elif name not in ("status", "health"):
            yield Relabelling(UNKNOWN_RULE, (str(name),))


def relabelling(item: Mapping[str, Any]) -> Relabelling:
    """One relabelling rule as Prometheus, Promtail and Alloy write it."""

    def told(key: str, default: str) -> str:
        value = item.get(key)
        return default if value is None else str(value)

    return Relabelling(
        told("action", "replace").lower(),
        tuple(str(name) for name in items(item.get("source_labels"))),
        told("separator", ";"),
        told("regex", "(.*)"),
        told("target_label", ""),
        told("replacement", "$1"),
    )
