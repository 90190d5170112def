"""Which hosts a value names, and which words are no hosts."""

from __future__ import annotations

import pytest

from auditor.compose.references import addresses, in_command
from auditor.compose.values import words

SERVICES = frozenset(("db", "redis", "api"))


def said(name: str, value: str) -> list[str]:
    return [f"{item.scheme or ''}|{item.host}|{item.port or ''}" for item in addresses(name, value, SERVICES)]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("X", "postgresql+asyncpg://u:p@db:5432/x", ["postgresql+asyncpg|db|5432"]),
        ("X", "jdbc:postgresql://pg:5432/x", ["postgresql|pg|5432"]),
        ("X", "jdbc:sqlserver://mssql:1433;databaseName=x", ["sqlserver|mssql|1433"]),
        ("X", "mongodb://u:p@m1:27017,m2:27017/db?replicaSet=r", ["mongodb|m1|27017", "mongodb|m2|27017"]),
        ("X", "redis://a:1,redis://b:2", ["redis|a|1", "redis|b|2"]),
        ("X", "https://api.example.com/v1", ["https|api.example.com|"]),
        ("X", "u:p@tcp(mysql:3306)/x", ["tcp|mysql|3306"]),
        ("X", "host=pg port=5432 user=a", ["|pg|"]),
        ("X", "Server=tcp:sql,1433;Database=x", ["|sql|1433"]),
        ("KAFKA_BROKERS", "kafka:9092,kafka2:9092", ["|kafka|9092", "|kafka2|9092"]),
        ("KAFKA_BOOTSTRAP_SERVERS", "PLAINTEXT://kafka:9092", ["plaintext|kafka|9092"]),
        ("KAFKA_ZOOKEEPER_CONNECT", "zookeeper:2181", ["|zookeeper|2181"]),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@k1:9093,2@k2:9093", ["|k1|9093", "|k2|9093"]),
        ("DB_HOST", "postgres", ["|postgres|"]),
        ("SMTP_SERVER", "smtp.example.com", ["|smtp.example.com|"]),
        ("WAIT_FOR", "db:5432", ["|db|5432"]),
        ("WAIT_FOR", "other:5432", []),
        ("DB_HOST", "10.0.0.5", []),
        ("DB_HOST", "localhost", []),
        ("DB_URL", "http://127.0.0.1:80", []),
        ("DB_URL", "http://host.docker.internal:80", []),
        ("BIND_ADDR", "0.0.0.0:80", []),
        ("IMAGE", "postgres:5432", []),
        ("SERVER_TIMEOUT", "30s", []),
        ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://kafka:9092", []),
        ("ALLOWED_HOSTS", "api,web", []),
        ("VIRTUAL_HOST", "shop", []),
        ("REDIS_HOST", "true", []),
        ("DATABASE_URL", "sqlite:///data/x.db", []),
        ("STORE_URL", "s3://bucket/x", []),
        ("SOCKET", "unix:///var/run/docker.sock", []),
        ("CONFIG", "/etc/app:ro", []),
        ("LOG_LEVEL", "info", []),
        ("HOST", "shop", []),
        ("CLUSTER_HOSTNAME", "node1", []),
        ("START", "app:8000", []),
        ("X", "redis://:part/of/secret@redis:6379", []),
        ("X", "http://${UNSET}/", []),
        ("X", "http://[::1]:80/", []),
        ("SCHEDULE", "0 12:30 * * *", []),
        ("DB_URL", "", []),
    ],
)  # fmt: skip
def test_values(name: str, value: str, expected: list[str]) -> None:
    assert said(name, value) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--redis.addr=redis://redis:6379", [("redis", 6379)]),
        ("--store redis:6379 --verbose", [("redis", 6379)]),
        ("wait-for-it.sh db:5432 -- start", [("db", 5432)]),
        ('sh -c "until nc -z db 5432; do sleep 1; done"', []),
        ('sh -c "curl http://other:80/x && run"', [("other", 80)]),
        ("--host api", []),
        ("--host 0.0.0.0 --port 80", []),
        ("uvicorn app.main:app --host 0.0.0.0", []),
        ("gunicorn app:8000", []),
        ("--endpoint=other:9000", [("other", 9000)]),
        ("-config.file=/etc/x.yml", []),
        ("--storage.tsdb.retention.time=30d", []),
        ("redis-server --maxmemory 256mb", []),
    ],
)
def test_commands(line: str, expected: list[tuple[str, int]]) -> None:
    assert [(item.host, item.port) for item in in_command(words(line), SERVICES)] == expected
