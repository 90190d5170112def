"""Reads the published schema of Compose, which is part of another package."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from auditor.compose.schema import Schema, parse_schema
from auditor.errors import EvidenceError

_PACKAGE = "check_jsonschema"  # only its data is wanted: its code is never imported
_FILE = Path("builtin_schemas", "vendor", "compose-spec.json")


def load_text() -> bytes:
    """The schema's text. Raises EvidenceError where the package that brings it is not installed."""
    spec = find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    try:
        return next(Path(place, _FILE).read_bytes() for place in places or ())
    except (StopIteration, OSError) as error:
        raise _missing("check-jsonschema") from error


@cache
def load() -> Schema:
    """The schema as a judge, made once a process. Raises EvidenceError where a package that it needs is missing."""
    try:
        return parse_schema(load_text())
    except ImportError as error:
        raise _missing("jsonschema-rs") from error


def _missing(package: str) -> EvidenceError:
    what = f"Compose files cannot be judged: the package `{package}` is not installed, or not whole"
    return EvidenceError(what, help=f"install it: `python -m pip install {package}`")
