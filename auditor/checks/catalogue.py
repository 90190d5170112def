"""Is the catalogue whole: owners, runbooks, tiers, dependencies, waivers that still hold?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.errors import did_you_mean
from auditor.inventory import Snapshot, WaiverUse
from auditor.model import Criticality, Entry, Severity, Waiver
from auditor.registry import Problem, check


def _lacks(entry: Entry, field: str, words: str, severity: Severity | None = None) -> Problem:
    return Problem(f"`{entry.name}` has no {words}", (entry.location,), field=field, severity=severity)


@check(Entry, Severity.WARNING, fix="Name the team that answers for it: `owner: <team>`.", needs=("catalogue",))
def no_owner(entry: Entry, snapshot: Snapshot) -> Iterator[Problem]:
    """Nobody is named who answers for a service.

    Its alerts reach nobody in particular, and its gaps are nobody's to close.

    Bad:
        catalogue:
          services: {web: {}}
    Good:
        catalogue:
          services: {web: {owner: platform}}
    """
    if not entry.owner:
        yield _lacks(entry, "owner", "owner")


@check(Entry, Severity.INFO, fix="Write down what to do when it is down: `runbook: <file>`.", needs=("catalogue",))
def no_runbook(entry: Entry, snapshot: Snapshot) -> Iterator[Problem]:
    """Nothing says what to do when a service is down; a warning where the service is critical.

    Bad:
        catalogue:
          services: {web: {criticality: critical}}
    Good:
        catalogue:
          services: {web: {criticality: critical, runbook: "https://wiki.example.com/web"}}
    """
    if not entry.runbook:
        critical = entry.criticality is Criticality.CRITICAL
        yield _lacks(entry, "runbook", "runbook", Severity.WARNING if critical else Severity.INFO)


@check(Entry, Severity.WARNING, fix="Write the runbook, or correct its path.", needs=("catalogue",))
def dead_runbook(entry: Entry, snapshot: Snapshot) -> Iterator[Problem]:
    """The runbook that an entry names is not there.

    It is missed at the one moment when somebody needs it.

    Bad:
        catalogue:
          services: {web: {runbook: docs/web.md}}
    Good:
        catalogue:
          services: {web: {runbook: docs/web.md}}
        files:
          docs/web.md: "Restart it."
    """
    if entry.runbook and entry.runbook in snapshot.absent_files:
        yield Problem(
            f"the runbook of `{entry.name}`, `{entry.runbook}`, does not exist",
            (entry.place("runbook"),),
            key=entry.runbook,
            field="runbook",
        )


@check(Entry, Severity.INFO, fix="Name its tier: `tier: <tier>`.", needs=("catalogue",))
def no_tier(entry: Entry, snapshot: Snapshot) -> Iterator[Problem]:
    """No tier says where a service may stand.

    Rules for networks and published ports follow the tier, and so does the view of the fleet.

    Bad:
        catalogue:
          services: {web: {}}
    Good:
        catalogue:
          services: {web: {tier: edge}}
    """
    if not entry.tier:
        yield _lacks(entry, "tier", "tier")


@check(Entry, Severity.INFO, fix="Name its category: `category: <category>`.", needs=("catalogue",))
def no_category(entry: Entry, snapshot: Snapshot) -> Iterator[Problem]:
    """A service is in no category.

    The status page and the coverage by category count it as uncategorised.

    Bad:
        catalogue:
          services: {web: {}}
    Good:
        catalogue:
          services: {web: {category: core}}
    """
    if not entry.category:
        yield _lacks(entry, "category", "category")


@check(
    Entry,
    Severity.WARNING,
    fix="Correct the name, or declare the service that is meant.",
    needs=("catalogue",),
)
def unknown_dependency(entry: Entry, snapshot: Snapshot) -> Iterator[Problem]:
    """An entry depends on a service that no entry declares.

    What follows from dependencies (inhibited alerts, the order of a start) is wrong without notice.

    Bad:
        catalogue:
          services: {web: {depends_on: [databse]}, database: {}}
    Good:
        catalogue:
          services: {web: {depends_on: [database]}, database: {}}
    """
    for name in entry.depends_on:
        if name not in snapshot.entry_names:
            hint = did_you_mean(name, snapshot.entry_names)
            yield Problem(
                f"`{entry.name}` depends on `{name}`, which no entry declares" + (f" ({hint})" if hint else ""),
                (entry.place("depends_on"),),
                key=name,
                field="depends_on",
            )


# --- waivers -----------------------------------------------------------------------------------------------------


def _waiver_problem(waiver: Waiver, message: str) -> Problem:
    key = "/".join((waiver.check, waiver.field or ""))
    return Problem(message, (waiver.location,), service=waiver.service, key=key)


def _named(waiver: Waiver) -> str:
    return f"the waiver of `{waiver.check}`" + (f" for `{waiver.service}`" if waiver.service else "")


@check(WaiverUse, Severity.WARNING, fix="Close the gap, or agree on a new date.", needs=("catalogue",))
def expired_waiver(use: WaiverUse, snapshot: Snapshot) -> Iterator[Problem]:
    """A waiver's date has passed, and what it accepted counts again.

    Bad:
        catalogue:
          services:
            web:
              image: "nginx:latest"
              waivers: [{check: moving-image-tag, reason: trial, owner: platform, until: 2020-01-31}]
    Good:
        catalogue:
          services:
            web:
              image: "nginx:latest"
              waivers: [{check: moving-image-tag, reason: trial, owner: platform, until: 2099-01-31}]
    """
    waiver = use.waiver
    if waiver.until < snapshot.taken_at.date():
        yield _waiver_problem(waiver, f"{_named(waiver)} expired on {waiver.until.isoformat()} (owner: {waiver.owner})")


@check(WaiverUse, Severity.INFO, fix="Remove the waiver.", needs=("catalogue",))
def unused_waiver(use: WaiverUse, snapshot: Snapshot) -> Iterator[Problem]:
    """A waiver accepts what is no longer found.

    It would hide the problem if it came back. A waiver whose check did not run is left alone.

    Bad:
        catalogue:
          services:
            web:
              owner: platform
              waivers: [{check: no-owner, reason: trial, owner: platform, until: 2099-01-31}]
    Good:
        catalogue:
          services:
            web:
              waivers: [{check: no-owner, reason: trial, owner: platform, until: 2099-01-31}]
    """
    waiver = use.waiver
    if use.judged and not use.used and waiver.until >= snapshot.taken_at.date():
        yield _waiver_problem(waiver, f"{_named(waiver)} covers nothing")


@check(WaiverUse, Severity.INFO, fix="Close the gap before that day, or agree on a new date.", needs=("catalogue",))
def waiver_expiring(use: WaiverUse, snapshot: Snapshot, *, days: int = 14) -> Iterator[Problem]:
    """A waiver ends within days; after that, what it accepts counts again.

    Bad:
        catalogue:
          services:
            web:
              waivers: [{check: no-owner, reason: trial, owner: platform, until: 2026-03-10}]
    Good:
        catalogue:
          services:
            web:
              waivers: [{check: no-owner, reason: trial, owner: platform, until: 2026-06-30}]
    """
    waiver = use.waiver
    left = (waiver.until - snapshot.taken_at.date()).days
    if 0 <= left < days:
        when = "today" if left == 0 else "tomorrow" if left == 1 else f"in {left} days"
        yield _waiver_problem(waiver, f"{_named(waiver)} ends {when}, on {waiver.until.isoformat()}")
