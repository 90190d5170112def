"""Prometheus configuration files: jobs, rules, alertmanagers, and where each of them is written."""

from __future__ import annotations

import pytest

from auditor.errors import EvidenceError, TextError
from auditor.model import Address, PrometheusConfig
from auditor.sources.prometheus import Resolve, address_of, parse_prometheus
from tests.builders import MemoryTree

PATH = "monitoring/prometheus/prometheus.yml"


def nowhere(_path: str) -> None:
    return None


def mounted(path: str) -> str | None:
    """The whole directory is mounted."""
    return path.replace("/etc/prometheus", "monitoring/prometheus") if path.startswith("/etc/prometheus/") else None


def config(text: str, resolve: Resolve = nowhere, **files: str) -> PrometheusConfig:
    named = {f"monitoring/prometheus/{name.replace('__', '/')}.yml": content for name, content in files.items()}
    place = "/etc/prometheus/prometheus.yml" if resolve is not nowhere else None
    return parse_prometheus(MemoryTree({PATH: text, **named}), PATH, "prod", resolve, place)


def faults(text: str, **files: str) -> list[tuple[str, str, str]]:
    return [(fault.check, fault.message, str(fault.location)) for fault in config(text, mounted, **files).faults]


WHOLE = """\
global: {scrape_interval: 15s}
rule_files:
  - rules/*.yml
alerting:
  alertmanagers:
    - static_configs:
        - targets: ['alertmanager:9093']
scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ['localhost:9090']
  - job_name: 'backend'
    metrics_path: /internal/metrics
    scheme: https
    static_configs:
      - targets:
          - backend:8000
          - backend-2
        labels: {tier: core}
  - job_name: containers
    docker_sd_configs: [{host: unix:///var/run/docker.sock}]
"""


def test_jobs_targets_and_their_lines() -> None:
    found = config(WHOLE)
    assert [(job.name, job.discovery) for job in found.jobs] == [
        ("prometheus", ()),
        ("backend", ()),
        ("containers", ("docker_sd_configs",)),
    ]
    assert [(t.address, t.metrics_path, t.location.line) for t in found.jobs[1].targets] == [
        (Address("backend", 8000, "https"), "/internal/metrics", 17),
        (Address("backend-2", 443, "https"), "/internal/metrics", 18),
    ]
    assert found.faults == ()


def test_alerting_section() -> None:
    found = config(WHOLE)
    assert str(found.alerting) == f"{PATH}:4"
    assert [(t.address.host, t.address.port, t.location.line) for t in found.alertmanagers] == [
        ("alertmanager", 9093, 7)
    ]
    assert config("alerting: {alertmanagers: []}").alerting is not None
    assert config("scrape_configs: []").alerting is None


def test_alertmanagers_that_are_discovered() -> None:
    found = config("alerting:\n  alertmanagers:\n    - dns_sd_configs: [{names: [alerts]}]\n")
    assert found.alertmanagers == ()
    assert found.alertmanager_discovery == ("dns_sd_configs",)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "{}"])
def test_an_empty_configuration_is_one(text: str) -> None:
    assert config(text).jobs == ()


@pytest.mark.parametrize(("text", "line"), [("- a\n", 1), ("a: [\n", 2), ("a: 1\na: 2\n", 2), ("just words\n", 1)])
def test_what_is_no_configuration(text: str, line: int) -> None:
    with pytest.raises(TextError) as caught:
        config(text)
    assert (caught.value.path, caught.value.line) == (PATH, line)


def test_a_missing_configuration() -> None:
    with pytest.raises(EvidenceError):
        parse_prometheus(MemoryTree({}), PATH, "prod", nowhere)


# --- rule files ----------------------------------------------------------------------------------------------

RULES = """\
groups:
  - name: services
    rules:
      - alert: RedisDown
        expr: up{job="redis"} == 0
        labels: {severity: critical, paging: true}
      - record: job:up:sum
        expr: sum(up)
"""


