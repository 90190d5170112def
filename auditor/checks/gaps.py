"""Do the planes agree: what is declared, composed, running, configured, written and referenced?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from auditor.inventory import Service, Snapshot
from auditor.model import (
    Container,
    Entry,
    Evidence,
    Implementation,
    Lifecycle,
    Listener,
    Location,
    Port,
    Project,
    Reference,
    Severity,
)
from auditor.registry import BY_CRITICALITY, Problem, check

DEPLOYED_HERE = (Lifecycle.DAEMON, Lifecycle.ONESHOT, Lifecycle.CRON)


def missing(name: str) -> str:
    """The cause that everything shares which speaks of one missing component."""
    return f"missing:{name}"


def stopped(name: str) -> str:
    """The cause that everything shares which speaks of one service that does not run."""
    return f"stopped:{name}"


def _absent(service: Service, snapshot: Snapshot) -> Entry | None:
    """The entry of a service that is declared to be deployed here, and neither composed nor run by hand."""
    here = service.definition or any(container.state == "running" for container in service.containers)
    if here or service.lifecycle not in DEPLOYED_HERE or snapshot.excuse(service):
        return None
    return service.entry


@check(
    Service,
    BY_CRITICALITY,
    fix="Add the service to the environment's Compose file, or take the environment out of its `environments`.",
    needs=("catalogue", "compose"),
)
def declared_not_composed(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """The catalogue declares a service that no Compose service is.

    People plan, alert and promise by the catalogue; what is only declared will not start.

    Bad:
        catalogue:
          services:
            minio: {image: "minio/minio:RELEASE.2025-04-22T22-12-26Z"}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        catalogue:
          services:
            minio: {image: "minio/minio:RELEASE.2025-04-22T22-12-26Z"}
        compose:
          services:
            minio: {image: "minio/minio:RELEASE.2025-04-22T22-12-26Z"}
    """
    entry = _absent(service, snapshot)
    if entry is None:
        return
    yield Problem(
        f"`{service.name}` is declared for `{service.environment}`, but no Compose service is it",
        (entry.location,),
        cause=missing(service.name),
    )


@check(
    Service,
    Severity.WARNING,
    fix="Declare the service in the catalogue, or add its Compose name to an entry's `aliases`.",
    needs=("catalogue", "compose"),
)
def composed_not_declared(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A Compose service is in no catalogue entry.

    Nobody owns it, nobody expects it, and no rule says how well it must be watched.

    Bad:
        catalogue:
          services:
            web: {}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
            worker: {image: "registry.example/worker:3.1"}
    Good:
        catalogue:
          services:
            web: {}
            jobs: {aliases: [worker]}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
            worker: {image: "registry.example/worker:3.1"}
    """
    if service.entry or service.definition is None:
        return
    known = {entry.name for entry in snapshot.catalogue.entries} if snapshot.catalogue else set()
    elsewhere = service.name in known
    yield Problem(
        f"`{service.name}` is composed in `{service.environment}`, but "
        + ("its entry does not name this environment" if elsewhere else "no catalogue entry has its name or alias"),
        (service.definition.location,),
    )


@check(
    Service,
    Severity.WARNING,
    fix="Compose the service in this environment too, or list the environments that it belongs to in its entry.",
    needs=("catalogue", "compose"),
)
def composed_elsewhere(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service that is declared here is composed only in another environment.

    Configured for production and missing from the stack that people develop and test on, or the other way round.

    Bad:
        catalogue:
          environments:
            unified: {compose: [docker-compose.yml]}
            prod: {compose: [docker-compose.prod.yml]}
          services:
            alertmanager: {}
        files:
          docker-compose.yml: "services: {web: {image: 'nginx:1.27.5'}}"
          docker-compose.prod.yml: "services: {alertmanager: {image: 'prom/alertmanager:v0.28.1'}}"
    Good:
        catalogue:
          environments:
            unified: {compose: [docker-compose.yml]}
            prod: {compose: [docker-compose.prod.yml]}
          services:
            alertmanager: {environments: [prod]}
        files:
          docker-compose.yml: "services: {web: {image: 'nginx:1.27.5'}}"
          docker-compose.prod.yml: "services: {alertmanager: {image: 'prom/alertmanager:v0.28.1'}}"
    """
    entry = _absent(service, snapshot)
    if entry is None:
        return
    for project in snapshot.projects:
        definitions = snapshot.definitions(project.environment)
        names = (entry.name, *entry.aliases)
        found = next((definitions[name] for name in names if name in definitions), None)
        if project.environment == service.environment or found is None:
            continue
        yield Problem(
            f"`{service.name}` is composed in `{project.environment}`, but not in `{service.environment}`",
            (found.location, entry.location),
            cause=missing(service.name),
        )
        return


@check(
    Service,
    BY_CRITICALITY,
    fix="Start the service, or say why it is down with `maintenance`, `lifecycle: oneshot` or `replicas: 0`.",
    needs=("compose", "docker"),
)
def composed_not_running(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """Fewer containers of a composed service run than its file wants.

    A one-shot that exited 0, a service scaled to 0, one whose profile is not active or that is in maintenance is none.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: exited, exit_code: 0}
        catalogue:
          services: {web: {}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: running}
        catalogue:
          services: {web: {}}
    """
    definition = service.definition
    if definition is None or snapshot.excuse(service):
        return
    if snapshot.runs_once(service):
        yield from _never_ran(service)
        return
    up = [container for container in service.containers if container.state == "running"]
    if len(up) >= definition.replicas:
        return
    down = [container for container in service.containers if container.state != "running"]
    wanted = f"{len(up)} of {definition.replicas} containers run" if definition.replicas > 1 else "it does not run"
    detail = "; ".join(_ending(container) for container in down) or "no container of it exists"
    yield Problem(
        f"`{service.name}` is composed in `{service.environment}`, but {wanted}: {detail}",
        (definition.location,),
        tuple(Evidence("docker", _ending(container)) for container in down),
        cause=stopped(service.name),
    )


def _never_ran(service: Service) -> Iterator[Problem]:
    """A one-shot without any run on record; one that failed is another check's."""
    if service.containers or service.definition is None or service.lifecycle is Lifecycle.CRON:
        return
    yield Problem(
        f"`{service.name}` is composed in `{service.environment}` to run once, but no run of it is on record",
        (service.definition.location,),
        cause=stopped(service.name),
    )


