"""Fetches Debian packages into a folder of our own: signed, from the machine's own mirror, nothing installed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.parts.wanted import BUNDLES, PARTS, Bundle

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NEWER_SUITES = ("forky", "testing", "unstable")


class FetchError(Exception):
    """Packages could not be had; the text says which command failed and how."""


def why_not() -> str | None:
    """The reason why nothing can be fetched on this machine, or None."""
    if not shutil.which("apt-get") or not KEYRING.exists():
        return "this is no Debian, so it cannot be fetched"
    if os.geteuid() != 0:
        return "only root fetches it"
    return None


@dataclass(frozen=True, slots=True)
class Apt:
    """An apt of our own: its lists and its cache are below `folder`, the machine's are left alone."""

    folder: Path
    sources: Path | None = None  # None: the machine's own

    def options(self) -> list[str]:
        pairs = {
            "Dir::State::lists": self.folder / "lists",
            "Dir::Cache": self.folder / "cache",
            "APT::Sandbox::User": "root",
            "APT::Keep-Downloaded-Packages": "true",
            "Debug::NoLocking": "true",
            "Acquire::Retries": "3",
            "Acquire::Languages": "none",
            "DPkg::Post-Invoke": "",
        }
        if self.sources:
            pairs |= {"Dir::Etc::sourcelist": self.sources, "Dir::Etc::sourceparts": "/dev/null"}
        return [text for key, value in pairs.items() for text in ("-o", f"{key}={value}")]

    def run(self, *arguments: str) -> str:
        """Run `apt-get` with `arguments`; its output. Raises FetchError."""
        for part in ("lists/partial", "cache/archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        return _run(["apt-get", *self.options(), *arguments], self.folder / "cache/archives")

    def mirror(self) -> tuple[str, str]:
        """The address of the Debian mirror that the machine itself uses, and its architecture."""
        lines = self.run(
            "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)|$(ARCHITECTURE)", "Created-By: Packages"
        )
        rows = [line.split("|") for line in lines.splitlines()]
        found = [(uri, arch) for origin, label, uri, arch in rows if (origin, label) == ("Debian", "Debian")]
        if not found:
            raise FetchError("the machine's apt sources name no Debian mirror")
        return found[0]

    def archives(self) -> list[Path]:
        return sorted((self.folder / "cache/archives").glob("*.deb"))


def fetch(name: str, folder: Path) -> None:
    """Unpack the bundle `name` below `folder` and write a starter for each of its programs.

    Its own folder there (`Bundle.folder`) has `tree` and, with the starters, `bin`. Raises FetchError; an
    unfinished folder is never left in place.
    """
    work = folder / f".{name}.partial"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    bundle = BUNDLES[name]
    archives = _newer(bundle, folder / "apt") if bundle.newer else _own(bundle, folder / "apt" / name)
    for archive in archives:
        _run(["dpkg-deb", "-x", str(archive), str(work / "tree")], work)
    (work / "packages.txt").write_text("".join(f"{archive.name}\n" for archive in archives))
    final = folder / bundle.folder(name)
    shutil.rmtree(final, ignore_errors=True)
    work.rename(final)
    _write_starters(name, final)
    for archive in archives:
        archive.unlink()


def _newer(bundle: Bundle, folder: Path) -> list[Path]:
    own = Apt(folder / "own")
    own.run("update")
    mirror, architecture = own.mirror()
    faults = []
    for suite in NEWER_SUITES:
        sources = folder / f"{suite}.list"
        sources.write_text(f"deb [arch={architecture} signed-by={KEYRING}] {mirror} {suite} main\n")
        apt = Apt(folder / suite, sources)
        try:
            apt.run("update", "--error-on=any")
            apt.run("download", *bundle.packages)
        except FetchError as fault:
            faults.append(str(fault))
            continue
        return apt.archives()
    raise FetchError("; ".join(faults))


def _own(bundle: Bundle, folder: Path) -> list[Path]:
    apt = Apt(folder)
    apt.run("update")
    apt.run("install", "-y", "--no-install-recommends", "--download-only", "--reinstall", *bundle.packages)
    # The C library and the dynamic loader belong together: those of the machine are kept.
    return [archive for archive in apt.archives() if not archive.name.startswith(("libc6_", "libc-bin_"))]


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("E:")] or said[-3:]
        raise FetchError(f"`{command[0]}` failed with {done.returncode}: {'; '.join(errors)}")
    return done.stdout