@pytest.mark.parametrize(
    ("pattern", "resolve", "files"),
    [
        ("rules/*.yml", nowhere, ("monitoring/prometheus/rules/a.yml",)),
        ("rules/*.yml", mounted, ("monitoring/prometheus/rules/a.yml",)),
        ("/etc/prometheus/rules/*.yml", mounted, ("monitoring/prometheus/rules/a.yml",)),
        ("/etc/prometheus/rules/*.yml", nowhere, ("monitoring/prometheus/rules/a.yml",)),
        ("rules/a.yml", nowhere, ("monitoring/prometheus/rules/a.yml",)),
        ("rules/[^b].yml", nowhere, ("monitoring/prometheus/rules/a.yml",)),
        ("**/a.yml", nowhere, ("monitoring/prometheus/rules/a.yml",)),
        ("rules/missing.yml", nowhere, ()),
        ("rules/*.yaml", nowhere, ()),
        ("**/b/*.yml", nowhere, ()),
        ("/rules/*.yml", mounted, None),
        ("/rules/*.yml", nowhere, None),
        ("../../../out/*.yml", nowhere, None),
    ],
)
def test_rule_patterns(pattern: str, resolve: Resolve, files: tuple[str, ...] | None) -> None:
    found = config(f"rule_files:\n  - '{pattern}'\n", resolve, rules__a=RULES)
    assert [(p.pattern, p.location.line, p.files) for p in found.rule_patterns] == [(pattern, 2, files)]
    assert bool(found.rules) == bool(files)


@pytest.mark.parametrize("place", ["/etc/prometheus/prometheus.yml", "/etc/prometheus/another.yml"])
def test_rules_mounted_from_elsewhere(place: str) -> None:
    def resolve(path: str) -> str | None:
        return {place: PATH, "/etc/prometheus/alerts/*.yml": "ops/alerts/*.yml"}.get(path)

    tree = MemoryTree({PATH: "rule_files: [alerts/*.yml]", "ops/alerts/x.yml": RULES})
    assert [rule.name for rule in parse_prometheus(tree, PATH, "prod", resolve, place).rules] == ["RedisDown"]


def test_rules_beside_a_configuration_that_is_mounted_alone() -> None:
    def resolve(path: str) -> str | None:
        return PATH if path == "/etc/prometheus/prometheus.yml" else None

    assert config("rule_files: [rules/*.yml]", resolve, rules__a=RULES).rule_patterns[0].files is None


def test_alert_rules() -> None:
    (rule,) = config("rule_files: [rules/a.yml]", rules__a=RULES).rules
    assert (rule.name, rule.expr) == ("RedisDown", 'up{job="redis"} == 0')
    assert rule.labels == {"severity": "critical", "paging": "true"}
    assert str(rule.location) == "monitoring/prometheus/rules/a.yml:4"


@pytest.mark.parametrize(
    ("rules", "message", "line"),
    [
        ("- a\n", "a rule file is a mapping with a list of `groups`", 1),
        ("groups: 1\n", "a rule file is a mapping with a list of `groups`", 1),
        ("groups:\n  - rules: []\n", "a rule group without `name`", 2),
        ("groups:\n  - text\n", "a rule group without `name`", 1),
        ("groups:\n  - {name: a}\n  - {name: a}\n", "two rule groups are called `a`", 3),
        ("groups:\n  - name: a\n    rules: 1\n", "`rules` of group `a` is no list", 3),
        ("groups:\n  - name: a\n    rules:\n      - expr: up\n", "a rule of group `a` wants `alert` or `record`", 4),
        ("groups:\n  - name: a\n    rules:\n      - {alert: X, record: y, expr: up}\n", "a rule of group `a` wants", 4),
        (
            "groups:\n  - name: a\n    rules:\n      - {alert: '', expr: up}\n",
            "a rule of group `a` has an empty `alert`",
            4,
        ),
        ("groups:\n  - name: a\n    rules:\n      - alert: X\n", "rule `X` has no `expr`", 4),
        ("groups:\n  - name: a\n    rules:\n      - {alert: X, expr: [up]}\n", "rule `X` has no `expr`", 4),
        ("groups: [\n", "not valid YAML", 2),
    ],
)
def test_rules_that_prometheus_refuses(rules: str, message: str, line: int) -> None:
    ((check, said, place),) = faults("rule_files: [rules/a.yml]", rules__a=rules)
    assert check == "rule-invalid"
    assert said.startswith(message)
    assert place.startswith("monitoring/prometheus/rules/a.yml:")
    if "text" not in rules:
        assert place.endswith(f":{line}")


