"""Which configuration files a service starts with: those its command line names, and those `configs` put into it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping

from auditor.compose.mounts import clean
from auditor.compose.values import words
from auditor.regexp import regexp
from auditor.yamlfile import Mapping, Sequence, Value

_LONGEST = 8 << 10  # characters of a command that are looked at
_FILE = regexp(r"(?:file:)?(/[\w.@+/-]+\.(?:ya?ml|json|conf|cfg|ini|toml|alloy|river|hcl))")
# Flags whose value is the program's own configuration: not that of its web server, nor one of its modules.
_RECEIVES = regexp(
    r"--?web\.enable-(?:otlp|remote-write)-receiver(?:=true)?"
    r"|(?:--?enable-feature=)?(?:[\w-]+,)*(?:otlp|remote)-write-receiver(?:,[\w-]+)*"
)
_FLAG = regexp(r"-{1,2}(?:config|config[.-]?file|configuration|promscrape\.config|conf|c)")


def takes_samples(service: Mapping) -> bool:
    """Whether its command line tells a Prometheus to take what others push to it."""
    commands = [
        value for key in ("entrypoint", "command") if (value := service.get(key)) and _names(value, "-receiver")
    ]
    return any(_RECEIVES.fullmatch(word) for value in commands for word in _words(value))


# Flags that say where a program listens, by which scheme, or under which path it answers.
_MOVES = regexp(
    r"(?i)(?<!cluster\.)listen|bind|(?:^|[._-])ports?(?:$|[._-])|telemetry|metrics[._-]?(?:path|addr)|route-prefix"
    r"|external-url|tls|web\.config|^-*addr|http|endpoint"
)


def stays(service: Mapping) -> bool:
    """Whether its command is flags alone for what its image starts, and none of them moves where that listens."""
    written = list(_words(service.get("command"))) if not service.get("entrypoint") else []
    if not written or not written[0].startswith("-"):
        return False
    flags = [word.partition("=")[0] for word in written if word.startswith("-")]
    return not any(_MOVES.search(flag) for flag in flags)


def _names(value: Value, what: str) -> bool:
    """Whether some text of a command holds `what`: quickly said, and rarely so."""
    items = value if isinstance(value, Sequence) else (value,)
    return any(isinstance(item, str) and what in item for item in items)


def config_files(service: Mapping) -> tuple[str, ...]:
    """The paths in the container of the configuration files that entrypoint and command name, in their order."""
    found: dict[str, None] = {}
    for key in ("entrypoint", "command"):
        before = ""
        for word in _words(service.get(key)):
            flag, equals, value = word.partition("=")
            if not word.startswith("-"):
                flag, value = before, word
            if (not flag.startswith("-") or _FLAG.fullmatch(flag)) and (match := _FILE.fullmatch(value)):
                found[clean(match[1])] = None
            before = "" if equals else word
    return tuple(found)


def _words(value: Value) -> Iterator[str]:
    """The words of a command line, those of the line that a shell is given among them."""
    if isinstance(value, str):
        yield from words(value[:_LONGEST])
    elif isinstance(value, Sequence):
        for item in value:
            if isinstance(item, str):
                yield from words(item[:_LONGEST]) if " " in item else (item,)


def granted_files(service: Mapping, files: AnyMapping[str, str]) -> dict[str, str]:
    """Path in the container -> the project's file that one of `configs` puts there. files: key -> path in the tree."""
    found: dict[str, str] = {}
    granted = service.get("configs")
    for item in granted if isinstance(granted, Sequence) else ():
        source = item.get("source") if isinstance(item, Mapping) else item
        target = item.get("target") if isinstance(item, Mapping) else None
        if isinstance(source, str) and source in files:
            place = target if isinstance(target, str) and target else source
            found[clean(place if place.startswith("/") else f"/{place}")] = files[source]
    return found
