"""The topic `watches`: what stands on it, and what is sent to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from confluent_kafka import Producer
from msgspec import Struct

from pipeline import watch
from pipeline.shell.restoring import everything
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import FailedError, Settings
from pipeline.watch import Watch

_WITHIN_S = 60.0
_AT_ONCE = 10_000


class Difference(Struct, frozen=True):
    """What must be sent so that what was read stands."""

    new: list[Watch]
    changed: list[Watch]
    withdrawn: list[str]
    unchanged: int


def difference(
    standing: Mapping[str, Watch], watches: Iterable[Watch], source: str, references: set[str]
) -> Difference:
    """What of a source is new, changed and gone; gone is what an object no longer says."""
    read = {one.id: one for one in watches}
    gone = [
        one.id
        for one in standing.values()
        if one.source == source and one.reference in references and one.id not in read
    ]
    new = [one for one in read.values() if one.id not in standing]
    changed = [one for one in read.values() if standing.get(one.id, one) != one]
    return Difference(new, changed, gone, len(read) - len(new) - len(changed))


async def standing(settings: Settings) -> dict[str, Watch]:
    """By id, the watches that stand; what is none is passed over."""
    found: dict[str, Watch] = {}
    async for _, key, value in everything(settings, settings.topic("watches")):
        name = (key or b"").decode("utf-8", "replace")
        if value is None:
            found.pop(name, None)
            continue
        try:
            found[name] = watch.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return found


def send(settings: Settings, watches: Iterable[Watch], withdrawn: Iterable[str]) -> None:
    """Returns when all of it has arrived; a `FailedError` if it does not."""
    failed: list[str] = []
    producer = Producer(for_librdkafka(settings) | {"acks": "all"})
    topic = settings.topic("watches")
    records: list[tuple[str, bytes | None]] = [(one.id, watch.encode(one)) for one in watches]
    records += [(identity, None) for identity in withdrawn]
    left = 0
    for at in range(0, len(records), _AT_ONCE):
        for key, value in records[at : at + _AT_ONCE]:
            producer.produce(
                topic,
                value,
                key.encode(),
                on_delivery=lambda error, _: failed.append(error.str()) if error else None,
            )
        left = producer.flush(_WITHIN_S)
        if failed or left:
            why = failed[0] if failed else f"not delivered within {_WITHIN_S:.0f} s"
            raise FailedError(f"{topic}: {why}")
