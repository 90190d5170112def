"""Imports run one way, and everything up to the engine is pure: no IO, no clock, no chance, no environment."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("auditor", "exporters")

# From what everything may use to what may use everything. A module may import its own layer and those before it.
LAYERS = (
    ("errors", "frozen", "regexp", "hashing", "model", "words", "image", "causes", "digest", "setup", "__version__"),
    ("registry", "yamlfile", "tree"),
    (
        "matching",
        "promql",
        "relabel",
        "routing",
        "scrapes",
        "feeding",
        "relays",
        "series",
        "alerting",
        "discovered",
        "stored",
        "hearing",
        "servers",
        "charting",
        "shipping",
        "reach",
        "belonging",
        "commandline",
        "past",
        "listening",
        "shape",
        "catalogue",
        "compose",
        "knowledge",
        "inventory",
        "usage",
        "orders",
        "health",
        "ladder",
        "settings",
        "policy",
        "drift",
        "origin",
        "others",
        "checks",
    ),
    ("engine",),
    ("sources", "probes", "state", "store", "whereabouts", "exporters"),
    ("gather", "live", "draft", "demo_live"),
    ("scan", "act", "plan", "plugins", "rewriting"),
    ("cli", "web", "__main__"),
)
# The registry finds the checks by importing them, inside a function; nothing else may look upwards.
DISCOVERY = {("registry", "checks")}

PURE_LAYERS = 4
# Parsers beside the sources: they get their text from a Tree, and must stay as pure.
PURE_PARSERS = (
    "gather", "draft", "sources.alertmanager_config", "sources.code", "sources.components",
    "sources.docker.setup", "sources.documents", "sources.grafana", "sources.logs",
    "sources.prometheus", "sources.told",
)  # fmt: skip
# What the pure modules take from outside: parsers and patterns that themselves only compute.
PURE_LIBRARIES = {
    "yamlfile": {"yaml"},
    "matching": {"re2"},
    "promql": {"promql_parser"},
    "compose.schema": {"jsonschema_rs"},
}
IMPURE_MODULES = frozenset(
    {
        "asyncio", "concurrent", "docker", "fileinput", "ftplib", "glob", "http", "httpx", "io", "locale",
        "logging", "multiprocessing", "os", "pathlib", "platform", "psutil", "random", "secrets", "select", "selectors",
        "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "uuid",
    }
)  # fmt: skip
# It compiles the names of fields, as the standard library's `dataclass` does.
COMPILES = frozenset({"auditor.frozen"})
IMPURE_NAMES = frozenset({"open", "print", "input", "exec", "eval", "breakpoint", "__import__"})
CLOCKS = frozenset({"now", "today", "utcnow", "fromtimestamp"})


@cache
def modules() -> dict[str, ast.Module]:
    """Dotted name -> tree, of every module of the packages."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


def layer_of(name: str) -> int:
    """The layer of a dotted name, by its first part below `auditor`."""
    first = short(name).partition(".")[0]
    return next(number for number, layer in enumerate(LAYERS) if first in layer)


def short(name: str) -> str:
    return name.removeprefix("auditor.")


def pure() -> list[str]:
    """The modules that must be pure."""
    names = [name for name in modules() if name not in PACKAGES]
    return [n for n in names if layer_of(n) < PURE_LAYERS or short(n).startswith(PURE_PARSERS)]


def imports(tree: ast.AST) -> Iterator[str]:
    """What a module imports, wherever it does, but for its type checker."""
    for node in walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = node.module in PACKAGES
            yield from (f"{node.module}.{alias.name}" if inside else str(node.module) for alias in node.names)


def walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that is not only for the type checker, or for running the module as a program."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "__name__ == '__main__'"):
            continue
        yield node
        yield from walk(node)


def calls(tree: ast.AST) -> set[str]:
    """The names of built-in functions that act, and of methods that ask a clock, as far as they are called."""
    called = [node.func for node in walk(tree) if isinstance(node, ast.Call)]
    names = {func.id for func in called if isinstance(func, ast.Name)}
    attributes = {func.attr for func in called if isinstance(func, ast.Attribute)}
    return names & IMPURE_NAMES | attributes & CLOCKS


def own(name: str) -> bool:
    return name.partition(".")[0] in PACKAGES and name not in PACKAGES


@pytest.mark.parametrize("name", [name for name in modules() if name not in PACKAGES])
def test_imports_run_one_way(name: str) -> None:
    upward = {
        target
        for target in imports(modules()[name])
        if own(target) and layer_of(target) > layer_of(name) and (short(name), short(target)) not in DISCOVERY
    }
    assert upward == set()


@pytest.mark.parametrize("name", pure())
def test_pure_modules_import_nothing_that_acts(name: str) -> None:
    outside = {target.partition(".")[0] for target in imports(modules()[name]) if not own(target)}
    assert outside & IMPURE_MODULES == set()
    assert outside - set(sys.stdlib_module_names) <= PURE_LIBRARIES.get(short(name), set()) | {"auditor"}


@pytest.mark.parametrize("name", pure())
def test_pure_modules_call_nothing_that_acts(name: str) -> None:
    assert calls(modules()[name]) == ({"exec"} if name in COMPILES else set())


@pytest.mark.parametrize("name", pure())
def test_pure_modules_wait_for_nothing(name: str) -> None:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [node for node in walk(modules()[name]) if isinstance(node, waiting)]


@pytest.mark.parametrize("name", list(modules()))
def test_every_module_says_what_it_is_for(name: str) -> None:
    assert ast.get_docstring(modules()[name])


@pytest.mark.parametrize("name", list(modules()))
def test_no_folder_for_leftovers(name: str) -> None:
    assert not {"utils", "util", "common", "helpers", "helper", "manager", "misc"} & set(name.split("."))


def test_what_these_tests_look_for_is_seen() -> None:
    code = "def f():\n    import os\n    from auditor import scan\n    open('x')\n    return datetime.now(UTC)\n"
    tree = ast.parse(code + "if TYPE_CHECKING:\n    import socket\n")
    assert set(imports(tree)) == {"os", "auditor.scan"}
    assert calls(tree) == {"open", "now"}
    assert layer_of("auditor.scan") > layer_of("auditor.checks.gaps.ports")
    assert layer_of("exporters.text") < layer_of("auditor.web.page")
