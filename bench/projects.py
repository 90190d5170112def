"""Generated projects of any size: a Compose file with health checks, limits, networks, volumes, and a catalogue."""

from __future__ import annotations

from pathlib import Path

PER_NETWORK = 20  # services


def write(directory: Path, services: int) -> list[Path]:
    """Writes `catalogue.yaml` and `docker-compose.yml` for a number of services; returns both paths."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / ".git").mkdir(exist_ok=True)  # ends the search for the root
    compose, catalogue = directory / "docker-compose.yml", directory / "catalogue.yaml"
    compose.write_text(_compose(services))
    catalogue.write_text(_catalogue(services))
    return [catalogue, compose]


def _compose(services: int) -> str:
    networks = range((services + PER_NETWORK - 1) // PER_NETWORK)
    parts = ["name: bench\nservices:\n", *(_service(number) for number in range(services)), "networks:\n"]
    parts += [f"  net{number}:\n" for number in networks]
    parts += ["volumes:\n", *(f"  data{number}:\n" for number in range(services))]
    return "".join(parts)


def _service(number: int) -> str:
    before = f"    depends_on:\n      svc{number - 1}:\n        condition: service_healthy\n" if number else ""
    return f"""\
  svc{number}:
    image: registry.example/team/svc{number}:1.{number}.0
    restart: unless-stopped
    command: ["serve", "--port", "8080", "--name", "svc{number}"]
    environment:
      LOG_LEVEL: info
      PEER_URL: http://svc{max(number - 1, 0)}:8080/api
      DB_PASSWORD_FILE: /run/secrets/db
    ports:
      - "127.0.0.1:{10000 + number}:8080"
    networks: [net{number // PER_NETWORK}]
    volumes:
      - data{number}:/var/lib/svc
{before}\
    healthcheck:
      test: ["CMD", "wget", "-qO-", "http://localhost:8080/health"]
      interval: 10s
      timeout: 3s
      retries: 3
    deploy:
      resources:
        limits:
          memory: 256M
          cpus: "0.5"
"""


def _catalogue(services: int) -> str:
    entries = (
        f"  svc{number}:\n    category: core\n    owner: team\n    tier: core\n"
        f"    image: registry.example/team/svc{number}:1.{number}.0\n    ports: [8080]\n"
        for number in range(services)
    )
    return "system: bench\nenvironments:\n  main: {compose: [docker-compose.yml]}\nservices:\n" + "".join(entries)
