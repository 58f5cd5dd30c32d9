"""The truth of an exercise, sealed when it starts: nobody can mend it afterwards. No I/O here.

The seal is SHA-256 over a salt and the truth's bytes, and is published at the start; the truth and
the salt are shown at the end. The salt keeps the seal from being tried out: a world is made of a
seed, and seeds are few.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import Final

SALT_BYTES: Final = 32


def seal(salt: bytes, truth: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    return f"sha256:{sha256(salt + truth).hexdigest()}"


def is_sealed(salt: bytes, truth: bytes, by: str) -> bool:
    """Is this the truth that was sealed?"""
    return len(salt) == SALT_BYTES and compare_digest(seal(salt, truth), by)
