"""A terminal that gives single keys, and is as it was before when this ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from types import FrameType

_SEQUENCES = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down",
    "\x1b[5~": "pageup", "\x1b[6~": "pagedown",
    "\x1b[H": "home", "\x1bOH": "home", "\x1b[1~": "home", "\x1b[F": "end", "\x1bOF": "end", "\x1b[4~": "end",
}  # fmt: skip
_SINGLE = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x1b": "escape"}
_ESCAPE_SECONDS = 0.05  # how long the rest of a key's sequence may take; a lone Escape waits as long


class Terminal:
    """Keys of standard input, and a wake-up for whoever has something new to show."""

    def __init__(self) -> None:
        self._input = sys.stdin.fileno()
        self._wakes, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._wakes, False)

    def wake(self, *_: int | FrameType | None) -> None:
        """Let `keys` return at once. From any thread, and from a signal's handler."""
        with contextlib.suppress(OSError):
            os.write(self._wake, b"!")

    def keys(self, seconds: float) -> list[str] | None:
        """The keys pressed until there are any, something wakes this, or the time is up. None: the terminal is gone."""
        ready, _, _ = select.select([self._input, self._wakes], [], [], seconds)
        if self._wakes in ready:
            with contextlib.suppress(OSError):
                os.read(self._wakes, 4096)
        if self._input not in ready:
            return []
        data = self._read()
        if data is None:
            return None
        end = time.monotonic() + _ESCAPE_SECONDS
        while data.endswith(("\x1b", "\x1b[", "\x1bO")) and (left := end - time.monotonic()) > 0:
            if select.select([self._input], [], [], left)[0]:
                data += self._read() or ""
        return list(decoded(data))

    def _read(self) -> str | None:
        try:
            data = os.read(self._input, 4096)
        except OSError:
            return None
        return data.decode("utf-8", "ignore") if data else None

    def close(self) -> None:
        """Let go of the wake-up."""
        os.close(self._wake)
        os.close(self._wakes)


def decoded(data: str) -> Iterator[str]:
    """The keys in what a terminal sent: characters and names such as `up`. What has no meaning here is left out."""
    while data:
        sequence = next((known for known in _SEQUENCES if data.startswith(known)), None)
        if sequence:
            yield _SEQUENCES[sequence]
            data = data[len(sequence) :]
        elif data.startswith(("\x1b[", "\x1bO")) and len(data) > 2:
            data = _after_unknown(data)
        else:
            first, data = data[0], data[1:]
            if first in _SINGLE:
                yield _SINGLE[first]
            elif first.isprintable():
                yield first


def _after_unknown(data: str) -> str:
    end = next((at for at, character in enumerate(data[2:], 2) if "@" <= character <= "~"), len(data) - 1)
    return data[end + 1 :]


@contextlib.contextmanager
def taken() -> Iterator[Terminal]:
    """The terminal in a mode in which each key comes at once and unseen; Ctrl-C still interrupts.

    Ctrl-Z is off meanwhile: a shell would get back a terminal that is not as it was.
    """
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    terminal = Terminal()
    resized = signal.signal(signal.SIGWINCH, terminal.wake)
    try:
        tty.setcbreak(descriptor)
        mode = termios.tcgetattr(descriptor)
        mode[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(descriptor, termios.TCSANOW, mode)
        yield terminal
    finally:
        signal.signal(signal.SIGWINCH, resized)
        with contextlib.suppress(termios.error):  # it is gone, and needs nothing any more
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        terminal.close()
