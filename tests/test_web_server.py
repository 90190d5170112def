"""The serving process: how it begins and ends, and how long it waits for whom."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from auditor.errors import UsageError
from auditor.settings import Settings
from auditor.web import deadline
from auditor.web.server import listen
from tests.builders import report, service
from tests.sites import served

PROGRAM = """
import sys, time
import auditor.web.app, auditor.web.server
from auditor.settings import Settings
from tests.builders import report, service

def scan(settings, *_):
    time.sleep(float(sys.argv[1]))
    return report((service("web"),))

auditor.web.app._scan = scan
auditor.web.server._project_there = lambda settings: None
auditor.web.server.run(Settings(port=0, interval=1, database=sys.argv[2]))
"""


@contextmanager
def process(path: Path, scan_seconds: float = 0.0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A serving process and its address."""
    arguments = [sys.executable, "-c", PROGRAM, str(scan_seconds), f"sqlite:///{path / 'history.sqlite'}"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as child:
        try:
            assert child.stderr is not None
            said = child.stderr.readline()
            assert said.startswith("serving http://127.0.0.1:"), said
            yield child, said.removeprefix("serving ").strip()
        finally:
            if child.poll() is None:
                child.kill()


def ready(address: str) -> None:
    end = time.monotonic() + 20
    while httpx.get(f"{address}readyz").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path) as (child, address):
        ready(address)
        child.send_signal(number)
        assert child.wait(10) == 0
        assert "Traceback" not in (child.stderr.read() if child.stderr else "")


def test_a_scan_that_hangs_does_not_keep_it(tmp_path: Path) -> None:
    with process(tmp_path, scan_seconds=600) as (child, address):
        assert httpx.get(f"{address}livez").status_code == 200
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0


def test_a_signal_before_it_serves_ends_it_too(tmp_path: Path) -> None:
    with process(tmp_path) as (child, _):
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0


def test_while_a_scan_runs_answers_come_at_once(tmp_path: Path) -> None:
    with process(tmp_path, scan_seconds=3) as (_, address):
        began = time.monotonic()
        assert httpx.get(f"{address}livez").status_code == 200
        assert httpx.get(f"{address}services/status").status_code == 503
        assert time.monotonic() - began < 2.5


def test_an_address_that_is_taken_is_a_usage_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="cannot listen"):
        listen(Settings(port=taken.getsockname()[1]))


def test_an_address_of_another_machine_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="cannot listen"):
        listen(Settings(host="192.0.2.1", port=0))


# --- slow clients -------------------------------------------------------------------------------------------------


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(deadline, "REQUEST_SECONDS", 0.6)
    with served(tmp_path, report((service("web"),))) as site:
        yield site.listener.getsockname()[1]


def closed_after(port: int, *pieces: bytes, pause: float = 0.1) -> tuple[float, bytes]:
    """Send the pieces with pauses, the last again and again; how long until the server closes, and what it said."""
    began, said = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.settimeout(pause)
        for number in range(100):
            try:
                if piece := pieces[min(number, len(pieces) - 1)]:
                    client.sendall(piece)
                said += (chunk := client.recv(65536))
                if not chunk:
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    return time.monotonic() - began, said


START = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
SLOW = {
    "says nothing": (b"",),
    "trickles the request line": (b"G",),
    "trickles headers": (START, b"X-A: b\r\n"),
    "trickles empty lines": (b"\r\n",),
    "trickles a body": (START.replace(b"GET", b"POST") + b"Content-Length: 999\r\n\r\n", b"x"),
    "trickles the next request": (START + b"\r\n", b"G"),
    "trickles empty lines after an answer": (START + b"\r\n", b"\r\n"),
}


@pytest.mark.parametrize("pieces", SLOW.values(), ids=SLOW)
def test_a_client_that_is_slow_is_cut_off(port: int, pieces: tuple[bytes, ...]) -> None:
    seconds, _ = closed_after(port, *pieces)
    assert seconds < 5


def test_a_client_in_time_is_not(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(4):
            assert client.get("/livez").status_code == 200
            time.sleep(0.3)


def test_a_head_that_never_ends_is_refused(port: int) -> None:
    seconds, said = closed_after(port, START, b"X-A: " + b"b" * 40_000 + b"\r\n", pause=0.02)
    assert seconds < 5
    assert said.startswith(b"HTTP/1.1 400")


def test_a_large_body_is_refused_without_being_read(port: int) -> None:
    head = START.replace(b"GET", b"POST") + b"Content-Length: 314572800\r\n\r\n"
    _, said = closed_after(port, head, b"x" * 65536)
    assert said.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in said


GARBAGE = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "NUL in the path": b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two lengths": START + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "folded header": START + b"X-A: b\r\n c\r\n\r\n",
    "connect": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "absolute": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
}


@pytest.mark.parametrize("bytes_", GARBAGE.values(), ids=GARBAGE)
def test_garbage_gets_4xx_or_nothing(port: int, bytes_: bytes) -> None:
    _, said = closed_after(port, bytes_, b"")
    assert not said.startswith(b"HTTP/1.1 5")
    assert httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200


def test_it_holds_no_more_files_after_many_clients_than_before(port: int) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("needs /proc")
    httpx.get(f"http://127.0.0.1:{port}/livez")
    before = len(list(folder.iterdir()))
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    for client in clients:
        client.sendall(b"GET /livez HT")
    time.sleep(1.2)
    for client in clients:
        client.close()
    time.sleep(0.3)
    assert len(list(folder.iterdir())) <= before + 5
