"""Which command lines are the declared one."""

from __future__ import annotations

import pytest

from auditor.commandline import same_command, started_by

AUTH = "python -m backend.services.auth.app"


@pytest.mark.parametrize(
    ("declared", "actual"),
    [
        (AUTH, "python -m backend.services.auth.app"),
        (AUTH, "/srv/env/bin/python3.11 -u -m backend.services.auth.app --port 5001"),
        (f"cd /srv && JWT_SECRET_KEY=x nohup {AUTH} > auth.log 2>&1 &", "python3 -m backend.services.auth.app"),
        (f"exec {AUTH} --port ${{PORT}}", "python3 -m backend.services.auth.app --port 5001"),
        (f"{AUTH} --listen 127.0.0.1:$PORT", "python3 -m backend.services.auth.app --listen 127.0.0.1:5001"),
        (f"{AUTH} --token abc", "python3 -m backend.services.auth.app --token ***"),
        (f"{AUTH} s3cret --port 5001", "python3 -m backend.services.auth.app *** --port 5001"),
        ("gunicorn app:app", "/usr/bin/python3 /srv/env/bin/gunicorn -w 4 app:app"),
        ("gunicorn app:app", "gunicorn: master [app:app]"),
        ("node server.js", "node /srv/web/server.js"),
        ("./bin/agent --port 5002", "/srv/agent/bin/agent --port 5002"),
        ("redis-server", "redis-server *:6379"),
        ("redis-server /etc/redis/redis.conf --port 6379", "/usr/bin/redis-server 127.0.0.1:6379"),
        ("nginx -c /etc/nginx.conf", "nginx: master process /usr/sbin/nginx -g daemon off;"),
        ("java -jar app.jar", "/usr/lib/jvm/bin/java -Xmx1g -jar /srv/app.jar"),
        ("python app.py", "sh -c 'python app.py'"),
    ],
)
def test_the_same(declared: str, actual: str) -> None:
    assert same_command(declared, actual)


@pytest.mark.parametrize(
    ("declared", "actual"),
    [
        (AUTH, "python3 -m backend.services.agent.app"),
        (AUTH, "python3 -m http.server 5001"),
        (AUTH, "node server.js"),
        ("redis-server", "nc -l -p 6379"),
        ("redis-server", "valkey-server *:6379"),
        ("nginx", "apache2: x"),
        ("python app.py", "python myapp.py"),
        ("python app.py", "python other.py --token ***"),  # what was cut out is not just anything
        ("python app.py", "*** other.py"),
        ("python app.py --port 5001", "python app.py --token *** --port 5002"),
        ("", "python"),
    ],
)
def test_another(declared: str, actual: str) -> None:
    assert not same_command(declared, actual)


@pytest.mark.parametrize(
    ("declared", "parent", "is_its"),
    [
        ("npm start", "npm start", True),
        (AUTH, "python3 -m backend.services.auth.app --reload", True),
        ("./start.sh", "bash ./start.sh", True),
        ("sh -c 'python a.py & python b.py'", "sh -c 'python a.py & python b.py'", True),
        ("python a.py", "sh -c 'python a.py & python b.py & wait'", False),
        ("python a.py", "bash -lc 'cd /srv; python a.py &\npython b.py'", False),
    ],
)
def test_what_started_a_process(declared: str, parent: str, is_its: bool) -> None:
    assert started_by(declared, parent) is is_its
