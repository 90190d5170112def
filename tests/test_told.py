"""Addresses in the configurations of proxies and in code, and what only looks like one."""

from __future__ import annotations

import time

import pytest

from auditor.sources.told.literals import named_addresses
from auditor.sources.told.proxies import caddy, haproxy, nginx
from auditor.sources.told.settings import envoy, kong, traefik

NGINX = """\
worker_processes 1; # proxy_pass http://commented:1;
http {
  upstream api_servers { server api:8000 weight=2; server 10.0.0.1:80; server unix:/run/x.sock; }
  map $http_host $x { default "proxy_pass http://quoted:1;"; }
  server {
    listen 80; server_name shop.example.com web;
    location / { proxy_pass http://api_servers; }
    location /a { proxy_pass http://web:3000/a/; proxy_set_header Host $host; }
    location /b { fastcgi_pass php:9000; }
    location /c { set $up http://jobs:9001; proxy_pass $up; }
    location /d { proxy_pass http://$name:80; grpc_pass grpc://rpc:50051; }
  }
}
"""
HAPROXY = "frontend a\n  bind *:80\nbackend b\n  server one web:8080 check\n  server two 10.0.0.1:80\n  #server x y:1\n"
CADDY = "shop.example.com {\n  reverse_proxy /api/* api:8000 web:3000 # old:1\n  handle { reverse_proxy {$X:y} }\n}\n"
KONG = """\
_format_version: "3.0"
services:
  - {name: a, url: "http://api:8000/v1"}
  - {name: b, host: web, port: 3000, routes: [{hosts: [shop.example.com]}]}
  - {name: c, host: pool, port: 80}
upstreams: [{name: pool, targets: [{target: "jobs:9001"}]}]
plugins: [{name: http-log, config: {http_endpoint: "http://logs:9200/x"}}]
"""
TRAEFIK = """\
entryPoints: {web: {address: ":80"}}
http:
  services: {api: {loadBalancer: {servers: [{url: "http://api:8000"}, {url: "http://10.0.0.1"}]}}}
  middlewares: {auth: {forwardAuth: {address: "http://auth:4181"}}}
tcp: {services: {db: {loadBalancer: {servers: [{address: "db:5432"}]}}}}
"""
ENVOY = """\
static_resources:
  listeners: [{address: {socket_address: {address: envoy, port_value: 80}}}]
  clusters:
    - load_assignment:
        endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: api, port_value: 8000}}}}]}]
"""


def pairs(found: object) -> list[tuple[int, str, int | None]]:
    return [(line, address.host, address.port) for line, address in found]  # type: ignore[attr-defined]


def test_nginx() -> None:
    assert pairs(nginx(NGINX)) == [
        (3, "api", 8000), (8, "web", 3000), (9, "php", 9000), (10, "jobs", 9001), (11, "rpc", 50051),
    ]  # fmt: skip


def test_other_proxies() -> None:
    assert pairs(haproxy(HAPROXY)) == [(4, "web", 8080)]
    assert pairs(caddy(CADDY)) == [(2, "api", 8000), (2, "web", 3000)]
    assert pairs(kong(KONG.encode(), "kong.yml")) == [
        (3, "api", 8000), (4, "web", 3000), (6, "jobs", 9001), (7, "logs", 9200),
    ]  # fmt: skip
    found = {(host, port) for _, host, port in pairs(traefik(TRAEFIK.encode(), "dynamic.yml"))}
    assert found == {("api", 8000), ("10.0.0.1", None), ("auth", 4181), ("db", 5432)}
    assert pairs(traefik(b'[a]\n  url = "http://api:8000" # x\n', "d.toml")) == [(2, "api", 8000)]
    assert pairs(envoy(ENVOY.encode(), "envoy.yaml")) == [(5, "api", 8000)]


HOSTS = ("api", "redis")


def named(code: str, path: str) -> list[tuple[int, str, int | None]]:
    return [(item.line, item.address.host, item.address.port) for item in named_addresses(code, path, HOSTS)]


@pytest.mark.parametrize(
    ("path", "code", "found"),
    [
        ("a.py", "URL = 'http://api:8000/v1'\n", [(1, "api", 8000)]),
        ("a.py", "r = Redis.from_url(\n    'redis://:made-up@redis/0',\n)\n", [(2, "redis", None)]),
        ("a.py", "u = f'http://api:8000/{name}'\n", [(1, "api", 8000)]),
        ("a.py", "u = f'http://api{name}'\nv = f'http://{host}:1/'\nw = f'{x}://api:1'\n", []),
        ("a.py", "'''See http://gone:80.'''\n# http://gone:80\ndef f():\n    '''http://gone:80'''\n", []),
        ("a.py", "x = ['kafka://broker:9092', 'amqp://mq', 'api:8000', 'key:8000']\n", [
            (1, "broker", 9092), (1, "mq", None), (1, "api", 8000),
        ]),
        ("a.py", "c = Client(base_url='http://test')\nd = 'http://testserver:80/'\ne = 'http://plain'\n", []),
        ("a.py", "x = 'https://api.example.com' 'http://localhost:1' 'sqlite:///x' 'file://api/x'\n", []),
        ("a.py", "def broken(:\n    'http://api:8000'\n", []),
        ("a.ts", "// http://gone:80\n/* 'http://gone:81' */ const u = `http://api:8000/${x}`;\n", [(2, "api", 8000)]),
        ("a.ts", "const u = `http://api${x}`; const v = 'redis://redis:6379'; // it's\n", [(1, "redis", 6379)]),
        ("a.js", "const re = /['\"]/;\nfetch('http://api:8000')\n", [(2, "api", 8000)]),
        ("A.java", "// \"http://gone:80\"\nString u = \"http://api:8000\"; char c = '\"';\n", [(2, "api", 8000)]),
        ("a.go", "const u = `http://api:8000` // \"http://gone:80\"\nvar x = \"grpc://orders:50051\"\n", [
            (1, "api", 8000), (2, "orders", 50051),
        ]),
        ("a.rb", "# 'http://gone:80'\nURL = 'http://api:8000'\n", [(2, "api", 8000)]),
    ],
)  # fmt: skip
def test_literals(path: str, code: str, found: list[tuple[int, str, int | None]]) -> None:
    assert named(code, path) == found


def test_the_words_around_a_literal_say_what_overrides_it() -> None:
    (item,) = named_addresses('URL = os.getenv(\n    "API_URL",\n    "http://api:8000",\n)\n', "a.py", HOSTS)
    assert {"API_URL", "URL"} <= item.words
    (item,) = named_addresses("const u = process.env.API_URL ?? 'http://api:8000'", "a.ts", HOSTS)
    assert "API_URL" in item.words


@pytest.mark.parametrize("code", ["/*" * 50_000, "`" * 100_001, "'http://" * 20_000, '"' * 100_001, "'\\" * 50_000])
def test_odd_code_is_read_in_time(code: str) -> None:
    started = time.monotonic()
    for path in ("a.ts", "a.py", "a.rb"):
        list(named_addresses(f"'http://'{code}", path, HOSTS))
    list(nginx(code))
    assert time.monotonic() - started < 5
