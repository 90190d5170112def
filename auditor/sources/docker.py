"""Reads what runs from a Docker Engine: one list, then bounded inspections. Only GET, and only what is read here.

Every call has a timeout and the whole read a deadline, so a frozen engine costs seconds. Environment variables,
commands and the output of health checks are dropped at once: they may hold secrets.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import requests
from docker import APIClient
from docker.constants import DEFAULT_UNIX_SOCKET
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, NotFound
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from auditor.causes import causes
from auditor.errors import EvidenceError
from auditor.model import Container, Port
from auditor.sources.hostile import printable

TOTAL = 8.0  # seconds for everything, whatever the engine does
WORKERS = 8
BODY_LIMIT = 32 * 2**20  # bytes of one answer; a list of 10,000 containers has some 15 MB
EVENT_LIMIT = 4 * 2**20
CONTAINER_LIMIT = 20_000
FIRST_VERSION = "1.24"  # any engine answers `/version` whatever is named here: that call has no version
GRACE = 3600  # seconds that a stop may take between `kill` and `die`

# All that is ever asked for; a name or id from outside cannot lead anywhere else.
ALLOWED = re.compile(r"(/v[0-9.]+)?/(version|containers/json|containers/[0-9a-f]{64}/json|events)")
_ID = re.compile(r"[0-9a-f]{64}")
_RELOADS = frozenset({"1", "10", "12", "28"})  # HUP, USR1, USR2, WINCH: sent to reload, not to stop
_SECTIONS = {"version": "VERSION", "containers": "CONTAINERS", "events": "EVENTS"}
_STATUS_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting)\)")

JSON = Mapping[str, Any]


def read_containers(
    address: str, environment: str, *, timeout: float = 5.0, total: float = TOTAL
) -> tuple[Container, ...]:
    """Every container that the engine at `address` has, by name, running or not.

    address: `unix:///...`, `tcp://host:port`, `https://host:port`, `ssh://...`, the name of a Docker context, or `env`
    (DOCKER_HOST, else the current context, as the Docker CLI has it). timeout: seconds a call, total: for everything.
    A container that vanishes while it is read is left out; one that cannot be inspected says so in `unread`.
    Raises EvidenceError, with the cause named, where the list itself cannot be read.
    """
    deadline = time.monotonic() + total
    outcome: SimpleQueue[tuple[Container, ...] | EvidenceError | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            outcome.put(_read(address, environment, timeout, deadline))
        except BaseException as error:
            outcome.put(error)

    # A daemon thread: a peer that feeds single bytes for ever can hold neither the scan nor the end of the process.
    threading.Thread(target=work, name="docker-source", daemon=True).start()
    try:
        found = outcome.get(timeout=total + 0.5)
    except Empty:
        raise _silent(address, total) from None
    if isinstance(found, BaseException):
        raise found
    return found


def _read(address: str, environment: str, timeout: float, deadline: float) -> tuple[Container, ...]:
    try:
        with _connect(address, timeout, deadline) as engine:
            listed = _listed(engine)
            details = _inspect_all(engine, [str(item["Id"]) for item in listed], deadline - 1.0)
            containers = tuple(_joined(listed, details, environment))
            return _with_kills(engine, containers)
    except _FAILURES as error:
        raise _explain(address, error, timeout) from None


# --- the connection --------------------------------------------------------------------------------------------


class Engine(APIClient):
    """The SDK's client, held to GET, to the allow-list, to a deadline and to a bounded answer."""

    deadline = float("inf")

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        path = urlsplit(request.url or "").path
        if request.method != "GET" or not ALLOWED.fullmatch(path):
            raise DockerException(f"`{request.method} {printable(path)}` is not on the list of allowed requests")
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise requests.exceptions.ReadTimeout("deadline")
        kwargs["timeout"] = min(float(kwargs.get("timeout") or self.timeout), left)
        kwargs["allow_redirects"] = False
        wants_stream = kwargs.get("stream", False)
        response = super().send(request, **{**kwargs, "stream": True})
        if not wants_stream:
            response._content = b"".join(self.chunks(response, BODY_LIMIT))
        return response

    def chunks(self, response: requests.Response, limit: int) -> Iterator[bytes]:
        """The body as it comes, up to the deadline and `limit` bytes."""
        size = 0
        for chunk in response.iter_content(2**16):
            size += len(chunk)
            if size > limit:
                response.close()
                raise DockerException(f"an answer is larger than {limit // 2**20} MiB")
            if time.monotonic() > self.deadline:
                response.close()
                raise requests.exceptions.ReadTimeout("deadline")
            yield chunk


