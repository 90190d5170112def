"""One Compose model over another, by the rules of each key. Nothing that is merged is ever changed.

A key that stays or is deepened keeps the position where it began; one that is replaced takes the
position of what replaced it, and remembers the one before (`Merged.overrode`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from auditor.compose.interpolate import Text, written
from auditor.compose.mounts import sections
from auditor.compose.places import Faults
from auditor.compose.values import go_text, scalar_text
from auditor.yamlfile import Mapping, Sequence, Tagged, Value

TAGS = frozenset(("!reset", "!override"))
_MOST_SUBNETS = 10_000  # pairs of subnets that are compared


class Merged(Mapping):
    """A mapping that came of several. `overrode`: key -> positions of the values that lost, the latest first."""

    __slots__ = ()

    @classmethod
    def of(cls, base: Mapping) -> Merged:
        merged = cls(base, line=base.line, lines=dict(base.lines))
        merged.overrode = dict(lost(base))
        return merged


class Pairs(Merged):
    """`NAME=value` pairs that came of several places: a list for Compose from then on."""

    __slots__ = ()


_NONE: dict[str, tuple[int, ...]] = {}


def lost(mapping: Mapping) -> dict[str, tuple[int, ...]]:
    """Key -> positions of the values that lost against its own, in other files or under a `<<`."""
    return getattr(mapping, "overrode", _NONE)


def copied(mapping: Mapping) -> Mapping:
    """A mapping of its own with the same values, which still knows what it overrode."""
    if isinstance(mapping, Merged):
        return type(mapping).of(mapping)
    result = Mapping(mapping, line=mapping.line, lines=dict(mapping.lines))
    if overrode := lost(mapping):
        result.overrode = dict(overrode)
    return result


Rule: TypeAlias = "Callable[[Value, Value, Where], Value]"


class Where:
    """What a rule needs besides two values: the key for messages, the positions of both values, the faults."""

    __slots__ = ("before", "faults", "keep", "key", "position", "service")

    def __init__(
        self, faults: Faults, key: str, position: int, service: str | None, *, before: int = 0, keep: bool = False
    ) -> None:
        self.faults = faults
        self.key = key
        self.before = before  # of the earlier value
        self.position = position
        self.service = service
        self.keep = keep  # tags stay on their values, for they hold against what comes beneath the result too

    def conflict(self, base: Value, over: Value) -> Value:
        """Says that a list stands against a mapping or the like, and keeps the base."""
        message = f"cannot override `{self.key}`: {kind(over)} over {kind(base)}"
        self.faults.add(message, self.position, service=self.service, fatal=True, help="write both in the same form")
        return base


def kind(value: Value) -> str:
    """What a value is, in words."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        return "a list"
    return "nothing" if value is None else "a single value"


def merge_mapping(base: Mapping, over: Mapping, rules: dict[str, Rule], where: Where) -> Mapping:
    """`over` upon `base`; keys without a rule follow `generic`."""
    merged = type(base).of(base) if isinstance(base, Merged) else Merged.of(base)
    faults, service, below = where.faults, where.service, lost(over)
    for key, value in over.items():
        position = over.lines[key]
        before = unwrap(merged.get(key))
        result: Value
        if isinstance(value, Tagged):
            if where.keep:
                result = value
            elif value.tag == "!reset":
                if key in merged:  # what Compose puts in its place is decided here
                    del merged[key]
                    merged.overrode[key] = (merged.lines[key], *merged.overrode.get(key, ()))
                    merged.lines[key] = position
                continue
            else:
                result = value.value
        elif before is None:
            result = value
        elif value is None and rules.get(key) is not replace:
            if rules.get(key) in (by_key, all_pairs) and isinstance(before, Mapping):
                # What nothing comes over came of two places all the same.
                merged[key] = Pairs.of(before) if rules[key] is by_key else _sorted_texts(before)
            continue
        else:
            rule = rules.get(key, generic)
            at = merged.lines.get(key, merged.line)
            result = rule(before, value, Where(faults, key, position, service, before=at, keep=where.keep))
            if result is not value:
                merged[key] = result
                continue
        if key in merged.lines:
            merged.overrode[key] = (*below.get(key, ()), merged.lines[key], *merged.overrode.get(key, ()))
        elif key in below:
            merged.overrode[key] = below[key]
        merged[key] = result
        merged.lines[key] = position
    return merged


def unwrap(value: Value) -> Value:
    """A value without its tag; what was reset is nothing."""
    if not isinstance(value, Tagged):
        return value
    return None if value.tag == "!reset" else value.value


