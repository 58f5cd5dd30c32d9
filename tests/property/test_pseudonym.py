"""No match is lost and none is made up where values are told by pseudonyms, over epochs, too."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.alert import Alert
from pipeline.canonical import canonical_ip, is_pseudonym
from pipeline.decode import simple
from pipeline.geo import Geo
from pipeline.indicator import indicators
from pipeline.registry import read_registry
from pipeline.rule_file import read_rules
from pipeline.share.privacy import Guard, Policy, Treatment
from pipeline.share.pseudonym import Epochs, MissingKey, Ring
from pipeline.shell.offline import OfflineRun, alerts

HOUR = 3_600_000
EPOCH = 4 * HOUR
START = 100_000 * EPOCH
PARTIES = (("a", "CZ"), ("b", "AT"), ("c", "KE"))
ADDRESSES = ("198.41.0.4", "2a00::7")
REGISTRY, _ = read_registry(
    "".join(
        f'[[organisation]]\nid="{name}"\ncountry="{country}"\nname="x"\n[[organisation.sensor]]\nid="{name}-1"\n'
        for name, country in PARTIES
    )
)
RULES, _ = read_rules(
    """
title: Twice
id: 5d0b6e0e-6f0c-4f0c-8f0a-0f3d3c1f2a10
correlation:
  type: value_count
  rules: [any_event]
  group-by: [ip]
  timespan: 1h
  condition: {field: country, gte: 2}
