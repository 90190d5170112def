"""What the schema refuses in a merged model, said in the file's own terms, and the rest of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from auditor.compose.merge import Pairs, copied
from auditor.compose.places import Faults
from auditor.compose.schema import NEWER, Node, Raw, Schema
from auditor.errors import did_you_mean
from auditor.frozen import dataclass
from auditor.yamlfile import Mapping, Sequence, Value

Path: TypeAlias = "tuple[str | int, ...]"

# What one kind of the schema is called; the order is that of a message.
_NAMES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_SCALARS = frozenset(("string", "number", "integer", "boolean"))
_SECTIONS = {"services": "service", "networks": "network", "volumes": "volume", "configs": "config"}
_SECTIONS |= {"secrets": "secret", "models": "model"}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is not as it should be. `drop`: whether the rest can be had by leaving the value out."""

    path: Path
    position: int
    message: str
    help: str | None = None
    drop: bool = True


def _never(_value: Value) -> bool:
    """That no value is one of which nothing can be said."""
    return False


def conform(
    model: Mapping,
    schema: Schema,
    faults: Faults,
    unknown: Callable[[Value], bool] = _never,
    *,
    whole: bool = True,
) -> Mapping:
    """The model without what the schema refuses, each of it said at its line. What is right is shared, not copied.

    `unknown`: whether a value comes of variables that nobody set; it passes wherever a single value does. `whole`:
    without it another file comes over the model, and only after the last one are texts read as booleans.
    """
    if schema.accepts(model):
        return model
    dropped: _Tree = {}
    walk = _Walk(schema, faults, unknown, whole=whole)
    found = list(walk.mapping(model, schema.root, (), model.line))
    if not found and not walk.excused:
        faults.add("the file is not as the schema of Compose wants it", _deepest(model, schema.first(model)))
    for wrong in found:
        service = wrong.path[1] if len(wrong.path) > 1 and wrong.path[0] == "services" else None
        named = service if isinstance(service, str) and service in _services(model) else None
        faults.add(wrong.message, wrong.position, help=wrong.help, service=named)
        if wrong.drop:
            _mark(dropped, wrong.path)
    kept = _without(model, dropped)
    return kept if isinstance(kept, Mapping) else model


def _services(model: Mapping) -> Mapping:
    section = model.get("services")
    return section if isinstance(section, Mapping) else Mapping()


def _deepest(model: Value, path: Path) -> int:
    """The position of what a path leads to, as far as it does."""
    position = 1
    for part in path:
        if isinstance(model, Mapping) and part in model:
            position, model = model.lines[str(part)], model[str(part)]
        elif isinstance(model, Sequence) and isinstance(part, int):
            position, model = model.lines[part], model[part]
    return position


# --- leaving out -----------------------------------------------------------------------------------------------------

_Tree: TypeAlias = "dict[str | int, _Tree | None]"


def _mark(tree: _Tree, path: Path) -> None:
    for part in path[:-1]:
        inner = tree.setdefault(part, {})
        if inner is None:
            return
        tree = inner
    tree[path[-1]] = None


def _without(value: Value, dropped: _Tree) -> Value:
    """A value without the paths of a tree; None in it ends a path."""
    if not dropped:
        return value
    if isinstance(value, Mapping):
        result = copied(value)
        for key, inner in dropped.items():
            if inner is not None:
                result[str(key)] = _without(value[str(key)], inner)
            else:
                del result[str(key)]
        return result
    if isinstance(value, Sequence):
        kept = [index for index in range(len(value)) if dropped.get(index, _NOTHING) is not None]
        items = [_without(value[index], dropped.get(index) or {}) for index in kept]
        return Sequence(items, line=value.line, lines=[value.lines[index] for index in kept])
    return value


_NOTHING: _Tree = {}


# --- looking ---------------------------------------------------------------------------------------------------------


class _Walk:
    """The model and the schema, side by side."""

    def __init__(self, schema: Schema, faults: Faults, unknown: Callable[[Value], bool], *, whole: bool) -> None:
        self.node = schema.node
        self.faults = faults
        self.unknown = unknown
        self.whole = whole
        self.excused = False  # whether something stands where it was not judged

    def value(self, value: Value, raw: Raw, path: Path, position: int) -> Iterator[Wrong]:
        """All that is wrong with a value, the outermost alone where nothing inside can be judged."""
        node = self.node(raw)
        if not self._admits(value, node):
            yield mistyped(value, self._wanted(node), path, position)
            return
        if isinstance(value, Mapping):
            yield from self.mapping(value, node, path, position)
        elif isinstance(value, Sequence):
            yield from self._items(value, node, path)
        else:
            if not self._variable(value) and not self._becomes(value, node):
                yield from _misspelt(value, node, path, position)
        yield from self._branches(value, node, path, position)

    def mapping(self, value: Mapping, node: Node, path: Path, position: int) -> Iterator[Wrong]:
        for key, item in value.items():
            known = False
            for raw in _said_of(key, node):
                known = True
                yield from self.value(item, raw, (*path, key), value.lines[key])
            if not known and not node.open and not self._is_item(key, value):
                yield self._unknown(key, node, path, value.lines[key])
        for key in node.required:
            if key not in value:
                yield Wrong(path, position, f"{_owner(path)} lacks `{key}`", drop=False)

    def _is_item(self, key: str, value: Mapping) -> bool:
        """Whether a key without a name is one all the same: in pairs that are a list for Compose."""
        passes = key == "" and isinstance(value, Pairs)
        self.excused |= passes
        return passes

    def _items(self, value: Sequence, node: Node, path: Path) -> Iterator[Wrong]:
        if node.items is not None:
            for index, item in enumerate(value):
                yield from self.value(item, node.items, (*path, index), value.lines[index])
        if node.unique:
            yield from _twice(value, path)

    def _branches(self, value: Value, node: Node, path: Path, position: int) -> Iterator[Wrong]:
        """What is wrong by the branch that is meant: the one of the value's own type."""
        meant = [raw for raw in node.branches if self._admits(value, self.node(raw))]
        if len(meant) > 1 and any(not list(self.value(value, raw, path, position)) for raw in meant):
            return
        if meant:
            yield from self.value(value, meant[0], path, position)

    def _admits(self, value: Value, node: Node) -> bool:
        """Whether a value has a type that is wanted. A variable whose value is not known passes as any."""
        if node.types is not None and not node.types & _kinds(value):
            return self._variable(value) and not node.types.isdisjoint(_SCALARS)
        return not node.branches or any(self._admits(value, self.node(raw)) for raw in node.branches)

    def _variable(self, value: Value) -> bool:
        passes = self.unknown(value)
        self.excused |= passes
        return passes

    def _becomes(self, value: Value, node: Node) -> bool:
        """Whether a text is to become a boolean, and need not be one yet."""
        passes = not self.whole and isinstance(value, str) and "boolean" in (node.types or ())
        self.excused |= passes
        return passes

    def _wanted(self, node: Node) -> frozenset[str]:
        inner = (self._wanted(self.node(raw)) for raw in node.branches)
        return frozenset().union(node.types or (), *inner)

    def _unknown(self, key: str, node: Node, path: Path, position: int) -> Wrong:
        section = _SECTIONS.get(str(path[0])) if len(path) == 1 else None
        if section:
            advice = "use letters, digits, `.`, `_`, `-`"
            return Wrong((*path, key), position, f"`{_cut(key)}` is no name of a {section}", advice)
        near = "only newer versions of Compose know it" if key in NEWER else self.faults.near(key, node.properties)
        return Wrong((*path, key), position, f"unknown key `{_cut(key)}` in {_holder(path)}", near)


