"""`config`: the merged model of Compose files, as `docker compose config` would print it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor import whereabouts
from auditor.cli import output

if TYPE_CHECKING:
    from auditor.compose.canonical import Canonical
    from auditor.model import Fault
    from auditor.tree import Tree

_MOST_COMPARED = 5_000  # paths among which a misspelt one is looked for
_PROFILES_HELP = "Profile to activate; repeatable, `*` is all of them."


@click.command(
    epilog="""\b
Examples:
  auditor config
  auditor config -f compose.yaml -f compose.prod.yaml --format json
  auditor config --lines"""
)
@click.option(
    "-f",
    "--file",
    "files",
    metavar="FILE",
    multiple=True,
    help="Compose file, `-` is standard input; repeatable, the last one wins.",
)
@click.option("-p", "--project-name", "name", metavar="NAME", help="Name of the project.")
@click.option("--profile", "profiles", metavar="NAME", multiple=True, help=_PROFILES_HELP)
@click.option(
    "--env-file", "env_files", metavar="FILE", multiple=True, help="Variables, instead of `.env`; repeatable."
)
@click.option("--project-directory", metavar="DIR", help="Where relative paths begin, instead of at the first file.")
@click.option("--no-interpolate", is_flag=True, help="Leave variables as they are written.")
@click.option("--lax", is_flag=True, help="Print what can be loaded, and say on standard error what it lacks.")
@click.option("--lines", is_flag=True, help="Say for each value which line of which file decided it.")
@click.option("--root", metavar="DIR", help="Project root; nothing outside it is read.")
@click.option("--allow-path", "allow_paths", metavar="DIR", multiple=True, help="Another directory that may be read.")
@click.option("--format", "form", type=click.Choice(("yaml", "json")), default="yaml", show_default=True)
@click.option("--output", "target", metavar="FILE", help="Write there instead of standard output.")
def config(form: str, target: str | None, *, lax: bool, lines: bool, **asked: Any) -> int:
    """Print the merged Compose model, as `docker compose config` does.

    Variables come from the environment of this process and from `.env`, and their values are printed, secrets too.
    What Compose refuses is refused with its file and line, and exit code 3; --lax prints the rest.
    """
    found = compute({**asked, "form": form}, os.environ)
    for fault in found.warnings:
        output.note(_said(fault, "warning"))
    for fault in found.faults:
        output.note(_said(fault, "warning" if lax else "error"))
    if found.config is None or (found.faults and not lax):
        return 3
    printed = _rendered(found, form, lines=lines)
    output.write(printed if asked["no_interpolate"] else printed.replace("$", "$$"), target)
    return 3 if any(fault.fatal for fault in found.faults) else 0


def _said(fault: Fault, word: str) -> str:
    place = fault.location
    where = f"{place.path}:{place.line}" if place.line else place.path
    help = f"\n  help: {fault.help}" if fault.help else ""
    return f"{word}: {fault.message}\n  --> {where}{help}"


def _rendered(found: Canonical, form: str, *, lines: bool) -> str:
    import json

    from auditor.compose import emit

    config, places = found.config, found.places
    if config is None or places is None:
        return ""
    if form == "yaml":
        return emit.yaml_text(config, places if lines else None)
    body: object = config
    if lines:
        chains = {
            path: [{"path": place.path, "line": place.line} for place in chain]
            for path, chain in emit.lines(config, places).items()
        }
        body = {"config": config, "lines": chains}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


# --- from the command line to the pure part ------------------------------------------------------------------------


def compute(asked: Mapping[str, Any], environ: Mapping[str, str]) -> Canonical:
    """The canonical model of what a command line asks for. Raises UsageError where a named place is not there."""
    from auditor.compose import Standing
    from auditor.compose.canonical import canonical
    from auditor.errors import UsageError
    from auditor.model import EnvironmentSpec, Location
    from auditor.sources import compose_schema

    here = _clean(whereabouts.current(environ))
    home = _clean(here / given) if (given := asked.get("project_directory")) else None
    named = asked.get("files") or _named(environ)
    if "" in named:
        raise UsageError("the name of a Compose file is empty", help="look at `-f` and `COMPOSE_FILE`")
    files = _files(named, here, home or here)
    env_files = [_clean(here / _from_home(file)) for file in asked.get("env_files") or _named_env_files(environ)]
    start = home or (files[0].parent if files else here)
    root = _root(asked.get("root"), start if files else _start(start, here))
    beside = [] if here.is_relative_to(root) else [here / ".env"]
    tree = _tree(root, [*files, *env_files, *beside], asked.get("allow_paths") or (), standard_input="-" in named)
    directory = _relative(here if here.is_relative_to(root) else start, root)
    spec = EnvironmentSpec(
        "default",
        Location("the command line"),
        project=_name(asked.get("name") or None),
        profiles=tuple(asked.get("profiles") or ()),
        env_file=tuple(os.path.relpath(_relative(path, root) or ".", directory or ".") for path in env_files),
    )
    return canonical(
        spec,
        tree,
        schema=compose_schema.load(),
        root=str(root),
        directory=directory,
        files=tuple(_relative(path, root) for path in files) or None,
        variables={**environ, "PWD": str(whereabouts.current(environ))},
        interpolate=not asked.get("no_interpolate"),
        form="json" if asked.get("form", "json") == "json" else "yaml",
        standing=Standing(
            None if home is None else _relative(home, root),
            None if home is None and asked.get("files") else _relative(home or here, root),
            dotenv=bool(env_files) or not _without_dotenv(environ),
        ),
    )


def _tree(root: Path, named: list[Path], allowed: Iterable[str], *, standard_input: bool) -> Tree:
    """The files below the root, those that are named, and standard input where that is asked for."""
    import sys

    from auditor.errors import UsageError
    from auditor.sources.tree import MAX_BYTES, DiskTree, WithText

    outside = [*map(Path, allowed), *(path for path in named if path.exists())]
    tree = DiskTree(root, allow=[path for path in outside if not path.resolve().is_relative_to(root.resolve())])
    if not standard_input:
        return tree
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UsageError(f"standard input is larger than {MAX_BYTES >> 20} MiB")
    return WithText(tree, _relative(next(path for path in named if path.name == "-"), root), data)


def _clean(path: Path) -> Path:
    """An absolute path without `..`, by its names alone, as Compose does it."""
    return Path(os.path.normpath(path))


def _files(named: Sequence[str], here: Path, home: Path) -> list[Path]:
    """The files; standard input is one called `-`, beside the first of the others."""
    once = [file for index, file in enumerate(named) if file != "-" or "-" not in named[:index]]
    beside = next((_clean(here / file).parent for file in once if file != "-"), home)
    return [beside / "-" if file == "-" else _clean(here / file) for file in once]


def _named(environ: Mapping[str, str]) -> list[str]:
    """The files that `COMPOSE_FILE` of the process names."""
    separator = environ.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    return environ["COMPOSE_FILE"].split(separator) if "COMPOSE_FILE" in environ else []


def _named_env_files(environ: Mapping[str, str]) -> list[str]:
    return environ["COMPOSE_ENV_FILES"].split(",") if environ.get("COMPOSE_ENV_FILES") else []


def _from_home(path: str) -> Path:
    return Path(path).expanduser() if path == "~" or path.startswith("~/") else Path(path)


_DISABLED = {"1": True, "0": False} | dict.fromkeys(("t", "T", "true", "True", "TRUE"), True)
_DISABLED |= dict.fromkeys(("f", "F", "false", "False", "FALSE"), False)


def _without_dotenv(environ: Mapping[str, str]) -> bool:
    """Whether `COMPOSE_DISABLE_ENV_FILE` says so. Raises UsageError where it says neither."""
    from auditor.errors import UsageError

    said = environ.get("COMPOSE_DISABLE_ENV_FILE", "0")
    if said not in _DISABLED:
        raise UsageError("`COMPOSE_DISABLE_ENV_FILE` is neither true nor false", help="write `1` or `0`")
    return _DISABLED[said]


def _start(begin: Path, here: Path) -> Path:
    """The nearest directory from one upwards that has a Compose file, else itself."""
    from auditor.compose.files import DEFAULT_FILES

    if says_files(begin):
        return here if begin.is_relative_to(here) else begin
    upwards = (begin, *begin.parents)
    return next((place for place in upwards if any((place / name).exists() for name in DEFAULT_FILES)), begin)


def says_files(here: Path) -> bool:
    """Whether `.env` may name the files. It is read as all is: never outside the root, and no pipe."""
    from auditor.errors import EvidenceError
    from auditor.sources.tree import DiskTree

    root = _root(None, here)
    try:
        return b"COMPOSE_FILE" in DiskTree(root).read((here.relative_to(root) / ".env").as_posix())
    except EvidenceError:
        return False


def _root(asked: str | None, start: Path) -> Path:
    """`--root`, else the nearest ancestor of the first file with `.git`, else its directory."""
    from auditor.errors import UsageError

    if asked is None:
        found = whereabouts.root_of(start)
        return next(place for place in (found, *found.parents) if place.is_dir())
    root = Path(asked).absolute()
    if not root.is_dir():
        raise UsageError(f"--root `{asked}` is no directory")
    if not start.is_relative_to(root := whereabouts.called(root, start)):
        raise UsageError(f"`{start}` lies outside the root `{root}`", help="name another --root")
    return root


def _relative(path: Path, root: Path) -> str:
    """A path as seen from the root, which is "" itself."""
    inside = path.is_relative_to(root)
    found = (
        os.path.relpath(path, root) if inside else os.path.relpath(path.parent.resolve() / path.name, root.resolve())
    )
    return "" if found == "." else found


def _name(given: str | None) -> str | None:
    """A name from the command line must be one already. Raises AuditorError, as Compose refuses the project."""
    import re

    from auditor.errors import AuditorError

    if given is not None and not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", given):
        help = "use lower-case letters, digits, `_` and `-`, and begin with a letter or digit"
        raise AuditorError(f"`{given}` is no name of a project", help=help)
    return given


# --- where a value comes from ----------------------------------------------------------------------------------------


def chain(path: str, asked: Mapping[str, Any]) -> str:
    """The lines that decided one value, such as `services.web.image`, as text. Raises UsageError, AuditorError."""
    from auditor.compose import emit
    from auditor.errors import AuditorError, UsageError, did_you_mean

    found = compute({**asked, "form": "yaml"}, os.environ)
    if found.config is None or found.places is None:
        fault = found.faults[0] if found.faults else None
        place = fault.location if fault else None
        raise AuditorError(
            fault.message if fault else "no Compose model",
            path=place.path if place else None,
            line=place.line if place else None,
            help=fault.help if fault else None,
        )
    at, known = emit.find(found.config, path), found.config
    if at is None:  # JSON prints what is empty, too
        found = compute({**asked, "form": "json"}, os.environ)
        at = emit.find(found.config, path) if found.config is not None else None
    if at is None or found.config is None or found.places is None:
        paths = emit.values(known)
        near = did_you_mean(path, paths) if len(paths) <= _MOST_COMPARED else None
        raise UsageError(f"the model has no value `{path}`", help=near or "`auditor config` prints the model")
    chains = emit.lines(found.config, found.places)
    places = [f"{place.path}:{place.line}" for place in chains[at]]
    lines = [f"{at}: {emit.shown(emit.values(found.config)[at])}", *_told(places, emit.added(found.config).get(at))]
    return "\n  ".join(lines) + "\n"


def _told(places: list[str], added: str | None) -> Iterator[str]:
    """What decided a value and what it won against; where nobody wrote it, what Compose added it to."""
    if added is None:
        yield f"decided by {places[0]}"
        yield from (f"overrode {place}" for place in places[1:])
    elif added:
        yield f"written nowhere: Compose adds it to `{added}`, which stands at {places[0]}"
    else:
        yield f"written nowhere: Compose adds it to the project, which begins at {places[0]}"
