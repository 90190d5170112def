"""What Compose refuses of short forms as soon as a file is read, though a later one may take them away again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from auditor.compose import attached
from auditor.compose.forms import FormError, Work
from auditor.compose.interpolate import Text
from auditor.compose.merge import kind, unwrap
from auditor.compose.places import Faults
from auditor.compose.service import context_pair, ssh_key
from auditor.frozen import dataclass
from auditor.yamlfile import Mapping, Sequence

_TARGETED = frozenset(("ports", "volumes", "devices"))
# What the items of a list may be where Compose looks for the same one twice.
_TEXTS: tuple[str, ...] = ("annotations", "cap_add", "cap_drop", "dns", "dns_opt", "dns_search", "environment")
_TEXTS += ("labels", "links", "profiles", "sysctls", "tmpfs")
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_TEXTS, (str,)),
    **dict.fromkeys(("configs", "secrets", "devices", "volumes"), (str, Mapping)),
    "expose": (str, int),
    "ports": (str, int, Mapping),
}
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
        self._items("volumes", service, partial(attached.short_mount, work=work), work)
        self._items("devices", service, attached.short_device if self.interpolated else None, work)
        if extended:  # which is never held to the schema
            for key in service.keys() & _KINDS.keys():
                _judge_kinds(key, unwrap(service[key]), work)
        elif isinstance(build := unwrap(service.get("build")), Mapping):
            self._items("ssh", build, ssh_key, work)
            self._items("additional_contexts", build, context_pair if self.interpolated else None, work)

    def _items(self, key: str, owner: Mapping, read: _Read | None, work: Work) -> None:
        value = unwrap(owner.get(key))
        if not isinstance(value, Sequence):
            return
        for item, position in zip(map(unwrap, value), value.lines, strict=True):
            target = item.get("target") if isinstance(item, Mapping) and key in _TARGETED else ""
            if target is None or (key != "ports" and not isinstance(target, str)):
                work.refuse(f"an item of `{key}` without a `target`", position)
            elif isinstance(item, str) and read and (self.strict or not isinstance(item, Text)):
                try:
                    read(item)
                except FormError as error:
                    work.refuse(str(error), position)


def _judge_kinds(key: str, value: object, work: Work) -> None:
    for item, position in zip(value, value.lines, strict=True) if isinstance(value, Sequence) else ():
        if isinstance(item := unwrap(item), bool) or not isinstance(item, _KINDS[key]):
            work.refuse(f"an item of `{key}` is {kind(item)}, which Compose does not read there", position)
