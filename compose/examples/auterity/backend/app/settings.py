"""Settings from the environment; secrets come from the files that `*_FILE` names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path


def secret(name: str) -> str:
    """Return the content of the file that `<name>_FILE` names, or an empty text when none is set."""
    path = os.environ.get(f"{name}_FILE", "")
    return Path(path).read_text(encoding="utf-8").strip() if path else ""


@dataclass(frozen=True)
class Settings:
    """What the backend needs to know about its surroundings."""

    database: tuple[str, int]
    redis: tuple[str, int]
    rabbitmq: tuple[str, int]
    rabbitmq_user: str
    email_from: str
    mailgun_domain: str
    browserless_url: str

    @property
    def broker_url(self) -> str:
        """The Celery broker's address, with its password."""
        host, port = self.rabbitmq
        return f"amqp://{self.rabbitmq_user}:{secret('RABBITMQ_PASSWORD')}@{host}:{port}//"


@cache
def settings() -> Settings:
    """Read the environment once."""
    env = os.environ
    return Settings(
        database=(env.get("DATABASE_HOST", "postgres"), int(env.get("DATABASE_PORT", "5432"))),
        redis=(env.get("REDIS_HOST", "redis"), int(env.get("REDIS_PORT", "6379"))),
        rabbitmq=(env.get("RABBITMQ_HOST", "rabbitmq"), int(env.get("RABBITMQ_PORT", "5672"))),
        rabbitmq_user=env.get("RABBITMQ_USER", "auterity"),
        email_from=env.get("EMAIL_FROM", "no-reply@auterity.example"),
        mailgun_domain=env.get("MAILGUN_DOMAIN", ""),
        browserless_url=env.get("BROWSERLESS_URL", ""),
    )
