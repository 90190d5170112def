"""Looks again and again in a thread of its own: what runs every few seconds, everything now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from auditor import scan
from auditor.errors import AuditorError
from auditor.inventory import Snapshot
from auditor.live import Engines
from auditor.model import Report
from auditor.settings import Settings


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look. error: why it failed; the report is the last one then. times: monotonic seconds."""

    report: Report | None = None
    error: str | None = None
    at: float = 0.0
    audited: float = 0.0


class Looker:
    """Owns the thread. `changed` is called, in it, when there is something new to show."""

    def __init__(self, settings: Settings, every: float, audit_every: float, changed: Callable[[], None]) -> None:
        self._settings = settings
        self._every = every
        self._audit_every = audit_every
        self._changed = changed
        self._snapshot: Snapshot | None = None
        self._engines = Engines(statistics=every)
        self._ending = threading.Event()
        self.seen = Seen()

    def start(self) -> None:
        """Begin to look; the thread ends with the process, whatever it waits for."""
        threading.Thread(target=self._work, name="auditor-top", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._ending.set()

    def _work(self) -> None:
        while not self._ending.is_set():
            began = time.monotonic()
            self.seen = self._look(began)
            self._changed()
            # As long between two looks as one took: an engine that is slow must not be kept busy.
            self._ending.wait(max(self._every - (time.monotonic() - began), time.monotonic() - began, 0.1))

    def _look(self, began: float) -> Seen:
        snapshot, audited = self._snapshot, self.seen.audited
        try:
            if snapshot is None or began - audited >= self._audit_every:
                snapshot, audited = scan.gather(self._settings, engines=self._engines), began
            else:
                snapshot = scan.refresh(snapshot, self._settings, self._engines)
            report = scan.judge(snapshot, self._settings)
        except AuditorError as error:
            said = f"{error.what} ({error.where})" if error.where else error.what
            return Seen(self.seen.report, said, time.monotonic(), audited)
        except Exception as error:  # whatever a plugin or a system raises: the table stays, and says it
            return Seen(self.seen.report, f"{type(error).__name__}: {error}", time.monotonic(), audited)
        self._snapshot = snapshot
        return Seen(report, None, time.monotonic(), audited)
