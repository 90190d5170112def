"""Our `dataclass` is the standard library's, for frozen classes with slots."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter

from auditor import frozen
from auditor.model import Finding, Location, Severity


class Plain:
    """One of everything: required, with a default, made anew, unshown."""

    name: str
    line: int | None = None
    items: tuple[str, ...] = ("a",)
    options: dict[str, int] = dataclasses.field(default_factory=dict)
    hidden: object = dataclasses.field(repr=False, default=None)

    def shown(self) -> str:
        return f"{self.name}:{self.line}"


def _like(make: Callable[..., Any], *, frozen: bool = True) -> Any:
    body = {key: value for key, value in vars(Plain).items() if key not in ("__dict__", "__weakref__")}
    return make(frozen=frozen, slots=True)(type("Plain", (), body))


OURS, THEIRS = _like(frozen.dataclass), _like(dataclasses.dataclass)
ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("web",), {}),
    (("web", 3, ("b",), {"c": 1}, "no"), {}),
    ((), {"name": "web", "line": 0}),
]


@pytest.mark.parametrize(("given", "named"), ARGUMENTS)
def test_makes_and_shows_what_the_library_does(given: Any, named: Any) -> None:
    ours, theirs = OURS(*given, **named), THEIRS(*given, **named)
    assert repr(ours) == repr(theirs)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert ours.shown() == theirs.shown()


def test_has_the_parameters_that_the_library_gives_it() -> None:
    OURS("the first one compiles")
    assert [*inspect.signature(OURS).parameters] == [*inspect.signature(THEIRS).parameters]
    assert OURS.__match_args__ == THEIRS.__match_args__


@pytest.mark.parametrize("frozen_", [True, False])
def test_the_library_knows_its_fields_whatever_it_is_asked_first(frozen_: bool) -> None:
    for first in ("__dataclass_params__", "__dataclass_fields__"):
        ours, theirs = _like(frozen.dataclass, frozen=frozen_), _like(dataclasses.dataclass, frozen=frozen_)
        getattr(ours, first)
        assert ours.__dataclass_params__.frozen is frozen_
        fields = [[(f.name, f.type, f.default, f.repr) for f in dataclasses.fields(made)] for made in (ours, theirs)]
        assert fields[0] == fields[1]


def test_whoever_asks_the_library_at_the_same_time_gets_the_same_fields() -> None:
    made = _like(frozen.dataclass)
    first = vars(made)["__dataclass_fields__"]
    said = [first.__get__(None, made) for _ in range(2)]  # the second had begun before the first was done
    assert [field.default_factory for field in said[0].values()] == [f.default_factory for f in said[1].values()]
    assert said[1]["options"].default_factory is dict and not said[1]["hidden"].repr


def test_one_that_is_not_frozen_is_as_the_librarys_is() -> None:
    ours, theirs = (_like(make, frozen=False) for make in (frozen.dataclass, dataclasses.dataclass))
    mine, yours = ours("web", items=("b",)), theirs("web", items=("b",))
    mine.line = yours.line = 7
    assert repr(mine) == repr(yours)
    assert mine == ours("web", 7, ("b",)) != ours("web", 8, ("b",))
    assert dataclasses.replace(mine, name="db") == ours("db", 7, ("b",))
    with pytest.raises(TypeError, match="unhashable"):
        hash(mine)


def test_leaves_what_it_does_not_do_to_the_library() -> None:
    class Late:
        text: str
        size: int = dataclasses.field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "size", len(self.text))

    made: Any = frozen.dataclass(frozen=True, slots=True)(Late)
    assert repr(made("abc")).endswith("Late(text='abc', size=3)")
    with pytest.raises(dataclasses.FrozenInstanceError):
        made("abc").text = "d"


@pytest.mark.parametrize(("given", "named"), [((), {}), (("web", 1, (), {}, None, 6), {}), (("web",), {"nme": 1})])
def test_refuses_what_it_has_no_field_for(given: Any, named: Any) -> None:
    with pytest.raises(TypeError):
        OURS(*given, **named)


def test_a_factory_is_asked_each_time() -> None:
    assert OURS("a").options is not OURS("a").options


def test_compares_by_class_and_value() -> None:
    assert OURS("a") == OURS("a") != OURS("b")
    assert OURS("a") != THEIRS("a")
    assert hash(Location("a", 1)) == hash(Location("a", 1))
    assert {Location("a", 1), Location("a", 1), Location("a", 2)} == {Location("a", 1), Location("a", 2)}


def test_is_frozen_and_has_no_room_for_more() -> None:
    place = Location("a", 1)
    for change, *given in ((setattr, "path", "b"), (delattr, "path"), (setattr, "x", 1)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change(place, *given)  # type: ignore[operator]
    assert not hasattr(place, "__dict__")
    assert type(Finding("x", Severity.INFO, None, None, "m", "f", (), (), "f")) is Finding  # its open twin is gone


def test_is_replaced_pickled_and_round_trips_through_json() -> None:
    finding = Finding("x", Severity.INFO, "web", None, "message", "fix", (Location("a", 1),), (), "f")
    other = dataclasses.replace(finding, message="other")
    assert (other.message, other.check) == ("other", "x")
    assert pickle.loads(pickle.dumps(finding)) == finding  # noqa: S301  our own
    adapter = TypeAdapter(Finding)
    assert adapter.validate_json(adapter.dump_json(finding)) == finding
