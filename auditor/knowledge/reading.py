"""How components are written down: YAML, a mapping of key to fields, one file a theme.

`schema` has what each field means. The package's own files stand beside this module; a user's add to them. Lists are
YAML's, or texts with commas. A field without a value is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any, TypeVar

from auditor import yamlfile
from auditor.errors import TextError, did_you_mean
from auditor.knowledge import plain, words
from auditor.knowledge.schema import KEY, KINDS, LOG_FORMATS
from auditor.model import Component, DefaultProbe, Expect, Metrics

_FORM = "begin a line with a key such as `our-database:`, and indent its fields below it"

T = TypeVar("T")


def parse_knowledge(texts: Iterable[tuple[str, bytes]]) -> tuple[Component, ...]:
    """The components of several texts, each with its path for messages, in order. Raises TextError."""
    items = _items(texts)
    known = {key: item.component() for key, item in items.items()}
    _check_claims(known, items)
    _check_exporters(known, items)
    return tuple(known.values())


def extend(known: tuple[Component, ...], texts: Iterable[tuple[str, bytes]]) -> tuple[Component, ...]:
    """Known components with what a user's files say, in order. Raises TextError.

    A key that is known changes the fields that it gives; `images` and `names` are added, and a field without a value
    is taken away. An image or a name that is given here belongs to no other component any more.
    """
    items = _items(texts)
    before = {component.key: component for component in known}
    given = {key: item.changed(before[key]) if key in before else item.component() for key, item in items.items()}
    _check_claims({key: _what_is_new(component, before.get(key)) for key, component in given.items()}, items)
    images = {image for component in given.values() for image in component.images}
    names = {plain(name) for component in given.values() for name in words(component)}
    whole = {key: given.get(key) or _without(component, images, names) for key, component in before.items()} | given
    _check_exporters(whole, items)
    return tuple(whole.values())


def _what_is_new(component: Component, before: Component | None) -> Component:
    """The component with only those images and names that it did not have."""
    if before is None:
        return component
    images = tuple(image for image in component.images if image not in before.images)
    return replace(component, images=images, names=tuple(name for name in component.names if name not in before.names))


def _without(component: Component, images: Container[str], names: Container[str]) -> Component:
    """The component without what another has been given."""
    return replace(
        component,
        images=tuple(image for image in component.images if image not in images),
        names=tuple(name for name in component.names if plain(name) not in names),
    )


def _items(texts: Iterable[tuple[str, bytes]]) -> dict[str, _Item]:
    items: dict[str, _Item] = {}
    for path, text in texts:
        parsed = yamlfile.parse(text, path)
        if not isinstance(parsed, yamlfile.Mapping):
            raise TextError("a knowledge file is a mapping of key to component", path=path, line=1, help=_FORM)
        for key, written in parsed.items():
            item = _Item(path, key, parsed.lines[key], written)
            if key in items:
                raise item.wrong(f"component `{key}` is described twice", help="describe it in one place")
            items[key] = item
    return items


def _check_claims(components: Mapping[str, Component], items: Mapping[str, _Item]) -> None:
    """No image and no word stands for two of these components."""
    images: dict[str, str] = {}
    names: dict[str, str] = {}
    for key, component in components.items():
        for image in component.images:
            _claim(images, image, items[key], "image", "images")
        for word in dict.fromkeys(plain(name) for name in words(component)):
            _claim(names, word, items[key], "name", "names")


def _claim(owners: dict[str, str], word: str, item: _Item, what: str, field: str) -> None:
    owner = owners.setdefault(word, item.key)
    if owner != item.key:
        raise item.wrong(f"components `{owner}` and `{item.key}` both have the {what} `{word}`", field)


def _check_exporters(components: Mapping[str, Component], items: Mapping[str, _Item]) -> None:
    """Whoever is said to speak for a component, or to be spoken for, is described."""
    for key, item in items.items():
        component = components[key]
        exporter = component.metrics.exporter if component.metrics else None
        for field, names in (("exporter", (exporter,) if exporter else ()), ("exporter_of", component.exporter_of)):
            for name in names:
                if name not in components:
                    help = did_you_mean(name, components)
                    raise item.wrong(f"component `{key}` names `{name}`, which no file describes", field, help)


# --- one component -------------------------------------------------------------------------------------------


class _Item:
    """The fields of one component as written."""

    def __init__(self, path: str, key: str, line: int, fields: yamlfile.Value) -> None:
        self.path, self.key, self.line = path, key, line
        if not re.fullmatch(KEY, key):
            raise self.wrong(f"`{key}` cannot be the key of a component", help="use small letters, digits and `-`")
        if not isinstance(fields, yamlfile.Mapping):
            raise self.wrong(f"component `{key}` is no mapping")
        self.fields = fields
        for name in fields:
            if name not in _FIELDS:
                raise self.wrong(f"unknown key `{name}` in component `{key}`", name, did_you_mean(name, _FIELDS))
        self.blank = [name for name in fields if fields[name] is None and _attribute(name) in _DEFAULTS]

    def component(self) -> Component:
        """A component of its own. Raises TextError."""
        values = self._values()
        for name in ("title", "kind", "images"):
            if name not in values:
                raise self.wrong(f"component `{self.key}` lacks `{name}`")
        return self._whole(Component(key=self.key, **values))

    def changed(self, known: Component) -> Component:
        """A known component with the fields that are given here. Raises TextError."""
        values = {_attribute(name): _DEFAULTS[_attribute(name)] for name in self.blank} | self._values()
        for name in ("images", "names"):
            if values.get(name):
                values[name] = tuple(dict.fromkeys((*getattr(known, name), *values[name])))
        return self._whole(replace(known, **values))

    def _values(self) -> dict[str, Any]:
        given = [name for name in self.fields if name not in self.blank]
        if "exporter" in given and "metrics" in given:
            raise self.wrong(f"component `{self.key}` has both `metrics` and `exporter`", "exporter")
        return {_attribute(name): _FIELDS[name](self, name) for name in given}

    def _whole(self, component: Component) -> Component:
        for image in component.retired:
            if image not in component.images[1:]:
                help = "the first of `images` is the one to move to" if image in component.images else None
                raise self.wrong(f"`retired` of component `{self.key}` names `{image}`", "retired", help)
        return component

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

    def log_format(self, name: str) -> str:
        form = self.text(name)
        if form not in LOG_FORMATS:
            raise self.wrong(f"`{name}` of component `{self.key}` is json, logfmt or plain", name)
        return form

    def address(self, name: str) -> str:
        address = self.text(name)
        if not address.startswith("https://"):
            raise self.wrong(f"`{name}` of component `{self.key}` must be an https address", name)
        return address

    def seconds(self, name: str) -> int:
        number = self._of(self.fields[name], int, name, "a number of seconds")
        if not 0 < number <= 3600:
            raise self.wrong(f"`{name}` of component `{self.key}` must be a number of seconds up to 3600", name)
        return number

    def exporter(self, name: str) -> Metrics:
        return Metrics(exporter=self.text(name))

    def flag(self, name: str) -> bool:
        return self._of(self.fields[name], bool, name, "true or false")

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.fields[name]
        written = value if isinstance(value, yamlfile.Sequence) else self.text(name).split(",")
        items = tuple(self._of(item, str, name, "a text, or a list of texts").strip() for item in written)
        if not all(items):
            raise self.wrong(f"`{name}` of component `{self.key}` has an empty item", name)
        return items

    def ports(self, name: str) -> tuple[int, ...]:
        value = self.fields[name]
        written = value if isinstance(value, yamlfile.Sequence) else str(value).split(",")
        return tuple(self._port(item, name) for item in written)

    def _port(self, value: object, name: str) -> int:
        digits = str(value).strip()
        if isinstance(value, bool) or not digits.isascii() or not digits.isdigit() or not 0 < int(digits[:9]) < 65_536:
            raise self.wrong(f"`{digits}` in `{name}` of component `{self.key}` is no port", name)
        return int(digits)

    def metrics(self, name: str) -> Metrics:
        if isinstance(self.fields[name], yamlfile.Mapping | yamlfile.Sequence):
            said = f"`{name}` of component `{self.key}` is no port with a path"
            raise self.wrong(said, name, "write it in one, such as `9090` or `8200/v1/sys/metrics`")
        port, slash, path = str(self.fields[name]).partition("/")
        return Metrics(self._port(port, name), f"/{path}" if slash else "/metrics")

    def probe(self, name: str) -> DefaultProbe:
        kind, _, address = self.text(name).partition(" ")
        port, slash, path = address.partition("/")
        if (kind, bool(slash)) not in (("tcp", False), ("http", True)):
            raise self.wrong(f"`{name}` of component `{self.key}` is `tcp PORT` or `http PORT/PATH`", name)
        return DefaultProbe(kind, self._port(port, name), f"/{path}" if slash else None)

    def expects(self, name: str) -> tuple[Expect, ...]:
        found = self._of(self.fields[name], dict, name, "a mapping of finding to reason")
        return tuple(Expect(check, self._of(reason, str, name, "a text")) for check, reason in found.items())


_FIELDS: Mapping[str, Callable[[_Item, str], object]] = {
    "title": _Item.text,
    "kind": _Item.kind,
    "images": _Item.texts,
    "retired": _Item.texts,
    "names": _Item.texts,
    "ports": _Item.ports,
    "admin": _Item.ports,
    "probe": _Item.probe,
    "metrics": _Item.metrics,
    "exporter": _Item.exporter,
    "exporter_of": _Item.texts,
    "pointed_by": _Item.texts,
    "series": _Item.texts,
    "alerts": _Item.address,
    "log_format": _Item.log_format,
    "log": _Item.text,
    "config": _Item.texts,
    "data": _Item.texts,
    "lacks": _Item.texts,
    "start": _Item.seconds,
    "backing": _Item.flag,
    "replaced_by": _Item.text,
    "expects": _Item.expects,
}
# The fields whose names in `Component` are longer, and what each is when it is not given.
_ATTRIBUTES = {
    "log": "log_path", "config": "config_files", "admin": "admin_ports", "data": "data_paths",
    "start": "start_seconds", "exporter": "metrics",
}  # fmt: skip


def _attribute(name: str) -> str:
    return _ATTRIBUTES.get(name, name)


_DEFAULTS = {item.name: item.default for item in fields(Component) if item.default is not MISSING}
