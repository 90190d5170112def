"""Who started, stopped or restarted what: written before anything is done, and completed with what came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel import Field, Session, SQLModel, col, select

PENDING, DONE, PARTIAL, FAILED = "pending", "done", "partial", "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one container. `error` is None where it did as it was told."""

    id: str
    name: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One line of the trail. `outcome`: pending (begun, and nothing is known of its end), done, partial, failed."""

    id: int
    taken_at: datetime
    ended_at: datetime | None
    who: str
    action: str  # start, stop, restart
    environment: str
    service: str
    outcome: str
    steps: tuple[Step, ...]


class ActionRow(SQLModel, table=True):
    """One action; never changed after its end, never deleted."""

    __tablename__ = "action"
    id: int | None = Field(default=None, primary_key=True)
    taken_at: float
    ended_at: float | None = None
    who: str
    action: str
    environment: str
    service: str
    outcome: str
    steps: str  # JSON


def begin(session: Session, who: str, action: str, environment: str, service: str, steps: Sequence[Step]) -> int:
    """Write down what is about to be done; its id."""
    row = ActionRow(
        taken_at=datetime.now(UTC).timestamp(), who=who, action=action, environment=environment, service=service,
        outcome=PENDING, steps=_dumped(steps),
    )  # fmt: skip
    session.add(row)
    session.flush()
    assert row.id is not None  # noqa: S101 - a flushed row has its key
    return row.id


def end(session: Session, id: int, steps: Sequence[Step]) -> None:
    """Write down what came of it."""
    row = session.get_one(ActionRow, id)
    row.ended_at = datetime.now(UTC).timestamp()
    row.outcome = outcome_of(steps)
    row.steps = _dumped(steps)
    session.add(row)


def outcome_of(steps: Sequence[Step]) -> str:
    """Done where no container failed, failed where all did, else partial."""
    failed = sum(step.error is not None for step in steps)
    return DONE if not failed else FAILED if failed == len(steps) else PARTIAL


def actions(session: Session, before: int | None, limit: int) -> list[Action]:
    """The trail, newest first, before the id `before`."""
    query = select(ActionRow).order_by(col(ActionRow.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(ActionRow.id) < before)
    return [_action(row) for row in session.exec(query)]


def _action(row: ActionRow) -> Action:
    assert row.id is not None  # noqa: S101 - it comes from the table
    ended = None if row.ended_at is None else datetime.fromtimestamp(row.ended_at, UTC)
    steps = tuple(Step(*item) for item in json.loads(row.steps))
    taken = datetime.fromtimestamp(row.taken_at, UTC)
    return Action(row.id, taken, ended, row.who, row.action, row.environment, row.service, row.outcome, steps)


def _dumped(steps: Sequence[Step]) -> str:
    return json.dumps([[step.id, step.name, step.error] for step in steps])
