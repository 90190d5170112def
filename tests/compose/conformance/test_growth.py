"""The work of a run grows as its files do: counted in lines of Python that are run, which no busy machine disturbs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.compose.conformance.place import called, standing

FIRST = 40
MOST = 2.1  # times as many lines for the next 2 n of a thing as for the n before; 2 is straight, 4 is a square
ONE = "services: {a: {image: 'x:1'}}\n"


def each(body: str) -> Callable[[int], dict[str, str]]:
    """A Compose file of so many services; `{n}` is the number of one, `{next}` that of another."""

    def made(count: int) -> dict[str, str]:
        services = (f"  s{n}: {body.format(n=n, next=(n + 1) % count)}\n" for n in range(count))
        return {"compose.yaml": "services:\n" + "".join(services)}

    return made


def lines(text: str, count: int) -> str:
    return "".join(text.format(n=n) for n in range(count))


def inside(key: str, item: str) -> Callable[[int], dict[str, str]]:
    """One service with so many items below a key."""
    head = f"services:\n  a:\n    image: x:1\n    {key}:\n"
    return lambda count: {"compose.yaml": head + lines(f"      - {item}\n", count)}


def catalogued(body: str, compose: Callable[[int], dict[str, str]]) -> Callable[[int], dict[str, str]]:
    return lambda count: compose(count) | {"catalogue.yaml": "services:\n" + lines(f"  {body}\n", count)}


PLAIN = each("{{image: 'x:1.{n}'}}")
FILES: dict[str, Callable[[int], dict[str, str]]] = {
    "services": PLAIN,
    "wrong values": each("{{image: [1]}}"),
    "wrong keys": each("{{image: 'x:1', prots: [1], odd{n}: 1}}"),
    "undefined networks and volumes": each("{{image: 'x:1', networks: [n{n}], volumes: ['v{n}:/d']}}"),
    "hosts that nobody is": each("{{image: 'x:1', environment: ['CACHE_URL=redis://gone{n}:6379/0']}}"),
    "hosts in commands": each("{{image: 'x:1', command: 'run --db=postgres://gone{n}:5432/x'}}"),
    "hosts that are there": each("{{image: 'x:1', environment: ['API_URL=http://s{next}:80/x']}}"),
    "ports of the host": each("{{image: 'x:1', command: '--tracing.zipkin=http://host.docker.internal:9{n}/'}}"),
    "one port of the host": each("{{image: 'x:1', ports: ['8080:80']}}"),
    "one name of a container": each("{{image: 'x:1', container_name: same}}"),
    "variables that nobody sets": each("{{image: 'x:${{V{n}}}'}}"),
    "dependencies that are not there": each("{{image: 'x:1', depends_on: [gone{n}]}}"),
    "a cycle of dependencies": each("{{image: 'x:1', depends_on: [s{next}]}}"),
    "one env file": lambda count: each("{{image: 'x:1', env_file: e.env}}")(count) | {"e.env": "A=1\nB=2\n"},
    "env files": lambda count: (
        each("{{image: 'x:1', env_file: 'e{n}.env'}}")(count) | {f"e{n}.env": "A=1\n" for n in range(count)}
    ),
    "includes of one file": lambda count: {
        "compose.yaml": "include:\n" + lines("  - i.yaml\n", count) + ONE,
        "i.yaml": "services: {b: {image: 'y:1'}}\n",
    },
    "includes": lambda count: {
        "compose.yaml": "include:\n" + lines("  - i{n}.yaml\n", count) + ONE,
        **{f"i{n}.yaml": f"services: {{b{n}: {{image: 'y:1'}}}}\n" for n in range(count)},
    },
    "extended services": lambda count: {
        "base.yaml": each("{{image: 'x:1'}}")(count)["compose.yaml"],
        **each("{{extends: {{file: base.yaml, service: s{n}}}}}")(count),
    },
    "an override": lambda count: {**PLAIN(count), "compose.override.yaml": PLAIN(count)["compose.yaml"]},
    "networks": lambda count: {"compose.yaml": ONE + "networks:\n" + lines("  n{n}:\n", count)},
    "mounts": inside("volumes", "./d{n}:/t{n}"),
    "ports": inside("ports", "'127.0.0.1:1{n}:80'"),
    "variables": inside("environment", "K{n}_URL=http://h{n}:80/"),
    "entries": catalogued("s{n}: {{image: 'x:1.{n}', ports: [1{n}]}}", PLAIN),
    "entries that nothing composes": catalogued("m{n}: {{image: 'x:1', ports: [1{n}]}}", PLAIN),
    "claims": lambda count: {
        "catalogue.yaml": "documents: [README.md]\nservices: {a: {}}\n",
        "compose.yaml": ONE,
        "README.md": "# X\n\n## Services\n\n| Service | Port |\n|---|---|\n" + lines("| thing{n} | 1{n} |\n", count),
    },
    "documents with claims": lambda count: {
        "catalogue.yaml": "documents: ['docs/*.md']\nservices: {a: {}}\n",
        "compose.yaml": ONE,
        **{f"docs/d{n}.md": f"# X\n\nWe run {n + 9} services.\n" for n in range(count)},
    },
}
LAX = ("audit", "--offline", "--select", "all", "--format", "json")


def work(folder: Path, files: dict[str, str], command: tuple[str, ...]) -> int:
    """How many lines of Python one command runs, loops counted each time round."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    if "catalogue.yaml" not in files and command[0] == "audit":
        command = (*command, "-f", "compose.yaml")
    counted = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal counted
        counted += event == "line"
        return count

    before = sys.gettrace()
    with standing(folder, {"HOME": str(folder)}):
        sys.settrace(count)
        try:
            code, _, errors = called(*command)
        finally:
            sys.settrace(before)
    assert code in (0, 1, 3)
    assert "internal error" not in errors
    return counted


def steepness(folder: Path, made: Callable[[int], dict[str, str]], command: tuple[str, ...]) -> float:
    """How much more the second doubling of a project costs than the first."""
    work(folder / "first", made(4 * FIRST), command)  # what is remembered for the rest of a process
    small, middle, large = (work(folder / str(n), made(n), command) for n in (FIRST, 2 * FIRST, 4 * FIRST))
    return (large - middle) / (middle - small)


def kinds(names: Iterable[str]) -> list[object]:
    """Every third kind runs always, the others in the endurance run."""
    asked = enumerate(names)
    return [pytest.param(name, marks=[pytest.mark.endurance] if number % 3 else []) for number, name in asked]


@pytest.mark.parametrize("name", kinds(FILES))
def test_an_audit_grows_as_its_files_do(name: str, tmp_path: Path) -> None:
    assert steepness(tmp_path, FILES[name], LAX) < MOST


@pytest.mark.parametrize("name", kinds(name for name in FILES if "catalogue.yaml" not in FILES[name](1)))
def test_so_does_the_printed_model(name: str, tmp_path: Path) -> None:
    assert steepness(tmp_path, FILES[name], ("config",)) < MOST


def test_a_square_is_seen(tmp_path: Path) -> None:
    def squared(count: int) -> dict[str, str]:
        return {"compose.yaml": PLAIN(count)["compose.yaml"] + "x-a: [" + "1, " * (count * count // 4) + "]\n"}

    assert steepness(tmp_path, squared, ("config",)) > MOST
