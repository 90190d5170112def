"""What may a container do that it need not?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.inventory import Snapshot
from auditor.model import (
    Definition,
    Location,
    Severity,
)
from auditor.registry import Problem, check
from auditor.words import listed


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
            f"`{definition.name}` is given {listed([f'`{name}`' for name in found])}",
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
    if not definition.cap_drop and not definition.privileged:
        yield Problem(f"`{definition.name}` drops no capability", (definition.place("image"),), field="cap_drop")


_DISABLED = frozenset(
    {
        ("seccomp", "unconfined"), ("apparmor", "unconfined"), ("label", "disable"), ("label", "disabled"),
        ("systempaths", "unconfined"),
    }
)  # fmt: skip
_PROFILES = frozenset({"seccomp", "apparmor", "label"})


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
        said = f"`{definition.name}` runs with {listed([f'`{option}`' for option in found])}"
        yield Problem(said, places, key=",".join(sorted(found)), field="security_opt")


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
    if not named and not definition.privileged:
        said = f"`{definition.name}` names no security profile: the engine's default applies"
        yield Problem(said, (definition.place("security_opt", "image"),), field="security_opt")


_NO_NEW = frozenset({("no-new-privileges", "true"), ("no-new-privileges", "")})


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
    if any(_option(option) in _NO_NEW for option in definition.security_opt):
        return
    said = f"`{definition.name}` does not set `no-new-privileges`"
    yield Problem(said, (definition.place("security_opt", "image"),), field="security_opt")


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
    name = user.partition(":")[0].strip()
    return name == "root" or (name.isdecimal() and int(name) == 0)


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
    if not definition.read_only:
        said = f"`{definition.name}` can write its root file system"
        yield Problem(said, (definition.place("read_only", "image"),), field="read_only")
