"""A stranger's project that asks for files outside its root, other machines and processes: it gets none of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.cli.config import says_files
from tests.parts.plugin import need

CANARY = "made-up-canary-5f21c0"  # stands in every file outside
PLACES = {
    "include": "include: ['{path}']\nservices: {{a: {{image: x}}}}",
    "include of two": "include: [{{path: [compose2.yaml, '{path}']}}]\nservices: {{a: {{image: x}}}}",
    "include.env_file": "include: [{{path: compose2.yaml, env_file: '{path}'}}]\nservices: {{a: {{image: x}}}}",
    "include.project_directory": "include: [{{path: compose2.yaml, project_directory: '{path}/..'}}]",
    "extends.file": "services: {{a: {{extends: {{file: '{path}', service: web}}}}}}",
    "env_file": "services: {{a: {{image: x, env_file: '{path}'}}}}",
    "env_file that may be missing": "services: {{a: {{image: x, env_file: [{{path: '{path}', required: false}}]}}}}",
    "label_file": "services: {{a: {{image: x, label_file: '{path}'}}}}",
    "configs.file": "services: {{a: {{image: x, configs: [c]}}}}\nconfigs: {{c: {{file: '{path}'}}}}",
    "secrets.file": "services: {{a: {{image: x, secrets: [c]}}}}\nsecrets: {{c: {{file: '{path}'}}}}",
    "build.context": "services: {{a: {{build: '{path}'}}}}",
    "build.dockerfile": "services: {{a: {{build: {{context: ., dockerfile: '{path}'}}}}}}",
    "build.additional_contexts": "services: {{a: {{build: {{context: ., additional_contexts: {{o: '{path}'}}}}}}}}",
    "volumes": "services: {{a: {{image: x, volumes: ['{path}:/etc/prometheus/prometheus.yml']}}}}",
}
TRACED = ("include", "extends.file", "env_file", "label_file", "secrets.file", "build.dockerfile")
ADDRESSES = ("https", "http", "git", "git at", "github", "oci", "ssh")
PATHS = {
    "swapped": "swapped.yaml",
    "http": "http://127.0.0.1:80/x.yaml",
    "github": "github.com/a/b.git",
    "..": "../outside/secret.yaml",
    "deep ..": "sub/../../outside/secret.yaml",
    "absolute": "{outside}/secret.yaml",
    "home": "~/secret.yaml",
    "variable": "${{WHERE}}/secret.yaml",
    "link": "link.yaml",
    "linked directory": "linked/secret.yaml",
    "pipe": "pipe",
    "proc": "/proc/self/environ",
    "device": "/dev/zero",
    "https": "https://127.0.0.1/x.yaml",
    "git": "https://127.0.0.1/x.git#main:secret.yaml",
    "git at": "git@127.0.0.1:x/y.git",
    "oci": "oci://127.0.0.1/x:latest",
    "ssh": "ssh://git@127.0.0.1/x.git",
}
COMMANDS = (("config",), ("config", "--lax", "--format", "json"), ("audit", "-f", "compose.yaml", "--offline"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project root beside a directory that it must not look into, with every way that leads there."""
    outside, home = tmp_path / "outside", tmp_path / "project"
    outside.mkdir()
    (home / "sub").mkdir(parents=True)
    (home / ".git").mkdir()
    (outside / "secret.yaml").write_text(f"CANARY={CANARY}\nservices: {{web: {{image: 'x:{CANARY}'}}}}\n")
    (home / "compose2.yaml").write_text("services: {b: {image: 'y:${CANARY:-none}'}}")
    (home / "link.yaml").symlink_to(outside / "secret.yaml")
    (home / "linked").symlink_to(outside)
    os.mkfifo(home / "pipe")
    return home


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home.parent / "outside"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "ONLY_HERE": CANARY}


def write(home: Path, place: str, path: str) -> None:
    outside = str(home.parent / "outside")
    (home / ".env").write_text(f"WHERE={outside}\n")
    (home / "compose.yaml").write_text(PLACES[place].format(path=PATHS[path].format(outside=outside)))


@pytest.mark.parametrize("place", PLACES)
def test_nothing_from_outside_is_in_the_output(home: Path, place: str) -> None:
    from tests.compose.conformance.place import called, standing

    for number, path in enumerate(PATHS):
        write(home, place, path)
        with standing(home, environment(home)):
            code, output, errors = called(*COMMANDS[number % len(COMMANDS)])
        assert code in range(4)
        assert CANARY not in output + errors, path


OPENED = re.compile(r'(?:open|openat)\([^"]*"((?:[^"\\]|\\.)*)", ([A-Z_|]+)[^)]*\) = \d')
CALLED = re.compile(r"^(?:\d+ +)?(connect|execve|socket)\((.*)", re.MULTILINE)


