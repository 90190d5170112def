"""An OpenSSH server of our own: on a loopback port, with keys and an account that exist for one test only.

The account and the folder that the server wants below `/run` exist in a mount namespace of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.parts import debian
from tests.parts.finder import bundle_folder, find
from tests.parts.process import Child, free_port, start, wait_until

USER = "tester"

IN_A_NAMESPACE = """\
folder=$0
mkdir "$folder/run"
mount --rbind /run "$folder/run"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sshd /run/stack-auditor-tests
mount --rbind "$folder/run/stack-auditor-tests" /run/stack-auditor-tests
mount --bind "$folder/passwd" /etc/passwd
exec "$@"
"""
SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv {variables}
"""
CLIENT = """\
Host *
  IdentityFile {folder}/{key}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder}/{known}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""


@dataclass(frozen=True, slots=True)
class Sshd:
    """A running server. `address` is what a catalogue would say of the engine behind it."""

    folder: Path
    programs: Path  # all that is on the PATH of its sessions
    port: int
    child: Child

    @property
    def address(self) -> str:
        return f"ssh://{USER}@127.0.0.1:{self.port}"

    def client(self, *, key: str = "user", known: str = "known") -> Path:
        """A folder with an `ssh` that is configured as a user would do: `stranger` is a key that is let in nowhere,
        `changed` knows the server by another key."""
        place = self.folder / f"{key}-{known}"
        place.mkdir(exist_ok=True)
        (place / "config").write_text(CLIENT.format(folder=self.folder, key=key, known=known))
        (place / "ssh").write_text(f'#!/bin/sh\nexec {find("ssh")} -F {place}/config "$@"\n')
        (place / "ssh").chmod(0o755)
        return place

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """While this lasts it accepts connections and says nothing."""
        os.kill(self.child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.child.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def without_docker(self) -> Iterator[None]:
        """While this lasts its sessions find no `docker`."""
        program, aside = self.programs / "docker", self.programs / "aside"
        program.rename(aside)
        try:
            yield
        finally:
            aside.rename(program)


@contextlib.contextmanager
def serving(folder: Path, programs: Path, variables: Mapping[str, str]) -> Iterator[Sshd]:
    """Start a server whose sessions have `variables`, and only `programs` on their PATH. Its parts must be there."""
    port = free_port()
    for name in ("host", "user", "stranger"):
        _key(folder / name)
    for known, key in (("known", "host"), ("changed", "stranger")):
        (folder / known).write_text(f"[127.0.0.1]:{port} {(folder / f'{key}.pub').read_text()}")
    given = {"PATH": str(programs), **variables}
    told = " ".join(f'{name}="{value}"' for name, value in given.items())
    (folder / "config").write_text(SERVER.format(folder=folder, port=port, variables=told))
    accounts = f"sshd:x:65533:65534::/run/sshd:/bin/false\n{USER}:x:0:0::/:/bin/sh\n"
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + accounts)
    command = [str(find("sshd")), "-D", "-e", "-f", str(folder / "config")]
    own = ["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", IN_A_NAMESPACE, str(folder)]
    child = start([*own, *command], folder / "log")
    try:
        wait_until(lambda: _listens(port), child, "sshd")
        yield Sshd(folder, programs, port, child)
    finally:
        child.stop()


def _key(place: Path) -> None:
    tree = bundle_folder("ssh") / "tree"
    program = shutil.which("ssh-keygen") or str(tree / "usr/bin/ssh-keygen")
    libraries = {"LD_LIBRARY_PATH": ":".join(debian.libraries(tree))} if program.startswith(str(tree)) else {}
    command = [program, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(place)]
    subprocess.run(command, env=os.environ | libraries, check=True, capture_output=True, timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
