"""A serving auditor while its engine restarts, freezes or churns: nothing old is shown as the present.

The short forms run always; the whole ones, with their figures printed, by `make endurance`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import docker.errors
import httpx
import pytest

from auditor.errors import EvidenceError
from auditor.sources.docker import Reader
from tests.parts import engine as engines
from tests.parts.engine import Engine
from tests.parts.process import free_port
from tests.relay import SILENCE, relayed

INTERVAL = 1.0  # seconds
TIMEOUT = 5.0  # of a call to the engine
REPOSITORY = Path(__file__).parent.parent
pytestmark = [pytest.mark.engine]


def fill(engine: Engine, count: int) -> list[str]:
    """Containers of a Compose project that come back with their engine, and end at once when asked."""
    engine.import_busybox("busybox:test")
    api = engine.client.api
    names = [f"s{number}" for number in range(count)]
    for name in names:
        labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": name}
        labels |= {"com.docker.compose.oneoff": "False", "com.docker.compose.container-number": "1"}
        host = api.create_host_config(restart_policy={"Name": "always"})
        made = api.create_container(
            "busybox:test", name=f"shop-{name}-1", labels=labels, host_config=host, stop_signal="SIGKILL"
        )
        api.start(made)
    return names


@dataclass
class Served:
    """A serving auditor, asked every 200 ms: when, how long the answer took, and which services it said run."""

    process: subprocess.Popen[bytes]
    port: int
    polls: list[tuple[float, float, dict[str, str]]] = field(default_factory=list)
    starved: list[float] = field(default_factory=list)  # seconds of each answer that the machine had no processor free
    ended: threading.Event = field(default_factory=threading.Event)

    def poll(self) -> None:
        with httpx.Client(timeout=10, trust_env=False) as client:
            while not self.ended.wait(0.2):
                begin = time.monotonic()
                with contextlib.suppress(httpx.HTTPError, OSError):
                    waited = self.waited()
                    report = client.get(f"http://127.0.0.1:{self.port}/api/reports/latest").json()
                    states = {s["name"]: s["rungs"]["running"]["state"] for s in report.get("services", ())}
                    self.polls.append((begin, time.monotonic() - begin, states))
                    self.starved.append(self.waited() - waited)

    def waited(self) -> float:
        """Seconds that the threads of the server, which wait for one another, and the thread that asks were ready to
        run and had to wait."""
        asking = Path(f"/proc/self/task/{threading.get_native_id()}")
        return sum(map(_starved, [asking, *Path(f"/proc/{self.process.pid}/task").iterdir()]))

    def patience(self) -> float:
        """Seconds for which it takes a report for the present: two intervals, more only where a scan takes long."""
        page = httpx.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False, timeout=10).text
        took = float(page.partition("\nauditor_scan_duration_seconds ")[2].split()[0])
        return max(2 * INTERVAL, INTERVAL + 2 * took)

    def running(self) -> set[str]:
        """Of the last answer."""
        return {name for name, state in self.polls[-1][2].items() if state == "proved"} if self.polls else set()

    def known(self, begin: float, end: float) -> int:
        """How many answers of a time say that they know how anything is."""
        return sum(begin < at < end and set(states.values()) != {"unknown"} for at, _, states in self.polls)

    def until(self, holds: Callable[[], bool], seconds: float) -> float:
        """Seconds until it holds; more than `seconds` where it does not."""
        begin = time.monotonic()
        while not holds() and time.monotonic() - begin < seconds:
            time.sleep(0.1)
        return time.monotonic() - begin

    def size(self) -> tuple[int, int]:
        """Open files and threads that stay: the least of a while, since a scan has some of its own."""
        place, found = Path("/proc", str(self.process.pid)), []
        for _ in range(50):
            found.append((len(list((place / "fd").iterdir())), len(list((place / "task").iterdir()))))
            time.sleep(0.1)
        return min(files for files, _ in found), min(threads for _, threads in found)


def _starved(task: Path) -> float:
    try:
        return int((task / "schedstat").read_text().split()[1]) / 1e9
    except OSError:  # it has ended
        return 0.0


@contextlib.contextmanager
def serving(engine: Engine, folder: Path, names: Sequence[str]) -> Iterator[Served]:
    """The auditor of a project with these services, all of them seen; it must end with 0."""
    services = "\n".join(f"  {name}: {{image: 'busybox:test'}}" for name in names)
    (folder / "compose.yaml").write_text(f"name: shop\nservices:\n{services}\n")
    (folder / "catalogue.yaml").write_text("services:\n" + "\n".join(f"  {name}: {{}}" for name in names) + "\n")
    port = free_port()
    options = ["--port", str(port), "--interval", f"{INTERVAL:g}s", "--docker", engine.address]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "AUDITOR_STATE_DIR": str(folder / "state")}
    command = [sys.executable, "-m", "auditor", "serve", *options]
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL) as process:
        served = Served(process, port)
        thread = threading.Thread(target=served.poll, daemon=True)
        thread.start()
        try:
            assert served.until(lambda: served.running() == set(names), 60) < 60, served.polls[-1:]
            yield served
            assert process.poll() is None, "it ended by itself"
        finally:
            served.ended.set()
            thread.join(15)
            process.terminate()
            process.wait(20)
    assert process.returncode == 0


# --- R-08 ------------------------------------------------------------------------------------------------------


def restarts(engine: Engine, served: Served, names: set[str], kinds: Sequence[signal.Signals]) -> list[float]:
    """Restart the engine again and again. Seconds from its answer, or from the last container that it then brought
    back, until the auditor shows what is."""
    taken = []
    for kind in kinds:
        patience = served.patience()
        engine.end(kind)
        gone = time.monotonic()
        time.sleep(patience + 2)
        back = time.monotonic()
        assert served.known(gone + patience + 1, back) == 0, "an old state was shown as the present"
        engine.begin()
        taken.append(lag(engine, served))
    assert served.until(lambda: served.running() == names, 60) < 60, "they all come back"
    return taken


def lag(engine: Engine, served: Served) -> float:
    """Seconds that what is shown is behind what is, when it has caught up with it."""
    is_so, since = truth(engine), time.monotonic()
    end = since + 60
    while not is_so or served.running() != is_so:
        assert time.monotonic() < end, (served.running(), is_so)
        time.sleep(0.1)
        if (now := truth(engine)) != is_so:
            is_so, since = now, time.monotonic()
    return time.monotonic() - since


def truth(engine: Engine) -> set[str]:
    """The services that run, as the engine itself says."""
    rows = engine.client.api.containers(filters={"status": "running"})
    return {row["Labels"]["com.docker.compose.service"] for row in rows}


@pytest.mark.timeout(170)
def test_an_engine_that_is_restarted(tmp_path: Path) -> None:
    with engines.running() as engine:
        names = fill(engine, 4)
        with serving(engine, tmp_path, names) as served:
            taken = restarts(engine, served, set(names), [signal.SIGKILL, signal.SIGTERM])
    assert max(taken) < 10 * (INTERVAL + 5), taken


@pytest.mark.endurance
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("options", "kinds"),
    [((), [signal.SIGTERM, signal.SIGKILL] * 20), (("--live-restore",), [signal.SIGTERM, signal.SIGKILL] * 5)],
    ids=["plain", "live-restore"],
)
def test_an_engine_that_is_restarted_again_and_again(
    tmp_path: Path, options: Sequence[str], kinds: Sequence[signal.Signals]
) -> None:
    with engines.running(options=options) as engine:
        names = fill(engine, 20)
        with serving(engine, tmp_path, names) as served:
            restarts(engine, served, set(names), kinds[:2])
            files, threads = served.size()
            taken = restarts(engine, served, set(names), kinds[2:])
            after = served.size()
    print(f"R-08 {options}: {len(kinds)} restarts, {len(served.polls)} answers, none of them old")
    print(f"right after {statistics.median(taken):.1f} s, at most {max(taken):.1f} s")
    print(f"files {files} -> {after[0]}, threads {threads} -> {after[1]}")
    assert max(taken) <= INTERVAL + 5
    assert after[0] <= files + 5 and after[1] <= threads + 2


# --- R-09 ------------------------------------------------------------------------------------------------------


def freezes(engine: Engine, served: Served, names: set[str], times: int, seconds: float) -> list[tuple[float, float]]:
    """Freeze the engine again and again. Seconds that the auditor's answers took meanwhile, and how much of that was
    waiting for a processor."""
    begun = time.monotonic()
    for _ in range(times):
        with engine.frozen():
            frozen = time.monotonic()
            time.sleep(seconds)
            thawed = time.monotonic()
        assert served.known(frozen + TIMEOUT + 1 + INTERVAL, thawed) == 0
        assert served.until(lambda: served.running() == names, 30) < 30
    answers = zip(served.polls, served.starved, strict=False)
    return [(took, max(0.0, starved)) for (at, took, _), starved in answers if at > begun]


def late(seconds: Sequence[float]) -> float:
    """What 99 of 100 take at most."""
    return statistics.quantiles(seconds, n=100)[98]


def test_a_frozen_engine_ends_a_look_in_time(empty_engine: Engine) -> None:
    mine = Reader(empty_engine.address, timeout=TIMEOUT)
    mine.read("prod")
    with empty_engine.frozen():
        begin = time.monotonic()
        with pytest.raises(EvidenceError, match="docker timeout: no answer within 5 s"):
            mine.read("prod")
        assert time.monotonic() - begin < TIMEOUT + 1
    assert mine.read("prod").limits == ()


@pytest.mark.timeout(170)
def test_an_engine_that_freezes(empty_engine: Engine, tmp_path: Path) -> None:
    names = fill(empty_engine, 4)
    with serving(empty_engine, tmp_path, names) as served:
        threads = served.size()[1]
        took = freezes(empty_engine, served, set(names), 1, TIMEOUT + 3)
        assert served.size()[1] <= threads + 2
    assert late([seconds for seconds, _ in took]) < 10 * 0.5


@pytest.mark.endurance
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("times", "seconds"), [(50, 30), (1, 600)])
def test_an_engine_that_freezes_again_and_again(
    empty_engine: Engine, tmp_path: Path, times: int, seconds: float
) -> None:
    names = fill(empty_engine, 20)
    with serving(empty_engine, tmp_path, names) as served:
        threads = served.size()[1]
        took = freezes(empty_engine, served, set(names), times, seconds)
        after = served.size()[1]
    whole, own = late([seconds for seconds, _ in took]), late([max(0, seconds - starved) for seconds, starved in took])
    print(f"R-09: {times} times {seconds:g} s, {len(took)} answers meanwhile, p99 {whole * 1000:.0f} ms,")
    print(f"without waiting for one of the machine's processors {own * 1000:.0f} ms; threads {threads} -> {after}")
    assert own <= 0.5 and after <= threads + 2


# --- R-27 ------------------------------------------------------------------------------------------------------


@pytest.mark.endurance
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("withheld", ["json", "stats"])
def test_one_container_of_fifty_that_hangs(empty_engine: Engine, tmp_path: Path, withheld: str) -> None:
    fill(empty_engine, 50)
    bad = empty_engine.client.containers.get("shop-s7-1").id
    usual = max(timed(lambda: Reader(empty_engine.address).read("prod")) for _ in range(5))
    judge = lambda method, path: SILENCE if f"{bad}/{withheld}" in path else None  # noqa: E731
    taken = []
    with relayed(tmp_path / "s", empty_engine.socket, judge):
        for _ in range(200):
            mine = Reader(f"unix://{tmp_path}/s", timeout=3.0)
            begin = time.monotonic()
            found = mine.read("prod")
            taken.append(time.monotonic() - begin)
            unread = [c for c in found.containers if c.unread]
            assert len(found.containers) == 50
            assert len(unread) == 1 if withheld == "json" else len(found.limits) == 1
    print(f"R-27 {withheld}: 200 looks, 49 of 50 fresh, at most {max(taken):.2f} s (a usual one {usual:.2f} s)")
    assert max(taken) <= usual + 3.0 + 0.5


def timed(work: Callable[[], Any]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


# --- R-28 ------------------------------------------------------------------------------------------------------


def churned(engine: Engine, seconds: float) -> tuple[int, int]:
    """Looks each second while two loops make and remove containers. Looks, and those that missed what was there."""
    ended, missed, looks = threading.Event(), 0, 0

    def loop(name: str) -> None:
        client = docker.DockerClient(base_url=engine.address, timeout=60)
        while not ended.is_set():
            with contextlib.suppress(docker.errors.APIError):
                made = client.api.create_container("busybox:test", name=name)
                client.api.start(made)
                client.api.remove_container(made, force=True)
        client.close()

    steady = set(fill(engine, 5))
    threads = [threading.Thread(target=loop, args=(f"brief-{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    mine, end = Reader(engine.address), time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            found = {c.service for c in mine.read("prod").containers if c.state == "running"}
            looks, missed = looks + 1, missed + (not steady <= found)
            time.sleep(INTERVAL)
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)
    time.sleep(INTERVAL)
    assert {c.service for c in mine.read("prod").containers} == steady, "no phantom is left"
    return looks, missed


def test_churn(empty_engine: Engine) -> None:
    looks, missed = churned(empty_engine, 10)
    assert looks > 2 and missed == 0


@pytest.mark.endurance
@pytest.mark.timeout(1200)
def test_churn_for_ten_minutes(empty_engine: Engine) -> None:
    looks, missed = churned(empty_engine, 600)
    print(f"R-28: {looks} looks in 10 minutes of churn, 0 failed, {missed} missed a service that was there")
    assert missed == 0


# --- R-30 ------------------------------------------------------------------------------------------------------


@pytest.mark.endurance
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("events", [b"", SILENCE, 500], ids=["silent end", "half-open", "error"])
def test_the_state_is_right_without_events(empty_engine: Engine, tmp_path: Path, events: int | bytes) -> None:
    fill(empty_engine, 10)
    target, right = empty_engine.client.containers.get("shop-s3-1"), 0
    target.update(restart_policy={"Name": "no"})
    with relayed(tmp_path / "s", empty_engine.socket, lambda method, path: events if "/events" in path else None):
        mine = Reader(f"unix://{tmp_path}/s")
        mine.read("prod")
        for number in range(100):
            (target.kill, target.start, target.pause, target.unpause)[number % 4]()
            target.reload()
            for _ in range(2):
                found = {c.name: c.state for c in mine.read("prod").containers}
            right += found["shop-s3-1"] == target.status
    print(f"R-30 {events!r}: right after two looks in {right} of 100 changes")
    assert right == 100
