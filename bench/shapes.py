"""Compose projects whose cost could grow faster than their size, each at any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

PARTS = 100  # files that are included, networks that a service is on
LAYERS = 50  # files that override one another


def depends(text: Callable[[int], str], before: int, services: int) -> str:
    """Each service depends on the `before` services before it."""
    parts = ["services:\n"]
    for number in range(services):
        needs = ", ".join(f"svc{other}" for other in range(max(0, number - before), number))
        parts.append(f"{text(number)}    depends_on: [{needs}]\n")
    return "".join(parts)


def _service(number: int) -> str:
    return f"  svc{number}:\n    image: registry.example/team/svc{number}:1.{number}.0\n    mem_limit: 256m\n"


def _each(body: str, services: int, head: str = "", tail: str = "") -> dict[str, str]:
    text = "".join(
        _service(number) + body.replace("NUMBER", str(number)).replace("PORT", str(10_000 + number))
        for number in range(services)
    )
    return {"docker-compose.yml": f"{head}services:\n{text}{tail}"}


def _depends(before: int, services: int) -> dict[str, str]:
    return {"docker-compose.yml": depends(_service, before, services)}


def _extends(services: int) -> dict[str, str]:
    base = "services:\n  base:\n    restart: always\n    environment: {A: a, B: b, C: c}\n    init: true\n"
    return {"base.yml": base, **_each("    extends: {file: base.yml, service: base}\n", services)}


def _chain(services: int) -> dict[str, str]:
    """Ten steps, each service from the one before: as deep as people go, as often as there are services."""
    text = "".join(
        _service(number) + (f"    extends: {{service: svc{number - 1}}}\n" if number % 10 else "    restart: always\n")
        for number in range(services)
    )
    return {"docker-compose.yml": f"services:\n{text}"}


def _includes(services: int) -> dict[str, str]:
    numbers = range(services)
    files = {
        f"part{part}.yml": "services:\n" + "".join(_service(number) for number in numbers[part::PARTS])
        for part in range(PARTS)
    }
    return {**files, "docker-compose.yml": "include:\n" + "".join(f"  - {name}\n" for name in files)}


def _overrides(services: int) -> dict[str, str]:
    """Every file says something of each service."""
    each = services // LAYERS
    first = _each("    environment:\n      LAYER: 'no'\n", each)
    rest = {
        f"layer{layer:02}.yml": "services:\n"
        + "".join(f"  svc{n}:\n    environment: {{LAYER: '{layer}', V{layer}: a}}\n" for n in range(each))
        for layer in range(1, LAYERS)
    }
    return {**first, **rest}


def _anchors(services: int) -> dict[str, str]:
    head = (
        "x-base: &base\n  restart: unless-stopped\n  environment: &env {A: a, B: b, C: c}\n"
        "  logging: {driver: local, options: {max-size: 10m}}\n"
    )
    return _each("    <<: *base\n    environment:\n      <<: *env\n      OWN: 'NUMBER'\n", services, head)


def _env_file(services: int) -> dict[str, str]:
    """As many variables in one file as services that share it would be their product: the file grows, they do not."""
    variables = "".join(f"VARIABLE_{number}=value {number}\n" for number in range(services))
    return {"shared.env": variables, **_each("    env_file: [shared.env]\n", 200)}


def _sharing(services: int) -> dict[str, str]:
    """A shared env file of fixed size, a growing number of services."""
    variables = "".join(f"VARIABLE_{number}=value {number}\n" for number in range(50))
    return {"shared.env": variables, **_each("    env_file: [shared.env]\n", services)}


def _own(services: int) -> dict[str, str]:
    """A network, a volume and a published port of its own for each."""
    names = range(services)
    tail = (
        "networks:\n" + "".join(f"  net{n}:\n" for n in names) + "volumes:\n" + "".join(f"  vol{n}:\n" for n in names)
    )
    body = "    networks: [netNUMBER]\n    volumes: ['volNUMBER:/data']\n    ports: ['127.0.0.1:PORT:80']\n"
    return _each(body, services, tail=tail)


def _shared(services: int) -> dict[str, str]:
    """One network, one volume, one secret, one port for all."""
    body = (
        "    networks: [all]\n    volumes: ['all:/data']\n    secrets: [all]\n    ports: ['8080:80']\n"
        "    container_name: all\n"
    )
    tail = "networks:\n  all:\nvolumes:\n  all:\nsecrets:\n  all: {file: all.txt}\n"
    return _each(body, services, tail=tail)


def _many_networks(services: int) -> dict[str, str]:
    networks = ", ".join(f"net{number}" for number in range(20))
    tail = "networks:\n" + "".join(f"  net{number}:\n" for number in range(20))
    return _each(f"    networks: [{networks}]\n", services, tail=tail)


def _addresses(services: int) -> dict[str, str]:
    """Each service is addressed by the ten after it."""
    parts = ["services:\n"]
    for number in range(services):
        peers = "".join(f"      PEER{n}_URL: http://svc{n}:8080/\n" for n in range(max(0, number - 10), number))
        parts.append(_service(number) + (f"    environment:\n{peers}" if peers else ""))
    return {"docker-compose.yml": "".join(parts)}


def _hub(services: int) -> dict[str, str]:
    """All depend on one, and address it."""
    return _each("    depends_on: [svc0]\n    environment: {HUB: 'http://svc0:80'}\n", services)


SHAPES: Mapping[str, Callable[[int], dict[str, str]]] = {
    "each depends on the 2 before it": partial(_depends, 2),
    "each depends on the 10 before it": partial(_depends, 10),
    "each depends on the 50 before it": partial(_depends, 50),
    "each depends on one, and addresses it": _hub,
    "each addresses the 10 before it": _addresses,
    "each extends one base of another file": _extends,
    "chains of ten `extends`": _chain,
    f"{PARTS} included files": _includes,
    f"{LAYERS} files that override": _overrides,
    "an anchor merged into each": _anchors,
    "200 services share an env file that grows": _env_file,
    "all share an env file of 50 variables": _sharing,
    "a network, volume and port of its own for each": _own,
    "one network, volume, secret, port and name for all": _shared,
    "each on 20 networks": _many_networks,
}


def write(directory: Path, shape: str, services: int) -> list[str]:
    """Writes the files of one shape; returns those to name by `-f`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / ".git").mkdir(exist_ok=True)  # ends the search for the root
    files = SHAPES[shape](services)
    for name, text in files.items():
        (directory / name).write_text(text)
    layered = [name for name in files if name.startswith("layer")]
    return ["docker-compose.yml", *sorted(layered)]
