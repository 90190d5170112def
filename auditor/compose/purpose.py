"""What a service's command line is for: a task that ends by itself, or a place for somebody to come in."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from itertools import islice

from auditor.compose.values import boolean, words
from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Value

TASK, SHELL = "task", "shell"

_LONGEST = 8 << 10  # characters of a command that are looked at
# Programs that do one thing and end, whatever they are told.
_ENDING = frozenset(
    {
        "alembic", "chgrp", "chmod", "chown", "cp", "createdb", "createuser", "dropdb", "echo", "flyway", "gzip",
        "jest", "kafka-topics", "kafka-topics.sh", "kafka-configs", "liquibase", "mc", "mkdir", "mocha", "mysqldump",
        "nox", "pg_dump", "pg_restore", "phpunit", "printf", "pytest", "rm", "rspec", "tar", "touch", "tox", "true",
        "unzip",
    }
)  # fmt: skip
# Words that make an end of what is a daemon without them: `manage.py migrate`, `rails db:seed`, `npm test`.
_ENDING_WORDS = frozenset(
    {
        "collectstatic", "createsuperuser", "db:create", "db:migrate", "db:prepare", "db:seed", "db:setup", "loaddata",
        "migrate", "migrate:latest", "migration:run", "migrations", "seed", "test",
    }
)  # fmt: skip
_RUNNERS = frozenset(
    ("bundle", "exec", "npx", "yarn", "pnpm", "poetry", "uv", "run", "sudo", "time", "env", "docker-entrypoint.sh")
)
_LAST = regexp(r"&&|\|\||[;\n]")
_EXIT = regexp(r"exit(?:\s+[0-9]+)?\s*")
_IDLE = regexp(r"(?:exec\s+)?(?:sleep\s+(?:infinity|inf|[0-9]{6,}|[0-9]{4,}d)|tail\s+-[fF]\s+/dev/null)")
_SHELLS = frozenset(("ash", "bash", "dash", "sh", "zsh"))
_BLOCK = regexp(r"(?:^|[\s;])(?:while|until|for)\s")


def purpose(service: Mapping) -> str | None:
    """`task`: its command ends by itself; `shell`: it waits for somebody to come in; None for anything else."""
    script = _script(service)[:_LONGEST]
    if _IDLE.fullmatch(script) or (not script and _is_interactive(service)):
        return SHELL
    return TASK if _ends(script) else None


def _is_interactive(service: Mapping) -> bool:
    asked = all(boolean(service.get(key)) is True for key in ("stdin_open", "tty"))
    return asked and not any(service.get(key) for key in ("ports", "expose", "restart", "healthcheck"))


def _script(service: Mapping) -> str:
    """The words of entrypoint and command in one line, without the shell that reads them."""
    parts = [*_words(service.get("entrypoint")), *_words(service.get("command"))]
    if len(parts) > 1 and posixpath.basename(parts[0]) in _SHELLS and parts[1].startswith("-"):
        parts = parts[2:]
    return " ".join(parts).strip().strip("\"'").strip()


def _words(value: Value) -> Iterable[str]:
    if isinstance(value, str):
        return words(value)
    return [item for item in value if isinstance(item, str)] if isinstance(value, Sequence) else []


def _ends(script: str) -> bool:
    """Whether the last command of a script is one that ends; what loops before it may take its time."""
    commands = [part.strip() for part in _LAST.split(script) if part.strip()]
    if not commands or (_BLOCK.search(script) and "done" not in script):
        return False
    last = commands[-1]
    if _EXIT.fullmatch(last):
        return True
    if last.endswith("&") or last == "done":
        return False
    programs = (part.rpartition("/")[2] for part in last.split() if "=" not in part)
    named = [*islice((program for program in programs if program not in _RUNNERS), 3)]
    return bool(named) and (named[0] in _ENDING or not _ENDING_WORDS.isdisjoint(named))
