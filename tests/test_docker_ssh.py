"""An engine over the machine's own ssh: a stand-in for that program, which runs the rest of its command line here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.errors import EvidenceError
from auditor.model import Usage
from auditor.sources.docker import Reader
from auditor.sources.docker.address import route_of
from tests.parts import sshd
from tests.parts.engine import Engine
from tests.parts.plugin import need
from tests.parts.process import free_port
from tests.parts.sshd import Sshd

STAND_IN = """#!/bin/sh
echo "$@" >>{log}
while [ "$1" != -- ]; do shift; done
shift 2
DOCKER_HOST={address} exec "$@"
"""


@pytest.fixture
def there(empty_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The log of what ssh is called with; it leads to an engine with three containers."""
    docker = need("docker")
    empty_engine.import_busybox("busybox:test")
    for number in range(3):
        empty_engine.client.containers.run("busybox:test", name=f"c{number}", detach=True)
    log, program = tmp_path / "log", tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(log=log, address=empty_engine.address))
    program.chmod(0o755)
    (program.parent / "docker").symlink_to(docker)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    yield log


def children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended has none
            found.update(task.read_text().split())
    return found


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_engine_over_ssh(there: Path) -> None:
    files, before = open_files(), children()
    mine = Reader("ssh://me@host:2222")
    for _ in range(2):
        found = mine.read("prod")
        assert [c.name for c in found.containers] == ["c0", "c1", "c2"] and found.limits == ()
        assert sum(isinstance(fact, Usage) for fact in found.facts) == 3
    time.sleep(0.2)
    assert children() == before, "no ssh is left"
    assert open_files() <= files + 2
    called = set(there.read_text().splitlines())
    assert called == {"-o BatchMode=yes -o ConnectTimeout=5 -T -l me -p 2222 -- host docker system dial-stdio"}
    assert len(there.read_text().splitlines()) <= 16


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("echo 'me@host: Permission denied (publickey).' >&2; exit 255", "Permission denied (publickey)."),
        ("exit 1", "the program ended without a word"),
        ("sleep 100", "docker timeout: no answer within 1 s"),
        ("echo hello; sleep 100", "the answer is not that of a Docker Engine"),
        (None, "the program `ssh` is not installed here"),
    ],
)
def test_an_ssh_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, cause: str) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin" if script else f"{tmp_path}/bin")
    if script:
        (tmp_path / "bin" / "ssh").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "ssh").chmod(0o755)
    before = children()
    with pytest.raises(EvidenceError) as caught:
        Reader("ssh://host", timeout=1, total=3).read("prod")
    assert cause in caught.value.what
    assert children() == before


@pytest.mark.parametrize(
    "address",
    [
        "ssh://-oProxyCommand=x",
        "ssh://host/$(x)",
        "ssh://me:word@host",
        "ssh://",
        "ssh://a b",
        "ssh://h:99999",
        "ssh://-l@h",
    ],
)
def test_an_address_that_could_be_an_option_or_a_command(address: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        route_of(address)
    assert "word" not in caught.value.what.replace("password", "")


def test_a_socket_at_the_other_end() -> None:
    words = route_of("ssh://host/run/user/1000/docker.sock").command
    assert words[-6:] == ("host", "docker", "--host", "unix:///run/user/1000/docker.sock", "system", "dial-stdio")


# --- a real server, and the machine's real ssh -------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """It leads to an engine, as far as a session's PATH has Docker's own program."""
    programs = tmp_path_factory.mktemp("bin")
    for name in ("ssh", "sshd"):
        need(name)
    (programs / "docker").symlink_to(need("docker"))
    with sshd.serving(tmp_path_factory.mktemp("sshd"), programs, {"DOCKER_HOST": engine.address}) as found:
        yield found


def test_a_real_ssh(server: Sshd, empty_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    empty_engine.import_busybox("busybox:test")
    empty_engine.client.containers.run("busybox:test", name="over-ssh", detach=True)
    monkeypatch.setenv("PATH", str(server.client()), prepend=":")
    files, before = open_files(), children()
    mine = Reader(server.address, timeout=10, total=20)
    for _ in range(2):
        found = mine.read("prod")
        assert "over-ssh" in {container.name for container in found.containers} and found.limits == ()
    time.sleep(0.2)
    assert children() == before and open_files() <= files + 2


STRANGER, CHANGED = {"key": "stranger"}, {"known": "changed"}


@pytest.mark.parametrize(
    ("client", "address", "cause"),
    [
        (STRANGER, "{address}", "Permission denied (publickey)"),
        ({}, "ssh://nobody@127.0.0.1:{port}", "Permission denied (publickey)"),
        (CHANGED, "{address}", "Host key verification failed"),
        ({}, "{address}/nothing/here.sock", "/nothing/here.sock: connect: no such file"),
        ({}, "ssh://tester@127.0.0.1:{unused}", "port {unused}: Connection refused"),
        ({}, "ssh://tester@no-such-host.invalid", "Could not resolve hostname no-such-host.invalid"),
    ],
)
def test_a_real_ssh_that_is_refused(
    server: Sshd, monkeypatch: pytest.MonkeyPatch, client: dict[str, str], address: str, cause: str
) -> None:
    monkeypatch.setenv("PATH", str(server.client(**client)), prepend=":")
    words = {"address": server.address, "port": server.port, "unused": free_port()}
    begin = time.monotonic()
    with pytest.raises(EvidenceError) as caught:
        Reader(address.format(**words)).read("prod")
    assert cause.format(**words) in str(caught.value)
    assert time.monotonic() - begin < 8.5


def test_a_real_ssh_server_that_hangs_or_has_no_docker(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(server.client()), prepend=":")
    with server.frozen(), pytest.raises(EvidenceError, match=r"timed out|timeout"):
        Reader(server.address).read("prod")
    with server.without_docker(), pytest.raises(EvidenceError, match="docker: not found"):
        Reader(server.address).read("prod")
