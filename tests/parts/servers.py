"""Prometheus and Alertmanager as children on free loopback ports."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.parts.finder import find
from tests.parts.process import Child, free_port, start, wait_until


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers at `url`. `folder` holds its configuration and its data."""

    name: str
    url: str
    child: Child
    folder: Path

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, **parameters: str) -> httpx.Response:
        """GET `path` of it with `parameters` as the query."""
        with httpx.Client(trust_env=False, timeout=10) as client:
            return client.get(f"{self.url}{path}", params=parameters)

    def query(self, expression: str) -> list[dict[str, object]]:
        """What Prometheus answers to an instant query: its result list."""
        found: list[dict[str, object]] = self.get("/api/v1/query", query=expression).json()["data"]["result"]
        return found

    def reload(self) -> None:
        """Make it read its configuration again."""
        with httpx.Client(trust_env=False, timeout=10) as client:
            client.post(f"{self.url}/-/reload").raise_for_status()


# What each is started with besides its port: the name of its configuration file, and its other options.
OPTIONS = {
    "prometheus": (
        "prometheus.yml",
        ("--storage.tsdb.path={data}", "--web.enable-lifecycle", "--log.level=warn"),
    ),
    "alertmanager": (
        "alertmanager.yml",
        ("--storage.path={data}", "--cluster.listen-address=", "--log.level=warn"),
    ),
}


@contextlib.contextmanager
def serving(
    name: str, config: str | Path, files: Mapping[str, str] | None = None, options: tuple[str, ...] = ()
) -> Iterator[Server]:
    """Run `prometheus` or `alertmanager` until the end of the block. Raises StartError.

    `config` is the configuration's text, or a folder that holds it (copied; as `prometheus.yml`,
    `alertmanager.yml`). `files` are further files beside it: name -> text. `{port}` in a text is the server's own.
    """
    program = find(name)
    if program is None:
        raise LookupError(name)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix=f"{name}-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        file, fixed = OPTIONS[name]
        if isinstance(config, Path):
            shutil.copytree(config, folder, dirs_exist_ok=True)
        else:
            _write(folder / file, config, port)
        for path, text in (files or {}).items():
            _write(folder / path, text, port)
        command = [str(program), f"--config.file={folder / file}", f"--web.listen-address=127.0.0.1:{port}"]
        command += [option.format(data=folder / "data") for option in (*fixed, *options)]
        server = Server(name, f"http://127.0.0.1:{port}", start(command, folder / "log", cwd=folder), folder)
        try:
            wait_until(lambda: _ready(server), server.child, name, 30)
            yield server
        finally:
            server.child.stop()


def _write(path: Path, text: str, port: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("{port}", str(port)))


def _ready(server: Server) -> bool:
    try:
        return server.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False
