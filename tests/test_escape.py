"""Text from data, made safe to print."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.escape import clean, fit, guard, json_text, width, wrap
from tests.hostile import HOSTILE

RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202egpj", "\\u202egpj"),
        ("\U000e0041", "\\U000e0041"),
        ("no\u00a0break", "no break"),
        ("naïve 宽", "naïve 宽"),
        ("\ud800", "\\ud800"),
        ("##[error]", "#\\#[error]"),
    ],
)
def test_what_cannot_be_seen_becomes_visible(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_a_long_text_is_cut_and_says_so() -> None:
    assert clean("x" * 50, limit=10) == "xxxxxxxxxx… (50 characters)"


@given(st.text())
def test_a_clean_text_is_one_printable_line(text: str) -> None:
    assert clean(text).isprintable()


@pytest.mark.parametrize(
    ("line", "safe"), [("::error::x", "\\::error::x"), ("   ::x", "   \\::x"), ("a ::b", "a ::b"), ("", "")]
)
def test_no_line_begins_like_a_command_to_a_runner(line: str, safe: str) -> None:
    assert guard(line) == safe


@pytest.mark.parametrize("text", HOSTILE)
def test_json_keeps_the_meaning_and_drops_the_harm(text: str) -> None:
    document = json_text(json.dumps({"key": text}, ensure_ascii=False))
    assert not RAW.search(document)
    assert "##[" not in document
    assert json.loads(document) == {"key": re.sub("[\ud800-\udfff]", "\ufffd", text)}


@given(st.text(alphabet="ab宽 \u0301e", max_size=60), st.integers(5, 20))
def test_fitted_text_takes_exactly_its_columns(text: str, columns: int) -> None:
    assert width(fit(text, columns)) == columns


@given(st.lists(st.text(alphabet="ab宽", min_size=1, max_size=8), min_size=1), st.integers(16, 40))
def test_wrapped_lines_keep_the_words_and_the_width(words: list[str], columns: int) -> None:
    lines = wrap(" ".join(words), columns)
    assert " ".join(lines) == " ".join(words)
    assert all(width(line) <= columns for line in lines)
