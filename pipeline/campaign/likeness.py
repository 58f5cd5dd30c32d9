"""Who came with near-equal commands, where that is not common. No I/O here.

Commands whose signatures are near-equal are one thing, though names, addresses and parameters in
them differ. An indicator keeps to a thing if most of its half hours with commands were with that.
If each party that saw it with commands had seen it with any that came at all, so many would have
seen that thing by chance: the hypergeometric tail. Each party counts once, however often it saw it,
for who types a line once types it again.

What many typed is a habit or a tool, and joins nothing, however often they did: how many typed it
is counted by indicators.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import takewhile

from msgspec import Struct

from pipeline.campaign.chance import hypergeometric_tail
from pipeline.campaign.company import MOST
from pipeline.campaign.evidence import Evidence, Fact
from pipeline.campaign.presence import HALF_HOUR
from pipeline.campaign.union import Union
from pipeline.command import bands, is_signature, similarity
from pipeline.company import COMMAND
from pipeline.indicator import Indicator
from pipeline.surprise import SHARED

NEAR = 0.73
"""How alike near-equal commands are, as far as their signatures tell: 24 of 32 digits."""
_DIGITS = 4
"""Of a band: of near-equal ones, all but few have one in common."""
_LOOKED_AT = 64
"""Signatures that another of the same band is compared with."""
COMMON = 0.1
"""The part of those that came with any command, beyond which a thing is what everybody types."""
RARE = 0.02
"""The part up to which it may be evidence alone."""


class Alike(Struct, frozen=True):
    """Of `drawn` parties that saw an indicator with commands, `hits` saw it with a certain one, or
    near-equal ones: `p` by chance. Of `of` indicators of its type with commands, `having` came with
    that.
    """

    hits: int
    drawn: int
    having: int
    of: int
    p: float
    known_at: int
    """When the last of the countries that it takes had seen that, ms."""

    @property
    def is_rare(self) -> bool:
        return self.having <= RARE * self.of


class Likeness:
    """The commands of all indicators, and how common they are."""

    def __init__(self, evidence: Evidence, members: Collection[Indicator]) -> None:
        """`members`: those that may belong to a campaign."""
        self._kept: dict[Indicator, dict[str, Alike]] = {}
        typed: dict[Indicator, list[tuple[int, Fact, tuple[str, ...]]]] = {}
        for indicator, facts in evidence.telling():
            for (party, _), fact in facts.items():
                companions = fact.companions
                # Commands stand first. Most facts have none, and this is asked of all.
                if companions and companions[0][0] == COMMAND and (found := _signatures(fact)):
                    typed.setdefault(indicator, []).append((party, fact, found))
        things = alike({one for mine in typed.values() for *_, found in mine for one in found})
        having: Counter[tuple[str, str]] = Counter()
        marked: Counter[tuple[str, str]] = Counter()
        of: Counter[str] = Counter()
        seen_by: Counter[str] = Counter()
        for (kind, _), mine in typed.items():
            at = {(things[one], party) for party, _, found in mine for one in found}
            marked.update((kind, thing) for thing, _ in at)
            having.update((kind, thing) for thing in {thing for thing, _ in at})
            of[kind] += 1
            seen_by[kind] += len({party for party, *_ in mine})
        for indicator in sorted(typed.keys() & members):
            kind = indicator[0]
            kept: dict[str, Alike] = {}
            all_facts = len(evidence.facts[indicator])
            for thing, came in _mostly(typed[indicator], things, kind, all_facts):
                if having[kind, thing] > COMMON * of[kind]:
                    continue
                known_at = _known_at(evidence, came)
                if known_at is None:
                    continue
                parties = {party for party, *_ in typed[indicator]}
                hits = len({party for party, _ in came})
                p = hypergeometric_tail(hits, len(parties), marked[kind, thing], seen_by[kind])
                tried = len({things[one] for *_, found in typed[indicator] for one in found})
                kept[thing] = Alike(
                    hits, len(parties), having[kind, thing], of[kind], min(1.0, p * tried), known_at
                )
            if kept:
                self._kept[indicator] = kept

    def shared(self, one: Indicator, other: Indicator) -> Alike | None:
        """What both keep to: of the two, the likelier; None if there is nothing."""
        ours, theirs = self._kept.get(one), self._kept.get(other)
        if not ours or not theirs:
            return None
        return min(
            (_weaker(ours[thing], theirs[thing]) for thing in ours.keys() & theirs.keys()),
            key=_least_likely_first,
            default=None,
        )

    def ties(self) -> Iterator[tuple[Indicator, Indicator]]:
        """Of each thing, the one that keeps to it most surely, with each of the others."""
        keep: dict[str, list[Indicator]] = defaultdict(list)
        for indicator, kept in self._kept.items():
            for thing in kept:
                keep[thing].append(indicator)
        for thing in sorted(keep):
            surest, *others = sorted(
                keep[thing], key=lambda one: (_least_likely_first(self._kept[one][thing]), one)
            )
            for other in others:
                yield min(surest, other), max(surest, other)

    def things(self, group: Iterable[Indicator]) -> set[str]:
        """What the members of a group keep to."""
        return {thing for one in group for thing in self._kept.get(one, ())}

    def with_group(self, one: Indicator, things: Collection[str]) -> Alike | None:
        """What one keeps to that is of a group's `things`."""
        kept = self._kept.get(one)
        if not kept or not things:
            return None
        return min(
            (of for thing, of in kept.items() if thing in things),
            key=_least_likely_first,
            default=None,
        )


