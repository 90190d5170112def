"""Why two machines did not come to terms over TLS, in words that say whose certificate is at fault."""

from __future__ import annotations

import ssl

from auditor.sources.hostile import printable

_AUTHORITY = (
    "its certificate is not signed by the authority in `ca.pem`",
    "is `ca.pem` in `DOCKER_CERT_PATH` that of this engine?",
)
_NAME = "connect by a name or address that stands in the engine's certificate (`subjectAltName`)"
_CLOCK = "have a new one made, and check this machine's clock"
_OURS = "`cert.pem` and `key.pem` in `DOCKER_CERT_PATH` must be signed by the engine's own authority, and be valid now"

# What OpenSSL calls X509_V_ERR_...: the engine's certificate does not pass here.
_THEIRS_FAILS = {
    2: _AUTHORITY,
    18: _AUTHORITY,
    19: _AUTHORITY,
    20: _AUTHORITY,
    21: _AUTHORITY,
    9: ("its certificate is not valid yet", _CLOCK),
    10: ("its certificate has expired", _CLOCK),
}
_MISMATCH = (62, 64)  # of the name, of the address

# What an engine says of this client, by the end of the name that OpenSSL gives to its alert.
_OURS_FAILS = {
    "CERTIFICATE_REQUIRED": ("it wants a client certificate", _OURS),
    "CERTIFICATE_EXPIRED": ("this client's certificate has expired", _OURS),
    "UNKNOWN_CA": ("it does not know the authority that signed this client's certificate", _OURS),
    "BAD_CERTIFICATE": ("it does not accept this client's certificate, or wants one", _OURS),
    "CERTIFICATE_UNKNOWN": ("it does not accept this client's certificate", _OURS),
    "UNSUPPORTED_CERTIFICATE": ("it does not accept this client's certificate", _OURS),
    "CERTIFICATE_REVOKED": ("this client's certificate was revoked", _OURS),
}
_NO_TLS = ("it speaks no TLS at this port", "use `tcp://host:port`, or the port where the engine speaks TLS")
_OTHERWISE = "check the certificates in `DOCKER_CERT_PATH`, and that the engine speaks TLS here"


class Dropped(ConnectionError):
    """The connection ended after the handshake, before any answer: a server that refuses a client's certificate may
    close so fast that its reason is lost."""


def cause_of_tls(error: ssl.SSLError) -> tuple[str, str]:
    """What happened, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_theirs(error)
    reason = error.reason or ""
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"):
        return _NO_TLS
    alert = reason.partition("_ALERT_")[2]
    if alert in _OURS_FAILS:
        return _OURS_FAILS[alert]
    said = printable(reason.replace("_", " ").lower())
    return f"TLS failed: {said}" if said else "TLS failed", _OTHERWISE


def _of_theirs(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    if error.verify_code in _MISMATCH:
        return f"its certificate is made for another host: {printable(error.verify_message).rstrip('.')}", _NAME
    known = _THEIRS_FAILS.get(error.verify_code)
    return known or (f"its certificate cannot be trusted: {printable(error.verify_message)}", _OTHERWISE)


def cause_of_drop() -> tuple[str, str]:
    """What a `Dropped` connection means."""
    return "it closed the connection right after the handshake, as where it refuses a client's certificate", _OURS