def _ending(container: Container) -> str:
    """How a container that does not run came to be so, as far as the engine tells."""
    if container.state not in ("exited", "dead") or container.exit_code is None:
        return f"container `{container.name}` is {container.state}"
    text = f"container `{container.name}` exited {container.exit_code}"
    if container.exit_code in (137, 143) and container.killed is None:
        return text + " (stopped or killed: the engine's events do not go back that far)"
    return text + (" after it was told to stop" if container.killed else "")


@check(
    Container,
    Severity.WARNING,
    fix="Add the service to a Compose file, or remove the container with `docker compose up --remove-orphans`.",
    needs=("compose", "docker"),
)
def running_not_composed(container: Container, snapshot: Snapshot) -> Iterator[Problem]:
    """A container of the project that no file defines: an orphan.

    It was composed once, still runs, and nothing would bring it back or keep it up to date.

    Bad:
        catalogue:
          services: {web: {}, reports: {lifecycle: daemon}}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
          - {name: demo-reports-1, service: reports, image: "registry.example/reports:2"}
    Good:
        catalogue:
          services: {web: {}}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
    """
    project = snapshot.project(container.environment)
    if not _judged(container, snapshot) or project is None or not container.service:
        return
    if container.project != project.name or container.service in snapshot.definitions(container.environment):
        return
    name = snapshot.known_as(container.environment, container.service)
    yield Problem(
        f"container `{container.name}` runs as service `{container.service}` of `{project.name}`, "
        f"but no file of `{container.environment}` defines it",
        (),
        service=name,
        key=container.service,
        cause=f"unknown:{container.service}",
    )


@check(
    Container,
    Severity.WARNING,
    fix="Declare and compose the service, or remove the container.",
    needs=("compose", "docker"),
)
def running_not_declared(container: Container, snapshot: Snapshot) -> Iterator[Problem]:
    """A container runs that no catalogue entry and no Compose file knows.

    Started by hand, it uses ports, memory and data, and will be gone after the next reboot.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
          - {name: try-redis, image: "redis:7.4"}
        catalogue:
          services: {web: {}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5"}
        catalogue:
          services: {web: {}}
    """
    if not _judged(container, snapshot):
        return
    project = snapshot.project(container.environment)
    own = project is not None and container.project == project.name
    name = container.service if own and container.service else container.name
    service = snapshot.service(container.environment, snapshot.known_as(container.environment, name))
    if service and (service.entry or service.definition):
        return
    if _known_by_container_name(container, snapshot):
        return
    yield Problem(
        f"container `{container.name}` ({container.image}) runs, but no catalogue entry and no file knows it",
        (),
        (Evidence("docker", f"container `{container.name}` is {container.state}"),),
        service=name,
        key=container.name,
        cause=f"unknown:{name}",
    )


def _judged(container: Container, snapshot: Snapshot) -> bool:
    """Running containers that are this environment's to judge."""
    return container.state in ("running", "restarting", "paused") and not container.oneoff and snapshot.ours(container)


def _known_by_container_name(container: Container, snapshot: Snapshot) -> bool:
    definitions = snapshot.definitions(container.environment).values()
    return any(definition.container_name == container.name for definition in definitions)


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
    if _absent(service, snapshot) is None:
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
    yield from ((reference, "compose") for reference in snapshot.references(environment))
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


