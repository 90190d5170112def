"""Digests of values that may be secret: equal values have equal ones, and without the key they tell nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from auditor.hashing import blake2b

KEY_BYTES = 32
_DIGEST_BYTES = 12  # 2**48 values until two are likely to collide


@dataclass(frozen=True)
class Digester:
    """Makes digests with one key (32 bytes). `key_name` tells keys apart without telling the key."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")

    @cached_property
    def key_name(self) -> str:
        return blake2b(b"name of the key", key=self.key, digest_size=4).hexdigest()

    @cached_property
    def _begun(self) -> blake2b:
        return blake2b(key=self.key, digest_size=_DIGEST_BYTES)  # a copy of it costs less than taking in the key anew

    def __call__(self, text: str) -> str:
        made = self._begun.copy()
        made.update(text.encode("utf-8", "surrogatepass"))
        return made.hexdigest()
