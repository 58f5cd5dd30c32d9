"""The demo's steps, one after another. Every number that is shown was measured or counted."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import UNSET

from pipeline.alert import Alert
from pipeline.campaign import campaign as campaigns
from pipeline.campaign.campaign import Campaign
from pipeline.registry import Party
from pipeline.shell.app import SESSION_TIMEOUT_S
from pipeline.shell.demo import truth as truths
from pipeline.shell.demo.attack import READ_S, WITHIN_S, Attack
from pipeline.shell.demo.cast import OUT, Cast, cast
from pipeline.shell.demo.heard import Heard
from pipeline.shell.demo.house import House, Stop
from pipeline.shell.demo.lines import HEADER, alerts_lines
from pipeline.shell.demo.replay import Replay
from pipeline.shell.demo.screen import Screen
from pipeline.shell.processes import Child
from pipeline.shell.settings import FailedError

START = datetime(2013, 4, 1, tzinfo=UTC)
END = datetime(2013, 4, 22, tzinfo=UTC)
SECONDS = 45.0  # that the replay takes, if the workers keep up


def run(
    start: datetime = START,
    end: datetime = END,
    seconds: float = SECONDS,
    out: Path = OUT,
    *,
    keep: bool = False,
) -> int:
    """The demo; 0 if all was read and the workers told what the offline run tells. `keep`: the
    page stays until somebody ends it.
    """
    screen = Screen()
    with Stop() as stop:
        try:
            taking_part = cast(start, end, out)
            with House(taking_part.settings, stop) as house:
                return Story(taking_part, house, screen).tell(seconds, keep=keep)
        except (KeyboardInterrupt, Exception):
            if not stop.number:
                raise
            # What a signal interrupts, and children that it reached before us, look like failures.
            screen.say("Stopped before the end; nothing is left running.")
            return 128 + stop.number


class Story:
    """One telling. `wrong` is what was not as it should be."""

    def __init__(self, cast: Cast, house: House, screen: Screen) -> None:
        self.wrong: list[str] = []
        self._cast = cast
        self._house = house
        self._screen = screen
        self._heard: Heard
        self._worker: Child

    def tell(self, seconds: float, *, keep: bool) -> int:
        """All the steps; the exit status."""
        self._introduce()
        self._start()
        try:
            attack = Attack(self._cast, self._house, self._screen, self._heard)
            one = attack.tell()
            self.wrong += attack.wrong
            self._replay_and_kill(seconds)
            self._truth()
            self._export(one)
            self._end(keep=keep)
        finally:
            self._heard.close()
        return int(bool(self.wrong))

    def _introduce(self) -> None:
        cast, screen = self._cast, self._screen
        last = cast.end - timedelta(milliseconds=1)
        hosts = {row.host for row in cast.rows}
        screen.say("Sightline: the same thing, seen in several countries, told once.", style="bold")
        screen.tell(
            "This is a demonstration. Its first part is made up: logs of organisations that do "
            "not exist, in the formats of real sensors. Its second part is real: "
            f"{len(cast.rows):,} events of {cast.start:%Y-%m-%d} to {last:%Y-%m-%d} from "
            f"{len(hosts)} honeypots (Marx, Data-Driven Security Contributors, CC BY-SA 4.0). "
            "Where a network is registered: statistics of the Number Resource Organization, "
            "CC BY 4.0. Everything runs on this machine, through real workers."
        )

    def _start(self) -> None:
        house, screen = self._house, self._screen
        screen.step(
            "A broker, workers and a page",
            "The broker is the embedded one: it is for trying out, and forgets all at the end.",
        )
        broker = house.broker()
        screen.show(f"broker   on {broker.ready} (process {broker.pid})")
        port = house.settings.metrics_port
        self._worker = house.worker("worker")
        screen.show(
            f"worker   {self._worker.ready.replace(' ', ', ')} (process {self._worker.pid})",
            f"         counts on http://{house.settings.metrics_host}:{port}/metrics",
        )
        house.serve()
        screen.show(f"page     {house.page}")
        screen.tell("Open the page to watch it there, too; nothing here needs it.")
        self._heard = Heard(house.settings, self._cast.registry, house.check)
        screen.rest(READ_S)

    def _replay_and_kill(self, seconds: float) -> None:
        cast, house, screen, heard = self._cast, self._house, self._screen, self._heard
        hosts = {row.host for row in cast.rows}
        countries = {cast.registry.sensors[host].country for host in hosts}
        screen.step(
            f"{len(cast.rows):,} real events, and a worker that is killed",
            f"{len(hosts)} honeypots in {len(countries)} countries recorded them. Half way the "
            "worker is ended with SIGKILL, and another is started, as a supervisor would.",
        )
        replay = Replay(cast, heard, screen, house.settings.broker)

        def kill() -> None:
            house.kill(self._worker)
            another = house.worker("second worker", await_ready=False)
            screen.say(
                f"kill -9 {self._worker.pid}: the worker is gone, {replay.sent:,} of "
                f"{len(cast.rows):,} events sent; {another.pid} starts",
                style="bold red",
            )

        screen.say(HEADER, style="bold")
        with screen:
            replay.run(seconds, kill)
        screen.tell(
            f"{replay.taken_over_s:.1f} s after the kill the second worker had read all that was "
            f"sent before it: the broker gives up a silent one after {SESSION_TIMEOUT_S:.0f} s, "
            "and the other takes up what it had written down. Now the committed offsets stand at "
            f"the end of all {heard.partitions()} partitions of events."
        )
        if left := heard.behind():
            self.wrong.append(f"{left} records were not read")
        screen.rest(READ_S)

    def _truth(self) -> None:
        cast, screen, heard = self._cast, self._screen, self._heard
        screen.step(
            "Nothing lost, nothing doubled?",
            "The same core, offline, in one process that nobody killed, over the same events:",
        )
        expected = truths.truth(cast)
        tally = expected.tally
        screen.show(
            f"{tally.received:,} events = {tally.correlated:,} correlated + "
            f"{tally.without_indicators:,} without",
            f"indicators + {tally.rejected.total():,} rejected + {tally.late:,} late",
        )
        told = [one for one in heard.newest.values() if one.unmapped.merged_into is UNSET]
        mine = {one.finding_info.uid for one in told if self._is_replayed(one)}
        screen.say("")
        screen.say(
            *alerts_lines(
                [heard.newest[name] for name in mine],
                {rule.id: rule for rule in cast.rules},
                self._hits(),
            )
        )
        screen.say("")
        if not tally.adds_up:
            self.wrong.append("the offline run's counts do not add up")
        differing = truths.differences(heard.revisions, expected.alerts)
        self.wrong += differing
        if not differing:
            screen.say(
                f"equal: {len(mine):,} alerts of the replay and {len(told) - len(mine)} of the "
                "logs, the same from the",
                "workers and offline, each told under one id",
                style="bold green",
            )
        screen.rest(READ_S)

    def _is_replayed(self, alert: Alert) -> bool:
        return alert.finding_info.first_seen_time >= self._cast.start.timestamp() * 1000

    def _hits(self) -> dict[str, list[tuple[int, Party]]]:
        hits: dict[str, list[tuple[int, Party]]] = {}
        for row in sorted(self._cast.rows, key=lambda row: row.time_ms):
            party = self._cast.registry.sensors[row.host]
            hits.setdefault(row.src, []).append((row.time_ms, party))
        return hits

    def _export(self, one: Campaign) -> None:
        screen, out = self._screen, self._cast.out
        told, bundle = out / "campaigns.jsonl", out / "campaign.stix.json"
        told.write_bytes(campaigns.encode(self._heard.campaigns[one.id]) + b"\n")
        screen.step("The campaign in STIX 2.1, for whoever else must know")
        screen.show(f"$ sightline export --format stix --campaigns {told} --to '*' --out {bundle}")
        with self._house.command(
            *("export", "--format", "stix", "--campaigns", str(told)),
            *("--to", "*", "--out", str(bundle)),
        ) as exporting:
            status, said = exporting.wait(WITHIN_S), exporting.tail().strip()
        if status:
            raise FailedError(f"export: {said}")
        kinds = Counter(of["type"] for of in json.loads(bundle.read_bytes())["objects"])
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        screen.tell(f"{kinds.total()} objects: {counted}.")
        screen.rest(READ_S)

    def _end(self, *, keep: bool) -> None:
        screen = self._screen
        screen.say("")
        for line in self.wrong:
            screen.say(line, style="bold red")
        if self.wrong:
            screen.say("DIFFERENT: this demonstration did not show what it should.")
        else:
            screen.say("All of it was as it should be.", style="bold green")
        screen.tell(
            "Next: README.md has the way from your own log file to an alert. "
            f"What was written is in {self._cast.out}."
        )
        if keep:
            screen.tell(f"The page stays on {self._house.page} until you press Ctrl-C.")
            try:
                while True:
                    self._house.check()
                    self._heard.read(1.0)
            except KeyboardInterrupt:
                return
