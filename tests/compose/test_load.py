"""The loader: places of values, what lax loading says, and what it refuses. All secrets are made up."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.compose import load, resolve_mount
from auditor.digest import Digester
from auditor.model import Definition, EnvironmentSpec, Location, Project
from auditor.sources import compose_schema
from tests.builders import MemoryTree
from tests.compose.cases import cases, loaded

CATALOGUE = Location("catalogue.yaml", 7)


def project(files: str | dict[str, str], *, directory: str = "", **spec: Any) -> Project:
    tree = MemoryTree({"compose.yaml": files} if isinstance(files, str) else files)
    return load(EnvironmentSpec("prod", CATALOGUE, **spec), tree, schema=compose_schema.load(), directory=directory)


def service(text: str, **spec: Any) -> Definition:
    return project(f"services: {{a: {text}}}", **spec).definitions[0]


def faults(found: Project) -> list[str]:
    return [
        f"{fault.location} {fault.check}{' fatal' if fault.fatal else ''}: {fault.message}" for fault in found.faults
    ]


# --- places ----------------------------------------------------------------------------------------------

BASE = """\
services:
  a:
    image: one
    restart: always
    environment:
      A: 1
      B: 1
    ports: ['80:80']
"""
OVER = """\
services:
  a:
    image: two
    environment:
      - B=2
    ports:
      - 81:81
  b:
    build: .
