"""The simple commands in a document's shell code: prompts, output, here-documents and comments taken away."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.regexp import regexp
from auditor.sources.documents.markdown import Code
from auditor.sources.documents.phrases import words

_SHELLS = words("bash sh shell zsh console terminal shell-session shellsession sh-session")
_UNNAMED = words("text plaintext txt") | {""}
_PROMPT = regexp(
    r"[ \t]*(?:\([\w.-]{1,40}\)[ ]?)?(?:[\w.-]{1,40}@[\w.-]{1,60}[: ][^ \t$%#]{0,80}[ ]?)?[$%\u276f\u279c][ \t]+"
)
_HERE = regexp(r"<<-?[ ]?[\"']?([A-Za-z_]\w{0,30})")
_ASSIGNMENT = regexp(r"[A-Za-z_]\w*=")
_SEPARATORS = words("&& || ; | & ;; ( ) |&")
_BEFORE = words("sudo time nohup exec command env then do else if while ! winpty")
_RUNNERS = {
    ("poetry", "run"): 2, ("uv", "run"): 2, ("pipenv", "run"): 2, ("pdm", "run"): 2, ("hatch", "run"): 2,
    ("rye", "run"): 2, ("bundle", "exec"): 2, ("npx",): 1, ("bunx",): 1, ("pnpm", "exec"): 2,
}  # fmt: skip
# What an unnamed block has to begin a line with to be taken for a command.
_PLAIN_COMMAND = regexp(
    r"(?:docker[ -]compose|(?:docker|podman|kubectl)[ ](?:exec|run)|ssh|make|npm run|yarn run|pnpm run|python3?|bash|sh"
    r"|node|cp|git clone|cd)[ ]|\./[\w.]"
)
_LONGEST = 1_000
_MOST = 500  # commands of a block


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: its words without redirections, the files that it writes to, its line, and its text.

    `unsure`: it has a place that its reader is to fill in. `settings` are the variables that it sets for itself.
    """

    words: tuple[str, ...]
    line: int
    text: str
    writes: tuple[str, ...] = ()
    unsure: bool = False
    settings: tuple[str, ...] = ()


def shell_commands(code: Code) -> Iterator[Command]:
    """The commands of a block of shell code in order; none of any other code."""
    for count, (number, line) in enumerate(_lines(code)):
        if count >= _MOST:
            return
        yield from _simple(line, number)


def _lines(code: Code) -> Iterator[tuple[int, str]]:
    """The command lines, those that go on below joined."""
    named = code.language in _SHELLS
    if not named and code.language not in _UNNAMED:
        return
    prompted = any(_PROMPT.match(line) for _, line in code.lines)
    open_line, began, end = "", 0, ""
    for number, line in code.lines:
        if end:
            end = "" if line.strip() == end else end
            continue
        if not open_line:
            prompt = _PROMPT.match(line)
            if prompted and prompt is None:
                continue  # what a command printed
            line = line[prompt.end() :] if prompt else line.strip()
            if not prompted and not named and not _PLAIN_COMMAND.match(line):
                continue
            began = number
        whole = f"{open_line}{line.strip()}"
        if whole.endswith("\\") and len(whole) < _LONGEST:
            open_line = f"{whole[:-1]} "
            continue
        open_line = ""
        here = _HERE.search(whole)
        end = here[1] if here else ""
        yield began, whole[: here.start()] if here else whole


def _simple(line: str, number: int) -> Iterator[Command]:
    try:
        lexer = shlex.shlex(line[:_LONGEST], posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        tokens = list(lexer)
    except ValueError:  # a quotation that is not closed
        return
    part: list[str] = []
    for token in [*tokens, ";"]:
        if token in _SEPARATORS:
            if command := _command(part, number):
                yield command
            part = []
        else:
            part.append(token)


def _command(tokens: Sequence[str], number: int) -> Command | None:
    kept: list[str] = []
    writes: list[str] = []
    unsure = False
    rest = iter(tokens)
    for token in rest:
        if set(token) <= {"<", ">", "&"} and token:
            target = next(rest, "")
            unsure |= token.startswith("<")
            if ">" in token:
                writes.append(target)
                if kept and kept[-1] in ("1", "2"):
                    kept.pop()
        else:
            kept.append(token)
    settings, inner = _without_prefix(kept)
    if not inner:
        return None
    return Command(tuple(inner), number, " ".join(kept), tuple(writes), unsure, tuple(settings))


def _without_prefix(tokens: list[str]) -> tuple[list[str], list[str]]:
    """The variables that are set for a command alone, and the command itself."""
    settings: list[str] = []
    while tokens:
        if _ASSIGNMENT.match(tokens[0]):
            settings.append(tokens[0].partition("=")[0])
            tokens = tokens[1:]
        elif tokens[0] in _BEFORE:
            tokens = tokens[1:]
        else:
            length = next((n for head, n in _RUNNERS.items() if tuple(tokens[: len(head)]) == head), 0)
            if not length:
                break
            tokens = tokens[length:]
            while tokens and tokens[0].startswith("-"):
                tokens = tokens[1:]
    return settings, tokens
