"""Sixty made-up secrets wherever a project, a container or a process may hold one: no output has any, in any form."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import json
import os
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import yaml

from tests.parts.engine import Engine
from tests.parts.process import free_port

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

COUNT = 60
ADDRESSES = (
    "/", "/metrics", "/services/status", "/api/reports/latest", "/api/gaps", "/api/resources", "/api/alerts", "/readyz",
    "/openapi.json", "/checks/environment-drift", "/no/such",
)  # fmt: skip
ROOT = Path(__file__).parent.parent


def core(number: int) -> str:
    """What is looked for: it survives every escaping that leaves letters alone."""
    return f"cnr{number:02d}x{hashlib.sha256(str(number).encode()).hexdigest()[:10]}"


def canary(number: int) -> str:
    """The secret itself, with signs that most writers escape."""
    return f"{core(number)}/+&=<"


def forms(number: int) -> Iterator[bytes]:
    """A canary as writers may show it: as it is, escaped, and encoded at any offset."""
    for text in (core(number), canary(number)):
        data = text.encode()
        yield from (data, data[::-1], data.hex().encode(), data.hex().upper().encode())
        for before in range(3):  # without the letters at the ends, which depend on what stands around
            coded = base64.b64encode(b"\0" * before + data)
            yield coded[4:-4]
            yield coded[4:-4].translate(bytes.maketrans(b"+/", b"-_"))
    yield from (part.encode() for part in (quote(canary(number), safe=""), html.escape(canary(number))))
    yield json.dumps(canary(number)).encode()


def leaks(data: bytes) -> list[int]:
    """The numbers of the canaries in an output."""
    return [number for number in range(COUNT) if any(form in data for form in forms(number))]


def project(folder: Path, port: int) -> None:
    """Plants the canaries 0 to 51: each way in which a file can hold a secret."""
    c = canary
    (folder / ".env").write_text("".join(f"DOT_{n}={c(n)}\n" for n in range(6)))
    (folder / "one.env").write_text("".join(f"FILE_TOKEN_{n}={c(n)}\n" for n in range(6, 12)))
    (folder / "token.txt").write_text(c(12))
    web = {
        "image": "canary:1",
        "build": {"context": ".", "args": {"BUILD_TOKEN": c(13), "PLAIN": c(14)}, "labels": {"built": c(15)}},
        "env_file": ["one.env"],
        "environment": {
            "DB_PASSWORD": c(16),
            "DATABASE_URL": f"postgres://app:{quote(c(17), safe='')}@db:5432/app?sslpassword={core(18)}",
            "CALLBACK": f"https://outside.example/hook?token={core(19)}",
            "DSN": f"app:{core(20)}@tcp(db:3306)/app",
            "PLAIN": c(21),
            "FROM_DOTENV": "${DOT_0}",
            "DEFAULTED": f"${{NOWHERE:-{core(22)}}}",
            "REPLACED": f"${{DOT_3:+{core(23)}}}",
            "JWT_SECRET_KEY": c(24),
        },
        "command": ["sh", "-c", f"sleep 1000000 # {c(25)}", "--password", c(26), f"--token={core(27)}", "${DOT_1}"],
        "labels": {"secret": c(28), "traefik.auth": f"admin:{core(29)}", "dotenv": "${DOT_2}"},
        "healthcheck": {"test": ["CMD-SHELL", f"echo '{core(30)}'; exit 1"], "interval": "1s", "retries": 1},
        "logging": {"driver": "json-file", "options": {"labels": core(31), "env": core(32)}},
        "secrets": ["token"],
        "hostname": "web",
        "x-note": c(33),
    }
    old = {
        "image": "canary:1",
        "entrypoint": ["sleep", "1000000"],
        "environment": [f"JWT_SECRET_KEY={c(34)}", f"LIST_TOKEN={c(35)}", f"redis_url=redis://:{core(36)}@db:6379/0"],
        "labels": [f"list={c(37)}", f"url=https://me:{core(38)}@outside.example/"],
        "stop_grace_period": "1s",
    }
    content = {
        "name": "canaries",
        "x-top": {"deep": [{"er": c(39)}]},
        "services": {"web": web, "old": old, "db": {"image": "canary:1", "command": f"sleep 1000000 {core(40)}"}},
        "secrets": {"token": {"file": "token.txt"}},
        "volumes": {"data": {"driver_opts": {"o": f"username=me,password={core(41)}"}}},
    }
    (folder / "compose.yaml").write_text(yaml.safe_dump(content))
    edited = json.loads(json.dumps(content))
    edited["services"]["old"] |= {
        "environment": [f"JWT_SECRET_KEY={c(42)}", f"EXTRA={c(43)}", f"LIST_TOKEN={c(44)}"],
        "labels": [f"list={c(45)}", f"more={c(46)}"],
        "entrypoint": ["sleep", "1000001", c(47)],
        "healthcheck": {"test": ["CMD", "false", c(48)]},
        "command": [c(49)],
    }
    edited["services"]["old"]["entrypoint"] = ["sh", "-c", "sleep 1000001", core(47)]
    (folder / "made.yaml").write_text(yaml.safe_dump(edited))
    (folder / "Dockerfile").write_text(f"FROM canary:1\nARG TOKEN={core(50)}\nENV BAKED={core(51)}\n")
    catalogue = {
        "system": "canaries",
        "environments": {"main": {"compose": ["compose.yaml"], "docker": "env"}},
        "shared_settings": ["PLAIN"],
        "services": {
            "web": {"owner": "me"},
            "old": {},
            "db": {},
            "local": {
                "lifecycle": "process",
                "ports": [port],
                "probes": [{"http": {"port": port, "headers_env": {"Authorization": "PROBE_HEADER"}}}],
            },
        },
    }
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(catalogue))


class Runs:
    """Runs the command in the project and keeps every byte that it wrote."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.folder = folder
        self.said: dict[str, bytes] = {}
        self.env = engine.env | {
            "PYTHONPATH": str(ROOT),
            "AUDITOR_STATE_DIR": str(folder / "state"),
            "PROBE_HEADER": f"Bearer {core(52)}",
            "AWS_SECRET_ACCESS_KEY": canary(53),
        }

    def auditor(self, *arguments: str) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", "auditor", *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            timeout=90,
        )
        self.said[" ".join(arguments)] = done.stdout + done.stderr
        return done.stdout

    def serve(self) -> None:
        """Every address of the page and the API, its log, and what it kept."""
        port = free_port()
        command = [sys.executable, "-m", "auditor", "serve", "--port", str(port), "--interval", "1s"]
        with (self.folder / "log").open("wb") as log:
            child = subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=log, stderr=log)
            try:
                end = time.monotonic() + 60
                while time.monotonic() < end:
                    with contextlib.suppress(httpx.TransportError):
                        if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                            break
                    time.sleep(0.2)
                for address in ADDRESSES:
                    self.said[f"GET {address}"] = httpx.get(f"http://127.0.0.1:{port}{address}", timeout=30).content
            finally:
                child.terminate()
                child.wait(30)
        self.said["log"] = (self.folder / "log").read_bytes()


