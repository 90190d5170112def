"""Are there as many services as a document counts?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.checks.claims.meant import default_environment, title_of
from auditor.inventory import Snapshot
from auditor.model import CountClaim, Document, Evidence, Lifecycle, Severity
from auditor.registry import Problem, check
from auditor.words import normal

# Words before "services" that say nothing about which of them are meant.
_ANY = frozenset(
    {
        "", "active", "all", "compose", "composed", "container", "containerised", "containerized", "deployed",
        "different", "distinct", "docker", "independent", "integrated", "micro", "production", "running", "separate",
        "service", "total",
    }
)  # fmt: skip


@check(
    Document,
    Severity.WARNING,
    fix="Compose what is missing, or correct the number.",
    needs=("documents", "compose"),
)
def count_claim_wrong(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A document claims another number of services than the default environment composes.

    Whoever plans by the document plans for services that are not there. `25+` means at least 25. A count also holds
    if it leaves out databases, brokers and exporters, or counts the services of the category that it names.

    Bad:
        catalogue:
          services: {web: {}}
        documents:
          README.md: "# Demo\\n\\nThe platform runs 25+ services.\\n"
        compose:
          services: {web: {image: "nginx:1.27.5"}, cache: {image: "redis:7.4"}}
    Good:
        catalogue:
          services: {web: {}}
        documents:
          README.md: "# Demo\\n\\nThe platform runs 2 services.\\n"
        compose:
          services: {web: {image: "nginx:1.27.5"}, cache: {image: "redis:7.4"}}
    """
    environment = default_environment(snapshot)
    if environment is None:
        return
    for claim in document.counts:
        truths = _truths(claim, environment, snapshot)
        if truths is None or any(_holds(claim, number) for number in truths):
            continue
        yield _wrong_count(claim, truths[0], document, environment, snapshot)


def _truths(claim: CountClaim, environment: str, snapshot: Snapshot) -> tuple[int, ...] | None:
    """The numbers that the claim may mean, the plainest first; None where it means other services than these."""
    here = [s for s in snapshot.services if s.environment == environment]
    composed = [s for s in here if s.definition]
    if not composed:
        return None
    active = [s for s in composed if s.definition and s.definition.active]
    word = normal(claim.category or "")
    of_category = [s for s in active if s.entry and word and normal(s.entry.category or "") == word]
    if of_category:
        return len(of_category), len(active)
    if word not in _ANY:
        return None
    own = [s for s in active if not (s.component and s.component.backing)]
    beside = sum(s.lifecycle is Lifecycle.PROCESS for s in here)  # run here too, without Compose
    return len(active), len(composed), len(own), len(active) + beside, len(own) + beside


def _holds(claim: CountClaim, number: int) -> bool:
    return number >= claim.number if claim.at_least else number == claim.number


def _wrong_count(claim: CountClaim, composed: int, document: Document, environment: str, snapshot: Snapshot) -> Problem:
    claimed = f"{claim.number}{'+' if claim.at_least else ''}"
    what = f"{claim.category} services" if claim.category else "services"
    gap = claim.number - composed
    difference = f"gap of {gap}" if gap > 0 else f"{-gap} more than claimed"
    project = snapshot.project(environment)
    places = [definition.location.path for definition in project.definitions] if project else []
    return Problem(
        f"{title_of(document)} claims {claimed} {what}, {environment} composes {composed} ({difference})",
        (claim.location,),
        (
            Evidence("documents", f"“{claim.text}”", claim.location.path, claim.location.line),
            Evidence("compose", f"{environment} composes {composed}", places[0] if places else None),
        ),
        environment=environment,
        key=f"{claimed} {what}",
        cause=f"count:{claimed} {what}",
    )
