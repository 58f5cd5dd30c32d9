"""Alliances: who shares with whom, and by what rules; version by version, each signed. No I/O.

As a sharing group of MISP: it has members, of whom some may extend it, and a text that says to
whom what is shared in it may be released. Each version is a document of its own that names the hash
of the one before, and counts if one signed it who could by that one:

    version 1         by one of the keys that it names itself
    any later one     by one of the keys that may extend the version before
    one that is left  by the key of the member that is gone, if nothing else has changed

So no version can be changed, left out or put in between, and no member is kept against its will.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID, uuid5

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta, Struct

from pipeline.country import country_problem
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.problem import has_control, quoted
from pipeline.share import dsse
from pipeline.share.release import Egress, Kind, Reader, Recipient
from pipeline.share.terms import Granularity

PAYLOAD_TYPE: Final = "application/vnd.sightline.alliance+json"
LEAST: Final = 3
"""Fewer members than these are never told of as a number."""
MOST_MEMBERS: Final = 1_000
_NAMESPACE: Final = UUID("6a3d3d5b-8d2c-5f0e-9a41-5a2b7f0c9e13")
_ID: Final = re.compile(r"[a-z0-9-]{1,64}")
_NAME: Final = re.compile(r"[a-z0-9-]{1,240}")
_LAST_TIME_MS: Final = 2**53 - 1  # what RFC 8785 can write

Text = Annotated[str, Meta(max_length=1_000)]
Time = Annotated[int, Meta(ge=0, le=_LAST_TIME_MS)]


class Member(Struct, frozen=True, forbid_unknown_fields=True):
    """An organisation or a CSIRT and its country; with no name, all of the country.

    `key`: its Ed25519 public key (32 bytes, base64), by which it may leave.
    """

    country: str
    organisation: str = ""
    key: str = ""

    @property
    def name(self) -> str:
        """As it is called where nothing else can be meant."""
        return self.organisation or self.country


class Extender(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may make a new version: a name for people, and the Ed25519 public key, in base64."""

    name: Text
    key: str


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """What is shared, how, and with whom.

    `types`: indicator types that are told of, and `to`: who of the members reads it, by name; all
    if empty. `after`: so long after a campaign's revision, ms. `granularity`: the most that is told
    of who saw it. `counts`: by how many members campaigns were seen is told, from so many; 0: not
    at all.
    """

    types: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    after: Time = 0
    granularity: Granularity = Granularity.ORGANISATION
    counts: Annotated[int, Meta(ge=0, le=MOST_MEMBERS)] = 0


class Alliance(Struct, frozen=True, forbid_unknown_fields=True):
    """One version. `at`: when it was made, ms; `previous`: SHA-256 of the version before, in hex,
    empty for the first; `releasability`: for people.
    """

    id: str
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    at: Time
    members: tuple[Member, ...]
    extend: tuple[Extender, ...]
    policy: Policy = Policy()
    name: Text = ""
    releasability: Text = ""
    previous: Annotated[str, Meta(max_length=64)] = ""

    @property
    def readers(self) -> tuple[Member, ...]:
        """The members that read what is shared."""
        to = self.policy.to
        return tuple(one for one in self.members if not to or one.name in to)

    @property
    def recipient(self) -> Recipient:
        """It, as the policy of release sees it."""
        return Recipient(
            Kind.ALLIANCE,
            self.id,
            tuple(Reader(one.organisation, one.country) for one in self.readers),
            Egress.SHARED,
            granularity=self.policy.granularity,
            types=frozenset(self.policy.types),
            members=tuple(Reader(one.organisation, one.country) for one in self.members),
        )


class Collection(Struct, frozen=True):
    """An alliance's TAXII collection: a UUID that no version changes, and who may read it."""

    id: str
    title: str
    description: str
    alliance: str
    version: int
    readers: tuple[Member, ...]


def collection(alliance: Alliance) -> Collection:
    """What a TAXII server says of it."""
    title = alliance.name or alliance.id
    identity = str(uuid5(_NAMESPACE, alliance.id))
    text, version = alliance.releasability, alliance.version
    return Collection(identity, title, text, alliance.id, version, alliance.readers)


def topic(identity: str) -> str:
    """Where an alliance's campaigns are told, without the prefix."""
    return f"alliance.{identity}"


def counts_topic(identity: str) -> str:
    """Where it is told in how many members campaigns were seen. No alliance's id has a dot."""
    return f"alliance.{identity}.counts"


