"""`@dataclass(frozen=True, slots=True)` as the standard library means it, in a fraction of its time.

The library compiles six functions for each class, or three for one that is not frozen. Here all but one are shared, and
that one is compiled for the first instance. Every start of the command makes more than a hundred such classes, a large
audit 100,000 instances. `init=False`, `kw_only`, `InitVar` and `ClassVar` are not supported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

T = TypeVar("T")
_FEW = 5  # fields

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool = False, slots: Literal[True]) -> Callable[[type[T]], type[T]]:
        """Make a dataclass with slots. It compares, hashes, prints, pickles and is replaced as the library's."""
        return _frozen if frozen else _open


def _frozen(cls: type[T]) -> type[T]:
    own = cls.__dict__
    if cls.__bases__ != (object,) or "__post_init__" in own:  # a few: what the library does for them is not done here
        return dataclasses.dataclass(frozen=True, slots=True)(cls)
    made, fields = _made(cls)
    made.__init__ = _first(made, fields, _init)
    made.__setattr__, made.__delattr__ = _set, _delete
    made.__getstate__, made.__setstate__ = _state, _restore
    return made  # type: ignore[no-any-return]


def _open(cls: type[T]) -> type[T]:
    if cls.__bases__ != (object,) or "__post_init__" in cls.__dict__:
        return dataclasses.dataclass(slots=True)(cls)
    made, fields = _made(cls)
    made.__init__ = _first(made, fields, _open_init)
    made.__hash__ = None
    return made  # type: ignore[no-any-return]


def _made(cls: type[T]) -> tuple[Any, tuple[dataclasses.Field[Any], ...]]:
    """The class with its fields, its text and how it compares."""
    own = cls.__dict__
    # The library searches each annotation that is a text for what it treats specially: a third of all that it does.
    annotations = cls.__annotations__
    cls.__annotations__ = dict.fromkeys(annotations, object)
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    made.__annotations__ = annotations
    fields = dataclasses.fields(made)
    for field in fields:
        field.type = annotations[field.name]
    if "__repr__" not in own:
        made.__repr__ = _repr
    if "__eq__" not in own:
        made.__eq__, made.__hash__ = _comparing(tuple(field.name for field in fields))
    return made, fields


def _first(
    made: Any, fields: tuple[dataclasses.Field[Any], ...], compiled: Callable[[Any, Any], Callable[..., None]]
) -> Callable[..., None]:
    """What makes the first instance, and the function that makes all others: many a class has none in a whole run."""

    def init(self: object, *given: object, **named: object) -> None:
        made.__init__ = compiled(made, fields)
        made.__init__(self, *given, **named)

    return init


def _open_init(made: Any, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    return _init(made, fields, frozen=False)


def _init(made: Any, fields: tuple[dataclasses.Field[Any], ...], *, frozen: bool = True) -> Callable[..., None]:
    """The function that is compiled.

    A frozen instance can only be filled by one call a field, an open one by assignments, in a quarter of the time: so a
    large one is of an open twin's class while it is filled.
    """
    few = frozen and len(fields) < _FEW
    swap = frozen and not few
    open_twin = type(made.__name__, (), {"__slots__": made.__slots__}) if swap else None
    scope: dict[str, Any] = {
        "_frozen": made,
        "_open": open_twin,
        "_none": dataclasses.MISSING,
        "_set": object.__setattr__,
    }
    parameters, body = ["self"], []
    for field in fields:
        name = value = field.name
        if field.default is not dataclasses.MISSING:
            scope[f"_default_{name}"] = field.default
            parameters.append(f"{name}=_default_{name}")
        elif field.default_factory is not dataclasses.MISSING:
            scope[f"_make_{name}"] = field.default_factory
            parameters.append(f"{name}=_none")
            value = f"_make_{name}() if {name} is _none else {name}"
        else:
            parameters.append(name)
        scope[f"_fill_{name}"] = made.__dict__[name].__set__
        body.append(f"_fill_{name}(self, {value})" if few else f"self.{name} = {value}")
    if swap:
        body = ["_set(self, '__class__', _open)", *body, "self.__class__ = _frozen"]
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(body or ["pass"]), scope)  # noqa: S102  only names
    init: Callable[..., None] = scope["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"  # for messages
    return init


def _comparing(names: tuple[str, ...]) -> tuple[Callable[..., Any], Callable[[Any], int]]:
    values: Callable[[Any], object] = attrgetter(*names) if names else lambda _: ()

    def equal(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: object) -> int:
        return hash(values(self))

    return equal, hashed


def _repr(self: Any) -> str:
    shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{self.__class__.__qualname__}({shown})"


def _set(self: object, name: str, value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(self: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[object]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
