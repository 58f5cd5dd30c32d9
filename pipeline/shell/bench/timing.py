"""The way from produce to alert, when nothing else comes in, and under a steady rate of events.

The rates are shares of one that can be kept up with. That is less than the rate at which what lies
there can be read, for whoever produces and a broker that takes it in need the same cores.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Mapping, Sequence

from pipeline.registry import Registry
from pipeline.shell import observe
from pipeline.shell.bench import data, latency
from pipeline.shell.bench.load import Load
from pipeline.shell.bench.pressure import Press, pressure
from pipeline.shell.bench.say import say
from pipeline.shell.bench.workers import Worker, total
from pipeline.shell.settings import Settings

SETTLING_S = 2.0  # of a steady rate, before anything is measured under it
PRESSED_S = 14.0  # for which more comes in than can be kept up with: over two checkpoints


class Timing:
    """Of one load, on one Kafka, by the workers of each stage. Topics by country."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        topics: Mapping[str, str],
        load: Load,
        workers: Mapping[str, Sequence[Worker]],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._topics = topics
        self._load = load
        self._workers = workers

    def measure(self, rate: float) -> dict[str, object]:
        """The figures by name; `rate`: events a second that can be read. None without probes."""
        if not self._load.probes:
            return {}
        gc.freeze()  # what this process has of all the alerts: it must not stop to look through it
        say("measuring latency")
        timed: dict[str, object] = dict(self._timed(0))
        if not self._load.shares:
            return timed
        say("measuring the rate that can be kept up with")
        press = Press(rate, PRESSED_S, 0, 0)
        kept_up = self._kept_up(press)
        under: dict[str, dict[str, float]] = {}
        for n, share in enumerate(self._load.shares, 1):
            say(f"measuring latency at {share:.0%} of that rate")
            seconds = latency.seconds(self._load) + SETTLING_S
            press = Press(kept_up * share, seconds, press.first + press.events, n)
            under[str(share)] = self._under(press, n * self._load.probes)
        return timed | {
            "kept_up_events_per_second": round(kept_up),
            "latency_under_load": under,
        }

    def _kept_up(self, press: Press) -> float:
        """Events a second that get through to correlate while more are produced."""
        with pressure(self._settings.broker, press, self._load, self._names()) as pressing:
            time.sleep(SETTLING_S)
            before, since = self._got_through(), time.perf_counter()
            time.sleep(PRESSED_S - 2 * SETTLING_S)
            through, took = self._got_through() - before, time.perf_counter() - since
            offered = pressing.events_per_second()
        asyncio.run(observe.wait_until_caught_up(self._settings, self._registry))
        return min(through / took, offered)

    def _under(self, press: Press, first: int) -> dict[str, float]:
        """Latency meanwhile; its probes are numbered from `first`."""
        with pressure(self._settings.broker, press, self._load, self._names()) as pressing:
            time.sleep(SETTLING_S)
            found = self._timed(first)
            sent = round(pressing.events_per_second())
        asyncio.run(observe.wait_until_caught_up(self._settings, self._registry))
        return {"events_per_second": sent, **found}

    def _names(self) -> list[str]:
        return [self._topics[country] for country in data.COUNTRIES]

    def _got_through(self) -> float:
        """Events all of whose sightings correlate has, as far as the figures of now tell."""
        intake, correlate = self._workers["intake"], self._workers["correlate"]
        taken_up = total(correlate, "sightline_sightings_received_total")
        sent = total(intake, "sightline_sightings_sent_total")
        received = total(intake, "sightline_events_received_total")
        return received * min(taken_up / sent, 1.0) if sent else 0.0

    def _timed(self, first: int) -> dict[str, float]:
        found = asyncio.run(latency.latencies(self._settings, self._topics, self._load, first))
        return {
            f"latency_p{percent}_ms": round(found[len(found) * percent // 100] * 1000, 1)
            for percent in (50, 99)
        }