def traced(home: Path) -> str:
    """The system calls of `config` as a process; its own start left out."""
    log = home.parent / "strace.txt"
    command = [sys.executable, "-m", "auditor", "config", "--lax"]
    trace = [str(need("strace")), "-f", "-e", "trace=open,openat,connect,socket,execve", "-o", str(log), *command]
    subprocess.run(trace, cwd=home, env=environment(home), capture_output=True, timeout=60, check=False)
    return log.read_text(errors="replace").partition("\n")[2]


def system_paths() -> tuple[str, ...]:
    own = Path(__file__).parents[3]
    roots = {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, str(own), str(Path(sys.executable).parent)}
    roots |= {path for path in sys.path if path}
    processors = ("/proc/self/cgroup", "/sys/fs/cgroup/")  # how many of them a library of threads may use
    return (*roots, *processors, "/lib", "/usr", "/etc/ld.so", "/etc/localtime", "/dev/null", "/dev/urandom")


def strangers(log: str, home: Path) -> Iterator[str]:
    """What was opened that is neither the project's nor the interpreter's; relative names count from descriptors."""
    for path, flags in OPENED.findall(log):
        inside = path.startswith((str(home), *system_paths()))
        directory = "O_DIRECTORY" in flags and str(home).startswith(path)
        if not inside and not directory and (path.startswith("/") or ".." in path or path == "pipe"):
            yield path


@pytest.mark.component
@pytest.mark.parametrize(
    "place", ["include", "extends.file", "env_file", "label_file", "secrets.file", "build.dockerfile"]
)
def test_nothing_outside_is_opened_called_or_started(home: Path, place: str) -> None:
    need("strace")
    for path in ("..", "absolute", "linked directory", "pipe", "proc", "git"):
        write(home, place, path)
        log = traced(home)
        assert OPENED.search(log), "strace saw nothing"
        assert [*strangers(log, home), *CALLED.findall(log)] == [], path


ROUNDS, ALL_ROUNDS = 50, 1_000


def races(home: Path, rounds: int) -> set[int]:
    """The exit codes of `config` while another thread swaps an included file for a link to the outside."""
    from tests.compose.conformance.place import called, standing

    write(home, "include", "swapped")
    ours, link, stop = home / "swapped.yaml", home / "spare.yaml", threading.Event()

    def swap() -> None:
        while not stop.is_set():
            link.unlink(missing_ok=True)
            link.symlink_to("../outside/secret.yaml")
            link.replace(ours)
            link.write_text("services: {b: {image: 'ours:1'}}")
            link.replace(ours)

    thread = threading.Thread(target=swap)
    thread.start()
    codes = set()
    try:
        with standing(home, environment(home)):
            for _ in range(rounds):
                code, output, errors = called("config")
                assert CANARY not in output + errors
                assert (code == 0) == ("ours:1" in output)
                codes.add(code)
    finally:
        stop.set()
        thread.join()
    return codes


def test_a_file_swapped_for_a_link_while_it_is_read_leaks_nothing(home: Path) -> None:
    assert races(home, ROUNDS) <= {0, 3}


@pytest.mark.endurance
@pytest.mark.timeout(1_200)
def test_nor_does_it_in_a_thousand_races(home: Path) -> None:
    assert races(home, ALL_ROUNDS) == {0, 3}


@pytest.mark.parametrize("kind", ["a link", "a pipe", "a directory", "a link to a device"])
def test_variables_are_read_inside_only(home: Path, kind: str) -> None:
    from tests.compose.conformance.place import called, standing

    (home / "compose.yaml").write_text("services: {a: {image: 'x:${CANARY:-none}'}}")
    makers = {
        "a link": lambda path: path.symlink_to("../outside/secret.yaml"),
        "a pipe": os.mkfifo,
        "a directory": Path.mkdir,
        "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    }
    makers[kind](home / ".env")
    with standing(home, environment(home)):
        code, output, errors = called("config")
    assert code in (0, 3)
    assert CANARY not in output + errors


def test_a_linked_env_file_says_nothing(home: Path) -> None:
    (home.parent / "outside" / "env").write_text("COMPOSE_FILE=a.yaml")
    (home / "sub" / "env").write_text("COMPOSE_FILE=a.yaml")
    (home / ".env").symlink_to("../outside/env")
    assert not says_files(home)
    (home / ".env").unlink()
    (home / ".env").symlink_to("sub/env")
    assert says_files(home)


def test_no_address_is_called(home: Path) -> None:
    """In a network of its own, where each port that the addresses name has a listener."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a network of its own takes root and unshare")
    command = ["unshare", "--net", sys.executable, "-m", "tests.compose.conformance.listening", str(home)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert found.returncode == 0, found.stderr
    heard = json.loads(found.stdout)
    assert heard.pop("control") == 1, "the listener hears nothing"
    assert heard == dict.fromkeys(ADDRESSES, 0)


def test_the_search_finds_what_it_is_for(home: Path) -> None:
    log = f'7 openat(AT_FDCWD, "{home.parent}/outside/secret.yaml", O_RDONLY) = 3\n7 connect(3, {{}}) = 0\n'
    assert list(strangers(log, home)) == [f"{home.parent}/outside/secret.yaml"]
    assert CALLED.findall(log)
