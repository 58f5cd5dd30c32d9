"""What was done, by whom and to what: a chain in which nothing can be changed unseen. No I/O here.

An entry holds the hash of the one before it, so a change, a removal or another order breaks the
chain from there on. Whoever may write the file could make the whole chain anew: against that stand
checkpoints, which say under a signature how far the chain had come. What was cut off behind one is
found as well, as long as the checkpoint is at hand: give copies of them away.

    hash of an entry = SHA-256 of its canonical JSON (RFC 8785) without the member `hash`
    previous         = hash of the entry before; of the first, 64 zeros
    signature        = Ed25519 over `SIGNED` and the checkpoint's canonical JSON without it

The log outlives what it speaks of, and is shown to more people: it holds no personal data in
clear. An indicator is told by its salted digest, or not at all: by the campaign that it is in.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Final

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Meta, Struct

GENESIS: Final = "0" * 64
SIGNED: Final = b"sightline audit checkpoint v1\n"
MAX_LINE: Final = 64 << 10
"""Bytes of one entry: a log can be read from its end without knowing more of it."""
MAX_TEXT: Final = 512
_LAST_INTEGER: Final = 2**53 - 1  # what RFC 8785 can write

Fact = str | int | bool | tuple[str, ...]
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that was done. `sequence` counts from 1, `time` is ms since the epoch.

    `actor` is a login or a part of the program; `about` names what it was done to: an id.
    """

    sequence: Annotated[int, Meta(ge=1, le=_LAST_INTEGER)]
    time: Annotated[int, Meta(ge=0, le=_LAST_INTEGER)]
    actor: Text
    action: Text
    about: Text
    facts: dict[str, Fact]
    previous: Hash
    hash: Hash


class Checkpoint(Struct, frozen=True, forbid_unknown_fields=True):
    """The chain had come to this entry at `time` (ms). `key`: SHA-256 of the raw public key."""

    sequence: Annotated[int, Meta(ge=1, le=_LAST_INTEGER)]
    hash: Hash
    time: Annotated[int, Meta(ge=0, le=_LAST_INTEGER)]
    key: Hash
    signature: str


class Fault(Struct, frozen=True):
    """What is wrong with a log. `line` counts from 1; None: with no line in particular."""

    line: int | None
    what: str


def next_entry(
    last: Entry | None,
    time: int,
    actor: str,
    action: str,
    about: str,
    facts: Mapping[str, Fact],
) -> Entry:
    """The entry after `last`. A ValueError where it would hold what must not be in a log."""
    for name, value in {"actor": actor, "about": about, **facts}.items():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and (why := _personal(text)):
                raise ValueError(f"{name}: {why}; name a campaign, or use the log's digest")
    open_entry = Entry(
        last.sequence + 1 if last else 1,
        time,
        actor,
        action,
        about,
        dict(facts),
        last.hash if last else GENESIS,
        GENESIS,
    )
    entry = msgspec.structs.replace(open_entry, hash=_hash(open_entry))
    if len(line := encode(entry)) > MAX_LINE:
        raise ValueError(f"an entry of {len(line)} bytes; the most is {MAX_LINE}")
    again = decode(line)
    if isinstance(again, str):
        raise ValueError(again)  # noqa: TRY004 - it says what is wrong, and is no type
    return again


_MAIL = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_BETWEEN = re.compile(r"[\s,;|=\"'<>()\[\]]+")


def _personal(text: str) -> str:
    """Why a text is none for the log; empty where nothing is known against it.

    It finds slips, not intent: a domain looks like many a name that may be said.
    """
    if _MAIL.search(text):
        return "it holds a mail address"
    if "://" in text:
        return "it holds a URL"
    for part in _BETWEEN.split(text):
        try:
            ipaddress.ip_address(part.rpartition("%")[0] or part)
        except ValueError:
            continue
        return "it holds an IP address"
    return ""


def digest(salt: bytes, kind: str, value: str) -> str:
    """How an indicator is named in the log: whoever has the salt can tell whether it was this."""
    return "digest:" + hmac.digest(salt, f"{kind}\0{value}".encode(), "sha256").hex()[:32]


