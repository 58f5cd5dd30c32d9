"""Non-interference: what a recipient may not see changes no byte that it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from itertools import chain, combinations, product
from typing import NamedTuple

import msgspec
import pytest

from pipeline.campaign import campaign as campaigns
from pipeline.campaign.campaign import Campaign, Member, Seen, Status, Why
from pipeline.campaign.confidence import Witness
from pipeline.share import misp, ocsf, stix
from pipeline.share.release import (
    THE_COMMUNITY,
    THE_PUBLIC,
    Egress,
    Kind,
    Reader,
    Recipient,
    aged,
    csirt,
    organisation,
    release,
)
from pipeline.share.terms import Conditions, Grant, Terms
from pipeline.share.tlp import Pap, Tlp

COUNTRIES = ("CZ", "SK", "AT")
LABELS = tuple(Tlp)
HOUR = 3_600_000


class State(NamedTuple):
    """How one country's organisation shares: its label, and to whom."""

    label: Tlp
    to: frozenset[str]


def sets(names: Sequence[str]) -> list[frozenset[str]]:
    return [
        frozenset(chosen)
        for chosen in chain.from_iterable(combinations(names, n) for n in range(len(names) + 1))
    ]


@cache
def seen_by(country: str, variant: int) -> tuple[Seen, ...]:
    """What one country's organisation saw: the members that all see, and more by `variant`."""
    who, at = f"{country.lower()}-nren", COUNTRIES.index(country) * HOUR
    first = Seen("ip", "203.0.113.5", who, country, at, at + HOUR, 2)
    second = Seen("domain", f"{country.lower()}.example", who, country, at + 5, at + 9, 1)
    strange = Seen("ip", "203.0.113.1", who, country, 1, 99 * HOUR, 7, Tlp.CLEAR, Pap.CLEAR)
    return [(first, second), (), (strange,), (first, strange)][variant]


@cache
def conditions(country: str, state: State) -> tuple[str, Conditions]:
    to = tuple(Grant(one) for one in sorted(state.to))
    return f"{country.lower()}-nren", Conditions(state.label, None, to, country=country)


def made(rows: Sequence[Seen], variant: int) -> Campaign:
    """A campaign of these; what is counted from all of them is by `variant`, too."""
    members = tuple(dict.fromkeys(Member(row.type, row.value) for row in rows))
    organisations = tuple(sorted({row.organisation for row in rows}))
    return Campaign(
        id=f"id-{variant}",
        status=(Status.OPEN, Status.GROWING, Status.DORMANT, Status.CLOSED)[variant],
        first_seen=variant,
        last_seen=100 * HOUR + variant,
        indicators=members,
        countries=tuple(sorted({row.country for row in rows})),
        organisations=organisations,
        alerts=("one", "two")[: variant % 3],
        severity=variant + 1,
        confidence=90 - variant,
        p_value=0.01 * variant,
        reasons=tuple(Why(one.type, one.value, "with ip 203.0.113.1", 0.1) for one in members),
        tlp=LABELS[variant],
        first_told=variant,
        grown_at=variant,
        confidence_word="likely",
        admiralty="B2",
        corroboration=tuple(Witness(one, 0.9, 0.1 * variant) for one in organisations),
        sightings=tuple(rows),
        pap=Pap.AMBER,
    )  # fmt: skip


def may_see(state: State, country: str, recipient: Recipient) -> bool:
    """The policy once more, case by case."""
    itself = recipient.kind is Kind.ORGANISATION and recipient.readers[0].country == country
    if itself and recipient.egress is Egress.DIRECT:
        return True
    names = {reader.country for reader in recipient.readers}
    open_to = {
        Kind.ORGANISATION: Tlp.AMBER_STRICT,
        Kind.CSIRT: Tlp.AMBER_STRICT,
        Kind.ALLIANCE: Tlp.AMBER,
        Kind.COMMUNITY: Tlp.GREEN,
        Kind.PUBLIC: Tlp.CLEAR,
    }[recipient.kind]
    if recipient.egress is Egress.SHARED and open_to is Tlp.AMBER_STRICT:
        open_to = Tlp.AMBER
    if LABELS.index(state.label) > LABELS.index(open_to):
        return False
    if "public" in state.to:
        return True
    if recipient.kind is Kind.PUBLIC:
        return False
    if "community" in state.to:
        return True
    if recipient.kind is Kind.ALLIANCE and "alliance:v4" in state.to and country in names:
        return True
    return bool(names) and names <= state.to


RECIPIENTS = {
    "organisation": organisation("sk-nren", "SK"),
    "organisation, shared": organisation("sk-nren", "SK", egress=Egress.SHARED),
    "csirt": csirt("sk-cert", "SK"),
    "alliance": Recipient(
        Kind.ALLIANCE,
        "v4",
        (Reader("", "CZ"), Reader("sk-nren", "SK")),
        members=(Reader("", "CZ"), Reader("sk-nren", "SK")),
    ),
    "community": THE_COMMUNITY,
    "public": THE_PUBLIC,
}


