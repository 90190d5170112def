"""What a server does beside its looks at an engine: samples in their own time, and an eye on one that is gone."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditor.errors import EvidenceError
from auditor.model import Usage
from auditor.sources.docker import Reader, Reading
from auditor.sources.docker.sampler import Sampler
from tests.parts.engine import Engine
from tests.relay import SILENCE, relayed


@pytest.fixture(scope="module")
def some(engine: Engine) -> Iterator[Engine]:
    """An engine with three containers that run; a test leaves them as they are."""
    engine.clear()
    engine.import_busybox("busybox:test")
    for number in range(3):
        engine.client.containers.run("busybox:test", name=f"c{number}", detach=True)
    yield engine
    engine.clear()


def usages(reading: Reading) -> dict[str, Usage]:
    return {fact.container: fact for fact in reading.facts if isinstance(fact, Usage)}


def watched(mine: Reader, soon: Callable[[], None], every: float) -> contextlib.ExitStack:
    """A sampler of this reader while the context lasts."""
    sampler, stack = Sampler(lambda: [mine], soon, every=every), contextlib.ExitStack()
    stack.callback(sampler.stop)
    sampler.start()
    return stack


def test_samples_beside_the_looks_show_what_was_used_between_them(some: Engine) -> None:
    mine, soon = Reader(some.address, apart=True), threading.Event()
    assert usages(mine.read("prod")) == {}
    a = some.client.containers.get("c1")
    with watched(mine, soon.set, 0.2):
        assert soon.wait(30), "there are first samples"
        work = "(head -c 33554432 /dev/zero; sleep 8) | tail -c 33554432 >/dev/null"  # kept until its input ends
        a.exec_run(["sh", "-c", work], detach=False)
        wait_until(lambda: (mine._memory.peaks.get(a.id, (0,))[0] or 0) > 16 * 2**20)
        time.sleep(3)
        first, second = (usages(mine.read("prod"))[a.id] for _ in range(2))
    assert first.memory < 8 * 2**20 < first.memory_peak and first.cpus_peak > 0
    assert second.memory_peak is None or second.memory_peak < 8 * 2**20, "told once"


def test_statistics_that_hang_delay_no_look_beside_them(some: Engine, tmp_path: Path) -> None:
    judge = lambda method, path: SILENCE if "/stats" in path else None  # noqa: E731
    with relayed(tmp_path / "s", some.socket, judge) as relay:
        mine = Reader(f"unix://{tmp_path}/s", apart=True, timeout=6.0)
        with watched(mine, lambda: None, 0.2):
            wait_until(lambda: any("/stats" in line for line in relay.asked))
            begin = time.monotonic()
            assert len(mine.read("prod").containers) == 3
            assert time.monotonic() - begin < 5, "less than one time-out"


def test_an_engine_that_is_back_is_looked_at_at_once(some: Engine, tmp_path: Path) -> None:
    mine, soon = Reader(f"unix://{tmp_path}/s", apart=True), threading.Event()
    with pytest.raises(EvidenceError, match="no such socket"):
        mine.read("prod")
    with watched(mine, soon.set, 60):
        assert mine.lost and not soon.wait(2)
        with relayed(tmp_path / "s", some.socket):
            assert soon.wait(5)
            assert len(mine.read("prod").containers) == 3 and not mine.lost


def test_an_engine_that_ends_between_two_looks_is_noticed(some: Engine, tmp_path: Path) -> None:
    mine, asked = Reader(f"unix://{tmp_path}/s", apart=True), []
    with relayed(tmp_path / "s", some.socket):
        mine.read("prod")
        sampling = watched(mine, lambda: asked.append(1), 0.2)
        wait_until(lambda: bool(asked))
    with sampling:
        wait_until(lambda: len(asked) > 1)


def test_a_sampler_leaves_nothing_behind(some: Engine) -> None:
    mine, before = Reader(some.address, apart=True), threading.active_count()
    mine.read("prod")
    for _ in range(3):
        with watched(mine, lambda: None, 0.1):
            time.sleep(0.5)
    wait_until(lambda: threading.active_count() <= before)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
