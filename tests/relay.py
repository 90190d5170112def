"""Stands between the auditor and a real engine: records every request, and denies, withholds or forges answers."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingMixIn, UnixStreamServer

Verdict = int | bytes | None  # a status to refuse with, a body to answer with, None: what the engine says
SILENCE = -1  # as a status: no answer at all

SECTIONS = (
    "_ping", "version", "containers", "events", "info", "images", "services", "tasks", "nodes", "networks", "volumes",
)  # fmt: skip


class Relay(ThreadingMixIn, UnixStreamServer):
    """`asked` has every request line without its version of HTTP; `judge(method, path)` says what becomes of one."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, path: Path, engine: Path, judge: Callable[[str, str], Verdict]) -> None:
        self.asked: list[str] = []
        self.engine = str(engine)
        self.judge = judge
        self.ended = threading.Event()
        super().__init__(str(path), _Handler)
        path.chmod(0o666)

    def handle_error(self, *_: object) -> None:
        """A client that leaves is no fault."""


class _Handler(StreamRequestHandler):
    server: Relay

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline(65536)
            if not line:
                return
            head += line
        method, path = head.split(b" ", 2)[:2]
        self.server.asked.append(f"{method.decode()} {path.decode()}")
        verdict = self.server.judge(method.decode(), path.decode())
        if verdict == SILENCE:
            self.server.ended.wait(60)
        elif verdict is None:
            self._forward(head)
        else:
            status, body = (200, verdict) if isinstance(verdict, bytes) else (verdict, b"denied")
            self.wfile.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)))
            self.wfile.write(body)

    def _forward(self, head: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as upstream:
            upstream.connect(self.server.engine)
            upstream.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            while piece := upstream.recv(65536):
                self.wfile.write(piece)


@contextmanager
def relayed(
    path: Path, engine: Path, judge: Callable[[str, str], Verdict] = lambda method, path: None
) -> Iterator[Relay]:
    """A relay that listens on the socket `path` while the context lasts."""
    with Relay(path, engine, judge) as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            relay.ended.set()
            relay.shutdown()


def only(*sections: str) -> Callable[[str, str], Verdict]:
    """As a socket proxy that opens these sections and denies everything else, and every method but GET."""
    open_paths = re.compile(r"(/v[\d.]+)?/(" + "|".join(sections) + r")([/?]|$)")
    return lambda method, path: None if method == "GET" and open_paths.match(path) else 403


def all_but(section: str) -> Callable[[str, str], Verdict]:
    """As a socket proxy that opens everything but one section."""
    return only(*(name for name in SECTIONS if name != section))
