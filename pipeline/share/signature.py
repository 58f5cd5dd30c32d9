"""What a webhook's receiver checks: Standard Webhooks 1.0, with HMAC-SHA256. No I/O here.

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md. Signed is
`<id>.<seconds since 1970>.<body>`; a secret is written `whsec_` and base64 of 24 … 64 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import sha256
from typing import Final

PREFIX: Final = "whsec_"
TOLERANCE_S: Final = 300
"""How far a receiver's clock and ours may differ."""


def secret_of(text: str) -> bytes | None:
    """The key that a secret is written for; None if it is none."""
    if not text.startswith(PREFIX):
        return None
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if 24 <= len(key) <= 64 else None


def headers(key: bytes, identity: str, seconds: int, body: bytes) -> dict[str, str]:
    """What goes with a body; `identity` stays the same when it is sent again."""
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{_signed(key, identity, str(seconds), body)}",
    }


def is_genuine(key: bytes, given: dict[str, str], body: bytes, now_seconds: int) -> bool:
    """What a receiver does; `given` are headers by their names in lower case."""
    identity, seconds = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not seconds.isdecimal() or abs(now_seconds - int(seconds)) > TOLERANCE_S:
        return False
    wanted = f"v1,{_signed(key, identity, seconds, body)}"
    offered = given.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in offered)


def _signed(key: bytes, identity: str, seconds: str, body: bytes) -> str:
    message = b".".join((identity.encode(), seconds.encode(), body))
    return base64.b64encode(hmac.digest(key, message, sha256)).decode()
