"""Which series a selector is held against: fewer than there are, and none too few."""

from __future__ import annotations

import pytest

from auditor.promql import parts
from auditor.series import Match, candidates, selects, series_of
from tests.projects import snapshot_of

JOBS = [
    {"job_name": "web", "static_configs": [{"targets": ["web:80", "api:80"], "labels": {"service": "shop"}}]},
    {"job_name": "db", "static_configs": [{"targets": ["db-exporter:9187"]}]},
    {"job_name": "bare", "relabel_configs": [{"action": "labeldrop", "regex": "instance|job"}],
     "static_configs": [{"targets": ["cache:9121"]}]},
]  # fmt: skip
SHOP = snapshot_of(
    {
        "compose": {
            "services": {name: {"image": f"registry.example/{name}:1"} for name in ("web", "api", "cache")}
            | {
                "db": {"image": "postgres:15"},
                "db-exporter": {"image": "prometheuscommunity/postgres-exporter:v0.19.1"},
            }
        },
        "prometheus": {"scrape_configs": JOBS},
    }
)


@pytest.mark.parametrize(
    ("selector", "held"),
    [
        ("up", 5),
        ('up{job="web"}', 3),
        ('up{job="nobody"}', 1),
        ('up{job=""}', 5),
        ('up{job!="web"}', 5),
        ('up{job=~"web|db"}', 5),
        ('pg_up{instance="db-exporter:9187"}', 2),
        ('requests_total{service="shop"}', 5),
        ('requests_total{code="500"}', 5),
        ('up{job="web",instance="web:80"}', 3),
    ],
)
def test_none_of_those_that_are_left_out_is_selected(selector: str, held: int) -> None:
    (part,) = parts(selector)
    asked = candidates(part.selector, "default", SHOP)
    everything = series_of("default", SHOP)
    assert (len(asked), len(everything)) == (held, 5)
    for series in everything:
        assert series in asked or selects(part.selector, series) is Match.NO
