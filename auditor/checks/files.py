"""Can the files be read for what they mean? What the parsers had to say becomes a finding here."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from auditor.compose.secrets import looks_secret
from auditor.inventory import Snapshot
from auditor.model import Definition, Fault, Location, Project, Severity
from auditor.regexp import regexp
from auditor.registry import Problem, check

_LINE = regexp(r"\bline [0-9]+")


def told(fault: Fault, severity: Severity | None = None) -> Problem:
    """A parser's words as a problem. They tell faults apart, without the lines that they name."""
    return Problem(
        fault.message,
        (fault.location,),
        key=_LINE.sub("line", fault.message),
        severity=severity,
        fix=_sentence(fault.help) if fault.help else None,
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith(("?", ".", "!")) else ".")


@check(Fault, Severity.CRITICAL, fix="Correct the file so that it is YAML of the expected form.")
def invalid_yaml(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A file cannot be parsed, or is not of the form that its reader expects.

    What it says is lost, for the program that reads it as for the auditor.

    Bad:
        compose:
          services: {web: {image: "nginx:1.27.5"}}
        prometheus:
          scrape_configs: {job_name: web}
    Good:
        compose:
          services: {web: {image: "nginx:1.27.5"}}
        prometheus:
          scrape_configs: [{job_name: web, static_configs: [{targets: ["web:80"]}]}]
    """
    yield told(fault)


@check(Fault, Severity.CRITICAL, fix="Correct the file: `docker compose config` says what Compose refuses.")
def invalid_compose(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """Compose would refuse this file, or a part of it.

    The stack cannot be started from it. Without a catalogue it is only told: files that are looked at one by one are
    often halves of a set.

    Bad:
        catalogue:
          services: {web: {}}
        compose:
          services: {web: {image: "nginx:1.27.5", restrat: always}}
    Good:
        catalogue:
          services: {web: {}}
        compose:
          services: {web: {image: "nginx:1.27.5", restart: always}}
    """
    lenient = snapshot.catalogue is None and not fault.fatal
    yield told(fault, Severity.INFO if lenient else None)


@check(Fault, Severity.CRITICAL, fix="Keep one of the two keys.")
def duplicate_key(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A key stands twice in one mapping.

    Most programs keep the last one in silence, Compose refuses the file.

    Bad:
        files:
          docker-compose.yml: |
            services:
              web:
                image: nginx:1.27.5
                image: nginx:1.26.3
    Good:
        files:
          docker-compose.yml: |
            services:
              web:
                image: nginx:1.27.5
    """
    yield told(fault)


@check(Fault, Severity.WARNING, fix="Set the variable in the environment's `variables`, or give it a default.")
def unresolved_variable(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A variable that a Compose file uses is set nowhere.

    Compose puts an empty text in its place. Where the project keeps no `.env` that could set it, or the variable is a
    secret that no file should hold, this is only told: it may well stand where the stack is deployed.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:${TAG}"}}
        files:
          .env: "COLOUR=blue"
    Good:
        compose:
          services: {web: {image: "registry.example/web:${TAG}"}}
        files:
          .env: "TAG=1.4"
    """
    name = _VARIABLE.search(fault.message)
    kept_elsewhere = name is not None and looks_secret(name[1])
    yield told(fault, None if _has_env(fault, snapshot) and not kept_elsewhere else Severity.INFO)


_VARIABLE = regexp(r"^variable `([^`]+)`")


def _has_env(fault: Fault, snapshot: Snapshot) -> bool:
    """Whether the environment's variables stand in files that were read."""
    project = snapshot.project(fault.environment or "")
    specs = snapshot.catalogue.environments if snapshot.catalogue else ()
    named = any(spec.env_file for spec in specs if spec.name == fault.environment)
    return named or any(posixpath.basename(path) == ".env" for path in (project.files if project else ()))


_WHY_IDLE = {
    "restart": "`deploy.restart_policy` decides",
    "uid": "a file keeps the owner that it has",
    "gid": "a file keeps the group that it has",
    "mode": "a file keeps the mode that it has",
}


@check(
    Definition,
    Severity.INFO,
    fix="Take it out, or keep it in an override file that only `docker stack deploy` reads.",
    needs=("compose",),
)
def ignored_key(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """Compose accepts a key and does nothing with it.

    Whoever reads the file counts on it. Most such keys mean something to a Swarm only.

    Bad:
        compose:
          services: {web: {image: "nginx:1.27.5", deploy: {placement: {constraints: ["node.role == worker"]}}}}
    Good:
        compose:
          services: {web: {image: "nginx:1.27.5", deploy: {replicas: 2}}}
    """
    if not definition.idle:
        return
    shown = ", ".join(f"`{field}`" + _because(field) for field in definition.idle)
    places = tuple(dict.fromkeys(_place_of(definition, field) for field in definition.idle))
    said = f"Compose does nothing with {shown} of `{definition.name}`"
    yield Problem(said, places, key=",".join(definition.idle), field=definition.idle[0])


def _because(field: str) -> str:
    why = _WHY_IDLE.get(field.rpartition(".")[2])
    return f" ({why})" if why else ""


def _place_of(definition: Definition, field: str) -> Location:
    """The place of a dotted field, or of the nearest above it that is known."""
    while field and field not in definition.lines:
        field = field.rpartition(".")[0]
    return definition.place(field)


@check(Fault, Severity.INFO, fix="Put the value into quotes.")
def yaml_pitfall(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A value without quotes is something else to readers of YAML 1.1.

    Compose reads YAML 1.2. Scripts and other tools that read the same file often do not: to them `22:22` is 1342, `no`
    is false and `0123` is 83.

    Bad:
        compose: |
          services:
            web:
              image: nginx:1.27.5
              ports:
                - 22:22
    Good:
        compose: |
          services:
            web:
              image: nginx:1.27.5
              ports:
                - "22:22"
    """
    yield told(fault)


@check(Fault, Severity.INFO, fix="Delete the line.")
def obsolete_version_field(fault: Fault, snapshot: Snapshot) -> Iterator[Problem]:
    """A Compose file states a `version`, which nothing reads any more.

    Compose warns of it at every call, and readers look for a meaning.

    Bad:
        compose:
          version: "3.9"
          services: {web: {image: "nginx:1.27.5"}}
    Good:
        compose:
          services: {web: {image: "nginx:1.27.5"}}
    """
    yield told(fault)


@check(Project, Severity.INFO, fix="Write a top-level `name:` into the Compose file.", needs=("compose",))
def missing_project_name(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """Nothing names the project, so it is called after whatever directory it stands in.

    A clone in a directory of another name makes a second project, with volumes and networks of its own.

    Bad:
        compose:
          services: {web: {image: "nginx:1.27.5"}}
    Good:
        compose:
          name: shop
          services: {web: {image: "nginx:1.27.5"}}
    """
    if not project.named and project.files and project.sections:
        place = min(project.sections.values(), key=lambda location: (location.path != project.files[0], location.line))
        said = "no `name:` says what the project is called"
        yield Problem(said, (Location(place.path, 1),))