def _said_of(key: str, node: Node) -> Iterator[Raw]:
    if key in node.properties:
        yield node.properties[key]
    for pattern, raw in node.patterns.items():
        if pattern.search(key):
            yield raw


_KINDS: dict[type, frozenset[str]] = {
    str: frozenset(("string",)),
    bool: frozenset(("boolean",)),
    int: frozenset(("integer", "number")),
    type(None): frozenset(("null",)),
}


def _kinds(value: Value) -> frozenset[str]:
    """The types of the schema that a value has."""
    if isinstance(value, Mapping):
        return frozenset(("object",))
    if isinstance(value, Sequence):
        return frozenset(("array",))
    if isinstance(value, float):
        return _KINDS[int] if value.is_integer() else frozenset(("number",))
    return _KINDS.get(type(value), _KINDS[str])


# --- saying ----------------------------------------------------------------------------------------------------------


def mistyped(value: Value, wanted: frozenset[str], path: Path, position: int) -> Wrong:
    """That a value is not of the types of the schema that are wanted."""
    kinds = _kinds(value)
    found = next(name for kind, name in _NAMES.items() if kind in kinds)
    if "number" in wanted:
        wanted -= {"integer"}
    elif "boolean" in wanted:
        wanted -= {"string"}  # which stands in the schema for a variable that gives `true`
    names = " or ".join(name for kind, name in _NAMES.items() if kind in wanted)
    as_text = "string" in wanted and not kinds.isdisjoint(_SCALARS - ({"number"} if "integer" in wanted else set()))
    quotes = "put it into quotes" if as_text else None
    return Wrong(path, position, f"{_owner(path)} is {found}, where Compose wants {names}", quotes)


def _misspelt(value: Value, node: Node, path: Path, position: int) -> Iterator[Wrong]:
    """A single value outside what the schema lists or bounds. It is not shown: it may be a secret in a wrong place."""
    if node.options is not None and value not in node.options:
        names = ", ".join(f"`{option}`" for option in node.options)
        near = did_you_mean(str(value)[:60], node.options)
        yield Wrong(path, position, f"{_owner(path)} is none of {names}", near)
    if node.pattern is not None and isinstance(value, str) and not node.pattern.search(value):
        if node.types and "boolean" in node.types:
            yield mistyped(value, node.types, path, position)
            return
        if value == "":
            yield Wrong(path, position, f"{_owner(path)} is empty")
            return
        yield Wrong(path, position, f"{_owner(path)} is not of the form `{node.pattern.pattern}`")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if node.least is not None and value < node.least:
            yield Wrong(path, position, f"{_owner(path)} is less than {node.least}")
        if node.most is not None and value > node.most:
            yield Wrong(path, position, f"{_owner(path)} is more than {node.most}")


def _twice(items: Sequence, path: Path) -> Iterator[Wrong]:
    seen: set[tuple[frozenset[str], str]] = set()
    for index, item in enumerate(items):
        if isinstance(item, Mapping | Sequence):
            continue
        if (known := (_kinds(item), str(item))) in seen:
            message = f"{_owner((*path, index))} is there twice"
            yield Wrong((*path, index), items.lines[index], message, "leave it out here")
        seen.add(known)


def _owner(path: Path) -> str:
    """What a path is called in a message, the service left out where the value stands in one."""
    if len(path) == 2 and path[0] == "services":
        return f"service `{_cut(str(path[1]))}`"
    inside = path[2:] if path[0] == "services" and len(path) > 2 else path
    dotted = ".".join(_cut(part) for part in inside if isinstance(part, str))
    return f"an item of `{dotted}`" if isinstance(path[-1], int) else f"`{dotted}`"


def _holder(path: Path) -> str:
    """The same for a mapping that holds something; an item is called as its list is."""
    return _owner(path).removeprefix("an item of ") if path else "the file"


def _cut(key: str) -> str:
    return key[:60]
