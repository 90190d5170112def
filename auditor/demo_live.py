"""Stand-in containers for the demo: they play a composed system on a Docker Engine, and are gone afterwards.

The image is made here, of one program of 148 bytes, and imported from memory: nothing is pulled, built or copied from
the machine. Its containers have no network, no mounts and no privileges, and carry the label `auditor.demo=1`.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, Any

from auditor.errors import AuditorError
from auditor.model import Definition, Project

if TYPE_CHECKING:
    from docker import DockerClient

IMAGE = "stack-auditor-stand-in:demo"
LABEL = "auditor.demo"
BY_HAND = "auditor-demo-by-hand"
_TIMEOUT = 20  # seconds for one answer of the engine
_SETTLED = 15.0  # seconds for all health checks to have answered
_BASE = 0x400000
# With one argument it ends well, with two it fails, with none it waits for ever: a health check and a daemon.
_CODE = bytes.fromhex(
    "488b3c24"  # mov rdi, [rsp]   the number of arguments, its own name included
    "48ffcf"  # dec rdi
    "740a"  # jz wait
    "48ffcf"  # dec rdi
    "b83c000000"  # mov eax, 60   exit(rdi)
    "0f05"  # syscall
    "b822000000"  # wait: mov eax, 34   pause()
    "0f05"  # syscall
    "ebf7"  # jmp wait
)


def program() -> bytes:
    """The program: a static ELF file for Linux on x86-64."""
    start = 64 + 56
    size = start + len(_CODE)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header += pack("<HHIQQQIHHHHHH", 2, 62, 1, _BASE + start, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + _CODE


def image() -> bytes:
    """The image's only layer."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        entry = tarfile.TarInfo("stand-in")
        entry.mode, entry.size = 0o755, len(program())
        archive.addfile(entry, io.BytesIO(program()))
    return layer.getvalue()


@contextlib.contextmanager
def stand_ins(project: Project, place: Path, *, tell: Callable[[str], None]) -> Iterator[None]:
    """Containers for every active service of `project` but one; one of them fails its health check, one more is alien.

    `place`: the project's directory. Raises EvidenceError where no engine answers that can run the stand-ins.
    """
    client = _client()
    try:
        _clear(client)
        _import(client)
        tell(f"starting stand-ins for `{project.name}` on the Docker Engine")
        _start(client, project, place)
        yield
    except _engine_errors() as error:
        raise _failed("the Docker Engine refused", error) from error
    finally:
        with contextlib.suppress(*_engine_errors()):
            _clear(client)
        client.close()


def _engine_errors() -> tuple[type[Exception], ...]:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    return DockerException, RequestException


def _failed(what: str, error: Exception) -> AuditorError:
    from auditor.errors import EvidenceError

    return EvidenceError(f"{what}: {_cause(error)}", help="`auditor demo` without --live needs no engine")


def _cause(error: BaseException) -> str:
    """The system's own word where there is one: the SDK wraps it three times."""
    item: BaseException | None = error
    while item is not None:
        if isinstance(item, OSError) and item.strerror:
            return item.strerror.lower()
        item = item.__cause__ or item.__context__
    return str(getattr(error, "explanation", None) or error)


def _client() -> DockerClient:
    import docker

    try:
        client = docker.from_env(timeout=_TIMEOUT)
        version = client.version()
    except _engine_errors() as error:
        raise _failed("no Docker Engine answers", error) from error
    system, machine = version.get("Os"), version.get("Arch")
    if (system, machine) != ("linux", "amd64"):
        client.close()
        raise _failed("the stand-ins cannot run here", ValueError(f"the engine is {system} on {machine}, not amd64"))
    return client


def _import(client: DockerClient) -> None:
    repository, _, tag = IMAGE.partition(":")
    client.api.import_image_from_data(image(), repository=repository, tag=tag)


def _clear(client: DockerClient) -> None:
    """Remove what this or an interrupted run left: only containers with our label, and our image."""
    from docker.errors import NotFound

    for item in client.api.containers(all=True, filters={"label": f"{LABEL}=1"}):
        with contextlib.suppress(NotFound):
            client.api.remove_container(item["Id"], force=True, v=True)
    with contextlib.suppress(NotFound):
        client.api.remove_image(IMAGE, force=True)


def _start(client: DockerClient, project: Project, place: Path) -> None:
    *played, _left_out = [definition for definition in project.definitions if definition.active]
    sick = next((definition.name for definition in played if definition.healthcheck), None)
    plans = [_plan(definition, project, place, sick=definition.name == sick) for definition in played]
    plans.append({"name": BY_HAND, "labels": {LABEL: "1"}})
    with ThreadPoolExecutor(4) as pool:
        containers = list(pool.map(lambda plan: _run(client, plan), plans))
    _wait_for_health(client, containers)


def _plan(definition: Definition, project: Project, place: Path, *, sick: bool) -> dict[str, Any]:
    labels = {
        LABEL: "1",
        "com.docker.compose.project": project.name or "",
        "com.docker.compose.service": definition.name,
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.project.working_dir": str(place),
        "com.docker.compose.project.config_files": ",".join(str(place / path) for path in project.files),
    }
    plan: dict[str, Any] = {"name": f"auditor-demo-{definition.name}-1", "labels": labels}
    if definition.healthcheck and not definition.healthcheck.disabled:
        test = ["CMD", "/stand-in", *(["not", "ok"] if sick else ["ok"])]
        plan["healthcheck"] = {"test": test, "interval": 10**9, "timeout": 5 * 10**9, "retries": 1}
    return plan


def _run(client: DockerClient, plan: dict[str, Any]) -> str:
    limits = client.api.create_host_config(network_mode="none", cap_drop=["ALL"], read_only=True, mem_limit=16 << 20)
    made = client.api.create_container(IMAGE, ["/stand-in"], host_config=limits, **plan)
    client.api.start(made["Id"])
    return str(made["Id"])


def _wait_for_health(client: DockerClient, containers: Sequence[str]) -> None:
    deadline = time.monotonic() + _SETTLED
    for container in containers:
        while time.monotonic() < deadline:
            state = client.api.inspect_container(container)["State"]
            if state.get("Health", {}).get("Status") != "starting":
                break
            time.sleep(0.2)
