"""Does a service that runs do its work, and is it the one that it should be?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import health, ladder
from auditor.checks.gaps.causes import stopped
from auditor.inventory import Service, Snapshot
from auditor.model import Entry, Evidence, Location, ProbeResult, Severity, Verdict
from auditor.registry import BY_CRITICALITY, Problem, check
from auditor.words import normal


@check(
    Service,
    BY_CRITICALITY,
    fix="Look at the service's logs and at what its health check or probe asks.",
    either=("docker", "probes"),
)
def unhealthy_service(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service runs and does not work: Docker's health check or a probe says so.

    One that does not run at all is another finding, and so is one of which only some containers are bad.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: running, health: unhealthy}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: running, health: healthy}
    """
    if service.host or snapshot.excuse(service):
        return
    verdict, reasons = ladder.judge_health(service, snapshot)
    if verdict is not Verdict.UNHEALTHY:
        return
    yield Problem(
        f"`{service.name}` is unhealthy: {'; '.join(reasons)}",
        _places(service, snapshot),
        tuple(Evidence("docker" if reason.startswith("container ") else "probes", reason) for reason in reasons),
        cause=stopped(service.name),
    )


@check(
    Service,
    Severity.WARNING,
    fix="Look at the logs of what fails; recreate a container that stays so, or take it out of service.",
    either=("docker", "probes"),
)
def degraded_service(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service works in part: some of its containers are unhealthy, or some of its probes fail or are slow.

    What still works hides it from whoever looks at the whole, and the rest carries the load. Containers that are
    missing, start again and again, or use too much are other findings.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", deploy: {replicas: 2}}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", health: healthy}
          - {name: demo-web-2, service: web, image: "nginx:1.27.5", health: unhealthy}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", deploy: {replicas: 2}}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", health: healthy}
          - {name: demo-web-2, service: web, image: "nginx:1.27.5", health: healthy}
    """
    if service.host or snapshot.excuse(service):
        return
    verdict, _ = ladder.judge_health(service, snapshot)
    ill, probes = _ill(service), _failing(service, snapshot)
    if verdict is not Verdict.DEGRADED or not (ill or probes):
        return
    number = sum(container.state == "running" for container in service.containers)
    are = "is" if len(ill) == 1 else "are"
    some = [f"{len(ill)} of its {number} running containers {are} unhealthy"] if ill else []
    yield Problem(
        f"`{service.name}` is degraded: {'; '.join((*some, *(ill if len(ill) == 1 else ()), *probes))}",
        _places(service, snapshot),
        (*(Evidence("docker", text) for text in ill), *(Evidence("probes", text) for text in probes)),
        cause=stopped(service.name),
    )


def _ill(service: Service) -> list[str]:
    """The running containers that do not work, in words."""
    judged = (health.container_verdict(container) for container in service.containers if container.state == "running")
    return [why for verdict, why in judged if verdict is Verdict.UNHEALTHY]


def _failing(service: Service, snapshot: Snapshot) -> list[str]:
    """The probes that failed, or were answered late, in words."""
    found = snapshot.probes_of(service)
    return [health.probe_words(p) for p in found if p.outcome == "failure" or (p.outcome == "success" and p.slow)]


def _places(service: Service, snapshot: Snapshot) -> tuple[Location, ...]:
    """Where the questions stand that were answered badly: probes in the catalogue, a health check in Compose."""
    failed = any(probe.outcome == "failure" for probe in snapshot.probes_of(service))
    places = [service.entry.place("probes")] if failed and service.entry else []
    if service.definition:
        places.append(service.definition.place("healthcheck"))
    return tuple(places) or ((service.location,) if service.location else ())


@check(
    Service,
    Severity.WARNING,
    fix="Deploy the version that is declared, or correct `identity` in its entry; look at what else answers there.",
    needs=("catalogue", "probes"),
)
def wrong_identity(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A health answer names another service or version than the catalogue declares.

    What answers is not what people believe to run: an old release that was never replaced, or another service that
    took the address.

    Bad:
        catalogue:
          services: {web: {identity: {service: web, version: 0.2.0}, probes: [{http: "http://web.example/health"}]}}
        probes:
          - {service: web, outcome: success, reported: {service: web, version: 0.1.9}}
    Good:
        catalogue:
          services: {web: {identity: {service: web, version: 0.2.0}, probes: [{http: "http://web.example/health"}]}}
        probes:
          - {service: web, outcome: success, reported: {service: web, version: 0.2.0}}
    """
    entry = service.entry
    if entry is None or snapshot.excuse(service) or snapshot.holders_of(service).others:
        return
    answers = [p for p in snapshot.probes_of(service) if p.kind == "http" and p.outcome == "success"]
    for what, wanted in (("service", entry.identity_service), ("version", entry.identity_version)):
        if wanted is None or not answers:
            continue
        told = [(answer, str(answer.reported[what])) for answer in answers if what in answer.reported]
        other = next(((answer, said) for answer, said in told if not _same(what, wanted, said)), None)
        if other or not told:
            yield _not_it(service, entry, what, wanted, other or (answers[0], None))


def _same(what: str, wanted: str, said: str) -> bool:
    """Whether a name or a version is the declared one: names without case, versions without a leading `v`."""
    if what == "service":
        return normal(wanted) == normal(said)
    return wanted.removeprefix("v") == said.removeprefix("v")


def _not_it(service: Service, entry: Entry, what: str, wanted: str, found: tuple[ProbeResult, str | None]) -> Problem:
    answer, said = found
    tells = f"gives the {what} `{said}`" if said else f"gives no {what}"
    return Problem(
        f"the health answer of `{service.name}` {tells}, but `{wanted}` is declared",
        (entry.place("identity"),),
        (Evidence("probes", f"{answer.kind} probe of `{answer.target}` answered: it {tells}"),),
        key=what,
        field=f"identity.{what}",
    )
