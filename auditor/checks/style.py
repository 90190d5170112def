"""Is it written the way others expect to read it? Off by default: `--select style`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from auditor.checks.files import told
from auditor.inventory import Snapshot
from auditor.model import Definition, Fault, Location, Project, Severity
from auditor.registry import Problem, check

_SECTIONS = ("version", "name", "include", "services", "models", "networks", "volumes", "secrets", "configs")
_KEYS = (
    *("image", "build", "pull_policy", "platform", "provider", "container_name", "hostname", "extends", "profiles"),
    *("scale", "depends_on", "volumes", "tmpfs", "configs", "secrets", "environment", "env_file", "ports", "expose"),
    *("networks", "network_mode", "extra_hosts", "dns", "links", "labels", "user", "working_dir", "entrypoint"),
    *("command", "healthcheck", "restart", "stop_grace_period", "stop_signal", "deploy", "logging"),
)
_RANK = {key: rank for rank, key in enumerate(_KEYS)}


def _in_files(places: Mapping[str, Location]) -> Iterator[list[str]]:
    """Names in the order in which each file has them; a file holds only part of a merged whole."""
    files: dict[str, list[tuple[int, str]]] = {}
    for name, place in places.items():
        files.setdefault(place.path, []).append((place.line or 0, name))
    for items in files.values():
        yield [name for _, name in sorted(items, key=lambda item: item[0])]


def _misplaced(places: Mapping[str, Location], rank: Callable[[str], str | int]) -> list[tuple[str, str]]:
    """Of each file the first name that stands where another should, and that other one."""
    found = []
    for names in _in_files(places):
        ordered = sorted(names, key=rank)
        found += [pair for pair in zip(names, ordered, strict=True) if pair[0] != pair[1]][:1]
    return found


def _problem(
    what: str, places: Mapping[str, Location], rank: Callable[[str], str | int], field: str | None = None
) -> Iterator[Problem]:
    """One problem for all files. It has no key: which name is out of order says nothing of the rest."""
    wrong = _misplaced(places, rank)
    if wrong:
        name, wanted = wrong[0]
        said = what.format(name=f"`{name}`", wanted=f"`{wanted}`")
        yield Problem(said, tuple(places[name] for name, _ in wrong), field=field)


def _by_name(name: str) -> str:
    return name


@check(Project, Severity.INFO, fix="Sort the services by name.", needs=("compose",))
def service_order(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """The services do not stand in the order of the alphabet.

    In a long file a reader looks for them there.

    Bad:
        compose:
          services: {web: {image: "nginx:1.27.5"}, db: {image: "postgres:17.4"}}
    Good:
        compose:
          services: {db: {image: "postgres:17.4"}, web: {image: "nginx:1.27.5"}}
    """
    places = {definition.name: definition.location for definition in project.definitions}
    yield from _problem("service {name} stands where {wanted} should", places, _by_name)


@check(Project, Severity.INFO, fix="Order the sections: `name`, `include`, `services`, `networks`, `volumes`, ...")
def section_order(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """The top-level sections do not stand in the usual order.

    Usual is: `name`, `include`, `services`, `models`, `networks`, `volumes`, `secrets`, `configs`; `x-` keys anywhere.

    Bad:
        compose:
          volumes: {data: {}}
          services: {web: {image: "nginx:1.27.5", volumes: ["data:/data"]}}
    Good:
        compose:
          services: {web: {image: "nginx:1.27.5", volumes: ["data:/data"]}}
          volumes: {data: {}}
    """
    places = {name: place for name, place in project.sections.items() if name in _SECTIONS}
    yield from _problem("section {name} stands where {wanted} should", places, _SECTIONS.index)


@check(Definition, Severity.INFO, fix="Order the keys: what runs, what it needs, how it is reached, how it is kept up.")
def key_order(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The keys of a service do not stand in the usual order.

    Usual is: image and build, names, dependencies, volumes, environment, ports and networks, command, health check,
    restart, limits and logging. Keys that are not named here may stand anywhere.

    Bad:
        compose:
          services: {web: {ports: ["80:80"], image: "nginx:1.27.5"}}
    Good:
        compose:
          services: {web: {image: "nginx:1.27.5", ports: ["80:80"]}}
    """
    places = {key: place for key, place in definition.lines.items() if key in _RANK and _own(place, definition)}
    said = f"{{name}} of `{definition.name}` stands where {{wanted}} should"
    yield from _problem(said, places, _RANK.__getitem__)


def _own(place: Location, definition: Definition) -> bool:
    """Whether a key stands below the service's own name, and did not come by an anchor or by `extends`."""
    here = definition.location
    return place.path == here.path and (place.line or 0) >= (here.line or 0)


@check(Definition, Severity.INFO, fix="Sort `depends_on` by name.", needs=("compose",))
def dependency_order(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The dependencies of a service do not stand in the order of the alphabet.

    Compose starts them in its own order; a sorted list is easier to compare.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", depends_on: [db, cache]}
            db: {image: "postgres:17.4"}
            cache: {image: "redis:7.4.2"}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", depends_on: [cache, db]}
            db: {image: "postgres:17.4"}
            cache: {image: "redis:7.4.2"}
    """
    places = {
        edge.service: edge.location
        for edge in definition.depends_on
        if edge.location and f"depends_on.{edge.service}" in definition.lines
    }
    said = f"`{definition.name}` depends on {{name}} where {{wanted}} should stand"
    yield from _problem(said, places, _by_name, "depends_on")


@check(Definition, Severity.INFO, fix="Sort `ports` by the published port.", needs=("compose",))
def port_order(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The ports of a service do not stand in the order of their numbers.

    A sorted list shows at once which are taken.

    Bad:
        compose:
          services: {web: {image: "nginx:1.27.5", ports: ["443:443", "80:80"]}}
    Good:
        compose:
          services: {web: {image: "nginx:1.27.5", ports: ["80:80", "443:443"]}}
    """
    numbers = [int((port.published or str(port.target)).partition("-")[0] or 0) for port in definition.ports]
    for port, number, following in zip(definition.ports[1:], numbers, numbers[1:], strict=False):
        if following < number:
            said = f"port {following} of `{definition.name}` stands after {number}"
            yield Problem(said, (port.location or definition.place("ports"),), field="ports")
            return


@check(Fault, Severity.INFO, fix="Put the port into quotes.")
def unquoted_port(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A port stands without quotes.

    Quotes keep every reader from taking it for a number, whatever the digits are.

    Bad:
        compose: |
          services:
            web:
              image: nginx:1.27.5
              ports:
                - 8080:80
    Good:
        compose: |
          services:
            web:
              image: nginx:1.27.5
              ports:
                - "8080:80"
    """
    yield told(fault)


@check(Fault, Severity.INFO, fix="Take the quotes away.")
def quoted_volume(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A volume stands in quotes that it does not need.

    Bad:
        compose: |
          services:
            web:
              image: nginx:1.27.5
              volumes:
                - "./site:/usr/share/nginx/html:ro"
    Good:
        compose: |
          services:
            web:
              image: nginx:1.27.5
              volumes:
                - ./site:/usr/share/nginx/html:ro
    """
    yield told(fault)
