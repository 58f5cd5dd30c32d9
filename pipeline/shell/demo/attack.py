"""The demo's first part: an attack in native logs, from its first alert to its fourth country."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from time import monotonic
from typing import Any

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign
from pipeline.shell.demo.cast import Cast, Log
from pipeline.shell.demo.heard import Heard
from pipeline.shell.demo.house import House
from pipeline.shell.demo.lines import alert_lines, campaign_lines
from pipeline.shell.demo.screen import Screen
from pipeline.shell.demo.shipping import ship
from pipeline.shell.printable import cut
from pipeline.shell.settings import FailedError

READ_S = 4.0  # to read what a step has shown
WITHIN_S = 120.0
_QUIET_S = 2.0  # in which nothing new is told of a campaign: a look has been taken at it all
_SHOWN = 76  # columns of what a file says
_WHO = "the demonstration"


class Attack:
    """One telling of it. `wrong` is what was not as it should be."""

    def __init__(self, cast: Cast, house: House, screen: Screen, heard: Heard) -> None:
        self.wrong: list[str] = []
        self._cast = cast
        self._house = house
        self._screen = screen
        self._heard = heard

    def tell(self) -> Campaign:
        """Its steps; the campaign as it was before the fourth country."""
        self._native_logs()
        self._first_alert()
        one = self._campaign()
        self._fourth_country(one)
        self._benign_scanner()
        return one

    def _native_logs(self) -> None:
        cast, screen = self._cast, self._screen
        where = cast.countries(cast.first)
        screen.step(
            f"Native logs of {len(where)} countries flow in: {', '.join(where)}",
            "Each organisation sends what its sensor writes, to a topic that only it may write to.",
        )
        for native in cast.first:
            self._ship(native)
        screen.rest(READ_S)

    def _ship(self, native: Log) -> None:
        cast, screen = self._cast, self._screen
        with native.path.open(encoding="utf-8") as lines:
            line = next(lines)
        screen.say(f"{cast.party(native).country}: {cast.name(native)}", style="bold")
        screen.show(cut(line.rstrip(), _SHOWN), style="dim")
        screen.show(
            f"$ sightline ship --format {native.format} --sensor {native.sensor} {native.path.name}"
        )
        shipped = ship(self._house, native, cast.out)
        screen.show(shipped.said)
        for one in shipped.rejected:
            screen.say(f"  line {one.line} was rejected: {one.reason}", style="bold")
            screen.tell(
                f"{one.detail}. The line is counted, and named in {native.sensor}.rejects.jsonl "
                "with its reason; all others went on."
            )

    def _first_alert(self) -> None:
        cast, screen = self._cast, self._screen
        began, countries = monotonic(), set(cast.countries(cast.first))
        new = self._until(
            lambda: any(set(one.unmapped.countries) >= countries for one in self._heard.revisions),
            "the first alert",
        )
        waited = monotonic() - began
        first = next(
            one for one in self._heard.revisions if set(one.unmapped.countries) >= countries
        )
        screen.step(f"The first alert, {waited:.1f} s after the last of these logs was sent")
        screen.show(*alert_lines(first))
        screen.show(self._page("alerts", first.finding_info.uid), style="dim")
        others = {one.finding_info.uid for one in new} - {first.finding_info.uid}
        if others:
            screen.tell(f"{len(others)} more came with it.")
        screen.rest(READ_S)

    def _campaign(self) -> Campaign:
        screen, first = self._screen, self._cast.countries(self._cast.first)
        screen.step(
            "One campaign, not many alerts",
            "What comes in the same events, and keeps to each other's company more than chance "
            "allows, is one campaign: one row on the page.",
        )
        found = self._settled(lambda one: set(one.countries) >= set(first), "a campaign was told")
        one = max(found, key=lambda one: len(one.indicators))
        screen.show(*campaign_lines(one), self._page("campaigns", one.id))
        screen.rest(READ_S)
        return one

    def _fourth_country(self, before: Campaign) -> None:
        cast, screen = self._cast, self._screen
        country = cast.party(cast.later).country
        screen.step(f"One country more: {country}")
        self._ship(cast.later)
        began = monotonic()
        self._until(
            lambda: country in self._heard.campaigns[before.id].countries,
            f"the campaign reached {country}",
        )
        waited = monotonic() - began
        self._settled(lambda one: country in one.countries, f"a campaign reached {country}")
        now = self._heard.campaigns[before.id]
        screen.show(
            f"before  {before.id}  {' '.join(before.countries)}",
            f"now     {now.id}  {' '.join(now.countries)}",
        )
        rows = self._ask(f"api/campaigns?country={country}&q={now.id}")["total"]
        screen.tell(
            f"{waited:.1f} s after that log was sent the campaign has {len(now.countries)} "
            f"countries, under the same id: {rows} row on the page."
        )
        if rows != 1 or now not in self._heard.standing():
            self.wrong.append(f"the page has {rows} rows of the campaign {now.id}")
        screen.rest(READ_S)

    def _benign_scanner(self) -> None:
        screen = self._screen
        listed = [one for one in self._heard.newest.values() if one.unmapped.known_benign]
        if not listed:
            raise FailedError("no alert was told of the scanner")
        alert = listed[0]
        name = alert.finding_info.uid
        screen.step(
            "A scanner that says who it is",
            "It was seen in as many countries as an attack. It is on public lists of scanners: so "
            "its alert is informational, and says why. An analyst labels it.",
        )
        screen.show(*alert_lines(alert), *(f"  on: {one}" for one in alert.unmapped.known_benign))
        screen.show(f"$ sightline label {name} benign --by '{_WHO}'")
        basis = f"on {alert.unmapped.known_benign[0]}"
        with self._house.command(
            "label", name, "benign", "--by", _WHO, "--basis", basis
        ) as labelling:
            status, said = labelling.wait(WITHIN_S), labelling.tail().strip()
        if status:
            raise FailedError(f"label: {said}")
        screen.show(said)
        self._until(
            lambda: bool(self._ask(f"api/alerts/{name}")["labels"]), "the page has the label"
        )
        by = self._ask(f"api/alerts/{name}")["labels"][0]["by"]
        screen.tell(f"The page shows it: benign, says {by}.")
        screen.rest(READ_S)

    def _settled(self, wanted: Callable[[Campaign], bool], what: str) -> list[Campaign]:
        """The campaigns that are wanted, when all that was sent has led to them."""
        for _ in self._heard.caught_up(WITHIN_S):
            pass
        before: list[Campaign] = []
        self._until(lambda: any(map(wanted, self._heard.standing())), what)
        while (found := list(filter(wanted, self._heard.standing()))) != before:
            before, quiet = found, monotonic() + _QUIET_S
            while monotonic() < quiet:
                self._heard.read(0.1)
        return found

    def _until(self, done: Callable[[], bool], what: str) -> list[Alert]:
        return list(self._heard.until(done, what, WITHIN_S))

    def _page(self, kind: str, name: str) -> str:
        return f"{self._house.page}#/{kind}/{name}"

    def _ask(self, path: str) -> Any:
        """What the page's own API says."""
        with urllib.request.urlopen(f"{self._house.page}{path}", timeout=10) as answer:  # noqa: S310
            return json.load(answer)