# --- rules: the value that results; the later one itself where it replaces ---------------------------------


def replace(_base: Value, over: Value, _where: Where) -> Value:
    """The later value alone."""
    return over


def generic(base: Value, over: Value, where: Where) -> Value:
    """Mappings deepen, lists append, single values replace."""
    if isinstance(base, Mapping):
        return merge_mapping(base, over, {}, where) if isinstance(over, Mapping) else where.conflict(base, over)
    if isinstance(base, Sequence):
        return appended(base, over) if isinstance(over, Sequence) else where.conflict(base, over)
    return over  # over a single value, whatever it is: the schema judges that


def appended(base: Sequence, over: Sequence) -> Sequence:
    return Sequence((*base, *over), line=base.line, lines=[*base.lines, *over.lines])


def nested(rules: dict[str, Rule]) -> Rule:
    """A mapping whose keys have rules of their own."""

    def rule(base: Value, over: Value, where: Where) -> Value:
        if isinstance(base, Mapping) and isinstance(over, Mapping):
            return merge_mapping(base, over, rules, where)
        return generic(base, over, where)

    return rule


def listed(base: Value, over: Value, where: Where) -> Value:
    """A single text counts as a list of one."""
    return generic(_as_list(base, where.before), _as_list(over, where.position), where)


def _as_list(value: Value, position: int) -> Value:
    if isinstance(value, Mapping):  # as Compose has it: its pairs as texts
        return _as_texts(value)
    return value if isinstance(value, Sequence) else Sequence((value,), line=position, lines=[position])


def by_key(base: Value, over: Value, where: Where) -> Value:
    """`NAME=value` lists and mappings are one."""
    left, right = _in_order(base, where), _in_order(over, where)
    if left is None or right is None:
        return where.conflict(base, over)
    if isinstance(base, Sequence | Pairs):  # a list for Compose, from which it takes nothing away
        right = right if where.keep else _without_resets(right)
    # A name without a value is one: it takes the environment's, and hides what stood here.
    replaced: dict[str, Rule] = dict.fromkeys((key for key in right if right[key] is None), replace)
    return merge_mapping(left if isinstance(left, Pairs) else Pairs.of(left), right, replaced, where)


def all_pairs(base: Value, over: Value, where: Where) -> Value:
    """`NAME=value` lists and mappings as one list, in which an equal item is one too many, and others all stay."""
    if isinstance(base, Mapping) and isinstance(over, Mapping) and not where.keep:
        base = _without(base, _reset(over))
    left, right = (_sorted_texts(value) if isinstance(value, Mapping) else value for value in (base, over))
    return generic(left, right, where)


def _sorted_texts(value: Mapping) -> Sequence:
    made = _as_texts(value)
    found = sorted(zip(made, made.lines, strict=True), key=lambda pair: str(pair[0]))
    return Sequence([item for item, _ in found], line=made.line, lines=[line for _, line in found])


def _without_resets(pairs: Mapping) -> Mapping:
    return _without(pairs, _reset(pairs))


def _reset(pairs: Mapping) -> list[str]:
    return [key for key, item in pairs.items() if isinstance(item, Tagged) and item.tag == "!reset"]


def _without(pairs: Mapping, keys: list[str]) -> Mapping:
    if not keys:
        return pairs
    result = copied(pairs)
    for key in keys:
        result.pop(key, None)
    return result


def _in_order(value: Value, where: Where) -> Mapping | None:
    """Pairs as Compose merges them: a mapping becomes a list in the order of its names, a list stays in its own."""
    if isinstance(value, Sequence):
        for item, position in zip(value, value.lines, strict=True):
            if not isinstance(unwrap(item), str) and not isinstance(item, Tagged):
                message = f"an item of `{where.key}` is {kind(item)}, where Compose wants `NAME=value`"
                where.faults.add(message, position, service=where.service)
        return keyed(value)
    if not isinstance(value, Mapping) or isinstance(value, Pairs):
        return value if isinstance(value, Pairs) else None
    result = Mapping(line=value.line, lines=value.lines)
    if overrode := lost(value):
        result.overrode = overrode
    for key in sorted(value):
        item = value[key]
        if isinstance(item, Sequence | Mapping):  # each item a pair, in their order as texts, and the last one wins
            if item == []:
                continue
            item = max(go_text(unwrap(one)) for one in item) if isinstance(item, Sequence) else go_text(item)
        result[key] = item
    return result


