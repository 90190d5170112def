"""Documents in many shapes: what they claim, and what only looks like a claim."""

# ruff: noqa: RUF001  documents are full of dashes, arrows and texts whose encoding was broken
from __future__ import annotations

import time

import pytest

from auditor.sources.documents import parse_document
from auditor.sources.documents.lookup import Lookup
from auditor.sources.knowledge import load
from auditor.words import normal
from tests.builders import MemoryTree

SERVICES = (
    "web",
    "api",
    "backend",
    "frontend",
    "worker",
    "celery-worker",
    "auth-service",
    "FastAPI Backend",
    "React Frontend",
)
WORDS = frozenset(
    normal(word) for component in load() for word in (component.key, component.title, *component.names)
) | frozenset(map(normal, SERVICES))


def counts(text: str) -> list[tuple[int, bool, str | None, int | None]]:
    found = parse_document(text.encode(), "README.md", WORDS).counts
    return [(claim.number, claim.at_least, claim.category, claim.location.line) for claim in found]


def lists(text: str) -> list[list[str]]:
    return [[item.text for item in group.items] for group in parse_document(text.encode(), "README.md", WORDS).lists]


def ports(text: str) -> dict[str, tuple[int, ...]]:
    found = parse_document(text.encode(), "README.md", WORDS).lists
    return {item.text: item.ports for group in found for item in group.items}


# --- counts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number", "at_least", "category"),
    [
        ("The platform runs 25+ services.", 25, True, None),
        ("### **Actual Services in docker-compose.unified.yml: 16 services**", 16, False, None),
        ("### **Claimed Services in README: 25+ services**", 25, True, None),
        ("- **29 Ultra-Focused Microservices** (130-140 lines each)", 29, False, None),
        ("**Current**: 29 individual services", 29, False, None),
        ("decomposes the monolithic application into four independent services:", 4, False, None),
        ("Get status of all 25 microservices", 25, False, None),
        ("## Service Architecture (25+ Services)", 25, True, None),
        ("### **Production Services**: 25 services", 25, False, None),
        ("There are 12 core services.", 12, False, "core"),
        ("A stack of 16 Docker services", 16, False, None),
        ("It has over 20 services.", 20, True, None),
        ("It has at least 20 services.", 20, True, None),
        ("It has more than 20 micro-services.", 20, True, None),
        ("It has 20 or more services today.", 20, True, None),
        ("Total services: 25", 25, False, None),
        ("Total number of microservices: 25+", 25, True, None),
        ("A 25-service platform for everyone", 25, False, None),
        ("| Services | 16 services | ok |", 16, False, None),
        ("The system consists of 3 services.", 3, False, None),
        ("The system is composed of twelve microservices.", 12, False, None),
        ("It consists of twenty-one services.", 21, False, None),
        ("The platform runs over thirty services.", 30, True, None),
        ("At least six services are monitored.", 6, True, None),
        ("It is made of thirty microservices.", 30, False, None),
        ("The platform runs **a dozen microservices**.", 12, False, None),
        ("The platform runs two dozen services.", 24, False, None),
        ("4 independent services", 4, False, None),
        ("🚀 25\\+ services in one stack", 25, True, None),
        ("<b>25+ services</b>", 25, True, None),
        ("[25+ services](docs/services.md) in one stack", 25, True, None),
        ("âœ… 25+ services running", 25, True, None),
        ("> 16 services in production", 16, False, None),
        ("All 16 services pass their checks", 16, False, None),
        ("The stack contains 16 loosely-coupled services", 16, False, None),
        ("16 monitoring services watch the rest", 16, False, "monitoring"),
    ],
)
def test_a_count(text: str, number: int, at_least: bool, category: str | None) -> None:
    assert counts(text) == [(number, at_least, category, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "1. **Document Processing Pipeline** (3→1 service)",
        "2. **Payment Processing Workflow** (4→2 services)",
        "2. **Payment Processing Workflow** (4â†’2 services)",
        "from 25 -> 16 services",
        "**Tier 1: Edge Services** (Public-facing)",
        "**Tier 2 services** are internal",
        "### Phase 2 services",
        "# Server 1: Core services",
        "service 3 services",
        "Option 1 services",
        "24/7 services",
        "We offer 24/7 services",
        "since 2024 services",
        "port 8080 services",
        "1,000 services",
        "up to 100 services",
        "supports 50 services",
        "It scales to 200 services",
        "Monitors 100 services at once",
        "9+ missing services",
        "❌ **Gap: 9+ missing services**",
        "5 additional services",
        "30 external services",
        "12 AWS services",
        "10 optional services",
        "we will have 25 services",
        "The goal is 25 services",
        "We plan for 25 services",
        "We had 12 services before",
        "previously 12 services",
        "10-20 services",
        "10 to 20 services",
        "between 10 and 20 services",
        "The two services share a database",
        "Two services without a restart policy",
        "Three services in a row for each document",
        "These 12 services are down",
        "the other 12 services",
        "10 services per node",
        "Start 10 services in parallel",
        "v2 services",
        "99.9% services",
        "$15 services",
        "Step 4 services",
        "15 minutes of services",
        "10 services failed",
        "each of 12 services",
        "Merge 12 services into one",
        "12 services were removed",
        "If you have 12 services",
        "A tool for 100+ services of your cloud.",
        "It watches over 40 services in your cluster.",
        "When all 12 services run",
        "For example 12 services",
        "fewer than 12 services",
        "16 of the services",
        "1 service",
        "one service",
        "501 services",
        "services 16",
        "`25 servicesX`",
    ],
)
def test_no_count(text: str) -> None:
    assert counts(text) == []


