"""A whole world of one seed: who there is, what happens, how it arrives, and what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import msgspec
from msgspec import Struct

from pipeline.world import flood, intrusion, liar, saying, slow, stuffing, supply, worm
from pipeline.world.act import DAY, Act, Scene
from pipeline.world.arrival import arrivals, clock
from pipeline.world.background import Background
from pipeline.world.commons import scanners
from pipeline.world.dice import Dice
from pipeline.world.mint import Mint
from pipeline.world.places import Places, places
from pipeline.world.truth import KTH, Truth, Witness, truth

BEGIN = 1_736_121_600_000
"""2025-01-06 00:00 UTC, a Monday: long past, so that no event is from the future."""
DAYS = 365
"""A world lasts no longer."""

KINDS: dict[str, Callable[[Scene], Iterator[Act]]] = {
    "worm": worm.acts,
    "credential-stuffing": stuffing.acts,
    "staged-intrusion": intrusion.acts,
    "low-and-slow": slow.acts,
    "supply-chain": supply.acts,
    "ddos": flood.acts,
}
_STRUCK = 7  # countries, at most
_LIES = 20  # one lie of a lying sensor for so many events of the background at a sensor

_NO_CAMPAIGN = -1


class Options(Struct, frozen=True):
    """What a world is made of. `events` is the background's size; `liars` is in per cent."""

    seed: int
    countries: int = 8
    organisations: int = 16
    days: int = 3
    events: int = 50_000
    campaigns: int = 12
    liars: int = 10


class World(Struct, frozen=True):
    """`registry` is the text of `sensors.toml`; `lines` are events in order of arrival.

    `distinct` is how many of the lines are not repetitions.
    """

    registry: str
    lines: list[bytes]
    truths: list[Truth]
    distinct: int


def world(options: Options) -> World:
    """The world of these options: the same bytes wherever it is made.

    Every choice is drawn from a stream of its own name under the seed and the options that shape
    places, so that what is not asked to differ does not.
    """
    dice = Dice("sightline world 1", options.seed)
    where = places(dice.child("places"), options.countries, options.organisations, options.liars)
    mint = Mint()
    everywhere = scanners(dice.child("scanners"), mint)
    end = BEGIN + options.days * DAY
    happened: list[tuple[Act, int]] = []
    kinds = _kinds(dice.child("kinds"), options.campaigns)
    for number, kind in enumerate(kinds):
        drawn = dice.child("campaign", number)
        victims = drawn.some(where.countries, drawn.between(KTH, max(KTH, _STRUCK)))
        scene = Scene(drawn, mint, where, BEGIN, end, victims)
        happened += ((act, number) for act in KINDS[kind](scene))
    of_campaigns = [act for act, _ in happened]
    lies = max(options.events // (len(where.sites) * _LIES), 5)
    scene = Scene(dice.child("liars"), mint, where, BEGIN, end, [])
    happened += ((act, _NO_CAMPAIGN) for act in liar.acts(scene, of_campaigns, lies))
    background = Background(dice.child("background"), mint, where, everywhere, options.events)
    happened += ((act, _NO_CAMPAIGN) for act in background.acts(BEGIN, options.days))
    return _told(dice, where, happened, kinds)


def _kinds(dice: Dice, number: int) -> list[str]:
    """Every kind once before any comes twice."""
    order = dice.some(list(KINDS), len(KINDS))
    return [order[n % len(order)] for n in range(number)]


def _told(dice: Dice, where: Places, happened: list[tuple[Act, int]], kinds: list[str]) -> World:
    """What happened, as the sensors tell it by their clocks, in the order in which it arrives."""
    # By time, so that an event's number says nothing of what it belongs to; else as it was made.
    happened.sort(key=lambda each: each[0].time)
    clocks = [clock(dice.child("clock", site.sensor)) for site in where.sites]
    numbers = [count(1) for _ in where.sites]
    ways = dice.child("arrivals")
    witnesses: list[list[Witness]] = [[] for _ in kinds]
    lines: list[tuple[int, bytes]] = []
    for act, campaign in happened:
        site = where.sites[act.site]
        uid = f"{site.sensor}-{next(numbers[act.site])}"
        time = clocks[act.site].stated(act.time, BEGIN)
        line = saying.spoken(time, uid, site.sensor, act.body)
        lines += ((arrival, line) for arrival in arrivals(ways, act.time))
        if campaign != _NO_CAMPAIGN:
            witnesses[campaign].append(Witness(time, uid, site.country, act.own, act.foreign))
    lines.sort(key=lambda each: each[0])
    return World(
        registry=where.registry,
        lines=[line for _, line in lines],
        truths=[
            truth(f"c{number + 1:03}", kind, witnesses[number]) for number, kind in enumerate(kinds)
        ],
        distinct=len(happened),
    )


encode_truth = msgspec.json.Encoder().encode
