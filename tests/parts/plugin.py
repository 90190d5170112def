"""The fixtures that lend real components to tests, and what the end of a run says about them.

A component that cannot be had skips its tests with the reason; under `CI=true` it fails them.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.tmpdir import tmppath_result_key

from tests.parts import debian
from tests.parts import engine as engines
from tests.parts.finder import bundle_folder, find, missing, version
from tests.parts.servers import Server, serving
from tests.parts.wanted import PARTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Serve = Callable[..., Server]

# Which mark a test has that asks for one of these fixtures.
MARKS = {
    "engine": "engine",
    "empty_engine": "engine",
    "engine28": "engine",
    "prometheus_server": "component",
    "alertmanager_server": "component",
    "promtool": "component",
    "amtool": "component",
    "docker_compose": "component",
    "browser": "component",
    "page": "component",
    "dark_page": "component",
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """A test that is tried again ends twice, and at its second end `tmp_path` misses what it noted of the first."""
    item.stash.setdefault(tmppath_result_key, {})


def in_ci() -> bool:
    """Whether a missing component fails its tests rather than skips them."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def need(name: str) -> Path:
    """The program `name`; without it the test that asks is skipped, or fails in CI."""
    program = find(name)
    return program if program else refuse(name, missing(name))


def refuse(name: str, reason: str) -> Any:
    """Skip, or fail in CI, the test that needs `name`."""
    __tracebackhide__ = True
    if in_ci():
        pytest.fail(f"needs {name}: {reason}", pytrace=False)
    pytest.skip(f"needs {name}: {reason}")


@pytest.fixture(scope="session")
def engine() -> Iterator[engines.Engine]:
    """A Docker Engine of our own, the same for the whole run; remove what you start, or ask for `empty_engine`."""
    yield from _engine("dockerd")


@pytest.fixture(scope="session")
def engine28() -> Iterator[engines.Engine]:
    """As `engine`, of version 28, running beside it."""
    need("dockerd")  # whose runc it runs with
    yield from _engine("dockerd28")


def _engine(daemon: str) -> Iterator[engines.Engine]:
    if sys.platform != "linux" or os.geteuid() != 0:
        refuse(daemon, "an engine of our own is started only by root on Linux")
    for name in (daemon, "docker-compose", "busybox"):
        need(name)
    with engines.running(daemon) as started:
        yield started


@pytest.fixture
def empty_engine(engine: engines.Engine) -> Iterator[engines.Engine]:
    """The engine with no container, network or volume before and after the test."""
    engine.clear()
    yield engine
    engine.clear()


@pytest.fixture
def prometheus_server() -> Iterator[Serve]:
    """`prometheus_server(config, files={}, options=())` starts one; see `servers.serving`."""
    yield from _factory("prometheus")


@pytest.fixture
def alertmanager_server() -> Iterator[Serve]:
    """`alertmanager_server(config, files={}, options=())` starts one; see `servers.serving`."""
    yield from _factory("alertmanager")


def _factory(name: str) -> Iterator[Serve]:
    need(name)
    with contextlib.ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(serving(name, *args, **options))


@pytest.fixture(scope="session")
def promtool() -> Run:
    """`promtool("check", "rules", path)` -> CompletedProcess with text; `cwd=` and so on as `subprocess.run`."""
    return _runner("promtool")


@pytest.fixture(scope="session")
def amtool() -> Run:
    """`amtool("check-config", path)` -> CompletedProcess with text."""
    return _runner("amtool")


@pytest.fixture(scope="session")
def docker_compose() -> Run:
    """`docker_compose("-f", path, "config")` -> CompletedProcess with text; needs no engine."""
    return _runner("docker-compose")


def _runner(name: str) -> Run:
    program = need(name)

    def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        usual = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 60, "check": False}
        if "input" in options:
            del usual["stdin"]
        return subprocess.run([program, *arguments], **(usual | options))

    return run


BROWSER_OPTIONS = [
    # Chromium would look up and call its maker's hosts.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
]


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Chromium, driven by playwright. For one test: playwright's event loop must not stand in others' way."""
    program = need("chromium")
    from playwright.sync_api import sync_playwright

    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    with _driver_libraries(), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=BROWSER_OPTIONS + sandbox)
        try:
            yield chromium
        finally:
            chromium.close()


@contextlib.contextmanager
def _driver_libraries() -> Iterator[None]:
    """Let playwright's driver find the library that a bare Debian lacks."""
    found = debian.libraries(bundle_folder("browser") / "tree")
    with pytest.MonkeyPatch.context() as patch:
        if found:
            patch.setenv("LD_LIBRARY_PATH", ":".join(found))
        yield


@pytest.fixture
def page(browser: Browser) -> Page:
    """A page 1280 x 900 that prefers light colours."""
    return browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")


@pytest.fixture
def dark_page(browser: Browser) -> Page:
    """A page 1280 x 900 that prefers dark colours."""
    return browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in {MARKS[name] for name in getattr(item, "fixturenames", ()) if name in MARKS}:
            item.add_marker(mark)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says which real components this run had, and how many tests were skipped for want of which."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind if hasattr(report, "when")]
    # What could not be collected has no keywords.
    if not any({"engine", "component"} & set(getattr(report, "keywords", ())) for report in reports):
        return
    terminalreporter.section("components")
    for name in PARTS:
        terminalreporter.write_line(f"{name:18} {version(name) or 'not here'}")
    skipped = terminalreporter.stats.get("skipped", [])
    wanting = Counter(found[1] for report in skipped if (found := re.search(r"needs (\S+):", str(report.longrepr))))
    for name, count in sorted(wanting.items()):
        terminalreporter.write_line(f"skipped for want of {name}: {count}")
