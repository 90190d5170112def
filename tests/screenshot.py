"""Writes `dashboards/overview.png`: the page of the example system, as the README shows it.

    python -m tests.screenshot [FILE]

The time of the report is fixed and scripts are off, so that the same code on the same machine draws the same picture.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from auditor.scan import scan
from auditor.settings import Settings
from tests.builders import NOON
from tests.parts.finder import find, missing
from tests.parts.plugin import BROWSER_OPTIONS
from tests.sites import served

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "compose" / "examples" / "auterity"
SIZE = {"width": 1280, "height": 1500}


def main(target: Path) -> int:
    """Draws into `target`; 1 where no browser can be had."""
    chromium = find("chromium")
    if chromium is None:
        sys.stderr.write(f"no screenshot: {missing('chromium')}\n")
        return 1
    report = scan(Settings(catalogue=str(EXAMPLE / "catalogue.yaml"), root=str(EXAMPLE), offline=True))
    report = replace(report, taken_at=NOON, duration=None)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), report, interval=60) as site:
        _draw(chromium, site.address, target)
    return 0


def _draw(chromium: Path, address: str, target: Path) -> None:
    from playwright.sync_api import sync_playwright

    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_OPTIONS + sandbox)
        page = browser.new_page(viewport=SIZE, color_scheme="light", java_script_enabled=False)
        page.goto(address)
        page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dashboards" / "overview.png"))
