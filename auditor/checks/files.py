"""Can the files be read for what they mean? What the parsers had to say becomes a finding here."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from auditor.inventory import Snapshot
from auditor.model import Fault, Severity
from auditor.registry import Problem, check

_LINE = re.compile(r"\bline [0-9]+")


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

    Compose puts an empty text in its place. Where the project keeps no `.env` that could set it, this is only told: it
    may well stand where the stack is deployed.

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
    yield told(fault, None if _has_env(fault, snapshot) else Severity.INFO)


def _has_env(fault: Fault, snapshot: Snapshot) -> bool:
    """Whether the environment's variables stand in files that were read."""
    project = snapshot.project(fault.environment or "")
    specs = snapshot.catalogue.environments if snapshot.catalogue else ()
    named = any(spec.env_file for spec in specs if spec.name == fault.environment)
    return named or any(posixpath.basename(path) == ".env" for path in (project.files if project else ()))
