"""The catalogue: what its text becomes, what is refused and where, and the schema that editors use."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from auditor import catalogue, yamlfile
from auditor.catalogue import parse_catalogue, schema
from auditor.errors import CatalogueError, EvidenceError
from auditor.model import (
    Catalogue,
    CheckConfig,
    Criticality,
    Entry,
    EnvironmentSpec,
    Lifecycle,
    Location,
    Maintenance,
    Metrics,
    Probe,
    Severity,
    Tier,
    Waiver,
)

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "compose" / "examples").glob("*/catalogue.yaml"))


def parse(text: str, path: str = "catalogue.yaml", **included: str) -> Catalogue:
    files = {name.replace("__", "/") + ".yaml": content.encode() for name, content in included.items()}
    return parse_catalogue(text.encode(), path, read_include=reader(files))


def reader(files: dict[str, bytes]) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        if path not in files:
            raise EvidenceError(f"cannot read `{path}`: no such file", path=path)
        return files[path]

    return read


def refusal(text: str, **included: str) -> CatalogueError:
    with pytest.raises(CatalogueError) as caught:
        parse(text, **included)
    return caught.value


def entry(keys: str, more: str = "") -> Entry:
    body = "\n".join(f"    {line}" for line in keys.splitlines())
    return parse(f"services:\n  web:\n{body}\n{more}").entries[0]


FULL = """\
system: shop
environments:
  unified:
    compose: [compose.yaml, more.yaml]
    project: shop
    profiles: [debug]
    env_file: shop.env
    variables: {TAG: 1, DEBUG: true, NAME: shop}
    docker: unix:///var/run/docker.sock
    docker_scope: engine
    prometheus: {config: p.yml, url: "http://localhost:9090"}
    alertmanager: {config: a.yml, url: "http://localhost:9093"}
    grafana: {dashboards: ["d/**/*.json"], url: "http://localhost:3000", token_env: TOKEN}
    loki: {url: "http://localhost:3100"}
  prod: {docker: ["ssh://ops@one", "tcp://two:2376"]}
documents: [README.md]
code: backend/
policy:
  required: {critical: [running, healthy], optional: []}
  tiers:
    edge: {networks: [public, app], publish: true}
    data: {networks: [data], publish: false}
    core:
  order: [edge, core, data]
  networks: {monitoring: {shared: true}, app: {shared: false}}
defaults: {owner: platform, criticality: optional, limits: {memory: 1g}}
services:
  web:
    title: Web
    category: core
    tier: edge
    criticality: critical
    owner: web-team
    runbook: docs/web.md
    image: example/web:1
    ports: [80, 8000/udp, "443"]
    replicas: 2
    environments: [unified]
    depends_on: [db]
    implementation: web/app.py
    probes:
      - http:
          port: 80
          path: /health
          method: GET
          headers_env: {Authorization: WEB_TOKEN}
          expect: {status: 200-299, json: {status: healthy}, max_latency: 1m30s}
          timeout: 200ms
      - http: http://localhost/
      - tcp: localhost:6379
      - tcp: {port: 6379, timeout: 2s}
      - postgres: {dsn_env: AUDIT_PG_DSN}
    limits: {memory: 512MiB, cpus: 0.5}
    objectives: {availability: 99.9, latency: 200ms}
    waivers: [{check: unpinned-image, field: image, reason: mirrored, owner: web-team, until: 2027-03-01}]
    aliases: [www, Web server]
    profiles: [debug]
    maintenance: {until: 2026-12-24, reason: moving}
    component: nginx
    metrics: {port: 9100}
    identity: {service: web, version: "1.10"}
  db:
  mail: {lifecycle: external, address: smtp.example.test}
  job: {lifecycle: cron, schedule: "0 3 * * *"}
  worker: {lifecycle: process, command: python worker.py}
  slack: {embedded_in: web}
shared_settings: [TOKEN_SECRET]
waivers:
  - {check: orphan, service: old, reason: kept, owner: ops, until: 2026-01-31}
checks:
  memory-high: {severity: info, options: {warning: 70}}