def worlds(states: Sequence[Sequence[State]]) -> Iterator[tuple[tuple[State, ...], int]]:
    yield from ((world, number) for number, world in enumerate(product(*states)))


def native(view: Campaign) -> bytes:
    return campaigns.encode(view)


def exported(view: Campaign) -> bytes:
    """By everybody's formats."""
    event = misp.pushed(view)
    return b"".join(
        (stix.bundle([view]), msgspec.json.encode(event), msgspec.json.encode(ocsf.finding(view)))
    )


def nothing_shows(
    recipient: Recipient,
    states: Sequence[Sequence[State]],
    egress: Callable[[Campaign], bytes] = native,
) -> None:
    """In every world the bytes are a function of what may be seen; hidden parts change with the
    number of the world, which has nothing to do with that.
    """
    got: dict[tuple[Tlp | None, ...], bytes | None] = {}
    for world, number in worlds(states):
        visible = tuple(
            state.label if may_see(state, country, recipient) else None
            for state, country in zip(world, COUNTRIES, strict=True)
        )
        rows: list[Seen] = []
        for nth, country in enumerate(COUNTRIES):
            variant = 0 if visible[nth] else (number // 5 + number // 3 * nth) % 4
            rows += seen_by(country, variant)
        terms = Terms(dict(map(conditions, COUNTRIES, world)))
        view = release(made(rows, number % 4), terms, recipient)
        told = None if view is None else egress(view)
        assert got.setdefault(visible, told) == told, (world, visible)
    for visible, told in got.items():
        shown = {f"{c.lower()}-nren".encode() for c, v in zip(COUNTRIES, visible, strict=True) if v}
        assert (told is None) == (not shown)
        for country in COUNTRIES:
            name = f"{country.lower()}-nren".encode()
            assert (told is not None and name in told) == (name in shown)


def states_of(names: Sequence[str]) -> list[State]:
    return [State(label, to) for label in LABELS for to in sets(names)]


def test_no_byte_shows_what_an_organisation_may_not_see() -> None:
    """3 countries, 5 labels each, every set of countries that each releases to: 64,000 worlds."""
    nothing_shows(RECIPIENTS["organisation"], [states_of(COUNTRIES)] * 3)


@pytest.mark.parametrize("name", RECIPIENTS)
def test_no_byte_shows_what_any_recipient_may_not_see(name: str) -> None:
    """Every label and set of one country, of everybody there is, beside a few of the others."""
    every = states_of([*COUNTRIES, "community", "public", "alliance:v4"])
    few = [State(Tlp.RED, frozenset()), State(Tlp.CLEAR, frozenset(["public"]))]
    for nth in range(2):
        states: list[Sequence[State]] = [few, few, few]
        states[nth] = every
        nothing_shows(RECIPIENTS[name], states)


@pytest.mark.parametrize("name", ["organisation", "community"])
def test_no_byte_shows_it_in_any_format(name: str) -> None:
    few = [State(Tlp.RED, frozenset()), State(Tlp.CLEAR, frozenset(["public"]))]
    nothing_shows(RECIPIENTS[name], [states_of(["SK", "community"]), few, few], exported)


@pytest.mark.parametrize("name", RECIPIENTS)
def test_no_credential_is_released_in_clear(name: str) -> None:
    """A sensor may have written anything: it is a digest to everybody, as it ought to have been."""
    rows = tuple(
        Seen("credential", value, "cz-nren", "CZ", at, at + 1, 1)
        for at, value in enumerate(("root:hunter2", f"sha256:{'ab' * 32}"))
    )
    to = (Grant("public"),)
    terms = Terms({"cz-nren": Conditions(Tlp.CLEAR, None, to, country="CZ")})
    view = release(made(rows, 0), terms, RECIPIENTS[name])
    assert view is not None
    assert b"hunter2" not in native(view)
    covered = f"sha256:{sha256(b'root:hunter2').hexdigest()}"
    assert {one.value for one in view.indicators} == {covered, f"sha256:{'ab' * 32}"}
    # A name tells nothing that can be tried out, either.
    assert view.id == campaigns.identity(("credential", covered))


@pytest.mark.parametrize("name", ["organisation", "community"])
def test_what_was_released_once_only_grows_old(name: str) -> None:
    terms = Terms(dict(map(conditions, COUNTRIES, [State(Tlp.CLEAR, frozenset(["public"]))] * 3)))
    for variant, hours in product(range(4), (None, 0, 1, 30, 200, 24 * 40)):
        one = made([row for c in COUNTRIES for row in seen_by(c, variant)], variant)
        for campaign in (
            one,
            msgspec.structs.replace(one, status=Status.MERGED, merged_into="x"),
            msgspec.structs.replace(one, withdrawn=True),
        ):
            first = release(campaign, terms, RECIPIENTS[name], hours and hours * HOUR)
            for later in (0, 3, 29, 31, 24 * 41):
                wanted = release(campaign, terms, RECIPIENTS[name], later * HOUR)
                assert (first is None) == (wanted is None)
                assert first is None or aged(first, campaign, later * HOUR) == wanted
