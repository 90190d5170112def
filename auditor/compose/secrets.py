"""What kind of value a variable has, judged on the text before interpolation; the value itself goes no further."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from auditor.compose.interpolate import literal_part, written
from auditor.regexp import regexp


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words that make a name look secret, as whole parts of it.
_SECRET_PARTS = _set(
    "PASSWORD PASSWD PASSWORDS PASS PWD PW PASSPHRASE PASSCODE SECRET SECRETS TOKEN APIKEY CREDENTIAL CREDENTIALS "
    "PGPASSWORD REQUIREPASS JWTSECRET AUTHTOKEN"
)
_SECRET_PAIRS = regexp(
    r"(?:API|PRIVATE|SECRET|ACCESS|ENCRYPTION|SIGNING|AUTH|MASTER|SERVICE|HMAC|CRYPTO|SESSION|COOKIE)_?KEYS?(?![A-Z])"
    r"|(?:PASSWORD|PASSWD|SECRET|APIKEY)(?![A-Z])"
)
# Words after which a name says something about a secret, not the secret.
_ABOUT = _set(
    "FILE FILES PATH DIR TTL EXPIRY EXPIRE EXPIRES EXPIRATION LIFETIME LENGTH SIZE TYPE NAME NAMES ENABLED "
    "DISABLED REQUIRED ALGORITHM ALG POLICY HEADER ISSUER AUDIENCE COUNT LIMIT LIMITS PROVIDER MANAGER BACKEND "
    "STORE ENGINE VERSION ROTATION INTERVAL TIMEOUT URL URI HOST ENDPOINT PORT ADDR ADDRESS ID MINUTES HOURS "
    "DAYS SECONDS AGE MAX MIN MODE METHOD FORMAT FIELD PREFIX SUFFIX ENCODING REGION PROJECT SCOPE SCOPES REF "
    "ARN PUBLIC EXPIRATION_MINUTES STRENGTH ATTEMPTS RESET RETRIES SERVER CLASS VALIDATION CHECK BUDGET WINDOW "
    "USER USERNAME"
)
_NOT_BEFORE = frozenset(("ALLOW", "RANDOM", "NO", "DISABLE", "ENABLE", "USE", "MAX", "MIN", "REQUIRE", "PUBLIC"))
# Filled in by whatever deploys the file, or by what runs in the container.
_FILLED = (
    r"\{\{[^{}]*\}\}|\{%.*%\}|<%.*%>|(?i:%[A-Z_]+%)|@[A-Za-z_.]+@"
    r"|\$\{[A-Za-z_]\w*\}|\$[A-Z_][A-Z0-9_]*|\$\([A-Za-z_]\w*\)"
)
_PLACE = regexp(_FILLED)
_NO_SECRET = regexp(rf"(?i:true|false|yes|no|on|off|null|none|/run/secrets/.*|/[\w./-]*|\d{{1,3}})|{_FILLED}")
# Of a name that ends in AUTH: `neo4j/secret`, `user:secret`; but `auth:4181` is a host with its port.
_PAIR = regexp(r"(?:neo4j/|[\w.@-]{1,64}:(?!\d{2,5}(?:/|$)))(?P<password>[^\s/:]\S*)")
_AUTH = frozenset(("AUTH", "BASICAUTH", "USERPASS", "USERPWD"))

DEFAULTS = _set(
    "admin admin123 administrator adminadmin adminpassword admin-password alertmanager airflow change-me "
    "change-this change_me change_this changeit changeme changeme123 changethis ci default demo demo123 dev "
    "development django dummy elastic example fixme foobar grafana guest hunter2 insecure keycloak kong letmein "
    "mariadb minio minio123 minioadmin mongo mongodb mysecretpassword mypassword mysecret mysql n8n neo4j "
    "notsecure passw0rd password password1 password123 pass pass123 postgres postgresql postgrespw qwerty "
    "rabbitmq redis replace-me replace_me replaceme root rootpassword rootpass root123 sa sample secret "
    "secret123 secretkey secret-key supersecret super-secret super-secret-key test test123 testing testpassword "
    "p@ssw0rd p@ssword pass@word1 passw0rd! password! password1! password123! yourstrong!passw0rd "
    "yourstrong@passw0rd yourstrong(!)password admin@123 root@123 test@123 "
    "todo toor unsafe user userpassword vault wordpress your-api-key your-password your-secret your-secret-key "
    "your-token your_api_key your_password your_secret your_secret_key your_token yoursecretkey 12345 123456 "
    "1234567 12345678 123456789 1234567890 0000 1234 000000 111111"
)
_PLACEHOLDERS = regexp(
    r"(?P<word>your|change|replace|insert|put)[-_ ](?:[a-z0-9]+[-_ ])*"
    r"(?:here|me|this|it|now|secret|token|password|key|production)"
    r"|(?P<yours>your)(?:[-_ ][a-z0-9]+)+|(?P<asked>change|replace)[-_ ]?(?:me|this|it)(?:[-_ ][a-z0-9]+)*"
    r"|(?P<blank>x{3,}|\*{3,}|\.{3,})",
    re.IGNORECASE,
)
_UNFINISHED = regexp(r"[a-z0-9_ -]+[-_ ](?P<word>change|replace)[-_ ]?(?:this|me|it)", re.IGNORECASE)

_USERINFO = regexp(
    r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}://(?P<user>[^:@/?#\s\"']*):(?P<password>[^\s\"']*?)@(?=[^@\s\"']*(?:$|[\s\"',]))"
)
_GO_DSN = regexp(r"@(?:tcp|unix)\(")
_KEY_VALUE = regexp(r"(?i)(?:^|[\s;])(?:password|pwd)\s*=\s*(?P<password>'[^']*'|[^\s;]+)")
_HOST_WORD = regexp(r"(?i)(?:^|[\s;])(?:host|server|data source)\s*=")
_QUERY = regexp(
    r"(?i)[?&;](?:password|passwd|pwd|token|api_key|apikey|secret|access_token|sig)=(?P<password>[^&;\s\"']+)"
)
_LONGEST = 8 << 10  # characters of a value that are looked at
# What is a secret whatever it is called: the forms in which well-known services give out their keys.
_TOKENS = regexp(
    r"gh[opsur]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abposr]-[\w-]{10,}|[sr]k_live_[A-Za-z0-9]{16,}"
    r"|AIza[\w-]{35}|npm_[A-Za-z0-9]{36}|SG\.[\w-]{22}\.[\w-]{43}|hf_[A-Za-z0-9]{30,}|dop_v1_[0-9a-f]{64}"
    r"|https://hooks\.slack\.com/services/T\w+/B\w+/(?!X+$)\w{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*"
)


@lru_cache(maxsize=8192)
def looks_secret(name: str) -> bool:
    """Whether a variable of this name should hold a secret."""
    upper = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).upper()
    parts = [part for part in re.split(r"[^A-Z0-9]+", upper) if part]
    if not parts or parts[-1] in _ABOUT or parts[0] in _NOT_BEFORE or (len(parts) > 1 and parts[1] in _NOT_BEFORE):
        return False
    return any(part in _SECRET_PARTS for part in parts) or _SECRET_PAIRS.search("_".join(parts)) is not None


def holds_secret(name: str, value: str) -> bool:
    """Whether a variable of this name should hold a secret, and this value could be one."""
    return looks_secret(name) and _NO_SECRET.fullmatch(value) is None


def known_default(value: str) -> str | None:
    """The public word that a value is, such as `changeme`; None where it is no well-known default."""
    word = value.strip().strip("\"'<>[]").lower()
    if len(word) > 100:
        return None
    if word in DEFAULTS:
        return word
    match = _PLACEHOLDERS.fullmatch(word)
    if match is None and (match := _UNFINISHED.fullmatch(word)):
        return f"...-{word[match.start('word') :]}"
    return f"{word[:3] if match['blank'] else match[match.lastgroup or 0]}-..." if match else None


@lru_cache(maxsize=8192)
def _is_pair(name: str) -> bool:
    return re.split(r"[^A-Z0-9]+", name.upper())[-1] in _AUTH


def _pair_password(name: str, value: str) -> list[str]:
    """The password of a variable that holds a user and a password in one, such as `NEO4J_AUTH`."""
    if ":" not in value and "/" not in value:
        return []
    if not _is_pair(name):
        return []
    match = _PAIR.fullmatch(value)
    return [match["password"]] if match else []


def address_passwords(value: str) -> list[str]:
    """The passwords in the addresses of a text, empty ones left out."""
    if "@" not in value and "=" not in value:
        return []
    found = [match["password"] for match in _USERINFO.finditer(value)]
    if go_dsn := _GO_DSN.search(value):
        found.append(value[: go_dsn.start()].rpartition(" ")[2].partition(":")[2])
    found += [match["password"] for match in _QUERY.finditer(value)]
    if _HOST_WORD.search(value):
        found += [match["password"].strip("'") for match in _KEY_VALUE.finditer(value)]
    return [unquote(password) for password in found if password and not _PLACE.fullmatch(password)]


def classify(name: str, value: str | None, *, is_address: bool, from_file: bool = False) -> tuple[str, str | None]:
    """Kind and public default of a variable; `value` is None where only its name is given.

    `from_file`: it came from an `env_file`, which is where secrets may be; only a known default counts there.
    """
    if value is None:
        return "reference", None
    raw = written(value)[:_LONGEST]
    if not raw:
        return "empty", None
    value = value[:_LONGEST]
    own, open_ended = literal_part(raw)
    secret = looks_secret(name)
    passwords = address_passwords(own) or _pair_password(name, own)
    candidates = ([own, value] if secret and not is_address else []) + passwords
    if value != own:
        candidates += address_passwords(value) or _pair_password(name, value)
    default = next((word for candidate in candidates if candidate and (word := known_default(candidate))), None)
    if default is not None:
        return "default-secret", default
    if from_file:
        return ("address" if is_address else "reference" if secret else "literal"), None
    if passwords or _TOKENS.fullmatch(own):
        return "secret", None
    if is_address:
        return "address", None
    if not own or open_ended:
        return "reference", None
    if secret and not _NO_SECRET.fullmatch(own):
        return "secret", None
    return "literal", None


_NAME = regexp(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")


def giver(name: str, value: str, *, is_address: bool) -> str | None:
    """The variable from which a value takes its well-known default, where the value does not say it itself."""
    raw = written(value)[:_LONGEST]
    names = _NAME.findall(raw)
    own = literal_part(raw)[0]
    return names[-1] if names and classify(name, own, is_address=is_address)[0] != "default-secret" else None
