"""What runs against what was written, field by field: wanted, else the image's default, else the engine's.

Compose's config hash plays no part: its meaning changes between versions. Nothing that an engine, an image or a client
adds by itself is a difference; what cannot be known is no difference either, and is named.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

from auditor import setup
from auditor.frozen import dataclass
from auditor.inventory import ALIVE, Service, Snapshot
from auditor.model import Container, Definition, Setting, Setup
from auditor.origin import called_there
from auditor.setup import ANY

_PROXIES = frozenset(
    name for word in ("http", "https", "ftp", "no", "all") for name in (f"{word}_proxy", f"{word}_proxy".upper())
)
_OF_COMPOSE_1 = frozenset(("affinity:container",))  # what it gives to a container that takes the place of another
_DEFAULT_SHM = 64 << 20  # bytes
_DEFAULT_GRACE = 10  # seconds


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One field that differs. `name`: of a variable, label, target or network in it. The texts hold no secret."""

    field: str
    name: str
    found: str
    wanted: str = ""

    @property
    def text(self) -> str:
        """`mem_limit` is 512 MiB, not 1 GiB."""
        if not self.wanted:
            return f"`{self.field}`: {self.found}"
        return f"`{self.field}` is {self.found}, not {self.wanted}"


@dataclass(frozen=True, slots=True)
class Drift:
    """How the containers of one service differ from its definition: each difference with the containers' names."""

    differences: Mapping[Difference, tuple[str, ...]]
    unknown: Mapping[str, tuple[str, ...]]  # why -> the fields that could not be judged
    judged: int  # how many containers were compared


@lru_cache(maxsize=1)
def drifts(snapshot: Snapshot) -> Mapping[tuple[str, str], Drift]:
    """(environment, service) -> drift, of every service whose containers and definition are both known."""
    found = ((service, drift(service, snapshot)) for service in snapshot.services)
    return {(service.environment, service.name): made for service, made in found if made}


def drift(service: Service, snapshot: Snapshot) -> Drift | None:
    """The drift of one service; None where there is nothing to compare."""
    definition = service.composed
    judged = [c for c in service.containers if c.state in ALIVE and c.setup is not None]
    if definition is None or definition.setup is None or not judged or snapshot.excuse(service):
        return None
    differences: dict[Difference, list[str]] = defaultdict(list)
    unknown: dict[str, dict[str, None]] = defaultdict(dict)
    for container in judged:
        look = _Look(definition, container, snapshot)
        for difference in sorted(set(look.differences())):
            differences[difference].append(container.name)
        for why, fields in look.unknown.items():
            unknown[why].update(dict.fromkeys(fields))
    found = {d: tuple(names) for d, names in differences.items()}
    return Drift(found, {why: tuple(fields) for why, fields in unknown.items()}, len(judged))


def notes(snapshot: Snapshot) -> tuple[str, ...]:
    """What was not compared, and why: one sentence a reason."""
    services: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (_, name), found in drifts(snapshot).items():
        for why, fields in found.unknown.items():
            services[why, fields].append(name)
    return tuple(
        f"not compared with what runs: {_names(fields)} of {_names(names, 3)}: {why}"
        for (why, fields), names in services.items()
    )


def _names(names: Iterable[str], most: int = 20) -> str:
    listed = [f"`{name}`" for name in dict.fromkeys(names)]
    rest = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + rest


NO_IMAGE = "the engine does not tell what the image itself sets"
OTHER_KEY = "the digests of the two were made with different keys"
_OF_THE_IMAGE = (
    "command", "entrypoint", "working_dir", "user", "environment", "labels", "expose", "volumes", "healthcheck",
    "stop_signal",
)  # fmt: skip
_DIGESTED = ("command", "entrypoint", "environment", "labels", "healthcheck", "logging_options", "annotations")


