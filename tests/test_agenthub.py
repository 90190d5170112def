"""The second reference system, as a golden: clean as it is, and with each fault found in what it was before."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from auditor.inventory import Snapshot
from auditor.model import Definition, Report, Severity
from auditor.scan import gather, judge
from auditor.settings import Settings
from tests.parts.plugin import Run
from tests.scripts import auditor, environment

EXAMPLES = Path(__file__).parent.parent / "compose/examples"
DECENT, FAULTS = EXAMPLES / "agenthub", EXAMPLES / "agenthub-faults"
EACH = "each of the 29"  # stands for every service
ALL_BUT = "all but"  # stands for every service but those that follow

# What even a well-kept stack is told with `--select all`, and why that is right. Nothing of it is above info.
TOLD = {
    "unpinned-image": {EACH},  # tags are versions, but none is held by a digest
    "no-security-profile": {EACH},  # the engine's own seccomp profile is what they want
    "unbounded-restart": {EACH},  # `unless-stopped` is what they want
    "ignored-key": {"agent-management", "authentication"},  # reserved processors are for Swarm
    "writable-root-filesystem": {"kafka"},  # its start script writes below /opt/kafka
    "sensitive-host-mount": {"logging", "node-exporter"},  # it lies in their nature: critical for any other
    "shared-mount-propagation": {"node-exporter"},
    "root-user": {"logging"},
}

# What the system before was built with: check -> (severity, services).
FOUND: dict[str, tuple[str, set[str]]] = {
    # the engine's own limits
    "no-memory-limit": ("warning", {EACH}),
    "no-cpu-limit": ("info", {EACH}),
    "no-pids-limit": ("info", {EACH}),
    # one flat network
    "no-segmentation": ("info", {""}),
    "tier-violation": ("warning", {EACH}),
    "tier-skipped": ("warning", {"analytics-calculation"}),  # the first of the data services beside the edge
    # secrets in the environment
    "default-secret": ("critical", {"authentication", "notification"}),
    "secret-in-environment": (
        "critical",
        {"payment-intent", "calendar-provider", "database-operations", "postgres"},  # made up, as the default ones
    ),
    # chains of services that only ever speak to the next one
    "chatty-pipeline": ("info", {"document-processing", "booking-management"}),
    # doors that stand open
    "database-port-published": ("critical", {"postgres"}),
    "docker-socket-mounted": ("critical", {"metrics-collection"}),
    # nobody asks, nobody waits, nobody starts again
    "missing-healthcheck": (
        "warning",
        {"document-processing", "embedding-generation", "metrics-collection", "notification", "system-maintenance"},
    ),
    # files need nothing, postgres is the end, and what message-routing waits for has no health check to wait for
    "unready-dependency": ("warning", {ALL_BUT, "file-storage", "message-routing", "postgres"}),
    "no-restart-policy": ("warning", {"metrics-collection", "system-maintenance"}),
    "unbounded-restart": ("info", {ALL_BUT, "metrics-collection", "system-maintenance"}),
    # images
    "moving-image-tag": ("warning", {"widget-generation", "calendar-provider"}),
    "unpinned-image": ("info", {ALL_BUT, "widget-generation", "calendar-provider"}),
    # nothing is hardened
    "no-log-rotation": ("info", {EACH}),
    "root-user": ("info", {EACH}),
    "capabilities-kept": ("info", {EACH}),
    "new-privileges-allowed": ("info", {EACH}),
    "no-security-profile": ("info", {EACH}),
    "writable-root-filesystem": ("info", {EACH}),
}

# Where it is shown: check, service, file, and what the text at that place says.
PLACES = [
    ("chatty-pipeline", "document-processing", "domains/knowledge.yaml", "http://embedding-generation:8080"),
    ("chatty-pipeline", "document-processing", "domains/knowledge.yaml", "http://similarity-search:8080"),
    ("chatty-pipeline", "booking-management", "domains/calendar.yaml", "http://calendar-provider:8080"),
    ("default-secret", "authentication", "domains/access.yaml", "your-secret-key"),
    ("default-secret", "notification", "domains/calendar.yaml", "changeme"),
    ("secret-in-environment", "calendar-provider", "domains/calendar.yaml", "OAUTH_CLIENT_SECRET:-made-up"),
    ("secret-in-environment", "database-operations", "domains/data.yaml", "postgres://agenthub:made-up"),
    ("secret-in-environment", "payment-intent", "domains/payments.yaml", "PAYMENT_API_KEY"),
    ("database-port-published", "postgres", "domains/data.yaml", "5432:5432"),
    ("docker-socket-mounted", "metrics-collection", "domains/payments.yaml", "/var/run/docker.sock"),
    ("moving-image-tag", "widget-generation", "domains/access.yaml", ":latest"),
    ("no-segmentation", None, "compose.yaml", "agenthub:"),
]


def settings(folder: Path, *select: str) -> Settings:
    return Settings(catalogue=str(folder / "catalogue.yaml"), offline=True, select=select)


def gathered(folder: Path) -> Snapshot:
    return gather(settings(folder))


@pytest.fixture(scope="module")
def decent() -> Snapshot:
    return gathered(DECENT)


@pytest.fixture(scope="module")
def faults() -> Report:
    return judge(gathered(FAULTS), settings(FAULTS, "all"))


def services_by_check(report: Report) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for finding in report.findings:
        found[finding.check].add(finding.service or "")
    return dict(found)


def spelt_out(services: set[str], report: Report) -> set[str]:
    names = {service.name for service in report.services}
    if EACH in services:
        return names
    return names - services if ALL_BUT in services else services


def test_the_decent_one_passes_its_gate():
    done = auditor("gate", "--offline", cwd=DECENT)
    assert (done.returncode, done.stderr.strip()) == (0, "gate: passed")


def test_the_decent_one_is_told_what_a_reviewer_would_accept(decent):
    report = judge(decent, settings(DECENT, "all"))
    assert report.complete
    assert services_by_check(report) == {check: spelt_out(names, report) for check, names in TOLD.items()}
    assert {finding.severity for finding in report.findings} == {Severity.INFO}


def test_the_decent_one_stands_on_every_rung_that_files_can_prove(decent):
    report = judge(decent, settings(DECENT))
    assert report.coverage == 1
    proved = {name for s in report.services for name, rung in s.rungs.items() if rung.state == "proved"}
    assert proved == {"claimed", "declared", "composed", "scraped", "logged", "alerted", "routed", "charted"}


def definitions(snapshot: Snapshot) -> dict[str, Definition]:
    return dict(snapshot.definitions("production"))


@pytest.mark.parametrize("folder", [DECENT, FAULTS], ids=["decent", "faults"])
def test_29_services_by_domain_and_tier(folder):
    snapshot = gathered(folder)
    assert len(definitions(snapshot)) == 29
    assert snapshot.catalogue is not None
    entries = snapshot.catalogue.entries
    assert {entry.name for entry in entries} == set(definitions(snapshot))
    assert len({entry.category for entry in entries}) == 6
    assert {entry.tier for entry in entries} == {"edge", "core", "data"}
    files = {definition.location.path for definition in definitions(snapshot).values()}
    assert len({path for path in files if "/domains/" in path}) == 6


@pytest.mark.parametrize("folder", [DECENT, FAULTS], ids=["decent", "faults"])
def test_the_readme_claims_as_many(folder):
    claims = [claim.number for document in gathered(folder).documents for claim in document.counts]
    assert claims
    assert set(claims) == {29}


def test_four_networks_keep_the_edge_from_the_data(decent):
    assert decent.catalogue is not None
    tiers: dict[str, set[str | None]] = defaultdict(set)
    for entry in decent.catalogue.entries:
        for network in definitions(decent)[entry.name].networks:
            tiers[network].add(entry.tier)
    assert set(tiers) == {"public", "application", "data", "management"}
    assert tiers["application"] == {"edge", "core"}
    assert tiers["data"] == {"core", "data"}


def test_limits_are_those_that_the_catalogue_declares(decent):
    assert decent.catalogue is not None
    composed = {n: (d.memory_limit, d.cpu_limit) for n, d in definitions(decent).items()}
    assert composed == {e.name: (e.memory_limit, e.cpu_limit) for e in decent.catalogue.entries}
    assert composed["agent-management"] == (512 * 2**20, 0.5)
    assert composed["authentication"] == (128 * 2**20, 0.1)


def test_each_fault_is_found_and_nothing_else(faults):
    assert services_by_check(faults) == {check: spelt_out(names, faults) for check, (_, names) in FOUND.items()}
    severities = {(finding.check, finding.severity.value) for finding in faults.findings}
    assert severities == {(check, severity) for check, (severity, _) in FOUND.items()}


def test_what_its_readme_says_of_it_is_found_without_a_flag():
    report = judge(gathered(FAULTS), settings(FAULTS))
    said = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", (FAULTS / "README.md").read_text()))
    assert len(said) > 15
    assert said == {finding.check for finding in report.findings}


@pytest.mark.parametrize(("check", "service", "path", "text"), PLACES)
def test_a_fault_is_shown_where_it_stands(faults, check, service, path, text):
    (finding,) = [f for f in faults.findings if (f.check, f.service) == (check, service)]
    lines = (FAULTS / path).read_text().splitlines()
    at = [place.line for place in finding.locations if place.path.endswith(f"agenthub-faults/{path}")]
    assert any(line and text in lines[line - 1] for line in at), finding.locations


@pytest.mark.parametrize(
    ("service", "port", "check"),
    [("agent-management", "8081", "tier-violation"), ("postgres", "5432", "database-port-published")],
)
def test_a_published_port_is_told_once(faults, service, port, check):
    assert [f.check for f in faults.findings if f.service == service and f" {port} " in f.message] == [check]


def test_the_faulty_one_fails_its_gate():
    done = auditor("gate", "--offline", cwd=FAULTS)
    assert done.returncode == 1


@pytest.mark.parametrize("folder", [DECENT, FAULTS], ids=["decent", "faults"])
def test_compose_itself_reads_the_same(folder, docker_compose: Run):
    theirs = docker_compose("config", "--format", "json", cwd=folder, env=environment({}))
    assert theirs.returncode == 0, theirs.stderr
    ours = auditor("config", "--format", "json", cwd=folder)
    assert ours.returncode == 0, ours.stderr
    assert json.loads(ours.stdout) == json.loads(theirs.stdout)


def test_prometheus_and_alertmanager_accept_their_files(promtool: Run, amtool: Run, tmp_path):
    monitoring = DECENT / "monitoring"
    config = (monitoring / "prometheus/prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(config.replace("/etc/prometheus", str(monitoring / "prometheus")))
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rule files found" in done.stdout
    assert amtool("check-config", monitoring / "alertmanager/alertmanager.yml").returncode == 0
