"""Every request that reading an engine may send, what it is for, and what is not known where a proxy denies it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from auditor.regexp import regexp

IDENTIFIER = r"[0-9a-f]{64}"
IMAGE = regexp(f"sha256:{IDENTIFIER}")


@dataclass(frozen=True, slots=True)
class Allowed:
    """One request: its path, the section of a socket proxy that opens it, and what it tells.

    lost: what is not known where it is denied; None: without it no container is.
    """

    path: str
    section: str
    tells: str
    lost: str | None = None
    method: str = "GET"

    @property
    def pattern(self) -> str:
        """What a request line begins with: nothing from outside but a whole id has a place in it."""
        path = re.escape(self.path).replace(r"\{id\}", IDENTIFIER)
        return rf"{self.method} (/v1\.[0-9]{{1,3}})?{path}"


_SWARM = "the Swarm's services and their tasks"
_TASKS = "why tasks of the Swarm's services do not run"
_IMAGES = "what images set, and where their tags moved"
_DETAILS = "of each container its exit code, restarts, limits, and what it was made with"
_USED = "what containers use, of the host and of their limits"
_LEADS = "whether it leads a Swarm, where `INFO` and `SERVICES` are denied too"

READING = (
    Allowed("/version", "VERSION", "the engine's version, and which API it speaks", "the engine's version"),
    Allowed("/containers/json", "CONTAINERS", "which containers there are, and how each is"),
    Allowed("/containers/{id}/json", "CONTAINERS", "what a container was made with; why and when it ended", _DETAILS),
    Allowed("/containers/{id}/stats", "CONTAINERS", "memory, CPU, processes, network and block traffic", _USED),
    Allowed(
        "/events",
        "EVENTS",
        "who ended a container; what was killed for want of memory; what changed since the last look",
        "who ended a container",
    ),
    Allowed("/info", "INFO", "the host's CPUs and memory; whether it leads a Swarm", "the host's CPUs and memory"),
    Allowed("/_ping", "PING", "where `INFO` is denied: whether it leads a Swarm (from engine 23 on)", _LEADS),
    Allowed("/services", "SERVICES", "on a Swarm's manager: its services, and how many tasks they should have", _SWARM),
    Allowed("/tasks", "TASKS", "on a Swarm's manager: which tasks run, and why others do not", _TASKS),
    Allowed("/images/json", "IMAGES", "which image a tag names now", _IMAGES),
    Allowed("/images/sha256:{id}/json", "IMAGES", "what an image itself sets", _IMAGES),
)


def allowed(requests: Sequence[Allowed]) -> Callable[[str, str], bool]:
    """`(method, path) -> bool`: whether a request, its version of the API before the path or not, is one of these."""
    pattern = re.compile("|".join(request.pattern for request in requests))
    return lambda method, path: pattern.fullmatch(f"{method} {path}") is not None


def section_of(path: str) -> str:
    """The section of a socket proxy that opens `path`."""
    first = re.sub(r"^/v[0-9.]+(?=/)", "", path).strip("/").partition("/")[0]
    return "PING" if first == "_ping" else first.upper()


def table(requests: Sequence[Allowed] = READING) -> str:
    """The requests as a Markdown table."""
    rows = [
        f"| `{one.method} {one.path}` | `{one.section}` | {one.tells} | {one.lost or 'anything of containers'} |"
        for one in requests
    ]
    head = ["| request | section | what it tells | not known without it |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"
