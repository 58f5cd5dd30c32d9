"""How a team notified others, judged by what letters, rulings and replies there are."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.campaign.campaign import Campaign
from pipeline.exercise.conduct import Conduct, Heard, Lane, Post, conduct
from pipeline.share.correspondence import Correspondence
from pipeline.share.directory import Constituency, Csirt, Directory, Role
from pipeline.share.ledger import Entry
from pipeline.share.letter import Told
from pipeline.share.reply import Reply, Word
from pipeline.share.route import Routes
from pipeline.share.ruling import Ruling
from pipeline.share.subscriber import Delivery
from pipeline.share.terms import Conditions, Grant, Terms
from pipeline.share.tlp import Tlp
from tests.unit.making import HOUR, at
from tests.unit.telling import campaign

NOW = at("18:00")
LANDS = ("CZ", "KE", "BR")
CSIRTS = tuple(
    Csirt(land.lower(), land, land, Role.NATIONAL, verified_at=NOW,
          constituency=Constituency(countries=(land,)))
    for land in LANDS
)  # fmt: skip
ROUTES = Routes(Directory(CSIRTS))
TERMS = Terms(
    {
        "org-cz": Conditions(Tlp.GREEN, None, (Grant("CZ"), Grant("KE"))),
        "org-ke": Conditions(Tlp.AMBER, None, (Grant("KE"),)),
        "org-br": Conditions(Tlp.AMBER, None, ()),
        "org-pt": Conditions(Tlp.GREEN, None, (Grant("CZ"), Grant("BR"))),
    }
)
CLEAN = Conduct(
    due=0, routed=0, astray=0, unruled=0, letters=0, breaches=0, in_time=0, late=0, never=0
)


class Exercise:
    """The stage that writes letters, and what it leaves on the topics."""

    def __init__(self, *campaigns: Campaign, routes: Routes = ROUTES) -> None:
        self.of = Correspondence(routes, TERMS, Delivery(), hold_ms=0)
        self.routes = routes
        self.campaigns = list(campaigns)
        self.rulings: list[Ruling] = []
        self.heard: list[Heard] = []
        for one in campaigns:
            self.of.campaign(one)

    def write(self) -> None:
        for one in self.campaigns:
            list(self.of.due(one.id, NOW))
            self.of.questions(one.id, NOW)

    @property
    def entries(self) -> list[Entry]:
        return [entry for one in self.campaigns for entry in self.of.ledger.about(one.id)]

    def judged(self, team: str, entries: Iterable[Entry] | None = None) -> Conduct:
        newest = {
            (one.about, one.to): one for one in (self.entries if entries is None else entries)
        }
        post = Post(
            {key: one.letter.at for key, one in newest.items()}, newest, self.heard,
            self.rulings, list(self.of.open.values()),
        )  # fmt: skip
        real = {one.id for one in self.campaigns}
        return conduct(team, Lane(self.routes, TERMS, self.campaigns, real, post, NOW, 24 * HOUR))


PARTIES = st.lists(st.sampled_from(["cz", "ke", "br", "pt"]), min_size=1, unique=True)


@settings(max_examples=100)
@given(st.lists(PARTIES, min_size=1, max_size=3))
def test_what_the_stage_writes_is_what_is_due_and_breaks_no_label(parties: list[list[str]]) -> None:
    one = Exercise(
        *(campaign(*of, value=f"198.18.0.{n}", id=f"c{n}") for n, of in enumerate(parties))
    )
    one.write()
    for team in (*LANDS, "PT"):
        found = one.judged(team)
        assert found.due == found.routed
        assert (found.astray, found.breaches) == (0, 0)
        assert found.never == found.letters
        nothing = one.judged(team, ())
        assert nothing == msgspec.structs.replace(CLEAN, due=found.due, unruled=found.unruled)


def test_who_was_not_told_and_who_was_told_astray() -> None:
    one = Exercise(campaign("cz", "ke"))
    one.write()
    assert (one.judged("CZ").due, one.judged("KE").due, one.judged("BR").due) == (1, 1, 0)
    (cz, ke) = sorted(one.entries, key=lambda entry: entry.to)
    assert (one.judged("KE", [cz]).due, one.judged("KE", [cz]).routed) == (1, 0)
    # CZ's own letter, to Brazil, which is no victim and may not see it: astray, and too much.
    lost = msgspec.structs.replace(cz, to="br")
    assert one.judged("BR", [cz, ke, lost]) == msgspec.structs.replace(
        CLEAN, astray=1, letters=1, breaches=1, never=1
    )


def test_a_letter_about_what_another_campaign_holds_now_is_not_astray() -> None:
    """A campaign that was split stands, with less in it: what was told of it before was right."""
    one = Exercise(campaign("cz", "ke", id="c0"))
    one.write()
    of_ke = [entry for entry in one.entries if entry.to == "ke"]
    split = campaign("ke", id="c1")
    one.campaigns = [campaign("cz", id="c0"), split]
    assert one.judged("KE", of_ke).astray == 0
    one.campaigns = [campaign("cz", id="c0")]
    assert one.judged("KE", of_ke).astray == 1, "nobody holds it any more"
    one.campaigns = [campaign("cz", id="c0"), campaign("ke", value="198.18.0.9", id="c1")]
    assert one.judged("KE", of_ke).astray == 1, "it was of something else"


def test_a_letter_that_says_too_much_or_too_openly() -> None:
    one = Exercise(campaign("cz", "ke"))
    one.write()
    (cz,) = [entry for entry in one.entries if entry.to == "cz"]
    body = cz.letter.body
    assert isinstance(body, Told)
    assert body.campaign.organisations == ("org-cz",)

    def told(**changed: object) -> Conduct:
        made = msgspec.structs.replace(body.campaign, **changed)
        letter = msgspec.structs.replace(
            cz.letter, body=msgspec.structs.replace(body, campaign=made)
        )
        return one.judged("CZ", [msgspec.structs.replace(cz, letter=letter)])

    whole = one.campaigns[0]
    assert told().breaches == 0
    assert told(sightings=whole.sightings).breaches == 1
    assert told(organisations=whole.organisations).breaches == 1
    assert told(countries=whole.countries).breaches == 1
    assert (
        told(indicators=(*whole.indicators, *campaign("br", value="1.1.1.1").indicators)).breaches
        == 1
    )
    assert told(tlp=Tlp.CLEAR).breaches == 1
    assert told(tlp=Tlp.RED).breaches == 0, "more strictly than it had to"


def test_answers_have_their_time() -> None:
    one = Exercise(
        campaign("cz", id="c0"), campaign("cz", value="198.18.0.1", id="c1"),
        campaign("cz", value="198.18.0.2", id="c2"),
    )  # fmt: skip
    one.write()
    threads = {entry.about: entry.thread for entry in one.entries}
    assert len(threads) == 3

    def says(about: str, later: int, by: str = "cz") -> Heard:
        return Heard(by, NOW + later, Reply(threads[about], Word.RECEIVED, NOW))

    one.heard = [says("c0", 25 * HOUR), says("c0", 24 * HOUR), says("c1", 24 * HOUR + 1),
                 says("c2", HOUR, "ke")]  # fmt: skip
    found = one.judged("CZ")
    # What it says of itself when it was written counts for nothing, nor what others say.
    assert (found.letters, found.in_time, found.late, found.never) == (3, 1, 1, 1)


def test_a_person_is_asked_where_nobody_answers_for_a_victim() -> None:
    one = Exercise(campaign("pt"))
    one.write()
    assert (one.judged("PT").unruled, one.judged("PT").due) == (1, 0)
    ruling = Ruling("0b6f1c52-93a5-5d6e-9d1e-0d3a5f6f7a10", "PT", "org-pt", "br", "ann", NOW)
    one.of.rule(ruling)
    one.rulings = [ruling]
    one.write()
    found = one.judged("PT")
    assert (found.unruled, found.due, found.routed) == (0, 1, 1)
    assert one.judged("BR").astray == 0
    one.rulings = []
    assert one.judged("BR").astray == 1