def stored(database: Path) -> bytes:
    """What the history holds, unpacked."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for table in tables for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608  own names
    found = []
    for value in (value for row in rows for value in row):
        data = value if isinstance(value, bytes) else str(value).encode()
        with contextlib.suppress(zlib.error):
            data = zlib.decompress(data)
        found.append(data)
    return b"\n".join(found)


CRASH = """
import os, sys
from auditor import drift, scan
from auditor.cli import shell

def broken(*_):
    raise KeyError(os.environ["AWS_SECRET_ACCESS_KEY"])

scan.gather_files = broken
sys.exit(shell.run(["audit"]))
"""


@pytest.fixture
def runs(engine: Engine, tmp_path: Path) -> Iterator[Runs]:
    folder = tmp_path / "canaries"
    folder.mkdir()
    port = free_port()
    project(folder, port)
    engine.import_busybox(
        "canary:1", ['CMD ["sleep", "1000000"]', f"ENV IMAGE_TOKEN={core(54)}", f"LABEL by={core(55)}"]
    )
    made = engine.compose(folder, "-f", "made.yaml", "up", "--detach", "--no-build", "--timeout", "0", check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    listener = [
        sys.executable,
        "-m",
        "http.server",
        str(port),
        "--bind",
        "127.0.0.1",
        "--directory",
        str(folder / "www"),
    ]
    (folder / "www").mkdir()
    environ = os.environ | {"PROCESS_TOKEN": canary(56), "JWT_SECRET_KEY": canary(57), "PASSWORD": core(58)}
    child = subprocess.Popen(listener, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield Runs(engine, folder)
    child.terminate()
    child.wait(10)
    engine.clear()


def test_no_output_holds_any_of_sixty_canaries(runs: Runs) -> None:
    for form in ("text", "json"):
        runs.auditor("audit", "--format", form, "--select", "all")
    report = json.loads(runs.said["audit --format json --select all"])
    found = {(finding["check"], finding["service"]) for finding in report["findings"]}
    assert found >= {
        ("environment-drift", "old"), ("label-drift", "old"), ("command-drift", "old"), ("healthcheck-drift", "old"),
        ("shared-setting-mismatch", "local"),
    }, "the secrets were seen, and judged"  # fmt: skip
    saved = runs.auditor("snapshot")
    (runs.folder / "saved.json").write_bytes(saved)
    assert len(saved) > 10_000
    for command in (
        ("audit", "--snapshot", "saved.json", "-v"), ("gate",), ("status", "--format", "json"), ("status",),
        ("audit", "--write-baseline", "baseline.json"), ("build", "rules", "--output", "rules"),
        ("build", "dashboards", "--output", "dashboards"), ("audit", "-f", "made.yaml", "--offline"),
        ("init", "--output", "drafted.yaml", "-f", "compose.yaml"), ("audit", "--docker", f"tcp://me:{core(59)}@127.0.0.1:1"),
    ):  # fmt: skip
        runs.auditor(*command)
    runs.serve()
    crashed = subprocess.run(
        [sys.executable, "-c", CRASH], cwd=runs.folder, env=runs.env, capture_output=True, timeout=60
    )
    assert b"internal error" in crashed.stderr
    runs.said["crash"] = crashed.stdout + crashed.stderr
    runs.said["history"] = stored(runs.folder / "state" / "history.sqlite")
    written = ("baseline.json", "rules", "dashboards", "state")
    paths = [path for name in written for path in (runs.folder / name, *(runs.folder / name).rglob("*"))]
    runs.said |= {str(path): path.read_bytes() for path in paths if path.is_file()}
    if leaks(b"\n".join(runs.said.values())):
        assert {name: numbers for name, data in runs.said.items() if (numbers := leaks(data))} == {}


def test_a_leak_would_be_seen() -> None:
    every = "".join(map(canary, range(COUNT))).encode()
    assert leaks(every) == list(range(COUNT))
    assert leaks(b"xy" + base64.b64encode(b"ab" + canary(7).encode() + b"z")) == [7]
    assert leaks(canary(8).encode().hex().encode()) == [8]
