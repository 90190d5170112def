"""The options that several commands share, and the settings that follow from them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from auditor.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
SETTINGS_FILE = "auditor.yaml"
_RENAMED = {"environment": "environments", "file": "compose_files", "allow_path": "allow_paths", "env": "admit"}


class Duration(click.ParamType[float]):
    """Seconds from a text such as `60s` or `5m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from auditor.settings import duration

        try:
            return duration(str(value))
        except ValueError:
            self.fail(f"`{value}` is not a duration such as `60s` or `5m`", param, ctx)


def commas(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """The words of an option that repeats and takes commas."""
    return tuple(word for value in values for item in value.split(",") if (word := item.strip()))


_EVIDENCE = (
    click.option("--catalogue", metavar="FILE", help="The catalogue; default: catalogue.yaml here or above."),
    click.option("--environment", metavar="NAME", multiple=True, help="Environment to judge; repeatable, or `all`."),
    click.option("-f", "--file", metavar="FILE", multiple=True, help="Compose files in place of the environment's."),
    click.option("--offline", is_flag=True, help="Read files only; ask no engine, no Prometheus, no probe."),
    click.option("--docker", metavar="ADDRESS", help="Docker Engine to ask; `env` takes it from DOCKER_HOST."),
    click.option("--prometheus", metavar="URL", help="Prometheus to ask."),
    click.option("--alertmanager", metavar="URL", help="Alertmanager to ask."),
    click.option("--root", metavar="DIR", help="Project root; nothing outside it is read."),
    click.option("--allow-path", metavar="DIR", multiple=True, help="Another directory that may be read."),
    click.option("--env", metavar="NAME", multiple=True, help="Environment variable that interpolation may see."),
    click.option("--config", metavar="FILE", help="Settings file."),
)
_JUDGEMENT = (
    click.option(
        "--select", metavar="ID,...", multiple=True, callback=commas, help="Checks or profiles to run (see `checks`)."
    ),
    click.option("--ignore", metavar="ID,...", multiple=True, callback=commas, help="Checks to leave out."),
)
_TALK = (
    click.option("-q", "--quiet", is_flag=True, help="No progress."),
    click.option("-v", "--verbose", is_flag=True, help="All evidence, all files, notices in full."),
)


def evidence(command: F) -> F:
    """The options that say what is looked at."""
    return _apply(_EVIDENCE, command)


def judgement(command: F) -> F:
    """The options that say which checks judge it."""
    return _apply(_JUDGEMENT, command)


def talk(command: F) -> F:
    """`-q` and `-v`."""
    return _apply(_TALK, command)


def output(*formats: str) -> Callable[[F], F]:
    """`--format` with these choices, the first being the default, and `--output`."""
    return lambda command: _apply(
        (
            click.option("--format", "form", type=click.Choice(formats), default=formats[0], show_default=True),
            click.option("--output", "target", metavar="FILE", help="Write there instead of standard output."),
        ),
        command,
    )


def _apply(options: tuple[Callable[[F], F], ...], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def settings(flags: dict[str, Any], *, look_here: bool = False) -> Settings:
    """The run's settings. `look_here`: without --config, a settings file in the current directory counts too.

    Raises SettingsError.
    """
    from auditor.errors import SettingsError
    from auditor.settings import parse_settings

    given = {_RENAMED.get(name, name): value for name, value in flags.items() if value not in (None, (), False)}
    path = given.pop("config", None)
    if path is None and look_here and Path(SETTINGS_FILE).is_file():
        path = SETTINGS_FILE
    if path is None:
        return parse_settings(None, SETTINGS_FILE, os.environ, given)
    try:
        text = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise SettingsError(f"cannot read the settings file: {reason}", path=path) from error
    return parse_settings(text, path, os.environ, given)
