"""Scans again and again in one thread, and keeps what requests are answered with: one value, replaced whole.

What is served counts as the present while the last scan succeeded and looked no longer ago than
`max(2 intervals, 1 interval + 2 scan times)`. After that, and at once when a scan fails, every verdict and rung that
is served is unknown, with the reason: an old green is the worst thing a monitor can show. The age is taken on the
monotonic clock whenever somebody asks, so that neither a dead scheduler nor a stepped clock keeps an old report young.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_JOB_MAX_INSTANCES, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from auditor import past
from auditor.errors import AuditorError
from auditor.model import Finding, Moment, Peak, Report
from auditor.settings import Settings
from auditor.store import Store, StoreError
from auditor.usage import observe
from auditor.web import page
from auditor.web.answers import HTML, JSON, Body, body
from auditor.web.blind import blind
from exporters import metrics, report_json, status_json

Scan = Callable[[Settings], Report]
log = logging.getLogger("auditor.web")
_JOB = "scan"
_AHEAD = 0.5  # seconds, and a tenth of an interval at most: before that a report's age is told, so that nobody waits


@dataclass(frozen=True, slots=True)
class Gap:
    """An open finding with its times, which are None as long as the history cannot be written."""

    finding: Finding
    first_seen: datetime
    opened: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Latest:
    """Everything that requests are answered with. `report` is blind already where `stale` says why."""

    report: Report | None = None
    stale: str | None = None
    error: str | None = None  # of the last scan, when it failed
    history_error: str | None = None
    gaps: tuple[Gap, ...] = ()
    deadline: float = float("inf")  # monotonic seconds at which the report is too old
    scans: metrics.Scans = field(default_factory=metrics.Scans)
    status: Body | None = None
    document: Body | None = None
    metrics: Body | None = None
    page: Body | None = None

    @property
    def ready(self) -> bool:
        """Whether there is a report that may be taken for the present."""
        return self.report is not None and self.stale is None


class Watch:
    """Owns the scheduler, the history and the latest answers."""

    def __init__(
        self,
        settings: Settings,
        scan: Scan,
        store: Store | None = None,
        *,
        view: page.View,
        history_error: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._scan = scan
        self._store = store
        self._view = view
        self._clock = clock
        self._lock = threading.Lock()
        self._scheduler: BackgroundScheduler | None = None
        self._alarm: threading.Timer | None = None
        self._overran = False
        self.scanning = False
        self.peaks = _known_peaks(store)  # what the next scan is told of the past
        self.past: tuple[Moment, ...] = ()
        self.latest = self._dressed(Latest(history_error=history_error))

    # --- the clock ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Scan now, and then every interval; a scan that is due while one runs is skipped and counted."""
        scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)}, daemon=True)
        scheduler.add_job(
            self.scan_once,
            "interval",
            seconds=self._settings.interval,
            id=_JOB,
            next_run_time=datetime.now(UTC),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        scheduler.add_listener(self._skipped, EVENT_JOB_MAX_INSTANCES)
        scheduler.add_listener(self._ended, EVENT_JOB_EXECUTED)
        scheduler.start()
        self._scheduler = scheduler

    def stop(self) -> None:
        """Begin no further scan; one that runs is left to itself."""
        if self._scheduler and self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        if self._alarm:
            self._alarm.cancel()

    def _skipped(self, _: JobEvent) -> None:
        with self._lock:
            self._overran = True
            scans = replace(self.latest.scans, skipped=self.latest.scans.skipped + 1)
            self.latest = self._measured(replace(self.latest, scans=scans))

    def _ended(self, _: JobEvent) -> None:
        if self._overran:  # the run that was due in the meantime begins now, not at the next tick
            self._overran = False
            self.scan_soon()

    # --- one scan -------------------------------------------------------------------------------------------------

    def scan_once(self) -> None:
        """Scan, keep, and replace what is served. Whatever the scan raises is kept as its error."""
        began = self._clock()
        self.scanning = True
        self._count(started=1)
        try:
            report = self._scan(self._settings)
        except BaseException as error:  # not even a SystemExit of a plugin may end the thread that scans
            self._failed(error)
            return
        finally:
            self.scanning = False
        took = self._clock() - began
        if report.duration is None:
            report = replace(report, duration=took)
        self._succeeded(report, began, took)

    def _failed(self, error: BaseException) -> None:
        said = error.what if isinstance(error, AuditorError) else f"{type(error).__name__}: {error}"
        where = getattr(error, "where", None)
        said = f"{said} ({where})" if where else said
        log.warning("the scan failed: %s", said.replace("\n", " "))
        log.debug("details", exc_info=error)
        with self._lock:
            scans = replace(self.latest.scans, failed=self.latest.scans.failed + 1)
            self.latest = self._blinded(replace(self.latest, error=said, scans=scans), f"the last scan failed: {said}")

    def _succeeded(self, report: Report, began: float, took: float) -> None:
        self.past = past.remember(self.past, report)
        gaps, history_error = self._remember(report)
        interval = self._settings.interval
        with self._lock:
            scans = replace(self.latest.scans, current=True, last_success=report.taken_at)
            self.latest = self._dressed(
                Latest(
                    report=report,
                    history_error=history_error,
                    gaps=gaps,
                    deadline=began + max(2 * interval, interval + 2 * took),
                    scans=scans,
                )
            )
        self._set_alarm(report, self.latest.deadline - self._clock())

    def _count(self, *, started: int) -> None:
        with self._lock:
            scans = replace(self.latest.scans, started=self.latest.scans.started + started)
            self.latest = replace(self.latest, scans=scans)

    def _remember(self, report: Report) -> tuple[tuple[Gap, ...], str | None]:
        """The open findings with their times, from the history, or as well as it goes without."""
        if self._store is None:
            return _without_history(report, self.latest.gaps), self.latest.history_error
        try:
            self._store.save(report, _needs())
            self._store.observe(observe(report, self.latest.report.usages if self.latest.report else ()))
            self.peaks = self._store.peaks()
            lives = self._store.open_findings()
        except StoreError as error:
            log.warning("%s", error.what)
            return _without_history(report, self.latest.gaps), error.what
        gaps = (Gap(life.finding, life.first_seen, life.opened, life.last_seen) for life in lives)
        return tuple(gap for gap in gaps if metrics.is_open(gap.finding)), self._store.notice

    # --- what is served -------------------------------------------------------------------------------------------

    def current(self) -> Latest:
        """What to answer with now. Cheap, but for the first time after the report became too old."""
        latest = self.latest
        if self._clock() < latest.deadline:
            return latest
        with self._lock:
            aged = self._clock() >= self.latest.deadline
            if aged:
                age = f"the last report is older than {self._shown_limit()}"
                self.latest = self._blinded(self.latest, age)
            latest = self.latest
        if aged:
            self.scan_soon()
        return latest

    def _set_alarm(self, report: Report, seconds: float) -> None:
        """Tell of a report's age in time, in a thread of its own: a request that has to keeps all others waiting."""
        if self._alarm:
            self._alarm.cancel()
        if self._scheduler and self._scheduler.running:
            ahead = min(_AHEAD, self._settings.interval / 10)
            self._alarm = threading.Timer(max(0.0, seconds - ahead), self._age, [report])
            self._alarm.daemon = True
            self._alarm.start()

    def _age(self, report: Report) -> None:
        with self._lock:
            if self.latest.report is not report or self.latest.stale is not None:
                return
            self.latest = self._blinded(self.latest, f"the last report is older than {self._shown_limit()}")
        self.scan_soon()

    def scan_soon(self) -> None:
        """Scan now where a scan is overdue: a wall clock that was set back would put the next one off for as long."""
        if self._scheduler and self._scheduler.running and not self.scanning:
            self._scheduler.modify_job(_JOB, next_run_time=datetime.now(UTC))

    def _shown_limit(self) -> str:
        return f"two intervals of {self._settings.interval:g} s"

    def _blinded(self, latest: Latest, why: str) -> Latest:
        report = blind(latest.report, why) if latest.report else None
        scans = replace(latest.scans, current=False)
        return self._dressed(replace(latest, report=report, stale=why, scans=scans, deadline=float("inf")))

    def _dressed(self, latest: Latest) -> Latest:
        """`latest` with its answers made from its report."""
        report = latest.report
        latest = self._measured(latest)
        return replace(
            latest,
            status=body(report_json.dumps(status_json.document(report)), JSON) if report else None,
            document=body(report_json.render(report), JSON) if report else None,
            page=body(self._view.overview(latest, self._settings.interval), HTML),
        )

    def _measured(self, latest: Latest) -> Latest:
        opened = {gap.finding.fingerprint: gap.opened for gap in latest.gaps}
        return replace(latest, metrics=body(metrics.render(latest.report, latest.scans, opened), metrics.CONTENT_TYPE))


def _known_peaks(store: Store | None) -> tuple[Peak, ...]:
    try:
        return store.peaks() if store else ()
    except StoreError as error:
        log.warning("%s", error.what)
        return ()


def _without_history(report: Report, before: Sequence[Gap]) -> tuple[Gap, ...]:
    known = {(gap.finding.environment, gap.finding.fingerprint): gap for gap in before}
    now = report.taken_at
    gaps = []
    for finding in filter(metrics.is_open, report.findings):
        old = known.get((finding.environment, finding.fingerprint))
        gaps.append(Gap(finding, old.first_seen if old else now, old.opened if old else now, now))
    return tuple(gaps)


def _needs() -> Mapping[str, Sequence[str]]:
    from auditor.registry import checks

    return {name: check.needs for name, check in checks().items()}
