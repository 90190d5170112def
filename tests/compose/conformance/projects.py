"""Realistic multi-file projects: some by hand, the others grown from a seed, the same ones in every run."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.compose.conformance.corpus import Case

GROWN = 44

_BACKENDS = {
    "postgres": ("postgres:16-alpine", 5432, "/var/lib/postgresql/data", "pg_isready -U ${DB_USER:-app}"),
    "mysql": ("mysql:8.4", 3306, "/var/lib/mysql", "mysqladmin ping -h localhost"),
    "redis": ("redis:7.2-alpine", 6379, "/data", "redis-cli ping | grep PONG"),
    "rabbitmq": ("rabbitmq:3.13-management", 5672, "/var/lib/rabbitmq", "rabbitmq-diagnostics -q ping"),
    "minio": ("minio/minio:RELEASE.2024-05-10", 9000, "/data", "mc ready local"),
    "opensearch": ("opensearchproject/opensearch:2.14.0", 9200, "/usr/share/opensearch/data", "curl -s localhost:9200"),
}
_APPS = ("api", "worker", "web", "scheduler", "gateway", "billing", "search", "mailer", "auth", "reports", "ingest")
_SCOPES = ("shop", "clinic", "ledger", "fleet", "campus", "tickets", "weather", "archive")


@cache
def projects() -> tuple[Case, ...]:
    """Every project, named after what it is."""
    return (*by_hand(), *(_grown(number) for number in range(GROWN)))


def by_hand() -> list[Case]:
    """The stacks that somebody wrote as people have them: several files each, well and badly kept ones."""
    paths = sorted(Path(__file__).with_name("stacks").glob("*.yaml"))
    texts = (path.read_text(encoding="utf-8") for path in paths)
    items: list[dict[str, Any]] = [item for text in texts for item in yaml.load(text, Loader=yaml.CSafeLoader)]
    return [
        Case(f"project: {item['name']}", item["files"], tuple(item.get("options", ())), item.get("env", {}))
        for item in items
    ]


def _grown(number: int) -> Case:
    dice = random.Random(f"project {number}")  # noqa: S311 - no secret depends on it
    return _Growth(dice, dice.choice(_SCOPES)).case(number)


class _Growth:
    """One project while it grows: services first, then the files that say more about them."""

    def __init__(self, dice: random.Random, scope: str) -> None:
        self.dice = dice
        self.scope = scope
        self.files: dict[str, str] = {}
        self.backends = dice.sample(sorted(_BACKENDS), dice.randint(1, 3))
        self.apps = dice.sample(_APPS, dice.randint(2, 5))

    def case(self, number: int) -> Case:
        main = self._main()
        options: list[str] = []
        if self.dice.random() < 0.5:
            self._write("infra/compose.yaml", {"services": self._backends("infra"), "volumes": self._volumes()})
            self._write("infra/.env", None, "DB_USER=infra\nBACKEND_TAG=pinned\n")
            main["include"] = [self.dice.choice(["infra/compose.yaml", {"path": "infra/compose.yaml"}])]
        else:
            main["services"] |= self._backends("")
            main["volumes"] |= self._volumes()
        if self.dice.random() < 0.5:
            options = self._layers()
        elif self.dice.random() < 0.6:
            self._write("compose.override.yaml", {"services": {self.apps[0]: self._development()}})
        self._write("compose.yaml", main)
        self._write(".env", None, f"TAG=1.{number}\nAPI_PORT={8000 + number}\nLOG_LEVEL=info\nDB_PASSWORD=made-up\n")
        options += [part for _ in range(self.dice.randint(0, 1)) for part in ("--profile", "tools")]
        env = {"TAG": f"2.{number}"} if self.dice.random() < 0.3 else {}
        return Case(f"grown {number:02}: {self.scope}", self.files, tuple(options), env)

    def _write(self, path: str, content: Any, text: str = "") -> None:
        self.files[path] = text or yaml.safe_dump(content, sort_keys=False, allow_unicode=True)

    # --- files -----------------------------------------------------------------------------------------------

    def _main(self) -> dict[str, Any]:
        self._write("base/service.yaml", {"services": {"app": self._base()}})
        services: dict[str, Any] = {name: self._app(name) for name in self.apps}
        services["tools"] = {"image": "busybox:1.36", "profiles": ["tools"], "command": "sh -c 'echo $$HOME'"}
        networks: dict[str, Any] = {"front": {"driver": "bridge"}, "back": {"internal": True}}
        model: dict[str, Any] = {"name": self.scope} if self.dice.random() < 0.5 else {}
        return model | {
            "x-scope": {"owner": self.scope, "review": "${LOG_LEVEL:-none}"},
            "services": services,
            "networks": networks,
            "volumes": {"uploads": None},
            "secrets": {"db_password": {"file": "./secrets/db_password.txt"}, "token": {"environment": "DB_PASSWORD"}},
            "configs": {"app": {"content": "level=${LOG_LEVEL}\nscope=" + self.scope + "\n"}},
        }

    def _layers(self) -> list[str]:
        self._write("deploy/production.yaml", {"services": {name: self._production() for name in self.apps}})
        self._write("deploy/limits.yaml", self._last())
        return ["-f", "compose.yaml", "-f", "deploy/production.yaml", "-f", "deploy/limits.yaml"]

    def _last(self) -> dict[str, Any]:
        return {
            "services": {
                name: {"environment": [f"LAYER={name}", "LOG_LEVEL"], "labels": [f"{self.scope}.layer=last"]}
                for name in self.dice.sample(self.apps, 2)
            },
            "networks": {"front": {"driver_opts": {"com.docker.network.driver.mtu": 1400}}},
        }

    # --- services --------------------------------------------------------------------------------------------

    def _base(self) -> dict[str, Any]:
        return {
            "restart": self.dice.choice(["unless-stopped", "always", "on-failure:3"]),
            "env_file": [{"path": "common.env", "required": False}],
            "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
            "volumes": ["./shared:/shared:ro"],
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "ulimits": {"nofile": {"soft": 1024, "hard": 4096}},
        }

    def _app(self, name: str) -> dict[str, Any]:
        dice, number = self.dice, self.apps.index(name)
        service: dict[str, Any] = {
            "image": f"registry.example.com/{self.scope}/{name}:${{TAG:-latest}}",
            "environment": dice.choice([self._environment(), [f"{k}={v}" for k, v in self._environment().items()]]),
            "networks": dice.choice([["front", "back"], {"front": {"aliases": [f"{name}.local"]}, "back": None}]),
            "depends_on": self._edges(),
        }
        if dice.random() < 0.6:
            service["extends"] = {"file": "base/service.yaml", "service": "app"}
        if dice.random() < 0.5:
            service["build"] = dice.choice(
                [f"./{name}", {"context": f"./{name}", "args": {"VERSION": "${TAG}", "N": 1}}]
            )
        if dice.random() < 0.6:
            service["ports"] = dice.sample(
                [f"{8100 + number}:80", f"127.0.0.1:{8200 + number}:81/udp", "82", "90-91"], 2
            )
        if dice.random() < 0.5:
            service["healthcheck"] = {
                "test": f"wget -qO- localhost:80/{name} || exit 1",
                "interval": "90s",
                "retries": 3,
            }
        if dice.random() < 0.5:
            service["volumes"] = ["uploads:/uploads", f"./{name}/conf.d/:/etc/{name}/:ro", "/tmp/cache"]
        if dice.random() < 0.5:
            service |= {
                "secrets": ["db_password", {"source": "token", "target": "t", "mode": 0o400}],
                "configs": ["app"],
            }
        if dice.random() < 0.4:
            service["command"] = dice.choice(
                [f"serve --name '{self.scope} {name}' --level $LOG_LEVEL", ["serve", "$TAG"]]
            )
        return service | self._resources()

    def _environment(self) -> dict[str, Any]:
        return {"LOG_LEVEL": "${LOG_LEVEL:-warn}", "PORT": "80", "DB_URL": "db://u:${DB_PASSWORD}@db/x", "EMPTY": ""}

    def _resources(self) -> dict[str, Any]:
        if self.dice.random() < 0.5:
            return {"mem_limit": self.dice.choice(["512m", "1gb", "1.5g"]), "cpus": self.dice.choice([0.5, "1.5"])}
        limits = {"cpus": "0.75", "memory": "256M"}
        return {"deploy": {"replicas": self.dice.randint(1, 3), "resources": {"limits": limits}}}

    def _edges(self) -> Any:
        if self.dice.random() < 0.5:
            return list(self.backends)
        return {name: {"condition": "service_healthy", "restart": True} for name in self.backends}

    def _backends(self, folder: str) -> dict[str, Any]:
        return {name: self._backend(name, folder) for name in self.backends}

    def _backend(self, name: str, folder: str) -> dict[str, Any]:
        image, port, data, test = _BACKENDS[name]
        return {
            "image": image if not folder else f"{image.partition(':')[0]}:${{BACKEND_TAG:-latest}}",
            "expose": [port],
            "volumes": [f"{name}-data:{data}", {"type": "tmpfs", "target": "/run", "tmpfs": {"size": "16m"}}],
            "healthcheck": {"test": ["CMD-SHELL", test], "interval": "10s", "timeout": "1m30s", "start_period": "20s"},
            "shm_size": "128mb",
            "stop_grace_period": "1m",
        }

    def _volumes(self) -> dict[str, Any]:
        kinds: list[Any] = [None, {"labels": {"backup": True}}, {"driver": "local"}]
        return {f"{name}-data": self.dice.choice(kinds) for name in self.backends}

    # --- layers ----------------------------------------------------------------------------------------------

    def _development(self) -> dict[str, Any]:
        return {
            "command": ["debug"],
            "environment": {"DEBUG": "1", "LOG_LEVEL": "debug"},
            "ports": ["${API_PORT}:80", "9229:9229"],
            "volumes": ["./src:/src"],
        }

    def _production(self) -> dict[str, Any]:
        layer: dict[str, Any] = {"restart": "always", "environment": {"LOG_LEVEL": "error", "STAGE": "production"}}
        if self.dice.random() < 0.4:
            layer["logging"] = {"driver": self.dice.choice(["json-file", "local"]), "options": {"max-size": "50m"}}
        if self.dice.random() < 0.4:
            layer["read_only"] = True
            layer["tmpfs"] = ["/tmp", "/run:size=8m"]
        return layer