@pytest.mark.parametrize(
    "heading", ["Roadmap", "Future plans", "Phase 2: growth", "History", "Examples", "Planned services"]
)
def test_a_count_in_a_section_of_something_else(heading: str) -> None:
    assert counts(f"# Demo\n\n## {heading}\n\nThe platform runs 25 services.\n") == []
    assert counts(f"# Demo\n\n## {heading}\n\n### Now\n\nThe platform runs 25 services.\n") == []
    assert counts(f"# Demo\n\n## {heading}\n\n## Now\n\nThe platform runs 25 services.\n") == [(25, False, None, 7)]


def test_numbered_headings_are_no_counts() -> None:
    assert counts("# A\n\n## 11 Introduction\n\n## 12 Services\n\n## 13 End\n") == []
    assert counts("# A\n\n## 12 Services\n") == [(12, False, None, 3)]


@pytest.mark.parametrize(
    "text",
    [
        "```\n25 services\n```\n",
        "~~~text\n25 services\n~~~\n",
        "````\n```\n25 services\n```\n````\n",
        "<!-- 25 services -->\n",
        "<!--\n25 services\n-->\n",
        "---\ndescription: 25 services\n---\n",
        "- [ ] 25 services\n",
        "- ~~25 services~~\n",
        "text\n\n    25 services\n",
        "![25 services](badge.svg)\n",
        "```\n25 services",
    ],
)
def test_what_is_not_said_is_not_counted(text: str) -> None:
    assert counts(text) == []


def test_a_sentence_over_two_lines() -> None:
    assert counts("# A\n\nThe platform consists of 25\nservices and more.\n") == [(25, False, None, 3)]


def test_two_counts() -> None:
    text = "# A\n\nIt runs 25+ services. Of these, 12 core services are critical.\n"
    assert counts(text)[0] == (25, True, None, 3)


