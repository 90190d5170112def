"""Is the newcomer: clones the project into a bare Debian and types what the README says.

    python3 -m tests.newcomer                          as root: `make demo ARGS=--no-serve`, then `make test`
    python3 -m tests.newcomer --user                   the same as a normal user
    python3 -m tests.newcomer --ci                     as root: `bash .ci/run`
    python3 -m tests.newcomer --user 'make demo' ...   other commands

Needs root on Debian. The bare Debian is made once with debootstrap, from the machine's own mirror, and kept in
the cache folder beside the real components; each run works above it, in mount and process namespaces of its
own, and leaves nothing. What is committed is tested, not the work tree.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.parts import cache_folder, debian

INCLUDE = "ca-certificates,git,make,python3,python3-venv"
ROOT = Path(__file__).parent.parent
# How the machine reaches its package index and its mirror; a bare Debian on it must be told the same.
NETWORK_FILES = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")
NETWORK_APT = ("Acquire::Check-", "Acquire::http::Proxy", "Acquire::https::Proxy")  # a mirror may be a snapshot
NETWORK_NAMES = re.compile(r"(?i)(https?|no|all)_proxy|PIP_(CERT|INDEX_URL|PROXY)|SSL_CERT_FILE")

NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")

# Runs in the new namespaces: $0 the kept Debian, $1 a place for this run, $2 the user, then the commands.
# /home and /tmp are real folders: an engine cannot lay its images over a file system that is itself laid over one.
INSIDE = r"""
set -eu
bare=$0 place=$1
shift
root=$place/debian
mkdir -p "$place/work" "$place/home" "$root"
mount -t overlay overlay -o "lowerdir=$bare,upperdir=$place/changes,workdir=$place/work" "$root"
mount --bind "$place/home" "$root/home"
mount --bind "$place/tmp" "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/outside"
cd "$root"
pivot_root . outside  # and not chroot alone: a program run in a container would see the machine's files
exec chroot . /bin/sh -c 'umount --lazy /outside && exec /bin/sh /newcomer.sh "$@"' sh "$@"
"""

TYPED = r"""
set -eu
user=$1
shift
home=/home/newcomer
if [ "$user" = newcomer ]; then useradd --create-home --shell /bin/bash newcomer; else mkdir -p "$home"; fi
git clone --quiet /project.git "$home/clone of it"
chown -R "$user:" "$home"
for command; do
  echo "=== $user: $command"
  began=$(date +%s)
  code=0
  runuser -u "$user" -- env HOME="$home" sh -c 'cd "$HOME/clone of it" && eval "$1"' sh "$command" </dev/null || code=$?
  echo "=== $user: $command: exit $code after $(($(date +%s) - began)) s"
  [ "$code" = 0 ] || exit "$code"
done
"""


def main() -> int:
    """The exit code of the first command that failed, or 0."""
    options = _options()
    bare = _bare_debian()
    with tempfile.TemporaryDirectory(prefix="newcomer-") as text:
        place = Path(text)
        _prepare(place / "changes")
        (place / "tmp").mkdir()
        (place / "tmp").chmod(0o1777)
        place.chmod(0o755)
        began = time.monotonic()
        user = "newcomer" if options.user else "root"
        code = subprocess.run(
            [*NAMESPACES, "/bin/sh", "-c", INSIDE, bare, place, user, *options.commands],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode
        print(f"=== all: exit {code} after {time.monotonic() - began:.0f} s", flush=True)
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--user", action="store_true", help="be a normal user, not root")
    parser.add_argument("--ci", action="store_true", help="run `.ci/run`")
    parser.add_argument("commands", nargs="*", help="what to type in the clone")
    options = parser.parse_args()
    if debian.why_not():
        parser.error("needs root on Debian")
    if not options.commands:
        options.commands = ["bash .ci/run"] if options.ci else ["make demo ARGS=--no-serve", "make test"]
    return options


def _bare_debian() -> Path:
    """A fresh Debian of the machine's own release, with what a user of the project is told to have."""
    kept = cache_folder() / "newcomer" / "debian"
    if kept.exists():
        return kept
    apt = debian.Apt(kept.parent / "apt")
    apt.run("update")
    apt.run("install", "-y", "--no-install-recommends", "--download-only", "--reinstall", "debootstrap")
    tool = kept.parent / "tool"
    for archive in apt.archives():
        subprocess.run(["dpkg-deb", "-x", archive, tool], check=True)
    codename = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    if codename is None:
        sys.exit("error: /etc/os-release names no release")
    work = kept.with_name("debian.partial")
    shutil.rmtree(work, ignore_errors=True)
    mirror, _ = apt.mirror()
    subprocess.run(
        [
            tool / "usr/sbin/debootstrap",
            "--variant=minbase",
            f"--include={INCLUDE}",
            f"--keyring={debian.KEYRING}",
            codename[1],
            work,
            mirror,
        ],
        env=os.environ | {"DEBOOTSTRAP_DIR": str(tool / "usr/share/debootstrap")},
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return work.rename(kept)


def _prepare(changes: Path) -> None:
    """Write what this run's Debian has beyond the bare one."""
    for name in NETWORK_FILES:
        if Path("/", name).exists():
            (changes / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path("/", name), changes / name)
    done = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True)
    settings = [line for line in done.stdout.splitlines(keepends=True) if line.startswith(NETWORK_APT)]
    (changes / "etc/apt/apt.conf.d").mkdir(parents=True)
    (changes / "etc/apt/apt.conf.d/99machine").write_text("".join(settings))
    (changes / "newcomer.sh").write_text(TYPED)
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, changes / "project.git"], check=True)
    print("=== testing", _last_commit(), flush=True)


def _last_commit() -> str:
    done = subprocess.run(["git", "log", "-1", "--format=%h %s"], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if NETWORK_NAMES.fullmatch(name)}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return kept | {"PATH": path, "LANG": "C.UTF-8", "TERM": "dumb"}


if __name__ == "__main__":
    sys.exit(main())
