"""Is everything deployed that is configured, implemented or named?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from auditor.checks.gaps.causes import missing
from auditor.checks.gaps.composed import absent
from auditor.inventory import Service, Snapshot
from auditor.model import Evidence, Implementation, Location, Project, Reference, Severity
from auditor.registry import Problem, check


@check(
    Project,
    Severity.WARNING,
    fix="Deploy the component, or remove its configuration.",
    needs=("catalogue", "compose"),
)
def configured_not_deployed(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A configuration file of a known component stands in the tree, and nothing deploys that component.

    Whoever reads the tree believes that it is in place.

    Bad:
        catalogue:
          services: {web: {}}
        files:
          docker-compose.yml: "services: {web: {image: 'nginx:1.27.5'}}"
          monitoring/alertmanager/alertmanager.yml: "route: {receiver: team}\\nreceivers: [{name: team}]"
    Good:
        catalogue:
          services: {web: {}, alertmanager: {}}
        files:
          docker-compose.yml: |
            services:
              web: {image: 'nginx:1.27.5'}
              alertmanager: {image: 'prom/alertmanager:v0.28.1'}
          monitoring/alertmanager/alertmanager.yml: "route: {receiver: team}\\nreceivers: [{name: team}]"
    """
    environment = project.environment
    places: dict[str, list[Location]] = defaultdict(list)
    for config in snapshot.component_configs:
        key = config.component
        if not snapshot.deployed(environment, key) and not snapshot.elsewhere(environment, key):
            places[key].append(config.location)
    for key, locations in places.items():
        name = snapshot.missing_name(environment, key)
        if _not_meant_for(environment, name, snapshot):
            continue
        component = snapshot.component(key)
        title = component.title if component else key
        yield Problem(
            f"{title} is configured in `{locations[0].path}`, but nothing in `{environment}` deploys it",
            tuple(locations),
            service=name,
            key=key,
            cause=missing(name),
        )


def _not_meant_for(environment: str, name: str, snapshot: Snapshot) -> bool:
    """Whether the catalogue declares the component, and for other environments only."""
    entries = snapshot.catalogue.entries if snapshot.catalogue else ()
    return any(
        name in (entry.name, *entry.aliases, entry.component)
        and entry.environments is not None
        and environment not in entry.environments
        for entry in entries
    )


