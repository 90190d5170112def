"""Gateway: checks who asks, and passes requests on."""

from __future__ import annotations

import os

from backend.services.server import Body, Request, call, serve

_OPEN = ("/register", "/login")


def forward(request: Request) -> tuple[int, Body]:
    """What the service behind `/auth/`, `/agent/` or `/rag/` answers."""
    _, service, path = request.path.split("/", 2)
    token = None
    if service != "auth" or f"/{path}" not in _OPEN:
        request.user()
        token = request.token
    return call(os.environ[f"{service.upper()}_SERVICE_URL"], f"/{path}", request.body, token)


if __name__ == "__main__":
    serve("gateway", "GATEWAY_PORT", 5000, {"/auth/": forward, "/agent/": forward, "/rag/": forward})
