"""The components that tests may ask for: how each is called, how old it may be, which Debian packages bring it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A program. One on PATH that is older than `oldest` is passed over."""

    bundle: str
    program: str  # below the tree that the bundle is unpacked into
    commands: tuple[str, ...]  # what it may be called on PATH
    oldest: tuple[int, ...] = (0,)
    version: tuple[str, ...] = ("--version",)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Debian packages that are unpacked into one tree.

    `newer`: these packages alone, from a newer Debian than the machine's; their programs are written in Go and
    need little else. Otherwise the machine's own Debian, with every dependency that the machine lacks.
    """

    packages: tuple[str, ...]
    newer: bool = False

    def folder(self, name: str) -> str:
        """What its folder in the cache is called: another choice of packages is another folder."""
        digest = hashlib.sha256(repr(self).encode()).hexdigest()
        return f"{name}-{digest[:8]}"


BUNDLES = {
    "monitoring": Bundle(
        (
            "prometheus",
            "promtool",
            "prometheus-alertmanager",
            "prometheus-node-exporter",
            "prometheus-blackbox-exporter",
            "docker-compose",
        ),
        newer=True,
    ),
    "engine": Bundle(("docker.io", "containerd", "runc", "iptables", "busybox", "redis-server")),
    # Runs with the other engine's runc and iptables: those of a newer Debian want its C library.
    "engine28": Bundle(("docker.io", "docker-cli", "containerd"), newer=True),
    "exporters": Bundle(("prometheus-redis-exporter", "prometheus-postgres-exporter"), newer=True),
    "postgres": Bundle(("postgresql-15", "postgresql-client-15")),
    # libatomic1 is for playwright's driver.
    "tracing": Bundle(("strace",)),
    "ssh": Bundle(("openssh-server", "openssh-client")),
    "compose-1": Bundle(("docker-compose",)),
    "browser": Bundle(("chromium", "fonts-dejavu-core", "fonts-liberation", "libatomic1")),
}

PARTS = {
    "prometheus": Part("monitoring", "usr/bin/prometheus", ("prometheus",), oldest=(3,)),
    "promtool": Part("monitoring", "usr/bin/promtool", ("promtool",), oldest=(3,)),
    "alertmanager": Part(
        "monitoring",
        "usr/bin/prometheus-alertmanager",
        ("alertmanager", "prometheus-alertmanager"),
        oldest=(0, 27),
    ),
    "amtool": Part("monitoring", "usr/bin/amtool", ("amtool",), oldest=(0, 27)),
    "node-exporter": Part(
        "monitoring", "usr/bin/prometheus-node-exporter", ("node_exporter", "prometheus-node-exporter")
    ),
    "blackbox-exporter": Part(
        "monitoring",
        "usr/bin/prometheus-blackbox-exporter",
        ("blackbox_exporter", "prometheus-blackbox-exporter"),
    ),
    "redis-exporter": Part("exporters", "usr/bin/prometheus-redis-exporter", ("prometheus-redis-exporter",)),
    "postgres-exporter": Part("exporters", "usr/bin/prometheus-postgres-exporter", ("prometheus-postgres-exporter",)),
    "docker-compose": Part(
        "monitoring",
        "usr/libexec/docker/cli-plugins/docker-compose",
        ("docker-compose",),
        oldest=(2, 30),
        version=("version",),
    ),
    "dockerd": Part("engine", "usr/sbin/dockerd", ("dockerd",)),
    "dockerd28": Part("engine28", "usr/sbin/dockerd", (), oldest=(28,)),
    "docker": Part("engine28", "usr/bin/docker", ("docker",), oldest=(20,)),
    "busybox": Part("engine", "bin/busybox", ("busybox",), version=("--help",)),
    "redis-server": Part("engine", "usr/bin/redis-server", ("redis-server",)),
    # Never the one on PATH: an image of it wants its folder of libraries and data as well.
    "postgres": Part("postgres", "usr/lib/postgresql/15/bin/postgres", ()),
    # What `make bench` compares with; too old to say how a file is meant.
    "docker-compose-1": Part("compose-1", "usr/bin/docker-compose", ()),
    "ssh": Part("ssh", "usr/bin/ssh", ("ssh",), version=("-V",)),
    "sshd": Part("ssh", "usr/sbin/sshd", ("sshd",), version=("-V",)),
    "strace": Part("tracing", "usr/bin/strace", ("strace",)),
    "chromium": Part(
        "browser", "usr/lib/chromium/chromium", ("chromium", "chromium-browser", "google-chrome"), oldest=(100,)
    ),
}
