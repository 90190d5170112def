"""Applications on a real socket, for tests that need a browser, a scraper or a slow client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from auditor.model import Report
from auditor.settings import Settings
from auditor.web.app import App, create_app
from auditor.web.server import configuration, listen


class Site:
    """A served application; `report` is what its next scan finds, or raises."""

    def __init__(self, path: Path, report: Report | Exception, **fields: Any) -> None:
        self.report = report
        settings = Settings(port=0, database=f"sqlite:///{path / 'history.sqlite'}", **{"interval": 3600} | fields)
        self.app: App = create_app(settings, scan=self._scan)
        self.listener = listen(settings)
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _scan(self, _: Settings) -> Report:
        if isinstance(self.report, Exception):
            raise self.report
        return self.report

    def scan(self, report: Report | Exception) -> None:
        """Scan now."""
        self.report = report
        self.app.watch.scan_once()


@contextmanager
def served(path: Path, report: Report | Exception, **fields: Any) -> Iterator[Site]:
    """The application, answering under `address` while the context lasts; its first scan is done."""
    site = Site(path, report, **fields)
    site.app.watch.start = lambda: None  # type: ignore[method-assign]  # scans happen when the test says so
    server = uvicorn.Server(configuration(site.app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [site.listener]})
    site.scan(report)
    thread.start()
    try:
        yield site
    finally:
        server.should_exit = True
        thread.join(15)
        site.listener.close()
        assert not thread.is_alive()
