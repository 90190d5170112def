"""The connection beneath httpx, on plain asyncio streams: one that is cancelled half-way is closed at once.

httpx's own goes through a task group, where a connection made in the moment of its cancellation stays open.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx


class Transport(httpx.AsyncHTTPTransport):
    """httpx's transport for one connection, over `Network`."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust, max_connections=1, max_keepalive_connections=0, network_backend=Network()
        )


class Network(httpcore.AsyncNetworkBackend):
    """Opens connections. Deadlines are the caller's, so none is kept here."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Stream:
        try:
            return Stream(*await asyncio.open_connection(host, port))
        except OSError as error:
            raise httpcore.ConnectError("no connection") from error


class Stream(httpcore.AsyncNetworkStream):
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  httpcore's interface
        try:
            return await self._reader.read(max_bytes)
        except OSError as error:
            raise httpcore.ReadError("reading failed") from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  httpcore's interface
        try:
            self._writer.write(buffer)
            await self._writer.drain()
        except OSError as error:
            raise httpcore.WriteError("writing failed") from error

    async def aclose(self) -> None:
        self._writer.transport.abort()  # a farewell by TLS would wait for the other side

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's interface
    ) -> Stream:
        try:
            await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except BaseException as error:
            self._writer.transport.abort()
            if isinstance(error, OSError):  # TLS errors are among them
                raise httpcore.ConnectError("TLS failed") from error
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._writer.get_extra_info(info)
