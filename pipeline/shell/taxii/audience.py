"""Who may read what by TAXII: a collection for each that campaigns are released to.

An organisation has its own, an alliance one for its members; all who take part have one, and so has
the public. What is in each is decided by `pipeline.share.release` and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID, uuid5

from msgspec import Struct

from pipeline.country import COUNTRIES
from pipeline.registry import Registry
from pipeline.share import release
from pipeline.share.alliance import Alliance, Member
from pipeline.share.alliance import collection as collection_of
from pipeline.share.release import Recipient
from pipeline.share.terms import ALLIANCE, COMMUNITY
from pipeline.shell.serve.people import Person
from pipeline.shell.taxii.routes import Collection as Readable

_NAMESPACE = UUID("0f6b6d3e-3f0a-5b7e-8a35-6e6f1c7a2d94")


class Audience(Struct, frozen=True):
    """Those who read one collection. `delay_ms`: how long after the others."""

    collection: Readable
    recipient: Recipient
    delay_ms: int = 0
    organisation: str = ""
    """Whose it is; empty: not one organisation's."""
    alliance: str = ""
    """Whose it is; empty: no alliance's."""
    members: tuple[Member, ...] = ()
    """Of an alliance, those that read it."""


def audiences(registry: Registry, alliances: Mapping[str, Alliance]) -> list[Audience]:
    """All that there are, the public first."""
    found = [
        Audience(_named("public", "Public", "For everybody"), release.THE_PUBLIC),
        Audience(_named("community", "Community", "For all who take part"), release.THE_COMMUNITY),
    ]
    for of in registry.organisations:
        title, text = f"For {of.name}", "What may be told to this organisation"
        found.append(
            Audience(
                _named(f"organisation {of.id}", title, text),
                release.organisation(of.id, of.country),
                organisation=of.id,
            )
        )
    for alliance in alliances.values():
        of_it = collection_of(alliance)
        found.append(
            Audience(
                Readable(of_it.id, of_it.title, of_it.description),
                alliance.recipient,
                alliance.policy.after,
                alliance=alliance.id,
                members=of_it.readers,
            )
        )
    return found


def _named(name: str, title: str, description: str) -> Readable:
    return Readable(str(uuid5(_NAMESPACE, name)), title, description)


class Doors:
    """Who is let in where."""

    def __init__(self, registry: Registry, audiences: Iterable[Audience]) -> None:
        self._countries = {of.id: of.country for of in registry.organisations}
        self._audiences = list(audiences)

    def open_to(self, person: Person) -> list[Readable]:
        """The collections that somebody may read: all, or those of whom he or she sees as."""
        return [
            one.collection
            for one in self._audiences
            if person.is_of_the_house or self._is_for(one, person.sees)
        ]

    def _is_for(self, one: Audience, whose: str) -> bool:
        if one.recipient is release.THE_PUBLIC:
            return True
        if one.alliance and whose == ALLIANCE + one.alliance:
            return True
        takes_part = whose in self._countries or whose in COUNTRIES
        if one.recipient is release.THE_COMMUNITY:
            return takes_part or whose == COMMUNITY
        if not takes_part:
            return False  # or no more
        if one.organisation:
            return one.organisation == whose
        country = self._countries.get(whose, whose)
        return any(
            # A country's own is of a country that is a member; of one organisation it is not.
            member.country == country and member.organisation in {"", whose}
            for member in one.members
        )