# --- lists ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("## Services\n\n- web\n- api\n- redis\n", ["web", "api", "redis"]),
        ("## Services\n\n* web\n* api\n+ redis\n", ["web", "api", "redis"]),
        ("## Services\n\n1. web\n2. api\n3) redis\n", ["web", "api", "redis"]),
        ("Services\n========\n\n- web\n- api\n", ["web", "api"]),
        ("## 🏗️ Our Services\n\n- 🌐 **web**\n- 🔑 `api`\n", ["web", "api"]),
        ("## ðŸ—ï¸ Services\n\n- âœ… web\n- âœ… api\n", ["web", "api"]),
        (
            "## Services\n\n- web (React)\n- api - the REST API\n- redis: the cache\n- kafka × 3\n",
            ["web", "api", "redis", "kafka"],
        ),
        ("## Services\n\n- **Web** – pages\n- **API** — REST\n", ["Web", "API"]),
        ("## Services\n\n- [web](docs/web.md)\n- [api](docs/api.md): x\n", ["web", "api"]),
        (
            "### Production Services\n\n1. FastAPI Backend (twice)\n2. HashiCorp Vault Secrets\n3. Celery Worker\n",
            ["FastAPI Backend", "HashiCorp Vault Secrets", "Celery Worker"],
        ),
        ("## Overview\n\nThe stack consists of these services:\n\n- web\n- api\n", ["web", "api"]),
        ("## Services\n\nThe following are deployed:\n\n- web\n- api\n", ["web", "api"]),
        ("**Services:**\n- web\n- api\n", ["web", "api"]),
        ("## Services\n\n- web\n\n- api\n\n- redis\n", ["web", "api", "redis"]),
        ("## Services\n\n- web\n  goes on here\n- api\n", ["web", "api"]),
        ("## Services\n\n- web\n  - serves pages\n  - caches\n- api\n  - port 8000\n", ["web", "api"]),
        ("## Services\n\n- Prometheus, Grafana and Loki\n- web\n", ["Prometheus", "Grafana", "Loki", "web"]),
        ("## Services\n\n- Prometheus + Grafana\n- Kafka/Zookeeper\n", ["Prometheus", "Grafana", "Kafka", "Zookeeper"]),
        ("## Services\n\n- Redis for caching\n- Postgres with PostGIS\n", ["Redis", "Postgres"]),
        ("## Services\n\n- web\n- api\n- billing\n", ["web", "api", "billing"]),
        (
            "## Services\n\n- web\n- Kafka (planned)\n- api\n- MinIO - optional\n- ❌ Vault\n- ~~Redis~~\n",
            ["web", "api"],
        ),
        (
            "Startup of Grafana is optional. You can reach the following services:\n* web - http://x:1\n* api\n",
            ["web", "api"],
        ),
        (
            "Containers:\n\n* Prometheus (metrics) `http://<host-ip>:9090`\n* NodeExporter (x)\n",
            ["Prometheus", "NodeExporter"],
        ),
        ("## Services\n\n- api: handles external requests\n- web: shows what is missing\n", ["api", "web"]),
        ("## Containers\r\n\r\n- web\r\n- api\r\n", ["web", "api"]),
        ("## Microservices\n\n- auth-service\n- api\n", ["auth-service", "api"]),
        ("- Prometheus\n- Grafana\n- Loki\n- Alertmanager\n", ["Prometheus", "Grafana", "Loki", "Alertmanager"]),
    ],
)
def test_a_list(text: str, names: list[str]) -> None:
    assert lists(text) == [names]


