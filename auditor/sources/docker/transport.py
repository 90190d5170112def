"""The connections to an engine: kept open, only for requests on a list, bounded in number, time and size.

HTTP is read by httptools, the parser that also serves; an SDK's request costs more than the engine's own work.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httptools

from auditor.sources.docker.address import Route
from auditor.sources.docker.allowed import READING, allowed
from auditor.sources.docker.failures import Garbled, Late, refusal
from auditor.sources.docker.tls_failures import Dropped
from auditor.sources.hostile import printable

BODY_LIMIT = 32 * 2**20  # bytes of one answer; a list of 10,000 containers has some 15 MB
HEAD_LIMIT = 64 * 2**10
NEWEST_API = (1, 51)  # that was seen; an engine that speaks a newer one is asked in this
MAY_READ = allowed(READING)


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer. `date`, `swarm`: the headers of these names."""

    status: int
    body: bytes
    date: bytes = b""
    swarm: bytes = b""

    @property
    def moment(self) -> float | None:
        """When the engine gave it, in seconds of its own clock; None: it does not say."""
        try:
            return parsedate_to_datetime(self.date.decode("ascii")).timestamp()
        except (ValueError, TypeError, IndexError):
            return None


class Engine:
    """One engine, asked over at most `width` connections at a time. For one task group in one event loop."""

    def __init__(
        self,
        route: Route,
        *,
        timeout: float,
        deadline: float,
        width: int,
        may: Callable[[str, str], bool] = MAY_READ,
    ) -> None:
        self.timeout = timeout  # seconds a request
        self.api = ""  # what stands before a path, such as `/v1.41`; "": the engine's own choice
        self._deadline = deadline  # monotonic seconds
        self.route = route
        self.late = False  # a request had no answer in its time
        self._may = may
        self._turn = asyncio.Semaphore(width)
        self._idle: list[_Connection] = []
        self._all: list[_Connection] = []

    async def get(self, path: str, query: str = "", **limits: Any) -> Any:
        """The JSON document at `path`. query: encoded. Raises one of `failures.FAILURES`; see `send`."""
        return document(await self.send("GET", path, query, **limits))

    async def send(
        self,
        method: str,
        path: str,
        query: str = "",
        *,
        seconds: float | None = None,
        limit: int = BODY_LIMIT,
        versioned: bool = True,
    ) -> Answer:
        """The answer to one request that is on the list; status 200, 204 or 304. seconds: None: `timeout`.

        Raises Refused for another status, Garbled, TimeoutError, OSError.
        """
        target = f"{self.api if versioned else ''}{path}"
        if not self._may(method, target):
            raise Garbled(f"`{method} {printable(target)}` is not on the list of allowed requests")
        async with self._turn:
            left = min(self.timeout if seconds is None else seconds, self._deadline - time.monotonic())
            try:
                async with asyncio.timeout(max(left, 0.001)):
                    answer = await self._exchange(_request(method, target, query, self.route), limit)
            except TimeoutError as error:
                self.late = True
                raise Late(max(round(left, 1), 0.1)) from error
        if answer.status not in (200, 204, 304):
            raise refusal(answer.status, target, answer.body)
        return answer

    async def _exchange(self, request: bytes, limit: int) -> Answer:
        while self._idle:
            connection = self._idle.pop()
            try:
                return await self._over(connection, request, limit)
            except ConnectionError:
                if connection.heard:  # it failed in the middle; a connection that had ended before is no failure
                    raise
        return await self._over(await self._open(), request, limit)

    async def _over(self, connection: _Connection, request: bytes, limit: int) -> Answer:
        fresh = not connection.asked
        try:
            answer = await connection.ask(request, limit)
        except ConnectionResetError as error:
            connection.close()
            raise Dropped(error.errno, "the connection was reset") if fresh and self.route.tls else error from None
        except BaseException:
            connection.close()
            raise
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    async def _open(self) -> _Connection:
        loop = asyncio.get_running_loop()
        route = self.route
        if route.socket is not None:
            _, connection = await loop.create_unix_connection(_Connection, route.socket)
        elif route.command:
            connection = await _child(route.command)
        else:
            _, connection = await loop.create_connection(_Connection, route.host or "", route.port, ssl=route.tls)
        self._all = [other for other in self._all if not other.closed]
        self._all.append(connection)
        return connection

    def widen(self, width: int) -> None:
        """Allow `width` connections. Not while a request is on its way."""
        self._turn = asyncio.Semaphore(width)

    def close(self) -> None:
        """Close every connection, whatever it waits for."""
        for connection in self._all:
            connection.close()


@asynccontextmanager
async def connected(engine: Engine) -> AsyncIterator[Engine]:
    """The engine, whose connections are closed at the end."""
    try:
        yield engine
    finally:
        engine.close()
        await asyncio.sleep(0)  # the loop's turn in which they really close


