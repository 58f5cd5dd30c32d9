"""Others' directories to ours: FIRST's list of teams, Trusted Introducer's. No I/O here.

The text that they serve in, records out that nobody has verified: `verified_at` is for whoever
looked, for a list says of itself only that it was written. What they have no word for (a CSIRT's
role at FIRST) is not made up: such a team is of its country only where it is said to be national.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.country import COUNTRIES
from pipeline.share.directory import (
    FINGERPRINT,
    Constituency,
    Csirt,
    Role,
    canonical,
    domain_of,
    fingerprint,
    network_of,
    problems_of,
)

FIRST_SOURCE: Final = "first"
TI_SOURCE: Final = "trusted-introducer"
_SLUG: Final = re.compile(r"[^a-z0-9]+")
_GOVERNMENT: Final = "government"


class Imported(NamedTuple):
    """Records, and a line for each team that none could be made of."""

    csirts: tuple[Csirt, ...]
    left_out: tuple[str, ...]


def first(text: str) -> Imported:
    """An answer of FIRST's `/data/v1/teams`. It says where a team is, not what it answers for: so
    each answers for nothing until a person writes its constituency.
    """
    return _made(_teams(text, "data"), _of_first)


def trusted_introducer(text: str) -> Imported:
    """Trusted Introducer's `teams.json`."""
    return _made(_teams(text, None), _of_ti)


def _teams(text: str, key: str | None) -> list[Any] | str:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        return f"not JSON: {error}"
    found = document.get(key) if key and isinstance(document, dict) else document
    return found if isinstance(found, list) else "there is no list of teams in it"


def _made(teams: list[Any] | str, of: Any) -> Imported:
    if isinstance(teams, str):
        return Imported((), (teams,))
    made: dict[str, Csirt] = {}
    left_out: list[str] = []
    for number, team in enumerate(teams, 1):
        label = f"team {number}"
        try:
            one = of(team)
            label = f"team {number} ({one.id})"
            wrong = next(iter(problems_of(one)), "" if one.id not in made else "it is there twice")
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            wrong = f"not as such a list has them ({type(error).__name__})"
        if wrong:
            left_out.append(f"{label}: {wrong}")
        else:
            record = canonical(one)
            assert isinstance(record, Csirt)
            made[one.id] = record
    return Imported(tuple(made.values()), tuple(left_out))


def _of_first(team: dict[str, Any]) -> Csirt:
    pgp = fingerprint(str(team.get("pgp-fingerprint") or ""))
    return Csirt(
        id=_slug(team.get("id") or team["team"]),
        name=_text(team.get("team-full") or team["team"]),
        country=str(team["country"]).upper(),
        role=Role.NATIONAL,  # with no constituency it is that of nobody
        email=_mail([team.get("email")]),
        pgp=pgp if FINGERPRINT.fullmatch(pgp) else "",
        source=FIRST_SOURCE,
    )


def _of_ti(team: dict[str, Any]) -> Csirt:
    of = team["constituency"]
    kinds = {str(kind).lower() for kind in of.get("types", ())}
    codes = {str(one.get("code", "")) for one in of.get("countries", ())}
    countries = tuple(sorted(codes & COUNTRIES))
    national = any("national" in kind for kind in kinds)
    government = any(_GOVERNMENT in kind for kind in kinds)
    role = Role.NATIONAL if national else Role.GOV if government else Role.SECTOR
    keys = (fingerprint(str(key.get("fingerprint", ""))) for key in team.get("pgp_keys", ()))
    return Csirt(
        id=_slug(team["short_name"]),
        name=_text(team.get("official_name") or team["short_name"]),
        country=str(team["country"]["code"]).upper(),
        role=role,
        email=_mail(_contacts(team.get("emails", ()))),
        pgp=next((key for key in keys if FINGERPRINT.fullmatch(key)), ""),
        source=TI_SOURCE,
        constituency=Constituency(
            networks=tuple(str(n) for n in of.get("ipranges", ()) if network_of(str(n))),
            domains=tuple(d for d in map(_domain, of.get("domains", ())) if d),
            asns=tuple(int(asn) for asn in of.get("asns", ())),
            countries=countries,
            sectors=tuple(sorted(kinds)) if role is Role.SECTOR else (),
        ),
    )


def _contacts(emails: Iterable[dict[str, Any]]) -> Iterator[Any]:
    """The address for contact first."""
    ordered = sorted(emails, key=lambda one: "contact" not in one.get("usage", ()))
    return (one.get("address") for one in ordered)


def _mail(offered: Iterable[Any]) -> str:
    return next((str(one).strip() for one in offered if one), "")


def _domain(text: Any) -> str:
    """A domain, with what is below it; a pattern for any top-level domain is none."""
    said = str(text)
    return "" if ".*" in said else domain_of(said) or ""


def _slug(name: Any) -> str:
    return _SLUG.sub("-", str(name).lower()).strip("-")[:64].strip("-")


def _text(name: Any) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(name)).split())[:256]


def written(csirts: Iterable[Csirt]) -> str:
    """Records as a directory file has them, to be looked through by a person."""
    return "\n".join("\n".join(_table(one)) + "\n" for one in csirts)


def _table(one: Csirt) -> Iterator[str]:
    yield "[[csirt]]"
    fields = msgspec.to_builtins(one)
    constituency = fields.pop("constituency")
    verified = fields.pop("verified_at")
    for name, value in fields.items():
        if value:
            yield f"{name} = {_toml(value)}"
    yield f"verified_at = {verified}" if verified else "# verified_at = 2026-01-31"
    of = ", ".join(f"{name} = {_toml(value)}" for name, value in constituency.items() if value)
    yield f"constituency = {{ {of} }}" if of else "# constituency = { countries = [] }"


def _toml(value: Any) -> str:
    """JSON's strings and lists are TOML's, too, all in ASCII."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)
