"""Whom a Dockerfile runs its image as, and whether it asks after its health."""

from __future__ import annotations

import pytest

from auditor.compose.dockerfile import asks, user


@pytest.mark.parametrize(
    ("text", "target", "wanted"),
    [
        ("FROM a\nUSER app", None, "app"),
        ("FROM a\nuser 1000:1000  ", None, "1000:1000"),
        ("FROM a\nUSER app\nUSER root\n", None, "root"),
        ("FROM a\nRUN echo USER app", None, None),
        ("FROM a AS b\nUSER app\nFROM b\nRUN x", None, "app"),
        ("FROM --platform=linux/amd64 a AS b\nUSER app\nFROM scratch", None, None),
        ("FROM a AS Run\nUSER app\nFROM Run AS test\nUSER root", "run", "app"),
        ("FROM a AS run\nUSER app", "absent", None),
        ("FROM a\nUSER ${UID}", None, None),
        ('FROM a\nUSER "app"', None, "app"),
        ("FROM a AS a\nFROM a AS a", None, None),
        ("USER app", None, None),
        ("", None, None),
    ],
)
def test_user(text: str, target: str | None, wanted: str | None) -> None:
    assert user(text, target) == wanted


@pytest.mark.parametrize(
    ("text", "target", "wanted"),
    [
        ("FROM a\nHEALTHCHECK CMD curl -f localhost", None, True),
        ("FROM a\nhealthcheck --interval=5s \\\n  CMD check", None, True),
        ("FROM a\nHEALTHCHECK NONE", None, False),
        ("FROM a AS b\nHEALTHCHECK CMD check\nFROM b\nUSER app", None, True),
        ("FROM a AS b\nHEALTHCHECK CMD check\nFROM c", None, False),
        ("FROM a AS b\nHEALTHCHECK CMD check\nFROM c", "b", True),
        ("FROM a\n# HEALTHCHECK CMD check", None, False),
    ],
)
def test_asks(text: str, target: str | None, wanted: bool) -> None:
    assert asks(text, target) is wanted
