"""`sightline watch`: what is raised, live."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from aiokafka.errors import KafkaConnectionError, KafkaError

from pipeline.alert import Alert
from pipeline.campaign import campaign as campaigns
from pipeline.campaign.campaign import Campaign
from pipeline.lane import crossing
from pipeline.share.filter import Condition, Fault, chosen
from pipeline.share.subject import of_alert, of_campaign
from pipeline.shell.observe import decode_alert
from pipeline.shell.past import Past, instead
from pipeline.shell.printable import plain_json, printable
from pipeline.shell.settings import FailedError, Settings, WrongUseError, load
from pipeline.shell.since import since_ms
from pipeline.shell.watch.follow import Follower, Heard
from pipeline.shell.watch.view import Screen

MOST_RULES: Final = 200_000
"""Alerts of which is remembered what rule raised them: campaigns name their alerts only."""


def watch(
    where: Annotated[
        str, typer.Option("--where", help="What to show: severity >= high and country = CZ.")
    ] = "",
    country: Annotated[list[str] | None, typer.Option(help="Seen in this country.")] = None,
    min_severity: Annotated[
        str, typer.Option("--min-severity", help="low, medium, high, critical.")
    ] = "",
    kind: Annotated[
        list[str] | None, typer.Option("--type", help="Of this indicator type.")
    ] = None,
    rule: Annotated[list[str] | None, typer.Option(help="Of this rule: its id or title.")] = None,
    since: Annotated[
        str, typer.Option(help="Begin earlier: 2h (ago), or a time (UTC). By default now.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")] = None,
) -> None:
    """Show alerts and campaigns as they are told; Ctrl-C ends it."""
    wanted = chosen(
        where,
        countries=country or (),
        min_severity=min_severity,
        types=kind or (),
        rules=rule or (),
    )
    if isinstance(wanted, Fault):
        raise WrongUseError(f"--where: {wanted}")
    settings = load(config)
    watching = Watch(settings, wanted, asks_rules=bool(rule) or "rule" in where)
    begin = since_ms(since) if since else None
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says is said below
    try:
        asyncio.run(watching.pipe(begin) if as_json else watching.screen(begin))
    except BrokenPipeError:
        # Whoever read it has seen enough, which is how a pipe ends: no failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except KafkaConnectionError:
        raise instead(settings) from None
    except KafkaError as error:
        raise FailedError(f"topics at {settings.broker}: {error!r}") from None


class Watch:
    """What is wanted of all that is told."""

    def __init__(self, settings: Settings, wanted: Condition, *, asks_rules: bool) -> None:
        self._settings = settings
        self._exercise = settings.exercise
        self._wanted = wanted
        self._asks_rules = asks_rules
        self._alerts, self._campaigns = settings.topic("alerts"), settings.topic("campaigns")
        self._rules: OrderedDict[str, tuple[str, str]] = OrderedDict()

    async def screen(self, begin: int | None) -> None:
        """To a terminal, or as lines of text."""
        with Screen(exercise=self._settings.exercise) as screen:
            follower = await self._follower(begin)
            async for some in follower.follow():
                for one in some:
                    if not isinstance(one, Heard):
                        screen.say(f"-- {one.text}", "reverse")
                    elif (told := self._told(one)) is None:
                        continue
                    elif not self._wants(told):
                        screen.passed()
                    elif isinstance(told, Alert):
                        screen.alert(told)
                    else:
                        screen.campaign(told)
                screen.state(follower.pace)
                screen.flush()

    async def pipe(self, begin: int | None) -> None:
        """As lines of JSON; what is to be said of the reading goes to stderr."""
        follower = await self._follower(begin)
        async for some in follower.follow():
            for one in some:
                if not isinstance(one, Heard):
                    print(printable(f"sightline: {one.text}"), file=sys.stderr, flush=True)
                elif (told := self._told(one)) is not None and self._wants(told):
                    sys.stdout.write(plain_json(one.value.replace(b"\n", b" ")) + "\n")
            sys.stdout.flush()

    async def _follower(self, begin: int | None) -> Follower:
        if self._asks_rules:
            past = Past(self._settings, most=MOST_RULES)
            async for record in past.records([self._alerts]):
                if record.value is not None:
                    self._told(Heard(self._alerts, record.value))
        return Follower(self._settings, [self._alerts, self._campaigns], begin)

    def _told(self, heard: Heard) -> Alert | Campaign | None:
        """What a record is; None if no worker of ours wrote it, or it is of another lane."""
        try:
            if heard.topic == self._campaigns:
                campaign = campaigns.decode(heard.value)
                return None if crossing(campaign.exercise, self._exercise) else campaign
            alert = decode_alert(heard.value)
            if crossing(alert.unmapped.exercise, self._exercise):
                return None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        finding = alert.finding_info
        self._rules[finding.uid] = (finding.analytic.uid, finding.analytic.name)
        while len(self._rules) > MOST_RULES:
            self._rules.popitem(last=False)
        return alert

    def _wants(self, told: Alert | Campaign) -> bool:
        if isinstance(told, Alert):
            return self._wanted.holds(of_alert(told))
        names = {name for one in told.alerts for name in self._rules.get(one, ())}
        return self._wanted.holds(of_campaign(told, names))
