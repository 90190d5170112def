"""Is what runs what was written?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.image import Image, agree, parse_image
from auditor.inventory import Service, Snapshot
from auditor.model import Container, Evidence, Severity
from auditor.registry import Problem, check

_ALIVE = frozenset({"running", "restarting", "paused"})


@check(
    Service,
    Severity.WARNING,
    fix="Correct the file that is wrong, then recreate the container.",
    either=("compose", "docker"),
)
def image_drift(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """The image that is declared, the one that is composed and the one that runs are not the same.

    An audit of the file says nothing about a container that runs something else, and the next start changes it
    without notice. Where the catalogue names no tag, only the repository is compared.

    Bad:
        catalogue:
          services:
            cache: {image: "redis:7.4.2"}
        compose:
          services:
            cache: {image: "redis:6.2.17"}
    Good:
        catalogue:
          services:
            cache: {image: "docker.io/library/redis:7.4.2"}
        compose:
          services:
            cache: {image: "redis:7.4.2"}
    """
    yield from _declared_against_composed(service)
    yield from _written_against_running(service)


def _declared_against_composed(service: Service) -> Iterator[Problem]:
    entry, definition = service.entry, service.definition
    if entry is None or definition is None or not entry.image or not definition.image:
        return
    if not _differ(entry.image, definition.image, loose=True):
        return
    yield Problem(
        f"`{service.name}` is declared as `{entry.image}`, but composed as `{definition.image}`",
        (definition.place("image"), entry.place("image")),
        key="declared-composed",
        field="image",
    )


def _written_against_running(service: Service) -> Iterator[Problem]:
    """What the file asks for, or where no file composes it the catalogue, against what the containers were made of."""
    definition, entry = service.definition, service.entry
    written = definition.image if definition else entry.image if entry else None
    if written is None:
        return
    others = [c for c in service.containers if c.state in _ALIVE and _differ(written, c.image, loose=not definition)]
    if not others:
        return
    images = ", ".join(f"`{image}`" for image in sorted({container.image for container in others}))
    place = definition.place("image") if definition else entry.place("image") if entry else None
    yield Problem(
        f"`{service.name}` is {'composed' if definition else 'declared'} as `{written}`, but runs {images}",
        (place,) if place else (),
        tuple(Evidence("docker", _made_of(container)) for container in others),
        key="written-running",
        field="image",
    )


def _made_of(container: Container) -> str:
    return f"container `{container.name}` was made of {container.image}"


def _differ(wanted: str, found: str, *, loose: bool) -> bool:
    """Whether two references certainly name different images.

    `loose`: a wanted one without tag takes any, and a version takes its own patches: `16` is `16.4`, too.
    """
    want, have = parse_image(wanted), parse_image(found)
    if want is None or have is None:
        return False
    if loose and want.digest is None and (want.tag is None or (have.tag or "").startswith(f"{want.tag}.")):
        want = Image(want.repository, have.tag, have.digest)
    return not agree(want, have)
