"""The shop of `tests/watched`, running: images of the real programs, the containers, and what an audit says of them."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from auditor import scan
from auditor.model import Report, Severity
from auditor.settings import Settings
from tests.parts import debian
from tests.parts.engine import Engine
from tests.parts.finder import bundle_folder
from tests.parts.plugin import need
from tests.parts.process import free_port
from tests.parts.wanted import PARTS

PROJECT = Path(__file__).parent / "watched"
COMPOSE = yaml.safe_load((PROJECT / "compose.yaml").read_text())
IMAGES = {name: service["image"] for name, service in COMPOSE["services"].items()}
PROGRAMS = {
    "cache": "redis-server",
    "cache-metrics": "redis-exporter",
    "database-metrics": "postgres-exporter",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
}
# Its own start: as the official image does it, the folder is made once, and the server does not run as root.
DATABASE_START = b"""#!/bin/sh
set -e
data=/var/lib/postgresql/data
chown postgres "$data" && chmod 700 "$data"
as="start-stop-daemon --start --chuid postgres --startas"
[ -e "$data/PG_VERSION" ] || {
  $as /usr/lib/postgresql/15/bin/initdb -- --auth trust --no-locale --encoding UTF8 --no-sync -D "$data"
  echo "host all all all trust" >>"$data/pg_hba.conf"
}
exec $as /usr/lib/postgresql/15/bin/postgres -- -D "$data" -c listen_addresses=0.0.0.0 -c unix_socket_directories=
"""
PACKAGES = ("collections", "email", "encodings", "html", "http", "importlib", "json", "re", "urllib")
Loud = set[tuple[str, str | None]]


# --- images --------------------------------------------------------------------------------------------------------


def make_images(engine: Engine) -> None:
    """Every image that the shop's Compose file names, made of programs that are here."""
    for name in (*PROGRAMS, "postgres"):
        need(name if name == "postgres" else PROGRAMS[name])
    for service, part in PROGRAMS.items():
        _make(engine, IMAGES[service], part, service)
    _make_database(engine)
    python = _python()
    for service, words in {"shop": ["8000", "/health", "shop"], "grafana": ["3000", "/api/health", "grafana"]}.items():
        command = ["/python/bin/python3", "/app/serve.py", *words]
        files = {**engine.busybox_files(), **python, "app/serve.py": PROJECT / "shop/serve.py"}
        engine.import_files(IMAGES[service], files, [f"CMD {command}".replace("'", '"')])


def _make(engine: Engine, tag: str, part: str, service: str) -> None:
    tree = bundle_folder(PARTS[part].bundle) / "tree"
    program = tree / PARTS[part].program
    with _found_libraries(tree):
        files = {**engine.busybox_files(), **_libraries(program), f"bin/{program.name}": program}
    if part == "alertmanager":
        templates = tree / "usr/share/prometheus/alertmanager"
        files |= {f"usr/share/prometheus/alertmanager/{one.name}": one for one in templates.glob("*.tmpl")}
    start = "CMD" if part == "redis-server" else "ENTRYPOINT"
    engine.import_files(tag, files, [f'{start} ["/bin/{program.name}"]'])


def _make_database(engine: Engine) -> None:
    tree = bundle_folder("postgres") / "tree"
    files: dict[str, Path | bytes | str] = dict(engine.busybox_files())
    programs = [tree / "usr/lib/postgresql/15/bin" / name for name in ("initdb", "postgres", "pg_isready")]
    programs += [tree / "usr/lib/postgresql/15/lib" / name for name in ("plpgsql.so", "dict_snowball.so")]
    with _found_libraries(tree):
        for program in programs:
            files |= {**_libraries(program), str(program.relative_to(tree)): program}
    share = tree / "usr/share/postgresql/15"
    files |= {str(one.relative_to(tree)): one for one in share.rglob("*") if one.is_file()}
    files["usr/share/zoneinfo/Etc/UTC"] = Path("/usr/share/zoneinfo/Etc/UTC")
    files["bin/pg_isready"] = "/usr/lib/postgresql/15/bin/pg_isready"
    files["etc/passwd"] = b"root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\n"
    files["etc/group"] = b"root:x:0:\npostgres:x:70:\n"
    files["bin/start-database"] = DATABASE_START
    engine.import_files(IMAGES["database"], files, ['ENTRYPOINT ["/bin/start-database"]'])


@contextlib.contextmanager
def _found_libraries(tree: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if libraries := debian.libraries(tree):
            patch.setenv("LD_LIBRARY_PATH", ":".join(libraries))
        yield


def _python() -> dict[str, Path | bytes | str]:
    """As much of the Python that runs the tests as a small web server needs."""
    program, library = Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))
    name = library.name
    sources = [*library.glob("*.py"), *(library / "lib-dynload").glob("*.so")]
    sources += [file for package in PACKAGES for file in (library / package).rglob("*.py")]
    files: dict[str, Path | bytes | str] = {f"python/lib/{name}/{file.relative_to(library)}": file for file in sources}
    for binary in (program, *(library / "lib-dynload").glob("binascii*.so")):
        files |= _libraries(binary)
    return files | {"python/bin/python3": program}


def _libraries(program: Path) -> dict[str, Path | bytes | str]:
    """The libraries of a program, where the loader looks without being told."""
    files = Engine.program_files(program)
    loaders = {path: file for path, file in files.items() if path.startswith("lib64/")}
    return loaders | {f"lib/{Path(path).name}": file for path, file in files.items() if not path.startswith("bin/")}


