"""Renders pages in a headless browser: screenshots, PDF, text.

The browser is the hosted Browserless service; the deployment has no browser of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from app.settings import secret, settings

BROWSERLESS_URL = "https://chrome.browserless.io"
RENDER_SECONDS = 45.0


class RenderError(OSError):
    """The browser could not render the page."""


@dataclass(frozen=True)
class Viewport:
    """The browser window, in CSS pixels."""

    width: int = 1280
    height: int = 800
    scale: float = 1.0

    def as_json(self) -> dict[str, Any]:
        """Return the shape that Browserless expects."""
        return {"width": self.width, "height": self.height, "deviceScaleFactor": self.scale}


class PuppeteerService:
    """A client of the Browserless API."""

    def __init__(self, address: str = "", token: str = "") -> None:
        self.address = (address or settings().browserless_url or BROWSERLESS_URL).rstrip("/")
        self.token = token or secret("BROWSERLESS_TOKEN")

    async def screenshot(self, url: str, viewport: Viewport | None = None, full_page: bool = True) -> bytes:
        """Return the page as PNG."""
        body = {
            "url": url,
            "options": {"type": "png", "fullPage": full_page},
            "viewport": (viewport or Viewport()).as_json(),
            "gotoOptions": {"waitUntil": "networkidle2"},
        }
        return await self._render("screenshot", body)

    async def pdf(self, url: str, paper: str = "A4") -> bytes:
        """Return the page as PDF."""
        options = {"format": paper, "printBackground": True, "displayHeaderFooter": False}
        return await self._render("pdf", {"url": url, "options": options})

    async def text(self, url: str, selector: str = "body") -> str:
        """Return the text of the first element that `selector` matches."""
        answer = await self._post("scrape", {"url": url, "elements": [{"selector": selector}]})
        results = answer.json()["data"][0]["results"]
        return str(results[0]["text"]) if results else ""

    async def _render(self, route: str, body: dict[str, Any]) -> bytes:
        answer = await self._post(route, body)
        if not answer.content:
            raise RenderError(f"`{route}` of {body['url']} gave no content")
        return answer.content

    async def _post(self, route: str, body: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(timeout=RENDER_SECONDS) as client:
            answer = await client.post(f"{self.address}/{route}", params={"token": self.token}, json=body)
        if answer.is_error:
            raise RenderError(f"`{route}` of {body['url']} answered {answer.status_code}")
        return answer
