"""Canaries: small synthetic attacks that show how long a real one takes to be told. No I/O here.

Three parties that no registry can have see one name, at the same time, that nobody can register.
The workers carry that on the ways of the real, event to alert, and apart from it on each: a canary
has topics of its own where it comes in and where its alert goes out; between them, in `sightings`,
it is marked by its record's key, and lands in a memory of its own. So it says nothing to whoever
looks at what is real: not to its windows, nor its time, nor what is counted of it.

      canary-events ─▶ intake ─▶ sightings, marked ─▶ correlate ─▶ canary-alerts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pipeline.correlate import Correlator
from pipeline.episode import Change, Episode
from pipeline.intake import Intake
from pipeline.registry import Party
from pipeline.rule import Level, Rule
from pipeline.sight import CANARY_KEY, Sightings, encode, fold_lengths

EVENTS: Final = "canary-events"
ALERTS: Final = "canary-alerts"
"""Topics, without the topic prefix."""

PARTIES: Final = tuple(
    Party(f"canary-{country.lower()}", country) for country in ("XA", "XB", "XC")
)
"""In countries that ISO 3166 leaves to its users: `pipeline.country` knows none of them."""
SENSORS: Final = {party.organisation: party for party in PARTIES}
RULE: Final = Rule(
    id="00000000-0000-4000-8000-0000000ca9a4",
    title="Canary",
    level=Level.INFORMATIONAL,
    indicator_type="domain",
    timespan_ms=60_000,
    field="country",
    gte=len(PARTIES),
)
SUFFIX: Final = ".canary.invalid"
"""RFC 2606: no such name can be registered, nor looked up."""
KEPT_MS: Final = 300_000
"""How long the memory of a canary lasts after it: who looks for it has given up long before."""

_decode = msgspec.msgpack.Decoder(Sightings).decode


def events(name: str, time_ms: int) -> list[bytes]:
    """The events of one canary: each party sees `name` under `SUFFIX`, at one time."""
    return [
        msgspec.json.encode(
            {
                "time": time_ms,
                "metadata": {"uid": name},
                "device": {"uid": sensor},
                "query": {"hostname": name + SUFFIX},
            }
        )
        for sensor in SENSORS
    ]


def name_of(value: str) -> str:
    """The name of the canary whose indicator this is."""
    return value.removesuffix(SUFFIX)


class CanaryIntake:
    """Messages of `canary-events` to marked records of `sightings`.

    What is no event of a canary is let fall: whoever wrote it is heard nowhere.
    """

    def __init__(self, source: str) -> None:
        self._intake = Intake(source, SENSORS, {}, fold_lengths([RULE]), KEPT_MS)

    def read(
        self, messages: Iterable[tuple[bytes, int]], partitions: int
    ) -> Iterator[tuple[int, bytes, bytes]]:
        """Of messages, each with the broker's time (ms), the records: partition, key, value."""
        came_in = 0
        for message, came_in in messages:
            self._intake.read(message, came_in)
        for partition, packed in self._intake.pack(partitions, came_in).items():
            for sightings in packed:
                yield partition, CANARY_KEY, encode(sightings)


class Canaries:
    """What a correlator remembers of canaries, for some minutes; nothing of it is ever saved."""

    def __init__(self) -> None:
        self._correlator = Correlator([RULE], KEPT_MS)

    def take(self, records: Iterable[tuple[bytes | None, bytes | None]]) -> list[Episode]:
        """The alerts that some records, (key, value), of `sightings` open; most are not marked."""
        marked = [value or b"" for key, value in records if key == CANARY_KEY]
        if not marked:
            return []
        correlator, latest = self._correlator, 0
        for value in marked:
            try:
                sightings = _decode(value)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue  # whoever looks for it will miss it
            correlator.observe(sightings)
            latest = max(latest, sightings.watermark)
        opened = [of for of in correlator.settle() if of.change is Change.OPENED]
        correlator.advance(latest)
        correlator.sweep()
        return opened
