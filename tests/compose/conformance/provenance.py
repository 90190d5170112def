"""Where a value is written, told by nothing but the texts of the files: what stands on which line, read by PyYAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import yaml

Path = tuple[str, ...]
# Keys that are printed below another one, too: a dependency on the service that they name, a number, a file's name.
_ALSO = {
    "depends_on": frozenset(("links", "network_mode", "ipc", "pid", "uts", "cgroup", "volumes_from")),
    "replicas": frozenset(("scale",)),
    "secrets": frozenset(("source",)),
}
_INDENT = 60  # more than any block is indented


@dataclass(frozen=True)
class Written:
    """A key of a mapping with its value, or an item of a list (`key` is None), as it stands in one file.

    `path`: the keys above. `line` is where it begins. `texts`: each scalar in it, what its aliases name too.
    `span`: from its first character to the last one of its value; `single`: whether that is a scalar, `value`: its
    span where it is none that an alias names. `flow`: whether braces or brackets hold it; `anchored`: an alias may
    bring it.
    """

    path: Path
    key: str | None
    line: int
    texts: tuple[str, ...]
    span: tuple[int, int]
    value: tuple[int, int] | None
    single: bool
    flow: bool
    anchored: bool

    @property
    def names(self) -> frozenset[str]:
        """What it may be called in the merged model: its key, that of its list, and the name in `NAME=value`."""
        if self.key is not None:
            return frozenset((self.key,))
        lists = [part for part in self.path if not part.isdigit()]
        return frozenset((*lists[-1:], *(text.partition("=")[0] for text in self.texts[:1])))


@dataclass(frozen=True)
class _Node:
    kind: str  # of `map`, `list`, `text`
    line: int
    span: tuple[int, int]
    flow: bool = False
    text: str = ""
    alias: bool = False
    inner: list[_Node] = field(default_factory=list)
    anchored: bool = False


@cache
def written(text: str) -> tuple[Written, ...]:
    """All that stands in a YAML text."""
    events = iter(yaml.parse(text, Loader=yaml.SafeLoader))
    found: list[Written] = []
    anchors: dict[str, _Node] = {}
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            found += _below(_node(next(events), events, anchors), ())
    return tuple(found)


def _node(event: Any, events: Iterator[Any], anchors: dict[str, _Node]) -> _Node:
    line, start = event.start_mark.line + 1, event.start_mark.index
    if isinstance(event, yaml.AliasEvent):
        return replace(anchors[event.anchor], line=line, span=(start, event.end_mark.index), alias=True)
    if isinstance(event, yaml.ScalarEvent):
        made = _Node("text", line, (start, event.end_mark.index), text=event.value)
    else:
        inner = []
        while not isinstance(following := next(events), yaml.MappingEndEvent | yaml.SequenceEndEvent):
            inner.append(_node(following, events, anchors))
        kind, flow = "map" if isinstance(event, yaml.MappingStartEvent) else "list", bool(event.flow_style)
        end = following.end_mark.index if flow else max((node.span[1] for node in inner), default=start)
        made = _Node(kind, line, (start, end), flow, inner=inner)
    if event.anchor:
        made = anchors[event.anchor] = replace(made, anchored=True)
    return made


def _below(node: _Node, path: Path, anchored: bool = False) -> Iterator[Written]:
    if node.alias:
        return
    anchored = anchored or node.anchored
    for key, value in zip(node.inner[::2], node.inner[1::2], strict=True) if node.kind == "map" else ():
        yield _one(path, key, value, node, anchored)
        yield from _below(value, (*path, key.text), anchored)
    for number, item in enumerate(node.inner if node.kind == "list" else ()):
        yield _one(path, None, item, node, anchored)
        yield from _below(item, (*path, str(number)), anchored)


def _one(path: Path, key: _Node | None, value: _Node, holder: _Node, anchored: bool) -> Written:
    first, single = key or value, value.kind == "text"
    return Written(
        path,
        key=key.text if key else None,
        line=first.line,
        texts=tuple(_texts(value)),
        span=(first.span[0], value.span[1]),
        value=value.span if single and not value.alias else None,
        single=single,
        flow=holder.flow,
        anchored=anchored,
    )


def _texts(node: _Node) -> Iterator[str]:
    if node.kind == "text":
        yield node.text
    for item in node.inner:
        yield from _texts(item)


def spread(text: str) -> str:
    """The same YAML with a line for each key and item, so that a line names one thing alone."""
    for start in sorted({one.span[0] for one in written(text) if one.flow}, reverse=True):
        text = f"{text[:start]}\n{' ' * _INDENT}{text[start:]}"
    return text


# --- does a line hold a value? ---------------------------------------------------------------------------------------


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every value of a model that holds no other one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from leaves(item, (*path, str(key)))
    if path and not (isinstance(value, dict | list) and value):
        yield path, value


def shown(value: object) -> str:
    """A printed value as a file would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or value == {} or value == [] else str(value).replace("$$", "$")


