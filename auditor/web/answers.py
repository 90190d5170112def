"""Answers as bytes: made once with their headers, compressed once, compared by ETag."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response

JSON = "application/json"
HTML = "text/html; charset=utf-8"
PROBLEM = "application/problem+json"
FOR_EVER = "public, max-age=31536000, immutable"  # for an address that changes with its content
_WORTH_PACKING = 1024  # bytes
RawHeaders = list[tuple[bytes, bytes]]


class Ready(Response):
    """A response whose bytes and headers exist already."""

    def __init__(self, status: int, headers: RawHeaders, content: bytes) -> None:
        self.status_code = status
        self.raw_headers = headers
        self.body = content
        self.background = None


@dataclass(frozen=True, slots=True)
class Body:
    """One answer in each form that a client may ask for. The ETag is weak: it stands for every form."""

    content: bytes
    etag: bytes
    plain: Ready
    packed: Ready | None
    unchanged: Ready


def body(content: bytes | str, media_type: str, cache: str = "no-cache") -> Body:
    """An answer of these bytes."""
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
    etag = f'W/"{hashlib.sha256(raw).hexdigest()[:24]}"'.encode()
    common = [(b"etag", etag), (b"cache-control", cache.encode()), (b"vary", b"accept-encoding")]
    described = [*common, (b"content-type", media_type.encode())]
    packed = gzip.compress(raw, 5, mtime=0) if len(raw) >= _WORTH_PACKING else None
    return Body(
        content=raw,
        etag=etag,
        plain=Ready(200, [*described, _length(raw)], raw),
        packed=Ready(200, [*described, (b"content-encoding", b"gzip"), _length(packed)], packed) if packed else None,
        unchanged=Ready(304, common, b""),
    )


def _length(content: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(content)).encode()


def respond(answer: Body, asked: Headers) -> Ready:
    """The answer in the form that this request wants: 304 where it has it already, compressed where it can."""
    known, accepted = b"", b""
    for name, value in asked.raw:
        if name == b"accept-encoding":
            accepted = value
        elif name == b"if-none-match":
            known = value
    if known and (answer.etag in known or known.strip() == b"*"):
        return answer.unchanged
    if answer.packed is not None and accepts_gzip(accepted):
        return answer.packed
    return answer.plain


def accepts_gzip(header: bytes) -> bool:
    """Whether an `Accept-Encoding` lets the answer be compressed."""
    for part in header.lower().split(b","):
        name, _, options = part.strip().partition(b";")
        if name.strip() in (b"gzip", b"*"):
            return options.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
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
