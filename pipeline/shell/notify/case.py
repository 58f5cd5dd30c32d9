"""The correspondence of the share stage, and how records are read into it."""

from __future__ import annotations

import msgspec

from pipeline.alert import Alert
from pipeline.campaign import campaign
from pipeline.lane import crossing
from pipeline.share import ledger, reply, suppression
from pipeline.share.correspondence import Correspondence
from pipeline.share.ledger import Entry
from pipeline.share.route import Reason
from pipeline.share.ruling import decode_open, decode_ruling
from pipeline.shell import metrics
from pipeline.shell.notify.records import now_ms
from pipeline.shell.settings import Settings

_decode_alert = msgspec.json.Decoder(Alert).decode


class Taken(msgspec.Struct):
    """What a record is about, what follows at once, and what a recipient said by it."""

    about: list[str] = []
    entries: list[Entry] = []
    said: list[tuple[str, reply.Said, str]] = []


class Case:
    """What the active worker knows."""

    def __init__(self, of: Correspondence, settings: Settings) -> None:
        self.of = of
        self.not_ours = 0
        self.there: set[str] = set()
        """Ids of letters that are on their topics already."""
        self._exercise = settings.exercise
        self._replies = settings.topic("replies.")
        self._campaigns, self._alerts, self._rulings, self._suppressions = (
            settings.topic(name) for name in ("campaigns", "alerts", "rulings", "suppressions")
        )
        self._counted = (0, 0)

    def is_replies(self, topic: str) -> bool:
        return topic.startswith(self._replies)

    def restore(self, name: str, key: bytes, value: bytes | None) -> None:
        """A record of a topic that this stage alone writes."""
        try:
            if name == "questions":
                if value is None:
                    self.of.open.pop(key.decode(), None)
                else:
                    self.of.open[key.decode()] = decode_open(value)
            elif value is None:
                self.of.ledger.remove(key.decode())
            else:
                self.of.ledger.put(ledger.decode(value))
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.not_ours += 1

    def take(
        self, topic: str, key: bytes | None, value: bytes | None, *, again: bool = False
    ) -> Taken:
        """Note one record; `again`: it was taken by a predecessor."""
        taken = Taken()
        try:
            if topic == self._campaigns and value is not None:
                one = campaign.decode(value)
                if crossing(one.exercise, self._exercise) is not None:
                    self.not_ours += 1  # of another lane: nobody is told
                    return taken
                self.of.campaign(one)
                taken.about = [one.id]
            elif topic == self._alerts and value is not None:
                alert = _decode_alert(value)
                if crossing(alert.unmapped.exercise, self._exercise) is not None:
                    self.not_ours += 1
                    return taken
                self.of.alert(alert)
                taken.about = [alert.finding_info.uid]
            elif topic == self._rulings and value is not None:
                ruling = decode_ruling(value)
                self.of.rule(ruling)
                taken.about = [ruling.campaign]
            elif topic == self._suppressions:
                self._suppress(key or b"", value)
            elif self.is_replies(topic) and value is not None:
                self._hear(topic.removeprefix(self._replies), value, taken, again=again)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.not_ours += 1
        return taken

    def _suppress(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.of.suppressions.remove(key.decode())
        else:
            self.of.suppressions.put(suppression.decode(value))

    def _hear(self, by: str, value: bytes, taken: Taken, *, again: bool) -> None:
        said = reply.decode(value)
        if again:
            self.of.remember(by, said)
            return
        ignored = self.of.ignored
        taken.entries = self.of.said(by, said, now_ms())
        if self.of.ignored == ignored:
            about = said.request if isinstance(said, reply.Answer) else said.thread
            taken.said = [(by, said, about)]

    def measure(self) -> None:
        """What has been counted since the last time, and what stands."""
        suppressed, ignored = self._counted
        metrics.DELIVERIES_SUPPRESSED.inc(self.of.suppressed - suppressed)
        metrics.REPLIES_IGNORED.inc(self.of.ignored - ignored)
        self._counted = self.of.suppressed, self.of.ignored
        for reason in Reason:
            count = sum(one.question.reason is reason for one in self.of.open.values())
            metrics.OPEN_QUESTIONS.labels(reason).set(count)
