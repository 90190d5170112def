"""What configurations of log shippers say: each language's forms, what is unknown, and what is none of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.errors import TextError
from auditor.model import Definition, Location, LogInput, LogShipper, Mount
from auditor.sources.logs import alloy, fluent_bit, otel, promtail, read_shipper, vector
from auditor.sources.logs.blocks import Block, Reference, parse_blocks
from tests.builders import MemoryTree
from tests.projects import snapshot_of

PARSERS: dict[str, Any] = {
    "promtail": (promtail.parse, "p.yml"),
    "alloy": (alloy.parse, "c.alloy"),
    "fluent-bit": (fluent_bit.parse, "f.conf"),
    "fluent-bit in YAML": (fluent_bit.parse, "f.yaml"),
    "vector": (vector.parse, "v.yaml"),
    "vector in TOML": (vector.parse, "v.toml"),
    "otel": (otel.parse, "o.yaml"),
}


def shown(one: LogInput) -> str:
    """`kind paths -> outputs`, with the actions of its rules, and `?` where not all may get through."""
    outputs = [f"{o.kind} {o.address.host}:{o.address.port}" if o.address else o.kind for o in one.outputs]
    parts = [one.kind, *one.paths, *(rule.action for rule in one.rules), "->", *outputs, *("?" if one.unclear else "")]
    return " ".join(parts)


CASES = yaml.safe_load((Path(__file__).parent / "log_inputs.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['language']}: {case['inputs']}")
def test_inputs_and_where_they_lead(case: dict[str, Any]) -> None:
    parse, path = PARSERS[case["language"]]
    assert [shown(one) for one in parse({path: case["text"].encode()}) or ()] == case["inputs"]


HOSTILE = [
    "",
    "7",
    "[]",
    "a: b",
    "x" * 1000,
    "[INPUT",
    "{" * 5000,
    '"',
    "a = [",
    "\x00",
    "[sources]\na = 1",
    "loki.x {",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("language", PARSERS)
def test_anything_else_hurts_nothing(language: str, text: str) -> None:
    """Either nothing is found in it, or the text is told to be wrong."""
    parse, path = PARSERS[language]
    try:
        assert not parse({path: text.encode()})
    except TextError as error:
        assert error.what


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ('a = "x\\n" // y\nb = `r\\a`', {"a": "x\n", "b": "r\\a"}),
        ("a = [1, true, null,\n]", {"a": [1.0, True, None]}),
        ('a = {b = 1, "c.d" = [x.y.z]}', {"a": {"b": 1.0, "c.d": [Reference("x.y.z")]}}),
        ("a = f(x.y)\nb = 1 + 2", {"a": Reference("x.y"), "b": Reference("")}),
        ('a = env("X")\nb = a["c"].d', {"a": Reference("env"), "b": Reference("a")}),
        ("/* c\n */ a = -1", {"a": 1.0}),
    ],
)
def test_values_of_alloy(text: str, attributes: dict[str, Any]) -> None:
    (block,) = parse_blocks(f"k {{\n{text}\n}}".encode(), "c.alloy")
    assert block == Block("k", "", 1, attributes)


def shipper(*mounts: Mount, files: dict[str, str] | None = None) -> LogShipper:
    definition = Definition("p", "prod", Location("c.yml", 3), mounts=mounts)
    return read_shipper(MemoryTree(files or {}), definition, "promtail", "prod")


@pytest.mark.parametrize(
    ("mounts", "files"),
    [
        ((), {}),
        ((Mount("bind", "/etc/p", "/etc/p"),), {}),
        ((Mount("bind", "/etc/p", "p"),), {"p/a.yml": "a: ["}),
        ((Mount("bind", "/etc/p", "p"),), {"p/a.yml": "a: b"}),
        ((Mount("volume", "/etc/p", "p"),), {"p/a.yml": "clients: []"}),
    ],
)
def test_what_cannot_be_read_is_unknown(mounts: tuple[Mount, ...], files: dict[str, str]) -> None:
    assert shipper(*mounts, files=files).unread


def test_secrets_of_a_shipper_stay_there() -> None:
    text = "clients: [{url: 'http://u:canary@loki:3100', basic_auth: {password: canary}}]\nscrape_configs: []"
    assert "canary" not in repr(shipper(Mount("bind", "/p", "p"), files={"p/a.yml": text}))


def test_values_of_labels_are_kept_only_where_they_tell_of_watching() -> None:
    labels = {
        "logging": "promtail",
        "token_log": "x",
        "team": "blue",
        "on": True,
        "loki.url": "http://a:b@c",
        "metrics.port": 80,
    }
    snapshot = snapshot_of({"compose": {"services": {"a": {"image": "x/a:1", "labels": labels}}}})
    (definition,) = snapshot.definitions("default").values()
    kept = {
        "logging": "promtail",
        "token_log": None,
        "team": None,
        "on": "true",
        "loki.url": None,
        "metrics.port": "80",
    }
    assert definition.labels == kept
