"""Verifies a pack of evidence without the software that made it.

    python3 -I -S verify.py PACK --key signer.pem

needs Python 3.8 or newer and the `openssl` command, 3.0 or newer, and nothing else. Read it: it
is short so that it can be read. Take it, and the signer's key or the fingerprint of it, on another
way than the pack; a pack that was made up would bring its own.

What is held when it says `verified`:
1. `evidence.dsse.json` is one DSSE envelope with one Ed25519 signature by that key over an in-toto
   Statement v1. Both are in canonical JSON: there is one spelling of each.
2. Every file that the statement names is there with the SHA-256 that it states, and no other file.
3. `events.jsonl` has one line for each commitment, in their order: an event whose line has that
   SHA-256, or in its place the commitment itself, for an event that was withheld.
4. `alerts.jsonl` has exactly the alerts whose SHA-256 the statement states.

It does not say that the events happened: that is the word of whoever sent them, and of the signer.
Exit status: 0 verified, 1 not, 2 wrong use.
"""

import argparse
import base64
import binascii
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

ENVELOPE, EVENTS, ALERTS = "evidence.dsse.json", "events.jsonl", "alerts.jsonl"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:sightline:evidence:v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
MOST_BYTES = 1 << 30
# DER of an Ed25519 SubjectPublicKeyInfo (RFC 8410), before the 32 bytes of the key.
SPKI = bytes.fromhex("302a300506032b6570032100")


class NotVerifiedError(Exception):
    """The pack is not what was signed; the text says where."""


class Verified(NamedTuple):
    about: str
    kind: str
    made_by: str
    alerts: int
    events: int
    withheld: int


def require(holds: bool, what: str) -> None:
    if not holds:
        raise NotVerifiedError(what)


def exact(value: Any) -> bytes:
    """The one spelling of JSON without fractions: sorted keys, no blanks, UTF-8 (RFC 8785).

    RFC 8785 sorts by UTF-16 code units, Python by code points: the same for all keys used here.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def read_exact(content: bytes, what: str) -> Any:
    try:
        value = json.loads(content.decode("utf-8"))
        same = exact(value) == content
    except (ValueError, RecursionError):
        raise NotVerifiedError(what + ": not JSON") from None
    require(same, what + ": not in canonical JSON")
    return value


def read_base64(text: Any, what: str) -> bytes:
    require(isinstance(text, str), what + ": no text")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotVerifiedError(what + ": not base64") from None
    require(base64.b64encode(content).decode() == text, what + ": another spelling of base64")
    return content


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def key_of(pem: bytes) -> bytes:
    """The DER of an Ed25519 public key in PEM."""
    lines = [one.strip() for one in pem.decode("ascii", "replace").strip().splitlines()]
    framed = lines[:1] == ["-----BEGIN PUBLIC KEY-----"]
    require(framed and lines[-1] == "-----END PUBLIC KEY-----", "the key: not a public key in PEM")
    der = read_base64("".join(lines[1:-1]), "the key")
    require(der.startswith(SPKI) and len(der) == len(SPKI) + 32, "the key: not an Ed25519 key")
    return der


def openssl_verifies(der: bytes, signature: bytes, message: bytes) -> bool:
    """By `openssl pkeyutl`; the files are in a folder that only we can read."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, content in (("key", der), ("signature", signature), ("message", message)):
            paths.append(os.path.join(folder, name))
            with open(paths[-1], "wb") as file:
                file.write(content)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"]
        command += ["-inkey", paths[0], "-sigfile", paths[1], "-in", paths[2]]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return run.returncode == 0


def check(
    files: dict[str, bytes], der: bytes, verifies: Callable[[bytes, bytes, bytes], bool]
) -> Verified:
    """Hold the files of a pack, by name, against its statement and that against the key."""
    require(ENVELOPE in files, ENVELOPE + " is missing")
    payload = signed_payload(files[ENVELOPE], der, verifies)
    statement = read_exact(payload, "the statement")
    require(isinstance(statement, dict), "the statement: no object")
    require(statement.get("_type") == STATEMENT_TYPE, "the statement: of another type")
    require(statement.get("predicateType") == PREDICATE_TYPE, "the statement: not of evidence")
    predicate = statement.get("predicate")
    require(isinstance(predicate, dict), "the statement: no predicate")
    check_subjects(files, statement.get("subject"))
    check_alerts(files.get(ALERTS, b""), predicate.get("alerts"))
    shown, held = check_events(files.get(EVENTS), predicate.get("commitments"))
    return Verified(
        str(predicate.get("about")),
        str(predicate.get("kind")),
        str(predicate.get("made_by")),
        len(predicate["alerts"]),
        shown + held,
        held,
    )


