"""Which variables hold secrets, by the text before interpolation. All secrets here are made up."""

from __future__ import annotations

import pytest

from auditor.compose.interpolate import Text
from auditor.compose.references import addresses
from auditor.compose.secrets import address_passwords, classify, known_default, looks_secret

SECRET = "f4k3-S3cr3t-of-a-test"  # made up


LOOK_SECRET = """
    PASSWORD POSTGRES_PASSWORD DB_PASS MYSQL_PWD JWT_SECRET SECRET_KEY API_KEY STRIPE_APIKEY TOKEN GITHUB_TOKEN
    AWS_SECRET_ACCESS_KEY PRIVATE_KEY ENCRYPTION_KEY GF_SECURITY_ADMIN_PASSWORD PGPASSWORD dbPassword
    SMTP_CREDENTIALS RABBITMQ_DEFAULT_PASS MINIO_ROOT_PASSWORD SESSION_KEY
"""
LOOK_PLAIN = """
    POSTGRES_PASSWORD_FILE TOKEN_TTL ACCESS_TOKEN_EXPIRE_MINUTES TOKEN_URL MAX_TOKENS SECRET_NAME SECRETS_MANAGER
    AWS_ACCESS_KEY_ID ALLOW_EMPTY_PASSWORD MYSQL_RANDOM_ROOT_PASSWORD PASSWORD_MIN_LENGTH PUBLIC_KEY LOG_LEVEL
    COMPASS KEYCLOAK_URL MONKEY PASSPORT_COUNTRY BYPASS_CACHE TOKENIZER TOKENIZERS_PARALLELISM SECRET_PROVIDER
    JWT_ALGORITHM
"""


@pytest.mark.parametrize("name", LOOK_SECRET.split())
def test_names_that_look_secret(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", LOOK_PLAIN.split())
def test_names_that_do_not(name: str) -> None:
    assert not looks_secret(name)


@pytest.mark.parametrize(
    ("name", "raw", "resolved", "kind", "default"),
    [
        ("PASSWORD", SECRET, SECRET, "secret", None),
        ("PASSWORD", "${P}", SECRET, "reference", None),
        ("PASSWORD", "$P", "", "reference", None),
        ("PASSWORD", "${P:?set it}", SECRET, "reference", None),
        ("PASSWORD", f"${{P:-{SECRET}}}", "", "secret", None),
        ("PASSWORD", "${P:-changeme}", SECRET, "default-secret", "changeme"),
        ("PASSWORD", "${P:-}", "", "reference", None),
        ("PASSWORD", "${P}", "guest", "default-secret", "guest"),
        ("PASSWORD", "", "", "empty", None),
        ("PASSWORD", "Admin", "Admin", "default-secret", "admin"),
        ("TOKEN", "your-token", "your-token", "default-secret", "your-token"),
        ("JWT_SECRET", "change-this-in-production", "change-this-in-production", "default-secret", "change-..."),
        ("PASSWORD", "/run/secrets/db", "/run/secrets/db", "literal", None),
        ("LOG_LEVEL", "info", "info", "literal", None),
        ("LOG_LEVEL", "${L}", "info", "reference", None),
        ("LOG_LEVEL", "${L:-info}", "info", "literal", None),
        ("DB_URL", f"postgres://app:{SECRET}@db:5432/x", f"postgres://app:{SECRET}@db:5432/x", "secret", None),
        ("DB_URL", "postgres://app:${P}@db:5432/x", f"postgres://app:{SECRET}@db:5432/x", "address", None),
        ("DB_URL", "postgres://app:${P:-changeme}@db/x", "postgres://app:x@db/x", "default-secret", "changeme"),
        ("BROKER", "amqp://guest:guest@mq:5672", "amqp://guest:guest@mq:5672", "default-secret", "guest"),
        ("DB_URL", "postgres://db:5432/x", "postgres://db:5432/x", "address", None),
        ("HOOK", f"https://h.example/?token={SECRET}", f"https://h.example/?token={SECRET}", "secret", None),
        ("DSN", f"app:{SECRET}@tcp(db:3306)/x", f"app:{SECRET}@tcp(db:3306)/x", "secret", None),
        ("NEO4J_AUTH", f"neo4j/{SECRET}", f"neo4j/{SECRET}", "secret", None),
        ("NEO4J_AUTH", "neo4j/${P}", f"neo4j/{SECRET}", "reference", None),
        ("NEO4J_AUTH", "neo4j/${P:-password}", "neo4j/x", "default-secret", "password"),
        ("NEO4J_AUTH", "none", "none", "literal", None),
        ("BASIC_AUTH", f"admin:{SECRET}", f"admin:{SECRET}", "secret", None),
        ("FORWARD_AUTH", "auth:4181", "auth:4181", "literal", None),
        ("FORWARD_AUTH", "auth/realms/x", "auth/realms/x", "literal", None),
        ("AUTH", "oauth", "oauth", "literal", None),
        ("DB_PW", SECRET, SECRET, "secret", None),
        ("DB_PASS", "{{ vault_db_pass }}", "{{ vault_db_pass }}", "literal", None),
        ("DB_URL", "postgres://u:$${DB_PASS}@db/x", "postgres://u:${DB_PASS}@db/x", "address", None),
        ("DB_URL", "postgres://u:{{ vault_db }}@db/x", "postgres://u:{{ vault_db }}@db/x", "address", None),
        ("DB_PASS", "$${OTHER_PASS}", "${OTHER_PASS}", "literal", None),
        ("DB_PASS", "$$OTHER_PASS", "$OTHER_PASS", "literal", None),
        ("DB_PASS", "$$ecret-and-long", "$ecret-and-long", "secret", None),
        ("API_KEY", "<your-api-key>", "<your-api-key>", "default-secret", "your-api-key"),
        ("DSN", f"host=db user=a password={SECRET}", f"host=db user=a password={SECRET}", "secret", None),
    ],
)  # fmt: skip
def test_kinds(name: str, raw: str, resolved: str, kind: str, default: str | None) -> None:
    value = Text.of(resolved, raw) if "$" in raw else raw
    is_address = bool(addresses(name, resolved, ())) or "://" in resolved
    assert classify(name, value, is_address=is_address) == (kind, default)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("PASSWORD", SECRET, "reference"), ("PASSWORD", "changeme", "default-secret"), ("LEVEL", "info", "literal")],
)
def test_an_env_file_may_hold_secrets_but_no_known_default(name: str, value: str, kind: str) -> None:
    assert classify(name, value, is_address=False, from_file=True)[0] == kind


def test_a_name_without_value_is_a_reference() -> None:
    assert classify("PASSWORD", None, is_address=False) == ("reference", None)


def test_no_default_is_invented() -> None:
    assert known_default(SECRET) is None
    assert known_default("x" * 200) is None


def test_passwords_of_several_addresses() -> None:
    assert address_passwords("redis://:one@a:1,redis://u:t%77o@b:2") == ["one", "two"]
