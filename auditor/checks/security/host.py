"""What does a service see of the host's files?"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from auditor.inventory import Snapshot
from auditor.model import (
    Definition,
    Location,
    Mount,
    Project,
    Severity,
)
from auditor.regexp import regexp
from auditor.registry import Problem, check
from auditor.words import listed

_SOCKETS = frozenset(
    {
        "docker.sock",
        "docker.sock.raw",
        "podman.sock",
        "containerd.sock",
        "crio.sock",
        "cri-dockerd.sock",
        "buildkitd.sock",
    }
)
_PIPES = frozenset({"docker_engine", "docker_engine_windows"})


@check(
    Definition,
    Severity.CRITICAL,
    fix="Give it a socket proxy that lets through only the calls that it needs, or take the socket away.",
    needs=("compose",),
)
def docker_socket_mounted(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A service holds the socket of the container engine.

    Who can talk to the engine can start a container that mounts the host's root directory: it is root on the host. A
    read-only mount changes nothing, since a socket is no file that one writes.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {DOCKER_HOST: "tcp://socket-proxy:2375"}}
            socket-proxy: {image: "tecnativa/docker-socket-proxy:0.3.0", environment: {CONTAINERS: "1"}}
    """
    places = [_at(mount, definition) for mount in definition.mounts if _is_socket(mount)]
    if definition.api_socket:
        places.append(definition.place("use_api_socket"))
    if places:
        said = f"`{definition.name}` holds the engine's socket, and so is root on the host"
        yield Problem(said, tuple(dict.fromkeys(places)), field="volumes")


def _is_socket(mount: Mount) -> bool:
    source = _host_path(mount)
    if posixpath.basename((mount.source or "").replace("\\", "/")) in _PIPES:  # also in the short form
        return mount.kind in ("bind", "npipe")
    if mount.kind == "bind" and mount.unset:  # `$XDG_RUNTIME_DIR/docker.sock`
        return posixpath.basename(mount.source or "") in _SOCKETS or posixpath.basename(mount.target) in _SOCKETS
    return source is not None and posixpath.basename(source) in _SOCKETS


def _host_path(mount: Mount) -> str | None:
    """The path on the host that a mount shows, where it lies outside the project and is known."""
    path = mount.device if mount.kind == "volume" else mount.source if mount.kind == "bind" else None
    if path is None or mount.unset or not path.startswith(("/", "~")):
        return None
    return "/" + posixpath.normpath(path).lstrip("/") if path.startswith("/") else posixpath.normpath(path)


def _at(mount: Mount, definition: Definition) -> Location:
    return mount.location or definition.place("volumes")


# What holds the whole machine, its secrets or its engine: reading is enough to own it.
_NEVER = frozenset(
    {
        "/", "/boot", "/dev", "/etc", "/home", "/root", "/run", "/var", "/var/lib", "/var/run", "~",
        "/etc/kubernetes", "/etc/shadow", "/etc/gshadow", "/etc/ssh", "/etc/ssl/private", "/etc/sudoers",
        "/etc/sudoers.d", "/var/lib/containerd", "/var/lib/docker", "/var/lib/kubelet", "/dev/mem", "/dev/kmem",
        "/proc/kcore", "/run/containerd", "/run/docker", "/var/run/docker",
    }
)  # fmt: skip
_NEVER_BELOW = ("/etc/kubernetes/", "/etc/ssh/", "/etc/ssl/private/", "/etc/sudoers.d/", "/var/lib/kubelet/")
# What shows much of the host to a reader, and gives it away to a writer.
_NOT_WRITABLE = (
    "/bin", "/etc/cron.d", "/etc/group", "/etc/ld.so.preload", "/etc/pam.d", "/etc/passwd", "/etc/profile.d",
    "/etc/systemd", "/lib", "/lib64", "/sbin", "/usr", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/local/bin",
    "/usr/sbin", "/boot/", "/lib/", "/etc/cron.d/", "/etc/systemd/", "/lib/systemd/",
)  # fmt: skip
_SHOWS = ("/proc", "/sys", "/var/lib/docker/containers", "/var/lib/docker/volumes", "/proc/1", "/sys/kernel")
_KEYS = regexp(r"(?:~|/root|/(?:home|Users)/[^/]+)/\.(?:aws|azure|docker|gnupg|kube|ssh)(?:/.*)?")
_PUBLIC_KEYS = (".pub", "/known_hosts")


