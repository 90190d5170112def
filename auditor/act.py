"""Carries an order out, container after container, and writes it down before and after."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Callable

from auditor.errors import UsageError
from auditor.model import Container, EnvironmentSpec
from auditor.orders import Order
from auditor.store import Store
from auditor.store.actions import Step

Tell = Callable[[str], None]


def require_allowed(allowed: bool, action: str) -> None:
    """Raises UsageError where nobody allowed actions."""
    if not allowed:
        raise UsageError(f"`{action}` changes what runs, and that is not allowed", help="add `--allow-actions`")


def me() -> str:
    """Who acts from this command line: user and host."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def carry_out(
    order: Order, spec: EnvironmentSpec | None, docker: str | None, store: Store, who: str, *, grace: int, tell: Tell
) -> tuple[Step, ...]:
    """What came of each container. One that fails hides no other; what is not reached says so.

    The trail has the order before the first request is sent: where it cannot be written (StoreError) nothing is done.
    docker: the address that overrides the environment's.
    """
    from auditor.sources.docker.actions import act

    todo = [Step(container.id, container.name, "not reached") for container in order.containers]
    number = store.begin_action(who, order.action, order.environment, order.service, todo)
    try:
        for at, container in enumerate(order.containers):
            tell(f"{order.action} {container.name}")
            todo[at] = Step(container.id, container.name, "interrupted: what came of it is not known")
            error = act(_address(container, spec, docker), order.action, container.id, grace=grace)
            todo[at] = Step(container.id, container.name, error)
    finally:
        store.end_action(number, todo)
    return tuple(todo)


def _address(container: Container, spec: EnvironmentSpec | None, docker: str | None) -> str:
    """The engine that showed the container."""
    named = container.source.partition(":")[2]
    return named or docker or (spec.docker[0] if spec else "env")