# --- the running shop ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shop:
    """A copy of the project, and its containers."""

    folder: Path
    engine: Engine
    prometheus: str
    alertmanager: str

    def up(self) -> None:
        """Start, or change, what the Compose file says, and wait until it is well."""
        done = self.engine.compose(self.folder, "up", "--detach", "--wait", "--remove-orphans", check=False)
        assert done.returncode == 0, done.stderr

    def compose(self, *words: str) -> None:
        self.engine.compose(self.folder, *words)

    def audit(self) -> Report:
        """The audit of just now, with everything that is alive."""
        return scan.scan(
            Settings(
                catalogue=str(self.folder / "catalogue.yaml"),
                docker=self.engine.address,
                prometheus=self.prometheus,
                alertmanager=self.alertmanager,
            )
        )

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text()
        assert old in text, f"`{old}` is not in {path}"
        file.write_text(text.replace(old, new))

    def restore(self) -> None:
        """All files as they were."""
        for file in PROJECT.rglob("*"):
            if file.is_file():
                shutil.copyfile(file, self.folder / file.relative_to(PROJECT))

    def reload(self) -> list[int]:
        """Both servers read their configuration again; the status codes of their answers."""
        return [httpx.post(f"{url}/-/reload", timeout=10).status_code for url in (self.prometheus, self.alertmanager)]

    @contextlib.contextmanager
    def broken(self, fault: Mapping[str, Any]) -> Iterator[list[int]]:
        """While this lasts the shop has a fault (a row of `watched-faults.yaml`). Yields the answers to the reloads."""
        for edit in fault.get("edit", ()):
            self.edit(edit["path"], edit["old"], edit["new"])
        composed = any(edit["path"] == "compose.yaml" for edit in fault.get("edit", ()))
        silence = self._silence(**fault["silence"]) if "silence" in fault else None
        try:
            if composed:
                self.compose("up", "--detach")
            if "stop" in fault:
                self.compose("stop", fault["stop"])
            if "by_hand" in fault:
                self.engine.client.containers.run(fault["by_hand"], name="by-hand", detach=True)
            answers = self.reload() if "edit" in fault and not composed else []
            if fault.get("stop") != "prometheus":
                self.settle()
            yield answers
        finally:
            self._repair(composed=composed, silence=silence)

    def _silence(self, matchers: Mapping[str, str], days: int) -> str:
        now = datetime.now(UTC)
        wanted = [{"name": name, "value": value, "isRegex": False} for name, value in matchers.items()]
        times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(days=days)).isoformat()}
        body = {"matchers": wanted, **times, "createdBy": "tests", "comment": "noisy"}
        made: str = httpx.post(f"{self.alertmanager}/api/v2/silences", json=body, timeout=10).json()["silenceID"]
        return made

    def _repair(self, *, composed: bool, silence: str | None) -> None:
        self.restore()
        for container in self.engine.client.containers.list(all=True, filters={"name": "by-hand"}):
            container.remove(force=True)
        if silence:
            httpx.delete(f"{self.alertmanager}/api/v2/silence/{silence}", timeout=10).raise_for_status()
        self.compose("up", "--detach", "--wait", "--remove-orphans")
        assert self.reload() == [200, 200]
        self.settle()

    def settle(self, seconds: float = 30) -> None:
        """Wait until Prometheus has scraped everything and evaluated every rule twice since now."""
        began, end = time.time(), time.monotonic() + seconds
        while time.monotonic() < end and not self._evaluated_since(began + 1):
            time.sleep(0.3)

    def _evaluated_since(self, moment: float) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            rules = httpx.get(f"{self.prometheus}/api/v1/rules", timeout=5).json()["data"]["groups"]
            targets = httpx.get(f"{self.prometheus}/api/v1/targets", timeout=5).json()["data"]["activeTargets"]
            times = [group["lastEvaluation"] for group in rules] + [target["lastScrape"] for target in targets]
            return all(_stamp(text) > moment for text in times)
        return False

    def says(self, holds: Callable[[Report], bool], seconds: float = 20) -> Report:
        """The first of two audits in a row of which `holds` is true; else the last one."""
        end, before = time.monotonic() + seconds, False
        while True:
            report = self.audit()
            now = holds(report)
            if (now and before) or time.monotonic() > end:
                return report
            before = now
            time.sleep(0.5)


def _stamp(text: str) -> float:
    return datetime.fromisoformat(text[:19] + "+00:00").timestamp() if not text.startswith("0001") else 0.0


def loud(report: Report) -> Loud:
    """The findings of warning and above: check and service."""
    return {(f.check, f.service) for f in report.findings if f.severity is not Severity.INFO}


@contextlib.contextmanager
def running(engine: Engine, folder: Path) -> Iterator[Shop]:
    """The shop from a copy in `folder`, up and well; gone at the end."""
    make_images(engine)
    shutil.copytree(PROJECT, folder)
    ports = {name: free_port() for name in ("PROMETHEUS_PORT", "ALERTMANAGER_PORT")}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as logs:
        logs.bind(("127.0.0.1", 0))
        ports["SYSLOG_PORT"] = logs.getsockname()[1]
        (folder / ".env").write_text("".join(f"{name}={port}\n" for name, port in ports.items()))
        urls = (f"http://127.0.0.1:{ports[name]}" for name in ("PROMETHEUS_PORT", "ALERTMANAGER_PORT"))
        shop = Shop(folder, engine, *urls)
        try:
            shop.up()
            yield shop
        finally:
            engine.compose(folder, "down", "--timeout", "0", "--volumes", "--remove-orphans", check=False)