def signed_payload(
    content: bytes, der: bytes, verifies: Callable[[bytes, bytes, bytes], bool]
) -> bytes:
    require(content.endswith(b"\n"), ENVELOPE + ": its end is missing")
    envelope = read_exact(content[:-1], ENVELOPE)
    require(
        isinstance(envelope, dict) and set(envelope) == {"payload", "payloadType", "signatures"},
        ENVELOPE + ": not a DSSE envelope",
    )
    require(envelope["payloadType"] == PAYLOAD_TYPE, ENVELOPE + ": not an in-toto statement")
    signatures = envelope["signatures"]
    require(
        isinstance(signatures, list)
        and len(signatures) == 1
        and isinstance(signatures[0], dict)
        and set(signatures[0]) == {"keyid", "sig"},
        ENVELOPE + ": not one signature",
    )
    require(signatures[0]["keyid"] == sha256(der), ENVELOPE + ": signed by another key")
    payload = read_base64(envelope["payload"], ENVELOPE + ": the payload")
    signature = read_base64(signatures[0]["sig"], ENVELOPE + ": the signature")
    kind = PAYLOAD_TYPE.encode()
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    require(verifies(der, signature, message), ENVELOPE + ": the signature does not hold")
    return payload


def check_subjects(files: dict[str, bytes], subject: Any) -> None:
    require(isinstance(subject, list), "the statement: no subject")
    stated = {}
    for one in subject:
        require(isinstance(one, dict) and set(one) == {"name", "digest"}, "the statement: subject")
        require(isinstance(one["name"], str) and one["name"] not in stated, "a name comes twice")
        stated[one["name"]] = one["digest"]
    for name, digest in stated.items():
        require(name in files, name + " is missing")
        require(digest == {"sha256": sha256(files[name])}, name + " is not what was signed")
    for name in sorted(set(files) - set(stated) - {ENVELOPE, EVENTS}):
        raise NotVerifiedError(name + " was not signed: it does not belong to the pack")


def lines_of(content: bytes, what: str) -> list[bytes]:
    require(not content or content.endswith(b"\n"), what + ": its end is missing")
    return content.split(b"\n")[:-1]


def check_alerts(content: bytes, digests: Any) -> None:
    require(isinstance(digests, dict), "the statement: no digests of alerts")
    found = [sha256(one) for one in lines_of(content, ALERTS)]
    require(sorted(found) == sorted(map(str, digests.values())), ALERTS + ": not those signed")


def check_events(content: bytes | None, commitments: Any) -> "tuple[int, int]":
    """How many events are shown, and how many are withheld."""
    require(isinstance(commitments, list), "the statement: no commitments")
    if content is None:
        raise NotVerifiedError(EVENTS + " is missing")
    lines = lines_of(content, EVENTS)
    require(
        len(lines) == len(commitments),
        "%s: %d lines for %d commitments" % (EVENTS, len(lines), len(commitments)),
    )
    held = 0
    for number, (line, commitment) in enumerate(zip(lines, commitments), 1):
        if line == exact({"withheld": commitment}):
            held += 1
        else:
            where = "%s, line %d: not what was committed to" % (EVENTS, number)
            require(sha256(line) == commitment, where)
    return len(lines) - held, held


def read_pack(folder: str) -> dict[str, bytes]:
    """Every file under a folder, by its path in it; what is no plain file is refused."""
    files: dict[str, bytes] = {}
    total = 0
    for at, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(at, name)
            short = os.path.relpath(path, folder).replace(os.sep, "/")
            require(not os.path.islink(path), short + ": a link")
            if name in names:
                require(os.path.isfile(path), short + ": no plain file")
                total += os.path.getsize(path)
                require(total <= MOST_BYTES, "the pack is larger than 1 GiB")
                with open(path, "rb") as file:
                    files[short] = file.read()
    return files


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Verify a pack of evidence.")
    parser.add_argument("pack")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--key", help="the signer's public key, PEM, had on another way")
    whose.add_argument("--fingerprint", help="or the SHA-256 of it, in hex")
    given = parser.parse_args(arguments)
    if not os.path.isdir(given.pack):
        parser.error("%r is no folder" % given.pack)
    try:
        files = read_pack(given.pack)
        if given.key:
            with open(given.key, "rb") as file:
                der = key_of(file.read())
        else:
            require("signer.pem" in files, "signer.pem is missing")
            der = key_of(files["signer.pem"])
        if given.fingerprint:
            stated = given.fingerprint.replace(":", "").lower()
            require(sha256(der) == stated, "signed by another key: " + sha256(der))
        found = check(files, der, openssl_verifies)
    except NotVerifiedError as error:
        print("NOT VERIFIED: " + ascii(str(error))[1:-1])
        return 1
    except OSError as error:
        print("cannot be read: %s" % error, file=sys.stderr)
        return 2
    print("verified: %s %s" % (ascii(found.kind)[1:-1], ascii(found.about)[1:-1]))
    print(
        "%d alerts; %d events, %d of them withheld" % (found.alerts, found.events, found.withheld)
    )
    print("signed by %s: %s" % (ascii(found.made_by)[1:-1], sha256(der)))
    if not (given.key or given.fingerprint):
        print("The key came with the pack: compare its fingerprint with what you had another way.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
