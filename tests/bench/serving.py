"""How the dashboard's server holds: filters over a million alerts; viewers, one of them slow.

`python -m tests.bench.serving [--alerts N] [--viewers N] [--rate N] [--seconds N]`. The last line is
one JSON object. The second part runs `sightline serve` on a Kafka of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path

import httpx
import msgspec
from confluent_kafka import Producer

from pipeline.alert import Alert, encode
from pipeline.shell import topics
from pipeline.shell.files import registry_of
from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child
from pipeline.shell.security import for_librdkafka
from pipeline.shell.serve.rows import Record
from pipeline.shell.serve.store import Store
from pipeline.shell.settings import Settings
from tests.integration.harness import MARX_SENSORS
from tests.unit import told

COUNTRIES = ("CZ", "KE", "BR", "JP", "US", "DE", "SG", "AU", "FR", "PL", "NG", "CL", "FI", "TR")
KINDS = ("ip", "domain", "url", "sha256", "credential", "ja4")
BATCH = 2_000
FILTERS = (
    "", "country=CZ", "country=CZ&country=KE", "type=ip&severity=4", "type=sha256&country=NG",
    "label=none&status=new&type=ip&country=CZ&severity=3", "surprise=1e-6", "organisation=cz-nren",
    "rule=One source", "origin=KR&benign=no", "sector=nowhere", "country=CZ&type=ip&severity=5&origin=US",
    "q=198.18.7.7", "q=198.1", "q=nothing", "order=surprise", "order=newest&country=TR",
    "order=surprise&type=domain&country=BR", "day=20148",
)  # fmt: skip


def alert(number: int, dice: random.Random, updates: int = 0) -> Alert:
    kind = dice.choices(KINDS, (70, 10, 8, 5, 4, 3))[0]
    value = f"198.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return told.alert(
        f"a{number}",
        value if kind == "ip" else f"{kind}-{number}.example",
        kind,
        dice.sample(COUNTRIES, min(len(COUNTRIES), 2 + min(dice.randrange(6), 3) + updates % 3)),
        severity=dice.choices((1, 2, 3, 4, 5), (10, 20, 40, 25, 5))[0],
        activity=2 if updates else 1,
        p_value=dice.choice((None, 1e-8, 1e-5, 1e-3, 0.03, 0.4)),
        origin=dice.choice((*COUNTRIES, "KR", None)),
        last=told.NOON + number * 100,
    )


def filters(folder: Path, alerts: int) -> dict[str, object]:
    """The slowest of five times each filter is asked for, ms, and the CPU that the median took."""
    dice = random.Random(1)
    records = (
        Record("alerts", f"a{n}".encode(), encode(alert(n, dice)), told.NOON + n)
        for n in range(1, alerts + 1)
    )
    with closing(Store(folder / "million.sqlite")) as store:
        started = time.perf_counter()
        for done in range(0, alerts, BATCH):
            store.apply(islice(records, BATCH), {("alerts", 0): done})
        building = time.perf_counter() - started
        size = sum(path.stat().st_size for path in folder.glob("million.sqlite*"))
        slowest: dict[str, float] = {}
        spent: dict[str, float] = {}
        for query in FILTERS:
            asked = httpx.QueryParams(query)
            wanted = {
                name: tuple(asked.get_list(name)) for name in asked if name not in ("q", "order")
            }
            times, work = [], []
            for _ in range(5):
                at, cpu = time.perf_counter(), time.thread_time()
                page = store.page(
                    "alerts", wanted, text=asked.get("q", ""),
                    order=asked.get("order", "severity"),
                )  # fmt: skip
                times.append(1e3 * (time.perf_counter() - at))
                work.append(1e3 * (time.thread_time() - cpu))
            spent[query] = round(statistics.median(work), 1)
            slowest[query] = round(max(times), 1)
            print(
                f"{query or 'all':58} {page.total:>9,} found {max(times):7.1f} ms, "
                f"CPU {spent[query]:5.1f} ms",
                flush=True,
            )
        at = time.perf_counter()
        store.counts("alerts")
        slowest["facets"] = round(1e3 * (time.perf_counter() - at), 1)
        return {
            "alerts": alerts,
            "built_s": round(building, 1),
            "bytes": size,
            "slowest_ms": max(slowest.values()),
            "median_ms": round(statistics.median(slowest.values()), 1),
            "most_cpu_ms": max(spent.values()),
        }


class Viewer:
    """One who keeps the newest of each row that the stream told."""

    def __init__(self, address: str, slow: bool = False) -> None:
        self.known: dict[str, tuple[str, ...]] = {}
        self.last = "0"
        self.rows = 0
        self.breaks = 0
        self._address = address
        self._slow = slow

    def knows(self, stands: Mapping[str, tuple[str, ...]]) -> int:
        """How many of these it knows as they stand."""
        return sum(self.known.get(name) == countries for name, countries in stands.items())

    async def watch(self, client: httpx.AsyncClient) -> None:
        while True:
            headers = {"Last-Event-ID": self.last}
            try:
                async with client.stream(
                    "GET", f"{self._address}events?of=alerts&after=0", headers=headers
                ) as stream:
                    await self._read(stream)
            except httpx.HTTPError:
                pass
            self.breaks += 1
            await asyncio.sleep(0.5)

    async def _read(self, stream: httpx.Response) -> None:
        identity = self.last
        async for line in stream.aiter_lines():
            if line.startswith("id: "):
                identity = line.removeprefix("id: ")
            elif line.startswith("data: ["):
                for row in msgspec.json.decode(line.removeprefix("data: ")):
                    self.known[row["id"]] = tuple(row["countries"])
                    self.rows += 1
                self.last = identity
                if self._slow:
                    await asyncio.sleep(2)


def resident(pid: int) -> int:
    """MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    raise AssertionError


