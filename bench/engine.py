"""Reading a real engine with many containers: against the same calls made raw, and against Docker's own command.

`python -m bench.engine [--address unix:///...]`: alone, and against an engine that is there already.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import operator
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from auditor.sources.docker import Reader
from auditor.sources.docker.read import STATISTICS
from tests.parts import engine as engines
from tests.parts.finder import find, missing

CONTAINERS = 200
WIDTHS = (8, 32, 128, 256)  # connections that the raw calls are tried with; the best one is the floor
DAEMONS = ("dockerd", "dockerd28")
FIRST, SECOND = 1.3, 0.1


class _Raw(asyncio.Protocol):
    """Sends requests and knows where an answer ends; looks at nothing else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.ended: asyncio.Future[bytes]

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        self.ended = asyncio.get_running_loop().create_future()
        self.pieces: list[bytes] = []
        self.left = -1  # bytes of the body; -1: it is not known yet, or sent in chunks
        self.transport.write(request)  # type: ignore[attr-defined]
        return self.ended

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        if len(self.pieces) == 1:
            head, _, body = data.partition(b"\r\n\r\n")
            _, said, rest = head.partition(b"Content-Length: ")
            self.left = int(rest.partition(b"\r\n")[0]) - len(body) if said else -1
        elif self.left > 0:
            self.left -= len(data)
        if self.left == 0 or (self.left < 0 and data.endswith(b"0\r\n\r\n")):
            self.ended.set_result(b"".join(self.pieces))


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: docker\r\n\r\n".encode()


async def _raw(path: str, api: str, ids: Sequence[str], width: int) -> None:
    """The list, then each container's inspection and statistics over `width` connections; answers are dropped."""
    loop = asyncio.get_running_loop()

    async def connect() -> _Raw:
        return (await loop.create_unix_connection(_Raw, path))[1]

    first = await connect()
    await first.ask(_request(f"{api}/containers/json?all=1"))
    wanted = [f"{api}/containers/{id}/json" for id in ids]
    wanted += [f"{api}/containers/{id}/stats?stream=0&one-shot=1" for id in ids]
    waiting = iter([_request(target) for target in wanted])

    async def work(connection: _Raw) -> None:
        for request in waiting:
            await connection.ask(request)

    connections = [first, *[await connect() for _ in range(width - 1)]]
    await asyncio.gather(*map(work, connections))
    for connection in connections:
        connection.transport.close()  # type: ignore[attr-defined]


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _command(docker: Path, address: str) -> Callable[[], None]:
    """What somebody would type for the same facts."""
    environment = os.environ | {"DOCKER_HOST": address}

    def run(*words: str) -> str:
        return subprocess.run([docker, *words], env=environment, capture_output=True, text=True, check=True).stdout

    def all_three() -> None:
        ids = run("ps", "--all", "--no-trunc", "--quiet").split()
        run("inspect", *ids)
        run("stats", "--no-stream", "--no-trunc", "--format", "{{json .}}")

    return all_three


def figures(address: str, rounds: int) -> Mapping[str, float]:
    """Median seconds of each way to read the engine at `address`, by turns, and the medians of each turn's ratios."""
    path = address.removeprefix("unix://")
    known = Reader(address).read("bench")
    ids = [container.id for container in known.containers]
    api = _api(path)
    best = min(WIDTHS, key=lambda width: _timed(lambda: asyncio.run(_raw(path, api, ids, width))))
    docker = find("docker")
    taken: dict[str, list[float]] = {"raw": [], "first": [], "second": [], "docker": []}
    for _ in range(rounds):
        taken["raw"].append(_timed(lambda: asyncio.run(_raw(path, api, ids, best))))
        reader = Reader(address)
        taken["first"].append(_timed(partial(_complete, reader, len(ids))))
        taken["second"].append(_timed(partial(reader.read, "bench")))
        if docker and len(taken["docker"]) < 3:  # it takes its time
            taken["docker"].append(_timed(_command(docker, address)))
    ratios = {
        "over_raw": statistics.median(map(operator.truediv, taken["first"], taken["raw"])),
        "over_first": statistics.median(map(operator.truediv, taken["second"], taken["first"])),
    }
    return {name: statistics.median(seconds) for name, seconds in taken.items() if seconds} | ratios | {"width": best}


