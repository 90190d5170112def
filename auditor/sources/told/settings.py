"""The addresses in the configurations of Kong, Traefik and Envoy."""

from __future__ import annotations

from collections.abc import Iterator

from auditor import yamlfile
from auditor.compose.references import addresses
from auditor.model import Address
from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Value

_ADDRESS_KEY = regexp(r"(?i)(?:^|[_-])(?:url|uri|target|endpoint|address)$|(?:Url|Endpoint|Address)$")
_TOML = regexp(r"[ \t]*(?:url|address|endpoint)[ \t]*=[ \t]*\"([^\"\n]{1,500})\"[ \t]*(?:#.*)?")
_DEEPEST = 40
Found = tuple[int, Address]


def kong(data: bytes, path: str) -> Iterator[Found]:
    """Services, targets and plugins of a declarative configuration; its own upstreams are no hosts."""
    top = yamlfile.parse(data, path)
    if not isinstance(top, Mapping) or "_format_version" not in top:
        return
    upstreams = top.get("upstreams")
    own = (
        {item.get("name") for item in upstreams if isinstance(item, Mapping)} if isinstance(upstreams, Sequence) else ()
    )
    for line, address in _walk(top, 0):
        if address.host not in own:
            yield line, address


def traefik(data: bytes, path: str) -> Iterator[Found]:
    """Servers and middlewares of a dynamic configuration, and where a static one sends its traces."""
    if path.endswith(".toml"):
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            if match := _TOML.fullmatch(line.rstrip("\r")):
                yield from ((number, address) for address in addresses("TARGET_URL", match[1], ()))
        return
    top = yamlfile.parse(data, path)
    if isinstance(top, Mapping):
        yield from _walk(top, 0)


def envoy(data: bytes, path: str) -> Iterator[Found]:
    """The endpoints of clusters: `socket_address` below `clusters`; listeners have such ones of their own."""
    todo: list[tuple[Value, bool, int]] = [(yamlfile.parse(data, path), False, 0)]
    while todo:
        value, inside, depth = todo.pop()
        if depth > _DEEPEST:
            continue
        if isinstance(value, Mapping):
            socket = value.get("socket_address")
            if inside and isinstance(socket, Mapping):
                yield from _pair(socket.get("address"), socket.get("port_value"), socket.line)
            todo += [(item, inside or key == "clusters", depth + 1) for key, item in value.items()]
        elif isinstance(value, Sequence):
            todo += [(item, inside, depth + 1) for item in value]


def _walk(value: Value, depth: int) -> Iterator[Found]:
    """The values of keys that speak of addresses, and `host` with `port`."""
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        yield from _pair(value.get("host"), value.get("port"), value.line)
        for key, item in value.items():
            if isinstance(item, str) and _ADDRESS_KEY.search(key):
                yield from ((value.lines[key], address) for address in addresses("TARGET_URL", item, ()))
            else:
                yield from _walk(item, depth + 1)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _walk(item, depth + 1)


def _pair(host: Value, port: Value, line: int) -> Iterator[Found]:
    if isinstance(host, str) and isinstance(port, int) and not isinstance(port, bool) and "$" not in host:
        yield from ((line, address) for address in addresses("TARGET_URL", f"{host}:{port}", ()))
