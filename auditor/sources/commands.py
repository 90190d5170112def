"""Command lines made safe to keep: what may be a secret is cut out, and nothing is said of it but that it was there."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from auditor.compose.secrets import looks_secret
from auditor.regexp import regexp
from auditor.sources.hostile import printable

CUT = "***"
LIMIT = 500  # characters of a command line that are kept
_MOST_WORDS = 200
_LONGEST_WORD = 4000


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Short options that carry a secret, as each tool has them.
_SHORT: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        _set(
            "mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlsh mysqlshow mysqlslap mariadb mariadb-dump "
            "mariadb-admin mariadb-import mariadb-check mariabackup xtrabackup sshpass docker podman nerdctl "
            "rabbitmqadmin mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat cqlsh 7z 7za 7zz "
            "buildah skopeo oc az"
        ),
        frozenset({"-p"}),
    ),
    **dict.fromkeys(_set("sqlcmd bcp mosquitto_pub mosquitto_sub zip unzip kinit"), frozenset({"-P"})),
    **dict.fromkeys(_set("curl wget ftp lftp smbclient rpcclient"), frozenset({"-u", "-U"})),
    **dict.fromkeys(_set("http https xh"), frozenset({"-a"})),
    **dict.fromkeys(_set("ldapsearch ldapadd ldapmodify ldapwhoami ldappasswd"), frozenset({"-w", "-s"})),
    **dict.fromkeys(_set("snmpget snmpwalk snmpset"), frozenset({"-c", "-A", "-X"})),
    "redis-cli": frozenset({"-a"}),
    "valkey-cli": frozenset({"-a"}),
    "openssl": frozenset({"-k", "-K", "-passin", "-passout", "-pass"}),
}
_PAIRED = _set("--user --proxy-user --userpwd --basic-auth --auth --credentials --creds --http-user --userinfo")
_OPEN_QUERY = _set("sig signature key code auth sas se access")  # names of URL parameters that carry one
_HEADERS = regexp(r"(?i)\s*(?:proxy-)?authorization\s*:|\s*(?:set-)?cookie\s*:")
_HEADER = regexp(r"([A-Za-z][A-Za-z0-9-]{0,60})\s*:\s*\S.*", re.DOTALL)
_SCHEME = regexp(r"(?i)\b(bearer|basic|token|digest)\s+\S+")
_URL_USER = regexp(r"([a-zA-Z][a-zA-Z0-9+.-]{0,30}://)[^\s/@\"']*(?:/[^\s@\"']*)?@(?=[^\s@])")
_QUERY = regexp(r"([?&;]([\w.-]{1,60})=)([^&;\s\"'#]+)")
_IN_JSON = regexp(r"([\"']([\w.-]{1,60})[\"']\s*:\s*)(\"[^\"]*\"|'[^']*')")
_WORD = regexp(r"(?:[^\s\"']|\"[^\"]*\"|'[^']*'|[\"'])+|\s+")
_KNOWN_TOKEN = regexp(
    r"(?:gh[pousr]_|github_pat_|glpat-|sk-|sk_live_|sk_test_|rk_live_|pk_live_|xox[abprs]-|AKIA|ASIA|AIza|eyJ|hvs\.|"
    r"hvb\.|npm_|pypi-|SG\.|dop_v1_|shpat_|glsa_|lin_api_|ya29\.)[\w.+/=-]{8,}|-----BEGIN.*",
    re.DOTALL,
)
_DENSE = regexp(r"[A-Za-z0-9+/_=-]{20,}")
_HEX = regexp(r"[0-9a-fA-F]{32,}")
_TELLS = regexp(r"(?i)secret|passw|token|api-?key|credential|canary")
_BITS = 3.6  # of a character, from which a dense word is taken for a random one


def safe_command(words: Sequence[str]) -> str | None:
    """One line of a process's arguments without their secrets, as one would write it; None where there is nothing."""
    kept = cut_secrets([word[:_LONGEST_WORD] for word in words[:_MOST_WORDS]])
    return printable(" ".join(_quoted(word) for word in kept), LIMIT) or None


