"""Directories as people and lists write them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.share.directory import Role, midnight, read
from pipeline.share.directory_import import first, trusted_introducer, written
from pipeline.share.route import is_stale

GOOD = """
[[csirt]]
id = "cz-csirt"
name = "National CSIRT"
country = "CZ"
role = "national"
email = "csirt@cz.example"
pgp = "0123 4567 89ab cdef 0123  4567 89ab cdef 0123 4567"
languages = ["cs", "en"]
verified_at = 2026-03-01
constituency = { networks = ["192.0.2.0/24"], domains = ["*.České.cz."], asns = [64500], countries = ["CZ"] }

[[organisation]]
id = "cz-nren"
networks = ["192.0.2.128/25"]
"""


def test_a_directory_is_read_to_one_form() -> None:
    found, problems = read(GOOD, "directory.toml")
    assert problems == []
    assert found is not None
    (csirt,) = found.csirts
    assert csirt.pgp == "0123456789ABCDEF0123456789ABCDEF01234567"
    assert csirt.constituency.domains == ("xn--esk-dma0p.cz",)
    assert csirt.verified_at == datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000
    assert found.premises[0].networks == ("192.0.2.128/25",)


def test_the_same_in_json() -> None:
    found, problems = read(
        json.dumps({"csirt": [{"id": "a", "name": "A", "country": "CZ", "role": "gov", "verified_at": "2026-03-01"}]}),
        "d.json",
    )  # fmt: skip
    assert problems == []
    assert found is not None
    assert found.csirts[0].role is Role.GOV


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('country = "CZ"', 'country = "UK"'), "csirt 'cz-csirt': country 'UK' is not an ISO 3166-1"),
        (('"192.0.2.0/24"', '"192.0.2.1/24"'), "csirt 'cz-csirt': '192.0.2.1/24' is no network such as"),
        (("*.České.cz.", "a b"), "csirt 'cz-csirt': 'a b' is no domain"),
        (("0123 4567", ""), "csirt 'cz-csirt': pgp "),
        (("csirt@cz.example", "csirt"), "csirt 'cz-csirt': email 'csirt' is no address"),
        (("csirt@cz.example", "a@b.example\\nBcc: c"), "csirt 'cz-csirt': email "),
        (('id = "cz-csirt"', 'id = "operator"'), "csirt 'operator': id 'operator' may hold a-z"),
        (('id = "cz-csirt"', 'id = "../x"'), "csirt '../x': id '../x' may hold a-z"),
        (('role = "national"', 'role = "sector"\nwebhook = "https://x"'), "webhook_secret_file must be, too"),
        (("2026-03-01", '"soon"'), "csirt 'cz-csirt': verified_at 'soon' is no date"),
        (("languages", "languagse"), "csirt 'cz-csirt': Object contains unknown field `languagse`"),
        (("[[organisation]]", "[[organization]]"), "unknown table 'organization'"),
        (("[[organisation]]", "[[organisation"), "neither TOML nor JSON"),
        (('networks = ["192.0.2.128/25"]', '[[organisation]]\nid = "cz-nren"'), "organisation 'cz-nren' is there twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(change: tuple[str, str], said: str) -> None:
    assert change[0] in GOOD
    found, problems = read(GOOD.replace(*change), "d.toml")
    assert found is None
    assert any(said in str(problem) for problem in problems), problems


@given(st.dates(date(1600, 1, 1), date(2400, 12, 31)))
def test_days_are_those_of_the_calendar(day: date) -> None:
    then = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert (
        midnight(day.year, day.month, day.day)
        == (then - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400_000
    )


@given(st.text(max_size=200) | st.text('[]{}="csirt\n', max_size=80))
def test_any_text_is_a_directory_or_says_why_not(text: str) -> None:
    found, problems = read(text, "d")
    assert (found is None) == bool(problems)


# Made up, in the form in which FIRST and Trusted Introducer serve theirs.
FIRST = {
    "status": "OK",
    "data": [
        {"id": "made-up_psirt", "team": "Made Up PSIRT", "team-full": "Made Up\n Product Security", "country": "cz",
         "email": "psirt@made-up.example", "pgp-fingerprint": "AB" * 20, "last-modified": "Thu, 29 Aug 2019 21:31:54 GMT"},
        {"team": "No country"},
        {"id": "made-up_psirt", "team": "Twice", "country": "CZ"},
        "no team",
    ],
}  # fmt: skip
TI = [
    {
        "official_name": "Made Up National CERT",
        "short_name": "CERT.made-up",
        "country": {"code": "AT", "name": "Austria"},
        "constituency": {
            "types": ["National"], "asns": [64500], "domains": ["*.made-up", "*.*", "ma-de.example"],
            "ipranges": ["192.0.2.0/24", "192.0.2.1/24"], "countries": [{"code": "AT"}, {"code": "3"}],
        },
        "pgp_keys": [{"fingerprint": "0381 BEF5 6694 B532 5BF0 4DDC A1DA C3ED FF4D FFB7", "expires": "2024-02-24"}],
        "emails": [
            {"address": "press@made-up.example", "usage": ["press"]},
            {"address": "team@made-up.example", "usage": ["contact"]},
        ],
    },
    {
        "short_name": "Energy \u202e CERT", "country": {"code": "AT"},
        "constituency": {"types": ["Energy"], "countries": [{"code": "AT"}]}, "emails": [],
    },
]  # fmt: skip


def test_firsts_list_gives_contacts_that_answer_for_nothing_yet() -> None:
    found = first(json.dumps(FIRST))
    (one,) = found.csirts
    assert (one.id, one.name, one.country) == ("made-up-psirt", "Made Up Product Security", "CZ")
    assert (one.email, one.pgp, one.source) == ("psirt@made-up.example", "AB" * 20, "first")
    assert is_stale(one, 1_700_000_000_000), "that it was written lately does not say that it is so"
    assert one.constituency.countries == ()
    assert len(found.left_out) == 3


def test_trusted_introducers_list_says_what_each_answers_for() -> None:
    found = trusted_introducer(json.dumps(TI))
    national, sector = found.csirts
    assert (national.role, sector.role) == (Role.NATIONAL, Role.SECTOR)
    assert national.email == "team@made-up.example"
    of = national.constituency
    assert (of.networks, of.domains) == (("192.0.2.0/24",), ("made-up", "ma-de.example"))
    assert (of.asns, of.countries) == ((64500,), ("AT",))
    assert national.pgp == "0381BEF56694B5325BF04DDCA1DAC3EDFF4DFFB7"
    assert sector.constituency.sectors == ("energy",)
    assert sector.id == "energy-cert"


def test_what_is_imported_can_be_read_again() -> None:
    some = (*first(json.dumps(FIRST)).csirts, *trusted_introducer(json.dumps(TI)).csirts)
    found, problems = read(written(some), "d.toml")
    assert problems == []
    assert found is not None
    assert found.csirts == some


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(("data", "id", "team", "country", "code", "constituency", "types", "emails", "short_name")), inner, max_size=4), max_leaves=12))  # fmt: skip
def test_any_list_is_imported_or_left_out(document: object) -> None:
    for importer in (first, trusted_introducer):
        found = importer(json.dumps(document))
        again, problems = read(written(found.csirts), "d.toml")
        assert problems == []
        assert again is not None
        assert again.csirts == found.csirts
