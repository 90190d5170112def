"""What is shown, and what a key makes of it: values in, values out, without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from auditor.model import Verdict
from exporters.services import Line

_WORST_FIRST = (
    Verdict.STOPPED,
    Verdict.UNHEALTHY,
    Verdict.DEGRADED,
    Verdict.STARTING,
    Verdict.UNKNOWN,
    Verdict.HEALTHY,
)
_RANK = {verdict: rank for rank, verdict in enumerate(_WORST_FIRST)}
_NONE = float("inf")


def _most(number: float | None) -> float:
    return _NONE if number is None else -number


_ORDERS: Mapping[str, Callable[[Line], float]] = {
    "health": lambda line: _RANK[line.service.verdict],
    "name": lambda _: 0,
    "memory": lambda line: _most(line.service.memory_bytes),
    "cpu": lambda line: _most(line.service.cpu_ratio),
    "gaps": lambda line: _most(line.gaps),
    "restarts": lambda line: _most(line.restarts),
}
SORTS = tuple(_ORDERS)
SORT_KEYS = {"h": "health", "n": "name", "m": "memory", "c": "cpu", "g": "gaps", "r": "restarts"}
Key = tuple[str, str]  # environment and name of a service


@dataclass(frozen=True, slots=True)
class View:
    """What somebody looks at. `page` is table, service or help; `selected` stays on its service whatever is sorted."""

    page: str = "table"
    sort: str = "health"
    filter: str = ""
    typing: bool = False  # keys go into the filter
    selected: Key | None = None
    top: int = 0  # first row, or line, that is shown
    ended: bool = False


def key_of(line: Line) -> Key:
    """The service of a line."""
    return line.service.environment, line.service.name


def rows(view: View, lines: Sequence[Line]) -> list[Line]:
    """The lines that pass the filter, in order. A filter is words of which each must stand in the line somewhere."""
    words = view.filter.lower().split()
    chosen = [line for line in lines if all(word in _searched(line) for word in words)]
    order = _ORDERS[view.sort]
    return sorted(chosen, key=lambda line: (order(line), line.service.name.lower(), key_of(line)))


def _searched(line: Line) -> str:
    item = line.service
    words = (item.name, item.title, item.category, item.tier, item.owner, item.verdict, item.environment, line.state)
    return " ".join(str(word) for word in words if word).lower()


def place(view: View, shown: Sequence[Line]) -> int:
    """The number of the selected row; the first where the selected service is not shown."""
    return next((number for number, line in enumerate(shown) if key_of(line) == view.selected), 0)


def press(view: View, key: str, shown: Sequence[Line], height: int) -> View:
    """The view after a key: a character, or one of up, down, pageup, pagedown, home, end, enter, escape, backspace."""
    if view.typing:
        return _type(view, key)
    if view.page != "table":
        return _read(view, key, height)
    if key == "escape":
        return replace(view, filter="")
    if key == "enter":
        return replace(view, page="service", top=0, selected=key_of(shown[place(view, shown)])) if shown else view
    if key == "/":
        return replace(view, typing=True)
    if key == "s":
        return replace(view, sort=SORTS[(SORTS.index(view.sort) + 1) % len(SORTS)])
    if key in SORT_KEYS:
        return replace(view, sort=SORT_KEYS[key])
    if key in _MOVES and shown:
        number = min(max(_MOVES[key](place(view, shown), height, len(shown)), 0), len(shown) - 1)
        return replace(view, selected=key_of(shown[number]))
    return _anywhere(view, key)


_MOVES: Mapping[str, Callable[[int, int, int], int]] = {
    "up": lambda at, _, __: at - 1,
    "k": lambda at, _, __: at - 1,
    "down": lambda at, _, __: at + 1,
    "j": lambda at, _, __: at + 1,
    "pageup": lambda at, height, _: at - height,
    "pagedown": lambda at, height, _: at + height,
    "home": lambda _, __, ___: 0,
    "end": lambda _, __, length: length - 1,
}


def _anywhere(view: View, key: str) -> View:
    if key == "q":
        return replace(view, ended=True)
    if key == "?":
        return replace(view, page="help", top=0)
    return view


def _type(view: View, key: str) -> View:
    if key == "enter":
        return replace(view, typing=False)
    if key == "escape":
        return replace(view, typing=False, filter="")
    if key == "backspace":
        return replace(view, filter=view.filter[:-1])
    return replace(view, filter=(view.filter + key)[:60]) if len(key) == 1 and key.isprintable() else view


def _read(view: View, key: str, height: int) -> View:
    """A page of text: keys scroll it; how long it is is known where it is drawn."""
    if key in ("escape", "backspace"):
        return replace(view, page="table", top=0)
    if key in _MOVES:
        return replace(view, top=max(_MOVES[key](view.top, height, 10_000), 0))
    return _anywhere(view, key)


def window(selected: int, top: int, height: int, length: int) -> int:
    """The first row to show, so that the selected one is seen and as little as possible moves."""
    if selected < top:
        top = selected
    if selected >= top + height:
        top = selected - height + 1
    return max(0, min(top, length - height))
