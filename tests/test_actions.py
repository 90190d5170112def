"""Start, stop and restart: whom they may touch, who may ask, and what is written down of it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import AuditorError, CatalogueError, EvidenceError, UsageError
from auditor.orders import order
from auditor.settings import Settings
from auditor.sources.docker.actions import MAY_ACT
from auditor.sources.docker.transport import MAY_READ
from auditor.store import Store
from auditor.web.app import App, create_app
from auditor.web.server import refuse_open_actions
from tests.builders import report, service
from tests.parts.engine import Engine
from tests.projects import snapshot_of
from tests.relay import Relay, Verdict, relayed
from tests.scripts import auditor
from tests.test_top import top
from tests.test_web import ask

SHOP: dict[str, Any] = {
    "catalogue": {
        "system": "shop",
        "environments": {"prod": {"compose": ["docker-compose.yml"], "project": "shop"}},
        "services": {
            "web": {},
            "db": {"aliases": ["postgres"]},
            "mail": {"lifecycle": "external", "address": "smtp.example:25"},
            "worker": {"lifecycle": "process", "ports": [9000]},
            "chat": {"lifecycle": "embedded", "embedded_in": "web"},
        },
    },
    "compose": {"services": {"web": {"image": "web:1"}, "postgres": {"image": "db:1"}, "extra": {"image": "x:1"}}},
    "containers": [
        {"name": "shop-web-2", "service": "web", "number": 2},
        {"name": "shop-web-1", "service": "web", "number": 1},
        {"name": "shop-web-3", "service": "web", "number": 3, "state": "exited", "exit_code": 0},
        {"name": "shop-postgres-1", "service": "postgres", "state": "paused"},
        {"name": "shop-extra-1", "service": "extra"},
    ],
}


def ordered(action: str, name: str, **planes: Any) -> tuple[list[str], list[str]]:
    """The names of the containers that are acted on, and of those that are so already."""
    found = order(snapshot_of(SHOP | planes), action, name)
    return [c.name for c in found.containers], [c.name for c in found.skipped]


@pytest.mark.parametrize(
    ("action", "acted", "skipped"),
    [
        ("stop", ["shop-web-1", "shop-web-2"], ["shop-web-3"]),
        ("start", ["shop-web-3"], ["shop-web-1", "shop-web-2"]),
        ("restart", ["shop-web-1", "shop-web-2", "shop-web-3"], []),
    ],
)
def test_all_replicas_in_their_order(action: str, acted: list[str], skipped: list[str]) -> None:
    assert ordered(action, "web") == (acted, skipped)


def test_an_alias_is_the_compose_service() -> None:
    assert ordered("stop", "db") == (["shop-postgres-1"], [])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("extra", "not declared"),
        ("mail", "external"),
        ("worker", "host process"),
        ("chat", "part of another service"),
        ("wbe", "no service `wbe`"),
        ("shop-web-1", "no service"),
    ],
)
def test_what_may_not_be_acted_on(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ordered("stop", name)


def test_a_task_of_a_swarm_is_not_acted_on() -> None:
    task = {"name": "shop_web.1.x", "service": "web", "task": True}
    with pytest.raises(UsageError, match="service of a Swarm"):
        ordered("stop", "web", containers=[task])


def test_what_is_paused_is_not_called_started() -> None:
    assert ordered("start", "db") == (["shop-postgres-1"], [])


STRANGERS = [
    {"name": "web"},
    {"name": "shop-web-1", "project": "other", "service": "web"},
    {"name": "web", "project": "other", "service": "web"},
    {"name": "web", "project": "shop", "service": "something"},
    {"name": "shop-web-run-1", "project": "shop", "service": "web", "oneoff": True},
]


@pytest.mark.parametrize("stranger", STRANGERS, ids=str)
@pytest.mark.parametrize("scope", ["project", "engine"])
def test_a_strangers_container_is_left_alone(stranger: dict[str, Any], scope: str) -> None:
    catalogue = SHOP["catalogue"] | {
        "environments": {"prod": {"compose": ["docker-compose.yml"], "project": "shop", "docker_scope": scope}}
    }
    with pytest.raises(UsageError, match="nothing to stop"):
        ordered("stop", "web", containers=[stranger], catalogue=catalogue)
    own = {"name": "shop-web-9", "service": "web"}
    assert ordered("stop", "web", containers=[stranger, own], catalogue=catalogue) == (["shop-web-9"], [])


@pytest.mark.parametrize(
    ("planes", "kind"),
    [
        ({"sources": {"docker": "failed"}}, EvidenceError),
        ({"sources": {"docker": "stale"}}, EvidenceError),
        ({"sources": {"docker": "not_asked"}}, EvidenceError),
        (
            {"catalogue": SHOP["catalogue"] | {"environments": {"a": {}, "b": {}}}, "environments": ["a", "b"]},
            UsageError,
        ),
    ],
)
def test_nothing_is_done_where_not_enough_is_known(planes: dict[str, Any], kind: type[AuditorError]) -> None:
    with pytest.raises(kind):
        ordered("stop", "web", **planes)


def test_without_a_catalogue_nothing_is_declared() -> None:
    planes = {name: plane for name, plane in SHOP.items() if name != "catalogue"}
    with pytest.raises(CatalogueError, match="only declared services"):
        order(snapshot_of(planes), "stop", "web")


ID = "a" * 64


@pytest.mark.parametrize(
    "request_",
    [
        f"POST /containers/{ID}/kill", f"POST /containers/{ID}/update", f"DELETE /containers/{ID}",
        "POST /containers/create", "POST /containers/web/stop", f"POST /containers/{ID}/stop/../kill",
        f"GET /containers/{ID}/stop", f"POST /containers/{ID}/start/", f"POST /v1.41/../containers/{ID}/stop",
    ],
)  # fmt: skip
def test_nothing_else_is_ever_asked_of_an_engine(request_: str) -> None:
    assert not MAY_ACT(*request_.split())


def test_what_reads_may_not_act_and_what_acts_may_not_read() -> None:
    acting = [f"/containers/{ID}/{action}" for action in ("start", "stop", "restart")]
    assert [MAY_ACT("POST", path) for path in acting] == [True] * 3
    assert not any(MAY_READ("POST", path) or MAY_READ("GET", path) for path in acting)
    assert not MAY_ACT("GET", "/containers/json")


# --- by the API: who may ask --------------------------------------------------------------------------------------

TOKEN = "made-up-token"
BEARER = {"authorization": f"Bearer {TOKEN}"}
PATH = "/api/services/web/stop"


def app(tmp_path: Path, **fields: Any) -> App:
    made = Settings(database=f"sqlite:///{tmp_path / 'history.sqlite'}", catalogue=str(tmp_path / "no.yaml"), **fields)
    return create_app(made, scan=lambda _: report((service("web"),)))


ALLOWED = {"allow_actions": True, "token": TOKEN}


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        ({"token": TOKEN}, BEARER, 403),
        ({"allow_actions": True}, BEARER, 403),
        (ALLOWED, {}, 401),
        (ALLOWED, {"authorization": "Bearer wrong"}, 401),
        (ALLOWED, {"authorization": f"Bearer {TOKEN}x"}, 401),
        (ALLOWED, {"authorization": f"Basic {TOKEN}"}, 401),
        (ALLOWED, {"authorization": "Basic Om1hZGUtdXAtdG9rZW4="}, 401),  # as a browser would add it by itself
        (ALLOWED, BEARER | {"origin": "https://evil.example"}, 403),
        (ALLOWED, BEARER | {"origin": "null"}, 403),
        (ALLOWED, BEARER | {"host": "evil.example"}, 421),
        (ALLOWED, BEARER, 500),  # it would act, and there is no catalogue
        (ALLOWED, BEARER | {"origin": "http://localhost:8642"}, 500),
    ],
)
def test_who_may_act_by_the_api(tmp_path: Path, fields: dict[str, Any], headers: dict[str, str], status: int) -> None:
    answer = ask(app(tmp_path, **fields), PATH, "POST", headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert TOKEN not in answer.text


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("POST", "/api/services/web/kill"), ("PUT", PATH)])
def test_nothing_else_changes_anything(tmp_path: Path, method: str, path: str) -> None:
    assert ask(app(tmp_path, **ALLOWED), path, method, headers=BEARER).status_code in (404, 405, 422)


def test_a_server_that_allows_actions_needs_a_token() -> None:
    with pytest.raises(UsageError, match="needs a token"):
        refuse_open_actions(Settings(allow_actions=True))
    refuse_open_actions(Settings(allow_actions=True, token=TOKEN))
    refuse_open_actions(Settings())


# --- on a real engine ---------------------------------------------------------------------------------------------

COMPOSE = """\
name: shop
services:
  web: {image: "busybox:test", scale: 2, stop_signal: SIGKILL}
  db: {image: "busybox:test"}