def by_name(defaults: Callable[[int], Value]) -> Rule:
    """A list of names counts as a mapping to `defaults`."""

    def rule(base: Value, over: Value, where: Where) -> Value:
        left, right = named(base, defaults), named(over, defaults)
        if left is None or right is None:
            return where.conflict(base, over)
        return merge_mapping(left, right, {}, where)

    return rule


def _build(base: Value, over: Value, where: Where) -> Value:
    return _BUILD(build_mapping(base, where.before), build_mapping(over, where.position), where)


def build_mapping(value: Value, position: int) -> Value:
    """`build: DIR` in its long form."""
    return Mapping({"context": value}, line=position, lines={"context": position}) if isinstance(value, str) else value


def _hosts(base: Value, over: Value, where: Where) -> Value:
    """A name may have several addresses, so mappings count as lists of `name=address`; what is there is not added."""
    left, right = _as_hosts(base), _as_hosts(over)
    if isinstance(left, Sequence) and isinstance(right, Sequence):
        new = [(item, line) for item, line in zip(right, right.lines, strict=True) if item not in left]
        right = Sequence([item for item, _ in new], line=right.line, lines=[line for _, line in new])
    return generic(left, right, where)


def _as_hosts(value: Value) -> Value:
    return _as_texts(value) if isinstance(value, Mapping) else value


def _as_texts(value: Mapping) -> Sequence:
    """A mapping as a list of `name=value`, one for each item of a list in it."""
    found: list[tuple[Value, int]] = []
    for name in sorted(value):
        if isinstance(value[name], Tagged) and unwrap(value[name]) is None:
            continue  # a reset takes nothing out of a list
        items = given if isinstance(given := unwrap(value[name]), Sequence) else [given]
        shown = (name if item is None else f"{name}={scalar_text(item)}" for item in map(unwrap, items))
        found += [(text, value.lines[name]) for text in shown]
    return Sequence([text for text, _ in found], line=value.line, lines=[line for _, line in found])


def _last_of_each(both: Value, known_by: Callable[[Value], object]) -> Value:
    """A list with the last item of each key, where the first one stood."""
    if not isinstance(both, Sequence):
        return both
    found: dict[object, tuple[Value, int]] = {}
    for item, position in zip(both, both.lines, strict=True):
        found[known_by(item)] = (item, position)
    return Sequence([item for item, _ in found.values()], line=both.line, lines=[line for _, line in found.values()])


def _by_path(base: Value, over: Value, where: Where) -> Value:
    """`env_file`: a path that is there already keeps its place, and takes what is said of it later."""
    return _last_of_each(listed(base, over, where), _path)


def _path(item: Value) -> object:
    path = item.get("path") if isinstance(item, Mapping) else item
    return path if isinstance(path, str) else id(item)


def _by_target(base: Value, over: Value, where: Where) -> Value:
    """`volumes`: the last mount of each target, as it is written, where the first one stood."""
    return _last_of_each(generic(base, over, where), _target)


def _target(item: Value) -> object:
    if isinstance(item, Mapping):
        target = unwrap(item.get("target"))
        return target if isinstance(target, str) and target else id(item)
    parts = sections(item) if isinstance(item, str) else []
    return (parts[1] if len(parts) > 1 else parts[0]) if all(parts) and parts else id(item)


def _subnets(base: Value, over: Value, where: Where) -> Value:
    """`ipam.config`, the way Compose goes through it: each earlier entry under each later one, one result a subnet."""
    if not (isinstance(base, Sequence) and isinstance(over, Sequence)):
        return generic(base, over, where)
    if len(base) * len(over) > _MOST_SUBNETS:
        return appended(base, over)
    found: dict[object, tuple[Value, int]] = {}
    for before in base:
        for item, position in zip(over, over.lines, strict=True):
            if not (isinstance(before, Mapping) and isinstance(item, Mapping)):
                return appended(base, over)
            subnet = _key(item.get("subnet"))
            if subnet != _key(before.get("subnet")) and subnet not in found:
                found[subnet] = (item, position)
            else:
                found[subnet] = (merge_mapping(before, item, {}, where), position)
    return Sequence([item for item, _ in found.values()], line=base.line, lines=[line for _, line in found.values()])


def _key(value: Value) -> object:
    return value if isinstance(value, str) else None


