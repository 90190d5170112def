"""A first catalogue from a merged Compose model: every guessed field says in a comment where it came from."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor import knowledge
from auditor.model import Component, Definition, Location, Project
from auditor.regexp import regexp

# Kind of a known component -> the category that it is proposed for.
CATEGORIES = {
    "cache": "data",
    "database": "data",
    "object_store": "data",
    "search": "data",
    "vector_database": "data",
    "broker": "messaging",
    "mail": "messaging",
    "gateway": "edge",
    "proxy": "edge",
    "identity": "security",
    "secrets": "security",
    "socket_proxy": "security",
    "ml": "ai",
    "ci": "automation",
    "workflow": "automation",
    "alerting": "monitoring",
    "dashboard": "monitoring",
    "exporter": "monitoring",
    "log_shipper": "monitoring",
    "log_store": "monitoring",
    "metrics": "monitoring",
    "tracing": "monitoring",
}
TOOLS, OWN = "tools", "application"
# Name of a mounted file -> the key of the environment that says where its configuration is.
_CONFIGURATIONS = {
    "prometheus.yml": "prometheus",
    "prometheus.yaml": "prometheus",
    "alertmanager.yml": "alertmanager",
    "alertmanager.yaml": "alertmanager",
}
_PLAIN = regexp(r"(?:\.{0,2}/|[A-Za-z_])[A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*")
_INCOMPLETE_IMAGE = regexp(r"\$|^[/:@]|[/:@]$|//")  # a part of it came from a variable that is not set
_WORDS_WITH_MEANING = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_COMMENT_AT = 44  # column from which comments stand in line


@dataclass(frozen=True, slots=True)
class Field:
    """One line of an entry: the key, its YAML text, and where that came from."""

    key: str
    text: str
    origin: str


def draft(
    project: Project,
    components: tuple[Component, ...] = (),
    *,
    system: str | None = None,
    directory: str = "",
    documents: Sequence[str] = (),
    schema: str | None = None,
) -> str:
    """The catalogue's text. `directory`: where it will stand, so that paths in it begin there.

    The text parses as a catalogue with one environment, `default`, and one entry for every composed service.
    """
    return "\n".join(
        [
            *_head(project, directory, system, schema),
            *_environment(project, directory),
            *_documents(documents),
            *_defaults(),
            "services:",
            *_services(project, components, directory),
        ]
    )


def _head(project: Project, directory: str, system: str | None, schema: str | None) -> Iterator[str]:
    if schema:
        yield f"# yaml-language-server: $schema={_visible(schema)}"
    files = ", ".join(_visible(_seen(path, directory)) for path in project.files)
    yield f"# The services that this system declares: a first draft from {files}."
    yield "# Each guessed value says where it came from. Mend what is wrong, add what is missing."
    yield from _line(0, "system", _scalar(system or project.name or "system"), "the project's name")
    yield ""


def _environment(project: Project, directory: str) -> Iterator[str]:
    yield "environments:"
    yield "  default:"
    files = [_seen(path, directory) for path in project.files]
    yield f"    compose: {_list(files)}"
    for field in _configurations(project, directory):
        yield from _line(4, field.key, field.text, field.origin)
    yield ""


def _configurations(project: Project, directory: str) -> Iterator[Field]:
    found: set[str] = set()
    for definition in project.definitions:
        for mount in definition.mounts:
            key = _CONFIGURATIONS.get(posixpath.basename(mount.target))
            inside = mount.kind == "bind" and mount.source and not mount.source.startswith(("/", "~", ".."))
            if key and inside and mount.source and key not in found:
                found.add(key)
                path = _scalar(_seen(mount.source, directory))
                yield Field(key, f"{{config: {path}}}", _from(mount.location or definition.location, directory))


def _documents(documents: Sequence[str]) -> Iterator[str]:
    if documents:
        yield f"documents: {_list(documents)}  # what these claim about services is checked"
        yield ""


def _defaults() -> Iterator[str]:
    yield "defaults:"
    yield "  criticality: standard  # say `critical` at a service whose failure wakes somebody, `optional` at a tool"
    yield ""


# --- services ----------------------------------------------------------------------------------------------------


def _services(project: Project, components: tuple[Component, ...], directory: str) -> Iterator[str]:
    waited_for = {
        dependency.service: definition
        for definition in project.definitions
        for dependency in definition.depends_on
        if dependency.condition == "service_completed_successfully"
    }
    for definition in project.definitions:
        component = knowledge.by_image(components, definition.image) if definition.image else None
        yield f"  {_scalar(definition.name)}:  # from {_place(definition.location, directory)}"
        for field in _fields(definition, component, waited_for.get(definition.name), directory):
            yield from _line(4, field.key, field.text, field.origin)
        yield ""


def _fields(
    definition: Definition, component: Component | None, waiter: Definition | None, directory: str
) -> Iterator[Field]:
    def origin(*fields: str) -> str:
        return _from(definition.place(*fields), directory)

    yield from _known(definition, component)
    if definition.image and not _INCOMPLETE_IMAGE.search(definition.image):
        yield Field("image", _scalar(definition.image), origin("image"))
    ports = sorted({port.target for port in definition.ports} | set(definition.expose))
    if ports:
        yield Field("ports", f"[{', '.join(map(str, ports))}]", origin("ports", "expose"))
    if definition.replicas != 1:
        yield Field("replicas", str(definition.replicas), origin("deploy.replicas", "scale", "deploy"))
    if waiter:
        yield Field("lifecycle", "oneshot", f"`{_visible(waiter.name)}` waits for it to complete")
    needed = [dependency.service for dependency in definition.depends_on]
    if needed:
        yield Field("depends_on", _list(dict.fromkeys(needed)), origin("depends_on"))
    if definition.profiles:
        yield Field("profiles", _list(definition.profiles), origin("profiles"))
    if limits := _limits(definition):
        yield Field("limits", limits, origin("deploy.resources.limits.memory", "mem_limit", "deploy", "cpus"))


def _known(definition: Definition, component: Component | None) -> Iterator[Field]:
    if component is None:
        why = "it is built here" if definition.build else "nothing is known of its image"
        yield Field("category", OWN, f"a guess: {why}")
        return
    yield Field("title", _scalar(component.title), "known by its image")
    yield Field("category", CATEGORIES.get(component.kind, TOOLS), f"a guess: kind `{component.kind}`")


def _limits(definition: Definition) -> str:
    parts = []
    if definition.memory_limit:
        parts.append(f"memory: {_size(definition.memory_limit)}")
    if definition.cpu_limit:
        parts.append(f"cpus: {definition.cpu_limit:g}")
    return f"{{{', '.join(parts)}}}" if parts else ""


def _size(number: int) -> str:
    for unit, length in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number % length == 0:
            return f"{number // length}{unit}"
    return str(number)


# --- text --------------------------------------------------------------------------------------------------------


def _line(indent: int, key: str, text: str, origin: str) -> Iterator[str]:
    line = f"{' ' * indent}{key}: {text}"
    yield f"{line:<{_COMMENT_AT - 2}}  # {origin}"


def _from(location: Location, directory: str) -> str:
    return f"from {_place(location, directory)}"


def _place(location: Location, directory: str) -> str:
    return _visible(str(Location(_seen(location.path, directory), location.line)))


def _seen(path: str, directory: str) -> str:
    """A path from the root as seen from `directory`."""
    return path if posixpath.isabs(path) else posixpath.relpath(path, directory or ".")


def _visible(text: str) -> str:
    """Text for a comment: it must not end its line."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _list(items: Sequence[str] | dict[str, None]) -> str:
    return f"[{', '.join(map(_scalar, items))}]"


def _scalar(text: str) -> str:
    """`text` as a YAML scalar that is read as this very text."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_WITH_MEANING:
        return text
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
