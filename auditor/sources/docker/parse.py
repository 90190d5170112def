"""From an engine's answers to containers. What may hold a secret is dropped here, and text from outside cleaned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from auditor.model import Container, Host, Port
from auditor.regexp import regexp
from auditor.sources.docker.start_errors import reason
from auditor.sources.hostile import printable

_STATUS_HEALTH = regexp(r"\((healthy|unhealthy|health: starting)\)")

JSON = Mapping[str, Any]


def parse_listed(item: JSON, environment: str) -> Container:
    """A container as the list shows it, without its details."""
    labels = _labels(item.get("Labels"))
    status = printable(item.get("Status") or "")
    health = _STATUS_HEALTH.search(status)
    names = item.get("Names") or [item["Id"][:12]]
    settings = item.get("NetworkSettings") or {}
    return Container(
        id=item["Id"],
        name=printable(str(names[0]).lstrip("/")),
        environment=environment,
        image=printable(item.get("Image") or "", 500),
        state=printable(item.get("State") or "unknown", 20),
        status=status,
        health=health[1].removeprefix("health: ") if health else "unknown",
        networks=tuple(sorted(printable(name) for name in settings.get("Networks") or {})),
        **_compose(labels),
    )


def parse_container(item: JSON, details: JSON, environment: str) -> Container:
    """A container from its entry in the list and its inspection. Raises KeyError, TypeError, ... on a strange shape."""
    state, config, host = details["State"], details["Config"], details.get("HostConfig") or {}
    status = printable(state["Status"], 20)
    settings = details.get("NetworkSettings") or {}
    return Container(
        id=details["Id"],
        name=printable(str(details["Name"]).lstrip("/")),
        environment=environment,
        image=printable(config["Image"], 500),
        image_id=printable(details.get("Image") or "") or None,
        state=status,
        status=printable(item.get("Status") or "") or None,
        health=_health(state, status),
        health_output=_failing(state),
        exit_code=state["ExitCode"] if status in ("exited", "dead") else None,
        start_error=reason(state.get("Error")) if status != "running" else None,
        oom_killed=bool(state.get("OOMKilled")),
        restarts=details.get("RestartCount"),
        started_at=parse_time(state.get("StartedAt")),
        finished_at=parse_time(state.get("FinishedAt")),
        networks=tuple(sorted(printable(name) for name in settings.get("Networks") or {})),
        ports=tuple(_ports(host.get("PortBindings") or {}, settings.get("Ports") or {})),
        memory_limit=host.get("Memory") or None,
        **_compose(_labels(config.get("Labels"))),
    )


def _health(state: JSON, status: str) -> str:
    found = (state.get("Health") or {}).get("Status") or "none"
    if found not in ("healthy", "unhealthy", "starting"):
        return "none"
    return str(found) if status == "running" else "unknown"  # what is left from when it ran


def _failing(state: JSON) -> str | None:
    """That the health check fails, in our own words: its output may hold a secret."""
    health = state.get("Health") or {}
    streak = health.get("FailingStreak") or 0
    log = health.get("Log") or []
    if not streak or not log:
        return None
    return f"health check failed, exit code {int(log[-1]['ExitCode'])}, {int(streak)} times in a row"


def _labels(found: object) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {str(name): str(value) for name, value in found.items()}


_PODMAN = "io.podman.compose."


def _compose(labels: Mapping[str, str]) -> dict[str, Any]:
    """What the labels of Compose (1 and 2), of Podman's or of a Swarm stack say of where a container belongs."""
    prefix = "com.docker.compose."
    podman = {f"{prefix}{k.removeprefix(_PODMAN)}": v for k, v in labels.items() if k.startswith(_PODMAN)}
    labels = {**podman, **labels}
    stack = labels.get("com.docker.stack.namespace")
    service, swarm = labels.get(f"{prefix}service"), labels.get("com.docker.swarm.service.name")
    if service is None and swarm:
        service = swarm.removeprefix(f"{stack}_") if stack else swarm
    number = labels.get(f"{prefix}container-number", "")
    files = labels.get(f"{prefix}project.config_files", "")
    return {
        "project": _claim(labels.get(f"{prefix}project") or stack),
        "service": _claim(service),
        "number": int(number) if re.fullmatch(r"[0-9]{1,9}", number) else None,
        "task": bool(swarm),
        "oneoff": labels.get(f"{prefix}oneoff", "").lower() == "true",
        "config_files": tuple(printable(name, 500) for name in files.split(",")[:100] if name),
        "working_dir": _claim(labels.get(f"{prefix}project.working_dir"), 500),
    }


def _claim(value: str | None, limit: int = 200) -> str | None:
    return printable(value, limit) or None if value else None


def _ports(asked: JSON, given: JSON) -> Iterator[Port]:
    """What was asked for; where that was any port, what the engine gave."""
    for key in sorted({*asked, *given}, key=_port_order):
        target, _, protocol = key.partition("/")
        bindings = asked.get(key) or []
        fixed = [binding for binding in bindings if binding.get("HostPort") not in (None, "", "0")]
        chosen = fixed if fixed and all("-" not in binding["HostPort"] for binding in fixed) else given.get(key)
        seen = set()
        for binding in chosen or bindings:
            port = Port(int(target), binding.get("HostPort") or None, _host(binding.get("HostIp")), protocol or "tcp")
            if port not in seen:
                seen.add(port)
                yield port


def _port_order(key: str) -> tuple[int, str]:
    target, _, protocol = key.partition("/")
    return int(target), protocol


def _host(address: str | None) -> str | None:
    return None if address in (None, "", "0.0.0.0", "::") else printable(address, 50)  # noqa: S104  compared only


def parse_time(text: object) -> datetime | None:
    """An engine's RFC 3339 time, nanoseconds cut; None for its zero time or anything else."""
    if not isinstance(text, str) or text.startswith("0001"):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_host(info: JSON, environment: str) -> Host:
    """The engine's machine. Raises AttributeError or TypeError on a strange shape."""
    return Host(
        environment,
        source="docker",
        cpus=_count(info.get("NCPU")),
        memory=_count(info.get("MemTotal")),
        version=_claim(info.get("ServerVersion"), 60),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 < value < 2**63 else None
