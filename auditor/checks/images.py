"""Do the image references name what they mean?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.image import Image, parse_image
from auditor.inventory import Snapshot
from auditor.model import Definition, Severity
from auditor.registry import Problem, check

# Tags that are moved to another image with each release, whatever follows after a hyphen.
_MOVING = frozenset(
    {
        "alpha", "beta", "canary", "current", "dev", "develop", "devel", "edge", "head", "latest", "lts", "main",
        "mainline", "master", "next", "nightly", "preview", "rolling", "snapshot", "stable", "testing", "trunk",
        "unstable",
    }
)  # fmt: skip
_DATED = re.compile(r"[0-9]{6,}|[0-9]{4}-[0-9]{2}")


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
