"""A request has to arrive within a deadline; uvicorn alone would wait for ever for a client that trickles."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 20.0  # from the connection, or a request's first byte, to its last
HEAD_BYTES = 64 * 1024  # of one request's line and headers


class DeadlineProtocol(HttpToolsProtocol):
    """Closes a connection whose request does not end in time, headers and body together, or has too large a head.

    One timer a connection looks now and then; a timer a request would cost more than the request.
    """

    _due: float | None = None  # when the request that is arriving has to be there
    _timer: asyncio.TimerHandle | None = None
    _head: int | None = None  # bytes of the head so far; None outside of one

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._due = self.loop.time() + REQUEST_SECONDS
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._due is None and (self.cycle is None or self.cycle.response_complete):
            # Line ends before a request begin no message, but they stop uvicorn's timer for idle connections.
            self._due = self.loop.time() + REQUEST_SECONDS
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0
        if self._due is None:
            self._due = self.loop.time() + REQUEST_SECONDS

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._due = None
        super().on_message_complete()

    def _look(self) -> None:
        if self._due is not None and self.loop.time() >= self._due:
            if not self.transport.is_closing():
                self.transport.abort()
            return
        self._timer = self.loop.call_later(REQUEST_SECONDS / 4, self._look)
