"""Starts a component as a child, waits until it answers, and ends it by its process id."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


class StartError(Exception):
    """A component that was started does not answer; the text ends with its last words."""


@dataclass(frozen=True, slots=True)
class Child:
    """A started component and the file that its output goes to."""

    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def words(self, lines: int = 15) -> str:
        """The last lines it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, seconds: float = 20) -> None:
        """End it: asked first, also when it is frozen, then killed."""
        if self.popen.poll() is not None:
            return
        self.popen.send_signal(signal.SIGCONT)
        self.popen.terminate()
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(seconds)


def start(command: list[str], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Child:
    """Start `command` with its output in `log`.

    It has a session of its own, so that Ctrl-C reaches the tests first and they end it in order; should they
    be killed, the kernel ends it (where `setpriv` is).
    """
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "TERM"] if setpriv else []
    with log.open("ab") as file:
        popen = subprocess.Popen(
            prefix + command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    return Child(popen, log)


def wait_until(answers: Callable[[], bool], child: Child, what: str, seconds: float = 60) -> None:
    """Return when `answers()` is true. Raises StartError, with the child ended, when it is not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answers():
            return
        if child.popen.poll() is not None:
            raise StartError(f"{what} ended with {child.popen.returncode}\n{child.words()}")
        time.sleep(0.05)
    child.stop()
    raise StartError(f"{what} did not answer within {seconds:.0f} s\n{child.words()}")


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
