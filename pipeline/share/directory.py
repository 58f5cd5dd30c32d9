"""Who is told for whom: CSIRTs, what each answers for, and where organisations' networks lie.

No I/O here: the text of a directory file in, TOML or JSON, a `Directory` or what is wrong with it
out. Domains are A-labels in lower case, countries ISO 3166-1 alpha-2, times ms since 1970, UTC.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Final

import idna
import msgspec
from msgspec import Meta, Struct

from pipeline.country import country_problem
from pipeline.problem import Problem, quoted

Network = IPv4Network | IPv6Network

OPERATOR: Final = "operator"
"""Who asks and is answered at the place where this runs: no CSIRT may be called so."""
FINGERPRINT: Final = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
GOVERNMENT: Final = "government"
"""The sector of which CSIRTs of role `gov` take care."""
_DAY_MS: Final = 86_400_000
_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_MAIL: Final = re.compile(r"[A-Za-z0-9._%+'=/-]{1,64}@[A-Za-z0-9.-]{1,253}")


class Role(StrEnum):
    """For whom in a country it is there."""

    NATIONAL = "national"
    GOV = "gov"
    SECTOR = "sector"


class Constituency(Struct, frozen=True, forbid_unknown_fields=True):
    """What a CSIRT answers for. `domains` with all that is below them, `sectors` of `countries`."""

    networks: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    asns: tuple[Annotated[int, Meta(ge=1, le=4_294_967_295)], ...] = ()
    countries: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()


class Csirt(Struct, frozen=True, forbid_unknown_fields=True):
    """One record.

    `pgp` is the fingerprint of its key, `pgp_key` the file that holds it; a key with another
    fingerprint is not used. `verified_at`: when somebody last made sure of it, ms; 0 for never.
    """

    id: str
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    country: str
    role: Role
    email: str = ""
    pgp: str = ""
    pgp_key: str = ""
    languages: tuple[str, ...] = ()
    webhook: str = ""
    webhook_secret_file: str = ""
    taxii: str = ""
    misp: str = ""
    source: str = ""
    verified_at: int = 0
    constituency: Constituency = Constituency()


class Premises(Struct, frozen=True, forbid_unknown_fields=True):
    """Where an organisation of the registry is to be found: a CSIRT is looked up by that."""

    id: str
    networks: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    asns: tuple[Annotated[int, Meta(ge=1, le=4_294_967_295)], ...] = ()


class Directory(Struct, frozen=True):
    """All CSIRTs and premises, in the order of the file."""

    csirts: tuple[Csirt, ...] = ()
    premises: tuple[Premises, ...] = ()


def read(text: str, where: str) -> tuple[Directory | None, list[Problem]]:
    """A directory file's text: `[[csirt]]` and `[[organisation]]` tables, or the same in JSON."""
    try:
        document = msgspec.json.decode(text) if text.lstrip()[:1] == "{" else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, RecursionError) as error:
        return None, [Problem(where, None, f"neither TOML nor JSON: {error}")]
    problems = [
        Problem(where, None, f"unknown table {quoted(key)}; there are csirt and organisation")
        for key in document
        if key not in {"csirt", "organisation"}
    ]
    csirts = _tables(document, "csirt", Csirt, where, problems)
    premises = _tables(document, "organisation", Premises, where, problems)
    for kind, records in (("csirt", csirts), ("organisation", premises)):
        taken: set[str] = set()
        for one in records:
            if one.id in taken:
                problems.append(Problem(where, None, f"{kind} {quoted(one.id)} is there twice"))
            taken.add(one.id)
    return (None, problems) if problems else (Directory(csirts, premises), [])


def _tables(
    document: dict[str, Any], name: str, kind: Any, where: str, problems: list[Problem]
) -> tuple[Any, ...]:
    found = document.get(name, [])
    if not isinstance(found, list):
        problems.append(Problem(where, None, f"{name} must be written as [[{name}]] tables"))
        return ()
    made = []
    for number, table in enumerate(found, 1):
        shown = table.get("id") if isinstance(table, dict) else None
        label = f"{name} {quoted(shown)}" if isinstance(shown, str) else f"{name} number {number}"
        try:
            one = msgspec.convert(_timed(table), kind)
        except (msgspec.ValidationError, ValueError) as error:
            problems.append(Problem(where, None, f"{label}: {error}"))
            continue
        wrong = list(problems_of(one))
        problems += [Problem(where, None, f"{label}: {each}") for each in wrong]
        if not wrong:
            made.append(canonical(one))
    return tuple(made)