@check(
    Service,
    Severity.INFO,
    fix="Deploy the service, or declare it as `lifecycle: external` with its `address`.",
    needs=("catalogue", "compose"),
)
def external_only(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service is reached only at an outside address, though it is declared as deployed here.

    Bad:
        catalogue:
          services: {web: {}, sentry: {}}
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {SENTRY_URL: "https://sentry.example.com/7"}}
    Good:
        catalogue:
          services: {web: {}, sentry: {lifecycle: external, address: "https://sentry.example.com"}}
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {SENTRY_URL: "https://sentry.example.com/7"}}
    """
    entry = _absent(service, snapshot)
    if entry is None:
        return
    code = snapshot.implementation(service.name)
    names = {entry.name, *entry.aliases}
    if service.component:
        names.update((service.component.key, *service.component.names))
    found = [r for r in snapshot.references(service.environment) if names & set(_outside_labels(r.address.host))]
    found += code.references if code else ()
    if not found:
        return
    host = found[0].address.host
    yield Problem(
        f"`{service.name}` is declared as deployed here, but is reached only outside, at {host}",
        tuple(dict.fromkeys(reference.location for reference in found)),
        cause=missing(service.name),
    )


def _outside_labels(host: str) -> list[str]:
    """The labels of an outside host name; none for names on the project's own networks and for addresses."""
    labels = host.split(".")
    return labels if len(labels) > 1 and not labels[-1].isdigit() else []


@check(
    Service,
    BY_CRITICALITY,
    fix="End what holds the port, or publish the service on another one.",
    needs=("compose", "docker"),
)
def port_taken(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """Another container or process holds a port that a service of ours should have.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", ports: ["8080:80"]}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", state: created}
          - {name: other-1, project: other, service: app, ports: [{published: "8080", target: 80}]}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", ports: ["8080:80"]}
        containers:
          - {name: demo-web-1, service: web, image: "nginx:1.27.5", ports: [{published: "8080", target: 80}]}
    """
    definition = service.definition
    if definition is None or snapshot.excuse(service) or any(c.state == "running" for c in service.containers):
        return
    for port in definition.ports:
        holder = _holder(port, service, snapshot)
        if holder:
            yield Problem(
                f"port {port.published} of `{service.name}` is held by {holder}",
                (port.location or definition.location,),
                key=f"{port.published}/{port.protocol}",
                cause=stopped(service.name),
            )


def _holder(port: Port, service: Service, snapshot: Snapshot) -> str | None:
    if not port.published or not port.published.isdigit() or port.published == "0" or port.protocol != "tcp":
        return None
    for container in snapshot.containers:
        if container.environment != service.environment or container in service.containers:
            continue
        if container.state == "running" and any(_same(port, other) for other in container.ports):
            return f"container `{container.name}`"
    number = int(port.published)
    for listener in snapshot.listeners:
        if listener.environment == service.environment and listener.port == number and _stranger(listener):
            return f"process `{listener.process}`"
    return None


def _same(port: Port, other: Port) -> bool:
    if (port.published, port.protocol) != (other.published, other.protocol):
        return False
    anywhere = (None, "", "0.0.0.0", "::")  # noqa: S104  compared, never bound
    return port.host_ip == other.host_ip or port.host_ip in anywhere or other.host_ip in anywhere


def _stranger(listener: Listener) -> bool:
    """A process that is known by name and is not the engine forwarding a container's port."""
    return listener.process is not None and listener.process not in ("docker-proxy", "dockerd", "rootlesskit")


@check(
    Service,
    BY_CRITICALITY,
    fix="Start the process, or correct the `ports` that its entry declares.",
    needs=("catalogue", "processes"),
)
def process_not_running(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A service that is declared as a host process listens on none of its ports.

    Bad:
        catalogue:
          services:
            agent: {lifecycle: process, ports: [8002]}
        listeners:
          - {port: 22, process: sshd}
    Good:
        catalogue:
          services:
            agent: {lifecycle: process, ports: [8002]}
        listeners:
          - {port: 8002, process: python3}
    """
    entry = service.entry
    if entry is None or service.lifecycle is not Lifecycle.PROCESS or not entry.ports or snapshot.excuse(service):
        return
    heard = {item.port for item in snapshot.listeners if item.environment == service.environment}
    if heard & set(entry.ports):
        return
    ports = ", ".join(map(str, entry.ports))
    yield Problem(
        f"`{service.name}` is declared as a process on port {ports}, but nothing listens there",
        (entry.place("ports"),),
        cause=stopped(service.name),
    )


@check(
    Service,
    Severity.WARNING,
    fix="Make `replicas` of the entry and of the Compose service equal.",
    needs=("catalogue", "compose"),
)
def replicas_short(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """The catalogue declares another number of replicas than the Compose file.

    Bad:
        catalogue:
          services: {web: {replicas: 2}}
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        catalogue:
          services: {web: {replicas: 2}}
        compose:
          services:
            web: {image: "nginx:1.27.5", deploy: {replicas: 2}}
    """
    entry, definition = service.entry, service.composed
    if entry is None or entry.replicas is None or definition is None:
        return
    if entry.replicas == definition.replicas:
        return
    yield Problem(
        f"`{service.name}` is declared with {entry.replicas} replicas and composed with {definition.replicas}",
        (definition.place("deploy.replicas", "scale", "deploy"), entry.place("replicas")),
        field="replicas",
    )
