"""Do the ports, versions and owners that a document gives for a service hold?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.checks.claims.meant import default_environment, title_of
from auditor.image import parse_image
from auditor.inventory import Service, Snapshot
from auditor.model import Definition, Document, Lifecycle, ListItem, Location, Severity
from auditor.regexp import regexp
from auditor.registry import Problem, check
from auditor.words import normal


@check(
    Document,
    Severity.WARNING,
    fix="Correct the port in the document, or publish the service on it.",
    needs=("documents", "compose"),
)
def claimed_port_wrong(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A document gives a port on which the service does not answer.

    A port is right if the service publishes it, listens on it in its container, or declares it in the catalogue.

    Bad:
        catalogue:
          services: {grafana: {}}
        documents:
          README.md: "## Services\\n\\n| Service | Port |\\n|---|---|\\n| Grafana | 3001 |\\n"
        compose:
          services: {grafana: {image: "grafana/grafana:11.6.0", ports: ["3000:3000"]}}
    Good:
        catalogue:
          services: {grafana: {}}
        documents:
          README.md: "## Services\\n\\n| Service | Port |\\n|---|---|\\n| Grafana | 3000 |\\n"
        compose:
          services: {grafana: {image: "grafana/grafana:11.6.0", ports: ["3000:3000"]}}
    """
    environment = default_environment(snapshot)
    if environment is None:
        return
    for item in (item for group in document.lists for item in group.items if item.ports):
        name = snapshot.meant(environment, item)
        service = snapshot.service(environment, name) if name else None
        if service is None or not _has_ports(service):
            continue
        right = _ports(service)
        for port in item.ports if right else ():
            if not any(port in span for span in right):
                yield _wrong_port(port, item, service, right, document)


def _has_ports(service: Service) -> bool:
    """Whether it is known here where it listens: it is composed so, or its entry declares a host process."""
    if service.definition:
        return not _unforeseeable(service.definition)
    return service.lifecycle is Lifecycle.PROCESS and bool(service.entry and service.entry.ports)


def _unforeseeable(definition: Definition) -> bool:
    """Whether a port is chosen at the start, or taken from another network."""
    random = any(port.published in (None, "", "0") for port in definition.ports)
    return random or definition.network_mode not in (None, "bridge")


def _ports(service: Service) -> list[range]:
    """Every port on which the service may be said to answer."""
    definition = service.definition
    composed = definition.ports if definition else ()
    single = {*(port.target for port in composed), *(definition.expose if definition else ())}
    single.update(service.entry.ports if service.entry else ())
    single.update(service.component.ports if service.component and definition else ())
    published = [span for port in composed if (span := _span(port.published))]
    return [*published, *(range(port, port + 1) for port in sorted(single))]


def _span(text: str | None) -> range | None:
    first, _, last = (text or "").partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        return None
    return range(int(first), int(last or first) + 1)


def _where_ports_stand(service: Service) -> tuple[Location, ...]:
    if service.definition:
        return (service.definition.place("ports"),)
    return (service.entry.place("ports"),) if service.entry else ()


