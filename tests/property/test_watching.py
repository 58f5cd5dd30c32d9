"""What is told of a watch in the end is what one finds by looking through everything that was seen,
in whatever order watches and sightings came, how often, and whoever took over between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.alert import Alert
from pipeline.alert import encode as encode_alert
from pipeline.benign import NOTHING_LISTED
from pipeline.campaign.desk import Desk
from pipeline.share.terms import Conditions, Terms
from pipeline.share.tlp import Pap, Tlp, strictest_pap, strictest_tlp
from pipeline.sight import Group, Sightings
from pipeline.watch import Watch, alert_id
from pipeline.watching import GOES_ON_MS, Watching

HOUR = 3_600_000
MINUTE = 60_000
LENGTHS = {"ip": HOUR, "domain": HOUR}  # a slice is a minute
HORIZON = 10 * HOUR
EVER = 1_000 * HOUR
TERMS = Terms({"one": Conditions(Tlp.GREEN, Pap.GREEN), "two": Conditions(Tlp.AMBER, Pap.CLEAR)})
decode_alert = msgspec.json.Decoder(Alert).decode


class Sight(NamedTuple):
    type: str
    value: str
    country: str
    organisation: str
    first: int
    last: int
    """In the same slice as the first."""
    tlp: Tlp | None
    pap: Pap | None


class Drop(NamedTuple):
    id: str


class Restart(NamedTuple):
    """Somebody else takes over."""


Step = Sight | Watch | Drop | Restart


def sight(
    kind: str, value: str, country: str, org: str, minute: int, ms: tuple[int, int],
    tlp: Tlp | None, pap: Pap | None,
) -> Sight:  # fmt: skip
    first, last = (minute * MINUTE + one for one in sorted(ms))
    return Sight(kind, value, country, org, first, last, tlp, pap)


# From when to when, in minutes: whole, and in the midst of a slice.
MINUTES = st.integers(0, 3) | st.integers(0, 30)
MS = st.sampled_from([0, 1, 30_000, 59_999])
sights = st.builds(
    sight,
    st.sampled_from(["ip", "ip", "ip", "domain", "url"]),
    st.sampled_from(["a", "a", "a", "b"]),
    st.sampled_from(["CZ", "KE", "BR"]),
    st.sampled_from(["one", "two"]),
    MINUTES,
    st.tuples(MS, MS),
    st.sampled_from([None, None, *Tlp]),
    st.sampled_from([None, None, *Pap]),
)
NAMES = ("w1", "w2", "w3")


def watch_of(name: str, begin: int, end: int | None) -> Watch:
    """Each name is of one indicator, as an id is."""
    return Watch(
        name, "domain" if name == "w3" else "ip", "a", f"partner of {name}", valid_from=HORIZON + begin,
        valid_until=None if end is None else end, tlp=Tlp.GREEN, pap=Pap.CLEAR,
    )  # fmt: skip


watches = st.builds(
    watch_of,
    st.sampled_from(NAMES),
    st.builds(lambda minute, ms: minute * MINUTE + ms, MINUTES, MS),
    st.none() | st.builds(lambda minute, ms: minute * MINUTE + ms, MINUTES, MS),
)
steps = st.lists(
    st.one_of(
        sights, sights, sights, watches, st.sampled_from(NAMES).map(Drop), st.just(Restart())
    ),
    min_size=4,
    max_size=25,
)


def widening(given: Sequence[Step]) -> list[Step]:
    """Nothing is taken back: of one watch, each revision holds for all that the one before did; one
    that was withdrawn does not come back.
    """
    last: dict[str, Watch] = {}
    gone: set[str] = set()
    found: list[Step] = []
    for step in given:
        if isinstance(step, Drop):
            gone.add(step.id)
        if not isinstance(step, Watch):
            found.append(step)
        elif step.id not in gone:
            last[step.id] = wider(last.get(step.id, step), step)
            found.append(last[step.id])
    return found


def wider(before: Watch, now: Watch) -> Watch:
    ends = (before.valid_until, now.valid_until)
    return msgspec.structs.replace(
        now,
        valid_from=min(before.valid_from, now.valid_from),
        valid_until=None if None in ends else max(end or 0 for end in ends),
    )


def sightings(one: Sight) -> Sightings:
    group = Group(one.type, [one.value], [one.first], [one.last])
    return Sightings(
        "events/0", one.organisation, one.country, one.last, 0, [group],
        tlp=one.tlp, pap=one.pap,
    )  # fmt: skip


class Run:
    """A desk and those that take over from it, and what they told."""

    def __init__(self) -> None:
        self.topic: list[bytes] = []
        self.taken: list[Sight | Watch | Drop] = []
        self.desk = self.new()

    def new(self) -> Desk:
        watching = Watching(LENGTHS, NOTHING_LISTED, TERMS, HORIZON)
        return Desk(LENGTHS, NOTHING_LISTED, TERMS, HORIZON, watching=watching)

    def take(self, step: Step, *, tell: bool) -> None:
        if isinstance(step, Restart):
            self.desk = self.new()
            for told in self.topic:
                self.desk.raise_(decode_alert(told))
            for before in self.taken:
                self._take(before)
            return
        self.taken.append(step)
        self._take(step)
        if tell:
            self.tell(-1)

    def _take(self, step: Sight | Watch | Drop) -> None:
        match step:
            case Sight():
                self.desk.observe(sightings(step))
            case Watch():
                self.desk.watch(step)
            case Drop():
                self.desk.watching.drop(step.id)

    def tell(self, watermark: int) -> list[Alert]:
        told = self.desk.watching.revisions(watermark)
        self.topic += map(encode_alert, told)
        return told

    @property
    def newest(self) -> dict[str, Alert]:
        return {one.finding_info.uid: one for one in map(decode_alert, self.topic)}


Said = tuple[int, int, tuple[str, ...], tuple[str, ...], bool, str, str]


def oracle(steps: Sequence[Step]) -> dict[str, Said]:
    """By alert's id: first, last, countries, organisations, closed, TLP, PAP."""
    standing: dict[str, Watch] = {}
    gone: dict[str, tuple[Watch, list[Sight]]] = {}
    seen: list[Sight] = []
    for step in steps:
        match step:
            case Sight():
                seen.append(step)
            case Watch():
                standing[step.id] = step
            case Drop() if step.id in standing:
                gone[step.id] = standing.pop(step.id), list(seen)
            case _:
                pass
    found: dict[str, Said] = {}
    whole = {name: (watch, seen) for name, watch in standing.items()} | gone
    for name, (watch, of) in whole.items():
        counted = [
            one
            for one in of
            if (one.type, one.value) == watch.indicator
            and one.type in LENGTHS
            and (one.first // MINUTE + 1) * MINUTE > watch.valid_from - HORIZON
            and (watch.valid_until is None or one.first // MINUTE * MINUTE < watch.valid_until)
        ]
        if counted:
            found[alert_id(name)] = (
                min(one.first for one in counted),
                max(one.last for one in counted),
                tuple(sorted({one.country for one in counted})),
                tuple(sorted({one.organisation for one in counted})),
                name in gone or watch.valid_until is not None,
                strictest_tlp(
                    [watch.tlp, *(TERMS.of(one.organisation).label(one.tlp) for one in counted)]
                ),
                strictest_pap(
                    [watch.pap, *(TERMS.of(one.organisation).use(one.pap) for one in counted)]
                ),
            )
    return found


def said(alert: Alert) -> Said:
    finding, more = alert.finding_info, alert.unmapped
    return (
        finding.first_seen_time, finding.last_seen_time, more.countries, more.organisations,
        alert.activity_id == 3, str(more.tlp), str(more.pap),
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(steps.map(widening), st.lists(st.booleans(), min_size=25, max_size=25))
def test_what_is_told_is_what_one_finds_by_looking(given: list[Step], tells: list[bool]) -> None:
    run = Run()
    for step, tell in zip(given, tells, strict=False):
        # What is withdrawn was told before, if it is to be told at all.
        if isinstance(step, Drop):
            run.tell(-1)
            run.take(step, tell=True)
        else:
            run.take(step, tell=tell)
    run.tell(EVER)
    wanted = oracle(given)
    newest = run.newest
    assert {name: said(one)[2:] for name, one in newest.items()} == {
        name: one[2:] for name, one in wanted.items()
    }
    for name, one in newest.items():
        if name in {alert_id(step.id) for step in given if isinstance(step, Drop)}:
            # One that merely went on when it was withdrawn was told when it began to.
            assert said(one)[0] == wanted[name][0]
            assert wanted[name][1] - GOES_ON_MS < said(one)[1] <= wanted[name][1]
        else:
            assert said(one) == wanted[name]
    assert run.tell(EVER) == []
    begun = Counter(
        one.finding_info.uid for one in map(decode_alert, run.topic) if one.activity_id == 1
    )
    assert not begun or max(begun.values()) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(sights, max_size=8), st.lists(watches, max_size=3), st.randoms())
def test_any_order_and_number_comes_to_the_same(
    seen: list[Sight], on: list[Watch], dice: object
) -> None:
    on = list({one.id: one for one in on}.values())
    orders: list[list[Step]] = [[*seen, *on], [*on, *seen], [*seen, *on, *seen, Restart(), *on]]
    shuffled: list[Step] = [*seen, *on, *seen]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    told = []
    for order in (*orders, shuffled):
        run = Run()
        for step in order:
            run.take(step, tell=False)
        run.tell(EVER)
        told.append(run.newest)
    assert told[1:] == told[:-1]
