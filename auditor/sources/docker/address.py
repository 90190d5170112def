"""From an address as people write it to what a connection needs: sockets, contexts, certificates."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from docker.context import ContextAPI
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from auditor.errors import EvidenceError
from auditor.sources.docker.failures import shown
from auditor.sources.hostile import printable


def options_of(address: str) -> dict[str, Any]:
    """The SDK's options for an address. Raises EvidenceError for one that cannot be meant."""
    if address == "env":
        found = kwargs_from_env()
        return {**({} if "base_url" in found else ContextAPI.kwargs_from_context()), **found}
    scheme, separator, _ = address.partition("://")
    if not separator:
        return _context_options(address)
    if scheme not in ("unix", "tcp", "http", "https", "ssh"):
        raise EvidenceError(
            f"`{printable(address)}` is no address of a Docker Engine",
            help="use `unix:///...`, `tcp://host:port`, `ssh://user@host`, the name of a Docker context, or `env`",
        )
    if scheme != "ssh" and "@" in address:
        raise EvidenceError(
            f"the address `{shown(address)}` holds a user",
            help="the Docker Engine knows clients by their certificates",
        )
    if scheme == "ssh":
        _require_paramiko()
        return {"base_url": address, "use_ssh_client": True}
    if scheme == "https" or (scheme == "tcp" and address.endswith(":2376")):
        return {"base_url": address, "tls": _tls()}
    return {"base_url": address}


def _context_options(name: str) -> dict[str, Any]:
    if name != "default" and ContextAPI.get_context(name) is None:
        raise EvidenceError(f"there is no Docker context `{printable(name)}`", help="`docker context ls` lists them")
    return dict(ContextAPI.kwargs_from_context(environment={"DOCKER_CONTEXT": name}))


def _require_paramiko() -> None:
    """The SDK imports it even where the machine's own ssh does the work. Raises EvidenceError without it."""
    if find_spec("paramiko") is None:
        raise EvidenceError("`ssh://` needs the package `paramiko`", help="install `docker[ssh]`")


def _tls() -> TLSConfig:
    """The certificates where the Docker CLI looks for them; the server is always verified."""
    return kwargs_from_env({**_certificate_place(), "DOCKER_TLS_VERIFY": "1"})["tls"]


def _certificate_place() -> dict[str, str]:
    place = os.environ.get("DOCKER_CERT_PATH")
    return {"DOCKER_CERT_PATH": place} if place else {}
