"""Files that are small to write and large to read: each gets its answer in bounded time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.compose.conformance.place import called, standing

KILL = 10.0  # seconds of processor time: ten times the limit


def powers(line: str, count: int) -> str:
    """`line` for each number from 1 on, which may name the one before."""
    return "\n".join(line.format(this=number, before=number - 1) for number in range(1, count + 1))


def subnets(first: int) -> str:
    return ", ".join(f"{{subnet: {first}.{number // 250}.{number % 250}.0/24}}" for number in range(2_000))


END = "\nservices: {a: {image: x}}\n"
BOMBS = {
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


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_gets_its_answer(name: str, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(BOMBS[name])
    for command in (("config",), ("audit", "-f", "compose.yaml", "--offline")):
        with standing(tmp_path, {"HOME": str(tmp_path), "A": "y" * 5_000}):
            before = time.thread_time()
            code, output, errors = called(*command)
        assert time.thread_time() - before < KILL
        assert code in (0, 1, 3)
        assert "internal error" not in errors
        assert "Traceback" not in output + errors
