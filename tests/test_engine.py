"""Checks are run, their problems stamped, merged by cause, waived, kept apart by baseline; fingerprints keep laws."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor import engine, policy, registry
from auditor.engine import PRECEDENCE
from auditor.inventory import Service, Snapshot
from auditor.model import Criticality, Fault, Finding, Report, Severity
from auditor.policy import Policy
from auditor.registry import BY_CRITICALITY, ByCriticality, Check, Problem
from tests.projects import report_of, snapshot_of

WEB = {"compose": {"services": {"web": {"image": "nginx:1.27.5"}}}}
TWO = {"compose": {"services": {"web": {"image": "nginx:1.27.5"}, "api": {"image": "team/api:1"}}}}


def made(
    name: str,
    *problems: Problem,
    severity: Severity | ByCriticality = Severity.WARNING,
    needs: tuple[str, ...] = (),
    subject: type = Service,
) -> Check:
    """A check that yields these problems of every service."""

    def run(subject: object, snapshot: Snapshot) -> Iterator[Problem]:
        yield from problems

    return Check(name, "gaps", subject, severity, "Mend it.", needs, (), run=run)


def crashing(name: str) -> Check:
    def run(subject: object, snapshot: Snapshot) -> Iterator[Problem]:
        yield Problem("before the crash")
        raise ZeroDivisionError("no subject should do this")

    return Check(name, "gaps", Service, Severity.WARNING, "Mend it.", (), (), run=run)


def audit(planes: dict[str, Any], *checks: Check, **fields: Any) -> Report:
    return engine.audit(snapshot_of(planes), Policy(checks, **fields))


def tally(report: Report, name: str) -> tuple[int, int, str | None, str | None]:
    found = next(item for item in report.checks if item.id == name)
    return found.passed, found.failed, found.skipped, found.error


# --- running -----------------------------------------------------------------------------------------------------


def test_subjects_are_counted() -> None:
    report = audit(TWO, made("good"), made("bad", Problem("a"), Problem("b", key="b")))
    assert tally(report, "good") == (2, 0, None, None)
    assert tally(report, "bad") == (0, 2, None, None)
    assert len(report.findings) == 4


def test_a_crash_is_an_error_and_hides_no_other() -> None:
    report = audit(TWO, crashing("broken"), made("bad", Problem("a")))
    assert tally(report, "broken")[3] == "ZeroDivisionError: no subject should do this"
    assert [finding.check for finding in report.findings] == ["bad", "bad"]
    assert not report.complete


@pytest.mark.parametrize(
    ("planes", "needs", "skipped", "complete"),
    [
        (WEB, ("docker",), "docker: not asked", True),
        (WEB | {"sources": {"docker": "failed"}}, ("docker",), "docker: made to fail", False),
        (WEB | {"sources": {"docker": "stale"}}, ("docker",), "docker: made to fail", False),
        (WEB, ("catalogue",), "catalogue: not asked", True),
        (WEB, ("compose",), None, True),
        ({"catalogue": {"services": {"web": {}}}}, ("compose", "documents"), "compose: not asked", True),
    ],
)
def test_a_check_is_skipped_with_its_reason(
    planes: dict[str, Any], needs: tuple[str, ...], skipped: str | None, complete: bool
) -> None:
    report = audit(planes, made("needy", Problem("a"), needs=needs))
    assert tally(report, "needy")[2] == skipped
    assert bool(report.findings) is (skipped is None)
    assert report.complete is complete


@pytest.mark.parametrize(
    ("sources", "skipped"),
    [
        ({}, "docker: not asked"),
        ({"docker": "ok"}, None),
        ({"probes": "ok"}, None),
        ({"docker": "failed", "probes": "ok"}, None),
        ({"probes": "failed"}, "probes: made to fail"),
        ({"docker": "failed"}, "docker: made to fail"),
    ],
)
def test_one_of_several_sources_may_be_enough(sources: dict[str, str], skipped: str | None) -> None:
    check = replace(made("needy", Problem("a")), either=("docker", "probes"))
    assert tally(audit(WEB | {"sources": sources}, check), "needy")[2] == skipped


def test_a_missing_shipper_is_said_once() -> None:
    targets = {"scrape_configs": [{"job_name": "logs", "static_configs": [{"targets": ["promtail:9080"]}]}]}
    planes = {"compose": {"services": {"loki": {"image": "grafana/loki:3.4.2"}}}, "prometheus": targets}
    report = report_of(planes, "log-shipper-missing", "referenced-not-deployed", "phantom-target")
    assert [(finding.check, finding.service) for finding in report.findings] == [
        ("referenced-not-deployed", "promtail")
    ]


def test_a_check_without_subjects_is_skipped_where_it_could_not_look() -> None:
    nothing = {"catalogue": {"services": {"web": {}}}, "sources": {"docker": "failed"}}
    report = audit(nothing, made("needy", subject=Fault, needs=("docker",)))
    assert tally(report, "needy") == (0, 0, "docker: made to fail", None)


def test_a_source_that_failed_in_one_environment_blinds_no_other() -> None:
    planes = {
        "environments": ["a", "b"],
        "catalogue": {
            "environments": {"a": {"compose": ["a.yml"]}, "b": {"compose": ["b.yml"]}},
            "services": {"web": {}},
        },
        "files": {"a.yml": "services: [", "b.yml": "services: {web: {image: 'nginx:1.27.5'}}"},
    }
    report = audit(planes, made("needy", Problem("a"), needs=("compose",)))
    assert [finding.environment for finding in report.findings] == ["b"]
    assert tally(report, "needy")[:2] == (0, 1)


# --- stamping ----------------------------------------------------------------------------------------------------


def only(report: Report) -> Finding:
    (finding,) = report.findings
    return finding


@pytest.mark.parametrize(
    ("criticality", "severity"),
    [("critical", Severity.CRITICAL), ("standard", Severity.WARNING), ("optional", Severity.WARNING)],
)
def test_severity_by_criticality(criticality: str, severity: Severity) -> None:
    planes = WEB | {"catalogue": {"services": {"web": {"criticality": criticality}}}}
    assert only(audit(planes, made("bad", Problem("a"), severity=BY_CRITICALITY))).severity is severity


def test_severity_is_that_of_the_policy_then_of_the_problem_then_of_the_check() -> None:
    problem = Problem("a", severity=Severity.INFO)
    assert only(audit(WEB, made("bad", problem))).severity is Severity.INFO
    told = audit(WEB, made("bad", problem), severities={"bad": Severity.CRITICAL})
    assert only(told).severity is Severity.CRITICAL


def test_what_belongs_to_a_components_nature_is_told_as_info() -> None:
    planes = {"compose": {"services": {"logs": {"image": "grafana/promtail:3.4.2"}}}}
    found = only(audit(planes, made("root-user", Problem("it is root"))))
    assert found.severity is Severity.INFO
    assert found.evidence[-1].source == "knowledge"


def test_a_problem_is_told_of_its_subject_where_it_says_nothing_else() -> None:
    report = audit(
        WEB, made("bad", Problem("a")), made("other", Problem("b", service="db", environment="prod", fix="Do."))
    )
    by_check = {finding.check: finding for finding in report.findings}
    assert (by_check["bad"].service, by_check["bad"].environment) == ("web", "default")
    assert str(by_check["bad"].locations[0]) == "docker-compose.yml:2"
    assert by_check["bad"].fix == "Mend it."
    assert (by_check["other"].service, by_check["other"].environment, by_check["other"].fix) == ("db", "prod", "Do.")


def test_options_reach_the_check() -> None:
    def run(service: Service, snapshot: Snapshot, *, days: int = 14) -> Iterator[Problem]:
        yield Problem(f"{days} days")

    item = Check("late", "gaps", Service, Severity.INFO, "Mend it.", (), (), {"days": 14}, run)
    assert only(audit(WEB, item)).message == "14 days"
    assert only(audit(WEB, item, options={"late": {"days": 3}})).message == "3 days"


def test_order_is_by_severity_then_name() -> None:
    report = audit(
        TWO, made("b", Problem("x"), severity=Severity.INFO), made("a", Problem("y"), severity=Severity.CRITICAL)
    )
    assert [(f.check, f.service) for f in report.findings] == [("a", "api"), ("a", "web"), ("b", "api"), ("b", "web")]


# --- one cause, one finding --------------------------------------------------------------------------------------


def test_one_cause_is_one_finding_and_what_loses_becomes_its_evidence() -> None:
    cause = Problem("the target is missing", cause="missing:x")
    winner = Problem("x is composed elsewhere", cause="missing:x", severity=Severity.INFO)
    found = only(audit(WEB, made("phantom-target", cause), made("composed-elsewhere", winner)))
    assert (found.check, found.severity) == ("composed-elsewhere", Severity.WARNING)
    assert [(e.source, e.text) for e in found.evidence] == [("phantom-target", "the target is missing")]


@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise(PRECEDENCE)))
def test_precedence(first: str, second: str) -> None:
    checks = [made(name, Problem(name, cause="c")) for name in (second, first)]
    assert only(audit(WEB, *checks)).check == first


def test_two_causes_and_two_environments_are_not_merged() -> None:
    report = audit(
        WEB,
        made("a", Problem("1", cause="x"), Problem("2", cause="y"), Problem("3", cause="x", environment="prod")),
        made("b", Problem("4"), Problem("5")),
    )
    assert [finding.message for finding in report.findings] == ["1", "2", "4", "5", "3"]


PUBLISHED = (
    {"composed-elsewhere"},
    {"configured-not-deployed"},
    {"implemented-not-deployed"},
    {"referenced-not-deployed"},
    {"external-only"},
    {"declared-not-composed"},
    {"alertmanager-missing", "exporter-missing", "log-shipper-missing"},
    {"claimed-not-composed", "phantom-target", "not-scraped", "alertmanager-not-connected"},
)


def test_the_order_for_a_missing_component_is_the_published_one() -> None:
    ranks = [sorted(PRECEDENCE.index(name) for name in names) for names in PUBLISHED]
    assert all(before[-1] < after[0] for before, after in itertools.pairwise(ranks))


def test_every_name_in_the_order_that_is_built_is_spelt_like_its_check() -> None:
    later = {"undefined-dependency", "duplicate-container-name"}
    assert set(PRECEDENCE) - later <= set(registry.checks())


MISSING = {
    "catalogue": {
        "environments": {
            "unified": {"compose": ["unified.yml"], "prometheus": {"config": "prometheus.yml"}},
            "prod": {"compose": ["prod.yml"]},
        },
        "services": {"prometheus": {}, "web": {}, "alertmanager": {"criticality": "critical"}},
    },
    "documents": {"README.md": "## Services\n\n- Prometheus\n- web\n- Alertmanager\n"},
    "files": {
        "unified.yml": "services: {prometheus: {image: 'prom/prometheus:v3.5.0'}, web: {image: 'nginx:1.27.5'}}",
        "prod.yml": "services: {alertmanager: {image: 'prom/alertmanager:v0.28.1'}}",
        "prometheus.yml": yaml.safe_dump(
            {
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
                "scrape_configs": [{"job_name": "a", "static_configs": [{"targets": ["alertmanager:9093"]}]}],
            }
        ),
        "monitoring/alertmanager/alertmanager.yml": "route: {receiver: a}\nreceivers: [{name: a}]\n",
    },
}


def test_a_missing_alertmanager_is_said_once() -> None:
    chain = set().union(*PUBLISHED)
    (told,) = [f for f in report_of(MISSING).findings if f.service == "alertmanager" and f.check in chain]
    assert (told.check, told.severity) == ("composed-elsewhere", Severity.CRITICAL)
    lost = {"configured-not-deployed", "referenced-not-deployed", "declared-not-composed", "alertmanager-missing"}
    assert lost | {"phantom-target", "claimed-not-composed"} <= {evidence.source for evidence in told.evidence}


# --- waivers and baseline ----------------------------------------------------------------------------------------


def waiving(**fields: Any) -> dict[str, Any]:
    waiver = {"check": "no-memory-limit", "reason": "trial", "owner": "platform", "until": "2026-03-01"} | fields
    return TWO | {"catalogue": {"services": {"web": {}, "api": {}}, "waivers": [waiver]}}


def waived(planes: dict[str, Any]) -> list[str | None]:
    report = report_of(planes, "no-memory-limit")
    assert len(report.findings) == 2, "waived findings stay listed"
    assert report.summary.waived == sum(finding.waiver is not None for finding in report.findings)
    assert report.summary.warning == 2 - report.summary.waived
    return [finding.service for finding in report.findings if finding.waiver]


@pytest.mark.parametrize(
    ("fields", "services"),
    [
        ({}, ["api", "web"]),
        ({"service": "web"}, ["web"]),
        ({"service": "web", "field": "memory_limit"}, ["web"]),
        ({"service": "web", "field": "restart"}, []),
        ({"until": "2026-02-28"}, []),
        ({"check": "no-restart-policy"}, []),
    ],
)
def test_a_waiver_covers_its_check_service_and_field_until_its_day(fields: dict[str, str], services: list[str]) -> None:
    assert waived(waiving(**fields)) == services


def test_a_baseline_keeps_what_it_knows_out_of_the_summary() -> None:
    first = report_of(TWO, "no-memory-limit")
    known = policy.read_baseline(policy.write_baseline(first), "baseline.json")
    checks = (registry.checks()["no-memory-limit"],)
    again = engine.audit(snapshot_of(TWO), Policy(checks, baseline=known))
    assert [finding.baselined for finding in again.findings] == [True, True]
    assert (again.summary.warning, again.summary.baselined) == (0, 2)
    assert again.notes == ()


def test_paid_off_entries_of_a_baseline_are_reported() -> None:
    known = policy.read_baseline(policy.write_baseline(report_of(TWO, "no-memory-limit")), "baseline.json")
    checks = (registry.checks()["no-memory-limit"],)
    report = engine.audit(snapshot_of(WEB), Policy(checks, baseline=known | {"0" * 32}))
    assert report.notes == ("2 of 3 baseline entries are paid off and can be removed from the file",)


def test_a_critical_finding_caps_coverage() -> None:
    planes = WEB | {"containers": [{"name": "web-1", "service": "web", "health": "healthy"}]}
    good = audit(planes, made("bad", Problem("a")))
    capped = audit(planes, made("bad", Problem("a"), severity=Severity.CRITICAL))
    assert (good.coverage, good.services[0].coverage) == (1.0, 1.0)
    assert (capped.coverage, capped.services[0].coverage) == (0.99, 0.99)


def test_a_waived_critical_finding_caps_nothing() -> None:
    waiver = {"check": "default-secret", "reason": "trial", "owner": "platform", "until": "2026-12-31"}
    compose = {"services": {"web": {"image": "team/web:1", "environment": {"JWT_SECRET": "changeme"}}}}
    planes = {
        "compose": compose,
        "catalogue": {"services": {"web": {}}, "waivers": [waiver]},
        "containers": [{"name": "web-1", "service": "web", "health": "healthy"}],
    }
    assert report_of(planes, "default-secret").coverage == 1.0


# --- faults ------------------------------------------------------------------------------------------------------


def test_a_fault_is_told_by_its_own_check_only() -> None:
    planes = {"catalogue": {"services": {"web": {}}}, "compose": {"services": {"web": {"image": "a", "imagee": "b"}}}}
    report = report_of(planes, "invalid-yaml", "invalid-compose", "duplicate-key")
    assert [finding.check for finding in report.findings] == ["invalid-compose"]
    assert tally(report, "invalid-yaml") == (0, 0, None, None)


# --- fingerprints ------------------------------------------------------------------------------------------------

STACK = {
    "catalogue": {
        "services": {
            "web": {"depends_on": ["databse", "cache"], "metrics": {"port": 80}},
            "cache": {"image": "redis:7.4"},
            "minio": {},
            "agent": {"lifecycle": "process", "ports": [9]},
        }
    },
    "documents": {"README.md": "# Shop\n\n12 services run here.\n\n## Services\n\n- web\n- cache\n- minio\n- Ledger\n"},
    "compose": {
        "services": {
            "web": {"image": "nginx", "environment": {"API_TOKEN": "made-up-4f9a", "DB_URL": "postgres://db:5432/a"}},
            "cache": {"image": "redis:7.2"},
            "spare": {"image": "redis:7.2", "ports": ["80:80"]},
            "prometheus": {"image": "prom/prometheus:v3.5.0"},
            "loki": {"image": "grafana/loki:3.4.2"},
        }
    },
    "prometheus": {
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alerts:9093"]}]}]},
        "scrape_configs": [
            {"job_name": "a", "static_configs": [{"targets": ["ghost:1", "minio:9000", "ghost:2"]}]},
            {"job_name": "b", "static_configs": [{"targets": ["phantom:1"]}]},
        ],
    },
    "containers": [
        {"name": "web-1", "service": "web", "state": "exited", "exit_code": 1},
        {"name": "cache-1", "service": "cache", "image": "redis:6", "health": "unhealthy"},
        {"name": "by-hand"},
    ],
    "listeners": [],
}


def prints(planes: dict[str, Any]) -> dict[str, str]:
    """Fingerprints and messages, those of style left out: what judges an order cannot survive another one."""
    style = {item.id for item in registry.checks().values() if item.theme == "style"}
    return {f.fingerprint: f.message for f in report_of(planes).findings if f.check not in style}


def shuffled(value: Any, dice: random.Random) -> Any:
    """The same mappings and lists of names in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, dice)) for key, item in value.items()]
        dice.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        items = [shuffled(item, dice) for item in value]
        dice.shuffle(items)
        return items
    return value


