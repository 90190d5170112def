"""What the commands of a document need to be there: scripts, modules, targets, Compose files and services."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor.regexp import regexp
from auditor.sources.documents.phrases import words
from auditor.sources.documents.shell import Command


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something that a command needs. kind: file, module, make, script (of a package.json), service (of Compose).

    `files`: for a service, the Compose files that the command names.
    """

    kind: str
    name: str
    files: tuple[str, ...] = ()


_PATH = regexp(r"(?:\./)?[\w.@+-]+(?:/[\w.@+-]+)*/?")
_MODULE = regexp(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_APP = regexp(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+):\w+(?:\(\))?")
_PYTHON = regexp(r"python(?:[23](?:\.\d+)?)?|py|pypy3?")
_SERVICE = regexp(r"[A-Za-z0-9][\w.-]*")
_TARGET = regexp(r"[A-Za-z][\w.-]*")
_SCRIPT = regexp(r"[A-Za-z][\w:.-]*")
_SAMPLE = regexp(r"(?i)example|sample|template|\.dist$")
_PLACEHOLDER = regexp(r"(?i)[<>{}$*?\[\]]|\.\.\.|\byour\b|your[-_]|\bpath/to\b|\bmy[-_]|xxx|\bsome[-_]|\bfoo\b|\bbar\b")
# Directories whose content is made, and files that are.
_MADE = words("node_modules venv .venv env .env build dist target bin out tmp .git .next coverage __pycache__ obj")
_MADE_FILE = regexp(
    r"\.(?:jar|war|whl|gz|tgz|zip|deb|rpm|pem|crt|key|dump|log|bak|db|sqlite3?|exe|tar|out|pid|csv|bin)$"
)


def wanted(command: Command) -> Iterator[Wanted]:
    """What a command needs of the project."""
    if command.unsure:
        return
    first, *rest = command.words
    if _PYTHON.fullmatch(first):
        yield from _python(rest)
    elif first.startswith("./") or (first.endswith((".sh", ".py")) and "/" in first):
        yield from _file(first)
    elif first == "docker-compose" or (first in ("docker", "podman", "nerdctl") and rest[:1] == ["compose"]):
        if not any(name.startswith("COMPOSE_") for name in command.settings):
            yield from _compose(rest if first == "docker-compose" else rest[1:])
    elif read := _READERS.get(first):
        yield from read(rest)


def _file(path: str) -> Iterator[Wanted]:
    if not _PATH.fullmatch(path) or _PLACEHOLDER.search(path) or _MADE_FILE.search(path):
        return
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if parts and ".." not in parts and parts[0] not in _MADE and not parts[0].endswith(("_env", "-env", "venv")):
        yield Wanted("file", "/".join(parts))


def _module(name: str) -> Iterator[Wanted]:
    if _MODULE.fullmatch(name) and not _PLACEHOLDER.search(name):
        yield Wanted("module", name)


def _python(rest: Sequence[str]) -> Iterator[Wanted]:
    for index, word in enumerate(rest):
        if word == "-m":
            yield from (item for name in rest[index + 1 : index + 2] for item in _module(name))
            return
        if word in ("-c", "-"):
            return
        if not word.startswith("-"):
            if word.endswith(".py"):
                yield from _file(word)
            return


def _interpreter(rest: Sequence[str]) -> Iterator[Wanted]:
    """`bash scripts/x.sh`: the first word that is no option, where it looks like a file."""
    word = next((word for word in rest if not word.startswith("-")), "")
    if "-c" not in rest and "-e" not in rest and ("." in word or "/" in word):
        yield from _file(word)


def _runs(subcommand: str) -> Callable[[Sequence[str]], Iterator[Wanted]]:
    """`streamlit run x.py`."""

    def read(rest: Sequence[str]) -> Iterator[Wanted]:
        if rest[:1] == [subcommand]:
            yield from _interpreter(rest[1:])

    return read


def _source(rest: Sequence[str]) -> Iterator[Wanted]:
    if rest and not rest[0].endswith(("activate", ".env", "rc", "profile")):
        yield from _interpreter(rest[:1])


def _applications(rest: Sequence[str]) -> Iterator[Wanted]:
    """`uvicorn app.main:app`."""
    for match in filter(None, map(_APP.fullmatch, rest)):
        yield from _module(match[1])


def _celery(rest: Sequence[str]) -> Iterator[Wanted]:
    for index, word in enumerate(rest[:-1]):
        if word in ("-A", "--app"):
            yield from _module(rest[index + 1].partition(":")[0])


def _pytest(rest: Sequence[str]) -> Iterator[Wanted]:
    values = set(_after(rest, "-k", "-m", "-n", "-c", "-p", "--cov-report", "--cov", "--tb", "-o"))
    for word in rest:
        path = word.partition("::")[0]
        if not word.startswith("-") and word not in values and ("/" in path or path.endswith(".py")):
            yield from _file(path)


def _option(*names: str) -> Callable[[Sequence[str]], Iterator[Wanted]]:
    """`pip install -r requirements.txt`: the values of options are files."""

    def read(rest: Sequence[str]) -> Iterator[Wanted]:
        for value in _after(rest, *names):
            if value != "-":
                yield from _file(value)

    return read


def _after(rest: Sequence[str], *names: str) -> Iterator[str]:
    """The values of options, as `-f value` or `--file=value`."""
    for index, word in enumerate(rest):
        name, equals, value = word.partition("=")
        if name in names:
            if equals:
                yield value
            elif index + 1 < len(rest):
                yield rest[index + 1]


def _copy(rest: Sequence[str]) -> Iterator[Wanted]:
    """`cp .env.example .env`: what is a sample has to be there."""
    plain = [word for word in rest if not word.startswith("-")]
    if len(plain) == 2 and _SAMPLE.search(plain[0]):
        source = plain[0].removeprefix("./")
        if _PATH.fullmatch(source) and ".." not in source.split("/") and not re.search(r"[<>{}$*]", source):
            yield Wanted("file", source)


def _make(rest: Sequence[str]) -> Iterator[Wanted]:
    if any(word.startswith(("-f", "--file", "--makefile")) for word in rest):
        return
    values = set(_after(rest, "-j", "-C", "--directory"))
    for word in rest:
        if word not in values and not word.startswith("-") and "=" not in word and _TARGET.fullmatch(word):
            yield Wanted("make", word)


def _package_script(rest: Sequence[str]) -> Iterator[Wanted]:
    """`npm run dev`."""
    if "--prefix" in rest or "-C" in rest or rest[:1] not in (["run"], ["run-script"]):
        return
    name = next((word for word in rest[1:] if not word.startswith("-")), "")
    if _SCRIPT.fullmatch(name) and not name.endswith((".ts", ".js", ".mjs", ".tsx")) and not _PLACEHOLDER.search(name):
        yield Wanted("script", name)


def _go(rest: Sequence[str]) -> Iterator[Wanted]:
    for path in rest[1:2] if rest[:1] == ["run"] else ():
        if path.startswith("./") or path.endswith(".go"):
            yield from _file(path)


# --- Compose -----------------------------------------------------------------------------------------------------

_GLOBAL_VALUES = words(
    "-f --file -p --project-name --profile --env-file --project-directory --ansi --parallel --progress"
)
_VALUES = words(
    """
    --scale -t --timeout --exit-code-from --pull --attach --no-attach --tail -n --since --until -u --user -e --env -w
    --workdir --index -v --volume -p --publish --name --entrypoint -l --label --build-arg --progress -m --memory -s
    --signal --policy --format --filter --status --env-from-file --cap-add --cap-drop --ssh --wait-timeout
    """
)
_MANY = words("up start stop restart logs build pull push kill rm create pause unpause ps top images watch")
_ONE = words("exec run port")


def _compose(rest: Sequence[str]) -> Iterator[Wanted]:
    files: list[str] = []
    words_left = list(rest)
    while words_left and words_left[0].startswith("-"):
        name, equals, value = words_left.pop(0).partition("=")
        if name in _GLOBAL_VALUES and not equals:
            value = words_left.pop(0) if words_left else ""
        if name in ("-f", "--file"):
            files.append(value)
        if name == "--project-directory":
            return
    for path in files:
        if not path.startswith(("/", "~")):
            yield from _file(path)
    if words_left:
        for name in _services(words_left[0], words_left[1:]):
            if _SERVICE.fullmatch(name) and not _PLACEHOLDER.search(name) and not _GENERIC.search(name):
                yield Wanted("service", name, tuple(files))


_GENERIC = regexp(r"(?i)^(?:service|container|service[-_]?name|container[-_]?name|name|services?\d?)$")


def _services(subcommand: str, rest: Sequence[str]) -> Iterator[str]:
    if subcommand not in _MANY | _ONE:
        return
    todo = list(rest)
    while todo:
        word = todo.pop(0)
        name, equals, value = word.partition("=")
        if word.startswith("-"):
            if name in _VALUES and not equals and todo:
                value = todo.pop(0)
            if name == "--scale" and value:
                yield value.partition("=")[0]
            continue
        yield word
        if subcommand in _ONE:
            return


_READERS: Mapping[str, Callable[[Sequence[str]], Iterator[Wanted]]] = {
    **dict.fromkeys(words("bash sh zsh node ruby php perl tsx ts-node Rscript pwsh"), _interpreter),
    **dict.fromkeys(words("source ."), _source),
    **dict.fromkeys(words("streamlit deno bun"), _runs("run")),
    **dict.fromkeys(words("uvicorn gunicorn hypercorn daphne"), _applications),
    **dict.fromkeys(words("npm yarn pnpm"), _package_script),
    **dict.fromkeys(words("pip pip3"), _option("-r", "--requirement")),
    "celery": _celery,
    "pytest": _pytest,
    "kubectl": _option("-f", "--filename"),
    "psql": _option("-f", "--file"),
    "ansible-playbook": _interpreter,
    "cp": _copy,
    "make": _make,
    "go": _go,
}
