"""Image references: their parts, and whether two of them name the same image."""

from __future__ import annotations

import pytest

from auditor.image import Image, agree, parse_image


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("redis", Image("docker.io/library/redis")),
        ("redis:7.4", Image("docker.io/library/redis", "7.4")),
        ("docker.io/redis:7", Image("docker.io/library/redis", "7")),
        ("index.docker.io/library/redis", Image("docker.io/library/redis")),
        ("team/web:1", Image("docker.io/team/web", "1")),
        ("registry.example:5000/web", Image("registry.example:5000/web")),
        ("localhost/web:1", Image("localhost/web", "1")),
        ("ghcr.io/team/web:1@sha256:ab", Image("ghcr.io/team/web", "1", "sha256:ab")),
        ("redis@sha256:ab", Image("docker.io/library/redis", None, "sha256:ab")),
        ("", None),
        ("web:", None),
        ("web@", None),
        ("web:${TAG}", None),
        ("sha256:" + "0" * 64, None),
        ("0123456789ab", None),
    ],
)
def test_parse(text: str, image: Image | None) -> None:
    assert parse_image(text) == image


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("redis", "docker.io/library/redis:latest", True),
        ("redis:7", "redis:6", False),
        ("redis:7", "valkey:7", False),
        ("redis:7", "mirror.example/redis:7", False),
        ("redis@sha256:a", "redis@sha256:a", True),
        ("redis:7@sha256:a", "redis:7@sha256:b", False),
        ("redis:7", "redis@sha256:a", True),
        ("redis:7", "redis:6@sha256:a", False),
    ],
)
def test_agree(one: str, other: str, same: bool) -> None:
    first, second = parse_image(one), parse_image(other)
    assert first and second
    assert agree(first, second) is agree(second, first) is same


def test_shown_as_people_write_it() -> None:
    assert [str(parse_image(text)) for text in ("docker.io/library/redis:7", "ghcr.io/a/b@sha256:c")] == [
        "redis:7",
        "ghcr.io/a/b@sha256:c",
    ]