def test_one_bad_rule_hides_no_other() -> None:
    text = "groups:\n  - name: a\n    rules: [{alert: X}, {alert: Y, expr: up}, {alert: Z, expr: 1}]\n  - {name: e}\n"
    found = config("rule_files: [rules/a.yml]", rules__a=text)
    assert [rule.name for rule in found.rules] == ["Y", "Z"]
    assert len(found.faults) == 1


@pytest.mark.parametrize("text", ["", "groups:\n", "groups: []\n", "groups: [{name: a, rules: }]\n"])
def test_rule_files_without_rules(text: str) -> None:
    assert faults("rule_files: [rules/a.yml]", rules__a=text) == []


# --- what is not static --------------------------------------------------------------------------------------

BLACKBOX = """\
scrape_configs:
  - job_name: blackbox
    metrics_path: /probe
    static_configs:
      - targets: [https://example.com, http://web:8080/health]
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - target_label: __address__
        replacement: blackbox-exporter:9115
"""


def test_the_blackbox_pattern_scrapes_the_exporter() -> None:
    (job,) = config(BLACKBOX).jobs
    assert job.discovery == ()
    assert [(str(t.address.host), t.address.port, t.location.line, t.probed) for t in job.targets] == [
        ("blackbox-exporter", 9115, 9, "https://example.com"),
        ("blackbox-exporter", 9115, 9, "http://web:8080/health"),
    ]
    assert config(BLACKBOX).faults == ()


def test_an_address_that_no_rule_makes_usable_is_discovery() -> None:
    text = BLACKBOX.replace("- target_label: __address__", "- regex: shop.*\n        target_label: __address__")
    (job,) = config(text).jobs
    assert (job.targets, job.discovery) == ((), ("relabel_configs",))


def test_addresses_made_of_labels_are_discovery() -> None:
    text = BLACKBOX.replace("blackbox-exporter:9115", "$1:9100")
    (job,) = config(text).jobs
    assert (job.targets, job.discovery) == ((), ("relabel_configs",))


def test_other_relabelling_changes_no_target() -> None:
    text = "scrape_configs:\n  - job_name: a\n    static_configs: [{targets: [a:1]}]\n"
    text += "    relabel_configs: [{source_labels: [__address__], target_label: instance}]\n"
    (job,) = config(text).jobs
    assert ([t.address.host for t in job.targets], job.discovery) == (["a"], ())


def test_target_files_in_the_tree() -> None:
    text = "scrape_configs:\n  - job_name: a\n    file_sd_configs: [{files: [targets/*.yml]}]\n"
    (job,) = config(text, targets__x="- targets:\n    - one:1\n    - two:2\n  labels: {a: b}\n").jobs
    assert [(t.address.host, str(t.location)) for t in job.targets] == [
        ("one", "monitoring/prometheus/targets/x.yml:2"),
        ("two", "monitoring/prometheus/targets/x.yml:3"),
    ]
    assert job.discovery == ()


def test_target_files_that_are_not_there() -> None:
    text = "scrape_configs:\n  - job_name: a\n    file_sd_configs: [{files: [/run/targets/*.json]}]\n"
    (job,) = config(text).jobs
    assert (job.targets, job.discovery) == ((), ("file_sd_configs",))


def test_target_files_in_json() -> None:
    text = "scrape_configs:\n  - job_name: a\n    file_sd_configs: [{files: [t.json]}]\n"
    tree = MemoryTree({"p.yml": text, "t.json": '[{"targets": ["one:1"], "labels": {"a": "b"}}]'})
    (job,) = parse_prometheus(tree, "p.yml", "prod", nowhere).jobs
    assert [t.address.host for t in job.targets] == ["one"]


def test_a_broken_target_file_hides_no_other_job() -> None:
    text = "scrape_configs:\n  - job_name: a\n    file_sd_configs: [{files: [t.yml]}]\n  - job_name: b\n"
    found = config(text, t="- [\n")
    assert [job.name for job in found.jobs] == ["a", "b"]
    assert [(fault.check, fault.location.path) for fault in found.faults] == [
        ("invalid-yaml", "monitoring/prometheus/t.yml")
    ]