def _connect(address: str, timeout: float, deadline: float) -> Engine:
    options = _options(address)
    _knock(str(options.get("base_url") or DEFAULT_UNIX_SOCKET), timeout)
    first = _client(options, FIRST_VERSION, timeout, deadline)
    version = first.version(api_version=False).get("ApiVersion")
    first.close()
    if not isinstance(version, str) or not re.fullmatch(r"\d+\.\d+", version):
        raise DockerException("the answer is not that of a Docker Engine")
    return _client(options, version, timeout, deadline)


def _knock(address: str, timeout: float) -> None:
    """One plain connection to a local socket: its error says more than the SDK's, which also leaves the socket open."""
    scheme, _, path = address.partition("://")
    if scheme.endswith("unix"):
        with socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(timeout)
            knock.connect("/" + path.lstrip("/"))


def _client(options: Mapping[str, Any], version: str, timeout: float, deadline: float) -> Engine:
    # `timeout` is typed as whole seconds, the transport takes any number.
    engine = Engine(version=version, timeout=timeout, max_pool_size=WORKERS, **options)  # type: ignore[arg-type]
    engine.trust_env = False  # proxies, netrc and CA bundles of the shell do not lead to the engine
    engine.deadline = deadline
    return engine


def _options(address: str) -> dict[str, Any]:
    """The SDK's options for an address. Raises EvidenceError for one that cannot be meant."""
    if address == "env":
        found = kwargs_from_env()
        return {**({} if "base_url" in found else ContextAPI.kwargs_from_context()), **found}
    scheme, separator, _ = address.partition("://")
    if not separator:
        return _context_options(address)
    if scheme not in ("unix", "tcp", "http", "https", "ssh"):
        raise EvidenceError(
            f"`{printable(address)}` is no address of a Docker Engine",
            help="use `unix:///...`, `tcp://host:port`, `ssh://user@host`, the name of a Docker context, or `env`",
        )
    if scheme != "ssh" and "@" in address:
        raise EvidenceError(
            f"the address `{_shown(address)}` holds a user",
            help="the Docker Engine knows clients by their certificates",
        )
    if scheme == "ssh":
        _require_paramiko()
        return {"base_url": address, "use_ssh_client": True}
    if scheme == "https" or (scheme == "tcp" and address.endswith(":2376")):
        return {"base_url": address, "tls": _tls()}
    return {"base_url": address}


def _context_options(name: str) -> dict[str, Any]:
    if name != "default" and ContextAPI.get_context(name) is None:
        raise EvidenceError(f"there is no Docker context `{printable(name)}`", help="`docker context ls` lists them")
    return dict(ContextAPI.kwargs_from_context(environment={"DOCKER_CONTEXT": name}))


def _require_paramiko() -> None:
    """The SDK imports it even where the machine's own ssh does the work. Raises EvidenceError without it."""
    if find_spec("paramiko") is None:
        raise EvidenceError("`ssh://` needs the package `paramiko`", help="install `docker[ssh]`")


def _tls() -> TLSConfig:
    """The certificates where the Docker CLI looks for them; the server is always verified."""
    return kwargs_from_env({**_certificate_place(), "DOCKER_TLS_VERIFY": "1"})["tls"]


def _certificate_place() -> dict[str, str]:
    place = os.environ.get("DOCKER_CERT_PATH")
    return {"DOCKER_CERT_PATH": place} if place else {}


# --- reading ---------------------------------------------------------------------------------------------------


def _listed(engine: Engine) -> Sequence[JSON]:
    listed = engine.containers(all=True)
    if not isinstance(listed, list):
        raise DockerException("the answer is not that of a Docker Engine")
    wanted = [item for item in listed if isinstance(item, dict) and _ID.fullmatch(str(item.get("Id")))]
    if len(wanted) > CONTAINER_LIMIT:
        raise DockerException(f"it has {len(wanted)} containers, more than {CONTAINER_LIMIT}")
    return wanted


