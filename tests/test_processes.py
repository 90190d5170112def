"""Listening ports, as this machine itself shows them."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from auditor.errors import EvidenceError
from auditor.model import Listener
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
    return SimpleNamespace(laddr=SimpleNamespace(ip="127.0.0.1", port=port), pid=pid, status=status)


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
