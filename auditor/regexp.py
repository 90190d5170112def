"""Regular expressions that are compiled when they are first used: a run uses a third of those that it loads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from re import compile as regexp
else:

    class regexp:
        """What `re.compile` returns, but its methods are those of a pattern compiled at the first use of one.

        Each method is then an attribute of this object, so that later uses cost no more than those of a pattern.
        """

        def __init__(self, text: str | bytes, flags: int = 0) -> None:
            self._written = text, flags

        def __getattr__(self, name: str) -> Any:
            method = getattr(re.compile(*self._written), name)  # of the last 512 that `re` compiled it gives the same
            setattr(self, name, method)
            return method


__all__ = ["regexp"]
