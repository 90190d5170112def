"""As much of Redis's protocol as the services need."""

from __future__ import annotations

import os
import socket


class Redis:
    """The Redis at REDIS_HOST and REDIS_PORT; each command has a connection of its own."""

    def __init__(self) -> None:
        self._address = (os.environ.get("REDIS_HOST", "localhost"), int(os.environ.get("REDIS_PORT", "6379")))

    def __call__(self, *words: str) -> str | None:
        """What it answers to a command: a text, a number as text, or None. Raises OSError."""
        with socket.create_connection(self._address, timeout=2) as connection, connection.makefile("rwb") as stream:
            stream.write(b"*%d\r\n" % len(words))
            for word in words:
                data = word.encode()
                stream.write(b"$%d\r\n%s\r\n" % (len(data), data))
            stream.flush()
            kind, rest = (line := stream.readline().decode().rstrip())[:1], line[1:]
            if kind == "-":
                raise OSError(f"redis: {rest}")
            if kind != "$":
                return rest
            return None if rest == "-1" else stream.read(int(rest)).decode()

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            return self("PING") == "PONG"
        except OSError:
            return False