def test_scrape_configuration_files() -> None:
    found = config("scrape_config_files: [jobs/*.yml, /away/*.yml]", jobs__x="scrape_configs: [{job_name: extra}]\n")
    assert [(job.name, job.location.path, job.discovery) for job in found.jobs] == [
        ("extra", "monitoring/prometheus/jobs/x.yml", ()),
        ("/away/*.yml", PATH, ("scrape_config_files",)),
    ]


def test_a_target_that_a_template_fills_in_is_left_out() -> None:
    text = "scrape_configs: [{job_name: a, static_configs: [{targets: ['${HOST}:9100', b:1]}]}]"
    (job,) = config(text).jobs
    assert [t.address.host for t in job.targets] == ["b"]
    assert config(text).faults == ()


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("scrape_configs: 1\n", "`scrape_configs` is no list", 1),
        ("scrape_configs:\n  - text\n", "an item of `scrape_configs` is no mapping", 2),
        ("scrape_configs:\n  - scheme: http\n", "a scrape job without `job_name`", 2),
        ("scrape_configs:\n  - job_name: a\n  - job_name: a\n", "two scrape jobs are called `a`", 3),
        ("scrape_configs:\n  - job_name: a\n    scheme: 1\n", "`scheme` is no text", 3),
        ("scrape_configs:\n  - job_name: a\n    static_configs: {}\n", "`static_configs` is no list", 3),
        ("scrape_configs:\n  - job_name: a\n    static_configs: [{targets: x}]\n", "`targets` is no list", 3),
        (
            "scrape_configs:\n- job_name: a\n  static_configs: [{targets: [1]}]\n",
            "a target of job `a` is no `host:port`",
            3,
        ),
        ("scrape_configs:\n- job_name: a\n  static_configs: [{targets: ['a:99999']}]\n", "a target of job `a`", 3),
        ("rule_files: rules\n", "`rule_files` is no list", 1),
        ("rule_files:\n  - {a: b}\n", "an item of `rule_files` is no text", 2),
        ("alerting: []\n", "`alerting` is no mapping", 1),
    ],
)
def test_odd_parts_are_faults_and_no_crash(text: str, message: str, line: int) -> None:
    ((check, said, place),) = faults(text)
    assert check == "invalid-yaml"
    assert said.startswith(message)
    assert place == f"{PATH}:{line}"


def test_no_secret_is_kept() -> None:
    text = "scrape_configs:\n  - job_name: a\n    basic_auth: {username: u, password: made-up-secret}\n"
    text += "    static_configs: [{targets: [a:1], labels: {token: made-up-secret}}]\n"
    assert "made-up-secret" not in repr(config(text))


@pytest.mark.parametrize(
    ("target", "scheme", "address"),
    [
        ("a:1", "http", ("a", 1)),
        ("a", "http", ("a", 80)),
        ("a", "https", ("a", 443)),
        ("10.0.0.1:9100", "http", ("10.0.0.1", 9100)),
        ("[::1]:9090", "http", ("::1", 9090)),
        ("[::1]", "http", ("::1", 80)),
        ("my_host.local:80", "http", ("my_host.local", 80)),
        ("a:0", "http", None),
        ("a:65536", "http", None),
        ("a:b", "http", None),
        ("a:1:2", "http", None),
        ("http://a:1", "http", None),
        ("[]:1", "http", None),
        ("[::1", "http", None),
        ("", "http", None),
        ("-", "http", None),
    ],
)
def test_address_of(target: str, scheme: str, address: tuple[str, int] | None) -> None:
    found = address_of(target, scheme)
    assert (found and (found.host, found.port)) == address


def test_a_path_that_prometheus_refuses_for_files_of_targets() -> None:
    names = "t.json, 'a/*.yml', 'a/b*', 'a/*/b.yml', t.toml"
    text = f"scrape_configs:\n  - job_name: a\n    file_sd_configs:\n      - files: [{names}]\n"
    refused = [message.split("`")[1] for _, message, _ in faults(text)]
    assert refused == ["a/b*", "a/*/b.yml", "t.toml"]  # as promtool does