def _timed(table: object) -> object:
    """With `verified_at`, a date as people write it, in ms."""
    said = table.get("verified_at") if isinstance(table, dict) else None
    if said is None or isinstance(said, int):
        return table
    text = said if isinstance(said, str) else said.isoformat()
    day = re.match(r"(\d{4})-(\d{2})-(\d{2})(?!\d)", text)
    if day is None:
        raise ValueError(f"verified_at {quoted(text)} is no date such as 2026-03-01")
    return {**table, "verified_at": midnight(*map(int, day.groups()))}  # type: ignore[dict-item]


def midnight(year: int, month: int, day: int) -> int:
    """The beginning of a day of the Gregorian calendar, ms since 1970, UTC.

    Days are counted in years that begin in March, so that a leap day is a year's last.
    """
    if not (1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError(f"{year:04}-{month:02}-{day:02} is no date")
    since_march = (month + 9) % 12
    years = year - (month <= 2)
    days = 365 * years + years // 4 - years // 100 + years // 400
    return (days + (153 * since_march + 2) // 5 + day - 1 - 719_468) * _DAY_MS


def problems_of(one: Csirt | Premises) -> Iterable[str]:
    """What is wrong with a record, each as a sentence."""
    if not _ID.fullmatch(one.id) or one.id == OPERATOR:
        yield f"id {quoted(one.id)} may hold a-z, 0-9 and '-', and is not {OPERATOR!r}"
    of = one if isinstance(one, Premises) else one.constituency
    for text in of.networks:
        if network_of(text) is None:
            yield f"{quoted(text)} is no network such as 192.0.2.0/24"
    for text in of.domains:
        if domain_of(text) is None:
            yield f"{quoted(text)} is no domain"
    if isinstance(one, Premises):
        return
    for code in (one.country, *one.constituency.countries):
        if problem := country_problem(code):
            yield f"country {problem}"
    if one.email and not _MAIL.fullmatch(one.email):
        yield f"email {quoted(one.email)} is no address"
    if one.pgp and not FINGERPRINT.fullmatch(fingerprint(one.pgp)):
        yield f"pgp {quoted(one.pgp)} is no fingerprint of 40 or 64 hexadecimal digits"
    if one.pgp_key and not one.pgp:
        yield "pgp_key is set: then pgp must be its fingerprint"
    if one.webhook and not one.webhook_secret_file:
        yield "webhook is set: then webhook_secret_file must be, too"
    if one.role is Role.SECTOR and not one.constituency.sectors and not _is_narrow(one):
        yield "role is sector: say which, in constituency.sectors, or networks, domains or asns"


def _is_narrow(one: Csirt) -> bool:
    of = one.constituency
    return bool(of.networks or of.domains or of.asns)


def canonical(one: Csirt | Premises) -> Csirt | Premises:
    """With networks, domains and fingerprint in the one form in which they are compared."""
    of = one if isinstance(one, Premises) else one.constituency
    changed = {
        "networks": tuple(str(network_of(text)) for text in of.networks),
        "domains": tuple(domain_of(text) or "" for text in of.domains),
    }
    replace = msgspec.structs.replace
    if isinstance(one, Premises):
        return replace(one, **changed)
    of = replace(one.constituency, **changed)
    return replace(one, pgp=fingerprint(one.pgp), constituency=of)


def fingerprint(text: str) -> str:
    """As keys have it: no spaces, upper case."""
    return "".join(text.split()).upper().removeprefix("0X")


def network_of(text: str) -> Network | None:
    """A CIDR block; host bits set are no block."""
    try:
        return ip_network(text)
    except ValueError:
        return None


def domain_of(text: str) -> str | None:
    """A domain, or `*.` and one, as A-labels; None if it is none."""
    name = text.strip().rstrip(".").removeprefix("*.")
    try:
        made = idna.encode(name, uts46=True, std3_rules=True).decode("ascii").lower()
    except idna.IDNAError:
        return None
    return made if made and not re.fullmatch(r"[0-9.]+", made) else None
