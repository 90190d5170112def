"""What a look at an engine could not tell, each with the reason."""

from __future__ import annotations

from auditor.sources.docker.allowed import READING
from auditor.sources.docker.failures import Refused, cause_of


class Limits:
    """What is not known -> why. timeout: the seconds that a call had."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._reasons: dict[str, str] = {}

    def say(self, lost: str, why: str) -> None:
        """`lost` is not known."""
        self._reasons[lost] = why

    def fail(self, path: str, error: BaseException) -> None:
        """What the request at `path` would have told is not known, because of `error`."""
        lost = next((request.lost for request in READING if request.path == path), None)
        self.say(lost or path, self.why(error))

    def why(self, error: BaseException) -> str:
        """What happened, and what would open the way where somebody denies it."""
        why, advice = cause_of(error, self._timeout)
        return f"{why}: {advice}" if isinstance(error, Refused) and error.denied else why

    def told(self) -> tuple[str, ...]:
        """Each as a sentence, in their order."""
        return tuple(f"{lost} ({why})" for lost, why in sorted(self._reasons.items()))
