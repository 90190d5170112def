"""History: reports, and each finding's life (first seen, opened, last seen, closed), in a SQLite file.

One lock serialises the writers, and each write is one `BEGIN IMMEDIATE` transaction in WAL mode, so a killed process
leaves a report whole or absent. A finding is closed only by a report whose check ran over sources that were read:
not seen is not gone. Kept are the newest `KEEP_REPORTS` reports and `KEEP_CLOSED` closed findings; open findings stay.
A file that SQLite calls corrupt is set aside under another name, never deleted.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine, UniqueConstraint, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlmodel import Field, Session, SQLModel, col, create_engine, delete, select

from auditor.errors import EvidenceError, SettingsError
from auditor.model import Finding, Peak, Report
from auditor.state import state_directory
from auditor.store import actions as trail
from auditor.store import peaks as peaks_of
from auditor.usage import Observation

SCHEMA = 2  # `PRAGMA user_version`; 2 added the tables `peak` and `action`, which are made where they are missing
KEEP_REPORTS = 1000
KEEP_CLOSED = 10_000
BUSY_SECONDS = 5.0
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_reports: TypeAdapter[Report] = TypeAdapter(Report)
_findings: TypeAdapter[Finding] = TypeAdapter(Finding)


class StoreError(EvidenceError):
    """The history cannot be read or written just now; whoever asked goes on without it."""


@dataclass(frozen=True, slots=True)
class Life:
    """A finding and its times, UTC. `opened` begins the present opening; `closed` is None while it is open."""

    finding: Finding
    first_seen: datetime
    opened: datetime
    last_seen: datetime
    closed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """One line of the list of reports."""

    id: int
    taken_at: datetime
    system: str | None
    environments: tuple[str, ...]
    complete: bool
    coverage: float | None


class _ReportRow(SQLModel, table=True):
    __tablename__ = "report"
    id: int | None = Field(default=None, primary_key=True)
    taken_at: float = Field(index=True)
    system: str | None = None
    environments: str
    complete: bool
    coverage: float | None = None
    body: bytes  # the report as JSON, zlib


class _FindingRow(SQLModel, table=True):
    __tablename__ = "finding"
    __table_args__ = (UniqueConstraint("environment", "fingerprint"),)
    id: int | None = Field(default=None, primary_key=True)
    environment: str
    fingerprint: str = Field(index=True)
    check_id: str
    sources: str  # names, comma-separated: what it was seen by, and what its check needs
    first_seen: float
    opened: float
    last_seen: float
    closed: float | None = Field(default=None, index=True)
    report_id: int = Field(foreign_key="report.id", ondelete="SET NULL", nullable=True)
    body: str  # the finding as JSON


_TABLES = [SQLModel.metadata.tables[name] for name in ("report", "finding", "peak", "action")]


def default_url(environ: Mapping[str, str]) -> str:
    """The database URL where none is set."""
    return f"sqlite:///{state_directory(environ).absolute() / 'history.sqlite'}"


class Store:
    """The history behind `url` (`sqlite:///PATH`). `notice` says what had to be done to the file, for every surface.

    Raises SettingsError for a URL, a version or a file that cannot be meant, StoreError where the disk refuses.
    """

    def __init__(self, url: str, *, keep_reports: int = KEEP_REPORTS, keep_closed: int = KEEP_CLOSED) -> None:
        self.path = _path(url)
        self.notice: str | None = None
        self._keep_reports = keep_reports
        self._keep_closed = keep_closed
        self._writing = threading.Lock()
        self._engine = self._open()

    # --- writing --------------------------------------------------------------------------------------------------

    def save(self, report: Report, needs: Mapping[str, Sequence[str]] | None = None) -> int:
        """Keep a report, and bring each finding's life up to date; its id.

        `needs`: which sources each check needs, so that a finding is not closed while one of them is blind.
        """
        with self._writing, self._mending():
            return self._save(report, needs or {})

    def _save(self, report: Report, needs: Mapping[str, Sequence[str]]) -> int:
        with self._session(write=True) as session:
            row = _report_row(report)
            session.add(row)
            session.flush()
            assert row.id is not None  # noqa: S101 - a flushed row has its key
            _update_lives(session, report, row.id, needs)
            self._forget(session)
            return row.id

    def _forget(self, session: Session) -> None:
        oldest = select(_ReportRow.id).order_by(col(_ReportRow.id).desc()).offset(self._keep_reports).limit(1)
        if (last := session.exec(oldest).first()) is not None:
            session.exec(delete(_ReportRow).where(col(_ReportRow.id) <= last))
        closed = (
            select(_FindingRow.closed)
            .where(col(_FindingRow.closed).is_not(None))
            .order_by(col(_FindingRow.closed).desc())
            .offset(self._keep_closed)
            .limit(1)
        )
        if (until := session.exec(closed).first()) is not None:
            session.exec(delete(_FindingRow).where(col(_FindingRow.closed) <= until))

    def observe(self, observations: Sequence[Observation]) -> None:
        """Count in what services were seen to use."""
        with self._writing, self._mending(), self._session(write=True) as session:
            peaks_of.add(session, observations)

    def begin_action(self, who: str, action: str, environment: str, service: str, steps: Sequence[trail.Step]) -> int:
        """Write down what is about to be done to which containers, and by whom; its id. It is on the disk then."""
        with self._writing, self._mending(), self._session(write=True) as session:
            return trail.begin(session, _text(who), action, _text(environment), _text(service), steps)

    def end_action(self, id: int, steps: Sequence[trail.Step]) -> None:
        """Write down what came of it."""
        with self._writing, self._mending(), self._session(write=True) as session:
            trail.end(session, id, steps)

    # --- reading --------------------------------------------------------------------------------------------------

    def peaks(self) -> tuple[Peak, ...]:
        """The most that each service was seen to use with the images and limits that it was last seen with."""
        with self._session() as session:
            return peaks_of.peaks(session)

    def actions(self, before: int | None = None, limit: int = 100) -> list[trail.Action]:
        """What was done to services, newest first, before the id `before`."""
        with self._session() as session:
            return trail.actions(session, before, limit)

    def latest(self) -> Report | None:
        """The newest report."""
        with self._session() as session:
            row = session.exec(select(_ReportRow).order_by(col(_ReportRow.id).desc()).limit(1)).first()
            return _report(row) if row else None

    def report(self, id: int) -> Report | None:
        """The report with that id, None where it was never kept or is forgotten."""
        with self._session() as session:
            row = session.get(_ReportRow, id)
            return _report(row) if row else None

    def reports(self, before: int | None = None, limit: int = 100) -> list[Stored]:
        """Reports, newest first, those before the id `before`."""
        query = select(_ReportRow).order_by(col(_ReportRow.id).desc()).limit(limit)
        if before is not None:
            query = query.where(col(_ReportRow.id) < before)
        with self._session() as session:
            return [_stored(row) for row in session.exec(query)]

    def open_findings(self) -> list[Life]:
        """Every open finding, oldest first."""
        query = select(_FindingRow).where(col(_FindingRow.closed).is_(None)).order_by(col(_FindingRow.opened))
        with self._session() as session:
            return [_life(row) for row in session.exec(query.order_by(col(_FindingRow.id)))]

    def closed_findings(self, limit: int = 100) -> list[Life]:
        """Closed findings, the latest first."""
        query = select(_FindingRow).where(col(_FindingRow.closed).is_not(None))
        query = query.order_by(col(_FindingRow.closed).desc(), col(_FindingRow.id).desc()).limit(limit)
        with self._session() as session:
            return [_life(row) for row in session.exec(query)]

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    # --- the file -------------------------------------------------------------------------------------------------

    @contextmanager
    def _session(self, *, write: bool = False) -> Iterator[Session]:
        try:
            connection = self._engine.connect().execution_options(immediate=write)
            with connection, Session(connection) as session:
                yield session
                if write:
                    session.commit()
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise _store_error(error, self.path) from error

    @contextmanager
    def _mending(self) -> Iterator[None]:
        """A file that turns out corrupt is set aside, so that the next write begins a new one."""
        try:
            yield
        except StoreError as error:
            if _is_corrupt(error.__cause__):
                self._engine.dispose()
                self._set_aside()
                self._engine = self._open()
            raise

    def _open(self) -> Engine:
        try:
            return self._prepare()
        except StoreError as error:
            if not _is_corrupt(error.__cause__):
                raise
        self._set_aside()
        return self._prepare()

    def _prepare(self) -> Engine:
        _make_private(self.path)
        engine = _engine(self.path)
        try:
            with engine.connect().execution_options(immediate=True) as connection:
                self._check(connection)
                SQLModel.metadata.create_all(connection, tables=_TABLES)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")
                connection.commit()
        except (SQLAlchemyError, sqlite3.Error) as error:
            engine.dispose()
            raise _store_error(error, self.path) from error
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _check(self, connection: Connection) -> None:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version > SCHEMA:
            raise SettingsError(
                f"the history was written by a newer version (its schema is {version}, this one knows {SCHEMA})",
                path=str(self.path),
                help="use that version, or name another file with `--database`",
            )
        tables = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
        if version == 0 and tables:
            raise SettingsError(
                "the database belongs to another program",
                path=str(self.path),
                help="name another file with `--database`",
            )
        if (said := connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()) != "ok":
            raise _corrupt(str(said))

    def _set_aside(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        aside = self.path.with_name(f"{self.path.name}.corrupt.{stamp}")
        try:
            # The log holds commits that the file lacks: it must go along, and must not be applied to the new file.
            for suffix in ("-wal", "-shm", ""):
                with suppress(FileNotFoundError):
                    self.path.with_name(self.path.name + suffix).rename(aside.with_name(aside.name + suffix))
        except OSError as error:
            raise StoreError(f"cannot set the corrupt history aside: {error.strerror}", path=str(self.path)) from error
        self.notice = f"the history was corrupt and is set aside as `{aside.name}`; a new one began"


# --- rows ---------------------------------------------------------------------------------------------------------


def _report_row(report: Report) -> _ReportRow:
    # A container's own words stay out of the file: they serve the moment, and may hold anything.
    content = _reports.dump_python(replace(report, containers=(), usages=()), mode="json")
    return _ReportRow(
        taken_at=report.taken_at.timestamp(),
        system=_text(report.system) if report.system else None,
        environments=json.dumps(report.environments),
        complete=report.complete,
        coverage=report.coverage,
        body=zlib.compress(json.dumps(content).encode(), 6),
    )


def _report(row: _ReportRow) -> Report:
    return _reports.validate_python(json.loads(zlib.decompress(row.body)))


def _stored(row: _ReportRow) -> Stored:
    assert row.id is not None  # noqa: S101 - it comes from the table
    names = tuple(json.loads(row.environments))
    return Stored(row.id, _time(row.taken_at), row.system, names, row.complete, row.coverage)


def _life(row: _FindingRow) -> Life:
    closed = None if row.closed is None else _time(row.closed)
    finding = _findings.validate_python(json.loads(row.body))
    return Life(finding, _time(row.first_seen), _time(row.opened), _time(row.last_seen), closed)


def _time(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)


def _text(text: str) -> str:
    """What a column can hold: a lone surrogate is no character."""
    return text.encode("utf-8", "replace").decode()


def _update_lives(session: Session, report: Report, report_id: int, needs: Mapping[str, Sequence[str]]) -> None:
    now = report.taken_at.timestamp()
    present = {(_text(item.environment or ""), _text(item.fingerprint)): item for item in report.findings}
    rows = _rows(session, present)
    for key, finding in present.items():
        row = rows.get(key) or _FindingRow(
            environment=key[0], fingerprint=key[1], first_seen=now, opened=now, last_seen=now,
            check_id="", sources="", body="", report_id=report_id,
        )  # fmt: skip
        if row.closed is not None:
            row.opened, row.closed = now, None
        row.last_seen = max(row.last_seen, now)
        row.check_id = _text(finding.check)
        row.sources = ",".join(sorted(_sources(finding, needs)))
        row.body = json.dumps(_findings.dump_python(finding, mode="json"))
        row.report_id = report_id
        session.add(row)
    judged = _Judged(report)
    for key, row in rows.items():
        if key not in present and row.closed is None and judged.saw(row):
            row.closed = now
            session.add(row)


def _rows(session: Session, present: Collection[tuple[str, str]]) -> dict[tuple[str, str], _FindingRow]:
    """The open ones, and the closed ones that are present again."""
    found = list(session.exec(select(_FindingRow).where(col(_FindingRow.closed).is_(None))))
    known = {(row.environment, row.fingerprint) for row in found}
    fingerprints = sorted({key[1] for key in present if key not in known})
    for at in range(0, len(fingerprints), 500):  # SQLite bounds the number of parameters
        wanted = col(_FindingRow.fingerprint).in_(fingerprints[at : at + 500])
        found += session.exec(select(_FindingRow).where(wanted, col(_FindingRow.closed).is_not(None)))
    return {(row.environment, row.fingerprint): row for row in found}


def _sources(finding: Finding, needs: Mapping[str, Sequence[str]]) -> set[str]:
    seen = {_text(item.source).partition(":")[0] for item in finding.evidence}
    return {name for name in seen | set(needs.get(finding.check, ())) if name and "," not in name}


class _Judged:
    """Which findings a report could have seen: those whose absence from it means that they are gone."""

    def __init__(self, report: Report) -> None:
        self._environments = {"", *map(_text, report.environments)}
        self._checks = {tally.id for tally in report.checks if tally.skipped is None and tally.error is None}
        self._blind = {
            (_text(source.environment or ""), source.name.partition(":")[0])
            for source in report.sources
            if source.state != "ok"
        }

    def saw(self, row: _FindingRow) -> bool:
        if row.environment not in self._environments or row.check_id not in self._checks:
            return False
        sources = row.sources.split(",")
        return not any((place, name) in self._blind for place in ("", row.environment) for name in sources)


# --- SQLite -------------------------------------------------------------------------------------------------------


def _path(url: str) -> Path:
    scheme, found, path = url.partition(":///")
    if scheme != "sqlite" or not found or not path or path == ":memory:":
        kind = url.partition(":")[0]  # what follows may hold a password
        raise SettingsError(
            f"`{kind}` is no database that this version can keep history in",
            help="write `sqlite:///` and a path, such as `sqlite:////var/lib/auditor/history.sqlite`",
        )
    return Path(path).absolute()


def _make_private(path: Path) -> None:
    """Make the directory and the file for this user alone, before anything is written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreError(f"cannot open the history: {error.strerror}", path=str(path)) from error


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin deferred transactions of its own
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "journal_size_limit = 4194304"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Read-then-write in a deferred transaction fails at once when another writer was quicker, whatever the timeout.
        wanted = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if wanted else "BEGIN")

    return engine


def _corrupt(said: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(said)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _is_corrupt(error: BaseException | None) -> bool:
    original = getattr(error, "orig", error)  # SQLAlchemy wraps the driver's error, but not where it connects
    return getattr(original, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def _store_error(error: SQLAlchemyError | sqlite3.Error, path: Path) -> StoreError:
    said = str(getattr(error, "orig", None) or (error if isinstance(error, sqlite3.Error) else type(error).__name__))
    return StoreError(f"the history cannot be used: {said}", path=str(path))
