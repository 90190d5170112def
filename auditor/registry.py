"""The checks: registered by a decorator under the type that they judge, found by import, explained by docstring."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import cache
from typing import Final, TypeVar

from auditor.frozen import dataclass
from auditor.model import Evidence, Location, Severity
from auditor.regexp import regexp


class ByCriticality:
    """The severity of a check that is critical on a critical service, and a warning elsewhere."""

    def __repr__(self) -> str:
        return "critical when the service is critical, else warning"


BY_CRITICALITY: Final = ByCriticality()


@dataclass(frozen=True, slots=True)
class Problem:
    """What a check yields; the engine stamps it into a finding.

    `service` and `environment` default to the subject's own. `key` tells apart problems of one check on one service and
    must survive reordering, reformatting and renaming of files. Problems with the same `cause` in one environment are
    one finding, whose check comes first in the engine's order.
    """

    message: str
    locations: tuple[Location, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    service: str | None = None
    environment: str | None = None
    key: str = ""
    field: str | None = None  # for waivers with field scope
    cause: str | None = None
    severity: Severity | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One registered check."""

    id: str
    theme: str
    subject: type
    severity: Severity | ByCriticality
    fix: str
    needs: tuple[str, ...]
    formerly: tuple[str, ...]
    options: Mapping[str, object] = field(default_factory=dict)
    run: Callable[..., Iterator[Problem]] = field(repr=False, default=lambda *_: iter(()))
    either: tuple[str, ...] = ()

    @property
    def doc(self) -> str:
        """The docstring, which no audit reads."""
        return inspect.cleandoc(self.run.__doc__ or "")

    @property
    def summary(self) -> str:
        """The docstring's first line."""
        return self.doc.splitlines()[0]

    @property
    def looks_at(self) -> str:
        """The sources that it needs, in words."""
        return ", ".join((*self.needs, *([" or ".join(self.either)] if self.either else [])))


S = TypeVar("S")
Run = Callable[..., Iterator[Problem]]
_registered: dict[str, Check] = {}


def check(
    subject: type[S],
    severity: Severity | ByCriticality,
    *,
    fix: str,
    needs: tuple[str, ...] = (),
    either: tuple[str, ...] = (),
    formerly: tuple[str, ...] = (),
) -> Callable[[Callable[..., Iterator[Problem]]], Callable[..., Iterator[Problem]]]:
    """Register a generator `(subject, snapshot, *, option=default)` as the check that its name spells.

    `needs` are the sources without which it would guess: where one of them failed the check is skipped with the reason.
    Of those in `either` one is enough.
    """

    def register(run: Run) -> Run:
        name = run.__name__.replace("_", "-")
        if name in _registered and _registered[name].run is not run:
            raise ValueError(f"two checks are called `{name}`")
        options = dict(getattr(run, "__kwdefaults__", None) or {})
        theme = _theme(run.__module__)
        _registered[name] = Check(name, theme, subject, severity, fix, needs, formerly, options, run, either)
        return run

    return register


def _theme(module: str) -> str:
    """`network` of `auditor.checks.network` and of `auditor.checks.network.doors`."""
    below = module.partition(".checks.")[2]
    return (below or module.rpartition(".")[2]).partition(".")[0]


@cache
def checks() -> Mapping[str, Check]:
    """All checks by id, in order of theme and id; importing the modules of `auditor.checks` registers them."""
    package = importlib.import_module("auditor.checks")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    return dict(sorted(_registered.items(), key=lambda item: (item[1].theme, item[0])))


@cache
def formerly() -> Mapping[str, str]:
    """Earlier names of checks -> the names they have now."""
    return {old: item.id for item in checks().values() for old in item.formerly}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A check's docstring in its parts. `bad` and `good` are YAML texts: the planes of a small project."""

    summary: str
    why: str
    bad: str
    good: str


_EXAMPLE = regexp(r"^(Bad|Good):\s*$", re.MULTILINE)


def explain(item: Check) -> Explanation:
    """The parts of a check's documentation. Raises ValueError where the docstring lacks one."""
    parts = _EXAMPLE.split(item.doc)
    if len(parts) != 5 or parts[1] != "Bad" or parts[3] != "Good":
        raise ValueError(f"the docstring of `{item.id}` needs one `Bad:` and one `Good:` example")
    summary, _, why = parts[0].strip().partition("\n")
    return Explanation(summary, inspect.cleandoc(why).strip(), _dedent(parts[2]), _dedent(parts[4]))


def _dedent(text: str) -> str:
    return inspect.cleandoc("\n" + text.strip("\n")).strip() + "\n"
