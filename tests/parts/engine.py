"""A Docker Engine of our own, beside whatever engine the machine may have.

It has its own bridge and address range and writes no firewall rules, so several may run at once: ports
published on the loopback address work by Docker's user-land proxy. Where another engine has closed forwarding
for all bridges, one rule lets the range talk to itself, and is removed at the end. The engine's slot (a number,
held by a lock) names its bridge, range and folder; whoever takes a slot first clears what a killed owner
left there.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from tests.parts import debian
from tests.parts.finder import bundle_folder, cache_folder, find
from tests.parts.process import Child, start, wait_until

RUN = Path("/run/stack-auditor-tests")  # short: a socket's path has at most 107 bytes
IPTABLES = ("iptables-legacy", "iptables-nft")
SLOTS = 8  # of 198.18.0.0/15, the range set aside for tests: a /18 each


@dataclass
class Engine:
    """A running engine. `socket` is its path, `address` what `DOCKER_HOST` would say."""

    slot: int
    child: Child
    docker_compose: Path
    busybox: Path

    @property
    def pid(self) -> int:
        """The process id of `dockerd`."""
        return self.child.pid

    @property
    def socket(self) -> Path:
        return _socket(self.slot)

    @property
    def address(self) -> str:
        return f"unix://{self.socket}"

    @functools.cached_property
    def client(self) -> docker.DockerClient:
        """The Docker SDK's client of it."""
        return docker.DockerClient(base_url=self.address, timeout=60)

    def subnet(self, third: int) -> str:
        """An address of the engine's own range that none of its own networks uses: `third` from 8 to 31."""
        return _range(self.slot, third)

    @property
    def env(self) -> dict[str, str]:
        """The environment in which Docker's own programs talk to it."""
        return os.environ | {"DOCKER_HOST": self.address, "DOCKER_CONFIG": str(RUN / str(self.slot) / "client")}

    def compose(
        self, folder: Path, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the real `docker-compose` in `folder` against this engine, for example `up`, `--detach`.

        check: what it answers with anything but 0 is an error, told with what it printed.
        """
        done = subprocess.run(
            [self.docker_compose, *arguments],
            cwd=folder,
            env=self.env | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"docker-compose {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def import_busybox(self, tag: str = "busybox:test", changes: Sequence[str] = ()) -> str:
        """Make the image `tag` of busybox: a shell, `httpd`, `wget`, `nc`; it sleeps unless told otherwise.

        `changes` are Dockerfile lines, such as `EXPOSE 80`. Returns the image's id.
        """
        return self.import_files(tag, _busybox_files(self.busybox), changes or ['CMD ["sleep", "1000000"]'])

    def import_rootfs(self, tag: str, folder: Path, changes: Sequence[str] = ()) -> str:
        """Make the image `tag` of everything below `folder`. Returns its id."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            tar.add(folder, arcname=".")
        return self._import(tag, data.getvalue(), changes)

    def import_program(self, tag: str, program: Path, changes: Sequence[str] = ()) -> str:
        """Make the image `tag` of busybox and `program` (a file) with the libraries that it is linked with."""
        return self.import_files(tag, self.busybox_files() | self.program_files(program), changes)

    def busybox_files(self) -> dict[str, Path | bytes | str]:
        """What an image of busybox consists of, for `import_files`."""
        return _busybox_files(self.busybox)

    @staticmethod
    def program_files(program: Path) -> dict[str, Path | bytes | str]:
        """A program, in `bin`, and the libraries that it is linked with, for `import_files`."""
        files: dict[str, Path | bytes | str] = {str(one).lstrip("/"): one for one in _libraries(program)}
        return files | {f"bin/{program.name}": program}

    def import_files(self, tag: str, files: Mapping[str, Path | bytes | str], changes: Sequence[str] = ()) -> str:
        """Make the image `tag` of `files`: path in the image -> file, content, or target of a link."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for folder in ("tmp", "etc", "var", "root"):
                tar.addfile(_entry(folder, tarfile.DIRTYPE))
            for path, content in files.items():
                _add(tar, path, content)
        return self._import(tag, data.getvalue(), changes)

    def _import(self, tag: str, data: bytes, changes: Sequence[str]) -> str:
        repository, _, version = tag.rpartition(":")
        self.client.api.import_image_from_data(
            data, repository=repository, tag=version, changes=["ENV PATH=/bin:/usr/bin", *changes]
        )
        return str(self.client.images.get(tag).id)

    def end(self, kind: signal.Signals) -> None:
        """Send the engine a signal and wait until it is gone; `begin` starts it again."""
        os.kill(self.pid, kind)
        self.child.popen.wait(60)

    def begin(self) -> None:
        """Start it again with the containers that it had, and wait until it answers."""
        popen = self.child.popen
        command = [str(word) for word in popen.args]  # type: ignore[union-attr]
        self.child = start(
            command[command.index("TERM") + 1 :] if "--pdeathsig" in command else command, self.child.log
        )
        wait_until(lambda: _answers(self), self.child, "dockerd")

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """While this lasts the engine accepts connections and answers nothing (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            _await_stop(self.pid)
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def clear(self) -> None:
        """Remove every container, network and volume; images stay."""
        api = self.client.api
        for row in api.containers(all=True):
            with contextlib.suppress(docker.errors.APIError):
                api.remove_container(row["Id"], force=True, v=True)
        for network in api.networks():
            if network["Name"] not in {"bridge", "host", "none"}:
                with contextlib.suppress(docker.errors.APIError):
                    api.remove_network(network["Id"])
        for volume in api.volumes()["Volumes"] or []:
            with contextlib.suppress(docker.errors.APIError):
                api.remove_volume(volume["Name"], force=True)


def _await_stop(pid: int, seconds: float = 10) -> None:
    """Wait until each thread has stopped: on a busy machine one may still answer after the signal was sent."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        states = []
        for task in Path(f"/proc/{pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):
                states.append(task.read_text().rpartition(")")[2].split()[0])
        if set(states) <= {"T", "t", "Z", "X"}:
            return
        time.sleep(0.01)
    raise TimeoutError(f"process {pid} has not stopped within {seconds:g} s")


@contextlib.contextmanager
def running(daemon: str = "dockerd", options: Sequence[str] = ()) -> Iterator[Engine]:
    """Start an engine; at the end it is gone, with its containers, networks, mounts and files.

    daemon: `dockerd`, or `dockerd28` for a newer one. options: more words for its command line.
    Raises StartError. The programs that it needs must be there (`find`).
    """
    dockerd, compose, busybox = (find(name) for name in (daemon, "docker-compose", "busybox"))
    if not (dockerd and compose and busybox):
        raise LookupError(f"an engine needs `{daemon}`, `docker-compose` and `busybox`")
    with _slot() as slot:
        _sweep(slot, busybox)
        try:
            _make_bridge(slot, busybox)
            _open_forwarding(slot)
            engine = Engine(slot, _start(slot, dockerd, options), compose, busybox)
            with contextlib.closing(_Stopping(engine)):
                wait_until(lambda: _answers(engine), engine.child, "dockerd")
                try:
                    yield engine
                finally:
                    with contextlib.suppress(requests.RequestException, docker.errors.DockerException):
                        os.kill(engine.pid, signal.SIGCONT)
                        engine.clear()
                    engine.client.close()
        finally:
            _sweep(slot, busybox)


@dataclass(frozen=True, slots=True)
class _Stopping:
    engine: Engine

    def close(self) -> None:
        self.engine.child.stop(30)


def _answers(engine: Engine) -> bool:
    if not engine.socket.exists():
        return False
    try:
        return bool(engine.client.ping())
    except (requests.RequestException, docker.errors.DockerException):
        return False


def _start(slot: int, dockerd: Path, options: Sequence[str]) -> Child:
    home, run = _home(slot), RUN / str(slot)
    for folder in (home, run, run / "client"):
        folder.mkdir(parents=True)
    (run / "daemon.json").write_text("{}")
    command = [
        str(dockerd),
        f"--config-file={run}/daemon.json",  # not the machine's
        f"--data-root={home}/data",
        f"--exec-root={run}/exec",
        f"--pidfile={run}/pid",
        f"--host=unix://{_socket(slot)}",
        f"--bridge={_bridge(slot)}",
        f"--default-address-pool=base={_range(slot, 32)}/19,size=26",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-masq=false",
        "--ip-forward=false",
        "--log-level=warn",
        *options,
    ]
    return _launch(command, home / "log")


def _launch(command: list[str], log: Path) -> Child:
    fetched = Path(command[0]).is_relative_to(bundle_folder("engine28"))
    return start(command, log, env=_beside() if fetched else None)


def _beside() -> dict[str, str]:
    """Where an engine that was fetched alone finds `runc` and `iptables`: with the other one, made for this Debian."""
    newer, own = (bundle_folder(name) for name in ("engine28", "engine"))
    places = [newer / "tree/usr/bin", newer / "tree/usr/sbin", own / "bin", own / "tree/usr/sbin", own / "tree/usr/bin"]
    path = [str(place) for place in places if place.exists()]
    libraries = debian.libraries(own / "tree")
    found = os.environ | {"PATH": ":".join([*path, os.environ.get("PATH", os.defpath)])}
    return found | ({"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {})


def _range(slot: int, third: int) -> str:
    """The address that begins the slot's own range (64 times 256 addresses) at `third`."""
    return f"198.{18 + slot // 4}.{slot % 4 * 64 + third}.0"


def _bridge(slot: int) -> str:
    return f"auditortest{slot}"


def _home(slot: int) -> Path:
    return cache_folder() / "engines" / str(slot)


def _socket(slot: int) -> Path:
    return RUN / str(slot) / "docker.sock"


@contextlib.contextmanager
def _slot(seconds: float = 120) -> Iterator[int]:
    """Hold the first slot that no one else holds, waiting for one if need be.

    What holds it is a socket with an abstract name: as bridges do, such names belong to a network namespace, and
    the kernel frees them when their owner dies.
    """
    end = time.monotonic() + seconds
    while True:
        for slot in range(SLOTS):
            with socket.socket(socket.AF_UNIX) as holder:
                if _taken(holder, f"\0stack-auditor-tests-{slot}"):
                    continue
                RUN.mkdir(mode=0o700, exist_ok=True)
                yield slot
                return
        if time.monotonic() > end:
            raise TimeoutError(f"all {SLOTS} places for engines of tests are taken")
        time.sleep(0.5)


def _taken(holder: socket.socket, name: str) -> bool:
    try:
        holder.bind(name)
    except OSError as fault:
        if fault.errno != errno.EADDRINUSE:
            raise
        return True
    return False


def _make_bridge(slot: int, busybox: Path) -> None:
    name = _bridge(slot)
    first = _range(slot, 0).removesuffix("0") + "1"
    for command in (
        ["brctl", "addbr", name],
        ["ip", "address", "add", f"{first}/24", "dev", name],
        ["ip", "link", "set", name, "up"],
    ):
        subprocess.run([busybox, *command], check=True, capture_output=True, timeout=10)


def _sweep(slot: int, busybox: Path) -> None:
    """Remove what the slot's last engine left: a killed owner could not."""
    home, run = _home(slot), RUN / str(slot)
    _end_orphan(run)
    _unmount_below(home, run)
    _close_forwarding(slot)
    for name in [_bridge(slot), *_bridges_within(slot)]:
        if Path("/sys/class/net", name).exists():
            for command in (["ip", "link", "set", name, "down"], ["brctl", "delbr", name]):
                subprocess.run([busybox, *command], check=False, capture_output=True, timeout=10)
    for folder in (home, run):
        shutil.rmtree(folder, ignore_errors=True)


def _open_forwarding(slot: int) -> None:
    for iptables in _iptables():
        if "-P FORWARD DROP" in iptables("-S", "FORWARD").stdout:
            iptables("-I", "FORWARD", *_within(slot))


def _close_forwarding(slot: int) -> None:
    for iptables in _iptables():
        for _ in range(10):
            if iptables("-C", "FORWARD", *_within(slot)).returncode:
                break
            iptables("-D", "FORWARD", *_within(slot))


def _within(slot: int) -> list[str]:
    addresses = f"{_range(slot, 0)}/18"
    return ["--source", addresses, "--destination", addresses, "--jump", "ACCEPT"]


def _iptables() -> list[Callable[..., subprocess.CompletedProcess[str]]]:
    """Both kinds of `iptables`, as far as they are here: a rule of either may drop a packet."""

    def bound(program: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [program, "--wait", "10", *arguments], check=False, capture_output=True, text=True, timeout=20
            )

        return run

    places = [bundle_folder("engine") / "bin", *map(Path, ("/usr/sbin", "/sbin"))]
    found = {name: place / name for place in reversed(places) for name in IPTABLES if (place / name).exists()}
    return [bound(program) for program in found.values()]


def _end_orphan(run: Path) -> None:
    """End a `dockerd` that outlived the tests that started it; the lock is ours, so no one uses it."""
    try:
        pid = int((run / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    if f"--pidfile={run}/pid".encode() not in command.split(b"\0"):
        return
    for kind, tries in ((signal.SIGTERM, 300), (signal.SIGKILL, 50)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, kind)
        for _ in range(tries):
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.1)


def _unmount_below(*folders: Path) -> None:
    rows = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in sorted(rows, reverse=True):
        if any(Path(place).is_relative_to(folder) for folder in folders):
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True, timeout=10)


def _bridges_within(slot: int) -> list[str]:
    """Bridges of Docker networks whose address is in the slot's range."""
    table = Path("/proc/net/route").read_text().splitlines()[1:]
    found = []
    for line in table:
        name, target = line.split()[:2]
        octets = bytes.fromhex(target)[::-1]
        if name.startswith("br-") and octets[:2] == bytes([198, 18 + slot // 4]) and octets[2] // 64 == slot % 4:
            found.append(name)
    return found


@functools.cache
def _applets(busybox: Path) -> list[str]:
    done = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True, timeout=10)
    return done.stdout.split()


def _busybox_files(busybox: Path) -> dict[str, Path | bytes | str]:
    """Busybox with its libraries. (Debian's static one crashes when it looks up a name.)"""
    unpacked = [busybox.parent.parent / "tree" / place for place in ("bin/busybox", "usr/bin/busybox")]
    program = next((path for path in unpacked if path.exists()), busybox.resolve())
    files: dict[str, Path | bytes | str] = {f"bin/{name}": "busybox" for name in _applets(busybox)}
    files |= {str(library).lstrip("/"): library for library in _libraries(program)}
    accounts = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
    return files | {"bin/busybox": program, "etc/passwd": accounts}


def _libraries(program: Path) -> list[Path]:
    done = subprocess.run(["ldd", program], check=False, capture_output=True, text=True, timeout=30)
    return [Path(word) for word in done.stdout.split() if word.startswith("/")]


def _entry(path: str, kind: bytes, size: int = 0, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.size, entry.linkname, entry.mode = kind, size, target, 0o755
    return entry


def _add(tar: tarfile.TarFile, path: str, content: Path | bytes | str) -> None:
    if isinstance(content, str):
        tar.addfile(_entry(path, tarfile.SYMTYPE, target=content))
        return
    data: Any = content if isinstance(content, bytes) else content.resolve().read_bytes()
    tar.addfile(_entry(path, tarfile.REGTYPE, len(data)), io.BytesIO(data))
