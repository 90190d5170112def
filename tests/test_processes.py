"""Listening ports, as this machine itself shows them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from auditor.digest import Digester
from auditor.errors import EvidenceError
from auditor.model import Address, Listener
from auditor.sources.processes import read_listeners


def test_an_open_port_is_seen_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = [one for one in read_listeners("prod") if one.port == port]
    assert (found.environment, found.address, found.pid) == ("prod", "127.0.0.1", os.getpid())
    assert found.process == psutil.Process().name()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_a_port_of_ipv6_is_seen() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        assert [one.address for one in read_listeners("prod") if one.port == port] == ["::1"]


def test_a_closed_port_and_a_client_are_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        port = client.getsockname()[1]
        assert not [one for one in read_listeners("prod") if one.port == port]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0 or not Path("/proc").exists(), reason="needs root")
def test_a_port_of_another_user_is_seen_without_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        os.seteuid(65534)
        try:
            found = [one for one in read_listeners("prod") if one.port == port]
        finally:
            os.seteuid(0)
    assert [(one.port, one.address) for one in found] == [(port, "127.0.0.1")]


def connection(port: int, pid: int | None, status: str = psutil.CONN_LISTEN) -> SimpleNamespace:
    kind = socket.SOCK_STREAM
    return SimpleNamespace(
        laddr=SimpleNamespace(ip="127.0.0.1", port=port), raddr=(), pid=pid, status=status, type=kind
    )


def test_each_port_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [connection(9, None), connection(7, None), connection(7, None), connection(8, None, "ESTABLISHED")]
    monkeypatch.setattr(psutil, "net_connections", lambda kind: shown)
    assert read_listeners("prod") == (Listener("prod", 7, "127.0.0.1"), Listener("prod", 9, "127.0.0.1"))


@pytest.mark.parametrize(
    "fault", [psutil.AccessDenied(), PermissionError("denied"), psutil.NoSuchProcess(1), OSError("x")]
)
def test_a_machine_that_does_not_tell(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def refuse(kind: str) -> None:
        raise fault

    monkeypatch.setattr(psutil, "net_connections", refuse)
    with pytest.raises(EvidenceError, match="listening ports cannot be read"):
        read_listeners("prod")


def test_a_process_that_ended_meanwhile_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "net_connections", lambda kind: [connection(7, 2**22 + 1)])
    assert read_listeners("prod") == (Listener("prod", 7, "127.0.0.1", 2**22 + 1, None),)


# --- who it is ---------------------------------------------------------------------------------------------------

CANARY = "canary-9d31-not-a-real-secret"
SERVER = """
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM
server = socket.socket(socket.AF_INET, kind)
server.bind(("127.0.0.1", 0))
if kind == socket.SOCK_STREAM:
    server.listen()
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""
VARIABLES = {
    "JWT_SECRET_KEY": CANARY,
    "SECRET_KEY": "your-secret-key",
    "AUTH_SERVICE_URL": f"http://user:{CANARY}@localhost:5009/path?token={CANARY}",
    "MODE": "a$b${C}",
}


@pytest.fixture(params=["tcp", "udp"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int, subprocess.Popen[str]]]:
    command = [sys.executable, "-c", SERVER, request.param, f"--password={CANARY}", "--dsn", f"redis://:{CANARY}@x/0"]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=tmp_path, env=VARIABLES, **streams) as child:  # type: ignore[call-overload]
        assert child.stdout
        yield request.param, int(child.stdout.readline()), child
        child.stdin.close()


def test_what_a_process_is(server: tuple[str, int, subprocess.Popen[str]], tmp_path: Path) -> None:
    protocol, port, child = server
    (found,) = [one for one in read_listeners("prod", [port]) if one.port == port]
    assert (found.protocol, found.pid, found.directory, found.container) == (protocol, child.pid, str(tmp_path), None)
    assert found.command
    assert found.command.endswith(f"{protocol} --password=*** --dsn redis://***@x/0")
    assert found.started_at
    assert abs((datetime.now(UTC) - found.started_at).total_seconds()) < 60
    assert (found.memory or 0) > 2**20
    assert found.cpu_seconds is not None
    assert "pytest" in " ".join(found.parents)


def test_variables_are_names_classes_and_digests(server: tuple[str, int, subprocess.Popen[str]]) -> None:
    port, digester = server[1], Digester(bytes(32))
    (found,) = [one for one in read_listeners("prod", [port], digester=digester) if one.port == port]
    assert found.variables is not None
    kinds = {variable.name: (variable.kind, variable.digest) for variable in found.variables}
    wanted = {
        "JWT_SECRET_KEY": "secret",
        "SECRET_KEY": "default-secret",
        "AUTH_SERVICE_URL": "secret",
        "MODE": "literal",
    }
    assert {name: kinds[name] for name in wanted} == {n: (k, digester(VARIABLES[n])) for n, k in wanted.items()}
    assert found.addresses["AUTH_SERVICE_URL"] == Address("localhost", 5009, "http")
    assert CANARY not in repr(found)


def test_of_ports_that_nobody_declared_no_variable_is_read(server: tuple[str, int, subprocess.Popen[str]]) -> None:
    (found,) = [one for one in read_listeners("prod") if one.port == server[1]]
    assert (found.variables, found.parents, found.addresses) == (None, (), {})
    assert found.command


def test_a_process_of_a_container_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = Path.read_text
    groups = {"self": "0::/user.slice\n", str(os.getpid()): f"0::/system.slice/docker-{'ab' * 32}.scope\n"}

    def told(path: Path, **options: object) -> str:
        return groups[path.parent.name] if path.name == "cgroup" else real(path)

    monkeypatch.setattr(Path, "read_text", told)
    monkeypatch.setattr(psutil, "net_connections", lambda kind: [connection(7, os.getpid())])
    assert read_listeners("prod")[0].container == "ab" * 32
