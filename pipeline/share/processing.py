"""A record of processing activities, as far as the configuration knows it. No I/O here.

Article 30 GDPR asks for it. What no configuration says is left as a question, in bold: a person
answers for the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from pipeline.registry import Organisation, Registry
from pipeline.share.neutral import plain
from pipeline.share.privacy import INDICATOR_FIELDS, Guard, Policy, Treatment

OPEN: Final = "**to be answered by a person**"
_SUBJECTS: Final = {
    "ip": "whoever uses an address: attackers, and those whose machines were misused",
    "credential": "users whose names and passwords were tried; as a digest, never in clear text",
    "user_agent": "whoever sent a request",
    "domain": "holders of domains",
    "url": "holders of sites; whoever is named in an address",
}


class Kept(Struct, frozen=True):
    """A topic: what is on it, and for how long; `None`: as the broker is set up."""

    name: str
    kind: str
    days: float | None
    compacted: bool


class Facts(Struct, frozen=True):
    """What the configuration says beside registry and policies."""

    topics: Sequence[Kept]
    encrypted: bool
    logins: bool
    audit: bool
    lateness: str
    horizon: str


_ON: Final = {
    "events": "events as sensors sent them",
    "sightings": "which party saw which indicator when",
    "checkpoints": "the state of correlation: the same, until time has passed it",
    "alerts": "indicators that several countries saw",
    "campaigns": "indicators that belong together, and who saw them",
    "labels": "what analysts found, with their names",
    "dead-letters": "events that were rejected, as they came",
    "sensors": "figures of sensors; no indicators",
}


def page(registry: Registry, policies: Sequence[Policy], facts: Facts) -> str:
    """The page, as Markdown."""
    by_organisation = {policy.organisation: policy for policy in policies}
    rows = [
        "# Record of processing activities",
        "Made from the configuration. It says what is set, not what is lawful.",
        "## Controllers",
        _table(
            ("organisation", "name", "country", "contact"), map(_controller, registry.organisations)
        ),
        "## Purposes and legal basis",
        _table(
            ("organisation", "purpose", "basis"),
            (
                (of.id, plain(policy.purpose) or OPEN, plain(policy.basis) or OPEN)
                if (policy := by_organisation.get(of.id))
                else (of.id, OPEN, OPEN)
                for of in registry.organisations
            ),
        ),
        "## Categories of persons and of data",
        _table(
            ("data", "of whom"),
            ((kind, whom) for kind, whom in _SUBJECTS.items()),
        ),
        *(_of_policy(of, by_organisation.get(of.id)) for of in registry.organisations),
        "## Recipients, and where they are",
        "Workers read the events of all organisations here, wherever they run: " + OPEN + ".",
        _table(
            ("country", "organisations that take part"),
            sorted(_by_country(registry.organisations).items()),
        ),
        "Alerts and campaigns go to whoever has a login that reads them "
        "(`sightline principal list`), and to those that sharing names.",
        "## How long",
        _table(
            ("topic", "what is on it", "how long"),
            ((one.name, _ON.get(one.kind, one.kind), _how_long(one)) for one in facts.topics),
        ),
        f"Correlation remembers an indicator for its rule's window and {facts.lateness}; campaigns "
        f"for {facts.horizon}. Erasure at any time: `sightline erase`.",
        "## Measures",
        "\n".join(f"- {row}" for row in _measures(facts, policies)),
    ]
    return "\n\n".join(rows) + "\n"


def _controller(of: Organisation) -> tuple[str, ...]:
    return of.id, plain(of.name), of.country, plain(of.contact or "") or OPEN


def _by_country(organisations: Iterable[Organisation]) -> Mapping[str, str]:
    found: dict[str, list[str]] = {}
    for of in organisations:
        for party in of.parties:
            found.setdefault(party.country, []).append(of.id)
    return {country: ", ".join(names) for country, names in found.items()}


def _of_policy(of: Organisation, policy: Policy | None) -> str:
    head = f"### What leaves {of.id}\n\n"
    if policy is None:
        return head + (
            "No policy was given for it: whatever its sensors' formats yield leaves in clear, "
            "unless its sensors apply one (`sightline ship --policy`)."
        )
    guard = Guard(policy, None)
    fields = sorted({*INDICATOR_FIELDS, *policy.fields})
    return head + _table(
        ("field", "leaves"),
        [
            *((field, _leaves(guard.treatment(field))) for field in fields),
            ("all else", _leaves(policy.rest)),
        ],
    )


def _leaves(treatment: Treatment) -> str:
    return {
        Treatment.CLEAR: "in clear",
        Treatment.PSEUDONYMOUS: "as a pseudonym",
        Treatment.DROP: "not at all",
    }[treatment]


def _how_long(one: Kept) -> str:
    if one.days is not None:
        return f"{one.days:g} days"
    if one.compacted:
        return "the newest revision of each, without end"
    return f"as the broker is set up: {OPEN}"


def _measures(facts: Facts, policies: Sequence[Policy]) -> Iterable[str]:
    yield (
        "Transport is encrypted (TLS)."
        if facts.encrypted
        else ("Transport is **not** encrypted by this configuration.")
    )
    yield (
        "Who may write for which organisation is held by logins and access rules."
        if facts.logins
        else ("There are **no** logins: who reaches the broker may read and write everything.")
    )
    pseudonymous = [policy.organisation for policy in policies if policy.keys]
    if pseudonymous:
        yield (
            f"Pseudonyms under keys that change and are destroyed: {', '.join(pseudonymous)}. They "
            "are personal data still, and those who share a key can find values out by trying."
        )
    yield (
        "What leaves and what persons decide is in an audit log that shows changes."
        if facts.audit
        else ""
    )
    yield "Passwords and keys are in files for their owner alone; credentials are digests."


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
