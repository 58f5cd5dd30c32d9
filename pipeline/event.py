"""What a sensor said: the part of an OCSF 1.5.0 event that correlation reads.

An event may be of any OCSF class and hold any other attribute; what is not named here is
skipped, not stored. Attribute names and meanings are OCSF's (schema.ocsf.io, 1.5.0).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

# The end of the year 9999: the last instant that every consumer's date type can hold.
LAST_TIME_MS = 253_402_300_799_999

# More elements than any sensor has reason to send in one event: a bound before any work.
MAX_ELEMENTS = 1024

MAX_VALUES = 1024
"""Values in all lists of one event: each may be an indicator, and costs work."""

MAX_LABELS = 64

Label = Annotated[str, Meta(max_length=256)]

Name = Annotated[str, Meta(min_length=1, max_length=256)]
"""An identifier: not empty, at most 256 characters."""


class Metadata(Struct, frozen=True, gc=False):
    """`uid` names the event; it is unique per sensor. `labels` may hold TLP and PAP, and what it
    says of its lane (`pipeline.lane`).
    """

    uid: Name
    labels: Annotated[list[Label], Meta(max_length=MAX_LABELS)] | None = None


class Device(Struct, frozen=True, gc=False):
    """`uid` is the sensor."""

    uid: Name


class Endpoint(Struct, frozen=True, gc=False):
    ip: str | None = None


class Query(Struct, frozen=True, gc=False):
    hostname: str | None = None


class Url(Struct, frozen=True, gc=False):
    hostname: str | None = None
    url_string: str | None = None


class HttpRequest(Struct, frozen=True, gc=False):
    url: Url | None = None
    user_agent: str | None = None


class Fingerprint(Struct, frozen=True, gc=False):
    """`algorithm_id` 1 MD5, 2 SHA-1, 3 SHA-256; others yield no indicator."""

    value: str | None = None
    algorithm_id: int | None = None


class Tls(Struct, frozen=True, gc=False):
    sni: str | None = None
    ja3_hash: Fingerprint | None = None


class Ja4Fingerprint(Struct, frozen=True, gc=False):
    """`type_id` 1 is JA4; JA4S, JA4H and the others yield no indicator."""

    value: str | None = None
    type_id: int | None = None


class Hassh(Struct, frozen=True, gc=False):
    fingerprint: Fingerprint | None = None


class File(Struct, frozen=True, gc=False):
    url: Url | None = None
    hashes: Annotated[list[Fingerprint], Meta(max_length=MAX_ELEMENTS)] | None = None


class User(Struct, frozen=True, gc=False):
    """`credential_uid`: what adapters write, never a password in clear text."""

    credential_uid: str | None = None


class Process(Struct, frozen=True, gc=False):
    """`cmd_line` is no indicator: no more than its signature (`pipeline.command`) is kept."""

    cmd_line: str | None = None


class Cve(Struct, frozen=True, gc=False):
    uid: str | None = None


class Package(Struct, frozen=True, gc=False):
    purl: str | None = None


class Vulnerability(Struct, frozen=True, gc=False):
    cve: Cve | None = None
    affected_packages: Annotated[list[Package], Meta(max_length=MAX_ELEMENTS)] | None = None


class Observable(Struct, frozen=True, gc=False):
    """`type_id` 1 hostname, 2 IP address, 6 URL, 8 hash, 18 CVE; 16 user agent and 19 credential as
    pseudonyms only; others yield no indicator.
    """

    type_id: int | None = None
    value: str | None = None


class Osint(Struct, frozen=True, gc=False):
    """Intelligence that the sensor matched; `tlp` as OCSF spells it, `AMBER STRICT`."""

    tlp: Label | None = None


class Event(Struct, frozen=True, gc=False):
    """One event. `time` is milliseconds since the epoch, UTC."""

    time: Annotated[int, Meta(ge=0, le=LAST_TIME_MS)]
    metadata: Metadata
    device: Device
    src_endpoint: Endpoint | None = None
    query: Query | None = None
    http_request: HttpRequest | None = None
    tls: Tls | None = None
    file: File | None = None
    user: User | None = None
    client_hassh: Hassh | None = None
    ja4_fingerprint_list: Annotated[list[Ja4Fingerprint], Meta(max_length=MAX_ELEMENTS)] | None = (
        None
    )
    vulnerabilities: Annotated[list[Vulnerability], Meta(max_length=MAX_ELEMENTS)] | None = None
    observables: Annotated[list[Observable], Meta(max_length=MAX_ELEMENTS)] | None = None
    osint: Annotated[list[Osint], Meta(max_length=MAX_ELEMENTS)] | None = None
    process: Process | None = None

    @property
    def values(self) -> int:
        """How many values there are in its lists; see `MAX_VALUES`."""
        count = len(self.ja4_fingerprint_list or ()) + len(self.observables or ())
        count += len(self.osint or ())
        if self.file is not None:
            count += len(self.file.hashes or ())
        for vulnerability in self.vulnerabilities or ():
            count += 1 + len(vulnerability.affected_packages or ())
        return count