def as_read(service: Mapping) -> Mapping:
    """A service of a file that Compose has read: `gpus: all` is a list of one, which another `all` cannot override."""
    if service.get("gpus") != "all":
        return service
    result, position = copied(service), service.lines["gpus"]
    every = Mapping({"count": "all"}, line=position, lines={"count": position})
    result["gpus"] = Sequence((every,), line=position, lines=[position])
    return result


def _logging(base: Value, over: Value, where: Where) -> Value:
    """Options mix only while the driver is the same or left open on one side."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        drivers = {driver for driver in (base.get("driver"), over.get("driver")) if isinstance(driver, str)}
        if len(drivers) > 1:
            return over
    return generic(base, over, where)


def _ulimits(base: Value, over: Value, where: Where) -> Value:
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return where.conflict(base, over)
    return merge_mapping(base, over, dict.fromkeys(over, replace), where)


# --- the two spellings of one thing --------------------------------------------------------------------------


def keyed(value: Value) -> Mapping | None:
    """`[NAME=value, NAME]` as a mapping (a lone NAME has None); None where it is neither list nor mapping."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, Sequence):
        return None
    result = Mapping(line=value.line)
    for item, position in zip(value, value.lines, strict=True):
        item = unwrap(item)
        if not isinstance(item, str):
            continue
        name, separator, text = item.partition("=")
        name = str(name)  # without an `=` it is the item itself, which may be more than a text
        result[name] = _after_equals(item, text) if separator else None
        result.lines[name] = position
    if len(result) < len(value):
        _say_overridden(result, value)
    return result


def _say_overridden(pairs: Mapping, items: Sequence) -> None:
    """Tells the pairs of a list which earlier items lost against theirs."""
    found: dict[str, tuple[int, ...]] = {}
    for item, position in zip(items, items.lines, strict=True):
        if isinstance(item := unwrap(item), str):
            name = item.partition("=")[0]
            found[name] = (position, *found.get(name, ()))
    pairs.overrode = {name: positions[1:] for name, positions in found.items() if len(positions) > 1}


def _after_equals(item: str, text: str) -> str:
    """The value half of `NAME=value`, which still knows its own text before interpolation."""
    if not isinstance(item, Text):
        return text
    raw = written(item)
    depth = 0
    for at, character in enumerate(raw[:512]):
        depth += (character == "{") - (character == "}")
        if character == "=" and depth == 0:
            return Text.of(text, raw[at + 1 :], unset=item.unset)
    return Text.of(text, raw, unset=item.unset)


def named(value: Value, defaults: Callable[[int], Value]) -> Mapping | None:
    """`[a, b]` as a mapping of names; None where it is neither list nor mapping."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, Sequence):
        return None
    result = Mapping(line=value.line)
    for item, position in zip(value, value.lines, strict=True):
        item = unwrap(item)
        if isinstance(item, str):
            name = str(item)  # a key is nothing but a text
            result[name] = defaults(position)
            result.lines[name] = position
    return result


def nothing(_position: int) -> Value:
    return None


class Short(Mapping):
    """What a short form stands for: nobody wrote these keys."""

    __slots__ = ()


def started(position: int) -> Value:
    """What `depends_on: [name]` stands for."""
    edge = Short(line=position, lines={"condition": position, "required": position})
    edge["condition"], edge["required"] = "service_started", True
    return edge


# --- which key follows which rule ------------------------------------------------------------------------------

_BUILD = nested({"args": by_key, "labels": by_key, "additional_contexts": by_key, "ssh": by_key, "extra_hosts": _hosts})

SERVICE_RULES: dict[str, Rule] = {
    "annotations": by_key,
    "build": _build,
    "command": replace,
    "depends_on": by_name(started),
    "deploy": nested({"labels": by_key}),
    "dns": listed,
    "dns_search": listed,
    "entrypoint": replace,
    "env_file": _by_path,
    "environment": by_key,
    "extends": replace,
    "extra_hosts": _hosts,
    "healthcheck": nested({"test": replace}),
    "label_file": listed,
    "labels": by_key,
    "logging": _logging,
    "models": by_name(nothing),
    "networks": by_name(nothing),
    "sysctls": by_key,
    "tmpfs": listed,
    "ulimits": _ulimits,
    "volumes": _by_target,
}
_RESOURCE = nested({"labels": by_key, "ipam": nested({"config": _subnets})})
_VOLUME = nested({"labels": all_pairs})


def merge_service(base: Mapping, over: Mapping, faults: Faults, name: str, *, keep: bool = False) -> Mapping:
    """`keep`: tags stay, because the result is merged over something in its turn."""
    return merge_mapping(base, over, SERVICE_RULES, Where(faults, name, over.line, name, keep=keep))


def bare(mapping: Mapping) -> Mapping:
    """A mapping without any tags: what was reset is gone. Shared where there is nothing to take off."""
    made = _bare(mapping)
    return made if isinstance(made, Mapping) else mapping


def _bare(value: Value) -> Value:
    value = unwrap(value)
    if isinstance(value, Mapping):
        changed = {key: made for key, item in value.items() if (made := _bare(item)) is not item}
        if not changed:
            return value
        result = copied(value)
        result.update(changed)
        for key in [key for key, item in value.items() if isinstance(item, Tagged) and item.tag == "!reset"]:
            del result[key]
        return result
    if isinstance(value, Sequence):
        kept = [
            (_bare(item), line)
            for item, line in zip(value, value.lines, strict=True)
            if not (isinstance(item, Tagged) and item.tag == "!reset")
        ]
        if len(kept) == len(value) and all(made is item for (made, _), item in zip(kept, value, strict=True)):
            return value
        return Sequence([made for made, _ in kept], line=value.line, lines=[line for _, line in kept])
    return value


def _services(base: Value, over: Value, where: Where) -> Value:
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return where.conflict(base, over)

    def rule(left: Value, right: Value, inner: Where) -> Value:
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            return merge_service(as_read(left), right, inner.faults, inner.key)
        return inner.conflict(left, right)

    return merge_mapping(base, over, dict.fromkeys(over, rule), where)


def _resources(base: Value, over: Value, where: Where) -> Value:
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return where.conflict(base, over)
    return merge_mapping(base, over, dict.fromkeys(over, _resource), where)


def _volumes(base: Value, over: Value, where: Where) -> Value:
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return where.conflict(base, over)
    return merge_mapping(base, over, dict.fromkeys(over, _volume), where)


def _files(base: Value, over: Value, where: Where) -> Value:
    """Configs and secrets, of which nothing but the kind of each value is compared."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return where.conflict(base, over)
    return merge_mapping(base, over, dict.fromkeys(over, _file), where)


