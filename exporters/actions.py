"""What was done to services: the trail, and the outcome of one order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from auditor.model import Report
from auditor.orders import Order
from auditor.store.actions import Action, Step, outcome_of
from exporters.escape import clean, guard
from exporters.report_json import timestamp
from exporters.services import Line
from exporters.services import document as services_document


def performed(order: Order, steps: Sequence[Step]) -> dict[str, Any]:
    """What came of one order, as plain values."""
    return {
        "action": order.action,
        "service": order.service,
        "environment": order.environment,
        "outcome": outcome_of(steps) if steps else "nothing to do",
        "containers": [_step(step) for step in steps],
        "skipped": [{"id": container.id, "name": container.name} for container in order.skipped],
    }


def outcome(order: Order, steps: Sequence[Step], report: Report, after: Iterable[Line]) -> dict[str, Any]:
    """The same with how its service does afterwards."""
    after_it = services_document(report, after)["services"]
    return {"schema": "stack-auditor/action/1"} | performed(order, steps) | {"after": after_it}


def document(trail: Iterable[Action]) -> dict[str, Any]:
    """The trail as plain values, newest first."""
    return {"schema": "stack-auditor/actions/1", "items": [_action(action) for action in trail]}


def _action(action: Action) -> dict[str, Any]:
    return {
        "id": action.id,
        "taken_at": timestamp(action.taken_at),
        "ended_at": timestamp(action.ended_at),
        "who": action.who,
        "action": action.action,
        "environment": action.environment,
        "service": action.service,
        "outcome": action.outcome,
        "containers": [_step(step) for step in action.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {"id": step.id, "name": step.name, "error": step.error}


def table(trail: Sequence[Action]) -> str:
    """The trail for a person: one line an action, and one for each container that failed."""
    if not trail:
        return "nothing was started, stopped or restarted\n"
    lines = []
    for action in trail:
        when = action.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        what = f"{action.action} {clean(action.environment)}/{clean(action.service)}"
        names = ", ".join(clean(step.name) for step in action.steps)
        lines.append(f"{when}  {clean(action.who)}  {what}: {action.outcome} ({names})")
        if action.outcome != "pending":
            lines += [f"    {clean(step.name)}: {clean(step.error)}" for step in action.steps if step.error]
    return "".join(f"{guard(line)}\n" for line in lines)
