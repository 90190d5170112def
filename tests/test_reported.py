"""What is kept of a health answer."""

from __future__ import annotations

import json

import pytest

from auditor.probes.reported import reported


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ({"status": "healthy", "service": "auth", "version": "0.2.0"}, {"service": "auth", "version": "0.2.0"}),
        ({"name": "Auth Service", "release": 3}, {"service": "Auth Service", "version": "3"}),
        ({"status": "UP", "build": {"name": "shop", "version": "1.2"}}, {"service": "shop", "version": "1.2"}),
        ({"service": {"name": "shop", "version": "1.2"}}, {"service": "shop", "version": "1.2"}),
        ({"active_sessions": 3, "load": 0.5, "ready": True}, {"active_sessions": 3, "load": 0.5, "ready": True}),
        ({"dsn": "postgres://a:b@c/d", "note": "x y", "list": [1], "much": 2**60, "none": None}, {}),
        ({"service": "x" * 61, "version": "<b>"}, {}),
        ({"service": "a\nb", "version": ["1"]}, {}),
        ([1], {}),
        ("text", {}),
    ],
)  # fmt: skip
def test_reported(answer: object, kept: dict[str, object]) -> None:
    assert reported(json.dumps(answer).encode()) == kept


@pytest.mark.parametrize("body", [b"", b"OK", b"\xff", b"[" * 100_000, b'{"load": NaN, "more": 1e999}'])
def test_what_is_no_such_answer(body: bytes) -> None:
    assert reported(body) == {}


def test_figures_are_bounded() -> None:
    assert len(reported(json.dumps({f"n{n}": n for n in range(1000)}).encode())) == 20
