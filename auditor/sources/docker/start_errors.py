"""Why an engine could not start a container, in our own words: its message quotes commands, which may hold secrets."""

from __future__ import annotations

import re

from auditor.sources.hostile import printable

_ADDRESS = r"(\S{1,60}?:\d{1,5})"
# What engines 20 to 28 say -> what is told of it, the first that fits. Only addresses and the names of networks and
# of what the kernel limits are taken over: nothing of a command, a variable or a path.
_REASONS = (
    (
        rf"[Bb]ind for {_ADDRESS} failed: port is already allocated",
        "port {0} is already allocated to another container",
    ),
    (rf"listen (?:tcp|udp)[46]? {_ADDRESS}: bind: address already in use", "port {0} is already in use on the host"),
    (rf"bind host port for {_ADDRESS}:\S+: address already in use", "port {0} is already in use on the host"),
    (r"port is already allocated|address already in use", "a port that it publishes is already in use"),
    (r"Address already in use", "the address that it asks for in a network is taken"),
    (r"no available IPv[46] addresses", "a network of its has no free address"),
    (r"cannot join (?:network|\w+ namespace) of a non.running container", "the container that it joins does not run"),
    (r"\bnetwork ([\w.-]{1,100}) not found", "its network `{0}` is missing"),
    (r"No such container", "the container whose network or processes it joins is missing"),
    (
        r"Are you trying to mount a directory",
        "a mount puts a directory in the place of a file, or a file in a directory's",
    ),
    (
        r"bind source path does not exist|error while creating mount source",
        "the source of one of its mounts is missing",
    ),
    (r"unable to find (?:user|group)|no matching entries in (?:passwd|group)", "its user or group is not in the image"),
    (r"no space left on device", "no space is left on the engine's disk"),
    (r"could not select device driver", "no driver is there for a device that it asks for"),
    (r"error gathering device information", "a device that it asks for is not there"),
    (
        r"write /sys/fs/cgroup/\S*/([a-z]{1,20}\.[a-z0-9_.]{1,60}): ([a-z][a-z ]{1,60})",
        "the kernel refuses one of its limits, `{0}`: {1}",
    ),
    (
        r"sysctl \"?([a-z][\w./-]{1,80})\"? is not in a separate kernel namespace|"
        r"open /proc/sys/([\w./-]{1,80}): ",
        "the kernel refuses one of its sysctls, `{0}`",
    ),
    (r"error setting rlimit|setrlimit", "the kernel refuses one of its `ulimits`"),
    (r"too many open files", "its `ulimits`, or the engine's own, allow too few open files"),
    (r"apparmor|AppArmor", "its AppArmor profile cannot be used"),
    (r"[Ss]eccomp", "its seccomp profile cannot be used"),
    (
        r"unknown or invalid runtime name|[Uu]nknown runtime specified",
        "the engine has not the runtime that it asks for",
    ),
    (r"read-only file system", "a mount needs a place in a file system that cannot be written"),
    (r"exec format error", "its executable is made for another kind of machine, or is a script without `#!`"),
    (r"executable file not found", "the executable of its command is not found"),
    (r"exec.*: no such file or directory", "the executable of its command is not found"),
    (r"exec.*: permission denied", "what its command names may not be executed"),
)


def reason(said: object) -> str | None:
    """What `State.Error` of a container tells; None where it is empty."""
    if not isinstance(said, str) or not said.strip():
        return None
    text = printable(said, 2000)
    for pattern, told in _REASONS:
        if found := re.search(pattern, text):
            return told.format(*(printable(part, 100) for part in found.groups() if part is not None))
    return "the engine does not say why in words that can be shown; `docker inspect` has its own"
