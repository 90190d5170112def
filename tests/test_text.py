"""The report for a terminal."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from auditor.model import (
    RUNGS,
    CheckTally,
    Evidence,
    Finding,
    Location,
    Report,
    Severity,
    SourceState,
    Verdict,
    Waiver,
)
from exporters import text
from tests import goldens
from tests.builders import NOON, finding, report, rungs, service
from tests.hostile import HOSTILE

WAIVER = Waiver("no-memory-limit", "the host has room", "data-team", date(2027, 3, 1), Location("catalogue.yaml", 40))
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def gaps() -> tuple[Finding, ...]:
    evidence = tuple(Evidence("compose", f"`service-{n}` sends to it", "compose.yaml", n) for n in range(1, 6))
    return (
        finding("not-scraped", "postgres", message="no scrape job resolves to `postgres`"),
        finding(
            "alertmanager-missing",
            "alertmanager",
            severity=Severity.CRITICAL,
            message="Prometheus loads alerting rules, and nothing in `prod` deploys an Alertmanager that sends them",
            fix="Add an Alertmanager to compose.yaml and name it under `alerting:` in prometheus.yml.",
            locations=(Location("monitoring/prometheus.yml", 12), Location("monitoring/alertmanager.yml")),
            evidence=evidence,
        ),
        finding("count-claim-wrong", None, None, message="README.md claims 25+ services, `prod` composes 3"),
        finding("no-cpu-limit", "web", severity=Severity.INFO),
        finding("no-memory-limit", "postgres", waiver=WAIVER),
        finding("moving-image-tag", "web", baselined=True),
    )


def system(**fields: object) -> Report:
    dark = rungs(**{name: "disproved" for name in RUNGS if name not in ("claimed", "declared")})
    unseen = rungs(running="unknown", healthy="unknown", charted="not_required")
    services = (
        service("web", rungs=unseen, coverage=1.0, verdict=Verdict.UNKNOWN),
        service("postgres", category="data", rungs=rungs(scraped="disproved"), coverage=0.899),
        service("alertmanager", category="monitoring", rungs=dark, coverage=0.2, verdict=Verdict.STOPPED),
        service("a-service-with-a-rather-long-name", category=None, coverage=None),
    )
    defaults: dict[str, object] = {"coverage": 0.61, "assessed": 0.8, "files": ("compose.yaml", "prometheus.yml")}
    return report(services, gaps(), **defaults | fields)


INCOMPLETE = {
    "complete": False,
    "sources": (
        SourceState("catalogue", "ok", "catalogue.yaml"),
        SourceState("compose", "ok", "3 services in compose.yaml", "prod"),
        SourceState("docker", "failed", "permission denied on `/var/run/docker.sock`", "prod"),
        SourceState("prometheus", "stale", "answered 3 minutes ago", "prod", taken_at=NOON - timedelta(minutes=3)),
        SourceState("alertmanager", "not_asked", environment="prod"),
        SourceState("probes", "not_asked", environment="prod"),
    ),
    "checks": (CheckTally("image-drift", error="KeyError at auditor/checks/drift.py:14"),),
    "notes": ("1 entry of the baseline is paid off",),
}


@pytest.mark.parametrize(
    ("name", "made", "options"),
    [
        ("gaps-80", system(), {"width": 80}),
        ("gaps-140", system(), {"width": 140}),
        ("verbose", system(), {"verbose": True, "now": NOON + timedelta(hours=3)}),
        ("colour", system(), {"colour": True}),
        ("ascii", system(), {"encoding": "ascii"}),
        ("incomplete", system(**INCOMPLETE), {}),
        ("clean", report((service("web"), service("db", category="data"))), {"now": NOON}),
        ("empty", report((), (), coverage=None, assessed=None), {}),
        (
            "two-environments",
            report(
                (service("web"), service("web", "test", coverage=0.5, rungs=rungs(alerted="disproved"))),
                (finding("no-alert", "web", "test"), finding("no-alert", "web", "prod")),
                environment=None,
                environments=("prod", "test"),
            ),
            {},
        ),
    ],
)
def test_the_page(name: str, made: Report, options: dict[str, object]) -> None:
    goldens.check(f"text/{name}.txt", text.render(made, **options))


def hostile(word: str) -> Report:
    place = (Location(word, 3),)
    evidence = (Evidence(word, word, word, 1), Evidence("docker", word))
    problem = finding("no-alert", word, word, message=word, fix=word, locations=place, evidence=evidence)
    waiver = Waiver("x", word, word, date(2027, 1, 1), place[0])
    return report(
        (service(word, word, category=word),),
        (problem, finding("x", word, word, waiver=waiver), finding(word, word, baselined=True)),
        environments=(word,),
        system=word,
        files=(word,),
        notes=(word,),
        complete=False,
        sources=(SourceState(word, "failed", word, word), SourceState(word, "not_asked")),
    )


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("word", HOSTILE)
def test_no_text_from_data_acts_on_the_terminal_or_the_runner(word: str, verbose: bool) -> None:
    page = text.render(hostile(word), verbose=verbose, colour=True)
    lines = ANSI.sub("", page).split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in lines)


@pytest.mark.parametrize("word", HOSTILE)
def test_a_hostile_name_forges_no_line_of_ours(word: str) -> None:
    harmless = text.render(hostile("x"))
    page = text.render(hostile(word))
    for start in ("Looked at", "Findings", "Accepted", "Summary", "Next"):
        assert len(re.findall(f"^{start}$", page, re.M)) == len(re.findall(f"^{start}$", harmless, re.M))


def test_every_line_fits_the_width() -> None:
    page = text.render(system(), width=80)
    assert [line for line in page.split("\n") if len(line) > 80] == []


@pytest.mark.parametrize(
    ("ratio", "shown"), [(None, "-"), (0.0, "0 %"), (0.999, "99 %"), (1.0, "100 %"), (0.29, "29 %"), (0.57, "57 %")]
)
def test_a_percentage_is_rounded_down(ratio: float | None, shown: str) -> None:
    assert text.percent(ratio) == shown


def test_the_gate_names_what_it_finds_wanting() -> None:
    assert list(text.shortfalls(system(), Severity.WARNING, 80.0)) == [
        "1 critical",
        "2 warning",
        "coverage 61 % is below 80 %",
    ]


def test_notices_that_many_services_share_are_one_line() -> None:
    shared = [finding("no-tier", name, severity=Severity.INFO) for name in ("a", "b", "c", "d", "e", "f")]
    few = [finding("no-owner", name, severity=Severity.INFO) for name in ("a", "b")]
    lines = text.render(report(findings=(*shared, *few)), width=80).splitlines()
    told = lines[lines.index("Also noticed  (info; in full with -v)") + 1 :][:3]
    assert told[0] == "  · no-tier: 6 services (a, b, c, d, and 2 more)"
    assert [line.split(":")[0] for line in told[1:]] == ["  · no-owner", "  · no-owner"]