class _Look:
    """One container against its definition."""

    def __init__(self, definition: Definition, container: Container, snapshot: Snapshot) -> None:
        self.definition = definition
        self.container = container
        self.snapshot = snapshot
        self.wanted: Setup = called_there(definition.setup or {}, snapshot.named_there(container.environment))
        self.seen: Setup = container.setup or {}
        self.image = _image(container, snapshot)
        self.unknown: dict[str, list[str]] = {}
        self.blind = self.wanted.get("hash_key") != self.seen.get("hash_key")
        if self.blind:
            self.unknown[OTHER_KEY] = list(_DIGESTED)
        if self.image is None:
            self.unknown[NO_IMAGE] = [f for f in _OF_THE_IMAGE if f not in self.wanted or f in _MERGED]

    # --- reading both sides --------------------------------------------------------------------------------------

    def states(self, field: str) -> bool:
        """Whether the file says anything of a field that is known here."""
        return self.wanted.get(field) is not None

    def hidden(self, field: str) -> bool:
        """Whether the file says something that is not known here, or the engine shows nothing to compare."""
        if self.blind and field in _DIGESTED:
            return True
        return (field in self.wanted and self.wanted[field] is None) or field not in self.seen

    def names(self, side: Setup | None, field: str) -> Mapping[str, str | None]:
        value = (side or {}).get(field)
        return value if isinstance(value, Mapping) else {}

    def items(self, side: Setup | None, field: str) -> tuple[str, ...]:
        value = (side or {}).get(field)
        return value if isinstance(value, tuple) else ()

    @property
    def apart(self) -> bool:
        """Whether it has no network of its own: the host's, none, or another container's."""
        modes = (self.wanted.get("network_mode"), self.seen.get("network_mode"))
        return any(_is_special(mode) for mode in modes)

    # --- the fields ----------------------------------------------------------------------------------------------

    def differences(self) -> Iterator[Difference]:
        for field, default in _SCALARS.items():
            yield from self._scalar(field, default)
        for field in _LISTS:
            yield from self._list(field)
        for field in _PAIRS:
            yield from self._pairs(field)
        for judge in _JUDGES:
            yield from judge(self)

    def _scalar(self, field: str, default: Setting) -> Iterator[Difference]:
        if self.hidden(field):
            return
        wanted = self.wanted.get(field) if self.states(field) else default
        seen = self.seen[field]
        if not _same(field, default if wanted is None else wanted, default if seen is None else seen):
            yield Difference(field, "", shown(field, seen, default), shown(field, wanted, default))

    def _list(self, field: str) -> Iterator[Difference]:
        if self.hidden(field):
            return
        wanted, seen = self.items(self.wanted, field), self.items(self.seen, field)
        if field == "security_opt" and not any(item.startswith("label") for item in wanted):
            seen = tuple(item for item in seen if not item.startswith("label"))
        if wanted != seen:
            yield Difference(field, "", _listed(seen), _listed(wanted))

    def _pairs(self, field: str) -> Iterator[Difference]:
        if not self.hidden(field):
            yield from self.entries(field, self.names(self.wanted, field), self.names(self.seen, field))

    def entries(
        self, field: str, wanted: Mapping[str, str | None], seen: Mapping[str, str | None]
    ) -> Iterator[Difference]:
        """Names whose values differ, that are missing, or that nobody wrote."""
        for name in sorted(wanted.keys() | seen.keys()):
            if name == ANY or (name in wanted and wanted[name] is None):
                continue
            if name not in seen:
                yield Difference(field, name, f"`{name}` is missing")
            elif name not in wanted:
                if ANY not in wanted:
                    yield Difference(field, name, f"`{name}` is there and not written")
            elif wanted[name] != seen[name]:
                yield Difference(field, name, f"`{name}` has another value")


def _is_special(mode: Setting | None) -> bool:
    return isinstance(mode, str) and (mode in ("host", "none") or mode.startswith(("container:", "service:")))


def _image(container: Container, snapshot: Snapshot) -> Setup | None:
    """What the image that a container was made of sets itself."""
    return _images(snapshot).get((container.environment, container.image_id or ""))


@lru_cache(maxsize=1)
def _images(snapshot: Snapshot) -> Mapping[tuple[str, str], Setup]:
    return {(image.environment, image.id): image.setup for image in snapshot.images if image.setup is not None}


# --- what is compared as it stands -------------------------------------------------------------------------------

