"""`sightline export` and `sightline push`: campaigns in the formats of others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from pipeline.campaign.campaign import Campaign
from pipeline.lane import Act, withheld
from pipeline.share import misp, ocsf, stix
from pipeline.share.outward import Producer, named
from pipeline.share.stix import Profile
from pipeline.shell.export.following import until_stopped
from pipeline.shell.export.misp_feed import Feed, shareable
from pipeline.shell.export.receipts import Receipts
from pipeline.shell.export.source import Source, for_whom, source
from pipeline.shell.export.writing import folder, write
from pipeline.shell.security import secret
from pipeline.shell.settings import Settings, WrongUseError, load

Campaigns = Annotated[
    Path | None, typer.Option(help="Campaigns, one JSON object a line; the last of an id stands.")
]
Follow = Annotated[
    bool, typer.Option("--follow", help="Those of the topic campaigns, as they are told.")
]
To = Annotated[
    str | None,
    typer.Option(
        help="For whom: public, community, alliance:ID, an organisation, a CSIRT, a country (CZ), "
        "or * for all."
    ),
]
Named = Annotated[str, typer.Option("--producer", help="Who says it: the name recipients see.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]


class Format(StrEnum):
    """What it is written in."""

    STIX = "stix"
    MISP = "misp"
    OCSF = "ocsf"


def export(
    format_: Annotated[Format, typer.Option("--format", help="What to write.")],
    out: Annotated[
        Path, typer.Option(help="A file, or a folder of one file a campaign; misp: the feed.")
    ],
    campaigns: Campaigns = None,
    follow: Follow = False,
    to: To = None,
    profile: Annotated[
        Profile, typer.Option(help="stix: all of it, or what misp-stix imports well.")
    ] = Profile.FULL,
    producer: Named = "Sightline",
    config: Config = None,
) -> None:
    """Write campaigns as STIX 2.1, as a MISP feed, or as OCSF findings."""
    by, settings = Producer(producer), load(config)
    if follow:
        if format_ is not Format.MISP:
            raise WrongUseError("--follow is for --format misp: a feed can be kept up to date")
        for_whom(to)
    of = source(settings, campaigns, follow, to, until_stopped() if follow else Event())
    if format_ is Format.MISP:
        _feed(settings, of, out, by)
        return
    found = [one for told in of.told() for one in told.campaigns.values()]

    def encoded(some: Iterable[Campaign]) -> bytes:
        if format_ is Format.STIX:
            return stix.bundle(some, by, profile)
        return b"".join(ocsf.encode(ocsf.finding(one, by)) + b"\n" for one in some)

    _write(out, found, encoded)


def _feed(settings: Settings, of: Source, out: Path, by: Producer) -> None:
    live = of.campaigns is None
    receipts = Receipts(settings, of.to) if live else None
    with Feed(out, by) as feed:
        if live:
            print("ready", flush=True)
        for told in of.told():
            changed = feed.update(told.campaigns.values(), told.gone)
            _say_left_out(told.campaigns.values())
            if receipts is not None:
                for identity in changed:
                    receipts.write("published", identity, "misp-feed")
                print(f"{len(changed)} events written", flush=True)


def _write(
    out: Path, found: list[Campaign], encoded: Callable[[Iterable[Campaign]], bytes]
) -> None:
    if str(out) == "-":
        sys.stdout.buffer.write(encoded(found))
    elif out.is_dir():
        for one in found:
            # A campaign's id is a text from outside: no file is named by it.
            write(folder(out) / f"{named('campaign', one.id)}.json", encoded([one]))
    else:
        write(out, encoded(found))


def push(
    server: Annotated[str, typer.Option(help="A MISP server, https://….")],
    key_file: Annotated[Path, typer.Option(help="The file that holds the key of its API.")],
    campaigns: Campaigns = None,
    follow: Follow = False,
    to: To = None,
    authorities: Annotated[
        Path | None, typer.Option("--ca", help="PEM of who may vouch for the server.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish it there; else a person does.")
    ] = False,
    producer: Named = "Sightline",
    config: Config = None,
) -> None:
    """Push campaigns to a MISP server, with who saw what."""
    from pipeline.shell.export.misp_server import MispServer, Outcome

    for_whom(to)
    by, settings, stop = Producer(producer), load(config), until_stopped() if follow else Event()
    if why := withheld(Act.PUSH, settings.exercise):
        raise WrongUseError(why)
    of = source(settings, campaigns, follow, to, stop)
    receipts = Receipts(settings, of.to)
    # Who is told to stop does not wait for another try.
    with MispServer(server, secret(key_file, "--key-file"), authorities, stop.wait) as there:
        host = receipts.host(there.name)
        if follow:
            print("ready", flush=True)
        for told in of.told():
            counts = dict.fromkeys(Outcome, 0)
            for one in filter(shareable, told.campaigns.values()):
                outcome = there.push(misp.pushed(one, by), publish=publish)
                counts[outcome] += 1
                if outcome is not Outcome.UNCHANGED:
                    receipts.write("pushed", one.id, "misp", server=host, outcome=outcome.value)
            for identity in sorted(told.gone):
                if there.remove(named("event", identity)):
                    receipts.write("pushed", identity, "misp", server=host, outcome="deleted")
            _say_left_out(told.campaigns.values())
            print(", ".join(f"{n} {outcome}" for outcome, n in counts.items()), flush=True)


def _say_left_out(campaigns: Iterable[Campaign]) -> None:
    if left := sum(not shareable(one) for one in campaigns):
        print(f"sightline: {left} left out: TLP:RED is for named people", file=sys.stderr)
