"""The body of `/services/status` for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exporters.escape import clean, encodable, fit, guard, width
from exporters.text import Look, percent

_COLOURS = {"healthy": "green", "degraded": "yellow", "starting": "yellow", "unhealthy": "red", "stopped": "red"}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def render(body: Mapping[str, Any], *, colour: bool = False, width: int = 80, encoding: str | None = None) -> str:
    """The whole page; every line ends with a newline."""
    look = Look(colour, width, encoding=encoding)
    text = "\n".join(guard(line.rstrip()) for line in _lines(body, look)) + "\n"
    return text if encoding is None else encodable(text, encoding)


def _lines(body: Mapping[str, Any], look: Look) -> Iterator[str]:
    yield look.paint(f"{body['healthy_services']} of {body['total_services']} services are healthy", "bold")
    yield f"evidence of {body['timestamp']}"
    names = [clean(name) for services in body["services"].values() for name in services]
    column = min(max(map(width, names), default=0), max(20, look.width - 52))
    if names:
        yield ""
        yield look.paint(f"  {'':<{column}}  {'status':<10} {'docker':<10} {'coverage':>8} {'gaps':>5}  memory", "dim")
    for category, services in body["services"].items():
        yield look.paint(clean(category), "cyan")
        for name, service in services.items():
            yield f"  {fit(clean(name), column, look.ellipsis)}  {_service(service, look)}"


def _service(service: Mapping[str, Any], look: Look) -> str:
    status = service["status"]
    word = look.paint(f"{status:<10}", _COLOURS[status]) if status in _COLOURS else f"{status:<10}"
    coverage = percent(service["coverage"])
    return f"{word} {clean(service['health']):<10} {coverage:>8} {service['gaps']:>5}  {_memory(service)}"


def _memory(service: Mapping[str, Any]) -> str:
    used, limit = service["memory_bytes"], service["memory_limit_bytes"]
    if used is None:
        return "-"
    return size(used) if not limit else f"{size(used)} of {size(limit)}"


def size(number: float) -> str:
    """Bytes in the largest unit that leaves at least one."""
    for unit in _UNITS:
        if number < 1024 or unit == _UNITS[-1]:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    return ""
