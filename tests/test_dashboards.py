"""The generated dashboard: fresh, well-formed, and every query parses."""

from __future__ import annotations

import json
from pathlib import Path

import promql_parser
import pytest

from auditor.catalogue import parse_catalogue
from exporters import dashboards

REPOSITORY = Path(__file__).parent.parent
EXAMPLE = REPOSITORY / "compose/examples/auterity/catalogue.yaml"


def generated() -> dict[str, str]:
    return dashboards.generate(parse_catalogue(EXAMPLE.read_bytes(), "catalogue.yaml"))


def test_committed_dashboards_are_fresh():
    files = generated()
    assert {name: (REPOSITORY / name).read_text() for name in files} == files
    assert sorted(str(p.relative_to(REPOSITORY)) for p in (REPOSITORY / "dashboards").glob("*.json")) == sorted(files)


@pytest.mark.parametrize("query", sorted(set(dashboards.queries(dashboards.fleet("demo")))))
def test_every_query_parses(query):
    promql_parser.parse(query.replace("$environment", ".*"))


def test_panels_do_not_overlap_and_fill_no_more_than_the_grid():
    taken = set()
    for panel in dashboards.fleet("demo")["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < dashboards.WIDTH
        taken |= cells


def test_a_hostile_system_name_stays_text():
    name = '"]}</script>{{x}}\n'
    text = dashboards.generate(parse_catalogue(json.dumps({"system": name, "services": {"a": {}}}).encode(), "c"))
    assert json.loads(text["dashboards/fleet.json"])["title"].endswith(name)
