"""The generated rules: accepted by promtool, and each alert fires, stays silent and stays silent without its series."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.catalogue import parse_catalogue
from exporters import rules

REPOSITORY = Path(__file__).parent.parent
EXAMPLE = REPOSITORY / "compose/examples/auterity/catalogue.yaml"
HOSTILE = """\
environments: {"main": {}}
services:
  web:
    title: 'say "{{ $labels.x }}" \\ twice'
    owner: 'a"b{{c}}'
    runbook: 'https://runbooks.example/{{ $value }}'
    criticality: critical
  part: {lifecycle: embedded, embedded_in: web}
"""


def write(files: dict[str, str], directory: Path) -> list[Path]:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [directory / name for name in files]


def alerts(text: str) -> list[dict[str, object]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_committed_rules_are_fresh():
    generated = rules.generate(parse_catalogue(EXAMPLE.read_bytes(), "catalogue.yaml"))
    assert {name: (REPOSITORY / name).read_text() for name in generated} == generated
    assert sorted(str(p.relative_to(REPOSITORY)) for p in (REPOSITORY / "rules").rglob("*.yml")) == sorted(generated)


@pytest.mark.component
@pytest.mark.parametrize("catalogue", [EXAMPLE.read_text(), HOSTILE], ids=["example", "hostile"])
def test_promtool_accepts_the_rules_and_runs_their_tests(catalogue, promtool, tmp_path):
    paths = write(rules.generate(parse_catalogue(catalogue.encode(), "catalogue.yaml")), tmp_path)
    for path in paths:
        command = ["test", "rules"] if "tests" in path.parts else ["check", "rules"]
        found = promtool(*command, str(path))
        assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.component
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (" == 1", " == 2"),
        (" == 0", " == 3"),
        ("vector(1)", "vector(1) < 0"),
        ("> 0.8", "> 0.82"),
        ("> 0.95", "> 0.97"),
        ("max(", "min("),
        ("for: 5m", "for: 3m"),
    ],
)
def test_the_unit_tests_fail_when_a_rule_is_wrong(old, new, promtool, tmp_path):
    files = rules.generate(parse_catalogue(b"services: {web: {}}", "catalogue.yaml"))
    spoilt = {name: text if "tests" in name else text.replace(old, new) for name, text in files.items()}
    write(spoilt, tmp_path)
    codes = [promtool("test", "rules", str(path)).returncode for path in tmp_path.rglob("*.test.yml")]
    assert any(codes)


def key(alert: str, labels: dict[str, str]) -> tuple[str | None, ...]:
    return alert, labels.get("service"), labels.get("environment"), labels.get("severity")


def test_every_alert_of_every_service_is_seen_firing_and_silent():
    catalogue = parse_catalogue(b"services: {web: {criticality: critical}, db: {}, queue: {}}", "catalogue.yaml")
    files = rules.generate(catalogue)
    text = files["rules/services.rules.yml"]
    tests = yaml.safe_load(files["rules/tests/services.test.yml"])["tests"]
    seen = Counter()
    for trial in (test["alert_rule_test"][0] for test in tests):
        seen.update(key(trial["alertname"], expected["exp_labels"]) for expected in trial["exp_alerts"])
        seen[trial["alertname"]] += 1
    for rule in alerts(text):
        assert 0 < seen[key(rule["alert"], rule["labels"])] < seen[rule["alert"]], rule["alert"]


def test_every_alert_of_the_auditor_itself_is_seen_firing_and_silent():
    files = rules.generate(parse_catalogue(b"services: {web: {}}", "catalogue.yaml"))
    trials = [t["alert_rule_test"][0] for t in yaml.safe_load(files["rules/tests/auditor.test.yml"])["tests"]]
    seen = Counter((trial["alertname"], bool(trial["exp_alerts"])) for trial in trials)
    for rule in alerts(files["rules/auditor.rules.yml"]):
        assert seen[rule["alert"], True], rule["alert"]
        assert seen[rule["alert"], False] or rule["alert"] == "AuditorWatchdog"


def test_an_embedded_service_has_no_alert_of_its_own():
    text = rules.generate(parse_catalogue(HOSTILE.encode(), "c"))["rules/services.rules.yml"]
    assert {rule["labels"]["service"] for rule in alerts(text)} == {"web"}


def test_severity_follows_criticality():
    catalogue = parse_catalogue(b"services: {a: {criticality: critical}, b: {}, c: {criticality: optional}}", "c")
    text = rules.generate(catalogue)["rules/services.rules.yml"]
    down = {r["labels"]["service"]: r["labels"]["severity"] for r in alerts(text) if r["alert"] == "ServiceDown"}
    assert down == {"a": "critical", "b": "warning", "c": "info"}


@settings(max_examples=50)
@given(st.permutations(["web", "db", "cache", "queue"]))
def test_the_rules_of_a_service_do_not_depend_on_its_neighbours(names):
    catalogue = parse_catalogue(("services: {" + ", ".join(f"{n}: {{}}" for n in names) + "}").encode(), "c")
    text = rules.generate(catalogue)["rules/services.rules.yml"]
    each = len(rules.STATES) + len(rules.RESOURCES) + 1
    assert [rule["labels"]["service"] for rule in alerts(text)][::each] == names


def test_what_has_no_container_has_no_alert_on_its_resources():
    catalogue = parse_catalogue(b"services: {a: {}, b: {lifecycle: external, address: 'http://b'}}", "c")
    text = rules.generate(catalogue)["rules/services.rules.yml"]
    found = {rule["alert"] for rule in alerts(text) if rule["labels"]["service"] == "b"}
    assert found == {*rules.STATES, "ServiceAbsent"}
