"""From an address as people write it to what a connection needs: a socket, a host with certificates, or an ssh."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from auditor.errors import EvidenceError
from auditor.regexp import regexp
from auditor.sources.docker.failures import shown
from auditor.sources.hostile import printable

if TYPE_CHECKING:
    from docker.tls import TLSConfig

SOCKET = "/var/run/docker.sock"
_WORD = regexp(r"[A-Za-z0-9_][A-Za-z0-9_.:%-]*")  # a host or user that no command line takes for an option

_CONTEXTS = "`docker context ls` lists them"


@dataclass(frozen=True, slots=True)
class Route:
    """How an engine is reached: by one of `socket`, `host` with `port`, or `command`, whose ends are the connection."""

    socket: str | None = None
    host: str | None = None
    port: int = 0
    tls: ssl.SSLContext | None = None
    command: tuple[str, ...] = ()

    @property
    def authority(self) -> str:
        """What stands in the header `Host`."""
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host
        return f"{host}:{self.port}" if host else "docker"


def route_of(address: str) -> Route:
    """The way to the engine at an address. Raises EvidenceError for one that cannot be meant.

    address: `unix:///...`, `tcp://host:port`, `https://host:port`, `ssh://...`, the name of a Docker context, or `env`.
    """
    if address == "env":
        return _from_environment()
    if "://" not in address:
        return _from_context(address)
    return _from_url(address, tls=None)


def _from_url(address: str, tls: ssl.SSLContext | None) -> Route:
    scheme, _, rest = address.partition("://")
    if scheme in ("unix", "http+unix"):
        return Route(socket="/" + rest.lstrip("/"))
    if scheme == "ssh":
        return Route(command=_ssh(address))
    if scheme not in ("tcp", "http", "https"):
        raise EvidenceError(
            f"`{printable(address)}` is no address of a Docker Engine",
            help="use `unix:///...`, `tcp://host:port`, `ssh://user@host`, the name of a Docker context, or `env`",
        )
    if "@" in address:
        raise EvidenceError(
            f"the address `{shown(address)}` holds a user",
            help="the Docker Engine knows clients by their certificates",
        )
    secure = scheme == "https" or tls is not None or (scheme == "tcp" and address.rstrip("/").endswith(":2376"))
    host, port = _host_and_port(address, 2376 if secure else 2375)
    return Route(host=host, port=port, tls=(tls or _certificates(_certificate_folder())) if secure else None)


def _host_and_port(address: str, default: int) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or default
    except ValueError:
        host, port = None, 0
    if not host or not _WORD.fullmatch(host.replace("::", "0:")):
        raise _unusable(address, "its host or port cannot be meant")
    return host, port


def _unusable(address: str, why: str) -> EvidenceError:
    return EvidenceError(
        f"the Docker Engine at `{shown(address)}` cannot be read: {why}", help="use `tcp://host:port`, for example"
    )


# --- what the shell and the Docker CLI have set ------------------------------------------------------------------


def _from_environment() -> Route:
    """As the Docker CLI finds it: DOCKER_HOST and its TLS variables, else the current context."""
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    try:
        found = kwargs_from_env()
    except (DockerException, OSError) as error:
        raise _no_certificates(error) from None
    return _from_options(found) if "base_url" in found else _from_context(None)


def _from_context(name: str | None) -> Route:
    """The engine of a Docker context; None: of the current one."""
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name
    from docker.errors import DockerException

    try:
        # The SDK takes the local engine where the current context is gone, which is not the one that is meant.
        name = name or os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
        if name not in (None, "default") and ContextAPI.get_context(name) is None:
            raise EvidenceError(f"there is no Docker context `{printable(name)}`", help=_CONTEXTS)
        chosen = {"DOCKER_CONTEXT": name} if name else None
        return _from_options(ContextAPI.kwargs_from_context(environment=chosen))
    except (DockerException, OSError, ValueError) as error:
        raise EvidenceError(
            f"the Docker context `{printable(name or 'default')}` cannot be read: {printable(error)}",
            help=_CONTEXTS,
        ) from None


def _from_options(options: Mapping[str, Any]) -> Route:
    """From what the SDK has made of variables or a context: `base_url` and `tls`."""
    tls = options.get("tls")
    context = _context_of(tls) if tls and not isinstance(tls, bool) else None
    return _from_url(str(options.get("base_url") or f"unix://{SOCKET}"), context)


# --- certificates ------------------------------------------------------------------------------------------------


def _certificate_folder() -> Path:
    place = os.environ.get("DOCKER_CERT_PATH") or os.environ.get("DOCKER_CONFIG")
    return Path(place) if place else Path.home() / ".docker"


def _certificates(folder: Path) -> ssl.SSLContext:
    """The certificates where the Docker CLI keeps them; the server is always verified. A client need have none."""
    authority, certificate, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    wanted = (authority, certificate, key) if certificate.exists() or key.exists() else (authority,)
    for file in wanted:
        if not file.exists():
            raise _no_certificates(f"there is no `{file}`")
    if len(wanted) == 1:
        return _tls(str(authority), None, None)
    return _tls(str(authority), str(certificate), str(key))


def _context_of(config: TLSConfig) -> ssl.SSLContext:
    certificate, key = config.cert or (None, None)
    context = _tls(config.ca_cert or None, certificate, key)
    if config.verify is False:  # as the context says; the Docker CLI does the same
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _tls(authority: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not the default one: it would follow SSLKEYLOGFILE
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if authority:
            context.load_verify_locations(authority)
        else:
            context.load_default_certs()
        if certificate:
            context.load_cert_chain(certificate, key)
    except OSError as error:
        raise _no_certificates(error) from None
    return context


def _no_certificates(error: Exception | str) -> EvidenceError:
    return EvidenceError(
        f"the Docker Engine cannot be read: its certificates cannot be used: {printable(error)}",
        help="`ca.pem`, `cert.pem` and `key.pem` belong into `DOCKER_CERT_PATH`",
    )


# --- ssh ---------------------------------------------------------------------------------------------------------


def _ssh(address: str) -> tuple[str, ...]:
    """The machine's own ssh, with the user's configuration of it, that never asks; at the other end, Docker's CLI."""
    try:
        parts = urlsplit(address)
        host, user, port = parts.hostname, parts.username, parts.port
    except ValueError:
        raise _unusable(address, "its host or port cannot be meant") from None
    if parts.password is not None:
        raise EvidenceError(f"the address `{shown(address)}` holds a password", help="ssh uses keys or an agent")
    if not host or not _WORD.fullmatch(host) or (user is not None and not _WORD.fullmatch(user)):
        raise _unusable(address, "its host or user cannot be meant")
    if not re.fullmatch(r"[\w./-]*", parts.path):
        raise _unusable(address, "its path cannot be meant")
    words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-T"]
    words += ["-l", user] if user else []
    words += ["-p", str(port)] if port else []
    there = ["docker", "system", "dial-stdio"]
    if parts.path.strip("/"):
        there[1:1] = ["--host", f"unix://{parts.path}"]
    return (*words, "--", host, *there)
