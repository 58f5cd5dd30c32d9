"""`sightline intel`: indicators of partners, and what becomes of them when they are seen."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline import watch
from pipeline.canonical import CANONICAL
from pipeline.indicator_type import INDICATOR_TYPES
from pipeline.intel.reading import NotRead, Reading, Terms
from pipeline.share.tlp import UNLABELLED_PAP, UNLABELLED_TLP, Pap, Tlp, pap_of, tlp_of
from pipeline.shell.intel.topic import difference, send, standing
from pipeline.shell.intel.watch_file import write_watches
from pipeline.shell.past import read
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.security import secret
from pipeline.shell.settings import WrongUseError, load, milliseconds
from pipeline.watch import Watch

intel = typer.Typer(
    no_args_is_help=True, help="Indicators that partners shared: who sees one raises an alert."
)
_SHOWN = 10

Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
Source = Annotated[str, typer.Option(help="Who shared it: the alert names them.")]
TlpOption = Annotated[str, typer.Option(help="TLP of what says none.")]
PapOption = Annotated[str, typer.Option(help="PAP of what says none.")]
ValidFor = Annotated[
    str, typer.Option(help="How long what says no end is valid, as in 90d; else for ever.")
]


@intel.command()
def add(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="Of the indicator, such as ip.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The indicator.")],
    source: Source,
    reference: Annotated[str, typer.Option(help="Its id over there.")] = "",
    tlp: TlpOption = UNLABELLED_TLP.value,
    pap: PapOption = UNLABELLED_PAP.value,
    valid_for: ValidFor = "",
    confidence: Annotated[int | None, typer.Option(min=0, max=100, help="In percent.")] = None,
    config: Config = None,
) -> None:
    """Watch for one indicator."""
    settings, terms = load(config), _terms(source, tlp, pap, valid_for)
    if kind not in CANONICAL:
        raise WrongUseError(f"{printable(kind)!r}: a type is one of {', '.join(INDICATOR_TYPES)}")
    canonical = CANONICAL[kind](value)
    if canonical is None:
        raise WrongUseError(f"{printable(value)!r} is no {kind} that a sensor could see")
    reading = Reading(terms)
    now = time.time_ns() // 1_000_000
    reading.add(reference, [(kind, canonical)], confidence=confidence, valid_from=now)
    if reading.not_read:
        raise WrongUseError(f"this is not watched for: {reading.not_read[0].why}")
    made = _checked(reading.watches.values())
    send(settings, made, ())
    print(printable(f"watching for {kind} {canonical}, shared by {source}: {made[0].id}"))


@intel.command("import")
def import_(
    source: Source,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE|FOLDER...", help="STIX bundles, MISP events, MISP feeds."),
    ] = None,
    taxii: Annotated[str, typer.Option(help="The URL of a TAXII 2.1 collection.")] = "",
    user: Annotated[str, typer.Option(help="There.")] = "",
    password_file: Annotated[Path | None, typer.Option(help="Holds the user's password.")] = None,
    tlp: TlpOption = UNLABELLED_TLP.value,
    pap: PapOption = UNLABELLED_PAP.value,
    valid_for: ValidFor = "",
    out: Annotated[
        Path | None, typer.Option(help="Write the watches there, one a line, and send nothing.")
    ] = None,
    config: Config = None,
) -> None:
    """Watch for what a partner sent; once more, and it is as the partner has it now."""
    from pipeline.shell.intel.sources import from_files, from_taxii

    settings = load(config)
    terms = msgspec.structs.replace(
        _terms(source, tlp, pap, valid_for), now=time.time_ns() // 1_000_000
    )
    if bool(paths) == bool(taxii) or bool(user) != bool(password_file):
        raise WrongUseError("give files, or --taxii; with --user also --password-file")
    if taxii:
        password = secret(password_file, "--password-file") if password_file else ""
        readings = [from_taxii(taxii, user, password, terms)]
    else:
        readings = from_files(paths or (), terms)
    watches = _checked([one for reading in readings for one in reading.watches.values()])
    _tell_not_read(
        [one for reading in readings for one in reading.not_read],
        sum(reading.uncounted for reading in readings),
    )
    if out is not None:
        write_watches(out, watches)
        print(f"{len(watches)} watches")
        return
    before = read(settings, standing(settings))
    references = {one for reading in readings for one in reading.references}
    what = difference(before, watches, source, references)
    send(settings, [*what.new, *what.changed], what.withdrawn)
    print(
        f"{len(what.new)} new, {len(what.changed)} changed, {len(what.withdrawn)} withdrawn, "
        f"{what.unchanged} as before"
    )


@intel.command("list")
def list_(
    source: Annotated[str, typer.Option(help="Only what these shared.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Config = None,
) -> None:
    """What is watched for."""
    settings = load(config)
    found = read(settings, standing(settings)).values()
    for one in sorted(found, key=lambda each: (each.source, each.type, each.value, each.id)):
        if source and one.source != source:
            continue
        if as_json:
            print(plain_json(watch.encode(one)))
        else:
            until = "" if one.valid_until is None else f" until {_day(one.valid_until)}"
            labels = f"TLP:{one.tlp} PAP:{one.pap}"
            print(printable(f"{one.id}  {one.type} {one.value}  {one.source}  {labels}{until}"))


@intel.command()
def remove(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Of watches.")] = None,
    source: Annotated[str, typer.Option(help="All that these shared.")] = "",
    ended: Annotated[bool, typer.Option("--ended", help="All that have ended.")] = False,
    config: Config = None,
) -> None:
    """Watch for it no longer: an alert on it is closed."""
    settings = load(config)
    if sum(map(bool, (ids, source, ended))) != 1:
        raise WrongUseError("give ids, or --source, or --ended")
    there = read(settings, standing(settings))
    if unknown := [one for one in ids or () if one not in there]:
        raise WrongUseError(f"there is no watch {printable(unknown[0])!r}")
    now = time.time_ns() // 1_000_000
    gone = ids or [
        one.id
        for one in there.values()
        if (source and one.source == source)
        or (ended and one.valid_until is not None and one.valid_until <= now)
    ]
    send(settings, (), gone)
    print(f"{len(gone)} withdrawn")


def _terms(source: str, tlp: str, pap: str, valid_for: str) -> Terms:
    labels: tuple[Tlp | None, Pap | None] = tlp_of(tlp), pap_of(pap)
    if labels[0] is None:
        raise WrongUseError(f"--tlp {printable(tlp)!r}: one of {', '.join(Tlp)}")
    if labels[1] is None:
        raise WrongUseError(f"--pap {printable(pap)!r}: one of {', '.join(Pap)}")
    if not source.strip():
        raise WrongUseError("--source: who shared it")
    valid_for_ms = milliseconds("--valid-for", valid_for) if valid_for else None
    return Terms(source, labels[0], labels[1], valid_for_ms)


def _checked(watches: Iterable[Watch]) -> list[Watch]:
    """As a reader of the topic would take them."""
    try:
        return [watch.decode(watch.encode(one)) for one in watches]
    except msgspec.ValidationError as error:
        raise WrongUseError(f"this cannot be watched for: {error}") from None


def _tell_not_read(what: Sequence[NotRead], more: int) -> None:
    """By reason, with the first of each."""
    reasons = Counter(one.why for one in what)
    for why, count in reasons.most_common():
        first = [one for one in what if one.why is why][:_SHOWN]
        shown = "; ".join(f"{one.reference} {one.detail}".strip() for one in first)
        ellipsis = "; …" if count > len(first) else ""
        print(printable(f"{count} not read, {why}: {shown}{ellipsis}"), file=sys.stderr)
    if more:
        print(f"{more} more not read", file=sys.stderr)


def _day(time_ms: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return str(time_ms)