def _inspect_all(engine: Engine, ids: Sequence[str], deadline: float) -> dict[str, JSON | str | None]:
    """Each id's details; a text: why they cannot be read; None: the container is gone. One bad one hides no other."""
    waiting: SimpleQueue[str] = SimpleQueue()
    done: SimpleQueue[tuple[str, JSON | str | None]] = SimpleQueue()
    for container in ids:
        waiting.put(container)

    def work() -> None:
        while time.monotonic() < deadline:
            try:
                container = waiting.get_nowait()
            except Empty:
                return
            done.put((container, _inspect(engine, container)))

    for _ in range(min(WORKERS, len(ids))):
        threading.Thread(target=work, name="docker-inspect", daemon=True).start()
    details: dict[str, JSON | str | None] = {}
    while len(details) < len(ids):
        try:
            container, found = done.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        details[container] = found
    return {container: details.get(container, "no answer in time") for container in ids}


def _inspect(engine: Engine, container: str) -> JSON | str | None:
    try:
        found = engine.inspect_container(container)
        return found if isinstance(found, dict) else "the answer is not an object"
    except NotFound:
        return None
    except _FAILURES as error:
        return _cause(error, engine.timeout)[0]


def _joined(listed: Iterable[JSON], details: Mapping[str, JSON | str | None], environment: str) -> list[Container]:
    containers = []
    for item in listed:
        found = details[str(item["Id"])]
        if found is None:
            continue
        if not isinstance(found, str):
            try:
                containers.append(parse_container(item, found, environment))
                continue
            except (AttributeError, LookupError, TypeError, ValueError):
                found = "the answer has an unknown shape"
        containers.append(replace(parse_listed(item, environment), unread=found))
    return sorted(containers, key=lambda container: (container.name, container.id))


# --- parsing ---------------------------------------------------------------------------------------------------


def parse_listed(item: JSON, environment: str) -> Container:
    """A container as the list shows it, without its details."""
    labels = _labels(item.get("Labels"))
    status = printable(item.get("Status") or "")
    health = _STATUS_HEALTH.search(status)
    names = item.get("Names") or [item["Id"][:12]]
    settings = item.get("NetworkSettings") or {}
    return Container(
        id=item["Id"],
        name=printable(str(names[0]).lstrip("/")),
        environment=environment,
        image=printable(item.get("Image") or "", 500),
        state=printable(item.get("State") or "unknown", 20),
        status=status,
        health=health[1].removeprefix("health: ") if health else "unknown",
        networks=tuple(sorted(printable(name) for name in settings.get("Networks") or {})),
        **_compose(labels),
    )


def parse_container(item: JSON, details: JSON, environment: str) -> Container:
    """A container from its entry in the list and its inspection. Raises KeyError, TypeError, ... on a strange shape."""
    state, config, host = details["State"], details["Config"], details.get("HostConfig") or {}
    status = printable(state["Status"], 20)
    settings = details.get("NetworkSettings") or {}
    return Container(
        id=details["Id"],
        name=printable(str(details["Name"]).lstrip("/")),
        environment=environment,
        image=printable(config["Image"], 500),
        image_id=printable(details.get("Image") or "") or None,
        state=status,
        status=printable(item.get("Status") or "") or None,
        health=_health(state, status),
        health_output=_failing(state),
        exit_code=state["ExitCode"] if status in ("exited", "dead") else None,
        oom_killed=bool(state.get("OOMKilled")),
        restarts=details.get("RestartCount"),
        started_at=parse_time(state.get("StartedAt")),
        finished_at=parse_time(state.get("FinishedAt")),
        networks=tuple(sorted(printable(name) for name in settings.get("Networks") or {})),
        ports=tuple(_ports(host.get("PortBindings") or {}, settings.get("Ports") or {})),
        memory_limit=host.get("Memory") or None,
        **_compose(_labels(config.get("Labels"))),
    )


def _health(state: JSON, status: str) -> str:
    found = (state.get("Health") or {}).get("Status") or "none"
    if found not in ("healthy", "unhealthy", "starting"):
        return "none"
    return str(found) if status == "running" else "unknown"  # what is left from when it ran


