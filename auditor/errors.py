"""Every error that the auditor raises on purpose: what is wrong, where, and what to do.

AuditorError
├── UsageError        a bad option                                      exit 2
├── SettingsError     the settings file or an `AUDITOR_` variable       exit 2
├── CatalogueError    the catalogue cannot be used                      exit 2
├── TextError         a text that cannot be parsed; whoever asked for the text re-raises it as one of the others
└── EvidenceError     evidence that was asked for could not be read     exit 3
    └── StaleError    what a source tells was so some time ago

They are raised deep and printed once, by the command line, as

    error: unknown key `teir` in service `web`
      --> catalogue.yaml:14
      help: did you mean `tier`?
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class AuditorError(Exception):
    """An expected failure. `path` is shown as given, `line` counts from 1."""

    exit_code = 3

    def __init__(self, what: str, *, path: str | None = None, line: int | None = None, help: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.path = path
        self.line = line
        self.help = help

    @property
    def where(self) -> str | None:
        """`path:line`, `path`, or None."""
        if self.path is None:
            return None
        return self.path if self.line is None else f"{self.path}:{self.line}"

    def __str__(self) -> str:
        lines = [f"error: {self.what}"]
        if self.where:
            lines.append(f"  --> {self.where}")
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)


class UsageError(AuditorError):
    """An option or argument that cannot be meant."""

    exit_code = 2


class SettingsError(AuditorError):
    """The settings file, or a variable that begins with `AUDITOR_`."""

    exit_code = 2


class CatalogueError(AuditorError):
    """The catalogue cannot be read or used."""

    exit_code = 2


class TextError(AuditorError):
    """A text that cannot be parsed: YAML, JSON, `.env`. Neutral about whose text it was."""


class EvidenceError(AuditorError):
    """Evidence that was asked for could not be read."""


class StaleError(EvidenceError):
    """A source answers, but with what was so some time ago: nothing that it tells is of now."""


SLIP = 0.85  # how near a misspelt word is to the one that is meant, where newer versions may know others


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The help line for a misspelt word, or None where nothing known is near.

    cutoff: 0.9 and more is a slip of a letter; less may be another word, of a newer version perhaps.
    """
    near = get_close_matches(word, sorted(known), n=1, cutoff=cutoff)
    return f"did you mean `{near[0]}`?" if near else None