select: [recommended, no-tier]
ignore: no-runbook
"""


def at(text: str, path: str = "catalogue.yaml", before: int = 0) -> Location:
    """Where the one line of `FULL` that begins so stands, or a line before it."""
    [line] = [number for number, line in enumerate(FULL.splitlines(), 1) if line.startswith(text)]
    return Location(path, line - before)


def test_environments() -> None:
    unified, prod = parse(FULL).environments
    assert unified == EnvironmentSpec(
        name="unified",
        location=at("  unified:"),
        compose=("compose.yaml", "more.yaml"),
        project="shop",
        profiles=("debug",),
        env_file=("shop.env",),
        variables={"TAG": "1", "DEBUG": "true", "NAME": "shop"},
        docker=("unix:///var/run/docker.sock",),
        docker_scope="engine",
        prometheus_config="p.yml",
        prometheus_url="http://localhost:9090",
        alertmanager_config="a.yml",
        alertmanager_url="http://localhost:9093",
        grafana_dashboards=("d/**/*.json",),
        grafana_url="http://localhost:3000",
        grafana_token_env="TOKEN",
        loki_url="http://localhost:3100",
    )
    assert prod.docker == ("ssh://ops@one", "tcp://two:2376") and prod.docker_scope == "project"


def test_without_environments_there_is_one() -> None:
    assert [spec.name for spec in parse("services: {web: {}}").environments] == ["default"]


def test_policy_and_checks() -> None:
    found = parse(FULL, "deploy/catalogue.yaml")
    assert (found.path, found.directory, found.system) == ("deploy/catalogue.yaml", "deploy", "shop")
    assert found.required == {"critical": ("running", "healthy"), "optional": ()}
    assert found.tiers == (Tier("edge", ("public", "app"), True), Tier("data", ("data",), False), Tier("core"))
    assert (found.tier_order, found.shared_networks) == (("edge", "core", "data"), ("monitoring",))
    assert (found.documents, found.code, found.shared_settings) == (("README.md",), ("backend/",), ("TOKEN_SECRET",))
    place = at("  memory-high:", "deploy/catalogue.yaml")
    assert found.checks == (CheckConfig("memory-high", place, Severity.INFO, {"warning": 70}),)
    assert (found.select, found.ignore) == (("recommended", "no-tier"), ("no-runbook",))


def test_every_key_of_a_service() -> None:
    web = parse(FULL).entries[0]
    assert (web.name, web.location, web.title, web.category) == ("web", at("  web:"), "Web", "core")
    assert (web.tier, web.criticality, web.owner) == ("edge", Criticality.CRITICAL, "web-team")
    assert (web.runbook, web.image, web.ports, web.replicas) == ("docs/web.md", "example/web:1", (80, 8000, 443), 2)
    assert (web.environments, web.depends_on, web.implementation) == (("unified",), ("db",), "web/app.py")
    assert (web.memory_limit, web.cpu_limit, web.availability, web.latency) == (512 << 20, 0.5, 99.9, 0.2)
    assert (web.aliases, web.profiles, web.component) == (("www", "Web server"), ("debug",), "nginx")
    assert web.maintenance == Maintenance(date(2026, 12, 24), "moving")
    assert web.metrics == Metrics(9100)
    assert (web.identity_service, web.identity_version) == ("web", "1.10")
    assert web.lifecycle is Lifecycle.DAEMON


def test_probes() -> None:
    http, short, tcp, tcp_port, postgres = parse(FULL).entries[0].probes
    assert http == Probe(
        "http",
        {
            "port": 80,
            "path": "/health",
            "method": "GET",
            "headers_env": {"Authorization": "WEB_TOKEN"},
            "expect": {"status": ("200-299",), "json": {"status": "healthy"}, "max_latency": 90.0},
            "timeout": 0.2,
        },
        at("          port: 80", before=1),
    )
    assert (short.options, tcp.options) == ({"url": "http://localhost/"}, {"address": "localhost:6379"})
    assert tcp_port.options == {"port": 6379, "timeout": 2.0}
    assert (postgres.kind, postgres.options) == ("postgres", {"dsn_env": "AUDIT_PG_DSN"})


def test_waivers() -> None:
    found = parse(FULL)
    assert found.entries[0].waivers == (
        Waiver("unpinned-image", "mirrored", "web-team", date(2027, 3, 1), at("    waivers:"), "web", "image"),
    )
    place = at("  - {check: orphan")
    assert found.waivers == (Waiver("orphan", "kept", "ops", date(2026, 1, 31), place, "old"),)


def test_defaults_and_lifecycles() -> None:
    _, db, mail, job, worker, slack = parse(FULL).entries
    assert (db.owner, db.criticality, db.memory_limit) == ("platform", Criticality.OPTIONAL, 1 << 30)
    assert (mail.lifecycle, mail.address) == (Lifecycle.EXTERNAL, "smtp.example.test")
    assert (job.lifecycle, job.schedule) == (Lifecycle.CRON, "0 3 * * *")
    assert (worker.lifecycle, worker.command) == (Lifecycle.PROCESS, "python worker.py")
    assert (slack.lifecycle, slack.embedded_in) == (Lifecycle.EMBEDDED, "web")


def test_entries_know_their_lines() -> None:
    web, db, *_ = parse(FULL).entries
    assert web.place("image") == at("    image:")
    assert web.lines["limits.memory"] == at("    limits:").line
    assert db.place("image") == at("  db:")


def test_anchors_and_own_keys() -> None:
    text = "x-base: &base {owner: me, x-note: [1]}\nservices:\n  web: {<<: *base, tier: edge}\n  db: *base\n"
    assert [item.owner for item in parse(text).entries] == ["me", "me"]
    assert parse(text).entries[0].lines["owner"] == 1


def test_yaml_12_names() -> None:
    text = "services:\n  on: {}\n  8080: {}\n  no: {title: yes}\n"
    found = parse(text).entries
    assert [(item.name, item.title) for item in found] == [("on", None), ("8080", None), ("no", "yes")]


SIZES = {"512MiB": 512 << 20, "512m": 512 << 20, "1.5g": 3 << 29, "10kb": 10240, "2 GB": 2 << 30, "7b": 7, "1024": 1024}


@pytest.mark.parametrize(("text", "size"), SIZES.items())
def test_sizes(text: str, size: int) -> None:
    assert entry(f"limits: {{memory: {text}}}").memory_limit == size


DURATIONS = {"200ms": 0.2, "5s": 5.0, "1m30s": 90.0, "1.5h": 5400.0, "1d": 86400.0, "250us": 0.00025}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_durations(text: str, seconds: float) -> None:
    assert entry(f"objectives: {{latency: {text}}}").latency == pytest.approx(seconds)


# --- included files ---------------------------------------------------------------------------------


def test_included_services_follow_in_order() -> None:
    found = parse(
        "include: [a.yaml, more/b.yaml]\ndefaults: {owner: all, tier: core}\n"
        "services: {web: {}}\ndocuments: [README.md]",
        a="include: c.yaml\ndefaults: {owner: a-team}\nservices: {a: {}}",
        c="services: {c: {}}\ndocuments: [c.md]",
        more__b="services: {b: {}}\nwaivers: [{check: no-tier, reason: r, owner: o, until: 2027-01-01}]",
    )
    assert [item.name for item in found.entries] == ["web", "a", "c", "b"]
    assert [(item.owner, item.tier) for item in found.entries[:3]] == [
        ("all", "core"),
        ("a-team", "core"),
        ("all", "core"),
    ]
    assert found.entries[2].location == Location("c.yaml", 1)
    assert (found.documents, found.waivers[0].location.path) == (("README.md", "c.md"), "more/b.yaml")


def test_a_catalogue_of_included_services_alone() -> None:
    assert [item.name for item in parse("include: a.yaml", a="services: {a: {}}").entries] == ["a"]


def test_includes_are_relative_to_the_first_file() -> None:
    found = parse("include: parts/a.yaml", "deploy/catalogue.yaml", deploy__parts__a="services: {a: {}}")
    assert found.entries[0].location.path == "deploy/parts/a.yaml"


INCLUDES: dict[str, tuple[str, dict[str, str], str]] = {
    "itself": ("include: catalogue.yaml", {}, "include cycle: catalogue.yaml -> catalogue.yaml"),
    "cycle": ("include: a.yaml", {"a": "include: b.yaml", "b": "include: a.yaml"}, "include cycle: catalogue.yaml"),
    "twice": ("include: [a.yaml, ./a.yaml]", {"a": "services: {a: {}}"}, "`a.yaml` is included twice, first by"),
    "missing": ("include: a.yaml", {}, "cannot include `a.yaml`: cannot read `a.yaml`: no such file"),
    "upwards": ("include: ../a.yaml", {}, "outside the project root"),
    "absolute": ("include: /etc/passwd", {}, "is not a relative path"),
    "policy": ("include: a.yaml", {"a": "policy: {}"}, "`policy` in an included file"),
    "list": ("include: a.yaml", {"a": "- web"}, "must be a mapping, not a list"),
    "twins": ("include: a.yaml\nservices: {a: {}}", {"a": "\nservices: {a: {}}"}, "declared twice, first at catalogue"),
}


@pytest.mark.parametrize("name", INCLUDES)
def test_refused_includes(name: str) -> None:
    text, files, says = INCLUDES[name]
    error = refusal(text, **files)
    assert says in error.what and error.line is not None


def test_no_reader_no_include() -> None:
    with pytest.raises(CatalogueError, match="only one text was given"):
        parse_catalogue(b"include: a.yaml", "catalogue.yaml")


# --- refusals ---------------------------------------------------------------------------------------

# Keys of the service `web`, which begin in line 3 -> what is said, and in which line.
WRONG_SERVICE = {
    "teir: edge": ("unknown key `teir` in service `web`", 3),
    "title: T\nports: 80": ("`ports` of service `web` must be a list, not the number 80", 4),
    "ports:\n- 80\n- 0": ("item 2 of `ports` of service `web` must be a port from 1 to 65535, not the number 0", 5),
    "ports: [true]": ("not `true`", 3),
    "ports: [80, 80]": ("item 2 of `ports` of service `web` repeats `80` of line 3", 3),
    "ports: [80/sctp]": ("must be a port", 3),
    "ports: [8000-8005]": ("must be a port", 3),
    "image: 15": ("`image` of service `web` must be a text, not the number 15", 3),
    "image: ''": ("`image` of service `web` must be a text, not ``", 3),
    "image: [a]": ("must be a text, not a list", 3),
    "replicas: -1": ("`replicas` of service `web` must be a number of containers, not the number -1", 3),
    "replicas: 1.5": ("not the number 1.5", 3),
    "lifecycle: deamon": ("`lifecycle` of service `web` must be one of `daemon`, `oneshot`", 3),
    "criticality: high": ("`criticality` of service `web` must be one of `critical`, `standard`, `optional`", 3),
    "limits: {memory: lots}": ("`memory` of `limits` of service `web` must be a size", 3),
    "limits: {memory: 0}": ("must be a size", 3),
    "limits: {cpus: 0}": ("must be a number of cores", 3),
    "limits: {mem: 1g}": ("unknown key `mem` in `limits` of service `web`", 3),
    "objectives: {latency: 200}": ("must be a duration", 3),
    "objectives: {latency: 0s}": ("must be a duration", 3),
    "objectives: {availability: 101}": ("must be a percentage", 3),
    "environments: [prod]": ("unknown environment `prod` in `environments` of service `web`", 3),
    "maintenance: {until: soon, reason: r}": ("must be a date such as `2027-03-01`, not `soon`", 3),
    "maintenance: {until: 2026-02-30, reason: r}": ("must be a date", 3),
    "maintenance: {until: 2026-02-20}": ("`maintenance` of service `web` lacks `reason`", 3),
    "waivers: [{check: a-b, reason: r, until: 2027-01-01}]": ("item 1 of `waivers` of service `web` lacks `owner`", 3),
    "waivers: [{check: A, owner: o, reason: r, until: 2027-01-01}]": ("must be the id of a check, not `A`", 3),
    "waivers: [{service: x, check: a, owner: o, reason: r, until: 2027-01-01}]": ("unknown key `service`", 3),
    "probes: [{http: {path: /}}]": ("`http` of item 1 of `probes` of service `web` needs `url` or `port`", 3),
    "probes: [{http: ftp://x}]": ("must be an http or https address, not `ftp://x`", 3),
    "probes: [{http: 'http://x:99999'}]": ("must be an http or https address", 3),
    "probes: [{http: 'http://[x'}]": ("must be an address", 3),
    "probes: [{http: {port: 80, expect: {status: ok}}}]": ("must be a status", 3),
    "probes: [{http: {port: 80, expect: {status: 299-200}}}]": ("must be a status", 3),
    "probes: [{tcp: localhost}]": ("must be `host:port`, not `localhost`", 3),
    "probes: [{tcp: 'host:80/tcp'}]": ("must be `host:port`", 3),
    "probes: [{htpp: x}]": ("unknown key `htpp` in item 1 of `probes`", 3),
    "probes: [{tcp: 'a:1', http: 'http://a'}]": ("not 2 keys", 3),
    "probes: [http]": ("must be a mapping with one of `http`, `tcp`", 3),
    "probes: [{redis: 'redis://:made-up@db:6379'}]": ("holds a password", 3),
    "lifecycle: embedded": ("service `web` lacks `embedded_in`", 3),
    "embedded_in: wbe": ("unknown service `wbe` in `embedded_in` of service `web`", 3),
    "embedded_in: web": ("services embedded in one another: web -> web", 3),
    "lifecycle: daemon\nembedded_in: web": ("yet its lifecycle is `daemon`", 3),
    "metrics: {}": ("`metrics` of service `web` needs `port`, `path` or `exporter`", 3),
    "aliases: [a, a]": ("repeats `a`", 3),
}


@pytest.mark.parametrize("keys", WRONG_SERVICE)
def test_wrong_services(keys: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        entry(keys)
    says, line = WRONG_SERVICE[keys]
    assert says in caught.value.what
    assert (caught.value.path, caught.value.line) == ("catalogue.yaml", line)


WRONG_TOP = {
    "services:\n  a b: {}": ("the name of a service must be a name of letters", 2),
    "services:\n  a/b: {}": ("the name of a service must be", 2),
    "services: {a: {}}\nenvironments: {all: {}}": ("`all` names no single environment", 2),
    "services: {a: {}}\nenvironments: {a: {prometheus: p.yml}}": (
        "`prometheus` of environment `a` must be a mapping",
        2,
    ),
    "services: {a: {}}\nenvironments: {a: {docker_scope: all}}": ("must be one of `project`, `engine`", 2),
    "services: {a: {}}\nenvironments: {a: {variables: {V: 1.10}}}": ("must be a text, not the number 1.1", 2),
    "services: {a: {}}\nenvironments: {a: {loki: {}}}": ("`loki` of environment `a` lacks `url`", 2),
    "services: {a: {}}\npolicy: {required: {critical: [runing]}}": ("must be one of `claimed`", 2),
    "services: {a: {}}\npolicy: {required: {high: []}}": ("unknown key `high` in `required` of `policy`", 2),
    "services: {a: {}}\npolicy: {tiers: {edge: }, order: [egde]}": ("unknown tier `egde` in `order` of `policy`", 2),
    "services: {a: {}}\nchecks: {no-owner: {severity: high}}": ("must be one of `critical`, `warning`, `info`", 2),
    "services: {a: {}}\nchecks: {no-owner: info}": ("check `no-owner` must be a mapping, not `info`", 2),
    "services: {a: {}}\ndefaults: {image: x}": ("unknown key `image` in `defaults` of the catalogue", 2),
    "services: {a: {}}\ndefaults: {environments: [x]}": ("unknown environment `x` in `environments` of `defaults`", 2),
    "services:\n  a: {embedded_in: b}\n  b: {embedded_in: a}": ("embedded in one another: a -> b -> a", 2),
    "services:\n  a: {aliases: [x]}\n  b: {aliases: [x]}": (
        "alias `x` of service `b` is taken by an alias of service `a`, catalogue.yaml:2",
        3,
    ),
    "services:\n  a: {aliases: [b]}\n  b: {}": ("is taken by service `b`, catalogue.yaml:3", 2),
}


@pytest.mark.parametrize("text", WRONG_TOP)
def test_wrong_catalogues(text: str) -> None:
    error = refusal(text)
    says, line = WRONG_TOP[text]
    assert says in error.what
    assert error.line == line


HELPS = {
    "services: {a: {teir: x}}": "did you mean `tier`?",
    "services: {a: {criticality: critcal}}": "did you mean `critical`?",
    "services: {a: {image: 15}}": "quote it",
    "services: {a: {environments: [prdo]}}\nenvironments: {prod: {}}": "did you mean `prod`?",
    "services: {web: {}, b: {embedded_in: wbe}}": "did you mean `web`?",
    "srvices: {a: {}}": "did you mean `services`?",
}


@pytest.mark.parametrize("text", HELPS)
def test_what_to_do(text: str) -> None:
    assert refusal(text).help == HELPS[text]


# --- the schema -------------------------------------------------------------------------------------


def valid(text: str) -> bool:
    value = json.loads(json.dumps(yamlfile.parse(text.encode(), "x")))
    return bool(jsonschema.Draft202012Validator(schema()).is_valid(value))


def test_schema_is_fresh() -> None:
    assert (ROOT / "auditor" / "catalogue.schema.json").read_text(encoding="utf-8") == catalogue.schema_text()


def test_schema_is_a_schema_with_a_sentence_for_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    for keys in (catalogue.TOP_KEYS, catalogue.SERVICE_KEYS, catalogue.ENVIRONMENT_KEYS, catalogue.POLICY_KEYS):
        assert all(key.doc for key in keys.values())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_examples_hold(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert valid(text)
    assert parse_catalogue(text.encode(), "catalogue.yaml").entries


def test_schema_takes_what_the_reader_takes() -> None:
    assert valid(FULL)


# The reader also knows what a schema cannot say: dates, ranges, names that refer to each other.
BEYOND = (
    "2026-02-30", "299-200", "99999", "'http://[x'", "0s", "[80, 80]", "[a, a]", "embedded", "environments: [prod]",
    "host:80/tcp", "made-up",
)  # fmt: skip


@pytest.mark.parametrize("keys", [keys for keys in WRONG_SERVICE if not any(part in keys for part in BEYOND)])
def test_schema_refuses_what_the_reader_refuses(keys: str) -> None:
    body = "\n".join(f"    {line}" for line in keys.splitlines())
    assert not valid(f"services:\n  web:\n{body}\n")
