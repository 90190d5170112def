"""The most that each service was seen to use, a row a day, so that a peak is forgotten a week after it was seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlmodel import Field, Session, SQLModel, col, delete, select

from auditor.model import Peak
from auditor.usage import Observation

PEAK_DAYS = 7  # a whole week: what only happens on Mondays counts
_DAY = 86_400


class PeakRow(SQLModel, table=True):
    """One service on one day (days since 1970, UTC)."""

    __tablename__ = "peak"
    environment: str = Field(primary_key=True)
    service: str = Field(primary_key=True)
    day: int = Field(primary_key=True)
    basis: str
    since: float
    samples: int
    memory: int | None = None
    cpus: float | None = None


def add(session: Session, observations: Sequence[Observation]) -> None:
    """Count observations in. One with another basis begins anew: what was seen of another image or limit is gone."""
    known: dict[tuple[str, str], list[PeakRow]] = {}
    for row in session.exec(select(PeakRow)):
        known.setdefault((row.environment, row.service), []).append(row)
    for seen in observations:
        today = int(seen.taken_at.timestamp() // _DAY)
        rows = known.get((seen.environment, seen.service), [])
        for row in rows:
            if row.basis != seen.basis or row.day <= today - PEAK_DAYS or row.day > today:  # or the clock went back
                session.delete(row)
        session.flush()
        current = next((row for row in rows if row.day == today and row.basis == seen.basis), None)
        session.add(_counted(current or _first(seen, today), seen))
    if observations:
        oldest = min(int(seen.taken_at.timestamp() // _DAY) for seen in observations) - PEAK_DAYS
        session.exec(delete(PeakRow).where(col(PeakRow.day) <= oldest))


def _first(seen: Observation, day: int) -> PeakRow:
    return PeakRow(
        environment=seen.environment, service=seen.service, day=day, basis=seen.basis,
        since=seen.taken_at.timestamp(), samples=0,
    )  # fmt: skip


def _counted(row: PeakRow, seen: Observation) -> PeakRow:
    row.samples += 1
    row.memory = max((n for n in (row.memory, seen.memory) if n is not None), default=None)
    row.cpus = max((n for n in (row.cpus, seen.cpus) if n is not None), default=None)
    return row


def peaks(session: Session) -> tuple[Peak, ...]:
    """The peak of every service over the days that are kept."""
    found: dict[tuple[str, str], list[PeakRow]] = {}
    for row in session.exec(select(PeakRow).order_by(col(PeakRow.environment), col(PeakRow.service))):
        found.setdefault((row.environment, row.service), []).append(row)
    return tuple(_peak(rows) for rows in found.values())


def _peak(rows: Sequence[PeakRow]) -> Peak:
    return Peak(
        environment=rows[0].environment,
        service=rows[0].service,
        since=datetime.fromtimestamp(min(row.since for row in rows), UTC),
        memory=max((row.memory for row in rows if row.memory is not None), default=None),
        cpus=max((row.cpus for row in rows if row.cpus is not None), default=None),
        samples=sum(row.samples for row in rows),
        basis=rows[-1].basis,
    )
