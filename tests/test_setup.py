"""Setups of both sides: how each way to write a thing becomes one text, and that no secret is in any."""

from __future__ import annotations

from typing import Any

import pytest

from auditor import setup
from auditor.model import Setup
from auditor.sources.docker.setup import parse_image, parse_setup
from tests.projects import DIGEST, snapshot_of

ID = "0123456789abcdef" * 4
EVERYWHERE = "0.0.0.0"  # noqa: S104  compared, never bound


def wanted(service: dict[str, Any], **planes: Any) -> Setup:
    """What a service of the project `shop` is to be made with."""
    told = planes.pop("compose", {})
    content = {"name": "shop", "services": {"web": {"image": "x:1", **service}}, **told}
    (project,) = snapshot_of({"compose": content, "containers": [], **planes}).projects
    made = project.definitions[0].setup
    assert made is not None
    return made


def seen(config: dict[str, Any] | None = None, host: dict[str, Any] | None = None, **more: Any) -> Setup:
    """What an engine shows of a container."""
    return parse_setup({"Id": ID, "Name": "/web-1", "Config": config or {}, "HostConfig": host or {}, **more}, DIGEST)


@pytest.mark.parametrize(
    ("service", "field", "value"),
    [
        ({"command": None}, "command", "absent"),
        ({"command": []}, "command", ()),
        ({"command": "a 'b c'"}, "command", (DIGEST("a"), DIGEST("b c"))),
        ({"command": "a ${UNSET}"}, "command", None),
        ({"environment": ["A=1", "B", "C=${UNSET}x"]}, "environment", {"A": DIGEST("1"), "B": None, "C": None}),
        ({"env_file": "missing.env"}, "environment", {"*": None}),
        ({"ports": ["127.0.0.1:80-81:80-81"]}, "ports", ("127.0.0.1:80:80/tcp", "127.0.0.1:81:81/tcp")),
        ({"ports": ["80", "8000-8005:81/udp"]}, "ports", (":8000-8005:81/udp", "::80/tcp")),
        ({"ports": ["${UNSET}:80"]}, "ports", None),
        ({"expose": ["90-91"], "ports": ["1:80"]}, "expose", ("80/tcp", "90/tcp", "91/tcp")),
        ({"volumes": ["./a:/a/", "../b:/b", "~/c:/c", "/d:/d"]}, "volumes",
         {"/a": "bind:./a", "/b": "bind:../b", "/c": "bind:~/c", "/d": "bind:/d"}),
        ({"volumes": ["./a:/a:ro,rprivate,z"]}, "volume_options", {"/a": "ro,z"}),
        ({"tmpfs": "/t:mode=0755,size=1m"}, "volume_options", {"/t": "mode=755,size=1048576"}),
        ({"networks": {"default": {"aliases": ["b", "a"]}}}, "network_aliases", {"shop_default": "a,b"}),
        ({"mem_limit": "1g"}, "mem_limit", 1 << 30),
        ({"deploy": {"resources": {"limits": {"memory": "64m"}}}}, "mem_limit", 64 << 20),
        ({"deploy": {"resources": {"limits": {"memory": "${UNSET}"}}}}, "mem_limit", None),
        ({"restart": "on-failure:3"}, "restart", "on-failure:3"),
        ({"restart": "always", "deploy": {"restart_policy": {"condition": "none"}}}, "restart", "no"),
        ({"healthcheck": {"disable": True}}, "healthcheck", {"test": "none"}),
        ({"healthcheck": {"interval": "1m30s"}}, "healthcheck", {"interval": "90"}),
        ({"cap_add": ["cap_net_admin"]}, "cap_add", ("NET_ADMIN",)),
        ({"stop_grace_period": "1m30s", "stop_signal": "15"}, "stop_grace_period", 90),
        ({"extra_hosts": {"a": "192.0.2.1"}}, "extra_hosts", ("a=192.0.2.1",)),
        ({"ulimits": {"nproc": 5}}, "ulimits", {"nproc": "5:5"}),
        ({"gpus": "all"}, "device_requests", ("devices=all capabilities=gpu",)),
    ],
)  # fmt: skip
def test_what_a_file_wants(service: dict[str, Any], field: str, value: object) -> None:
    assert wanted(service).get(field, "absent") == value