# What an engine does where nothing is said.
_SCALARS: Mapping[str, Setting] = {
    **dict.fromkeys(("tty", "stdin_open", "privileged", "read_only", "init"), False),
    **dict.fromkeys(
        (
            "mem_limit", "mem_reservation", "cpu_shares", "cpu_period", "cpu_quota", "cpu_rt_period",
            "cpu_rt_runtime", "cpu_count", "cpu_percent", "oom_score_adj",
        ),
        0,
    ),
    **dict.fromkeys(("cpuset", "userns_mode", "cgroup_parent", "domainname"), ""),
    "cpus": 0.0,
    "restart": "no",
    "stop_grace_period": _DEFAULT_GRACE,
}  # fmt: skip
_LISTS = (
    "cap_add", "cap_drop", "security_opt", "group_add", "extra_hosts", "dns", "dns_search", "dns_opt", "devices",
    "device_requests", "device_cgroup_rules",
)  # fmt: skip
_PAIRS = ("sysctls", "storage_opt", "annotations", "blkio_config")
_MERGED = frozenset(("environment", "labels", "expose", "volumes", "healthcheck"))
_BYTES = frozenset(("mem_limit", "mem_reservation", "memswap_limit", "shm_size"))


def _same(field: str, wanted: Setting, seen: Setting) -> bool:
    if field == "cpus" and isinstance(wanted, int | float) and isinstance(seen, int | float):
        return abs(wanted - seen) < 0.001
    return wanted == seen


def shown(field: str, value: Setting | None, default: Setting = "") -> str:
    """A value in a sentence."""
    if field in _BYTES and isinstance(value, int):
        return "no limit" if value <= 0 else _size(value)
    if value in (None, ""):
        return "the default" if default in (None, "") else shown(field, default)
    if isinstance(value, bool):
        return "on" if value else "off"
    if field == "stop_grace_period":
        return f"{value} s"
    if isinstance(value, int | float):
        return f"{value:g}" if value else "unset"
    return f"`{value}`"


