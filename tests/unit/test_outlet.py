"""A recipient's way out: what the policy leaves, and what becomes of what went out before."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event

import msgspec
import pytest

from pipeline.campaign import campaign as campaigns
from pipeline.campaign.campaign import Campaign, Member, Seen
from pipeline.share.release import THE_PUBLIC
from pipeline.share.terms import Conditions, Grant, Terms
from pipeline.share.tlp import Tlp
from pipeline.shell.export.cli import Format, export
from pipeline.shell.export.following import Told
from pipeline.shell.export.outlet import Outlet
from pipeline.shell.export.source import source
from pipeline.shell.settings import Settings, WrongUseError
from tests.unit.test_stix import AT, IP, campaign, seen

NOW = AT + 3_600_000
OPEN = Conditions(tlp=Tlp.CLEAR, releasable_to=(Grant("public"),))
REGISTRY = """
[[organisation]]
id = "cz-nren"
country = "CZ"
name = "Czech research network"
tlp = "CLEAR"
releasable_to = ["public"]
[[organisation.sensor]]
id = "cz-1"

[[organisation]]
id = "ke-bank"
country = "KE"
name = "A bank in Kenya"
[[organisation.sensor]]
id = "ke-1"
"""


def told(*campaigns: Campaign, gone: tuple[str, ...] = ()) -> Told:
    return Told({one.id: one for one in campaigns}, set(gone))


def public(**of: Conditions) -> Outlet:
    terms = Terms({name.replace("_", "-"): each for name, each in of.items()})
    return Outlet(terms, THE_PUBLIC)


def test_only_what_the_policy_leaves_and_only_what_is_new() -> None:
    outlet = public(cz_nren=OPEN)
    (view,) = outlet.take(told(campaign()), NOW).campaigns.values()
    assert (view.organisations, view.countries, view.tlp) == (("cz-nren",), ("CZ",), Tlp.CLEAR)
    # What it may not see has changed: nothing is told.
    more = campaign(sightings=(*campaign().sightings, seen("ke-bank", "UG", AT + 9)))
    assert outlet.take(told(more), NOW) == told()


def test_what_may_not_be_seen_any_more_is_withdrawn_and_what_is_erased_is_gone() -> None:
    outlet = public(cz_nren=OPEN)
    (name,) = outlet.take(told(campaign()), NOW).campaigns
    hidden = campaign(sightings=(seen("ke-bank", "KE"),))
    (view,) = outlet.take(told(hidden), NOW).campaigns.values()
    assert (view.id, view.withdrawn) == (name, True)
    assert outlet.take(told(hidden), NOW) == told()
    outlet.take(told(campaign()), NOW)
    assert outlet.take(told(gone=(campaign().id,)), NOW) == told(gone=(name,))


def test_a_view_whose_oldest_becomes_another_is_withdrawn_under_its_first_name() -> None:
    outlet = public(cz_nren=OPEN)
    (first,) = outlet.take(told(campaign()), NOW).campaigns
    domain = Member("domain", "a.example")
    older = Seen(domain.type, domain.value, "cz-nren", "CZ", AT - 9, AT, 1)
    grown = campaign(indicators=(IP, domain), sightings=(*campaign().sightings, older))
    both = outlet.take(told(grown), NOW).campaigns
    assert both[first].withdrawn is True
    (second,) = both.keys() - {first}
    assert both[second].withdrawn is msgspec.UNSET


DIRECTORY = """
[[csirt]]
id = "sk-cert"
name = "Slovak CSIRT"
country = "SK"
role = "national"
source = "made up"
verified_at = 2026-01-01
"""


def test_a_csirt_and_a_country_are_somebody(tmp_path: Path) -> None:
    """What is granted to a country is its CSIRT's, too; what is granted to the CSIRT is not all
    the country's.
    """
    (tmp_path / "sensors.toml").write_text(
        REGISTRY.replace('"public"', '"SK"').replace(
            'name = "A bank in Kenya"', 'name = "K"\ntlp = "AMBER"\nreleasable_to = ["sk-cert"]'
        )
    )
    (tmp_path / "directory.toml").write_text(DIRECTORY)
    (tmp_path / "c.jsonl").write_bytes(campaigns.encode(campaign()) + b"\n")
    settings = Settings(
        sensors=str(tmp_path / "sensors.toml"), directory=str(tmp_path / "directory.toml")
    )

    def shown(to: str) -> tuple[str, ...]:
        (told_,) = source(settings, tmp_path / "c.jsonl", False, to, Event()).told()
        return tuple(name for one in told_.campaigns.values() for name in one.organisations)

    assert shown("SK") == ("cz-nren",)
    assert shown("sk-cert") == ("cz-nren", "ke-bank")
    assert shown("KE") == ()
    with pytest.raises(WrongUseError, match="'nobody' is no organisation of the registry, CSIRT"):
        shown("nobody")


def test_an_alliance_has_a_topic_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match="is on its topic: --follow"):
        export(Format.STIX, tmp_path / "b", tmp_path / "c.jsonl", to="alliance:v4")
    with pytest.raises(WrongUseError, match="no country"):
        export(Format.MISP, tmp_path / "f", follow=True, to="alliance:../v4")


def test_an_export_to_somebody(tmp_path: Path) -> None:
    (tmp_path / "sensors.toml").write_text(REGISTRY)
    (tmp_path / "sightline.toml").write_text(f"sensors = '{tmp_path}/sensors.toml'\n")
    (tmp_path / "c.jsonl").write_bytes(msgspec.json.encode(campaign()))
    found = {}
    out = tmp_path / "bundle.json"
    for to in ("public", "community", "ke-bank", "*"):
        export(Format.STIX, out, tmp_path / "c.jsonl", to=to, config=tmp_path / "sightline.toml")
        objects = json.loads(out.read_bytes()).get("objects", [])
        found[to] = {one["name"] for one in objects if one["type"] in {"location", "identity"}}
    assert found == {
        "public": {"Sightline", "cz-nren", "CZ"},
        "community": {"Sightline", "cz-nren", "CZ"},
        "ke-bank": {"Sightline", "cz-nren", "CZ", "ke-bank", "KE"},
        "*": {"Sightline", "cz-nren", "CZ", "ke-bank", "KE"},
    }
