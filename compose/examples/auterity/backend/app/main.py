"""The API: health, metrics and the routes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

from app.api.alerts import router as alerts
from app.settings import settings

app = FastAPI(title="Auterity backend")
app.include_router(alerts, prefix="/api")

REQUESTS = Counter("auterity_http_requests_total", "Requests answered", ["method", "status"])
SECONDS = Histogram("auterity_http_request_seconds", "Seconds to answer a request", ["method"])
CONNECT_SECONDS = 2.0


@app.middleware("http")
async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Count each request and its duration."""
    start = time.perf_counter()
    response = await call_next(request)
    SECONDS.labels(request.method).observe(time.perf_counter() - start)
    REQUESTS.labels(request.method, str(response.status_code)).inc()
    return response


async def reachable(host: str, port: int) -> bool:
    """Say whether a TCP connection to `host:port` opens within two seconds."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_SECONDS)
    except OSError:  # a timeout is one too
        return False
    writer.close()
    return True


@app.get("/health")
async def health(response: Response) -> dict[str, object]:
    """Answer 200 while every dependency accepts connections, else 503."""
    current = settings()
    targets = {"postgres": current.database, "redis": current.redis, "rabbitmq": current.rabbitmq}
    answers = await asyncio.gather(*(reachable(*target) for target in targets.values()))
    dependencies = dict(zip(targets, answers, strict=True))
    ok = all(answers)
    response.status_code = 200 if ok else 503
    return {"service": "backend", "status": "healthy" if ok else "unhealthy", "dependencies": dependencies}


@app.get("/metrics")
def metrics() -> Response:
    """Expose the process's metrics to Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
