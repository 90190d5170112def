"""What a health answer says of its service: name, version and figures, picked from JSON and bounded."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping

from auditor.regexp import regexp
from auditor.sources.hostile import printable

Reported = Mapping[str, str | int | float | bool]

_NAMES = ("service", "service_name", "serviceName", "name", "app", "application", "component")
_VERSIONS = ("version", "service_version", "serviceVersion", "app_version", "appVersion", "release", "build_version")
_WITHIN = ("service", "app", "application", "info", "build", "meta", "metadata", "about", "details")
_TEXT = regexp(r"[\w.+:/@()-]+(?: [\w.+:/@()-]+){0,5}")  # what a name or a version looks like
_FIGURE = regexp(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_LONGEST = 60
_MOST_FIGURES = 20


def reported(body: bytes) -> Reported:
    """`service`, `version` and the figures of an answer; nothing where it is no JSON object.

    Other texts are left out: a health answer may hold whatever its service knows.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(answer, dict):
        return {}
    found: dict[str, str | int | float | bool] = {}
    for word, keys in (("service", _NAMES), ("version", _VERSIONS)):
        text = next((text for place in _places(answer) if (text := _text_of(place, keys))), None)
        if text:
            found[word] = text
    found.update(_figures(answer))
    return found


def _places(answer: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The object itself, then those of its parts in which such answers tell who they are."""
    yield answer
    for key in _WITHIN:
        inner = answer.get(key)
        if isinstance(inner, dict):
            yield inner


def _text_of(place: Mapping[str, object], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = place.get(key)
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        if isinstance(text, str) and _TEXT.fullmatch(text[: _LONGEST + 1]) and len(text) <= _LONGEST:
            return printable(text, _LONGEST)
    return None


def _figures(answer: Mapping[str, object]) -> Iterator[tuple[str, int | float | bool]]:
    left = _MOST_FIGURES
    for key, value in answer.items():
        plain = isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
        if left and plain and key not in _VERSIONS and _FIGURE.fullmatch(key) and abs(value) < 2**53:  # type: ignore[arg-type]
            left -= 1
            yield key, value  # type: ignore[misc]
