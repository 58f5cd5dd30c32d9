"""Whom to tell: the same as looking at every record, one by one."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.registry import Organisation
from pipeline.share.directory import Constituency, Csirt, Directory, Premises, Role
from pipeline.share.route import (
    VERIFIED_FOR_MS,
    Found,
    Level,
    Question,
    Reason,
    Routes,
    Victim,
    route,
)

NOW = 1_700_000_000_000
NETWORKS = ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.4/32", "2001:db8::/32",
            "2001:db8:1::/48", "::/0")  # fmt: skip
DOMAINS = ("cz", "ac.cz", "uni.ac.cz", "lab.uni.ac.cz", "ke", "acz")
ASNS = (64500, 64501)
COUNTRIES = ("CZ", "KE")
SECTORS = ("government", "research")
ORGANISATIONS = ("one", "two")


def some(of: tuple[object, ...]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(st.sampled_from(of), max_size=2, unique=True).map(tuple)


constituencies = st.builds(
    Constituency, some(NETWORKS), some(DOMAINS), some(ASNS), some(COUNTRIES), some(SECTORS)
)
ages = st.sampled_from((0, 1, VERIFIED_FOR_MS, VERIFIED_FOR_MS + 1, -1))
csirts = st.builds(
    lambda role, constituency, age: Csirt(
        "", "n", "CZ", role, verified_at=NOW - age, constituency=constituency
    ),
    st.sampled_from(Role),
    constituencies,
    ages,
)
premises = st.builds(
    Premises, st.sampled_from(ORGANISATIONS), some(NETWORKS), some(DOMAINS), some(ASNS)
)
organisations = st.builds(
    lambda name, sector: Organisation(name, "CZ", name, sector, None, ()),
    st.sampled_from(ORGANISATIONS),
    st.sampled_from((None, *SECTORS)),
)
victims = st.builds(Victim, st.sampled_from(COUNTRIES), st.sampled_from(("", *ORGANISATIONS)))


def named(made: list[Csirt]) -> tuple[Csirt, ...]:
    return tuple(
        Csirt(f"c-{n}", one.name, one.country, one.role, verified_at=one.verified_at,
              constituency=one.constituency)
        for n, one in enumerate(made)
    )  # fmt: skip


routed = st.builds(
    lambda made, at, who: Routes(
        Directory(named(made), tuple({one.id: one for one in at}.values())),
        tuple({one.id: one for one in who}.values()),
    ),
    st.lists(csirts, max_size=5),
    st.lists(premises, max_size=2),
    st.lists(organisations, max_size=2),
)


def how_close(csirt: Csirt, routes: Routes, victim: Victim) -> list[tuple[int, int, object]]:
    """Every way in which it holds the victim: rank of the level, how close, and by which asset."""
    at = {one.id: one for one in routes.directory.premises}.get(victim.organisation, Premises(""))
    sector = {one.id: one.sector for one in routes.organisations}.get(victim.organisation)
    of, ways = csirt.constituency, list[tuple[int, int, object]]()
    for asset in at.networks:
        for text in of.networks:
            inner, outer = ip_network(asset), ip_network(text)
            if inner.version == outer.version and inner.subnet_of(outer):  # type: ignore[arg-type]
                ways.append((0, outer.prefixlen, asset))
    for asset in at.domains:
        for text in of.domains:
            if asset == text or asset.endswith(f".{text}"):
                ways.append((1, len(text), asset))
    ways += [(2, 0, asset) for asset in at.asns if asset in of.asns]
    if victim.country in of.countries and (
        csirt.role is Role.NATIONAL
        or (csirt.role is Role.GOV and sector == "government")
        or (csirt.role is Role.SECTOR and (sector or "") in of.sectors)
    ):
        ways.append((3, 0, victim.country))
    return ways


def naive(routes: Routes, victim: Victim) -> set[Found]:
    found: set[Found] = set()
    for role in Role:
        ways = [
            (rank, asset, close, csirt.id)
            for csirt in routes.directory.csirts
            if csirt.role is role
            for rank, close, asset in how_close(csirt, routes, victim)
        ]
        best = min((rank for rank, *_ in ways), default=None)
        for rank, asset, close, csirt_id in ways:
            closest = max(c for r, a, c, _ in ways if (r, a) == (rank, asset))
            if rank == best and close == closest:
                found.add(Found(csirt_id, role, list(Level)[rank]))
    return found


@given(routed, victims)
def test_the_closest_of_each_role_answers(routes: Routes, victim: Victim) -> None:
    assert set(routes.found(victim)) == naive(routes, victim)


@given(routed, victims)
def test_everybody_is_all_that_hold_it(routes: Routes, victim: Victim) -> None:
    assert routes.everybody(victim) == {
        one.id for one in routes.directory.csirts if how_close(one, routes, victim)
    }
    masked = Victim(victim.country)
    assert routes.everybody(masked) <= routes.everybody(victim)


@given(routed, st.lists(victims, max_size=4))
@example(Routes(Directory()), [Victim("CZ", "one")])
def test_who_is_told_and_what_a_person_is_asked(routes: Routes, seen_by: list[Victim]) -> None:
    to, questions = route(routes, seen_by, NOW)
    asked = set(questions)
    told = {(name, victim) for name, of in to.items() for victim in of}
    for victim in set(seen_by):
        found = naive(routes, victim)
        fresh = {
            one.csirt
            for one in found
            if 0 <= NOW - routes.csirts[one.csirt].verified_at <= VERIFIED_FOR_MS
        }
        assert {name for name, of in told if of == victim} == fresh
        old = {one.csirt for one in found} - fresh
        assert (Question(victim, Reason.NO_ROUTE) in asked) == (not found)
        assert (Question(victim, Reason.STALE, tuple(sorted(old))) in asked) == bool(old)
        for role in Role:
            several = tuple(sorted(one.csirt for one in found if one.role is role))
            assert (Question(victim, Reason.SEVERAL, several) in asked) == (len(several) > 1)
    assert {victim for _, victim in told} | {one.victim for one in asked} == set(seen_by)
    assert len(told) == sum(len(of) for of in to.values())