def test_the_stack_has_problems_of_many_checks() -> None:
    assert len({finding.check for finding in report_of(STACK).findings}) > 15


def test_no_two_findings_share_a_fingerprint() -> None:
    report = report_of(STACK)
    assert len({finding.fingerprint for finding in report.findings}) == len(report.findings)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_fingerprints_survive_reordering(seed: int) -> None:
    moved = shuffled({k: v for k, v in STACK.items() if k != "documents"}, random.Random(seed))  # noqa: S311  a die, no key
    assert prints(moved | {"documents": STACK["documents"]}).keys() == prints(STACK).keys()


@settings(max_examples=10, deadline=None)
@given(lines=st.integers(1, 40))
def test_fingerprints_survive_moved_lines(lines: int) -> None:
    above = "# nothing\n" * lines
    texts = {
        plane: above + yaml.safe_dump(STACK[plane], sort_keys=False) for plane in ("catalogue", "compose", "prometheus")
    }
    assert prints(STACK | texts).keys() == prints(STACK).keys()


@settings(max_examples=10, deadline=None)
@given(name=st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_fingerprints_survive_renamed_files(name: str) -> None:
    catalogue = STACK["catalogue"] | {"environments": {"default": {"compose": [f"{name}/stack.yml"]}}}
    files = {f"{name}/stack.yml": "name: main\n" + yaml.safe_dump(STACK["compose"])}
    renamed = {key: value for key, value in STACK.items() if key != "compose"} | {
        "catalogue": catalogue,
        "files": files,
    }
    named = STACK | {"compose": {"name": "main"} | STACK["compose"]}
    assert prints(renamed).keys() == prints(named).keys()


def test_a_fingerprint_changes_with_check_environment_service_and_key() -> None:
    base = ("check", "prod", "web", "key")
    others = [(*base[:i], "other", *base[i + 1 :]) for i in range(4)]
    assert len({engine.fingerprint(*parts) for parts in (base, *others)}) == 5
    assert engine.fingerprint("a", None, "b", "") != engine.fingerprint("a", "b", None, "")


def test_the_same_snapshot_gives_the_same_report() -> None:
    snapshot = snapshot_of(STACK)
    checks = tuple(registry.checks().values())
    assert engine.audit(snapshot, Policy(checks)) == engine.audit(replace(snapshot), Policy(checks))


def test_criticality_of_the_service_that_is_named_decides() -> None:
    planes = WEB | {"catalogue": {"services": {"web": {}, "db": {"criticality": "critical"}}}}
    checks = (made("bad", Problem("a", service="db"), severity=BY_CRITICALITY),)
    severities = {finding.severity for finding in audit(planes, *checks).findings}
    assert severities == {Severity.CRITICAL}
    assert snapshot_of(planes).services[1].criticality is Criticality.CRITICAL
