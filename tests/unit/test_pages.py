"""What the pages of figures say is what was measured, and the plan follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.shell.bench import data
from pipeline.sight import partition_of
from tests.bench import page, scaling, skew

MACHINE = {
    "cpus": 2, "architecture": "x86_64", "system": "Linux", "python": "3.11.7", "load_1m": 0.5
}  # fmt: skip
OF = scaling.Measured(
    intake_s=5.0,
    correlate_s=4.0,
    broker_s=8.0,
    event_bytes=340.0,
    sighting_bytes=30.0,
    alert_bytes=10.0,
    live_bytes=300.0,
)


def row(**changed: Any) -> page.Row:
    return {
        "factor": "default", "events": 1000, "seed": 1, "indicators": 1, "size": 0,
        "skew": "mixed", "packed": 1, "window": "10m", "span": "2h", "live": 0, "partitions": 8,
        "workers": 1, "cpus": "", "events_per_second": 12345, "ceiling_events_per_second": 24690,
        "ratio": 0.5, "exact": True, "alerts": 7,
        "cpu_seconds_per_million_events": {"intake": 5.0, "correlate": 4.0, "broker": 8.0},
        "peak_rss_mb": {"intake": 90, "correlate": 100},
        "bytes_per_event": {"events": 340.0, "sightings": 30.0, "alerts": 10.0},
        "live_indicators": {"before": 0, "after": 9}, "machine": MACHINE,
    } | changed  # fmt: skip


ROWS = [
    row(),
    row(factor="skew", skew="hot", exact=False, latency_p50_ms=8.5, latency_p99_ms=20.0),
    row(factor="live", live=10_000, live_indicators={"before": 10_000}),
    row(
        factor="live",
        live=1_010_000,
        live_indicators={"before": 1_010_000},
        peak_rss_mb={"intake": 90, "correlate": 400},
    ),
]


@pytest.mark.parametrize("of", [page, scaling], ids=["performance", "scaling"])
def test_the_page_is_what_was_measured(of: Any) -> None:
    """`make pages` writes it anew."""
    assert of.PAGE.read_text("utf-8") == of.written()


def test_latency_under_load_is_told_by_share() -> None:
    timed = {"events_per_second": 6172, "latency_p50_ms": 9.5, "latency_p99_ms": 31.0}
    text = page.page([row(latency_under_load={"0.5": timed})], [])
    assert "| *default* | 50% | 6,172 | 9.5, 31.0 |" in text
    assert "under load |" not in page.page(ROWS, [])


def test_a_row_says_what_was_varied_and_what_came_of_it() -> None:
    text = page.page(ROWS, [])
    assert "| *default* | 12,345 | 24,690 | 0.50 | yes |" in text
    assert "| skew hot | 12,345 | 24,690 | 0.50 | **no** |" in text
    assert "| 8.5, 20.0 |" in text
    assert "| live 1,010,000 |" in text


def test_the_plan_rests_on_the_default_rows_and_on_what_another_indicator_takes() -> None:
    assert scaling.measured(ROWS) == OF


def test_more_events_need_more_workers_and_more_indicators_more_memory() -> None:
    small = scaling.plan(OF, 1_000_000, 1_000_000)
    assert (small.intake_workers, small.by_cpu, small.by_memory) == (10, 8, 1)
    assert small.correlate_workers >= small.by_cpu
    assert small.correlate_workers <= small.partitions
    fast = scaling.plan(OF, 4_000_000, 1_000_000)
    assert fast.intake_workers == 4 * small.intake_workers
    assert fast.in_mb_s == pytest.approx(4 * small.in_mb_s)
    full = scaling.plan(OF, 1_000_000, 1_000_000_000)
    assert full.by_memory == 50
    assert full.correlate_workers >= 50


def test_no_worker_has_more_than_its_share() -> None:
    made = scaling.plan(OF, 1_000_000, 100_000_000)
    loads = skew.by_partition(skew.folded(skew.zipf(), scaling.FOLDED), made.partitions)
    busiest = max(skew.by_worker(loads, made.correlate_workers))
    assert busiest * max(made.by_cpu, made.by_memory) <= 1.0 + 1e-9


def test_unevenness() -> None:
    assert skew.unevenness([1.0, 1.0]) == 1.0
    assert skew.unevenness([3.0, 1.0, 1.0, 1.0]) == 2.0
    for partitions in skew.PARTITIONS:
        address = data.values((77, 77, 77))[0]
        assert skew._hashes()[77] % partitions == partition_of(address, partitions)
    assert sum(skew.by_partition(skew.zipf(), 64)) == pytest.approx(1.0)
    assert skew.by_worker([1, 2, 3, 4], 2) == [4, 6]


def test_folding_evens_out() -> None:
    for shares in (skew.zipf(), skew.hot()):
        single, folded = (
            skew.unevenness(skew.by_partition(one, 128))
            for one in (shares, skew.folded(shares, 200))
        )
        assert folded < single
        assert skew.sightings_per_event(shares, 1) == pytest.approx(1.0)
        assert skew.sightings_per_event(shares, 200) < 1.0