@check(
    Definition,
    Severity.CRITICAL,
    fix="Mount only the file or directory that it needs, read-only; keep its own data in a named volume.",
    needs=("compose",),
)
def sensitive_host_mount(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A service sees a directory of the host that opens the host.

    `/etc`, `/root`, the engine's own data or somebody's keys give the host away to whoever reads them; system
    directories do so where they are writable. `/proc` and `/sys`, read-only, are a warning. Single harmless files such
    as `/etc/localtime` are none.

    Bad:
        compose:
          services:
            backup: {image: "registry.example/backup:1", volumes: ["/etc:/backup/etc:ro"]}
    Good:
        compose:
          services:
            backup:
              image: registry.example/backup:1
              volumes: ["/etc/localtime:/etc/localtime:ro", "data:/data"]
          volumes: {data: {}}
    """
    found = [(mount, severity) for mount in definition.mounts if (severity := _exposure(mount))]
    if not found:
        return
    shown = [
        f"`{path}`" + (" (read-only)" if mount.read_only else "") for mount, _ in found if (path := _host_path(mount))
    ]
    yield Problem(
        f"`{definition.name}` mounts {listed(shown)} of the host",
        tuple(dict.fromkeys(_at(mount, definition) for mount, _ in found)),
        key=",".join(sorted({_host_path(mount) or "" for mount, _ in found})),
        field="volumes",
        severity=None if any(severity is Severity.CRITICAL for _, severity in found) else Severity.WARNING,
    )


def _exposure(mount: Mount) -> Severity | None:
    path = _host_path(mount)
    if path is None or _is_socket(mount):
        return None  # a socket has a check of its own
    keys = _KEYS.fullmatch(path) and not path.endswith(_PUBLIC_KEYS)
    if path in _NEVER or path.startswith(_NEVER_BELOW) or keys:
        return Severity.CRITICAL
    writable_system = any(path == name or (name.endswith("/") and path.startswith(name)) for name in _NOT_WRITABLE)
    if writable_system and not mount.read_only:
        return Severity.CRITICAL
    if path in _SHOWS or path.startswith(("/var/lib/docker/", "/var/lib/containerd/")):
        return Severity.WARNING if mount.read_only else Severity.CRITICAL
    return None


@check(
    Definition,
    Severity.WARNING,
    fix="Leave `propagation` at its default, `rprivate`.",
    needs=("compose",),
)
def shared_mount_propagation(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """Mounts that are made later cross between the host and the container.

    With `shared` what the container mounts appears on the host; with `slave` whatever the host mounts later appears in
    the container.

    Bad:
        compose:
          services:
            agent: {image: "registry.example/agent:1", volumes: ["/srv/data:/data:rshared"]}
    Good:
        compose:
          services:
            agent: {image: "registry.example/agent:1", volumes: ["/srv/data:/data:rprivate"]}
    """
    found = [mount for mount in definition.mounts if mount.propagation in ("shared", "rshared", "slave", "rslave")]
    if found:
        shown = listed([f"`{mount.target}` ({mount.propagation})" for mount in found])
        places = tuple(dict.fromkeys(_at(mount, definition) for mount in found))
        targets = ",".join(sorted(mount.target for mount in found))
        yield Problem(
            f"`{definition.name}` shares mounts with the host at {shown}", places, key=targets, field="volumes"
        )


@check(
    Project,
    Severity.INFO,
    fix="Let one service write the volume and mount it read-only elsewhere, or give each its own.",
    needs=("compose",),
)
def shared_volume(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """Several services may write the same volume or directory.

    One of them can spoil the data of the others, or hand them files of its own. One writer with readers that mount it
    read-only is none.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", volumes: ["uploads:/uploads"]}
            scanner: {image: "registry.example/scanner:1", volumes: ["uploads:/in"]}
          volumes: {uploads: {}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", volumes: ["uploads:/uploads"]}
            scanner: {image: "registry.example/scanner:1", volumes: ["uploads:/in:ro"]}
          volumes: {uploads: {}}
    """
    writers: dict[tuple[str, str], dict[str, Location]] = {}
    for definition in project.definitions:
        for mount in definition.mounts:
            shared = mount.kind in ("bind", "volume") and mount.source and not mount.unset and not _is_socket(mount)
            if definition.active and shared and not mount.read_only:
                place = _at(mount, definition)
                writers.setdefault((mount.kind, mount.source or ""), {}).setdefault(definition.name, place)
    for (kind, source), places in writers.items():
        if len(places) > 1:
            names = listed([f"`{name}`" for name in sorted(places)])
            what = "volume" if kind == "volume" else "directory"
            said = (
                f"{names} can all write the {what} `{source}`"
                if len(places) > 2
                else f"{names} can both write the {what} `{source}`"
            )
            yield Problem(
                said, tuple(dict.fromkeys(places.values())), key=f"{kind}:{source}", field=f"volumes.{source}"
            )
