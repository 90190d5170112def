"""Answers as bytes: made once, compressed once, compared by ETag."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json"
HTML = "text/html; charset=utf-8"
PROBLEM = "application/problem+json"
_WORTH_PACKING = 1024  # bytes


@dataclass(frozen=True, slots=True)
class Body:
    """One answer in both forms that a client may ask for. The ETag is weak: it stands for either form."""

    content: bytes
    media_type: str
    etag: str
    packed: bytes | None


def body(content: bytes | str, media_type: str) -> Body:
    """An answer of these bytes."""
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
    packed = gzip.compress(raw, 5, mtime=0) if len(raw) >= _WORTH_PACKING else None
    return Body(raw, media_type, f'W/"{hashlib.sha256(raw).hexdigest()[:24]}"', packed)


def respond(answer: Body, request: Request, *, cache: str = "no-cache") -> Response:
    """The answer as this request wants it: 304 where it has it already, compressed where it can."""
    headers = {"etag": answer.etag, "cache-control": cache, "vary": "accept-encoding"}
    if answer.etag in (known := request.headers.get("if-none-match", "")) or known.strip() == "*":
        return Response(status_code=304, headers=headers)
    if answer.packed is not None and accepts_gzip(request.headers.get("accept-encoding", "")):
        headers["content-encoding"] = "gzip"
        return Response(answer.packed, headers=headers, media_type=answer.media_type)
    return Response(answer.content, headers=headers, media_type=answer.media_type)


def accepts_gzip(header: str) -> bool:
    """Whether an `Accept-Encoding` lets the answer be compressed."""
    for part in header.lower().split(","):
        name, _, options = part.strip().partition(";")
        if name.strip() in ("gzip", "*"):
            return options.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def problem(status: int, detail: str | None = None, **more: Any) -> bytes:
    """An RFC 9457 problem document."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return json.dumps({key: value for key, value in content.items() if value is not None}).encode()


def refuse(status: int, detail: str | None = None, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """A problem document as a response."""
    return Response(
        problem(status, detail, **more),
        status_code=status,
        headers={"cache-control": "no-store", **(headers or {})},
        media_type=PROBLEM,
    )