def document(answer: Answer) -> Any:
    """The JSON of an answer. Raises Garbled."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Garbled("the answer is not that of a Docker Engine") from None


def _request(method: str, target: str, query: str, route: Route) -> bytes:
    line = f"{method} {target}{'?' if query else ''}{query} HTTP/1.1"
    length = "" if method == "GET" else "Content-Length: 0\r\n"
    return (
        f"{line}\r\nHost: {route.authority}\r\nUser-Agent: stack-auditor\r\nAccept: application/json\r\n"
        f"Accept-Encoding: identity\r\n{length}\r\n"
    ).encode("ascii")


async def _child(command: tuple[str, ...]) -> _Connection:
    """A connection whose other end is a program's standard input and output."""
    ours, theirs = socket.socketpair()
    said = tempfile.TemporaryFile()  # noqa: SIM115  read when the program has ended
    try:
        with theirs:
            end = theirs.fileno()
            child = subprocess.Popen(command, stdin=end, stdout=end, stderr=said.fileno())  # noqa: S603, ASYNC220
        ours.setblocking(False)
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(_Program(child, said)), sock=ours
        )
    except FileNotFoundError:
        ours.close()
        said.close()
        raise Garbled(f"the program `{command[0]}` is not installed here") from None
    except BaseException:
        ours.close()
        said.close()
        raise
    return connection


class _Program:
    """A child whose output is a connection, and what it says of its failures."""

    def __init__(self, child: subprocess.Popen[bytes], said: Any) -> None:
        self._child = child
        self._said = said

    def words(self) -> str:
        """The last line that it wrote to its standard error."""
        self._said.seek(0)
        lines = self._said.read(64 * 1024).decode(errors="replace").strip().splitlines()
        return printable(lines[-1]) if lines else "the program ended without a word"

    def end(self) -> None:
        self._child.kill()
        self._child.wait()
        self._said.close()


class _Connection(asyncio.Protocol):
    """One connection: one request and its answer, then the next. The parser calls the methods `on_...`."""

    def __init__(self, program: _Program | None = None) -> None:
        self.closed = False
        self.reusable = False
        self.heard = False  # any byte of the answer that is waited for
        self.asked = False  # anything yet
        self._program = program
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None

    async def ask(self, request: bytes, limit: int) -> Answer:
        """The whole answer. Raises ConnectionError, Garbled."""
        if self.closed or self._transport is None:
            raise ConnectionResetError(104, "the connection was closed")
        self.asked = True
        self._parser = httptools.HttpResponseParser(self)
        self._waiting = asyncio.get_running_loop().create_future()
        self._limit, self._size, self._head = limit, 0, 0
        self._pieces: list[bytes] = []
        self._date = self._swarm = b""
        self._framed = self._complete = self.heard = self.reusable = False
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Close it at once. What waits for it is not told: whoever closes it does not wait."""
        self.closed, self.reusable, self._waiting = True, False, None
        if self._transport is not None:
            self._transport.abort()
        if self._program is not None:
            self._program.end()
            self._program = None

    # --- what the event loop calls --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            self.close()  # an answer that nobody asked for
            return
        self.heard = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(Garbled("the answer is not that of a Docker Engine"))
        if not self._complete:
            self._head += 0 if self._pieces else len(data)
            if self._head > HEAD_LIMIT:
                self._fail(Garbled("the head of an answer is too large"))

    def connection_lost(self, error: Exception | None) -> None:
        ended, self.closed, self.reusable = not self.closed, True, False
        if ended and self._waiting is not None and not self._waiting.done():
            if error is None and self.heard and not self._framed and self._pieces:
                self.on_message_complete()  # a body without a length ends with its connection
            elif self._program is not None:
                self._fail(Garbled(self._program.words()))
            else:
                self._fail(error or ConnectionResetError(104, "the connection was closed"))

    # --- what the parser calls ------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in (b"content-length", b"transfer-encoding"):
            self._framed = True
        elif name == b"date":
            self._date = value
        elif name == b"swarm":
            self._swarm = value
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            self._fail(Garbled("the answer is compressed, although it was asked not to be"))

    def on_body(self, piece: bytes) -> None:
        self._size += len(piece)
        self._pieces.append(piece)
        if self._size > self._limit:
            self._fail(Garbled(f"an answer is larger than {self._limit // 2**20} MiB"))

    def on_message_complete(self) -> None:
        if self._complete or self._waiting is None or self._waiting.done():
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._fail(Garbled(f"HTTP {status} where an answer was due"))
            return
        self._complete = True
        self.reusable = not self.closed and self._parser.should_keep_alive()
        self._waiting.set_result(Answer(status, b"".join(self._pieces), self._date, self._swarm))

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)


async def negotiate(engine: Engine) -> str | None:
    """Find out which API the engine speaks, and use it. Returns the engine's version.

    Raises Refused where that may not be asked: then each path is used without a version. Garbled, OSError.
    """
    found = await engine.get("/version", versioned=False)
    spoken, least = (_api(found, name) for name in ("ApiVersion", "MinAPIVersion"))
    if spoken is None:
        raise Garbled("the answer is not that of a Docker Engine")
    major, minor = max(min(spoken, NEWEST_API), least or (0, 0))
    engine.api = f"/v{major}.{minor}"
    version = found.get("Version")
    return printable(version, 60) if isinstance(version, str) else None


def _api(found: object, name: str) -> tuple[int, int] | None:
    text = found.get(name) if isinstance(found, dict) else None
    match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", text) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else None