def alike(signatures: Collection[str]) -> Mapping[str, str]:
    """By signature, the thing that it is of: the first of all that are near-equal, or near-equal to
    one that is.
    """
    union = Union[str]()
    buckets: dict[tuple[int, str], list[str]] = defaultdict(list)
    for one in sorted(signatures):
        for band in bands(one, _DIGITS):
            bucket = buckets[band]
            for other in bucket:
                apart = union.head(one) != union.head(other)
                if apart and similarity(one, other) >= NEAR:
                    union.join(one, other)
            if len(bucket) < _LOOKED_AT:
                bucket.append(one)
    return {one: union.head(one) for one in signatures}


def _signatures(fact: Fact) -> tuple[str, ...]:
    commands = takewhile(lambda one: one[0] == COMMAND, fact.companions)
    return tuple(value for _, value in commands if is_signature(value))


def _mostly(
    mine: Collection[tuple[int, Fact, tuple[str, ...]]],
    things: Mapping[str, str],
    kind: str,
    all_facts: int,
) -> Iterator[tuple[str, list[tuple[int, Fact]]]]:
    """What most of an indicator's half hours with commands were with, and who saw that.

    Of what belongs to many, most of all that was seen of it must be with that: a client that many
    use is no sign, though the few who type use nothing else.
    """
    drawn: set[tuple[int, int]] = set()
    hits: dict[str, set[tuple[int, int]]] = defaultdict(set)
    came: dict[str, list[tuple[int, Fact]]] = defaultdict(list)
    for party, fact, found in mine:
        half_hour = (party, fact.last // HALF_HOUR)
        drawn.add(half_hour)
        for thing in {things[one] for one in found}:
            hits[thing].add(half_hour)
            came[thing].append((party, fact))
    for thing in sorted(hits):
        if len(hits[thing]) <= MOST * len(drawn):
            continue
        if kind in SHARED and len(came[thing]) <= MOST * all_facts:
            continue
        yield thing, came[thing]


def _known_at(evidence: Evidence, came: Iterable[tuple[int, Fact]]) -> int | None:
    """When enough countries had seen it, ms; None if they are too few."""
    countries: set[str] = set()
    for last, party in sorted((fact.last, party) for party, fact in came):
        countries.add(evidence.parties.all[party].country)
        if len(countries) >= evidence.least_countries:
            return last
    return None


def _weaker(one: Alike, other: Alike) -> Alike:
    weaker = max(one, other, key=_least_likely_first)
    return Alike(
        weaker.hits, weaker.drawn, weaker.having, weaker.of, weaker.p,
        max(one.known_at, other.known_at),
    )  # fmt: skip


def _least_likely_first(of: Alike) -> tuple[float, int, int, int, int, int]:
    return of.p, of.having, of.of, of.drawn, of.hits, of.known_at
