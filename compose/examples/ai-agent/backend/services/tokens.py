"""Signed tokens (JWT, HS256). Every service checks them with the same JWT_SECRET_KEY."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any

_HEADER = {"alg": "HS256", "typ": "JWT"}


def issue(user: str, key: str, seconds: int = 3600) -> str:
    """A token for `user`."""
    body = {"sub": user, "exp": int(time.time()) + seconds}
    text = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (_HEADER, body))
    return f"{text}.{_signature(text, key)}"


def user_of(token: str, key: str) -> str | None:
    """Whose token it is; None where it is none of ours, or too old."""
    text, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature, _signature(text, key)):
        return None
    try:
        body: dict[str, Any] = json.loads(_decoded(text.partition(".")[2]))
    except (ValueError, binascii.Error):
        return None
    return str(body["sub"]) if body.get("exp", 0) > time.time() else None


def _signature(text: str, key: str) -> str:
    return _encoded(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
