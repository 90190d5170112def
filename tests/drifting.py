"""Every field of a container that a file may change, as two fragments of one service, and the check that says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from tests.parts.engine import Engine

LOOPBACK = "LOOPBACK"  # stands for an address that no other engine publishes on


@dataclass(frozen=True, slots=True)
class Change:
    """One field: what a service says before and after, beside its image. `old`: Compose 1.29 knows it too."""

    name: str
    check: str
    before: dict[str, Any]
    after: dict[str, Any]
    old: bool = True
    quick: bool = False  # among those of the short run


def change(name: str, check: str, before: Any, after: Any, **told: bool) -> Change:
    """A change of the key `name`; None leaves it out. A mapping of other keys is taken as it is."""
    key = name.partition("/")[0]
    fragments = [{} if value is None else {key: value} for value in (before, after)]
    return Change(name.replace("/", "-").replace("_", "-"), check, *fragments, **told)


CHANGES = (
    change("command", "command-drift", ["sleep", "1000001"], ["sleep", "1000002"], quick=True),
    change("command/none", "command-drift", None, ["sleep", "1000002"]),
    change("entrypoint", "command-drift", ["sh", "-c", "sleep 1000001"], ["sh", "-c", "sleep 1000002"]),
    change("entrypoint/none", "command-drift", None, ["sleep", "1000002"]),
    change("working_dir", "command-drift", "/tmp", "/etc"),
    change("init", "command-drift", None, True),
    change("tty", "command-drift", None, True),
    change("stdin_open", "command-drift", None, True),
    change("stop_signal", "command-drift", None, "SIGUSR1"),
    change("stop_grace_period", "command-drift", "1s", "2s"),
    change("logging", "command-drift", {"driver": "json-file"}, {"driver": "local"}),
    change("logging/options", "command-drift", {"options": {"max-size": "1m"}}, {"options": {"max-size": "2m"}}),
    change("environment", "environment-drift", {"LEVEL": "info"}, {"LEVEL": "debug"}, quick=True),
    change("environment/extra", "environment-drift", {"A": "1"}, {"A": "1", "B": "2"}),
    change("environment/image", "environment-drift", None, {"GIVEN": "another"}),
    change("env_file", "environment-drift", "one.env", "two.env", quick=True),
    change("ports", "port-drift", ["127.0.0.1:0:80"], ["127.0.0.1:0:80/udp"], quick=True),
    change("ports/published", "port-drift", [f"{LOOPBACK}:18461:80"], [f"{LOOPBACK}:18462:80"]),
    change("ports/address", "port-drift", ["127.0.0.1::80"], ["127.0.0.2::80"]),
    change("expose", "port-drift", ["81"], ["82"]),
    change("volumes", "mount-drift", ["./one.env:/srv/file"], ["./two.env:/srv/file"], quick=True),
    change("volumes/ro", "mount-drift", ["./one.env:/srv/file"], ["./one.env:/srv/file:ro"]),
    change("volumes/named", "mount-drift", ["first:/srv/data"], ["second:/srv/data"]),
    change("volumes/more", "mount-drift", None, ["first:/srv/data"]),
    change("volumes/anonymous", "mount-drift", None, ["/srv/scratch"]),
    change("tmpfs", "mount-drift", ["/scratch"], ["/scratch:size=1m"]),
    change("devices", "mount-drift", None, ["/dev/null:/dev/other:r"]),
    change("secrets", "mount-drift", None, ["token"]),
    change("configs", "mount-drift", None, ["settings"], old=False),
    change("networks", "network-drift", ["front"], ["front", "back"], quick=True),
    change("networks/aliases", "network-drift", {"front": {}}, {"front": {"aliases": ["other"]}}),
    change("networks/address", "network-drift", {"back": {}}, {"back": {}}),
    change("network_mode", "network-drift", None, "none"),
    change("hostname", "network-drift", None, "named"),
    change("domainname", "network-drift", None, "example.test"),
    change("extra_hosts", "network-drift", None, ["other:192.0.2.1"]),
    change("dns", "network-drift", ["192.0.2.1"], ["192.0.2.2"]),
    change("dns_search", "network-drift", None, ["example.test"]),
    change("dns_opt", "network-drift", None, ["use-vc"]),
    change("mac_address", "network-drift", "02:42:c6:13:fa:01", "02:42:c6:13:fa:02"),
    change("sysctls", "network-drift", None, {"net.core.somaxconn": "1024"}),
    change("mem_limit", "limit-drift", "64m", "65m", quick=True),
    change("mem_reservation", "limit-drift", None, "32m"),
    Change(
        "memswap-limit", "limit-drift", {"mem_limit": "64m"}, {"mem_limit": "64m", "memswap_limit": "96m"}
    ),
    change("cpus", "limit-drift", None, 0.5),
    change("cpu_shares", "limit-drift", None, 512),
    change("cpuset", "limit-drift", None, "0"),
    change("pids_limit", "limit-drift", None, 100),
    change("shm_size", "limit-drift", None, "65m"),
    change("ulimits", "limit-drift", {"nofile": 1024}, {"nofile": 1025}),
    change("oom_score_adj", "limit-drift", None, 100),
    Change(
        "deploy-limits", "limit-drift", {"deploy": {"resources": {"limits": {"memory": "64M"}}}},
        {"deploy": {"resources": {"limits": {"memory": "64M", "pids": 50}}}}, old=False,
    ),
    change("restart", "restart-policy-drift", None, "unless-stopped", quick=True),
    Change(
        "restart-policy", "restart-policy-drift", {"restart": "always"},
        {"restart": "always", "deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 3}}}, old=False,
    ),
    change("healthcheck", "healthcheck-drift", {"test": ["CMD", "true"]}, {"test": ["CMD", "false"]}, quick=True),
    change("healthcheck/none", "healthcheck-drift", None, {"test": "true", "interval": "90s"}),
    change(
        "healthcheck/interval", "healthcheck-drift", {"test": "true", "interval": "90s"},
        {"test": "true", "interval": "1m40s"},
    ),
    change("healthcheck/off", "healthcheck-drift", {"test": "true"}, {"disable": True}),
    change("user", "user-drift", None, "65534", quick=True),
    change("group_add", "user-drift", None, ["100"]),
    change("cap_add", "user-drift", None, ["NET_ADMIN"]),
    change("cap_drop", "user-drift", ["MKNOD"], ["MKNOD", "CHOWN"]),
    change("privileged", "user-drift", None, True),
    change("security_opt", "user-drift", None, ["no-new-privileges:true"]),
    change("read_only", "user-drift", None, True),
    change("pid", "user-drift", None, "host"),
    change("ipc", "user-drift", None, "host"),
    change("uts", "user-drift", None, "host", old=False),
    change("userns_mode", "user-drift", None, "host"),
    change("cgroup_parent", "user-drift", None, "/stack-auditor-tests"),
    change("labels", "label-drift", {"route": "one"}, {"route": "two"}, quick=True),
    change("labels/extra", "label-drift", None, {"team": "shop"}),
    change("image", "image-drift", "drifting:1", "drifting:2", quick=True),
)  # fmt: skip

FILES = {"one.env": "FROM_FILE=1\n", "two.env": "FROM_FILE=2\n", "token.txt": "made-up-token\n"}


def project(changes: Iterable[Change], engine: Engine, changed: frozenset[str] = frozenset()) -> str:
    """The text of a project of one service a change; those of `changed` as they are after it."""
    services: dict[str, dict[str, Any]] = {}
    for item in changes:
        said = item.after if item.name in changed else item.before
        services[item.name] = {"image": "drifting:1", **said}
        if item.name == "networks-address" and item.name in changed:
            services[item.name]["networks"] = {"back": {"ipv4_address": engine.subnet(24).removesuffix("0") + "77"}}
    content = {
        "services": services,
        "networks": {
            "default": _on(f"{engine.subnet(16)}/22"),
            "front": {},
            "back": _on(f"{engine.subnet(24)}/24"),
        },
        "volumes": {"first": {}, "second": {}},
        "secrets": {"token": {"file": "./token.txt"}},
        "configs": {"settings": {"file": "./one.env"}},
    }
    if all(item.old for item in changes):
        del content["configs"]
    return yaml.safe_dump(content).replace(LOOPBACK, f"127.0.0.{engine.slot + 10}")


def _on(subnet: str) -> dict[str, Any]:
    return {"ipam": {"config": [{"subnet": subnet}]}}
