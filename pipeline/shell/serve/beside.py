"""Topics that campaigns are shown with: what alliances were told, what recipients write back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pipeline.share.alliance import topic as alliance_topic
from pipeline.shell.alliances import folder
from pipeline.shell.notify.sources import are_set, replies_topic, topics_of
from pipeline.shell.serve.answers import Answers
from pipeline.shell.serve.rows import Record
from pipeline.shell.settings import Settings

_LIVE_MS = 60_000


class Place(NamedTuple):
    """What is on a topic, and of whom."""

    kind: Literal["released", "deliveries", "replies"]
    of: str = ""


class BesideTopics:
    """By its full name, each of them; and what is read of them."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self.topics = frozenset(places)
        self.answers = Answers()
        self._places = places
        # What was there before is shown when somebody looks: nobody is told of it as of news.
        self._since = time.time_ns() // 1_000_000 - _LIVE_MS

    def take(self, topic: str, some: Sequence[Any]) -> list[Record]:
        """Note records of a topic; what the read store is to hear of them."""
        place = self._places[topic]
        if place.kind == "released":
            return [Record("released", one.key, one.value, one.timestamp, place.of) for one in some]
        return list(self._answered(place, some))

    def _answered(self, place: Place, some: Sequence[Any]) -> Iterator[Record]:
        for one in some:
            about = (
                self.answers.take_entry(one.key or b"", one.value)
                if place.kind == "deliveries"
                else self.answers.take_reply(place.of, one.key or b"", one.value)
            )
            if about is not None and one.timestamp >= self._since:
                yield Record("touched", about.encode(), None, one.timestamp)


def beside_topics(settings: Settings) -> BesideTopics:
    """Those that these settings call for."""
    places = {
        settings.topic(alliance_topic(name)): Place("released", name)
        for name in folder.read(settings).current
    }
    if are_set(settings):
        _, back = topics_of(settings)
        places[settings.topic("deliveries")] = Place("deliveries")
        places |= {
            settings.topic(name): Place("replies", name.removeprefix(replies_topic("")))
            for name in back
        }
    return BesideTopics(places)
