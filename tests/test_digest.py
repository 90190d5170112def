"""Digests: equal for equal values under one key, different under another, and silent about the key."""

from __future__ import annotations

import pytest

from auditor.digest import Digester

ONE, OTHER = Digester(b"1" * 32), Digester(b"2" * 32)


def test_equal_values_have_equal_digests_under_one_key_only() -> None:
    assert ONE("made-up") == Digester(b"1" * 32)("made-up")
    assert ONE("made-up") != ONE("made-up ")
    assert ONE("made-up") != OTHER("made-up")


def test_keys_have_names_that_are_no_digests_of_values() -> None:
    assert ONE.key_name != OTHER.key_name
    assert "111" not in repr(ONE)


def test_a_lone_surrogate_has_a_digest() -> None:
    assert ONE("\ud800") != ONE("?")


@pytest.mark.parametrize("key", [b"", b"1" * 31, b"1" * 33])
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Digester(key)