def _write_starters(name: str, folder: Path) -> None:
    """A starter is a shell script: it sets what the program needs to run out of its tree."""
    (folder / "bin").mkdir()
    exports = "".join(
        f"export {key}={shlex.quote(value)}{tail}\n" for key, (value, tail) in _environment(folder).items()
    )
    for part_name, part in PARTS.items():
        if part.bundle == name:
            start = ALERTMANAGER if part_name == "alertmanager" else 'exec "$tree/$program" "$@"\n'
            _write_starter(folder, part_name, part.program, exports, start)
    for tool, program in IPTABLES.items():
        if (folder / "tree" / program).exists():
            _write_starter(folder, tool, program, exports, f'exec "$tree/$program" {tool.partition("-")[0]} "$@"\n')


def _write_starter(folder: Path, name: str, program: str, exports: str, start: str) -> None:
    tree = folder / "tree"
    program = program if (tree / program).exists() else f"usr/{program}"
    file = folder / "bin" / name
    file.write_text(f"#!/bin/sh\ntree={shlex.quote(str(tree))}\nprogram={shlex.quote(program)}\n{exports}{start}")
    file.chmod(0o755)


# The packet filter's command: the engine sets up name lookup inside a container with it.
IPTABLES = {
    "iptables": "usr/sbin/xtables-legacy-multi",
    "ip6tables": "usr/sbin/xtables-legacy-multi",
    "iptables-legacy": "usr/sbin/xtables-legacy-multi",
    "iptables-nft": "usr/sbin/xtables-nft-multi",
}

# Debian's Alertmanager reads its templates from one fixed place. A mount namespace of its own shows them there.
ALERTMANAGER = """\
[ -e /usr/share/prometheus/alertmanager/default.tmpl ] && exec "$tree/$program" "$@"
exec unshare --mount --propagation private /bin/sh -c '
  tree=$0 program=$1
  shift
  mount -t overlay overlay -o "lowerdir=$tree/usr/share:/usr/share" /usr/share || exit 1
  exec "$tree/$program" "$@"
' "$tree" "$program" "$@"
"""


def libraries(tree: Path) -> list[str]:
    """The folders of an unpacked tree that hold shared libraries."""
    patterns = ("usr/lib/*-linux-*/**/*.so*", "lib/*-linux-*/**/*.so*")
    return sorted({str(file.parent) for pattern in patterns for file in tree.glob(pattern)})


def _environment(folder: Path) -> dict[str, tuple[str, str]]:
    """What the programs of an unpacked tree need: name -> (value, shell text that follows it)."""
    tree = folder / "tree"
    shared, modules = libraries(tree), tree / "usr/lib/python3/dist-packages"
    if not shared:
        return {"PYTHONPATH": (str(modules), "")} if modules.exists() else {}
    folders = [folder / "bin", *(tree / part for part in ("usr/sbin", "usr/bin", "sbin", "bin"))]
    found = {"PATH": (":".join(map(str, folders)), ':"$PATH"'), "LD_LIBRARY_PATH": (":".join(shared), "")}
    for xtables in tree.glob("usr/lib/*/xtables"):
        found["XTABLES_LIBDIR"] = (str(xtables), "")
    if (tree / "usr/share/fonts").exists():
        found["FONTCONFIG_FILE"] = (str(_fonts(folder)), "")
    return found


def _fonts(folder: Path) -> Path:
    """A font configuration with the fetched fonts only, so that a page looks the same on every machine."""
    families = {"sans-serif": "DejaVu Sans", "serif": "DejaVu Serif", "monospace": "DejaVu Sans Mono"}
    aliases = "".join(
        f"<alias><family>{kind}</family><prefer><family>{name}</family></prefer></alias>\n"
        for kind, name in {**families, "system-ui": "DejaVu Sans"}.items()
    )
    file = folder / "fonts.conf"
    file.write_text(
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>\n'
        f"<dir>{folder}/tree/usr/share/fonts</dir>\n<cachedir>{folder}/fontcache</cachedir>\n"
        f"{aliases}</fontconfig>\n"
    )
    return file
