"""Containers from an engine's answers, and from an engine that misbehaves: a small one of our own on a socket."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest

from auditor.errors import EvidenceError
from auditor.model import Container, Port
from auditor.sources.docker import Reader, read_containers, transport
from auditor.sources.docker.address import route_of
from auditor.sources.docker.allowed import READING, Allowed, table
from auditor.sources.docker.events import parse_events, was_killed
from auditor.sources.docker.failures import Garbled
from auditor.sources.docker.parse import parse_container, parse_listed, parse_time

CANARY = "canary-8h2k1m-not-a-real-secret"
IDS = [f"{number:064x}" for number in range(1, 6)]


def listed(id: str = IDS[0], name: str = "shop-web-1", **fields: Any) -> dict[str, Any]:
    return {"Id": id, "Names": [f"/{name}"], "Image": "web:1", "State": "running", "Status": "Up 3 minutes"} | fields


def inspected(id: str = IDS[0], name: str = "shop-web-1", **fields: Any) -> dict[str, Any]:
    state = {"Status": "running", "ExitCode": 0, "OOMKilled": False, "StartedAt": "2026-03-01T11:00:00.123456789Z"}
    answer: dict[str, Any] = {
        "Id": id,
        "Name": f"/{name}",
        "Image": "sha256:" + "a" * 64,
        "RestartCount": 2,
        "State": state | {"FinishedAt": "0001-01-01T00:00:00Z"} | fields.pop("State", {}),
        "Config": {
            "Image": "web:1",
            "Env": [f"PASSWORD={CANARY}"],
            "Cmd": [CANARY],
            "Labels": fields.pop("labels", {}),
        },
        "HostConfig": {"Memory": 0, "PortBindings": {}} | fields.pop("HostConfig", {}),
        "NetworkSettings": {"Networks": {"shop_default": {}}, "Ports": {}} | fields.pop("NetworkSettings", {}),
    }
    return answer | fields


def parsed(**fields: Any) -> Container:
    return parse_container(listed(), inspected(**fields), "prod")


# --- parsing ---------------------------------------------------------------------------------------------------


def test_a_running_container() -> None:
    found = parsed()
    assert (found.name, found.image, found.state, found.health) == ("shop-web-1", "web:1", "running", "none")
    assert (found.restarts, found.exit_code, found.memory_limit) == (2, None, None)
    assert found.started_at == datetime(2026, 3, 1, 11, 0, 0, 123456, tzinfo=UTC)
    assert (found.finished_at, found.networks, found.unread) == (None, ("shop_default",), None)


def test_no_secret_is_kept() -> None:
    health = {"Status": "unhealthy", "FailingStreak": 3, "Log": [{"ExitCode": 7, "Output": CANARY}]}
    found = parsed(State={"Health": health})
    assert CANARY not in repr(found)
    assert found.health_output == "health check failed, exit code 7, 3 times in a row"


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ({}, "none"),
        ({"Health": {"Status": "none"}}, "none"),
        ({"Health": {"Status": "healthy"}}, "healthy"),
        ({"Health": {"Status": "starting"}}, "starting"),
        ({"Health": {"Status": "unhealthy"}}, "unhealthy"),
        ({"Health": {"Status": "unhealthy"}, "Status": "exited"}, "unknown"),
    ],
)
def test_health(state: dict[str, Any], wanted: str) -> None:
    assert parsed(State=state).health == wanted


LABELS_V2 = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "web",
    "com.docker.compose.container-number": "2",
    "com.docker.compose.oneoff": "False",
    "com.docker.compose.project.config_files": "/srv/a.yml,/srv/b.yml",
    "com.docker.compose.project.working_dir": "/srv",
}


@pytest.mark.parametrize(
    ("labels", "project", "service", "number", "oneoff"),
    [
        ({}, None, None, None, False),
        (LABELS_V2, "shop", "web", 2, False),
        (LABELS_V2 | {"com.docker.compose.oneoff": "True"}, "shop", "web", 2, True),
        (LABELS_V2 | {"com.docker.compose.container-number": "x" * 99}, "shop", "web", None, False),
        ({"com.docker.stack.namespace": "st", "com.docker.swarm.service.name": "st_web"}, "st", "web", None, False),
        (LABELS_V2 | {"com.docker.compose.project": "a\x1b[31m\nb\u202e" + "c" * 10**5}, None, "web", 2, False),
    ],
)
def test_labels(
    labels: dict[str, str], project: str | None, service: str | None, number: int | None, oneoff: bool
) -> None:
    found = parsed(labels=labels)
    assert (found.service, found.number, found.oneoff) == (service, number, oneoff)
    assert project is None or found.project == project
    assert found.project is None or (found.project.isprintable() and len(found.project) <= 200)


def test_files_of_a_project() -> None:
    found = parsed(labels=LABELS_V2)
    assert (found.config_files, found.working_dir) == (("/srv/a.yml", "/srv/b.yml"), "/srv")


GIVEN = [{"HostIp": "0.0.0.0", "HostPort": "32768"}, {"HostIp": "::", "HostPort": "32768"}]  # noqa: S104  data


@pytest.mark.parametrize(
    ("asked", "given", "wanted"),
    [
        ({}, {}, ()),
        ({}, {"80/tcp": None}, ()),
        ({"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}, {}, (Port(80, "8080"),)),
        ({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]}, {"80/tcp": GIVEN}, (Port(80, "80", "127.0.0.1"),)),
        ({"80/tcp": [{"HostIp": "", "HostPort": ""}]}, {"80/tcp": GIVEN}, (Port(80, "32768"),)),
        ({"80/tcp": [{"HostIp": "", "HostPort": "0"}]}, {}, (Port(80, "0"),)),
        ({"80/tcp": [{"HostIp": "", "HostPort": "8000-8005"}]}, {"80/tcp": GIVEN}, (Port(80, "32768"),)),
        ({}, {"80/tcp": GIVEN}, (Port(80, "32768"),)),
        ({"53/udp": [{"HostPort": "53"}]}, {}, (Port(53, "53", None, "udp"),)),
    ],
)
def test_ports(asked: Any, given: Any, wanted: tuple[Port, ...]) -> None:
    assert parsed(HostConfig={"PortBindings": asked}, NetworkSettings={"Ports": given}).ports == wanted


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("Up 2 hours (healthy)", "healthy"),
        ("Up 2 hours (unhealthy)", "unhealthy"),
        ("Up 1 second (health: starting)", "starting"),
        ("Up 2 hours", "unknown"),
        ("Exited (137) 2 hours ago", "unknown"),
    ],
)
def test_what_the_list_alone_says(status: str, wanted: str) -> None:
    assert parse_listed(listed(Status=status), "prod").health == wanted


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "", "soon", None, 7])
def test_no_time(text: object) -> None:
    assert parse_time(text) is None


# --- who ended it ----------------------------------------------------------------------------------------------

DEAD = replace(parsed(), state="exited", exit_code=137, finished_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
END = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())


def event(action: str, seconds: int = 0, id: str = IDS[0], **attributes: str) -> dict[str, Any]:
    return {"Type": "container", "Action": action, "Actor": {"ID": id, "Attributes": attributes}, "time": END + seconds}


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([], None),
        ([event("die")], False),
        ([event("kill", signal="9"), event("die")], True),
        ([event("kill", -10, signal="15"), event("kill", signal="9"), event("die")], True),
        ([event("kill", id=IDS[1], signal="9"), event("die")], False),
        ([event("die", id=IDS[1])], None),
        ([event("kill", -60, signal="1"), event("die")], False),
        ([event("kill", -60, signal="9"), event("die", -60), event("start", -50), event("die")], False),
        ([event("kill", -900, signal="9"), event("die", -900)], None),
        ([{"Actor": None}, {"Actor": [], "id": IDS[0]}, {}], None),
    ],
)
def test_killed(events: list[dict[str, Any]], wanted: bool | None) -> None:
    assert was_killed(DEAD, events) is wanted


def test_events_are_read_line_by_line() -> None:
    assert parse_events(b'{"a": 1}\nnot json\n[]\n' + b"[" * 10**5 + b'\n{"b": 2}\n{"cut') == [{"a": 1}, {"b": 2}]


# --- an engine that misbehaves ---------------------------------------------------------------------------------

Answer = Callable[[BaseHTTPRequestHandler], bool]  # whether it answered; else the usual answer follows


class Engine(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, containers: int, answer: Answer) -> None:
        self.asked: list[str] = []
        self.ids = [f"{number:064x}" for number in range(1, containers + 1)]
        self.answer = answer
        super().__init__(str(path), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no fault."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        if not self.server.answer(self):
            self.usual()

    do_POST = do_HEAD = do_DELETE = do_GET

    def usual(self) -> None:
        path = re.sub(r"^/v[\d.]+", "", self.path).partition("?")[0]
        if path == "/version":
            self.send({"ApiVersion": "1.41"})
        elif path == "/containers/json":
            self.send([listed(id, f"c{place}") for place, id in enumerate(self.server.ids)])
        elif path == "/events":
            self.send({})
        else:
            id = path.split("/")[2]
            self.send(inspected(id, f"c{self.server.ids.index(id)}"))

    def send(self, value: object, status: int = 200) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(path: Path, answer: Answer = lambda _: False, containers: int = 5) -> Iterator[Engine]:
    with Engine(path, containers, answer) as engine:
        threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield engine
        engine.shutdown()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def read(path: Path, **options: Any) -> tuple[Container, ...]:
    return read_containers(f"unix://{path}", "prod", **options)


def test_only_what_is_published_is_asked(path: Path) -> None:
    with serving(path) as engine:
        found = read(path)
    assert [container.name for container in found] == ["c0", "c1", "c2", "c3", "c4"]
    assert sorted(engine.asked) == sorted(
        ["GET /version", "GET /v1.41/containers/json?all=1"] + [f"GET /v1.41/containers/{id}/json" for id in IDS]
    )


def test_a_stuck_container_hides_no_other(path: Path) -> None:
    def stuck(handler: BaseHTTPRequestHandler) -> bool:
        if IDS[2] in handler.path:
            time.sleep(4)
        return False

    with serving(path, stuck):
        found = read(path, timeout=0.5)
    assert [c.unread for c in found] == [None, None, "docker timeout: no answer within 0.5 s", None, None]


def test_many_stuck_containers_end_at_the_deadline(path: Path) -> None:
    def stuck(handler: BaseHTTPRequestHandler) -> bool:
        if "/containers/0" in handler.path:
            time.sleep(6)
        return False

    begin = time.monotonic()
    with serving(path, stuck, containers=40):
        found = read(path, timeout=1, total=3)
    assert time.monotonic() - begin < 4
    assert len(found) == 40
    assert all(container.unread for container in found)


def test_a_vanished_container_is_left_out(path: Path) -> None:
    def gone(handler: Any) -> bool:
        if IDS[1] not in handler.path:
            return False
        handler.send({"message": "No such container"}, 404)
        return True

    with serving(path, gone):
        assert [container.name for container in read(path)] == ["c0", "c2", "c3", "c4"]


@pytest.mark.parametrize("answer", [b"no json", b"[]", b"{}", b'{"Id": 1, "State": {"Status": []}}', b"[" * 10**5])
def test_a_strange_inspection_is_unread(path: Path, answer: bytes) -> None:
    def strange(handler: Any) -> bool:
        if IDS[1] not in handler.path:
            return False
        handler.send(answer)
        return True

    with serving(path, strange):
        found = read(path)
    assert [bool(container.unread) for container in found] == [False, True, False, False, False]


@pytest.mark.parametrize("id", ["../version", "..%2f..%2finfo", "a" * 63, "A" * 64, "a" * 64 + "/logs", "", "a/../b"])
def test_ids_lead_nowhere_else(path: Path, id: str) -> None:
    def hostile(handler: Any) -> bool:
        if not handler.path.partition("?")[0].endswith("/containers/json"):
            return False
        handler.send([listed(id)])
        return True

    with serving(path, hostile) as engine:
        assert read(path) == ()
    assert len(engine.asked) == 2


@pytest.mark.parametrize(
    "rest",
    ["/containers/x/json", f"/containers/{IDS[0]}/json/../archive", "/secrets", "/configs", "/images/busybox/json"]
    + [f"/containers/{IDS[0]}/{end}" for end in ("logs", "export", "archive", "exec", "attach", "top", "json%2f..")]
    + ["/v1.41/v1.41/info", "/info/", "//info", "/exec", "/images/get", "/swarm"],
)
def test_nothing_else_leaves(path: Path, rest: str) -> None:
    async def ask(method: str, prefix: str) -> None:
        engine = transport.Engine(route_of(f"unix://{path}"), timeout=1, deadline=time.monotonic() + 5, width=1)
        async with transport.connected(engine):
            await engine.send(method, f"{prefix}{rest}")

    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "get"):
        for prefix in ("", "/v1.41"):
            with pytest.raises(Garbled, match="not on the list"):
                asyncio.run(ask(method, prefix))  # no socket is there: what left would end in another error


@pytest.mark.parametrize("request_", READING, ids=lambda request: request.path)
def test_what_is_read_is_only_read(request_: Allowed) -> None:
    path = request_.path.replace("{id}", IDS[0])
    assert transport.MAY_READ("GET", path) and transport.MAY_READ("GET", f"/v1.47{path}")
    assert not any(transport.MAY_READ(method, path) for method in ("POST", "PUT", "DELETE", "PATCH"))
    assert f"| `GET {request_.path}` | `{request_.section}` |" in table()


@pytest.mark.parametrize(("part", "section"), [("/containers/json", "CONTAINERS"), (f"/{IDS[0]}/", None)])
def test_a_denied_section_is_named(path: Path, part: str, section: str | None) -> None:
    def deny(handler: Any) -> bool:
        if part not in handler.path:
            return False
        handler.send(b"<html>denied</html>", 403)
        return True

    with serving(path, deny):
        if section is None:
            assert "HTTP 403" in str(read(path)[0].unread)
            return
        with pytest.raises(EvidenceError, match="HTTP 403") as caught:
            read(path)
    assert f"`{section}`" in str(caught.value)


def test_denied_events_leave_it_open_who_ended_it(path: Path) -> None:
    def deny(handler: Any) -> bool:
        if "/events" in handler.path:
            handler.send({"message": "denied"}, 403)
            return True
        if IDS[0] not in handler.path:
            return False
        state = {"Status": "exited", "ExitCode": 137, "FinishedAt": "2026-03-01T12:00:00Z"}
        handler.send(inspected(IDS[0], "c0", State=state))
        return True

    with serving(path, deny) as engine:
        assert read(path)[0].killed is None
    assert any("/events" in line for line in engine.asked)


def _drip(handler: Any) -> bool:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100):
        handler.wfile.write(b"X")
        time.sleep(0.1)
    return True


def _endless(handler: Any) -> bool:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n[")
    for _ in range(2000):
        handler.wfile.write(b" " * 2**16)
    return True


def _not_docker(handler: Any) -> bool:
    handler.send(b"<html>hello</html>")
    return True


def _silent(handler: Any) -> bool:
    time.sleep(5)
    return True


def _closed(handler: Any) -> bool:
    handler.connection.shutdown(socket.SHUT_RDWR)
    return True


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        (_drip, "docker timeout"),
        (_endless, "larger than 32 MiB"),
        (_not_docker, ""),
        (_silent, "docker timeout: no answer within 1 s"),
        (_closed, ""),
    ],
)
def test_hostile_engines_end_in_one_error(path: Path, behaviour: Answer, cause: str) -> None:
    begin = time.monotonic()
    with serving(path, behaviour), pytest.raises(EvidenceError, match="cannot be read") as caught:
        read(path, timeout=1, total=2)
    assert time.monotonic() - begin < 4
    assert cause in caught.value.what
    assert caught.value.help


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("unix:///nonexistent/docker.sock", "there is no such socket"),
        ("tcp://127.0.0.1:1", "connection refused"),
        ("tcp://user:" + CANARY + "@127.0.0.1:1", "holds a user"),
        ("ftp://127.0.0.1", "no address of a Docker Engine"),
        ("no-such-context", "no Docker context"),
        ("tcp://127.0.0.1:1:2", "cannot be read"),
    ],
)
def test_addresses_that_lead_nowhere(address: str, cause: str) -> None:
    with pytest.raises(EvidenceError, match=re.escape(cause)) as caught:
        read_containers(address, "prod")
    assert CANARY not in str(caught.value)


def test_the_shell_does_not_redirect(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with serving(path):
        assert len(read(path)) == 5


def test_env_is_the_shells_engine(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with serving(path):
        assert len(read_containers("env", "prod")) == 5


def test_a_context_is_an_engine(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import hashlib

    folder = tmp_path / "config" / "contexts" / "meta" / hashlib.sha256(b"there").hexdigest()
    folder.mkdir(parents=True)
    (tmp_path / "config" / "config.json").write_text("{}")
    endpoint = {"docker": {"Host": f"unix://{path}", "SkipTLSVerify": False}}
    (folder / "meta.json").write_text(json.dumps({"Name": "there", "Metadata": {}, "Endpoints": endpoint}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    with serving(path):
        assert len(read_containers("there", "prod")) == 5


@pytest.mark.parametrize(("variable", "current"), [(None, "gone"), ("gone", "default"), ("gone", None)])
def test_a_current_context_that_is_gone_is_not_the_local_engine(
    variable: str | None, current: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": current} if current else {}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    if variable:
        monkeypatch.setenv("DOCKER_CONTEXT", variable)
    with pytest.raises(EvidenceError, match="there is no Docker context `gone`"):
        read_containers("env", "prod")


def test_env_says_which_engine_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/s")
    with pytest.raises(EvidenceError) as caught:
        read_containers("env", "prod")
    assert f"at `env` (`DOCKER_HOST` is `unix://{tmp_path}/s`) cannot be read" in str(caught.value)


def test_a_reader_may_look_again_at_once(path: Path) -> None:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with serving(path):
            mine = Reader(f"unix://{path}", statistics=None, surroundings=False)
            assert [len(mine.read("prod").containers) for _ in range(200)] == [5] * 200
    finally:
        sys.setswitchinterval(usual)


def test_no_file_or_thread_is_left(path: Path) -> None:
    with serving(path):
        read(path)
        files, threads = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
        for _ in range(20):
            read(path)
        time.sleep(0.2)
        assert len(list(Path("/proc/self/fd").iterdir())) <= files + 5
        assert threading.active_count() <= threads + 12  # the engine's own, one a connection


# --- TLS -------------------------------------------------------------------------------------------------------


class TlsEngine(ThreadingMixIn, TCPServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.ids = IDS
        self.answer: Answer = lambda _: False
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is refused is no fault."""


def certificates(folder: Path) -> Path:
    """One self-signed certificate that is authority, server and client at once."""
    folder.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += [
        "-keyout",
        str(folder / "key.pem"),
        "-out",
        str(folder / "cert.pem"),
        "-days",
        "2",
        "-subj",
        "/CN=engine",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    (folder / "ca.pem").write_bytes((folder / "cert.pem").read_bytes())
    return folder


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_with_client_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool) -> None:
    ours = certificates(tmp_path / "ours")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(ours if trusted else certificates(tmp_path / "others")))
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with TlsEngine(ours) as engine:
        threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        address = f"https://127.0.0.1:{engine.server_address[1]}"
        if trusted:
            assert len(read_containers(address, "prod")) == 5
        else:
            with pytest.raises(EvidenceError, match="not signed by the authority in `ca"):
                read_containers(address, "prod")
        engine.shutdown()
    assert not (tmp_path / "keys").exists()


def test_tls_without_certificates_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(EvidenceError, match="cannot be read"):
        read_containers("tcp://127.0.0.1:2376", "prod")
