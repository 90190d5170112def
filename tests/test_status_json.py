"""The body of `/services/status`."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.errors import UsageError
from auditor.model import Report, Severity, Verdict
from exporters import status_json, status_text
from tests import goldens
from tests.builders import NOON, finding, report, service


def made() -> Report:
    return report(
        (
            service("web", health="healthy", memory_bytes=1 << 28, memory_limit_bytes=1 << 29, response_seconds=0.0421),
            service("db", category="data", tier="data", owner="dba", verdict=Verdict.STOPPED, last_check=NOON),
            service("slack", category=None, verdict=Verdict.UNKNOWN, coverage=None),
            service("stranger", declared=False, category=None),
            service("web", "test", verdict=Verdict.DEGRADED),
        ),
        (
            finding("no-alert", "web"),
            finding("no-owner", "web", severity=Severity.INFO),
            finding("moving-image-tag", "web", baselined=True),
            finding("no-alert", "web", "test"),
        ),
        environment=None,
        environments=("prod", "test"),
    )


def names(body: dict[str, Any]) -> list[str]:
    return [name for services in body["services"].values() for name in services]


def test_the_body_counts_every_entry_of_the_default_environment() -> None:
    body = status_json.document(made())
    assert (body["total_services"], body["healthy_services"], body["timestamp"]) == (3, 1, "2026-03-01T12:00:00Z")
    assert list(body["services"]) == ["core", "data", "uncategorized"]


def test_one_service() -> None:
    assert status_json.document(made())["services"]["core"]["web"] == {
        "status": "healthy",
        "health": "healthy",
        "memory_bytes": 268435456,
        "memory_limit_bytes": 536870912,
        "cpu_ratio": None,
        "response_ms": 42.1,
        "last_check": None,
        "coverage": 1.0,
        "gaps": 1,
        "reported": {},
    }


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({"category": ["data"]}, ["db"]),
        ({"category": ["uncategorized"]}, ["slack"]),
        ({"tier": ["data", "none"]}, ["db"]),
        ({"owner": ["platform"], "status": ["unknown"]}, ["slack"]),
        ({"status": ["healthy", "stopped"]}, ["web", "db"]),
        ({"owner": ["nobody"]}, []),
    ],
)
def test_filters_narrow_the_list_and_leave_the_totals(filters: dict[str, list[str]], left: list[str]) -> None:
    body = status_json.document(made(), **filters)
    assert names(body) == left
    assert body["total_services"] == 3


def test_fields_keep_what_they_name() -> None:
    body = status_json.document(made(), "test", fields=["gaps", "status"])
    assert body["services"] == {"core": {"web": {"status": "degraded", "gaps": 1}}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"environment": "prd"}, "unknown environment `prd`"),
        ({"status": ["helthy"]}, "unknown status `helthy`"),
        ({"fields": ["gap"]}, "unknown field `gap`"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        status_json.document(made(), **given)
    assert raised.value.help
    assert raised.value.help.startswith("did you mean")


def test_without_a_catalogue_what_was_seen_is_listed() -> None:
    body = status_json.document(report((service("web", declared=False),)))
    assert (body["total_services"], names(body)) == (1, ["web"])


def test_the_body_in_a_terminal() -> None:
    goldens.check("text/status.txt", status_text.render(status_json.document(made()), width=80))


@pytest.mark.parametrize(("number", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 29, "512 MiB")])
def test_sizes(number: int, shown: str) -> None:
    assert status_text.size(number) == shown
