"""A credential as it may leave: as a digest. No I/O here.

It should be one already (`pipeline.canonical`), but a sensor may have written anything: what is no
digest becomes one, so that none travels in clear.
"""

from __future__ import annotations

import re
from hashlib import sha256

from pipeline.indicator_type import CREDENTIAL

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII).fullmatch


def kept(kind: str, value: str) -> bool:
    """Whether an indicator may leave as it is."""
    return kind != CREDENTIAL or bool(_DIGEST(value))


def covered(kind: str, value: str) -> str:
    """The value as it may leave."""
    return value if kept(kind, value) else f"sha256:{sha256(value.encode()).hexdigest()}"