def is_compose(name: str) -> bool:
    """Whether a file of a case is no env file; one is called as standard input is."""
    return name == "-" or name.endswith((".yaml", ".yml"))


def begun(text: str) -> int:
    """The line on which the first mapping of a text begins, braces and all."""
    events = yaml.parse(text, Loader=yaml.SafeLoader)
    return next(e.start_mark.line + 1 for e in events if isinstance(e, yaml.MappingStartEvent))


def why(path: Path, value: object, name: str, text: str, line: int) -> str | None:
    """How a line of a file is what decided a value; None where it cannot be.

    `value`: its text, or a part of it, stands there under a key of the path. `variable`: an expression does. `form`:
    the value's own key does, and its value in another form (`90s` for `1m30s`). `cause`: nobody wrote the value, and
    what stands there is what it was added to. `start`: nobody wrote any part of its path, and the file begins there.
    """
    if not is_compose(name):
        raw, key = text.splitlines()[line - 1].lstrip("\ufeff"), re.escape(path[-1])
        given = rf"=?{re.escape(shown(value))}" if not key else rf"{key}\s*(?:[=:]|$)"  # a value alone
        return "value" if re.match(rf"\s*(?:export\s+)?{given}", raw) else None
    stands, own = written(text), {shown(path[-1]), path[-1].lower(), *_ALSO.get(path[-1], ())}
    if "=" in shown(value):  # an item that was a key with its value
        own.add(shown(value).partition("=")[0])
    wanted = own.union(path, *(_ALSO.get(part, ()) for part in path))
    mine = [one for one in stands if one.line == line and (one.anchored or one.names & wanted)]
    texts = [part for one in mine if one.single for part in one.texts]
    texts += [part.lower() for part in texts if isinstance(value, bool)]
    if shown(value) and any(shown(value) in part for part in texts):
        return "value"
    if any(one.line == line and one.key == shown(value) and path[-2:-1] == one.path[-1:] for one in stands):
        return "value"  # a name of a mapping that became an item
    if any("$" in part for part in texts):
        return "variable"
    if any(one.key in own or (one.key is None and path[-1] in one.names) for one in mine):
        return "form"
    if any((*one.path, one.key) == other.path and other.key == path[-1] for one in mine for other in stands):
        return None  # it is written after all, one line below
    return "cause" if mine else "start" if line in (begun(text), min(one.line for one in stands)) else None


# --- does a line decide a value? -------------------------------------------------------------------------------------


def changed(path: Path, value: object, text: str, line: int) -> str | None:
    """The file with another value on a line; None where the value does not stand there as it is printed."""
    for one in written(text):
        if one.line == line and one.value and shown(value) and (one.key in path or one.key is None):
            start, end = one.value
            raw = text[start:end]
            if "$" not in raw and shown(value) in raw:
                return text[:start] + raw.replace(shown(value), another(shown(value))) + text[end:]
    return None


def another(value: str) -> str:
    """A value of the same kind."""
    if value in ("true", "false"):
        return "false" if value == "true" else "true"
    if digits := re.search(r"\d+(?=\D*$)", value):
        return f"{value[: digits.start()]}{int(digits[0]) + 7}{value[digits.end() :]}"  # which nothing beside it is
    return f"{value}x"


def without(path: Path, text: str, line: int) -> str | None:
    """The file without the key on a line; None where it is no key with a single value."""
    for one in written(text):
        if one.line == line and one.key == path[-1] and one.value and "\n" not in text[slice(*one.span)].strip():
            after = text[one.span[1] :]
            comma = re.match(r"\s*,", after) if one.flow else None
            return text[: one.span[0]] + after[comma.end() if comma else 0 :]
    return None
