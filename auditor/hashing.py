"""SHA-256 and BLAKE2 as Python brings them itself: `hashlib` loads OpenSSL first, which takes longer than to hash.

An audit of 1,000 services hashes some 10,000 short texts. The modules have other names in other versions, and a build
may lack them: then `hashlib` has the functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import blake2b, sha256
else:
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    try:
        from _sha2 import sha256  # from Python 3.12 on
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256

__all__ = ["blake2b", "sha256"]
