"""What a prober says of one question, and how a network's error is put into words."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.causes import causes
from auditor.probes.reported import Reported


@dataclass(frozen=True, slots=True)
class Answer:
    """outcome: success, failure, or unknown where the target cannot be asked from here."""

    outcome: str
    reason: str | None = None
    reported: Reported = field(default_factory=dict)  # what an HTTP answer says of its service


_NETWORK: Mapping[int, Answer] = {
    errno.ECONNREFUSED: Answer("failure", "connection refused"),
    errno.ECONNRESET: Answer("failure", "the connection was reset"),
    errno.EPIPE: Answer("failure", "the connection was closed"),
    errno.ECONNABORTED: Answer("failure", "the connection was closed"),
    errno.EHOSTUNREACH: Answer("failure", "the host cannot be reached"),
    errno.ETIMEDOUT: Answer("failure", "the host does not answer"),
    # These speak of the machine that asks.
    errno.ENETUNREACH: Answer("unknown", "the network cannot be reached from here"),
    errno.EADDRNOTAVAIL: Answer("unknown", "this machine has no address for it"),
    errno.EACCES: Answer("unknown", "this machine does not permit the connection"),
    errno.EPERM: Answer("unknown", "this machine does not permit the connection"),
    errno.EMFILE: Answer("unknown", "too many files are open here"),
    errno.ENFILE: Answer("unknown", "too many files are open here"),
}


def network_failure(error: BaseException) -> Answer:
    """The answer for an error of the network or of TLS; a failure in general words where it is none that is known."""
    for link in causes(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            return Answer("failure", f"the certificate is not valid: {link.verify_message}")
        if isinstance(link, ssl.SSLError):
            return Answer("failure", "TLS failed")
        if isinstance(link, OSError) and (known := _NETWORK.get(link.errno or 0)):
            return known
    return Answer("failure", "the connection failed")
