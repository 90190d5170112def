"""What is known of a health check's command: its needs, and none of its words. All secrets are made up."""

from __future__ import annotations

import pytest

from auditor.compose.healthcheck import question

SHELL, LIST = "CMD-SHELL", "CMD"


@pytest.mark.parametrize(
    ("kind", "test", "tools"),
    [
        (SHELL, ["curl -f http://localhost:8080/ || exit 1"], ("sh", "curl")),
        (SHELL, ["TOKEN=made-up-1 wget -q x | grep -q ok"], ("sh", "wget", "grep")),
        (SHELL, ["wget x || curl y"], ("sh",)),
        (SHELL, ["if curl x; then exit 0; fi"], ("sh",)),
        (SHELL, ["curl -u 'a;nc' http://localhost/"], ("sh", "curl")),
        (LIST, ["/usr/bin/curl", "-f", "http://localhost/"], ("curl",)),
        (LIST, ["bash", "-c", "nc -z localhost 80"], ("bash", "nc")),
        (LIST, ["made-up-secret-2", "x"], ()),
        ("NONE", [], ()),
        (None, ["x"], ()),
    ],
)
def test_tools(kind: str | None, test: list[str], tools: tuple[str, ...]) -> None:
    assert question(kind, test).tools == tools


@pytest.mark.parametrize(
    ("test", "needed"),
    [
        (["curl", "http://localhost/", "||", "exit", "1"], True),
        (["curl http://localhost/"], True),
        (["pg_isready", "-U", "${POSTGRES_USER}"], True),
        (["exit", "0"], True),
        (["sh", "-c", "curl x || exit 1"], False),
        (["python3", "-c", "print('${x}')"], False),
        (["check", "a|b", "price: 5$"], False),
        (["check"], False),
    ],
)
def test_needs_shell(test: list[str], needed: bool) -> None:
    assert question(LIST, test).needs_shell is needed


@pytest.mark.parametrize(
    ("script", "always"),
    [
        ("true", True),
        (":", True),
        ("exit 0", True),
        ("curl x || true", True),
        ("curl x || :", True),
        ("curl x; exit 0;", True),
        ("curl x | true", True),
        ("echo fine", True),
        ("curl x && true", False),
        ("curl x || exit 1; true", False),
        ("test -f /x || kill 1 || true", False),
        ("set -e; curl x; true", False),
        ("echo $(curl x)", False),
        ("echo ruok | nc localhost 2181", False),
        ("grep -q true /state", False),
    ],
)
def test_always_true(script: str, always: bool) -> None:
    assert question(SHELL, [script]).always_true is always


@pytest.mark.parametrize(
    ("script", "ports"),
    [
        ("curl http://localhost:8080/x http://127.0.0.1:9090", (8080, 9090)),
        ("curl http://localhost/ https://[::1]/", (80, 443)),
        ("nc -z localhost 5432", (5432,)),
        ("curl http://user:made-up-3@localhost:81/", (81,)),
        ("curl http://localhost:$PORT/ http://localhost:99999/", ()),
        ("curl http://db:5432 http://localhost.example:80 http://10.127.0.0.1:70", ()),
    ],
)
def test_ports(script: str, ports: tuple[int, ...]) -> None:
    assert question(SHELL, [script]).ports == ports
