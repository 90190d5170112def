"""Known components: what an image or a name stands for, and what belongs to it.

`schema` and `reading` have the form in which they are written, `compiled` the one in which a run loads them; `facts`
says which public page each fact was taken from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from auditor.frozen import dataclass
from auditor.model import Component


def by_key(components: tuple[Component, ...], key: str) -> Component | None:
    """The component with that key."""
    return _index(components).keys.get(key)


def by_image(components: tuple[Component, ...], image: str) -> Component | None:
    """The component that an image reference is, whatever the registry, tag or digest.

    A mirror keeps the path (`mirror.example/bitnami/redis`), or hides it behind a prefix of its own
    (`mirror.example/hub/library/redis`, `mirror.example/hub/prom/prometheus`). `team/redis` is somebody's own image.
    """
    return _index(components).of_image(image)


def known_image(component: Component, image: str) -> str | None:
    """Which of the component's images an image reference is."""
    return next((path for path in _readings(image) if path in component.images), None)


def is_repository(image: str, path: str) -> bool:
    """Whether an image reference is of a repository, whatever the registry, mirror, tag or digest."""
    return path in _readings(image)


def published(component: Component) -> str:
    """The image to use of a component, with its registry where that is not Docker's own."""
    first = component.images[0]
    return next((image for image in component.images if repository(image)[0] and repository(image)[1] == first), first)


@lru_cache(maxsize=16_384)
def _readings(image: str) -> tuple[str, ...]:
    """The repositories that a reference can mean, the surest first."""
    registry, path = repository(image)
    own = (f"{registry}/{path}",) if registry else ()
    parts = path.split("/")
    if len(parts) < 3:
        return (*own, path.removeprefix("library/"))
    mirrored = parts[-1] if parts[-2] == "library" else "/".join(parts[-2:])
    return (*own, path.removeprefix("library/"), mirrored)


def by_name(components: tuple[Component, ...], word: str) -> Component | None:
    """The component that a host name or a word of a document means, compared without case and punctuation."""
    return _index(components).names.get(plain(word))


def repository(image: str) -> tuple[str | None, str]:
    """An image reference as registry and repository path, without tag and digest."""
    name = image.partition("@")[0]
    head, slash, tail = name.partition("/")
    registry = head if slash and ("." in head or ":" in head or head == "localhost") else None
    path = tail if registry else name
    directory, slash, last = path.rpartition("/")
    return registry, f"{directory}{slash}{last.partition(':')[0]}"


def plain(word: str) -> str:
    """A name without case and punctuation, as names are compared."""
    return "".join(filter(str.isalnum, word.casefold()))


@dataclass(frozen=True, slots=True)
class _Index:
    components: tuple[Component, ...]  # as long as it is held, its identity is nobody else's
    keys: Mapping[str, Component]
    images: Mapping[str, Component]
    names: Mapping[str, Component]
    of_image: Callable[[str], Component | None]


_INDEXES = 4  # kept: one run asks for one, or two where the users' own files differ
_indexes: dict[int, _Index] = {}


def _index(components: tuple[Component, ...]) -> _Index:
    """The index of one tuple, known by its identity: hashing all components would cost more than a look-up."""
    known = _indexes.get(id(components))
    if known is None or known.components is not components:
        if len(_indexes) >= _INDEXES:
            _indexes.clear()
        images = {image: component for component in components for image in component.images}
        known = _indexes[id(components)] = _Index(
            components,
            {component.key: component for component in components},
            images,
            {plain(name): component for component in components for name in words(component)},
            lru_cache(maxsize=16_384)(partial(_of_image, images)),
        )
    return known


def _of_image(images: Mapping[str, Component], image: str) -> Component | None:
    return next((images[path] for path in _readings(image) if path in images), None)


def words(component: Component) -> tuple[str, ...]:
    """What it is called: its key, its title, its other names."""
    return component.key, component.title, *component.names