def _failing(state: JSON) -> str | None:
    """That the health check fails, in our own words: its output may hold a secret."""
    health = state.get("Health") or {}
    streak = health.get("FailingStreak") or 0
    log = health.get("Log") or []
    if not streak or not log:
        return None
    return f"health check failed, exit code {int(log[-1]['ExitCode'])}, {int(streak)} times in a row"


def _labels(found: object) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {str(name): str(value) for name, value in found.items()}


def _compose(labels: Mapping[str, str]) -> dict[str, Any]:
    """What the labels of Compose (1 and 2) or of a Swarm stack say of where a container belongs."""
    prefix = "com.docker.compose."
    stack = labels.get("com.docker.stack.namespace")
    service = labels.get(f"{prefix}service")
    if service is None and stack and (swarm := labels.get("com.docker.swarm.service.name")):
        service = swarm.removeprefix(f"{stack}_")
    number = labels.get(f"{prefix}container-number", "")
    files = labels.get(f"{prefix}project.config_files", "")
    return {
        "project": _claim(labels.get(f"{prefix}project") or stack),
        "service": _claim(service),
        "number": int(number) if re.fullmatch(r"[0-9]{1,9}", number) else None,
        "oneoff": labels.get(f"{prefix}oneoff") == "True",
        "config_files": tuple(printable(name, 500) for name in files.split(",")[:100] if name),
        "working_dir": _claim(labels.get(f"{prefix}project.working_dir"), 500),
    }


def _claim(value: str | None, limit: int = 200) -> str | None:
    return printable(value, limit) or None if value else None


def _ports(asked: JSON, given: JSON) -> Iterator[Port]:
    """What was asked for; where that was any port, what the engine gave."""
    for key in sorted({*asked, *given}, key=_port_order):
        target, _, protocol = key.partition("/")
        bindings = asked.get(key) or []
        fixed = [binding for binding in bindings if binding.get("HostPort") not in (None, "", "0")]
        chosen = fixed if fixed and all("-" not in binding["HostPort"] for binding in fixed) else given.get(key)
        seen = set()
        for binding in chosen or bindings:
            port = Port(int(target), binding.get("HostPort") or None, _host(binding.get("HostIp")), protocol or "tcp")
            if port not in seen:
                seen.add(port)
                yield port


def _port_order(key: str) -> tuple[int, str]:
    target, _, protocol = key.partition("/")
    return int(target), protocol


def _host(address: str | None) -> str | None:
    return None if address in (None, "", "0.0.0.0", "::") else printable(address, 50)  # noqa: S104  compared only


def parse_time(text: object) -> datetime | None:
    """An engine's RFC 3339 time, nanoseconds cut; None for its zero time or anything else."""
    if not isinstance(text, str) or text.startswith("0001"):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# --- who ended it ----------------------------------------------------------------------------------------------


def _with_kills(engine: Engine, containers: tuple[Container, ...]) -> tuple[Container, ...]:
    """`killed` for the containers that did not end with 0, as far as the engine's last events go.

    Not only for the codes of signals: a Go program that is told to stop ends with 2 where it is process 1.
    """
    ended = [c for c in containers if c.state in ("exited", "dead") and c.exit_code and c.finished_at]
    if not ended:
        return containers
    events = _events(engine, [container.finished_at for container in ended if container.finished_at])
    killed = {container.id: was_killed(container, events) for container in ended}
    return tuple(replace(c, killed=killed[c.id]) if c.id in killed else c for c in containers)


def _events(engine: Engine, finished: Sequence[datetime]) -> Sequence[JSON]:
    """The kept events about the ends of containers; none where they cannot be read: they are a hint, no evidence.

    Both bounds are the engine's own times, so that its clock needs not agree with ours.
    """
    params = {
        "since": f"{min(finished).timestamp() - GRACE:.3f}",
        "until": f"{max(finished).timestamp() + 0.5:.3f}",
        "filters": json.dumps({"type": ["container"], "event": ["start", "kill", "die"]}),
    }
    try:
        response = engine.get(f"{engine.base_url}/v{engine.api_version}/events", params=params, stream=True)
        if response.status_code != requests.codes.ok:
            return []
        return parse_events(b"".join(engine.chunks(response, EVENT_LIMIT)))
    except _FAILURES:
        return []


