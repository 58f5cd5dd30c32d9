"""What of an event leaves an organisation: in clear, as a pseudonym, or not at all. No I/O here.

A policy is applied where the event is made, before it is sent, spooled or shown to anybody. What it
does not name does not leave, but for what every event must have. An indicator that is replaced goes
into `observables`, under its OCSF type; another value into `unmapped.pseudonyms`, under its path
and a purpose of its own, so that it is never matched with an indicator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from pipeline.canonical import CANONICAL
from pipeline.indicator_type import CREDENTIAL, DOMAIN, IP, URL, USER_AGENT
from pipeline.share.pseudonym import CORRELATION, MissingKey, Ring


class Treatment(StrEnum):
    """What becomes of a field."""

    CLEAR = "clear"
    PSEUDONYMOUS = "pseudonymous"
    DROP = "drop"


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """A policy as its TOML file says it.

    `basis`, `purpose`, `retention` are for the page on processing; `types` speak for every field of
    an indicator type, `fields` for a path or all below it: the longest path that fits decides.
    """

    organisation: Annotated[str, Meta(min_length=1, max_length=256)]
    basis: str = ""
    purpose: str = ""
    types: dict[str, Treatment] = {}
    fields: dict[str, Treatment] = {}
    rest: Treatment = Treatment.DROP
    keys: str = ""
    """The folder of the key ring, where something is pseudonymous."""


_ALWAYS: Final = frozenset(
    (
        *("time", "metadata.version", "metadata.product.name", "metadata.product.vendor_name"),
        *("class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "device.uid"),
        "osint.tlp",
        *("file.hashes.algorithm_id", "ja4_fingerprint_list.type_id", "observables.type_id"),
    )
)
"""What an event is nothing without: none of it says whom it is of. The sensor is no person."""

_LABELS: Final = "metadata.labels"
_KEPT_LABEL: Final = re.compile(r"\s*(?:tlp|pap|exercise)(?::|\s*$)", re.IGNORECASE)
"""Labels that say what may be done with an event, and on which lane it is: without them it would be
freer than it was."""

INDICATOR_FIELDS: Final[dict[str, str]] = {
    "src_endpoint.ip": IP,
    "query.hostname": DOMAIN,
    "http_request.url.hostname": DOMAIN,
    "tls.sni": DOMAIN,
    "http_request.url.url_string": URL,
    "file.url.url_string": URL,
    "user.credential_uid": CREDENTIAL,
    "http_request.user_agent": USER_AGENT,
    "file.hashes.value": "hash",
    "tls.ja3_hash.value": "ja3",
    "ja4_fingerprint_list.value": "ja4",
    "client_hassh.fingerprint.value": "hassh",
    "vulnerabilities.cve.uid": "cve",
    "vulnerabilities.affected_packages.purl": "purl",
}
"""Where indicators stand, lists passed through, and their types; hashes are one."""

PSEUDONYMOUS: Final = (IP, DOMAIN, URL, CREDENTIAL, USER_AGENT)
"""The types that can be told by pseudonyms; the others say nothing of a person by themselves."""
_OBSERVABLE: Final = {DOMAIN: 1, IP: 2, URL: 6, USER_AGENT: 16, CREDENTIAL: 19}
_OBSERVED: Final = {number: kind for kind, number in _OBSERVABLE.items()} | {8: "hash", 18: "cve"}
_NO: Final = (None, None)
_TYPES: Final = frozenset(INDICATOR_FIELDS.values())
_SUBJECT: Final = "subject"
_UID: Final = "event"

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def canonical(kind: str, value: str) -> str | None:
    """The form of which a pseudonym is made; None where there is none of this type."""
    return CANONICAL[kind](value) if kind in PSEUDONYMOUS else None


def problems(policy: Policy) -> list[str]:
    """What is wrong with a policy beyond its form."""
    wrong = [
        f"types: there is no indicator type {kind!r}; there are {', '.join(sorted(_TYPES))}"
        for kind in policy.types
        if kind not in _TYPES
    ]
    wrong += [
        f"types: {kind} cannot be pseudonymous: clear or drop"
        for kind, treatment in policy.types.items()
        if kind in _TYPES.difference(PSEUDONYMOUS) and treatment is Treatment.PSEUDONYMOUS
    ]
    for path, treatment in policy.fields.items():
        if treatment is Treatment.PSEUDONYMOUS and path in _ALWAYS | {"metadata.uid"}:
            wrong.append(f"fields: {path} cannot be pseudonymous")
        kind = INDICATOR_FIELDS.get(path)
        if treatment is Treatment.PSEUDONYMOUS and kind is not None and kind not in PSEUDONYMOUS:
            wrong.append(f"fields: {path} cannot be pseudonymous: clear or drop")
    asked = (*policy.types.values(), *policy.fields.values(), policy.rest)
    if Treatment.PSEUDONYMOUS in asked and not policy.keys:
        wrong.append("something is pseudonymous: `keys` must name the folder of a key ring")
    if policy.rest is Treatment.PSEUDONYMOUS:
        wrong.append("rest cannot be pseudonymous: clear or drop")
    return wrong


class Guard:
    """A policy, ready to be applied. `ring` may be None where it makes no pseudonyms."""

    def __init__(self, policy: Policy, ring: Ring | None) -> None:
        assert not problems(policy)
        self._policy = policy
        self._ring = ring
        self._treatments: dict[str, Treatment] = {}

    def apply(self, raw: bytes) -> bytes | MissingKey:
        """What may leave of one good event."""
        event = _decode(raw)
        epochs: tuple[int, ...] = ()
        if self._ring is not None:
            usable = self._ring.usable(event["time"])
            if isinstance(usable, MissingKey):
                return usable
            epochs = usable
        leaving = _Leaving(self._ring, epochs)
        kept = self._object(event, "", leaving)
        # An event's name may be a digest of the line that it was made from, which can be guessed.
        uid = event["metadata"]["uid"]
        if self._ring is not None:
            uid = self._ring.digest(epochs[0], _UID, uid.encode("utf-8", "surrogatepass"))[:32]
        kept.setdefault("metadata", {})["uid"] = uid
        if leaving.observables:
            kept["observables"] = [*kept.get("observables", ()), *leaving.observables]
        if leaving.others:
            kept.setdefault("unmapped", {})["pseudonyms"] = leaving.others
        return _encode(kept)

    def treatment(self, path: str) -> Treatment:
        """What becomes of the field at a path."""
        known = self._treatments.get(path)
        if known is None:
            known = self._treatments[path] = self._decide(path)
        return known

    def _decide(self, path: str) -> Treatment:
        if path in _ALWAYS:
            return Treatment.CLEAR
        if path in self._policy.fields:
            return self._policy.fields[path]
        kind = INDICATOR_FIELDS.get(path)
        if kind is not None and kind in self._policy.types:
            return self._policy.types[kind]
        above = path
        while "." in above:
            above = above.rpartition(".")[0]
            if above in self._policy.fields:
                # A whole object is told field by field, and an indicator by what its type says.
                return self._policy.fields[above]
        return self._policy.rest

    def _object(self, value: dict[str, Any], at: str, leaving: _Leaving) -> dict[str, Any]:
        kept = {}
        for name, part in value.items():
            path = f"{at}.{name}" if at else name
            if path == "observables":
                if left := list(self._observables(part, leaving)):
                    kept[name] = left
            elif (treated := self._value(part, path, leaving)) is not None:
                kept[name] = treated
        return kept

    def _value(self, part: Any, path: str, leaving: _Leaving) -> Any:
        if isinstance(part, dict):
            return self._object(part, path, leaving) or None
        if path == _LABELS and isinstance(part, list):
            clear = self.treatment(path) is Treatment.CLEAR
            return [
                one for one in part if isinstance(one, str) and (clear or _KEPT_LABEL.match(one))
            ] or None
        if isinstance(part, list):
            left = (self._value(one, path, leaving) for one in part)
            return [one for one in left if one is not None] or None
        treatment = self.treatment(path)
        if treatment is Treatment.CLEAR:
            return part
        if treatment is Treatment.PSEUDONYMOUS and part is not None:
            leaving.replace(path, part if isinstance(part, str) else str(part))
        return None

    def _observables(self, part: Any, leaving: _Leaving) -> Iterator[dict[str, Any]]:
        """Those of a type that the policy names; others are of no known field."""
        for one in part if isinstance(part, list) else ():
            number, value = (one.get("type_id"), one.get("value")) if isinstance(one, dict) else _NO
            kind = _OBSERVED.get(number) if isinstance(number, int) else None
            if kind is None or not isinstance(value, str):
                continue
            treatment = self._policy.types.get(kind, self._policy.rest)
            if treatment is Treatment.CLEAR:
                yield {"type_id": number, "value": value}
            elif treatment is Treatment.PSEUDONYMOUS:
                leaving.observe(kind, value)


class _Leaving:
    """The pseudonyms of one event."""

    def __init__(self, ring: Ring | None, epochs: tuple[int, ...]) -> None:
        self._ring = ring
        self._epochs = epochs
        self.observables: list[dict[str, Any]] = []
        self.others: dict[str, list[str]] = {}

    def replace(self, path: str, value: str) -> None:
        kind = INDICATOR_FIELDS.get(path)
        if kind in PSEUDONYMOUS:
            self.observe(kind, value)
        elif self._ring is not None:
            made = [self._ring.pseudonym(e, path, value, _SUBJECT) for e in self._epochs]
            known = self.others.setdefault(path, [])
            known += [one for one in made if one not in known]

    def observe(self, kind: str, value: str) -> None:
        """An indicator. What has no canonical form is none, and does not leave."""
        canonical = CANONICAL[kind](value)
        if canonical is None or self._ring is None:
            return
        for epoch in self._epochs:
            made = self._ring.pseudonym(epoch, kind, canonical, CORRELATION)
            row = {"type_id": _OBSERVABLE[kind], "value": made}
            if row not in self.observables:
                self.observables.append(row)


def read_policy(document: object) -> Policy | str:
    """A policy from a decoded TOML file, or what is wrong with it."""
    try:
        policy = msgspec.convert(document, Policy)
    except msgspec.ValidationError as error:
        return str(error)
    return "; ".join(problems(policy)) or policy