def test_real_names_and_files_of_top_level_sections() -> None:
    sections = {
        "volumes": {"data": {}, "old": {"name": "real"}, "out": {"external": True}},
        "networks": {"a": {}, "b": {"name": "edge"}},
        "secrets": {"token": {"file": "token.txt"}, "other": {"environment": "X"}},
    }
    service = {"volumes": ["data:/d", "old:/o", "out:/x"], "networks": ["a", "b"], "secrets": ["token", "other"]}
    made = wanted(service, compose=sections, files={"token.txt": "x"})
    assert made["networks"] == ("edge", "shop_a")
    assert made["volumes"] == {
        "/d": "volume:shop_data", "/o": "volume:real", "/x": "volume:out", "/run/secrets/token": "bind:./token.txt",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "host", "field", "value"),
    [
        ({"Cmd": None}, {}, "command", ()),
        ({"Env": ["A=1", "B", "C=x=y"]}, {}, "environment", {"A": DIGEST("1"), "B": None, "C": DIGEST("x=y")}),
        ({"Labels": {"a": "1", "com.docker.compose.project": "x"}}, {}, "labels", {"a": DIGEST("1")}),
        ({"Hostname": ID[:12]}, {}, "hostname", ""),
        ({}, {"PortBindings": {"80/tcp": [{"HostIp": EVERYWHERE, "HostPort": "0"}]}}, "ports", ("::80/tcp",)),
        ({}, {"RestartPolicy": {"Name": "", "MaximumRetryCount": 0}}, "restart", "no"),
        ({}, {"CapAdd": ["CAP_NET_ADMIN"]}, "cap_add", ("NET_ADMIN",)),
        ({}, {"Binds": ["/srv/a:/a:ro", f"{ID}:/b:rw", "shop_data:/c"]}, "volumes",
         {"/a": "bind:/srv/a", "/b": "volume:", "/c": "volume:shop_data"}),
        ({}, {"Binds": ["/srv/a:/a:ro,z"]}, "volume_options", {"/a": "ro,z"}),
        ({}, {"Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 9, "Mode": 493}}]},
         "volume_options", {"/t": "mode=755,size=9"}),
        ({}, {"Tmpfs": {"/run": "size=1m"}}, "volume_options", {"/run": "size=1048576"}),
        ({"Healthcheck": {"Test": ["NONE"]}}, {}, "healthcheck", {"test": "none"}),
        ({"Healthcheck": {"Interval": 90_000_000_000, "Retries": 3}}, {}, "healthcheck",
         {"interval": "90", "retries": "3"}),
        ({}, {"NanoCpus": 250_000_000}, "cpus", 0.25),
        ({}, {"SecurityOpt": ["no-new-privileges", 'seccomp={"a": 1}']}, "security_opt",
         ("no-new-privileges", "seccomp:a profile of its own")),
        ({"Hostname": "named"}, {}, "hostname", "named"),
        ({}, {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}}, "logging_options",
         {"max-size": DIGEST("1m")}),
    ],
)  # fmt: skip
def test_what_an_engine_shows(config: dict[str, Any], host: dict[str, Any], field: str, value: object) -> None:
    assert seen(config, host)[field] == value


def test_networks_with_what_was_asked_for_of_each() -> None:
    joined = {
        "shop_a": {
            "Aliases": [ID[:12], "web", "www"],
            "IPAMConfig": {"IPv4Address": "192.0.2.7"},
            "MacAddress": "02:AA",
        }
    }
    made = seen(NetworkSettings={"Networks": joined})
    assert made["networks"] == ("shop_a",)
    assert made["network_aliases"] == {"shop_a": "web,www"}
    assert made["network_addresses"] == {"shop_a": "192.0.2.7"}
    assert made["mac_address"] == ("02:aa",)


def test_a_container_that_failed_to_start_shows_no_networks() -> None:
    assert "networks" not in seen(NetworkSettings={"Networks": {}})


def test_an_image_tells_what_it_sets_itself() -> None:
    config = {"Env": ["A=1"], "Volumes": {"/data/": {}}, "User": "app", "ExposedPorts": {"80/tcp": {}}}
    image = parse_image({"Id": "sha256:1", "RepoTags": ["x:1"], "RepoDigests": None, "Config": config}, "main", DIGEST)
    assert (image.references, image.digests) == (("x:1",), ())
    assert image.setup is not None
    assert (image.setup["user"], image.setup["volumes"], image.setup["expose"]) == ("app", {"/data": ""}, ("80/tcp",))


def test_no_setup_holds_a_secret() -> None:
    config = {
        "Env": ["A=canary"], "Cmd": ["canary"], "Entrypoint": ["canary"], "Labels": {"a": "canary"},
        "Healthcheck": {"Test": ["CMD", "canary"]},
    }  # fmt: skip
    host = {"LogConfig": {"Config": {"token": "canary"}}, "Annotations": {"a": "canary"}}
    service = {
        "environment": {"A": "canary"}, "command": "canary", "entrypoint": "canary", "labels": {"a": "canary"},
        "healthcheck": {"test": "canary"}, "logging": {"options": {"token": "canary"}}, "annotations": {"a": "canary"},
    }  # fmt: skip
    assert "canary" not in repr(seen(config, host)) + repr(wanted(service))


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (setup.signal("9"), "SIGKILL"),
        (setup.signal("usr1"), "SIGUSR1"),
        (setup.cpus("0-2,5"), "0,1,2,5"),
        (setup.host("six:[2001:db8::1]"), "six=2001:db8::1"),
        (setup.shown_port("127.0.0.1::80/tcp"), "a random port of 127.0.0.1 for `80/tcp`"),
        (setup.shown_port(":8080:80/tcp"), "`8080` for `80/tcp`"),
        (setup.security("no-new-privileges=true"), "no-new-privileges"),
        (setup.security("apparmor=unconfined"), "apparmor:unconfined"),
    ],
)
def test_single_texts(made: str, text: str) -> None:
    assert made == text
