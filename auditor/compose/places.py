"""Positions: one number that says file and line, so that a merged tree carries them at no cost; and the faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from auditor.errors import did_you_mean
from auditor.model import Fault, Location

_SHIFT = 24  # no file has more lines than that (its size is bounded far below)
_LINE = (1 << _SHIFT) - 1


class _Known(dict[int, Location]):
    """Locations by position, each made when it is first asked for: tens of thousands of one file."""

    __slots__ = ("_paths",)

    def __init__(self, paths: list[str]) -> None:
        super().__init__()
        self._paths = paths

    def __missing__(self, position: int) -> Location:
        made = self[position] = Location(self._paths[position >> _SHIFT], position & _LINE)
        return made


class Places:
    """The files of one load, in the order in which they were met. Position = file number << 24 | line."""

    __slots__ = ("_numbers", "at", "paths")

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._numbers: dict[str, int] = {}
        self.at: Callable[[int], Location] = _Known(self.paths).__getitem__  # position -> file and line

    def offset(self, path: str) -> int:
        """What turns a line of `path` into a position."""
        number = self._numbers.get(path)
        if number is None:
            number = self._numbers[path] = len(self.paths)
            self.paths.append(path)
        return number << _SHIFT


class Lines(Mapping[str, Location]):
    """Dotted field -> the place that decided it, made when it is asked for: most never are."""

    __slots__ = ("_at", "_positions")

    def __init__(self, positions: dict[str, int], at: Callable[[int], Location]) -> None:
        self._positions = positions
        self._at = at

    def __getitem__(self, field: str) -> Location:
        return self._at(self._positions[field])

    def __contains__(self, field: object) -> bool:
        return field in self._positions

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)


_MOST = 1_000  # faults that one load tells apart
_MOST_NEAR = 50  # unknown words that are compared with the known ones
_LONGEST_NEAR = 40


class Faults:
    """What has to be said of the files of one environment. Equal words about one place are said once."""

    def __init__(self, environment: str, places: Places) -> None:
        self.environment = environment
        self.places = places
        self._faults: dict[tuple[str, str, Location], Fault] = {}
        self._compared = 0

    def add(
        self,
        message: str,
        where: int | Location,
        *,
        check: str = "invalid-compose",
        help: str | None = None,
        service: str | None = None,
        fatal: bool = False,
        others: tuple[Location, ...] = (),
    ) -> None:
        location = where if isinstance(where, Location) else self.places.at(where)
        if len(self._faults) >= _MOST and not fatal:
            message, location = f"more than {_MOST} faults; the rest is not listed", Location(self.places.paths[0])
            check, help, service, others = "invalid-compose", None, None, ()
        fault = Fault(check, message, location, help, service, self.environment, fatal, others)
        self._faults.setdefault((check, message, location), fault)

    def __len__(self) -> int:
        return len(self._faults)

    def since(self, count: int) -> tuple[Fault, ...]:
        """Those that were said after so many."""
        return tuple(self._faults.values())[count:]

    def near(self, word: str, known: Iterable[str]) -> str | None:
        """The help for a misspelt key, while there are few of them."""
        self._compared += 1
        if self._compared > _MOST_NEAR or len(word) > _LONGEST_NEAR:
            return None
        return did_you_mean(word, known)

    def all(self) -> tuple[Fault, ...]:
        """Every fault, in the order of files and lines."""
        order = {path: number for number, path in enumerate(self.places.paths)}
        return tuple(
            sorted(
                self._faults.values(),
                key=lambda fault: (order.get(fault.location.path, -1), fault.location.line or 0, fault.message),
            )
        )
