"""Known components: what an image or a name stands for, and what belongs to it.

The facts are YAML files beside this module, one a theme; the shell reads them (`auditor.sources.knowledge`), and they
are parsed here. A file maps the key of a component to its fields; lists are texts with commas, which parse in half the
time of YAML lists:

    title, kind, images  required; kind is one of `KINDS`; images are
                         repository paths without tag and `library/`; with the registry where only that one counts
    names                other words for it, in documents and host names
    ports                what it listens on
    metrics              its own endpoint, `9090` or `8200/v1/sys/metrics`; or instead
    exporter             the key of the component that speaks Prometheus for it
    exporter_of          for an exporter: the keys of those that it speaks for
    probe                `tcp 5432` or `http 9090/-/healthy`
    log, config          where it logs in a container; glob patterns of its configuration in a tree
    backing, slow_start  true, or left out
    admin                ports, of `ports` or others, that are for its operators only
    series               how the names of its metrics begin; for an exporter, of those that it exposes
    data                 where it keeps what must outlive its container; several where images differ
    lacks                programs that no tag of the first of `images` brings (`debug` tags aside)
    replaced_by          for what is retired or renamed: what to use instead
    expects              finding -> why it belongs to the nature of the component
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from auditor import yamlfile
from auditor.errors import TextError, did_you_mean
from auditor.model import Component, DefaultProbe, Expect, Metrics

KINDS = frozenset(
    {
        "admin", "alerting", "broker", "browser", "cache", "ci", "coordination", "dashboard", "database", "exporter",
        "gateway", "identity", "log_shipper", "log_store", "mail", "metrics", "ml", "object_store", "proxy", "registry",
        "search", "secrets", "socket_proxy", "tool", "tracing", "updater", "vector_database", "workflow",
    }
)  # fmt: skip

T = TypeVar("T")


def parse_knowledge(texts: Iterable[tuple[str, bytes]]) -> tuple[Component, ...]:
    """The components of several texts, each with its path for messages, in order. Raises TextError."""
    components: dict[str, Component] = {}
    for path, text in texts:
        parsed = yamlfile.parse(text, path)
        if not isinstance(parsed, yamlfile.Mapping):
            raise TextError("a knowledge file is a mapping of key to component", path=path, line=1)
        for key, fields in parsed.items():
            item = _Item(path, key, parsed.lines[key], fields)
            if key in components:
                raise item.wrong(f"component `{key}` is described twice")
            components[key] = item.component()
    known = tuple(components.values())
    _check_whole(known)
    return known


def by_key(components: tuple[Component, ...], key: str) -> Component | None:
    """The component with that key."""
    return _index(_Same(components)).keys.get(key)


def by_image(components: tuple[Component, ...], image: str) -> Component | None:
    """The component that an image reference is, whatever the registry, tag or digest.

    A mirror keeps the path (`mirror.example/bitnami/redis`), or hides it behind a prefix of its own
    (`mirror.example/hub/library/redis`, `mirror.example/hub/prom/prometheus`). `team/redis` is somebody's own image.
    """
    images = _index(_Same(components)).images
    registry, path = repository(image)
    if registry and (exact := images.get(f"{registry}/{path}")):
        return exact
    if found := images.get(path.removeprefix("library/")):
        return found
    parts = path.split("/")
    if len(parts) < 3:
        return None
    return images.get(parts[-1]) if parts[-2] == "library" else images.get("/".join(parts[-2:]))


def by_name(components: tuple[Component, ...], word: str) -> Component | None:
    """The component that a host name or a word of a document means, compared without case and punctuation."""
    return _index(_Same(components)).names.get(plain(word))


def repository(image: str) -> tuple[str | None, str]:
    """An image reference as registry and repository path, without tag and digest."""
    name = image.partition("@")[0]
    head, slash, tail = name.partition("/")
    registry = head if slash and ("." in head or ":" in head or head == "localhost") else None
    path = tail if registry else name
    directory, slash, last = path.rpartition("/")
    return registry, f"{directory}{slash}{last.partition(':')[0]}"


def plain(word: str) -> str:
    """A name without case and punctuation, as names are compared."""
    return "".join(filter(str.isalnum, word.casefold()))


@dataclass(frozen=True, slots=True)
class _Index:
    keys: Mapping[str, Component]
    images: Mapping[str, Component]
    names: Mapping[str, Component]


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """Stands for one tuple by identity: hashing all components at each look-up would cost more than the look-up."""

    components: tuple[Component, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.components is self.components

    def __hash__(self) -> int:
        return id(self.components)


@lru_cache(maxsize=4)
def _index(same: _Same) -> _Index:
    return _Index(
        {component.key: component for component in same.components},
        {image: component for component in same.components for image in component.images},
        {plain(name): component for component in same.components for name in _words(component)},
    )


def _words(component: Component) -> tuple[str, ...]:
    return component.key, component.title, *component.names


def _check_whole(components: tuple[Component, ...]) -> None:
    """What only shows when all files are read: images and names of two components, exporters that nobody describes."""
    keys = {component.key for component in components}
    images: dict[str, str] = {}
    names: dict[str, str] = {}
    for component in components:
        for image in component.images:
            _claim(images, image, component.key, "image")
        for word in {plain(name) for name in _words(component)}:
            _claim(names, word, component.key, "name")
        exporter = component.metrics.exporter if component.metrics else None
        for other in (*component.exporter_of, *((exporter,) if exporter else ())):
            if other not in keys:
                raise TextError(f"component `{component.key}` names `{other}`, which no file describes")


def _claim(owners: dict[str, str], word: str, key: str, what: str) -> None:
    if owners.setdefault(word, key) != key:
        raise TextError(f"components `{owners[word]}` and `{key}` both have the {what} `{word}`")


# --- one component -------------------------------------------------------------------------------------------


class _Item:
    """The fields of one component as written."""

    def __init__(self, path: str, key: str, line: int, fields: yamlfile.Value) -> None:
        self.path, self.key, self.line = path, key, line
        if not isinstance(fields, yamlfile.Mapping):
            raise self.wrong(f"component `{key}` is no mapping")
        self.fields = fields
        for name in fields:
            if name not in _FIELDS:
                raise self.wrong(f"unknown key `{name}` in component `{key}`", name, did_you_mean(name, _FIELDS))

    def component(self) -> Component:
        values = {_ATTRIBUTES.get(name, name): _FIELDS[name](self, name) for name in self.fields if name != "exporter"}
        for name in ("title", "kind", "images"):
            if name not in values:
                raise self.wrong(f"component `{self.key}` lacks `{name}`")
        if "exporter" in self.fields:
            if "metrics" in self.fields:
                raise self.wrong(f"component `{self.key}` has both `metrics` and `exporter`", "exporter")
            values["metrics"] = Metrics(exporter=self.text("exporter"))
        return Component(key=self.key, **values)  # type: ignore[arg-type]  # the table pairs each name with its type

    def wrong(self, what: str, name: str | None = None, help: str | None = None) -> TextError:
        line = self.line if name is None else self.fields.lines.get(name, self.line)
        return TextError(what, path=self.path, line=line, help=help)

    def _of(self, value: object, kind: type[T], name: str, words: str) -> T:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(f"`{name}` of component `{self.key}` must be {words}", name)
        return value

    def text(self, name: str) -> str:
        return self._of(self.fields[name], str, name, "a text")

    def kind(self, name: str) -> str:
        kind = self.text(name)
        if kind not in KINDS:
            raise self.wrong(f"unknown kind `{kind}` of component `{self.key}`", name, did_you_mean(kind, KINDS))
        return kind

    def flag(self, name: str) -> bool:
        return self._of(self.fields[name], bool, name, "true or false")

    def texts(self, name: str) -> tuple[str, ...]:
        items = tuple(item.strip() for item in self.text(name).split(","))
        if not all(items):
            raise self.wrong(f"`{name}` of component `{self.key}` has an empty item", name)
        return items

    def ports(self, name: str) -> tuple[int, ...]:
        value = self.fields[name]
        return tuple(self._port(item, name) for item in ([value] if isinstance(value, int) else self.texts(name)))

    def _port(self, value: object, name: str) -> int:
        digits = str(value).strip()
        if isinstance(value, bool) or not digits.isascii() or not digits.isdigit() or not 0 < int(digits[:9]) < 65_536:
            raise self.wrong(f"`{value}` in `{name}` of component `{self.key}` is no port", name)
        return int(digits)

    def metrics(self, name: str) -> Metrics:
        port, slash, path = str(self.fields[name]).partition("/")
        return Metrics(self._port(port, name), f"/{path}" if slash else "/metrics")

    def probe(self, name: str) -> DefaultProbe:
        kind, _, address = self.text(name).partition(" ")
        port, slash, path = address.partition("/")
        if (kind, bool(slash)) not in (("tcp", False), ("http", True)):
            raise self.wrong(f"`{name}` of component `{self.key}` is `tcp PORT` or `http PORT/PATH`", name)
        return DefaultProbe(kind, self._port(port, name), f"/{path}" if slash else None)

    def expects(self, name: str) -> tuple[Expect, ...]:
        fields = self._of(self.fields[name], dict, name, "a mapping of finding to reason")
        return tuple(Expect(check, self._of(reason, str, name, "a text")) for check, reason in fields.items())


_FIELDS: Mapping[str, Callable[[_Item, str], object]] = {
    "title": _Item.text,
    "kind": _Item.kind,
    "images": _Item.texts,
    "names": _Item.texts,
    "ports": _Item.ports,
    "metrics": _Item.metrics,
    "exporter": _Item.text,
    "exporter_of": _Item.texts,
    "probe": _Item.probe,
    "log": _Item.text,
    "config": _Item.texts,
    "backing": _Item.flag,
    "slow_start": _Item.flag,
    "admin": _Item.ports,
    "data": _Item.texts,
    "series": _Item.texts,
    "lacks": _Item.texts,
    "replaced_by": _Item.text,
    "expects": _Item.expects,
}
_ATTRIBUTES = {"log": "log_path", "config": "config_files", "admin": "admin_ports", "data": "data_paths"}
