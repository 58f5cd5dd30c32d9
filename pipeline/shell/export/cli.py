"""`sightline export` and `sightline push`: campaigns in the formats of others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.campaign.campaign import Campaign
from pipeline.lane import Act, crossing, withheld
from pipeline.share import misp, ocsf, stix
from pipeline.share.outward import Producer, named
from pipeline.share.stix import Profile
from pipeline.share.tlp import Pap
from pipeline.shell.export.following import Told, follow, until_stopped
from pipeline.shell.export.misp_feed import Feed, shareable
from pipeline.shell.export.reading import read_campaigns
from pipeline.shell.export.writing import folder, write
from pipeline.shell.security import secret
from pipeline.shell.settings import WrongUseError, load

Campaigns = Annotated[
    Path | None, typer.Option(help="Campaigns, one JSON object a line; the last of an id stands.")
]
Follow = Annotated[
    bool, typer.Option("--follow", help="Those of the topic campaigns, as they are told.")
]
Named = Annotated[str, typer.Option("--producer", help="Who says it: the name recipients see.")]
Permitted = Annotated[Pap, typer.Option(help="What may be done with it, a tag of MISP events.")]
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
    follow_: Follow = False,
    profile: Annotated[
        Profile, typer.Option(help="stix: all of it, or what misp-stix imports well.")
    ] = Profile.FULL,
    producer: Named = "Sightline",
    pap: Permitted = Pap.AMBER,
    config: Config = None,
) -> None:
    """Write campaigns as STIX 2.1, as a MISP feed, or as OCSF findings."""
    by = Producer(producer)
    if format_ is Format.MISP:
        with Feed(out, by, pap) as feed:
            for told in _told(campaigns, follow_, config):
                changed = feed.update(told.campaigns.values(), told.gone)
                _say_left_out(told.campaigns.values())
                if follow_:
                    print(f"{changed} events written", flush=True)
        return
    if follow_:
        raise WrongUseError("--follow is for --format misp: a feed can be kept up to date")
    found = [one for told in _told(campaigns, False, config) for one in told.campaigns.values()]

    def encoded(some: Iterable[Campaign]) -> bytes:
        if format_ is Format.STIX:
            return stix.bundle(some, by, profile)
        return b"".join(ocsf.encode(ocsf.finding(one, by)) + b"\n" for one in some)

    _write(out, found, encoded)


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
    follow_: Follow = False,
    authorities: Annotated[
        Path | None, typer.Option("--ca", help="PEM of who may vouch for the server.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish it there; else a person does.")
    ] = False,
    producer: Named = "Sightline",
    pap: Permitted = Pap.AMBER,
    config: Config = None,
) -> None:
    """Push campaigns to a MISP server, with who saw what."""
    from pipeline.shell.export.misp_server import MispServer, Outcome

    if why := withheld(Act.PUSH, load(config).exercise):
        raise WrongUseError(why)
    by = Producer(producer)
    with MispServer(server, secret(key_file, "--key-file"), authorities) as to:
        for told in _told(campaigns, follow_, config):
            counts = dict.fromkeys(Outcome, 0)
            for one in filter(shareable, told.campaigns.values()):
                event = misp.pushed(one, by, pap)
                counts[to.push(event, publish=publish)] += 1
            for identity in sorted(told.gone):
                to.remove(named("event", identity))
            _say_left_out(told.campaigns.values())
            print(", ".join(f"{n} {outcome}" for outcome, n in counts.items()), flush=True)


def _told(path: Path | None, following: bool, config: Path | None) -> Iterator[Told]:
    if following == (path is not None):
        raise WrongUseError("name either a file, --campaigns FILE, or --follow")
    if path is None:
        print("ready", flush=True)
        yield from follow(load(config), until_stopped())
    else:
        exercise = load(config).exercise
        found = read_campaigns(path)
        for one in found:
            if why := crossing(one.exercise, exercise):
                raise WrongUseError(f"{path}: campaign {one.id}: {why}")
        yield Told({one.id: one for one in found})


def _say_left_out(campaigns: Iterable[Campaign]) -> None:
    if left := sum(not shareable(one) for one in campaigns):
        print(f"sightline: {left} left out: TLP:RED is for named people", file=sys.stderr)
