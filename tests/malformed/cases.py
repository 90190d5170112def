"""The malformed files: made here, never stored. Each must end in one clear error with file and line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from auditor.yamlfile import LIMITS

SERVICES = b"services:\n  web:\n    image: example/web:1\n"
SECOND = 1.0  # the figure of `make bench`; tests kill at ten times that
MEMORY = 256 << 20


@dataclass(frozen=True, slots=True)
class Case:
    """One malformed file. `says`: a part of the message; `line`: None where the file has no text to count."""

    name: str
    content: Callable[[], bytes | None]  # None: a directory stands in place of the file
    says: str
    line: int | None

    def write(self, path: Path) -> None:
        """Puts the case on disk as `path`."""
        content = self.content()
        if content is None:
            path.mkdir(parents=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def __str__(self) -> str:
        return self.name


def case(name: str, content: bytes | Callable[[], bytes | None], says: str, line: int | None) -> Case:
    return Case(name, content if callable(content) else lambda: content, says, line)


def aliases(levels: int, width: int, line: str) -> bytes:
    """Anchors that each name the one before `width` times."""
    lines = ["x-0: &a0 {k: v}"]
    for level in range(1, levels):
        lines += [line.format(level, ", ".join([f"*a{level - 1}"] * width))]
    return "\n".join(lines).encode() + b"\n" + SERVICES


# Wrong for every reader of YAML here: refused alike in a catalogue and in a Compose file.
YAML = (
    case("flow lists 200,000 deep", lambda: b"x-a: " + b"[" * 200_000, "levels deep", 1),
    case("flow mappings 200,000 deep", lambda: b"x-a: " + b"{a: " * 200_000, "levels deep", 1),
    case(
        "blocks 2,000 deep",
        lambda: b"".join(b" " * n + b"x-a:\n" for n in range(2_000)),
        "levels deep",
        LIMITS.depth + 1,
    ),
    case("compact lists 100,000 deep", lambda: b"x-a:\n  " + b"- " * 100_000, "levels deep", 2),
    case("alias bomb", lambda: aliases(10, 10, "x-{0}: &a{0} [{1}]"), "aliases written out", None),
    case("merge bomb, two by 24", lambda: aliases(24, 2, "x-{0}: &a{0} {{<<: [{1}], k{0}: v}}"), "written out", None),
    case("merge bomb, ten by nine", lambda: aliases(9, 10, "x-{0}: &a{0} {{<<: [{1}], k{0}: v}}"), "written out", None),
    case("text bomb", lambda: b"x-a: &a " + b"x" * 1_000_000 + b"\nx-b: [" + b"*a," * 1000 + b"]", "aliases expand", 2),
    case("anchors 3,000 deep", lambda: aliases(3_000, 1, "x-{0}: &a{0} [{1}]"), "levels deep", None),
    case("alias of itself", b"x-a: &a [*a]\n", "stands inside the value that it names", 1),
    case("merge of itself", b"x-a: &a\n  <<: *a\n", "stands inside the value that it names", 2),
    case("merge of a text", b"x-a:\n  <<: text\n", "`<<` wants a mapping", 2),
    case("undefined alias", SERVICES + b"    x-a: *nowhere\n", "undefined alias `*nowhere`", 4),
    case("a text of 2 MiB", lambda: b"x-a: " + b"x" * (2 << 20), "a text longer than", 1),
    case("6 MiB", lambda: b"x-a: " + b"x" * (6 << 20), "larger than 4 MiB", 1),
    case("2,000,000 items", lambda: b"x-a: [" + b"1," * 2_000_000 + b"]", "entries in one list", 1),
    case("a number of 5,000 digits", lambda: b"x-a: " + b"9" * 5_000, "a number of 5000 characters", 1),
    case("a hexadecimal of 5,000 digits", lambda: b"x-a: 0x" + b"f" * 5_000, "a number of 5002 characters", 1),
    case("duplicate key", SERVICES + b"    image: example/web:2\n", "on lines 3 and 4", 4),
    case("duplicate service", SERVICES + b"  web: {}\n", "duplicate key `web`, on lines 2 and 4", 4),
    case("tab", b"services:\n\tweb: {}\n", "a tab in the indentation", 2),
    case("open bracket", b"services: [\nweb\n", "not valid YAML", None),
    case("open quote", b'services: "web\n\n', "unexpected end of stream", None),
    case("two keys in a line", b"services: web: image\n", "mapping values are not allowed", 1),
    case("template", b"services:\n  {{ name }}: {}\n", "a key that is no text", 2),
    case("list as key", b"? [a]\n: b\n", "a key that is no text", 1),
    case("unknown tag", SERVICES + b"x-a: !secret b\n", "tag `!secret` is not accepted", 4),
    case("python tag", b"x-a: !!python/object/apply:os.system [id]\n", "tag `!!python/object/apply:os.system`", 1),
    case("binary tag", b"x-a: !!binary aGk=\n", "tag `!!binary`", 1),
    case("timestamp that is none", b"x-a: !!timestamp abc\n", "tag `!!timestamp`", 1),
    case("integer that is none", b"x-a: !!int abc\n", "`abc` is no !!int", 1),
    case("half a surrogate pair", b'x-a: "\\ud800"\n', "not valid YAML", 1),
    case("Latin-1", b"services:\n  caf\xe9: {}\n", "not UTF-8: byte 0xE9", 2),
    case("UTF-16 cut short", b"\xff\xfes\x00e", "not UTF-16", 1),
    case("UTF-32", "services: {}\n".encode("utf-32"), "UTF-32", 1),
    case("NUL", b"services:\n  web: \x00\n", "control character U+0000", 2),
    case("escape sequence", b"services:\n  web: \x1b[2J\n", "control character U+001B", 2),
    case("an image file", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not UTF-8: byte 0x89", 1),
)

# Readable YAML that is no catalogue.
CATALOGUES = (
    case("empty catalogue", b"", "the catalogue is empty", 1),
    case("comments alone", b"# services:\n", "the catalogue is empty", 1),
    case("a list", b"- web\n", "the catalogue must be a mapping, not a list", 1),
    case("a word", b"web\n", "the catalogue must be a mapping, not `web`", 1),
    case("two documents", SERVICES + b"---\n" + SERVICES, "more than one YAML document", 4),
    case("no service", b"system: shop\nservices: {}\n", "the catalogue declares no service", 2),
    case("no services", b"system: shop\n", "the catalogue declares no service", 1),
    case("services as a list", b"services:\n  - web\n", "`services` of the catalogue must be a mapping, not a list", 1),
    case("services as nothing", b"services:\n", "`services` of the catalogue must be a mapping, not nothing", 1),
    case("service as a text", b"services:\n  web: nginx\n", "service `web` must be a mapping, not `nginx`", 2),
    case("service as a list", b"services:\n  web: [nginx]\n", "service `web` must be a mapping, not a list", 2),
    case("unknown key", SERVICES + b"    teir: edge\n", "unknown key `teir` in service `web`", 4),
    case("unknown key at the top", SERVICES + b"polcy: {}\n", "unknown key `polcy` in the catalogue", 4),
    case(
        "ports as a number",
        SERVICES + b"    ports: 80\n",
        "`ports` of service `web` must be a list, not the number 80",
        4,
    ),
    case(
        "port as a mapping", SERVICES + b"    ports:\n      - {a: 1}\n", "item 1 of `ports` of service `web` must be", 5
    ),
    case("port out of range", SERVICES + b"    ports: [80, 70000]\n", "not the number 70000", 4),
    case(
        "owner as a number",
        SERVICES + b"    owner: 7\n",
        "`owner` of service `web` must be a text, not the number 7",
        4,
    ),
    case("owner as nothing", SERVICES + b"    owner:\n", "`owner` of service `web` must be a text, not nothing", 4),
    case("unknown word", SERVICES + b"    criticality: critcal\n", "`criticality` of service `web` must be one of", 4),
    case("date that is none", SERVICES + b"    maintenance: {until: 2026-02-30, reason: move}\n", "must be a date", 4),
    case(
        "waiver without an end",
        SERVICES + b"    waivers: [{check: no-owner, reason: r, owner: o}]\n",
        "lacks `until`",
        4,
    ),
    case("unknown environment", SERVICES + b"    environments: [prod]\n", "unknown environment `prod`", 4),
    case(
        "alias taken",
        SERVICES + b"  db:\n    aliases: [web]\n",
        "alias `web` of service `db` is taken by service `web`",
        5,
    ),
    case("embedded nowhere", SERVICES + b"    embedded_in: api\n", "unknown service `api`", 4),
    case("password in an address", SERVICES + b"    probes: [redis: 'redis://:made-up@db'] \n", "holds a password", 4),
    case("include upwards", SERVICES + b"include: [../other.yaml]\n", "outside the project root", 4),
)

# Readable YAML that Compose cannot compose at all; `tests/compose` holds what is only wrong in part.
COMPOSE_FILES = (
    case("number as a key", SERVICES + b"    environment: {1: x}\n", "non-string key `1`", 4),
    case("boolean as a key", SERVICES + b"  true: {}\n", "non-string key `true`", 4),
)

# What only the file system can show; the reader at the edge refuses these.
DIRECTORY = Case("a directory in place of the file", lambda: None, "director", None)
