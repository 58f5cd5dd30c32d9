"""What workers serve as `/metrics`, made into what a person asks: how fast, how far behind.

Two scrapes of a worker give rates. Everything here is of what was read; nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from prometheus_client.parser import text_string_to_metric_families

STALE_S = 5.0
"""What was read longer ago is old."""

Series = Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]
"""By name, by labels in order, the values."""

_INTO = {
    "intake": ("sightline_events_received_total", "sightline_sightings_sent_total"),
    "correlate": ("sightline_sightings_received_total", "sightline_alerts_total"),
    "campaign": ("sightline_records_received_total", "sightline_campaigns_total"),
}
"""By stage, what comes in and what goes out."""
ERRORS = {
    "rejected": "sightline_events_rejected_total",
    "late": "sightline_events_late_total",
    "set aside": "sightline_records_set_aside_total",
    "not ours": "sightline_records_not_ours_total",
    "not delivered": "sightline_produce_errors_total",
    "shed": "sightline_indicators_shed_total",
    "restarts": "sightline_stage_restarts_total",
}


class Scrape(Struct, frozen=True):
    """One worker's metrics; `at` is when they were read, s on a clock that only goes on."""

    at: float
    series: Series


class StageView(Struct):
    """One stage over all workers. Rates are a second; None where no two scrapes are known."""

    stage: str
    rate_in: float | None = None
    rate_out: float | None = None
    lag: float = 0
    waited_s: float = 0
    partitions: float = 0
    state_bytes: float = 0
    loop_lag_s: float | None = None
    """Of the last turns of its event loop, on average."""
    silent_s: float | None = None
    """Since its event loop came round, of the worker where that is longest ago."""


class View(Struct):
    """What there is to see."""

    stages: list[StageView]
    workers: int = 0
    stale: list[str] = field(default_factory=list)
    """Those that were not read of late, and why."""
    errors: dict[str, float] = field(default_factory=dict)
    """By kind, how many since the workers began."""
    recent: dict[str, float] = field(default_factory=dict)
    """By kind, how many between the last two scrapes."""
    open_alerts: float = 0
    campaigns: float = 0


def read(text: str, at: float) -> Scrape:
    """A worker's answer; a `ValueError` if it is none."""
    series: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            series.setdefault(sample.name, {})[labels] = sample.value
    return Scrape(at, series)


def total(of: Scrape, name: str, **labels: str) -> float:
    """The sum of what has these labels, whatever others it has."""
    wanted = labels.items()
    return sum(
        value for known, value in of.series.get(name, {}).items() if wanted <= dict(known).items()
    )


def values(of: Scrape, name: str, **labels: str) -> list[float]:
    """Of what has these labels, the values."""
    wanted = labels.items()
    found = of.series.get(name, {})
    return [value for known, value in found.items() if wanted <= dict(known).items()]


def view(
    now: Mapping[str, Scrape],
    before: Mapping[str, Scrape],
    stale: Iterable[str],
    clock_s: float,
) -> View:
    """Of the newest scrape of each worker and the one before it; `clock_s` is the time, s since
    the epoch.
    """
    pairs = [(before.get(name), scrape) for name, scrape in now.items()]
    made = View(
        [_stage(stage, pairs, clock_s) for stage in _INTO], workers=len(now), stale=list(stale)
    )
    for kind, name in ERRORS.items():
        made.errors[kind] = sum(total(scrape, name) for scrape in now.values())
        made.recent[kind] = sum(_growth(first, second, name) for first, second in pairs)
    made.open_alerts = sum(total(scrape, "sightline_open_episodes") for scrape in now.values())
    made.campaigns = max(
        (total(scrape, "sightline_live_campaigns") for scrape in now.values()), default=0
    )
    return made


def _stage(stage: str, pairs: list[tuple[Scrape | None, Scrape]], clock_s: float) -> StageView:
    name_in, name_out = _INTO[stage]
    labels = {"stage": stage} if name_in == "sightline_records_received_total" else {}
    seen = StageView(stage)
    rates_in, rates_out, lags = [], [], []
    for first, second in pairs:
        seen.lag += total(second, "sightline_consumer_lag_records", stage=stage)
        waited = values(second, "sightline_consumer_lag_seconds", stage=stage)
        seen.waited_s = max([seen.waited_s, *waited])
        seen.partitions += total(second, "sightline_assigned_partitions", stage=stage)
        seen.state_bytes += total(second, "sightline_state_bytes", stage=stage)
        for beat in values(second, "sightline_event_loop_timestamp_seconds", stage=stage):
            seen.silent_s = max(seen.silent_s or 0.0, clock_s - beat)
        if first is None or second.at <= first.at:
            continue
        seconds = second.at - first.at
        rates_in.append(_growth(first, second, name_in, **labels) / seconds)
        rates_out.append(_growth(first, second, name_out) / seconds)
        turns = _growth(first, second, "sightline_event_loop_lag_seconds_count", stage=stage)
        if turns:
            late = _growth(first, second, "sightline_event_loop_lag_seconds_sum", stage=stage)
            lags.append(late / turns)
    if rates_in:
        seen.rate_in, seen.rate_out = sum(rates_in), sum(rates_out)
    seen.loop_lag_s = max(lags, default=None)
    return seen


def _growth(first: Scrape | None, second: Scrape, name: str, **labels: str) -> float:
    """By how much a counter has grown; one that was begun anew has grown from nothing."""
    if first is None:
        return 0.0
    before, after = total(first, name, **labels), total(second, name, **labels)
    return after - before if after >= before else after