"""
LAYERS = {"compose.yaml": BASE, "over.yaml": OVER}


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("image", "over.yaml:3"),
        ("restart", "compose.yaml:4"),
        ("environment.A", "compose.yaml:6"),
        ("environment.B", "over.yaml:5"),
        ("ports.0", "compose.yaml:8"),
        ("ports.1", "over.yaml:7"),
        ("nothing", "compose.yaml:2"),
    ],
)
def test_each_value_has_the_place_that_decided_it(field: str, place: str) -> None:
    found = project(LAYERS, compose=("compose.yaml", "over.yaml"))
    assert str(found.definitions[0].place(field)) == place


def test_the_project_tells_what_it_read() -> None:
    found = project({f"deploy/{path}": text for path, text in LAYERS.items()}, compose=("deploy/compose.yaml",))
    assert (found.name, found.environment, found.files) == ("deploy", "prod", ("deploy/compose.yaml",))


def test_files_instead_of_those_of_the_catalogue_are_relative_to_the_root() -> None:
    tree = MemoryTree({"x/a.yaml": "services: {a: {image: x}}"})
    spec = EnvironmentSpec("prod", CATALOGUE, ("gone.yaml",))
    assert (
        load(spec, tree, schema=compose_schema.load(), directory="x", files=("x/a.yaml",)).definitions[0].image == "x"
    )


def test_discovery_climbs_to_the_root() -> None:
    found = project("services: {a: {image: x}}", directory="deep/inside")
    assert found.files == ("compose.yaml",)


@pytest.mark.parametrize(("ending", "said"), [("\nHOME", 1), ("\nHOME\n", 0), ("\n", 0), ("", 0)])
def test_a_last_line_that_becomes_a_value_without_a_name_is_told(ending: str, said: int) -> None:
    found = project({"compose.yaml": "services: {a: {image: x, env_file: e.env}}", "e.env": f"A=1{ending}"})
    message = "a last line without an end, which Compose takes for a value without a name"
    assert [fault.location for fault in found.faults if message in fault.message] == [Location("e.env", 2)] * said
    assert [variable.name for variable in found.definitions[0].variables] == ["A"]


def test_compose_file_from_dot_env() -> None:
    files = {".env": "COMPOSE_FILE=a.yaml:b.yaml\nCOMPOSE_PROJECT_NAME=Named.1\nCOMPOSE_PROFILES=p\n"}
    files |= {"a.yaml": "services: {a: {image: x, profiles: [p]}}", "b.yaml": "services: {a: {image: y}}"}
    found = project(files)
    assert (found.name, found.definitions[0].image, found.definitions[0].active) == ("named1", "y", True)


def test_variables_win_over_env_files() -> None:
    files = {
        "env/prod.env": "A=file\nB=file\n",
        ".env": "C=dot\n",
        "compose.yaml": "services: {a: {image: '$A-$B-$C'}}",
    }
    found = project(files, env_file=("env/prod.env",), variables={"A": "given"})
    assert found.definitions[0].image == "given-file-"


# --- lax loading -----------------------------------------------------------------------------------------


WRONG = yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text())


@pytest.mark.parametrize("case", [case for case in WRONG if "said" in case], ids=lambda case: case["said"][0])
def test_what_can_be_composed_around_is_said(case: dict[str, Any]) -> None:
    assert faults(project(case["files"])) == case["said"]


def test_the_rest_loads() -> None:
    found = project("services:\n  a: {image: x, ports: 1, restart: always, networks: [n]}\n  b: [1]\n  c: {image: y}")
    assert [(item.name, item.restart, item.networks) for item in found.definitions] == [
        ("a", "always", ("n",)),
        ("c", None, ("default",)),
    ]


def test_a_missing_dot_env_is_named() -> None:
    absent = project("services: {a: {image: 'x:$A'}}").faults[0]
    present = project({".env": "", "compose.yaml": "services: {a: {image: 'x:$A'}}"}).faults[0]
    assert "`.env`" in (absent.help or "") and "`.env`" not in (present.help or "")


# --- what cannot be composed -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", [case for case in WRONG if "fatal" in case], ids=lambda case: str(case["files"]))
def test_what_cannot_be_composed_is_fatal_at_its_line(case: dict[str, Any]) -> None:
    fatal = [line for line in faults(project(case["files"])) if " fatal" in line]
    assert [line.partition(" fatal: ")[0] for line in fatal] == [case["fatal"]]


def test_text_that_is_no_text() -> None:
    assert "UTF-32" in project({"compose.yaml": b"\xff\xfe\x00\x00x"}).faults[0].message  # type: ignore[dict-item]


def test_a_file_that_the_catalogue_names_and_nobody_has() -> None:
    found = faults(project({"compose.yaml": "services: {a: {image: x}}"}, compose=("compose.yaml", "gone.yaml")))
    assert found == ["catalogue.yaml:7 invalid-compose fatal: cannot read `gone.yaml`: no such file"]


def test_a_broken_override_leaves_the_rest() -> None:
    found = project({"compose.yaml": "services: {a: {image: x}}", "b.yaml": "["}, compose=("compose.yaml", "b.yaml"))
    assert found.definitions[0].image == "x" and found.faults[0].fatal


# --- bombs -----------------------------------------------------------------------------------------------


def edges(number: int) -> str:
    return ", ".join(f"s{other}" for other in range(max(0, number - 20), number))


CHAIN = "".join(f"  s{n}: {{image: x, extends: s{n + 1}}}\n" for n in range(500)) + "  s500: {image: x}\n"
DENSE = "".join(f"  s{n}: {{image: x, depends_on: [{edges(n)}]}}\n" for n in range(1000))
LAUGHS = f"A={'x' * 1000}\n" + "".join(f"{b}={f'${a}' * 8}\n" for a, b in pairwise("ABCDEFGHIJ"))
BOMBS: list[tuple[str, dict[str, str], bool]] = [
    ("extends chain", {"compose.yaml": f"services:\n{CHAIN}"}, True),
    ("dense", {"compose.yaml": f"services:\n{DENSE}"}, False),
    ("laughs in .env", {"compose.yaml": "services: {a: {image: x}}", ".env": LAUGHS}, False),
    ("nested", {"compose.yaml": "services: {a: {image: '" + "${A:-" * 5000 + "}" * 5000 + "'}}"}, False),
    ("unclosed", {"compose.yaml": "services: {a: {image: '" + "${" * 200_000 + "'}}"}, False),
    ("long", {"compose.yaml": "services: {a: {image: x, environment: {X: '" + "a" * 500_000 + "'}}}"}, False),
    ("signs", {"compose.yaml": "services: {a: {image: x, environment: {X: '" + "a:/@" * 2000 + "'}}}"}, False),
    (
        "expansion",
        {"compose.yaml": f"services: {{a: {{image: '{'$A' * 400_000}'}}}}", ".env": f"A={'x' * 900_000}"},
        True,
    ),
    ("range", {"compose.yaml": "services: {a: {image: x, ports: ['1-65535']}}"}, True),
    ("includes", {f"c{n}/c.yaml": f"include: [../c{n + 1}/c.yaml]\n" for n in range(500)}, True),
    ("doubling", {f"c{n}/c.yaml": f"include: [{f'../c{n + 1}/c.yaml, ' * 9}]\n" for n in range(15)}, True),
    ("flow", {"compose.yaml": "services: " + "[" * 10_000}, True),
]


@pytest.mark.parametrize(("files", "fatal"), [bomb[1:] for bomb in BOMBS], ids=[bomb[0] for bomb in BOMBS])
def test_bombs_end_soon(files: dict[str, str], fatal: bool) -> None:
    first = next(iter(files))
    started = time.process_time()
    found = project(files, compose=(first,))
    assert time.process_time() - started < 10  # kill limit: ten times what is promised
    assert any(fault.fatal for fault in found.faults) is fatal


# --- secrets ---------------------------------------------------------------------------------------------

CANARIES = [f"canary{number}x7" for number in range(12)]


def test_no_secret_leaves_the_loader() -> None:
    files = {
        ".env": f"FROM_ENV={CANARIES[0]}\n",
        "a.env": f"PASSWORD={CANARIES[1]}\nB={CANARIES[2]}\nBAD LINE {CANARIES[11]}\n",
        "compose.yaml": f"""
            x-secret: {CANARIES[3]}
            services:
              a:
                image: x
                env_file: a.env
                environment:
                  - PASSWORD2={CANARIES[4]}
                  - URL=postgres://user:{CANARIES[5]}@db:5432/x?token={CANARIES[6]}
                  - REF=${{FROM_ENV}}
                command: run --password={CANARIES[7]} --url=http://u:{CANARIES[8]}@other:80
                healthcheck: {{test: "curl -u x:{CANARIES[9]} http://localhost"}}
                labels: [secret={CANARIES[10]}]
                build: {{context: ., args: [T={CANARIES[10]}]}}
        """,
    }
    found = repr(project(files))
    assert [canary for canary in CANARIES if canary in found] == []
    assert "host='db'" in found and "host='other'" in found


# --- mounts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/app/app.yml", "conf/app.yml"),
        ("/etc/app/special/x", "special/x"),
        ("/etc/app", "conf"),
        ("/etc/application", None),
        ("/data/x", None),
        ("/host/x", None),
        ("/one.yml", "files/one.yml"),
    ],
)
def test_files_behind_mounts(path: str, expected: str | None) -> None:
    volumes = "./conf:/etc/app:ro, ./special:/etc/app/special/, data:/data, /abs:/host, ./files/one.yml:/one.yml"
    assert resolve_mount(service(f"{{image: x, volumes: [{volumes}]}}"), path) == expected


# --- every case, without the real Compose ----------------------------------------------------------------


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_refused_is_said_and_the_rest_is_clean(case: Any) -> None:
    said = [
        fault
        for fault in loaded(case).faults
        if fault.check != "unresolved-variable" or fault.message.endswith("needed")
    ]
    assert bool(said) is case.refused


def test_what_env_files_give_is_judged_once_for_all_services_that_share_them():
    services = "".join(f"  s{number}: {{image: 'a:1', env_file: [a.env, b.env]}}\n" for number in range(20))
    found = project({"compose.yaml": f"services:\n{services}", "a.env": "A=1\nB=1\n", "b.env": "B=2\nC=$A\n"})
    given = [variable for definition in found.definitions for variable in definition.variables]
    assert (len(given), len({id(variable) for variable in given})) == (60, 3)


def test_an_env_file_means_what_those_before_it_make_of_it():
    files = {"a.env": "X=redis\n", "b.env": "X=kafka\n", "c.env": "URL=http://${X}:80\nS1_HOST=queue\n"}
    services = (
        "services:\n  s1: {image: 'a:1', env_file: [a.env, c.env]}\n  s2: {image: 'a:1', env_file: [b.env, c.env]}\n"
    )
    found = project({"compose.yaml": services, **files})
    hosts = [[reference.address.host for reference in definition.references] for definition in found.definitions]
    assert hosts == [["redis"], ["kafka", "queue"]]  # a service's own name is no address that it calls


OWN = {
    ".env": "SET=project\n",
    "compose.yaml": "services:\n"
    "  s1: {image: 'a:1', env_file: a.env, environment: {OWN: one, SET: mine}}\n"
    "  s2: {image: 'a:1', env_file: a.env, environment: [OWN=two]}\n"
    "  s3: {image: 'a:1', env_file: a.env}\n",
    "a.env": "URL=x-${OWN}\nALSO=x-${SET}\nMAYBE=${OWN-none}\n",
}


def test_lines_of_an_env_file_take_what_its_service_sets_where_the_project_does_not():
    digest = Digester(bytes(32))
    tree, spec = MemoryTree(OWN), EnvironmentSpec("prod", CATALOGUE)
    found = load(spec, tree, schema=compose_schema.load(), directory="", digest=digest)
    told = [{v.name: v.digest for v in item.variables} for item in found.definitions]
    wanted = [("x-one", "one"), ("x-two", "two"), (None, "none")]
    assert [(one["URL"], one["MAYBE"]) for one in told] == [(u and digest(u), digest(m)) for u, m in wanted]
    assert {one["ALSO"] for one in told} == {digest("x-project")}


def test_an_env_file_that_many_services_share_is_one_file():
    services = "".join(f"  s{number}: {{image: 'a:1', env_file: shared.env}}\n" for number in range(1200))
    found = project({"compose.yaml": f"services:\n{services}", "shared.env": "LEVEL=info\n"})
    assert faults(found) == []
    assert [variable.name for variable in found.definitions[-1].variables] == ["LEVEL"]
