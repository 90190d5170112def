"""The deployment in `compose/`, started as it is written: who sees whom, what is proved, and that a fault is heard.

No image can be pulled here. Prometheus, Alertmanager and node exporter are the real programs in images with the
names, users and folders of the published ones; the auditor is this checkout, on the last stage of its Dockerfile;
the socket proxy and Grafana are stand-ins that answer what the real ones document.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from docker.utils.build import exclude_paths

from auditor import registry
from tests.parts.engine import Engine
from tests.parts.finder import bundle_folder
from tests.parts.plugin import need
from tests.parts.process import free_port
from tests.parts.wanted import PARTS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(170)]

REPOSITORY = Path(__file__).parent.parent
DEPLOYED = yaml.safe_load((REPOSITORY / "compose/compose.yaml").read_text())["services"]
SERVICES = set(DEPLOYED)
# Stand-ins, ports of the engine's choice and haste are laid over the file, so its containers do part from it; and how
# large this machine is says nothing of the deployment.
DRIFT = [name for name, check in registry.checks().items() if check.theme == "drift"]
IGNORED = ",".join([*DRIFT, "host-overcommitted"])

# Forwards GET of what `CONTAINERS=1` and the proxy's defaults open, to the engine's socket; denies the rest.
PROXY = r"""
import http.client, http.server, os, re, socket, socketserver

PARTS = {"CONTAINERS": "containers", "IMAGES": "images", "INFO": "info", "NETWORKS": "networks", "VOLUMES": "volumes"}
OPEN = [part for name, part in PARTS.items() if os.environ.get(name) == "1"] + ["events", "_ping", "version"]
ALLOWED = re.compile(r"(/v[\d.]+)?/(" + "|".join(OPEN) + ")")

