"""A reader that is kept: what it asks again and what not, and that it is right without any event."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from auditor.digest import Digester
from auditor.errors import EvidenceError
from auditor.model import EngineImage, Host, Usage
from auditor.sources.docker import Reader, Reading
from auditor.sources.docker.unchanged import age, look
from tests.parts.engine import Engine
from tests.relay import SECTIONS, SILENCE, Relay, Verdict, all_but, only, relayed

MINUTE, HOUR, DAY = 60, 3600, 86400


# --- by the list alone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "least", "most"),
    [
        ("Up Less than a second", 0, 1),
        ("Up 1 second", 1, 2),
        ("Up 59 seconds (healthy)", 59, 60),
        ("Up About a minute", MINUTE, 2 * MINUTE),
        ("Up 59 minutes (Paused)", 59 * MINUTE, 60 * MINUTE),
        ("Up About an hour", HOUR / 2, 1.5 * HOUR),
        ("Exited (137) 2 hours ago", 1.5 * HOUR, 2.5 * HOUR),
        ("Exited (0) 3 days ago", 3 * DAY - HOUR / 2, 4 * DAY),
        ("Up 2 weeks", 14 * DAY - HOUR / 2, 21 * DAY),
        ("Up 3 months", 90 * DAY - HOUR / 2, 120 * DAY),
        ("Up 2 years", 730 * DAY - HOUR / 2, 1095 * DAY),
    ],
)
def test_an_age_in_words(words: str, least: float, most: float) -> None:
    assert age(words) == (least, most)


@pytest.mark.parametrize("words", ["Created", "Dead", "Removal In Progress", "", "Up forever", "Up 99999999999 days"])
def test_no_age(words: str) -> None:
    assert age(words) is None


@pytest.mark.parametrize(
    ("before", "after", "passed", "same"),
    [
        ("Up 3 seconds", "Up 18 seconds", 15, True),
        ("Up 3 seconds", "Up 2 seconds", 15, False),
        ("Up 50 seconds", "Up About a minute", 15, True),
        ("Up 2 hours", "Up 2 hours", 60, True),
        ("Up 2 hours", "Up 59 seconds", 60, False),
        ("Up About an hour", "Up About a minute", 60, False),
        ("Up 2 hours (healthy)", "Up 2 hours (unhealthy)", 15, False),
        ("Up 3 seconds", "Exited (0) 1 second ago", 15, False),
        ("Exited (1) 5 minutes ago", "Exited (1) 3 seconds ago", 60, False),
        ("Exited (1) 5 minutes ago", "Exited (2) 6 minutes ago", 60, False),
        ("Exited (1) 5 minutes ago", "Exited (1) 6 minutes ago", 60, True),
        ("Created", "Created", 60, True),
        ("Created", "Up 3 seconds", 60, False),
    ],
)
def test_the_words_of_another_run(before: str, after: str, passed: float, same: bool) -> None:
    first, second = look({"Status": before}, 100), look({"Status": after}, 100 + passed)
    assert second.follows(first) is same


@pytest.mark.parametrize(
    ("field", "value", "same"),
    [
        ("Ports", [{"PrivatePort": 80}, {"PrivatePort": 81}], True),
        ("Ports", [{"PrivatePort": 81}, {"PrivatePort": 80}], True),
        ("Ports", [{"PrivatePort": 80}], False),
        ("Names", ["/other"], False),
        ("ImageID", "sha256:2", False),
        ("Labels", {"a": "b"}, False),
        ("NetworkSettings", {"Networks": {"net": {"EndpointID": "2"}}}, False),
        ("Mounts", None, False),
    ],
)
def test_what_else_the_list_tells(field: str, value: object, same: bool) -> None:
    entry = {"Names": ["/c"], "ImageID": "sha256:1", "Labels": {}, "Ports": [{"PrivatePort": 81}, {"PrivatePort": 80}]}
    entry |= {"NetworkSettings": {"Networks": {"net": {"EndpointID": "1"}}}, "Mounts": [{"Destination": "/b"}]}
    assert look(entry | {field: value}, 101).follows(look(entry, 100)) is same


# --- on a real engine ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def some(engine: Engine) -> Iterator[Engine]:
    """An engine with four containers that run and one that ended; a test leaves them as they are."""
    engine.clear()
    engine.import_busybox("busybox:test")
    api = engine.client.api
    for number in range(4):
        api.start(api.create_container("busybox:test", name=f"c{number}"))
    made = api.create_container("busybox:test", "false", name="ended")
    api.start(made)
    api.wait(made)
    yield engine
    engine.clear()


@contextlib.contextmanager
def extra(engine: Engine, *names: str) -> Iterator[list[Any]]:
    """More containers, which the test may do with as it likes."""
    engine.import_busybox("busybox:extra")
    made = [engine.client.containers.run("busybox:extra", name=name, detach=True) for name in names]
    try:
        yield made
    finally:
        for container in made:
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True)


def reader(path: Path, **options: Any) -> Reader:
    return Reader(f"unix://{path}", **({"timeout": 2.0} | options))


def of(reading: Reading, kind: type) -> list[Any]:
    return [fact for fact in reading.facts if isinstance(fact, kind)]


def states(reading: Reading) -> dict[str, str]:
    return {c.name: c.state for c in reading.containers if c.unread is None}


def inspections(relay: Relay) -> int:
    found = sum(bool(re.search(r"/containers/[0-9a-f]{64}/json", line)) for line in relay.asked)
    relay.asked.clear()
    return found


def nothing_denied(method: str, path: str) -> Verdict:
    return None


def no_events(method: str, path: str) -> Verdict:
    """An engine whose events say nothing."""
    return b"" if "/events" in path else None


def test_only_what_changed_is_inspected_again(some: Engine, tmp_path: Path) -> None:
    with extra(some, "xa", "xb", "xc") as (a, b, c), relayed(tmp_path / "s", some.socket) as relay:
        time.sleep(2)  # events are asked for from a second before the last look
        mine = reader(tmp_path / "s")
        mine.read("prod")
        assert inspections(relay) == 8
        mine.read("prod")
        assert inspections(relay) == 0
        a.rename("renamed")
        b.pause()
        c.update(mem_limit="64m", memswap_limit="64m")  # only an event tells
        time.sleep(1.1)  # events are asked for up to a time that is exact to a second
        found = {container.name: container for container in mine.read("prod").containers}
        assert inspections(relay) == 3
        b.unpause()
    assert (found["xb"].state, found["xc"].memory_limit, "xa" in found) == ("paused", 64 * 2**20, False)


def test_without_events_the_state_is_right_and_a_resync_finds_the_rest(some: Engine, tmp_path: Path) -> None:
    with extra(some, "xa", "xb", "xc", "xd") as (a, b, c, d), relayed(tmp_path / "s", some.socket, no_events) as relay:
        mine = reader(tmp_path / "s", resync=3.0)
        mine.read("prod")
        a.restart(timeout=0)
        b.kill()
        c.remove(force=True)
        d.update(mem_limit="64m", memswap_limit="64m")
        found = {container.name: container for container in mine.read("prod").containers}
        assert found["xb"].state == "exited" and "xc" not in found
        relay.asked.clear()
        time.sleep(3.0)
        found = {container.name: container for container in mine.read("prod").containers}
        assert (inspections(relay), found["xd"].memory_limit) == (8, 64 * 2**20)
    assert found["xa"].started_at > found["xd"].started_at


@pytest.mark.parametrize("between", ["another look", "a look that failed"])
def test_who_ended_it_is_kept_when_the_events_tell_no_more(some: Engine, tmp_path: Path, between: str) -> None:
    silent, gone = threading.Event(), threading.Event()

    def judge(method: str, path: str) -> Verdict:
        return 500 if gone.is_set() else b"" if "/events" in path and silent.is_set() else None

    with extra(some, "xa") as (a,), relayed(tmp_path / "s", some.socket, judge) as relay:
        mine = reader(tmp_path / "s", resync=0.0)
        a.stop(timeout=1)
        time.sleep(1.1)  # events are asked for up to a time that is exact to a second
        assert (killed(mine)["xa"], inspections(relay)) == (True, 6)
        silent.set()
        if between == "a look that failed":
            gone.set()
            with pytest.raises(EvidenceError):
                mine.read("prod")
            gone.clear()
        assert (killed(mine)["xa"], inspections(relay)) == (True, 6)
        a.start()
        a.kill()
        assert killed(mine)["xa"] is None, "of another end nothing is known"


def test_events_that_came_too_late_are_asked_for_again(some: Engine, tmp_path: Path) -> None:
    slow = threading.Event()
    slow.set()
    judge = lambda method, path: SILENCE if "/events" in path and slow.is_set() else None  # noqa: E731
    with extra(some, "xa") as (a,), relayed(tmp_path / "s", some.socket, judge) as relay:
        mine = reader(tmp_path / "s")
        a.kill()
        time.sleep(1.1)  # events are asked for up to a time that is exact to a second
        assert (killed(mine)["xa"], inspections(relay)) == (None, 6)
        slow.clear()
        assert (killed(mine)["xa"], inspections(relay)) == (True, 2), "the two that ended"
        assert (killed(mine)["xa"], inspections(relay)) == (True, 0)


def killed(reader: Reader) -> dict[str, bool | None]:
    return {container.name: container.killed for container in reader.read("prod").containers}


@pytest.mark.parametrize(("judge", "later"), [(nothing_denied, 0), (no_events, 60)], ids=["event", "a minute"])
def test_the_list_of_images_is_asked_for_again_when_it_may_be_another(
    some: Engine, tmp_path: Path, judge: Callable[[str, str], Verdict], later: int
) -> None:
    passed = [0]
    with relayed(tmp_path / "s", some.socket, judge) as relay:
        time.sleep(2)  # events are asked for from a second before the last look
        mine = reader(tmp_path / "s", clock=lambda: time.monotonic() + passed[0])
        assert (references(mine), lists_of_images(relay)) == ({"busybox:test"}, 1)
        assert (references(mine), lists_of_images(relay)) == ({"busybox:test"}, 0)
        some.client.images.get("busybox:test").tag("busybox", "moved")
        passed[0] = later
        time.sleep(1.1)  # events are asked for up to a time that is exact to a second
        assert (references(mine), lists_of_images(relay)) == ({"busybox:test", "busybox:moved"}, 1)
        some.client.images.remove("busybox:moved")


def references(reader: Reader) -> set[str]:
    return {name for image in of(reader.read("prod"), EngineImage) for name in image.references}


def lists_of_images(relay: Relay) -> int:
    found = sum("/images/json" in line for line in relay.asked)
    relay.asked.clear()
    return found


def burst(count: int) -> bytes:
    return b'{"Type":"container","Action":"die","Actor":{"ID":"%064d"},"time":1}\n' % 1 * count


@pytest.mark.parametrize(
    "events",
    [b"", SILENCE, 500, burst(10_000), burst(200_000), b"not json\n" * 1000, b'{"Actor": []}\n{"Actor": {"ID": 5}}'],
    ids=["none", "half-open", "error", "10,000", "too large", "garbage", "strange"],
)
def test_whatever_comes_as_events(some: Engine, tmp_path: Path, events: Verdict) -> None:
    with relayed(tmp_path / "s", some.socket, lambda method, path: events if "/events" in path else None):
        mine = reader(tmp_path / "s")
        with extra(some, "xa") as (a,):
            mine.read("prod")
            a.kill()
            begin = time.monotonic()
            found = mine.read("prod")
            took = time.monotonic() - begin
    assert states(found)["xa"] == "exited" and len(found.containers) == 6
    assert took < 10, "some ten times what it takes"


def test_events_of_a_stream_that_is_doubled_and_reordered(some: Engine, tmp_path: Path) -> None:
    """Only who changed is taken from them, never how it is."""
    id = some.client.containers.get("c1").id
    lines = "\n".join(f'{{"Action":"{action}","Actor":{{"ID":"{id}"}},"time":1}}' for action in ("die", "start", "die"))
    judge = lambda method, path: lines.encode() if "/events" in path else None  # noqa: E731
    with extra(some, "xa") as (a,), relayed(tmp_path / "s", some.socket, judge):
        mine = reader(tmp_path / "s")
        mine.read("prod")
        a.kill()
        assert {name for name, state in states(mine.read("prod")).items() if state == "exited"} == {"xa", "ended"}


@pytest.mark.parametrize("withheld", ["json", "stats"])
def test_one_container_that_hangs_hides_no_other(some: Engine, tmp_path: Path, withheld: str) -> None:
    bad = some.client.containers.get("c3").id
    judge = lambda method, path: SILENCE if f"{bad}/{withheld}" in path else None  # noqa: E731
    with relayed(tmp_path / "s", some.socket, judge):
        begin = time.monotonic()
        found = reader(tmp_path / "s", timeout=1.5).read("prod")
        took = time.monotonic() - begin
    usages = {usage.container for usage in of(found, Usage)}
    unread = [c.name for c in found.containers if c.unread]
    assert took < 1.5 + 4, "a usual look and one timeout"
    assert (len(found.containers), len(usages | {bad})) == (5, 4)
    if withheld == "json":
        assert unread == ["c3"] and "docker timeout" in str({c.name: c.unread for c in found.containers}["c3"])
    else:
        assert unread == [] and found.limits == ("what 1 container use (docker timeout: no answer within 1.5 s)",)


def test_an_engine_that_freezes_after_the_list_is_no_engine_that_tells(some: Engine, tmp_path: Path) -> None:
    listed = threading.Event()

    def judge(method: str, path: str) -> Verdict:
        silent = listed.is_set() and "/containers/json" not in path
        listed.set() if "/containers/json" in path else None
        return SILENCE if silent else None

    with relayed(tmp_path / "s", some.socket, judge), pytest.raises(EvidenceError, match="docker timeout"):
        reader(tmp_path / "s", timeout=0.7).read("prod")


# --- what a proxy denies ---------------------------------------------------------------------------------------


def test_everything_that_is_asked_is_on_the_list(some: Engine, tmp_path: Path) -> None:
    with relayed(tmp_path / "s", some.socket) as relay:
        mine = reader(tmp_path / "s", statistics=0.0)
        mine.digest = Digester(b"k" * 32)
        for _ in range(3):
            mine.read("prod")
    paths = {re.sub(r"^GET (/v1\.\d+)?|\?.*$", "", line) for line in relay.asked}
    used = {re.sub(r"[0-9a-f]{64}", "{id}", path) for path in paths}
    assert all(line.startswith("GET /") for line in relay.asked)
    assert used >= {
        "/version",
        "/containers/json",
        "/containers/{id}/json",
        "/containers/{id}/stats",
        "/info",
        "/events",
        "/images/json",
        "/images/sha256:{id}/json",
    }


LOST = {"version": "the engine's version", "events": "who ended a container", "info": "the host's CPUs and memory"}


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_that_is_denied_is_one_limit(some: Engine, tmp_path: Path, section: str) -> None:
    with relayed(tmp_path / "s", some.socket, all_but(section)):
        mine = reader(tmp_path / "s")
        mine.digest = Digester(b"k" * 32)
        if section == "containers":
            with pytest.raises(EvidenceError, match="HTTP 403") as caught:
                mine.read("prod")
            assert "`CONTAINERS`" in str(caught.value)
            return
        found = mine.read("prod")
    lost = LOST | {"images": "what images set, and where their tags moved"}
    assert [limit.partition(" (")[0] for limit in found.limits] == ([lost[section]] if section in lost else [])
    assert all(f"`{section.upper()}`" in limit for limit in found.limits)
    assert len(found.containers) == 5 and not any(c.unread for c in found.containers)
    assert len(of(found, Usage)) == 4


def test_behind_a_proxy_that_opens_containers_only_and_as_nobody(some: Engine, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder != Path("/tmp"):
            folder.chmod(0o755)
    with relayed(tmp_path / "s", some.socket, only("containers")):
        first, second = as_nobody(reader(tmp_path / "s", statistics=0.0))
    assert len(first.limits) == len(second.limits)
    assert all("HTTP 403" in limit for limit in first.limits)
    assert states(first) == states(second) and len(states(first)) == 5
    assert all(usage.cpu_ratio is not None for usage in of(second, Usage))
    assert of(second, EngineImage) == [] and of(second, Host) == [Host("prod", "docker")]


def as_nobody(mine: Reader) -> tuple[Reading, Reading]:
    """Two looks of a child that is nobody: this process has a relay to run, as who it is."""
    ours, theirs = os.pipe()
    with warnings.catch_warnings(action="ignore") if sys.version_info >= (3, 12) else contextlib.nullcontext():
        child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(theirs, pickle.dumps((mine.read("prod"), mine.read("prod"))))
        finally:
            os._exit(0)  # whatever happens: it must not go on as a second run of the tests
    os.close(theirs)
    with os.fdopen(ours, "rb") as said:
        found: tuple[Reading, Reading] = pickle.loads(said.read())  # noqa: S301  our own
    os.waitpid(child, 0)
    return found


# --- what they use ---------------------------------------------------------------------------------------------


def busy(engine: Engine) -> str:
    """A container that keeps half a core busy, holds 32 MiB, and has three processes."""
    work = "head -c 33554432 /dev/zero | tail -c 33554432 >/tmp/f & while :; do :; done & sleep 10000"
    host = engine.client.api.create_host_config(nano_cpus=500_000_000, mem_limit="128m", tmpfs={"/tmp": ""})
    made = engine.client.api.create_container("busybox:test", ["sh", "-c", work], name="busy", host_config=host)
    engine.client.api.start(made)
    return str(made["Id"])


@pytest.mark.parametrize("version", ["engine", "engine28"])
def test_usage_is_what_docker_stats_says(version: str, request: pytest.FixtureRequest) -> None:
    engine = request.getfixturevalue(version)
    engine.import_busybox("busybox:test")
    id = busy(engine)
    time.sleep(1)
    mine = Reader(engine.address, statistics=0.0)
    first = next(usage for usage in of(mine.read("prod"), Usage) if usage.container == id)
    time.sleep(2)
    found = mine.read("prod")
    second, host = next(usage for usage in of(found, Usage) if usage.container == id), of(found, Host)[0]
    engine.client.containers.get(id).remove(force=True)
    assert (first.cpu_ratio, first.memory_limit) == (None, 128 * 2**20)
    assert second.cpu_seconds > first.cpu_seconds and second.pids >= 3
    seconds = (second.taken_at - first.taken_at).total_seconds()
    assert second.cpu_ratio == pytest.approx((second.cpu_seconds - first.cpu_seconds) / seconds / 0.5)
    assert 0.05 < second.cpu_ratio < 1.3, "of the half core that it may use, as far as the machine lets it"
    assert 32 * 2**20 <= second.memory < 64 * 2**20
    assert {c.id: c.memory_usage for c in found.containers}[id] == second.memory
    assert host.cpus and host.memory and host.version == engine.client.version()["Version"]


def test_statistics_have_their_own_cadence(some: Engine, tmp_path: Path) -> None:
    now = [1000.0]
    with relayed(tmp_path / "s", some.socket) as relay:
        mine = reader(tmp_path / "s", clock=lambda: now[0])
        asked = []
        for now[0] in (1000.0, 1005.0, 1010.0, 1015.0, 1016.0):
            assert len(of(mine.read("prod"), Usage)) == 4
            asked.append(sum("/stats" in line for line in relay.asked))
            relay.asked.clear()
    assert asked == [4, 0, 0, 4, 0]


def test_after_a_failure_the_state_comes_before_the_statistics(some: Engine, tmp_path: Path) -> None:
    fails = [True]
    judge = lambda method, path: 500 if fails[0] else None  # noqa: E731
    with relayed(tmp_path / "s", some.socket, judge) as relay:
        mine = reader(tmp_path / "s")
        with pytest.raises(EvidenceError, match="HTTP 500"):
            mine.read("prod")
        fails[0] = False
        assert len(states(mine.read("prod"))) == 5 and not any("/stats" in line for line in relay.asked)
        assert len(of(mine.read("prod"), Usage)) == 4


def test_a_tag_that_moved(some: Engine) -> None:
    with extra(some, "xa") as (a,):
        old = {image.id: image.references for image in of(Reader(some.address).read("prod"), EngineImage)}
        some.import_busybox("busybox:extra", ['CMD ["sleep", "77"]'])
        new = {image.id: image.references for image in of(Reader(some.address).read("prod"), EngineImage)}
        assert old[a.image.id] == ("busybox:extra",) and new[a.image.id] == ()
        assert [id for id, names in new.items() if "busybox:extra" in names] == [
            some.client.images.get("busybox:extra").id
        ]


# --- several at once, and no leak ------------------------------------------------------------------------------


def test_a_reader_that_hangs_is_not_entered_twice(tmp_path: Path, some: Engine) -> None:
    release = threading.Event()
    judge: Callable[[str, str], Verdict] = lambda method, path: SILENCE  # noqa: E731
    with relayed(tmp_path / "s", some.socket, judge):
        mine = reader(tmp_path / "s", timeout=2.0)
        threads = [threading.Thread(target=lambda: (_fails(mine), release.set())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert release.is_set() and threading.active_count() < 20
    assert len(reader(some.socket).read("prod").containers) == 5


def _fails(mine: Reader) -> None:
    with pytest.raises(EvidenceError, match="docker timeout"):
        mine.read("prod")
