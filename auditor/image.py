"""Image references, read the way an engine reads them: `redis` is `docker.io/library/redis:latest`."""

from __future__ import annotations

from functools import lru_cache

from auditor.frozen import dataclass
from auditor.regexp import regexp

HUB = "docker.io"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_BARE_ID = regexp(r"(sha256:)?[0-9a-f]{12,64}")


@dataclass(frozen=True, slots=True)
class Image:
    """One image reference. `repository` has its registry; tag and digest are None where they are not written."""

    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        short = self.repository.removeprefix(f"{HUB}/library/").removeprefix(f"{HUB}/")
        tag = f":{self.tag}" if self.tag else ""
        return f"{short}{tag}@{self.digest}" if self.digest else f"{short}{tag}"


@lru_cache(maxsize=16_384)
def parse_image(text: str) -> Image | None:
    """The parts of a reference; None for a bare image id, or where a variable left a hole."""
    name, at, digest = text.strip().partition("@")
    head, slash, last = name.rpartition("/")
    base, colon, tag = last.partition(":")
    if not base or "$" in text or (colon and not tag) or (at and not digest) or _BARE_ID.fullmatch(text.strip()):
        return None
    return Image(_repository(f"{head}{slash}{base}"), tag or None, digest or None)


def _repository(path: str) -> str:
    head, slash, rest = path.partition("/")
    has_registry = slash and ("." in head or ":" in head or head == "localhost")
    registry, path = (head, rest) if has_registry else (HUB, path)
    if registry not in _HUB_NAMES:
        return f"{registry}/{path}"
    return f"{HUB}/{path}" if "/" in path else f"{HUB}/library/{path}"


def agree(wanted: Image, found: Image) -> bool:
    """Whether `found` is what `wanted` asks for, as far as both say it; no tag and no digest means `latest`."""
    if wanted.repository != found.repository:
        return False
    if wanted.digest and found.digest:
        return wanted.digest == found.digest
    if (wanted.digest and not wanted.tag) or (found.digest and not found.tag):
        return True  # one names the content, the other a tag: only the engine could tell
    return (wanted.tag or "latest") == (found.tag or "latest")
