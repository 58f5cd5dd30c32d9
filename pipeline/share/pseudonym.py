"""Values that only their own kind can be told from: keyed, and by epochs. No I/O here.

    key of a purpose = HMAC-SHA-256(epoch key, "sightline pseudonym v1" NUL purpose)
    pseudonym        = first 128 bits of HMAC-SHA-256(key of the purpose, type NUL value)

of a value in canonical form; an address packed, behind its version, so that one address has one
pseudonym. Whoever has no key can tell nothing from it but the epoch. Whoever has it can try all
IPv4 addresses: within those who share a key, a pseudonym hides nothing from one who means to look.
It is still personal data (Recital 26 GDPR).

Epochs make old pseudonyms worthless when their keys are destroyed. So that no match is lost where
one epoch ends, what is seen early in an epoch has the pseudonym of the one before as well: for as
long as the longest window reaches back. Every window then lies whole in one epoch's pseudonyms.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct

from pipeline.indicator_type import IP

KEY_BYTES: Final = 32
_DIGITS: Final = 32  # hex: 128 bits
_LABEL: Final = b"sightline pseudonym v1\0"

CORRELATION: Final = "correlation"
"""The purpose of what is to be matched; for others the same value has other pseudonyms."""


class Epochs(Struct, frozen=True):
    """Epoch n is from n·length on, ms since 1970. `overlap`: how long a new one speaks for two."""

    length: Annotated[int, Meta(ge=60_000)]
    overlap: Annotated[int, Meta(ge=0)]

    def of(self, time: int) -> tuple[int, ...]:
        """The epochs under which what was seen at `time` is told: its own first."""
        epoch, into = divmod(time, self.length)
        return (epoch, epoch - 1) if into < self.overlap and epoch else (epoch,)


class MissingKey(Struct, frozen=True):
    """There is no key for this epoch; `gone`: there are keys of later ones only."""

    epoch: int
    gone: bool


class Ring:
    """The epochs' keys that are at hand. `first` is the first epoch that ever had one."""

    def __init__(self, epochs: Epochs, keys: Mapping[int, bytes], first: int) -> None:
        self.epochs = epochs
        self.first = first
        self._keys = dict(keys)
        self._of_purpose: dict[tuple[int, str], bytes] = {}

    @property
    def known(self) -> tuple[int, ...]:
        """The epochs of which there are keys."""
        return tuple(sorted(self._keys))

    def usable(self, time: int) -> tuple[int, ...] | MissingKey:
        """The epochs under which something must be told, or the first of them that has no key."""
        asked = tuple(epoch for epoch in self.epochs.of(time) if epoch >= self.first)
        for epoch in asked:
            if epoch not in self._keys:
                return MissingKey(epoch, gone=bool(self._keys) and epoch < min(self._keys))
        return asked or MissingKey(self.epochs.of(time)[0], gone=True)

    def pseudonym(self, epoch: int, kind: str, value: str, purpose: str = CORRELATION) -> str:
        """Of a value in canonical form, under an epoch of which there is a key."""
        digest = self.digest(epoch, purpose, kind.encode() + b"\0" + _packed(kind, value))
        return f"pseudonym:1:{epoch}:{digest[:_DIGITS]}"

    def digest(self, epoch: int, purpose: str, content: bytes) -> str:
        key = self._of_purpose.get((epoch, purpose))
        if key is None:
            label = _LABEL + purpose.encode()
            key = self._of_purpose[epoch, purpose] = hmac.digest(self._keys[epoch], label, "sha256")
        return hmac.digest(key, content, "sha256").hex()


def _packed(kind: str, value: str) -> bytes:
    if kind == IP:
        address = ipaddress.ip_address(value)
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        return bytes((address.version,)) + address.packed
    return value.encode("utf-8", "surrogatepass")
