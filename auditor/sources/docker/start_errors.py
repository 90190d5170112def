"""Why an engine could not start a container, in our own words: its message quotes commands, which may hold secrets."""

from __future__ import annotations

import re

from auditor.sources.hostile import printable

_ADDRESS = r"(\S{1,60}?:\d{1,5})"
# What engines 20 to 28 say -> what is told of it, the first that fits. Only addresses and the names of networks are
# taken over: nothing of a command, a variable or a path.
_REASONS = (
    (
        rf"[Bb]ind for {_ADDRESS} failed: port is already allocated",
        "port {0} is already allocated to another container",
    ),
    (rf"listen (?:tcp|udp)[46]? {_ADDRESS}: bind: address already in use", "port {0} is already in use on the host"),
    (rf"bind host port for {_ADDRESS}:\S+: address already in use", "port {0} is already in use on the host"),
    (r"port is already allocated|address already in use", "a port that it publishes is already in use"),
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
            return told.format(*(printable(part, 100) for part in found.groups()))
    return "the engine does not say why in words that can be shown"
