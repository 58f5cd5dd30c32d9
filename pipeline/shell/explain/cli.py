"""`sightline explain`: why an alert or a campaign is there, or why none is."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline.explain import absence, found, grouped, watched, words
from pipeline.explain.named import named
from pipeline.indicator import Indicator
from pipeline.shell import files
from pipeline.shell.explain.sources import Known, Reading, Recorded, Topics
from pipeline.shell.past import Past, read
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.settings import FailedError, WrongUseError, load
from pipeline.shell.since import since_ms


def explain(
    identity: Annotated[str, typer.Argument(metavar="[ALERT|CAMPAIGN]", help="Its id.")] = "",
    why_not: Annotated[
        str, typer.Option("--why-not", help="Why there is no alert on this INDICATOR.")
    ] = "",
    events: Annotated[
        Path | None, typer.Option(help="Recorded events, one a line; else the topics are read.")
    ] = None,
    sensors: Annotated[Path | None, typer.Option(help="The sensor registry.")] = None,
    rules: Annotated[Path | None, typer.Option(help="A rule file, or a folder of them.")] = None,
    lateness: Annotated[
        str | None, typer.Option(help="With --events: how late an event may come.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="How far back topics are read: 24h, or a time (UTC); 0s for all.")
    ] = "24h",
    most: Annotated[
        int, typer.Option(min=1, help="Records of a topic that are read at most.")
    ] = 1_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """Say why an alert or a campaign is there, or with --why-not, why there is none."""
    if bool(identity) == bool(why_not):
        raise WrongUseError("what is to be explained? An id, or --why-not INDICATOR")
    settings = load(
        config,
        sensors=None if sensors is None else str(sensors),
        rules=None if rules is None else str(rules),
        lateness=lateness,
    )
    known = Known(
        settings,
        files.registry_of(Path(settings.sensors), settings.topic_prefix),
        files.rules_of(Path(settings.rules) if settings.rules else None, settings),
        files.benign_of(settings),
        files.geo_of(settings),
    )
    reading: Reading
    if events is None:
        reading = Topics(known, Past(settings, since_ms(since), most))
    elif events.is_file():
        reading = Recorded(known, events)
    else:
        raise WrongUseError(f"{events}: no such file")
    if why_not:
        answers = read(settings, _why_not(why_not, reading, known))
    else:
        answers = read(settings, _why(identity, reading, known))
    for encoded, lines in answers:
        if as_json:
            print(plain_json(encoded))
        else:
            for line in lines:
                print(printable(line))
    for line in reading.shortcomings():
        print(printable(line), file=sys.stderr)


Answer = tuple[bytes, Iterable[str]]
"""As JSON, and in words."""


async def _why(identity: str, reading: Reading, known: Known) -> list[Answer]:
    alerts = await reading.alerts()
    alert = alerts.get(identity)
    if alert is not None and (shared := alert.unmapped.watch) is not msgspec.UNSET:
        of_it = alert.observables[0]
        seen = watched.explained(alert, shared, await reading.inquire({(of_it.name, of_it.value)}))
        return [(watched.encode(seen), words.of_watch(seen))]
    if alert is not None:
        rule = next((of for of in known.rules if of.id == alert.finding_info.analytic.uid), None)
        if rule is None:
            raise FailedError(
                f"alert {identity} is of rule {alert.finding_info.analytic.uid}, which is not "
                "among the rules: --rules"
            )
        one = alert.observables[0]
        inquiry = await reading.inquire({(one.name, one.value)})
        answer = found.explained(alert, rule, inquiry, lowers=known.benign.lowers)
        return [(found.encode(answer), words.of_alert(answer))]
    campaign = (await reading.campaigns()).get(identity)
    if campaign is None:
        raise WrongUseError(f"there is no alert and no campaign {printable(identity)!r}")
    members = {(one.type, one.value) for one in campaign.indicators}
    of = grouped.explained(
        campaign,
        await reading.alerts(),
        await reading.groups(),
        await reading.inquire(members),
    )
    return [(grouped.encode(of), words.of_campaign(of))]


async def _why_not(text: str, reading: Reading, known: Known) -> list[Answer]:
    asked = named(text)
    if not asked:
        raise WrongUseError(
            f"{printable(text)!r} has no canonical form: it is no indicator (an address must be "
            "public; write type:value to say what it is)"
        )
    alerts = await reading.alerts()
    inquiry = await reading.inquire(asked)

    def answer(one: Indicator) -> absence.WhyNot:
        listed = known.benign.lists(*one)
        return absence.why_not(one, inquiry, alerts.values(), listed, lowers=known.benign.lowers)

    answers = [answer(one) for one in asked]
    # A value may be of several types: those it was seen as, or else the likeliest.
    told = [one for one in answers if one.countries or one.refusals or one.alerts] or answers[:1]
    return [(found.encode(one), words.of_absence(one)) for one in told]