@pytest.mark.parametrize(
    "text",
    [
        "## Features\n\n- Redis cache\n- Kafka streaming\n- Postgres storage\n",
        "## Roadmap\n\n- Kafka\n- MinIO\n- Vault\n",
        "## Planned services\n\n- Kafka\n- MinIO\n- Vault\n",
        "## Optional services\n\n- Kafka\n- MinIO\n- Vault\n",
        "## Critical Missing Services\n\n- Kafka\n- MinIO\n- Vault\n",
        "## External services\n\n- Kafka\n- MinIO\n- Vault\n",
        "## Prerequisites\n\n- Docker\n- Redis server\n- PostgreSQL\n",
        "## Tech stack\n\n- PostgreSQL\n- Redis\n- Kafka\n",
        "## Legacy services\n\n- Kafka\n- MinIO\n- Vault\n",
        "## Roadmap\n\n### Services\n\n- Kafka\n- MinIO\n- Vault\n",
        "## Services\n\nPlanned for later:\n\n- Kafka\n- MinIO\n- Vault\n",
        "## Services\n\n- [ ] Kafka\n- [x] MinIO\n- [ ] Vault\n",
        "## Services\n\n```\n- Kafka\n- MinIO\n```\n",
        "<!--\n## Services\n- Kafka\n- MinIO\n-->\n",
        "## Services\n\n- Start the stack with make up.\n- Check that Redis is running.\n",
        "## Benefits\n\n- Services scale on their own\n- Failures stay small\n",
        "## Customer services\n\n- Consulting\n- Training\n- Support\n",
        "## Goals\n\n- fast\n- small\n- good\n",
        "# Monitoring\n\n- Prometheus: port 9090\n- Loki\n- Grafana holds no state worth saving\n- Alertmanager\n",
        "Grafana is preconfigured with one source:\n\n* Name: Prometheus\n* Type: Prometheus\n* Access: proxy\n",
        "## Shopping\n\n- milk\n- bread\n- Redis\n",
        "## Troubleshooting services\n\n- Redis\n- Kafka\n- Vault\n",
        "## Adding new services\n\n1. web\n2. api\n3. redis\n",
        "The agent has too many responsibilities:\n- WhatsApp Bot (real-time messaging)\n- Admin API (web)\n",
        "### **1. Core Services Separation**\n\n- better\n- faster\n",
        "## Service Responsibilities\n\n#### **Core Services**\n- **Sybil Agent** - AI\n- **Neo4j Tools** - Database\n",
        "## Services\n",
        "",
        "# \n\n- \n",
    ],
)
def test_no_list(text: str) -> None:
    assert lists(text) == []


def test_a_list_of_lists() -> None:
    text = "## Services\n\n- **Core**\n  - web\n  - api\n- **Data**\n  - redis\n  - postgres\n"
    assert lists(text) == [["web", "api"], ["redis", "postgres"]]


def test_the_stack_names_more_than_services() -> None:
    assert lists("## The stack\n\n- React\n- Postgres\n- Redis\n- TypeScript\n") == [["Postgres", "Redis"]]


def test_unknown_services_with_ports() -> None:
    text = (
        "It is made of four independent services:\n\n- **Auth Service** (port 5001): Handles authentication\n"
        "- **Agent Service** (port 5002): Processes\n- **RAG Service** (port 5003): Manages\n"
        "- **Gateway** (port 5000): Routes\n"
    )
    assert ports(text) == {
        "Auth Service": (5001,),
        "Agent Service": (5002,),
        "RAG Service": (5003,),
        "Gateway": (5000,),
    }


def test_addresses_under_a_numbered_step() -> None:
    text = "2. **Access the services:**\n   - Admin API: http://localhost:8002\n   - WhatsApp: http://localhost:8001\n"
    assert ports(text) == {"Admin API": (8002,), "WhatsApp": (8001,)}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("redis (port 6379)", (6379,)),
        ("redis (6379)", (6379,)),
        ("redis - ports 6379, 6380", (6379, 6380)),
        ("redis - port: 6379", (6379,)),
        ("redis `:6379`", (6379,)),
        ("redis: http://localhost:6379/x", (6379,)),
        ("redis: http://redis:6379", (6379,)),
        ("redis 8080:6379", (8080, 6379)),
        ("redis (9000/9001)", (9000, 9001)),
        ("redis:7-alpine", ()),
        ("redis 7.2.4", ()),
        ("redis since 2024", ()),
        ("redis: https://cache.example.com:8443", ()),
        ("redis port 70000", ()),
        ("redis keeps 10000 keys", ()),
    ],
)
def test_ports_of_an_item(item: str, expected: tuple[int, ...]) -> None:
    found = parse_document(f"## Services\n\n- web\n- {item}\n- api\n".encode(), "README.md", WORDS).lists
    assert found[0].items[1].ports == expected


