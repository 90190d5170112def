"""The package's own components as a run loads them: JSON, a component a line, with the fields that each has.

Reading the YAML files at each start would take ten times as long. `make generate` writes this form anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from auditor.model import Component, DefaultProbe, Expect, Metrics


def dump(components: tuple[Component, ...]) -> str:
    """The text from which `load` makes the same components."""
    lines = ",\n".join(json.dumps(_given(component), ensure_ascii=False) for component in components)
    return f"[\n{lines}\n]\n"


def _given(component: Component) -> dict[str, Any]:
    defaults = {item.name: item.default for item in fields(Component)}
    return {name: value for name, value in asdict(component).items() if getattr(component, name) != defaults[name]}


def load(data: bytes) -> tuple[Component, ...]:
    """The components of a text that `dump` wrote."""
    return tuple(
        Component(**{name: _MADE.get(name, _plain)(value) for name, value in item.items()}) for item in json.loads(data)
    )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_MADE: Mapping[str, Callable[[Any], Any]] = {
    "metrics": lambda value: Metrics(**value),
    "probe": lambda value: DefaultProbe(**value),
    "expects": lambda value: tuple(Expect(**item) for item in value),
}
