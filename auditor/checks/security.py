"""What would an intruder thank us for?"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from auditor.inventory import Snapshot
from auditor.model import Definition, Location, Mount, Port, Project, Severity, Variable
from auditor.registry import Problem, check


@check(
    Definition,
    Severity.CRITICAL,
    fix="Give it as a file below `secrets:` (`<NAME>_FILE`), or as a plain `${NAME}` without default; then change it.",
    needs=("compose",),
)
def secret_in_environment(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A secret stands in the Compose file, readable for everybody who reads the repository.

    It stays in the history after it is taken out, and `docker inspect` shows it. A plain `${NAME}`, a `*_FILE` and an
    empty value are none. The auditor keeps the name of a variable and drops its value.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {API_TOKEN: "made-up-4f9a77c1"}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {API_TOKEN_FILE: /run/secrets/api_token}}
    """
    for variable in definition.variables:
        if variable.kind == "secret":
            yield _problem(f"`{variable.name}` of `{definition.name}` holds a secret", variable, definition)


@check(
    Definition,
    Severity.CRITICAL,
    fix="Generate a secret for each installation, give it as a file below `secrets:`, and let no default stand in.",
    needs=("compose",),
)
def default_secret(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A secret is a word that everybody knows.

    Defaults such as `changeme` stand in public examples and are what is tried first.

    Bad:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {JWT_SECRET: "${JWT_SECRET:-changeme}"}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1", environment: {JWT_SECRET_FILE: /run/secrets/jwt}}
    """
    for variable in definition.variables:
        if variable.kind == "default-secret":
            word = f" `{variable.default}`" if variable.default else ""
            said = f"`{variable.name}` of `{definition.name}` is the well-known default{word}"
            yield _problem(said, variable, definition)


def _problem(message: str, variable: Variable, definition: Definition) -> Problem:
    return Problem(
        message,
        (variable.location or _place(definition, variable.name),),
        key=variable.name,
        field=f"environment.{variable.name}",
        cause=f"secret:{definition.name}:{variable.name}",
    )


def _place(definition: Definition, name: str) -> Location:
    return definition.place(f"environment.{name}", "environment")


# --- what the host gives away ------------------------------------------------------------------------------------

_SOCKETS = frozenset(
    {"docker.sock", "podman.sock", "containerd.sock", "crio.sock", "cri-dockerd.sock", "buildkitd.sock"}
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
    if source is None:
        return mount.kind == "npipe" and posixpath.basename((mount.source or "").replace("\\", "/")) in _PIPES
    return posixpath.basename(source) in _SOCKETS


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
_KEYS = re.compile(r"(?:~|/root|/(?:home|Users)/[^/]+)/\.(?:aws|azure|docker|gnupg|kube|ssh)(?:/.*)?")
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
        f"`{definition.name}` mounts {_and(shown)} of the host",
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


def _and(words: list[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else "".join(words)


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
        shown = _and([f"`{mount.target}` ({mount.propagation})" for mount in found])
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
            names = _and([f"`{name}`" for name in sorted(places)])
            what = "volume" if kind == "volume" else "directory"
            said = (
                f"{names} can all write the {what} `{source}`"
                if len(places) > 2
                else f"{names} can both write the {what} `{source}`"
            )
            yield Problem(
                said, tuple(dict.fromkeys(places.values())), key=f"{kind}:{source}", field=f"volumes.{source}"
            )


# --- what a container may do -------------------------------------------------------------------------------------


@check(
    Definition,
    Severity.CRITICAL,
    fix="Take `privileged` away; add the one capability or device that it needs.",
    needs=("compose",),
)
def privileged_container(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container runs privileged.

    It has every capability, every device of the host and no security profile: whoever breaks into it has the host.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", privileged: true}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", devices: ["/dev/ttyUSB0:/dev/ttyUSB0"]}}
    """
    if definition.privileged:
        yield Problem(f"`{definition.name}` runs privileged", (definition.place("privileged"),), field="privileged")


# These open the host, or what all its containers share.
_CRITICAL_CAPABILITIES = frozenset(
    {
        "ALL", "BPF", "DAC_READ_SEARCH", "MAC_ADMIN", "MAC_OVERRIDE", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE",
        "SYS_PTRACE", "SYS_RAWIO",
    }
)  # fmt: skip
# This one rules the container's own network; the host's only in the host's network namespace.
_NETWORK_CAPABILITY = "NET_ADMIN"
_LESS = frozenset({_NETWORK_CAPABILITY, "PERFMON", "SYSLOG", "SYS_TIME"})


@check(
    Definition,
    Severity.CRITICAL,
    fix="Leave the capability out of `cap_add`, or use a narrower one.",
    needs=("compose",),
)
def dangerous_capability(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container is given a capability that leads out of it.

    `SYS_ADMIN`, `SYS_PTRACE`, `SYS_MODULE`, `DAC_READ_SEARCH` and their like break the isolation. `NET_ADMIN` in a
    network of its own is a warning. `NET_BIND_SERVICE`, `CHOWN`, `IPC_LOCK` and the like are harmless.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", cap_add: [SYS_ADMIN]}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", cap_drop: [ALL], cap_add: [NET_BIND_SERVICE]}}
    """
    worst = [name for name in definition.cap_add if name in _CRITICAL_CAPABILITIES]
    if definition.network_mode == "host" and _NETWORK_CAPABILITY in definition.cap_add:
        worst.append(_NETWORK_CAPABILITY)
    found = worst or [name for name in definition.cap_add if name in _LESS]
    if found:
        yield Problem(
            f"`{definition.name}` is given {_and([f'`{name}`' for name in found])}",
            (definition.place("cap_add"),),
            key=",".join(sorted(found)),
            field="cap_add",
            severity=None if worst else Severity.WARNING,
        )


@check(
    Definition,
    Severity.INFO,
    fix="Write `cap_drop: [ALL]`, and add what it needs with `cap_add`.",
    needs=("compose",),
)
def capabilities_kept(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container keeps all the capabilities that the engine gives by default.

    Few programs need any of the fourteen; each is one more thing that an intruder may do.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1"}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", cap_drop: [ALL]}}
    """
    if not definition.cap_drop and not definition.privileged and not definition.provider:
        yield Problem(f"`{definition.name}` drops no capability", (definition.place("image"),), field="cap_drop")


