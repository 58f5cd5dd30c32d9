"""Campaigns as attackers could make them, from a seed: every indicator type, hostile text."""

from __future__ import annotations

from random import Random

import msgspec

from pipeline.campaign.campaign import Campaign, Member, Seen, Status, Why, Word, identity
from pipeline.campaign.label import Verdict
from pipeline.canonical import (
    canonical_cve,
    canonical_domain,
    canonical_fingerprint,
    canonical_purl,
    canonical_text,
    canonical_url,
)
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.share.tlp import Pap, Tlp

COUNTRIES = ("AT", "BR", "CZ", "DE", "IN", "KE", "US")
_WORDS = (
    ("very likely", "B2", 88),
    ("likely", "F3", 60),
    ("almost no chance", "E5", 3),
    ("roughly even chance", "C6", 50),
)
_HOSTILE = (
    "'", "\\", "\\'", "''", '"', "]", "[", "\x00", "\n", "\n", "\r\n", "\t", "\x1b[2J", "\x7f", "\x85",
    "\u2028", "\u202e", "\ufeff", "é", "日本", "😀", "%", "%%41", "%00", "{{", "<script>", " AND ",
    "OR 1=1", "$(id)", "`", "|", ";", "#", "?", "&", " ", "\u00a0", "a", "zz", "0",
)  # fmt: skip


def text(dice: Random, most: int = 8) -> str:
    return "".join(dice.choice(_HOSTILE) for _ in range(dice.randint(1, most)))


def value(dice: Random, kind: str) -> str:
    """One in canonical form, as hostile as that allows."""
    found: str | None = None
    while found is None:
        found = _try(dice, kind)
    return found


def _try(dice: Random, kind: str) -> str | None:
    digits = "0123456789abcdef"
    match kind:
        case "ip":
            return dice.choice(
                [f"198.41.{dice.randrange(256)}.4", f"2a00:1450::{dice.randrange(1, 9999):x}"]
            )
        case "domain":
            label = "".join(dice.choice("abé日_-0") for _ in range(dice.randint(1, 12)))
            return canonical_domain(f"{label}.example{dice.choice(['', '.', '.org'])}")
        case "url":
            host = dice.choice(["a.example", "[2a00:1450::1]", "u:p'@b.example:8080", "[x'y]"])
            return canonical_url(f"http://{host}/{text(dice)}?{text(dice)}")
        case "md5" | "sha1" | "sha256":
            return "".join(dice.choices(digits, k={"md5": 32, "sha1": 40, "sha256": 64}[kind]))
        case "ja3" | "ja4" | "hassh":
            odd = canonical_fingerprint(text(dice))
            return odd if dice.random() < 0.3 else "".join(dice.choices(digits, k=32))
        case "credential":
            digest = "sha256:" + "".join(dice.choices(digits, k=64))
            return digest if dice.random() < 0.5 else f"root\0{text(dice)}hunter2"
        case "cve":
            return canonical_cve(f"cve-20{dice.randrange(10, 26)}-{dice.randrange(1, 99999):04}")
        case "purl":
            name = text(dice) if dice.random() < 0.5 else "lodash"
            version = dice.choice(["", "@1.0.0", f"@{text(dice)}"])
            return canonical_purl(f"pkg:npm/{dice.choice(['', '%40scope/'])}{name}{version}")
        case _:
            return canonical_text(text(dice, 40))


def made(seed: int, most: int = 4) -> Campaign:
    """At most so many indicators; each party has seen at least one of them."""
    dice = Random(seed)
    start = dice.randrange(1_300_000_000_000, 1_800_000_000_000)
    members = dict.fromkeys(
        Member(kind, value(dice, kind))
        for kind in dice.choices(INDICATOR_TYPES, k=dice.randint(1, most))
    )
    countries = sorted(dice.sample(COUNTRIES, dice.randint(1, 4)))
    parties = [(f"org-{country.lower()}-{n}", country) for country in countries for n in (1, 2)]
    parties = [party for n, party in enumerate(parties) if n % 2 == 0 or dice.random() < 0.3]
    sightings = []
    for organisation, country in parties:
        for member in dice.sample(list(members), dice.randint(1, len(members))):
            first = start + dice.randrange(86_400_000)
            last = first + dice.choice([0, dice.randrange(10_000_000)])
            sightings.append(
                Seen(
                    member.type, member.value, organisation, country, first, last,
                    dice.randint(1, 90),
                )
            )  # fmt: skip
    first = min(seen.first_seen for seen in sightings)
    last = max(seen.last_seen for seen in sightings)
    status = dice.choice(list(Status))
    oldest = next(iter(members))
    word, grade, sure = dice.choice(_WORDS)
    name = identity((oldest.type, f"{seed} {oldest.value}"))
    return Campaign(
        id=name,
        status=status,
        first_seen=first,
        last_seen=last,
        indicators=tuple(members),
        countries=tuple(countries),
        organisations=tuple(organisation for organisation, _ in parties),
        alerts=tuple(identity(("alert", f"{seed} {n}")) for n in range(dice.randint(1, 3))),
        severity=dice.randint(1, 5),
        confidence=sure,
        p_value=dice.choice([None, 0.01]),
        reasons=tuple(
            Why(one.type, one.value, f"with {oldest.type} {oldest.value}: of one network", 0.01)
            for one in members
        ),
        tlp=dice.choice(list(Tlp)),
        pap=dice.choice([msgspec.UNSET, *Pap]),
        first_told=first + dice.randrange(last - first + 1),
        grown_at=last,
        confidence_word=word,
        admiralty=grade,
        corroboration=(),
        sightings=tuple(sightings),
        merged_into=identity(("ip", "x")) if status is Status.MERGED else msgspec.UNSET,
        withdrawn=True if dice.random() < 0.1 else msgspec.UNSET,
        label=Word(
            dice.choice(list(Verdict)), "ann.analyst", "because Bob said so", dice.randint(1, 100),
            last + 5,
        )
        if dice.random() < 0.4
        else msgspec.UNSET,
    )  # fmt: skip
