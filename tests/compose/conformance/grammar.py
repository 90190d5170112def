"""Projects that nobody thought of: composed at random from a grammar of the whole specification, the same each run.

The grammar is data (`grammar.yaml`). Each project takes a few keys into focus, so that the same key meets itself in
several files, by `extends`, `include`, anchors and merge keys, under `!reset` and `!override`.
"""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

import yaml

from tests.compose.conformance.corpus import Case

_PLACE = re.compile(r"<([\w-]+)(\+?)>")
_TAGGED = re.compile(r"!(reset|override)")
_SECTIONS = {
    "networks": ("declared_network", ("front", "back", "outer")),
    "volumes": ("declared_volume", ("data", "v")),
    "secrets": ("declared_secret", ("one", "two")),
    "configs": ("declared_config", ("one", "two")),
    "models": ("declared_model", ("m", "n")),
}
_SHELL = {"TEXT": "from shell", "EMPTY": "", "YES": "yes", "NO": "false", "FIVE": "5", "HALF": "0.5", "SIZE": "16m"}
_SHELL |= {"TIME": "20s", "DIR": "./dir", "NAME": "shell-name", "PORT": "8088", "JSON": '{"a": "b c"}'}


@cache
def grammar() -> dict[str, tuple[str, ...]]:
    """Symbol -> alternatives, as text."""
    text = Path(__file__).with_name("grammar.yaml").read_text(encoding="utf-8")
    found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - every scalar as it is written
    return {symbol: tuple(alternatives) for symbol, alternatives in found.items()}


@cache
def service_keys() -> tuple[str, ...]:
    """The symbols that are keys of a service: those before the top level, told by where they are used."""
    symbols = grammar()
    used = {match[1] for texts in symbols.values() for text in texts for match in _PLACE.finditer(text)}
    again = {"labels", "environment", "annotations", "ulimits", "extra_hosts", "command"}
    names = [name for name in symbols if (name not in used or name in again) and not name.startswith("declared_")]
    return tuple(sorted({*names, *again} - {"project_name", "include_entry", "env_line", "extension"}))


def composed(number: int) -> Case:
    """The project of that number."""
    return _Project(random.Random(f"grammar {number}")).case(number)  # noqa: S311 - no secret depends on it


class Sentences:
    """Values made from the grammar. `odd`: how many that Compose may refuse are still allowed."""

    def __init__(self, dice: random.Random, odd: int) -> None:
        self.dice = dice
        self.odd = odd

    def say(self, symbol: str, *, tags: bool = False) -> str:
        """One value of a symbol. `tags`: `!reset` and `!override` may stand in it."""
        choices = [text for text in grammar()[symbol] if tags or not _TAGGED.search(text)]
        plain = [text for text in choices if not _is_odd(text)]
        if self.odd and self.dice.random() < 0.12:
            text = self.dice.choice(choices)
        else:
            text = self.dice.choice(plain or choices)
        if _is_odd(text):
            self.odd -= 1
            text = text[1:]
        if "${" in text and ": " not in text and text[0] not in "'\"{[&*!|>" and symbol != "env_line":
            text = f"'{text}'"  # braces of a flow mapping would be meant
        return _PLACE.sub(lambda match: self._several(match[1], match[2], tags=tags), text)

    def _several(self, symbol: str, many: str, *, tags: bool) -> str:
        count = self.dice.choice((1, 1, 2, 3)) if many else 1
        made = [self.say(symbol, tags=tags) for _ in range(count)]
        by_key = {part.partition(":")[0] if ": " in part and part[0] not in "{['\"" else part: part for part in made}
        return ", ".join(by_key.values() if self.dice.random() < 0.97 else made)


def _is_odd(text: str) -> bool:
    return text.startswith("~") and not text.startswith("~/")