def test_a_port_below_its_service() -> None:
    assert ports("## Services\n\n- web\n  - Port: 8080\n- api\n  - Ports 8000, 8001\n") == {
        "web": (8080,),
        "api": (8000, 8001),
    }


# --- tables --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("| Service | Port |\n|---|---|\n| web | 80 |\n| api | 8000, 8001 |\n", {"web": (80,), "api": (8000, 8001)}),
        ("Service | Port\n--- | ---\nweb | 80\napi | 8000\n", {"web": (80,), "api": (8000,)}),
        (
            "| # | Service | Port |\n|:-:|:--|--:|\n| 1 | **web** | `80` |\n| 2 | [api](x) | 8000 |\n",
            {"web": (80,), "api": (8000,)},
        ),
        (
            "| Service | URL |\n|---|---|\n| Grafana | http://localhost:3000 |\n| web | https://example.com |\n",
            {"Grafana": (3000,), "web": ()},
        ),
        ("| Container | Purpose |\n|---|---|\n| web | pages |\n| redis | cache |\n", {"web": (), "redis": ()}),
        (
            "## Services\n\n| Name | Purpose |\n|---|---|\n| web | pages |\n| redis | cache |\n",
            {"web": (), "redis": ()},
        ),
        (
            "| Service | Status |\n|---|---|\n| web | ✅ |\n| kafka | ❌ |\n| vault | planned |\n| redis | up |\n",
            {"web": (), "redis": ()},
        ),
        (
            "| Service | Port |\n|---|---|\n| billing | 7000 |\n| orders | 7001 |\n",
            {"billing": (7000,), "orders": (7001,)},
        ),
        ("| Service | Ports |\n|---|---|\n| web | 8080:80 |\n", {"web": (8080, 80)}),
        ("| Service | Version | Port |\n|---|---|---|\n| redis | 7.2 | 6379 |\n", {"redis": (6379,)}),
    ],
)
def test_a_table(text: str, found: dict[str, tuple[int, ...]]) -> None:
    assert ports(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "| Variable | Service |\n|---|---|\n| REDIS_URL | web |\n| KAFKA_URL | api |\n",
        "| Feature | web | api |\n|---|---|---|\n| login | yes | no |\n",
        "## Roadmap\n\n| Service | Quarter |\n|---|---|\n| kafka | Q1 |\n| vault | Q2 |\n",
        "| Service | Price |\n|---|---|\n| Consulting | 10 |\n| Training | 20 |\n",
        "| Name | Meaning |\n|---|---|\n| DEBUG | x |\n| LEVEL | y |\n",
        "| Command | Service |\n|---|---|\n| up | web |\n",
        "| Service | Port |\n",
        "| Service | Port |\n|---|---|\n",
        "```\n| Service | Port |\n|---|---|\n| web | 80 |\n```\n",
    ],
)
def test_no_table(text: str) -> None:
    assert lists(text) == []


# --- places, encodings, bounds -------------------------------------------------------------------------------


def test_lines() -> None:
    text = "# A\n\n<!-- x\ny -->\n## Services\n\n```\ncode\n```\n\n- web\n\n- api\n"
    (group,) = parse_document(text.encode(), "docs/a.md", WORDS).lists
    assert (group.title, str(group.location)) == ("Services", "docs/a.md:11")
    assert [str(item.location) for item in group.items] == ["docs/a.md:11", "docs/a.md:13"]


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf## Services\n- web\n- api\n", b"## Services \xff\n- web\n- api\n"])
def test_odd_bytes(data: bytes) -> None:
    assert len(parse_document(data, "a.md", WORDS).lists) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        "![" * 50_000,
        "<" * 50_000,
        "**" * 50_000,
        "`" * 50_000,
        "(" * 50_000 + "25 services",
        "- " * 50_000,
        "\n".join("  " * (n % 500) + "- web" for n in range(5_000)),
        "## Services\n\n" + "- web\n" * 15_000,
        "| Service |\n|---|\n" + "| web |\n" * 15_000,
        "|" * 50_000 + "\n" + "-|" * 50_000,
        "25 " * 30_000,
        "25 a b c " * 15_000,
        "two " * 30_000 + "services",
        ("word " * 400 + "\n") * 200,
        "<!--" * 30_000,
        "a. " * 30_000 + "25 services",
        "# " * 30_000,
        "~~" * 30_000,
        "\\" * 60_000,
        "&amp;" * 30_000,
        "- [" + "x](" * 20_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_no_text_takes_long(text: str) -> None:
    begin = time.process_time()
    parse_document(text.encode(), "a.md", WORDS)
    assert time.process_time() - begin < 5


