"""What a command line is for, by how people write them."""

from __future__ import annotations

import pytest

from auditor.compose.purpose import purpose
from auditor.yamlfile import Mapping, parse


@pytest.mark.parametrize(
    ("service", "wanted"),
    [
        ("command: python manage.py migrate --noinput", "task"),
        ("command: bundle exec rails db:migrate", "task"),
        ("command: [sh, -c, 'until pg_isready -h db; do sleep 1; done; alembic upgrade head']", "task"),
        ("command: [bash, -c, 'python manage.py migrate && gunicorn shop.wsgi']", None),
        ("{entrypoint: /bin/sh, command: [-c, 'mc mb lake/raw; exit 0']}", "task"),
        ("{entrypoint: [sh, -c], command: ['chown -R 1000 /data']}", "task"),
        ("entrypoint: [bash, -c, 'while true; do pg_dump shop > /dump; sleep 86400; done']", None),
        ("command: [sh, -c, 'nginx -g \"daemon off;\"']", None),
        ("command: kong migrations bootstrap", "task"),
        ("command: npm test", "task"),
        ("command: npm start", None),
        ("command: pytest -q tests", "task"),
        ("command: PYTHONPATH=. poetry run pytest", "task"),
        ("command: server --auto-migrate", None),
        ("command: test-server", None),
        ("command: sleep infinity", "shell"),
        ("command: [tail, -f, /dev/null]", "shell"),
        ("command: /bin/sh -c 'sleep infinity'", "shell"),
        ("command: [sh, -c, 'serve & sleep infinity']", None),
        ("{stdin_open: true, tty: true}", "shell"),
        ("{stdin_open: true, tty: true, ports: ['25565:25565']}", None),
        ("{stdin_open: true, tty: true, command: bundle exec sidekiq}", None),
        ("image: nginx", None),
        ("{command: null, entrypoint: ''}", None),
    ],
)
def test_purpose(service: str, wanted: str | None) -> None:
    written = parse(service.encode(), "compose.yaml")
    assert isinstance(written, Mapping)
    assert purpose(written) == wanted