def _quoted(word: str) -> str:
    """A word with a space keeps its bounds. The first one of a process that renamed itself needs none."""
    return f"'{word}'" if not word or (re.search(r"\s", word) and "'" not in word) else word


def cut_secrets(words: Sequence[str]) -> list[str]:
    """The same words, with `***` for what may be a secret: too much rather than too little."""
    return list(_cut(words))


def _cut(words: Sequence[str]) -> Iterator[str]:
    short: frozenset[str] = frozenset()
    pending = False  # the word before says that this one is a secret
    for word in words:
        short = _SHORT.get(word.rpartition("/")[2], short)
        if pending:
            pending = False
            yield CUT
            continue
        pending = _announces(word, short)
        yield word if pending else _cut_word(word, short)


def _announces(word: str, short: frozenset[str]) -> bool:
    """Whether a word is an option whose value is the next word."""
    if not word.startswith("-") or "=" in word or " " in word:
        return False
    return word in short or word in _PAIRED or looks_secret(word.lstrip("-"))


def _cut_word(word: str, short: frozenset[str]) -> str:
    attached = next((option for option in short if len(option) == 2 and word.startswith(option)), None)
    if attached and len(word) > 2:
        return attached + CUT
    if _HEADERS.match(word) or ((header := _HEADER.fullmatch(word)) and looks_secret(header[1])):
        return word.partition(":")[0] + ": " + CUT
    if re.search(r"\s", word):
        return _cut_text(word)
    return _cut_plain(word)


def _cut_text(text: str) -> str:
    """A word that is a text of its own, such as the script of `sh -c`."""
    text = _SCHEME.sub(lambda match: f"{match[1]} {CUT}", _cut_json(text))
    parts = _WORD.findall(text)
    cut = iter(_cut([part for part in parts if not part.isspace()]))
    return "".join(part if part.isspace() else next(cut) for part in parts) if len(parts) > 1 else _cut_plain(text)


def _cut_plain(word: str) -> str:
    word = _URL_USER.sub(lambda match: f"{match[1]}{CUT}@", word)
    word = _QUERY.sub(_cut_parameter, word)
    word = _cut_json(word)
    name, separator, value = word.partition("=")
    if separator and value and "://" not in name:
        inner = name.strip("\"'").lstrip("-")
        secret = looks_secret(inner) or f"--{inner}" in _PAIRED
        return f"{name}={CUT}" if secret else f"{name}={_cut_plain(value)}"
    return CUT if _is_token(word.strip("\"'")) else word


def _cut_json(text: str) -> str:
    return _IN_JSON.sub(lambda match: f'{match[1]}"{CUT}"' if looks_secret(match[2]) else match[0], text)


def _cut_parameter(match: re.Match[str]) -> str:
    secret = looks_secret(match[2]) or match[2].lower() in _OPEN_QUERY
    return f"{match[1]}{CUT}" if secret else match[0]


def _is_token(word: str) -> bool:
    """Whether a word by itself looks like a key, a token or a password."""
    if _KNOWN_TOKEN.fullmatch(word) or (word.startswith(">") and len(word) > 1 and word[1] not in ">&/"):
        return True  # `>...`: a password of Redis's access lists
    if word.startswith(("-", "/", "./")):
        return False
    if _HEX.fullmatch(word):
        return True
    if _TELLS.search(word) and re.search(r"\d", word) and not re.search(r"[/.:]", word):
        return True
    mixed = all(re.search(kind, word) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return bool(mixed and _DENSE.fullmatch(word) and _entropy(word) > _BITS)


def _entropy(word: str) -> float:
    """Bits a character."""
    counts = Counter(word).values()
    return -sum(count / len(word) * math.log2(count / len(word)) for count in counts)