# --- whole documents -----------------------------------------------------------------------------------------

WHOLE = """\
---
title: Demo
---
# 🚀 Demo Platform

![build](https://example.com/25-services.svg) A platform of **16 services**. <!-- was 12 services -->

## 📑 Table of Contents
1. [Services](#services)
2. [Roadmap](#roadmap)

## ✨ Features

- 25 services supported
- Kafka streaming

## 🏗️ Services

### Core

| Service | Port | Notes |
|---------|------|-------|
| **web** | 8080 | pages |
| [api](docs/api.md) | 8000 | REST |

### Data

- `postgres` — PostgreSQL 16
- `redis` — cache

```yaml
services:
  - kafka
```

## 🗺️ Roadmap

- Kafka
- 30 services
"""


def test_a_whole_readme() -> None:
    assert counts(WHOLE) == [(16, False, None, 6)]
    assert lists(WHOLE) == [["web", "api"], ["postgres", "redis"]]


# --- badges --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("badge", "found"),
    [
        ("https://img.shields.io/badge/services-16-blue", [(16, False)]),
        ("https://img.shields.io/badge/microservices-25%2B-brightgreen.svg?style=flat", [(25, True)]),
        ("https://img.shields.io/badge/services-seven-blue", [(7, False)]),
        ("https://img.shields.io/badge/services-one-blue", []),
        ("https://img.shields.io/badge/docker-16_services-2496ED?logo=docker", [(16, False)]),
        ("https://img.shields.io/badge/docker%20services-16-blue", [(16, False)]),
        ("https://img.shields.io/static/v1?label=services&message=16&color=blue", [(16, False)]),
        ("https://badgen.net/badge/services/16/blue", [(16, False)]),
        ("https://img.shields.io/badge/coverage-85-green", []),
        ("https://img.shields.io/badge/services-up-green", []),
        ("https://img.shields.io/badge/services-16", []),
        ("https://img.shields.io/badge/web--services-v16-green", []),
        ("https://img.shields.io/badge/python-3.11-blue", []),
    ],
)
def test_badges(badge: str, found: list[tuple[int, bool]]) -> None:
    assert [(number, at_least) for number, at_least, _, _ in counts(f"# X\n\n[![x]({badge})](a)\n")] == found
    assert counts(f"```\n![x]({badge})\n```\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "git clone " + "a" * 200_000,
        "```sh\nmake x\n" + "cd a; " * 30_000 + "\n```\n",
        "[a](" * 50_000,
        "```mermaid\ngraph TD\n" + "a[" * 50_000 + "\n```\n",
        "```\n+--+\n" + "|a" * 50_000 + "\n```\n",
        "![x](/badge/services-" * 20_000,
        "x::\n\n  y\n\n" * 2_000,
        ".. list-table::\n\n   * - a\n" + "     - b\n" * 4_000,
        "+--+--+\n" * 4_000,
    ],
    ids=range(9),
)
def test_odd_documents_are_read_in_time(text: str) -> None:
    lookup = Lookup(MemoryTree({"Makefile": "%" * 300_000, "x/package.json": "[" * 5_000}))
    started = time.monotonic()
    for path in ("a.md", "a.rst"):
        parse_document(text.encode(), path, WORDS, lookup)
    assert time.monotonic() - started < 10
