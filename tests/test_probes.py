"""Probes: planning as plain values, asking against small servers, most of them hostile."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from auditor import probes
from auditor.inventory import Snapshot
from auditor.model import (
    Catalogue,
    Component,
    Container,
    DefaultProbe,
    Definition,
    Entry,
    EnvironmentSpec,
    Lifecycle,
    Location,
    Port,
    Probe,
    ProbeResult,
    Project,
    SourceState,
)
from auditor.probes import Expectation, ProbeRequest, plan_probes, run_probes
from auditor.probes.address import refused
from auditor.probes.http import differences
from auditor.probes.plan import split_address, split_url

HERE = Location("catalogue.yaml", 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CANARY = "canary-3d9f1a-not-a-real-secret"

# --- planning --------------------------------------------------------------------------------------------------


def entry(kind: str = "http", name: str = "web", lifecycle: Lifecycle = Lifecycle.DAEMON, **options: object) -> Entry:
    asked = (Probe(kind, options, HERE),) if options else ()
    return Entry(name, HERE, {}, probes=asked, lifecycle=lifecycle)


def box(*ports: Port, state: str = "running", service: str = "web") -> Container:
    return Container("1", "shop-web-1", "prod", "web:1", state, project="shop", service=service, ports=ports)


def plan(
    *entries: Entry, ports: tuple[Port, ...] = (), containers: tuple[Container, ...] = (), **where: Any
) -> list[ProbeRequest]:
    definition = Definition("web", "prod", HERE, image="web:1", ports=ports)
    snapshot = Snapshot(
        taken_at=NOON,
        environments=("prod",),
        catalogue=Catalogue("catalogue.yaml", "", None, (EnvironmentSpec("prod", HERE),), entries),
        components=(Component("web", "Web", "tool", ("web",), probe=DefaultProbe("http", 80, "/up")),),
        sources=(SourceState("docker", "ok", environment="prod"),),
        projects=(Project("prod", "shop", (), (definition,)),),
        containers=containers,
    )
    return plan_probes(snapshot, "prod", **where)


PUBLISHED = (Port(80, "8080"),)


@pytest.mark.parametrize(
    ("asked", "known", "target"),
    [
        (entry(url="http://web.example/health?token=x"), {}, "http://web.example/health"),
        (entry(url="https://[::1]:8443"), {}, "https://[::1]:8443/"),
        (entry(port=80, path="/health"), {"ports": PUBLISHED}, "http://127.0.0.1:8080/health"),
        (entry(port=80), {"ports": PUBLISHED, "containers": (box(Port(80, "32768")),)}, "http://127.0.0.1:32768/"),
        (entry(port=80), {"ports": (Port(80, "80", "192.0.2.1"),)}, "http://192.0.2.1/"),
        (entry(port=80), {"ports": (Port(80, "80", "::1"),)}, "http://[::1]/"),
        (entry(port=80), {"shares_network": True}, "http://web/"),
        (entry(port=80), {"ports": PUBLISHED, "local": False, "shares_network": True}, "http://web/"),
        (entry("tcp", address="db.example:5432"), {}, "db.example:5432"),
        (entry("tcp", address="[::1]:5432"), {}, "[::1]:5432"),
        (entry("tcp", port=80), {"ports": PUBLISHED}, "127.0.0.1:8080"),
        (entry("tcp", "job", Lifecycle.PROCESS, port=99), {}, "127.0.0.1:99"),
        (entry(), {"containers": (box(Port(80, "8080")),)}, "http://127.0.0.1:8080/up"),
    ],
)
def test_where_a_probe_goes(asked: Entry, known: dict[str, Any], target: str) -> None:
    (request,) = plan(asked, **known)
    assert (request.target, request.unreachable) == (target, None)


@pytest.mark.parametrize(
    ("asked", "known", "reason"),
    [
        (entry(port=80), {}, "port 80 is not published"),
        (entry(port=80), {"ports": (Port(80, "53", protocol="udp"),)}, "not published"),
        (entry(port=80), {"ports": (Port(80),)}, "not published"),
        (entry(port=80), {"ports": PUBLISHED, "containers": (box(),)}, "not published"),
        (entry(port=80), {"ports": PUBLISHED, "local": False}, "on another machine"),
        (entry(url=f"http://user:{CANARY}@web.example/"), {}, "headers_env"),
        (entry(url="file:///etc/passwd"), {}, "only `http` and `https`"),
        (entry("redis", url="redis://cache"), {}, "not built"),
    ],
)
def test_what_cannot_be_asked_says_why(asked: Entry, known: dict[str, Any], reason: str) -> None:
    (request,) = plan(asked, **known)
    (result,) = run_probes([request], now=NOON)
    assert result.outcome == "unknown"
    assert reason in str(result.reason)
    assert CANARY not in repr(result)


def test_no_question_of_its_own_without_a_running_container() -> None:
    assert plan(entry(), ports=PUBLISHED) == []
    assert plan(entry(), containers=(box(*PUBLISHED, state="exited"),)) == []
    assert plan(entry(), containers=(box(),)) == []


def test_an_embedded_part_is_asked_at_its_host() -> None:
    part = Entry("slack", HERE, {}, probes=(Probe("http", {"port": 80}, HERE),), embedded_in="web")
    (request,) = plan(part, ports=PUBLISHED)
    assert (request.service, request.target) == ("slack", "http://127.0.0.1:8080/")


def test_options() -> None:
    expect = {"status": ((200, 204), (301, 301)), "json": {"a": 1}, "max_latency": 0.5}
    (request,) = plan(entry(url="http://w/", expect=expect, timeout=2.5, method="HEAD", headers_env={"X-Key": "KEY"}))
    assert request.expect == Expectation(((200, 204), (301, 301)), {"a": 1}, 0.5)
    assert (request.timeout, request.method, request.headers_env) == (2.5, "HEAD", {"X-Key": "KEY"})


@pytest.mark.parametrize("text", ["", "host", "host:", ":80", "a b:80", "host:0", "host:65536", "u@h:80", "[::1]"])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(ValueError, match=r"its address|neither an address"):
        split_address(text)


@pytest.mark.parametrize("text", ["", "http://", "ftp://h/", "http://u@h/", "gopher://h", "http://h:99999/", "//h/"])
def test_bad_urls(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        split_url(text)


# --- addresses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "::169.254.169.254",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1", "fd00:ec2::254", "100.100.100.200",
        "168.63.129.16", "192.0.0.192", "2001:0:a9fe:a9fe::1", "2001::5601:5601", "2001:db8::5efe:a9fe:a9fe",
        "2002:6464:64c8::", "::ffff:100.100.100.200",
    ],
)  # fmt: skip
def test_refused_addresses(text: str) -> None:
    assert refused(ip_address(text))


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "::1", "10.0.0.1", "192.0.2.1", "fd00::1", "::ffff:10.0.0.1", "2001:db8::1"]
)
def test_permitted_addresses(text: str) -> None:
    assert not refused(ip_address(text))


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "::ffff:a9fe:a9fe", "[fe80::1]"]
)
@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_refused_however_it_is_written(host: str, kind: str) -> None:
    result = ask(host.strip("[]"), 1, kind)
    assert (result.outcome, "never probed" in str(result.reason)) == ("unknown", True)


def test_a_name_is_looked_up_once_and_only_that_address_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])

    def lookup(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(answers)]

    with serving(reply(b"{}")) as port:
        monkeypatch.setattr("auditor.probes.address.socket.getaddrinfo", lookup)
        assert ask("rebinding.example", port).outcome == "success"
        assert "never probed" in str(ask("rebinding.example", port).reason)


# --- asking ----------------------------------------------------------------------------------------------------

Behaviour = Callable[[socket.socket], None]


def ask(
    host: str, port: int, kind: str = "http", environ: Mapping[str, str] | None = None, **fields: Any
) -> ProbeResult:
    request = ProbeRequest("web", "prod", kind, host, port, **{"timeout": 3.0} | fields)
    (result,) = run_probes([request], now=NOON, environ=environ or {})
    return result


def _served(listener: socket.socket, behave: Behaviour) -> None:
    def one(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            connection.settimeout(20)
            behave(connection)

    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=one, args=(connection,), daemon=True).start()


@contextmanager
def serving(behave: Behaviour) -> Iterator[int]:
    """A server on loopback; each connection is handed to `behave`."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=500)) as listener:
        threading.Thread(target=_served, args=(listener, behave), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def reply(body: bytes, status: int = 200, *headers: str, after: float = 0) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        received = connection.recv(65536)
        time.sleep(after)
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
        connection.sendall(
            "\r\n".join(lines).encode() + b"\r\n\r\n" + body.replace(b"%RECEIVED%", received.hex().encode())
        )

    return behave


def raw(*parts: bytes, pause: float = 0, times: int = 1, hold: float = 0) -> Behaviour:
    """Sends `parts`, the last one `times`, then holds the connection open."""

    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        for part in parts[:-1]:
            connection.sendall(part)
        for _ in range(times):
            connection.sendall(parts[-1])
            time.sleep(pause)
        time.sleep(hold)

    return behave


HEALTHY = b'{"status": "healthy", "checks": {"db": true, "queue": 0}, "list": [1]}'


@pytest.mark.parametrize(
    ("status", "expect", "reason"),
    [
        (200, Expectation(), None),
        (204, Expectation(), None),
        (299, Expectation(), None),
        (199 + 101, Expectation(), "status 300"),
        (302, Expectation(), "status 302"),
        (302, Expectation(((301, 302),)), None),
        (503, Expectation(), "status 503"),
        (503, Expectation(((200, 200), (503, 503))), None),
        (200, Expectation(json={"status": "healthy"}), None),
        (200, Expectation(json={"checks": {"db": True}}), None),
        (200, Expectation(json={"list": [1]}), None),
        (200, Expectation(json={"status": "ok"}), "`status` is `healthy`, not `ok`"),
        (200, Expectation(json={"checks": {"db": 1}}), "`checks.db` is `true`, not `1`"),
        (200, Expectation(json={"checks": {"cache": True}}), "`checks.cache` is missing"),
        (200, Expectation(json={"status": {"a": 1}}), "`status` is no object"),
        (200, Expectation(json=[1]), "the JSON is an object, not a list"),
    ],
)
def test_status_and_json(status: int, expect: Expectation, reason: str | None) -> None:
    body = b"" if status == 204 else HEALTHY
    with serving(reply(body, status, "Location: http://169.254.169.254/")) as port:
        result = ask("127.0.0.1", port, expect=expect)
    assert (result.outcome, result.reason) == ("failure" if reason else "success", reason)
    assert result.duration is not None
    assert result.taken_at is not None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 60000, b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}"])