def sampling(address: str, rounds: int) -> tuple[float, float]:
    """Seconds of our own processor time that one round of samples costs, and seconds that it takes; medians."""
    reader = Reader(address, apart=True)
    reader.read("bench")
    spent, taken = [], []

    async def sample() -> None:
        for _ in range(rounds):
            begin, before = time.perf_counter(), time.process_time()
            if not await reader.sample():
                raise RuntimeError("the engine could not be asked")
            spent.append(time.process_time() - before)
            taken.append(time.perf_counter() - begin)

    asyncio.run(sample())
    return statistics.median(spent), statistics.median(taken)


def sampling_row(what: str, spent: float, taken: float) -> str:
    """What the sampler of a server costs, in the cadence that it has."""
    share = spent / STATISTICS
    return (
        f"| {what}: samples beside the scans, every {STATISTICS:g} s | {taken:.3f} s, {spent:.3f} s of it computing "
        f"| one processor's time | {share:.2%} | |"
    )


def _complete(reader: Reader, containers: int) -> None:
    """Only a whole snapshot counts."""
    found = reader.read("bench")
    usages = len(found.facts) - len(found.containers)
    if found.limits or any(container.unread for container in found.containers) or usages <= containers:
        raise RuntimeError(f"not everything was read: {found.limits}, {len(found.facts)} facts of {containers}")


def _api(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect(path)
        engine.sendall(b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n")
        said = b"".join(iter(lambda: engine.recv(65536), b""))
    return "/v" + str(json.loads(said.partition(b"\r\n\r\n")[2])["ApiVersion"])


def table(what: str, found: Mapping[str, float]) -> Iterator[str]:
    """The rows of one engine."""
    first, second = found["over_raw"], found["over_first"]
    yield (
        f"| {what}: complete snapshot | {found['first']:.3f} s | the same calls raw, {found['width']:.0f} connections: "
        f"{found['raw']:.3f} s | {first:.2f} | {'met' if first <= FIRST else 'missed'} (≤ {FIRST:g}) |"
    )
    yield (
        f"| {what}: the next one, nothing changed | {found['second']:.3f} s | the first: {found['first']:.3f} s "
        f"| {second:.3f} | {'met' if second < SECOND else 'missed'} (< {SECOND:g}) |"
    )
    if "docker" in found:
        times = found["docker"] / found["first"]
        yield (
            f"| {what}: complete snapshot | {found['first']:.3f} s | `docker ps`, `inspect`, `stats`: "
            f"{found['docker']:.3f} s | {times:.1f} times faster | |"
        )
    else:
        yield f"| {what}: complete snapshot | | `docker`: {missing('docker')} | | |"


def rows(rounds: int, containers: int = CONTAINERS) -> Iterator[str]:
    """The table's rows for every version of the engine that can be started here, or why it cannot."""
    for daemon in DAEMONS:
        if why := _why_not(daemon):
            yield f"| {containers} containers, {daemon} | | {why} | | |"
            continue
        with engines.running(daemon) as engine:
            version = engine.client.version()["Version"].partition("+")[0]
            _fill(engine, containers)
            what = f"{containers} containers, engine {version}"
            yield from table(what, figures(engine.address, rounds))
            yield sampling_row(what, *sampling(engine.address, rounds))


def _why_not(daemon: str) -> str | None:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "an engine of our own is started only by root on Linux"
    return next((missing(name) for name in (daemon, "dockerd", "docker-compose", "busybox") if not find(name)), None)


def _fill(engine: engines.Engine, containers: int) -> None:
    engine.import_busybox("busybox:test")
    api = engine.client.api

    def start(number: int) -> None:
        api.start(api.create_container("busybox:test", name=f"bench-{number}")["Id"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(containers)))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="bench.engine", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--containers", type=int, default=CONTAINERS)
    parser.add_argument("--address", help="of an engine that is there already")
    options = parser.parse_args()
    if options.address:
        print("\n".join(table(options.address, figures(options.address, options.rounds))))
        return
    for row in rows(options.rounds, options.containers):
        print(row, flush=True)


if __name__ == "__main__":
    main()
