"""Badges that say how many services there are: `![services](https://.../badge/services-16-blue)`."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from auditor.model import CountClaim, Location
from auditor.regexp import regexp
from auditor.sources.documents.counts import SPELT, number_of
from auditor.sources.documents.markdown import Code, parts

_STATIC = regexp(r"(?i)/badge/([^/\s()\"'<>?#]{1,120})")
_SPLIT = regexp(r"(?i)/badge/(services|micro-?services)/(\d{1,3})((?:\+|%2b)?)/")
_QUERY = regexp(
    r"(?i)/static/v1\?(?:[^\s()\"'<>]{0,200}&)?label=(services|micro-?services)&message=(\d{1,3})(\+|%2b)?\b"
)
_LABEL = regexp(r"(?i)(?:docker[_ ]|total[_ ]|micro-?)?services?[_ ]?(?:count|total)?")
_NUMBER = regexp(rf"(?i)(\d{{1,3}}|{SPELT})(\+)?(?:[_ ](?:micro-?)?services|[_ ]containers)?")
_IN_MESSAGE = regexp(rf"(?i)(\d{{1,3}}|{SPELT})(\+)?[_ ](?:micro-?)?services")


def badges(text: str, path: str) -> Iterator[CountClaim]:
    """The numbers of services on badges."""
    for part in parts(text):
        if isinstance(part, Code) or ("adge/" not in part[1] and "static/v1" not in part[1]):
            continue
        number, line = part
        for match in _STATIC.finditer(line):
            if found := _static(match[1]):
                yield _claim(*found, Location(path, number))
        for pattern in (_SPLIT, _QUERY):
            for match in pattern.finditer(line):
                yield _claim(int(match[2]), bool(match[3]), Location(path, number))


def _static(text: str) -> tuple[int, bool] | None:
    """`services-16-blue`: label, message, colour, divided by `-`; `--` and `__` stand for the signs themselves."""
    plain = unquote(text).removesuffix(".svg").removesuffix(".png").replace("--", "\0")
    label, *rest = (part.replace("\0", "-").replace("__", "_") for part in plain.split("-"))
    if len(rest) != 2:
        return None
    said = _IN_MESSAGE.fullmatch(rest[0]) or (_NUMBER.fullmatch(rest[0]) if _LABEL.fullmatch(label) else None)
    return (number_of(said[1]), bool(said[2])) if said and number_of(said[1]) > 1 else None


def _claim(number: int, at_least: bool, location: Location) -> CountClaim:
    return CountClaim(f"{number}{'+' if at_least else ''} services on a badge", number, at_least, location)