@check(
    Definition,
    Severity.WARNING,
    fix="Give it a network of its own and publish the ports that it needs.",
    needs=("compose",),
)
def host_network(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container is on the host's own network.

    It reaches whatever listens on the host's loopback, and each port that it opens is open on the host.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", network_mode: host}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", ports: ["127.0.0.1:8080:8080"]}}
    """
    if definition.network_mode == "host":
        said = f"`{definition.name}` is on the host's network"
        yield Problem(said, (definition.place("network_mode"),), field="network_mode")


@check(
    Definition,
    Severity.CRITICAL,
    fix="Leave the namespace to the container, or share that of one other service with `service:NAME`.",
    needs=("compose",),
)
def host_namespace(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container shares a namespace with the host.

    With `pid: host` it sees and may end the host's processes, with `ipc: host` it reads their shared memory, with
    `userns_mode: host` its root is the host's root, with `uts: host` it may rename the host.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", pid: host}}
    Good:
        compose:
          services:
            web: {image: "registry.example/web:1"}
            debugger: {image: "registry.example/debugger:1", pid: "service:web"}
    """
    shared = definition.host_namespaces
    if shared:
        names = _and([f"`{key}`" for key in shared])
        noun = "namespace" if len(shared) == 1 else "namespaces"
        places = tuple(dict.fromkeys(definition.place(key) for key in shared))
        said = f"`{definition.name}` shares the host's {noun} {names}"
        yield Problem(said, places, key=",".join(shared), field=shared[0])


@check(
    Definition,
    Severity.CRITICAL,
    fix="Take the option away, or name a profile that allows what the service needs.",
    needs=("compose",),
)
def security_profile_disabled(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container runs without seccomp, AppArmor or SELinux.

    The engine's default profiles keep dangerous system calls and files of the kernel away from it.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", security_opt: ["seccomp:unconfined"]}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", security_opt: ["seccomp:./seccomp.json"]}}
    """
    found = [option for option in definition.security_opt if _option(option) in _DISABLED]
    if found:
        places = tuple(dict.fromkeys(_option_place(definition, option) for option in found))
        said = f"`{definition.name}` runs with {_and([f'`{option}`' for option in found])}"
        yield Problem(said, places, key=",".join(sorted(found)), field="security_opt")


_DISABLED = frozenset(
    {
        ("seccomp", "unconfined"), ("apparmor", "unconfined"), ("label", "disable"), ("label", "disabled"),
        ("systempaths", "unconfined"),
    }
)  # fmt: skip
_PROFILES = frozenset({"seccomp", "apparmor", "label"})


def _option(text: str) -> tuple[str, str]:
    """`seccomp:unconfined` or, as newer engines write it, `seccomp=unconfined`."""
    key, _, value = text.replace("=", ":", 1).partition(":") if "=" in text.partition(":")[0] else text.partition(":")
    return key.strip().lower(), value.strip().lower()


def _option_place(definition: Definition, option: str) -> Location:
    index = definition.security_opt.index(option)
    return definition.place(f"security_opt.{index}", "security_opt")


@check(
    Definition,
    Severity.INFO,
    fix="Name a seccomp or AppArmor profile in `security_opt`.",
    needs=("compose",),
)
def no_security_profile(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container has no security profile of its own.

    The engine's default profile applies, which is made for all programs at once and allows some three hundred calls.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1"}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", security_opt: ["apparmor:docker-web"]}}
    """
    named = any(_option(option)[0] in _PROFILES for option in definition.security_opt)
    if not named and not definition.privileged and not definition.provider:
        said = f"`{definition.name}` names no security profile: the engine's default applies"
        yield Problem(said, (definition.place("security_opt", "image"),), field="security_opt")


@check(
    Definition,
    Severity.INFO,
    fix="Add `no-new-privileges:true` to `security_opt`.",
    needs=("compose",),
)
def new_privileges_allowed(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A process in the container may gain privileges that it was not started with.

    A set-user-id program such as `sudo` makes an ordinary user root. Hardly any service needs one.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1"}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", security_opt: ["no-new-privileges:true"]}}
    """
    if definition.provider or any(_option(option) in _NO_NEW for option in definition.security_opt):
        return
    said = f"`{definition.name}` does not set `no-new-privileges`"
    yield Problem(said, (definition.place("security_opt", "image"),), field="security_opt")


_NO_NEW = frozenset({("no-new-privileges", "true"), ("no-new-privileges", "")})


@check(
    Definition,
    Severity.WARNING,
    fix="Name an unprivileged user with `user:`, or with `USER` in the image.",
    needs=("compose",),
)
def root_user(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The service's processes run as root.

    Root in a container is root on the host's kernel, and owns whatever is mounted. Where neither the Compose file nor
    a Dockerfile of the project names a user the image decides, which is only told.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", user: root}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", user: "1000:1000"}}
    """
    if definition.provider:
        return
    if definition.user is not None:
        if _is_root(definition.user):
            said = f"`{definition.name}` runs as root: `user: {definition.user}`"
            yield Problem(said, (definition.place("user"),), key="user", field="user")
    elif definition.image_user is None:
        said = f"`{definition.name}` names no user: its image decides, and many run as root"
        yield Problem(said, (definition.place("image", "build"),), key="image", field="user", severity=Severity.INFO)
    elif _is_root(definition.image_user):
        said = f"`{definition.name}` runs as root: so its Dockerfile says, and no `user` says otherwise"
        yield Problem(said, (definition.place("build"),), key="user", field="user")


def _is_root(user: str) -> bool:
    return user.partition(":")[0].strip() in ("root", "0")


@check(
    Definition,
    Severity.INFO,
    fix="Set `read_only: true`, with `tmpfs` or volumes for the directories that it writes.",
    needs=("compose",),
)
def writable_root_filesystem(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """The container may change its own program files.

    An intruder can leave programs behind that stay until the container is made anew.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1"}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", read_only: true, tmpfs: [/tmp]}}
    """
    if not definition.read_only and not definition.provider:
        said = f"`{definition.name}` can write its root file system"
        yield Problem(said, (definition.place("read_only", "image"),), field="read_only")


@check(Definition, Severity.WARNING, fix="Take `cgroup_parent` away.", needs=("compose",))
def custom_cgroup_parent(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A container is put into a control group of its own choice.

    The limits of the engine's own group no longer hold for it.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", cgroup_parent: m-executor-abcd}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", mem_limit: 256m}}
    """
    if definition.cgroup_parent:
        said = f"`{definition.name}` runs in the control group `{definition.cgroup_parent}`"
        yield Problem(said, (definition.place("cgroup_parent"),), field="cgroup_parent")


@check(
    Definition,
    Severity.INFO,
    fix="Publish a port from 1024 on, behind the gateway that has the low one.",
    needs=("compose",),
)
def privileged_port(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A service takes a port of the host below 1024.

    Such ports are kept for the host's own services. A gateway on 80 and 443 may well be meant.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", ports: ["80:8080"]}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", ports: ["8080:8080"]}}
    """
    found = {port: port.published for port in definition.ports if _is_low(port)}
    if found:
        numbers = sorted(set(found.values()), key=lambda text: int((text or "0").partition("-")[0]))
        places = tuple(dict.fromkeys(port.location or definition.place("ports") for port in found))
        shown = _and([f"`{number}`" for number in numbers])
        noun = "port" if len(numbers) == 1 else "ports"
        said = f"`{definition.name}` takes the privileged {noun} {shown} of the host"
        yield Problem(said, places, key=",".join(map(str, numbers)), field="ports")


def _is_low(port: Port) -> bool:
    first = (port.published or "").partition("-")[0]
    return first.isdecimal() and 0 < int(first) < 1024


# --- what is said too loud ---------------------------------------------------------------------------------------


@check(
    Definition,
    Severity.INFO,
    fix="Switch it off here; keep it in an override file for development.",
    needs=("compose",),
)
def debug_enabled(definition: Definition, snapshot: Snapshot) -> Iterator[Problem]:
    """A well-known debug switch is on.

    Debug pages show settings and stack traces to whoever asks, and some let the reader run code.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", environment: {FLASK_DEBUG: "1"}}}
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", environment: {FLASK_DEBUG: "0"}}}
    """
    names = definition.debug_switches
    if names:
        where = {variable.name: variable.location for variable in definition.variables}
        places = (where.get(name) or _place(definition, name) for name in names)
        said = f"`{definition.name}` is in debug mode: {_and([f'`{name}`' for name in names])}"
        yield Problem(said, tuple(dict.fromkeys(places)), key=",".join(sorted(names)), field=f"environment.{names[0]}")


@check(
    Project,
    Severity.CRITICAL,
    fix="Add the file to `.gitignore`, take it out with `git rm --cached`, and change what was in it.",
    needs=("compose",),
)
def secret_file_tracked(project: Project, snapshot: Snapshot) -> Iterator[Problem]:
    """A file with secrets stands in the repository, and git does not ignore it.

    An `.env` or `env_file` with passwords, a secret's file, a private key that a service mounts: once committed they
    stay in the history for everybody who can read it. Files named as examples and placeholders are none. Where nothing
    shows that the tree is a git repository nothing is said.

    Bad:
        compose:
          services: {web: {image: "registry.example/web:1", environment: [API_TOKEN]}}
        files:
          .gitignore: "*.log"
          .env: "API_TOKEN=made-up-4f9a77c1"
    Good:
        compose:
          services: {web: {image: "registry.example/web:1", environment: [API_TOKEN]}}
        files:
          .gitignore: ".env"
          .env: "API_TOKEN=made-up-4f9a77c1"
    """
    for file in project.secret_files:
        names = [f"`{name}`" for name in file.names]
        shown = _and(names) if len(names) <= _MOST_NAMES else f"{', '.join(names[:_MOST_NAMES])} and more"
        said = f"`{file.path}` holds {shown}, and git does not ignore it"
        yield Problem(said, (file.location,), key=",".join(sorted(file.names)), field=file.path)


_MOST_NAMES = 4
