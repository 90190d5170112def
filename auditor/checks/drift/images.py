"""Images: the declared one, the composed one, and the one that runs."""

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
    without notice. Where the catalogue names no tag, only the repository is compared. A tag that names another image
    by now, because it was pulled or built anew, is drift too: what runs is not what a start would run.

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
    yield from _moved(service, snapshot)


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
    written, others = _others(service)
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


def _others(service: Service) -> tuple[str | None, list[Container]]:
    """What is written, and the containers that run another image."""
    definition, entry = service.definition, service.entry
    written = definition.image if definition else entry.image if entry else None
    if written is None:
        return None, []
    alive = [c for c in service.containers if c.state in _ALIVE]
    return written, [c for c in alive if _differ(written, c.image, loose=not definition)]


def image_differs(service: Service) -> bool:
    """Whether a container runs another image than the one that is written."""
    return bool(_others(service)[1])


def _moved(service: Service, snapshot: Snapshot) -> Iterator[Problem]:
    """Whether what the container was made of is still what its reference names on the engine."""
    moved = [c for c in service.containers if c.state in _ALIVE and not _is_current(c, snapshot)]
    if not moved or snapshot.excuse(service) or service.composed is None:
        return
    images = ", ".join(f"`{image}`" for image in sorted({container.image for container in moved}))
    yield Problem(
        f"`{service.name}` runs an older image than the one that {images} names on the engine now",
        (service.composed.place("image", "build"),),
        tuple(Evidence("docker", f"container `{c.name}` was made of {_short(c.image_id)}") for c in moved),
        key="moved",
        field="image",
    )


def _is_current(container: Container, snapshot: Snapshot) -> bool:
    """True, too, where the engine does not tell which image a reference names."""
    wanted = parse_image(container.image)
    images = [image for image in snapshot.images if image.environment == container.environment]
    if wanted is None or container.image_id is None:
        return True
    if wanted.digest:
        own = next((image for image in images if image.id == container.image_id), None)
        found = {text.partition("@")[2] for text in own.digests} if own else set()
        return not found or wanted.digest in found or container.image_id == wanted.digest
    named = [image.id for image in images if any(_names(text, wanted) for text in image.references)]
    return not named or container.image_id in named


def _names(reference: str, wanted: Image) -> bool:
    found = parse_image(reference)
    return (
        found is not None
        and found.repository.removeprefix("localhost/") == wanted.repository.removeprefix("localhost/")
        and (found.tag or "latest") == (wanted.tag or "latest")
    )


def _short(id: str | None) -> str:
    return (id or "").removeprefix("sha256:")[:12]


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
