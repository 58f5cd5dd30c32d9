"""`sightline label`: what an analyst found, for the campaign stage and for the audit."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer
from confluent_kafka import Producer

from pipeline.alert import Alert
from pipeline.campaign import label as labels
from pipeline.campaign.campaign import Campaign
from pipeline.campaign.label import Label, Verdict
from pipeline.shell import observe
from pipeline.shell.labelling import label_for
from pipeline.shell.past import read
from pipeline.shell.printable import printable
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import FailedError, Settings, WrongUseError, load

_WITHIN_S = 15.0


def label(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Of an alert or a campaign.")],
    verdict: Annotated[Verdict, typer.Argument(help="What it was found to be.")],
    by: Annotated[str, typer.Option(help="Who says so; by default who is logged in.")] = "",
    basis: Annotated[str, typer.Option(help="On what ground.")] = "",
    confidence: Annotated[int, typer.Option(min=0, max=100, help="How sure, in percent.")] = 90,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """Say what an alert or a campaign was: it silences, and counts for those who had seen it."""
    settings = load(config)
    found = read(settings, _find(settings, identity))
    if found is None:
        raise WrongUseError(f"there is no alert and no campaign {printable(identity)!r}")
    made = label_for(found, verdict, by or getpass.getuser(), basis, confidence)
    _send(settings, made)
    print(printable(f"{made.about} {made.id}: {made.verdict}, says {made.by}"))


async def _find(settings: Settings, identity: str) -> Alert | Campaign | None:
    """The newest revision."""
    found: Alert | Campaign | None = None
    for campaign in await observe.campaigns(settings):
        if campaign.id == identity:
            found = campaign
    if found is None:
        for alert in await observe.alerts(settings):
            if alert.finding_info.uid == identity:
                found = alert
    return found


def _send(settings: Settings, made: Label) -> None:
    failed: list[str] = []
    producer = Producer(for_librdkafka(settings) | {"acks": "all"})
    producer.produce(
        settings.topic("labels"),
        labels.encode(made),
        labels.key(made).encode(),
        on_delivery=lambda error, _: failed.append(error.str()) if error is not None else None,
    )
    left = producer.flush(_WITHIN_S)
    if failed or left:
        why = failed[0] if failed else f"not delivered within {_WITHIN_S:.0f} s"
        raise FailedError(f"{settings.topic('labels')}: {why}")
