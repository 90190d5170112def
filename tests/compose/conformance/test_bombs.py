"""Files that are small to write and large to read: each gets its answer in bounded time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.compose.conformance.place import called, standing

KILL = 10.0  # seconds of processor time: ten times the limit
MOST_KIB = 256 << 10


def powers(line: str, count: int) -> str:
    """`line` for each number from 1 on, which may name the one before."""
    return "\n".join(line.format(this=number, before=number - 1) for number in range(1, count + 1))


def subnets(first: int) -> str:
    return ", ".join(f"{{subnet: {first}.{number // 250}.{number % 250}.0/24}}" for number in range(2_000))


END = "\nservices: {a: {image: x}}\n"
BOMBS = {
    "a nest of 200,000 lists": "a: " + "[" * 200_000,
    "wide merges of merges": "x-0: &a0 {k: v}\n"
    + powers("x-{this}: &a{this} {{<<: [" + "*a{before}, " * 10 + "]}}", 9)
    + END,
    "merges of nothing": "x-0: &a0 {}\nx-a: {<<: [" + "*a0, " * 15_000 + "]}" + END,
    "a long hexadecimal number": "services: {a: {image: x, scale: 0x" + "f" * 5_000 + "}}",
    "times that are none": "services: {a: {image: x, labels: {a: 2001-99-99, b: !!timestamp abc}}}",
    "bytes": "services: {a: {image: !!binary '" + "A" * 100_000 + "'}}",
    "objects": "services: {a: {image: !!python/object/apply:os.system ['id']}}",
    "a cycle of includes": "include: [compose.yaml]" + END,
    "YAML within JSON": '{"services": {"a": {"image": "x: &a [*a]", "command": "' + "- " * 100_000 + '"}}}',
    "items": "x-a: [" + "1," * 2_000_000 + "]" + END,
    "anchors in lists": "x-a: [" + ("[" + "&a x, " * 10_000 + "], ") * 10 + "]" + END,
    "wrong values": "services:\n a:\n  image: x\n  environment:\n" + powers("   K{this}: [1]", 19_000),
    "unknown keys": "services:\n a:\n  image: x\n" + powers("  K{this}: [1]", 19_000),
    "a nest of lists": "a: " + "[" * 10_000 + "]" * 10_000,
    "a nest of blocks": "\n".join("  " * depth + "a:" for depth in range(2_000)),
    "aliases of aliases": "x-0: &a0 [x]\n" + powers("x-{this}: &a{this} [" + "*a{before}, " * 9 + "]", 12) + END,
    "merges of merges": "x-0: &a0 {k: v}\n" + powers("x-{this}: &a{this} {{<<: [*a{before}, *a{before}]}}", 24) + END,
    "an alias of itself": "x-a: &a [*a]" + END,
    "a merge of itself": "x-a: &a {<<: *a}" + END,
    "anchors": powers("x-{this}: &a{this} 1", 100_000) + END,
    "keys": "services:\n a:\n  image: x\n  environment:\n" + powers("   K{this}: v", 100_000),
    "a long text": "services: {a: {image: " + "x" * (2 << 20) + "}}",
    "a long number": "services: {a: {image: x, scale: " + "9" * 5_000 + "}}",
    "base sixty": "services: {a: {image: x, labels: {a: " + "1:" * 30_000 + "0}}}",
    "documents": "services: {a: {image: x}}\n---\n" * 1_000,
    "a chain of extends": "services:\n  s0: {image: x}\n" + powers("  s{this}: {{extends: s{before}}}", 500),
    "a cycle of dependencies": "services:\n  s0: {image: x, depends_on: [s1000]}\n"
    + powers("  s{this}: {{image: x, depends_on: [s{before}]}}", 1_000),
    "expansion": 'x-a: "' + "${A}" * 20_000 + '"' + END,
    "ranges of ports": "services: {a: {image: x, ports: ['1-65535:1-65535', '1-65535:1-65535/udp']}}",
    "nested variables": "services: {a: {image: '" + "${A:-" * 1_000 + "}" * 1_000 + "'}}",
    "braces": "services: {a: {image: '" + "{" * 500_000 + "'}}",
    "quotes": 'services: {a: {image: x, command: "' + "a'b'" * 100_000 + "'\"}}",
    "subnets": f"networks: {{n: {{ipam: {{config: [{subnets(10)}]}}}}}}\nservices: {{a: {{image: x}}}}\n---\n"
    f"networks: {{n: {{ipam: {{config: [{subnets(11)}]}}}}}}\n",
}


COMMANDS = (("config",), ("audit", "-f", "compose.yaml", "--offline"), ("gate",))


def laid(name: str, folder: Path) -> None:
    """A project whose Compose file is the bomb, with a catalogue for `gate`."""
    place = folder / "compose.yaml"
    (folder / "catalogue.yaml").write_text("services: {a: {}}\n")
    if name == "a sparse file":
        with place.open("wb") as file:
            file.truncate(1 << 30)
    elif name == "a device":
        place.symlink_to("/dev/zero")
    else:
        place.write_text(BOMBS[name])


@pytest.mark.parametrize("name", [*BOMBS, "a sparse file", "a device"])
def test_a_bomb_gets_its_answer(name: str, tmp_path: Path) -> None:
    laid(name, tmp_path)
    for command in COMMANDS:
        with standing(tmp_path, {"HOME": str(tmp_path), "A": "y" * 5_000}):
            before = time.thread_time()
            code, output, errors = called(*command)
        assert time.thread_time() - before < KILL
        assert code in (0, 1, 3)
        assert "internal error" not in errors
        assert "Traceback" not in output + errors


@pytest.mark.endurance
@pytest.mark.parametrize("name", [*BOMBS, "a sparse file", "a device"])
def test_so_it_does_as_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    laid(name, tmp_path)
    for command in COMMANDS:
        with (tmp_path / "said").open("wb") as said:
            child = subprocess.Popen(
                [sys.executable, "-m", "auditor", *command], cwd=tmp_path, stdout=said, stderr=said,
                env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "A": "y" * 5_000},
            )  # fmt: skip
            _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)  # else it counts as one that still runs
        assert child.returncode in (0, 1, 3)
        assert used.ru_maxrss < MOST_KIB
        assert used.ru_utime + used.ru_stime < KILL
        assert b"Traceback" not in (tmp_path / "said").read_bytes()
