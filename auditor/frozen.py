"""`@dataclass(frozen=True, slots=True)` as the standard library means it, in a fraction of its time.

The library compiles six functions for each class, or three for one that is not frozen. Here all but one are shared, and
that one is compiled for the first instance; what else the library says of a class, it is asked when somebody looks.
Every start of the command makes more than a hundred such classes, a large audit 100,000 instances. `init=False`,
`kw_only`, `InitVar` and `ClassVar` are not supported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

T = TypeVar("T")
_FEW = 5  # fields
_NONE = dataclasses.MISSING
_OF_THE_LIBRARY = ("__dataclass_fields__", "__dataclass_params__")

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool = False, slots: Literal[True]) -> Callable[[type[T]], type[T]]:
        """Make a dataclass with slots. It compares, hashes, prints, pickles and is replaced as the library's."""
        return _frozen if frozen else _open


def _frozen(cls: type[T]) -> type[T]:
    if cls.__bases__ != (object,) or "__post_init__" in cls.__dict__:  # a few: that is left to the library
        return dataclasses.dataclass(frozen=True, slots=True)(cls)
    made, defaults = _made(cls, frozen=True)
    made.__init__ = _first(made, defaults, frozen=True)
    made.__setattr__, made.__delattr__ = _set, _delete
    made.__getstate__, made.__setstate__ = _state, _restore
    return made  # type: ignore[no-any-return]


def _open(cls: type[T]) -> type[T]:
    if cls.__bases__ != (object,) or "__post_init__" in cls.__dict__:
        return dataclasses.dataclass(slots=True)(cls)
    made, defaults = _made(cls, frozen=False)
    made.__init__ = _first(made, defaults, frozen=False)
    made.__hash__ = None
    return made  # type: ignore[no-any-return]


def _made(cls: type[T], *, frozen: bool) -> tuple[Any, Mapping[str, Any]]:
    """The class with its slots, its text and how it compares; and the defaults of its fields as they are written."""
    own = dict(cls.__dict__)
    names = tuple(cls.__annotations__)
    defaults = {name: own.pop(name) for name in names if name in own}
    own.pop("__dict__", None)
    own.pop("__weakref__", None)
    given = {"__slots__": names, "__qualname__": cls.__qualname__, "__match_args__": names, "__repr__": _repr}
    written = own | defaults | {"__annotations__": dict(cls.__annotations__)}
    asked = {name: _Library(name, written, frozen=frozen) for name in _OF_THE_LIBRARY}
    made: Any = type(cls.__name__, (), given | asked | own)
    if "__eq__" not in own:
        made.__eq__, made.__hash__ = _comparing(names)
    return made, defaults


class _Library:
    """What the library says of a class, found when somebody asks: of most classes nobody ever does."""

    def __init__(self, name: str, written: Mapping[str, Any], *, frozen: bool) -> None:
        self._name = name
        self._written = written
        self._frozen = frozen

    def __get__(self, instance: object, owner: Any) -> Any:
        # A class of its own for each that asks: the library changes it, and two threads may ask at the same time.
        copy = type(owner.__name__, (), dict(self._written))
        done: Any = dataclasses.dataclass(init=False, repr=False, eq=False, frozen=self._frozen)(copy)
        for name in _OF_THE_LIBRARY:
            setattr(owner, name, getattr(done, name))
        return getattr(done, self._name)


def _first(made: Any, defaults: Mapping[str, Any], *, frozen: bool) -> Callable[..., None]:
    """What makes the first instance, and the function that makes all others: many a class has none in a whole run."""

    def init(self: object, *given: object, **named: object) -> None:
        made.__init__ = _init(made, defaults, frozen=frozen)
        made.__init__(self, *given, **named)

    return init


def _init(made: Any, defaults: Mapping[str, Any], *, frozen: bool) -> Callable[..., None]:
    """The function that is compiled.

    A frozen instance can only be filled by one call a field, an open one by assignments, in a quarter of the time: so a
    large one is of an open twin's class while it is filled.
    """
    names = made.__slots__
    few = frozen and len(names) < _FEW
    swap = frozen and not few
    open_twin = type(made.__name__, (), {"__slots__": names}) if swap else None
    scope: dict[str, Any] = {"_frozen": made, "_open": open_twin, "_none": _NONE, "_set": object.__setattr__}
    parameters, body = ["self"], []
    for name in names:
        value, default = name, defaults.get(name, _NONE)
        factory = default.default_factory if isinstance(default, dataclasses.Field) else _NONE
        default = default.default if isinstance(default, dataclasses.Field) else default
        if default is not _NONE:
            scope[f"_default_{name}"] = default
            parameters.append(f"{name}=_default_{name}")
        elif factory is not _NONE:
            scope[f"_make_{name}"] = factory
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