@check(
    Service,
    Severity.WARNING,
    fix="Add a container for it to the Compose file, or declare how it runs with `lifecycle`.",
    needs=("catalogue", "compose", "code"),
)
def implemented_not_deployed(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """The code of a service is there, and no container or process runs it.

    Bad:
        catalogue:
          services:
            puppeteer: {implementation: app/puppeteer.py}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        code:
          app/puppeteer.py: "def render(url):\\n    return open_page(url)"
    Good:
        catalogue:
          services:
            puppeteer: {implementation: app/puppeteer.py}
        compose:
          services:
            puppeteer: {build: "."}
        code:
          app/puppeteer.py: "def render(url):\\n    return open_page(url)"
    """
    if absent(service, snapshot) is None:
        return
    code = snapshot.implementation(service.name)
    if code is None or not code.exists:
        return
    evidence = tuple(_outside(reference) for reference in code.references)
    yield Problem(
        f"`{service.name}` is implemented in `{code.path}`, but nothing in `{service.environment}` runs it",
        tuple(dict.fromkeys((*(reference.location for reference in code.references), code.location))),
        evidence,
        cause=missing(service.name),
    )


def _outside(reference: Reference) -> Evidence:
    place = reference.location
    address = reference.address
    shown = f"{address.host}:{address.port}" if address.port else address.host
    return Evidence("code", f"it relies on the outside address {shown}", place.path, place.line)


@check(
    Project,
    Severity.WARNING,
    fix="Deploy what is referenced, declare it as `lifecycle: external`, or remove the reference.",
    needs=("compose",),
)
def referenced_not_deployed(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A setting names a host that nothing provides.

    The first request to it fails, and only then does anybody learn of it.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {CACHE_URL: "redis://cache:6379/0"}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {CACHE_URL: "redis://cache:6379/0"}}
            cache: {image: "redis:7.4"}
    """
    environment = project.environment
    found: dict[str, list[tuple[Reference, str]]] = defaultdict(list)
    for reference, source in _references(environment, snapshot):
        if _unprovided(reference.address.host, environment, snapshot):
            found[snapshot.missing_name(environment, reference.address.host)].append((reference, source))
    for name, named in found.items():
        first = named[0][0]
        outside = _outside_networks([reference for reference, _ in named], environment, snapshot)
        perhaps = f", unless something on the external network `{outside[0]}` does" if outside else ""
        yield Problem(
            f"{first.where} names host `{first.address.host}`, but nothing in `{environment}` provides it{perhaps}",
            tuple(dict.fromkeys(reference.location for reference, _ in named)),
            tuple(
                Evidence(source, f"{r.where} names `{r.address.host}`", r.location.path, r.location.line)
                for r, source in named
            ),
            service=name,
            key=name,
            cause=missing(name),
            severity=Severity.INFO if outside else None,
        )


def _references(environment: str, snapshot: Snapshot) -> Iterator[tuple[Reference, str]]:
    """Every host that is named, with the source that names it."""
    yield from ((reference, reference.source) for reference in snapshot.references(environment))
    yield from ((reference, "prometheus") for reference in _meaningful_targets(environment, snapshot))


def _outside_networks(references: list[Reference], environment: str, snapshot: Snapshot) -> tuple[str, ...]:
    """The networks made elsewhere on which each of the references may be answered by another project."""
    owners = snapshot.owners(environment)
    networks = [owners[r].external_networks if r in owners else () for r in references]
    return networks[0] if networks and all(networks) else ()


def _meaningful_targets(environment: str, snapshot: Snapshot) -> Iterator[Reference]:
    """Scrape targets that mean a declared service or a known component; any other is a phantom target."""
    for target in snapshot.targets(environment):
        host = target.address.host
        if snapshot.entry(environment, host) or snapshot.component(host):
            yield Reference(target.address, f"scrape job `{target.job}`", target.location)


def _unprovided(host: str, environment: str, snapshot: Snapshot) -> bool:
    """Whether a host is a name on the project's own networks that nothing answers to."""
    return "." not in host and ":" not in host and not host.isdigit() and not snapshot.provided(environment, host)


@check(
    Implementation,
    Severity.WARNING,
    fix="Implement it, or take it out of the catalogue until it is.",
    needs=("catalogue", "code"),
)
def placeholder_implementation(code: Implementation, snapshot: Snapshot) -> Iterator[Problem]:
    """The code of a declared service is a stub: not implemented, empty, or it only logs what it should send.

    Bad:
        catalogue:
          services:
            web: {}
            slack: {lifecycle: embedded, embedded_in: web, implementation: app/slack.py}
        compose:
          services:
            web: {build: "."}
        code:
          app/slack.py: "import logging\\n\\ndef send_slack(text):\\n    logging.info('SLACK: %s', text)"
    Good:
        catalogue:
          services:
            web: {}
            slack: {lifecycle: embedded, embedded_in: web, implementation: app/slack.py}
        compose:
          services:
            web: {build: "."}
        code:
          app/slack.py: "import httpx\\n\\ndef send_slack(hook, text):\\n    httpx.post(hook, json={'text': text})"
    """
    if not code.exists:
        entries = snapshot.catalogue.entries if snapshot.catalogue else ()
        entry = next((entry for entry in entries if entry.name == code.service), None)
        yield Problem(
            f"`{code.service}` names `{code.path}` as its implementation, but it does not exist",
            (entry.place("implementation"),) if entry else (code.location,),
            service=code.service,
            environment=_first_environment(code.service, snapshot),
            key="absent",
        )
        return
    if not code.placeholders:
        return
    first = code.placeholders[0]
    yield Problem(
        f"the implementation of `{code.service}` is a placeholder: {first.text}",
        tuple(placeholder.location for placeholder in code.placeholders),
        tuple(Evidence("code", p.text, p.location.path, p.location.line) for p in code.placeholders),
        service=code.service,
        environment=_first_environment(code.service, snapshot),
    )


def _first_environment(name: str, snapshot: Snapshot) -> str | None:
    return next((e for e in snapshot.environments if snapshot.service(e, name)), None)
