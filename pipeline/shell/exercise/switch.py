"""Whether an exercise runs: its `control` topic, read, written, and heeded until it says stop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import msgspec
from confluent_kafka import Producer

from pipeline.exercise.control import KEY, Control, State, decode, encode
from pipeline.shell.past import Past
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import FailedError, Settings
from pipeline.shell.watch.follow import Follower, Heard

_WITHIN_S = 15.0
_AGAIN_S = 2.0

log = logging.getLogger("sightline")


async def control_of(settings: Settings) -> Control | None:
    """What the exercise of these settings' lane says; None if it was never started."""
    found: Control | None = None
    async for record in Past(settings).records([settings.topic("control")]):
        if record.value is not None:
            found = _decoded(record.value) or found
    return found


def running(settings: Settings) -> Control:
    """The same, or a `FailedError` if it does not run."""
    found = asyncio.run(control_of(settings))
    if found is None:
        raise FailedError(
            f"there is no exercise {settings.exercise!r} at {settings.broker}: `sightline exercise "
            "start` begins one"
        )
    if found.state is not State.RUNNING:
        raise FailedError(f"exercise {settings.exercise!r} has been stopped, which is for good")
    return found


def say(settings: Settings, control: Control) -> None:
    """Write it, and wait for it to arrive."""
    failed: list[str] = []
    producer = Producer(for_librdkafka(settings) | {"acks": "all"})
    producer.produce(
        settings.topic("control"),
        encode(control),
        KEY,
        on_delivery=lambda error, _: failed.append(error.str()) if error is not None else None,
    )
    left = producer.flush(_WITHIN_S)
    if failed or left:
        why = failed[0] if failed else f"not delivered within {_WITHIN_S:.0f} s"
        raise FailedError(f"{settings.topic('control')}: {why}")


def heed(settings: Settings, stop: threading.Event) -> None:
    """Set `stop` when the exercise is stopped, at once if it does not run: a `FailedError`."""
    running(settings)
    listening = threading.Thread(target=_listen, args=(settings, stop), daemon=True, name="switch")
    listening.start()


def _listen(settings: Settings, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            asyncio.run(_until_stopped(settings, stop))
        except Exception:
            log.warning("the exercise's switch cannot be read; trying again", exc_info=True)
            time.sleep(_AGAIN_S)


async def _until_stopped(settings: Settings, stop: threading.Event) -> None:
    follower = Follower(settings, [settings.topic("control")], 0)
    async for some in follower.follow():
        for one in some:
            if isinstance(one, Heard):
                found = _decoded(one.value)
                if found is not None and found.state is State.STOPPED:
                    log.warning("exercise %s has been stopped", settings.exercise)
                    stop.set()
        if stop.is_set():
            return


def _decoded(value: bytes) -> Control | None:
    try:
        return decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
