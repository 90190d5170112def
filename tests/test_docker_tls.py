"""A real engine that verifies its clients: what is let in, and whose certificate is said to be at fault where not."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditor.errors import EvidenceError
from auditor.sources.docker import Reader
from tests.parts import engine as engines
from tests.parts.certificates import Authority, authority, client_folder
from tests.parts.plugin import need, refuse
from tests.parts.process import free_port

pytestmark = [pytest.mark.engine]


@dataclass(frozen=True)
class Guarded:
    """A TCP port of an engine with `--tlsverify`, whose own certificate is made for 127.0.0.1 only."""

    port: int
    ours: Authority
    others: Authority


@pytest.fixture(scope="module", params=["dockerd", "dockerd28"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    for name in ("dockerd", request.param, "docker-compose", "busybox"):
        need(name)
    if not shutil.which("openssl"):
        refuse("openssl", "it is not on PATH")
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    ours, others = authority(folder, "ours"), authority(folder, "others")
    server = ours.sign("server", "serverAuth", names="IP:127.0.0.1")
    options = ["--tlsverify", f"--tlscacert={ours.file}", f"--tlscert={server}", f"--tlskey={folder}/server-key.pem"]
    with engines.running(request.param, [f"--host=tcp://127.0.0.1:{port}", *options]) as engine:
        engine.import_busybox()
        engine.client.containers.run("busybox:test", name="guarded", detach=True)
        yield Guarded(port, ours, others)


def test_mutual_tls(guarded: Guarded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client = guarded.ours.sign("client", "clientAuth")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(client_folder(tmp_path / "c", guarded.ours.file, client)))
    mine = Reader(f"https://127.0.0.1:{guarded.port}")
    for _ in range(2):
        found = mine.read("prod")
        assert [container.name for container in found.containers] == ["guarded"] and found.limits == ()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{guarded.port}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    assert len(Reader("env").read("prod").containers) == 1, "as the Docker CLI finds it"


REFUSED = "does not accept this client's certificate|right after the handshake|wants a client certificate"


@pytest.mark.parametrize(
    ("address", "trusts", "shows", "cause"),
    [
        ("https://127.0.0.1:{}", "others", "client", "not signed by the authority in `ca.pem`"),
        ("https://127.0.0.1:{}", "ours", "expired", f"certificate has expired|{REFUSED}"),
        ("https://127.0.0.1:{}", "ours", "foreign", f"does not know the authority|{REFUSED}"),
        ("https://127.0.0.1:{}", "ours", None, REFUSED),
        ("https://localhost:{}", "ours", "client", "made for another host: Hostname mismatch.*'localhost'"),
        ("tcp://127.0.0.1:{}", "ours", "client", "it speaks TLS at this port"),
    ],
)
def test_whose_certificate_is_at_fault(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    address: str, trusts: str, shows: str | None, cause: str,
) -> None:  # fmt: skip
    made = {
        "client": lambda: guarded.ours.sign("client", "clientAuth"),
        "expired": lambda: guarded.ours.sign("expired", "clientAuth", days=-1),
        "foreign": lambda: guarded.others.sign("foreign", "clientAuth"),
    }
    trusted = (guarded.ours if trusts == "ours" else guarded.others).file
    place = client_folder(tmp_path / "c", trusted, made[shows]() if shows else None)
    monkeypatch.setenv("DOCKER_CERT_PATH", str(place))
    begin = time.monotonic()
    with pytest.raises(EvidenceError, match=cause):
        Reader(address.format(guarded.port)).read("prod")
    assert time.monotonic() - begin < 8.5


@pytest.mark.parametrize("lacking", ["ca.pem", "cert.pem", "key.pem"])
def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacking: str) -> None:
    for name in {"ca.pem", "cert.pem", "key.pem"} - {lacking}:
        (tmp_path / name).touch()
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(EvidenceError, match=f"there is no `{tmp_path}/{lacking}`"):
        Reader("https://127.0.0.1:1").read("prod")
