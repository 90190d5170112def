"""Do the image references name what they mean?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import knowledge
from auditor.image import Image, parse_image
from auditor.inventory import Snapshot
from auditor.model import Definition, Location, Project, Severity
from auditor.regexp import regexp
from auditor.registry import Problem, check

# Tags that are moved to another image with each release, whatever follows after a hyphen.
_MOVING = frozenset(
    {
        "alpha", "beta", "canary", "current", "dev", "develop", "devel", "edge", "head", "latest", "lts", "main",
        "mainline", "master", "next", "nightly", "preview", "rolling", "snapshot", "stable", "testing", "trunk",
        "unstable",
    }
)  # fmt: skip
# A date, or a commit: whoever gave such a tag gives the next image another.
_DATED = regexp(r"[0-9]{6,}|[0-9]{4}-[0-9]{2}|(?<![0-9a-f])(?=[a-f]*[0-9])[0-9a-f]{7,40}(?![0-9a-z])")


@check(Definition, Severity.WARNING, fix="Name a version in the image's tag, or pin its digest.", needs=("compose",))
def moving_image_tag(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The image's tag is moved to another image with each release.

    The next pull brings a version that nobody chose, and no two hosts need run the same one.

    Bad:
        compose:
          services:
            web: {image: "nginx:latest"}
    Good:
        compose:
          services:
            web: {image: "nginx:1.27.5"}
    """
    image = parse_image(definition.image or "")
    if definition.build or image is None or not _moves(image):
        return
    said = f"the moving tag `{image.tag}`" if image.tag else "no tag, which means `latest`"
    yield Problem(
        f"`{definition.name}` runs `{definition.image}`: {said}",
        (definition.place("image"),),
        field="image",
    )


def _moves(image: Image) -> bool:
    if image.digest:
        return False
    tag = (image.tag or "latest").lower()
    if not any(character.isdigit() for character in tag):
        return True  # `alpine`, `slim`, `bookworm`: a variant without a version
    return tag.split("-")[0].split(".")[0] in _MOVING and not _DATED.search(tag)


@check(
    Definition,
    Severity.INFO,
    fix="Add the digest to the reference: `name:version@sha256:...`.",
    needs=("compose",),
)
def unpinned_image(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """An image is named by a version, but not by its digest.

    A tag may be pushed again. Only a digest gives every host the same content.

    Bad:
        compose:
          services: {web: {image: "nginx:1.27.5"}}
    Good:
        compose:
          services:
            web:
              image: "nginx:1.27.5@sha256:5ed8fcc66f4ed123c1b2560ed708dc148755b6e4cbd8b943fab094f2c6bfa91e"
    """
    image = parse_image(definition.image or "")
    if definition.build or image is None or image.digest or _moves(image):
        return  # what has no version at all is said by `moving-image-tag`
    said = f"`{definition.name}` runs `{definition.image}` without a digest"
    yield Problem(said, (definition.place("image"),), field="image")


@check(
    Definition,
    Severity.WARNING,
    fix="Add `pull_policy: build`, or leave either `build` or `image` out.",
    needs=("compose",),
)
def build_and_image(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A service has both `build` and `image`, and nothing says which one counts.

    Compose asks the registry for the image first, and builds only where it finds none: what runs may be somebody
    else's. Where the name is that of a well-known public image this is a warning; that an own name is given to what is
    built is only told.

    Bad:
        compose:
          services: {cache: {build: ./cache, image: "redis:7.4"}}
    Good:
        compose:
          services: {cache: {build: ./cache, image: "registry.example/team/cache:7.4", pull_policy: build}}
    """
    if not definition.build or not definition.image or definition.pull_policy:
        return
    public = knowledge.by_image(snapshot.components, definition.image)
    said = f"`{definition.name}` is built, and named `{definition.image}`"
    told = f"{said}, which is {public.title}'s own image" if public else said
    yield Problem(
        told,
        (definition.place("image"), definition.place("build")),
        field="image",
        severity=None if public else Severity.INFO,
    )


@check(
    Project,
    Severity.INFO,
    fix="Run one version of it, or give one of them a reason in a waiver.",
    needs=("compose",),
)
def mixed_image_versions(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """Several versions of one image run in one project.

    Each has to be downloaded, followed and patched by itself, and mostly one of them was forgotten.

    Bad:
        compose:
          services: {cache: {image: "redis:7.4.2"}, queue: {image: "redis:6.2.17"}}
    Good:
        compose:
          services: {cache: {image: "redis:7.4.2"}, queue: {image: "redis:7.4.2"}}
    """
    found: dict[str, dict[str, tuple[str, Location]]] = {}
    for definition in project.definitions:
        image = parse_image(definition.image or "")
        if image and definition.active and not definition.build:
            version = image.tag or image.digest or "latest"
            found.setdefault(image.repository, {}).setdefault(version, (definition.name, definition.place("image")))
    for repository, versions in found.items():
        if len(versions) > 1:
            name = str(Image(repository))
            shown = ", ".join(f"`{version[:24]}` (`{service}`)" for version, (service, _) in versions.items())
            places = tuple(place for _, place in versions.values())
            yield Problem(f"`{name}` runs in several versions: {shown}", places, key=repository, field="image")


@check(
    Definition,
    Severity.WARNING,
    fix="Move to what replaces it while both can still be had.",
    needs=("compose",),
)
def deprecated_image(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """An image was renamed, or is no longer kept up, or its program has come to its end.

    It gets no fixes any more, whatever is found in it; some day it can no longer be pulled.

    Bad:
        compose:
          services: {mail: {image: "mailhog/mailhog:v1.0.1"}}
    Good:
        compose:
          services: {mail: {image: "axllent/mailpit:v1.24.0"}}
    """
    component = knowledge.by_image(snapshot.components, definition.image) if definition.image else None
    if component is None or definition.build:
        return
    image = knowledge.known_image(component, definition.image or "")
    if component.replaced_by:
        said, successor = f"{component.title}, which is replaced by {component.replaced_by}", component.replaced_by
    elif image in component.retired:
        said = f"{component.title} from `{image}`, which is no longer kept up"
        successor = f"`{knowledge.published(component)}`"
    else:
        return
    yield Problem(
        f"`{definition.name}` runs {said}",
        (definition.place("image"),),
        key=component.key,
        field="image",
        fix=f"Move to {successor.partition(';')[0]}.",
    )