def parse_events(body: bytes) -> Sequence[JSON]:
    """The engine's events, one JSON object a line; what is none is left out."""
    events = []
    for line in body.splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def was_killed(container: Container, events: Iterable[JSON]) -> bool | None:
    """Whether somebody told the engine to end `container`; None where the events do not reach back to its end."""
    asked: bool = False
    answer: bool | None = None
    for event in events:
        actor = event.get("Actor") or {}
        if not isinstance(actor, dict) or (actor.get("ID") or event.get("id")) != container.id:
            continue
        action = event.get("Action") or event.get("status")
        if action == "start":
            asked = False
        elif action == "kill" and (actor.get("Attributes") or {}).get("signal") not in _RELOADS:
            asked = True
        elif action == "die" and _is_the_end(event, container):
            answer = asked
    return answer


def _is_the_end(event: JSON, container: Container) -> bool:
    moment = event.get("time")
    finished = container.finished_at
    return isinstance(moment, int) and finished is not None and abs(moment - finished.timestamp()) < 10


# --- what went wrong -------------------------------------------------------------------------------------------

# The SDK lets the transport's own exceptions through, and OSError where it looks for contexts and certificates.
# Its JSON comes from outside: RecursionError.
_FAILURES = (DockerException, requests.exceptions.RequestException, OSError, ValueError, RecursionError)

_ERRNO: Mapping[int, tuple[str, str]] = {
    errno.ENOENT: ("there is no such socket", "is the Docker Engine running, and is its socket's directory mounted?"),
    errno.ENOTDIR: ("there is no such socket", "is the Docker Engine running, and is its socket's directory mounted?"),
    errno.EACCES: ("permission denied", "run as a user of the group `docker`, or use a socket proxy"),
    errno.EPERM: ("permission denied", "run as a user of the group `docker`, or use a socket proxy"),
    errno.ECONNREFUSED: ("connection refused", "is the Docker Engine running at this address?"),
    errno.ECONNRESET: ("the connection was reset", "is the Docker Engine restarting?"),
    errno.EHOSTUNREACH: ("the host cannot be reached", "is the address right, and the network up?"),
    errno.ENETUNREACH: ("the network cannot be reached", "is the address right, and the network up?"),
}


def _explain(address: str, error: BaseException, timeout: float) -> EvidenceError:
    cause, advice = _cause(error, timeout)
    return EvidenceError(f"the Docker Engine at `{_shown(address)}` cannot be read: {cause}", help=advice)


def _silent(address: str, seconds: float) -> EvidenceError:
    return EvidenceError(
        f"the Docker Engine at `{_shown(address)}` cannot be read: docker timeout: no full answer within {seconds:g} s",
        help="is the engine frozen or overloaded?",
    )


def _cause(error: BaseException, timeout: float) -> tuple[str, str]:
    chain = list(causes(error))
    for link in chain:
        if isinstance(link, APIError):
            return _refused(link)
    if any(isinstance(link, requests.exceptions.Timeout | TimeoutError) for link in chain):
        return f"docker timeout: no answer within {timeout:g} s", "is the engine frozen or overloaded?"
    if any(isinstance(link, requests.exceptions.SSLError) for link in chain):
        return "TLS failed", "check the certificates in `DOCKER_CERT_PATH`, and that the engine speaks TLS here"
    for link in chain:
        if isinstance(link, OSError) and (known := _ERRNO.get(link.errno or 0)):
            return known
    return printable(chain[-1]) or type(error).__name__, "check the address, and the engine's own log"


def _refused(error: APIError) -> tuple[str, str]:
    status = error.response.status_code if error.response is not None else None
    path = urlsplit(str(getattr(error.response, "url", ""))).path
    section = next((name for part, name in _SECTIONS.items() if f"/{part}" in path), "CONTAINERS")
    if status in (401, 403):
        return f"HTTP {status} for `{printable(path)}`", f"allow the section `{section}` in the socket proxy"
    return f"HTTP {status} for `{printable(path)}`", "check the engine's own log"


def _shown(address: str) -> str:
    """The address without a user and a password."""
    scheme, separator, rest = address.partition("://")
    return printable(scheme + separator + rest.rpartition("@")[2])