def _size(number: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if number >= unit:
            return f"{number / unit:g} {name}"
    return f"{number} B"


def _listed(items: tuple[str, ...]) -> str:
    return ", ".join(f"`{item}`" for item in items) or "nothing"


# --- what needs more thought -------------------------------------------------------------------------------------


def _process(look: _Look) -> Iterator[Difference]:
    """The command line; an entrypoint in the file discards the image's command, an empty command is none."""
    wanted, image = look.wanted, look.image
    own = look.items(wanted, "entrypoint")
    if look.hidden("entrypoint") or look.hidden("command"):
        return
    if look.states("entrypoint"):
        yield from _words("entrypoint", own, look.items(look.seen, "entrypoint"))
    elif image is not None:
        yield from _words("entrypoint", look.items(image, "entrypoint"), look.items(look.seen, "entrypoint"))
    command = look.items(wanted, "command")
    if command or own:
        yield from _words("command", command, look.items(look.seen, "command"))
    elif image is not None:
        yield from _words("command", look.items(image, "command"), look.items(look.seen, "command"))


def _words(field: str, wanted: tuple[str, ...], seen: tuple[str, ...]) -> Iterator[Difference]:
    if wanted == seen:
        return
    if len(wanted) == len(seen):
        places = [str(n) for n, (one, other) in enumerate(zip(wanted, seen, strict=True), 1) if one != other]
        yield Difference(field, "", f"argument {', '.join(places[:5])} is another one")
    else:
        yield Difference(field, "", _counted(seen), _counted(wanted))


def _counted(words: tuple[str, ...]) -> str:
    return "empty" if not words else f"{len(words)} argument{'s' if len(words) > 1 else ''}"


def _texts_of_the_image(look: _Look) -> Iterator[Difference]:
    for field in ("working_dir", "user", "stop_signal"):
        if look.hidden(field) or (look.image is None and not look.states(field)):
            continue
        wanted = look.wanted.get(field) if look.states(field) else (look.image or {}).get(field)
        if (wanted or "") != (look.seen.get(field) or ""):
            yield Difference(field, "", shown(field, look.seen.get(field)), shown(field, wanted))


def _environment(look: _Look) -> Iterator[Difference]:
    yield from _over_the_image(look, "environment", _PROXIES | _OF_COMPOSE_1)


def _labels(look: _Look) -> Iterator[Difference]:
    yield from _over_the_image(look, "labels", frozenset())


def _over_the_image(look: _Look, field: str, added: frozenset[str]) -> Iterator[Difference]:
    """Names with values: those of the file over those of the image; `added` are a client's own."""
    if look.hidden(field):
        return
    own = look.names(look.wanted, field)
    wanted = {**look.names(look.image, field), **own}
    if look.image is None:
        wanted[ANY] = None
    seen = {n: v for n, v in look.names(look.seen, field).items() if n in wanted or n not in added}
    yield from look.entries(field, wanted, seen)


def _healthcheck(look: _Look) -> Iterator[Difference]:
    field = "healthcheck"
    if look.hidden(field) or (look.image is None and not look.states(field)):
        return
    own, seen = look.names(look.wanted, field), look.names(look.seen, field)
    wanted = {**look.names(look.image, field), **own}
    if "none" in (wanted.get("test"), seen.get("test")):
        if wanted.get("test") != seen.get("test"):
            yield Difference(field, "", _checked(seen), _checked(wanted))
        return
    told = look.image is not None or "test" in own
    if told and bool(wanted.get("test")) != bool(seen.get("test")):  # how often nothing is asked is no matter
        yield Difference(field, "test", _checked(seen), _checked(wanted))
        return
    for key in sorted(wanted.keys() | seen.keys()):
        if wanted.get(key) == seen.get(key) or (look.image is None and key not in own):
            continue
        if key == "test":
            yield Difference(field, key, "its test is another one")
        else:
            yield Difference(f"{field}.{key}", "", _time(key, seen.get(key)), _time(key, wanted.get(key)))


def _checked(found: Mapping[str, str | None]) -> str:
    return "switched off" if found.get("test") == "none" else "there" if found.get("test") else "absent"


def _time(key: str, value: str | None) -> str:
    return "the default" if value is None else value if key == "retries" else f"{value} s"


def _swap(look: _Look) -> Iterator[Difference]:
    """Where nothing is said it is twice the memory, or without a limit."""
    field, memory = "memswap_limit", look.seen.get("mem_limit")
    seen = look.seen.get(field) or 0
    if look.hidden(field) or not isinstance(seen, int):
        return
    wanted = look.wanted.get(field)
    usual = {0, -1, 2 * memory} if isinstance(memory, int) else {0, -1}
    if wanted is None or wanted == 0:
        if seen not in usual:
            yield Difference(field, "", shown(field, seen), "the default")
    elif wanted != seen:
        yield Difference(field, "", shown(field, seen), shown(field, wanted))


def _stated(look: _Look) -> Iterator[Difference]:
    """What an engine decides where nothing is said, and shows no default of."""
    for field in ("mem_swappiness", "cgroup", "oom_kill_disable"):
        if look.states(field) and look.seen.get(field) is not None and look.wanted[field] != look.seen[field]:
            yield Difference(field, "", shown(field, look.seen[field]), shown(field, look.wanted[field]))


def _limits_of_the_engine(look: _Look) -> Iterator[Difference]:
    """What an engine may be configured to give to whoever states nothing."""
    usual: Mapping[str, Setting] = {
        "shm_size": _DEFAULT_SHM, "runtime": "runc", "logging": "json-file", "pids_limit": 0,
    }  # fmt: skip
    for field, default in usual.items():
        if look.hidden(field):
            continue
        seen = _plain(field, look.seen.get(field))
        wanted = _plain(field, look.wanted.get(field)) if look.states(field) else default
        if seen != wanted and (look.states(field) or not _may_be_default(look, field, None, default)):
            yield Difference(field, "", shown(field, seen), shown(field, wanted))
    for field in ("ulimits", "logging_options"):
        if look.hidden(field):
            continue
        wanted, found = look.names(look.wanted, field), look.names(look.seen, field)
        kept = {n: v for n, v in found.items() if n in wanted or not _may_be_default(look, field, n, None)}
        yield from look.entries(field, wanted, kept)


def _plain(field: str, value: Setting | None) -> Setting | None:
    """-1 and nothing are no limit of processes, too."""
    return (value if isinstance(value, int) and value > 0 else 0) if field == "pids_limit" else value


def _may_be_default(look: _Look, field: str, name: str | None, default: Setting | None) -> bool:
    """Whether the engine itself may have given a value that the file does not state.

    It has not where a container of another service shows what an engine gives by itself, and none has this value.
    """
    own = look.names(look.seen, field).get(name) if name else _plain(field, look.seen.get(field))
    others = [
        _plain(field, c.setup.get(field)) if name is None else look.names(c.setup, field).get(name)
        for c in look.snapshot.containers
        if c.setup and c.source == look.container.source and c.environment == look.container.environment
        if c.service != look.container.service or c.project != look.container.project
    ]
    return own in others or default not in others


def _namespaces(look: _Look) -> Iterator[Difference]:
    for field, usual in (("pid", ("",)), ("ipc", ("", "private", "shareable")), ("uts", ("",))):
        seen, wanted = look.seen.get(field) or "", look.wanted.get(field)
        if look.hidden(field) or (seen in usual and wanted is None):
            continue
        if wanted is None or not _same_namespace(look, str(wanted), str(seen)):
            yield Difference(field, "", _namespace(look, str(seen)), shown(field, wanted))


def _same_namespace(look: _Look, wanted: str, seen: str) -> bool:
    """`service:x` is shown as the id of the container that it was then."""
    kind, _, name = wanted.partition(":")
    if kind not in ("service", "container"):
        return wanted == seen
    other = _by_id(look.snapshot).get(seen.removeprefix("container:"))
    if kind == "service":
        return other is not None and other.service == name
    return seen == wanted or (other is not None and name in (other.name, other.id[: len(name)]))


def _namespace(look: _Look, seen: str) -> str:
    kind, _, id = seen.partition(":")
    if kind != "container":
        return shown("", seen)
    other = _by_id(look.snapshot).get(id)
    return f"that of container `{other.name}`" if other else "that of a container that is gone"


@lru_cache(maxsize=1)
def _by_id(snapshot: Snapshot) -> Mapping[str, Container]:
    return {container.id: container for container in snapshot.containers}


def _ports(look: _Look) -> Iterator[Difference]:
    if look.apart or look.hidden("ports"):
        return
    wanted, seen = look.items(look.wanted, "ports"), look.items(look.seen, "ports")
    if wanted != seen:
        for port in sorted(set(seen) - set(wanted)):
            yield Difference("ports", port, f"{setup.shown_port(port)} is published and not written")
        for port in sorted(set(wanted) - set(seen)):
            yield Difference("ports", port, f"{setup.shown_port(port)} is missing")
        return
    if look.hidden("expose"):
        return
    own, found = set(look.items(look.wanted, "expose")), set(look.items(look.seen, "expose"))
    whole = own | set(look.items(look.image, "expose"))
    for port in sorted(whole - found):
        yield Difference("expose", port, f"{port} is missing")
    for port in sorted(found - whole) if look.image is not None else ():
        yield Difference("expose", port, f"{port} is there and not written")


def _volumes(look: _Look) -> Iterator[Difference]:
    if look.hidden("volumes"):
        return
    wanted, seen = look.names(look.wanted, "volumes"), look.names(look.seen, "volumes")
    options, found = look.names(look.wanted, "volume_options"), look.names(look.seen, "volume_options")
    shares = look.states("volumes_from") and bool(look.items(look.seen, "volumes_from"))
    for target in sorted(wanted.keys() | seen.keys()):
        place = f"`{target}`"
        if target not in seen:
            yield Difference("volumes", target, f"{place} is missing")
        elif target not in wanted:
            if not shares and not _of_the_image(look, target, seen[target] or ""):
                yield Difference("volumes", target, f"{place} is there and not written")
        elif not _same_source(wanted[target] or "", seen[target] or "", look.container):
            texts = _source(seen[target] or ""), _source(wanted[target] or "")
            yield Difference("volumes", target, f"{place} is {texts[0]}, not {texts[1]}")
        elif (have := found.get(target) or "") != (want := options.get(target) or ""):
            modes = (f"with `{flags}`" if flags else "without options" for flags in (have, want))
            yield Difference("volumes", target, f"{place} is mounted {', not '.join(modes)}")
    if len(look.items(look.wanted, "volumes_from")) != len(look.items(look.seen, "volumes_from")):
        counts = (len(look.items(side, "volumes_from")) for side in (look.seen, look.wanted))
        yield Difference("volumes_from", "", *(f"{count} of them" for count in counts))


def _of_the_image(look: _Look, target: str, source: str) -> bool:
    """Whether a volume without a name is one that the image asks for, or may be."""
    return source == "volume:" and (look.image is None or target in look.names(look.image, "volumes"))


def _source(text: str) -> str:
    kind, _, source = text.partition(":")
    return f"{kind} `{source}`" if source else "a tmpfs" if kind == "tmpfs" else f"a {kind} without a name"


_HOST_PREFIXES = ("/host_mnt", "/run/desktop/mnt/host")  # how Docker Desktop shows paths of its machine


def _same_source(wanted: str, seen: str, container: Container) -> bool:
    """Paths of the project are taken from where the project was when it made the container."""
    if wanted == seen or not wanted.startswith("bind:") or not seen.startswith("bind:"):
        return wanted == seen
    path, found = wanted.removeprefix("bind:"), seen.removeprefix("bind:")
    found = posixpath.normpath(next((found[len(p) :] for p in _HOST_PREFIXES if found.startswith(f"{p}/")), found))
    if path.startswith("/"):
        return posixpath.normpath(path) == found
    if path.startswith("~"):
        return found.endswith(path[1:])
    if container.working_dir:
        return posixpath.normpath(posixpath.join(container.working_dir, path)) == found
    rest = re.sub(r"^(\.{1,2}/|\.{1,2}$)+", "", path)
    return not rest or found.endswith(f"/{rest}")


def _networks(look: _Look) -> Iterator[Difference]:
    mode, seen = look.wanted.get("network_mode"), str(look.seen.get("network_mode") or "default")
    if look.hidden("network_mode"):
        return
    if mode is not None or _is_special(seen):
        wanted = str(mode) if mode is not None else "networks"
        bridge = ("default", "bridge")
        if not _same_namespace(look, wanted, seen) and not (wanted in bridge and seen in bridge):
            named = "its own networks" if mode is None else f"`{mode}`"
            yield Difference("network_mode", "", _namespace(look, seen), named)
        return
    if look.hidden("networks"):
        return
    names = set(look.items(look.seen, "networks"))
    written = set(look.items(look.wanted, "networks"))
    for name in sorted(names - written):
        yield Difference("networks", name, f"`{name}` is there and not written")
    for name in sorted(written - names):
        yield Difference("networks", name, f"`{name}` is missing")
    for name in sorted(written & names):
        yield from _attachment(look, name)


def _attachment(look: _Look, name: str) -> Iterator[Difference]:
    given, found = (look.names(side, "network_aliases").get(name) for side in (look.wanted, look.seen))
    wanted = {alias for alias in (given or "").split(",") if alias}
    extra = {alias for alias in (found or "").split(",") if alias and not _is_own_name(look, alias)} - wanted
    for alias in sorted(extra):
        yield Difference("aliases", alias, f"`{alias}` on `{name}` is there and not written")
    for alias in sorted(wanted - set((found or "").split(","))):
        yield Difference("aliases", alias, f"`{alias}` on `{name}` is missing")
    asked, has = (look.names(side, "network_addresses").get(name) or "" for side in (look.wanted, look.seen))
    if asked != has and look.wanted.get("network_addresses", "") is not None:
        texts = (f"`{text}`" if text else "any" for text in (has, asked))
        yield Difference("address", name, *texts)


def _is_own_name(look: _Look, alias: str) -> bool:
    """Names that Compose or the engine gives: the service's, the container's, also from before it was renamed."""
    container, name = look.container, look.definition.name
    given = (look.seen.get("hostname"), look.definition.container_name)  # engines before 25 answer to the host name
    if alias in (name, container.name, container.id[:12], *given):
        return True
    own = rf"([0-9a-f]{{12}}_)?({re.escape(container.project or '')}[-_])?{re.escape(name)}[-_]\d+"
    return re.fullmatch(own, alias) is not None


def _hostname(look: _Look) -> Iterator[Difference]:
    seen, wanted = str(look.seen.get("hostname") or ""), look.wanted.get("hostname")
    if look.hidden("hostname") or (wanted is None and (look.apart or look.seen.get("uts"))):
        return
    if (wanted or "") != seen:
        yield Difference("hostname", "", shown("", seen), shown("", wanted))


def _mac(look: _Look) -> Iterator[Difference]:
    """Only where one is written: an engine makes up what nobody asked for."""
    wanted, seen = look.wanted.get("mac_address"), look.items(look.seen, "mac_address")
    if wanted is not None and seen and wanted not in seen:
        yield Difference("mac_address", "", _listed(seen), f"`{wanted}`")


def _container_name(look: _Look) -> Iterator[Difference]:
    wanted = look.wanted.get("container_name")
    if wanted is not None and wanted != look.container.name:
        yield Difference("container_name", "", f"`{look.container.name}`", f"`{wanted}`")


_JUDGES: tuple[Callable[[_Look], Iterator[Difference]], ...] = (
    _process, _texts_of_the_image, _environment, _labels, _healthcheck, _swap, _stated, _limits_of_the_engine,
    _namespaces, _ports, _volumes, _networks, _hostname, _mac, _container_name,
)  # fmt: skip
