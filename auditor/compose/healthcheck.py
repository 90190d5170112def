"""What a health check's command needs and asks: facts without the command itself, which may hold a secret."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from auditor.frozen import dataclass
from auditor.regexp import regexp

_SHELLS = frozenset(("sh", "bash", "ash", "dash", "zsh"))
_OPERATORS = frozenset(("||", "&&", "|", ";", ">", ">>", "<", "2>&1", ">/dev/null", "1>/dev/null", "2>/dev/null"))
_INTERPRETERS = regexp(r"(?:python|node|ruby|perl|php|mongo|mongosh|java|deno|bun|lua|psql|mysql|awk)[0-9.]*")
_BUILTINS = frozenset(("exit", "cd", "source", "export", "eval", "set", ":"))
_KEYWORDS = frozenset(("if", "for", "while", "until", "case", "function", "then", "do", "else", "fi", "done", "!"))
# Only these are ever kept: any other word of a command may be anything.
_TOOLS = frozenset(
    ("sh", "bash", "ash", "curl", "wget", "nc", "netcat", "python", "python3", "node", "jq", "grep", "pgrep")
)
_VARIABLE = regexp(r"\$\{?[A-Za-z_]")

_PARTS = regexp(r"\|\||&&|[|;\n]")
_PLAIN = regexp(r"[^'\"`()<>{}\\]*")
_WORD = regexp(r"\s*(?:[A-Za-z_][A-Za-z0-9_]*=[^\s'\"`$]*\s+)*([A-Za-z0-9_./:!\[-]+)")
_OTHERWISE = regexp(r"\|\|\s*(?!(?:exit|false|true|kill|:)\b)(?!:)\S")
_ENDS_WELL = regexp(r"(?:^|\|\||[;\n|])\s*(?:(?:/usr)?(?:/bin/)?true|:|exit\s+0)\s*;?\s*$")
_MAY_FAIL = regexp(r"\bexit\s+(?!0\b)|\bset\s+-|\bkill\b|\breturn\b|\btrap\b")
_SAYS = regexp(r"\s*(?:/bin/)?(?:echo|printf)\b[^|&;`$()<>\n]*")

_LOOPBACK = r"(?:localhost|127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1?\])"
_PORT = regexp(rf"(?<![\w.-]){_LOOPBACK}[: ](\d{{1,5}})(?![\w.:-])")
_NO_PORT = regexp(rf"\b(https?)://(?:[^\s/@'\"]*@)?{_LOOPBACK}(?![\w.:-])")
_DEFAULTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Question:
    """What the command of a health check asks for; see `model.HealthCheck`. `ports` are those of the loopback."""

    tools: tuple[str, ...] = ()
    needs_shell: bool = False
    always_true: bool = False
    ports: tuple[int, ...] = ()


def question(kind: str | None, arguments: Sequence[str]) -> Question:
    """The facts of `test`: its kind (CMD, CMD-SHELL) and what follows it."""
    if kind == "CMD-SHELL":
        return _of_script(" ".join(arguments), ("sh",))
    if kind != "CMD" or not arguments:
        return Question()
    program = posixpath.basename(arguments[0])
    if program in _SHELLS and len(arguments) > 2 and arguments[-2].startswith("-") and arguments[-2].endswith("c"):
        return _of_script(arguments[-1], (program,) if program in _TOOLS else ())
    needs_shell = _only_for_a_shell(program, arguments)
    return Question(
        tools=(program,) if program in _TOOLS and not needs_shell else (),
        needs_shell=needs_shell,
        always_true=not needs_shell and program in ("true", "echo", "printf"),
        ports=_ports(" ".join(arguments)),
    )


def _of_script(script: str, shell: tuple[str, ...]) -> Question:
    return Question((*shell, *_programs(script)), always_true=_ends_well(script), ports=_ports(script))


def _only_for_a_shell(program: str, arguments: Sequence[str]) -> bool:
    """Operators, variables and builtins that stand as plain words of a list: no shell will read them."""
    if program in _SHELLS:
        return False
    if program in _BUILTINS or (len(arguments) == 1 and len(arguments[0].split()) > 1):
        return True
    if any(argument in _OPERATORS for argument in arguments[1:]):
        return True
    return not _INTERPRETERS.fullmatch(program) and any(_VARIABLE.search(argument) for argument in arguments)


def _programs(script: str) -> tuple[str, ...]:
    """The programs of a plain script, each of which must be there; none where one may stand in for another."""
    if _OTHERWISE.search(script) or "\\" in script:
        return ()
    found: dict[str, None] = {}
    for part in _PARTS.split(script):
        match = _WORD.match(part)
        word = match[1] if match else ""
        if word in _KEYWORDS:
            return ()
        if posixpath.basename(word) in _TOOLS:
            found[posixpath.basename(word)] = None
        if not _PLAIN.fullmatch(part):
            break  # a quote may hold what looks like the next part
    return tuple(found)


def _ends_well(script: str) -> bool:
    """Whether the last word of a script is a success that nothing before it can prevent."""
    text = script.strip()
    if _SAYS.fullmatch(text):
        return True
    return bool(_ENDS_WELL.search(text)) and not _MAY_FAIL.search(text)


def _ports(text: str) -> tuple[int, ...]:
    numbers = [int(number) for number in _PORT.findall(text)]
    numbers += [_DEFAULTS[scheme] for scheme in _NO_PORT.findall(text)]
    return tuple(dict.fromkeys(number for number in numbers if 0 < number < 65_536))