class Upstream(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if not ALLOWED.match(self.path):
            return self.deny()
        upstream = Upstream("docker")
        upstream.request("GET", self.path)
        answer = upstream.getresponse()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.end_headers()
        while piece := answer.read1(65536):
            self.wfile.write(piece)

    def deny(self):
        self.send_error(403)

    do_POST = do_PUT = do_DELETE = deny

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

Server(("", 2375), Handler).serve_forever()
"""

# Answers the two addresses of Grafana that this deployment uses, and keeps its data where Grafana does.
GRAFANA = r"""
import http.server, json, pathlib

pathlib.Path("/var/lib/grafana/grafana.db").write_text("")
pathlib.Path("/tmp/scratch").write_text("")
assert list(pathlib.Path("/etc/grafana/provisioning").glob("*/*.yml"))
assert json.loads(pathlib.Path("/var/lib/dashboards/fleet.json").read_text())
ANSWERS = {"/api/health": '{"database": "ok"}', "/metrics": "grafana_build_info 1\n"}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = ANSWERS.get(self.path)
        self.send_response(200 if text else 404)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write((text or "").encode())

http.server.ThreadingHTTPServer(("", 3000), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Deployment:
    """The running deployment: its folder and the loopback port that each service is published on."""

    engine: Engine
    folder: Path
    ports: Mapping[str, int]

    def get(self, service: str, path: str, **query: str) -> Any:
        """The JSON, or the text, that a service answers on its published port."""
        reply = httpx.get(f"http://127.0.0.1:{self.ports[service]}{path}", params=query, timeout=10)
        reply.raise_for_status()
        return reply.json() if "json" in reply.headers["content-type"] else reply.text

    def run(self, service: str, *command: str) -> tuple[int, str]:
        """Exit code and output of a command inside the service's container."""
        found = self.engine.client.containers.get(f"stack-auditor-{service}-1").exec_run(list(command))
        return found.exit_code, found.output.decode(errors="replace")

    def audit(self, command: str) -> tuple[int, dict[str, Any], str]:
        """Exit code, report and standard error of the auditor, from outside of the containers."""
        done = subprocess.run(
            [
                sys.executable, "-m", "auditor", command, "--docker", self.engine.address, "--format", "json",
                "--ignore", IGNORED,
            ],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=60,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.fixture(scope="module")
def deployment(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A copy of the deployment, with an override file beside it, all of it healthy by Compose's own health checks."""
    place = tmp_path_factory.mktemp("deployment")
    for part in ("compose", "rules", "dashboards"):
        shutil.copytree(REPOSITORY / part, place / part, ignore=shutil.ignore_patterns("examples"))
    folder = place / "compose"
    sooner(place)
    ports = {name: free_port() for name, service in DEPLOYED.items() if "ports" in service}
    write_override(engine, place, ports)
    make_images(engine)
    compose = ("-f", "compose.yaml", "-f", "../override.yaml")
    try:
        done = engine.compose(folder, *compose, "up", "--detach", "--wait", "--wait-timeout", "60", check=False)
        if done.returncode:
            logs = engine.compose(folder, *compose, "logs", "--tail=30").stdout
            pytest.fail(f"{done.stderr}\n{logs}")
        yield Deployment(engine, folder, ports)
    finally:
        engine.clear()


def sooner(place: Path) -> None:
    """In the copy, look every second, and let a gap be told after a second."""
    change(place / "compose/prometheus/prometheus.yml", "_interval: 15s", "_interval: 1s")
    change(place / "rules/auditor.rules.yml", "for: 60m", "for: 1s")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} no longer says {old}"
    path.write_text(text.replace(old, new))


class Replaced(list[str]):
    """A list that replaces the one of the file below it."""


yaml.SafeDumper.add_representer(Replaced, lambda dumper, value: dumper.represent_sequence("!override", value))


def write_override(engine: Engine, place: Path, ports: Mapping[str, int]) -> None:
    """What differs here: free ports, this machine's Python, the engine's socket, and quicker first health checks."""
    python = [f"{folder}:{folder}:ro" for folder in ("/usr", "/lib", "/lib64") if Path(folder).exists()]
    if not Path(sys.base_prefix).is_relative_to("/usr"):
        python.append(f"{sys.base_prefix}:{sys.base_prefix}:ro")
    python.append(f"{sys.prefix}:/opt/auditor:ro")
    services: dict[str, dict[str, Any]] = {name: {"healthcheck": {"interval": "1s"}} for name in SERVICES}
    for name, port in ports.items():
        inside = DEPLOYED[name]["ports"][0].rpartition(":")[2]
        services[name]["ports"] = Replaced([f"127.0.0.1:{port}:{inside}"])
    for name, script in {"socket-proxy": PROXY, "grafana": GRAFANA}.items():
        (place / f"{name}.py").write_text(script)
        services[name] |= {
            "volumes": [*python, f"{place}/{name}.py:/stand-in.py:ro"],
            "entrypoint": ["/opt/auditor/bin/python", "/stand-in.py"],
        }
    services["socket-proxy"]["volumes"].append(f"{engine.socket}:/var/run/docker.sock:ro")
    services["auditor"] |= {
        "pull_policy": "never",
        "volumes": python + [f"{REPOSITORY / part}:/opt/checkout/{part}:ro" for part in ("auditor", "exporters")],
        "environment": {"AUDITOR_INTERVAL": "1s", "AUDITOR_IGNORE": IGNORED, "PYTHONPATH": "/opt/checkout"},
        "entrypoint": ["python", "-m", "auditor"],
    }
    templates = real("alertmanager").parent.parent / "share/prometheus/alertmanager"
    if templates.exists():  # Debian's Alertmanager has them beside it, not in it
        services["alertmanager"]["volumes"] = [f"{templates}:/usr/share/prometheus/alertmanager:ro"]
    (place / "override.yaml").write_text(yaml.safe_dump({"services": services}))


def make_images(engine: Engine) -> None:
    """One image for each that the file names; those of programs as their makers' Dockerfiles leave them."""
    engine.import_busybox("deployment/busybox:test")
    last = (REPOSITORY / "compose/Dockerfile").read_text().rpartition("\nFROM ")[2]
    kept = re.findall(r"^(?:ENV|USER|WORKDIR|EXPOSE|HEALTHCHECK|CMD|ENTRYPOINT) (?:.*\\\n)*.*", last, re.MULTILINE)
    lines = {
        "auditor": [account("auditor", 10001, "/var/lib/stack-auditor"), *kept],
        "socket-proxy": ["ENV CONTAINERS=0 IMAGES=0 INFO=0 NETWORKS=0 VOLUMES=0"],
        "grafana": [account("grafana", 472, "/var/lib/grafana"), "USER 472"],
        "prometheus": ["RUN mkdir /prometheus && chown nobody /prometheus", "VOLUME /prometheus", "USER nobody"],
        "alertmanager": [
            "RUN mkdir /alertmanager && chown nobody /alertmanager",
            "VOLUME /alertmanager",
            "USER nobody",
        ],
        "node-exporter": ["USER nobody"],
    }
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: build(engine, name, lines[name]), lines))


def build(engine: Engine, name: str, lines: list[str]) -> None:
    """Build the image of the service `name`, with the engine's own builder, on busybox and the program if it is one."""
    base = "deployment/busybox:test"
    if name in ("prometheus", "alertmanager", "node-exporter"):
        program, base = real(name), f"deployment/{name}:test"
        engine.import_program(base, program)
        lines = [*lines, f'ENTRYPOINT ["/bin/{program.name}"]']
    text = "\n".join([f"FROM {base}", *lines, ""])
    engine.client.images.build(fileobj=BytesIO(text.encode()), tag=DEPLOYED[name]["image"], rm=True, timeout=60)


def account(name: str, number: int, home: str) -> str:
    """The line of a Dockerfile that makes a user with a home; the machine's programs are not there yet."""
    line = f"{name}:x:{number}:{number}::{home}:/bin/false"
    return f"RUN chmod 1777 /tmp && echo {line} >>/etc/passwd && mkdir -p {home} && chown {name} {home}"


def real(name: str) -> Path:
    """The program itself, not the script that starts it."""
    found = need(name)
    unpacked = bundle_folder(PARTS[name].bundle) / "tree" / PARTS[name].program
    return unpacked if found.is_relative_to(bundle_folder(PARTS[name].bundle)) else found.resolve()


def awaited(what: Callable[[], Any], seconds: float = 40) -> Any:
    """What `what()` returns, as soon as it is true; at the end of the time whatever it returns."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if found := what():
                return found
        time.sleep(0.3)
    return what()


def statuses(deployment: Deployment) -> dict[str, str]:
    """Service -> status, as the auditor in the deployment says."""
    groups = deployment.get("auditor", "/services/status")["services"]
    return {name: service["status"] for group in groups.values() for name, service in group.items()}


def serious(report: dict[str, Any]) -> set[tuple[str, str]]:
    """Check and service of what a gate does not let pass."""
    return {(f["check"], f["service"]) for f in report["findings"] if f["severity"] != "info"}


def alerts(deployment: Deployment) -> set[tuple[str, str]]:
    """Name and check of the alerts that have reached Alertmanager."""
    rows = deployment.get("alertmanager", "/api/v2/alerts", active="true")
    return {(row["labels"]["alertname"], row["labels"].get("check", "")) for row in rows}


def test_the_auditor_in_it_sees_every_service_well(deployment: Deployment) -> None:
    wanted = dict.fromkeys(SERVICES, "healthy")
    assert awaited(lambda: statuses(deployment) == wanted), statuses(deployment)
    report = deployment.get("auditor", "/api/reports/latest")
    assert (serious(report), report["complete"]) == (set(), True)
    sources = {source["name"]: source["state"] for source in report["sources"]}
    assert (sources["docker"], sources["probes"], sources["alertmanager"]) == ("ok", "ok", "ok")
    assert all(service in deployment.get("auditor", "/") for service in SERVICES)


def test_the_gate_outside_of_it_passes(deployment: Deployment) -> None:
    code, report, said = deployment.audit("gate")
    assert (code, serious(report), report["complete"]) == (0, set(), True), said
    assert {s["name"]: s["rungs"]["running"]["state"] for s in report["services"]} == dict.fromkeys(SERVICES, "proved")


def test_prometheus_scrapes_every_target_and_has_the_rules(deployment: Deployment) -> None:
    def targets() -> dict[str, str]:
        rows = deployment.get("prometheus", "/api/v1/targets")["data"]["activeTargets"]
        return {row["labels"]["job"]: row["health"] for row in rows}

    jobs = ["auditor", "prometheus", "alertmanager", "grafana", "node"]
    assert awaited(lambda: targets() == dict.fromkeys(jobs, "up")), targets()
    groups = awaited(lambda: deployment.get("prometheus", "/api/v1/rules")["data"]["groups"])
    rules = [rule for group in groups for rule in group["rules"]]
    assert {"AuditorAbsent", "GapOpenCritical", "GapOpenWarning"} <= {rule["name"] for rule in rules}
    assert awaited(lambda: {rule["health"] for rule in rules} == {"ok"}), rules
    managers = deployment.get("prometheus", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    assert [manager["url"] for manager in managers] == ["http://alertmanager:9093/api/v2/alerts"]


def test_only_the_auditor_shares_a_network_with_the_proxy(deployment: Deployment) -> None:
    proxy = deployment.engine.client.containers.get("stack-auditor-socket-proxy-1").attrs
    assert list(proxy["NetworkSettings"]["Networks"]) == ["stack-auditor_socket"]
    assert not any(proxy["NetworkSettings"]["Ports"].values()), "and nothing of it is published"
    sealed = deployment.engine.client.networks.get("stack-auditor_socket").attrs
    assert sealed["Internal"]
    assert {row["Name"] for row in sealed["Containers"].values()} == {
        "stack-auditor-auditor-1", "stack-auditor-socket-proxy-1",
    }  # fmt: skip


def test_nobody_has_more_than_it_needs(deployment: Deployment) -> None:
    users = {name: deployment.run(name, "id", "-u")[1].strip() for name in SERVICES}
    assert users == {
        "auditor": "10001", "socket-proxy": "0", "prometheus": "65534", "alertmanager": "65534", "grafana": "472",
        "node-exporter": "65534",
    }  # fmt: skip
    for name in SERVICES:
        status = deployment.run(name, "grep", "-E", "^(CapEff|NoNewPrivs)", "/proc/self/status")[1].split()
        assert status == ["CapEff:", "0" * 16, "NoNewPrivs:", "1"], name
    assert {name for name in SERVICES if deployment.run(name, "touch", "/root/x")[0] == 0} <= {"socket-proxy"}
    assert deployment.run("auditor", "touch", "/project/x")[0] != 0
    assert deployment.run("auditor", "touch", "/var/lib/stack-auditor/x")[0] == 0


def test_a_stopped_service_is_found_and_told(deployment: Deployment) -> None:
    exporter = deployment.engine.client.containers.get("stack-auditor-node-exporter-1")
    exporter.stop(timeout=1)
    try:
        assert awaited(lambda: statuses(deployment)["node-exporter"] == "stopped"), statuses(deployment)
        # At once, while the engine still has the event of its stop: a gate remembers none of before.
        code, report, _ = deployment.audit("gate")
        assert (code, serious(report)) == (1, {("composed-not-running", "node-exporter")})
        told = ("GapOpenWarning", "composed-not-running")
        assert awaited(lambda: told in alerts(deployment)), alerts(deployment)
        items = awaited(lambda: deployment.get("auditor", "/api/alerts")["items"])
        assert "GapOpenWarning" in {item["name"] for item in items}
    finally:
        exporter.start()
        awaited(lambda: statuses(deployment)["node-exporter"] == "healthy")


def test_the_dockerfile_is_given_what_it_copies_and_the_wheel_takes_in() -> None:
    patterns = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")]
    given = {path for path in exclude_paths(str(REPOSITORY), patterns) if (REPOSITORY / path).is_file()}
    assert {path.partition("/")[0] for path in given} <= {
        "auditor", "exporters", "compose", "README.md", "LICENSE", "pyproject.toml", "requirements.lock", "Dockerfile",
        ".dockerignore",
    }  # fmt: skip
    lines = re.findall(r"^COPY (?!--)(.+) \S+$", (REPOSITORY / "compose/Dockerfile").read_text(), re.MULTILINE)
    copied = [source for line in lines for source in line.split()]
    missing = [source for source in copied if not any(Path(path).is_relative_to(source) for path in given)]
    assert missing == []
    wheel = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = [*wheel["packages"], *wheel["force-include"]]
    assert [part for part in wanted if not any(Path(part).is_relative_to(source) for source in copied)] == []
