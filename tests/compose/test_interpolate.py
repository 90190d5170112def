"""Variables in values, and the grammar of env files; the real Compose judges more of it in the oracle's cases."""

from __future__ import annotations

import pytest

from auditor.compose.dotenv import parse
from auditor.compose.interpolate import Budget, ExpansionError, Scope, TemplateError, literal_part
from auditor.compose.values import duration, integer, number, size, words
from auditor.errors import TextError

VALUES = {"S": "set", "E": "", "W": "$S"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${U:-d}${E:-d}${S:-d}", "ddset"),
        ("${U-d}${E-d}", "d"),
        ("${S:+r}${E:+r}${E+p}${U+q}", "rp"),
        ("${U:-${E:-${V:-x}}-tail}", "x-tail"),
        ("${U:-b}}", "b}"),
        ('${U:-{"a":{"b":1}}}', '{"a":{"b":1}}'),
        ("${U:-a:?b}", "a:?b"),
        ("$$ $$$S $$$$S $(date) $1 100% $", "$ $set $$S $(date) $1 100% $"),
        ("$S-s $S_s", "set-s "),
        ("$W", "$S"),
        ("${S:-${U:?lazy}}", "set"),
        ("${E?empty passes}", ""),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert Scope(VALUES).expand(text) == expected


@pytest.mark.parametrize("text", ["${1BAD}", "${A.B}", "${}", "${A", "${A:x}", "${A:-${B}", "${A:-" * 60 + "}" * 60])
def test_what_compose_refuses(text: str) -> None:
    with pytest.raises(TemplateError):
        Scope({}).expand(text)


def test_what_was_not_set_is_remembered_where_it_was_first_asked_for() -> None:
    scope = Scope({})
    for scope.position, text in enumerate(("$A${B:-x}${C-y}${D+z}", "$A", "${R:?say}${E:-$F}")):
        scope.expand(text)
    assert (scope.missing, scope.required) == ({"A": 0, "F": 2}, {"R": (2, "say")})


def test_the_budget_ends() -> None:
    with pytest.raises(ExpansionError):
        Scope({"A": "x" * 10}, Budget(25)).expand("$A$A$A")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("${A}", ("", True)), ("${A:-x}", ("x", False)), ("a${B}c", ("ac", True)), ("plain", ("plain", False))],
)
def test_what_a_text_says_by_itself(raw: str, expected: tuple[str, bool]) -> None:
    assert literal_part(raw) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("export A=1\nB = two words \nC: v\n", {"A": "1", "B": "two words", "C": "v"}),
        ("A=a#b # comment\nB=#all\n", {"A": "a#b", "B": "#all"}),
        ("A='lit $S \\' q'\n", {"A": "lit $S ' q"}),
        ('A="l1\\nl2 \\"q\\" \\$S $S"\n', {"A": 'l1\nl2 "q" $S set'}),
        ('A="over\ntwo" # c\nB=1\n', {"A": "over\ntwo", "B": "1"}),
        ("A=1\nB=${A}2$S\n", {"A": "1", "B": "12set"}),
        ("S\nNOT\nB=pa$word\nC=pa$$word\n", {"S": "set", "B": "pa", "C": "pa$word"}),
        ("\ufeffA=1\r\n\r\n# c\r\nB='2'\r\n", {"A": "1", "B": "2"}),
        ("J.K-L[0]=odd\nA=1\nA=2\n", {"J.K-L[0]": "odd", "A": "2"}),
        ("", {}),
    ],
)
def test_env_files(text: str, expected: dict[str, str]) -> None:
    entries = parse(text.encode(), ".env", VALUES, Budget())
    assert {name: entry.value for name, entry in entries.items()} == expected


@pytest.mark.parametrize(
    ("text", "line"), [("A=1\nB C=2\n", 2), ("A='x\n", 1), ("A=1\nB!=2\n", 2), ("A=${B:?m}\n", 1), ("A=${B\n", 1)]
)
def test_env_files_that_compose_refuses(text: str, line: int) -> None:
    with pytest.raises(TextError) as refused:
        parse(text.encode(), ".env", {}, Budget())
    assert (refused.value.path, refused.value.line) == (".env", line)


def test_lines_of_an_env_file_are_those_of_the_names() -> None:
    entries = parse(b"# c\nA='x\ny'\nB=1\n", ".env", {}, Budget())
    assert [(name, entry.line) for name, entry in entries.items()] == [("A", 2), ("B", 4)]


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (duration, "1m90s", 150.0),
        (duration, "500ms", 0.5),
        (duration, "30", None),
        (duration, 30, None),
        (size, "1gb", 1 << 30),
        (size, "50M", 50 << 20),
        (size, "1.5g", 3 << 29),
        (size, "1 kib", 1024),
        (size, "lots", None),
        (size, "9" * 5000, None),
        (number, "0.5", 0.5),
        (number, True, None),
        (integer, "3", 3),
        (integer, "3.5", None),
        (words, "a 'b c' \"d\"", ["a", "b c", "d"]),
        (words, "don't", ["don't"]),
    ],
)
def test_values(read: object, value: object, expected: object) -> None:
    assert read(value) == expected  # type: ignore[operator]
