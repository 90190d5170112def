"""Every request that reading an engine may send, what it is for, and what is not known where a proxy denies it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

IDENTIFIER = r"[0-9a-f]{64}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """One request: its path, the section of a socket proxy that opens it, and what it tells.

    lost: what is not known where it is denied; None: without it nothing is.
    """

    path: str
    section: str
    tells: str
    lost: str | None = None
    method: str = "GET"

    def fits(self, method: str, path: str) -> bool:
        """Whether this is the request: nothing from outside but a whole id has a place in a path."""
        pattern = re.escape(self.path).replace(r"\{id\}", IDENTIFIER)
        return method == self.method and re.fullmatch(rf"(/v1\.[0-9]{{1,3}})?{pattern}", path) is not None


READING = (
    Allowed("/version", "VERSION", "the engine's version, and which API it speaks", "the engine's version"),
    Allowed("/containers/json", "CONTAINERS", "which containers there are, and how each is"),
    Allowed("/containers/{id}/json", "CONTAINERS", "what a container was made with; why and when it ended"),
    Allowed("/containers/{id}/stats", "CONTAINERS", "memory, CPU, processes, network and block traffic"),
    Allowed("/events", "EVENTS", "who ended a container; what changed since the last look", "who ended a container"),
    Allowed("/info", "INFO", "the host's CPUs and memory; whether it leads a Swarm", "the host's CPUs and memory"),
    Allowed("/images/json", "IMAGES", "which image a tag names now", "images and where their tags moved"),
    Allowed("/images/sha256:{id}/json", "IMAGES", "what an image itself sets", "what images themselves set"),
)


def allowed(requests: Sequence[Allowed]) -> Callable[[str, str], bool]:
    """`(method, path) -> bool`: whether a request, its version of the API before the path or not, is one of these."""
    return lambda method, path: any(request.fits(method, path) for request in requests)


def section_of(path: str) -> str:
    """The section of a socket proxy that opens `path`."""
    first = re.sub(r"^/v[0-9.]+(?=/)", "", path).strip("/").partition("/")[0]
    return "PING" if first == "_ping" else first.upper()


def table(requests: Sequence[Allowed] = READING) -> str:
    """The requests as a Markdown table."""
    rows = [
        f"| `{one.method} {one.path}` | `{one.section}` | {one.tells} | {one.lost or 'everything'} |"
        for one in requests
    ]
    head = ["| request | section | what it tells | not known without it |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"
