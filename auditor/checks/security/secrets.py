"""Which secrets, and what else, does a file tell whoever reads it?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.inventory import Service, Snapshot
from auditor.listening import called
from auditor.model import (
    Definition,
    Evidence,
    Listener,
    Location,
    Project,
    Severity,
    Variable,
)
from auditor.registry import Problem, check
from auditor.words import listed


@check(
    Definition,
    Severity.CRITICAL,
    fix="Give it as a file below `secrets:` (`<NAME>_FILE`), or as a plain `${NAME}` without default; then change it.",
    needs=("compose",),
)
def secret_in_environment(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A secret stands in the Compose file, readable for everybody who reads the repository.

    It stays in the history after it is taken out, and `docker inspect` shows it. Variables, commands, labels and
    arguments of a build are looked at. A plain `${NAME}`, a `*_FILE` and an empty value are none. The auditor keeps the
    name of a variable and drops its value.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {API_TOKEN: "made-up-4f9a77c1"}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {API_TOKEN_FILE: /run/secrets/api_token}}
    """
    for variable in (*definition.variables, *definition.told):
        if variable.kind == "secret":
            yield _problem(f"{_named(variable, definition)} holds a secret", variable, definition)


@check(
    Service,
    Severity.CRITICAL,
    fix="Generate a secret for each installation, give it as a file below `secrets:`, and let no default stand in.",
    either=("compose", "processes"),
)
def default_secret(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """A secret is a word that everybody knows.

    Defaults such as `changeme` stand in public examples and are what is tried first. Of a declared host process its own
    environment is read.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {JWT_SECRET: "${JWT_SECRET:-changeme}"}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {JWT_SECRET_FILE: /run/secrets/jwt}}
    """
    definition = service.composed
    for variable in (*definition.variables, *definition.told) if definition else ():
        if definition and variable.kind == "default-secret":
            yield _problem(_known(variable, _named(variable, definition)), variable, definition)
    for listener in snapshot.holders_of(service).own:
        yield from _of_process(listener, service)


def _known(variable: Variable, name: str) -> str:
    word = f" `{variable.default}`" if variable.default else ""
    return f"{name} is the well-known default{word}"


def _of_process(listener: Listener, service: Service) -> Iterator[Problem]:
    for variable in listener.variables or ():
        if variable.kind == "default-secret":
            yield Problem(
                _known(variable, f"`{variable.name}` of `{service.name}`"),
                (service.location,) if service.location else (),
                (Evidence("processes", f"{called(listener)} was started with it"),),
                key=variable.name,
                field=f"environment.{variable.name}",
                cause=f"secret:{service.name}:{variable.name}",
                fix="Generate a secret for each installation, and start the process with it.",
            )


def _named(variable: Variable, definition: Definition) -> str:
    if variable.where == "environment":
        return f"`{variable.name}` of `{definition.name}`"
    if variable.where == "command":
        name = f"`{variable.name}`" if variable.name else "an address"
        return f"{name} in the command of `{definition.name}`"
    return f"the {variable.where} `{variable.name}` of `{definition.name}`"


def _problem(message: str, variable: Variable, definition: Definition) -> Problem:
    return Problem(
        message,
        (variable.location or _place(definition, variable.name),),
        key=variable.name if variable.where == "environment" else f"{variable.where} {variable.name}",
        field=f"{variable.where}.{variable.name}",
        cause=f"secret:{_origin(variable, definition)}",
    )


def _origin(variable: Variable, definition: Definition) -> str:
    """What is to be changed: a variable of `.env`, or the line that services share by anchor, `extends` or file."""
    if variable.given_by:
        return variable.given_by
    return f"{variable.name}:{variable.location}" if variable.location else f"{definition.name}:{variable.name}"


def _place(definition: Definition, name: str) -> Location:
    return definition.place(f"environment.{name}", "environment")


_MOST_NAMES = 4


@check(
    Project,
    Severity.CRITICAL,
    fix="Add the file to `.gitignore`, take it out with `git rm --cached`, and change what was in it.",
    needs=("compose",),
)
def secret_file_tracked(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A file with secrets stands in the repository, and git does not ignore it.

    An `.env` or `env_file` with passwords, a secret's file, a private key that a service mounts: once committed they
    stay in the history for everybody who can read it. Files named as examples and placeholders are none. Where nothing
    shows that the tree is a git repository nothing is said.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", environment: [API_TOKEN]}}
        files:
          .gitignore: "*.log"
          .env: "API_TOKEN=made-up-4f9a77c1"
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", environment: [API_TOKEN]}}
        files:
          .gitignore: ".env"
          .env: "API_TOKEN=made-up-4f9a77c1"
    """
    for file in project.secret_files:
        names = [f"`{name}`" for name in file.names]
        shown = listed(names) if len(names) <= _MOST_NAMES else f"{', '.join(names[:_MOST_NAMES])} and more"
        said = f"`{file.path}` holds {shown}, and git does not ignore it"
        yield Problem(said, (file.location,), key=",".join(sorted(file.names)), field=file.path)


@check(
    Definition,
    Severity.INFO,
    fix="Switch it off here; keep it in an override file for development.",
    needs=("compose",),
)
def debug_enabled(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A well-known debug switch is on.

    Debug pages show settings and stack traces to whoever asks, and some let the reader run code.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", environment: {FLASK_DEBUG: "1"}}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", environment: {FLASK_DEBUG: "0"}}}
    """
    names = definition.debug_switches
    if names:
        where = {variable.name: variable.location for variable in definition.variables}
        places = (where.get(name) or _place(definition, name) for name in names)
        said = f"`{definition.name}` is in debug mode: {listed([f'`{name}`' for name in names])}"
        yield Problem(said, tuple(dict.fromkeys(places)), key=",".join(sorted(names)), field=f"environment.{names[0]}")