def _wrong_port(port: int, item: ListItem, service: Service, right: list[range], document: Document) -> Problem:
    shown = ", ".join(dict.fromkeys(str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}" for span in right))
    return Problem(
        f"{title_of(document)} gives port {port} for `{service.name}`, which answers on {shown}",
        (item.location, *_where_ports_stand(service)),
        service=service.name,
        environment=service.environment,
        key=str(port),
        cause=f"port:{service.name}:{port}",
        field="ports",
    )


# --- versions ----------------------------------------------------------------------------------------------------

# Repositories whose tags count releases of their own, not versions of what is inside.
_OWN_NUMBERS = regexp(r"(?:^|/)(?:confluentinc|strimzi|wurstmeister|spotify|supabase|linuxserver|cimg)/")
_GROUPS = regexp(r"\d+(?:\.\d+)*")


@check(
    Document,
    Severity.WARNING,
    fix="Correct the version in the document, or the image's tag.",
    needs=("documents", "compose"),
)
def claimed_version_wrong(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A document gives another version of a service than its image has.

    Whoever plans an upgrade, or looks up a vulnerability, looks at the wrong one. `15` holds for the tag `15.3`, `15.3`
    for the tag `15`, and `15+` for `16`; a tag without a version says nothing.

    Bad:
        catalogue:
          services: {db: {title: PostgreSQL}}
        documents:
          README.md: "## Services\\n\\n| Service | Version |\\n|---|---|\\n| PostgreSQL | 15 |\\n"
        compose:
          services: {db: {image: "postgres:16.8"}}
    Good:
        catalogue:
          services: {db: {title: PostgreSQL}}
        documents:
          README.md: "## Services\\n\\n| Service | Version |\\n|---|---|\\n| PostgreSQL | 15 |\\n"
        compose:
          services: {db: {image: "postgres:15.3-alpine"}}
    """
    environment = default_environment(snapshot)
    if environment is None:
        return
    for item in (item for group in document.lists for item in group.items if item.version):
        name = snapshot.meant(environment, item)
        service = snapshot.service(environment, name) if name else None
        definition = service.definition if service else None
        tag = _tag(definition) if definition else None
        if service is None or definition is None or tag is None or _agrees(item.version or "", tag):
            continue
        yield Problem(
            f"{title_of(document)} gives version {item.version} for `{service.name}`, whose image has the tag `{tag}`",
            (item.location, definition.place("image")),
            service=service.name,
            environment=environment,
            key=item.version or "",
            field="image",
        )


def _tag(definition: Definition) -> str | None:
    """The tag of an image that somebody else made, where it tells a version."""
    image = parse_image(definition.image) if definition.image and not definition.build else None
    if image is None or image.tag is None or _OWN_NUMBERS.search(image.repository):
        return None
    return image.tag if re.match(r"v?\d{1,3}(?:[.-]|$)", image.tag) else None


def _agrees(claimed: str, tag: str) -> bool:
    """Whether a version may be that of a tag: one of them begins with the other, part by part."""
    wanted = claimed.removesuffix("+").removesuffix(".x").split(".")
    found = [group.split(".") for group in _GROUPS.findall(tag)]
    if any(all(a == b for a, b in zip(wanted, parts, strict=False)) for parts in found):
        return True
    return claimed.endswith("+") and list(map(int, found[0])) >= list(map(int, wanted))


# --- owners ------------------------------------------------------------------------------------------------------


@check(
    Document,
    Severity.WARNING,
    fix="Correct the owner in the document, or in the catalogue.",
    needs=("documents",),
)
def claimed_owner_wrong(document: Document, snapshot: Snapshot) -> Iterator[Problem]:
    """A document names another owner of a service than its catalogue entry does.

    Whoever looks there in an incident calls people who do not answer for it. Columns of owners and entries with
    `owner: NAME` are read; `@org/data-team` and "Data team" are both `data-team`.

    Bad:
        catalogue:
          services: {db: {title: PostgreSQL, owner: data-team}}
        documents:
          README.md: "## Services\\n\\n| Service | Owner |\\n|---|---|\\n| PostgreSQL | Platform |\\n"
        compose:
          services: {db: {image: "postgres:16.8"}}
    Good:
        catalogue:
          services: {db: {title: PostgreSQL, owner: data-team}}
        documents:
          README.md: "## Services\\n\\n| Service | Owner |\\n|---|---|\\n| PostgreSQL | Data team |\\n"
        compose:
          services: {db: {image: "postgres:16.8"}}
    """
    environment = default_environment(snapshot)
    if environment is None:
        return
    for item in (item for group in document.lists for item in group.items if item.owner):
        name = snapshot.meant(environment, item)
        entry = snapshot.entry(environment, name) if name else None
        if entry is None or not entry.owner or _same_owner(item.owner or "", entry.owner):
            continue
        yield Problem(
            f"{title_of(document)} names {item.owner} as the owner of `{entry.name}`, its entry `{entry.owner}`",
            (item.location, entry.place("owner")),
            service=entry.name,
            environment=environment,
            key=item.owner or "",
        )


def _same_owner(claimed: str, declared: str) -> bool:
    """Whether two names may be meant for the same: one has all the words of the other, but for "team"."""
    one, other = ({word for word in normal(name).split() if word != "team"} for name in (claimed, declared))
    return one <= other or other <= one
