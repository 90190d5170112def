"""Versions that a document gives for a service: `PostgreSQL 15`, a column of versions, an image with its tag."""

from __future__ import annotations

import re
from collections.abc import Sequence

from auditor.regexp import regexp

_NUMBER = r"v?(\d{1,3}(?:\.\d{1,4}){0,3}(?:\.x)?\+?)"
# Behind a name a number is a version only where nothing is counted with it: `Kafka 3 brokers`, `Redis 6379`.
_BEHIND = regexp(
    rf"[ ]{_NUMBER}(?=$|[ ]?[,;|)(\]/]|[ ]-|[ ]?:[ ]|[ ][\u2013\u2014]|\.[ ]|-?alpine"
    r"|[ ](?:or|with|as|for|on|database|server|LTS)\b)"
)
_IMAGE = regexp(r"(?:^|(?<=[\s`(/]))[a-z0-9][\w./-]{1,80}:v?(\d{1,3}(?:\.\d{1,5}){0,3})(?=[-\s`)|,]|$)")
_CELL = regexp(rf"(?:[\w ./-]{{0,40}}?[ ])?{_NUMBER}(?:[-_ ](?:alpine|slim|bookworm|LTS|management|community)\S*)?")
_COLUMN = regexp(r"(?i)^(?:image |current |docker )?(?:version|tag|release)s?$")
_IMAGE_COLUMN = regexp(r"(?i)^(?:docker |container )?images?(?: ?(?:/|and) ?tag)?$")


def version(text: str, name: str) -> str | None:
    """The version right behind a name or at its end: `PostgreSQL 15 (primary)`."""
    start = text.find(name)
    if not name or start < 0:
        return None
    inside = re.search(rf"[ ]{_NUMBER}$", name)
    if inside and not re.match(r"[ ]?\w", text[start + len(name) :]):
        return inside[1]
    match = _BEHIND.match(text, start + len(name))
    return match[1] if match else None


def version_cell(cells: Sequence[str], header: Sequence[str]) -> str | None:
    """The version in a row's column of versions or of images."""
    for cell, column in zip(cells, header, strict=False):
        if _COLUMN.search(column.strip()) and (match := _CELL.fullmatch(cell.strip())):
            return match[1]
        if _IMAGE_COLUMN.search(column.strip()) and (match := _IMAGE.search(cell.strip())):
            return match[1]
    return None
