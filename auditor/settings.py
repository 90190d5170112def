"""How one run is set up: flags, then `AUDITOR_` variables, then the settings file, then these defaults.

The settings file (`auditor.yaml`, or `--config`) belongs to whoever runs the auditor, not to the audited project: it is
looked for in the current directory only by `serve`; `audit` and `gate` read one only where `--config` names it, so that
a pull request cannot change the verdict on itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace

from auditor import yamlfile
from auditor.errors import SettingsError, TextError, did_you_mean
from auditor.frozen import dataclass
from auditor.model import Severity


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run can be told. Paths are as given, relative to the current directory."""

    catalogue: str | None = None  # None: `catalogue.yaml` here or in a parent up to the root
    environments: tuple[str, ...] = ()  # (): the catalogue's first; ("all",): every one
    compose_files: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    offline: bool = False
    docker: str | None = None
    prometheus: str | None = None
    alertmanager: str | None = None
    root: str | None = None
    allow_paths: tuple[str, ...] = ()
    admit: tuple[str, ...] = ()  # names of environment variables that interpolation may see
    fail_on: Severity = Severity.WARNING
    baseline: str | None = None
    min_coverage: float | None = None  # percent
    host: str = "127.0.0.1"
    port: int = 8642
    interval: float = 60.0  # seconds
    database: str | None = None  # None: SQLite in the state directory
    token: str | None = None
    insecure_no_auth: bool = False
    allowed_hosts: tuple[str, ...] = ()  # further host names that the server answers under
    allow_actions: bool = False  # services may be started, stopped and restarted
    shares_network: bool = False  # the auditor runs inside the environment's networks: service names resolve


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds from `500ms`, `60s`, `5m`, `1h` or a bare number. Raises ValueError."""
    number = text.strip().rstrip("msh")
    unit = text.strip()[len(number) :] or "s"
    if unit not in _UNITS:
        raise ValueError(text)
    seconds = float(number) * _UNITS[unit]
    if not 0 < seconds < 10**9:
        raise ValueError(text)
    return seconds


def _text(value: object) -> str:
    if isinstance(value, bool | dict | list) or value is None:
        raise ValueError(value)
    return str(value)


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else _text(value).split(",")
    return tuple(text for item in items if (text := _text(item).strip()))


def _flag(value: object) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
    return words[str(value).lower()]


def _port(value: object) -> int:
    number = int(_text(value))
    if not 0 <= number <= 65535:
        raise ValueError(value)
    return number


def _percent(value: object) -> float:
    number = float(_text(value))
    if not 0 <= number <= 100:
        raise ValueError(value)
    return number


# What may stand in the settings file and, as AUDITOR_<NAME>, in the environment; and what each must look like.
_READERS: Mapping[str, tuple[Callable[[object], object], str]] = {
    "catalogue": (_text, "a path"),
    "environments": (_texts, "a list of names"),
    "select": (_texts, "a list of checks or profiles"),
    "ignore": (_texts, "a list of checks"),
    "offline": (_flag, "true or false"),
    "docker": (_text, "an address"),
    "prometheus": (_text, "an address"),
    "alertmanager": (_text, "an address"),
    "root": (_text, "a directory"),
    "allow_paths": (_texts, "a list of directories"),
    "fail_on": (lambda value: Severity(_text(value)), "critical, warning or info"),
    "min_coverage": (_percent, "a percentage from 0 to 100"),
    "host": (_text, "an address"),
    "port": (_port, "a number from 0 to 65535"),
    "interval": (lambda value: duration(_text(value)), "a duration such as 60s"),
    "database": (_text, "a database URL"),
    "token": (_text, "a text"),
    "insecure_no_auth": (_flag, "true or false"),
    "allowed_hosts": (_texts, "a list of host names"),
    "allow_actions": (_flag, "true or false"),
    "shares_network": (_flag, "true or false"),
}
PREFIX = "AUDITOR_"
_NO_SETTING = {"AUDITOR_HASH_KEY", "AUDITOR_STATE_DIR", "AUDITOR_PARTS"}


def parse_settings(text: bytes | None, path: str, environ: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Settings from the file's text (None: no file), the process environment, and the flags that were given.

    `flags` hold values of the right type already; None means "not given". Raises SettingsError.
    """
    values = _from_file(text, path) | _from_environment(environ)
    values |= {name: value for name, value in flags.items() if value is not None and value != ()}
    known = {item.name for item in fields(Settings)}
    return replace(Settings(), **{name: value for name, value in values.items() if name in known})  # type: ignore[arg-type]


def _from_file(text: bytes | None, path: str) -> dict[str, object]:
    if text is None:
        return {}
    try:
        content = yamlfile.parse(text, path)
    except TextError as error:
        raise SettingsError(error.what, path=error.path, line=error.line, help=error.help) from error
    if content is None:
        return {}
    if not isinstance(content, yamlfile.Mapping):
        raise SettingsError("the settings file is not a mapping", path=path, line=1)
    values = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        values[name] = _read(name, value, shown=f"`{key}`", path=path, line=content.lines[key])
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    values = {}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in _NO_SETTING and environ[variable]:
            name = variable.removeprefix(PREFIX).lower()
            values[name] = _read(name, environ[variable], shown=f"variable `{variable}`", path=None, line=None)
    return values


def _read(name: str, value: object, *, shown: str, path: str | None, line: int | None) -> object:
    if name not in _READERS:
        raise SettingsError(f"unknown setting {shown}", path=path, line=line, help=did_you_mean(name, _READERS))
    read, meaning = _READERS[name]
    try:
        return read(value)
    except (ValueError, KeyError) as error:
        raise SettingsError(f"{shown} is not {meaning}", path=path, line=line) from error
