"""What the variables of services are, and which addresses they hold; those of an env file are judged once for all."""

from __future__ import annotations

from typing import NamedTuple

from auditor.compose.dotenv import referred_names
from auditor.compose.files import Loader, Source
from auditor.compose.hardening import switches_debugging
from auditor.compose.interpolate import Text
from auditor.compose.references import addresses
from auditor.compose.secrets import classify, giver
from auditor.compose.values import scalar_text
from auditor.frozen import dataclass
from auditor.model import Address, Location, Reference, Variable
from auditor.yamlfile import Mapping, Sequence, Value


class EnvFile(NamedTuple):
    """A file that a service names by `env_file`: one that is there and was read."""

    path: str
    raw: bool


class _Said(NamedTuple):
    """What a name and a value say, wherever they stand."""

    kind: str
    default: str | None
    given_by: str | None
    hosts: tuple[Address, ...]
    switches: bool  # debugging on


class _Judged(NamedTuple):
    """One variable, and what its value says; the value itself goes no further."""

    variable: Variable
    value: str
    location: Location
    references: tuple[Reference, ...]
    switches: bool  # debugging on


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of one service, the addresses in their values, and those that switch debugging on."""

    variables: tuple[Variable, ...]
    references: tuple[Reference, ...]
    switches: tuple[str, ...]


NAMELESS = "a last line without an end, which Compose takes for a value without a name: no container starts with it"


class Reader:
    """Judges the variables of one project's services."""

    def __init__(self, loader: Loader, values: dict[str, str], services: frozenset[str]) -> None:
        self.loader = loader
        self.values = values  # what `KEY` without a value takes
        self.services = services
        self._read: dict[tuple[tuple[EnvFile, ...], tuple[tuple[str, str], ...]], dict[str, _Judged]] = {}
        self._names: dict[str, frozenset[str]] = {}  # env file -> those that its lines refer to
        self._known: dict[tuple[str, str | None, bool, bool], _Said] = {}

    def judge(self, key: str, item: Value, location: Location, *, own: bool, from_file: bool = False) -> _Judged:
        """`own`: the variable says under which address the service itself is reached."""
        given = None if item is None else item if isinstance(item, str) else scalar_text(item)
        said = self._said(key, given, own, from_file)
        return _Judged(
            Variable(
                key,
                said.kind,
                location,
                said.default,
                digest=self._digest(self.values.get(key) if item is None else given),
                given_by=said.given_by,
            ),
            given or "",
            location,
            tuple(Reference(host, f"variable `{key}`", location) for host in said.hosts) if said.hosts else (),
            said.switches,
        )

    def _said(self, key: str, given: str | None, own: bool, from_file: bool) -> _Said:
        """Services of one project often have the same settings; equal texts say the same, but not an expanded one."""
        if isinstance(given, Text):
            return self._judge(key, given, own, from_file)
        asked = key, given, own, from_file
        said = self._known.get(asked)
        if said is None:
            said = self._known[asked] = self._judge(key, given, own, from_file)
        return said

    def _judge(self, key: str, given: str | None, own: bool, from_file: bool) -> _Said:
        inherited = self.values.get(key, "") if given is None else given
        hosts = () if own else addresses(key, inherited, self.services)
        kind, default = classify(key, given, is_address=bool(hosts) or "://" in inherited, from_file=from_file)
        by = giver(key, given or "", is_address=bool(hosts)) if default else None
        return _Said(kind, default, by, hosts, bool(given) and switches_debugging(key, given or ""))

    def _digest(self, value: str | None) -> str | None:
        """That of a value; None where it, or a variable in it, is not set."""
        digest = self.loader.digest
        if digest is None or value is None or (isinstance(value, Text) and value.unset):
            return None
        return digest(value)

    def from_files(self, files: tuple[EnvFile, ...], environment: Mapping) -> dict[str, _Judged]:
        """What the files give, a later one before an earlier; to be copied, not changed.

        `environment`: that of the service, which the lines of its files may refer to.
        """
        found: dict[str, _Judged] = {}
        own: dict[str, str] = {}
        for number, file in enumerate(files, 1):
            own |= self._referred(file, environment)
            read = files[:number], tuple(own.items())  # a file's values follow from those before it, and from these
            if read not in self._read:
                self._read[read] = self._judged(file, found, own)
            found = {**found, **self._read[read]} if found else self._read[read]
        return found

    def _referred(self, file: EnvFile, environment: Mapping) -> dict[str, str]:
        """What the lines of a file take from the service's own variables: what the project has wins against those."""
        names = self._names.get(file.path)
        if names is None:
            names = self._names[file.path] = referred_names(self._data(file))
        asked = [name for name in names if name in environment and name not in self.values] if names else ()
        given = {name: environment[name] for name in asked}
        return {
            name: scalar_text(value)
            for name, value in given.items()
            if value is not None and not (isinstance(value, Text) and value.unset)
        }

    def _data(self, file: EnvFile) -> bytes:
        return self.loader.beside(Source(file.path, Location(file.path))) or b""

    def _judged(self, file: EnvFile, before: dict[str, _Judged], own: dict[str, str]) -> dict[str, _Judged]:
        earlier = {key: item.value for key, item in before.items()}
        known = {**own, **self.values} if own else self.values
        entries = self.loader.parse_env(self._data(file), file.path, known, earlier, raw=file.raw)
        if nameless := entries.pop("", None):
            help = "end the file with a new line"
            self.loader.faults.add(NAMELESS, Location(file.path, nameless.line), help=help)
        return {
            key: self.judge(key, entry.value, Location(file.path, entry.line), own=False, from_file=True)
            for key, entry in entries.items()
        }


def variables(name: str, environment: Mapping, files: tuple[EnvFile, ...], reader: Reader) -> Variables:
    """The variables of the service `name`: those of its env files, then its own."""
    faults = reader.loader.faults
    prefix = name.upper().replace("-", "_")
    own = {prefix + "_HOST", prefix + "_HOSTNAME", prefix + "_ADDR", prefix + "_ADDRESS"}
    shared = reader.from_files(files, environment)
    found = {**shared}
    for key in own & shared.keys():
        item = shared[key]
        found[key] = reader.judge(key, item.value, item.location, own=True, from_file=True)
    for key, value in environment.items():
        location = faults.places.at(environment.lines[key])
        if isinstance(value, Mapping | Sequence):
            faults.add(f"the variable `{key[:60]}` is no single value", location, service=name)
            continue
        found[key] = reader.judge(key, value, location, own=key in own)
    return Variables(
        tuple(item.variable for item in found.values()),
        tuple(reference for item in found.values() for reference in item.references),
        tuple(key for key, item in found.items() if item.switches),
    )
