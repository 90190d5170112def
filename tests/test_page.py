"""The overview in a real browser: readable by everybody, running no script but ours, telling when it is old."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditor.model import RUNGS, Alert, Criticality, Severity, SourceState, Verdict
from tests.builders import NOON, finding, report, rungs, service
from tests.sites import Site, served
from tests.test_web import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Page

WEB = Path(__file__).parents[1] / "auditor" / "web"
FULL = report(
    (
        *(service(f"{verdict}-one", category="core", verdict=verdict) for verdict in Verdict),
        service(
            "db",
            category="data",
            criticality=Criticality.CRITICAL,
            coverage=0.4,
            rungs=rungs(running="disproved", healthy="unknown", charted="not_required"),
            title="The database",
            reasons=("its container exited 1",),
        ),
    ),
    (
        finding("no-alert", "db", severity=Severity.CRITICAL, message="`db` has no alert"),
        finding("no-probe", "healthy-one"),
        finding("count-claim-wrong", None, severity=Severity.INFO),
    ),
    complete=False,
    sources=(
        SourceState("catalogue", "ok"),
        SourceState("docker", "failed", "permission denied", "prod"),
        SourceState("grafana", "not_asked", environment="prod"),
    ),
    alerts=(Alert("prod", "Down", "active", "critical", "db", "it is down", NOON),),
    files=("catalogue.yaml",),
    notes=("a note",),
    duration=0.25,
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path, FULL) as started:
        yield started


def violations(page: Page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{item['id']}: {node['html'][:200]}" for item in found for node in item["nodes"]]


def troubles(page: Page) -> list[str]:
    """What the browser complains about from now on: errors, refused scripts, failed requests."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append("dialog"), dialog.dismiss()))
    return said


def shown(page: Page, site: Site, path: str = "/", width: int = 1280) -> Page:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(site.address + path)
    return page


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("look", ["page", "dark_page"])
def test_everybody_can_use_it(site: Site, request: pytest.FixtureRequest, look: str, width: int) -> None:
    page: Page = request.getfixturevalue(look)
    said = troubles(page)
    shown(page, site, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert said == []


def test_the_page_of_a_check_too(site: Site, page: Page) -> None:
    from auditor.registry import checks

    shown(page, site, f"/checks/{next(iter(checks()))}")
    assert violations(page) == []


def test_a_blind_page_says_so_first(site: Site, page: Page) -> None:
    site.scan(ValueError("the catalogue is gone"))
    shown(page, site)
    assert "the catalogue is gone" in page.locator("main > *:visible").first.inner_text()
    assert page.locator("td.proved").count() == 0
    assert violations(page) == []


def test_each_cell_speaks_without_colour(site: Site, page: Page) -> None:
    shown(page, site)
    row = page.locator("tr", has=page.locator("th[scope=row]", has_text="db"))
    words = dict(zip(RUNGS, row.locator("td.cell .hidden").all_inner_texts(), strict=True))
    assert (words["running"], words["healthy"], words["charted"]) == ("disproved", "unknown", "not required")
    symbols = dict(zip(RUNGS, row.locator("td.cell [aria-hidden]").all_inner_texts(), strict=True))
    assert len({symbols["composed"], symbols["running"], symbols["healthy"], symbols["charted"]}) == 4
    assert "running is disproved" in (row.locator("td.disproved").first.get_attribute("title") or "")


def test_a_service_leads_to_what_is_said_of_it(site: Site, page: Page) -> None:
    shown(page, site)
    page.locator("th[scope=row] a", has_text="db").click()
    target = page.locator("article:target")
    assert "db has no alert" in target.inner_text()
    assert "compose.yaml:7" in target.inner_text()


def test_the_head_of_the_matrix_stays_in_sight(site: Site, page: Page) -> None:
    many = tuple(service(f"service-{number:02}") for number in range(60))
    site.scan(report(many))
    shown(page, site)
    page.locator("th[scope=row]", has_text="service-50").scroll_into_view_if_needed()
    box = page.locator("th.rung").first.bounding_box()
    assert box is not None
    assert -1 <= box["y"] < 100


def test_a_new_report_appears_by_itself(site: Site, page: Page) -> None:
    shown(page, site)
    site.scan(report((service("newcomer"),)))
    page.wait_for_selector("text=newcomer", timeout=20_000)


def test_when_the_auditor_is_gone_the_page_says_so(tmp_path: Path, page: Page) -> None:
    with served(tmp_path, FULL, interval=4) as site:
        shown(page, site)
        assert page.locator("#lost").is_hidden()
    page.wait_for_selector("#lost:not([hidden])", timeout=20_000)
    assert "No connection" in page.locator("#lost").inner_text()


def test_it_works_without_scripts(site: Site, browser) -> None:  # type: ignore[no-untyped-def]
    plain = browser.new_page(java_script_enabled=False)
    plain.goto(site.address)
    assert "permission denied" in plain.inner_text("main")
    assert plain.locator("th[scope=row]").count() == 7
    assert plain.locator("meta[http-equiv=refresh]").count() == 1


def test_hostile_text_runs_nothing(site: Site, page: Page) -> None:
    said = troubles(page)
    texts = [text for text in HOSTILE if len(text) < 1000]
    site.scan(
        report(
            tuple(service(text, category=text, title=text, reasons=(text,)) for text in texts),
            tuple(finding("no-alert", text, message=text, fix=text) for text in texts),
            system=texts[0],
            sources=tuple(SourceState(text, "failed", text, "prod") for text in texts),
            alerts=tuple(Alert("prod", text, "active", text, text, text) for text in texts),
            complete=False,
        )
    )
    shown(page, site)
    page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    assert said == []
    assert page.evaluate("document.scripts.length") == 1
    assert page.locator("main img, main svg, main [onmouseover], main [onerror]").count() == 0
    assert "{{7*7}}" in page.content()


def test_it_can_be_printed(site: Site, page: Page) -> None:
    shown(page, site)
    page.emulate_media(media="print")
    assert page.locator("footer").is_hidden()
    assert page.locator("th.rung").first.evaluate("item => getComputedStyle(item).position") == "static"


def test_the_keyboard_reaches_the_content_first(site: Site, page: Page) -> None:
    shown(page, site)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


# --- the sources of the page: no browser needed -------------------------------------------------------------------


def test_nothing_bypasses_the_escaping() -> None:
    files = [path for path in WEB.rglob("*") if path.suffix in {".html", ".js", ".py", ".css"}]
    assert len(files) > 10
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\|\s*safe\b|Markup\(|eval\(", text), (
            path
        )


def test_templates_are_html_by_name_too() -> None:
    assert {path.suffix for path in (WEB / "templates").iterdir()} == {".html"}


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in (*(WEB / "templates").iterdir(), *(WEB / "static").iterdir()):
        addresses = re.findall(r"(?:https?:)?//[\w.]+", path.read_text(encoding="utf-8"))
        assert {item for item in addresses if "w3.org" not in item} == set(), path
