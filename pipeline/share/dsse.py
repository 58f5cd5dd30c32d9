"""DSSE envelopes: what is signed, with what it is and by whom. No I/O here.

Source: secure-systems-lab, "DSSE: Dead Simple Signing Envelope" 1.0.2. The payload is canonical
JSON (RFC 8785), so that there is one form of one thing; signatures are Ed25519.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from hashlib import sha256

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

MAX_BYTES = 1 << 20


class Signature(Struct, frozen=True, forbid_unknown_fields=True):
    """`keyid` is the key's `fingerprint`."""

    keyid: str
    sig: str


class Envelope(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """As it is written down."""

    payload_type: str
    payload: str
    signatures: tuple[Signature, ...]


class Signed(Struct, frozen=True):
    """What an envelope holds: `by` are those of the keys asked for that signed it."""

    payload: bytes
    by: tuple[str, ...]


def canonical(what: object) -> bytes:
    """The one form of a thing in JSON."""
    return rfc8785.dumps(msgspec.to_builtins(what))


def raw(key: Ed25519PublicKey) -> bytes:
    """A public key's 32 bytes."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def fingerprint(key: bytes) -> str:
    """SHA-256 of a public key's 32 bytes, in hex."""
    return sha256(key).hexdigest()


def sealed(kind: str, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """The envelope of a payload, signed by one key."""
    signature = key.sign(_pre_authentication(kind, payload))
    by = fingerprint(raw(key.public_key()))
    return msgspec.json.encode(Envelope(kind, _text(payload), (Signature(by, _text(signature)),)))


def opened(kind: str, content: bytes, keys: Iterable[bytes]) -> Signed | str:
    """What is in an envelope, and which of some public keys (32 bytes each) signed it; or why it
    is none.
    """
    if len(content) > MAX_BYTES:
        return f"larger than {MAX_BYTES} bytes"
    try:
        envelope = _decode(content)
        payload = base64.b64decode(envelope.payload, validate=True)
        signatures = {
            one.keyid: base64.b64decode(one.sig, validate=True) for one in envelope.signatures
        }
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError):
        return "no DSSE envelope"
    if envelope.payload_type != kind:
        return f"an envelope of {envelope.payload_type[:80]!r}, not of {kind!r}"
    message = _pre_authentication(kind, payload)
    named = {fingerprint(key): key for key in keys}
    by = [name for name in named if _holds(named[name], signatures.get(name, b""), message)]
    return Signed(payload, tuple(by))


def _pre_authentication(kind: str, payload: bytes) -> bytes:
    named = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(named), named, len(payload), payload)


def _holds(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


_decode = msgspec.json.Decoder(Envelope).decode
