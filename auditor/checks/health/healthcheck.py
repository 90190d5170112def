"""Would anybody ask whether a service works, and is it a question that can be answered?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.inventory import Service, Snapshot
from auditor.knowledge import repository
from auditor.model import Component, Definition, Evidence, HealthCheck, Severity
from auditor.registry import Problem, check


@check(
    Definition,
    Severity.WARNING,
    fix="Add a `healthcheck` with a `test` and an `interval`.",
    needs=("compose",),
)
def missing_healthcheck(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """Nothing asks whether a service works.

    Its container counts as running while it answers nobody, and what depends on it starts too early. A health check
    that the image brings counts: a `HEALTHCHECK` of the project's Dockerfile, of images that are known for it, and of
    any that runs. Tasks that end and shells that wait for somebody need none; where the image has no shell to ask with
    it is only told.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    Good:
        compose:
          services:
            web:
              image: nginx:1.27.5
              healthcheck: {test: [CMD, curl, -f, "http://localhost/"], interval: 30s}
    """
    service = snapshot.service_of(definition)
    if definition.healthcheck or definition.image_asks or definition.purpose == "shell":
        return
    if snapshot.ends(definition) or _asks_itself(definition) or (service and _asked_by_docker(service)):
        return
    component = service.component if service else None
    bare = component is not None and "sh" in component.lacks and _is_plain(definition, component)
    yield Problem(
        f"`{definition.name}` has no health check" + (", and its image no shell for one" if bare else ""),
        (definition.location,),
        field="healthcheck",
        severity=Severity.INFO if bare else None,
        fix="Ask it from outside with a probe, or by a command of its own if it has one." if bare else None,
    )


# Images that have brought a health check of their own for years, whatever the tag.
_ASK_THEMSELVES = frozenset(
    {
        "authelia/authelia", "axllent/mailpit", "blakeblackshear/frigate", "boky/postfix", "cadvisor/cadvisor",
        "containrrr/watchtower", "gitlab/gitlab-ce", "gitlab/gitlab-ee", "goauthentik/server", "google/cadvisor",
        "gotify/server", "immich-app/immich-machine-learning", "immich-app/immich-server",
        "itzg/minecraft-bedrock-server", "itzg/minecraft-server", "jellyfin/jellyfin", "localstack/localstack",
        "louislam/uptime-kuma", "mattermost/mattermost-team-edition", "mvance/unbound", "netdata/netdata",
        "nodered/node-red", "open-webui/open-webui", "openzipkin/zipkin", "paperless-ngx/paperless-ngx",
        "pihole/pihole", "qmcgaw/gluetun", "vaultwarden/server", "wg-easy/wg-easy",
    }
)  # fmt: skip


def _asks_itself(definition: Definition) -> bool:
    """Whether the image is known to bring a health check; one that is built upon it is not known."""
    if not definition.image or definition.build:
        return False
    return repository(definition.image)[1] in _ASK_THEMSELVES


@check(
    Definition,
    Severity.WARNING,
    fix="Write a `test` that asks the service, or take `disable` out to use the one that the image brings.",
    needs=("compose",),
)
def healthcheck_disabled(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A health check is switched off.

    Nothing asks whether the service works, not even where its image would. Runs that end need none.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", healthcheck: {disable: true}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", healthcheck: {test: [CMD, curl, -f, "http://localhost/"]}}
    """
    if definition.healthcheck and definition.healthcheck.disabled and not snapshot.ends(definition):
        yield Problem(
            f"the health check of `{definition.name}` is switched off",
            (definition.place("healthcheck.disable", "healthcheck.test", "healthcheck"),),
            field="healthcheck",
        )


def _asked(definition: Definition) -> HealthCheck | None:
    """The health check that is on."""
    asked = definition.healthcheck
    return None if asked is None or asked.disabled else asked


_DEFAULT_INTERVAL = 30.0  # seconds, Docker's