"""
CATALOGUE = """\
system: shop
environments: {prod: {compose: [compose.yaml]}}
services: {web: {}, db: {}}
"""


class Shop:
    """A stack of two services, a second project beside it, a stranger, and a relay that sees every request."""

    def __init__(self, folder: Path, engine: Engine, relay: Relay) -> None:
        self.folder, self.engine, self.relay = folder, engine, relay
        self.address = f"unix://{relay.server_address!s}"
        self.database = folder / "history.sqlite"

    def run(self, line: str) -> Any:
        options = ["--docker", self.address, "--database", f"sqlite:///{self.database}", "--grace", "1"]
        return auditor("services", *line.split(), *options, cwd=self.folder)

    @property
    def posts(self) -> list[str]:
        return [line for line in self.relay.asked if not line.startswith("GET ")]

    def states(self) -> dict[str, tuple[str, str]]:
        """Name -> state and the time of its last start."""
        found = self.engine.client.containers.list(all=True)
        return {box.name: (box.status, box.attrs["State"]["StartedAt"]) for box in found}

    def trail(self) -> list[tuple[str, str, str, str]]:
        store = Store(f"sqlite:///{self.database}")
        found = [(a.action, a.service, a.outcome, a.who) for a in store.actions()]
        store.close()
        return found


@pytest.fixture(params=["engine"])
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Shop]]:
    engine: Engine = request.getfixturevalue(request.param)
    engine.clear()
    engine.import_busybox()
    judges: list[Callable[[str, str], Verdict]] = []
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / "catalogue.yaml").write_text(CATALOGUE)
    engine.compose(folder, "up", "--detach", "--scale", "web=2")
    other = {"com.docker.compose.project": "other", "com.docker.compose.service": "web"}
    engine.client.containers.run("busybox:test", name="other-web-1", labels=other, detach=True)
    engine.client.containers.run("busybox:test", name="web", detach=True)
    with relayed(tmp_path / "s", engine.socket, lambda m, p: judges[0](m, p) if judges else None) as relay:

        def made(judge: Callable[[str, str], Verdict] | None = None) -> Shop:
            judges[:] = [judge] if judge else []
            return Shop(folder, engine, relay)

        yield made
    engine.clear()


BOTH = pytest.mark.parametrize("shop", ["engine", "engine28"], indirect=True)
MAINLY = pytest.mark.parametrize(
    "shop", ["engine", pytest.param("engine28", marks=pytest.mark.endurance)], indirect=True
)


@pytest.mark.engine
@BOTH
def test_only_the_right_containers_change(shop: Callable[..., Shop]) -> None:
    here = shop()
    ours = {name for name in here.states() if name.startswith("shop") and "web" in name}
    assert len(ours) == 2
    for action, state in (("stop", "exited"), ("start", "running"), ("restart", "running")):
        before = here.states()
        done = here.run(f"{action} web --allow-actions --yes")
        assert done.returncode == 0, done.stderr
        after = here.states()
        assert {name for name in after if after[name] != before[name]} == ours
        assert {after[name][0] for name in ours} == {state}
    assert [(action, outcome) for action, _, outcome, _ in here.trail()] == [
        ("restart", "done"), ("start", "done"), ("stop", "done")
    ]  # fmt: skip
    assert len(here.posts) == 6
    assert "running" in done.stdout, "the state is read again and shown"


@pytest.mark.engine
def test_nothing_is_sent_unless_it_is_allowed(shop: Callable[..., Shop]) -> None:
    here = shop()
    wrong = [
        "stop web",
        "stop web --yes",
        "restart web",
        "stop web --allow-actions",
        "stop nothing --allow-actions --yes",
    ]
    assert [here.run(line).returncode for line in wrong] == [2] * len(wrong)
    assert here.run("start web --allow-actions --yes").returncode == 0, "it runs already"
    for line in ("list", "status", "health", "resources"):
        auditor("services", line, "--docker", here.address, cwd=here.folder)
    assert here.posts == []
    assert not here.database.exists()


@pytest.mark.engine
def test_an_order_is_written_down_before_anything_is_sent(shop: Callable[..., Shop]) -> None:
    seen: list[str] = []

    def judge(method: str, _: str) -> Verdict:
        if method == "POST":
            with sqlite3.connect(here.database) as connection:
                seen.append(connection.execute("SELECT outcome FROM action").fetchall()[0][0])
        return None

    here = shop(judge)
    assert here.run("stop db --allow-actions --yes").returncode == 0
    assert seen == ["pending"]
    assert [outcome for _, _, outcome, _ in here.trail()] == ["done"]


@pytest.mark.engine
def test_nothing_is_done_where_it_cannot_be_written_down(shop: Callable[..., Shop]) -> None:
    here = shop()
    here.database.mkdir()
    done = here.run("stop db --allow-actions --yes")
    assert done.returncode == 3
    assert here.posts == []


@pytest.mark.engine
def test_a_container_that_fails_hides_no_other(shop: Callable[..., Shop]) -> None:
    refused: list[str] = []

    def judge(method: str, path: str) -> Verdict:
        if method == "POST" and not refused:
            refused.append(path)
            return 403
        return None

    here = shop(judge)
    done = here.run("stop web --allow-actions --yes --format json")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert found["outcome"] == "partial"
    assert [bool(step["error"]) for step in found["containers"]] == [True, False]
    assert "the socket proxy must let `POST` requests" in found["containers"][0]["error"]
    assert len(here.posts) == 2
    assert [outcome for _, _, outcome, _ in here.trail()] == ["partial"]
    history = auditor("services", "history", "--database", f"sqlite:///{here.database}", cwd=here.folder).stdout
    assert "stop prod/web: partial" in history


@pytest.mark.engine
@MAINLY
def test_paused_and_vanishing_containers(shop: Callable[..., Shop]) -> None:
    """One of two is paused, and the other vanishes while the first is stopped."""
    gone: list[str] = []

    def judge(method: str, path: str) -> Verdict:
        if "/stop" in path and not gone:
            gone.append("shop-web-2")
            here.engine.client.api.remove_container(gone[0], force=True)
        return None

    here = shop(judge)
    here.engine.client.containers.get("shop-web-1").pause()
    started = here.run("start web --allow-actions --yes")
    assert started.returncode == 3 and "shop-web-1: failed: cannot start a paused container" in started.stderr
    stopped = here.run("stop web --allow-actions --yes --format json")
    assert stopped.returncode == 3
    steps = {step["name"]: step["error"] or "" for step in json.loads(stopped.stdout)["containers"]}
    assert steps["shop-web-1"] == "" and steps["shop-web-2"].startswith("No such container")
    assert here.states()["shop-web-1"][0] == "exited"
    who = here.trail()[0][3]
    assert [(action, outcome) for action, _, outcome, _ in here.trail()] == [("stop", "partial"), ("start", "failed")]
    assert who == here.trail()[1][3] and "@" in who


@pytest.mark.engine
@pytest.mark.parametrize(("answer", "posts"), [("n\r", 0), ("y\r", 1)])
def test_a_terminal_is_asked_first(shop: Callable[..., Shop], answer: str, posts: int) -> None:
    here = shop()
    code = "import sys; from auditor.cli.shell import run; sys.exit(run(sys.argv[1:]))"
    arguments = ["services", "stop", "db", "--allow-actions", "--grace", "0", "--docker", here.address]
    database = ["--database", f"sqlite:///{here.database}"]
    with top(here.folder, *arguments, *database, code=code) as screen:
        end = time.monotonic() + 30
        error = screen.child.stderr
        assert error is not None
        said = b""
        while b"[y/N]" not in said and time.monotonic() < end:
            said += error.read1(4096)  # type: ignore[attr-defined]
        assert b"stop of `db` in `prod`" in said
        assert here.posts == []
        screen.press(answer)
        assert screen.child.wait(60) == 0
    assert len(here.posts) == posts


@pytest.mark.engine
@MAINLY
def test_the_api_acts_with_a_token(shop: Callable[..., Shop]) -> None:
    here = shop()
    settings = Settings(
        catalogue=str(here.folder / "catalogue.yaml"), docker=here.address, database=f"sqlite:///{here.database}",
        allow_actions=True, token=TOKEN,
    )  # fmt: skip
    made = create_app(settings)
    assert ask(made, "/api/services/db/stop", "POST").status_code == 401
    assert ask(made, "/api/services/nothing/stop", "POST", headers=BEARER).status_code == 404
    assert here.posts == []
    answer = ask(made, "/api/services/db/restart", "POST", headers=BEARER)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"] == "done"
    assert len(here.posts) == 1
    ((action, name, outcome, who),) = here.trail()
    assert (action, name, outcome) == ("restart", "db", "done")
    assert who.startswith("token from ")
