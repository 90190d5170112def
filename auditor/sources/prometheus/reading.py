"""One pass over a Prometheus configuration: its places and faults, and the files that it names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from auditor import yamlfile
from auditor.errors import TextError
from auditor.model import Fault, Location, RulePattern
from auditor.regexp import regexp
from auditor.tree import Tree, join
from auditor.yamlfile import Mapping, Sequence, Value, locate

Resolve = Callable[[str], "str | None"]

IN_CONTAINER = "/etc/prometheus"  # where the images keep their configuration
_WILD = regexp(r"[*?\[]")


@dataclass(slots=True)
class Reading:
    """What is read, and the faults that were found so far. place: of the configuration in the container, if mounted."""

    tree: Tree
    path: str
    environment: str
    resolve: Resolve
    place: str | None = None
    faults: list[Fault] = field(default_factory=list)

    def at(self, container: Value, key: str | int | None = None, path: str | None = None) -> Location:
        return Location(path or self.path, locate(container, key))

    def fault(self, message: str, location: Location, check: str = "invalid-yaml") -> None:
        self.faults.append(Fault(check, message, location, environment=self.environment))

    def mappings(self, parent: Mapping, key: str, path: str | None = None) -> Iterator[Mapping]:
        """The mappings of a list; anything else in its place is a fault."""
        for index, item in enumerate(self.items(parent, key, path)):
            if isinstance(item, Mapping):
                yield item
            else:
                self.fault(f"an item of `{key}` is no mapping", self.at(parent.get(key), index, path))

    def items(self, parent: Mapping, key: str, path: str | None = None) -> Sequence:
        value = parent.get(key)
        if value is None:
            return Sequence()
        if not isinstance(value, Sequence):
            self.fault(f"`{key}` is no list", self.at(parent, key, path))
            return Sequence()
        return value

    def mapping(self, parent: Mapping, key: str, path: str | None = None) -> Mapping:
        """The mapping below a key, an empty one where there is none."""
        value = parent.get(key)
        if value is None or isinstance(value, Mapping):
            return value or Mapping()
        self.fault(f"`{key}` is no mapping", self.at(parent, key, path))
        return Mapping()

    def text(self, parent: Mapping, key: str, default: str, path: str | None = None) -> str:
        value = parent.get(key)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        self.fault(f"`{key}` is no text", self.at(parent, key, path))
        return default

    # --- files that the configuration names ------------------------------------------------------------------

    def patterns(self, parent: Mapping, key: str) -> Iterator[RulePattern]:
        items = self.items(parent, key)
        for index, item in enumerate(items):
            location = self.at(items, index)
            if isinstance(item, str) and item:
                yield RulePattern(item, location, self.matching(item))
            else:
                self.fault(f"an item of `{key}` is no text", location)

    def parsed(self, path: str, check: str = "invalid-yaml") -> Value:
        """What a file holds that the configuration names; None, and a fault, where it is no YAML."""
        data = self.tree.read(path)
        try:
            return yamlfile.parse(data, path, dialect="go")
        except TextError as error:
            self.fault(error.what, Location(path, error.line), check)
            return None

    def matching(self, pattern: str) -> tuple[str, ...] | None:
        """The files of the tree that Prometheus would find; None where the path leads out of what is known."""
        place = self.in_tree(pattern)
        if not place:
            return None if place is None else ()
        # Go's Glob knows no `**`, and `[^a]` where Python writes `[!a]`.
        place = re.sub(r"\*\*+", "*", place).replace("[^", "[!")
        if not _WILD.search(place):
            return (place,) if self.tree.exists(place) else ()
        return tuple(self.tree.glob(place))

    def in_tree(self, path: str) -> str | None:
        if self.place or path.startswith("/"):
            found = self.resolve(posixpath.join(posixpath.dirname(self.place or ""), path))
            if found is not None or self.place:
                return found
        # Without a mount to follow, the image's own directory stands for that of the configuration.
        relative = path.removeprefix(f"{IN_CONTAINER}/")
        try:
            return join(posixpath.dirname(self.path), relative)
        except TextError:
            return None
