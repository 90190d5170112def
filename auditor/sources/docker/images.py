"""The images that containers were made of, and which image a tag names now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from auditor.model import EngineImage
from auditor.sources.hostile import printable

JSON = Mapping[str, Any]
_NAMES = 100  # of one image


def parse_images(rows: object, ids: Collection[str], names: Collection[str], environment: str) -> list[EngineImage]:
    """Of the engine's list, the images with one of `ids` and those that one of `names` (`web:1`) means now."""
    found = [_parse(row, environment) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    wanted = {_full(name) for name in names}
    return [image for image in found if image.id in ids or not wanted.isdisjoint(image.references)]


def _parse(row: JSON, environment: str) -> EngineImage:
    return EngineImage(
        environment,
        id=printable(row.get("Id") or ""),
        references=_texts(row.get("RepoTags")),
        digests=_texts(row.get("RepoDigests")),
    )


def _texts(found: object) -> tuple[str, ...]:
    """Names, without the ones that stand for none (`<none>:<none>`)."""
    texts: Iterable[object] = found if isinstance(found, list) else ()
    return tuple(sorted(printable(text, 500) for text in texts if "<none>" not in str(text)))[:_NAMES]


def _full(name: str) -> str:
    """`web` as the engine lists it: `web:latest`."""
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"