def viewers(folder: Path, count: int, rate: int, seconds: int, killed: bool) -> dict[str, object]:
    """Viewers while alerts change, and after: does each know what stands?"""
    with Child("-m", "pipeline.shell.broker", "--port", "0", ready_within=300) as broker:
        settings = msgspec.convert(
            {
                "broker": broker.ready,
                "sensors": str(MARX_SENSORS),
                "serve_port": free_port(),
                "serve_store": str(folder / "serve.sqlite"),
            },
            Settings,
        )
        asyncio.run(topics.ensure(registry_of(MARX_SENSORS), settings))
        serve = Child("-m", "pipeline", "serve", environment=settings.environment())
        serve.start()
        try:

            def restart() -> None:
                os.kill(serve.pid, signal.SIGKILL)
                serve.stop()
                serve.start()

            again = restart if killed else None
            return asyncio.run(watched(settings, lambda: serve.pid, count, rate, seconds, again))
        finally:
            serve.stop()


async def watched(
    settings: Settings,
    pid: Callable[[], int],
    count: int,
    rate: int,
    seconds: int,
    restart: Callable[[], None] | None,
) -> dict[str, object]:
    """While `count` viewers watch, the last of them slowly, and the server is killed half way."""
    address = f"http://127.0.0.1:{settings.serve_port}/"
    limits = httpx.Limits(max_connections=None)
    producer = Producer(for_librdkafka(settings) | {"linger.ms": 20})
    dice = random.Random(2)
    stands: dict[str, tuple[str, ...]] = {}
    memory: list[int] = []
    every = [Viewer(address) for _ in range(count - 1)] + [Viewer(address, slow=True)]
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        tasks = [asyncio.create_task(one.watch(client)) for one in every]
        started, sent = time.monotonic(), 0
        while (now := time.monotonic() - started) < seconds:
            while sent < now * rate:
                sent += 1
                number = dice.randrange(1, 5_000)
                made = alert(number, dice, updates=sent)
                producer.produce(settings.topic("alerts"), encode(made), f"a{number}".encode())
                stands[f"a{number}"] = made.unmapped.countries
            producer.poll(0)
            memory.append(resident(pid()))
            if restart and now > seconds / 2:
                await asyncio.to_thread(restart)
                restart = None
            await asyncio.sleep(0.05)
        await asyncio.to_thread(producer.flush, 30)
        fed = time.monotonic() - started
        fast, slow = every[:-1], every[-1]
        known_at_end = [one.knows(stands) for one in fast]
        at = time.monotonic()
        while any(one.knows(stands) < len(stands) for one in fast) and time.monotonic() - at < 120:
            await asyncio.sleep(0.1)
        behind = time.monotonic() - at
        slow_behind = len(stands) - slow.knows(stands)
        slow._slow = False  # now it reads on as the others do
        at = time.monotonic()
        while slow.knows(stands) < len(stands) and time.monotonic() - at < 120:
            await asyncio.sleep(0.1)
        memory.append(resident(pid()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "viewers": count,
        "updates": sent,
        "updates_per_second": round(sent / fed),
        "rows_told": sum(one.rows for one in every),
        "fewest_known_at_the_end": min(known_at_end),
        "alerts": len(stands),
        "caught_up_after_s": round(behind, 1),
        "without_gap": sum(one.knows(stands) == len(stands) for one in every),
        "slow_viewer_was_behind_by": slow_behind,
        "breaks": sum(one.breaks for one in every),
        "rss_mib_first": memory[len(memory) // 10],
        "rss_mib_most": max(memory),
        "rss_mib_last": memory[-1],
        "this_process_cpu_s": round(used.ru_utime - cpu.ru_utime, 1),
    }


def main() -> Iterator[tuple[str, dict[str, object]]]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--alerts", type=int, default=1_000_000)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--kill", action="store_true", help="the server, half way through")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if given.alerts:
            yield "filters", filters(Path(name), given.alerts)
        if given.viewers:
            yield (
                "viewers",
                viewers(Path(name), given.viewers, given.rate, given.seconds, given.kill),
            )


if __name__ == "__main__":
    print(json.dumps(dict(main())))
