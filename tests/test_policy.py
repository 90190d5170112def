"""Which checks run, what may be set for them, what a waiver covers, and when the gate closes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import yaml

from auditor import policy, registry
from auditor.catalogue import parse_catalogue
from auditor.errors import AuditorError, CatalogueError, SettingsError, UsageError
from auditor.model import Catalogue, Location, Severity, Waiver
from auditor.policy import ALWAYS, NOT_RECOMMENDED, build
from auditor.settings import Settings
from tests.builders import finding, report

CHECKS = registry.checks()
INFO = {item.id for item in CHECKS.values() if item.severity is Severity.INFO}


def catalogue(**top: Any) -> Catalogue:
    content = {"services": {"web": {}}} | top
    return parse_catalogue(yaml.safe_dump(content).encode(), "catalogue.yaml")


def chosen(settings: Settings | None = None, **top: Any) -> set[str]:
    return {item.id for item in build(catalogue(**top), settings or Settings()).checks}


# --- which checks run --------------------------------------------------------------------------------------------


def test_recommended_is_the_default() -> None:
    assert chosen() == chosen(Settings(select=("recommended",)))


def test_recommended() -> None:
    themes = {"gaps", "claims", "drift", "health", "observability", "catalogue"}
    wanted = {n for n, item in CHECKS.items() if (item.theme in themes or n not in INFO) and n not in NOT_RECOMMENDED}
    assert chosen() == wanted


def test_gaps() -> None:
    themes = {CHECKS[name].theme for name in chosen(Settings(select=("gaps",))) - ALWAYS}
    assert themes == {"gaps", "claims", "drift", "health", "observability"}


def test_all_is_everything_but_style() -> None:
    assert chosen(Settings(select=("all",))) == {name for name, item in CHECKS.items() if item.theme != "style"}


def test_what_cannot_be_read_is_told_whatever_is_chosen() -> None:
    assert set(CHECKS) >= ALWAYS
    assert chosen(Settings(select=("no-owner",), ignore=("invalid-yaml", "all"))) == ALWAYS


@pytest.mark.parametrize(
    ("settings", "top", "added"),
    [
        (Settings(select=("no-owner",)), {}, {"no-owner"}),
        (Settings(select=("no-owner", "no-tier")), {}, {"no-owner", "no-tier"}),
        (Settings(), {"select": ["no-owner"]}, {"no-owner"}),
        (Settings(select=("no-tier",)), {"select": ["no-owner"]}, {"no-tier"}),
        (Settings(select=("no-tier", "no-owner")), {"ignore": ["no-owner"]}, {"no-tier"}),
        (Settings(select=("no-tier", "gaps"), ignore=("gaps",)), {}, {"no-tier"}),
        (Settings(select=("style",)), {}, {name for name, item in CHECKS.items() if item.theme == "style"}),
    ],
)
def test_selection(settings: Settings, top: dict[str, Any], added: set[str]) -> None:
    assert chosen(settings, **top) == ALWAYS | added


def test_every_profile_is_understood() -> None:
    assert {"gaps", "recommended", "all", "style"} == set(policy.PROFILES)


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["select", "ignore"])
def test_an_unknown_name_in_a_flag(field: str) -> None:
    with pytest.raises(UsageError, match="no check is called `no-ownr`") as caught:
        build(None, Settings(**{field: ("no-ownr",)}))
    assert caught.value.help == "did you mean `no-owner`?"


WAIVER = {"reason": "trial", "owner": "platform", "until": date(2099, 1, 1)}
REFUSED = {
    "no check is called `no-ownr`": {"select": ["no-ownr"]},
    "no check is called `x`": {"waivers": [WAIVER | {"check": "x"}]},
    "no check is called `gaps`": {"checks": {"gaps": {"severity": "info"}}},
    "check `no-owner` has no option `days`": {"checks": {"no-owner": {"options": {"days": 3}}}},
    "check `waiver-expiring` has no option `day`": {"checks": {"waiver-expiring": {"options": {"day": 3}}}},
    "option `days` of check `waiver-expiring` is not like `14`": {
        "checks": {"waiver-expiring": {"options": {"days": "x"}}}
    },
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_catalogue_that_speaks_of_what_does_not_exist(what: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        build(catalogue(**REFUSED[what]), Settings())
    assert caught.value.what == what
    assert caught.value.path == "catalogue.yaml"


def test_a_boolean_is_no_number_of_days() -> None:
    with pytest.raises(CatalogueError, match="is not like `14`"):
        build(catalogue(checks={"waiver-expiring": {"options": {"days": True}}}), Settings())


def test_help_for_an_option_is_one_of_the_check() -> None:
    with pytest.raises(CatalogueError) as caught:
        build(catalogue(checks={"waiver-expiring": {"options": {"day": 3}}}), Settings())
    assert caught.value.help == "did you mean `days`?"


def test_severity_and_options_are_kept() -> None:
    top = {"checks": {"no-owner": {"severity": "critical"}, "waiver-expiring": {"options": {"days": 3}}}}
    built = build(catalogue(**top), Settings())
    assert built.severities == {"no-owner": Severity.CRITICAL}
    assert built.options == {"waiver-expiring": {"days": 3}}


# --- waivers -----------------------------------------------------------------------------------------------------


def waiver(**fields: Any) -> Waiver:
    known = {"check": "no-owner", "reason": "trial", "owner": "platform", "until": date(2099, 1, 1)}
    return Waiver(**known | {"location": Location("catalogue.yaml", 1)} | fields)


@pytest.mark.parametrize(
    ("fields", "problem_field", "covered"),
    [
        ({}, None, True),
        ({"service": "web"}, None, True),
        ({"service": "api"}, None, False),
        ({"check": "no-tier"}, None, False),
        ({"field": "image"}, "image", True),
        ({"field": "image"}, "restart", False),
        ({"field": "image"}, None, False),
        ({"field": "environment"}, "environment.DB_PASSWORD", True),
        ({"field": "environment.DB_PASSWORD"}, "environment.DB_PASSWORD", True),
        ({"field": "DB_PASSWORD"}, "environment.DB_PASSWORD", True),
        ({"field": "PASSWORD"}, "environment.DB_PASSWORD", False),
        ({"field": "environment.DB"}, "environment.DB_PASSWORD", False),
    ],
)
def test_covers(fields: dict[str, Any], problem_field: str | None, covered: bool) -> None:
    assert policy.covers(waiver(**fields), finding("no-owner"), problem_field) is covered


# --- baseline ----------------------------------------------------------------------------------------------------


def test_a_baseline_holds_the_open_findings() -> None:
    accepted = finding("no-tier", waiver=waiver())
    written = policy.write_baseline(report(findings=(finding("no-owner"), accepted)))
    assert policy.read_baseline(written, "b.json") == {finding("no-owner").fingerprint}


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{", b"null", b'{"schema": "other/1", "findings": []}', b"[" * 100_000, b"\xff\xfe",
     b'{"schema": "stack-auditor/baseline/1"}', b'{"schema": "stack-auditor/baseline/1", "findings": [1]}'],
)  # fmt: skip
def test_what_is_no_baseline_is_refused(text: bytes) -> None:
    with pytest.raises(SettingsError) as caught:
        policy.read_baseline(text, "b.json")
    assert caught.value.path == "b.json"


# --- the gate ----------------------------------------------------------------------------------------------------

OPEN = finding("no-owner", severity=Severity.WARNING)


@pytest.mark.parametrize(
    ("item", "fail_on", "code"),
    [
        (None, "warning", 0),
        (OPEN, "critical", 0),
        (OPEN, "warning", 1),
        (OPEN, "info", 1),
        (replace(OPEN, severity=Severity.INFO), "warning", 0),
        (replace(OPEN, severity=Severity.INFO), "info", 1),
        (replace(OPEN, severity=Severity.CRITICAL), "critical", 1),
        (replace(OPEN, waiver=waiver()), "info", 0),
        (replace(OPEN, baselined=True), "info", 0),
    ],
)
def test_gate(item: Any, fail_on: str, code: int) -> None:
    found = (item,) if item else ()
    assert policy.gate(report(findings=found), Settings(fail_on=Severity(fail_on))) == code


def test_an_incomplete_report_wins_over_findings() -> None:
    assert policy.gate(report(findings=(OPEN,), complete=False), Settings()) == 3


@pytest.mark.parametrize(
    ("coverage", "wanted", "code"), [(0.8, 80.0, 0), (0.79, 80.0, 1), (None, 1.0, 1), (None, None, 0), (0.0, 0.0, 0)]
)
def test_minimum_of_coverage(coverage: float | None, wanted: float | None, code: int) -> None:
    assert policy.gate(report(coverage=coverage), Settings(min_coverage=wanted)) == code


def test_errors_of_policy_are_of_the_one_tree() -> None:
    for error in (UsageError, CatalogueError, SettingsError):
        assert issubclass(error, AuditorError)
        assert error.exit_code == 2
