"""What would an intruder thank us for?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.inventory import Snapshot
from auditor.model import Definition, Location, Severity, Variable
from auditor.registry import Problem, check


@check(
    Definition,
    Severity.CRITICAL,
    fix="Give it as a file below `secrets:` (`<NAME>_FILE`), or as a plain `${NAME}` without default; then change it.",
    needs=("compose",),
)
def secret_in_environment(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A secret stands in the Compose file, readable for everybody who reads the repository.

    It stays in the history after it is taken out, and `docker inspect` shows it. A plain `${NAME}`, a `*_FILE` and an
    empty value are none. The auditor keeps the name of a variable and drops its value.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {API_TOKEN: "made-up-4f9a77c1"}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {API_TOKEN_FILE: /run/secrets/api_token}}
    """
    for variable in definition.variables:
        if variable.kind == "secret":
            yield _problem(f"`{variable.name}` of `{definition.name}` holds a secret", variable, definition)


@check(
    Definition,
    Severity.CRITICAL,
    fix="Generate a secret for each installation, give it as a file below `secrets:`, and let no default stand in.",
    needs=("compose",),
)
def default_secret(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A secret is a word that everybody knows.

    Defaults such as `changeme` stand in public examples and are what is tried first.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {JWT_SECRET: "${JWT_SECRET:-changeme}"}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {JWT_SECRET_FILE: /run/secrets/jwt}}
    """
    for variable in definition.variables:
        if variable.kind == "default-secret":
            word = f" `{variable.default}`" if variable.default else ""
            said = f"`{variable.name}` of `{definition.name}` is the well-known default{word}"
            yield _problem(said, variable, definition)


def _problem(message: str, variable: Variable, definition: Definition) -> Problem:
    return Problem(
        message,
        (variable.location or _place(definition, variable.name),),
        key=variable.name,
        field=f"environment.{variable.name}",
        cause=f"secret:{definition.name}:{variable.name}",
    )


def _place(definition: Definition, name: str) -> Location:
    return definition.place(f"environment.{name}", "environment")