@check(
    Definition,
    Severity.WARNING,
    fix="Let the `test` ask the service itself, by a tool that its image has, and end within the `interval`.",
    needs=("compose",),
)
def impossible_healthcheck(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A health check cannot tell a working service from a broken one.

    It always succeeds, waits longer for an answer than the time between two questions (as long is only told), is a
    shell's line that no shell reads, calls a tool that the image lacks, or asks a port on which the service does not
    listen.

    Bad:
        compose:
          services:
            web: {image: "nginx:1.27.5", healthcheck: {test: [CMD, curl, -f, "http://localhost/", "||", exit, "1"]}}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5", healthcheck: {test: [CMD-SHELL, "curl -f http://localhost/ || exit 1"]}}
    """
    asked = _asked(definition)
    if asked is None:
        return
    for key, place, what, severity, fix in _impossible(definition, asked, snapshot):
        yield Problem(
            f"the health check of `{definition.name}` {what}",
            (definition.place(f"healthcheck.{place}", "healthcheck"),),
            key=key,
            field="healthcheck",
            severity=severity,
            fix=fix,
        )


_Fault = tuple[str, str, str, Severity | None, str | None]  # key, field, words, severity and fix where special


def _impossible(definition: Definition, asked: HealthCheck, snapshot: Snapshot) -> Iterator[_Fault]:
    if asked.always_true:
        yield "always true", "test", "succeeds whatever the service does", None, None
    interval = asked.interval or _DEFAULT_INTERVAL
    if asked.timeout is not None and asked.timeout >= interval:
        than = "longer than" if asked.timeout > interval else "as long as"
        words = f"waits {_seconds(asked.timeout)} for an answer, {than} its interval of {_seconds(interval)}"
        severity = None if asked.timeout > interval else Severity.INFO
        yield "timeout", "timeout", words, severity, "Make the `timeout` shorter than the `interval`."
    if asked.needs_shell:
        fix = "Write it as a text, or begin the list with `CMD-SHELL`."
        yield "shell", "test", "is written for a shell, but `CMD` starts none", None, fix
    service = snapshot.service_of(definition)
    component = service.component if service else None
    lacking = [tool for tool in asked.tools if component and tool in component.lacks]
    if component and lacking and _is_plain(definition, component):
        fix = "Ask by what the image has, or build an image that has the tool."
        words = f"calls `{lacking[0]}`, which the image of {component.title} does not have"
        yield f"tool {lacking[0]}", "test", words, None, fix
    yield from _wrong_ports(definition, asked, service)


def _seconds(value: float) -> str:
    return f"{value:g} s"


def _is_plain(definition: Definition, component: Component) -> bool:
    """Whether the image is the very one that the knowledge base speaks of: not rebuilt, no `debug` one, no vendor's."""
    if definition.build or not definition.image or not component.images:
        return False
    _, path = repository(definition.image)
    tag = definition.image.partition("@")[0].rpartition(":")[2]
    return "debug" not in tag and f"/{path}".endswith(f"/{component.images[0]}")


def _wrong_ports(definition: Definition, asked: HealthCheck, service: Service | None) -> Iterator[_Fault]:
    """Ports of its own loopback that no setting names and on which nothing is known to listen."""
    if not asked.stray_ports or definition.network_mode:
        return
    entry, component = (service.entry, service.component) if service else (None, None)
    usual = set(component.ports) if component else set()
    configured = definition.build or definition.configs or any(mount.kind == "bind" for mount in definition.mounts)
    sure = {*(entry.ports if entry else ()), *(() if configured else usual)}
    named = {port.target for port in definition.ports} | set(definition.expose)
    metrics = entry.metrics.port if entry and entry.metrics else None
    for port in asked.stray_ports:
        if port in usual or port in sure or port in named or port == metrics or not (sure or named):
            continue
        listens = ", ".join(str(number) for number in sorted(sure or named)[:6])
        fix = "Ask the port on which it listens."
        if sure:
            yield f"port {port}", "test", f"asks port {port}, but it listens on {listens}", None, fix
        else:
            words = f"asks port {port}, which nothing else names (ports: {listens})"
            yield f"port {port}", "test", words, Severity.INFO, fix


@check(
    Definition,
    Severity.INFO,
    fix="Set a `start_period` that is as long as it takes to start, as `60s`.",
    needs=("compose",),
)
def no_start_period(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A service that is slow to start is called unhealthy before it is up.

    What waits for it gives up, and whatever restarts unhealthy containers never lets it finish.

    Bad:
        compose:
          services:
            db: {image: "mysql:8.4", healthcheck: {test: [CMD, mysqladmin, ping]}}
    Good:
        compose:
          services:
            db: {image: "mysql:8.4", healthcheck: {test: [CMD, mysqladmin, ping], start_period: 60s}}
    """
    asked, component = _asked(definition), snapshot.component_of(definition)
    if asked is None or asked.start_period or component is None or not component.start_seconds:
        return
    yield Problem(
        f"`{definition.name}` ({component.title}) is slow to start, and its health check has no start period",
        (definition.place("healthcheck"),),
        (Evidence("knowledge", f"examples of {component.title} let it start for {component.start_seconds} s"),),
        field="healthcheck",
        fix=f"Set a `start_period` of `{component.start_seconds}s` or more.",
    )


def _asked_by_docker(service: Service) -> bool:
    return any(container.health in ("healthy", "unhealthy", "starting") for container in service.containers)