def key_of(text: str) -> bytes | None:
    """A public key's 32 bytes."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == 32 else None


def problem(alliance: Alliance) -> str | None:
    """What is wrong with one version by itself; None if nothing is."""
    if not _ID.fullmatch(alliance.id):
        return f"id {quoted(alliance.id)} may hold only a-z, 0-9 and '-', 64 at most"
    if len(alliance.members) > MOST_MEMBERS:
        return f"more than {MOST_MEMBERS} members"
    names = [one.name for one in alliance.members]
    if twice := next((name for name in names if names.count(name) > 1), None):
        return f"member {quoted(twice)} is there twice"
    for one in alliance.members:
        if wrong := country_problem(one.country):
            return f"member {quoted(one.name)}: country {wrong}"
        if one.organisation and not _NAME.fullmatch(one.organisation):
            return f"member {quoted(one.name)} may hold only a-z, 0-9 and '-'"
        if one.key and key_of(one.key) is None:
            return f"member {quoted(one.name)}: its key is no Ed25519 public key in base64"
    if not alliance.extend or any(key_of(one.key) is None for one in alliance.extend):
        return "extend needs Ed25519 public keys in base64"
    texts = (alliance.name, alliance.releasability, *(one.name for one in alliance.extend))
    if any(has_control(text) for text in texts):
        return "a text holds a control character"
    policy = alliance.policy
    if unknown := next((kind for kind in policy.types if kind not in INDICATOR_TYPES), None):
        return f"{quoted(unknown)} is no indicator type; there are {', '.join(INDICATOR_TYPES)}"
    if 0 < policy.counts < LEAST:
        return f"counts: from {LEAST} members at the least"
    return None


def signed(alliance: Alliance, key: Ed25519PrivateKey) -> bytes:
    """A version as it is written down."""
    return dsse.sealed(PAYLOAD_TYPE, dsse.canonical(alliance), key)


def digest(content: bytes) -> str:
    """By what the next version names this one; of what `signed` gives."""
    opened = dsse.opened(PAYLOAD_TYPE, content, ())
    return sha256(opened.payload).hexdigest() if isinstance(opened, dsse.Signed) else ""


def digest_of(alliance: Alliance) -> str:
    """`digest` of what was signed of it."""
    return sha256(dsse.canonical(alliance)).hexdigest()


def verified(versions: Sequence[bytes], root: str = "") -> list[Alliance] | str:
    """All versions of an alliance, oldest first, from what was signed; or what is wrong with them.

    `root`: fingerprint of the key that must have signed the first; any that it names if empty.
    """
    found: list[Alliance] = []
    previous = ""
    for number, content in enumerate(versions, 1):
        before = found[-1] if found else None
        alliance = _version(content, number, previous, before, root)
        if isinstance(alliance, str):
            return f"version {number}: {alliance}"
        found.append(alliance)
        previous = digest(content)
    return found or "there is no version"


def _version(
    content: bytes, number: int, previous: str, before: Alliance | None, root: str
) -> Alliance | str:
    opened = dsse.opened(PAYLOAD_TYPE, content, ())
    if isinstance(opened, str):
        return opened
    try:
        alliance = _decode(opened.payload)
        if dsse.canonical(alliance) != opened.payload:
            return "not in canonical form"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"no alliance: {error}"
    if wrong := problem(alliance):
        return wrong
    if alliance.version != number or alliance.previous != previous:
        return "it does not follow on the one before"
    if before is not None and (alliance.id != before.id or alliance.at < before.at):
        return "it is of another alliance, or older than the one before"
    by = _signers(content, (before or alliance).extend)
    if by and (before is not None or root in {"", *by}):
        return alliance
    if before is not None and _has_left(content, alliance, before):
        return alliance
    return "nobody signed it who may"


def _signers(content: bytes, keys: Sequence[Extender | Member]) -> tuple[str, ...]:
    known = [key for one in keys if (key := key_of(one.key)) is not None]
    opened = dsse.opened(PAYLOAD_TYPE, content, known)
    return opened.by if isinstance(opened, dsse.Signed) else ()


def _has_left(content: bytes, alliance: Alliance, before: Alliance) -> bool:
    """Is all that has changed that one member is gone, who signed it?"""
    gone = [one for one in before.members if one not in alliance.members]
    if len(gone) != 1 or not _signers(content, gone):
        return False
    left = without(before, gone[0])
    return alliance == msgspec.structs.replace(
        left, version=alliance.version, at=alliance.at, previous=alliance.previous
    )


def without(alliance: Alliance, member: Member) -> Alliance:
    """The same, but that a member is gone.

    Its name stays among those who were to read: of nobody left there must not become everybody.
    """
    kept = tuple(one for one in alliance.members if one != member)
    return msgspec.structs.replace(alliance, members=kept)


_decode = msgspec.json.Decoder(Alliance).decode
