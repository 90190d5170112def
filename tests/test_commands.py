"""What is kept of a command line, and what is cut out of it."""

from __future__ import annotations

import shlex

import pytest

from auditor.sources.commands import cut_secrets, safe_command

S = "Tr0ub4dor-and-3"  # made up

CASES = [
    (f"app --password {S} --port 80", "app --password *** --port 80"),
    (f"app --password={S} x", "app --password=*** x"),
    (f"app -password {S}", "app -password ***"),
    (f"app --api-key {S} --client-secret={S}", "app --api-key *** --client-secret=***"),
    ("app --password-file /run/secrets/x --token-ttl 5m", "app --password-file /run/secrets/x --token-ttl 5m"),
    (f"mysql -uroot -p{S} shop", "mysql -uroot -p*** shop"),
    (f"/usr/bin/mysqldump -h db -p{S}", "/usr/bin/mysqldump -h db -p***"),
    ("mkdir -p /srv/data", "mkdir -p /srv/data"),
    ("ssh -p 2222 host", "ssh -p 2222 host"),
    ("docker-proxy -proto tcp -host-port 80", "docker-proxy -proto tcp -host-port 80"),
    (f"sshpass -p {S} ssh host", "sshpass -p *** ssh host"),
    (f"redis-cli -a {S} ping", "redis-cli -a *** ping"),
    (f"redis-server --requirepass {S} --port 6379", "redis-server --requirepass *** --port 6379"),
    (f"redis-server --user app on >{S}", "redis-server --user *** on ***"),
    (f"curl -u me:{S} http://x", "curl -u *** http://x"),
    (f"curl --user me:{S} http://x", "curl --user *** http://x"),
    (f"psql postgres://me:{S}@db:5432/shop", "psql postgres://***@db:5432/shop"),
    (f"git clone https://{S}@example.com/x", "git clone https://***@example.com/x"),
    (f"app postgres://me:with/slash{S}@db/x", "app postgres://***@db/x"),
    (f"app http://x/y?a=1&token={S}&b=2", "app http://x/y?a=1&token=***&b=2"),
    (f"env DB_PASSWORD={S} MODE=dev app", "env DB_PASSWORD=*** MODE=dev app"),
    (f"java -Dspring.datasource.password={S} -jar a.jar", "java -Dspring.datasource.password=*** -jar a.jar"),
    (f"kubectl create x --from-literal=password={S}", "kubectl create x --from-literal=password=***"),
    (f"docker run -e API_TOKEN={S} web", "docker run -e API_TOKEN=*** web"),
    ("app ghp_0123456789abcdefghij0123456789", "app ***"),
    ("app eyJhbGciOiJIUzI1NiJ9.e30.abcdefgh", "app ***"),
    ("app AKIAIOSFODNN7EXAMPLE x", "app *** x"),
    ("app kX9vQ2mL7pR4tW8zB3nD6s", "app ***"),
    ("app 0123456789abcdef0123456789abcdef", "app ***"),
    ("gunicorn --workers 4 backend.services.token.app:create_app", None),
    ("python -m backend.services.auth.app --port 5001", None),
    ("/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main", None),
    ("java -XX:+UseG1GC -Xmx512m -cp /opt/kafka/libs/* kafka.Kafka /etc/kafka.properties", None),
]  # fmt: skip


@pytest.mark.parametrize(("written", "kept"), CASES)
def test_words(written: str, kept: str | None) -> None:
    assert " ".join(cut_secrets(written.split())) == (kept or written)


@pytest.mark.parametrize(
    "argument",
    [
        f"Authorization: Bearer {S}",
        f"X-Api-Key: {S}",
        f"Cookie: session={S}",
        f"PGPASSWORD={S} psql -h db; mysql -p{S}",
        f"exec app --password '{S} {S}' --x",
        f'{{"user": "me", "password": "{S}"}}',
        f"host=db user=me password={S}",
        f"curl -H 'Authorization: Bearer {S}' http://x",
    ],
)
def test_an_argument_that_is_a_text_of_its_own(argument: str) -> None:
    (kept,) = cut_secrets([argument])
    assert S not in kept
    assert "***" in kept


def test_what_is_kept_is_one_line_and_bounded() -> None:
    assert safe_command(["a", "b\nc\x1b[31m", "", "x" * 9000]) is not None
    line = safe_command(["a", "b\nc\x1b[31m", "", "x" * 9000])
    assert line
    assert (len(line) <= 500, line.isprintable(), line.startswith("a 'b c")) == (True, True, True)
    assert safe_command([]) is None


def test_a_kept_line_can_be_split_again() -> None:
    line = safe_command(["sh", "-c", "python -m app", "x"])
    assert line
    assert shlex.split(line) == ["sh", "-c", "python -m app", "x"]
