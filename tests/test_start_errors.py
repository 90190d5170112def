"""Why an engine could not start a container: asked of real engines, old and new, and without any word of a command."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import docker.errors
import pytest

from auditor.sources.docker import read_containers
from auditor.sources.docker.start_errors import reason
from tests.parts.engine import Engine

CANARY = "c4n4ry-9f27ab1e-of-a-command"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", None),
        (None, None),
        (7, None),
        ("driver failed on endpoint x: Bind for 0.0.0.0:80 failed: port is already allocated", "port 0.0.0.0:80 is"),
        ("Bind for [::]:80 failed: port is already allocated", "port [::]:80 is already allocated"),
        (f'runc: exec: "{CANARY}": executable file not found in $PATH: unknown', "the executable of its command"),
        (f"something new about {CANARY}\x1b[31m", "the engine does not say why"),
        (
            'runc create failed: failed to write "100": write /sys/fs/cgroup/cpu/docker/5b02/cpu.cfs_quota_us: '
            "invalid argument: unknown",
            "the kernel refuses one of its limits, `cpu.cfs_quota_us`: invalid argument",
        ),
        ('runc create failed: sysctl "kernel.domainname" is not in a separate kernel namespace', "`kernel.domainname`"),
        ("runc create failed: write sysctl: open /proc/sys/net/nothing/here: no such file", "`net/nothing/here`"),
        ("error loading seccomp filter into kernel: pipe2: too many open files: unknown", "too few open files"),
        (f'error gathering device information while adding custom device "/dev/{CANARY}"', "a device that it asks for"),
        ("failed to set up container networking: Address already in use", "the address that it asks for in a network"),
        (f"cannot join network of a non running container: {CANARY}", "the container that it joins does not run"),
        (f"unknown or invalid runtime name: {CANARY}", "the engine has not the runtime"),
        ('exec /entry.sh: exec format error: "' + CANARY, "made for another kind of machine"),
    ],
)
def test_what_is_told(said: object, told: str | None) -> None:
    found = reason(said)
    assert (found is None) if told is None else (told in str(found))
    assert CANARY not in str(found)


def start(engine: Engine, name: str, command: list[str] | None = None, **host: Any) -> None:
    api = engine.client.api
    more = {"ports": [80]} if "port_bindings" in host else {}
    if "user" in host:
        more["user"] = host.pop("user")
    made = api.create_container(
        "busybox:test", command, name=name, host_config=api.create_host_config(**host), environment=[CANARY], **more
    )
    if host.get("network_mode") == "fleeting":
        api.remove_network("fleeting")
    with contextlib.suppress(docker.errors.APIError):
        api.start(made)


def the_port_of_another(engine: Engine) -> str:
    engine.client.containers.run("busybox:test", name="first", detach=True, ports={"80/tcp": ("127.0.0.1", None)})
    address = engine.client.containers.get("first").attrs["NetworkSettings"]["Ports"]["80/tcp"][0]
    start(engine, "failed", port_bindings={80: ("127.0.0.1", int(address["HostPort"]))})
    return f"port 127.0.0.1:{address['HostPort']} is already allocated to another container"


def a_port_of_the_host(engine: Engine) -> str:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        start(engine, "failed", port_bindings={80: ("127.0.0.1", port)})
    return f"port 127.0.0.1:{port} is already in use on the host"


def no_executable(engine: Engine) -> str:
    start(engine, "failed", ["nothing-here", f"--password={CANARY}"])
    return "the executable of its command is not found"


def a_network_that_is_gone(engine: Engine) -> str:
    engine.client.api.create_network("fleeting")
    start(engine, "failed", network_mode="fleeting")
    return "its network `fleeting` is missing"


def no_user(engine: Engine) -> str:
    start(engine, "failed", user="nobody-here")
    return "its user or group is not in the image"


def a_file_over_a_directory(engine: Engine) -> str:
    start(engine, "failed", binds=["/etc/hostname:/etc:ro"])
    return "a mount puts a directory in the place of a file, or a file in a directory's"


@pytest.mark.engine
@pytest.mark.parametrize("version", ["engine", "engine28"])
@pytest.mark.parametrize(
    "attempt",
    [the_port_of_another, a_port_of_the_host, no_executable, a_network_that_is_gone, no_user, a_file_over_a_directory],
)
def test_what_an_engine_says(version: str, attempt: Callable[[Engine], str], request: pytest.FixtureRequest) -> None:
    engine = request.getfixturevalue(version)
    engine.clear()
    engine.import_busybox("busybox:test")
    told = attempt(engine)
    failed = {c.name: c for c in read_containers(engine.address, "prod")}["failed"]
    engine.clear()
    assert (failed.state, failed.start_error) == ("created", told)
    assert CANARY not in repr(failed)