def _hash(entry: Entry) -> str:
    return sha256(_canonical(entry, "hash")).hexdigest()


def _canonical(struct: Entry | Checkpoint, without: str) -> bytes:
    plain = msgspec.to_builtins(struct, builtin_types=(), str_keys=True)
    del plain[without]
    return rfc8785.dumps(plain)


def encode(entry: Entry | Checkpoint) -> bytes:
    """As it stands in its file, without the line's end."""
    return rfc8785.dumps(msgspec.to_builtins(entry))


_entry = msgspec.json.Decoder(Entry).decode
_checkpoint = msgspec.json.Decoder(Checkpoint).decode


def decode(line: bytes) -> Entry | str:
    """An entry that is what its hash says, or what is wrong. There is one spelling of each."""
    try:
        entry = _entry(line)
        same = encode(entry) == line
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return f"it is no entry: {error}"
    if not same:
        return "it is not canonical JSON"
    if _hash(entry) != entry.hash:
        return "it is not what its hash says"
    return entry


def decode_checkpoint(line: bytes) -> Checkpoint | str:
    """A checkpoint, its signature not yet looked at, or what is wrong."""
    try:
        checkpoint = _checkpoint(line)
        same = encode(checkpoint) == line
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return f"it is no checkpoint: {error}"
    return checkpoint if same else "it is not canonical JSON"


def key_id(key: Ed25519PublicKey) -> str:
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def sign(entry: Entry, time: int, key: Ed25519PrivateKey) -> Checkpoint:
    """Say under a signature that the chain has come to this entry."""
    unsigned = Checkpoint(entry.sequence, entry.hash, time, key_id(key.public_key()), "")
    signature = key.sign(SIGNED + _canonical(unsigned, "signature"))
    return msgspec.structs.replace(unsigned, signature=base64.b64encode(signature).decode())


def signed_by(checkpoint: Checkpoint, key: Ed25519PublicKey) -> bool:
    try:
        signature = base64.b64decode(checkpoint.signature, validate=True)
        if base64.b64encode(signature).decode() != checkpoint.signature:
            return False  # another spelling of the same bytes
        key.verify(signature, SIGNED + _canonical(checkpoint, "signature"))
    except (InvalidSignature, ValueError):
        return False
    return checkpoint.key == key_id(key)


def follows(last: Entry | None, entry: Entry) -> str:
    """Why an entry cannot come after `last`; empty where it can."""
    if entry.sequence != (last.sequence + 1 if last else 1):
        return f"it has number {entry.sequence} after {last.sequence if last else 0}"
    if entry.previous != (last.hash if last else GENESIS):
        return "it does not follow the entry before it"
    return ""


def verify(
    lines: Iterable[bytes], checkpoints: Sequence[Checkpoint], key: Ed25519PublicKey | None
) -> tuple[int, list[Fault]]:
    """How many entries a log has, and what is wrong with it: the first broken link, and every
    checkpoint that does not hold. `lines` with their ends; without a key, no signature is checked.
    """
    faults: list[Fault] = []
    wanted: dict[int, list[Checkpoint]] = {}
    for number, checkpoint in enumerate(checkpoints, 1):
        if key is not None and not signed_by(checkpoint, key):
            faults.append(Fault(None, f"checkpoint {number} is not signed by this key"))
        wanted.setdefault(checkpoint.sequence, []).append(checkpoint)
    last: Entry | None = None
    broken = False
    for number, line in enumerate(lines, 1):
        entry = decode(line[:-1]) if line.endswith(b"\n") else "its end is missing"
        wrong = entry if isinstance(entry, str) else follows(last, entry)
        if wrong or isinstance(entry, str):
            faults.append(Fault(number, wrong))
            broken = True
            break
        last = entry
        for checkpoint in wanted.pop(entry.sequence, ()):
            if checkpoint.hash != entry.hash:
                faults.append(Fault(number, "a checkpoint says that another entry stood here"))
    if wanted and not broken:
        faults.append(
            Fault(None, f"entries up to {max(wanted)} are missing: a checkpoint knows them")
        )
    return last.sequence if last else 0, faults