def _resource(base: Value, over: Value, where: Where) -> Value:
    return _RESOURCE(*_externals(base, over), where)


def _volume(base: Value, over: Value, where: Where) -> Value:
    return _VOLUME(*_externals(base, over), where)


def _file(base: Value, over: Value, where: Where) -> Value:
    return generic(*_externals(base, over), where)


def _externals(base: Value, over: Value) -> tuple[Value, Value]:
    own = base.get("name") if isinstance(base, Mapping) else None  # which the name of an `external:` contradicts
    return _with_external(base), over if own else _with_external(over)


def _with_external(value: Value) -> Value:
    """`external: {name: x}` as what it stands for: `external: true`, and the name beside it."""
    old = value.get("external") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(old, Mapping):
        return value
    if old.get("name") and value.get("name") not in (None, old["name"]):
        return value  # a contradiction, which is said of the whole
    result = copied(value)
    result["external"] = True
    if "name" in old and "name" not in value:
        result["name"], result.lines["name"] = old["name"], old.lines["name"]
    return result


_MODEL_RULES: dict[str, Rule] = {
    "services": _services,
    **dict.fromkeys(("networks", "models"), _resources),
    "volumes": _volumes,
    **dict.fromkeys(("configs", "secrets"), _files),
}


def merge_model(base: Mapping, over: Mapping, faults: Faults) -> Mapping:
    """A whole file over another."""
    return merge_mapping(base, over, _MODEL_RULES, Where(faults, "the file", over.line, None))


def untag(root: Mapping) -> None:
    """Takes the tags that no merge used up out of a tree, in place: resets vanish, overrides are their value."""
    todo: list[Any] = [root]
    seen: set[int] = set()
    while todo:
        container = todo.pop()
        if id(container) in seen:
            continue
        seen.add(id(container))
        if isinstance(container, Mapping):
            for key in [key for key, value in container.items() if isinstance(value, Tagged) and value.tag == "!reset"]:
                del container[key]
            for key, value in container.items():
                container[key] = unwrap(value)
            todo += [value for value in container.values() if isinstance(value, Mapping | Sequence)]
        else:
            kept = [
                (unwrap(value), line)
                for value, line in zip(container, container.lines, strict=True)
                if not (isinstance(value, Tagged) and value.tag == "!reset")
            ]
            container[:] = [value for value, _ in kept]
            container.lines = [line for _, line in kept]
            todo += [value for value in container if isinstance(value, Mapping | Sequence)]