def test_what_is_no_json(body: bytes) -> None:
    with serving(reply(body)) as port:
        assert ask("127.0.0.1", port, expect=Expectation(json={"a": 1})).reason == "the answer is no JSON"


def test_slow_is_a_success_that_says_so() -> None:
    with serving(reply(b"", after=0.3)) as port:
        result = ask("127.0.0.1", port, expect=Expectation(max_latency=0.1))
    assert (result.outcome, result.slow) == ("success", True)
    assert "wanted within 0.1 s" in str(result.reason)


def test_the_secret_goes_out_and_never_comes_back() -> None:
    seen: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        body = json.dumps({"status": CANARY}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with serving(behave) as port:
        result = ask(
            "localhost", port, headers_env={"Authorization": "KEY"}, environ={"KEY": f"Bearer {CANARY}"}, path="/?t=1"
        )
        echoed = ask(
            "localhost",
            port,
            headers_env={"X-Key": "KEY"},
            environ={"KEY": CANARY},
            expect=Expectation(json={"status": 1}),
        )
    assert f"authorization: bearer {CANARY}" in seen[0].decode().lower()
    assert f"host: localhost:{port}" in seen[0].decode().lower()
    assert "accept-encoding: identity" in seen[0].decode().lower()
    assert CANARY not in repr(result) + repr(echoed)
    assert "***" in str(echoed.reason)
    assert "?" not in result.target


@pytest.mark.parametrize(("environ", "word"), [({}, "is not set"), ({"KEY": "a\r\nX: b"}, "no valid header value")])
def test_secrets_that_cannot_be_sent(environ: dict[str, str], word: str) -> None:
    result = ask("127.0.0.1", 1, headers_env={"X-Key": "KEY"}, environ=environ)
    assert (result.outcome, word in str(result.reason)) == ("unknown", True)


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_nobody_listens(kind: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    result = ask("127.0.0.1", port, kind)
    assert (result.outcome, result.reason) == ("failure", "connection refused")


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_a_name_that_does_not_resolve_is_unknown(kind: str) -> None:
    result = ask("no-such-host.invalid", 80, kind)
    assert (result.outcome, result.duration) == ("unknown", None)
    assert "does not resolve here" in str(result.reason)


def test_a_resolver_that_hangs_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.probes.address.socket.getaddrinfo", lambda *_, **__: time.sleep(5) or [])
    begin = time.monotonic()
    assert ask("slow.example", 80, timeout=0.5).reason == "no full answer within 0.5 s"
    assert time.monotonic() - begin < 1.5


def test_tcp_connects_and_sends_nothing() -> None:
    seen: list[bytes] = []
    with serving(lambda connection: seen.append(connection.recv(10))) as port:
        assert ask("localhost", port, "tcp").outcome == "success"
        time.sleep(0.1)
    assert seen == [b""]


OK = b"HTTP/1.1 200 OK\r\n"
BOMB = zlib.compress(b"0" * 2**24)
HOSTILE: dict[str, tuple[Behaviour, str]] = {
    "silent": (lambda connection: time.sleep(9), "no full answer within"),
    "drips the status": (raw(b"H", b"T", pause=0.2, times=50), "no full answer within"),
    "drips a header": (raw(OK + b"X-A: ", b"a", pause=0.2, times=50), "no full answer within"),
    "drips headers": (raw(OK, b"X-A: a\r\n", pause=0.2, times=50), "no full answer within"),
    "drips the body": (raw(OK + b"Content-Length: 1000\r\n\r\n", b"a", pause=0.2, times=50), "no full answer within"),
    "drips chunks": (
        raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", pause=0.2, times=50),
        "no full answer",
    ),
    "stalls in the body": (raw(OK + b"Content-Length: 9\r\n\r\nab", hold=9), "no full answer within"),
    "endless 1xx": (raw(b"HTTP/1.1 100 Continue\r\n\r\n", times=10**7), "no full answer|not proper HTTP"),
    "endless header": (raw(OK + b"X-A: ", b"a" * 65536, times=10**6), "not proper HTTP"),
    "chunk extensions": (
        raw(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 65536, times=10**6),
        "not proper HTTP",
    ),
    "no HTTP": (raw(b"220 smtp.example ESMTP\r\n"), "not proper HTTP"),
    "closes at once": (lambda connection: None, "not proper HTTP|closed|reset"),
    "closes after the request": (raw(b""), "not proper HTTP|closed|reset"),
    "closes in the body": (raw(OK + b"Content-Length: 9\r\n\r\nab"), "not proper HTTP"),
    "endless body": (raw(OK + b"\r\n", b"a" * 65536, times=10**6), "too large"),
    "a bomb": (raw(OK + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(BOMB), BOMB), "compressed"),
    "a negative length": (raw(OK + b"Content-Length: -1\r\n\r\n"), "not proper HTTP"),
    "a redirect loop": (raw(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), "status 302"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_servers_end_in_time_with_a_reason(name: str) -> None:
    behave, reason = HOSTILE[name]
    with serving(behave) as port:
        begin = time.monotonic()
        result = ask("127.0.0.1", port, timeout=1.0, expect=Expectation(json={"a": 1}))
        took = time.monotonic() - begin
    assert result.outcome == "failure"
    assert re.search(reason, str(result.reason)), result
    assert took < 1.0 + 5  # ten times the promised half second


def test_a_reset_is_named() -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with serving(behave) as port:
        assert "reset" in str(ask("127.0.0.1", port).reason)


def test_a_hostile_answer_costs_little_memory() -> None:
    with serving(HOSTILE["endless body"][0]) as port:
        ask("127.0.0.1", port, timeout=1)
        tracemalloc.start()
        ask("127.0.0.1", port, timeout=1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 * 2**20


def test_after_many_cancelled_probes_a_healthy_target_is_healthy() -> None:
    """Cut of the 10,000 that the endurance run has."""
    with serving(HOSTILE["silent"][0]) as deaf, serving(reply(b"{}")) as good:
        hung = [ProbeRequest("web", "prod", "http", "127.0.0.1", deaf, timeout=0.2)] * 300
        files = len(list(Path("/proc/self/fd").iterdir()))
        assert {result.outcome for result in run_probes(hung, now=NOON, concurrency=150)} == {"failure"}
        fine = [ProbeRequest("web", "prod", "http", "127.0.0.1", good)] * 100
        assert [result.outcome for result in run_probes(fine, now=NOON)] == ["success"] * 100
    assert threading.active_count() < 1000
    time.sleep(0.2)
    assert len(list(Path("/proc/self/fd").iterdir())) <= files + 305  # the deaf server's own ends


def test_results_keep_their_order_and_their_time() -> None:
    with serving(reply(b"{}")) as port:
        kinds = ["tcp", "http"] * 5
        results = run_probes(
            [ProbeRequest(str(n), "prod", kind, "127.0.0.1", port) for n, kind in enumerate(kinds)], now=NOON
        )
    assert [(result.service, result.kind) for result in results] == [(str(n), kind) for n, kind in enumerate(kinds)]
    assert all(result.taken_at and 0 <= (result.taken_at - NOON).total_seconds() < 10 for result in results)


def test_a_prober_that_crashes_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(request: ProbeRequest, environ: Mapping[str, str]) -> Any:
        raise ZeroDivisionError(CANARY)

    known = probes.probers()
    monkeypatch.setattr(probes, "probers", lambda: {**known, "http": crash})
    with serving(reply(b"")) as port:
        asked = [
            ProbeRequest("a", "prod", "http", "127.0.0.1", port),
            ProbeRequest("b", "prod", "tcp", "127.0.0.1", port),
        ]
        first, second = run_probes(asked, now=NOON)
    assert (first.outcome, first.reason) == ("unknown", "the probe itself failed: ZeroDivisionError")
    assert second.outcome == "success"


def test_no_requests_need_no_loop() -> None:
    assert run_probes([], now=NOON) == ()


def test_the_shells_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(reply(b"{}")) as port:
        assert ask("127.0.0.1", port).outcome == "success"


@respx.mock
def test_the_request_as_it_is_sent() -> None:
    route = respx.head("http://192.0.2.7:8080/health", params={"deep": "1"}).mock(httpx.Response(200))
    result = ask("192.0.2.7", 8080, path="/health?deep=1", method="HEAD")
    assert (route.called, result.outcome, result.target) == (True, "success", "http://192.0.2.7:8080/health")
    sent = route.calls.last.request.headers
    assert (sent["host"], sent["user-agent"], sent["connection"]) == ("192.0.2.7:8080", "stack-auditor", "close")


# --- TLS -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    return cert, key


def tls(certificate: tuple[Path, Path], behave: Behaviour) -> Behaviour:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def wrapped(connection: socket.socket) -> None:
        with context.wrap_socket(connection.dup(), server_side=True) as secure:
            behave(secure)

    return wrapped


def test_an_unknown_certificate_is_refused(certificate: tuple[Path, Path]) -> None:
    with serving(tls(certificate, reply(b"{}"))) as port:
        result = ask("localhost", port, scheme="https")
    assert (result.outcome, "certificate is not valid" in str(result.reason)) == ("failure", True)


@pytest.mark.parametrize(("host", "outcome"), [("localhost", "success"), ("127.0.0.1", "failure")])
def test_the_name_is_verified(
    certificate: tuple[Path, Path], host: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    monkeypatch.setattr("auditor.probes.wire._trust", lambda: trusting)
    with serving(tls(certificate, reply(b"{}"))) as port:
        assert ask(host, port, scheme="https").outcome == outcome


def test_tls_that_stalls_ends_in_time() -> None:
    with serving(HOSTILE["silent"][0]) as port:
        assert ask("127.0.0.1", port, scheme="https", timeout=0.5).reason == "no full answer within 0.5 s"


def test_plain_text_is_no_tls() -> None:
    with serving(raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert ask("127.0.0.1", port, scheme="https").reason == "TLS failed"


def test_differences_shows_no_control_characters() -> None:
    (text,) = differences({"a": "b"}, {"a": "\x1b[31m\n\u202e" + "x" * 500})
    assert text.isprintable()
    assert len(text) < 120
