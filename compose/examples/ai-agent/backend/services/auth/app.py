"""Auth service: accounts in Redis, tokens that every service can check."""

from __future__ import annotations

import hashlib
import hmac
import os

from backend.services.redis import Redis
from backend.services.server import RATE_LIMIT, Body, Refused, Request, secret, serve
from backend.services.tokens import issue

redis = Redis()


def register(request: Request) -> tuple[int, Body]:
    """Make an account."""
    name, password = request.text("username"), request.text("password")
    salt = os.urandom(16).hex()
    if redis("SETNX", f"user:{name}", f"{salt}:{_digest(password, salt)}") == "0":
        raise Refused(409, "the name is taken")
    return 201, {"username": name}


def login(request: Request) -> tuple[int, Body]:
    """Give a token for a name and a password."""
    name = request.text("username")
    if int(redis("INCR", f"rate:{name}") or 0) > RATE_LIMIT:
        raise Refused(429, "too many requests")
    redis("EXPIRE", f"rate:{name}", "60")
    salt, _, digest = (redis("GET", f"user:{name}") or "").partition(":")
    if not hmac.compare_digest(digest, _digest(request.text("password"), salt)):
        raise Refused(401, "wrong name or password")
    token = issue(name, secret("JWT_SECRET_KEY"))
    redis("SETEX", f"session:{_short(token)}", "3600", name)
    return 200, {"token": token}


def verify(request: Request) -> tuple[int, Body]:
    """Whether a token is one of ours and was not revoked."""
    user = request.user()
    if redis("GET", f"session:{_short(request.token)}") != user:
        raise Refused(401, "there is no such session")
    return 200, {"username": user}


def _digest(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=(salt + secret("SECRET_KEY")).encode(), n=2**12, r=8, p=1).hex()


def _short(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:32]


if __name__ == "__main__":
    routes = {"/register": register, "/login": login, "/verify": verify}
    serve("auth-service", "AUTH_SERVICE_PORT", 5001, routes, redis.answers)
