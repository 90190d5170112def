"""Reads the active targets of a running Prometheus: what it scrapes now, and whether that answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditor.errors import EvidenceError
from auditor.model import Address, LiveTarget
from auditor.sources.fetch import fetch_json
from auditor.sources.hostile import printable
from auditor.sources.prometheus import address_of

TARGET_LIMIT = 50_000
_STATES = {"up": True, "down": False}  # "unknown": not scraped yet


def read_targets(url: str, environment: str, *, timeout: float = 5.0) -> tuple[LiveTarget, ...]:
    """The active targets of Prometheus at `url`, by job and address. Raises EvidenceError with the cause."""
    found = fetch_json("Prometheus", url, "/api/v1/targets?state=active", timeout=timeout)
    data = found.get("data") if isinstance(found, Mapping) else None
    items = data.get("activeTargets") if isinstance(data, Mapping) else None
    if not isinstance(items, list):
        raise EvidenceError("Prometheus cannot be read: the answer holds no targets")
    targets = {target for item in items[:TARGET_LIMIT] for target in _parse(item, environment)}
    return tuple(sorted(targets, key=lambda target: (target.job, target.address.host, target.address.port or 0)))


def _parse(item: object, environment: str) -> Iterator[LiveTarget]:
    """One active target as the API gives it; what is not shaped so is left out."""
    if not isinstance(item, Mapping):
        return
    url = item.get("scrapeUrl")
    labels = item.get("labels")
    if not isinstance(url, str) or not isinstance(labels, Mapping):
        return
    scheme, _, rest = url.partition("://")
    address = address_of(rest.partition("/")[0], scheme)
    if address is None:
        return
    yield LiveTarget(
        environment=environment,
        job=printable(labels.get("job", item.get("scrapePool", "")), 200),
        address=Address(printable(address.host, 253), address.port, address.scheme),
        up=_STATES.get(str(item.get("health"))),
        error=printable(item.get("lastError"), 300) or None if item.get("lastError") else None,
        labels=tuple(sorted((printable(name, 100), printable(value, 200)) for name, value in labels.items())),
        names=_names(item.get("discoveredLabels")),
    )


_NAMING = (
    "__meta_docker_container_label_com_docker_compose_service",
    "__meta_docker_container_name",
    "__meta_dockerswarm_service_name",
    "__meta_dns_name",
)


def _names(found: object) -> tuple[str, ...]:
    """The names under which a discovery found a target."""
    labels = found if isinstance(found, Mapping) else {}
    return tuple(printable(str(labels[name]).strip("/."), 253) for name in _NAMING if labels.get(name))