class _Project:
    """One project while it is composed."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.sentences = Sentences(dice, dice.choice((0, 0, 0, 1, 2)))
        self.focus = dice.sample(service_keys(), dice.choice((1, 2, 3, 4, 6)))
        if self.chance(0.25):
            self.focus = list(dict.fromkeys((*self.focus, "extends")))
        self.files: dict[str, str] = {}
        self.options: list[str] = []
        self.anchors: dict[str, str] = {}
        self.env = {name: value for name, value in _SHELL.items() if self.chance(0.9)}

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def case(self, number: int) -> Case:
        self._variables()
        main = self.dice.choice(("compose.yaml", "compose.yaml", "docker-compose.yml", "compose.yml"))
        self.files[main] = self._file(top=True, tags=self.chance(0.1))
        if self.chance(0.05):
            self.files[main] += "---\n" + self._file(tags=True)
        self._overrides(main)
        if "extends" in self.focus:
            self._bases()
        if self.chance(0.15):
            self._included(main)
        cwd = "sub/deeper" if self.chance(0.05) else ""
        self._flags()
        if cwd:
            self.options = [part if part not in self.files else f"../../{part}" for part in self.options]
        return Case(f"grammar {number}", self.files, tuple(self.options), self.env, cwd)

    # --- files ---------------------------------------------------------------------------------------------------

    def _file(self, *, top: bool = False, tags: bool = False) -> str:
        """A Compose file. `top`: with the sections that services refer to."""
        self.anchors = {}
        lines = []
        shared = self.chance(0.2)
        if shared:
            lines += ["x-shared: &shared", *self._body(tags=False)] if self.chance(0.8) else ["x-shared: &shared {}"]
        if self.chance(0.1):
            lines.append(f"name: {self.sentences.say('project_name')}")
        if self.chance(0.1):
            lines.append(self.sentences.say("extension").replace("\n", " "))
        lines.append("services:")
        names = ["web", "db", "common"] if top else self.dice.sample(("web", "db", "common", "api"), 2)
        for name in names:
            lines += self._service(name, shared=shared, whole=top, tags=tags)
        if top or self.chance(0.3):
            lines += self._top(whole=top, tags=tags)
        return "\n".join(lines) + "\n"

    def _service(self, name: str, *, shared: bool, whole: bool, tags: bool) -> list[str]:
        if tags and self.chance(0.02):
            return [f"  {name}: !reset null"]
        body = []
        if whole or name == "api" or self.chance(0.2):
            body.append(f"    image: {self.sentences.say('image')}")
        if shared and self.chance(0.5):
            body.append("    <<: *shared")
        if name != "db" or self.chance(0.3):
            body += [line for line in self._body(tags=tags) if not line.startswith("    image:")]
        if name in ("db", "common"):  # others refer to it
            body = [line for line in body if not line.startswith(_REFERS)]
        return [f"  {name}:{' {}' if not body else ''}", *body]

    def _body(self, *, tags: bool) -> list[str]:
        return [f"    {key}: {self._value(key, tags=tags)}" for key in self.focus if self.chance(0.7)]

    def _value(self, key: str, *, tags: bool) -> str:
        if tags and self.chance(0.06):
            return self.dice.choice(("!reset null", "!reset []", "!reset {}", f"!override {self.sentences.say(key)}"))
        if key in self.anchors and self.chance(0.3):
            return f"*{self.anchors[key]}"
        value = self.sentences.say(key, tags=tags)
        if self.chance(0.1) and value and value[0] not in "!&*":
            self.anchors[key] = f"a{len(self.anchors)}"
            return f"&{self.anchors[key]} {value}"
        return value

    def _top(self, *, whole: bool, tags: bool) -> list[str]:
        lines = []
        for section, (symbol, names) in _SECTIONS.items():
            if not whole and self.chance(0.7):
                continue
            lines.append(f"{section}:")
            said = [name for name in names if self.chance(0.98 if whole else 0.5)] or [names[0]]
            if section == "networks" and self.chance(0.15):
                said.append("default")
            for name in said:
                tag = "!override " if tags and self.chance(0.1) else ""
                value = self.sentences.say(symbol, tags=tags)
                lines.append(f"  {name}: {tag if value else ''}{value}")
        return lines

    def _overrides(self, main: str) -> None:
        kind = self.dice.random()
        if kind < 0.3:
            self.files[self.dice.choice(("compose.override.yaml", "docker-compose.override.yml"))] = self._file(
                tags=True
            )
        elif kind < 0.7:
            others = [self.dice.choice(("over.yaml", "sub/over.yaml")), "last.yaml"][: self.dice.choice((1, 1, 2))]
            self.files |= {path: self._file(tags=True) for path in others}
            self.options += [part for path in (main, *others) for part in ("-f", path)]

    def _bases(self) -> None:
        """What `extends` finds in other directories."""
        body = "\n".join(line for line in self._body(tags=False) if not line.startswith(_REFERS))
        mid = "\n".join(line for line in self._body(tags=True) if not line.startswith(_REFERS))
        far = "\n".join(line for line in self._body(tags=False) if not line.startswith(_REFERS))
        self.files["sub/base.yaml"] = (
            f"services:\n  base:\n    image: base\n{body}\n  mid:\n    extends: base\n{mid}\n"
            "  far:\n    extends: {file: deep/far.yaml, service: far}\n"
        )
        self.files["sub/deep/far.yaml"] = f"services:\n  far:\n    image: far\n{far}\n"

    def _included(self, main: str) -> None:
        entries = ", ".join(self.sentences.say("include_entry") for _ in range(self.dice.choice((1, 1, 2))))
        self.files[main] = f"include: [{entries}]\n{self.files[main]}"
        own = [line for line in self._body(tags=False) if not line.startswith(_REFERS)]
        self.files["inc/one.yaml"] = "\n".join(["services:", "  inner:", "    image: 'in:${TAG:-1}'", *own]) + "\n"
        self.files["inc/two.yaml"] = "\n".join(["services:", "  inner:", *self._body(tags=True), "  other: {image: o}"])
        self.files["inc/inner.env"] = self._env_text(3)
        if self.chance(0.5):
            self.files["inc/.env"] = self._env_text(3)

    # --- variables and options -----------------------------------------------------------------------------------

    def _variables(self) -> None:
        if self.chance(0.4):
            self.files[".env"] = self._env_text(self.dice.choice((1, 3, 6)))
        self.files["one.env"] = self._env_text(3)
        self.files["two.env"] = self._env_text(3)
        self.files["sub/three.env"] = self._env_text(2)
        self.files["labels.env"] = "com.example.a=from file\nz=${TEXT}\n"

    def _env_text(self, lines: int) -> str:
        end = "\r\n" if self.chance(0.05) else "\n"
        return "".join(f"{self.sentences.say('env_line')}{end}" for _ in range(lines))

    def _flags(self) -> None:
        if self.chance(0.1):
            self.options += ["-p", self.dice.choice(("flagged", "under_score", "1st"))]
        for profile in ("dev", "test", "*"):
            if self.chance(0.15 if "profiles" in self.focus else 0.03):
                self.options += ["--profile", profile]
        for path in ("one.env", "two.env"):
            if self.chance(0.04):
                self.options += ["--env-file", path]
        if self.chance(0.05):
            self.env["COMPOSE_PROFILES"] = self.dice.choice(("dev", "dev,test", "*", ""))
        if self.chance(0.05):
            self.env["COMPOSE_PROJECT_NAME"] = self.dice.choice(("shell", "sh_ell-1", ""))


_REFERS = (
    *(f"    {key}:" for key in ("depends_on", "links", "volumes_from", "extends", "profiles")),
    *(f"    {key}: service" for key in ("network_mode", "ipc", "pid")),
)
