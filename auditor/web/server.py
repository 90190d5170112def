"""The process that serves: one socket, deadlines for slow clients, and an orderly end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from types import FrameType
from typing import NoReturn

import uvicorn

from auditor.errors import UsageError
from auditor.settings import Settings
from auditor.web.app import App, create_app
from auditor.web.deadline import DeadlineProtocol
from auditor.web.guard import is_loopback

IDLE_SECONDS = 15  # between two requests of one connection
SWITCH_SECONDS = 0.001  # a scan computes in a thread of this process: answers must not wait 5 ms for each turn
END_SECONDS = 5  # for answers that are on their way when the end comes


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, and leave the process with 0 then."""
    refuse_open_door(settings)
    refuse_open_actions(settings)
    _project_there(settings)
    app = create_app(settings)
    listener = listen(settings)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    sys.setswitchinterval(SWITCH_SECONDS)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a skipped scan is counted, not logged
    signal.signal(signal.SIGTERM, _end)  # uvicorn raises the signal again at its end: that must mean 0, too
    signal.signal(signal.SIGINT, _end)
    try:
        _announce(listener)
        uvicorn.Server(configuration(app)).run(sockets=[listener])
    except SystemExit as end:
        if end.code not in (0, None):
            raise
    finally:
        listener.close()
        app.watch.stop()
    if app.watch.scanning:  # a scan that hangs in a source must not keep the process; what it wrote is whole
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def configuration(app: App) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,
        http=DeadlineProtocol,
        ws="none",
        loop="auto",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=END_SECONDS,
    )


def refuse_open_door(settings: Settings) -> None:
    """Raises UsageError where everybody on the network could read, and nobody said that they may."""
    if is_loopback(settings.host) or settings.token or settings.insecure_no_auth:
        return
    raise UsageError(
        f"`{settings.host}` can be reached from other machines, and no token is set",
        help="set AUDITOR_TOKEN to a long random text, or add `--insecure-no-auth` to let everybody read",
    )


def refuse_open_actions(settings: Settings) -> None:
    """Raises UsageError where actions are allowed, and nobody could prove that they may."""
    if settings.allow_actions and not settings.token:
        raise UsageError(
            "`--allow-actions` needs a token, and none is set",
            help="set AUDITOR_TOKEN to a long random text; callers send it as `Authorization: Bearer TOKEN`",
        )


def _project_there(settings: Settings) -> None:
    """A catalogue that is named and not there is the caller's mistake; later it is a failed scan."""
    from auditor.scan import locate

    locate(settings)


def listen(settings: Settings) -> socket.socket:
    """A socket at the settings' address. Raises UsageError where it is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host.strip("[]"), settings.port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}",
            help="name another with `--port` or `--host`",
        ) from error


def _announce(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    sys.stderr.write(f"serving http://{shown}:{port}/\n")
    sys.stderr.flush()


def _end(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(0)
