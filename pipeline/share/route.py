"""Whom to tell: the CSIRTs of the victims. No I/O here.

A victim is who saw it: an organisation in a country. Within each role (national, government,
sector) the closest constituency decides: the longest prefix that holds one of its networks, else
the longest domain, else its AS, else its country. What is left to a person, and never guessed: a
victim that nobody answers for, a record that nobody has made sure of for `VERIFIED_FOR_MS`, and
several of one role, all of which are told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Final, NamedTuple

from msgspec import Struct

from pipeline.campaign.campaign import Campaign
from pipeline.registry import Organisation
from pipeline.share.directory import (
    GOVERNMENT,
    Csirt,
    Directory,
    Network,
    Premises,
    Role,
    network_of,
)

VERIFIED_FOR_MS: Final = 180 * 86_400_000
_NOWHERE: Final = Premises("")


class Level(StrEnum):
    """By what a CSIRT was found, the closest first."""

    NETWORK = "network"
    DOMAIN = "domain"
    ASN = "asn"
    COUNTRY = "country"


class Victim(Struct, frozen=True, order=True):
    """Who saw it. Of one whose name is not told `organisation` is empty."""

    country: str
    organisation: str = ""


class Found(NamedTuple):
    """A CSIRT that answers for a victim."""

    csirt: str
    role: Role
    level: Level


class Reason(StrEnum):
    """Why a person is asked."""

    NO_ROUTE = "no-route"
    STALE = "stale"
    SEVERAL = "several"


class Question(Struct, frozen=True):
    """What a person is to decide of a victim; `candidates` are ids of CSIRTs, sorted."""

    victim: Victim
    reason: Reason
    candidates: tuple[str, ...] = ()


class Routing(NamedTuple):
    """Who is told for which victims, and what a person is asked."""

    to: Mapping[str, tuple[Victim, ...]]
    questions: tuple[Question, ...]


def victims(campaign: Campaign) -> tuple[Victim, ...]:
    """Who saw any of it, sorted. Of a view: those whose country at least is told."""
    return tuple(
        sorted(
            {Victim(seen.country, seen.organisation) for seen in campaign.sightings if seen.country}
        )
    )


class Routes(Struct, frozen=True, dict=True):
    """A directory, and what is known of the organisations that take part, made ready to look up."""

    directory: Directory
    organisations: tuple[Organisation, ...] = ()

    @cached_property
    def csirts(self) -> dict[str, Csirt]:
        """By id. Read it only: it is shared."""
        return {one.id: one for one in self.directory.csirts}

    @cached_property
    def _sectors(self) -> dict[str, str]:
        return {of.id: (of.sector or "").lower() for of in self.organisations}

    @cached_property
    def _premises(self) -> dict[str, Premises]:
        return {of.id: of for of in self.directory.premises}

    @cached_property
    def _networks(self) -> dict[Network, list[Csirt]]:
        found: dict[Network, list[Csirt]] = defaultdict(list)
        for csirt in self.directory.csirts:
            for text in csirt.constituency.networks:
                if network := network_of(text):
                    found[network].append(csirt)
        return found

    @cached_property
    def _lengths(self) -> dict[int, list[int]]:
        """By IP version, the lengths of prefixes that there are, the longest first."""
        found: dict[int, set[int]] = {4: set(), 6: set()}
        for network in self._networks:
            found[network.version].add(network.prefixlen)
        return {version: sorted(lengths, reverse=True) for version, lengths in found.items()}

    @cached_property
    def _domains(self) -> dict[str, list[Csirt]]:
        found: dict[str, list[Csirt]] = defaultdict(list)
        for csirt in self.directory.csirts:
            for domain in csirt.constituency.domains:
                found[domain].append(csirt)
        return found

    @cached_property
    def _asns(self) -> dict[int, list[Csirt]]:
        found: dict[int, list[Csirt]] = defaultdict(list)
        for csirt in self.directory.csirts:
            for asn in csirt.constituency.asns:
                found[asn].append(csirt)
        return found

    @cached_property
    def _countries(self) -> dict[str, list[Csirt]]:
        found: dict[str, list[Csirt]] = defaultdict(list)
        for csirt in self.directory.csirts:
            for country in csirt.constituency.countries:
                found[country].append(csirt)
        return found

    def found(self, victim: Victim) -> tuple[Found, ...]:
        """Of each role those with the closest constituency, sorted."""
        found: set[Found] = set()
        for role in Role:
            for level, candidates in self._by_level(victim):
                of_role = {one.id for one in candidates if one.role is role}
                if of_role:
                    found |= {Found(one, role, level) for one in of_role}
                    break
        return tuple(sorted(found))

    def everybody(self, victim: Victim) -> frozenset[str]:
        """All whose constituency holds it at all, whoever is closer."""
        known = self._premises.get(victim.organisation, _NOWHERE)
        found = [one for one in self._countries.get(victim.country, ()) if self._cares(one, victim)]
        for text in known.networks:
            for candidates in self._holding(text):
                found += candidates
        for domain in known.domains:
            for parent in _parents(domain):
                found += self._domains.get(parent, ())
        for asn in known.asns:
            found += self._asns.get(asn, ())
        return frozenset(one.id for one in found)

    def _by_level(self, victim: Victim) -> Iterable[tuple[Level, list[Csirt]]]:
        """Candidates at each level, of any role.

        An organisation's networks each have a closest one, and that of each role may be another.
        """
        known = self._premises.get(victim.organisation, _NOWHERE)
        yield Level.NETWORK, _closest(self._holding(text) for text in known.networks)
        yield (
            Level.DOMAIN,
            _closest(
                (self._domains.get(parent, []) for parent in _parents(domain))
                for domain in known.domains
            ),
        )
        yield Level.ASN, [one for asn in known.asns for one in self._asns.get(asn, ())]
        at_home = self._countries.get(victim.country, ())
        yield Level.COUNTRY, [one for one in at_home if self._cares(one, victim)]

    def _holding(self, text: str) -> Iterable[list[Csirt]]:
        """Who answers for a network, from the longest prefix to the shortest."""
        network = network_of(text)
        if network is None:
            return
        for length in self._lengths[network.version]:
            if length <= network.prefixlen:
                found = self._networks.get(network.supernet(new_prefix=length))
                if found:
                    yield found

    def _cares(self, csirt: Csirt, victim: Victim) -> bool:
        """Does one that is there for a country take care of this victim in it?"""
        if csirt.role is Role.NATIONAL:
            return True
        sector = self._sectors.get(victim.organisation, "")
        if csirt.role is Role.GOV:
            return sector == GOVERNMENT
        return sector in {name.lower() for name in csirt.constituency.sectors}


def _closest(assets: Iterable[Iterable[list[Csirt]]]) -> list[Csirt]:
    """Of each asset, and of each role, those with the closest constituency."""
    found: list[Csirt] = []
    for holders in assets:
        roles: set[Role] = set()
        for candidates in holders:
            found += [one for one in candidates if one.role not in roles]
            roles |= {one.role for one in candidates}
    return found


def _parents(domain: str) -> Iterable[str]:
    """A domain and those that it is below, the longest first."""
    labels = domain.split(".")
    for n in range(len(labels)):
        yield ".".join(labels[n:])


def is_stale(csirt: Csirt, at: int) -> bool:
    """Has nobody made sure of it lately, ms? What is said to be of the future, nobody has."""
    return not 0 <= at - csirt.verified_at <= VERIFIED_FOR_MS


def route(routes: Routes, seen_by: Iterable[Victim], at: int) -> Routing:
    """Who is told for which victims, and what is left to a person; `at` is now, ms."""
    to: dict[str, list[Victim]] = defaultdict(list)
    questions: list[Question] = []
    for victim in sorted(set(seen_by)):
        found = routes.found(victim)
        if not found:
            questions.append(Question(victim, Reason.NO_ROUTE))
        stale = [one.csirt for one in found if is_stale(routes.csirts[one.csirt], at)]
        if stale:
            questions.append(Question(victim, Reason.STALE, tuple(sorted(stale))))
        for role in Role:
            several = [one.csirt for one in found if one.role is role]
            if len(several) > 1:
                questions.append(Question(victim, Reason.SEVERAL, tuple(sorted(several))))
        for one in found:
            if one.csirt not in stale:
                to[one.csirt].append(victim)
    return Routing({name: tuple(of) for name, of in sorted(to.items())}, tuple(questions))
