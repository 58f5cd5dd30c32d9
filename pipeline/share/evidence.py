"""What a pack of evidence says, and in which bytes: for whoever does not trust us. No I/O here.

A pack is a folder. `evidence.dsse.json` is a signed envelope (DSSE 1.0.2) around an in-toto
Statement v1 in canonical JSON (RFC 8785). The statement names every other file by its SHA-256, but
for the events: of these it names each by a commitment, the SHA-256 of its line in `events.jsonl`.
A line holds a salt of its own, so that a commitment tells nothing of an event to whoever has only
that; a line may be withheld later, its commitment standing in its place, and what is left verifies.
"""

from __future__ import annotations

import base64
from collections.abc import Container, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from pipeline.alert import Alert

ENVELOPE: Final = "evidence.dsse.json"
EVENTS: Final = "events.jsonl"
ALERTS: Final = "alerts.jsonl"
PARAMETERS: Final = "parameters.json"

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:sightline:evidence:v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
SALT_BYTES: Final = 16
MOST_EVENTS: Final = 50_000
"""Of one pack: its commitments stand in the statement, which is read as a whole."""


class From(Struct, frozen=True):
    """Where an event was read: a line of a file, or the broker's place and its time, ms."""

    source: str
    offset: int
    partition: int = 0
    came_in: int = 0


class Kept(Struct, frozen=True):
    """One event of a pack: `time` and `uid` are its own, `raw` is what the sensor sent."""

    time: int
    uid: str
    organisation: str
    raw: str
    origin: From


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """What else an alert came of. Digests are SHA-256, in hex; `code` is over the program's files.

    `published` names, by the alert's id here, what it is called on the topic of alerts: which id an
    episode keeps depends on which of two that were joined was told of first. `exercise`: whose it
    is, if it is none that is meant.
    """

    version: str
    code: str
    lateness_ms: int
    known_benign: str
    geoip_db: str
    geoip_asn_db: str
    warninglists: str
    published: dict[str, str]
    exercise: str


class Predicate(Struct, frozen=True, forbid_unknown_fields=True):
    """What the pack is about: an alert or a campaign; `alerts` are digests by alert id."""

    about: str
    kind: str
    made_at: int
    made_by: str
    alerts: dict[str, str]
    commitments: tuple[str, ...]


def alert_digest(finding: Alert) -> str:
    """SHA-256 of an alert's canonical JSON."""
    return sha256(canonical(finding)).hexdigest()


def canonical(what: Any) -> bytes:
    """RFC 8785."""
    return rfc8785.dumps(msgspec.to_builtins(what, str_keys=True))


def line(kept: Kept, salt: bytes) -> bytes:
    """An event as it stands in `events.jsonl`, without the line's end."""
    assert len(salt) == SALT_BYTES
    row = {
        "event": kept.raw,
        "from": msgspec.to_builtins(kept.origin),
        "organisation": kept.organisation,
        "salt": salt.hex(),
    }
    return rfc8785.dumps(row)


def withheld(commitment: str) -> bytes:
    """What stands in place of a line that is not shown."""
    return rfc8785.dumps({"withheld": commitment})


class Line(Struct, frozen=True):
    """A line of `events.jsonl` that was read: an event and whose it is, or only its commitment."""

    commitment: str
    event: str = ""
    organisation: str = ""

    @property
    def shown(self) -> bool:
        return bool(self.event)


class _Row(Struct, omit_defaults=True):
    event: str = ""
    organisation: str = ""
    withheld: str = ""


def read_line(content: bytes) -> Line:
    """A line, without its end, of a pack that was verified."""
    row = msgspec.json.decode(content, type=_Row)
    if row.withheld:
        return Line(row.withheld)
    return Line(sha256(content).hexdigest(), row.event, row.organisation)


def redacted(events: bytes, hide: Container[int] = (), organisations: Container[str] = ()) -> bytes:
    """`events.jsonl` with some lines (counted from 1) or organisations withheld."""
    out = []
    for number, content in enumerate(events.splitlines(), 1):
        read = read_line(content)
        hidden = number in hide or read.organisation in organisations
        out.append(withheld(read.commitment) if hidden or not read.shown else content)
    return b"".join(content + b"\n" for content in out)


def statement(files: Mapping[str, bytes], predicate: Predicate) -> bytes:
    """The in-toto Statement of a pack's files, the events and the envelope left out."""
    subject = [
        {"name": name, "digest": {"sha256": sha256(content).hexdigest()}}
        for name, content in sorted(files.items())
        if name not in {ENVELOPE, EVENTS}
    ]
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": subject,
            "predicateType": PREDICATE_TYPE,
            "predicate": msgspec.to_builtins(predicate),
        }
    )


def pre_authentication(payload: bytes) -> bytes:
    """What DSSE signs: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the key as its PEM holds it: of SubjectPublicKeyInfo in DER."""
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def envelope(payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """The signed statement, in the one spelling that a verifier takes."""
    signature = key.sign(pre_authentication(payload))
    made: dict[str, Any] = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {
                "keyid": fingerprint(key.public_key()),
                "sig": base64.b64encode(signature).decode(),
            }
        ],
    }
    return rfc8785.dumps(made) + b"\n"


class Gathered(Struct, frozen=True):
    """What a pack is made of, before it is signed; `files` by name."""

    about: str
    kind: str
    alerts: tuple[Alert, ...]
    events: tuple[Kept, ...]
    files: dict[str, bytes]


def pack(
    gathered: Gathered,
    salts: Sequence[bytes],
    made_at: int,
    made_by: str,
    key: Ed25519PrivateKey,
) -> dict[str, bytes]:
    """All files of a pack by name. One salt an event, of `SALT_BYTES`, from a good source."""
    lines = [line(kept, salt) for kept, salt in zip(gathered.events, salts, strict=True)]
    alerts = {one.finding_info.uid: one for one in gathered.alerts}
    files = {
        **gathered.files,
        ALERTS: b"".join(canonical(one) + b"\n" for _, one in sorted(alerts.items())),
    }
    predicate = Predicate(
        gathered.about,
        gathered.kind,
        made_at,
        made_by,
        {uid: alert_digest(one) for uid, one in alerts.items()},
        tuple(sha256(content).hexdigest() for content in lines),
    )
    files[EVENTS] = b"".join(content + b"\n" for content in lines)
    files[ENVELOPE] = envelope(statement(files, predicate), key)
    return files