""",
    "rule.yml",
)
POLICY = Policy("a", types={"ip": Treatment.PSEUDONYMOUS}, keys="keys")
KEYS = {START // EPOCH + n: bytes([n + 9]) * 32 for n in range(-1, 5)}


class Said(NamedTuple):
    """A sighting: when, by which party, of which address."""

    time: int
    party: int
    address: int


def ring(overlap: int = 2 * HOUR) -> Ring:
    return Ring(Epochs(EPOCH, overlap), KEYS, min(KEYS))


def event(said: Said) -> bytes:
    spelled = ADDRESSES[said.address]
    if said.party == 1 and "." in spelled:
        spelled = f"::ffff:{spelled}"  # one address, however it is written
    return json.dumps(
        {
            "time": said.time,
            "metadata": {"uid": f"u{said.time}"},
            "device": {"uid": f"{PARTIES[said.party][0]}-1"},
            "src_endpoint": {"ip": spelled, "hostname": "who.example"},
            "message": f"from {spelled}",
        }
    ).encode()


def found(events: Iterable[bytes]) -> list[Alert]:
    assert REGISTRY is not None
    run = OfflineRun(REGISTRY, RULES, HOUR)
    return list(alerts(run.episodes(events, lambda *_: None), Geo()))


def span(alert: Alert) -> tuple[int, int]:
    return alert.finding_info.first_seen_time, alert.finding_info.last_seen_time


Matches = list[tuple[str, int, int, frozenset[str], frozenset[str]]]


def clear(events: list[bytes]) -> Matches:
    return sorted(
        (
            one.observables[0].value,
            *span(one),
            frozenset(one.unmapped.countries),
            frozenset(one.unmapped.organisations),
        )
        for one in found(events)
    )


def through_pseudonyms(events: list[bytes], of: Ring) -> Matches:
    """What the pseudonyms' alerts come to for one who can tell what each stands for: those of one
    value that overlap are one."""
    guard = Guard(POLICY, of)
    told = [guard.apply(one) for one in events]
    assert not any(isinstance(one, MissingKey) for one in told)
    value_of = {of.pseudonym(epoch, "ip", value): value for epoch in KEYS for value in ADDRESSES}
    parts: dict[str, list[Alert]] = defaultdict(list)
    for one in found(one for one in told if isinstance(one, bytes)):
        parts[value_of[one.observables[0].value]].append(one)
    joined: Matches = []
    for value, some in parts.items():
        together: list[tuple[int, int, set[str], set[str]]] = []
        for one in sorted(some, key=span):
            first, last = span(one)
            said = one.unmapped
            if together and first <= together[-1][1]:
                before = together[-1]
                before[2].update(said.countries)
                before[3].update(said.organisations)
                together[-1] = (before[0], max(before[1], last), before[2], before[3])
            else:
                together.append((first, last, set(said.countries), set(said.organisations)))
        joined += [(value, a, b, frozenset(c), frozenset(d)) for a, b, c, d in together]
    return sorted(joined)


sayings = st.lists(
    st.builds(
        Said,
        # Most of them about the ends of epochs.
        st.builds(
            lambda epoch, minutes, ms: START + epoch * EPOCH + minutes * 60_000 + ms,
            st.integers(0, 2),
            st.integers(-150, 150),
            st.integers(0, 59_999),
        ),
        st.integers(0, 2),
        st.integers(0, 1),
    ),
    min_size=2,
    max_size=14,
)  # fmt: skip


@given(sayings)
@settings(max_examples=150, deadline=None)
@example([Said(START + EPOCH - 1, 0, 0), Said(START + EPOCH, 1, 0)])
@example(
    [
        Said(START + EPOCH - HOUR + 60_000, 0, 0),
        Said(START + EPOCH - 1, 1, 0),
        Said(START + EPOCH + 59 * 60_000, 2, 0),
    ]
)
def test_no_match_is_lost_and_none_made_up_over_epochs(said: list[Said]) -> None:
    events = [event(one) for one in sorted(said)]
    joined = through_pseudonyms(events, ring())
    exact = clear(events)
    # Two episodes of one value may touch; then they are one here, and so they are made there.
    assert merged(joined) == merged(exact)
    for value, first, last, *_ in joined:
        assert any(v == value and a <= first and last <= b for v, a, b, *_ in merged(exact))


def merged(matches: Matches) -> Matches:
    out: Matches = []
    for one in sorted(matches):
        if out and out[-1][0] == one[0] and one[1] <= out[-1][2]:
            last = out[-1]
            out[-1] = (one[0], last[1], max(last[2], one[2]), last[3] | one[3], last[4] | one[4])
        else:
            out.append(one)
    return out


def test_without_an_overlap_a_match_is_lost() -> None:
    """What the property above holds is no matter of course."""
    events = [event(one) for one in (Said(START + EPOCH - 1, 0, 0), Said(START + EPOCH, 1, 0))]
    assert len(clear(events)) == 1
    assert through_pseudonyms(events, ring(overlap=0)) == []
    assert len(through_pseudonyms(events, ring())) == 1


def told_under(time: int) -> tuple[int, ...]:
    usable = ring().usable(time)
    assert not isinstance(usable, MissingKey)
    return usable


@given(sayings)
@settings(deadline=None)
def test_nothing_of_the_value_leaves(said: list[Said]) -> None:
    guard = Guard(POLICY, ring())
    for one in said:
        told = guard.apply(event(one))
        assert isinstance(told, bytes)
        for value in (*ADDRESSES, "who.example", f"u{one.time}"):
            assert value.encode() not in told
        read = simple(told)
        assert read is not None
        kinds, uncanonical = indicators(read)
        assert uncanonical == 0
        assert {kind for kind, _ in kinds} == {"ip"}
        assert all(is_pseudonym(value) for _, value in kinds)
        assert len(kinds) == len(told_under(one.time))


@given(st.text(max_size=60))
def test_no_value_in_clear_looks_like_a_pseudonym(text: str) -> None:
    assert not (canonical_ip(text) and is_pseudonym(text))


@given(st.integers(0, 2**45), st.integers(60_000, 10**9), st.integers(0, 10**9))
def test_within_the_overlap_two_instants_share_an_epoch(
    time: int, length: int, overlap: int
) -> None:
    epochs = Epochs(length, min(overlap, length))
    for later in (time, time + min(overlap, length) // 2, time + min(overlap, length) - 1):
        if later >= time:
            assert set(epochs.of(time)[:1]) & set(epochs.of(later))
