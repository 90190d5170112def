"""What Compose refuses of short forms as soon as a file is read, though a later one may take them away again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from auditor.compose import attached
from auditor.compose.forms import FormError, Work
from auditor.compose.interpolate import Text
from auditor.compose.merge import unwrap
from auditor.compose.places import Faults
from auditor.compose.service import context_pair, ssh_key
from auditor.frozen import dataclass
from auditor.yamlfile import Mapping, Sequence

_TARGETED = frozenset(("ports", "volumes", "devices"))
_Read = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Early:
    """`interpolated`: the variables are resolved. `strict`: what they left empty is judged, too."""

    faults: Faults
    interpolated: bool
    strict: bool

    def judge(self, model: Mapping, *, extended: bool = False) -> None:
        """Says what is wrong in each service of a model. `extended`: nothing of it is used but by `extends`."""
        services = unwrap(model.get("services"))
        for name, service in services.items() if isinstance(services, Mapping) else ():
            if isinstance(service := unwrap(service), Mapping):
                self._service(name, service, extended=extended)

    def _service(self, name: str, service: Mapping, *, extended: bool) -> None:
        work = Work(self.faults, "", "", {}, service=name)
        ports: _Read | None = partial(attached.short_port, work=work) if self.interpolated else None
        self._items("ports", service, ports, work)
        self._items("volumes", service, None if extended else partial(attached.short_mount, work=work), work)
        self._items("devices", service, attached.short_device if self.interpolated and not extended else None, work)
        if isinstance(build := unwrap(service.get("build")), Mapping) and not extended:
            self._items("ssh", build, ssh_key, work)
            self._items("additional_contexts", build, context_pair if self.interpolated else None, work)

    def _items(self, key: str, owner: Mapping, read: _Read | None, work: Work) -> None:
        value = unwrap(owner.get(key))
        if not isinstance(value, Sequence):
            return
        for item, position in zip(map(unwrap, value), value.lines, strict=True):
            if isinstance(item, Mapping) and key in _TARGETED and item.get("target") is None:
                work.refuse(f"an item of `{key}` without a `target`", position)
            elif isinstance(item, str) and read and (self.strict or not isinstance(item, Text)):
                try:
                    read(item)
                except FormError as error:
                    work.refuse(str(error), position)
