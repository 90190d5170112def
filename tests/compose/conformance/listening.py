"""Listens on every port that an address could mean, runs the auditor on each address, and prints who called.

python -m tests.compose.conformance.listening PROJECT     in a network namespace made for it: `unshare --net`
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.compose.conformance.test_outside import ADDRESSES, environment, write

PORTS = (22, 80, 443, 5000, 9418)
PLACES = ("include", "extends.file", "build.additional_contexts")


def calls(listeners: selectors.BaseSelector) -> int:
    """How many have connected since the last time."""
    count = 0
    for key, _ in listeners.select(0):
        listener = key.fileobj
        assert isinstance(listener, socket.socket)
        with suppress(BlockingIOError):
            while True:
                listener.accept()[0].close()
                count += 1
    return count


def listening() -> selectors.BaseSelector:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
    listeners = selectors.DefaultSelector()
    for port in PORTS:
        listener = socket.create_server(("127.0.0.1", port))
        listener.setblocking(False)
        listeners.register(listener, selectors.EVENT_READ)
    return listeners


def heard(home: Path, address: str, listeners: selectors.BaseSelector) -> int:
    """The calls while projects that name the address are audited."""
    for place in PLACES:
        write(home, place, address)
        command = [sys.executable, "-m", "auditor", "audit", "-f", "compose.yaml", "--offline"]
        subprocess.run(command, cwd=home, env=environment(home), capture_output=True, timeout=60, check=False)
    return calls(listeners)


def main(home: Path) -> None:
    listeners = listening()
    found = {address: heard(home, address, listeners) for address in ADDRESSES}
    socket.create_connection(("127.0.0.1", PORTS[0]), timeout=5).close()
    print(json.dumps(found | {"control": calls(listeners)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
