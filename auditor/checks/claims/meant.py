"""What a document speaks of, and how one speaks of it."""

from __future__ import annotations

import posixpath

from auditor.inventory import Snapshot
from auditor.model import Document


def default_environment(snapshot: Snapshot) -> str | None:
    """The environment that documents speak of, or None where it is not judged or could not be composed."""
    specs = snapshot.catalogue.environments if snapshot.catalogue else ()
    name = specs[0].name if specs else next(iter(snapshot.environments), None)
    if name is None or name not in snapshot.environments or snapshot.source("compose", name).state != "ok":
        return None
    return name


def title_of(document: Document) -> str:
    """A document as one speaks of it: `README`, else its path."""
    stem = posixpath.basename(document.path).partition(".")[0]
    return stem if stem.upper() == "README" else document.path
